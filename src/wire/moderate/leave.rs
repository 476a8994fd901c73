//! How events leave: in order, each when every text in it is decided, with what was cut spliced out.

use super::{Choice, Incoming, Moderator, emptied};
use crate::wire::coding::Coding;
use crate::wire::framing::{BOM, Wrap, reseal, reseal_chunk, rewritten};
use crate::wire::grammar::Kept;
use crate::wire::queue::{Edit, End, Field, Parts, Payload, Side, Touch, Waiting, apply};
use crate::wire::splice::{Quoted, Splice};
use crate::wire::table::{NO_LANE, is_named};
use crate::wire::{Ending, Observer};
use bytes::Bytes;
use std::ops::Range;
use std::time::Instant;

/// How much of what waits may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    All,
    /// Only what is decided; the stream ends here.
    Decided,
}

/// Events that never left.
#[derive(Debug)]
pub(crate) struct Lost {
    /// The first of them, where it tells of an end as the policy's own endings do: its bytes, where its JSON text is,
    /// and whether it speaks of a choice.
    pub(crate) last: Option<(Bytes, Payload, bool)>,
    /// Whether the event that was read last is among them.
    pub(crate) newest: bool,
}

impl Moderator {
    /// Lets every event leave whose turn has come.
    pub(crate) fn release(&mut self, now: Instant, observer: &mut dyn Observer) {
        self.stop_late();
        while self.is_front_ready() {
            self.leave(Extent::All, now, observer);
        }
        self.stop_at_front();
        self.split_front(now, observer);
        if self.queue.is_empty() {
            self.lanes.forget_over();
            self.forget_named();
        }
    }

    /// What is judged when it has left already ends the stream at once.
    fn stop_late(&mut self) {
        if let Some(lane) = self.lanes.ended(|lane| lane.decided() == lane.len()) {
            self.lanes.stop_with(lane);
        }
    }

    /// Under checks the stream ends when everything has left before the text that must not: then the oldest event waits for
    /// nothing else.
    fn stop_at_front(&mut self) {
        if !self.lanes.has_checks() || self.lanes.stop().is_some() {
            return;
        }
        let lane_of = |field: &Field| &self.lanes.entry(field.lane).lane;
        let waits = |field: &&Field| !matches!(field.end, End::Known(end) if end <= lane_of(field).decided());
        let mut waiting = self.queue.front_fields().filter(waits).peekable();
        let first = waiting.peek().map(|field| field.lane);
        if waiting.all(|field| lane_of(field).is_terminated())
            && let Some(first) = first
        {
            self.lanes.stop_with(first);
        }
    }

    /// Nothing is waited for any more: the stream ends with whatever has ended any of its texts.
    pub(crate) fn stop_anywhere(&mut self) {
        if let Some(lane) = self.lanes.ended(|_| true) {
            self.lanes.stop_with(lane);
        }
    }

    /// Forgets choices with names that are at their end, or a connection of many answers would run into the limits.
    /// Until there are many they are remembered, so that one which goes on all the same is noticed.
    fn forget_named(&mut self) {
        if self.lanes.len().max(self.reader.names()) < self.remembered {
            return;
        }
        self.lanes.forget_named();
        self.choices.retain(|choice, state| !is_named(*choice) || *state == Choice::Open);
        let (lanes, choices) = (&self.lanes, &self.choices);
        self.reader.retain_names(|number| choices.contains_key(&number) || lanes.has_choice(number));
        self.remembered = self.remembered.max(2 * self.lanes.len().max(self.reader.names()));
    }

    /// The stream ends here: what is decided leaves, the rest never does.
    ///
    /// Under checks the stream may end in an event that was read long ago. It is the last one to leave then; gives it
    /// back, or what comes in its place, if anything was lost with it.
    pub(crate) fn flush(&mut self, ending: &Ending, now: Instant, observer: &mut dyn Observer) -> Option<Lost> {
        if !self.lanes.has_checks() {
            while !self.queue.is_empty() {
                self.leave(Extent::Decided, now, observer);
            }
            return None;
        }
        while self.is_front_ready() {
            self.leave(Extent::All, now, observer);
        }
        let front = self.queue.front_mut()?;
        let mut last = None;
        match front.stopped.take() {
            Some(stopped) if stopped.is_own_ending => {
                last = Some((front.raw.clone(), stopped.payload, stopped.has_choice));
                self.reopen(stopped.finished);
            }
            // What tells a choice's end cannot be half of it, unless the end is the policy's.
            Some(stopped) if front.tells_of_end && !matches!(ending, Ending::Terminated(_)) => {
                self.reopen(stopped.finished);
            }
            stopped => {
                front.edits.extend(stopped.map_or_else(Vec::new, |stopped| stopped.edits));
                self.leave(Extent::Decided, now, observer);
            }
        }
        let newest = !self.queue.is_empty();
        for stopped in self.queue.clear() {
            self.reopen(stopped.finished);
        }
        Some(Lost { last, newest })
    }

