//! What happens to a match.

/// What happens to a match.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Report it, change nothing, hold nothing.
    Flag,
    /// Replace its characters, except some at its ends.
    Mask(Mask),
    /// Replace it by a text.
    Redact(Template),
    /// Remove it.
    Drop,
    /// End the stream; nothing of the match leaves.
    Terminate,
}

impl Default for Action {
    fn default() -> Action {
        Action::Redact(Template::default())
    }
}

impl Action {
    /// The action's word in rule files, logs and findings.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Flag => "flag",
            Action::Mask(_) => "mask",
            Action::Redact(_) => "redact",
            Action::Drop => "drop",
            Action::Terminate => "terminate",
        }
    }
}

/// Replaces each character of a match by one character, except some at its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mask {
    /// What each hidden character becomes.
    pub char: char,
    /// Characters shown at the start.
    pub keep_first: usize,
    /// Characters shown at the end.
    pub keep_last: usize,
}

impl Mask {
    /// Hides every character behind `char`.
    pub const fn new(char: char) -> Mask {
        Mask { char, keep_first: 0, keep_last: 0 }
    }

    /// Shows this many characters at the start.
    pub const fn keep_first(mut self, chars: usize) -> Mask {
        self.keep_first = chars;
        self
    }

    /// Shows this many characters at the end.
    pub const fn keep_last(mut self, chars: usize) -> Mask {
        self.keep_last = chars;
        self
    }
}

/// The text that takes a match's place.
///
/// `{rule}` becomes the rule's id, `{category}` the part of it before the first dot, `{len}` the length of
/// what was replaced in characters, `{hash8}` the first eight hex digits of its keyed hash (HMAC-SHA256),
/// `{{` and `}}` a brace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
}

impl Template {
    /// A template of this source; it is parsed when the policy is built.
    pub fn new(source: impl Into<String>) -> Template {
        Template { source: source.into() }
    }

    /// The template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl Default for Template {
    fn default() -> Template {
        Template::new("[{rule}]")
    }
}
