//! What the engine costs and what it holds back, beside the usual ways to do the same job.
//!
//! `cargo bench --bench engine` prints ratios of one interleaved run: every round runs every contender once, and
//! each contender's best round counts. Absolute times say something about the machine only.
//!
//! Contenders, for chunks of 4 B (a token), 64 B, 4 KiB and the text as a whole:
//! - `copy`: the chunks are copied and nothing else, the floor;
//! - `holdback`: a channel that scans, holds back and hands out;
//! - `lazy dfa`: `regex-automata`'s lazy DFA stepped byte by byte over the same rules, matching only;
//! - `aho-corasick`: stream replacement of as many literals, which holds back its longest one;
//! - `window`: the last 128 bytes kept and scanned again with one regex at every chunk, what most gateways do.

use aho_corasick::AhoCorasick;
use holdback::rule::Pattern;
use holdback::{Channel, ChannelKind, Policy, Rule};
use regex_automata::hybrid::dfa::DFA;
use regex_automata::{Anchored, Input, MatchKind};
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;
const TEXT_BYTES: usize = 1 << 20;
const WINDOW_BYTES: usize = 128;

fn main() {
    // `cargo test --benches` runs this too: then once and briefly.
    let brief = !std::env::args().any(|arg| arg == "--bench");
    let text = benign(if brief { 1 << 12 } else { TEXT_BYTES });
    for size in [10, 100] {
        speed(size, &text, if brief { 1 } else { ROUNDS });
    }
    hold_back(&text);
}

/// Twelve of these are shapes people look for; the rest are words, as a ban list has them.
fn rules(count: usize) -> Vec<(String, &'static str, &'static str)> {
    let shapes = [
        (r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,18}", r"[A-Za-z0-9._%+-]", r"[A-Za-z0-9-]"),
        (r"\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}", r"[\d.-]", r"\d"),
        (r"[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?", "[A-Za-z0-9]", "[A-Za-z0-9]"),
        (r"\+\d{1,3}[ .-]?(?:\d[ .-]?){6,13}\d", "[A-Za-z0-9]", r"\d"),
        (r"(?:AKIA|ASIA)[A-Z2-7]{16}", "[A-Za-z0-9]", "[A-Za-z0-9]"),
        (r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", "[A-Za-z0-9_-]", "[A-Za-z0-9_-]"),
        (r"gh[pousr]_[A-Za-z0-9]{36}", "[A-Za-z0-9_]", "[A-Za-z0-9_]"),
        (r"(?:\d{1,3}\.){3}\d{1,3}", r"[\d.]", r"[\d.]"),
        (r"\d{3}-\d{2}-\d{4}", r"[\d-]", r"[\d-]"),
        (r"xox[abprs]-[A-Za-z0-9-]{10,72}", "[A-Za-z0-9]", "[A-Za-z0-9-]"),
    ];
    let mut rules: Vec<_> = (0..)
        .zip(shapes)
        .take(count)
        .map(|(i, (regex, before, after))| (format!("shape.{i}:{regex}"), before, after))
        .collect();
    let mut seed = 7u64;
    while rules.len() < count {
        let word: String = (0..6 + rules.len() % 5).map(|_| (b'a' + (next(&mut seed) % 26) as u8) as char).collect();
        rules.push((format!("word.{}:{word}", rules.len()), "[A-Za-z]", "[A-Za-z]"));
    }
    rules
}

fn policy(rules: &[(String, &'static str, &'static str)]) -> Policy {
    let rules = rules.iter().map(|(rule, before, after)| {
        let (id, regex) = rule.split_once(':').expect("an id and a pattern");
        Rule::pattern(id, Pattern::regex(regex).not_before(*before).not_after(*after)).max_len(4096)
    });
    Policy::builder().rules(rules).build().expect("the rules are well formed")
}

/// Takes the text in chunks of a size, and gives back something that depends on all of it.
type Run = Box<dyn FnMut(&[u8], usize) -> usize>;

struct Contender {
    name: &'static str,
    best: Duration,
    run: Run,
}

fn speed(size: usize, text: &[u8], rounds: usize) {
    let rules = rules(size);
    let patterns: Vec<String> =
        rules.iter().map(|(rule, ..)| rule.split_once(':').expect("a pattern").1.into()).collect();
    println!("\n{size} rules, {} bytes of text without a match; times as multiples of holdback's", text.len());
    for chunk in [4, 64, 4096, usize::MAX] {
        let mut contenders = vec![
            Contender { name: "copy", best: Duration::MAX, run: Box::new(copy) },
            Contender { name: "holdback", best: Duration::MAX, run: channel(policy(&rules)) },
            Contender { name: "lazy dfa", best: Duration::MAX, run: lazy_dfa(&patterns) },
            Contender { name: "aho-corasick", best: Duration::MAX, run: stream_replace(size) },
            Contender { name: "window", best: Duration::MAX, run: window(&patterns) },
        ];
        for _ in 0..rounds {
            for contender in &mut contenders {
                let begin = Instant::now();
                black_box((contender.run)(black_box(text), chunk));
                contender.best = contender.best.min(begin.elapsed());
            }
        }
        let ours = contenders[1].best.as_secs_f64();
        let chunks = text.len().div_ceil(chunk.min(text.len()));
        let size = if chunk == usize::MAX { "whole".into() } else { format!("{chunk} B") };
        print!("  {size:>6}:");
        for contender in &contenders {
            print!("  {} {:.2}", contender.name, contender.best.as_secs_f64() / ours);
        }
        println!("   ({:.1} ns a chunk, {:.2} ns a byte)", ours * 1e9 / chunks as f64, ours * 1e9 / text.len() as f64);
    }
}

fn pieces(text: &[u8], chunk: usize) -> std::slice::Chunks<'_, u8> {
    text.chunks(chunk.min(text.len()))
}

