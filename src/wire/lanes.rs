//! All channels of a stream, and what is found in them.

mod judging;

use super::asking::Asking;
use super::coding::Coding;
use super::cuts::Cuts;
use super::lane::{Added, Lane};
use super::rows::Role;
use super::snapshot::{Before, Shows, Snapshot};
use super::table::{Found, NO_LANE, is_named};
use super::{Failure, Limits, Observer};
use crate::hold::{Channel, Part, Tally};
use crate::policy::{ChannelKind, Policy, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

/// A stream's channels.
#[derive(Debug)]
pub(crate) struct Lanes {
    policy: Policy,
    entries: Vec<Entry>,
    by_key: BTreeMap<Key, u32>,
    /// Numbers of labels that have had a text.
    spoken: BTreeSet<u16>,
    /// Keys of members that no row names.
    names: BTreeMap<Box<[u8]>, u16>,
    /// For texts of their own: each is at its end before the next one begins.
    own: [Option<Channel>; ChannelKind::ALL.len()],
    /// More channels than this in one stream are a fault.
    most: usize,
    /// Likewise, more texts of their own that wait to be judged.
    most_own: usize,
    /// The verdict that ends the stream.
    stop: Option<Verdict>,
    /// What checks are asked, if the policy has any.
    asking: Option<Box<Asking>>,
    /// What the stream has had, if the policy limits that.
    tally: Option<Tally>,
    /// Channels of texts of their own that have left: their numbers are used again.
    spare: Vec<u32>,
    /// Whether any channel was ended, under checks.
    has_ended: bool,
    verdicts: Vec<Verdict>,
    text: Vec<u8>,
}

/// What tells a channel from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) choice: u32,
    /// The number of its label in the dialect's table.
    pub(crate) lane: u16,
    pub(crate) item: u32,
    /// The number of an unlisted member's name, beyond 0.
    pub(crate) name: u16,
}

impl Key {
    /// The channel with the label of this number where a field stands.
    pub(crate) fn of(found: &Found, lane: u16) -> Key {
        Key { choice: found.choice, lane, item: found.item, name: 0 }
    }
}

/// A channel and its place in the dialect.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) lane: Lane,
    pub(crate) key: Key,
    pub(crate) role: Role,
    /// How its text stands on the wire, before any of it came.
    pub(crate) coding: Coding,
    tells: Tells,
    /// What ended it, where the stream does not end with it at once.
    stop: Option<Verdict>,
    /// Of a text of its own: whether its event has.
    has_left: bool,
    snapshot: Snapshot,
    /// What has left of it, as the content of a JSON string, if that is kept.
    pub(crate) left: Option<Vec<u8>>,
    /// Number of the event that brought its last text, and where that text began.
    pub(crate) last_event: u64,
    /// Number of the event that named it last, were it with an empty text.
    last_seen: u64,
    last_start: u64,
}

/// Whether an observer hears from a channel what is found in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    Verdicts,
    /// Another one with the same text does.
    Nothing,
}

/// What became of a text of its own.
#[derive(Debug)]
pub(crate) struct OwnText {
    pub(crate) cuts: Cuts,
    pub(crate) text: Range<u64>,
    pub(crate) limit: u64,
}

/// What a match in a text of its own ends that ends something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stops {
    Stream,
    /// Only the text leaves no further.
    Nothing,
}

impl Lanes {
    pub(crate) fn new(policy: &Policy, limits: Limits) -> Lanes {
        Lanes {
            policy: policy.clone(),
            entries: Vec::new(),
            by_key: BTreeMap::new(),
            spoken: BTreeSet::new(),
            names: BTreeMap::new(),
            own: Default::default(),
            most: limits.channels,
            // Where nothing leaves for long, each event may have some.
            most_own: limits.held_events,
            stop: None,
            asking: Asking::under(policy),
            tally: Tally::under(policy),
            spare: Vec::new(),
            has_ended: false,
            verdicts: Vec::new(),
            text: Vec::new(),
        }
    }

    /// The channel with this key; a new one if there is none.
    pub(crate) fn open(&mut self, key: Key, role: Role, kind: ChannelKind, coding: Coding) -> Result<u32, Failure> {
        if let Some(&lane) = self.by_key.get(&key) {
            return Ok(lane);
        }
        if self.by_key.len() >= self.most {
            return Err(Failure::Overflow);
        }
        let mut lane = Lane::new(&self.policy, kind, coding);
        if let Role::Snapshot(_) = role {
            lane.keep_all_cuts();
        }
        if let Role::Text(label) = role
            && let Some(unit) = label.places
        {
            lane.cuts.keep_places(unit);
        }
        let id = self.entries.len() as u32;
        let mut entry = Entry::new(lane, key, role, coding);
        // What shows a text again is not said again.
        entry.lane.count_with(self.tally.as_ref().filter(|_| !entry.repeats()));
        self.entries.push(entry);
        self.by_key.insert(key, id);
        Ok(id)
    }

