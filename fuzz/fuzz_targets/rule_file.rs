//! Any text as a rule file: rules or faults, no panic; and what loads can be built.
#![no_main]

use holdback::Policy;
use holdback::rule::{Date, RuleSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let today = Date::from_unix_seconds(1_800_000_000);
    match RuleSet::from_toml("fuzz.toml", source, today) {
        Ok(set) if set.rules().iter().all(|rule| !rule.id().is_empty()) => {
            // A handful of states: what is fuzzed is the building.
            let _ = Policy::builder().rule_set(set).hash_key("made-up").max_states(64).passthrough().build();
        }
        Ok(_) => panic!("a rule without an id"),
        Err(error) => assert!(!error.faults().is_empty()),
    }
});
