//! P5: a longer text with made-up secrets planted in it leaves the same way at every chunk size, from several
//! threads at once, and when a channel changes threads on its way.

mod oracle;

use holdback::rule::{Block, Mask, Pattern};
use holdback::{Channel, ChannelKind, Policy, Rule, Verdict};
use oracle::ast::Automata;
use oracle::property::seeds;
use oracle::rng::Rng;
use std::sync::Barrier;
use std::thread;

const CHUNK_SIZES: &[usize] = &[1, 2, 3, 4, 5, 7, 16, 64, 100, 1024, 4096, usize::MAX];

const WORDS: &[&str] = &[
    "the",
    "model",
    "says",
    "that",
    "a",
    "river",
    "runs",
    "north",
    "of",
    "Köln",
    "and",
    "12",
    "boats",
    "3.5",
    "km",
    "away",
    "see",
    "@home",
    "x@y",
    "--",
    "BEGIN",
    "END",
    "sk-",
    "naïve",
    "“quoted”",
    "日本",
    "4000",
    "00-11",
    "\n",
    "\n\n",
];

/// Made up, and cut by no word above.
const SECRETS: &[&str] = &[
    "jane.roe@mail.example",
    "ops+night@a.b.example",
    "4000 1234 5678 9010",
    "sk-madeup0madeup0madeup0",
    "000-12-3456",
    "Nightjar",
    "-----BEGIN TOY KEY-----\nQUJDREVG\nMDEyMzQ1\n-----END TOY KEY-----",
];

