//! `holdback scan`, `check` and `test`: files at rest.
#![cfg(feature = "sidecar")]

mod binary;

use binary::{file, run};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn finds_in_files_by_byte_offset() {
    let path = file("scan.txt", "é ada.sample@mail.test\n");
    let path = path.to_str().unwrap();
    let run = run(&["scan", path], "");
    assert_eq!(run.code, 0, "{}", run.err);
    let wanted = json!({ "file": path, "rule": "pii.email", "start": 3, "end": 23, "action": "redact" });
    assert_eq!(lines(&run.out), [wanted]);
}

#[test]
fn finds_in_a_field_of_each_line_of_json() {
    let rows = "{\"text\":\"nothing\"}\n{\"id\":7,\"text\":\"ada.sample@mail.test and 4111 1111 1111 1111\"}\n";
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(rows.as_bytes()).unwrap();
    for path in [file("scan.jsonl", rows), file("scan.jsonl.gz", gzip.finish().unwrap())] {
        let run = run(&["scan", "--jsonl", "text", path.to_str().unwrap()], "");
        assert_eq!(run.code, 0, "{}", run.err);
        let wanted = [
            json!({ "line": 1, "findings": [] }),
            json!({ "line": 2, "findings": [
                { "rule": "pii.email", "start": 0, "end": 20, "action": "redact" },
                { "rule": "pii.payment-card", "start": 25, "end": 44, "action": "mask" },
            ] }),
        ];
        assert_eq!(lines(&run.out), wanted);
    }
}

#[test]
fn looks_for_what_rules_for_requests_look_for() {
    let rules =
        file("scan_direction.toml", "[[rule]]\nid = \"a.word\"\nliterals = [\"Nightjar\"]\ndirection = \"request\"\n");
    let text = file("scan_direction.txt", "a Nightjar\n");
    let (rules, text) = (rules.to_str().unwrap(), text.to_str().unwrap());
    let request = run(&["scan", "--policy", rules, "--direction", "request", text], "");
    assert_eq!(request.code, 0, "{}", request.err);
    assert_eq!(lines(&request.out)[0]["rule"], "a.word");
    for response in [run(&["scan", "--policy", rules, text], ""), run(&["filter", "--policy", rules], "a Nightjar")] {
        assert_eq!((response.code, &*response.out), (2, ""));
        assert!(response.err.contains("no rule of the policy watches a response"), "{}", response.err);
    }
    let none = run(&["scan", "--passthrough", text], "");
    assert_eq!((none.code, &*none.out), (0, ""), "{}", none.err);
}

#[test]
fn says_which_line_it_cannot_read() {
    for (name, rows) in
        [("scan_no_field.jsonl", "{\"text\":\"a\"}\n{\"t\":1}\n"), ("scan_no_json.jsonl", "{\"text\":\"a\"}\nb\n")]
    {
        let path = file(name, rows);
        let run = run(&["scan", "--jsonl", "text", path.to_str().unwrap()], "");
        assert_eq!(run.code, 1);
        assert!(run.err.contains(&format!("{name}:2:")), "{}", run.err);
    }
}

#[test]
fn check_shows_what_each_rule_may_hold() {
    let path = file("check_good.toml", "[[rule]]\nid = \"a.word\"\nliterals = [\"Nightjar\"]\n");
    let run = run(&["check", path.to_str().unwrap()], "");
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("1 rule, no faults"), "{}", run.out);
    assert!(run.out.contains("a.word") && run.out.contains("holds 8 B at most"), "{}", run.out);
}

#[test]
fn check_shows_which_way_a_rule_looks() {
    let rule =
        |id, direction| format!("[[rule]]\nid = \"a.{id}\"\nliterals = [\"Nightjar\"]\ndirection = \"{direction}\"\n");
    let rules = ["request", "response", "both"].map(|direction| rule(direction, direction)).concat();
    let run = run(&["check", file("check_direction.toml", &rules).to_str().unwrap()], "");
    assert_eq!(run.code, 0, "{}", run.err);
    let line = |id: &str| run.out.lines().find(|line| line.contains(id)).unwrap_or_default();
    assert!(line("a.request").ends_with("request   holds nothing: requests come whole"), "{}", run.out);
    assert!(line("a.both").contains("both      holds 8 B at most"), "{}", run.out);
    assert!(run.out.contains("2 of them for requests, 2 for responses"), "{}", run.out);
}

#[test]
fn check_shows_limits_and_quotas_and_what_the_environment_lacks() {
    let policy = file(
        "check_beside.toml",
        r#"
[policy]
hash_key_env = "HOLDBACK_TESTS_NEVER_SET_KEY"
[[rule]]
id = "a.word"
literals = ["Nightjar"]
severity = "high"
[[check]]
id = "a.tone"
mode = "gate"
service = { kind = "webhook", url = "http://127.0.0.1:1", secret_env = "HOLDBACK_TESTS_NEVER_SET" }
[[check]]
id = "a.names"
mode = "gate"
service = { kind = "presidio", url = "http://127.0.0.1:1", token_env = "PATH" }
[[limit]]
id = "a.loop"
repeats = { times = 5, min_bytes = 200 }
[[quota]]
id = "a.strikes"
findings = { rules = "a.*", min_severity = "high", count = 3 }
within_s = 3600
per = "x-user"
refuse_s = 60
"#,
    );
    let path = policy.to_str().unwrap();
    let text = run(&["check", path], "");
    assert_eq!(text.code, 0, "{}", text.err);
    for line in [
        "  a.loop: a limit, a stream ends at the same 5 times in a row, 200 bytes at least\n",
        "  a.strikes: a quota, 3 findings of `a.*`, high at least within 3600 s, for each `x-user`, then refused for 60 s\n",
        "  note: the environment has no `HOLDBACK_TESTS_NEVER_SET` here, which the file needs where it runs\n",
    ] {
        assert!(text.out.contains(line), "{line} in\n{}", text.out);
    }
    let json = run(&["check", "--json", path], "");
    let [checked] = &lines(&json.out)[..] else { panic!("{}", json.out) };
    assert_eq!(checked["missing_env"], json!(["HOLDBACK_TESTS_NEVER_SET", "HOLDBACK_TESTS_NEVER_SET_KEY"]));
    assert_eq!(checked["limits"][0]["id"], "a.loop");
    assert_eq!(checked["quotas"][0]["id"], "a.strikes");
    assert_eq!(checked["faults"], json!([]));
}

