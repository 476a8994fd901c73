//! How a stream's bytes are cut into events, and how events of the filter's own are written among them.

mod array;
mod frames;
mod lines;
mod sse;
mod unframed;

pub(crate) use frames::{reseal, reseal_chunk};
pub(crate) use sse::BOM;
pub(crate) use sse::rewritten;

use super::grammar::{Fault, Said};
use super::queue::{Edit, Payload};
use bytes::Bytes;
use std::ops::Range;

/// How a stream's bytes are cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// An event stream as browsers read it (`text/event-stream`).
    EventStream,
    /// Newline-delimited JSON (`application/x-ndjson`): a line is an event.
    Lines,
    /// A JSON array that comes element by element: an element is an event.
    Array,
    /// Amazon's binary event stream encoding (`application/vnd.amazon.eventstream`): a frame is an event.
    AmazonEventStream,
    /// Messages with bounds of their own, such as those of a WebSocket: each push is one, and so is each pop.
    Messages,
    /// None: the whole body is one JSON document.
    Document,
}

/// One event as it came.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Every byte of the input is in exactly one event, so these, one after the other, are the input.
    pub(crate) raw: Bytes,
    pub(crate) payload: Payload,
    /// A JSON text around the payload, in which nothing is expected.
    pub(crate) outer: Option<Payload>,
    pub(crate) name: Name,
    /// Texts beside the payload.
    pub(crate) asides: Vec<Aside>,
    pub(crate) wrap: Wrap,
    pub(crate) closed: Closed,
}

/// The kind of an event, as far as its framing tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Name {
    #[default]
    None,
    /// Where in the raw bytes it stands.
    At(Range<u32>),
    /// An event by which the upstream says that it failed.
    Exception,
    /// The framing's own last word: nothing follows it.
    End,
}

/// A text beside an event's payload.
#[derive(Clone, Debug)]
pub(crate) struct Aside {
    pub(crate) content: Range<u32>,
    /// What goes if the text must not leave; nothing can where the framing has no way to.
    pub(crate) line: Option<Range<u32>>,
}

/// What must be done when an edited event is written.
#[derive(Clone, Debug, Default)]
pub(crate) enum Wrap {
    #[default]
    Bare,
    /// A frame whose lengths and checksums must be told anew.
    Frame,
    /// An event of `event_len` bytes whose lines of data carry the text that follows it.
    Lines { event_len: u32 },
    /// A frame of `frame_len` bytes that carries the payload in base64 at `content`; the decoded payload follows it.
    Chunk { frame_len: u32, content: Range<u32> },
}

/// How an event came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    Whole,
    /// The stream ended it. A client ignores such an event, or fails.
    ByEndOfStream,
}

/// An event outgrew the limit. It stays so: what follows cannot be read either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Bytes that are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    TooLarge,
    /// Lengths or checksums are wrong.
    Broken,
}

impl From<TooLarge> for Unreadable {
    fn from(TooLarge: TooLarge) -> Unreadable {
        Unreadable::TooLarge
    }
}

impl Event {
    /// An event without a payload.
    pub(crate) fn new(raw: Bytes) -> Event {
        Event {
            raw,
            payload: Payload::None,
            outer: None,
            name: Name::None,
            asides: Vec::new(),
            wrap: Wrap::Bare,
            closed: Closed::Whole,
        }
    }

    /// Whether the upstream says by it that it failed, in the words of the framing.
    pub(crate) fn is_failure(&self) -> bool {
        self.name == Name::Exception
    }

    /// The kind that the framing gives it, or nothing.
    pub(crate) fn kind(&self) -> &[u8] {
        match &self.name {
            Name::None | Name::End => b"",
            Name::At(place) => &self.raw[place.start as usize..place.end as usize],
            Name::Exception => frames::EXCEPTION.as_bytes(),
        }
    }
}

/// Cuts a stream into events.
#[derive(Debug)]
pub(crate) enum Framer {
    EventStream(sse::Framer),
    Lines(lines::Framer),
    Array(array::Framer),
    Frames(frames::Framer),
    Messages(Option<Bytes>),
}

