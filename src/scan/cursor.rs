//! One channel's place in the automaton.

use super::nfa::Phase;
use super::step::{BIRTH, Config, Event, Step};
use super::table::{Entry, MAX_GROUPS, Outline, Table};
use super::{MAX_LIMIT, Role, Scanner};
use std::sync::Arc;

/// Something that came to light: a byte range and the rule it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) kind: HitKind,
    pub(crate) rule: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HitKind {
    /// The rule's pattern matches here.
    Match,
    /// A candidate has outgrown its limit and still lives.
    Overflow,
    /// A block is open up to here.
    Swallow,
    /// A block was not closed within its length, or before the text's end.
    Unclosed,
}

/// A place in the automaton and the starts of the live threads' groups. Holds no text.
#[derive(Debug)]
pub(crate) struct Cursor {
    place: Place,
    outline: Outline,
    /// Offset in the channel of position 0; positions are 32-bit to keep the ring small.
    origin: u64,
    position: u32,
    /// The ring's place before the oldest group's start.
    base: u32,
    ring: [u32; RING],
}

const RING: usize = MAX_GROUPS + 1;

#[derive(Debug)]
enum Place {
    /// A row of the table.
    Row(u32),
    /// Beyond the table, by simulation.
    Loose(Box<Loose>),
}

#[derive(Debug)]
struct Loose {
    config: Arc<Config>,
    starts: Vec<u32>,
}

impl Cursor {
    /// At the beginning of a text.
    pub(crate) fn new() -> Cursor {
        Cursor {
            place: Place::Row(Table::START),
            outline: Outline::EMPTY,
            origin: 0,
            position: 0,
            base: 0,
            ring: [0; RING],
        }
    }

