//! A set of texts as a graph: what an expression would spell out at great length, with every end that words share
//! written once.

use regex_syntax::hir::ClassUnicode;

/// A graph whose edges each read one character. A text is in its set if a path from node 0 to an end reads it.
#[derive(Clone, Debug)]
pub(crate) struct CharGraph {
    pub(crate) classes: Vec<ClassUnicode>,
    pub(crate) nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) edges: Vec<Edge>,
    pub(crate) ends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The characters it reads, by their place among the classes.
    pub(crate) class: u32,
    pub(crate) to: u32,
}

impl CharGraph {
    /// The bytes of the longest text, `None` if there is none.
    pub(crate) fn longest(&self) -> Option<usize> {
        #[derive(Clone, Copy)]
        enum Visit {
            Never,
            Open,
            Done(usize),
        }
        let mut visits = vec![Visit::Never; self.nodes.len()];
        let mut stack = vec![0];
        while let Some(&node) = stack.last() {
            let edges = &self.nodes[node].edges;
            let open = edges.iter().find(|edge| !matches!(visits[edge.to as usize], Visit::Done(_)));
            match (visits[node], open) {
                (Visit::Never, _) => visits[node] = Visit::Open,
                // What an open node leads to is not done: it leads back.
                (Visit::Open, Some(edge)) if matches!(visits[edge.to as usize], Visit::Open) => return None,
                (Visit::Open, Some(edge)) => stack.push(edge.to as usize),
                _ => {
                    let lengths = edges.iter().map(|edge| match visits[edge.to as usize] {
                        Visit::Done(rest) => rest + self.longest_char(edge.class),
                        Visit::Never | Visit::Open => 0,
                    });
                    visits[node] = Visit::Done(lengths.max().unwrap_or(0));
                    stack.pop();
                }
            }
        }
        match visits[0] {
            Visit::Done(longest) => Some(longest),
            Visit::Never | Visit::Open => None,
        }
    }

    fn longest_char(&self, class: u32) -> usize {
        self.classes[class as usize].ranges().last().map_or(0, |range| range.end().len_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::hir::ClassUnicodeRange;

    fn graph(edges: &[(u32, u32, u32)], nodes: usize) -> CharGraph {
        let class = |c| ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        let mut graph = CharGraph { classes: vec![class('a'), class('é')], nodes: vec![Node::default(); nodes] };
        for &(from, class, to) in edges {
            graph.nodes[from as usize].edges.push(Edge { class, to });
        }
        graph
    }

    #[test]
    fn the_longest_text_is_counted_in_bytes() {
        assert_eq!(graph(&[(0, 0, 1), (1, 1, 3), (0, 1, 2), (2, 1, 3)], 4).longest(), Some(4));
        assert_eq!(graph(&[(0, 0, 1)], 2).longest(), Some(1));
    }

    #[test]
    fn a_loop_has_no_longest_text() {
        assert_eq!(graph(&[(0, 0, 1), (1, 0, 1), (1, 1, 2)], 3).longest(), None);
        assert_eq!(graph(&[(0, 0, 1), (1, 0, 2), (2, 0, 1)], 3).longest(), None);
    }
}
