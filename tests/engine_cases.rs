//! The table of hand-written cases in `tests/data/engine`, walked whole, cut in two at every byte, byte by byte and
//! in seeded random cuts, each with one automaton and with several, of as many states as the engine likes and of nearly none.
//!
//! A case says what its text becomes. `verdicts`, where given, lists every verdict as `rule start..end`, followed
//! by its reason unless that is a match, ordered by place; whatever their own order is, it is the same at every cut.
//! `terminated` is `rule start`; `decided` says how many bytes are decided after each byte of the text. A text is of
//! a response unless its `direction` is `request`.

mod oracle;

use holdback::policy::{Direction, Reason};
use holdback::rule::{Block, Case as Letters, Mask, Mode, Pattern, Unclosed, Validator};
use holdback::{Channel, ChannelKind, Policy, Rule, Verdict};
use oracle::ast::Automata;
use oracle::drive::{self, Run};
use oracle::rng::Rng;
use serde::Deserialize;
use std::path::Path;
use std::{fs, iter};

const RANDOM_CUTS: usize = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    direction: Option<String>,
    #[serde(deserialize_with = "bytes")]
    text: Vec<u8>,
    rules: Vec<RuleCase>,
    max_hold: Option<usize>,
    #[serde(deserialize_with = "bytes")]
    output: Vec<u8>,
    verdicts: Option<Vec<String>>,
    terminated: Option<String>,
    decided: Option<Vec<u64>>,
}

/// A rule has a `literal`, a `regex`, or an `open` and a `close`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleCase {
    id: String,
    direction: Option<String>,
    #[serde(default)]
    channels: Vec<String>,
    literal: Option<String>,
    regex: Option<String>,
    open: Option<String>,
    close: Option<String>,
    unclosed: Option<String>,
    capture: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    case: Option<String>,
    mode: Option<String>,
    #[serde(default)]
    unicode: bool,
    #[serde(default)]
    validate: Vec<String>,
    max_len: Option<usize>,
    action: Option<String>,
    replace: Option<String>,
    mask: Option<MaskCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaskCase {
    char: Option<char>,
    #[serde(default)]
    keep_first: usize,
    #[serde(default)]
    keep_last: usize,
}

