//! Random rules, and texts that nearly match them.

use super::ast::{
    ALPHABET, Act, Automata, BlockAst, Case, Class, Look, Mode, Node, PatternAst, RuleAst, Shape, Unclosed, Validator,
};
use super::ends::LONGEST_TEXT;
use super::rng::Rng;

/// What a property wants generated.
#[derive(Clone, Copy)]
pub struct Wish {
    pub actions: &'static [Act],
    pub shapes: Shapes,
    pub overflow: Overflow,
    pub context: Context,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shapes {
    /// Only patterns in the default mode.
    AllMode,
    /// Patterns in both modes, and blocks.
    Every,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// No limit is reached.
    Never,
    /// Limits of a few bytes.
    Likely,
}

/// What stands behind a captured span.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Context {
    Any,
    /// Always as long as it is, and without look-around: a match is confirmed at one moment only, so what the
    /// frontier is does not depend on whether a slower way to a certain match still counts.
    Plain,
}

/// All actions; covering ones are the likeliest.
pub const ACTIONS: &[Act] = &[
    Act::Flag,
    Act::Mask { keep_first: 0, keep_last: 0 },
    Act::Mask { keep_first: 1, keep_last: 0 },
    Act::Mask { keep_first: 0, keep_last: 1 },
    Act::Redact("[{rule}]"),
    Act::Redact("<x>"),
    Act::Redact("#{len}"),
    Act::Redact(""),
    Act::Drop,
    Act::Terminate,
];

/// Actions that never end a text.
pub const QUIET_ACTIONS: &[Act] = ACTIONS.split_at(ACTIONS.len() - 1).0;

pub fn case(rng: &mut Rng, wish: Wish) -> Case {
    let rules: Vec<RuleAst> = (0..rng.between(1, 4)).map(|_| rule(rng, wish)).collect();
    let text = text(rng, &rules);
    let max_hold = match wish.overflow {
        Overflow::Never => 4096,
        Overflow::Likely => rng.between(1, 8),
    };
    let automata = *rng.pick(&Automata::ALL);
    Case { rules, max_hold, automata, text, cut_seed: rng.next() }
}

fn rule(rng: &mut Rng, wish: Wish) -> RuleAst {
    let action = *rng.pick(wish.actions);
    let shape = match wish.shapes {
        Shapes::Every if rng.chance(15) => Shape::Block(block(rng)),
        Shapes::Every if rng.chance(20) => Shape::Pattern(shortest(rng)),
        _ => Shape::Pattern(pattern(rng, wish.context)),
    };
    let shape = match shape {
        // A block that only reports lets its bytes go, so it cannot end the text before them.
        Shape::Block(block) if action == Act::Flag => Shape::Block(BlockAst { unclosed: Unclosed::Redact, ..block }),
        other => other,
    };
    // A block is covered before it is complete, so nobody can be asked about it.
    let is_block = matches!(shape, Shape::Block(_));
    let action = if is_block && action == Act::Hold { Act::Drop } else { action };
    let limited = wish.overflow == Overflow::Likely && matches!(shape, Shape::Pattern(_)) && rng.chance(40);
    RuleAst { shape, action, max_len: limited.then(|| rng.between(1, 6)) }
}

fn pattern(rng: &mut Rng, context: Context) -> PatternAst {
    let captured = rng.chance(35);
    let before = (captured && rng.chance(80)).then(|| node(rng, 2));
    let after = (captured && rng.chance(60)).then(|| match context {
        Context::Any => bounded(node(rng, 2)),
        Context::Plain => Node::Concat((0..rng.between(1, 3)).map(|_| Node::Class(class(rng))).collect()),
    });
    PatternAst {
        before,
        body: span(rng, 3),
        after,
        not_before: rng.chance(15).then(|| few(rng)),
        not_after: rng.chance(15).then(|| few(rng)),
        mode: Mode::All,
        validator: if rng.chance(20) { Validator::EvenA } else { Validator::None },
    }
}

fn shortest(rng: &mut Rng) -> PatternAst {
    PatternAst {
        before: None,
        body: without_looks(span(rng, 3)),
        after: None,
        not_before: None,
        not_after: None,
        mode: Mode::Shortest,
        validator: Validator::None,
    }
}

fn block(rng: &mut Rng) -> BlockAst {
    BlockAst {
        open: without_looks(span(rng, 1)),
        close: without_looks(span(rng, 1)),
        max_len: rng.between(4, 40),
        unclosed: if rng.chance(70) { Unclosed::Redact } else { Unclosed::Terminate },
    }
}

