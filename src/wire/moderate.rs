//! Events in, moderated events out: what the table finds in an event goes to its channels, the event waits until
//! they have decided, and leaves with what they cut.

use super::coding::Coding;
use super::json::{Kind, Tape};
use super::lanes::{Entry, Key, Lanes, coding_of, rank_of};
use super::queue::{Edit, End, Field, Payload, Queue, Touch, Waiting, apply};
use super::snapshot::Shows;
use super::splice::{Quoted, Splice};
use super::table::{Found, Part, Role, Table};
use super::{Failure, Limits, Observer, ToolCalls};
use crate::policy::{ChannelKind, Policy, Verdict};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Instant;

/// The channels of a stream and the events that wait for them.
#[derive(Debug)]
pub(crate) struct Moderator {
    table: &'static Table,
    lanes: Lanes,
    queue: Queue,
    choices: BTreeMap<u32, Choice>,
    tool_calls: ToolCalls,
    limits: Limits,
    /// Number of the event at hand, from 1.
    event: u64,
    /// What leaves.
    out: VecDeque<Bytes>,
    tape: Tape,
    found: Vec<Found>,
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
    pub(crate) raw: Bytes,
    pub(crate) payload: Payload,
    pub(crate) edits: Vec<Edit>,
    /// How many fields it has put into the queue.
    fields: usize,
}

/// What an event says about the stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    /// It is an event of the dialect.
    pub(crate) is_native: bool,
    pub(crate) has_choice: bool,
    pub(crate) is_error: bool,
    /// Where the JSON text tells the usage so far.
    pub(crate) usage: Option<Range<usize>>,
}

/// How much of what waits may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    All,
    /// Only what is decided; the stream ends here.
    Decided,
}

/// The order in which the fields of an event are looked at: deltas before what repeats them, and ends last,
/// however they stand in the event.
const PASSES: [Pass; 3] = [Pass::Deltas, Pass::Repeats, Pass::Ends];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Deltas,
    Repeats,
    Ends,
}

impl Incoming {
    pub(crate) fn new(raw: Bytes, payload: Payload, edits: Vec<Edit>) -> Incoming {
        Incoming { raw, payload, edits, fields: 0 }
    }
}

