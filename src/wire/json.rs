//! JSON texts as a tape of nodes with their spans, strict about everything two readers could disagree on.
//!
//! The tape says where each key and value lies in the bytes, so that a touched string can be spliced and every
//! other byte left alone. What is refused is refused for safety: a filter must see what the client's parser will
//! see, and of two equal keys some parsers take the first and some the last. Keys are compared unescaped.
//!
//! Lone surrogate escapes are accepted, since JavaScript upstreams send them. Strings are not checked for UTF-8;
//! they are bytes to the engine, too.

mod escape;
mod keys;
mod refit;
mod unescape;

pub(crate) use escape::escape_into;
pub(crate) use refit::Fit;
pub(crate) use unescape::{Sink, Unescaper, unescape_into};

use keys::Keys;
use std::ops::Range;

/// Deeper nesting is refused; serde_json, the oracle of the tests, draws its line there as well.
const MAX_DEPTH: usize = 127;

/// The nodes of one text in document order. Its memory is used again by the next text.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    nodes: Vec<Node>,
    keys: Keys,
    holes: Vec<refit::Hole>,
}

/// One value, with its key if it is a member of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// The key's content, quotes excluded; empty for elements of arrays.
    key: Text,
    start: u32,
    end: u32,
    /// The node behind this one and everything inside it.
    next: u32,
}

/// Content of a string literal.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    start: u32,
    end: u32,
    is_escaped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// Why a text is refused. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Syntax,
    TooDeep,
    DuplicateKey,
}

impl Node {
    /// Where the value lies, quotes and brackets included.
    pub(crate) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Where a string's content lies, quotes excluded.
    pub(crate) fn content(&self) -> Range<usize> {
        debug_assert_eq!(self.kind, Kind::String);
        self.start as usize + 1..self.end as usize - 1
    }

    /// Where the key's content lies, quotes excluded.
    pub(crate) fn key(&self) -> Range<usize> {
        self.key.start as usize..self.key.end as usize
    }
}

impl Tape {
    /// Reads a text; on success node 0 is its root.
    pub(crate) fn read(&mut self, text: &[u8]) -> Result<(), Refusal> {
        debug_assert!(u32::try_from(text.len()).is_ok(), "the framer's limit keeps events below 4 GiB");
        self.nodes.clear();
        self.keys.clear();
        let mut reader = Reader { text, at: 0, tape: self };
        reader.skip_blanks();
        reader.value(Text::default(), 0)?;
        reader.skip_blanks();
        if reader.at == text.len() { Ok(()) } else { Err(Refusal::Syntax) }
    }

    pub(crate) fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    #[cfg(test)]
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The indexes of all nodes of a kind.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = usize> + '_ {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(move |(_, node)| node.kind == kind).map(|(index, _)| index)
    }

    /// The indexes of a container's direct members or elements.
    pub(crate) fn children(&self, parent: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.nodes[parent].next as usize;
        let mut at = parent + 1;
        std::iter::from_fn(move || {
            let child = (at < end).then_some(at)?;
            at = self.nodes[child].next as usize;
            Some(child)
        })
    }

    /// The member of an object with this key, which must not need escapes to be written.
    pub(crate) fn member(&self, text: &[u8], parent: usize, key: &str) -> Option<usize> {
        let mut unescaped = Vec::new();
        self.children(parent).find(|&child| self.key(text, child, &mut unescaped) == key.as_bytes())
    }

    /// A node's key, unescaped; `scratch` is only written if that takes a copy.
    pub(crate) fn key<'a>(&self, text: &'a [u8], index: usize, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let node = &self.nodes[index];
        let raw = &text[node.key()];
        if !node.key.is_escaped {
            return raw;
        }
        scratch.clear();
        unescape_into(raw, scratch);
        scratch
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    tape: &'a mut Tape,
}