fn copy(text: &[u8], chunk: usize) -> usize {
    let mut out = Vec::with_capacity(text.len());
    for piece in pieces(text, chunk) {
        out.extend_from_slice(black_box(piece));
    }
    out.len()
}

fn channel(policy: Policy) -> Run {
    Box::new(move |text, chunk| {
        let mut out = Vec::with_capacity(text.len());
        let mut channel = Channel::new(&policy, ChannelKind::Text);
        for piece in pieces(text, chunk) {
            channel.push(piece).write_to(&mut out);
        }
        channel.finish().write_to(&mut out);
        out.len()
    })
}

fn lazy_dfa(patterns: &[String]) -> Run {
    let dfa = DFA::builder()
        .configure(DFA::config().match_kind(MatchKind::All).cache_capacity(64 << 20))
        .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
        .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
        .build_many(patterns)
        .expect("the rules are well formed");
    let mut cache = dfa.create_cache();
    Box::new(move |text, chunk| {
        let input = Input::new(text).anchored(Anchored::No);
        let mut state = dfa.start_state_forward(&mut cache, &input).expect("a start");
        let mut matches = 0;
        for piece in pieces(text, chunk) {
            for &byte in piece {
                state = dfa.next_state(&mut cache, state, byte).expect("the cache is large enough");
                if state.is_tagged() {
                    matches += usize::from(state.is_match());
                }
            }
        }
        matches
    })
}

fn stream_replace(count: usize) -> Run {
    let words: Vec<String> =
        rules(count + 10).drain(10..).map(|(rule, ..)| rule.split_once(':').expect("a word").1.into()).collect();
    let replacements = vec!["[word]"; words.len()];
    let automaton = AhoCorasick::new(&words).expect("a few words");
    Box::new(move |text, chunk| {
        let mut out = Vec::with_capacity(text.len());
        let reader = Pieces { text, chunk };
        automaton.try_stream_replace_all(reader, &mut out, &replacements).expect("memory does not fail");
        out.len()
    })
}