impl Moderator {
    pub(crate) fn new(policy: &Policy, table: &'static Table, tool_calls: ToolCalls, limits: Limits) -> Moderator {
        Moderator {
            table,
            lanes: Lanes::new(policy, limits.channels),
            queue: Queue::default(),
            choices: BTreeMap::new(),
            tool_calls,
            limits,
            event: 0,
            out: VecDeque::new(),
            tape: Tape::default(),
            found: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// Moderates the JSON text of an event.
    pub(crate) fn read(&mut self, event: &mut Incoming, observer: &mut dyn Observer) -> Result<Signals, Failure> {
        self.event += 1;
        let (mut tape, mut found) = (std::mem::take(&mut self.tape), std::mem::take(&mut self.found));
        let (raw, payload) = (event.raw.clone(), std::mem::take(&mut event.payload));
        let mut signals = Signals::default();
        if let Some(text) = payload.text(&raw) {
            tape.read(text).map_err(|_| Failure::Malformed)?;
            self.table.walk(&tape, text, &mut found).map_err(|_| Failure::Malformed)?;
            let reading = Reading { text, payload: &payload, tape: &tape, found: &found };
            self.read_fields(&reading, event, &mut signals, observer)?;
            if self.lanes.stop().is_some() {
                rename_finish(&reading, event);
            }
        }
        event.payload = payload;
        (self.tape, self.found) = (tape, found);
        Ok(signals)
    }

    /// Moderates a text that is whole and stands in an event as it is; gives back what to write in its place.
    pub(crate) fn own(
        &mut self,
        kind: ChannelKind,
        coding: Coding,
        raw: &[u8],
        observer: &mut dyn Observer,
    ) -> Option<Vec<u8>> {
        let own = self.lanes.own(kind, coding, raw, observer)?;
        let splice = Splice { raw, coding, text: own.text, cuts: &own.cuts, limit: own.limit };
        let mut out = Vec::new();
        splice.write(&mut Quoted::No, &mut out);
        Some(out)
    }

    /// Lets an event wait for its turn.
    pub(crate) fn enqueue(&mut self, event: Incoming, now: Instant) -> Result<(), Failure> {
        let Incoming { raw, payload, edits, fields } = event;
        self.queue.push(Waiting { raw, payload, since: now, edits, fields });
        let is_within = self.queue.bytes() <= self.limits.held_bytes && self.queue.len() <= self.limits.held_events;
        if is_within { Ok(()) } else { Err(Failure::Overflow) }
    }

    /// Lets every event leave whose turn has come.
    pub(crate) fn release(&mut self, now: Instant, observer: &mut dyn Observer) {
        while self.is_front_ready() {
            self.leave(Extent::All, now, observer);
        }
    }

    /// The stream ends here: what is decided leaves, the rest never does.
    pub(crate) fn flush(&mut self, now: Instant, observer: &mut dyn Observer) {
        while !self.queue.is_empty() {
            self.leave(Extent::Decided, now, observer);
        }
    }

    /// Every channel is at its end.
    pub(crate) fn finish(&mut self, observer: &mut dyn Observer) -> Result<(), Failure> {
        let all: Vec<u32> = self.lanes.iter().map(|(id, _)| id).collect();
        self.finish_lanes(all, observer)
    }

    pub(crate) fn stop(&self) -> Option<&Verdict> {
        self.lanes.stop()
    }

    /// The choices seen, by index.
    pub(crate) fn choices(&self) -> &BTreeMap<u32, Choice> {
        &self.choices
    }

    /// Whether a part of a tool call has left, or is about to, of which the end has not come.
    pub(crate) fn has_half_call(&self) -> bool {
        let is_half = |entry: &Entry| entry.is_of_call() && !entry.lane.is_finished() && entry.lane.len() > 0;
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
        for pass in PASSES {
            let mut side = 0..0;
            for found in reading.found {
                if found.role == Role::Side {
                    side = reading.tape.node(found.node as usize).span();
                }
                if pass_of(found.role) == pass {
                    self.read_field(reading, found, &side, event, signals, observer)?;
                }
            }
            if pass == Pass::Repeats {
                self.pause_what_is_over(reading.found, observer);
            }
        }
        Ok(())
    }

    fn read_field(
        &mut self,
        reading: &Reading<'_>,
        found: &Found,
        side: &Range<usize>,
        event: &mut Incoming,
        signals: &mut Signals,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let node = reading.tape.node(found.node as usize);
        match found.role {
            Role::Own(kind) => {
                let content = if found.part == Part::Key { node.key() } else { node.content() };
                if let Some(with) = self.own(kind, Coding::TEXT, &reading.text[content.clone()], observer) {
                    event.edits.push(Edit { span: reading.payload.place(content), with });
                }
            }
            Role::OwnBytes(kind) => {
                if self.own(kind, Coding::Bare, &reading.bytes_of(found.node as usize), observer).is_some() {
                    event.edits.push(null(reading.payload.place(side.clone())));
                }
            }
            Role::Text(kind) | Role::Echo(kind) => {
                self.delta(found, 0, kind, reading.string(node.content()), Touch::Splice, event, observer)?;
            }
            Role::Args => {
                self.delta(
                    found,
                    0,
                    ChannelKind::ToolArgs,
                    reading.string(node.content()),
                    Touch::Splice,
                    event,
                    observer,
                )?;
            }
            Role::Unlisted(kind) => {
                let name = self.lanes.name(reading.tape.key(reading.text, found.node as usize, &mut Vec::new()))?;
                self.delta(found, name, kind, reading.string(node.content()), Touch::Splice, event, observer)?;
            }
            Role::Token(kind) => {
                let place = reading.payload.place(side.clone());
                let token = Content { bytes: &reading.text[node.content()], place };
                self.delta(found, 0, kind, token, Touch::Null, event, observer)?;
            }
            Role::TokenBytes(kind) => {
                let bytes = reading.bytes_of(found.node as usize);
                let token = Content { bytes: &bytes, place: reading.payload.place(side.clone()) };
                self.delta(found, 0, kind, token, Touch::Null, event, observer)?;
            }
            Role::Snapshot(of) => self.snapshot(reading, found, of, event, observer)?,
            Role::Seal(kind) => self.seal(found.choice, kind, reading.payload.place(node.span()), event),
            Role::Call(args) => self.call(found, args, event, observer)?,
            Role::Hallmark => signals.is_native = true,
            Role::Choice => {
                signals.has_choice = true;
                self.choices.entry(found.choice).or_insert(Choice::Open);
            }
            Role::Finish => {
                if !matches!(&reading.text[node.content()], b"" | b"null") {
                    self.choices.insert(found.choice, Choice::Finished);
                    self.finish_lanes(self.lanes.of_choice(found.choice), observer)?;
                }
            }
            Role::Error => {
                signals.is_error = true;
                self.finish(observer)?;
            }
            Role::Usage => signals.usage = Some(node.span()),
            Role::Side | Role::Inert => {}
        }
        Ok(())
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
        let key = Key { choice: found.choice, row: found.row, item: found.item, name };
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
        let end = if state.is_open() {
            state.open_from.get_or_insert(self.queue.next_field());
            End::Open(added.end)
        } else {
            End::Known(added.end)
        };
        let (start, coding) = match touch {
            Touch::View => (0, coding_of(self.lanes.entry(lane).role)),
            _ => (added.start, added.coding),
        };
        self.add_field(event, Field { lane, touch, end, start, raw: content.place, coding });
        Ok(())
    }

    fn add_field(&mut self, event: &mut Incoming, field: Field) {
        self.queue.add_field(field);
        event.fields += 1;
    }

    fn snapshot(
        &mut self,
        reading: &Reading<'_>,
        found: &Found,
        of: &'static str,
        event: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let content = reading.string(reading.tape.node(found.node as usize).content());
        let row = self.table.row(of).unwrap_or(found.row);
        let role = self.table.role(row).unwrap_or(found.role);
        let (kind, coding) = match role {
            Role::Args => (ChannelKind::ToolArgs, Coding::ARGS),
            Role::Text(kind) => (kind, Coding::TEXT),
            _ => (ChannelKind::Text, Coding::TEXT),
        };
        let key = Key { choice: found.choice, row: found.row, item: found.item, name: 0 };
        let lane = self.lanes.open(key, found.role, kind, coding)?;
        let beside = reading.found.iter().find(|f| f.row == row && f.choice == found.choice && f.item == found.item);
        let delta = beside.map_or(&b""[..], |f| &reading.text[reading.tape.node(f.node as usize).content()]);
        let primary = self.lanes.find(Key { row, ..key });
        let (fresh, touch) = match self.lanes.snapshot(lane, content.bytes, delta, primary, self.event)? {
            Shows::AllWithNewFrom(from) => (&content.bytes[from..], Touch::View),
            Shows::OnlyNew => (content.bytes, Touch::Splice),
        };
        self.push(lane, fresh, content, touch, event, observer)
    }

    /// Makes the event wait for everything of a kind that its choice has said so far.
    fn seal(&mut self, choice: u32, kind: ChannelKind, place: Range<u32>, event: &mut Incoming) {
        for lane in self.lanes.of_choice(choice) {
            let entry = &self.lanes.entry(lane).lane;
            if entry.kind() == kind && entry.len() > 0 {
                let end = End::Known(entry.len());
                let field = Field {
                    lane,
                    touch: Touch::Seal,
                    end,
                    start: entry.len(),
                    raw: place.clone(),
                    coding: Coding::Bare,
                };
                self.add_field(event, field);
            }
        }
    }

    /// A tool call that must leave whole or not at all: the event waits for its end, and the calls before it have
    /// come to theirs.
    fn call(
        &mut self,
        found: &Found,
        args: &str,
        event: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        if self.tool_calls == ToolCalls::Streamed {
            return Ok(());
        }
        let row = self.table.row(args).unwrap_or(found.row);
        let key = Key { choice: found.choice, row, item: found.item, name: 0 };
        let lane = self.lanes.open(key, Role::Args, ChannelKind::ToolArgs, Coding::ARGS)?;
        let is_earlier = |id: &u32| {
            let entry = self.lanes.entry(*id);
            entry.is_of_call() && entry.key.item != found.item
        };
        let earlier: Vec<u32> = self.lanes.of_choice(found.choice).into_iter().filter(is_earlier).collect();
        self.finish_lanes(earlier, observer)?;
        let at = self.lanes.entry(lane).lane.len();
        let coding = Coding::ARGS;
        self.add_field(event, Field { lane, touch: Touch::Splice, end: End::Known(at), start: at, raw: 0..0, coding });
        Ok(())
    }

    /// Decides the channels that the text of this event leaves behind.
    fn pause_what_is_over(&mut self, found: &[Found], observer: &mut dyn Observer) {
        for choice in found.iter().filter(|found| found.role == Role::Choice).map(|found| found.choice) {
            let spoke = |entry: &Entry| entry.key.choice == choice && entry.last_event == self.event;
            let rank =
                self.lanes.iter().filter(|(_, entry)| spoke(entry)).map(|(_, entry)| rank_of(entry.lane.kind())).max();
            self.lanes.pause_before(choice, rank.unwrap_or(0), self.event, observer);
        }
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

    fn is_front_ready(&self) -> bool {
        !self.queue.is_empty()
            && self.queue.front_fields().all(|field| {
                let entry = self.lanes.entry(field.lane);
                let is_whole = !self.is_atomic(entry) || entry.lane.is_finished();
                matches!(field.end, End::Known(end) if end <= entry.lane.decided()) && is_whole
            })
    }

    fn is_atomic(&self, entry: &Entry) -> bool {
        self.tool_calls == ToolCalls::Atomic && entry.is_of_call()
    }

    /// Lets the oldest event leave.
    fn leave(&mut self, extent: Extent, now: Instant, observer: &mut dyn Observer) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        let Some(Waiting { raw, payload, since, mut edits, .. }) = self.queue.pop(&mut fields) else { return };
        let is_half_call = fields.iter().any(|field| {
            let entry = self.lanes.entry(field.lane);
            self.is_atomic(entry) && !entry.lane.is_finished()
        });
        if !is_half_call {
            for field in &fields {
                edits.extend(self.edit(field, &raw, extent));
            }
            if !edits.is_empty() {
                self.null_sides(&raw, &payload, &mut edits);
            }
            let bytes = if edits.is_empty() { raw } else { apply(&raw, &mut edits) };
            observer.release(bytes.len(), now.saturating_duration_since(since));
            self.out.push_back(bytes);
        }
        self.fields = fields;
    }

    /// What becomes of a field that leaves, if anything.
    fn edit(&mut self, field: &Field, raw: &Bytes, extent: Extent) -> Option<Edit> {
        let entry = self.lanes.entry_mut(field.lane);
        let lane = &mut entry.lane;
        let limit = if extent == Extent::Decided { lane.decided() } else { u64::MAX };
        let end = match field.end {
            End::Known(end) => end,
            // What the last raw bytes mean will never be known.
            End::Open(_) => u64::MAX,
        };
        let is_touched = end > limit || lane.cuts.touches(field.start..end);
        let mut quoted = if field.touch == Touch::Splice { lane.quoted } else { Quoted::No };
        let with = match field.touch {
            Touch::Null => is_touched.then(|| b"null".to_vec()),
            Touch::Seal => (is_touched || lane.is_edited()).then(|| b"null".to_vec()),
            Touch::Splice | Touch::View => {
                let content = &raw[field.raw.start as usize..field.raw.end as usize];
                let splice =
                    Splice { raw: content, coding: field.coding, text: field.start..end, cuts: &lane.cuts, limit };
                splice.is_touched(quoted).then(|| {
                    let mut out = Vec::new();
                    splice.write(&mut quoted, &mut out);
                    out
                })
            }
        };
        if field.touch == Touch::Splice {
            lane.quoted = quoted;
        }
        lane.forget(field.start);
        with.map(|with| Edit { span: field.raw.clone(), with })
    }

    /// What is said about a text that was edited goes with it.
    fn null_sides(&mut self, raw: &Bytes, payload: &Payload, edits: &mut Vec<Edit>) {
        let Some(text) = payload.text(raw) else { return };
        // It was read before, so it can be read again.
        if self.tape.read(text).is_err() || self.table.walk(&self.tape, text, &mut self.found).is_err() {
            return;
        }
        let mut scope = 0..raw.len() as u32;
        let mut sides = Vec::new();
        for found in &self.found {
            let span = payload.place(self.tape.node(found.node as usize).span());
            match found.role {
                Role::Choice => scope = span,
                Role::Side => {
                    let scope = if scope.contains(&span.start) { scope.clone() } else { 0..raw.len() as u32 };
                    if edits.iter().any(|edit| scope.contains(&edit.span.start)) {
                        sides.push(null(span));
                    }
                }
                _ => {}
            }
        }
        edits.extend(sides);
    }
}

/// The JSON text of an event, read.
struct Reading<'a> {
    text: &'a [u8],
    payload: &'a Payload,
    tape: &'a Tape,
    found: &'a [Found],
}

/// Raw bytes that a channel takes, and the place in the event that changes with them.
#[derive(Clone)]
struct Content<'a> {
    bytes: &'a [u8],
    place: Range<u32>,
}

