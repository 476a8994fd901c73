//! Events in, moderated events out: what the table finds in an event goes to its channels, the event waits until
//! they have decided, and leaves with what they cut.

mod bare;
mod citation;
mod dependent;
mod leave;
mod own;
mod reading;

pub(crate) use leave::Lost;

use super::coding::Coding;
use super::dialects::envelope;
use super::framing::{Event, Wrap};
use super::grammar::{Grammar, Kept, LeftText};
use super::json::Kind;
use super::lanes::{Entry, Key, Lanes, Tells, coding_of};
use super::queue::{Citation, Edit, End, Field, Parts, Payload, Queue, Side, Stopped, Touch, Waiting};
use super::reader::Reader;
use super::renamed::Renamed;
use super::rows::{Label, Role};
use super::table::{Found, NO_LANE, Table};
use super::{Failure, FilterOptions, LaterKinds, Limits, Observer, ToolCalls};
use crate::hold::{Judgement, Passage, PassageId, Unjudged};
use crate::policy::{ChannelKind, Policy, Verdict};
use bytes::Bytes;
use reading::{Around, Content, PASSES, Pass, Reading, emptied, is_finish, note_sides, pass_of, says_only_a_delta};
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Instant;

/// How many fields a waiting event may have on average before the limit on events is reached by fields: a chunk has
/// one or two, or two a token with log probabilities.
const FIELDS_AN_EVENT: usize = 4;

/// The channels of a stream and the events that wait for them.
#[derive(Debug)]
pub(crate) struct Moderator {
    table: &'static Table,
    keeps: &'static [&'static str],
    keeps_last: &'static [&'static str],
    keeps_texts: bool,
    /// What a choice says of its end that the policy has stopped.
    stop_reason: &'static str,
    lanes: Lanes,
    queue: Queue,
    choices: BTreeMap<u32, Choice>,
    tool_calls: ToolCalls,
    later_kinds: LaterKinds,
    /// How much of a delta must be decided to leave before the rest of it.
    split_bytes: Option<NonZeroUsize>,
    limits: Limits,
    /// Number of the event at hand, from 1.
    event: u64,
    /// What leaves.
    out: VecDeque<Bytes>,
    kept: Vec<Kept>,
    /// The number of the event that left last, if it had one.
    last_number: Option<u64>,
    reader: Reader,
    /// How many channels or names there may be before those are forgotten that are over.
    remembered: usize,
    fields: Vec<Field>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Open,
    Finished,
}

/// An event on its way in.
#[derive(Debug)]
pub(crate) struct Incoming {
    raw: Bytes,
    pub(crate) edits: Vec<Edit>,
    wrap: Wrap,
    parts: Parts,
    keep: Option<(&'static str, Range<u32>)>,
    /// Its number, as the stream counts.
    number: Option<u64>,
    sides: Vec<Side>,
    citations: Vec<Citation>,
    renamed: Renamed,
    /// How many fields it has put into the queue.
    fields: usize,
    /// Choices of which it is the first to tell the end.
    finished: Vec<u32>,
    stopped: Option<Box<Stopped>>,
    /// It says that the stream or a part of it is at its end.
    pub(crate) tells_of_end: bool,
    /// It begins an answer.
    begins_anew: bool,
}

/// What an event says about the stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    /// It begins an answer.
    pub(crate) is_beginning: bool,
    pub(crate) has_choice: bool,
    pub(crate) is_error: bool,
    /// It says that the answer is at its end, though accounts follow.
    pub(crate) is_conclusion: bool,
    /// It says that the answer is at its end.
    pub(crate) is_end: bool,
    /// It tells of an end as the policy's own endings do, so that it cannot leave beside them.
    pub(crate) is_own_ending: bool,
    /// Where the JSON text tells the usage so far.
    pub(crate) usage: Option<Range<usize>>,
}

