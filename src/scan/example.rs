//! A text that a set of rules matches, found by walking the automaton.

use super::Scanner;
use super::nfa::{Item, Kind, Nfa, StateId};
use super::shard::Shard;
use super::step::Config;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

impl Scanner {
    /// A text in which some rule matches, if the first `max_configs` configurations of an automaton lead to one.
    pub(crate) fn example(&self, max_configs: usize) -> Option<Vec<u8>> {
        self.shards.iter().find_map(|shard| shard.example(max_configs))
    }
}

impl Shard {
    /// Configurations that are the fewest bytes away from a match are walked first.
    fn example(&self, max_configs: usize) -> Option<Vec<u8>> {
        let distances = distances(&self.simulator.nfa);
        let distance = |config: &Config| config.states().map(|state| distances[state as usize]).min();
        let mut scratch = self.take_scratch();
        let mut known: HashMap<Config, Option<(usize, u8)>> = HashMap::from([(Config::start(), None)]);
        let mut order = vec![Config::start()];
        let mut queue = BinaryHeap::from([Reverse((0, 0))]);
        let bytes = self.table.classes.representatives();
        while let Some(Reverse((_, at))) = queue.pop() {
            for &byte in &bytes {
                let step = self.simulator.step(&order[at].clone(), byte, &mut scratch);
                if !step.events.is_empty() {
                    let mut text = vec![byte];
                    let mut from = at;
                    while let Some((before, byte)) = known[&order[from]] {
                        text.push(byte);
                        from = before;
                    }
                    text.reverse();
                    return Some(text);
                }
                if order.len() < max_configs && !known.contains_key(&step.config) {
                    known.insert(step.config.clone(), Some((at, byte)));
                    queue.push(Reverse((distance(&step.config).unwrap_or(u32::MAX), order.len())));
                    order.push(step.config);
                }
            }
        }
        None
    }
}

/// How many bytes each state is away from a match, if every look-around on the way holds.
fn distances(nfa: &Nfa) -> Vec<u32> {
    let mut distances = vec![u32::MAX; nfa.states.len()];
    loop {
        let mut changed = false;
        // See `Nfa::find_alive`.
        for id in (0..nfa.states.len()).rev().chain(0..nfa.states.len()) {
            let of = |item| match item {
                Item::Match(_) => 0,
                Item::State(next) => distances[next as usize],
            };
            let distance = match nfa.states[id].kind {
                Kind::Bytes { .. } | Kind::Char { .. } => {
                    let after = nfa.edges(id as StateId).flat_map(|(_, next)| nfa.reached(next)).map(of);
                    after.min().unwrap_or(u32::MAX).saturating_add(1)
                }
                Kind::Look(_, to) => nfa.closure(to).iter().copied().map(of).min().unwrap_or(u32::MAX),
            };
            changed |= distance < distances[id];
            distances[id] = distance.min(distances[id]);
        }
        if !changed {
            return distances;
        }
    }
}
