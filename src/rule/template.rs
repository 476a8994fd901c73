//! The text that takes a match's place.

use crate::error::Fault;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::{self, Write};

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

    /// Reads the source.
    pub(crate) fn parse(&self) -> Result<ParsedTemplate, Fault> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = self.source.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
                text.push_str(&rest[..1]);
                rest = after;
                continue;
            }
            let (name, after) = rest
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'))
                .ok_or_else(|| self.fault("has a brace of its own").remedy("write `{{` or `}}` for a brace"))?;
            let piece = Piece::named(name).ok_or_else(|| {
                self.fault(format!("has an unknown placeholder `{{{name}}}`"))
                    .remedy("placeholders are {rule}, {category}, {len} and {hash8}; write `{{` for a brace")
            })?;
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(piece);
            rest = after;
        }
        text.push_str(rest);
        pieces.push(Piece::Text(text));
        Ok(ParsedTemplate { pieces })
    }

    fn fault(&self, what: impl fmt::Display) -> Fault {
        Fault::new(format!("the replacement `{}` {what}", self.source))
    }
}

impl Default for Template {
    fn default() -> Template {
        Template::new("[{rule}]")
    }
}

/// A template that was read.
#[derive(Clone, Debug)]
pub(crate) struct ParsedTemplate {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Rule,
    Category,
    Len,
    Hash8,
}

impl Piece {
    fn named(name: &str) -> Option<Piece> {
        match name {
            "rule" => Some(Piece::Rule),
            "category" => Some(Piece::Category),
            "len" => Some(Piece::Len),
            "hash8" => Some(Piece::Hash8),
            _ => None,
        }
    }
}

/// What must be at hand when a [`ParsedTemplate`] is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Needs {
    /// The rule's id alone, so nothing of the covered text must be kept.
    Nothing,
    /// The covered text.
    Text,
    /// The covered text and the key of the hash.
    TextAndKey,
}

/// The key of `{hash8}`. It never shows itself.
#[derive(Clone)]
pub(crate) struct HashKey(Vec<u8>);

impl HashKey {
    pub(crate) fn new(key: impl Into<Vec<u8>>) -> HashKey {
        HashKey(key.into())
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(..)")
    }
}

/// Stands for a length or a hash when the text or the key is not at hand.
const UNKNOWN: &str = "unknown";

impl ParsedTemplate {
    /// What [`ParsedTemplate::render`] must be given.
    pub(crate) fn needs(&self) -> Needs {
        let need = |piece: &Piece| match piece {
            Piece::Text(_) | Piece::Rule | Piece::Category => Needs::Nothing,
            Piece::Len => Needs::Text,
            Piece::Hash8 => Needs::TextAndKey,
        };
        self.pieces.iter().map(need).max().unwrap_or(Needs::Nothing)
    }

    /// Appends the replacement of `text`, which `rule` covered.
    pub(crate) fn render(&self, rule: &str, text: Option<&[u8]>, key: Option<&HashKey>, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Rule => out.push_str(rule),
                Piece::Category => out.push_str(rule.split('.').next().unwrap_or(rule)),
                Piece::Len => match text {
                    Some(text) => write!(out, "{}", characters(text)).expect("a string takes every text"),
                    None => out.push_str(UNKNOWN),
                },
                Piece::Hash8 => match text.zip(key) {
                    Some((text, key)) => hash8(text, key, out),
                    None => out.push_str(UNKNOWN),
                },
            }
        }
    }
}

fn characters(text: &[u8]) -> usize {
    text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

/// The first eight hex digits of the HMAC (RFC 2104): enough to tell values of one stream apart, and too few,
/// under a key the reader does not have, to find a value by trying.
fn hash8(text: &[u8], HashKey(key): &HashKey, out: &mut String) {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    for byte in &mac.finalize().into_bytes()[..4] {
        write!(out, "{byte:02x}").expect("a string takes every text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str, text: Option<&[u8]>, key: Option<&str>) -> String {
        let (key, mut out) = (key.map(HashKey::new), String::new());
        Template::new(source).parse().expect("a good template").render("pii.email", text, key.as_ref(), &mut out);
        out
    }

    #[test]
    fn placeholders_are_filled() {
        assert_eq!(rendered("[{rule}]", None, None), "[pii.email]");
        assert_eq!(rendered("<{category} of {len}>", Some("né!".as_bytes()), None), "<pii of 3>");
        assert_eq!(rendered("{{{rule}}}", None, None), "{pii.email}");
        assert_eq!(rendered("", None, None), "");
        assert_eq!(rendered("plain", None, None), "plain");
    }

    /// Test case 2 of RFC 4231.
    #[test]
    fn the_hash_is_hmac_sha256() {
        assert_eq!(rendered("{hash8}", Some(b"what do ya want for nothing?"), Some("Jefe")), "5bdcc146");
    }

    #[test]
    fn what_is_not_at_hand_is_not_made_up() {
        assert_eq!(rendered("{len} {hash8}", None, Some("key")), "unknown unknown");
        assert_eq!(rendered("{hash8}", Some(b"text"), None), "unknown");
    }

    #[test]
    fn a_template_says_what_it_needs() {
        let needs = |source| Template::new(source).parse().expect("a good template").needs();
        assert_eq!(needs("[{rule}]"), Needs::Nothing);
        assert_eq!(needs("{len}"), Needs::Text);
        assert_eq!(needs("{len} {hash8}"), Needs::TextAndKey);
    }

    #[test]
    fn a_bad_placeholder_is_a_fault_with_a_remedy() {
        for source in ["{", "}", "a { b", "{rule", "{name}", "{}", "{ rule }"] {
            let fault = Template::new(source).parse().expect_err(source);
            assert!(fault.remedy.is_some(), "{fault}");
        }
    }
}
