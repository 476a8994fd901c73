//! Bytes that no rule tells apart share a column of the table.

use super::look::Byte;
use super::nfa::{Kind, Nfa};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::ops::RangeInclusive;
use std::sync::Arc;

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
        for (id, state) in (0..).zip(&nfa.states) {
            if let Kind::Bytes { .. } = state.kind
                && done.insert(shape(nfa.edges(id)))
            {
                classes.refine(|byte| nfa.follow(id, byte));
            }
        }
        let sets: HashMap<_, _> = nfa.sets.iter().map(|set| (Arc::as_ptr(set), set)).collect();
        for set in sets.values() {
            for place in 0..set.len() {
                let moves = set.moves(place).iter().map(|step| (step.start..=step.end, step.to));
                if done.insert(shape(moves)) {
                    classes.refine(|byte| set.follow(place, byte).map(|step| step.to));
                }
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
    fn refine<K: Eq + Hash>(&mut self, key: impl Fn(u8) -> K) {
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
fn shape<T: PartialEq>(edges: impl Iterator<Item = (RangeInclusive<u8>, T)>) -> Vec<(RangeInclusive<u8>, usize)> {
    let mut targets: Vec<T> = Vec::new();
    edges
        .map(|(bytes, next)| {
            let at = targets.iter().position(|target| *target == next).unwrap_or_else(|| {
                targets.push(next);
                targets.len() - 1
            });
            (bytes, at)
        })
        .collect()
}
