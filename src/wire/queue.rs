//! Events that wait, in order, until every text in them is decided.

use super::coding::Coding;
use super::framing::Wrap;
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

/// The events that have not left, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    events: VecDeque<Waiting>,
    /// The fields of all of them, one event's after the other's.
    fields: VecDeque<Field>,
    /// Fields that have left; field numbers count from the stream's first field.
    left: u64,
    /// Raw bytes that wait.
    bytes: usize,
}

/// An event that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) raw: Bytes,
    pub(crate) since: Instant,
    /// What is known to change already.
    pub(crate) edits: Vec<Edit>,
    pub(crate) sides: Vec<Side>,
    pub(crate) citations: Vec<Citation>,
    pub(crate) wrap: Wrap,
    pub(crate) parts: Parts,
    /// The kind under which it is to be kept, and where its JSON text lies.
    pub(crate) keep: Option<(&'static str, Range<u32>)>,
    /// Its number, as the stream counts.
    pub(crate) number: Option<u64>,
    /// How many of the queue's fields are this event's.
    pub(crate) fields: usize,
    /// Whether it says that the stream or a part of it is at its end.
    pub(crate) tells_of_end: bool,
    /// Whether it begins an answer: what was kept of the one before is of no use any more.
    pub(crate) begins_anew: bool,
    /// What it is should the stream end within it: known beforehand where checks may say so late.
    pub(crate) stopped: Option<Box<Stopped>>,
}

/// What becomes of an event in which the stream ends.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// It tells of an end as the policy's own endings do, and never leaves.
    pub(crate) is_own_ending: bool,
    pub(crate) has_choice: bool,
    /// What it must not say.
    pub(crate) edits: Vec<Edit>,
    pub(crate) payload: Payload,
    /// Choices of which it tells the end.
    pub(crate) finished: Vec<u32>,
}

/// Whether an event may leave in two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    One,
    /// It says nothing but a delta, so two of them say the same.
    Two,
    /// It did, and the first has left. Its one edit takes out what left with it.
    Rest,
}

/// Where an event's JSON text lies.
#[derive(Clone, Debug, Default)]
pub(crate) enum Payload {
    /// There is none.
    #[default]
    None,
    /// In one piece.
    Whole(Range<u32>),
    /// In several lines.
    Folded(Box<Folded>),
}

/// A text that came in several lines, and where they stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folded {
    pub(crate) text: Vec<u8>,
    /// Where each line begins, in `text` and in the event.
    pub(crate) lines: Vec<(u32, u32)>,
}

/// A change of an event's raw bytes.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) span: Range<u32>,
    pub(crate) with: Vec<u8>,
}

/// A value that goes when anything of what it speaks of is edited.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) place: Range<u32>,
    pub(crate) about: Range<u32>,
}

/// What an event says about a stretch of a channel's text.
#[derive(Clone, Debug)]
pub(crate) struct Citation {
    /// The channel, if it has had a text.
    pub(crate) lane: Option<u32>,
    /// Channels that the citation could be about as well.
    pub(crate) others: Vec<u32>,
    /// The stretch, in the channel's own count, if it is told in a way that is understood.
    pub(crate) span: Option<Range<u64>>,
    /// Where the event tells its bounds.
    pub(crate) start: Option<Range<u32>>,
    pub(crate) end: Option<Range<u32>>,
    /// Where the event shows it.
    pub(crate) excerpts: Vec<Range<u32>>,
}

/// A part of an event that a channel decides about.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) lane: u32,
    pub(crate) touch: Touch,
    pub(crate) end: End,
    pub(crate) start: u64,
    /// Raw bytes in the event.
    pub(crate) raw: Range<u32>,
    /// The decoder's state before them.
    pub(crate) coding: Coding,
}

/// Where a field's text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Known(u64),
    /// Within a unit, of which the rest is in a later event.
    Open,
}

/// What becomes of a field that was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// The raw bytes are string content, and what was cut is spliced out.
    Splice,
    /// The same, for content that shows the channel from its beginning once more.
    View,
    /// The raw bytes are a value that goes.
    Null,
    /// They are a value that goes if any of the channel was ever cut.
    Seal,
    /// The event waits, but for what it says elsewhere.
    None,
    /// They are tool calls, which leave whole or not at all.
    Call,
    /// The event begins a tool call, and leaves with all of it or not at all.
    Event,
}