    /// What is cut out of an event that nothing waits in front of.
    pub(crate) fn edits_of(&mut self, event: Incoming) -> Vec<Edit> {
        let (raw, mut edits) = (event.raw, event.edits);
        for field in self.queue.take_fields() {
            edits.extend(self.edit(&field, &raw, Extent::Decided));
        }
        edits
    }

    /// A document leaves with what is decided; where it stopped, it does not say that it came to its own end.
    pub(crate) fn leave_whole(&mut self, now: Instant) {
        if self.lanes.stop().is_some()
            && let Some(document) = self.queue.front_mut()
            && let Some(stopped) = document.stopped.take()
        {
            document.edits.extend(stopped.edits);
        }
        self.leave(Extent::Decided, now, &mut ());
    }

    /// Events that tell the end of these choices never leave.
    fn reopen(&mut self, choices: Vec<u32>) {
        self.choices.extend(choices.into_iter().map(|choice| (choice, Choice::Open)));
    }

    fn is_front_ready(&self) -> bool {
        let Some(front) = self.queue.front() else { return false };
        let is_kept = front.tells_of_end && (self.lanes.stop().is_some() || self.lanes.hold_the_end());
        !is_kept
            && self.queue.front_fields().all(|field| {
                let entry = self.lanes.entry(field.lane);
                let is_whole = !self.is_atomic(entry) || entry.lane.is_whole();
                matches!(field.end, End::Known(end) if end <= entry.lane.decided()) && is_whole
            })
    }

    /// Lets the oldest event leave.
    fn leave(&mut self, extent: Extent, now: Instant, observer: &mut dyn Observer) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        let Some(waiting) = self.queue.pop(&mut fields) else { return };
        let Waiting { raw, since, mut edits, sides, citations, wrap, keep, number, begins_anew, .. } = waiting;
        if self.is_of_half_call(&fields) {
            self.fields = fields;
            return;
        }
        for field in &fields {
            edits.extend(self.edit(field, &raw, extent));
        }
        for citation in &citations {
            self.cite(citation, extent, &mut edits);
        }
        if !edits.is_empty() {
            empty_sides(&raw, &sides, &mut edits);
        }
        if begins_anew {
            self.kept.clear();
        }
        self.last_number = number.or(self.last_number);
        if let Some((kind, place)) = keep {
            let text = within(&raw, &place, &edits);
            if self.keeps_last.contains(&kind) {
                self.kept.retain(|kept| kept.kind != kind);
            }
            self.kept.push(Kept { kind, text });
        }
        let bytes = sealed(raw, wrap, edits);
        observer.release(bytes.len(), now.saturating_duration_since(since));
        self.out.push_back(bytes);
        if self.lanes.has_checks() {
            fields.iter().for_each(|field| self.lanes.leave(field.lane));
        }
        self.fields = fields;
    }

    /// Lets the decided part of a long delta leave, as an event like its own.
    fn split_front(&mut self, now: Instant, observer: &mut dyn Observer) {
        let Some(least) = self.split_bytes else { return };
        let Some((event, field)) = self.queue.front_of_one() else { return };
        let is_whole = event.parts == Parts::Two && event.edits.is_empty();
        // A byte order mark stands at a stream's beginning once.
        let may_split = (is_whole && !event.raw.starts_with(BOM)) || event.parts == Parts::Rest;
        let (true, Touch::Splice, Coding::Text(_)) = (may_split, field.touch, field.coding) else { return };
        let lane = &self.lanes.entry(field.lane).lane;
        let content = &event.raw[field.raw.start as usize..field.raw.end as usize];
        let (len, text_len) = field.coding.reach(content, (lane.decided().saturating_sub(field.start)) as usize);
        if text_len < least.get() || len == content.len() {
            return;
        }
        let (prefix, until) = (&content[..len], field.start + text_len as u64);
        let splice =
            Splice { raw: prefix, coding: field.coding, text: field.start..until, cuts: &lane.cuts, limit: u64::MAX };
        let mut with = Vec::new();
        splice.write(&mut Quoted::No, &mut with);
        // What has left of it already is not there any more.
        let start = event.edits.first().map_or(field.raw.start, |left| left.span.start);
        let first = Edit { span: start..field.raw.end, with: with.clone() };
        let bytes = sealed(event.raw.clone(), event.wrap.clone(), vec![first]);
        field.coding.decode(prefix, &mut Vec::new(), &mut Vec::new());
        (field.start, field.raw.start) = (until, field.raw.start + len as u32);
        event.parts = Parts::Rest;
        event.edits = vec![Edit { span: start..field.raw.start, with: Vec::new() }];
        let (lane, since) = (field.lane, event.since);
        if self.keeps_texts {
            self.lanes.entry_mut(lane).left.get_or_insert_default().extend_from_slice(&with);
        }
        observer.release(bytes.len(), now.saturating_duration_since(since));
        self.out.push_back(bytes);
    }

    /// Whether an event of these fields is a part of a call that must be whole but is not, and cannot leave without
    /// it.
    fn is_of_half_call(&self, fields: &[Field]) -> bool {
        let is_half = |field: &&Field| {
            let entry = self.lanes.entry(field.lane);
            self.is_atomic(entry) && !entry.lane.is_whole()
        };
        let mut calls: Vec<_> =
            fields.iter().filter(|field| field.touch == Touch::Call).map(|call| &call.raw).collect();
        calls.dedup();
        let stays = |field: &Field| calls.iter().any(|call| call.contains(&field.raw.start));
        fields.iter().filter(is_half).any(|field| !stays(field))
    }

    /// What becomes of a field that leaves, if anything.
    fn edit(&mut self, field: &Field, raw: &Bytes, extent: Extent) -> Option<Edit> {
        let is_half_call = field.touch == Touch::Call && !self.lanes.entry(field.lane).lane.is_whole();
        let entry = self.lanes.entry_mut(field.lane);
        // A check may stop a text in front of what was decided already, but has not left.
        let stopped_at = entry.stopped_at();
        let lane = &mut entry.lane;
        let limit = if extent == Extent::Decided { lane.decided().min(stopped_at) } else { u64::MAX };
        let end = match field.end {
            End::Known(end) => end,
            // What the last raw bytes mean will never be known.
            End::Open => u64::MAX,
        };
        let is_touched = end > limit || lane.cuts.touches(field.start..end);
        let mut quoted = if field.touch == Touch::Splice { lane.quoted } else { Quoted::No };
        let with = match field.touch {
            Touch::Event | Touch::None => None,
            Touch::Call => is_half_call.then(|| emptied(field.raw.clone(), raw).with),
            Touch::Null => is_touched.then(|| emptied(field.raw.clone(), raw).with),
            Touch::Seal => (is_touched || lane.is_edited()).then(|| emptied(field.raw.clone(), raw).with),
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
        lane.forget(field.start);
        if field.touch == Touch::Splice {
            lane.quoted = quoted;
            let entry = self.lanes.entry_mut(field.lane);
            if self.keeps_texts && entry.key.lane != NO_LANE {
                let content = &raw[field.raw.start as usize..field.raw.end as usize];
                let left = entry.left.get_or_insert_default();
                left.extend_from_slice(with.as_deref().unwrap_or(content));
            }
        }
        with.map(|with| Edit { span: field.raw.clone(), with })
    }
}

