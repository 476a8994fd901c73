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

use super::unframed::Unframed;
use super::{Aside, Closed, Event, Name, TooLarge, Wrap};
use crate::wire::grammar::{Members, Said};
use crate::wire::queue::{Edit, Folded, Payload, apply};
use bytes::Bytes;
use std::ops::Range;

/// A byte order mark in UTF-8, which may stand at a stream's beginning.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Cuts an event stream into events.
#[derive(Debug)]
pub(crate) struct Framer {
    /// What is scanned of it was searched for line ends.
    bytes: Unframed,
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

impl Framer {
    /// A framer that refuses events of more than `largest_event` bytes.
    pub(crate) fn new(largest_event: usize) -> Framer {
        Framer {
            bytes: Unframed::default(),
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
        self.bytes.push(chunk);
    }

    /// The next whole event, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, TooLarge> {
        if std::mem::take(&mut self.given_out) {
            self.lines.clear();
        }
        loop {
            let rest = self.bytes.rest();
            if self.ends_after_lf {
                let Some(&first) = rest.first() else { break };
                self.ends_after_lf = false;
                self.bytes.scan(usize::from(first == b'\n'));
                self.after_cr = false;
                return self.give_out(Closed::Whole).map(Some);
            }
            if self.after_cr {
                let Some(&first) = rest.first() else { break };
                self.after_cr = false;
                if first == b'\n' {
                    self.line_end = LineEnd::CrLf;
                    if let Some(line) = self.lines.last_mut() {
                        line.end += 1;
                    }
                    self.bytes.scan(1);
                    self.line_start = self.bytes.scanned();
                    continue;
                }
                self.line_end = LineEnd::Cr;
            }
            let Some(at) = memchr::memchr2(b'\n', b'\r', rest) else { break };
            let is_cr = rest[at] == b'\r';
            let content_end = self.bytes.scanned() + at;
            self.bytes.scan(at + 1);
            self.after_cr = is_cr;
            if !self.is_blank(content_end) {
                self.end_line(content_end, content_end + 1);
                if !is_cr {
                    self.line_end = LineEnd::Lf;
                }
            } else if is_cr && self.line_end == LineEnd::CrLf {
                self.ends_after_lf = true;
            } else {
                return self.give_out(Closed::Whole).map(Some);
            }
        }
        self.bytes.keep();
        if self.bytes.scanned() > self.largest_event { Err(TooLarge) } else { Ok(None) }
    }

    /// The stream is at its end: gives out what no blank line ended.
    pub(crate) fn finish(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.given_out) {
            self.lines.clear();
        }
        let total = self.bytes.scanned();
        if total == 0 {
            return None;
        }
        if self.ends_after_lf {
            return self.give_out(Closed::Whole).ok();
        }
        if self.line_start < total {
            self.end_line(total, total);
        }
        self.give_out(Closed::ByEndOfStream).ok()
    }

    /// The lines of the event that was given out last; blank lines are not among them.
    #[cfg(test)]
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Writes events of the filter's own, in the stream's own line ends. Behind an event that no blank line ended,
    /// one does first.
    pub(crate) fn write(&self, said: &[Said], last: Closed) -> Vec<u8> {
        let line_end = self.line_end.as_str().as_bytes();
        let mut out = Vec::new();
        if last == Closed::ByEndOfStream && !said.is_empty() {
            out.extend_from_slice(&line_end.repeat(2));
        }
        for Said { kind, data } in said {
            if let Some(kind) = kind {
                out.extend_from_slice(&[b"event: ", kind.as_bytes(), line_end].concat());
            }
            out.extend_from_slice(&[b"data: ", &data[..], line_end, line_end].concat());
        }
        out
    }

    /// A comment in the stream's own line ends: there are parsers that know no others.
    pub(crate) fn comment(&self) -> Vec<u8> {
        let line_end = self.line_end.as_str();
        format!(": keep-alive{line_end}{line_end}").into_bytes()
    }

