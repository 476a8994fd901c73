//! The automaton that all rules of a scope share, before it is made deterministic.
//!
//! A Thompson NFA per rule, flattened: one state of ours is a state of the Thompson NFA together with the
//! *phase* its thread is in. Epsilon moves are folded into closures, so that what remains either reads a
//! byte or waits for a look-around.

use super::Starts;
use super::look::{Before, Byte};
use crate::rule::{Lowered, Shape};
use regex_automata::nfa::thompson;
use regex_syntax::hir::Look;
use std::collections::HashMap;
use std::ops::Range;

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

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Reads a byte of one of these ranges, sorted and disjoint.
    Bytes(Box<[Edge]>),
    /// Goes on where the look-around holds.
    Look(Look, ClosureId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) start: u8,
    pub(super) end: u8,
    pub(super) to: ClosureId,
}

#[derive(Clone, Debug)]
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
pub(super) struct ClosureId(u32);

impl ClosureId {
    pub(super) fn index(self) -> u32 {
        self.0
    }
}

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
    items: Vec<Item>,
    closures: Vec<Range<usize>>,
    /// Where each rule begins.
    pub(super) starts: Vec<ClosureId>,
}

impl Nfa {
    pub(super) fn closure(&self, id: ClosureId) -> &[Item] {
        &self.items[self.closures[id.0 as usize].clone()]
    }

    /// Where a state goes on `byte`.
    pub(super) fn follow(edges: &[Edge], byte: u8) -> Option<ClosureId> {
        let at = edges.partition_point(|edge| edge.end < byte);
        edges.get(at).filter(|edge| edge.start <= byte).map(|edge| edge.to)
    }

    pub(super) fn uses_looks(&self) -> bool {
        self.states.iter().any(|state| matches!(state.kind, Kind::Look(..)))
    }

