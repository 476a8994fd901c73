//! Event streams (`text/event-stream`), framed without losing a byte.
//!
//! Every byte of the input belongs to exactly one event, so the events' raw bytes, one after the other, are
//! the input: comments, ids, line ends, padding, a byte order mark, blank lines and all. Parsers made for
//! clients drop what a client does not need; a filter that must hand on untouched events as they came cannot.
//!
//! Where an event ends does not depend on how the transport cut the input. The one place where that takes
//! care is a blank line that ends in CR, because an LF may follow: in a stream whose last line ended in CRLF
//! the framer waits for that LF; anywhere else the event ends at the CR and a following LF opens the next
//! event's raw bytes.

use bytes::{Buf, Bytes, BytesMut};
use std::ops::Range;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Cuts an event stream into events.
#[derive(Debug)]
pub(crate) struct Framer {
    /// The beginning of the event at hand, from chunks that are used up. All of it is scanned.
    carry: BytesMut,
    /// What is left of the newest chunk.
    chunk: Bytes,
    /// Offset in the event at hand up to which line ends were looked for; `carry.len() <= scanned`.
    scanned: usize,
    /// Offset in the event at hand where the line at hand begins; `line_start <= scanned`.
    line_start: usize,
    /// Lines of the event at hand, or of the event given out last until the next call.
    lines: Vec<Line>,
    /// The last terminator was a CR, and the byte behind it has not been seen.
    after_cr: bool,
    /// The last line was blank and its CR takes an LF along, if one comes.
    ends_after_lf: bool,
    line_end: LineEnd,
    /// No line of the stream has ended yet, so a byte order mark may stand at its start.
    first_line: bool,
    given_out: bool,
    largest_event: usize,
}

/// One event: everything from the last blank line to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The bytes as they came.
    pub(crate) raw: Bytes,
    /// Whether a blank line ended it; otherwise the stream did, and a client ignores the event.
    pub(crate) closed: Closed,
}

/// How an event came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    ByBlankLine,
    ByEndOfStream,
}

/// One line of an event that is not blank. Offsets count from the start of the event's raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) field: Field,
    pub(crate) start: u32,
    pub(crate) value_start: u32,
    pub(crate) value_end: u32,
    /// Behind the line's terminator.
    pub(crate) end: u32,
}

impl Line {
    /// Where the field's value lies, the one leading space excluded.
    pub(crate) fn value(&self) -> Range<usize> {
        self.value_start as usize..self.value_end as usize
    }
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Data,
    Event,
    Id,
    Retry,
    Comment,
    /// Ignored by clients.
    Unknown,
}

/// How the stream ends its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LineEnd {
    #[default]
    Lf,
    CrLf,
    Cr,
}

impl LineEnd {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            LineEnd::Lf => "\n",
            LineEnd::CrLf => "\r\n",
            LineEnd::Cr => "\r",
        }
    }
}

