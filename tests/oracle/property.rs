//! Checks over many seeds. What fails is shrunk and printed with the seed that makes it again.
//!
//! `HOLDBACK_SEED` sets the first seed and `HOLDBACK_RUNS` the number of seeds; with a seed alone, only that one runs.

use super::ast::{Act, Automata, Case, Class, Node, PatternAst, RuleAst, Shape, Validator};
use super::generate::shortest_len;
use super::rng::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Candidates that shrinking tries before it is content.
const SHRINK_STEPS: usize = 40_000;

/// Runs `check` on `runs` cases.
///
/// # Panics
///
/// With the smallest failing case found, if a check fails or panics.
pub fn property(
    name: &str,
    runs: u64,
    generate: impl Fn(&mut Rng) -> Case,
    check: impl Fn(&Case) -> Result<(), String>,
) {
    let check = |case: &Case| {
        catch_unwind(AssertUnwindSafe(|| check(case))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or("a panic".to_owned()))
        })
    };
    for seed in seeds(runs) {
        let case = generate(&mut Rng::new(seed));
        if let Err(reason) = check(&case) {
            let (least, least_reason) = shrink(case.clone(), reason.clone(), &check);
            panic!(
                "{name} fails\n\nwith HOLDBACK_SEED={seed}: {reason}\n{case:?}\n\nshrunk: {least_reason}\n{least:?}\n"
            );
        }
    }
}

/// The seeds to run, `runs` of them unless the environment says otherwise.
pub fn seeds(runs: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let first = number("HOLDBACK_SEED");
    let runs = number("HOLDBACK_RUNS").unwrap_or(if first.is_some() { 1 } else { runs });
    let first = first.unwrap_or(0);
    first..first + runs
}

fn shrink(mut case: Case, mut reason: String, check: &impl Fn(&Case) -> Result<(), String>) -> (Case, String) {
    let mut steps = 0;
    'smaller: loop {
        for candidate in smaller(&case) {
            // A shorter text has other cuts, so a fault that needs certain cuts gets several tries.
            for cut_seed in 0..8 {
                let candidate = Case { cut_seed, ..candidate.clone() };
                steps += 1;
                if steps > SHRINK_STEPS {
                    return (case, reason);
                }
                if let Err(found) = check(&candidate) {
                    (case, reason) = (candidate, found);
                    continue 'smaller;
                }
            }
        }
        return (case, reason);
    }
}

/// Cases a little simpler than this one.
fn smaller(case: &Case) -> Vec<Case> {
    let mut found = Vec::new();
    if case.automata == Automata::Tiny {
        found.push(Case { automata: Automata::One, ..case.clone() });
    }
    for i in (0..case.rules.len()).filter(|_| case.rules.len() > 1) {
        let mut fewer = case.clone();
        fewer.rules.remove(i);
        found.push(fewer);
    }
    for i in 0..case.text.len() {
        let mut shorter = case.clone();
        shorter.text.remove(i);
        found.push(shorter);
    }
    for i in 0..case.rules.len() {
        for rule in smaller_rules(&case.rules[i]) {
            let mut simpler = case.clone();
            simpler.rules[i] = rule;
            found.push(simpler);
        }
    }
    found
}

fn smaller_rules(rule: &RuleAst) -> Vec<RuleAst> {
    let mut found = Vec::new();
    if rule.max_len.is_some() {
        found.push(RuleAst { max_len: None, ..rule.clone() });
    }
    if !matches!(rule.action, Act::Drop | Act::Terminate) {
        found.push(RuleAst { action: Act::Drop, ..rule.clone() });
    }
    match &rule.shape {
        Shape::Pattern(pattern) => {
            let with = |pattern| RuleAst { shape: Shape::Pattern(pattern), ..rule.clone() };
            found.extend(smaller_patterns(pattern).into_iter().map(with));
        }
        Shape::Block(block) => {
            let with = |open: &Node, close: &Node| {
                let mut block = block.clone();
                (block.open, block.close) = (open.clone(), close.clone());
                RuleAst { shape: Shape::Block(block), ..rule.clone() }
            };
            found.extend(smaller_spans(&block.open).iter().map(|open| with(open, &block.close)));
            found.extend(smaller_spans(&block.close).iter().map(|close| with(&block.open, close)));
        }
    }
    found
}

fn smaller_patterns(pattern: &PatternAst) -> Vec<PatternAst> {
    let mut found = Vec::new();
    let mut offer = |changed: bool, change: &dyn Fn(&mut PatternAst)| {
        if changed {
            let mut pattern = pattern.clone();
            change(&mut pattern);
            found.push(pattern);
        }
    };
    offer(pattern.before.is_some(), &|p| p.before = None);
    offer(pattern.after.is_some(), &|p| p.after = None);
    offer(pattern.not_before.is_some(), &|p| p.not_before = None);
    offer(pattern.not_after.is_some(), &|p| p.not_after = None);
    offer(pattern.validator != Validator::None, &|p| p.validator = Validator::None);
    for body in smaller_spans(&pattern.body) {
        offer(true, &|p| p.body = body.clone());
    }
    for before in pattern.before.iter().flat_map(smaller_nodes) {
        offer(true, &|p| p.before = Some(before.clone()));
    }
    for after in pattern.after.iter().flat_map(smaller_nodes) {
        offer(true, &|p| p.after = Some(after.clone()));
    }
    found
}

fn smaller_spans(node: &Node) -> Vec<Node> {
    smaller_nodes(node).into_iter().filter(|node| shortest_len(node) > 0).collect()
}

fn smaller_nodes(node: &Node) -> Vec<Node> {
    let mut found = Vec::new();
    match node {
        Node::Empty | Node::Look(_) => {}
        Node::Class(class) => {
            let letters = class.0;
            found.extend(
                (0..5).map(|i| Class(1 << i)).filter(|one| letters & one.0 != 0 && letters != one.0).map(Node::Class),
            );
        }
        Node::Concat(parts) | Node::Alt(parts) => {
            let again = |parts: Vec<Node>| match node {
                Node::Alt(_) => Node::Alt(parts),
                _ => Node::Concat(parts),
            };
            found.extend(parts.iter().cloned());
            for i in 0..parts.len() {
                if parts.len() > 1 {
                    let mut fewer = parts.clone();
                    fewer.remove(i);
                    found.push(again(fewer));
                }
                for part in smaller_nodes(&parts[i]) {
                    let mut simpler = parts.clone();
                    simpler[i] = part;
                    found.push(again(simpler));
                }
            }
        }
        Node::Repeat { node, min, max } => {
            found.push((**node).clone());
            let times = |min: usize, max: Option<usize>| Node::Repeat { node: node.clone(), min, max };
            if let Some(lower) = max.filter(|&max| max > *min && max > 1) {
                found.push(times(*min, Some(lower - 1)));
            }
            if *min > 0 {
                found.push(times(min - 1, *max));
            }
            let with = |node| Node::Repeat { node: Box::new(node), min: *min, max: *max };
            found.extend(smaller_nodes(node).into_iter().map(with));
        }
    }
    found
}
