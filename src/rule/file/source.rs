//! A file's name and text, to say where in it something is wrong.

use crate::error::Fault;
use std::ops::Range;
use std::rc::Rc;

/// A rule file as it was read. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Source {
    name: Rc<str>,
    text: Rc<str>,
}

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Source {
        Source { name: name.into(), text: text.into() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The one-based line that the byte `at` is on.
    pub(super) fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
    }

    /// The fault, standing at `span` of this file.
    pub(super) fn place(&self, span: Range<usize>, mut fault: Fault) -> Fault {
        fault.file = Some(self.name.to_string());
        fault.line = Some(self.line(span.start));
        fault.span = Some(span);
        fault
    }
}