impl Framer {
    /// A framer that refuses events of more than `largest_event` bytes. A document has none.
    pub(crate) fn new(framing: Framing, largest_event: usize) -> Framer {
        match framing {
            Framing::EventStream => Framer::EventStream(sse::Framer::new(largest_event)),
            Framing::Lines => Framer::Lines(lines::Framer::new(largest_event)),
            Framing::Array => Framer::Array(array::Framer::new(largest_event)),
            Framing::AmazonEventStream => Framer::Frames(frames::Framer::new(largest_event)),
            Framing::Messages | Framing::Document => Framer::Messages(None),
        }
    }

    /// Takes the next chunk. Call [`next`](Framer::next) until it gives `None` before the next push.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        match self {
            Framer::EventStream(framer) => framer.push(chunk),
            Framer::Lines(framer) => framer.push(chunk),
            Framer::Array(framer) => framer.push(chunk),
            Framer::Frames(framer) => framer.push(chunk),
            Framer::Messages(message) => *message = Some(chunk),
        }
    }

    /// The next whole event, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Unreadable> {
        Ok(match self {
            Framer::EventStream(framer) => framer.next()?,
            Framer::Lines(framer) => framer.next()?,
            Framer::Array(framer) => framer.next()?,
            Framer::Frames(framer) => framer.next()?,
            Framer::Messages(message) => message.take().map(|raw| {
                let payload = Payload::Whole(0..raw.len() as u32);
                Event { payload, ..Event::new(raw) }
            }),
        })
    }

    /// The stream is at its end: gives out what is left.
    pub(crate) fn finish(&mut self) -> Result<Option<Event>, Unreadable> {
        match self {
            Framer::EventStream(framer) => Ok(framer.finish()),
            Framer::Lines(framer) => Ok(framer.finish()),
            Framer::Array(framer) => framer.finish(),
            Framer::Frames(framer) => framer.finish().map(|()| None),
            Framer::Messages(_) => Ok(None),
        }
    }

    /// Writes events of the filter's own, each as one piece, and what closes the stream behind them.
    pub(crate) fn write(&self, said: &[Said], last: Closed) -> Vec<Vec<u8>> {
        match self {
            Framer::EventStream(framer) => vec![framer.write(said, last)],
            Framer::Lines(_) => {
                let begun = (last == Closed::ByEndOfStream && !said.is_empty()).then_some(&b"\n"[..]);
                let lines = said.iter().flat_map(|said| [&said.data[..], b"\n"]);
                vec![begun.into_iter().chain(lines).collect::<Vec<_>>().concat()]
            }
            Framer::Array(framer) => vec![framer.write(said)],
            Framer::Frames(framer) => {
                let mut out = Vec::new();
                said.iter().for_each(|said| framer.write(said.kind.unwrap_or_default(), &said.data, &mut out));
                vec![out]
            }
            Framer::Messages(_) => said.iter().map(|said| said.data.clone()).collect(),
        }
    }

    /// What says nothing to a client but that the stream goes on, if the framing has any such thing.
    pub(crate) fn comment(&self) -> Option<Vec<u8>> {
        match self {
            Framer::EventStream(framer) => Some(framer.comment()),
            Framer::Lines(_) | Framer::Array(_) | Framer::Frames(_) | Framer::Messages(_) => None,
        }
    }

    /// The event with its data in one piece.
    pub(crate) fn laid_out(&self, event: &Event) -> Event {
        match self {
            Framer::EventStream(_) => sse::laid_out(event),
            _ => event.clone(),
        }
    }

    /// How an error is told where the framing has a form for it, whatever the dialect.
    pub(crate) fn fault(&self, fault: Fault) -> Option<Said> {
        matches!(self, Framer::Frames(_)).then(|| frames::fault(fault))
    }

    /// Writes `text` in the place of an event's payload that is no JSON, as edits of it.
    pub(crate) fn rewrite(&self, event: &Event, text: &[u8]) -> Vec<Edit> {
        match (self, &event.payload) {
            (_, Payload::None) => Vec::new(),
            (Framer::EventStream(framer), _) => framer.rewrite(text),
            (_, Payload::Whole(span)) => vec![Edit { span: span.clone(), with: text.to_vec() }],
            (_, Payload::Folded(_)) => Vec::new(),
        }
    }
}