impl Incoming {
    pub(crate) fn new(event: &Event) -> Incoming {
        Incoming {
            raw: event.raw.clone(),
            edits: Vec::new(),
            wrap: event.wrap.clone(),
            parts: Parts::One,
            keep: None,
            number: None,
            sides: Vec::new(),
            citations: Vec::new(),
            renamed: Renamed::default(),
            fields: 0,
            finished: Vec::new(),
            stopped: None,
            tells_of_end: false,
            begins_anew: false,
        }
    }

    /// The same event, laid out in another way.
    pub(crate) fn laid_out(&mut self, event: &Event) {
        (self.raw, self.wrap) = (event.raw.clone(), event.wrap.clone());
    }
}

impl Moderator {
    /// For the events of a stream.
    pub(crate) fn new(policy: &Policy, grammar: &Grammar, options: &FilterOptions) -> Moderator {
        let mut moderator = Moderator::with_table(policy, (grammar.table)(), options);
        moderator.split_bytes = options.split_bytes;
        moderator.take_grammar(grammar);
        moderator
    }

    /// For a document.
    pub(crate) fn with_table(policy: &Policy, table: &'static Table, options: &FilterOptions) -> Moderator {
        let limits = options.limits;
        Moderator {
            table,
            keeps: &[],
            keeps_last: &[],
            keeps_texts: false,
            stop_reason: "",
            lanes: Lanes::new(policy, limits),
            queue: Queue::default(),
            choices: BTreeMap::new(),
            tool_calls: options.tool_calls_under(policy),
            later_kinds: options.later_kinds,
            split_bytes: None,
            limits,
            event: 0,
            out: VecDeque::new(),
            kept: Vec::new(),
            last_number: None,
            reader: Reader::new(limits.channels),
            remembered: limits.channels / 2,
            fields: Vec::new(),
        }
    }

    /// Reads what follows as this dialect's.
    pub(crate) fn take_grammar(&mut self, grammar: &Grammar) {
        self.table = (grammar.table)();
        self.keeps = grammar.keeps;
        self.keeps_last = grammar.keeps_last;
        self.keeps_texts = grammar.keeps_texts;
        self.stop_reason = grammar.stop_reason;
        self.split_bytes = self.split_bytes.filter(|_| grammar.splits);
    }

    /// Moderates the JSON text of an event.
    pub(crate) fn read(
        &mut self,
        incoming: &mut Incoming,
        event: &Event,
        observer: &mut dyn Observer,
    ) -> Result<Signals, Failure> {
        self.event += 1;
        if let Some(outer) = &event.outer {
            self.read_outer(outer, incoming, observer)?;
        }
        let mut signals = Signals::default();
        let Some(text) = event.payload.text(&event.raw) else { return Ok(signals) };
        let mut reader = std::mem::replace(&mut self.reader, Reader::new(0));
        reader.read(self.table, event.kind(), text)?;
        let reading = Reading { text, payload: &event.payload, tape: reader.tape(), found: reader.found() };
        self.read_fields(&reading, incoming, &mut signals, observer)?;
        if self.lanes.stop().is_some() {
            incoming.edits.extend(self.stop_edits(&reading, &incoming.raw));
        } else if self.lanes.has_checks() {
            incoming.tells_of_end |= signals.is_own_ending;
            incoming.stopped = Some(Box::new(Stopped {
                is_own_ending: signals.is_own_ending,
                has_choice: signals.has_choice,
                edits: self.stop_edits(&reading, &incoming.raw),
                payload: event.payload.clone(),
                finished: incoming.finished.clone(),
            }));
        }
        if self.split_bytes.is_some() && reading.found.iter().all(|found| says_only_a_delta(&reading, found)) {
            incoming.parts = Parts::Two;
        }
        if let Some(kept) = self.keeps.iter().chain(self.keeps_last).find(|kind| kind.as_bytes() == reader.kind())
            && let Payload::Whole(place) = &event.payload
        {
            incoming.keep = Some((kept, place.clone()));
        }
        self.reader = reader;
        Ok(signals)
    }

