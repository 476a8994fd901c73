//! Context words: a match counts only where one of them stands shortly before it.

use super::pattern::{Pattern, Unicode};
use crate::error::Fault;

/// Words that must stand before a match.
#[derive(Clone, Debug)]
pub(super) struct Near {
    pub(super) words: Vec<String>,
    /// Bytes between the end of a word and the match at most.
    pub(super) within: usize,
}

/// `within` where a rule does not say: about six words of English.
pub(super) const DEFAULT_WITHIN: usize = 32;
/// The widest `within`. Each byte of it is a state that every context word drags along.
pub(super) const MAX_WITHIN: usize = 128;

/// The group that holds the match where the rule names none.
const GROUP: &str = "match";

impl Near {
    /// `pattern`, with one of the words in front of it as context that is never held.
    ///
    /// Where the pattern has a `not_before`, at least one character stands between a word and the match, for
    /// something must be there to look at.
    pub(super) fn before(&self, mut pattern: Pattern) -> Result<Pattern, Fault> {
        if self.words.is_empty() || self.words.iter().any(String::is_empty) {
            return Err(Fault::new("`near` has no words, or an empty one").remedy("list the words in `near.words`"));
        }
        if !(1..=MAX_WITHIN).contains(&self.within) {
            return Err(Fault::new(format!("`near.within` is not between 1 and {MAX_WITHIN} bytes")));
        }
        let words: Vec<String> = self.words.iter().map(|word| regex_syntax::escape(word)).collect();
        let words = format!("(?i-u:{})", words.join("|"));
        let gap = match pattern.not_before.take() {
            Some(class) => {
                let flag = if class.is_ascii() && pattern.unicode == Unicode::Ascii { "-u" } else { "u" };
                format!("(?s-u:.){{0,{}}}(?{flag}:[^{class}])", self.within - 1)
            }
            None => format!("(?s-u:.){{0,{}}}", self.within),
        };
        pattern.regex = match &pattern.capture {
            Some(_) => format!("{words}{gap}(?:{})", pattern.regex),
            None => format!("{words}{gap}(?P<{GROUP}>{})", pattern.regex),
        };
        pattern.capture.get_or_insert_with(|| GROUP.to_owned());
        Ok(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'t>(near: &Near, pattern: Pattern, text: &'t str) -> Option<&'t str> {
        let pattern = near.before(pattern).expect("good words");
        let regex = regex::bytes::RegexBuilder::new(&pattern.regex).unicode(false).build().expect("a good pattern");
        let group = pattern.capture.expect("a group");
        let found = regex.captures(text.as_bytes())?.name(&group)?.range();
        Some(&text[found])
    }

    #[test]
    fn a_word_must_stand_before_the_match() {
        let near = Near { words: vec!["account".into(), "a/c".into()], within: 8 };
        let digits = || Pattern::regex(r"\d{4}").not_before(r"[\d.-]");
        assert_eq!(found(&near, digits(), "Account no: 1234"), Some("1234"));
        assert_eq!(found(&near, digits(), "A/C 1234"), Some("1234"));
        assert_eq!(found(&near, digits(), "account -1234"), None);
        assert_eq!(found(&near, digits(), "account number: 1234"), None, "too far");
        assert_eq!(found(&near, digits(), "1234 account"), None, "behind");
        let captured = Pattern::regex(r"=(?P<v>\d+)").capture("v");
        assert_eq!(found(&near, captured, "account=77"), Some("77"));
    }

    #[test]
    fn nothing_to_look_for_is_a_fault() {
        assert!(Near { words: Vec::new(), within: 8 }.before(Pattern::literal("x")).is_err());
        assert!(Near { words: vec!["x".into()], within: 0 }.before(Pattern::literal("x")).is_err());
        assert!(Near { words: vec!["x".into()], within: 129 }.before(Pattern::literal("x")).is_err());
    }
}