#[test]
fn every_case_at_every_cut() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/engine"));
    let mut failures = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let source = fs::read_to_string(&path).expect("it can be read");
        let table: Table = toml::from_str(&source).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in &table.case {
            count += 1;
            if let Err(reason) = check(case) {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                failures.push(format!("{file}: {}: {reason}", case.name));
            }
        }
    }
    assert!(count >= 80, "only {count} cases were found");
    assert!(failures.is_empty(), "{} of {count} cases fail\n{}", failures.len(), failures.join("\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let max_hold = case.max_hold.unwrap_or(4096);
    let mut verdicts: Option<Vec<Verdict>> = None;
    for automata in Automata::ALL {
        let rules = case.rules.iter().map(RuleCase::rule).collect();
        let policy = drive::build(rules, max_hold, automata)?;
        if let Some(expected) = &case.decided {
            let decided = decided(case.channel(&policy), &case.text);
            if decided != *expected {
                return Err(format!("decided are {decided:?}, should be {expected:?}, {automata:?}"));
            }
        }
        for cuts in cuttings(case.text.len()) {
            let run = drive::run_in(case.channel(&policy), &case.text, &cuts);
            let outcome = run.and_then(|run| {
                compare(case, &run)?;
                let first = verdicts.get_or_insert_with(|| run.verdicts.clone());
                if *first == run.verdicts {
                    Ok(())
                } else {
                    Err(format!("another order of verdicts: {:?}", run.verdicts))
                }
            });
            outcome.map_err(|reason| format!("cut into {cuts:?}, {automata:?}: {reason}"))?;
        }
    }
    Ok(())
}

fn decided(mut channel: Channel, text: &[u8]) -> Vec<u64> {
    let after = |byte: &[u8]| {
        channel.push(byte);
        channel.decided()
    };
    text.chunks(1).map(after).collect()
}

fn cuttings(len: usize) -> impl Iterator<Item = Vec<usize>> {
    let mut rng = Rng::new(len as u64);
    let whole = iter::once(vec![len]);
    let halves = (1..len).map(move |cut| vec![cut, len - cut]);
    let bytes = iter::once(vec![1; len]);
    let random = iter::repeat_with(move || rng.cuts(len, 7)).take(RANDOM_CUTS);
    whole.chain(halves).chain(bytes).chain(random)
}

fn compare(case: &Case, run: &Run) -> Result<(), String> {
    if run.output != case.output {
        let show = |bytes: &[u8]| bytes.escape_ascii().to_string();
        return Err(format!("left \"{}\", should leave \"{}\"", show(&run.output), show(&case.output)));
    }
    let terminated = run.terminated.as_ref().map(|verdict| format!("{} {}", verdict.rule, verdict.span.start));
    if terminated != case.terminated {
        return Err(format!("terminated: {terminated:?}, should be {:?}", case.terminated));
    }
    let mut verdicts: Vec<&Verdict> = run.verdicts.iter().collect();
    verdicts.sort_by_key(|verdict| (verdict.span.start, verdict.span.end, verdict.rule.clone()));
    let verdicts: Vec<String> = verdicts.into_iter().map(show).collect();
    match &case.verdicts {
        Some(expected) if verdicts != *expected => Err(format!("verdicts {verdicts:?}, should be {expected:?}")),
        _ => Ok(()),
    }
}

fn show(verdict: &Verdict) -> String {
    let Verdict { rule, span, reason, .. } = verdict;
    match reason {
        Reason::Match => format!("{rule} {}..{}", span.start, span.end),
        reason => format!("{rule} {}..{} {}", span.start, span.end, reason.name()),
    }
}

impl Case {
    fn channel(&self, policy: &Policy) -> Channel {
        let kind = match self.direction.as_deref().map(direction) {
            Some(Direction::Request) => ChannelKind::Prompt,
            _ => ChannelKind::Text,
        };
        Channel::new(policy, kind)
    }
}

fn direction(word: &str) -> Direction {
    let named = Direction::ALL.into_iter().find(|direction| direction.name() == word);
    named.unwrap_or_else(|| panic!("unknown direction {word}"))
}

impl RuleCase {
    fn rule(&self) -> Rule {
        let mut rule = match (&self.literal, &self.regex, &self.open, &self.close) {
            (Some(text), None, None, None) => Rule::pattern(&*self.id, self.pattern(Pattern::literal(text))),
            (None, Some(regex), None, None) => Rule::pattern(&*self.id, self.pattern(Pattern::regex(regex))),
            (None, None, Some(open), Some(close)) => Rule::block(&*self.id, self.block(open, close)),
            _ => panic!("{}: a rule has a `literal`, a `regex`, or an `open` and a `close`", self.id),
        };
        if let (Some(max_len), None) = (self.max_len, &self.open) {
            rule = rule.max_len(max_len);
        }
        for name in &self.validate {
            rule = rule.validate(validator(name));
        }
        if let Some(word) = &self.direction {
            rule = rule.direction(direction(word));
        }
        let watches = |kind: &ChannelKind| self.channels.iter().any(|name| name == kind.name());
        rule = rule.channels(ChannelKind::ALL.into_iter().filter(watches));
        match (self.action.as_deref(), &self.replace, &self.mask) {
            (None, None, None) => rule,
            (None, Some(template), None) => rule.redact(template),
            (None, None, Some(mask)) => {
                rule.mask(Mask::new(mask.char.unwrap_or('*')).keep_first(mask.keep_first).keep_last(mask.keep_last))
            }
            (Some("flag"), None, None) => rule.flag(),
            (Some("drop"), None, None) => rule.remove(),
            (Some("terminate"), None, None) => rule.terminate(),
            _ => panic!("{}: unknown action", self.id),
        }
    }

    fn pattern(&self, mut pattern: Pattern) -> Pattern {
        if let Some(group) = &self.capture {
            pattern = pattern.capture(group);
        }
        if let Some(class) = &self.not_before {
            pattern = pattern.not_before(class);
        }
        if let Some(class) = &self.not_after {
            pattern = pattern.not_after(class);
        }
        if self.unicode {
            pattern = pattern.unicode();
        }
        match self.mode.as_deref() {
            None => {}
            Some("shortest") => pattern = pattern.mode(Mode::Shortest),
            Some(other) => panic!("{}: unknown mode {other}", self.id),
        }
        pattern.case(self.letters())
    }

    fn block(&self, open: &str, close: &str) -> Block {
        let block = Block::new(open, close, self.max_len.expect("a block has a `max_len`")).case(self.letters());
        match self.unclosed.as_deref() {
            None => block,
            Some("terminate") => block.unclosed(Unclosed::Terminate),
            Some(other) => panic!("{}: unknown `unclosed` {other}", self.id),
        }
    }

    fn letters(&self) -> Letters {
        match self.case.as_deref() {
            None => Letters::Sensitive,
            Some("insensitive") => Letters::AsciiInsensitive,
            Some(other) => panic!("{}: unknown case {other}", self.id),
        }
    }
}

/// Validators simple enough to work out a case by hand.
fn validator(name: &str) -> Validator {
    let even = |letter: u8| move |text: &[u8]| text.iter().filter(|&&b| b == letter).count() % 2 == 0;
    match name {
        "even-a" => Validator::new(name, even(b'a')),
        "even-b" => Validator::new(name, even(b'b')),
        "never" => Validator::new(name, |_| false),
        _ => panic!("unknown validator {name}"),
    }
}

/// A text, or a list of texts and byte values for what is not UTF-8.
fn bytes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Piece {
        Text(String),
        Byte(u8),
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Bytes {
        Text(String),
        Pieces(Vec<Piece>),
    }
    Ok(match Bytes::deserialize(deserializer)? {
        Bytes::Text(text) => text.into_bytes(),
        Bytes::Pieces(pieces) => pieces
            .into_iter()
            .flat_map(|piece| match piece {
                Piece::Text(text) => text.into_bytes(),
                Piece::Byte(byte) => vec![byte],
            })
            .collect(),
    })
}
