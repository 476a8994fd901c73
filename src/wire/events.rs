//! An event stream under a policy: framed, moderated event by event, and brought to an end that its clients
//! understand.

use super::coding::Coding;
use super::grammar::{Account, Fault, Grammar, Members};
use super::moderate::{Choice, Incoming, Moderator, Signals};
use super::queue::{Edit, Folded, Payload};
use super::sse::{Closed, Event, Field, Framer, Line};
use super::{Ending, Failure, FilterOptions, Observer, OtherEvents, UsageChunk};
use crate::policy::{ChannelKind, Policy};
use bytes::Bytes;
use std::time::Instant;

/// One event stream.
#[derive(Debug)]
pub(crate) struct EventStream {
    grammar: Grammar,
    framer: Framer,
    moderator: Moderator,
    usage_chunk: UsageChunk,
    other_events: OtherEvents,
    progress: Progress,
    /// The first event that a choice spoke in: endings copy what it says of itself.
    chunk: Option<(Bytes, Payload)>,
    /// The last event that told the usage.
    usage: Option<Vec<u8>>,
    /// How the event that was handed on last was closed.
    last_closed: Closed,
}

/// What the stream has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    data: bool,
    /// An event of the dialect.
    native: bool,
    reported_error: bool,
    /// The protocol's last word.
    end: bool,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    InTurn,
    Never,
}

impl EventStream {
    pub(crate) fn new(policy: &Policy, grammar: Grammar, options: &FilterOptions) -> EventStream {
        let moderator = Moderator::new(policy, (grammar.table)(), options);
        EventStream {
            grammar,
            framer: Framer::new(options.limits.event_bytes),
            moderator,
            usage_chunk: options.usage_chunk,
            other_events: options.other_events,
            progress: Progress::default(),
            chunk: None,
            usage: None,
            last_closed: Closed::ByBlankLine,
        }
    }

    /// Takes the next bytes; gives back the ending if they brought one.
    pub(crate) fn push(&mut self, chunk: Bytes, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        self.framer.push(chunk);
        let result = self.read_events(now, observer);
        self.moderator.release(now, observer);
        self.ending_of(result, now, observer)
    }

    /// The upstream came to its end.
    pub(crate) fn finish(&mut self, now: Instant, observer: &mut dyn Observer) -> Ending {
        let result = self.read_rest(now, observer);
        if let Some(ending) = self.ending_of(result, now, observer) {
            return ending;
        }
        let ending = if self.is_complete() {
            match self.moderator.finish(observer) {
                Ok(()) => Ending::Complete,
                Err(failure) => Ending::UpstreamFailed(failure),
            }
        } else if self.progress.reported_error {
            Ending::UpstreamFailed(Failure::Reported)
        } else {
            Ending::UpstreamFailed(Failure::Truncated)
        };
        // What was held may have turned out to be a match that ends the stream.
        if let Some(ending) = self.ending_of(Ok(()), now, observer) {
            return ending;
        }
        self.end(&ending, now, observer);
        ending
    }

    /// Lets what is decided leave, and brings the stream to this end.
    pub(crate) fn end(&mut self, ending: &Ending, now: Instant, observer: &mut dyn Observer) {
        self.moderator.release(now, observer);
        let said = match ending {
            Ending::ClientGone | Ending::Complete => Vec::new(),
            // The client was told the end, or the error, already.
            _ if self.progress.end || self.progress.reported_error => Vec::new(),
            Ending::Terminated(_) if !self.moderator.has_half_call() => (self.grammar.stop)(&self.account()),
            _ => Fault::of(ending).map(self.grammar.fault).unwrap_or_default(),
        };
        if *ending != Ending::ClientGone {
            self.moderator.flush(now, observer);
        }
        self.say(&said);
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.moderator.pop()
    }