impl Reading<'_> {
    fn string(&self, content: Range<usize>) -> Content<'_> {
        Content { bytes: &self.text[content.clone()], place: self.payload.place(content) }
    }

    /// The bytes that an array of numbers stands for; what is no byte stands for none.
    fn bytes_of(&self, array: usize) -> Vec<u8> {
        let byte = |element: usize| {
            let node = self.tape.node(element);
            let digits = (node.kind == Kind::Number).then(|| &self.text[node.span()])?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        };
        self.tape.children(array).filter_map(byte).collect()
    }
}

/// An event that the policy has stopped must not say that the upstream came to its own end.
fn rename_finish(reading: &Reading<'_>, event: &mut Incoming) {
    for found in reading.found.iter().filter(|found| found.role == Role::Finish) {
        let span = reading.payload.place(reading.tape.node(found.node as usize).span());
        event.edits.push(Edit { span, with: b"\"content_filter\"".to_vec() });
    }
}

fn pass_of(role: Role) -> Pass {
    match role {
        Role::Echo(_) | Role::Snapshot(_) | Role::Token(_) | Role::TokenBytes(_) | Role::Seal(_) => Pass::Repeats,
        Role::Finish | Role::Error | Role::Usage => Pass::Ends,
        _ => Pass::Deltas,
    }
}

fn null(span: Range<u32>) -> Edit {
    Edit { span, with: b"null".to_vec() }
}
