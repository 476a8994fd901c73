//! `holdback eval`: rules held against labelled texts.
#![cfg(feature = "sidecar")]

mod binary;

use binary::{Run, file, run};

/// Two numbers, one of them not found; an address that the labels do not know; quiet texts, one of them not quite.
const DATA: &str = r#"
{"text":"é 4111 1111 1111 1111","spans":[{"start":3,"end":22,"type":"CARD"}],"style":"plain"}
{"text":"4111 1111 1111 1112 ada.sample@mail.test","spans":[{"start":0,"end":19,"type":"CARD"}],"style":"odd"}
{"text":"nothing at all","spans":[]}
{"text":"ada.sample@mail.test","spans":[],"polarity":"neg"}
{"text":"someone wrote ada.sample@mail.test","spans":[],"polarity":"pos","type":"MAIL"}
"#;

fn eval(name: &str, args: &[&str]) -> Run {
    let path = file(name, DATA);
    let all: Vec<&str> = [&["eval", "--pack", "pii", path.to_str().unwrap()], args].concat();
    run(&all, "")
}

/// The columns of the line that begins so.
fn row<'a>(out: &'a str, name: &str) -> Vec<&'a str> {
    let line = out.lines().find(|line| line.trim_start().starts_with(name));
    line.unwrap_or_else(|| panic!("no {name} in {out}")).split_whitespace().collect()
}

#[test]
fn counts_what_is_found_and_what_is_not() {
    let run = eval("eval-all.jsonl", &[]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(row(&run.out, "CARD"), ["CARD", "2", "1", "0.500", "0.500", "-", "-"]);
    assert_eq!(row(&run.out, "MAIL"), ["MAIL", "1", "1", "1.000", "-", "-", "-"]);
    assert_eq!(row(&run.out, "all"), ["all", "3", "2", "0.667", "0.500", "1", "0.667"]);
    assert!(run.out.contains("nothing in 2 texts (0.00 MB): 1 flagged (0.500), 1 false alarms"), "{}", run.out);
}

#[test]
fn a_type_has_rules_that_are_meant_for_it() {
    let run = eval("eval-types.jsonl", &["--type", "CARD=pii.payment-*"]);
    assert_eq!(row(&run.out, "all"), ["all", "2", "1", "0.500", "0.500", "0", "1.000"]);
    assert!(run.out.contains("0 flagged"), "{}", run.out);
    let run = eval("eval-unknown.jsonl", &["--type", "CARD=pii.card"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("no rule of the policy is called `pii.card`"), "{}", run.err);
}

#[test]
fn groups_by_a_field_and_shows_texts_when_asked() {
    let run = eval("eval-by.jsonl", &["--by", "style", "--misses", "5", "--alarms", "1"]);
    assert_eq!(row(&run.out, "odd"), ["odd", "1", "0", "0.000", "0.000", "1", "0.000"]);
    assert!(run.out.contains("missed: CARD: «4111 1111 1111 1112» ada.sample@mail.test"), "{}", run.out);
    assert_eq!(run.out.matches("false alarm: ").count(), 1, "{}", run.out);
    let quiet = eval("eval-quiet.jsonl", &[]);
    assert!(!quiet.out.contains("4111"), "texts are not printed unless that is asked for");
}

#[test]
fn a_bound_that_is_not_kept_fails() {
    let kept = eval("eval-kept.jsonl", &["--require", "recall=0.6", "--require", "flagged=0.5"]);
    assert_eq!(kept.code, 0, "{}", kept.err);
    let broken = eval("eval-broken.jsonl", &["--require", "recall=0.7", "--require", "per-mb=8"]);
    assert_eq!(broken.code, 1);
    assert!(broken.err.contains("recall is 0.6667, and should be 0.7"), "{}", broken.err);
    assert!(broken.err.contains("per-mb is "), "{}", broken.err);
    for wrong in ["recall", "recal=1", "recall=x"] {
        assert_eq!(eval("eval-wrong.jsonl", &["--require", wrong]).code, 2, "{wrong}");
    }
}

#[test]
fn a_line_that_is_no_sample_is_told_and_fails() {
    let path = file("eval-bad.jsonl", "{\"text\":\"abc\",\"spans\":[{\"start\":2,\"end\":9}]}\n[]\n{\"spans\":[]}\n");
    let run = run(&["eval", "--pack", "pii", path.to_str().unwrap()], "");
    assert_eq!(run.code, 1);
    for line in ["eval-bad.jsonl:1: a span is empty", "eval-bad.jsonl:2: ", "eval-bad.jsonl:3: missing field `text`"] {
        assert!(run.err.contains(line), "{line}: {}", run.err);
    }
}
