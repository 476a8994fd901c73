//! What takes a segment's place.

use crate::error::Fault;
use crate::rule::{Action, Mask};

/// A rule's action, ready to be applied to a segment.
#[derive(Clone, Debug)]
pub(crate) enum Replacement {
    /// A text that does not depend on what was covered.
    Fixed(Box<str>),
    Mask {
        mask: Mask,
        fallback: Box<str>,
    },
}

impl Replacement {
    pub(super) fn of(id: &str, action: &Action, _hash_key: Option<&[u8]>) -> Result<Replacement, Fault> {
        Ok(match action {
            Action::Flag | Action::Drop | Action::Terminate => Replacement::Fixed("".into()),
            Action::Mask(mask) => Replacement::Mask { mask: *mask, fallback: format!("[{id}]").into() },
            Action::Redact(template) => Replacement::Fixed(template.source().replace("{rule}", id).into()),
        })
    }

    /// Whether the covered text is asked for.
    pub(crate) fn needs_text(&self) -> bool {
        matches!(self, Replacement::Mask { .. })
    }

    /// Appends what takes the place of `covered`; `None` where it was too long to be kept.
    pub(crate) fn write(&self, covered: Option<&[u8]>, mixed: bool, out: &mut String) {
        match self {
            Replacement::Fixed(text) => out.push_str(text),
            Replacement::Mask { mask, fallback } => match covered {
                None => out.push_str(fallback),
                Some(text) => {
                    let text = String::from_utf8_lossy(text);
                    let n = text.chars().count();
                    let (first, last) = if mixed || mask.keep_first + mask.keep_last >= n {
                        (0, 0)
                    } else {
                        (mask.keep_first, mask.keep_last)
                    };
                    out.extend(text.chars().enumerate().map(
                        |(i, c)| {
                            if i < first || i >= n - last { c } else { mask.char }
                        },
                    ));
                }
            },
        }
    }
}
