//! What happens to a match.

use super::template::Template;

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
    /// Hold it until a check has judged it.
    Hold(Hold),
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
            Action::Hold(_) => "hold",
        }
    }
}

/// Holds a match until a check has judged it, and does what that says.
///
/// ```
/// use holdback::hold::Judgement;
/// use holdback::rule::Check;
/// use holdback::{Channel, ChannelKind, Policy, Rule};
///
/// let rule = Rule::regex("acme.account", r"\b\d{8}\b").hold("is-account");
/// let policy = Policy::builder().rule(rule).check(Check::held("is-account").context(40)).build()?;
/// let mut channel = Channel::new(&policy, ChannelKind::Text);
/// let mut out = Vec::new();
/// channel.push(b"Call 12345678 now").write_to(&mut out);
/// assert_eq!(out, b"Call ");
/// let passage = channel.next_passage().expect("the match is complete");
/// assert_eq!((passage.context(), passage.text()), ("Call ", "12345678"));
/// channel.judge(passage.id(), &Ok(Judgement::redact())).write_to(&mut out);
/// assert_eq!(out, b"Call [acme.account] now");
/// # Ok::<(), holdback::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hold {
    /// The id of the check that is asked, a [held](crate::rule::Check::held) one.
    pub check: String,
    /// What takes the match's place if the check redacts it.
    pub replace: Template,
}

impl Hold {
    /// Asks this check.
    pub fn for_check(check: impl Into<String>) -> Hold {
        Hold { check: check.into(), replace: Template::default() }
    }

    /// Says what takes the match's place.
    pub fn replace(self, replacement: impl Into<String>) -> Hold {
        Hold { replace: Template::new(replacement), ..self }
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

impl Mask {
    /// Appends what `text` looks like behind the mask.
    ///
    /// Characters are code points; a byte that is part of none counts as one. A text too short to hide a single
    /// character between what is shown at its ends is hidden whole.
    pub(crate) fn render(&self, text: &[u8], out: &mut String) {
        let characters: Vec<char> = text
            .utf8_chunks()
            .flat_map(|chunk| chunk.valid().chars().chain(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER)))
            .collect();
        let len = characters.len();
        let shown = self.keep_first.saturating_add(self.keep_last);
        let hidden = if shown < len { self.keep_first..len - self.keep_last } else { 0..len };
        out.extend(characters.iter().enumerate().map(|(at, &c)| if hidden.contains(&at) { self.char } else { c }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(mask: Mask, text: &[u8]) -> String {
        let mut out = String::new();
        mask.render(text, &mut out);
        out
    }

    #[test]
    fn a_mask_shows_the_ends() {
        assert_eq!(masked(Mask::new('*').keep_last(4), b"4111111111111111"), "************1111");
        assert_eq!(masked(Mask::new('*').keep_first(1), "döner".as_bytes()), "d****");
        assert_eq!(masked(Mask::new('\u{2022}').keep_first(1).keep_last(1), b"abc"), "a\u{2022}c");
        assert_eq!(masked(Mask::new('*'), b"abc"), "***");
    }

    #[test]
    fn a_mask_hides_at_least_one_character() {
        assert_eq!(masked(Mask::new('*').keep_first(2).keep_last(2), b"abcd"), "****");
        assert_eq!(masked(Mask::new('*').keep_first(9), b"abcd"), "****");
        assert_eq!(masked(Mask::new('*').keep_first(usize::MAX).keep_last(1), b"abcd"), "****");
        assert_eq!(masked(Mask::new('*').keep_first(2).keep_last(1), b"abcd"), "ab*d");
        assert_eq!(masked(Mask::new('*').keep_last(1), b""), "");
    }

    #[test]
    fn a_broken_byte_is_one_character() {
        assert_eq!(masked(Mask::new('*').keep_last(1), b"a\xff\xffz"), "***z");
    }
}
