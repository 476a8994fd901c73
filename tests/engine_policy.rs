//! What stands in a policy beside its patterns: replacements that speak of the text, kinds of channel, and the price
//! of a rule.

use holdback::policy::{Direction, HoldBound, Lint};
use holdback::rule::{Block, Pattern, Validator};
use holdback::{Channel, ChannelKind, Pack, Policy, Rule};

fn passed(policy: &Policy, kind: ChannelKind, text: &str) -> String {
    let mut channel = Channel::new(policy, kind);
    let mut output = Vec::new();
    for byte in text.as_bytes().chunks(1) {
        channel.push(byte).write_to(&mut output);
    }
    channel.finish().write_to(&mut output);
    String::from_utf8(output).expect("text in, text out")
}

fn keyed(key: &str) -> Policy {
    let rule = Rule::regex("name", r"\bn-[a-z]+\b").redact("{hash8}");
    Policy::builder().rule(rule).hash_key(key).build().expect("the rule is sound")
}

#[test]
fn equal_texts_have_equal_hashes_under_one_key_only() {
    let text = "n-roe and n-doe and n-roe";
    let one = passed(&keyed("toy key"), ChannelKind::Text, text);
    let hashes: Vec<&str> = one.split(" and ").collect();
    assert!(hashes.iter().all(|hash| hash.len() == 8 && hash.chars().all(|c| c.is_ascii_hexdigit())), "{one}");
    assert_eq!(hashes[0], hashes[2]);
    assert_ne!(hashes[0], hashes[1]);
    assert_eq!(one, passed(&keyed("toy key"), ChannelKind::Text, text), "a second channel");
    assert_eq!(one, passed(&keyed("toy key"), ChannelKind::Reasoning, text), "another kind of channel");
    let other = passed(&keyed("another toy key"), ChannelKind::Text, text);
    assert!(one.split(" and ").zip(other.split(" and ")).all(|(one, other)| one != other), "{one} {other}");
}

#[test]
fn a_key_does_not_show_itself() {
    let builder = Policy::builder().rule(Rule::literal("r", "x")).hash_key("toy key");
    assert!(!format!("{builder:?}").contains("toy key"));
    let policy = builder.build().expect("the rule is sound");
    assert!(!format!("{policy:?} {:?}", Channel::new(&policy, ChannelKind::Text)).contains("toy key"));
}

#[test]
fn a_length_is_in_code_points() {
    let rule = Rule::pattern("r", Pattern::regex(r"<\w+>").unicode()).redact("{len}");
    let policy = Policy::builder().rule(rule).build().expect("the rule is sound");
    // Five letters, one of them a letter with a mark of its own.
    assert_eq!(passed(&policy, ChannelKind::Text, "<ab>, <日本>, <e\u{301}öx>"), "4, 4, 6");
}

#[test]
fn a_rule_watches_the_channels_that_it_names() {
    let policy = Policy::builder()
        .rule(Rule::literal("thought", "cat").channels([ChannelKind::Reasoning, ChannelKind::Refusal]))
        .rule(Rule::literal("stop", "dog").channels([ChannelKind::ToolArgs]).terminate())
        .rule(Rule::literal("all", "owl"))
        .build()
        .expect("the rules are sound");
    let text = "cat dog owl";
    assert_eq!(passed(&policy, ChannelKind::Text, text), "cat dog [all]");
    assert_eq!(passed(&policy, ChannelKind::Reasoning, text), "[thought] dog [all]");
    assert_eq!(passed(&policy, ChannelKind::Refusal, text), "[thought] dog [all]");
    assert_eq!(passed(&policy, ChannelKind::ToolArgs, text), "cat ");
    assert_eq!(passed(&policy, ChannelKind::ToolResult, text), "cat dog [all]");
    assert_eq!(passed(&policy, ChannelKind::Prompt, text), text, "channels are of responses");
    let ends = ChannelKind::ALL.map(|kind| policy.may_terminate(kind));
    assert_eq!(ends, ChannelKind::ALL.map(|kind| kind == ChannelKind::ToolArgs));
    let watched = ChannelKind::ALL.map(|kind| policy.watches(kind));
    assert_eq!(watched, ChannelKind::ALL.map(|kind| kind != ChannelKind::Prompt));
}

#[test]
fn a_rule_that_watches_both_ways_needs_no_second_automaton() {
    let build = |direction| {
        let rule = Rule::literal("r", "Nightjar").direction(direction);
        let policy = Policy::builder().rule(rule).build().expect("the rule is sound");
        for kind in ChannelKind::ALL {
            passed(&policy, kind, "a Nightjar");
        }
        policy.states()
    };
    assert_eq!(build(Direction::Both), build(Direction::Response));
}

#[test]
fn a_prompt_is_no_channel_to_be_named() {
    let rule = Rule::literal("r", "cat").channels([ChannelKind::Text, ChannelKind::Prompt]);
    let error = Policy::builder().rule(rule).build().expect_err("a mistake");
    assert!(error.to_string().contains("say by `direction`"), "{error}");
}