    /// The automaton of one rule, whose number is 0.
    pub(super) fn of(lowered: &Lowered, starts: Starts) -> Result<Nfa, String> {
        let thompson = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(thompson::WhichCaptures::All)
                    .nfa_size_limit(Some(NFA_SIZE_LIMIT)),
            )
            .build_from_hir(&lowered.hir)
            .map_err(|error| error.to_string())?;
        let mut nfa = Nfa::default();
        let mut flatten = Flatten {
            thompson: &thompson,
            shape: lowered.shape,
            nfa: &mut nfa,
            states: HashMap::new(),
            closures: HashMap::new(),
            pending: Vec::new(),
        };
        let phase = match lowered.shape {
            Shape::Captured => Phase::Before,
            Shape::Whole | Shape::Block => Phase::Inside,
        };
        let start = flatten.closure((thompson.start_anchored(), phase));
        flatten.run();
        if starts == Starts::Every {
            nfa.add_merged();
        }
        nfa.starts.push(start);
        Ok(nfa)
    }

    /// Takes in the automaton of one rule, under the number `rule`.
    pub(super) fn join(&mut self, other: &Nfa, rule: u32) {
        let (states, items, closures) = (self.states.len() as StateId, self.items.len(), self.closures.len() as u32);
        let moved = |id: ClosureId| ClosureId(id.0 + closures);
        self.states.extend(other.states.iter().map(|state| State {
            kind: match &state.kind {
                Kind::Bytes(edges) => {
                    Kind::Bytes(edges.iter().map(|edge| Edge { to: moved(edge.to), ..*edge }).collect())
                }
                Kind::Look(look, to) => Kind::Look(*look, moved(*to)),
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

    /// Adds all states once more, for when the rule's starts are merged.
    fn add_merged(&mut self) {
        let apart = self.states.len();
        self.join(&self.clone(), 0);
        for id in 0..apart {
            self.states[id].threads = Threads::Each { merged: (id + apart) as StateId };
            self.states[id + apart].threads = Threads::Merged;
        }
    }
}

/// Of one rule's Thompson NFA. A rule near it is hundreds of times larger than a usual one and most likely
/// repeats a Unicode class a thousand times.
const NFA_SIZE_LIMIT: usize = 16 << 20;

type Key = (regex_automata::util::primitives::StateID, Phase);

struct Flatten<'a> {
    thompson: &'a thompson::NFA,
    shape: Shape,
    nfa: &'a mut Nfa,
    states: HashMap<Key, StateId>,
    closures: HashMap<Key, ClosureId>,
    /// States whose `kind` is still a placeholder.
    pending: Vec<Key>,
}

impl Flatten<'_> {
    fn run(&mut self) {
        while let Some(key) = self.pending.pop() {
            let kind = self.kind(key);
            let id = self.states[&key];
            self.nfa.states[id as usize].kind = kind;
        }
    }

    fn kind(&mut self, (id, phase): Key) -> Kind {
        let thompson = self.thompson;
        let after_byte = match phase {
            // Saturating would merge ends; the right context is bounded well below.
            Phase::After(read) => Phase::After(read + 1),
            other => other,
        };
        let mut edges = Vec::new();
        let mut edge = |start, end, next, this: &mut Self| {
            edges.push(Edge { start, end, to: this.closure((next, after_byte)) });
        };
        match thompson.state(id) {
            thompson::State::ByteRange { trans } => edge(trans.start, trans.end, trans.next, self),
            thompson::State::Sparse(sparse) => {
                for trans in sparse.transitions.iter() {
                    edge(trans.start, trans.end, trans.next, self);
                }
            }
            thompson::State::Dense(dense) => {
                for byte in 0..=u8::MAX {
                    if let Some(next) = dense.matches_byte(byte) {
                        edge(byte, byte, next, self);
                    }
                }
            }
            thompson::State::Look { look, next } => {
                let (look, next) = (hir_look(*look), *next);
                return Kind::Look(look, self.closure((next, phase)));
            }
            other => unreachable!("a closure keeps only states that read or look, not {other:?}"),
        }
        Kind::Bytes(edges.into_boxed_slice())
    }

    fn closure(&mut self, key: Key) -> ClosureId {
        if let Some(&id) = self.closures.get(&key) {
            return id;
        }
        let begin = self.nfa.items.len();
        let mut found = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut stack = vec![key];
        while let Some((id, phase)) = stack.pop() {
            if !seen.insert((id, phase)) {
                continue;
            }
            match self.thompson.state(id) {
                thompson::State::ByteRange { .. }
                | thompson::State::Sparse(_)
                | thompson::State::Dense(_)
                | thompson::State::Look { .. } => found.push(Item::State(self.state((id, phase)))),
                thompson::State::Union { alternates } => stack.extend(alternates.iter().map(|&next| (next, phase))),
                thompson::State::BinaryUnion { alt1, alt2 } => stack.extend([(*alt1, phase), (*alt2, phase)]),
                thompson::State::Capture { next, group_index, slot, .. } => {
                    stack.push((*next, self.cross(phase, group_index.as_usize(), slot.as_usize())));
                }
                thompson::State::Fail => {}
                thompson::State::Match { .. } => found.push(Item::Match(match phase {
                    Phase::After(read) => read,
                    _ => 0,
                })),
            }
        }
        self.nfa.items.extend(found);
        let id = ClosureId(self.nfa.closures.len() as u32);
        self.nfa.closures.push(begin..self.nfa.items.len());
        self.closures.insert(key, id);
        id
    }

    /// The phase after a group's boundary.
    fn cross(&self, phase: Phase, group: usize, slot: usize) -> Phase {
        let opens = slot.is_multiple_of(2);
        match (group, self.shape, opens) {
            (1, Shape::Captured, true) => Phase::Inside,
            (1, Shape::Captured, false) => Phase::After(0),
            (1, Shape::Block, false) => Phase::Swallow,
            _ => phase,
        }
    }

    fn state(&mut self, key: Key) -> StateId {
        if let Some(&id) = self.states.get(&key) {
            return id;
        }
        let id = self.nfa.states.len() as StateId;
        let kind = Kind::Bytes(Box::default());
        self.nfa.states.push(State { kind, rule: 0, phase: key.1, threads: Threads::Oldest });
        self.states.insert(key, id);
        self.pending.push(key);
        id
    }
}

/// `regex-automata` and `regex-syntax` each have their own enum of the same look-arounds.
fn hir_look(look: regex_automata::util::look::Look) -> Look {
    Look::from_repr(look.as_repr()).expect("both crates number look-arounds alike")
}

/// Which states can still lead to a match, by what came before and what comes next.
///
/// Without this pruning no byte would leak, but a thread that can only die would hold bytes back.
#[derive(Debug)]
pub(super) struct Liveness {
    /// A bit per kind of next byte, for each state and kind of byte before.
    alive: Vec<[u8; Before::COUNT]>,
}

impl Liveness {
    pub(super) fn of(nfa: &Nfa) -> Liveness {
        let mut liveness = Liveness { alive: vec![[0; Before::COUNT]; nfa.states.len()] };
        // Thompson states mostly lead to later ones, so going backwards converges in a few rounds.
        loop {
            let mut changed = false;
            for id in (0..nfa.states.len()).rev() {
                let next = liveness.recompute(nfa, id);
                changed |= next != liveness.alive[id];
                liveness.alive[id] = next;
            }
            if !changed {
                return liveness;
            }
        }
    }

    /// Whether a thread in `state`, `before` being the byte just read, can still match.
    pub(super) fn is_alive(&self, state: StateId, before: Before) -> bool {
        self.alive[state as usize][before as usize] != 0
    }

    fn recompute(&self, nfa: &Nfa, id: usize) -> [u8; Before::COUNT] {
        let mut alive = [0; Before::COUNT];
        match &nfa.states[id].kind {
            Kind::Bytes(edges) => {
                for edge in edges {
                    let kinds = Byte::kinds_in(edge.start, edge.end);
                    for byte in [Byte::Word, Byte::LineFeed, Byte::Other] {
                        let leads_on = kinds & byte.bit() != 0
                            && nfa.closure(edge.to).iter().any(|item| match item {
                                Item::Match(_) => true,
                                Item::State(next) => self.is_alive(*next, byte.as_before()),
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
                        let leads_on = nfa.closure(*to).iter().any(|item| match item {
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