fn policy(automata: Automata) -> Policy {
    let builder = Policy::builder()
        .rule(Rule::regex("email", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"))
        .rule(Rule::regex("card", r"\b\d{4}(?: \d{4}){3}\b").mask(Mask::new('*').keep_last(4)))
        .rule(Rule::regex("key", r"sk-[a-z0-9]{16,}").max_len(200).redact("[key of {len}]"))
        .rule(Rule::pattern("ssn", Pattern::regex(r"\d{3}-\d{2}-\d{4}").not_before(r"\d").not_after(r"\d")))
        .rule(Rule::literal("codename", "Nightjar").remove())
        .rule(Rule::block("toy-key", Block::new("-----BEGIN TOY KEY-----", "-----END TOY KEY-----", 4096)))
        .rule(Rule::regex("boats", r"\d+ boats").flag());
    automata.of(builder).build().expect("the rules are sound")
}

/// About `words` words with a secret after every fifteenth or so.
fn corpus(seed: u64, words: usize) -> String {
    let mut rng = Rng::new(seed);
    let mut text = String::new();
    for _ in 0..words {
        text.push_str(rng.pick::<&str>(WORDS));
        text.push_str(rng.pick::<&str>(&[" ", " ", " ", ", ", ". ", ""]));
        if rng.below(15) == 0 {
            text.push(' ');
            text.push_str(rng.pick::<&str>(SECRETS));
            text.push(' ');
        }
    }
    text
}

fn output(policy: &Policy, text: &str, chunk_size: usize) -> String {
    let mut channel = Channel::new(policy, ChannelKind::Text);
    let mut output = Vec::new();
    for chunk in text.as_bytes().chunks(chunk_size) {
        channel.push(chunk).write_to(&mut output);
    }
    channel.finish().write_to(&mut output);
    String::from_utf8(output).expect("a cut leaves no half characters")
}

#[test]
fn every_chunk_size_gives_the_same_and_no_secret_leaves() {
    let text = corpus(1, 6000);
    for automata in Automata::ALL {
        let policy = policy(automata);
        let whole = output(&policy, &text, usize::MAX);
        for &chunk_size in CHUNK_SIZES {
            assert!(output(&policy, &text, chunk_size) == whole, "chunks of {chunk_size} bytes, {automata:?}");
        }
        for secret in SECRETS {
            assert!(text.contains(secret) && !whole.contains(secret), "{secret:?}");
        }
        assert!(!whole.contains("QUJDREVG"));
    }
}

#[test]
fn threads_share_a_policy() {
    for (round, automata) in Automata::ALL.into_iter().enumerate() {
        let text = corpus(2 + round as u64, 1500);
        let expected = output(&policy(automata), &text, usize::MAX);
        // A policy that has seen no text yet: the threads build its states at the same time.
        let fresh = policy(automata);
        thread::scope(|scope| {
            for &chunk_size in CHUNK_SIZES {
                let (fresh, text, expected) = (&fresh, &text, &expected);
                scope.spawn(move || {
                    assert!(output(fresh, text, chunk_size) == *expected, "chunks of {chunk_size} bytes, {automata:?}");
                });
            }
        });
    }
}

/// What left with each push, how much was decided after it, and the verdicts.
fn story(policy: &Policy, text: &str, cuts: &[usize]) -> (Vec<(Vec<u8>, u64)>, Vec<Verdict>) {
    let mut channel = Channel::new(policy, ChannelKind::Text);
    let (mut pushes, mut verdicts) = (Vec::new(), Vec::new());
    let mut rest = text.as_bytes();
    for &cut in cuts {
        let (chunk, after) = rest.split_at(cut);
        rest = after;
        let mut output = Vec::new();
        let released = channel.push(chunk);
        released.write_to(&mut output);
        verdicts.extend_from_slice(released.verdicts());
        pushes.push((output, channel.decided()));
    }
    let mut output = Vec::new();
    let released = channel.finish();
    released.write_to(&mut output);
    verdicts.extend_from_slice(released.verdicts());
    pushes.push((output, channel.decided()));
    (pushes, verdicts)
}

/// Each thread has a text and cuts of its own, and gets what it would get under a policy of its own.
#[test]
fn threads_with_texts_of_their_own_share_a_policy() {
    const THREADS: u64 = 8;
    for seed in seeds(6) {
        for automata in Automata::ALL {
            let shared = policy(automata);
            let start = Barrier::new(THREADS as usize);
            thread::scope(|scope| {
                for number in 0..THREADS {
                    let (shared, start) = (&shared, &start);
                    scope.spawn(move || {
                        let mut rng = Rng::new(seed * THREADS + number);
                        let text = corpus(rng.next(), 150);
                        let cuts = rng.cuts(text.len(), 12);
                        start.wait();
                        let found = story(shared, &text, &cuts);
                        let expected = story(&policy(automata), &text, &cuts);
                        assert!(found == expected, "with HOLDBACK_SEED={seed}, thread {number}, {automata:?}");
                    });
                }
            });
        }
    }
}

/// Of the openings of a block only the oldest and the youngest are kept apart, or their number would grow with the
/// text.
#[test]
fn a_block_that_opens_at_every_byte_needs_few_states() {
    let rule = Rule::block("r", Block::new("a", "b", 10_000));
    let policy = Policy::builder().rule(rule).build().expect("the rule is sound");
    assert_eq!(output(&policy, &"a".repeat(2_000), 7), "[r]");
    assert!(policy.states() < 10, "{} states", policy.states());
}

#[test]
fn a_channel_may_change_threads() {
    let text = corpus(4, 300);
    let policy = policy(Automata::One);
    let expected = output(&policy, &text, usize::MAX);
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let mut channel = Channel::new(&policy, ChannelKind::Text);
        let mut output = Vec::new();
        let mut at = 0;
        for cut in rng.cuts(text.len(), text.len() / 3) {
            let chunk = &text.as_bytes()[at..at + cut];
            at += cut;
            (channel, output) = thread::scope(|scope| {
                let next = scope.spawn(move || {
                    chunk.chunks(3).for_each(|piece| channel.push(piece).write_to(&mut output));
                    (channel, output)
                });
                next.join().expect("pushing does not panic")
            });
        }
        channel.finish().write_to(&mut output);
        assert!(output == expected.as_bytes(), "with seed {seed}");
    }
}