/// A pattern that takes at least one letter.
fn span(rng: &mut Rng, depth: usize) -> Node {
    match node(rng, depth) {
        node if shortest_len(&node) > 0 => node,
        node => Node::Concat(vec![node, Node::Class(class(rng))]),
    }
}

fn node(rng: &mut Rng, depth: usize) -> Node {
    if depth == 0 || rng.chance(25) {
        return if rng.chance(12) { Node::Look(*rng.pick(&Look::PLAIN)) } else { Node::Class(class(rng)) };
    }
    match rng.below(10) {
        0..5 => Node::Concat((0..rng.between(2, 3)).map(|_| node(rng, depth - 1)).collect()),
        5..7 => Node::Alt((0..rng.between(2, 3)).map(|_| node(rng, depth - 1)).collect()),
        _ => {
            let min = rng.below(3);
            let max = rng.chance(60).then(|| min.max(1) + rng.below(3));
            Node::Repeat { node: Box::new(node(rng, depth - 1)), min, max }
        }
    }
}

fn class(rng: &mut Rng) -> Class {
    if rng.chance(60) { Class(1 << rng.below(ALPHABET.len())) } else { Class(rng.between(1, 31) as u8) }
}

/// A class that leaves out at least one word letter and one other.
fn few(rng: &mut Rng) -> Class {
    *rng.pick(&[Class(0b00001), Class(0b00010), Class(0b00011), Class(0b00101), Class(0b01000), Class(0b10010)])
}

/// The same without endless repetition.
fn bounded(node: Node) -> Node {
    rewrite(node, &|node| match node {
        Node::Repeat { node, min, max: None } => Node::Repeat { node, min, max: Some(min + 2) },
        other => other,
    })
}

fn without_looks(node: Node) -> Node {
    rewrite(node, &|node| match node {
        Node::Look(_) => Node::Empty,
        other => other,
    })
}

fn rewrite(node: Node, change: &impl Fn(Node) -> Node) -> Node {
    let all = |nodes: Vec<Node>| nodes.into_iter().map(|node| rewrite(node, change)).collect();
    change(match node {
        Node::Concat(parts) => Node::Concat(all(parts)),
        Node::Alt(branches) => Node::Alt(all(branches)),
        Node::Repeat { node, min, max } => Node::Repeat { node: Box::new(rewrite(*node, change)), min, max },
        leaf => leaf,
    })
}

/// The least number of letters that `node` takes.
pub fn shortest_len(node: &Node) -> usize {
    match node {
        Node::Empty | Node::Look(_) => 0,
        Node::Class(_) => 1,
        Node::Concat(parts) => parts.iter().map(shortest_len).sum(),
        Node::Alt(branches) => branches.iter().map(shortest_len).min().unwrap_or(0),
        Node::Repeat { node, min, .. } => min * shortest_len(node),
    }
}

/// Noise mixed with texts that the rules were made to match.
fn text(rng: &mut Rng, rules: &[RuleAst]) -> Vec<u8> {
    let len = rng.between(1, 20);
    let mut text = Vec::new();
    while text.len() < len {
        if rng.chance(60) {
            match &rng.pick(rules).shape {
                Shape::Pattern(pattern) => {
                    pattern.before.iter().for_each(|node| sample(rng, node, &mut text));
                    sample(rng, &pattern.body, &mut text);
                    pattern.after.iter().for_each(|node| sample(rng, node, &mut text));
                }
                Shape::Block(block) => {
                    sample(rng, &block.open, &mut text);
                    text.extend((0..rng.below(4)).map(|_| *rng.pick(ALPHABET)));
                    sample(rng, &block.close, &mut text);
                }
            }
        } else {
            text.push(*rng.pick(ALPHABET));
        }
    }
    text.truncate(LONGEST_TEXT.min(len + 6));
    text
}

/// A text that `node` takes, were it not for its look-around.
fn sample(rng: &mut Rng, node: &Node, text: &mut Vec<u8>) {
    match node {
        Node::Empty | Node::Look(_) => {}
        Node::Class(class) => text.push(*rng.pick(&class.letters().collect::<Vec<_>>())),
        Node::Concat(parts) => parts.iter().for_each(|part| sample(rng, part, text)),
        Node::Alt(branches) => {
            let branch = rng.pick(branches);
            sample(rng, branch, text);
        }
        Node::Repeat { node, min, max } => {
            let times = rng.between(*min, max.unwrap_or(min + 3));
            (0..times).for_each(|_| sample(rng, node, text));
        }
    }
}