impl Reader<'_> {
    #[inline]
    fn value(&mut self, key: Text, depth: usize) -> Result<(), Refusal> {
        let start = self.at as u32;
        let kind = match self.peek() {
            Some(b'"') => {
                self.string()?;
                Kind::String
            }
            Some(b'{') => return self.container(Kind::Object, key, depth),
            Some(b'[') => return self.container(Kind::Array, key, depth),
            Some(b't') => self.literal(b"true", Kind::True)?,
            Some(b'f') => self.literal(b"false", Kind::False)?,
            Some(b'n') => self.literal(b"null", Kind::Null)?,
            _ => self.number()?,
        };
        let next = self.tape.nodes.len() as u32 + 1;
        self.tape.nodes.push(Node { kind, key, start, end: self.at as u32, next });
        Ok(())
    }

    fn container(&mut self, kind: Kind, key: Text, depth: usize) -> Result<(), Refusal> {
        let depth = if depth < MAX_DEPTH { depth + 1 } else { return Err(Refusal::TooDeep) };
        let index = self.tape.nodes.len();
        self.tape.nodes.push(Node { kind, key, start: self.at as u32, end: 0, next: 0 });
        self.at += 1;
        self.skip_blanks();
        match kind {
            Kind::Object => self.members(depth)?,
            _ => self.elements(depth)?,
        }
        let next = self.tape.nodes.len() as u32;
        let node = &mut self.tape.nodes[index];
        (node.end, node.next) = (self.at as u32, next);
        Ok(())
    }

    fn members(&mut self, depth: usize) -> Result<(), Refusal> {
        if self.take(b'}') {
            return Ok(());
        }
        let mark = self.tape.keys.mark();
        loop {
            let key = self.string()?;
            let raw = &self.text[key.start as usize..key.end as usize];
            self.tape.keys.add(key.start, raw, key.is_escaped);
            self.skip_blanks();
            self.expect(b':')?;
            self.skip_blanks();
            self.value(key, depth)?;
            self.skip_blanks();
            if !self.take(b',') {
                break;
            }
            self.skip_blanks();
        }
        self.expect(b'}')?;
        if self.tape.keys.take_has_duplicates(mark, self.text) { Err(Refusal::DuplicateKey) } else { Ok(()) }
    }

    fn elements(&mut self, depth: usize) -> Result<(), Refusal> {
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(Text::default(), depth)?;
            self.skip_blanks();
            if !self.take(b',') {
                return self.expect(b']');
            }
            self.skip_blanks();
        }
    }

    /// Reads a string literal and gives back its content.
    fn string(&mut self) -> Result<Text, Refusal> {
        self.expect(b'"')?;
        let start = self.at as u32;
        let (len, is_escaped) = content_len(&self.text[self.at..])?;
        self.at += len + 1;
        Ok(Text { start, end: start + len as u32, is_escaped })
    }

    fn number(&mut self) -> Result<Kind, Refusal> {
        self.take(b'-');
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.skip_digits()?,
            _ => return Err(Refusal::Syntax),
        }
        if self.take(b'.') {
            self.skip_digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.skip_digits()?;
        }
        Ok(Kind::Number)
    }

    fn skip_digits(&mut self) -> Result<(), Refusal> {
        let digits = self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += digits;
        if digits == 0 { Err(Refusal::Syntax) } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<Kind, Refusal> {
        if !self.text[self.at..].starts_with(word) {
            return Err(Refusal::Syntax);
        }
        self.at += word.len();
        Ok(kind)
    }

    #[inline]
    fn skip_blanks(&mut self) {
        // Most texts have none, and one comparison says so.
        while self.peek().is_some_and(|b| b <= b' ' && matches!(b, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Refusal> {
        if self.take(byte) { Ok(()) } else { Err(Refusal::Syntax) }
    }
}

/// The length of a string's content, up to its closing quote, and whether it has escapes.
fn content_len(text: &[u8]) -> Result<(usize, bool), Refusal> {
    let mut at = 0;
    let mut is_escaped = false;
    loop {
        at += plain_len(&text[at..]);
        match text.get(at) {
            Some(b'"') => return Ok((at, is_escaped)),
            Some(b'\\') => {
                is_escaped = true;
                at += match text.get(at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                    Some(b'u') if has_four_hex_digits(&text[at + 2..]) => 6,
                    _ => return Err(Refusal::Syntax),
                };
            }
            _ => return Err(Refusal::Syntax),
        }
    }
}

fn has_four_hex_digits(text: &[u8]) -> bool {
    text.get(..4).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// How many bytes at the start of `text` stand for themselves in a string: up to a quote, a backslash or a control
/// character, eight at a time.
fn plain_len(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let (words, _) = text.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // A byte of `x - ONES` borrows only if it was zero; of `word - 0x20`, if it was below.
        let zero = |x: u64| x.wrapping_sub(ONES) & !x;
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let special = (zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | below) & HIGHS;
        if special != 0 {
            return i * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let whole = words.len() * 8;
    let is_special = |b: &u8| matches!(b, b'"' | b'\\' | 0..0x20);
    whole + text[whole..].iter().position(is_special).unwrap_or(text.len() - whole)
}

#[cfg(test)]
mod tests;