    /// A channel for a text that is whole, and that checks are asked about. `tells` says whether it is this one that tells
    /// what is found in it.
    pub(crate) fn open_own(
        &mut self,
        found: &Found,
        kind: ChannelKind,
        coding: Coding,
        tells: Tells,
    ) -> Result<u32, Failure> {
        let mut lane = Lane::new(&self.policy, kind, coding);
        lane.count_with(None);
        let entry = Entry { tells, ..Entry::new(lane, Key::of(found, NO_LANE), found.role, coding) };
        if let Some(spare) = self.spare.pop() {
            self.entries[spare as usize] = entry;
            return Ok(spare);
        }
        if self.entries.len() - self.by_key.len() >= self.most_own {
            return Err(Failure::Overflow);
        }
        self.entries.push(entry);
        Ok(self.entries.len() as u32 - 1)
    }

    /// The event that a text of its own stands in has left.
    pub(crate) fn leave(&mut self, id: u32) {
        self.entries[id as usize].has_left = true;
        self.reclaim(id);
    }

    /// What has left, and is judged, is needed no more.
    fn reclaim(&mut self, id: u32) {
        let entry = &self.entries[id as usize];
        let is_over = entry.key.lane == NO_LANE && entry.has_left && !entry.lane.has_unjudged();
        if is_over && !self.spare.contains(&id) {
            self.spare.push(id);
        }
    }

    /// An answer begins: the channels before it are never gone on with.
    pub(crate) fn begin_anew(&mut self) {
        self.by_key.clear();
        self.spoken.clear();
    }

    /// A channel is over, and another one of its name may begin.
    pub(crate) fn retire(&mut self, key: Key) -> Option<u32> {
        self.by_key.remove(&key)
    }

    /// No event waits any more: forgets channels that are over.
    pub(crate) fn forget_over(&mut self) {
        if self.by_key.is_empty() && !self.entries.iter().any(|entry| entry.lane.has_unjudged()) {
            self.entries.clear();
            self.spare.clear();
        }
    }

