//! Which rules share an automaton.
//!
//! Rules that are on their way through the same text multiply: where one has *m* places and another *n*, an automaton
//! of both has up to *m·n* states. How many it really has depends on the text, so each rule goes over a sample alone
//! first. The states of any set of rules on that sample are then the distinct combinations of their places, which
//! takes no automaton to count.

use super::cursor::Position;
use super::look::Before;
use super::place::Place;
use super::shard::Shard;
use std::collections::HashSet;

/// Each automaton more makes every byte a little dearer, and from the second on every chunk. More than four never
/// paid, also with hundreds of rules.
pub(super) const MAX_SHARDS: usize = 4;

/// States that one automaton may have before its rules are divided: with the usual 64 to 128 classes of bytes that
/// is half a megabyte, about what the fast part of a cache holds.
const ROOMY: usize = 1024;

/// Ordinary text of many kinds: prose, source, logs, settings, tables, in a few languages.
pub(super) const SAMPLE: &str = include_str!("sample.txt");

/// Where one rule, alone, is on its way at each byte of the sample.
pub(super) struct Trail {
    /// The bytes after which the rule has live threads, and what stands for its place there.
    live: Vec<(u32, u64)>,
    states: usize,
}

impl Trail {
    /// The way of the only rule of `shard`.
    pub(super) fn of(shard: &Shard) -> Trail {
        let mut place = Place::new();
        let mut hits = Vec::new();
        let mut live = Vec::new();
        let mut now = Position::default();
        for &byte in SAMPLE.as_bytes() {
            place.step(shard, byte, now, &mut hits);
            hits.clear();
            live.extend(place.live_row(shard).map(|row| (now.at, mixed(u64::from(row)))));
            now.at += 1;
        }
        Trail { live, states: shard.table.states() }
    }
}

/// For each automaton the rules that it takes, by their numbers.
///
/// Without a wish as few automata as keep all states few.
pub(super) fn layout(trails: &[Trail], wish: Option<usize>) -> Vec<Vec<usize>> {
    if let Some(wish) = wish {
        return divided(trails, wish.clamp(1, MAX_SHARDS)).0;
    }
    let mut best = divided(trails, 1);
    for shards in 2..=MAX_SHARDS {
        if best.1 <= ROOMY {
            break;
        }
        let more = divided(trails, shards);
        // One more has to be worth it.
        if more.1 < best.1 * 3 / 4 {
            best = more;
        }
    }
    best.0
}

/// Divides the rules, each to where it brings the fewest states; gives back the states of all automata too.
fn divided(trails: &[Trail], shards: usize) -> (Vec<Vec<usize>>, usize) {
    let mut drafts: Vec<Draft> = (0..shards).map(|_| Draft::new()).collect();
    let mut order: Vec<usize> = (0..trails.len()).collect();
    order.sort_by_key(|&rule| std::cmp::Reverse(trails[rule].states));
    for rule in order {
        let keys = |draft: &Draft| (draft.growth(rule, &trails[rule]), draft.states.len(), draft.rules.len());
        let draft = drafts.iter_mut().min_by_key(|draft| keys(draft)).expect("at least one");
        draft.take(rule, &trails[rule]);
    }
    drafts.retain(|draft| !draft.rules.is_empty());
    let states = drafts.iter().map(|draft| draft.states.len()).sum();
    for draft in &mut drafts {
        draft.rules.sort_unstable();
    }
    (drafts.into_iter().map(|draft| draft.rules).collect(), states)
}

/// An automaton to be.
struct Draft {
    rules: Vec<usize>,
    /// What stands for its state after each byte of the sample.
    path: Vec<u64>,
    states: HashSet<u64>,
}

impl Draft {
    fn new() -> Draft {
        let path: Vec<u64> = SAMPLE.bytes().map(|byte| mixed(!(Before::of(byte) as u64))).collect();
        Draft { rules: Vec::new(), states: path.iter().copied().collect(), path }
    }

    /// The states that a rule would bring.
    fn growth(&self, rule: usize, trail: &Trail) -> usize {
        let reached = trail.live.iter().map(|&(at, place)| self.path[at as usize] ^ mixed(place ^ rule as u64));
        reached.filter(|state| !self.states.contains(state)).collect::<HashSet<_>>().len()
    }

    fn take(&mut self, rule: usize, trail: &Trail) {
        for &(at, place) in &trail.live {
            let state = &mut self.path[at as usize];
            *state ^= mixed(place ^ rule as u64);
            self.states.insert(*state);
        }
        self.rules.push(rule);
    }
}

/// A number of which every bit depends on all of `key`'s: the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(key: u64) -> u64 {
    let key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}
