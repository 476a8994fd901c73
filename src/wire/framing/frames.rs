//! Amazon's event stream encoding (`application/vnd.amazon.eventstream`): binary frames with headers and checksums.
//!
//! ```text
//! u32 length of all │ u32 length of the headers │ u32 CRC-32 of these eight bytes │ headers │ payload │ u32 CRC-32
//! header: u8 length │ name │ u8 type │ value, whose length the type says (strings and bytes: u16 length before it)
//! ```
//!
//! Numbers are big-endian; the checksum is that of gzip. A frame whose checksums are wrong is refused: a client would
//! do so, too. `InvokeModelWithResponseStream` wraps the model's own JSON in base64 (`{"bytes":"…"}`); such a frame's
//! payload is the inner JSON, which stands behind the frame's own bytes in [`Event::raw`].

use super::unframed::Unframed;
use super::{Aside, Closed, Event, Name, TooLarge, Unreadable, Wrap};
use crate::wire::grammar::{Fault, Said};
use crate::wire::json::{Kind, Tape};
use crate::wire::queue::{Edit, Payload, apply};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{BufMut, Bytes, BytesMut};
use std::ops::Range;

/// Lengths and checksum at a frame's start.
const PRELUDE: usize = 12;
/// The checksum at its end.
const TRAILER: usize = 4;

/// Cuts an event stream into frames.
#[derive(Debug)]
pub(crate) struct Framer {
    bytes: Unframed,
    largest_event: usize,
    /// How the frames carry their payloads: the filter's own are like the upstream's.
    wrap: Carried,
}

/// How payloads are carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Carried {
    #[default]
    Bare,
    /// In base64, in frames of the type `chunk`.
    Chunk,
}

impl Framer {
    /// A framer that refuses frames of more than `largest_event` bytes.
    pub(crate) fn new(largest_event: usize) -> Framer {
        Framer {
            bytes: Unframed::default(),
            largest_event: largest_event.min(u32::MAX as usize / 2),
            wrap: Carried::default(),
        }
    }

    /// Takes the next chunk. Call [`next`](Framer::next) until it gives `None` before the next push.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.bytes.push(chunk);
    }

    /// The next whole frame, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Unreadable> {
        while self.bytes.scanned() < self.length()? {
            let missing = self.length()? - self.bytes.scanned();
            let there = self.bytes.rest().len().min(missing);
            if there == 0 {
                self.bytes.keep();
                return Ok(None);
            }
            self.bytes.scan(there);
        }
        let event = read(self.bytes.take())?;
        if let Wrap::Chunk { .. } = event.wrap {
            self.wrap = Carried::Chunk;
        }
        Ok(Some(event))
    }

    /// The stream is at its end, which half a frame must not come before.
    pub(crate) fn finish(&mut self) -> Result<(), Unreadable> {
        if self.bytes.scanned() == 0 { Ok(()) } else { Err(Unreadable::Broken) }
    }

    /// Writes a frame like the upstream's.
    pub(crate) fn write(&self, kind: &str, payload: &[u8], out: &mut Vec<u8>) {
        match self.wrap {
            // A last word that is no JSON has no place among frames.
            Carried::Chunk if payload == b"[DONE]" => {}
            Carried::Chunk if kind != EXCEPTION => {
                let wrapped = format!(r#"{{"bytes":"{}"}}"#, BASE64.encode(payload));
                frame(&headers_of("chunk"), wrapped.as_bytes(), out);
            }
            _ => frame(&headers_of(kind), payload, out),
        }
    }

    /// How long the frame at hand is, or as much of it as says so.
    fn length(&self) -> Result<usize, Unreadable> {
        if self.bytes.scanned() < PRELUDE {
            return Ok(PRELUDE);
        }
        let length = u32::from_be_bytes([0, 1, 2, 3].map(|i| self.bytes.byte(i))) as usize;
        if length < PRELUDE + TRAILER {
            return Err(Unreadable::Broken);
        }
        if length > self.largest_event { Err(TooLarge.into()) } else { Ok(length) }
    }
}

/// The kind of a frame by which the upstream says that it failed.
pub(crate) const EXCEPTION: &str = "exception";

