//! From rules to an automaton, and a cursor that walks it: which spans match so far, and from which byte on
//! a continuation could still make a match.
//!
//! The automaton is a *start-tracking DFA*: its states are the live NFA states grouped by where their match
//! began. The offsets themselves stay with the stream, in a ring of starts, so the frontier is one load. It is
//! built lazily, by all streams of a policy together.
//!
//! ```text
//! rule::Lowered -> component::Component: an nfa::Nfa for each rule
//!                          |
//!                        layout: which rules share an automaton
//!                          |
//!                  shard::Shard: step::Simulator -> table::Table
//!                          |
//!                  cursor::Cursor: a place::Place in each shard, one a channel
//! ```
//!
//! Deliberately absent: text (the cursor keeps none), validators, actions. Look-alike folding is compiled into a
//! rule's pattern before it comes here.

mod append;
mod chars;
mod classes;
mod component;
mod cursor;
mod example;
mod flatten;
mod layout;
mod look;
mod nfa;
mod place;
mod shard;
mod step;
mod table;

pub(crate) use component::Component;
pub(crate) use cursor::{Cursor, Hit, HitKind};

use crate::rule::Mode;
use nfa::{Nfa, StateId};
use shard::Shard;
use std::sync::Arc;

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

/// The automata of a set of rules. Shared by every stream that the set applies to.
#[derive(Debug)]
pub(crate) struct Scanner {
    /// One to [`layout::MAX_SHARDS`], each with some of the rules.
    shards: Vec<Shard>,
    /// The lag below which no limit of any rule can be reached.
    shortest_limit: u32,
}

/// How large automata become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// The most states that all tables together keep; beyond it streams go on by simulation, slower and with the same
    /// result.
    pub(crate) max_states: usize,
    /// How many automata; by default as few as keep ordinary text in few states.
    pub(crate) shards: Option<usize>,
}

impl Scanner {
    /// Automata of these rules; a match names a rule by its place among them.
    pub(crate) fn new(rules: &[&Component], size: Size) -> Scanner {
        let traits: Arc<[RuleTraits]> = rules.iter().map(|rule| rule.traits()).collect();
        let shortest_limit =
            traits.iter().flat_map(|rule| [rule.overflow, rule.block_len]).flatten().min().unwrap_or(MAX_LIMIT);
        let layout = if rules.len() == 1 || size.shards == Some(1) {
            vec![(0..rules.len()).collect()]
        } else {
            layout::layout(&rules.iter().map(|rule| rule.trail()).collect::<Vec<_>>(), size.shards)
        };
        let max_states = size.max_states / layout.len();
        let shard = |numbers: &Vec<usize>| {
            let mut nfa = Nfa::default();
            numbers.iter().for_each(|&at| nfa.join(&rules[at].nfa, at as u32));
            Shard::new(nfa, traits.clone(), max_states)
        };
        Scanner { shards: layout.iter().map(shard).collect(), shortest_limit }
    }

    /// States of the deterministic automata built so far.
    pub(crate) fn states(&self) -> usize {
        self.shards.iter().map(|shard| shard.table.states()).sum()
    }

    /// How many automata there are.
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Builds the states that ordinary text needs, so that the first streams need not.
    pub(crate) fn warm_up(&self) {
        let mut cursor = Cursor::new(self);
        let mut hits = Vec::new();
        let mut rest = layout::SAMPLE.as_bytes();
        while !rest.is_empty() {
            rest = &rest[cursor.run(self, rest, &mut hits)..];
            hits.clear();
        }
    }
}

/// Starts are kept as 32-bit distances: no limit in bytes may be longer.
pub(crate) const MAX_LIMIT: u32 = 1 << 30;
