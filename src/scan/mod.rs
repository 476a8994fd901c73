//! From rules to an automaton, and a cursor that walks it: which spans match so far, and from which byte on
//! a continuation could still make a match.
//!
//! The automaton is a *start-tracking DFA*: its states are the live NFA states grouped by where their match
//! began. The offsets themselves stay with the stream, in a ring of starts, so the frontier is one load. It is
//! built lazily, by all streams of a policy together.
//!
//! ```text
//! rule::Lowered -> nfa::Nfa -> step::Simulator -> table::Table
//!                                   \               /
//!                                    cursor::Cursor          one a channel
//! ```
//!
//! Deliberately absent: text (the cursor keeps none), validators, actions. Two things have their place kept:
//! several automata a scope (shards) would be several cursors in [`hold`](crate::hold), whose frontier is a
//! minimum already; look-alike folding is compiled into a rule's pattern before it comes here.

mod append;
mod classes;
mod cursor;
mod example;
mod look;
mod nfa;
mod step;
mod table;

pub(crate) use cursor::{Cursor, Hit, HitKind};

use crate::rule::{Lowered, Mode};
use nfa::Nfa;
use std::sync::{Mutex, PoisonError};
use step::{Scratch, Simulator};
use table::Table;

/// Whether a rule's candidates hold bytes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// They do: no byte of a candidate leaves before it is decided.
    Cover,
    /// They do not: matches are only reported.
    Observe,
}

/// Which starts of a rule's matches are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Starts {
    /// Of threads in the same state the oldest is kept: enough to know what is covered.
    Earliest,
    /// All of them, as long as there are not too many: a validator may refuse the oldest.
    Every,
}

/// What the automaton must know of a rule beside its pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RuleTraits {
    pub(crate) role: Role,
    pub(crate) starts: Starts,
    pub(crate) mode: Mode,
    /// A candidate longer than this many bytes is reported as an overflow for as long as it lives.
    pub(crate) overflow: Option<u32>,
    /// The longest block in bytes, for a rule that is a block.
    pub(crate) block_len: Option<u32>,
}

impl RuleTraits {
    /// Whether the text of a candidate is asked for when it matches.
    fn needs_text(&self) -> bool {
        self.role == Role::Cover || self.starts == Starts::Every
    }
}

/// The automaton of a set of rules. Shared by every stream that the set applies to.
#[derive(Debug)]
pub(crate) struct Scanner {
    simulator: Simulator,
    table: Table,
    /// For streams that step beyond the table.
    scratches: Mutex<Vec<Scratch>>,
    /// The lag below which no limit of any rule can be reached.
    shortest_limit: u32,
}

impl Scanner {
    /// An automaton of these rules; a match names a rule by its place among them.
    ///
    /// `max_states` bounds the table's memory: beyond it streams go on by simulation, slower and with the same result.
    pub(crate) fn new(rules: &[(Lowered, RuleTraits)], max_states: usize) -> Result<Scanner, (usize, String)> {
        let mut nfa = Nfa::default();
        for (at, (lowered, traits)) in rules.iter().enumerate() {
            nfa.add(lowered, traits.starts).map_err(|reason| (at, reason))?;
        }
        let traits: Vec<RuleTraits> = rules.iter().map(|(_, traits)| *traits).collect();
        let shortest_limit =
            traits.iter().flat_map(|rule| [rule.overflow, rule.block_len]).flatten().min().unwrap_or(MAX_LIMIT);
        let simulator = Simulator::new(nfa, traits);
        let table = Table::new(&simulator, max_states);
        Ok(Scanner { simulator, table, scratches: Mutex::default(), shortest_limit })
    }

    /// States of the deterministic automaton built so far.
    pub(crate) fn states(&self) -> usize {
        self.table.states()
    }

    fn take_scratch(&self) -> Scratch {
        let pooled = self.scratches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        pooled.unwrap_or_else(|| self.simulator.scratch())
    }

    fn put_scratch(&self, scratch: Scratch) {
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}

/// Starts are kept as 32-bit distances: no limit in bytes may be longer.
pub(crate) const MAX_LIMIT: u32 = 1 << 30;
