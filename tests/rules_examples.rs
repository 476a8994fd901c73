//! Every built-in rule finds what it says it finds, however the text is cut.

use holdback::Policy;
use holdback::hold::run_examples;
use holdback::rule::Pack;

#[test]
fn the_packs_own_examples_hold_at_every_cut() {
    let mut failed = Vec::new();
    for pack in Pack::ALL {
        for example in pack.rule_set().examples() {
            let failures = run_examples(example).unwrap_or_else(|error| panic!("{}: {error}", example.rule.id()));
            failed.extend(failures.into_iter().map(|failure| format!("{}: {failure}", example.rule.id())));
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

#[test]
fn each_rule_shows_two_finds_and_two_near_misses() {
    for pack in Pack::ALL {
        for example in pack.rule_set().examples() {
            let (misses, finds): (Vec<_>, Vec<_>) = example.tests.iter().partition(|test| test.finds.is_empty());
            assert!(finds.len() >= 2 && misses.len() >= 2, "{} needs more tests", example.rule.id());
        }
    }
}

#[test]
fn each_pack_makes_a_policy_and_so_do_all_of_them() {
    for pack in Pack::ALL {
        let rules = pack.rules();
        assert!(!rules.is_empty(), "{} is empty", pack.name());
        Policy::builder().rules(rules).build().unwrap_or_else(|error| panic!("{}: {error}", pack.name()));
    }
    let every = Pack::ALL.into_iter().flat_map(Pack::rules);
    Policy::builder().rules(every).build().unwrap_or_else(|error| panic!("{error}"));
}