    /// No event waits any more: forgets those of choices with names that are at their end.
    pub(crate) fn forget_named(&mut self) {
        let (entries, by_key) = (std::mem::take(&mut self.entries), std::mem::take(&mut self.by_key));
        self.spare.clear();
        for (id, entry) in (0..).zip(entries) {
            let is_over = is_named(entry.key.choice) && entry.lane.is_finished();
            if by_key.get(&entry.key) == Some(&id) && !is_over {
                self.by_key.insert(entry.key, self.entries.len() as u32);
                self.entries.push(entry);
            } else if entry.lane.has_unjudged() {
                self.entries.push(entry);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn has_choice(&self, choice: u32) -> bool {
        self.by_key.range(keys_of(choice)).next().is_some()
    }

    /// The number of an unlisted member's name.
    pub(crate) fn name(&mut self, name: &[u8]) -> Result<u16, Failure> {
        if let Some(&number) = self.names.get(name) {
            return Ok(number);
        }
        let number = u16::try_from(self.names.len() + 1).ok().filter(|n| usize::from(*n) <= self.most);
        let number = number.ok_or(Failure::Overflow)?;
        self.names.insert(name.into(), number);
        Ok(number)
    }

    /// Takes a delta's raw bytes.
    pub(crate) fn push(
        &mut self,
        id: u32,
        raw: &[u8],
        event: u64,
        observer: &mut dyn Observer,
    ) -> Result<Added, Failure> {
        let entry = &mut self.entries[id as usize];
        entry.last_seen = event;
        if !raw.is_empty() && entry.lane.len() == 0 {
            self.spoken.insert(entry.key.lane);
        }
        if !raw.is_empty() && entry.last_event != event {
            (entry.last_event, entry.last_start) = (event, entry.lane.len());
        }
        let added = entry.lane.push(raw, &mut self.verdicts).map_err(|_| Failure::Malformed);
        self.report(id, observer);
        self.ask(id, observer)?;
        added
    }

    /// How a snapshot's value stands to the ones before it; `primary` is the channel that it repeats.
    pub(crate) fn snapshot(
        &mut self,
        id: u32,
        raw: &[u8],
        delta: &[u8],
        primary: Option<u32>,
        event: u64,
    ) -> Result<Shows, Failure> {
        let before = primary
            .map(|id| &self.entries[id as usize])
            .map_or(0, |primary| if primary.last_event == event { primary.last_start } else { primary.lane.len() });
        let before = if before > 0 { Before::Some } else { Before::None };
        let breaks = primary.map(|id| self.entries[id as usize].lane.breaks()).filter(|breaks| !breaks.is_empty());
        if let Some(breaks) = breaks.map(<[u64]>::to_vec) {
            self.entries[id as usize].lane.break_at(breaks);
        }
        self.entries[id as usize].snapshot.next(raw, delta, before).map_err(|_| Failure::Malformed)
    }

    /// Decides what the event at hand leaves behind in a choice, as if it were at its end: texts of an earlier kind
    /// than the event's latest, so that the answer does not wait for a thought that may never go on, and unlisted
    /// members that are not in the event.
    pub(crate) fn pause_left_behind(&mut self, choice: u32, event: u64, observer: &mut dyn Observer) {
        let Lanes { entries, by_key, .. } = self;
        let of_choice = || by_key.range(keys_of(choice)).map(|(_, id)| (*id, &entries[*id as usize]));
        let spoke = of_choice().filter(|(_, entry)| entry.last_event == event);
        let rank = spoke.map(|(_, entry)| rank_of(entry.lane.kind())).max().unwrap_or(0);
        let is_left = |entry: &Entry| {
            let is_over = matches!(entry.role, Role::Unlisted(_)) || rank_of(entry.lane.kind()) < rank;
            entry.last_seen != event && is_over && entry.lane.decided() < entry.lane.len()
        };
        let left = of_choice().filter(|(_, entry)| is_left(entry)).map(|(id, _)| id).collect();
        self.pause(left, observer);
    }

    /// Decides what these channels hold as if they were at their end.
    pub(crate) fn pause(&mut self, lanes: Vec<u32>, observer: &mut dyn Observer) {
        for id in lanes {
            self.entries[id as usize].lane.pause(&mut self.verdicts);
            self.report(id, observer);
            // What it finds known already has no text behind it that it could contradict.
            let _known = self.ask(id, observer);
        }
    }

    /// A channel is at its end; gives back where the unit ended that was open.
    pub(crate) fn finish(&mut self, id: u32, observer: &mut dyn Observer) -> Result<Option<u64>, Failure> {
        let closed = self.entries[id as usize].lane.finish(&mut self.verdicts).map_err(|_| Failure::Malformed);
        self.report(id, observer);
        self.ask(id, observer)?;
        closed
    }

    /// Moderates a text that is whole; gives back what to cut, if anything.
    pub(crate) fn own(
        &mut self,
        kind: ChannelKind,
        stops: Stops,
        coding: Coding,
        raw: &[u8],
        observer: &mut dyn Observer,
    ) -> Option<OwnText> {
        if raw.is_empty() {
            return None;
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let mut decoder = coding;
        decoder.decode(raw, &mut text, &mut Vec::new());
        decoder.finish(&mut text);
        let channel = self.own[kind as usize].get_or_insert_with(|| Channel::of_rules(&self.policy, kind));
        let start = channel.len();
        let mut cuts = Cuts::default();
        let mut at = channel.decided();
        for step in [Step::Push, Step::Finish] {
            let released = match step {
                Step::Push => channel.push(&text),
                Step::Finish => channel.finish(),
            };
            self.verdicts.extend_from_slice(released.verdicts());
            for part in released.parts() {
                at += match part {
                    Part::Keep(bytes) => bytes.len() as u64,
                    Part::Cut { len, replacement } => {
                        cuts.push(at..at + len, replacement);
                        len
                    }
                };
            }
        }
        let end = start + text.len() as u64;
        self.text = text;
        let stop = channel.terminated().cloned();
        let limit = if stop.is_some() { at } else { u64::MAX };
        for mut verdict in self.verdicts.drain(..) {
            verdict.span = within(verdict.span, start);
            observer.verdict(kind, &verdict);
        }
        if let Some(mut verdict) = stop {
            verdict.span = within(verdict.span, start);
            if stops == Stops::Stream {
                self.stop.get_or_insert(verdict);
            }
            self.own[kind as usize] = None;
        }
        (limit != u64::MAX || !cuts.is_empty()).then_some(OwnText { cuts, text: start..end, limit })
    }

    /// The verdict that ends the stream, once there is one.
    pub(crate) fn stop(&self) -> Option<&Verdict> {
        self.stop.as_ref()
    }

    pub(crate) fn entry(&self, id: u32) -> &Entry {
        &self.entries[id as usize]
    }

    pub(crate) fn entry_mut(&mut self, id: u32) -> &mut Entry {
        &mut self.entries[id as usize]
    }

    pub(crate) fn find(&self, key: Key) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0..).zip(&self.entries)
    }

    /// The channels of a choice.
    pub(crate) fn of_choice(&self, choice: u32) -> Vec<u32> {
        self.by_key.range(keys_of(choice)).map(|(_, id)| *id).collect()
    }

    /// Whether a channel with this number, of any choice, has had a text.
    pub(crate) fn has_spoken(&self, lane: u16) -> bool {
        self.spoken.contains(&lane)
    }

    /// Tells the observer what was found, unless another channel with the same text does.
    fn report(&mut self, id: u32, observer: &mut dyn Observer) {
        if self.verdicts.is_empty() {
            return;
        }
        let entry = &self.entries[id as usize];
        let kind = entry.lane.kind();
        if entry.lane.is_terminated() {
            // Judgements come in any order: one of an earlier text may end the stream before this one does.
            self.has_ended |= self.asking.is_some();
            let stop = if self.asking.is_some() { &mut self.entries[id as usize].stop } else { &mut self.stop };
            if stop.is_none() {
                *stop = self.verdicts.last().cloned();
            }
        }
        let entry = &self.entries[id as usize];
        let is_told_elsewhere = entry.tells == Tells::Nothing
            || entry.repeats()
                && self
                    .of_choice(entry.key.choice)
                    .into_iter()
                    .map(|id| &self.entries[id as usize])
                    .any(|other| other.lane.kind() == kind && !other.repeats() && other.lane.len() > 0);
        for verdict in self.verdicts.drain(..) {
            if !is_told_elsewhere {
                observer.verdict(kind, &verdict);
            }
        }
    }
}

/// The keys of a choice's channels.
fn keys_of(choice: u32) -> RangeInclusive<Key> {
    let first = Key { choice, lane: 0, item: 0, name: 0 };
    first..=Key { choice, lane: u16::MAX, item: u32::MAX, name: u16::MAX }
}

/// A span of a channel as one of the text that began at `start`.
fn within(span: Range<u64>, start: u64) -> Range<u64> {
    span.start.saturating_sub(start)..span.end.saturating_sub(start)
}

enum Step {
    Push,
    Finish,
}

impl Entry {
    /// From where on nothing of it leaves, because a check stopped it there.
    pub(crate) fn stopped_at(&self) -> u64 {
        self.stop.as_ref().map_or(u64::MAX, |stop| stop.span.start)
    }

    fn new(lane: Lane, key: Key, role: Role, coding: Coding) -> Entry {
        Entry {
            lane,
            key,
            role,
            coding,
            tells: Tells::Verdicts,
            stop: None,
            has_left: false,
            snapshot: Snapshot::default(),
            left: None,
            last_event: 0,
            last_seen: 0,
            last_start: 0,
        }
    }

    /// Whether it is a part of a tool call.
    pub(crate) fn is_of_call(&self) -> bool {
        self.lane.kind() == ChannelKind::ToolArgs
    }

    /// Its name in the dialect.
    pub(crate) fn name(&self) -> &'static str {
        self.role.label().map_or("", |label| label.name)
    }

    /// Whether another channel has the same text, where it exists.
    fn repeats(&self) -> bool {
        matches!(self.role, Role::Echo(_) | Role::Snapshot(_) | Role::Token(_) | Role::TokenBytes(_))
    }
}

/// The order in which the kinds of a choice follow each other: a model thinks, answers, calls.
pub(crate) fn rank_of(kind: ChannelKind) -> u8 {
    match kind {
        ChannelKind::Reasoning => 0,
        ChannelKind::Text | ChannelKind::Refusal => 1,
        ChannelKind::ToolArgs | ChannelKind::ToolResult => 2,
        // No choice has one.
        ChannelKind::Prompt => 0,
    }
}

/// The coding of a role's text.
pub(crate) fn coding_of(role: Role) -> Coding {
    match role {
        Role::Text(label) | Role::Echo(label) | Role::Snapshot(label) | Role::Repeat(label) => {
            Coding::in_strings(label.notation)
        }
        Role::TokenBytes(_) | Role::OwnBytes(_) => Coding::Bare,
        _ => Coding::TEXT,
    }
}
