//! First reading: which substrings match, by walking the tree with sets of positions.

use super::ast::{Node, PatternAst};

/// No generated text is longer.
pub const LONGEST_TEXT: usize = 30;

/// A substring that matches in the context of the whole text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    pub start: usize,
    pub end: usize,
    /// The bytes that must be known before this is certain; one more than the text has if its end must be known.
    pub confirmed: usize,
}

/// Every match of `pattern` in `text`, whatever its validator says: all starts, all ends.
pub fn matches(pattern: &PatternAst, text: &[u8]) -> Vec<Match> {
    let anywhere = Positions::all(text.len());
    let starts = walk(&pattern.left(), text, &anywhere);
    let right = pattern.right();
    let mut found = Vec::new();
    for (start, confirmed) in starts.iter() {
        let ends = walk(&pattern.body, text, &Positions::one(start, confirmed));
        for (end, confirmed) in ends.iter().filter(|&(end, _)| end > start) {
            let after = walk(&right, text, &Positions::one(end, confirmed));
            if let Some(confirmed) = after.iter().map(|(_, confirmed)| confirmed).min() {
                found.push(Match { start, end, confirmed });
            }
        }
    }
    found
}

/// Where a match of `pattern` may begin as far as its left context goes.
pub fn starts(pattern: &PatternAst, text: &[u8]) -> Vec<usize> {
    walk(&pattern.left(), text, &Positions::all(text.len())).iter().map(|(start, _)| start).collect()
}

/// Every substring that matches `node`, as start and end.
pub fn substrings(node: &Node, text: &[u8]) -> Vec<Match> {
    let mut found = Vec::new();
    for start in 0..=text.len() {
        let ends = walk(node, text, &Positions::one(start, start));
        found.extend(ends.iter().map(|(end, confirmed)| Match { start, end, confirmed }));
    }
    found
}

/// A set of positions, each with the least number of bytes that make it certain.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Positions([u8; LONGEST_TEXT + 1]);

const ABSENT: u8 = u8::MAX;

impl Positions {
    fn none() -> Positions {
        Positions([ABSENT; LONGEST_TEXT + 1])
    }

    fn one(at: usize, confirmed: usize) -> Positions {
        let mut positions = Positions::none();
        positions.add(at, confirmed);
        positions
    }

    fn all(len: usize) -> Positions {
        let mut positions = Positions::none();
        (0..=len).for_each(|at| positions.add(at, at));
        positions
    }

    fn add(&mut self, at: usize, confirmed: usize) {
        self.0[at] = self.0[at].min(confirmed as u8);
    }

    fn merge(&mut self, other: &Positions) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine = (*mine).min(*theirs));
    }

    fn iter(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.0.iter().enumerate().filter(|&(_, &confirmed)| confirmed != ABSENT).map(|(at, &c)| (at, c as usize))
    }
}

fn walk(node: &Node, text: &[u8], from: &Positions) -> Positions {
    match node {
        Node::Empty => *from,
        Node::Class(class) => {
            let mut to = Positions::none();
            for (at, confirmed) in from.iter() {
                if text.get(at).is_some_and(|&byte| class.has(byte)) {
                    to.add(at + 1, confirmed.max(at + 1));
                }
            }
            to
        }
        Node::Look(look) => {
            let mut to = Positions::none();
            for (at, confirmed) in from.iter() {
                let prev = at.checked_sub(1).map(|before| text[before]);
                if look.holds(prev, text.get(at).copied()) {
                    to.add(at, if look.looks_ahead() { confirmed.max(at + 1) } else { confirmed });
                }
            }
            to
        }
        Node::Concat(parts) => parts.iter().fold(*from, |at, part| walk(part, text, &at)),
        Node::Alt(branches) => {
            let mut to = Positions::none();
            branches.iter().for_each(|branch| to.merge(&walk(branch, text, from)));
            to
        }
        Node::Repeat { node, min, max } => {
            let mut at = (0..*min).fold(*from, |at, _| walk(node, text, &at));
            let mut to = at;
            for _ in *min..max.unwrap_or(usize::MAX) {
                at = walk(node, text, &at);
                let before = to;
                to.merge(&at);
                if to == before {
                    break;
                }
            }
            to
        }
    }
}
