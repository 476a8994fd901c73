//! Any bytes from an upstream, of any dialect, cut anywhere: no panic, the same output for every cut, and an ending.
#![no_main]

#[path = "../../tests/frames/mod.rs"]
mod frames;

use bytes::Bytes;
use holdback::hold::{Judgement, Passage, Unjudged};
use holdback::rule::{Check, Passages};
use holdback::wire::{FilterOptions, Framing};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use libfuzzer_sys::fuzz_target;
use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::time::Instant;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    Policy::builder()
        .rule(Rule::regex("mail", r"[a-z]+@[a-z]+\.[a-z]{2,4}").max_len(40))
        .rule(Rule::literal("word", "secret"))
        .rule(Rule::literal("stop", "canary").terminate())
        .build()
        .expect("the rules are well formed")
});

/// A gate, without rules: a check that ends a stream does not wait for what a rule holds, and how much that is depends on
/// when it was asked.
static GATED: LazyLock<Policy> = LazyLock::new(|| {
    Policy::builder()
        .check(Check::gate("gate").passages(Passages::Characters(6)).context(4))
        .build()
        .expect("the rules are well formed")
});

/// What the gate always says about a passage.
fn judge(passage: &Passage) -> Result<Judgement, Unjudged> {
    let hash = passage.text_in_context().bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31) ^ u32::from(byte));
    match hash % 8 {
        0 => Ok(Judgement::redact()),
        1 => Err(Unjudged::TimedOut),
        2 => Ok(Judgement::redact_span(0..1)),
        3 => Ok(Judgement::terminate()),
        _ => Ok(Judgement::clear()),
    }
}

/// What is fed in which way, by the first bytes of the input.
struct Feed {
    dialect: Option<Dialect>,
    framing: Option<Framing>,
    split_bytes: Option<NonZeroUsize>,
    cut: usize,
    is_gated: bool,
}

impl Feed {
    /// The rest of the input is the stream, or the events of one, a line each.
    fn of(input: &[u8]) -> Option<(Feed, Vec<u8>)> {
        let &[dialect, framing, options, ref data @ ..] = input else { return None };
        let dialect = Dialect::ALL.get(usize::from(dialect) % (Dialect::ALL.len() + 1)).copied();
        let framings =
            [Framing::EventStream, Framing::Lines, Framing::Array, Framing::AmazonEventStream, Framing::Document];
        let framing = framings.get(usize::from(framing) % 8).copied();
        let split_bytes = NonZeroUsize::new(usize::from(options >> 6));
        let cut = usize::from(options % 16) + 1;
        let lines = || data.split(|&byte| byte == b'\n');
        let stream = match framing {
            Some(Framing::EventStream) if options & 16 != 0 => {
                lines().flat_map(|line| [b"data: ", line, b"\n\n"].concat()).collect()
            }
            Some(Framing::AmazonEventStream) => lines().flat_map(|line| frame(line, options & 16 != 0)).collect(),
            _ => data.to_vec(),
        };
        Some((Feed { dialect, framing, split_bytes, cut, is_gated: options & 32 != 0 }, stream))
    }

    /// What leaves, and whether the stream failed: how much of it was judged by then depends on the cuts.
    fn moderated(&self, data: &[u8], cut: usize) -> (Vec<u8>, bool) {
        let now = Instant::now();
        let mut options = FilterOptions::default();
        options.framing = self.framing;
        options.split_bytes = self.split_bytes;
        let policy = if self.is_gated { &GATED } else { &POLICY };
        let mut filter = Filter::with_options(policy, self.dialect, options);
        let mut out = Vec::new();
        let judge_all = |filter: &mut Filter| {
            while let Some(passage) = filter.next_passage() {
                filter.judge(passage.id(), judge(&passage), now, &mut ());
            }
        };
        for chunk in data.chunks(cut) {
            if filter.ending().is_none() {
                filter.push(Bytes::copy_from_slice(chunk), now, &mut ());
                judge_all(&mut filter);
            }
            while let Some(bytes) = filter.pop() {
                out.extend_from_slice(&bytes);
            }
        }
        if filter.ending().is_none() {
            filter.finish(now, &mut ());
            judge_all(&mut filter);
        }
        while let Some(bytes) = filter.pop() {
            out.extend_from_slice(&bytes);
        }
        let ending = filter.ending().expect("a finished stream has an ending");
        (out, matches!(ending, Ending::UpstreamFailed(_)))
    }
}

/// A frame of a kind, `KIND JSON`, or one that carries its line in base64.
fn frame(line: &[u8], in_base64: bool) -> Vec<u8> {
    let line = String::from_utf8_lossy(line);
    if in_base64 {
        return frames::chunk(&line);
    }
    let (kind, payload) = line.split_once(' ').unwrap_or(("messageStart", &line));
    let kind: String = kind.chars().take(100).collect();
    frames::event(&kind, payload)
}

fuzz_target!(|input: &[u8]| {
    let Some((feed, data)) = Feed::of(input) else { return };
    let (whole, whole_fails) = feed.moderated(&data, data.len().max(1));
    // Where a delta may leave in two, the cuts decide where.
    let (by_cuts, by_cuts_fails) = feed.moderated(&data, feed.cut);
    let may_differ = feed.split_bytes.is_some() || (feed.is_gated && (whole_fails || by_cuts_fails));
    assert!(may_differ || by_cuts == whole);
});
