//! From a lowered rule to its automaton.
//!
//! One state of ours is a state of a Thompson NFA together with the *phase* its thread is in. Where the rule's span is a
//! graph of characters, that stands in place of group 1, and the Thompson NFA is of what is before and behind it.

use super::Starts;
use super::chars::CharSet;
use super::nfa::{ClosureId, Edge, Item, Kind, Nfa, Phase, State, StateId, Threads};
use crate::rule::{CharGraph, Lowered, Shape};
use regex_automata::nfa::thompson;
use regex_syntax::hir::Look;
use std::collections::HashMap;
use std::sync::Arc;

impl Nfa {
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
            inside: None,
        };
        if let Some(graph) = lowered.graph.as_deref() {
            flatten.graph(graph)?;
        }
        let phase = match lowered.shape {
            Shape::Captured => Phase::Before,
            Shape::Whole | Shape::Block => Phase::Inside,
        };
        let start = flatten.closure((thompson.start_anchored(), phase));
        flatten.run();
        nfa.find_alive();
        if starts == Starts::Every {
            nfa.add_merged();
        }
        nfa.starts.push(start);
        Ok(nfa)
    }
}

/// In bytes, of one rule's Thompson NFA. A rule near it is hundreds of times larger than a usual one and most likely
/// repeats a Unicode class a thousand times.
const NFA_SIZE_LIMIT: usize = 16 << 20;

/// Of a graph of characters. A state takes some forty bytes, so that is eighty megabytes; the longest list of the packs
/// has a sixth of it.
const MAX_GRAPH_STATES: usize = 2_000_000;

type Key = (regex_automata::util::primitives::StateID, Phase);

struct Flatten<'a> {
    thompson: &'a thompson::NFA,
    shape: Shape,
    nfa: &'a mut Nfa,
    states: HashMap<Key, StateId>,
    closures: HashMap<Key, ClosureId>,
    /// States whose `kind` is still a placeholder.
    pending: Vec<Key>,
    /// Where the graph begins that stands in place of group 1.
    inside: Option<ClosureId>,
}

impl Flatten<'_> {
    fn run(&mut self) {
        while let Some(key) = self.pending.pop() {
            let kind = self.kind(key);
            let id = self.states[&key];
            self.nfa.states[id as usize].kind = kind;
        }
    }

    /// Adds the states of the graph. Where its texts end, the Thompson NFA goes on behind group 1.
    fn graph(&mut self, graph: &CharGraph) -> Result<(), String> {
        let behind = self.thompson.states().iter().find_map(|state| match state {
            thompson::State::Capture { next, group_index, slot, .. }
                if group_index.as_usize() == 1 && !slot.as_usize().is_multiple_of(2) =>
            {
                Some(*next)
            }
            _ => None,
        });
        let ends = self.closure((behind.expect("a graph stands in place of a group"), Phase::After(0)));
        let sets: Vec<Arc<CharSet>> = graph.classes.iter().map(|class| Arc::new(CharSet::of(class))).collect();
        let first = self.nfa.closures.len();
        self.nfa.closures.resize(first + graph.nodes.len(), 0..0);
        let mut bases = HashMap::new();
        for (at, node) in graph.nodes.iter().enumerate() {
            if self.nfa.states.len() > MAX_GRAPH_STATES {
                return Err(format!("its words need more than {MAX_GRAPH_STATES} states"));
            }
            let begin = self.nfa.items.len();
            for edge in &node.edges {
                let set = &sets[edge.class as usize];
                let base = *bases.entry((edge.class, edge.to)).or_insert_with(|| {
                    let base = self.nfa.states.len() as StateId;
                    let to = ClosureId(first as u32 + edge.to);
                    self.nfa.states.extend((0..set.len()).map(|place| State {
                        kind: Kind::Char { set: edge.class, place, to },
                        rule: 0,
                        phase: Phase::Inside,
                        threads: Threads::Oldest,
                    }));
                    base
                });
                self.nfa.items.push(Item::State(base + StateId::from(set.start())));
            }
            if node.ends {
                self.nfa.items.extend_from_within(self.nfa.closures[ends.0 as usize].clone());
            }
            self.nfa.closures[first + at] = begin..self.nfa.items.len();
        }
        self.nfa.sets = sets;
        self.inside = Some(ClosureId(first as u32));
        Ok(())
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
        let first = self.nfa.edges.len() as u32;
        self.nfa.edges.extend_from_slice(&edges);
        Kind::Bytes { first, count: edges.len() as u16 }
    }

    fn closure(&mut self, key: Key) -> ClosureId {
        if let Some(&id) = self.closures.get(&key) {
            return id;
        }
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
                thompson::State::Capture { group_index, slot, .. }
                    if group_index.as_usize() == 1 && slot.as_usize().is_multiple_of(2) && self.inside.is_some() =>
                {
                    found.extend(self.inside.into_iter().flat_map(|start| self.nfa.closure(start)).copied());
                }
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
        let begin = self.nfa.items.len();
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
        let kind = Kind::Bytes { first: 0, count: 0 };
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
