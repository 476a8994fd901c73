//! A text that a set of rules matches, found by walking the automaton.

use super::Scanner;
use super::step::Config;
use std::collections::{HashMap, VecDeque};

impl Scanner {
    /// A shortest text in which some rule matches, if the first `max_configs` configurations lead to one.
    pub(crate) fn shortest_match(&self, max_configs: usize) -> Option<Vec<u8>> {
        let mut scratch = self.take_scratch();
        let mut known: HashMap<Config, Option<(usize, u8)>> = HashMap::from([(Config::start(), None)]);
        let mut order = vec![Config::start()];
        let mut queue = VecDeque::from([0]);
        let bytes = self.table.classes.representatives();
        while let Some(at) = queue.pop_front() {
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
                    queue.push_back(order.len());
                    order.push(step.config);
                }
            }
        }
        None
    }
}