/// An event's bytes with its edits made.
fn sealed(raw: Bytes, wrap: Wrap, mut edits: Vec<Edit>) -> Bytes {
    match wrap {
        Wrap::Lines { event_len } if edits.is_empty() => raw.slice(..event_len as usize),
        Wrap::Chunk { frame_len, .. } if edits.is_empty() => raw.slice(..frame_len as usize),
        _ if edits.is_empty() => raw,
        Wrap::Bare => apply(&raw, &mut edits),
        Wrap::Lines { event_len } => rewritten(&raw, event_len, edits),
        Wrap::Frame => reseal(&raw, &mut edits),
        Wrap::Chunk { frame_len, content } => reseal_chunk(&raw, frame_len, content, edits),
    }
}

/// A part of an event's bytes with the edits made that are in it.
fn within(raw: &[u8], place: &Range<u32>, edits: &[Edit]) -> Vec<u8> {
    let is_within = |edit: &&Edit| place.start <= edit.span.start && edit.span.end <= place.end;
    let mut edits: Vec<Edit> = edits.iter().filter(is_within).cloned().collect();
    edits.iter_mut().for_each(|edit| edit.span = edit.span.start - place.start..edit.span.end - place.start);
    apply(&raw[place.start as usize..place.end as usize], &mut edits).to_vec()
}

/// What is said about a text that was edited goes with it.
fn empty_sides(raw: &[u8], sides: &[Side], edits: &mut Vec<Edit>) {
    edits.sort_by_key(|edit| edit.span.start);
    let is_edited = |side: &&Side| {
        let first = edits.partition_point(|edit| edit.span.start < side.about.start);
        edits.get(first).is_some_and(|edit| edit.span.start < side.about.end)
    };
    let empty: Vec<Edit> = sides.iter().filter(is_edited).map(|side| emptied(side.place.clone(), raw)).collect();
    edits.extend(empty);
}
