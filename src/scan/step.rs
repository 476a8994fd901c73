//! One step of the start-tracking automaton, by simulation.
//!
//! A [`Config`] is what the deterministic automaton calls a state: the live NFA states, grouped by where
//! their match began, earliest first. The starts themselves are not part of it; each stream keeps its own.
//! [`Simulator::step`] is the definition of the automaton. The table only remembers its answers, so a stream
//! may leave the table at any byte and go on here.

use super::look::{Before, Byte};
use super::nfa::{Item, Kind, Nfa, Phase, State, StateId, Threads};
use super::table::MAX_GROUPS;
use super::{HitKind, RuleTraits};
use crate::rule::Mode;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

/// The most starts of a rule that are told apart. No rule for a number, an address or a key comes near it in what such
/// rules are for, and a table's rows hold as many.
const MAX_STARTS: usize = MAX_GROUPS;

/// The source of a group whose threads begin with the byte just read.
pub(super) const BIRTH: u32 = u32::MAX;

/// Live states: groups ordered by start, then the threads that are still in their left context.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Config {
    /// What was read last, the number of groups, each group's length and states, the unopened states.
    words: Box<[u32]>,
}

impl Config {
    fn of(before: Before, groups: &[Vec<StateId>], unopened: &[StateId]) -> Config {
        let mut words = vec![before as u32, groups.len() as u32];
        for group in groups {
            words.push(group.len() as u32);
            words.extend(group);
        }
        words.extend(unopened);
        Config { words: words.into_boxed_slice() }
    }

    pub(super) fn start() -> Config {
        Config::of(Before::Start, &[], &[])
    }

    pub(super) fn before(&self) -> Before {
        Before::ALL[self.words[0] as usize]
    }

    pub(super) fn group_count(&self) -> usize {
        self.words[1] as usize
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &[StateId]> {
        let mut rest = &self.words[2..];
        (0..self.group_count()).map(move |_| {
            let (group, after) = rest[1..].split_at(rest[0] as usize);
            rest = after;
            group
        })
    }

    /// Every live state.
    pub(super) fn states(&self) -> impl Iterator<Item = StateId> {
        self.groups().flatten().chain(self.unopened()).copied()
    }

    /// Words of memory it takes.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    fn unopened(&self) -> &[StateId] {
        let grouped: usize = self.groups().map(|group| group.len() + 1).sum();
        &self.words[2 + grouped..]
    }
}

/// A rule's match came to light in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: HitKind,
    pub(super) rule: u32,
    /// The group it began in, by its place before the step, or [`BIRTH`].
    pub(super) source: u32,
    /// Its span ended this many bytes before the end of the step.
    pub(super) back: u32,
}

/// What a step leads to.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) config: Config,
    /// Where each group of `config` was before the step, or [`BIRTH`].
    pub(super) sources: Vec<u32>,
    pub(super) events: Vec<Event>,
}

#[derive(Debug)]
pub(super) struct Simulator {
    pub(super) nfa: Nfa,
    /// By the number that the states name their rule with.
    pub(super) rules: Arc<[RuleTraits]>,
    /// What begins at a byte, by what came before it and the byte itself; most bytes are asked for again.
    births: Vec<OnceLock<Box<Births>>>,
    uses_looks: bool,
}

/// What the rules' starts lead to on one byte.
#[derive(Debug, Default)]
struct Births {
    opened: Vec<StateId>,
    unopened: Vec<StateId>,
    events: Vec<Event>,
}

/// Memory that steps use again.
#[derive(Debug)]
pub(super) struct Scratch {
    /// The last mark each state was seen under.
    seen: Vec<u64>,
    /// Marks at and above `step_mark` belong to the current step; `mark` to the current group.
    step_mark: u64,
    mark: u64,
    looks: Vec<StateId>,
    opened: Vec<StateId>,
    unopened: Vec<StateId>,
    events: Vec<Event>,
}

impl Simulator {
    pub(super) fn new(nfa: Nfa, rules: Arc<[RuleTraits]>) -> Simulator {
        let births = std::iter::repeat_with(OnceLock::new).take(Before::COUNT * 256).collect();
        let uses_looks = nfa.uses_looks();
        Simulator { nfa, rules, births, uses_looks }
    }

    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            seen: vec![0; self.nfa.states.len()],
            step_mark: 0,
            mark: 0,
            looks: Vec::new(),
            opened: Vec::new(),
            unopened: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Reads `byte` in `config`.
    pub(super) fn step(&self, config: &Config, byte: u8, scratch: &mut Scratch) -> Step {
        let step = self.step_without(config, byte, scratch, &[]);
        let fired: Vec<u32> = step
            .events
            .iter()
            .map(|event| event.rule)
            .filter(|&rule| self.rules[rule as usize].mode == Mode::Shortest)
            .collect();
        if fired.is_empty() {
            return step;
        }
        // The threads of a rule that fired must die before threads are merged: a merged one would be lost with them.
        Step { events: step.events, ..self.step_without(config, byte, scratch, &fired) }
    }

