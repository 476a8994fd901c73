//! What a rule costs before it is put in front of anyone, with numbers.

use super::{CompiledRule, Direction, HoldBound};
use crate::scan::{Component, Cursor, Role, RuleTraits, Scanner, Size, Starts};
use std::fmt;

/// What one rule, alone, may cost.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// How many bytes the rule can hold back at worst.
    pub bound: HoldBound,
    /// What it holds back of ordinary text.
    pub delay: Delay,
    /// States that its automaton, alone, needs for ordinary text.
    pub states: usize,
    /// What stands out.
    pub lints: Vec<Lint>,
}

/// How rules delay a sample of English prose that comes in tokens of four bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Delay {
    /// Share of the tokens after which nothing is held back, 0 to 1.
    pub released_at_once: f64,
    /// Bytes held back after a token, on average.
    pub mean_held_bytes: f64,
    /// Tokens that come before a token has left whole, on average.
    pub mean_tokens: f64,
}

/// Something about a rule that its author may not have meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lint {
    /// Nearly every word may be the beginning of a match, so nearly every token waits for the next.
    HoldsEveryWord,
    /// After a match its thread lives on over ordinary text, which stays held until `max_len`.
    HoldsAfterMatch,
    /// The validator is asked about this many starts of one candidate.
    TriesManyStarts {
        /// Starts that are live at once.
        starts: usize,
    },
    /// No text was found that the rule matches.
    MatchesNothing,
    /// The rule names kinds of channel, which only responses have, and watches requests.
    NamesNoChannel,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lint::HoldsEveryWord => f.write_str(
                "nearly every word may begin a match, so nearly every token waits for the next \
                 (help: begin the pattern with something rarer, or accept about one token of delay)",
            ),
            Lint::HoldsAfterMatch => f.write_str(
                "after a match the text that follows stays held up to `max_len` \
                 (help: use the mode `shortest`, a `block`, or a class that ends)",
            ),
            Lint::TriesManyStarts { starts } => write!(
                f,
                "the validator is asked about {starts} or more starts of one candidate \
                 (help: add a boundary with `not_before`)"
            ),
            Lint::MatchesNothing => {
                f.write_str("no text was found that matches (help: check anchors and boundaries against each other)")
            }
            Lint::NamesNoChannel => f.write_str(
                "`channels` has no effect, for the rule watches requests only \
                 (help: drop it, or write the direction `both`)",
            ),
        }
    }
}

/// Below this share of tokens released at once a rule holds nearly every word.
const FEW_RELEASED: f64 = 0.5;
/// More live starts than this cost more than the rule is likely worth.
const MANY_STARTS: usize = 8;
/// Configurations searched for a match; patterns of a few hundred bytes need fewer.
const MAX_CONFIGS: usize = 4096;
/// About a token: language models cut English into pieces of three to five bytes.
const TOKEN_BYTES: usize = 4;

const PROSE: &str = "\
The harbour was quiet when the last boat came in. Two men in yellow coats carried the crates up the steps, one by \
one, and set them down under the lamp. Nobody spoke; the price had been agreed on Tuesday, and it was not a good \
one. Later, over tea, the older of them worked out the sums on the back of a map: 48 crates, 12 of them short, and a \
debt that would not wait until spring. \"We could sell the engine,\" he said. The other shook his head. An engine \
was a year's work; a debt was only a number, and numbers can be talked to. So they talked until the kettle was cold.";

pub(super) fn cost(rule: &CompiledRule) -> Cost {
    let CompiledRule { traits, bound, .. } = *rule;
    // A request comes whole, so what only watches those holds no more than what only reports.
    let role = if rule.direction == Direction::Request { Role::Observe } else { traits.role };
    let alone = Component::new(&rule.lowered, RuleTraits { role, ..traits }).expect("it compiled before");
    let scanner = Scanner::new(&[&alone], Size { max_states: MAX_CONFIGS, shards: Some(1) });
    let (delay, states) = (delay(&scanner), scanner.states());
    let mut lints = Vec::from_iter(rule.oddity);
    if delay.released_at_once < FEW_RELEASED {
        lints.push(Lint::HoldsEveryWord);
    }
    match scanner.example(MAX_CONFIGS) {
        Some(text) if holds_after(&scanner, &text) => lints.push(Lint::HoldsAfterMatch),
        Some(_) => {}
        None => lints.push(Lint::MatchesNothing),
    }
    if traits.starts == Starts::Every {
        let starts = ["x", "7", "xY7_"].map(|text| most_starts(&scanner, text.repeat(64).as_bytes()));
        let starts = starts.into_iter().max().unwrap_or_default();
        if starts > MANY_STARTS {
            lints.push(Lint::TriesManyStarts { starts });
        }
    }
    Cost { bound, delay, states, lints }
}

/// How the scanner's rules together delay the sample.
pub(super) fn delay(scanner: &Scanner) -> Delay {
    let held = held_after_tokens(scanner, &mut Cursor::new(scanner), PROSE.as_bytes());
    let tokens = held.len() as f64;
    let ends = (1..).map(|tokens| (tokens * TOKEN_BYTES).min(PROSE.len()) as u64);
    let decided: Vec<u64> = ends.clone().zip(&held).map(|(end, held)| end - held).collect();
    let waits = ends
        .zip(0..held.len())
        .map(|(end, token)| decided[token..].iter().position(|&decided| decided >= end).unwrap_or(held.len() - token));
    Delay {
        released_at_once: held.iter().filter(|&&bytes| bytes == 0).count() as f64 / tokens,
        mean_held_bytes: held.iter().sum::<u64>() as f64 / tokens,
        mean_tokens: waits.sum::<usize>() as f64 / tokens,
    }
}

/// Bytes held back after each token.
fn held_after_tokens(scanner: &Scanner, cursor: &mut Cursor, text: &[u8]) -> Vec<u64> {
    let mut hits = Vec::new();
    let tokens = text.chunks(TOKEN_BYTES).map(|token| {
        let mut rest = token;
        while !rest.is_empty() {
            rest = &rest[cursor.run(scanner, rest, &mut hits)..];
            hits.clear();
        }
        cursor.position() - cursor.frontier()
    });
    tokens.collect()
}

/// Whether the thread that matched in `text` lives on over prose. A block that was opened is closed there, so what
/// lives on is not the block.
fn holds_after(scanner: &Scanner, text: &[u8]) -> bool {
    let mut cursor = Cursor::new(scanner);
    held_after_tokens(scanner, &mut cursor, text);
    held_after_tokens(scanner, &mut cursor, PROSE.as_bytes());
    cursor.frontier() < text.len() as u64
}

/// The most starts that are live after any byte; beyond what is told apart they become fewer.
fn most_starts(scanner: &Scanner, text: &[u8]) -> usize {
    let mut cursor = Cursor::new(scanner);
    let after = text.chunks(1).map(|byte| {
        cursor.run(scanner, byte, &mut Vec::new());
        cursor.live_starts(scanner)
    });
    after.max().unwrap_or_default()
}
