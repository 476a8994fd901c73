//! The automaton that all rules of a scope share, before it is made deterministic.
//!
//! Epsilon moves are folded into closures, so that what remains either reads a byte or waits for a look-around. A
//! rule's part comes from [`flatten`](super::flatten).

use super::chars::CharSet;
use super::look::{Before, Byte};
use regex_syntax::hir::Look;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// A state that reads a byte or waits for a look-around.
pub(super) type StateId = u32;

/// Where a thread stands in its pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// In the left context: holds nothing.
    Before,
    /// In the span.
    Inside,
    /// Past the span, this many bytes of right context read.
    After(u8),
    /// In a block whose opening has matched: everything since its start is covered.
    Swallow,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Reads a byte of one of these ranges, sorted and disjoint: so many of the automaton's edges, from the first on.
    Bytes { first: u32, count: u16 },
    /// Reads the next byte of a character of a set, being at this place of it, and goes on there when the character is
    /// complete. The states of all the set's places lie side by side.
    Char { set: u32, place: u16, to: ClosureId },
    /// Goes on where the look-around holds.
    Look(Look, ClosureId),
}

/// Where a byte leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Next {
    Closure(ClosureId),
    /// On in the same character.
    State(StateId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) start: u8,
    pub(super) end: u8,
    pub(super) to: ClosureId,
}

/// There may be a million: a list of words has a state for each byte of each spelling.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) kind: Kind,
    pub(super) rule: u32,
    pub(super) phase: Phase,
    pub(super) threads: Threads,
}

/// What becomes of threads that come to the same state from different starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    /// The oldest is kept.
    Oldest,
    /// Each is kept, until the rule has too many starts: then they go on in the state that `merged` names.
    Each { merged: StateId },
    /// The oldest is kept of those that were told apart before.
    Merged,
}

/// What can be reached without reading a byte or passing a look-around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClosureId(pub(super) u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    State(StateId),
    /// The rule matches; its span ended this many bytes ago.
    Match(u8),
}

/// The flattened NFA of a set of rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Nfa {
    pub(super) states: Vec<State>,
    alive: Vec<Alive>,
    pub(super) edges: Vec<Edge>,
    pub(super) items: Vec<Item>,
    pub(super) closures: Vec<Range<usize>>,
    /// The sets of characters that states read.
    pub(super) sets: Vec<Arc<CharSet>>,
    /// Where each rule begins.
    pub(super) starts: Vec<ClosureId>,
}

impl Nfa {
    pub(super) fn closure(&self, id: ClosureId) -> &[Item] {
        &self.items[self.closures[id.0 as usize].clone()]
    }

    /// Where a state that reads goes on `byte`.
    pub(super) fn follow(&self, id: StateId, byte: u8) -> Option<Next> {
        match self.states[id as usize].kind {
            Kind::Bytes { first, count } => {
                let edges = self.edges_of(first, count);
                let at = edges.partition_point(|edge| edge.end < byte);
                edges.get(at).filter(|edge| edge.start <= byte).map(|edge| Next::Closure(edge.to))
            }
            Kind::Char { set, place, to } => {
                self.sets[set as usize].follow(place, byte).map(|step| Nfa::next(id, place, to, step.to))
            }
            Kind::Look(..) => None,
        }
    }

    fn edges_of(&self, first: u32, count: u16) -> &[Edge] {
        &self.edges[first as usize..][..usize::from(count)]
    }

    /// The bytes that a state reads, and where they lead.
    pub(super) fn edges(&self, id: StateId) -> impl Iterator<Item = (RangeInclusive<u8>, Next)> {
        let (edges, chars) = match self.states[id as usize].kind {
            Kind::Bytes { first, count } => (self.edges_of(first, count), None),
            Kind::Char { set, place, to } => {
                let moves = self.sets[set as usize].moves(place).iter();
                (&[][..], Some(moves.map(move |step| (step.start..=step.end, Nfa::next(id, place, to, step.to)))))
            }
            Kind::Look(..) => (&[][..], None),
        };
        let edges = edges.iter().map(|edge| (edge.start..=edge.end, Next::Closure(edge.to)));
        edges.chain(chars.into_iter().flatten())
    }

    fn next(id: StateId, place: u16, to: ClosureId, next: Option<u16>) -> Next {
        match next {
            Some(next) => Next::State(id - StateId::from(place) + StateId::from(next)),
            None => Next::Closure(to),
        }
    }

