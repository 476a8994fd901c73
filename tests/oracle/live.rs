//! First reading, second half: which beginnings could still become a match, by what remains of the tree after each
//! letter (Antimirov's partial derivatives, here with look-around).

use super::ast::{ALPHABET, Node};
use std::collections::{BTreeSet, HashMap};

/// What can remain of one pattern, as numbered trees.
pub struct Remainders {
    trees: Vec<Node>,
    numbers: HashMap<Node, usize>,
    steps: HashMap<(usize, Option<u8>, u8), Vec<usize>>,
    hopes: HashMap<(usize, Option<u8>), bool>,
}

impl Remainders {
    pub fn new(pattern: Node) -> Remainders {
        let mut remainders =
            Remainders { trees: Vec::new(), numbers: HashMap::new(), steps: HashMap::new(), hopes: HashMap::new() };
        remainders.number(pattern);
        remainders
    }

    /// For each number of known bytes, the `starts` whose beginning could still complete, as a set of bits.
    ///
    /// A beginning is alive if some continuation, the end of the text included, completes it later than now:
    /// what is certain already needs no continuation.
    pub fn alive(&mut self, starts: &[usize], text: &[u8]) -> Vec<u32> {
        let mut alive = vec![0; text.len() + 1];
        for &start in starts {
            let mut trees = BTreeSet::from([0]);
            for at in start..text.len() {
                let prev = at.checked_sub(1).map(|before| text[before]);
                trees = trees.into_iter().flat_map(|tree| self.step(tree, prev, text[at])).collect();
                if trees.is_empty() {
                    break;
                }
                if trees.iter().any(|&tree| self.may_complete(tree, Some(text[at]))) {
                    alive[at + 1] |= 1 << start;
                }
            }
        }
        alive
    }

    fn may_complete(&mut self, tree: usize, prev: Option<u8>) -> bool {
        if let Some(&known) = self.hopes.get(&(tree, prev)) {
            return known;
        }
        let mut seen = BTreeSet::from([(tree, prev)]);
        let mut queue = vec![(tree, prev)];
        let mut hope = false;
        while let Some((tree, prev)) = queue.pop().filter(|_| !hope) {
            hope |= self.completes_by_looking(tree, prev);
            for &letter in ALPHABET {
                for tree in self.step(tree, prev, letter) {
                    hope |= empty_now(&self.trees[tree], Some(letter));
                    if seen.insert((tree, Some(letter))) {
                        queue.push((tree, Some(letter)));
                    }
                }
            }
        }
        self.hopes.insert((tree, prev), hope);
        hope
    }

    /// Whether it is complete but for a look at the letter that comes next.
    fn completes_by_looking(&self, tree: usize, prev: Option<u8>) -> bool {
        let tree = &self.trees[tree];
        let mut nexts = ALPHABET.iter().copied().map(Some).chain([None]);
        nexts.any(|next| empty_by_looking(tree, prev, next))
    }

    fn step(&mut self, tree: usize, prev: Option<u8>, letter: u8) -> Vec<usize> {
        if let Some(known) = self.steps.get(&(tree, prev, letter)) {
            return known.clone();
        }
        let mut after = BTreeSet::new();
        step(&self.trees[tree], prev, letter, &mut after);
        let numbers: Vec<usize> = after.into_iter().map(|tree| self.number(tree)).collect();
        self.steps.insert((tree, prev, letter), numbers.clone());
        numbers
    }

    fn number(&mut self, tree: Node) -> usize {
        *self.numbers.entry(tree).or_insert_with_key(|tree| {
            self.trees.push(tree.clone());
            self.trees.len() - 1
        })
    }
}

/// Whether `tree` matches the empty text between these two letters.
fn empty(tree: &Node, prev: Option<u8>, next: Option<u8>) -> bool {
    match tree {
        Node::Empty => true,
        Node::Class(_) => false,
        Node::Look(look) => look.holds(prev, next),
        Node::Concat(parts) => parts.iter().all(|part| empty(part, prev, next)),
        Node::Alt(branches) => branches.iter().any(|branch| empty(branch, prev, next)),
        Node::Repeat { node, min, .. } => *min == 0 || empty(node, prev, next),
    }
}

/// Whether `tree` matches the empty text here whatever comes next, and without having to look.
fn empty_now(tree: &Node, prev: Option<u8>) -> bool {
    match tree {
        Node::Empty => true,
        Node::Class(_) => false,
        Node::Look(look) => !look.looks_ahead() && look.holds(prev, None),
        Node::Concat(parts) => parts.iter().all(|part| empty_now(part, prev)),
        Node::Alt(branches) => branches.iter().any(|branch| empty_now(branch, prev)),
        Node::Repeat { node, min, .. } => *min == 0 || empty_now(node, prev),
    }
}

/// Whether some way to match the empty text between these two letters looks at the second.
fn empty_by_looking(tree: &Node, prev: Option<u8>, next: Option<u8>) -> bool {
    let looks = |node: &Node| empty_by_looking(node, prev, next);
    match tree {
        Node::Empty | Node::Class(_) => false,
        Node::Look(look) => look.looks_ahead() && look.holds(prev, next),
        Node::Concat(parts) => parts.iter().any(looks) && parts.iter().all(|part| empty(part, prev, next)),
        Node::Alt(branches) => branches.iter().any(looks),
        Node::Repeat { node, .. } => looks(node),
    }
}

/// What remains of `tree` after `letter`.
fn step(tree: &Node, prev: Option<u8>, letter: u8, after: &mut BTreeSet<Node>) {
    match tree {
        Node::Empty | Node::Look(_) => {}
        Node::Class(class) => {
            if class.has(letter) {
                after.insert(Node::Empty);
            }
        }
        Node::Concat(parts) => {
            for (i, part) in parts.iter().enumerate() {
                let mut heads = BTreeSet::new();
                step(part, prev, letter, &mut heads);
                after.extend(heads.into_iter().map(|head| then(head, &parts[i + 1..])));
                if !empty(part, prev, Some(letter)) {
                    break;
                }
            }
        }
        Node::Alt(branches) => branches.iter().for_each(|branch| step(branch, prev, letter, after)),
        Node::Repeat { max: Some(0), .. } => {}
        Node::Repeat { node, min, max } => {
            // Rounds that match the empty text here may be counted off.
            let min = if empty(node, prev, Some(letter)) { 0 } else { min.saturating_sub(1) };
            let rest = Node::Repeat { node: node.clone(), min, max: max.map(|max| max - 1) };
            let mut heads = BTreeSet::new();
            step(node, prev, letter, &mut heads);
            after.extend(heads.into_iter().map(|head| then(head, std::slice::from_ref(&rest))));
        }
    }
}

/// `head` followed by `rest`, in one flat form so that equal remainders are equal trees.
fn then(head: Node, rest: &[Node]) -> Node {
    let mut parts = Vec::new();
    for part in std::iter::once(&head).chain(rest) {
        match part {
            Node::Empty | Node::Repeat { max: Some(0), .. } => {}
            Node::Concat(inner) => parts.extend(inner.iter().cloned()),
            other => parts.push(other.clone()),
        }
    }
    match parts.len() {
        0 => Node::Empty,
        1 => parts.remove(0),
        _ => Node::Concat(parts),
    }
}