    /// Offset of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.origin + u64::from(self.position)
    }

    /// Every byte before this offset is decided as far as matching goes: no thread that holds began before it.
    #[inline]
    pub(crate) fn frontier(&self, scanner: &Scanner) -> u64 {
        match &self.place {
            Place::Row(_) => self.offset_of(self.outline.hold()),
            Place::Loose(loose) => self.loose_offset(loose, &|state| scanner.holds(state)),
        }
    }

    /// The text from this offset on may be asked for by a match.
    #[inline]
    pub(crate) fn needed_from(&self, scanner: &Scanner) -> u64 {
        match &self.place {
            Place::Row(_) => self.offset_of(self.outline.keep()),
            Place::Loose(loose) => self.loose_offset(loose, &|state| scanner.needs_text(state)),
        }
    }

    /// Where the oldest live thread of a rule began.
    pub(crate) fn oldest(&self, scanner: &Scanner, rule: u32) -> Option<u64> {
        let (config, starts) = self.live(scanner);
        let group = config.groups().position(|group| group.iter().any(|&state| scanner.rule_of(state) == rule))?;
        Some(self.origin + u64::from(starts[group]))
    }

    /// How many starts are told apart now.
    pub(crate) fn live_starts(&self, scanner: &Scanner) -> usize {
        self.live(scanner).1.len()
    }

    /// Moves on over bytes that no rule watches.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.origin += bytes as u64;
    }

    fn offset_of(&self, group: u32) -> u64 {
        if group == 0 { self.position() } else { self.origin + u64::from(self.start_of(group)) }
    }

    #[cold]
    fn loose_offset(&self, loose: &Loose, wanted: &dyn Fn(u32) -> bool) -> u64 {
        let group = loose.config.groups().position(|group| group.iter().any(|&state| wanted(state)));
        self.origin + u64::from(group.map_or(self.position, |group| loose.starts[group]))
    }

    /// The start of a group, counted from 1.
    fn start_of(&self, group: u32) -> u32 {
        self.ring[(self.base + group) as usize % RING]
    }

    /// Reads `bytes` up to the first byte that brings hits, or to their end; gives back how many were read.
    #[inline]
    pub(crate) fn run(&mut self, scanner: &Scanner, bytes: &[u8], hits: &mut Vec<Hit>) -> usize {
        let mut read = 0;
        let is_near_limit = u64::from(self.lag()) + bytes.len() as u64 >= u64::from(scanner.shortest_limit)
            || self.position >= 2 * MAX_LIMIT;
        if let Place::Row(mut row) = self.place
            && !is_near_limit
        {
            read = self.run_fast(&scanner.table, &mut row, bytes);
            self.settle(scanner, row);
        }
        if read < bytes.len() { self.run_on(scanner, bytes, read, hits) } else { read }
    }

    /// Reads on where the fast entries end or a limit is near.
    fn run_on(&mut self, scanner: &Scanner, bytes: &[u8], mut read: usize, hits: &mut Vec<Hit>) -> usize {
        if self.position >= 2 * MAX_LIMIT {
            self.rebase();
        }
        while read < bytes.len() && hits.is_empty() {
            let rest = &bytes[read..];
            let room = self.room(scanner).min(rest.len());
            read += match self.place {
                Place::Row(row) => self.run_table(scanner, row, &rest[..room], hits),
                Place::Loose(_) => self.run_loose(scanner, &rest[..room], hits),
            };
            if self.lag() >= scanner.shortest_limit {
                self.check_limits(scanner, hits);
            }
        }
        read
    }

    fn run_table(&mut self, scanner: &Scanner, mut row: u32, bytes: &[u8], hits: &mut Vec<Hit>) -> usize {
        let mut read = 0;
        while read < bytes.len() && hits.is_empty() {
            read += self.run_fast(&scanner.table, &mut row, &bytes[read..]);
            let Some(&byte) = bytes.get(read) else { break };
            read += 1;
            match self.run_slow(scanner, row, byte, hits) {
                Some(next) => row = next,
                None => return read,
            }
        }
        self.settle(scanner, row);
        read
    }

    /// Reads bytes up to the first that needs more than a move of the ring.
    #[inline]
    fn run_fast(&mut self, table: &Table, row: &mut u32, bytes: &[u8]) -> usize {
        // The loop keeps its state in registers; stored through `self` it is slower.
        let (mut at, mut base, mut position) = (*row, self.base, self.position);
        let table = table.reader();
        let mut read = 0;
        for &byte in bytes {
            let entry = table.entry(at, byte);
            if !entry.is_fast() {
                break;
            }
            base = base.wrapping_add(entry.drop());
            self.ring[base.wrapping_add(entry.birth()) as usize % RING] = position;
            position += 1;
            at = entry.row();
            read += 1;
        }
        (*row, self.base, self.position) = (at, base, position);
        read
    }

    fn take(&mut self, entry: Entry) -> u32 {
        self.base = self.base.wrapping_add(entry.drop());
        self.ring[self.base.wrapping_add(entry.birth()) as usize % RING] = self.position;
        self.position += 1;
        entry.row()
    }

    #[inline]
    fn settle(&mut self, scanner: &Scanner, row: u32) {
        self.place = Place::Row(row);
        self.outline = scanner.table.outline(row, &scanner.simulator);
    }

    /// A byte that is no fast entry; gives back the next row, or `None` after leaving the table.
    #[inline(never)]
    fn run_slow(&mut self, scanner: &Scanner, row: u32, byte: u8, hits: &mut Vec<Hit>) -> Option<u32> {
        let entry = scanner.table.entry(row, byte);
        if let Some(operation) = scanner.table.operation(entry) {
            return Some(self.operate(operation.row, &operation.sources, &operation.events, hits));
        }
        let unknown_and_full = scanner.table.is_full();
        let explored = if unknown_and_full {
            let mut scratch = scanner.take_scratch();
            let step = scanner.simulator.step(&scanner.table.config(row), byte, &mut scratch);
            scanner.put_scratch(scratch);
            Err(step)
        } else {
            scanner.table.explore(row, byte, &scanner.simulator)
        };
        match explored {
            Ok(entry) if entry.is_fast() => Some(self.take(entry)),
            Ok(entry) => {
                let operation = scanner.table.operation(entry).expect("explored under the lock that published it");
                Some(self.operate(operation.row, &operation.sources, &operation.events, hits))
            }
            Err(step) => {
                let groups = scanner.table.config(row).group_count() as u32;
                let starts: Vec<u32> = (1..=groups).map(|group| self.start_of(group)).collect();
                self.leap(scanner, &starts, step, hits)
            }
        }
    }

    fn operate(&mut self, row: u32, sources: &[u32], events: &[Event], hits: &mut Vec<Hit>) -> u32 {
        let mut starts = [0; MAX_GROUPS];
        for (start, &source) in starts.iter_mut().zip(sources) {
            *start = if source == BIRTH { self.position } else { self.start_of(source + 1) };
        }
        for event in events {
            let start = if event.source == BIRTH { self.position } else { self.start_of(event.source + 1) };
            hits.push(self.hit(event, start, self.position + 1));
        }
        for (group, &start) in (1..).zip(&starts[..sources.len()]) {
            self.ring[(self.base.wrapping_add(group)) as usize % RING] = start;
        }
        self.position += 1;
        row
    }

    fn hit(&self, event: &Event, start: u32, now: u32) -> Hit {
        Hit {
            kind: HitKind::Match,
            rule: event.rule,
            start: self.origin + u64::from(start),
            end: self.origin + u64::from(now - event.back),
        }
    }

    #[cold]
    fn run_loose(&mut self, scanner: &Scanner, bytes: &[u8], hits: &mut Vec<Hit>) -> usize {
        let mut scratch = scanner.take_scratch();
        let mut read = 0;
        while let (Place::Loose(loose), Some(&byte)) = (&mut self.place, bytes.get(read)) {
            let starts = std::mem::take(&mut loose.starts);
            let step = scanner.simulator.step(&loose.config, byte, &mut scratch);
            read += 1;
            if let Some(row) = self.leap(scanner, &starts, step, hits) {
                self.settle(scanner, row);
            }
            if !hits.is_empty() {
                break;
            }
        }
        scanner.put_scratch(scratch);
        read
    }

    /// Takes a simulated step; gives back the row if it led into the table.
    fn leap(&mut self, scanner: &Scanner, starts: &[u32], step: Step, hits: &mut Vec<Hit>) -> Option<u32> {
        let start_of = |source: u32| if source == BIRTH { self.position } else { starts[source as usize] };
        for event in &step.events {
            hits.push(self.hit(event, start_of(event.source), self.position + 1));
        }
        let starts: Vec<u32> = step.sources.iter().map(|&source| start_of(source)).collect();
        self.position += 1;
        self.arrive(scanner, step.config, starts)
    }

    /// Goes to a configuration, in the table if it is there.
    fn arrive(&mut self, scanner: &Scanner, config: Config, starts: Vec<u32>) -> Option<u32> {
        if let Some(row) = scanner.table.row_if_known(&config) {
            for (group, &start) in (1..).zip(&starts) {
                self.ring[(self.base.wrapping_add(group)) as usize % RING] = start;
            }
            return Some(row);
        }
        self.outline = Outline::of(&config, &scanner.simulator);
        self.place = Place::Loose(Box::new(Loose { config: Arc::new(config), starts }));
        None
    }

    /// Bytes that can be read before a limit could be reached; at least 1.
    fn room(&self, scanner: &Scanner) -> usize {
        let lag = self.lag();
        if lag < scanner.shortest_limit { (scanner.shortest_limit - lag) as usize } else { self.room_left(scanner) }
    }

    #[cold]
    fn room_left(&self, scanner: &Scanner) -> usize {
        let (config, starts) = self.live(scanner);
        let mut room = scanner.shortest_limit;
        for (group, &start) in config.groups().zip(&starts) {
            for &state in group {
                let lag = self.position - start;
                let left = match scanner.limit_of(state) {
                    Some(Limit::Block(len)) => len.saturating_sub(lag),
                    Some(Limit::Overflow(len)) => len.saturating_sub(lag),
                    None => continue,
                };
                room = room.min(left.max(1));
            }
        }
        room as usize
    }

    #[inline]
    fn lag(&self) -> u32 {
        match &self.place {
            Place::Row(_) if self.outline.groups() == 0 => 0,
            Place::Row(_) => self.position - self.start_of(1),
            Place::Loose(loose) => loose.starts.first().map_or(0, |&start| self.position - start),
        }
    }

    /// The configuration and its groups' starts, wherever the cursor is.
    fn live(&self, scanner: &Scanner) -> (Arc<Config>, Vec<u32>) {
        match &self.place {
            Place::Row(row) => {
                let config = scanner.table.config(*row);
                let groups = config.group_count() as u32;
                (config, (1..=groups).map(|group| self.start_of(group)).collect())
            }
            Place::Loose(loose) => (loose.config.clone(), loose.starts.clone()),
        }
    }

    /// Reports candidates that have outgrown their limit, and closes blocks at their longest.
    #[cold]
    fn check_limits(&mut self, scanner: &Scanner, hits: &mut Vec<Hit>) {
        let (config, starts) = self.live(scanner);
        let mut at_end = Vec::new();
        let mut overflown = Vec::new();
        for (group, &start) in config.groups().zip(&starts) {
            for &state in group {
                let lag = self.position - start;
                let rule = scanner.rule_of(state);
                match scanner.limit_of(state) {
                    Some(Limit::Block(len)) if lag >= len && !at_end.contains(&rule) => {
                        at_end.push(rule);
                        hits.push(self.span(HitKind::Unclosed, rule, start));
                    }
                    Some(Limit::Overflow(len)) if lag > len && !overflown.contains(&rule) => {
                        overflown.push(rule);
                        hits.push(self.span(HitKind::Overflow, rule, start));
                    }
                    _ => {}
                }
            }
        }
        for rule in at_end {
            let (config, starts) = self.live(scanner);
            let step = scanner.simulator.kill(&config, rule);
            let starts = step.sources.iter().map(|&source| starts[source as usize]).collect();
            if let Some(row) = self.arrive(scanner, step.config, starts) {
                self.settle(scanner, row);
            }
        }
    }

    fn span(&self, kind: HitKind, rule: u32, start: u32) -> Hit {
        Hit { kind, rule, start: self.origin + u64::from(start), end: self.position() }
    }

    /// Whether a block is open.
    pub(crate) fn is_in_block(&self) -> bool {
        self.outline.swallows()
    }

    /// Reports how far open blocks reach.
    pub(crate) fn open_blocks(&self, scanner: &Scanner, hits: &mut Vec<Hit>) {
        if self.outline.swallows() {
            self.blocks(scanner, HitKind::Swallow, hits);
        }
    }

    fn blocks(&self, scanner: &Scanner, kind: HitKind, hits: &mut Vec<Hit>) {
        let (config, starts) = self.live(scanner);
        for (group, &start) in config.groups().zip(&starts) {
            for &state in group {
                let rule = scanner.rule_of(state);
                let is_new = !hits.iter().any(|hit| hit.kind == kind && hit.rule == rule);
                if is_new && matches!(scanner.limit_of(state), Some(Limit::Block(_))) {
                    hits.push(self.span(kind, rule, start));
                }
            }
        }
    }

    /// The text is at its end: reports what that confirms, and the blocks left open. Nothing is live afterwards.
    pub(crate) fn finish(&mut self, scanner: &Scanner, hits: &mut Vec<Hit>) {
        let (config, starts) = self.live(scanner);
        let mut scratch = scanner.take_scratch();
        for event in scanner.simulator.end(&config, &mut scratch) {
            hits.push(self.hit(&event, starts[event.source as usize], self.position));
        }
        scanner.put_scratch(scratch);
        if self.outline.swallows() {
            self.blocks(scanner, HitKind::Unclosed, hits);
        }
        self.settle(scanner, Table::START);
    }

    /// Keeps positions small: a channel may be longer than 32 bits count.
    #[cold]
    fn rebase(&mut self) {
        let shift = self.position - MAX_LIMIT;
        // Only threads that hold nothing can be older than the longest limit; their starts may become younger.
        let starts = match &mut self.place {
            Place::Row(_) => &mut self.ring[..],
            Place::Loose(loose) => &mut loose.starts[..],
        };
        starts.iter_mut().for_each(|start| *start = start.saturating_sub(shift));
        self.position -= shift;
        self.origin += u64::from(shift);
    }
}

/// Which limit a live state is under.
enum Limit {
    Block(u32),
    Overflow(u32),
}

impl Scanner {
    fn rule_of(&self, state: u32) -> u32 {
        self.simulator.nfa.states[state as usize].rule
    }

    fn limit_of(&self, state: u32) -> Option<Limit> {
        let rule = &self.simulator.rules[self.rule_of(state) as usize];
        match self.simulator.nfa.states[state as usize].phase {
            Phase::Swallow => rule.block_len.map(Limit::Block),
            _ => rule.overflow.map(Limit::Overflow),
        }
    }

    fn holds(&self, state: u32) -> bool {
        self.simulator.rules[self.rule_of(state) as usize].role == Role::Cover
    }

    fn needs_text(&self, state: u32) -> bool {
        let rule = &self.simulator.rules[self.rule_of(state) as usize];
        rule.needs_text() && self.simulator.nfa.states[state as usize].phase != Phase::Swallow
    }
}