#[test]
fn check_shows_every_fault_in_its_place() {
    let path = file("check_bad.toml", "[[rule]]\nid = \"a\"\nregexx = \"b\"\n\n[[rule]]\nid = \"c\"\nregex = \"(\"\n");
    let run = run(&["check", path.to_str().unwrap()], "");
    assert_eq!((run.code, &*run.out), (2, ""));
    for part in ["regexx", "check_bad.toml:3", "check_bad.toml:5", "unclosed group"] {
        assert!(run.err.contains(part), "{part} is not in\n{}", run.err);
    }
}

#[test]
fn check_tells_rules_that_find_the_same() {
    let policy = file(
        "check-overlap.toml",
        r#"
[[rule]]
id = "a.wide"
regex = 'key-[a-z0-9]{4,40}'
[[rule]]
id = "a.narrow"
regex = 'key-live[a-z0-9]{4,36}'
[[rule.test]]
text = "a key-live1234 here"
finds = ["key-live1234"]
[[rule.test]]
text = "a key-test1234 here"
finds = []
[[rule]]
id = "a.other"
literals = ["lock-1234"]
[[rule.test]]
text = "lock-1234"
finds = ["lock-1234"]
"#,
    );
    let path = policy.to_str().unwrap();
    let text = run(&["check", path], "");
    assert_eq!(text.code, 0, "{}", text.err);
    assert_eq!(text.out.matches("note: ").count(), 1, "{}", text.out);
    assert!(text.out.contains("shadowed: `a.wide`, which stands before it"), "{}", text.out);

    let json = run(&["check", "--json", path], "");
    let [checked] = &lines(&json.out)[..] else { panic!("{}", json.out) };
    assert_eq!(checked["faults"], json!([]));
    let narrow = &checked["rules"][1];
    assert_eq!((&narrow["id"], &narrow["hold_bytes"]), (&json!("a.narrow"), &json!(44)));
    assert!(narrow["states"].as_u64() > Some(1) && checked["released_at_once"].as_f64() > Some(0.9), "{checked}");
    assert!(narrow["notes"][0].as_str().is_some_and(|note| note.starts_with("shadowed")), "{checked}");
}

#[test]
fn check_tells_faults_in_json() {
    let path = file("check-faults.toml", "[[rule]]\nid = \"a b\"\nregex = 'x'\n");
    let run = run(&["check", "--json", path.to_str().unwrap()], "");
    assert_eq!((run.code, run.err.as_str()), (2, ""));
    let [checked] = &lines(&run.out)[..] else { panic!("{}", run.out) };
    let fault = &checked["faults"][0];
    assert!(fault["reason"].as_str().is_some_and(|reason| reason.contains("the id may have letters")), "{checked}");
}

#[test]
fn test_runs_the_examples_of_the_built_in_packs() {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let run = run(&["test", rules], "");
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.out.ends_with(" 0 failed\n"), "{}", run.out);
}

#[test]
fn test_shows_what_is_missing_and_what_is_noise() {
    let rule = "[[rule]]\nid = \"a.word\"\nliterals = [\"Nightjar\"]\n\
                [[rule.test]]\ntext = \"a Nightjar\"\nfinds = [\"Kestrel\"]\n";
    let path = file("test_failing.toml", rule);
    let run = run(&["test", path.to_str().unwrap()], "");
    assert_eq!(run.code, 1, "{}", run.err);
    for part in ["a.word", "Kestrel", "Nightjar", "test_failing.toml:4", "1 failed"] {
        assert!(run.out.contains(part), "{part} is not in\n{}", run.out);
    }
}

#[test]
fn test_of_nothing_is_no_success() {
    let rule = "[[rule]]\nid = \"a.word\"\nliterals = [\"Nightjar\"]\n";
    let path = file("test_nothing.toml", rule);
    let run = run(&["test", path.to_str().unwrap()], "");
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(run.err.contains("nothing was tested"), "{}", run.err);
}

#[test]
fn a_field_that_is_there_twice_is_an_error() {
    let rows = "{\"text\":\"ada@mail.test\",\"text\":\"x\"}\n{\"a\":1,\"text\":\"y\"}\n";
    let path = file("scan_twice.jsonl", rows);
    let run = run(&["scan", "--jsonl", "text", path.to_str().unwrap()], "");
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(run.err.contains("scan_twice.jsonl:1: the line has the field twice"), "{}", run.err);
    assert_eq!(run.out, "{\"line\":2,\"findings\":[]}\n");
}