    fn read_events(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<(), Failure> {
        while self.moderator.stop().is_none() {
            let Some(event) = self.framer.next().map_err(|_| Failure::Malformed)? else { break };
            self.read_event(event, now, observer)?;
        }
        Ok(())
    }

    /// Takes what no blank line ended. A client ignores it, but may not be the only reader.
    fn read_rest(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<(), Failure> {
        let Some(event) = self.framer.finish() else { return Ok(()) };
        if event.closed == Closed::ByEndOfStream {
            let payload = payload_of(&event.raw, self.framer.lines());
            let data = payload.text(&event.raw).map(<[u8]>::trim_ascii).unwrap_or_default();
            let is_whole = (self.grammar.is_end)(data) || Members::of(data).is_some();
            let is_broken = !is_whole && matches!(data.first(), Some(b'{' | b'['));
            if is_broken {
                return Err(Failure::Truncated);
            }
            if !is_whole && !self.is_complete() {
                return Ok(());
            }
        }
        self.last_closed = event.closed;
        self.read_event(event, now, observer)
    }

    fn read_event(&mut self, event: Event, now: Instant, observer: &mut dyn Observer) -> Result<(), Failure> {
        let mut edits = Vec::new();
        for line in self.framer.lines() {
            let content = match line.field {
                Field::Data => continue,
                Field::Unknown => line.start as usize..line.value_end as usize,
                _ => line.value(),
            };
            if self.moderator.own(ChannelKind::Text, Coding::Bare, &event.raw[content], observer).is_some() {
                edits.push(Edit { span: line.start..line.end, with: Vec::new() });
            }
        }
        let payload = payload_of(&event.raw, self.framer.lines());
        let mut incoming = Incoming::new(event.raw, payload, edits);
        match self.read_data(&mut incoming, observer)? {
            Leaves::InTurn => self.moderator.enqueue(incoming, now),
            Leaves::Never => Ok(()),
        }
    }

    fn read_data(&mut self, event: &mut Incoming, observer: &mut dyn Observer) -> Result<Leaves, Failure> {
        let Some(data) = event.payload.text(&event.raw) else { return Ok(Leaves::InTurn) };
        self.progress.data = true;
        let trimmed = data.trim_ascii();
        if (self.grammar.is_end)(trimmed) {
            event.payload = Payload::None;
            self.moderator.finish(observer)?;
            if self.moderator.stop().is_some() {
                // The end that the policy brings has a last word of its own.
                return Ok(Leaves::Never);
            }
            self.progress.end = true;
            return Ok(Leaves::InTurn);
        }
        let is_blank = trimmed.is_empty();
        if !is_blank && self.progress.reported_error {
            return Err(Failure::Reported);
        }
        if !is_blank && self.progress.end {
            return Err(Failure::Malformed);
        }
        let is_json = match trimmed.first() {
            Some(b'{' | b'[') => true,
            Some(b'"') => Members::of(data).is_some(),
            _ => false,
        };
        if is_json {
            let signals = self.moderator.read(event, observer)?;
            self.note(signals, event);
        } else {
            self.read_plain(event, observer);
        }
        let is_known = self.progress.native || self.progress.reported_error || is_blank;
        match self.other_events {
            OtherEvents::Refuse if !is_known => Err(Failure::Unknown),
            _ => Ok(Leaves::InTurn),
        }
    }

    /// Data that is no JSON is a text of its own.
    fn read_plain(&mut self, event: &mut Incoming, observer: &mut dyn Observer) {
        let payload = std::mem::take(&mut event.payload);
        let Some(data) = payload.text(&event.raw) else { return };
        let Some(text) = self.moderator.own(ChannelKind::Text, Coding::Bare, data, observer) else { return };
        let line_end = self.framer.line_end().as_str();
        let mut text = Some(in_data_lines(&text, line_end));
        for line in self.framer.lines().iter().filter(|line| line.field == Field::Data) {
            // The first line takes all of it.
            let with = text.take();
            let span = if with.is_some() { line.value_start..line.value_end } else { line.start..line.end };
            event.edits.push(Edit { span, with: with.unwrap_or_default() });
        }
    }

    fn note(&mut self, signals: Signals, event: &Incoming) {
        self.progress.native |= signals.is_native;
        self.progress.reported_error |= signals.is_error;
        if self.chunk.is_none() && signals.has_choice {
            self.chunk = Some((event.raw.clone(), event.payload.clone()));
        }
        if let (Some(usage), Some(text)) = (signals.usage, event.payload.text(&event.raw)) {
            self.usage = Some(text[usage].to_vec());
        }
    }

    /// Brings the stream to its end if it has stopped or failed.
    fn ending_of(&mut self, result: Result<(), Failure>, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        let ending = match (self.moderator.stop(), result) {
            (Some(verdict), _) => Ending::Terminated(verdict.clone()),
            (None, Err(failure)) => Ending::UpstreamFailed(failure),
            (None, Ok(())) => return None,
        };
        self.end(&ending, now, observer);
        Some(ending)
    }

    /// Whether the stream may end here.
    fn is_complete(&self) -> bool {
        let choices = self.moderator.choices();
        let is_finished = !choices.is_empty() && choices.values().all(|choice| *choice == Choice::Finished);
        let is_foreign = self.progress.data && !self.progress.native;
        let is_at_end = self.progress.end || is_finished || is_foreign;
        is_at_end && !self.progress.reported_error
    }

    fn account(&self) -> Account<'_> {
        let chunk = self.chunk.as_ref().and_then(|(raw, payload)| Members::of(payload.text(raw)?));
        let is_open = |(index, choice): (&u32, &Choice)| (*choice == Choice::Open).then_some(*index);
        let usage = match self.usage_chunk {
            UsageChunk::Asked => self.usage.as_deref(),
            UsageChunk::NotAsked => None,
        };
        Account { chunk, open_choices: self.moderator.choices().iter().filter_map(is_open).collect(), usage }
    }

    /// Hands on events of the filter's own, in the stream's own line ends.
    fn say(&mut self, events: &[Vec<u8>]) {
        let line_end = self.framer.line_end().as_str();
        let mut out = Vec::new();
        if self.last_closed == Closed::ByEndOfStream && !events.is_empty() {
            out.extend_from_slice(line_end.repeat(2).as_bytes());
        }
        for data in events {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(data);
            out.extend_from_slice(line_end.repeat(2).as_bytes());
        }
        if !out.is_empty() {
            self.moderator.say(out);
        }
    }
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

/// Writes text as the value of as many data lines as it takes.
fn in_data_lines(text: &[u8], line_end: &str) -> Vec<u8> {
    let lines = text.split(|b| *b == b'\n' || *b == b'\r');
    lines.collect::<Vec<_>>().join(format!("{line_end}data: ").as_bytes())
}