    /// Moderates the JSON text around a payload: every string in it is a text of its own.
    fn read_outer(
        &mut self,
        outer: &Payload,
        incoming: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let raw = incoming.raw.clone();
        let Some(text) = outer.text(&raw) else { return Ok(()) };
        let mut reader = Reader::new(0);
        reader.read(envelope(), b"", text)?;
        let reading = Reading { text, payload: outer, tape: reader.tape(), found: reader.found() };
        self.read_fields(&reading, incoming, &mut Signals::default(), observer)
    }

    /// Lets an event wait for its turn.
    pub(crate) fn enqueue(&mut self, event: Incoming, now: Instant) -> Result<(), Failure> {
        self.queue.push(Waiting {
            raw: event.raw,
            since: now,
            edits: event.edits,
            sides: event.sides,
            citations: event.citations,
            wrap: event.wrap,
            parts: event.parts,
            keep: event.keep,
            number: event.number,
            fields: event.fields,
            tells_of_end: event.tells_of_end,
            begins_anew: event.begins_anew,
            stopped: event.stopped,
        });
        let is_within = self.queue.bytes() <= self.limits.held_bytes && self.queue.len() <= self.limits.held_events;
        if is_within { Ok(()) } else { Err(Failure::Overflow) }
    }

    /// An event that never leaves.
    pub(crate) fn forget(&mut self, event: Incoming) {
        self.queue.forget_fields(event.fields);
        for choice in event.finished {
            self.choices.insert(choice, Choice::Open);
        }
    }

    /// Events that have left of the kinds that the dialect keeps.
    pub(crate) fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The number of the event that left last, where events are numbered.
    pub(crate) fn last_number(&self) -> Option<u64> {
        self.last_number
    }

