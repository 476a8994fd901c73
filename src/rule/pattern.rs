//! Patterns as people write them.

use super::graph::CharGraph;
use std::sync::Arc;

/// Which letters match which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Case {
    /// As written.
    #[default]
    Sensitive,
    /// `a` to `z` match both cases.
    AsciiInsensitive,
}

/// Which matches of a pattern count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Every substring that matches (the default): no choice of greedy or lazy can un-redact a byte.
    #[default]
    All,
    /// A match ends at the first byte at which it can; the search begins anew there.
    /// For open-ended patterns such as `BEGIN[\s\S]*END`.
    Shortest,
}

/// A regular expression with its surroundings.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub(crate) regex: String,
    pub(crate) capture: Option<String>,
    pub(crate) not_before: Option<String>,
    pub(crate) not_after: Option<String>,
    pub(crate) case: Case,
    pub(crate) unicode: Unicode,
    pub(crate) mode: Mode,
    /// What really stands in place of the captured group, or of all of `regex`, which then is only its place.
    pub(crate) spelled: Option<Spelled>,
}

/// Words with all their spellings.
#[derive(Clone, Debug)]
pub(crate) struct Spelled {
    /// As the list has them.
    pub(crate) words: Vec<String>,
    pub(crate) graph: Arc<CharGraph>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unicode {
    Ascii,
    Unicode,
}

impl Pattern {
    /// A regular expression in the syntax of the `regex` crate.
    pub fn regex(regex: impl Into<String>) -> Pattern {
        Pattern {
            regex: regex.into(),
            capture: None,
            not_before: None,
            not_after: None,
            case: Case::default(),
            unicode: Unicode::Ascii,
            mode: Mode::default(),
            spelled: None,
        }
    }

    /// Words with all their spellings.
    pub(super) fn spelled(spelled: Spelled) -> Pattern {
        Pattern { spelled: Some(spelled), ..Pattern::regex("(?s-u:.)") }
    }

    /// A text as it stands.
    pub fn literal(text: &str) -> Pattern {
        Pattern::regex(regex_syntax::escape(text))
    }

    /// Only the named group is held and covered: what stands before it is context that is never held,
    /// what stands after it (at most 32 bytes) confirms the match.
    pub fn capture(mut self, group: impl Into<String>) -> Pattern {
        self.capture = Some(group.into());
        self
    }

    /// No match begins right after a character of this class, such as `[A-Za-z0-9]`.
    pub fn not_before(mut self, class: impl Into<String>) -> Pattern {
        self.not_before = Some(class.into());
        self
    }

    /// No match ends right before a character of this class.
    pub fn not_after(mut self, class: impl Into<String>) -> Pattern {
        self.not_after = Some(class.into());
        self
    }

    /// Sets which letters match which.
    pub fn case(mut self, case: Case) -> Pattern {
        self.case = case;
        self
    }

    /// `\d`, `\w`, `.` and classes speak of Unicode code points.
    pub fn unicode(mut self) -> Pattern {
        self.unicode = Unicode::Unicode;
        self
    }

    /// Sets which matches count.
    pub fn mode(mut self, mode: Mode) -> Pattern {
        self.mode = mode;
        self
    }
}

/// What happens to a block that is not closed within its length, or at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unclosed {
    /// What was swallowed stays covered.
    #[default]
    Redact,
    /// The stream ends.
    Terminate,
}

/// Everything from an opening to a closing pattern, swallowed as it comes.
#[derive(Clone, Debug)]
pub struct Block {
    pub(crate) open: String,
    pub(crate) close: String,
    pub(crate) case: Case,
    pub(crate) max_len: usize,
    pub(crate) unclosed: Unclosed,
}

impl Block {
    /// A block from a match of `open` to the next match of `close`, both regular expressions,
    /// `max_len` bytes long at most, both ends included.
    pub fn new(open: impl Into<String>, close: impl Into<String>, max_len: usize) -> Block {
        Block { open: open.into(), close: close.into(), case: Case::default(), max_len, unclosed: Unclosed::default() }
    }

    /// Sets which letters match which.
    pub fn case(mut self, case: Case) -> Block {
        self.case = case;
        self
    }

    /// Sets what happens to a block that is not closed.
    pub fn unclosed(mut self, unclosed: Unclosed) -> Block {
        self.unclosed = unclosed;
        self
    }
}
