//! Any bytes as the body of a request: no panic, and what goes on is still JSON.
#![no_main]

use holdback::rule::Direction;
use holdback::wire::{Limits, Refused, RequestOutcome, moderate_request};
use holdback::{Policy, Rule};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let rules = [
        Rule::regex("mail", r"[a-z]+@[a-z]+\.[a-z]{2,4}").max_len(40).redact("\"\\"),
        Rule::regex("number", r"\d{4}").redact("#"),
        Rule::literal("stop", "canary").terminate(),
    ];
    let rules = rules.map(|rule| rule.direction(Direction::Request));
    Policy::builder().rules(rules).build().expect("the rules are well formed")
});

fuzz_target!(|body: &[u8]| {
    if let RequestOutcome::Edited(edited) = moderate_request(&POLICY, body, Limits::default(), &mut ()) {
        let again = moderate_request(&POLICY, &edited, Limits::default(), &mut ());
        assert!(!matches!(again, RequestOutcome::Refused(Refused::NotJson | Refused::TooDeep)));
    }
});