/// Reads at most a chunk at a time.
struct Pieces<'a> {
    text: &'a [u8],
    chunk: usize,
}

impl std::io::Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = buf.len().min(self.chunk).min(self.text.len());
        buf[..n].copy_from_slice(&self.text[..n]);
        self.text = &self.text[n..];
        Ok(n)
    }
}

fn window(patterns: &[String]) -> Run {
    let all = patterns.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|");
    let regex = regex::bytes::RegexBuilder::new(&all).unicode(false).size_limit(64 << 20).build().expect("well formed");
    Box::new(move |text, chunk| {
        let mut out = Vec::with_capacity(text.len());
        let mut held: Vec<u8> = Vec::new();
        for piece in pieces(text, chunk) {
            held.extend_from_slice(piece);
            if regex.is_match(&held) {
                held = regex.replace_all(&held, &b"[x]"[..]).into_owned();
            }
            let leaves = held.len().saturating_sub(WINDOW_BYTES);
            out.extend(held.drain(..leaves));
        }
        out.extend(held);
        out.len()
    })
}

/// How much stays behind after each token of about 3.6 bytes.
fn hold_back(text: &[u8]) {
    let with_email = rules(10);
    let without_email = with_email[1..].to_vec();
    println!("\nheld back after each token, {} bytes of text without a match", text.len());
    for (name, rules) in
        [("9 rules, no e-mail", without_email), ("10 rules", with_email), ("100 rules", self::rules(100))]
    {
        let mut channel = Channel::new(&policy(&rules), ChannelKind::Text);
        let mut held = Vec::new();
        let mut seed = 11u64;
        let mut rest = text;
        while !rest.is_empty() {
            let n = [2, 3, 4, 4, 5][next(&mut seed) as usize % 5].min(rest.len());
            channel.push(&rest[..n]);
            rest = &rest[n..];
            held.push(channel.len() - channel.decided());
        }
        held.sort_unstable();
        let zero = held.iter().filter(|&&bytes| bytes == 0).count() as f64 / held.len() as f64;
        let mean = held.iter().sum::<u64>() as f64 / held.len() as f64;
        let p99 = held[held.len() * 99 / 100];
        println!(
            "  {name:>18}: nothing {:.1} %, mean {mean:.2} B, p99 {p99} B, most {} B",
            zero * 100.0,
            held[held.len() - 1]
        );
    }
}

/// Prose that no rule matches: sentences of our own, shuffled.
fn benign(bytes: usize) -> Vec<u8> {
    const SENTENCES: [&str; 12] = [
        "A river that bends too often forgets where the sea is, or so the ferryman liked to say.",
        "To build the index, sort the keys first; then write each block with its checksum.",
        "She had packed three apples, a torn map, and the better half of a plan.",
        "In 2019 the mill ground 480 tonnes, about 12% more than the year before.",
        "Note: the function returns `None` when the list is empty (see section 4.2).",
        "The kettle sang; nobody listened.",
        "Most of what we call weather is the sun's heat looking for somewhere to go.",
        "1. Preheat the oven to 180 degrees. 2. Whisk the eggs with the sugar until pale.",
        "\"You could have asked,\" he said, and went on folding paper boats.",
        "Each worker keeps its own queue and steals from the others' only when idle.",
        "There were, by the last count, forty-one lighthouses on that coast and one keeper.",
        "If the deadline passes, cancel the request and free its buffer at once.",
    ];
    let mut text = Vec::with_capacity(bytes + 128);
    let mut seed = 3u64;
    while text.len() < bytes {
        text.extend_from_slice(SENTENCES[next(&mut seed) as usize % SENTENCES.len()].as_bytes());
        text.extend_from_slice(if next(&mut seed).is_multiple_of(5) { b"\n\n" } else { b" " });
    }
    text.truncate(bytes);
    text
}

/// SplitMix64 (Steele, Lea and Flood 2014).
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