    /// What has left of each text, where the dialect keeps it.
    pub(crate) fn texts(&self) -> Vec<LeftText<'_>> {
        fn left((_, entry): (u32, &Entry)) -> Option<LeftText<'_>> {
            let Key { choice, item, .. } = entry.key;
            entry.left.as_deref().map(|escaped| LeftText { choice, item, name: entry.name(), escaped })
        }
        self.lanes.iter().filter_map(left).collect()
    }

    /// Every channel is at its end.
    pub(crate) fn finish(&mut self, observer: &mut dyn Observer) -> Result<(), Failure> {
        let all: Vec<u32> = self.lanes.iter().map(|(id, _)| id).collect();
        self.finish_lanes(all, observer)
    }

    pub(crate) fn stop(&self) -> Option<&Verdict> {
        self.lanes.stop()
    }

    /// The next passage that a check is to judge.
    pub(crate) fn next_passage(&mut self) -> Option<Passage> {
        self.lanes.asking()?.next_passage()
    }

    /// Takes a judgement.
    pub(crate) fn judge(
        &mut self,
        passage: PassageId,
        judged: Result<Judgement, Unjudged>,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        self.lanes.judge(passage, judged, observer)
    }

    /// Whether an event waits.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether the end of the stream waits for a judgement.
    pub(crate) fn awaits_judgement(&self) -> bool {
        self.lanes.awaits_judgement()
    }

    /// Whether so much of a text waits for judgements that no more of it should come before one does.
    pub(crate) fn is_full(&self) -> bool {
        let Limits { held_bytes, held_events, .. } = self.limits;
        let is_half_full = self.queue.bytes() > held_bytes / 2 || self.queue.len() > held_events / 2;
        self.lanes.is_full() || (is_half_full && self.lanes.awaits_judgement())
    }

    /// The choices seen, by index.
    pub(crate) fn choices(&self) -> &BTreeMap<u32, Choice> {
        &self.choices
    }

    /// Whether a part of a tool call has left, or is about to, of which the end has not come.
    pub(crate) fn has_half_call(&self) -> bool {
        let is_half = |entry: &Entry| entry.is_of_call() && !entry.lane.is_whole();
        self.tool_calls == ToolCalls::Streamed && self.lanes.iter().any(|(_, entry)| is_half(entry))
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    /// Hands on bytes that are the filter's own.
    pub(crate) fn say(&mut self, bytes: Vec<u8>) {
        self.out.push_back(Bytes::from(bytes));
    }

    fn read_fields(
        &mut self,
        reading: &Reading<'_>,
        event: &mut Incoming,
        signals: &mut Signals,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        note_sides(reading, event);
        for pass in PASSES {
            let mut around = Around::default();
            for found in reading.found {
                around.note(reading, found);
                if pass_of(found.role) == pass {
                    self.read_field(reading, found, &around, event, signals, observer)?;
                }
            }
            if pass == Pass::Repeats && self.later_kinds == LaterKinds::EndEarlier {
                self.pause_left_behind(reading.found, observer);
            }
        }
        std::mem::take(&mut event.renamed).tell_apart(reading.tape, reading.text, &mut event.edits);
        Ok(())
    }

    fn read_field(
        &mut self,
        reading: &Reading<'_>,
        found: &Found,
        around: &Around,
        event: &mut Incoming,
        signals: &mut Signals,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let node = reading.tape.node(found.node as usize);
        match found.role {
            Role::Own(kind) => {
                self.own_field(reading, found, kind, Coding::TEXT, Tells::Verdicts, event, observer)?;
            }
            Role::Request => {
                let kind = ChannelKind::Text;
                self.own_field(reading, found, kind, Coding::TEXT, Tells::Verdicts, event, observer)?;
            }
            Role::Repeat(label) => {
                self.end_of(found, label, observer)?;
                signals.is_own_ending = true;
                self.shown_again(reading, found, label, event, observer)?;
            }
            Role::Excerpt(label) => self.shown_again(reading, found, label, event, observer)?,
            Role::OwnBytes(kind) => {
                if self.own(kind, Coding::Bare, &reading.bytes_of(found.node as usize), observer).is_some() {
                    event.edits.push(emptied(reading.payload.place(around.side.clone()), &event.raw));
                }
            }
            Role::Text(label) | Role::Snapshot(label) if matches!(node.kind, Kind::Object | Kind::Array) => {
                self.own_field(reading, found, label.kind, Coding::JSON, Tells::Verdicts, event, observer)?;
                // Half a value is no JSON.
                signals.is_own_ending |= self.lanes.stop().is_some();
            }
            Role::Text(label) | Role::Echo(label) => {
                self.delta(found, 0, label.kind, reading.string(node.content()), Touch::Splice, event, observer)?;
            }
            Role::LastDelta(label) => {
                let delta = Found { role: Role::Text(label), ..*found };
                let content = reading.string(node.content());
                self.delta(&delta, 0, label.kind, content, Touch::Splice, event, observer)?;
                let over = self.lanes.retire(Key::of(found, found.lane)).into_iter().collect();
                self.finish_lanes(over, observer)?;
            }
            Role::Unlisted(kind) => {
                let name = self.lanes.name(reading.tape.key(reading.text, found.node as usize, &mut Vec::new()))?;
                self.delta(found, name, kind, reading.string(node.content()), Touch::Splice, event, observer)?;
            }
            Role::Token(label) => {
                let place = reading.payload.place(around.side.clone());
                let token = Content { bytes: &reading.text[node.content()], place };
                self.delta(found, 0, label.kind, token, Touch::Null, event, observer)?;
            }
            Role::TokenBytes(label) => {
                let bytes = reading.bytes_of(found.node as usize);
                let token = Content { bytes: &bytes, place: reading.payload.place(around.side.clone()) };
                self.delta(found, 0, label.kind, token, Touch::Null, event, observer)?;
            }
            Role::Snapshot(label) => self.snapshot(reading, found, label, event, observer)?,
            Role::Seal(kind) => self.seal(found.choice, Some(kind), reading.payload.place(node.span()), event)?,
            Role::SealAll => self.seal(found.choice, None, reading.payload.place(node.span()), event)?,
            Role::Citation(label) => self.citation(reading, found, label, event)?,
            Role::Call(args) => self.call(reading, found, args, around, event)?,
            Role::GoesOn(args) => {
                self.arguments(found, args)?;
            }
            Role::Begins => {
                signals.is_beginning = true;
                self.finish(observer)?;
                self.lanes.begin_anew();
                self.choices.clear();
                event.begins_anew = true;
            }
            Role::Choice => {
                signals.has_choice = true;
                self.choices.entry(found.choice).or_insert(Choice::Open);
                if self.choices.len() > self.limits.channels {
                    return Err(Failure::Overflow);
                }
            }
            Role::Finish => {
                if is_finish(&reading.text[node.content()]) {
                    self.close(found.choice, event);
                    event.tells_of_end = true;
                    self.finish_choice(found.choice, observer)?;
                }
            }
            Role::Closes => {
                signals.is_own_ending = true;
                self.close(found.choice, event);
                let lanes = self.lanes.of_choice(found.choice);
                self.finish_lanes(lanes, observer)?;
            }
            Role::LastEvent => {
                self.finish_choice(found.choice, observer)?;
                if self.lanes.stop().is_none() {
                    self.close(found.choice, event);
                }
            }
            Role::Starts(label) => {
                self.end_of(found, label, observer)?;
                let lane = self.table.deltas_of(label).unwrap_or(NO_LANE);
                let _over = self.lanes.retire(Key::of(found, lane));
            }
            Role::Ends(label) => {
                signals.is_own_ending = true;
                self.end_of(found, label, observer)?;
            }
            Role::Concludes => {
                signals.is_own_ending = true;
                signals.is_conclusion = true;
                self.finish(observer)?;
            }
            Role::End if node.kind == Kind::String && node.content().is_empty() => {}
            Role::End => {
                signals.is_own_ending = true;
                signals.is_end = true;
                self.finish(observer)?;
            }
            Role::Turn => {
                signals.is_end = true;
                self.finish(observer)?;
                self.lanes.begin_anew();
                self.choices.clear();
            }
            Role::Error if node.kind == Kind::False => {}
            Role::Error if node.kind == Kind::String && node.content().is_empty() => {}
            Role::Error => {
                signals.is_error = true;
                self.finish(observer)?;
            }
            Role::Usage => signals.usage = Some(node.span()),
            Role::Sequence => event.number = reading.number(found.node as usize),
            Role::Side | Role::Calls | Role::WholeCall | Role::Reason | Role::Cites(_) | Role::Inert => {}
        }
        Ok(())
    }

    /// A choice is at its end, and this event says so.
    fn close(&mut self, choice: u32, event: &mut Incoming) {
        if self.choices.insert(choice, Choice::Finished) != Some(Choice::Finished) {
            event.finished.push(choice);
        }
    }

    /// A text that is shown once more and whole is at its end.
    fn end_of(&mut self, found: &Found, label: Label, observer: &mut dyn Observer) -> Result<(), Failure> {
        let Some(lane) = self.table.deltas_of(label) else { return Ok(()) };
        let key = Key::of(found, lane);
        match self.lanes.find(key) {
            Some(lane) => self.finish_lanes(vec![lane], observer),
            None => Ok(()),
        }
    }

    /// Takes the delta of a channel and makes the event wait for it.
    #[expect(clippy::too_many_arguments, reason = "the parts of one field; a struct would be built here only")]
    fn delta(
        &mut self,
        found: &Found,
        name: u16,
        kind: ChannelKind,
        content: Content<'_>,
        touch: Touch,
        event: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let key = Key { name, ..Key::of(found, found.lane) };
        let lane = self.lanes.open(key, found.role, kind, coding_of(found.role))?;
        self.push(lane, content.bytes, content, touch, event, observer)
    }

    /// Pushes `fresh` onto a channel and makes the event wait for `content`, which may show more than that.
    fn push(
        &mut self,
        lane: u32,
        fresh: &[u8],
        content: Content<'_>,
        touch: Touch,
        event: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let added = self.lanes.push(lane, fresh, self.event, observer)?;
        let state = &mut self.lanes.entry_mut(lane).lane;
        if let Some(end) = added.closed_at
            && let Some(from) = state.open_from.take()
        {
            self.queue.close_unit(lane, from, end);
        }
        if content.bytes.is_empty() {
            return Ok(());
        }
        let Key { choice, lane: label, .. } = self.lanes.entry(lane).key;
        // A text of its own says nothing about the choice that it may stand in.
        if label != NO_LANE
            && let Some(choice) = self.choices.get_mut(&choice)
        {
            *choice = Choice::Open;
        }
        let state = &mut self.lanes.entry_mut(lane).lane;
        let end = if state.is_open() {
            state.open_from.get_or_insert(self.queue.next_field());
            End::Open
        } else {
            End::Known(added.end)
        };
        let (start, coding) = match touch {
            Touch::View => (0, self.lanes.entry(lane).coding),
            _ => (added.start, added.coding),
        };
        self.add_field(event, Field { lane, touch, end, start, raw: content.place, coding })
    }

    fn add_field(&mut self, event: &mut Incoming, field: Field) -> Result<(), Failure> {
        self.queue.add_field(field);
        event.fields += 1;
        let is_within = self.queue.fields() <= self.limits.held_events.saturating_mul(FIELDS_AN_EVENT);
        if is_within { Ok(()) } else { Err(Failure::Overflow) }
    }

    /// Decides the channels that the text of this event leaves behind.
    fn pause_left_behind(&mut self, found: &[Found], observer: &mut dyn Observer) {
        let mut last = None;
        for choice in found.iter().filter(|found| found.role == Role::Choice).map(|found| found.choice) {
            if last.replace(choice) != Some(choice) {
                self.lanes.pause_left_behind(choice, self.event, observer);
            }
        }
    }

    /// A choice says that it is at its end: its calls are, and its texts are decided as if they were, for there are
    /// servers that say so in every event.
    fn finish_choice(&mut self, choice: u32, observer: &mut dyn Observer) -> Result<(), Failure> {
        let lanes = self.lanes.of_choice(choice);
        let (calls, texts) = lanes.into_iter().partition(|id| self.lanes.entry(*id).is_of_call());
        self.lanes.pause(texts, observer);
        // A call within which the stream has stopped is never whole.
        if self.lanes.stop().is_some() { Ok(()) } else { self.finish_lanes(calls, observer) }
    }

    fn finish_lanes(&mut self, lanes: Vec<u32>, observer: &mut dyn Observer) -> Result<(), Failure> {
        for id in lanes {
            let closed = self.lanes.finish(id, observer)?;
            if let Some(end) = closed
                && let Some(from) = self.lanes.entry_mut(id).lane.open_from.take()
            {
                self.queue.close_unit(id, from, end);
            }
        }
        Ok(())
    }

    /// An event that the policy has stopped must not say that the upstream came to its own end, nor call a tool with
    /// what is left of its arguments.
    fn stop_edits(&self, reading: &Reading<'_>, raw: &[u8]) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut around = Around::default();
        for found in reading.found {
            around.note(reading, found);
            let span = reading.tape.node(found.node as usize).span();
            match found.role {
                Role::Finish | Role::Reason => {
                    let with = format!("\"{}\"", self.stop_reason).into_bytes();
                    edits.push(Edit { span: reading.payload.place(span), with });
                }
                Role::WholeCall => {
                    let call = if around.calls.contains(&span.start) { around.calls.clone() } else { span };
                    edits.push(emptied(reading.payload.place(call), raw));
                }
                _ => {}
            }
        }
        edits
    }

    fn is_atomic(&self, entry: &Entry) -> bool {
        self.tool_calls == ToolCalls::Atomic && entry.is_of_call()
    }
}
