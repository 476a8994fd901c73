//! Which rules share an automaton.
//!
//! Rules that are on their way through the same text multiply: where one has *m* places and another *n*, an automaton
//! of both has up to *m·n* states. How many it really has depends on the text, so each rule goes over a sample alone
//! first. The states of any set of rules on that sample are then the distinct combinations of their places, which
//! takes no automaton to count.

use super::component::Component;
use super::cursor::Position;
use super::look::Before;
use super::place::Place;
use super::shard::Shard;
use std::collections::HashSet;

/// Each automaton makes every chunk dearer, by an eighth or so (see `benches/packs.rs`).
pub(super) const MAX_SHARDS: usize = 4;

/// States on the sample from which on rules are divided: half of its bytes led to a state that no byte before did, so
/// a longer text would go on making new ones. As long as it does not, one automaton is as fast or faster.
const MANY: usize = SAMPLE.len() / 2;

/// A rule that needs more states than that on the sample counts as one that makes a new one at every byte.
const TRIAL_STATES: usize = 1024;

/// Ordinary text of many kinds: prose, source, logs, settings, tables, in a few languages.
pub(super) const SAMPLE: &str = include_str!("sample.txt");

/// Where one rule, alone, is on its way at each byte of the sample.
#[derive(Debug)]
pub(super) struct Trail {
    /// The bytes after which the rule has live threads, and what stands for its place there.
    live: Vec<(u32, u64)>,
    states: usize,
}

impl Trail {
    pub(super) fn of(rule: &Component) -> Trail {
        let shard = &Shard::new(rule.nfa.clone(), [rule.traits()].into(), TRIAL_STATES);
        let mut place = Place::new();
        let mut hits = Vec::new();
        let mut live = Vec::new();
        let mut now = Position::default();
        for &byte in SAMPLE.as_bytes() {
            place.step(shard, byte, now, &mut hits);
            hits.clear();
            // A place beyond the table is like no other.
            let name = if place.is_loose() { Some(!u64::from(now.at)) } else { place.live_row(shard).map(u64::from) };
            live.extend(name.map(|name| (now.at, mixed(name))));
            now.at += 1;
        }
        Trail { live, states: shard.table.states() }
    }
}

/// For each automaton the rules that it takes, by their numbers.
///
/// Without a wish as few as keep states few, or if none do, the number that brings the fewest.
pub(super) fn layout(trails: &[&Trail], wish: Option<usize>) -> Vec<Vec<usize>> {
    if let Some(wish) = wish {
        return divided(trails, wish.clamp(1, MAX_SHARDS)).0;
    }
    let mut best = divided(trails, 1);
    for shards in 2..=MAX_SHARDS {
        if best.1 < MANY {
            break;
        }
        let more = divided(trails, shards);
        if more.1 < best.1 {
            best = more;
        }
    }
    best.0
}

/// Divides the rules, each to where it brings the fewest states; gives back the states of all automata too.
fn divided(trails: &[&Trail], shards: usize) -> (Vec<Vec<usize>>, usize) {
    let mut drafts: Vec<Draft> = (0..shards).map(|_| Draft::new()).collect();
    let mut order: Vec<usize> = (0..trails.len()).collect();
    order.sort_by_key(|&rule| std::cmp::Reverse(trails[rule].states));
    for rule in order {
        let keys = |draft: &Draft| (draft.growth(rule, trails[rule]), draft.states.len(), draft.rules.len());
        let draft = drafts.iter_mut().min_by_key(|draft| keys(draft)).expect("at least one");
        draft.take(rule, trails[rule]);
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
            self.path[at as usize] ^= mixed(place ^ rule as u64);
        }
        self.states.clear();
        self.states.extend(&self.path);
        self.rules.push(rule);
    }
}

/// A number of which every bit depends on all of `key`'s: the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(key: u64) -> u64 {
    let key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Mode, Rule, lower};
    use crate::scan::{Role, RuleTraits, Starts};

    fn components(patterns: &[String]) -> Vec<Component> {
        let traits = RuleTraits {
            role: Role::Cover,
            starts: Starts::Earliest,
            mode: Mode::All,
            overflow: Some(4096),
            block_len: None,
        };
        let component = |pattern: &String| {
            Component::new(&lower(&Rule::regex("r", pattern)).expect("a sound rule"), traits).expect("small enough")
        };
        patterns.iter().map(component).collect()
    }

    fn layout_of(components: &[Component], wish: Option<usize>) -> Vec<Vec<usize>> {
        layout(&components.iter().map(Component::trail).collect::<Vec<_>>(), wish)
    }

    #[test]
    fn rules_that_are_rarely_on_their_way_share_an_automaton() {
        let patterns: Vec<String> = (0..20).map(|at| format!("rare{at}=[a-z]{{8,}}")).collect();
        assert_eq!(layout_of(&components(&patterns), None), [(0..20).collect::<Vec<_>>()]);
    }

    #[test]
    fn rules_that_multiply_are_divided_and_none_is_lost() {
        // Each counts bytes behind a common pair of letters.
        let pairs = ["th", "he", "in", "er", "an", "re", "on", "at", "en", "nd", "or", "st"];
        let patterns: Vec<String> = pairs.iter().map(|pair| format!("{pair}[^#]{{0,20}}#{pair}")).collect();
        let components = components(&patterns);
        let layout = layout_of(&components, None);
        assert!(layout.len() > 1, "{layout:?}");
        let mut rules: Vec<usize> = layout.concat();
        rules.sort_unstable();
        assert_eq!(rules, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn a_wish_is_granted_as_far_as_there_are_rules() {
        let patterns = ["a+b", "c+d", "e+f"].map(String::from);
        for (wish, shards) in [(1, 1), (2, 2), (3, 3), (4, 3), (9, 3)] {
            assert_eq!(layout_of(&components(&patterns), Some(wish)).len(), shards, "{wish}");
        }
    }

    #[test]
    fn what_is_counted_is_what_an_automaton_has() {
        use crate::scan::{Scanner, Size};
        let patterns = [r"\b[a-z]+@", r"\d{2,}-\d+", "key.{0,5}=", r#""[^"]*":"#].map(String::from);
        let components = components(&patterns);
        let rules: Vec<&Component> = components.iter().collect();
        let scanner = Scanner::new(&rules, Size { max_states: 1 << 14, shards: Some(1) });
        scanner.warm_up();
        let counted = divided(&rules.iter().map(|rule| rule.trail()).collect::<Vec<_>>(), 1).1;
        // The automaton has its start too, and tells apart who of several began first.
        assert!((counted..=counted + 5).contains(&scanner.states()), "{counted}, {}", scanner.states());
    }
}
