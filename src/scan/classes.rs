//! Bytes that no rule tells apart share a column of the table.

use super::look::Byte;
use super::nfa::{ClosureId, Edge, Kind, Nfa};
use std::collections::{HashMap, HashSet};

/// Which class each byte belongs to, and how many there are.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) of: [u8; 256],
    pub(super) count: usize,
}

impl Classes {
    pub(super) fn of(nfa: &Nfa) -> Classes {
        let mut classes = Classes { of: [0; 256], count: 1 };
        if nfa.uses_looks() {
            classes.refine(|byte| Byte::of(byte) as u32);
        }
        // States differ in where they lead; what matters is only which bytes lead to the same place.
        let mut done = HashSet::new();
        for state in &nfa.states {
            if let Kind::Bytes(edges) = &state.kind
                && done.insert(shape(edges))
            {
                classes.refine(|byte| Nfa::follow(edges, byte).map_or(u32::MAX, ClosureId::index));
            }
        }
        classes.renumber();
        classes
    }

    /// Gives what text is mostly made of the first columns, so that of a row mostly the same little is asked for.
    fn renumber(&mut self) {
        let mut number = [None; 256];
        for (at, byte) in (0..).zip(self.representatives()) {
            number[usize::from(self.of[usize::from(byte)])] = Some(at);
        }
        self.of = self.of.map(|class| number[usize::from(class)].expect("each class has its representative"));
    }

    /// A byte of each class, readable ones first.
    pub(super) fn representatives(&self) -> Vec<u8> {
        let mut seen = HashSet::new();
        let readable = (b'a'..=b'z').chain(*b" .,\n").chain(b'0'..=b'9').chain(b' '..=b'~');
        readable.chain(0..=255).filter(|&byte| seen.insert(self.of[usize::from(byte)])).collect()
    }

    /// Splits classes so that bytes of different `key` are apart.
    fn refine(&mut self, key: impl Fn(u8) -> u32) {
        let mut found = HashMap::new();
        for byte in 0..=255 {
            let class = &mut self.of[usize::from(byte)];
            let next = found.len() as u8;
            *class = *found.entry((*class, key(byte))).or_insert(next);
        }
        self.count = found.len();
    }
}

/// The ranges of a state with their targets numbered in order of appearance.
fn shape(edges: &[Edge]) -> Vec<(u8, u8, u32)> {
    let mut targets: Vec<ClosureId> = Vec::new();
    edges
        .iter()
        .map(|edge| {
            let at = targets.iter().position(|&target| target == edge.to).unwrap_or_else(|| {
                targets.push(edge.to);
                targets.len() - 1
            });
            (edge.start, edge.end, at as u32)
        })
        .collect()
}
