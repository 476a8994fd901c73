//! How a channel's text stands on the wire, and the way back from the text to the raw bytes.
//!
//! Decoding is cheap and keeps no map. Only where a rule touched an event its raw bytes are decoded once more,
//! from the state that the decoder was in, and this time every piece is noted with its raw length.

use super::args::{Lexer, Shape, ShapedSink};
use super::json::{Sink, Unescaper};
use super::rows::Notation;

/// The notation of a channel's text, with the decoder's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// The text as it stands.
    Bare,
    /// Content of JSON strings.
    Text(Unescaper),
    /// A JSON text in the content of JSON strings.
    Args(Unescaper, Lexer),
    /// A JSON text as it stands.
    Json(Lexer),
}

/// Raw bytes and what they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) shape: Shape,
    pub(crate) grain: Grain,
    pub(crate) raw_len: usize,
    pub(crate) text_len: usize,
}

/// Whether a piece can be cut within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    /// Byte for byte the same on both sides.
    Run,
    Unit,
}

impl Coding {
    pub(crate) const TEXT: Coding = Coding::Text(Unescaper::NEW);
    pub(crate) const ARGS: Coding = Coding::Args(Unescaper::NEW, Lexer::Between);
    pub(crate) const JSON: Coding = Coding::Json(Lexer::Between);

    /// How a text stands in strings.
    pub(crate) fn in_strings(notation: Notation) -> Coding {
        match notation {
            Notation::Text => Coding::TEXT,
            Notation::Json => Coding::ARGS,
            Notation::Bare => Coding::Bare,
        }
    }

    /// Whether what was fed ends within something that is decided as a whole: an escape, a surrogate pair, a
    /// number.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Coding::Bare => false,
            Coding::Text(unescaper) => unescaper.is_open(),
            Coding::Args(outer, lexer) => outer.is_open() || lexer.is_open(),
            Coding::Json(lexer) => lexer.is_open(),
        }
    }

    /// Whether raw bytes without a backslash stand for themselves now.
    pub(crate) fn is_transparent(&self) -> bool {
        match self {
            Coding::Bare => true,
            Coding::Text(unescaper) => !unescaper.is_open(),
            Coding::Args(..) | Coding::Json(_) => false,
        }
    }

    /// Decodes the next raw bytes onto `text`. If something was open and is closed by them, gives back how long
    /// `text` was then.
    pub(crate) fn decode(&mut self, raw: &[u8], text: &mut Vec<u8>, scratch: &mut Vec<u8>) -> Option<usize> {
        let was_open = self.is_open();
        match self {
            Coding::Bare => {
                text.extend_from_slice(raw);
                None
            }
            Coding::Text(unescaper) => {
                let used = unescaper.feed_open(raw, text);
                let closed_at = (was_open && !unescaper.is_open()).then_some(text.len());
                unescaper.feed(&raw[used..], text);
                closed_at
            }
            Coding::Args(outer, lexer) => {
                scratch.clear();
                let used = outer.feed_open(raw, scratch);
                lexer.feed(scratch, text);
                if outer.is_open() {
                    return None;
                }
                scratch.clear();
                outer.feed(&raw[used..], scratch);
                let used = lexer.feed_open(scratch, text);
                let closed_at = (was_open && !lexer.is_open()).then_some(text.len());
                lexer.feed(&scratch[used..], text);
                closed_at
            }
            Coding::Json(lexer) => {
                let used = lexer.feed_open(raw, text);
                let closed_at = (was_open && !lexer.is_open()).then_some(text.len());
                lexer.feed(&raw[used..], text);
                closed_at
            }
        }
    }

    /// The text is at its end: decodes what is open.
    pub(crate) fn finish(&mut self, text: &mut Vec<u8>) {
        match self {
            Coding::Bare => {}
            Coding::Text(unescaper) => unescaper.finish(text),
            Coding::Args(outer, lexer) => {
                let mut inner = Vec::new();
                outer.finish(&mut inner);
                lexer.feed(&inner, text);
                lexer.finish(text);
            }
            Coding::Json(lexer) => lexer.finish(text),
        }
    }

    /// How many raw bytes stand for `text_len` bytes of text at most, and for how many exactly: units are not divided.
    pub(crate) fn reach(self, raw: &[u8], text_len: usize) -> (usize, usize) {
        let (mut at, mut text) = (0, 0);
        for piece in self.replay(raw) {
            let left = text_len - text;
            if piece.text_len > left {
                let part = if piece.grain == Grain::Run { left } else { 0 };
                return (at + part, text + part);
            }
            (at, text) = (at + piece.raw_len, text + piece.text_len);
        }
        (at, text)
    }

    /// Decodes raw bytes once more and notes the pieces. Bytes of a unit that began before `raw` are not counted;
    /// bytes at the end that only later ones give a meaning are not in any piece.
    pub(crate) fn replay(mut self, raw: &[u8]) -> Vec<Piece> {
        match &mut self {
            Coding::Bare => {
                vec![Piece { shape: Shape::Bare, grain: Grain::Run, raw_len: raw.len(), text_len: raw.len() }]
            }
            Coding::Text(unescaper) => {
                let mut notes = Notes { carried: unescaper.pending(), pieces: Vec::new(), text: Vec::new() };
                unescaper.feed(raw, &mut notes);
                notes.pieces
            }
            Coding::Args(outer, lexer) => {
                let mut notes = Notes { carried: outer.pending(), pieces: Vec::new(), text: Vec::new() };
                outer.feed(raw, &mut notes);
                let mut inner = Composed { outer: notes.pieces, carried: lexer.pending(), pieces: Vec::new() };
                inner.outer.reverse();
                lexer.feed(&notes.text, &mut inner);
                inner.pieces
            }
            Coding::Json(lexer) => {
                let mut notes = Notes { carried: lexer.pending(), pieces: Vec::new(), text: Vec::new() };
                lexer.feed(raw, &mut notes);
                notes.pieces
            }
        }
    }
}

