//! The syntax tree from which both readings begin.

use holdback::PolicyBuilder;

/// Two word letters that classes tell apart, a third kind of word letter, and the two kinds of other bytes that
/// look-around can tell apart. Nothing more is needed to reach every behaviour of the engine.
pub const ALPHABET: &[u8; 5] = b"ab1 \n";

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    Empty,
    Class(Class),
    Look(Look),
    Concat(Vec<Node>),
    Alt(Vec<Node>),
    Repeat { node: Box<Node>, min: usize, max: Option<usize> },
}

/// A set of letters, one bit for each of [`ALPHABET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(pub u8);

/// A condition on the two letters around a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Look {
    /// `\A`, or `^` outside of `(?m)`.
    TextStart,
    Caret,
    /// `\z`, or `$` outside of `(?m)`.
    TextEnd,
    Dollar,
    LineStart,
    LineEnd,
    Word,
    NotWord,
    WordStart,
    WordEnd,
    HalfStart,
    HalfEnd,
    /// A rule's `not_before` and `not_after`.
    NotBefore(Class),
    NotAfter(Class),
}

/// A rule.
#[derive(Clone, Debug)]
pub struct RuleAst {
    pub shape: Shape,
    pub action: Act,
    pub max_len: Option<usize>,
}

#[derive(Clone, Debug)]
pub enum Shape {
    Pattern(PatternAst),
    Block(BlockAst),
}

/// `before` and `after` are context around a captured `body`.
#[derive(Clone, Debug)]
pub struct PatternAst {
    pub before: Option<Node>,
    pub body: Node,
    pub after: Option<Node>,
    pub not_before: Option<Class>,
    pub not_after: Option<Class>,
    pub mode: Mode,
    pub validator: Validator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    All,
    Shortest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    None,
    /// Accepts an even number of `a`.
    EvenA,
}

#[derive(Clone, Debug)]
pub struct BlockAst {
    pub open: Node,
    pub close: Node,
    pub max_len: usize,
    pub unclosed: Unclosed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclosed {
    Redact,
    Terminate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Flag,
    Mask {
        keep_first: usize,
        keep_last: usize,
    },
    Redact(&'static str),
    Drop,
    Terminate,
    /// For the check `held`. What that says is no matter of the oracle's.
    Hold,
}

/// A rule set, its limit, and a text.
#[derive(Clone)]
pub struct Case {
    pub rules: Vec<RuleAst>,
    pub max_hold: usize,
    pub automata: Automata,
    pub text: Vec<u8>,
    /// Chooses the cuts, so that a shrunk case can be cut anew.
    pub cut_seed: u64,
}

/// The automata that the engine matches with: a choice that must not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Automata {
    One,
    /// With so few states that it has to step without a table nearly all the time.
    Tiny,
    /// The rules divided among as many as there may be.
    Several,
    SeveralTiny,
}

impl Automata {
    pub const ALL: [Automata; 4] = [Automata::One, Automata::Tiny, Automata::Several, Automata::SeveralTiny];

    pub fn of(self, builder: PolicyBuilder) -> PolicyBuilder {
        match self {
            Automata::One => builder.shards(1),
            Automata::Tiny => builder.shards(1).max_states(6),
            Automata::Several => builder.shards(4),
            Automata::SeveralTiny => builder.shards(4).max_states(12),
        }
    }
}

impl Class {
    pub fn has(self, byte: u8) -> bool {
        ALPHABET.iter().position(|&letter| letter == byte).is_some_and(|i| self.0 >> i & 1 == 1)
    }

    pub fn letters(self) -> impl Iterator<Item = u8> {
        ALPHABET.iter().copied().filter(move |&letter| self.has(letter))
    }
}

impl Look {
    pub const PLAIN: [Look; 12] = [
        Look::TextStart,
        Look::Caret,
        Look::TextEnd,
        Look::Dollar,
        Look::LineStart,
        Look::LineEnd,
        Look::Word,
        Look::NotWord,
        Look::WordStart,
        Look::WordEnd,
        Look::HalfStart,
        Look::HalfEnd,
    ];

    /// Whether it holds between these two letters; `None` is the text's edge.
    pub fn holds(self, prev: Option<u8>, next: Option<u8>) -> bool {
        let word = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        match self {
            Look::TextStart | Look::Caret => prev.is_none(),
            Look::TextEnd | Look::Dollar => next.is_none(),
            Look::LineStart => prev.is_none_or(|b| b == b'\n'),
            Look::LineEnd => next.is_none_or(|b| b == b'\n'),
            Look::Word => word(prev) != word(next),
            Look::NotWord => word(prev) == word(next),
            Look::WordStart => !word(prev) && word(next),
            Look::WordEnd => word(prev) && !word(next),
            Look::HalfStart => !word(prev),
            Look::HalfEnd => !word(next),
            Look::NotBefore(class) => !prev.is_some_and(|b| class.has(b)),
            Look::NotAfter(class) => !next.is_some_and(|b| class.has(b)),
        }
    }

    /// Whether it is settled by the letter after it only.
    ///
    /// Only `not_before` is not: it stands in front of a match, where a letter follows anyway. To settle `\A` or
    /// `(?m:^)` at a match's very end without that letter would gain nothing but a rarer case.
    pub fn looks_ahead(self) -> bool {
        !matches!(self, Look::NotBefore(_))
    }
}

impl PatternAst {
    /// Everything in front of the span, `not_before` included.
    pub fn left(&self) -> Node {
        concat([self.not_before.map(|class| Node::Look(Look::NotBefore(class))), self.before.clone()])
    }

    /// Everything behind the span, `not_after` included.
    pub fn right(&self) -> Node {
        concat([self.after.clone(), self.not_after.map(|class| Node::Look(Look::NotAfter(class)))])
    }
}

impl Validator {
    pub fn accepts(self, candidate: &[u8]) -> bool {
        match self {
            Validator::None => true,
            Validator::EvenA => candidate.iter().filter(|&&b| b == b'a').count() % 2 == 0,
        }
    }
}

impl RuleAst {
    pub fn pattern(&self) -> Option<&PatternAst> {
        match &self.shape {
            Shape::Pattern(pattern) => Some(pattern),
            Shape::Block(_) => None,
        }
    }

    /// Whether a match of it is kept from the reader.
    pub fn covers(&self) -> bool {
        !matches!(self.action, Act::Flag | Act::Terminate | Act::Hold)
    }
}

fn concat(parts: [Option<Node>; 2]) -> Node {
    Node::Concat(parts.into_iter().flatten().collect())
}