    fn step_without(&self, config: &Config, byte: u8, scratch: &mut Scratch, dead: &[u32]) -> Step {
        let kind = Byte::of(byte);
        let births = self.births(config.before(), byte, scratch);
        scratch.begin();
        let mut groups = Vec::new();
        let mut sources = Vec::new();
        for (source, group) in config.groups().enumerate() {
            scratch.begin_group();
            for &state in group {
                self.read(state, config.before(), byte, kind, source as u32, scratch);
            }
            self.close_group(source as u32, scratch, dead, &mut groups, &mut sources);
        }

        scratch.begin_group();
        let unopened = config.unopened();
        for &state in unopened {
            self.read(state, config.before(), byte, kind, BIRTH, scratch);
        }
        let still_unopened = std::mem::take(&mut scratch.unopened);
        scratch.events.extend_from_slice(&births.events);
        for &state in &births.opened {
            self.enter(state, scratch);
        }
        self.close_group(BIRTH, scratch, dead, &mut groups, &mut sources);
        self.merge_starts(&mut groups, &mut sources);
        self.thin_blocks(&mut groups, &mut sources);

        // Threads that are still unopened come last, so that one already begun wins over one yet to begin.
        scratch.begin_group();
        for &state in still_unopened.iter().chain(&births.unopened) {
            self.enter(state, scratch);
        }
        scratch.opened.sort_unstable();
        let before = if self.uses_looks { Before::of(byte) } else { Before::Other };
        let config = Config::of(before, &groups, &scratch.opened);
        scratch.opened.clear();
        Step { config, sources, events: std::mem::take(&mut scratch.events) }
    }

    fn close_group(
        &self,
        source: u32,
        scratch: &mut Scratch,
        dead: &[u32],
        groups: &mut Vec<Vec<StateId>>,
        sources: &mut Vec<u32>,
    ) {
        scratch.opened.retain(|&state| !dead.contains(&self.nfa.states[state as usize].rule));
        if !scratch.opened.is_empty() {
            scratch.opened.sort_unstable();
            groups.push(scratch.opened.clone());
            sources.push(source);
        }
        scratch.opened.clear();
    }

    /// A rule whose starts are all told apart goes on with the oldest of each state once there are too many: work and
    /// memory stay bounded, and what they match then is not put to validators.
    fn merge_starts(&self, groups: &mut Vec<Vec<StateId>>, sources: &mut Vec<u32>) {
        if groups.len() <= MAX_STARTS {
            return;
        }
        let mut starts: HashMap<u32, (usize, usize)> = HashMap::new();
        for (group, states) in (1..).zip(groups.iter()) {
            for state in states.iter().map(|&state| &self.nfa.states[state as usize]) {
                if matches!(state.threads, Threads::Each { .. }) {
                    let (count, last) = starts.entry(state.rule).or_default();
                    *count += usize::from(*last != group);
                    *last = group;
                }
            }
        }
        starts.retain(|_, (count, _)| *count > MAX_STARTS);
        if starts.is_empty() {
            return;
        }
        let mut older = HashSet::new();
        for group in groups.iter_mut() {
            group.retain_mut(|state| {
                let State { rule, threads, .. } = self.nfa.states[*state as usize];
                match threads {
                    Threads::Each { merged } if starts.contains_key(&rule) => *state = merged,
                    Threads::Merged => {}
                    Threads::Each { .. } | Threads::Oldest => return true,
                }
                older.insert(*state)
            });
            group.sort_unstable();
        }
        let mut kept = groups.iter().map(|group| !group.is_empty());
        sources.retain(|_| kept.next().expect("a source for each group"));
        groups.retain(|group| !group.is_empty());
    }

    /// Of a block that opens again and again the oldest opening says where it began and the youngest where it must
    /// end at the latest. Those between say nothing, and could be many.
    fn thin_blocks(&self, groups: &mut Vec<Vec<StateId>>, sources: &mut Vec<u32>) {
        let is_block = |state: StateId| self.rules[self.nfa.states[state as usize].rule as usize].block_len.is_some();
        for middle in (1..groups.len().saturating_sub(1)).rev() {
            let (older, rest) = groups.split_at_mut(middle);
            let (group, younger) = rest.split_first_mut().expect("the middle is not the end");
            let is_between = |state: &StateId| {
                let stands_in = |group: &Vec<StateId>| group.binary_search(state).is_ok();
                is_block(*state) && older.iter().any(stands_in) && younger.iter().any(stands_in)
            };
            group.retain(|state| !is_between(state));
            if group.is_empty() {
                groups.remove(middle);
                sources.remove(middle);
            }
        }
    }

