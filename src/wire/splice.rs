//! Writing a touched string: its raw bytes without what was cut, and the replacements in their places.

use super::args::Shape;
use super::coding::{Coding, Grain, Piece};
use super::cuts::Cuts;
use super::json::escape_into;
use std::ops::Range;

/// A stretch of a channel's text and the raw bytes that it came in.
#[derive(Clone, Debug)]
pub(crate) struct Splice<'a> {
    pub(crate) raw: &'a [u8],
    /// The decoder's state before them.
    pub(crate) coding: Coding,
    /// What they stand for in the channel's text. Where they end within a unit, its text is included.
    pub(crate) text: Range<u64>,
    pub(crate) cuts: &'a Cuts,
    /// The text from here on stays behind, decided or not.
    pub(crate) limit: u64,
}

/// A number of tool arguments is being written as a string, and its closing quote is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Quoted {
    #[default]
    No,
    Yes,
}

impl Splice<'_> {
    /// Whether anything is different from the raw bytes.
    pub(crate) fn is_touched(&self, quoted: Quoted) -> bool {
        !self.raw.is_empty()
            && (quoted == Quoted::Yes || self.text.end > self.limit || self.cuts.touches(self.text.clone()))
    }

    /// Appends what leaves to `out`. `quoted` carries over from one stretch of a channel to the next.
    pub(crate) fn write(&self, quoted: &mut Quoted, out: &mut Vec<u8>) {
        let pieces = self.coding.replay(self.raw);
        let mut writer = Writer { splice: self, quoted, out, raw: 0, text: self.text.start, slot: None };
        for (i, piece) in pieces.iter().enumerate() {
            if writer.text >= self.limit && piece.text_len > 0 {
                return;
            }
            writer.close_number_before(piece.shape);
            if piece.shape == Shape::Number {
                writer.open_number(&pieces[i..]);
            }
            writer.piece(piece);
        }
        if writer.text == self.text.end {
            // A number that is at its end here is closed here; of any other the rest is still to come.
            writer.close_number_before(Shape::Structure);
        }
        writer.rest();
    }
}

struct Writer<'a, 'b> {
    splice: &'a Splice<'a>,
    quoted: &'b mut Quoted,
    out: &'b mut Vec<u8>,
    /// How far the raw bytes and their text are written.
    raw: usize,
    text: u64,
    /// The last place between the quotes of an inner string, in `out` and in the text.
    slot: Option<(usize, u64)>,
}

impl Writer<'_, '_> {
    fn close_number_before(&mut self, shape: Shape) {
        if *self.quoted == Quoted::Yes && shape != Shape::Number {
            self.quote();
            *self.quoted = Quoted::No;
        }
    }

    /// Makes a string of the number that begins with these pieces, if a cut touches any of it.
    fn open_number(&mut self, pieces: &[Piece]) {
        if *self.quoted == Quoted::Yes {
            return;
        }
        let digits: usize =
            pieces.iter().take_while(|piece| piece.shape == Shape::Number).map(|piece| piece.text_len).sum();
        let is_last = pieces.iter().all(|piece| piece.shape == Shape::Number);
        let end = if is_last { self.splice.text.end } else { self.text + digits as u64 };
        if self.splice.cuts.touches(self.text..end) {
            self.quote();
            *self.quoted = Quoted::Yes;
        }
    }

    fn piece(&mut self, piece: &Piece) {
        let span = self.text..self.text + piece.text_len as u64;
        let raw = &self.splice.raw[self.raw..self.raw + piece.raw_len];
        match (piece.shape, piece.grain) {
            (Shape::Structure | Shape::Open | Shape::Close, _) => self.structure(piece.shape, &span, raw),
            (shape, Grain::Run) => self.run(shape, &span, raw),
            (shape, Grain::Unit) => {
                if span.end <= self.splice.limit && !self.splice.cuts.touches(span.clone()) {
                    self.out.extend_from_slice(raw);
                }
                self.replacements(&span, |writer, text| writer.replace(shape, text));
            }
        }
        self.raw += piece.raw_len;
        self.text = span.end;
    }

    fn run(&mut self, shape: Shape, span: &Range<u64>, raw: &[u8]) {
        let mut kept = span.start;
        let end = span.end.min(self.splice.limit);
        let of_run =
            |range: Range<u64>| (range.start - span.start) as usize..(range.end.max(range.start) - span.start) as usize;
        for cut in self.splice.cuts.within(span.clone()) {
            if cut.span.start > kept {
                self.out.extend_from_slice(&raw[of_run(kept..cut.span.start.min(end))]);
            }
            kept = cut.span.end.min(span.end);
            if cut.span.end <= span.end {
                self.replace(shape, cut.replacement.as_deref().unwrap_or_default());
            }
        }
        if kept < end {
            self.out.extend_from_slice(&raw[of_run(kept..end)]);
        }
    }

    /// Structure is never cut. A replacement that would stand in it moves into the string beside it, if the cut
    /// reaches into one.
    fn structure(&mut self, shape: Shape, span: &Range<u64>, raw: &[u8]) {
        if shape == Shape::Close {
            self.slot = Some((self.out.len(), span.start));
        }
        self.out.extend_from_slice(raw);
        if shape == Shape::Open {
            self.slot = Some((self.out.len(), span.end));
        }
        let cuts = self.splice.cuts;
        for cut in cuts.within(span.clone()).filter(|cut| cut.span.end <= span.end) {
            let Some((at, text)) = self.slot.filter(|(_, text)| cut.span.start <= *text && *text <= cut.span.end)
            else {
                continue;
            };
            let mut replacement = Vec::new();
            escape_inner(&self.splice.coding, cut.replacement.as_deref().unwrap_or_default(), &mut replacement);
            self.slot = Some((at + replacement.len(), text));
            self.out.splice(at..at, replacement);
        }
    }

    fn replacements(&mut self, span: &Range<u64>, mut replace: impl FnMut(&mut Self, &str)) {
        let cuts = self.splice.cuts;
        for cut in cuts.within(span.clone()).filter(|cut| cut.span.end <= span.end) {
            replace(self, cut.replacement.as_deref().unwrap_or_default());
        }
    }

    fn replace(&mut self, shape: Shape, text: &str) {
        match shape {
            Shape::Bare => self.out.extend_from_slice(text.as_bytes()),
            Shape::Text => escape_into(text, self.out),
            _ => escape_inner(&self.splice.coding, text, self.out),
        }
    }

    /// A quote around a string of the JSON text.
    fn quote(&mut self) {
        self.out.extend_from_slice(match self.splice.coding {
            Coding::Json(_) => b"\"",
            _ => b"\\\"",
        });
    }

    /// The raw bytes at the end whose meaning came later.
    fn rest(&mut self) {
        let text = self.text..self.splice.text.end;
        if !text.is_empty() && text.end <= self.splice.limit && !self.splice.cuts.touches(text) {
            self.out.extend_from_slice(&self.splice.raw[self.raw..]);
        }
    }
}

/// Escapes for a string of the JSON text, which may itself stand in a JSON string.
fn escape_inner(coding: &Coding, text: &str, out: &mut Vec<u8>) {
    if let Coding::Json(_) = coding {
        return escape_into(text, out);
    }
    let mut once = Vec::new();
    escape_into(text, &mut once);
    // Escaping leaves UTF-8 as it was.
    escape_into(&String::from_utf8_lossy(&once), out);
}

#[cfg(test)]
mod tests;