#[test]
fn a_channel_that_no_rule_watches_passes_everything_at_once() {
    let rule = Rule::literal("r", "cat").channels([ChannelKind::Reasoning]);
    let policy = Policy::builder().rule(rule).build().expect("the rule is sound");
    let mut channel = Channel::new(&policy, ChannelKind::Text);
    assert_eq!(channel.push(b"ca").len(), 2);
    assert_eq!(channel.push(b"t \xC3").len(), 3, "not even half a character waits");
    assert!(channel.finish().is_empty());
}

fn cost(rule: Rule) -> holdback::policy::Cost {
    let policy = Policy::builder().rule(rule).max_hold(1000).build().expect("the rule is sound");
    let info = policy.rules().next().expect("one rule");
    assert_eq!(info.cost().bound, info.hold_bound());
    info.cost()
}

#[test]
fn a_plain_rule_costs_next_to_nothing() {
    let cost = cost(Rule::literal("codename", "Nightjar"));
    assert_eq!((cost.bound, cost.lints.as_slice()), (HoldBound::Pattern(8), [].as_slice()));
    assert!(cost.delay.released_at_once > 0.95 && cost.delay.mean_held_bytes < 0.2, "{cost:?}");
}

#[test]
fn a_rule_that_only_reports_holds_nothing() {
    let cost = cost(Rule::regex("mail", r"[a-z.]+@[a-z.]+").flag());
    assert_eq!((cost.bound, cost.delay.released_at_once, cost.delay.mean_held_bytes), (HoldBound::Zero, 1.0, 0.0));
    assert_eq!(cost.lints, []);
}

#[test]
fn a_rule_for_requests_holds_nothing_for_they_come_whole() {
    let mail = || Rule::regex("mail", r"[a-z.]+@[a-z.]+");
    let request = cost(mail().direction(Direction::Request));
    assert_eq!((request.bound, request.delay.released_at_once), (HoldBound::Zero, 1.0));
    assert_eq!(request.lints, []);
    assert_eq!(cost(mail().direction(Direction::Both)), cost(mail()));

    let policy = Policy::builder().rule(mail().direction(Direction::Both)).build().expect("the rule is sound");
    assert_eq!(policy.delay(ChannelKind::Prompt), None);
    assert!(policy.delay(ChannelKind::Text).is_some());
}

#[test]
fn channels_of_a_rule_for_requests_are_told_to_be_idle() {
    let rule = |direction| Rule::literal("r", "cat").channels([ChannelKind::Text]).direction(direction);
    assert_eq!(cost(rule(Direction::Request)).lints, [Lint::NamesNoChannel]);
    assert_eq!(cost(rule(Direction::Both)).lints, []);
}

#[test]
fn a_rule_that_any_word_may_begin_holds_every_word() {
    let cost = cost(Rule::regex("mail", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+").max_len(320));
    assert_eq!((cost.bound, cost.lints.as_slice()), (HoldBound::Limit(320), [Lint::HoldsEveryWord].as_slice()));
    assert!(cost.delay.released_at_once < 0.5 && cost.delay.mean_held_bytes > 1.0, "{cost:?}");
}

#[test]
fn a_match_that_does_not_end_holds_what_follows() {
    let endless = cost(Rule::regex("note", r"NOTE: [\s\S]+"));
    assert_eq!((endless.bound, endless.lints.as_slice()), (HoldBound::Limit(1000), [Lint::HoldsAfterMatch].as_slice()));
    assert_eq!(cost(Rule::block("key", Block::new("-----BEGIN", "-----END", 4096))).lints, []);
}

#[test]
fn a_validator_that_is_asked_about_every_start_is_told() {
    let digits = |pattern: Pattern| Rule::pattern("n", pattern).validate(Validator::new("any", |_| true));
    let many = cost(digits(Pattern::regex(r"\d{13,19}")));
    let [Lint::TriesManyStarts { starts }] = many.lints[..] else { panic!("{many:?}") };
    assert!((13..=19).contains(&starts), "{starts}");
    let every = cost(digits(Pattern::regex(r"\d{13,190}")));
    let [Lint::TriesManyStarts { starts: 63.. }] = every.lints[..] else { panic!("{every:?}") };
    assert_eq!(cost(digits(Pattern::regex(r"\d{13,19}").not_before(r"\d"))).lints, []);
}

#[test]
fn a_pattern_that_nothing_fits_is_told() {
    let never = cost(Rule::regex("r", r"a\bb"));
    assert_eq!(never.lints, [Lint::MatchesNothing]);
    let far = cost(Rule::regex("r", r"\bk[ab]_(?:[a-z0-9_]{36,255}|[0-9]{40,60}z)\b"));
    assert_eq!(far.lints, []);
    for rule in Pack::ALL.into_iter().flat_map(Pack::rules) {
        let id = rule.id().to_owned();
        assert!(!cost(rule).lints.contains(&Lint::MatchesNothing), "{id}");
    }
    for lint in [
        Lint::HoldsEveryWord,
        Lint::HoldsAfterMatch,
        Lint::TriesManyStarts { starts: 9 },
        Lint::MatchesNothing,
        Lint::NamesNoChannel,
    ] {
        assert!(lint.to_string().contains("(help: "), "{lint}");
    }
}