/// The frame that says so for the filter, whatever the frames before it carry.
pub(crate) fn fault(fault: Fault) -> Said {
    Said::of(EXCEPTION, format!(r#"{{"message":"{}"}}"#, fault.message()))
}

/// Reads a frame that is whole.
fn read(raw: Bytes) -> Result<Event, Unreadable> {
    let u32_at = |at: usize| u32::from_be_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
    let behind = raw.len() - TRAILER;
    if u32_at(8) != crc32fast::hash(&raw[..8]) || u32_at(behind) != crc32fast::hash(&raw[..behind]) {
        return Err(Unreadable::Broken);
    }
    let headers_end = PRELUDE + u32_at(4) as usize;
    if headers_end > behind {
        return Err(Unreadable::Broken);
    }
    let mut event = Event::new(raw.clone());
    event.closed = Closed::Whole;
    event.wrap = Wrap::Frame;
    let (mut is_failure, mut types, mut at) = (false, 0, PRELUDE);
    while at < headers_end {
        let header = Header::read(&raw[..headers_end], at).ok_or(Unreadable::Broken)?;
        at = header.end;
        let Some(text) = header.text else { continue };
        let value = &raw[text.clone()];
        match &raw[header.name] {
            b":message-type" => {
                types += 1;
                is_failure = matches!(value, b"exception" | b"error");
            }
            // Of two kinds the client may take the other one.
            b":event-type" if event.name != Name::None => return Err(Unreadable::Broken),
            b":event-type" => event.name = Name::At(text.start as u32..text.end as u32),
            b":content-type" | b":exception-type" | b":error-code" => {}
            // It cannot be taken out without the client's noticing, so a match in it is a fault.
            _ => event.asides.push(Aside { content: text.start as u32..text.end as u32, line: None }),
        }
    }
    if types > 1 {
        return Err(Unreadable::Broken);
    }
    if is_failure {
        event.name = Name::Exception;
    }
    let payload = headers_end..behind;
    if !payload.is_empty() {
        event.payload = Payload::Whole(payload.start as u32..payload.end as u32);
    }
    if event.kind() == b"chunk" {
        unwrap(&mut event, payload);
    }
    Ok(event)
}

/// Takes the inner JSON out of a frame of the type `chunk`, if it is one of base64.
fn unwrap(event: &mut Event, payload: Range<usize>) {
    let mut tape = Tape::default();
    let text = &event.raw[payload.clone()];
    if tape.read(text).is_err() {
        return;
    }
    let Some(bytes) = tape.member(text, 0, "bytes").filter(|node| tape.node(*node).kind == Kind::String) else {
        return;
    };
    let content = tape.node(bytes).content();
    let Ok(inner) = BASE64.decode(&text[content.clone()]) else { return };
    let frame_len = event.raw.len() as u32;
    let mut all = BytesMut::with_capacity(event.raw.len() + inner.len());
    all.extend_from_slice(&event.raw);
    all.extend_from_slice(&inner);
    event.outer = Some(Payload::Whole(payload.start as u32..payload.end as u32));
    event.raw = all.freeze();
    event.payload = Payload::Whole(frame_len..event.raw.len() as u32);
    let content = (payload.start + content.start) as u32..(payload.start + content.end) as u32;
    event.wrap = Wrap::Chunk { frame_len, content };
}

/// A frame with its edits made and its lengths and checksums told anew.
pub(crate) fn reseal(raw: &[u8], edits: &mut [Edit]) -> Bytes {
    let edited = apply(raw, edits);
    let headers_end = PRELUDE + u32::from_be_bytes([edited[4], edited[5], edited[6], edited[7]]) as usize;
    let mut out = Vec::with_capacity(edited.len());
    frame(&edited[PRELUDE..headers_end], &edited[headers_end..edited.len() - TRAILER], &mut out);
    Bytes::from(out)
}

/// The same for a frame whose payload wraps another one in base64: edits behind the frame's own bytes are of that.
pub(crate) fn reseal_chunk(raw: &[u8], frame_len: u32, content: Range<u32>, edits: Vec<Edit>) -> Bytes {
    let (frame, inner) = raw.split_at(frame_len as usize);
    let (mut of_frame, mut of_inner): (Vec<_>, Vec<_>) =
        edits.into_iter().partition(|edit| edit.span.start < frame_len);
    for edit in &mut of_inner {
        edit.span = edit.span.start - frame_len..edit.span.end - frame_len;
    }
    if !of_inner.is_empty() {
        let with = BASE64.encode(apply(inner, &mut of_inner)).into_bytes();
        of_frame.push(Edit { span: content, with });
    }
    reseal(frame, &mut of_frame)
}

/// Appends a frame.
fn frame(headers: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.put_u32((PRELUDE + headers.len() + payload.len() + TRAILER) as u32);
    out.put_u32(headers.len() as u32);
    out.put_u32(crc32fast::hash(&out[start..]));
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.put_u32(crc32fast::hash(&out[start..]));
}

/// The headers of an event of this kind.
fn headers_of(kind: &str) -> Vec<u8> {
    let types = match kind {
        EXCEPTION => [(":message-type", "exception"), (":exception-type", "modelStreamErrorException")],
        _ => [(":message-type", "event"), (":event-type", kind)],
    };
    let mut out = Vec::new();
    for (name, value) in types.into_iter().chain([(":content-type", "application/json")]) {
        out.put_u8(name.len() as u8);
        out.extend_from_slice(name.as_bytes());
        out.put_u8(STRING);
        out.put_u16(value.len() as u16);
        out.extend_from_slice(value.as_bytes());
    }
    out
}

/// The type of a header whose value is a string.
const STRING: u8 = 7;

/// Where the parts of a header lie.
struct Header {
    name: Range<usize>,
    /// Its value, if that is a string.
    text: Option<Range<usize>>,
    end: usize,
}

impl Header {
    /// Reads the header at `at`; `headers` ends where they all do.
    fn read(headers: &[u8], at: usize) -> Option<Header> {
        let name_len = usize::from(*headers.get(at)?);
        let name = at + 1..at + 1 + name_len;
        let kind = *headers.get(name.end).filter(|_| name_len > 0)?;
        let value = name.end + 1;
        let (start, len) = match kind {
            // true, false
            0 | 1 => (value, 0),
            2 => (value, 1),
            3 => (value, 2),
            4 => (value, 4),
            // i64, time
            5 | 8 => (value, 8),
            6 | STRING => {
                let len = headers.get(value..value + 2)?;
                (value + 2, usize::from(u16::from_be_bytes([len[0], len[1]])))
            }
            // UUID
            9 => (value, 16),
            _ => return None,
        };
        let end = start + len;
        let text = (kind == STRING).then_some(start..end);
        (end <= headers.len()).then_some(Header { name, text, end })
    }
}

#[cfg(test)]
mod tests;
