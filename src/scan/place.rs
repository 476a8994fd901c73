//! One channel's place in one automaton.

use super::cursor::{Hit, HitKind, Position};
use super::shard::{Limit, Shard};
use super::step::{BIRTH, Config, Step};
use super::table::{Entry, MAX_GROUPS, Operation, Reader, Table};
use super::{MAX_LIMIT, StateId};
use std::sync::Arc;

/// A place in the automaton and the starts of the live threads' groups. Holds no text.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The row of the table that it is in, unless `loose`.
    row: u32,
    /// Its place beyond the table, by simulation.
    loose: Option<Box<Loose>>,
    /// The ring's place before the oldest group's start.
    base: u32,
    ring: [u32; RING],
}

const RING: usize = MAX_GROUPS + 1;

/// Where the oldest threads began, as positions; the current one where there are none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// Of those that hold bytes back.
    pub(super) hold: u32,
    /// Of those that may ask for their text.
    pub(super) keep: u32,
    pub(super) oldest: u32,
    /// Whether a block is open.
    pub(super) is_in_block: bool,
}

#[derive(Clone, Debug)]
struct Loose {
    config: Arc<Config>,
    starts: Vec<u32>,
}

/// Reads bytes up to the first that in some automaton needs more than a move of the ring; gives back how many.
///
/// The automata take each byte together: their loads do not wait for each other, so two cost little more than one.
#[inline]
pub(super) fn run_fast<const N: usize>(
    shards: &[Shard; N],
    places: &mut [Place; N],
    position: u32,
    bytes: &[u8],
) -> usize {
    let tables: [Reader<'_>; N] = shards.each_ref().map(|shard| shard.table.reader());
    // The loop keeps its state in registers; stored through `places` it is slower.
    let mut rows = places.each_ref().map(|place| place.row);
    let mut bases = places.each_ref().map(|place| place.base);
    let mut now = position;
    for &byte in bytes {
        let entries: [Entry; N] = std::array::from_fn(|at| tables[at].entry(rows[at], byte));
        if !entries.iter().all(|entry| entry.is_fast()) {
            break;
        }
        for (at, entry) in entries.into_iter().enumerate() {
            bases[at] = bases[at].wrapping_add(entry.drop());
            places[at].ring[bases[at].wrapping_add(entry.birth()) as usize % RING] = now;
            rows[at] = entry.row();
        }
        now = now.wrapping_add(1);
    }
    for (place, (row, base)) in places.iter_mut().zip(rows.into_iter().zip(bases)) {
        (place.row, place.base) = (row, base);
    }
    now.wrapping_sub(position) as usize
}

impl Place {
    /// At the beginning of a text.
    pub(super) fn new() -> Place {
        Place { row: Table::START, loose: None, base: 0, ring: [0; RING] }
    }

    pub(super) fn is_loose(&self) -> bool {
        self.loose.is_some()
    }

    #[inline]
    pub(super) fn standing(&self, shard: &Shard, position: u32) -> Standing {
        match &self.loose {
            None => {
                let outline = shard.table.outline(self.row, &shard.simulator);
                let start_of = |group| if group == 0 { position } else { self.start_of(group) };
                Standing {
                    hold: start_of(outline.hold()),
                    keep: start_of(outline.keep()),
                    oldest: start_of(outline.groups().min(1)),
                    is_in_block: outline.swallows(),
                }
            }
            Some(loose) => loose.standing(shard, position),
        }
    }

    /// The start of the oldest live thread of a rule.
    pub(super) fn oldest_of(&self, shard: &Shard, rule: u32) -> Option<u32> {
        let (config, starts) = self.live(shard);
        let group = config.groups().position(|group| group.iter().any(|&state| shard.rule_of(state) == rule))?;
        Some(starts[group])
    }

    /// How many starts are told apart now.
    pub(super) fn live_starts(&self, shard: &Shard) -> usize {
        self.live(shard).1.len()
    }

    /// The row of the table that it is in, if anything is live there.
    pub(super) fn live_row(&self, shard: &Shard) -> Option<u32> {
        shard.table.outline(self.row, &shard.simulator).is_live().then_some(self.row)
    }

    /// The start of a group, counted from 1.
    #[inline]
    fn start_of(&self, group: u32) -> u32 {
        self.ring[self.base.wrapping_add(group) as usize % RING]
    }

    /// Reads any byte, wherever the place is.
    pub(super) fn step(&mut self, shard: &Shard, byte: u8, now: Position, hits: &mut Vec<Hit>) {
        if let Some(loose) = &mut self.loose {
            let starts = std::mem::take(&mut loose.starts);
            let mut scratch = shard.take_scratch();
            let step = shard.simulator.step(&loose.config, byte, &mut scratch);
            shard.put_scratch(scratch);
            return self.leap(shard, &starts, step, now, hits);
        }
        let entry = shard.table.entry(self.row, byte);
        if entry.is_fast() {
            self.take(entry, now);
        } else {
            self.step_slow(shard, entry, byte, now, hits);
        }
    }

    fn take(&mut self, entry: Entry, now: Position) {
        self.base = self.base.wrapping_add(entry.drop());
        self.ring[self.base.wrapping_add(entry.birth()) as usize % RING] = now.at;
        self.row = entry.row();
    }

    /// Reads a byte whose entry is not fast.
    #[inline(never)]
    fn step_slow(&mut self, shard: &Shard, entry: Entry, byte: u8, now: Position, hits: &mut Vec<Hit>) {
        if let Some(operation) = shard.table.operation(entry) {
            return self.operate(operation, now, hits);
        }
        let explored = if shard.table.is_full() {
            let mut scratch = shard.take_scratch();
            let step = shard.simulator.step(&shard.table.config(self.row), byte, &mut scratch);
            shard.put_scratch(scratch);
            Err(step)
        } else {
            shard.table.explore(self.row, byte, &shard.simulator)
        };
        match explored {
            Ok(entry) if entry.is_fast() => self.take(entry, now),
            Ok(entry) => {
                let operation = shard.table.operation(entry).expect("explored under the lock that published it");
                self.operate(operation, now, hits);
            }
            Err(step) => {
                let (_, starts) = self.live(shard);
                self.leap(shard, &starts, step, now, hits);
            }
        }
    }

    fn operate(&mut self, operation: &Operation, now: Position, hits: &mut Vec<Hit>) {
        let Operation { row, sources, events } = operation;
        let start_of = |source: u32| if source == BIRTH { now.at } else { self.start_of(source + 1) };
        let mut starts = [0; MAX_GROUPS];
        for (start, &source) in starts.iter_mut().zip(sources) {
            *start = start_of(source);
        }
        hits.extend(events.iter().map(|event| now.next().hit(event, start_of(event.source))));
        self.enter(*row, &starts[..sources.len()]);
    }

    /// Goes to a row with these starts.
    fn enter(&mut self, row: u32, starts: &[u32]) {
        for (group, &start) in (1..).zip(starts) {
            self.ring[(self.base.wrapping_add(group)) as usize % RING] = start;
        }
        self.row = row;
        self.loose = None;
    }

    /// Takes a simulated step.
    fn leap(&mut self, shard: &Shard, starts: &[u32], step: Step, now: Position, hits: &mut Vec<Hit>) {
        let start_of = |source: u32| if source == BIRTH { now.at } else { starts[source as usize] };
        hits.extend(step.events.iter().map(|event| now.next().hit(event, start_of(event.source))));
        let starts = step.sources.iter().map(|&source| start_of(source)).collect();
        self.arrive(shard, step.config, starts);
    }

    /// Goes to a configuration, in the table if it is there.
    fn arrive(&mut self, shard: &Shard, config: Config, starts: Vec<u32>) {
        match shard.table.row_if_known(&config) {
            Some(row) => self.enter(row, &starts),
            None => self.loose = Some(Box::new(Loose { config: Arc::new(config), starts })),
        }
    }

    /// The configuration and its groups' starts, wherever the place is.
    fn live(&self, shard: &Shard) -> (Arc<Config>, Vec<u32>) {
        match &self.loose {
            None => {
                let config = shard.table.config(self.row);
                let groups = config.group_count() as u32;
                (config, (1..=groups).map(|group| self.start_of(group)).collect())
            }
            Some(loose) => (loose.config.clone(), loose.starts.clone()),
        }
    }

    /// Bytes that can be read before a limit could be reached, at least 1 and at most `room`.
    #[cold]
    pub(super) fn room(&self, shard: &Shard, now: Position, room: u32) -> u32 {
        let (config, starts) = self.live(shard);
        let rooms = config.groups().zip(&starts).flat_map(|(group, &start)| {
            // A thread may come under a limit on the way: its block opens.
            let limits = group.iter().flat_map(|&state| shard.limits_of_rule(state)).flatten();
            limits.map(move |len| len.saturating_sub(now.at - start).max(1))
        });
        rooms.fold(room, u32::min)
    }

    /// Reports candidates that have outgrown their limit, and closes blocks at their longest.
    #[cold]
    pub(super) fn check_limits(&mut self, shard: &Shard, now: Position, hits: &mut Vec<Hit>) {
        let (config, starts) = self.live(shard);
        let mut at_end = Vec::new();
        let mut overflown = Vec::new();
        for (group, &start) in config.groups().zip(&starts) {
            for &state in group {
                let lag = now.at - start;
                let rule = shard.rule_of(state);
                match shard.limit_of(state) {
                    Some(Limit::Block(len)) if lag >= len && !at_end.contains(&rule) => {
                        at_end.push(rule);
                        hits.push(now.span(HitKind::Unclosed, rule, start));
                    }
                    Some(Limit::Overflow(len)) if lag > len && !overflown.contains(&rule) => {
                        overflown.push(rule);
                        hits.push(now.span(HitKind::Overflow, rule, start));
                    }
                    _ => {}
                }
            }
        }
        for rule in at_end {
            let (config, starts) = self.live(shard);
            let len = shard.simulator.rules[rule as usize].block_len.unwrap_or(MAX_LIMIT);
            let step = shard.simulator.close_blocks(&config, rule, |group| now.at - starts[group] >= len);
            let starts = step.sources.iter().map(|&source| starts[source as usize]).collect();
            self.arrive(shard, step.config, starts);
        }
    }

    /// Reports how far open blocks reach.
    pub(super) fn blocks(&self, shard: &Shard, kind: HitKind, now: Position, hits: &mut Vec<Hit>) {
        let (config, starts) = self.live(shard);
        for (group, &start) in config.groups().zip(&starts) {
            for &state in group {
                let rule = shard.rule_of(state);
                let is_new = !hits.iter().any(|hit| hit.kind == kind && hit.rule == rule);
                if is_new && matches!(shard.limit_of(state), Some(Limit::Block(_))) {
                    hits.push(now.span(kind, rule, start));
                }
            }
        }
    }

    /// The text is at its end: reports what that confirms, and the blocks left open. Nothing is live afterwards.
    pub(super) fn finish(&mut self, shard: &Shard, now: Position, hits: &mut Vec<Hit>) {
        let (config, starts) = self.live(shard);
        let mut scratch = shard.take_scratch();
        for event in shard.simulator.end(&config, &mut scratch) {
            hits.push(now.hit(&event, starts[event.source as usize]));
        }
        shard.put_scratch(scratch);
        self.blocks(shard, HitKind::Unclosed, now, hits);
        self.enter(Table::START, &[]);
    }

    /// Positions are counted from `shift` bytes later on.
    pub(super) fn rebase(&mut self, shift: u32) {
        // Only threads that hold nothing can be older than the longest limit; their starts may become younger.
        let starts = match &mut self.loose {
            None => &mut self.ring[..],
            Some(loose) => &mut loose.starts[..],
        };
        starts.iter_mut().for_each(|start| *start = start.saturating_sub(shift));
    }
}

impl Loose {
    #[cold]
    fn standing(&self, shard: &Shard, position: u32) -> Standing {
        let first = |wanted: &dyn Fn(StateId) -> bool| {
            let group = self.config.groups().position(|group| group.iter().any(|&state| wanted(state)));
            group.map_or(position, |group| self.starts[group])
        };
        Standing {
            hold: first(&|state| shard.holds(state)),
            keep: first(&|state| shard.needs_text(state)),
            oldest: first(&|_| true),
            is_in_block: self.config.states().any(|state| shard.swallows(state)),
        }
    }
}