    /// Follows one state over `byte`, through the look-arounds that hold before it.
    fn read(&self, state: StateId, before: Before, byte: u8, kind: Byte, source: u32, scratch: &mut Scratch) {
        let State { rule, phase, threads, .. } = self.nfa.states[state as usize];
        let matched = |back| Event { kind: threads.hit_kind(), rule, source, back };
        match &self.nfa.states[state as usize].kind {
            Kind::Bytes { .. } | Kind::Char { .. } => {
                let Some(next) = self.nfa.follow(state, byte) else { return };
                for item in self.nfa.reached(next) {
                    match item {
                        Item::Match(back) => scratch.events.push(matched(back.into())),
                        Item::State(next) if !self.nfa.is_alive(next, kind.as_before()) => {}
                        Item::State(next) if phase == Phase::Before => scratch.unopened.push(next),
                        Item::State(next) => self.enter(next, scratch),
                    }
                }
            }
            Kind::Look(look, to) => {
                if !before.allows(*look, kind) || scratch.looks.contains(&state) {
                    return;
                }
                // Look-arounds can stand in a loop; each is passed once for a byte and group.
                scratch.looks.push(state);
                for item in self.nfa.closure(*to) {
                    match *item {
                        Item::Match(back) => scratch.events.push(matched(u32::from(back) + 1)),
                        Item::State(next) => self.read(next, before, byte, kind, source, scratch),
                    }
                }
            }
        }
    }

    /// Takes `state` into the current group, unless an older group has it already.
    fn enter(&self, state: StateId, scratch: &mut Scratch) {
        let State { rule, threads, .. } = self.nfa.states[state as usize];
        let in_older = |state: StateId| scratch.seen[state as usize] >= scratch.step_mark;
        let in_this = scratch.seen[state as usize] == scratch.mark;
        let known = match threads {
            Threads::Oldest if self.rules[rule as usize].block_len.is_some() => in_this,
            Threads::Oldest | Threads::Merged => in_older(state),
            // What a merged thread matches from here covers all that this one could.
            Threads::Each { merged } => in_this || in_older(merged),
        };
        if !known {
            scratch.seen[state as usize] = scratch.mark;
            scratch.opened.push(state);
        }
    }

    fn births(&self, before: Before, byte: u8, scratch: &mut Scratch) -> &Births {
        self.births[before as usize * 256 + usize::from(byte)].get_or_init(|| {
            scratch.begin();
            scratch.begin_group();
            for &start in &self.nfa.starts {
                for item in self.nfa.closure(start) {
                    // A rule cannot match the empty text, so its start is no match.
                    if let Item::State(state) = *item {
                        self.read(state, before, byte, Byte::of(byte), BIRTH, scratch);
                    }
                }
            }
            Box::new(Births {
                opened: std::mem::take(&mut scratch.opened),
                unopened: std::mem::take(&mut scratch.unopened),
                events: std::mem::take(&mut scratch.events),
            })
        })
    }

    /// The matches that the end of the text confirms.
    pub(super) fn end(&self, config: &Config, scratch: &mut Scratch) -> Vec<Event> {
        scratch.begin();
        for (source, group) in config.groups().enumerate() {
            scratch.begin_group();
            for &state in group {
                self.look_at_end(state, config.before(), source as u32, scratch);
            }
        }
        std::mem::take(&mut scratch.events)
    }

    fn look_at_end(&self, state: StateId, before: Before, source: u32, scratch: &mut Scratch) {
        let State { rule, threads, .. } = self.nfa.states[state as usize];
        let Kind::Look(look, to) = &self.nfa.states[state as usize].kind else { return };
        if !before.allows(*look, Byte::End) || scratch.looks.contains(&state) {
            return;
        }
        scratch.looks.push(state);
        for item in self.nfa.closure(*to) {
            match *item {
                Item::Match(back) => {
                    scratch.events.push(Event { kind: threads.hit_kind(), rule, source, back: back.into() });
                }
                Item::State(next) => self.look_at_end(next, before, source, scratch),
            }
        }
    }

    /// The same configuration after the blocks of `rule` that began in some groups have reached their longest.
    /// Openings that are still being read live on: what they open would leak.
    pub(super) fn close_blocks(&self, config: &Config, rule: u32, is_over: impl Fn(usize) -> bool) -> Step {
        let mut groups = Vec::new();
        let mut sources = Vec::new();
        for (source, group) in config.groups().enumerate() {
            let in_block = |state: StateId| {
                let state = &self.nfa.states[state as usize];
                is_over(source) && state.rule == rule && state.phase == Phase::Swallow
            };
            let rest: Vec<_> = group.iter().copied().filter(|&state| !in_block(state)).collect();
            if !rest.is_empty() {
                groups.push(rest);
                sources.push(source as u32);
            }
        }
        let config = Config::of(config.before(), &groups, config.unopened());
        Step { config, sources, events: Vec::new() }
    }
}

impl Threads {
    /// What it is when one of them matches.
    fn hit_kind(self) -> HitKind {
        if self == Threads::Merged { HitKind::Merged } else { HitKind::Match }
    }
}

impl Scratch {
    fn begin(&mut self) {
        self.mark += 1;
        self.step_mark = self.mark;
        self.looks.clear();
    }

    fn begin_group(&mut self) {
        self.mark += 1;
        self.looks.clear();
    }
}