/// An event outgrew the limit. It stays so: what follows cannot be read either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Framer {
    /// A framer that refuses events of more than `largest_event` bytes.
    pub(crate) fn new(largest_event: usize) -> Framer {
        Framer {
            carry: BytesMut::new(),
            chunk: Bytes::new(),
            scanned: 0,
            line_start: 0,
            lines: Vec::new(),
            after_cr: false,
            ends_after_lf: false,
            line_end: LineEnd::default(),
            first_line: true,
            given_out: false,
            // Lines count in `u32`.
            largest_event: largest_event.min(u32::MAX as usize),
        }
    }

    /// Takes the next chunk. Call [`next`](Framer::next) until it gives `None` before the next push.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the last chunk is used up");
        self.chunk = chunk;
    }

    /// The next whole event, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, TooLarge> {
        if std::mem::take(&mut self.given_out) {
            self.lines.clear();
        }
        loop {
            let rest = &self.chunk[self.scanned - self.carry.len()..];
            if self.ends_after_lf {
                let Some(&first) = rest.first() else { break };
                self.ends_after_lf = false;
                self.scanned += usize::from(first == b'\n');
                self.after_cr = false;
                return self.give_out(Closed::ByBlankLine).map(Some);
            }
            if self.after_cr {
                let Some(&first) = rest.first() else { break };
                self.after_cr = false;
                if first == b'\n' {
                    self.line_end = LineEnd::CrLf;
                    if let Some(line) = self.lines.last_mut() {
                        line.end += 1;
                    }
                    self.scanned += 1;
                    self.line_start = self.scanned;
                    continue;
                }
                self.line_end = LineEnd::Cr;
            }
            let Some(at) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.scanned = self.carry.len() + self.chunk.len();
                break;
            };
            let is_cr = rest[at] == b'\r';
            let content_end = self.scanned + at;
            self.scanned = content_end + 1;
            self.after_cr = is_cr;
            if !self.is_blank(content_end) {
                self.end_line(content_end, content_end + 1);
                if !is_cr {
                    self.line_end = LineEnd::Lf;
                }
            } else if is_cr && self.line_end == LineEnd::CrLf {
                self.ends_after_lf = true;
            } else {
                return self.give_out(Closed::ByBlankLine).map(Some);
            }
        }
        self.keep_rest()
    }

    /// The stream is at its end: gives out what no blank line ended.
    pub(crate) fn finish(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.given_out) {
            self.lines.clear();
        }
        let total = self.carry.len();
        if total == 0 {
            return None;
        }
        if self.ends_after_lf {
            return self.give_out(Closed::ByBlankLine).ok();
        }
        if self.line_start < total {
            self.end_line(total, total);
        }
        self.give_out(Closed::ByEndOfStream).ok()
    }

    /// The lines of the event that was given out last; blank lines are not among them.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How the latest line ended.
    pub(crate) fn line_end(&self) -> LineEnd {
        self.line_end
    }

    /// Keeps what is left of the chunk for the next one.
    fn keep_rest(&mut self) -> Result<Option<Event>, TooLarge> {
        if self.scanned > self.largest_event {
            return Err(TooLarge);
        }
        self.carry.extend_from_slice(&self.chunk);
        self.chunk.clear();
        Ok(None)
    }

    fn byte(&self, offset: usize) -> u8 {
        match offset.checked_sub(self.carry.len()) {
            Some(of_chunk) => self.chunk[of_chunk],
            None => self.carry[offset],
        }
    }

    fn is_blank(&self, content_end: usize) -> bool {
        let len = content_end - self.line_start;
        len == 0 || (self.first_line && len == BOM.len() && (0..len).all(|i| self.byte(self.line_start + i) == BOM[i]))
    }

    /// Notes a line; its parts are told apart when the event lies in one piece.
    fn end_line(&mut self, content_end: usize, end: usize) {
        let (start, content_end, end) = (self.line_start as u32, content_end as u32, end as u32);
        // `value_start` says whether a byte order mark may stand before the name, until `classify` has run.
        let value_start = if std::mem::take(&mut self.first_line) { start } else { u32::MAX };
        self.lines.push(Line { field: Field::Unknown, start, value_start, value_end: content_end, end });
        self.line_start = end as usize;
    }

    /// Gives out what is scanned.
    fn give_out(&mut self, closed: Closed) -> Result<Event, TooLarge> {
        if self.scanned > self.largest_event {
            return Err(TooLarge);
        }
        let of_chunk = self.scanned - self.carry.len();
        let raw = if self.carry.is_empty() {
            self.chunk.split_to(of_chunk)
        } else {
            self.carry.extend_from_slice(&self.chunk[..of_chunk]);
            self.chunk.advance(of_chunk);
            self.carry.split().freeze()
        };
        self.first_line = false;
        for line in &mut self.lines {
            classify(line, &raw);
        }
        self.scanned = 0;
        self.line_start = 0;
        self.given_out = true;
        Ok(Event { raw, closed })
    }
}

/// Finds the name and the value of a line, as the WHATWG's "interpreting an event stream" has it.
fn classify(line: &mut Line, raw: &[u8]) {
    let may_have_bom = line.value_start != u32::MAX;
    let mut content = &raw[line.start as usize..line.value_end as usize];
    if may_have_bom && content.starts_with(BOM) {
        content = &content[BOM.len()..];
    }
    let (name, value) = match memchr::memchr(b':', content) {
        Some(colon) => {
            let value = &content[colon + 1..];
            (&content[..colon], value.strip_prefix(b" ").unwrap_or(value))
        }
        None => (content, &content[content.len()..]),
    };
    line.value_start = line.value_end - value.len() as u32;
    line.field = match name {
        b"" => Field::Comment,
        b"data" => Field::Data,
        b"event" => Field::Event,
        b"id" => Field::Id,
        b"retry" => Field::Retry,
        _ => Field::Unknown,
    };
}

#[cfg(test)]
mod tests;
