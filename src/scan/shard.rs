//! An automaton of some of a scope's rules.
//!
//! Rules that are long on their way multiply each other's states, so a scope may have its rules in several
//! automata: see [`layout`](super::layout). Rules keep their numbers in the scope.

use super::nfa::{Nfa, Phase, State, StateId};
use super::step::{Scratch, Simulator};
use super::table::Table;
use super::{Role, RuleTraits};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug)]
pub(super) struct Shard {
    pub(super) simulator: Simulator,
    pub(super) table: Table,
    /// For streams that step beyond the table.
    scratches: Mutex<Vec<Scratch>>,
}

/// Which limit a live state is under, in bytes.
pub(super) enum Limit {
    Block(u32),
    Overflow(u32),
}

impl Shard {
    pub(super) fn new(nfa: Nfa, rules: Arc<[RuleTraits]>, max_states: usize) -> Shard {
        let simulator = Simulator::new(nfa, rules);
        let table = Table::new(&simulator, max_states);
        Shard { simulator, table, scratches: Mutex::default() }
    }

    pub(super) fn take_scratch(&self) -> Scratch {
        let pooled = self.scratches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        pooled.unwrap_or_else(|| self.simulator.scratch())
    }

    pub(super) fn put_scratch(&self, scratch: Scratch) {
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }

    fn state(&self, id: StateId) -> &State {
        &self.simulator.nfa.states[id as usize]
    }

    fn traits(&self, id: StateId) -> &RuleTraits {
        &self.simulator.rules[self.rule_of(id) as usize]
    }

    pub(super) fn rule_of(&self, id: StateId) -> u32 {
        self.state(id).rule
    }

    pub(super) fn limit_of(&self, id: StateId) -> Option<Limit> {
        match self.state(id).phase {
            Phase::Swallow => self.traits(id).block_len.map(Limit::Block),
            _ => self.traits(id).overflow.map(Limit::Overflow),
        }
    }

    /// Every limit that a thread of the state's rule can come under.
    pub(super) fn limits_of_rule(&self, id: StateId) -> [Option<u32>; 2] {
        [self.traits(id).overflow, self.traits(id).block_len]
    }

    pub(super) fn holds(&self, id: StateId) -> bool {
        self.traits(id).role == Role::Cover
    }

    pub(super) fn needs_text(&self, id: StateId) -> bool {
        self.traits(id).needs_text() && !self.swallows(id)
    }

    pub(super) fn swallows(&self, id: StateId) -> bool {
        self.state(id).phase == Phase::Swallow
    }
}