/// Notes the pieces of a string's content, or of a JSON text.
struct Notes {
    /// Raw bytes of the first pieces that came earlier.
    carried: usize,
    pieces: Vec<Piece>,
    text: Vec<u8>,
}

impl Notes {
    fn note(&mut self, shape: Shape, grain: Grain, raw_len: usize, text: &[u8]) {
        let earlier = self.carried.min(raw_len);
        self.carried -= earlier;
        self.text.extend_from_slice(text);
        self.pieces.push(Piece { shape, grain, raw_len: raw_len - earlier, text_len: text.len() });
    }
}

impl Sink for Notes {
    fn run(&mut self, bytes: &[u8]) {
        self.note(Shape::Text, Grain::Run, bytes.len(), bytes);
    }

    fn unit(&mut self, raw_len: usize, text: &[u8]) {
        self.note(Shape::Text, Grain::Unit, raw_len, text);
    }
}

impl ShapedSink for Notes {
    fn run(&mut self, shape: Shape, bytes: &[u8]) {
        self.note(shape, Grain::Run, bytes.len(), bytes);
    }

    fn unit(&mut self, shape: Shape, len: usize, text: &[u8]) {
        self.note(shape, Grain::Unit, len, text);
    }
}

/// Puts the pieces of the inner JSON on those of the string that it came in.
struct Composed {
    /// What is left of the outer pieces, the next one last.
    outer: Vec<Piece>,
    /// Inner bytes of the first pieces that came earlier.
    carried: usize,
    pieces: Vec<Piece>,
}

impl Composed {
    /// Takes up to `len` inner bytes from the next outer piece: what they are, and how many raw bytes stand for
    /// them.
    fn take(&mut self, len: usize) -> Option<(Grain, usize, usize)> {
        let piece = self.outer.last_mut()?;
        if piece.text_len <= len {
            let Piece { grain, raw_len, text_len, .. } = *piece;
            self.outer.pop();
            return Some((grain, raw_len, text_len));
        }
        piece.text_len -= len;
        let raw_len = match piece.grain {
            Grain::Run => len,
            // All of a divided unit's raw bytes go with its first part.
            Grain::Unit => piece.raw_len,
        };
        piece.raw_len -= raw_len;
        Some((piece.grain, raw_len, len))
    }
}

impl ShapedSink for Composed {
    fn run(&mut self, shape: Shape, bytes: &[u8]) {
        let mut left = bytes.len();
        while left > 0 {
            let Some((grain, raw_len, text_len)) = self.take(left) else { break };
            self.pieces.push(Piece { shape, grain, raw_len, text_len });
            left -= text_len;
        }
    }

    fn unit(&mut self, shape: Shape, len: usize, text: &[u8]) {
        let earlier = self.carried.min(len);
        self.carried -= earlier;
        let mut left = len - earlier;
        let mut raw_len = 0;
        while left > 0 {
            let Some((_, raw, text_len)) = self.take(left) else { break };
            raw_len += raw;
            left -= text_len;
        }
        self.pieces.push(Piece { shape, grain: Grain::Unit, raw_len, text_len: text.len() });
    }
}
