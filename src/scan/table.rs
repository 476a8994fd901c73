//! The remembered steps: a table that all streams of a policy fill and read together.
//!
//! It only grows, and a row once published never changes, so a stream may take its place in it along to
//! another thread. An entry is read with one relaxed load: a reader that is behind sees `UNKNOWN` and asks
//! under the lock.

use super::Role;
use super::append::Append;
use super::classes::Classes;
use super::nfa::{Phase, StateId};
use super::step::{BIRTH, Config, Event, Scratch, Simulator, Step};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Groups that fit a stream's ring of starts; one place in it is a dummy.
pub(super) const MAX_GROUPS: usize = 63;
const MAX_DROP: u32 = 7;
/// Entries that a row offset of 22 bits can name.
const MAX_ENTRIES: usize = 1 << 22;

/// An entry of the table: how a byte moves a stream from one row to the next.
///
/// Fast (bit 0 set): `row << 10 | birth << 4 | drop << 1 | 1`. The oldest `drop` groups died, the others stay,
/// and the byte itself is the start of group `birth` (0: of none).
/// Slow: `(number of the operation + 1) << 1`. Unknown: 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u32);

impl Entry {
    pub(super) const UNKNOWN: Entry = Entry(0);

    fn fast(row: u32, birth: u32, drop: u32) -> Entry {
        Entry(row << 10 | birth << 4 | drop << 1 | 1)
    }

    fn slow(operation: usize) -> Entry {
        Entry((operation as u32 + 1) << 1)
    }

    pub(super) fn is_fast(self) -> bool {
        self.0 & 1 == 1
    }

    pub(super) fn row(self) -> u32 {
        self.0 >> 10
    }

    pub(super) fn birth(self) -> u32 {
        self.0 >> 4 & 63
    }

    pub(super) fn drop(self) -> u32 {
        self.0 >> 1 & 7
    }
}

/// A step that does more than move the ring.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) row: u32,
    pub(super) sources: Box<[u32]>,
    pub(super) events: Box<[Event]>,
}

/// What a stream asks of its configuration after each push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outline(u32);

impl Outline {
    const KNOWN: u32 = 1 << 31;
    const SWALLOWS: u32 = 1 << 30;
    const LIVE: u32 = 1 << 29;

    pub(super) fn of(config: &Config, simulator: &Simulator) -> Outline {
        let first = |wanted: &dyn Fn(StateId) -> bool| {
            config.groups().position(|group| group.iter().any(|&state| wanted(state))).map_or(0, |at| at as u32 + 1)
        };
        let swallows = |state: StateId| simulator.nfa.states[state as usize].phase == Phase::Swallow;
        let rule = |state: StateId| &simulator.rules[simulator.nfa.states[state as usize].rule as usize];
        let hold = first(&|state| rule(state).role == Role::Cover);
        let keep = first(&|state| !swallows(state) && rule(state).needs_text());
        let groups = config.group_count().min(usize::from(u8::MAX)) as u32;
        let swallowing = if first(&swallows) > 0 { Outline::SWALLOWS } else { 0 };
        let live = if config.states().next().is_some() { Outline::LIVE } else { 0 };
        // Groups beyond a byte's worth only live outside of the table, where they are looked up anew.
        Outline(Outline::KNOWN | swallowing | live | groups << 16 | keep.min(255) << 8 | hold.min(255))
    }

    pub(super) fn groups(self) -> u32 {
        self.0 >> 16 & 0xff
    }

    /// The first group that holds bytes back, counted from 1; 0 if none does.
    pub(super) fn hold(self) -> u32 {
        self.0 & 0xff
    }

    /// The first group whose text is still needed, counted from 1; 0 if none is.
    pub(super) fn keep(self) -> u32 {
        self.0 >> 8 & 0xff
    }

    /// Whether any thread is live, be it in its left context.
    pub(super) fn is_live(self) -> bool {
        self.0 & Outline::LIVE != 0
    }

    /// Whether a block is open.
    pub(super) fn swallows(self) -> bool {
        self.0 & Outline::SWALLOWS != 0
    }
}

/// The part of a table that a loop over bytes keeps in registers.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    entries: &'a [AtomicU32],
    classes: &'a [u8; 256],
}

impl Reader<'_> {
    pub(super) fn entry(self, row: u32, byte: u8) -> Entry {
        Entry(self.entries[row as usize + usize::from(self.classes[usize::from(byte)])].load(Ordering::Relaxed))
    }
}

/// The table, its rows' configurations, and the lock under which it grows.
#[derive(Debug)]
pub(super) struct Table {
    entries: Box<[AtomicU32]>,
    pub(super) classes: Classes,
    /// Entries of a row; the last one is its outline.
    stride: usize,
    configs: Append<Arc<Config>>,
    operations: Append<Operation>,
    rows: RwLock<HashMap<Arc<Config>, u32>>,
    builder: Mutex<Builder>,
    /// Set once no row can be added: streams then step by simulation where the table ends.
    full: AtomicBool,
    max_states: usize,
}

#[derive(Debug)]
struct Builder {
    scratch: Scratch,
    rows: usize,
    operations: usize,
    config_words: usize,
}

