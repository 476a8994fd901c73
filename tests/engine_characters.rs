//! Characters of several bytes stay whole, and bytes that are no character pass, at every cut.

mod oracle;

use holdback::rule::Mask;
use holdback::{Channel, ChannelKind, Policy, Rule};
use oracle::ast::Automata;
use oracle::drive;
use oracle::property::seeds;
use oracle::rng::Rng;
use std::ops::Range;

/// Whole characters of one to four bytes that share some of them, made of these bytes only.
const CHARACTERS: &[&str] = &["a", "é", "É", "日", "旦", "🦉", "🦊"];

/// Bytes of those characters, and two that stand in no character.
const BYTES: &[u8] = b"a\xC3\xA9\x89\xE6\x97\xA5\xA6\xF0\x9F\x8A\xFF\xC0";

/// A rule that looks for these bytes, `None` being any byte.
#[derive(Clone, Debug)]
struct ByteRule {
    bytes: Vec<Option<u8>>,
    becomes: Becomes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes {
    /// Its rule's name in brackets.
    Name,
    Nothing,
    Stars,
    Flagged,
}

#[derive(Debug)]
struct Case {
    text: Vec<u8>,
    rules: Vec<ByteRule>,
    automata: Automata,
}

impl Case {
    fn of(rng: &mut Rng) -> Case {
        let len = rng.between(1, 8);
        let mut text = Vec::new();
        let broken = if rng.chance(50) { 0 } else { 30 };
        for _ in 0..len {
            if rng.chance(broken) {
                text.push(*rng.pick(BYTES));
            } else {
                text.extend_from_slice(rng.pick::<&str>(CHARACTERS).as_bytes());
            }
        }
        let rules = (0..rng.between(1, 3)).map(|_| ByteRule::of(rng, &text)).collect();
        let automata = *rng.pick(&Automata::ALL);
        Case { text, rules, automata }
    }

    fn policy(&self) -> Policy {
        let rules = self.rules.iter().enumerate().map(|(at, rule)| rule.rule(at)).collect();
        drive::build(rules, 4096, self.automata).expect("the rules are sound")
    }

    /// The text with every character that a match touches replaced, overlapping ones once.
    fn expected(&self) -> Vec<u8> {
        let characters = characters(&self.text);
        let mut covered: Vec<(Range<usize>, usize)> = Vec::new();
        for (at, rule) in self.rules.iter().enumerate().filter(|(_, rule)| rule.becomes != Becomes::Flagged) {
            covered.extend(rule.matches(&self.text).map(|span| (widened(&characters, span), at)));
        }
        covered.sort_by_key(|(span, _)| (span.start, span.end));
        let mut output = Vec::new();
        let mut at = 0;
        let mut covered = covered.into_iter().peekable();
        while let Some((mut span, mut first)) = covered.next() {
            while let Some((next, rule)) = covered.next_if(|(next, _)| next.start < span.end) {
                span.end = span.end.max(next.end);
                first = first.min(rule);
            }
            output.extend_from_slice(&self.text[at..span.start]);
            let covered = characters.iter().filter(|c| span.start <= c.start && c.end <= span.end);
            // Each byte of a character that is broken counts by itself.
            let count: usize = covered.map(|c| self.text[c.clone()].utf8_chunks().map(count).sum::<usize>()).sum();
            match self.rules[first].becomes {
                Becomes::Name => output.extend_from_slice(format!("[r{first}]").as_bytes()),
                Becomes::Stars => output.extend_from_slice("*".repeat(count).as_bytes()),
                Becomes::Nothing => {}
                Becomes::Flagged => unreachable!("flags cover nothing"),
            }
            at = span.end;
        }
        output.extend_from_slice(&self.text[at..]);
        output
    }
}

impl ByteRule {
    /// A stretch of the text, more often than not, with a byte left open here and there.
    fn of(rng: &mut Rng, text: &[u8]) -> ByteRule {
        let len = rng.between(1, 5).min(text.len());
        let start = rng.below(text.len() - len + 1);
        let bytes = text[start..start + len].iter().map(|&byte| (!rng.chance(15)).then_some(byte)).collect();
        let becomes = *rng.pick(&[Becomes::Name, Becomes::Name, Becomes::Nothing, Becomes::Stars, Becomes::Flagged]);
        ByteRule { bytes, becomes }
    }