    /// What is reached there.
    pub(super) fn reached(&self, next: Next) -> impl Iterator<Item = Item> {
        let (one, closure) = match next {
            Next::State(state) => (Some(Item::State(state)), &[][..]),
            Next::Closure(id) => (None, self.closure(id)),
        };
        one.into_iter().chain(closure.iter().copied())
    }

    pub(super) fn uses_looks(&self) -> bool {
        self.states.iter().any(|state| matches!(state.kind, Kind::Look(..)))
    }

    /// Takes in the automaton of one rule, under the number `rule`.
    pub(super) fn join(&mut self, other: &Nfa, rule: u32) {
        let (states, edges, sets) = (self.states.len() as StateId, self.edges.len() as u32, self.sets.len() as u32);
        let (items, closures) = (self.items.len(), self.closures.len() as u32);
        let moved = |id: ClosureId| ClosureId(id.0 + closures);
        self.edges.extend(other.edges.iter().map(|edge| Edge { to: moved(edge.to), ..*edge }));
        self.sets.extend_from_slice(&other.sets);
        self.alive.extend_from_slice(&other.alive);
        self.states.extend(other.states.iter().map(|state| State {
            kind: match state.kind {
                Kind::Bytes { first, count } => Kind::Bytes { first: first + edges, count },
                Kind::Char { set, place, to } => Kind::Char { set: set + sets, place, to: moved(to) },
                Kind::Look(look, to) => Kind::Look(look, moved(to)),
            },
            threads: match state.threads {
                Threads::Each { merged } => Threads::Each { merged: merged + states },
                other => other,
            },
            rule,
            phase: state.phase,
        }));
        self.items.extend(other.items.iter().map(|item| match *item {
            Item::State(state) => Item::State(state + states),
            matched => matched,
        }));
        self.closures.extend(other.closures.iter().map(|range| range.start + items..range.end + items));
        self.starts.extend(other.starts.iter().map(|&start| moved(start)));
    }

    /// Adds all states of the only rule once more, for when the rule's starts are merged.
    pub(super) fn add_merged(&mut self) {
        let apart = self.states.len();
        self.join(&self.clone(), 0);
        for id in 0..apart {
            self.states[id].threads = Threads::Each { merged: (id + apart) as StateId };
            self.states[id + apart].threads = Threads::Merged;
        }
    }
}

/// How a state can lead to a match: a bit for each kind of next byte, by the kind of byte before.
pub(super) type Alive = [u8; Before::COUNT];

impl Nfa {
    /// Whether a thread in `state`, `before` being the byte just read, can still match.
    pub(super) fn is_alive(&self, state: StateId, before: Before) -> bool {
        self.alive[state as usize][before as usize] != 0
    }

    /// Finds out which states can lead to a match. Without it no byte would leak, but a thread that can only die would
    /// hold bytes back.
    pub(super) fn find_alive(&mut self) {
        self.alive = vec![[0; Before::COUNT]; self.states.len()];
        // Thompson states mostly lead to later ones and those of a graph to earlier ones, so going both ways converges
        // in a few rounds.
        loop {
            let mut changed = false;
            for id in (0..self.states.len()).rev().chain(0..self.states.len()) {
                let next = self.recompute(id);
                changed |= next != self.alive[id];
                self.alive[id] = next;
            }
            if !changed {
                return;
            }
        }
    }

    fn recompute(&self, id: usize) -> Alive {
        let mut alive = [0; Before::COUNT];
        match &self.states[id].kind {
            Kind::Bytes { .. } | Kind::Char { .. } => {
                for (bytes, next) in self.edges(id as StateId) {
                    let kinds = Byte::kinds_in(*bytes.start(), *bytes.end());
                    for byte in [Byte::Word, Byte::LineFeed, Byte::Other] {
                        let leads_on = kinds & byte.bit() != 0
                            && self.reached(next).any(|item| match item {
                                Item::Match(_) => true,
                                Item::State(next) => self.is_alive(next, byte.as_before()),
                            });
                        if leads_on {
                            alive.iter_mut().for_each(|bits| *bits |= byte.bit());
                        }
                    }
                }
            }
            Kind::Look(look, to) => {
                for before in Before::ALL {
                    for byte in Byte::ALL.into_iter().filter(|&byte| before.allows(*look, byte)) {
                        let leads_on = self.closure(*to).iter().any(|item| match item {
                            Item::Match(_) => true,
                            Item::State(next) => self.alive[*next as usize][before as usize] & byte.bit() != 0,
                        });
                        if leads_on {
                            alive[before as usize] |= byte.bit();
                        }
                    }
                }
            }
        }
        alive
    }
}