impl Payload {
    /// The JSON text.
    pub(crate) fn text<'a>(&'a self, raw: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Payload::None => None,
            Payload::Whole(span) => Some(&raw[span.start as usize..span.end as usize]),
            Payload::Folded(folded) => Some(&folded.text),
        }
    }

    /// The place in the event of a stretch of the text.
    pub(crate) fn place(&self, span: Range<usize>) -> Range<u32> {
        match self {
            Payload::None => 0..0,
            Payload::Whole(whole) => whole.start + span.start as u32..whole.start + span.end as u32,
            Payload::Folded(folded) => {
                let start = folded.place(span.start as u32);
                // The end belongs to the line of the byte before it.
                let end = if span.is_empty() { start } else { folded.place(span.end as u32 - 1) + 1 };
                start..end
            }
        }
    }
}

impl Folded {
    fn place(&self, offset: u32) -> u32 {
        let line = self.lines.partition_point(|(text, _)| *text <= offset).saturating_sub(1);
        self.lines.get(line).map_or(offset, |(text, raw)| raw + (offset - text))
    }
}

impl Queue {
    /// Adds a field of the event that is pushed next; gives back its number.
    pub(crate) fn add_field(&mut self, field: Field) -> u64 {
        self.fields.push_back(field);
        self.left + self.fields.len() as u64 - 1
    }

    /// The number that the next field gets.
    pub(crate) fn next_field(&self) -> u64 {
        self.left + self.fields.len() as u64
    }

    /// Forgets the last fields, of an event that never leaves.
    pub(crate) fn forget_fields(&mut self, count: usize) {
        self.fields.truncate(self.fields.len() - count);
    }

    pub(crate) fn push(&mut self, event: Waiting) {
        self.bytes += event.raw.len();
        self.events.push_back(event);
    }

    /// The unit in which a lane's fields from number `from` on end is at its own end.
    pub(crate) fn close_unit(&mut self, lane: u32, from: u64, end: u64) {
        let first = from.saturating_sub(self.left) as usize;
        for field in self.fields.iter_mut().skip(first).filter(|field| field.lane == lane) {
            if let End::Open = field.end {
                field.end = End::Known(end);
            }
        }
    }

    pub(crate) fn front_fields(&self) -> impl Iterator<Item = &Field> {
        let count = self.events.front().map_or(0, |event| event.fields);
        self.fields.iter().take(count)
    }

    /// The oldest event and its field, if that is its only one.
    pub(crate) fn front_of_one(&mut self) -> Option<(&mut Waiting, &mut Field)> {
        let event = self.events.front_mut().filter(|event| event.fields == 1)?;
        Some((event, self.fields.front_mut()?))
    }

    /// Takes the oldest event and appends its fields to `fields`.
    pub(crate) fn pop(&mut self, fields: &mut Vec<Field>) -> Option<Waiting> {
        let event = self.events.pop_front()?;
        self.bytes -= event.raw.len();
        self.left += event.fields as u64;
        fields.extend(self.fields.drain(..event.fields));
        Some(event)
    }

    pub(crate) fn front(&self) -> Option<&Waiting> {
        self.events.front()
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut Waiting> {
        self.events.front_mut()
    }

    /// Takes the fields of the event that would be pushed next.
    pub(crate) fn take_fields(&mut self) -> Vec<Field> {
        std::mem::take(&mut self.fields).into()
    }

    /// Takes out everything that waits; gives back what is known of it should the stream end.
    pub(crate) fn clear(&mut self) -> Vec<Stopped> {
        self.bytes = 0;
        self.left += self.fields.len() as u64;
        self.fields.clear();
        self.events.drain(..).filter_map(|event| event.stopped).map(|stopped| *stopped).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// How many fields the waiting events have, the next one's among them.
    pub(crate) fn fields(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// An event's bytes with its edits made. An edit within another one is not made.
pub(crate) fn apply(raw: &[u8], edits: &mut [Edit]) -> Bytes {
    edits.sort_by_key(|edit| (edit.span.start, std::cmp::Reverse(edit.span.end)));
    let mut out = Vec::with_capacity(raw.len() + edits.iter().map(|edit| edit.with.len()).sum::<usize>());
    let mut at = 0;
    for edit in edits.iter().filter(|edit| edit.span.end as usize <= raw.len()) {
        if edit.span.start as usize >= at {
            out.extend_from_slice(&raw[at..edit.span.start as usize]);
            out.extend_from_slice(&edit.with);
            at = edit.span.end as usize;
        }
    }
    out.extend_from_slice(&raw[at..]);
    Bytes::from(out)
}
