//! One channel's place in the automaton.

use super::nfa::Phase;
use super::step::{BIRTH, Config, Event, Step};
use super::table::{Entry, MAX_GROUPS, Operation, Outline, Table};
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
    /// It matches here, from too many starts to tell them apart.
    Merged,
    /// A candidate has outgrown its limit and still lives.
    Overflow,
    /// A block is open up to here.
    Swallow,
    /// A block was not closed within its length, or before the text's end.
    Unclosed,
}

/// A place in the automaton and the starts of the live threads' groups. Holds no text.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    /// The row of the table that it is in, unless `loose`.
    row: u32,
    /// Its place beyond the table, by simulation.
    loose: Option<Box<Loose>>,
    outline: Outline,
    /// Offset in the channel of position 0; positions are 32-bit to keep the ring small.
    origin: u64,
    position: u32,
    /// The ring's place before the oldest group's start.
    base: u32,
    ring: [u32; RING],
}

const RING: usize = MAX_GROUPS + 1;

#[derive(Clone, Debug)]
struct Loose {
    config: Arc<Config>,
    starts: Vec<u32>,
}

impl Cursor {
    /// At the beginning of a text.
    pub(crate) fn new() -> Cursor {
        Cursor {
            row: Table::START,
            loose: None,
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
        match &self.loose {
            None => self.offset_of(self.outline.hold()),
            Some(loose) => self.loose_offset(loose, &|state| scanner.holds(state)),
        }
    }

    /// The text from this offset on may be asked for by a match.
    #[inline]
    pub(crate) fn needed_from(&self, scanner: &Scanner) -> u64 {
        match &self.loose {
            None => self.offset_of(self.outline.keep()),
            Some(loose) => self.loose_offset(loose, &|state| scanner.needs_text(state)),
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
    #[inline]
    fn start_of(&self, group: u32) -> u32 {
        self.ring[self.base.wrapping_add(group) as usize % RING]
    }

    /// Reads `bytes` up to the first byte that brings hits, or to their end; gives back how many were read.
    #[inline]
    pub(crate) fn run(&mut self, scanner: &Scanner, bytes: &[u8], hits: &mut Vec<Hit>) -> usize {
        let mut read = 0;
        let is_near_limit = u64::from(self.lag()) + bytes.len() as u64 >= u64::from(scanner.shortest_limit)
            || self.position >= 2 * MAX_LIMIT;
        if self.loose.is_none() && !is_near_limit {
            read = self.run_fast(&scanner.table, bytes);
            self.outline = scanner.table.outline(self.row, &scanner.simulator);
        }
        if read < bytes.len() { self.run_on(scanner, bytes, read, hits) } else { read }
    }

    /// Reads on where the fast entries end or a limit is near.
    fn run_on(&mut self, scanner: &Scanner, bytes: &[u8], mut read: usize, hits: &mut Vec<Hit>) -> usize {
        while read < bytes.len() && hits.is_empty() {
            if self.position >= 2 * MAX_LIMIT {
                self.rebase();
            }
            let rest = &bytes[read..];
            let room = self.room(scanner).min(rest.len());
            read += match self.loose {
                None => self.run_table(scanner, &rest[..room], hits),
                Some(_) => self.run_loose(scanner, &rest[..room], hits),
            };
            if self.lag() >= scanner.shortest_limit {
                self.check_limits(scanner, hits);
            }
        }
        read
    }

    fn run_table(&mut self, scanner: &Scanner, bytes: &[u8], hits: &mut Vec<Hit>) -> usize {
        let mut read = 0;
        while read < bytes.len() && hits.is_empty() && self.loose.is_none() {
            read += self.run_fast(&scanner.table, &bytes[read..]);
            let Some(&byte) = bytes.get(read) else { break };
            read += 1;
            self.run_slow(scanner, byte, hits);
        }
        if self.loose.is_none() {
            self.outline = scanner.table.outline(self.row, &scanner.simulator);
        }
        read
    }

    /// Reads bytes up to the first that needs more than a move of the ring.
    #[inline]
    fn run_fast(&mut self, table: &Table, bytes: &[u8]) -> usize {
        // The loop keeps its state in registers; stored through `self` it is slower.
        let (mut row, mut base, mut position) = (self.row, self.base, self.position);
        let table = table.reader();
        for &byte in bytes {
            let entry = table.entry(row, byte);
            if !entry.is_fast() {
                break;
            }
            base = base.wrapping_add(entry.drop());
            self.ring[base.wrapping_add(entry.birth()) as usize % RING] = position;
            position = position.wrapping_add(1);
            row = entry.row();
        }
        let read = position.wrapping_sub(self.position) as usize;
        (self.row, self.base, self.position) = (row, base, position);
        read
    }

    fn take(&mut self, entry: Entry) {
        self.base = self.base.wrapping_add(entry.drop());
        self.ring[self.base.wrapping_add(entry.birth()) as usize % RING] = self.position;
        self.position += 1;
        self.row = entry.row();
    }

    /// A byte that is no fast entry.
    #[inline(never)]
    fn run_slow(&mut self, scanner: &Scanner, byte: u8, hits: &mut Vec<Hit>) {
        let entry = scanner.table.entry(self.row, byte);
        if let Some(operation) = scanner.table.operation(entry) {
            return self.operate(operation, hits);
        }
        let explored = if scanner.table.is_full() {
            let mut scratch = scanner.take_scratch();
            let step = scanner.simulator.step(&scanner.table.config(self.row), byte, &mut scratch);
            scanner.put_scratch(scratch);
            Err(step)
        } else {
            scanner.table.explore(self.row, byte, &scanner.simulator)
        };
        match explored {
            Ok(entry) if entry.is_fast() => self.take(entry),
            Ok(entry) => {
                let operation = scanner.table.operation(entry).expect("explored under the lock that published it");
                self.operate(operation, hits);
            }
            Err(step) => {
                let (_, starts) = self.live(scanner);
                self.leap(scanner, &starts, step, hits);
            }
        }
    }

    fn operate(&mut self, operation: &Operation, hits: &mut Vec<Hit>) {
        let Operation { row, sources, events } = operation;
        let start_of = |source: u32| if source == BIRTH { self.position } else { self.start_of(source + 1) };
        let mut starts = [0; MAX_GROUPS];
        for (start, &source) in starts.iter_mut().zip(sources) {
            *start = start_of(source);
        }
        hits.extend(events.iter().map(|event| self.hit(event, start_of(event.source), self.position + 1)));
        self.enter(*row, &starts[..sources.len()]);
        self.position += 1;
    }

    /// Goes to a row with these starts.
    fn enter(&mut self, row: u32, starts: &[u32]) {
        for (group, &start) in (1..).zip(starts) {
            self.ring[(self.base.wrapping_add(group)) as usize % RING] = start;
        }
        self.row = row;
        self.loose = None;
    }

    fn hit(&self, event: &Event, start: u32, now: u32) -> Hit {
        Hit {
            kind: event.kind,
            rule: event.rule,
            start: self.origin + u64::from(start),
            end: self.origin + u64::from(now - event.back),
        }
    }

    #[cold]
    fn run_loose(&mut self, scanner: &Scanner, bytes: &[u8], hits: &mut Vec<Hit>) -> usize {
        let mut scratch = scanner.take_scratch();
        let mut read = 0;
        while let (Some(loose), Some(&byte), true) = (&mut self.loose, bytes.get(read), hits.is_empty()) {
            let starts = std::mem::take(&mut loose.starts);
            let step = scanner.simulator.step(&loose.config, byte, &mut scratch);
            read += 1;
            self.leap(scanner, &starts, step, hits);
        }
        scanner.put_scratch(scratch);
        read
    }

    /// Takes a simulated step.
    fn leap(&mut self, scanner: &Scanner, starts: &[u32], step: Step, hits: &mut Vec<Hit>) {
        let start_of = |source: u32| if source == BIRTH { self.position } else { starts[source as usize] };
        hits.extend(step.events.iter().map(|event| self.hit(event, start_of(event.source), self.position + 1)));
        let starts = step.sources.iter().map(|&source| start_of(source)).collect();
        self.position += 1;
        self.arrive(scanner, step.config, starts);
    }

    /// Goes to a configuration, in the table if it is there.
    fn arrive(&mut self, scanner: &Scanner, config: Config, starts: Vec<u32>) {
        self.outline = Outline::of(&config, &scanner.simulator);
        match scanner.table.row_if_known(&config) {
            Some(row) => self.enter(row, &starts),
            None => self.loose = Some(Box::new(Loose { config: Arc::new(config), starts })),
        }
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
            let lag = self.position - start;
            // A thread may come under a limit on the way: its block opens.
            let limits = group.iter().flat_map(|&state| scanner.limits_of_rule(state)).flatten();
            room = limits.map(|len| len.saturating_sub(lag).max(1)).fold(room, u32::min);
        }
        room as usize
    }

    #[inline]
    fn lag(&self) -> u32 {
        match &self.loose {
            None if self.outline.groups() == 0 => 0,
            None => self.position - self.start_of(1),
            Some(loose) => loose.starts.first().map_or(0, |&start| self.position - start),
        }
    }

    /// The configuration and its groups' starts, wherever the cursor is.
    fn live(&self, scanner: &Scanner) -> (Arc<Config>, Vec<u32>) {
        match &self.loose {
            None => {
                let config = scanner.table.config(self.row);
                let groups = config.group_count() as u32;
                (config, (1..=groups).map(|group| self.start_of(group)).collect())
            }
            Some(loose) => (loose.config.clone(), loose.starts.clone()),
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
            let len = scanner.simulator.rules[rule as usize].block_len.unwrap_or(MAX_LIMIT);
            let step = scanner.simulator.close_blocks(&config, rule, |group| self.position - starts[group] >= len);
            let starts = step.sources.iter().map(|&source| starts[source as usize]).collect();
            self.arrive(scanner, step.config, starts);
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
        self.enter(Table::START, &[]);
        self.outline = Outline::EMPTY;
    }

    /// Keeps positions small: a channel may be longer than 32 bits count.
    #[cold]
    fn rebase(&mut self) {
        let shift = self.position - MAX_LIMIT;
        // Only threads that hold nothing can be older than the longest limit; their starts may become younger.
        let starts = match &mut self.loose {
            None => &mut self.ring[..],
            Some(loose) => &mut loose.starts[..],
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

    /// Every limit that a thread of the state's rule can come under.
    fn limits_of_rule(&self, state: u32) -> [Option<u32>; 2] {
        let rule = &self.simulator.rules[self.rule_of(state) as usize];
        [rule.overflow, rule.block_len]
    }

    fn holds(&self, state: u32) -> bool {
        self.simulator.rules[self.rule_of(state) as usize].role == Role::Cover
    }

    fn needs_text(&self, state: u32) -> bool {
        let rule = &self.simulator.rules[self.rule_of(state) as usize];
        rule.needs_text() && self.simulator.nfa.states[state as usize].phase != Phase::Swallow
    }
}

#[cfg(test)]
mod tests;