    fn rule(&self, at: usize) -> Rule {
        let byte = |byte: &Option<u8>| byte.map_or("(?s-u:.)".to_owned(), |byte| format!(r"(?-u:\x{byte:02X})"));
        let rule = Rule::regex(format!("r{at}"), self.bytes.iter().map(byte).collect::<String>());
        match self.becomes {
            Becomes::Name => rule,
            Becomes::Nothing => rule.remove(),
            Becomes::Stars => rule.mask(Mask::new('*')),
            Becomes::Flagged => rule.flag(),
        }
    }

    fn matches(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        let len = self.bytes.len();
        let fits = |window: &[u8]| window.iter().zip(&self.bytes).all(|(byte, want)| want.is_none_or(|b| b == *byte));
        text.windows(len).enumerate().filter(move |(_, window)| fits(window)).map(move |(at, _)| at..at + len)
    }
}

fn count(chunk: std::str::Utf8Chunk<'_>) -> usize {
    chunk.valid().chars().count() + chunk.invalid().len()
}

/// A first byte with as many bytes of the middle as it announces and are there; every other byte by itself.
fn characters(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let announced = match text[at] {
            0xC2..=0xDF => 1,
            0xE0..=0xEF => 2,
            0xF0..=0xF4 => 3,
            _ => 0,
        };
        let rest = text[at + 1..].iter().take(announced).take_while(|byte| (0x80..0xC0).contains(*byte)).count();
        found.push(at..at + 1 + rest);
        at += 1 + rest;
    }
    found
}

fn widened(characters: &[Range<usize>], span: Range<usize>) -> Range<usize> {
    let touched: Vec<_> = characters.iter().filter(|c| c.start < span.end && span.start < c.end).collect();
    touched[0].start..touched[touched.len() - 1].end
}

/// Every cut in two, byte by byte, and a few random ones.
fn cuttings(len: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
    let mut cuttings: Vec<Vec<usize>> = (1..len).map(|cut| vec![cut, len - cut]).collect();
    cuttings.extend([vec![len], vec![1; len]]);
    cuttings.extend((0..3).map(|_| rng.cuts(len, 4)));
    cuttings
}

fn check(case: &Case, cuts: &[usize]) -> Result<(), String> {
    let policy = case.policy();
    let run = drive::run(&policy, &case.text, cuts)?;
    let expected = case.expected();
    if run.output != expected {
        return Err(format!("left {}, should leave {}", run.output.escape_ascii(), expected.escape_ascii()));
    }
    if std::str::from_utf8(&case.text).is_err() {
        return Ok(());
    }
    let mut channel = Channel::new(&policy, ChannelKind::Text);
    let mut at = 0;
    for cut in cuts {
        let mut output = Vec::new();
        channel.push(&case.text[at..at + cut]).write_to(&mut output);
        at += cut;
        if std::str::from_utf8(&output).is_err() {
            return Err(format!("what left when {at} bytes were known is no text: {}", output.escape_ascii()));
        }
    }
    Ok(())
}

#[test]
fn characters_stay_whole_and_broken_ones_pass() {
    for seed in seeds(5_000) {
        let mut rng = Rng::new(seed);
        let case = Case::of(&mut rng);
        for cuts in cuttings(case.text.len(), &mut rng) {
            if let Err(reason) = check(&case, &cuts) {
                let text = case.text.escape_ascii();
                panic!("with HOLDBACK_SEED={seed}, cut into {cuts:?}: {reason}\n{text}\n{case:?}");
            }
        }
    }
}

/// A terminating match: nothing of the character that it begins in leaves, and what did leave is text.
#[test]
fn a_text_that_is_ended_ends_with_a_whole_character() {
    for seed in seeds(5_000) {
        let mut rng = Rng::new(seed);
        let case = Case::of(&mut rng);
        let ending = &case.rules[0];
        let first = ending.matches(&case.text).next();
        let policy = drive::build(vec![ending.rule(0).terminate()], 4096, case.automata).expect("the rule is sound");
        let begins = first.map(|span| widened(&characters(&case.text), span).start);
        let expected = &case.text[..begins.unwrap_or(case.text.len())];
        for cuts in cuttings(case.text.len(), &mut rng) {
            let run = drive::run(&policy, &case.text, &cuts).expect("nothing is out of order");
            assert!(
                run.output == expected && run.terminated.is_some() == begins.is_some(),
                "with HOLDBACK_SEED={seed}, cut into {cuts:?}: left {}, should leave {}\n{case:?}",
                run.output.escape_ascii(),
                expected.escape_ascii()
            );
        }
    }
}
