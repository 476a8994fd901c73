//! Any bytes from an upstream, cut anywhere: no panic, the same output for every cut, and an ending.
#![no_main]

use bytes::Bytes;
use holdback::{Dialect, Filter, Policy, Rule};
use libfuzzer_sys::fuzz_target;
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

fn moderated(dialect: Option<Dialect>, data: &[u8], cut: usize) -> Vec<u8> {
    let now = Instant::now();
    let mut filter = Filter::new(&POLICY, dialect);
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

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    let dialect = [None, Some(Dialect::Text), Some(Dialect::OpenAiChat), Some(Dialect::Json)][usize::from(choice % 4)];
    let whole = moderated(dialect, data, data.len().max(1));
    assert_eq!(moderated(dialect, data, usize::from(choice / 4) % 8 + 1), whole);
});
