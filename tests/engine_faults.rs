//! What a policy refuses to be built of, each with what to do about it.

use holdback::rule::{Block, Mode, Pattern, Unclosed, Validator};
use holdback::{Policy, Rule};

/// The one fault of this rule, and its remedy.
fn fault(rule: Rule) -> (String, String) {
    let error = Policy::builder().rule(rule).build().expect_err("a fault");
    let [fault] = error.faults() else { panic!("more than one fault: {error}") };
    let told = fault.to_string();
    let told = told.strip_prefix("rule `r`: ").expect("a fault names its rule");
    let (reason, remedy) = told.split_once(" (help: ").unwrap_or_else(|| panic!("no remedy: {told}"));
    (reason.to_owned(), remedy.strip_suffix(')').expect("a bracket closes").to_owned())
}

#[track_caller]
fn refuses(rule: Rule, reason: &str, remedy: &str) {
    let (found, help) = fault(rule);
    assert!(found.contains(reason), "{found:?} does not say {reason:?}");
    assert!(help.contains(remedy), "{help:?} does not say {remedy:?}");
}

fn captured(regex: &str) -> Rule {
    Rule::pattern("r", Pattern::regex(regex).capture("c"))
}

fn block(open: &str, close: &str) -> Rule {
    Rule::block("r", Block::new(open, close, 100))
}

#[test]
fn an_empty_match() {
    for regex in ["a*", "a?", "(?:ab)*|c*", "", "^", r"\b", "(?:|a)", r"^$"] {
        refuses(Rule::regex("r", regex), "can match the empty text", "+ in place of *");
    }
    refuses(captured("x(?P<c>a*)y"), "can match the empty text", "at least one character");
    refuses(block("a*", "b"), "`open` can match the empty text", "at least one character");
    refuses(block("a", "b?"), "`close` can match the empty text", "at least one character");
}

#[test]
fn a_right_context_without_bound() {
    for regex in ["(?P<c>a+)b*", r"(?P<c>a+)\s+b", "(?P<c>a+)b{33}"] {
        refuses(captured(regex), "longer than 32 bytes", "{0,8} in place of *");
    }
    let fits = Policy::builder().rule(captured("(?P<c>a+)b{32}")).build();
    assert!(fits.is_ok());
}

#[test]
fn a_unicode_word_boundary() {
    for regex in [r"\bcat\b", r"cat\B"] {
        refuses(Rule::pattern("r", Pattern::regex(regex).unicode()), "Unicode word boundaries", r"(?-u:\b)");
    }
    refuses(Rule::regex("r", r"(?u:\b)cat"), "Unicode word boundaries", "not_before");
}

#[test]
fn a_line_anchor_of_another_line_ending() {
    refuses(Rule::regex("r", "(?mR)^a"), "CRLF", "(?m) without R");
}

#[test]
fn a_look_around_at_a_blocks_ends() {
    refuses(block(r"BEGIN\b", "END"), "`open` cannot end in look-around", "into `open`");
    refuses(block("BEGIN(?m:$)", "END"), "`open` cannot end in look-around", "into `open`");
    refuses(block("BEGIN", r"\bEND"), "`close` cannot have look-around", "into `close`");
    refuses(block("BEGIN", r"END\b"), "`close` cannot have look-around", "into `close`");
    assert!(Policy::builder().rule(block(r"(?m:^)BEGIN", "END")).build().is_ok());
}

#[test]
fn a_flagged_block_that_ends_the_text() {
    let block = Block::new("BEGIN", "END", 100).unclosed(Unclosed::Terminate);
    refuses(Rule::block("r", block).flag(), "comes too late", "leave `unclosed` out");
}

#[test]
fn a_block_without_length() {
    refuses(Rule::block("r", Block::new("BEGIN", "END", 0)), "`max_len` is 0", "16384");
}

#[test]
fn a_shortest_pattern_with_more_to_it() {
    let shortest = |pattern: Pattern| Rule::pattern("r", pattern.mode(Mode::Shortest));
    refuses(shortest(Pattern::regex(r"a+\b")), "cannot have look-around", "write the boundary into");
    refuses(shortest(Pattern::regex("a+").not_after("b")), "`not_after`", "default mode");
    refuses(shortest(Pattern::regex("(?P<c>a+)b").capture("c")), "text after its group", "default mode");
    let checked = shortest(Pattern::regex("a+")).validate(Validator::new("any", |_| true));
    refuses(checked, "cannot have validators", "drop the validators");
}

#[test]
fn a_group_that_is_not_there_or_not_always() {
    refuses(captured("a+"), "no group called `c`", "(?P<c>...)");
    for regex in ["x(?P<c>a)?", "(?P<c>a)|b", "(?:(?P<c>a)b)+"] {
        refuses(captured(regex), "does not take part in every match", "outside of");
    }
}

#[test]
fn a_class_that_is_none() {
    refuses(
        Rule::pattern("r", Pattern::literal("a").not_before("ab")),
        "`not_before` is not one class",
        "[A-Za-z0-9_]",
    );
    refuses(Rule::pattern("r", Pattern::literal("a").not_after("[a")), "`not_after` is not one class", "[A-Za-z0-9_]");
}

#[test]
fn a_replacement_that_needs_a_key() {
    refuses(Rule::literal("r", "a").redact("{hash8}"), "needs a key", "hash_key");
    refuses(Rule::literal("r", "a").redact("{text}"), "unknown placeholder `{text}`", "{len}");
}

#[test]
fn a_limit_of_nothing() {
    refuses(Rule::literal("r", "a").max_len(0), "`max_len` is 0", "longest match");
    for max_hold in [0, usize::MAX] {
        let error = Policy::builder().rule(Rule::literal("r", "a")).max_hold(max_hold).build().expect_err("a fault");
        assert!(error.to_string().contains("`max_hold`") && error.to_string().contains("(help: "), "{error}");
    }
}

#[test]
fn every_fault_is_told_in_one_go() {
    let rules = [Rule::regex("one", "a*"), Rule::literal("two", "a").max_len(0), Rule::literal("two", "b")];
    let error = Policy::builder().rules(rules).build().expect_err("faults");
    assert_eq!(error.faults().len(), 3, "{error}");
    let empty = Policy::builder().build().expect_err("no rule");
    assert!(empty.to_string().contains("passthrough"), "{empty}");
    assert!(Policy::builder().passthrough().build().is_ok());
}
