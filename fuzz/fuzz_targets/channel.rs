//! Any text, cut anywhere, leaves a channel as it would whole.
//!
//! The input's first byte says how the rest is cut: no randomness of its own, so that inputs can be minimised.
#![no_main]

use holdback::rule::{Block, Mask, Pattern};
use holdback::{Channel, ChannelKind, Policy, Rule};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

fn policy(max_states: usize) -> Policy {
    Policy::builder()
        .rule(Rule::pattern("mail", Pattern::regex(r"[a-z.]+@[a-z]+\.[a-z]{2,4}").not_before("[a-z.]")).max_len(40))
        .rule(Rule::regex("number", r"\b\d{3}-\d{2}\b").mask(Mask::new('*').keep_last(2)))
        .rule(Rule::pattern("key", Pattern::regex(r#"key=(?P<value>[^ ;]{2,9});"#).capture("value")))
        .rule(Rule::block("block", Block::new("<<[a-z]{1,3}>", "<end>", 30)))
        .rule(Rule::regex("bytes", r"(?-u)x[^a-z]{2,5}").remove())
        .max_hold(64)
        .max_states(max_states)
        .build()
        .expect("the rules are well formed")
}

static POLICIES: LazyLock<[Policy; 2]> = LazyLock::new(|| [policy(1 << 12), policy(5)]);

fn moderated<'a>(policy: &Policy, chunks: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut channel = Channel::new(policy, ChannelKind::Text);
    let mut out = Vec::new();
    for chunk in chunks {
        let before = channel.decided();
        let released = channel.push(chunk);
        released.write_to(&mut out);
        let moved = released.len();
        assert_eq!(channel.decided(), before + moved);
    }
    channel.finish().write_to(&mut out);
    assert_eq!(channel.decided(), channel.len());
    out
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, text)) = data.split_first() else { return };
    let [policy, tiny] = &*POLICIES;
    let whole = moderated(policy, std::iter::once(text));
    assert_eq!(moderated(policy, text.chunks(usize::from(cut % 16) + 1)), whole);
    assert_eq!(moderated(tiny, text.chunks(usize::from(cut / 16) + 1)), whole);
});
