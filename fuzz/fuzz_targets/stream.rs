//! Any bytes from an upstream, of any dialect, cut anywhere: no panic, the same output for every cut, and an ending.
#![no_main]

#[path = "../../tests/frames/mod.rs"]
mod frames;

use bytes::Bytes;
use holdback::wire::{FilterOptions, Framing};
use holdback::{Dialect, Filter, Policy, Rule};
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

/// What is fed in which way, by the first bytes of the input.
struct Feed {
    dialect: Option<Dialect>,
    framing: Option<Framing>,
    split_bytes: Option<NonZeroUsize>,
    cut: usize,
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
        Some((Feed { dialect, framing, split_bytes, cut }, stream))
    }

    fn moderated(&self, data: &[u8], cut: usize) -> Vec<u8> {
        let now = Instant::now();
        let mut options = FilterOptions::default();
        options.framing = self.framing;
        options.split_bytes = self.split_bytes;
        let mut filter = Filter::with_options(&POLICY, self.dialect, options);
        let mut out = Vec::new();
        for chunk in data.chunks(cut) {
            if filter.ending().is_none() {
                filter.push(Bytes::copy_from_slice(chunk), now, &mut ());
            }
            while let Some(bytes) = filter.pop() {
                out.extend_from_slice(&bytes);
            }
        }
        if filter.ending().is_none() {
            filter.finish(now, &mut ());
        }
        while let Some(bytes) = filter.pop() {
            out.extend_from_slice(&bytes);
        }
        assert!(filter.ending().is_some(), "a finished stream has an ending");
        out
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
    let whole = feed.moderated(&data, data.len().max(1));
    // Where a delta may leave in two, the cuts decide where.
    let by_cuts = feed.moderated(&data, feed.cut);
    assert!(feed.split_bytes.is_some() || by_cuts == whole);
});
