//! Texts that are known to be fine.

use crate::error::Fault;
use regex_automata::meta::Regex;
use regex_syntax::hir::{Hir, Look};

/// A list of texts that a rule may find and shall leave alone: a documentation value, the company's own domain.
///
/// It is compared with the covered span and nothing else, byte for byte. An allow-list is a validator, so it
/// takes away only the very candidate it names: a longer or an overlapping match is still a match.
///
/// ```
/// use holdback::rule::{Allow, Validator};
///
/// let ours = Validator::not_allowed(Allow::new().suffix("@corp.example"));
/// assert!(!ours.accepts(b"anna@corp.example"));
/// assert!(ours.accepts(b"anna@corp.example.org"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Allow {
    literals: Vec<Vec<u8>>,
    suffixes: Vec<Vec<u8>>,
    words: Vec<String>,
    patterns: Vec<Regex>,
}

impl Allow {
    /// A list that allows nothing yet.
    pub fn new() -> Allow {
        Allow::default()
    }

    /// Allows this very text.
    pub fn literal(mut self, text: impl AsRef<str>) -> Allow {
        self.literals.push(text.as_ref().into());
        self
    }

    /// Allows every text that ends like this.
    pub fn suffix(mut self, text: impl AsRef<str>) -> Allow {
        self.suffixes.push(text.as_ref().into());
        self
    }

    /// Allows this word in any ASCII case.
    pub fn word(mut self, word: impl Into<String>) -> Allow {
        self.words.push(word.into());
        self
    }

    /// Allows every text that this regular expression matches as a whole; anchors are not needed.
    pub(crate) fn regex(mut self, regex: &str) -> Result<Allow, Fault> {
        let fault = |reason: String| Fault::new(format!("cannot read the allowed pattern `{regex}`: {reason}"));
        let hir =
            regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(regex).map_err(|error| {
                fault(match &error {
                    regex_syntax::Error::Parse(error) => error.kind().to_string(),
                    regex_syntax::Error::Translate(error) => error.kind().to_string(),
                    other => other.to_string(),
                })
            })?;
        let whole = Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]);
        let pattern = Regex::builder().build_from_hir(&whole).map_err(|error| fault(error.to_string()))?;
        self.patterns.push(pattern);
        Ok(self)
    }

    /// Whether `candidate` is on the list.
    pub fn allows(&self, candidate: &[u8]) -> bool {
        self.literals.iter().any(|literal| literal == candidate)
            || self.suffixes.iter().any(|suffix| candidate.ends_with(suffix))
            || self.words.iter().any(|word| candidate.eq_ignore_ascii_case(word.as_bytes()))
            || self.patterns.iter().any(|pattern| pattern.is_match(candidate))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.suffixes.is_empty() && self.words.is_empty() && self.patterns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_texts_are_allowed() {
        let allow = Allow::new().literal("AKIAEXAMPLE").suffix("@example.org").word("Darning");
        let allow = allow.regex(r"^[a-z]+@corp\.test$|false").expect("a good pattern");
        for text in ["AKIAEXAMPLE", "x@example.org", "darning", "anna@corp.test", "false"] {
            assert!(allow.allows(text.as_bytes()), "{text}");
        }
        // A secret that merely contains an allowed alternative is not allowed.
        for text in ["akiaexample", "x@example.org.uk", "darnings", "anna@corp.test.de", "t0falsek3n", ""] {
            assert!(!allow.allows(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_bad_pattern_is_a_fault() {
        let fault = Allow::new().regex("(").expect_err("an open group");
        assert!(fault.reason.contains("unclosed group"), "{fault}");
    }
}