impl Table {
    pub(super) fn new(simulator: &Simulator, max_states: usize) -> Table {
        let classes = Classes::of(&simulator.nfa);
        let stride = (classes.count + 1).next_power_of_two();
        let max_states = max_states.clamp(1, MAX_ENTRIES / stride);
        let table = Table {
            entries: std::iter::repeat_with(|| AtomicU32::new(0)).take(max_states * stride).collect(),
            classes,
            stride,
            configs: Append::new(),
            operations: Append::new(),
            rows: RwLock::default(),
            builder: Mutex::new(Builder { scratch: simulator.scratch(), rows: 0, operations: 0, config_words: 0 }),
            full: AtomicBool::new(false),
            max_states,
        };
        table.row_of(&mut table.lock(), Config::start(), simulator);
        table
    }

    /// The row of a text's beginning.
    pub(super) const START: u32 = 0;

    pub(super) fn entry(&self, row: u32, byte: u8) -> Entry {
        self.reader().entry(row, byte)
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { entries: &self.entries, classes: &self.classes.of }
    }

    #[inline]
    pub(super) fn outline(&self, row: u32, simulator: &Simulator) -> Outline {
        match self.entries[row as usize + self.stride - 1].load(Ordering::Relaxed) {
            // Published by another thread, and not seen by this one yet.
            0 => Outline::of(&self.config(row), simulator),
            outline => Outline(outline),
        }
    }

    /// The operation of a slow entry; `None` where the step is not known yet, or not to this thread.
    pub(super) fn operation(&self, entry: Entry) -> Option<&Operation> {
        if entry == Entry::UNKNOWN { None } else { self.operations.at((entry.0 >> 1) as usize - 1) }
    }

    pub(super) fn config(&self, row: u32) -> Arc<Config> {
        let index = row as usize / self.stride;
        match self.configs.at(index) {
            Some(config) => config.clone(),
            None => {
                // Another thread published the row but not yet to us: its lock makes it seen.
                drop(self.lock());
                self.configs.at(index).expect("a row has its configuration before it is named anywhere").clone()
            }
        }
    }

    pub(super) fn row_if_known(&self, config: &Config) -> Option<u32> {
        if config.group_count() > MAX_GROUPS {
            return None;
        }
        self.rows.read().unwrap_or_else(PoisonError::into_inner).get(config).copied()
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(super) fn states(&self) -> usize {
        self.lock().rows
    }

    /// Works out a step and remembers it if there is room.
    pub(super) fn explore(&self, row: u32, byte: u8, simulator: &Simulator) -> Result<Entry, Step> {
        let config = self.config(row);
        let mut builder = self.lock();
        let at = row as usize + usize::from(self.classes.of[usize::from(byte)]);
        let known = Entry(self.entries[at].load(Ordering::Relaxed));
        if known != Entry::UNKNOWN {
            return Ok(known);
        }
        let step = simulator.step(&config, byte, &mut builder.scratch);
        let Some(next) = self.row_of(&mut builder, step.config.clone(), simulator) else {
            return Err(step);
        };
        let entry = match fast_entry(next, &step) {
            Some(entry) => entry,
            None => {
                let number = builder.operations;
                builder.operations += 1;
                let operation = Operation { row: next, sources: step.sources.into(), events: step.events.into() };
                self.operations.put(number, operation);
                Entry::slow(number)
            }
        };
        self.entries[at].store(entry.0, Ordering::Release);
        Ok(entry)
    }

    /// The row of a configuration, a new one if need be and there is room.
    fn row_of(&self, builder: &mut Builder, config: Config, simulator: &Simulator) -> Option<u32> {
        if let Some(row) = self.row_if_known(&config) {
            return Some(row);
        }
        if config.group_count() > MAX_GROUPS {
            return None;
        }
        let no_room = builder.rows == self.max_states
            || builder.operations > self.max_states * OPERATIONS_PER_STATE
            || builder.config_words > MAX_CONFIG_WORDS;
        if no_room {
            self.full.store(true, Ordering::Relaxed);
            return None;
        }
        let index = builder.rows;
        builder.rows += 1;
        builder.config_words += config.len();
        let row = (index * self.stride) as u32;
        let outline = Outline::of(&config, simulator);
        let config = Arc::new(config);
        self.configs.put(index, config.clone());
        self.entries[row as usize + self.stride - 1].store(outline.0, Ordering::Release);
        self.rows.write().unwrap_or_else(PoisonError::into_inner).insert(config, row);
        Some(row)
    }

    fn lock(&self) -> MutexGuard<'_, Builder> {
        // A panic while exploring leaves nothing half published: entries are stored last.
        self.builder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Operations are larger than rows; a table of mostly operations would be all memory and no speed.
const OPERATIONS_PER_STATE: usize = 8;
/// 32 MiB of configurations: a few hundred rules stay well below 4 MiB.
const MAX_CONFIG_WORDS: usize = 8 << 20;

/// The step as a fast entry: no events, and the survivors are the younger groups in order, then the birth.
fn fast_entry(row: u32, step: &Step) -> Option<Entry> {
    if !step.events.is_empty() {
        return None;
    }
    let born = step.sources.last() == Some(&BIRTH);
    let survivors = &step.sources[..step.sources.len() - usize::from(born)];
    let drop = survivors.first().copied().unwrap_or(0);
    let contiguous = survivors.iter().zip(drop..).all(|(&source, expected)| source == expected);
    let birth = if born { step.sources.len() as u32 } else { 0 };
    (contiguous && drop <= MAX_DROP).then(|| Entry::fast(row, birth, drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_parts() {
        let entry = Entry::fast((1 << 22) - 1, 63, 7);
        assert!(entry.is_fast());
        assert_eq!((entry.row(), entry.birth(), entry.drop()), ((1 << 22) - 1, 63, 7));
        assert!(!Entry::slow(0).is_fast() && Entry::slow(0) != Entry::UNKNOWN);
    }
}