    /// Writes `text` as the data of the event that was given out last, as edits of its lines: the first takes all of
    /// it.
    pub(crate) fn rewrite(&self, text: &[u8]) -> Vec<Edit> {
        let next = format!("{}data: ", self.line_end.as_str());
        let lines: Vec<&[u8]> = text.split(|b| matches!(b, b'\n' | b'\r')).collect();
        let mut data = Some(lines.join(next.as_bytes()));
        let edit = |line: &Line| match data.take() {
            Some(with) => Edit { span: line.value_start..line.value_end, with },
            None => Edit { span: line.start..line.end, with: Vec::new() },
        };
        self.lines.iter().filter(|line| line.field == Field::Data).map(edit).collect()
    }

    /// The event of these bytes, whose lines were classified.
    fn event(&self, raw: Bytes, closed: Closed) -> Event {
        if is_bare_json(&raw, &self.lines) {
            return Event { closed, payload: Payload::Whole(0..raw.len() as u32), ..Event::new(raw) };
        }
        let mut event = Event { closed, payload: payload_of(&raw, &self.lines), ..Event::new(raw) };
        for line in self.lines.iter().filter(|line| line.field != Field::Data) {
            let content = match line.field {
                Field::Unknown => line.start..line.value_end,
                _ => line.value_start..line.value_end,
            };
            if line.field == Field::Event {
                event.name = Name::At(line.value_start..line.value_end);
            }
            if !content.is_empty() {
                event.asides.push(Aside { content, line: Some(line.start..line.end) });
            }
        }
        event
    }

    fn is_blank(&self, content_end: usize) -> bool {
        let len = content_end - self.line_start;
        len == 0
            || (self.first_line && len == BOM.len() && (0..len).all(|i| self.bytes.byte(self.line_start + i) == BOM[i]))
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
        if self.bytes.scanned() > self.largest_event {
            return Err(TooLarge);
        }
        let raw = self.bytes.take();
        self.first_line = false;
        for line in &mut self.lines {
            classify(line, &raw);
        }
        self.line_start = 0;
        self.given_out = true;
        Ok(self.event(raw, closed))
    }
}

/// An event whose data follows its own bytes, in one piece.
pub(super) fn laid_out(event: &Event) -> Event {
    let data = event.payload.text(&event.raw).unwrap_or_default();
    let event_len = event.raw.len() as u32;
    let raw = Bytes::from([&event.raw[..], data].concat());
    let payload = Payload::Whole(event_len..raw.len() as u32);
    Event { payload, raw, wrap: Wrap::Lines { event_len }, ..event.clone() }
}

/// Such an event with its edits made: those behind the event's own bytes are of its data.
pub(crate) fn rewritten(raw: &Bytes, event_len: u32, edits: Vec<Edit>) -> Bytes {
    let (event, data) = raw.split_at(event_len as usize);
    let (mut of_event, mut of_data): (Vec<_>, Vec<_>) = edits.into_iter().partition(|edit| edit.span.start < event_len);
    for edit in &mut of_data {
        edit.span = edit.span.start - event_len..edit.span.end - event_len;
    }
    if !of_data.is_empty() {
        let mut framer = Framer::new(event.len());
        framer.push(raw.slice(..event.len()));
        if !matches!(framer.next(), Ok(Some(_))) {
            framer.finish();
        }
        of_event.extend(framer.rewrite(&apply(data, &mut of_data)));
    }
    apply(event, &mut of_event)
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

/// Whether it is no event but a JSON object as it stands, as Google's servers send errors within a stream.
fn is_bare_json(raw: &[u8], lines: &[Line]) -> bool {
    let is_ignored = |line: &Line| line.field == Field::Unknown;
    let begins = |line: &Line| raw[line.start as usize..line.end as usize].trim_ascii_start().starts_with(b"{");
    lines.first().is_some_and(begins) && lines.iter().all(is_ignored) && Members::of(raw).is_some()
}

/// Where an event's data lies.
fn payload_of(raw: &[u8], lines: &[Line]) -> Payload {
    let mut data = lines.iter().filter(|line| line.field == Field::Data);
    let Some(first) = data.next() else { return Payload::None };
    let Some(second) = data.next() else { return Payload::Whole(first.value_start..first.value_end) };
    let mut folded = Folded::default();
    for (i, line) in [first, second].into_iter().chain(data).enumerate() {
        if i > 0 {
            folded.text.push(b'\n');
        }
        folded.lines.push((folded.text.len() as u32, line.value_start));
        folded.text.extend_from_slice(&raw[line.value()]);
    }
    Payload::Folded(Box::new(folded))
}

#[cfg(test)]
mod tests;
