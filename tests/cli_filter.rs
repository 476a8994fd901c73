//! `holdback filter`: a pipe with an exit code.
#![cfg(feature = "sidecar")]

mod binary;

use binary::{file, holdback, run};
use holdback::Dialect;
use std::io::{Read, Write};
use std::process::Stdio;

const TEXT: &str = "Ada, ada.sample@mail.test, pays with 4111 1111 1111 1111.\n";
const CLEAN: &str = "Ada, [pii.email], pays with ***************1111.\n";

/// A policy that redacts one word and ends the stream at another.
const RULES: &str = r#"
[[rule]]
id       = "acme.codename"
literals = ["Nightjar"]
replace  = "[codename]"

[[rule]]
id       = "acme.stop"
literals = ["Basilisk"]
action   = "terminate"
"#;

fn chat(texts: &[&str]) -> String {
    let chunk = |delta: String, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
             \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let mut stream = String::from(": a comment that nobody reads\n\n");
    for text in texts {
        stream.push_str(&chunk(format!("{{\"content\":{}}}", serde_json::json!(text)), "null"));
    }
    stream + &chunk("{}".to_owned(), "\"stop\"") + "data: [DONE]\n\n"
}

#[test]
fn redacts_by_the_built_in_packs() {
    let run = run(&["filter", "--dialect", "text"], TEXT);
    assert_eq!((run.code, &*run.out, &*run.err), (0, CLEAN, ""));
}

#[test]
fn every_dialect_has_a_name() {
    for dialect in Dialect::ALL {
        assert_eq!(dialect.name().parse(), Ok(dialect));
        assert_ne!(run(&["filter", "--dialect", dialect.name()], "").code, 2, "{dialect:?}");
    }
    let unknown = run(&["filter", "--dialect", "morse"], "").err;
    assert!(Dialect::ALL.iter().all(|dialect| unknown.contains(dialect.name())), "{unknown}");
}

#[test]
fn the_first_event_tells_the_dialect() {
    let run = run(&["filter"], chat(&["Ada, ada.sam", "ple@mail.test", "!"]));
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("[pii.email]") && !run.out.contains("ada.sam"), "{}", run.out);
    assert!(run.out.starts_with(": a comment that nobody reads\n\n") && run.out.ends_with("data: [DONE]\n\n"));
}

#[test]
fn what_no_rule_touches_leaves_as_it_came() {
    let stream = chat(&["Nothing ", "to \"see\"", " here.\n"]);
    for dialect in [&["--dialect", "openai-chat"][..], &[]] {
        let run = run(&[&["filter"], dialect].concat(), &stream);
        assert_eq!((run.code, run.out), (0, stream.clone()));
    }
}

#[test]
fn cuts_change_nothing() {
    let stream = chat(&["Ada, ada.sam", "ple@mail.test", " pays with 4111 1111", " 1111 1111."]);
    for (input, args) in [(TEXT, &["filter", "--dialect", "text"][..]), (&stream, &["filter"][..])] {
        let whole = run(args, input);
        for cut in ["1", "2", "3", "7", "64", "1000000"] {
            let cut_run = run(&[args, &["--cut", cut]].concat(), input);
            assert_eq!((cut_run.code, &cut_run.out), (whole.code, &whole.out), "--cut {cut}");
        }
    }
}

#[test]
fn a_policy_stop_is_exit_code_3() {
    let rules = file("filter_stop.toml", RULES);
    let args = ["filter", "--policy", rules.to_str().unwrap()];
    let text = run(&[&args[..], &["--dialect", "text"]].concat(), "A Nightjar and a Basilisk and more");
    assert_eq!((text.code, &*text.out), (3, "A [codename] and a "));
    assert!(text.err.contains("acme.stop") && !text.err.contains("Basilisk"), "{}", text.err);

    let chat = run(&args, chat(&["A Basi", "lisk", " and more"]));
    assert_eq!(chat.code, 3, "{}", chat.err);
    assert!(chat.out.contains("\"content_filter\"") && chat.out.ends_with("data: [DONE]\n\n"), "{}", chat.out);
    assert!(!chat.out.contains("Basi") && !chat.out.contains("more"), "{}", chat.out);
}

#[test]
fn findings_say_where_and_never_what() {
    let findings = file("filter_findings.jsonl", "");
    let run = run(&["filter", "--dialect", "text", "--findings", findings.to_str().unwrap()], TEXT);
    assert_eq!(run.code, 0);
    let lines = std::fs::read_to_string(findings).unwrap();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let wanted = serde_json::json!({
        "rule": "pii.email", "start": 5, "end": 25, "action": "redact", "channel": "text", "reason": "match"
    });
    assert_eq!(first, wanted);
    assert!(!lines.contains("ada.sample") && !lines.contains("4111"));
}

#[test]
fn packs_and_rules_are_chosen_by_name() {
    let only_secrets = run(&["filter", "--dialect", "text", "--pack", "secrets"], TEXT);
    assert_eq!((only_secrets.code, &*only_secrets.out), (0, TEXT));
    let only_email = run(&["filter", "--dialect", "text", "--rule", "pii.email"], TEXT);
    assert_eq!(&*only_email.out, "Ada, [pii.email], pays with 4111 1111 1111 1111.\n");
}

#[test]
fn rules_are_left_out_or_put_on_trial_by_name() {
    let text = "ada.sample@mail.test and 4111 1111 1111 1111";
    let left_out = run(&["filter", "--dialect", "text", "--disable", "pii.e*"], text);
    assert!(left_out.out.starts_with("ada.sample@mail.test and ") && !left_out.out.contains("4111 1111 1111 1111"));
    let findings = file("trial.jsonl", "");
    let path = findings.to_str().unwrap();
    let args = ["filter", "--dialect", "text", "--monitor", "pii.*", "--disable", "pii.email", "--findings", path];
    let on_trial = run(&args, text);
    assert_eq!((on_trial.code, on_trial.out.as_str()), (0, text), "{}", on_trial.err);
    let finding = std::fs::read_to_string(findings).unwrap();
    assert!(finding.contains(r#""action":"mask","enforced":false"#), "{finding}");
    for flag in ["--disable", "--monitor"] {
        let unknown = run(&["filter", flag, "pii.mail"], text);
        assert!(unknown.code == 2 && unknown.err.contains("no rule has the id `pii.mail`"), "{}", unknown.err);
    }
}

#[test]
fn a_bad_policy_or_usage_is_exit_code_2() {
    let broken = file("filter_broken.toml", "[[rule]]\nid = \"a\"\nregex = \"(\"\n");
    let broken = broken.to_str().unwrap();
    for args in [
        &["filter", "--policy", "/dev/null"][..],
        &["filter", "--policy", "/no/such/file.toml"],
        &["filter", "--policy", broken],
        &["filter", "--pack", "unheard-of"],
        &["filter", "--rule", "unheard.of"],
        &["filter", "--dialect", "morse"],
        &["filter", "--cut", "0"],
        &["filter", "--unheard-of"],
        &[],
    ] {
        let run = run(args, TEXT);
        assert_eq!((run.code, &*run.out), (2, ""), "{args:?}: {}", run.err);
        assert!(!run.err.is_empty(), "{args:?} says why");
    }
}

#[test]
fn passing_everything_must_be_meant() {
    let run = run(&["filter", "--dialect", "text", "--policy", "/dev/null", "--passthrough"], TEXT);
    assert_eq!((run.code, &*run.out), (0, TEXT));
}

#[test]
fn what_is_decided_leaves_while_the_pipe_is_open() {
    let mut child = holdback(&["filter", "--dialect", "text"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    input.write_all(b"This leaves at once. ").unwrap();
    let mut heard = [0; 21];
    output.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"This leaves at once. ");
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child = holdback(&["filter", "--dialect", "text"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    drop(child.stdout.take());
    // More than a pipe holds, so that it must notice.
    let _ = child.stdin.take().unwrap().write_all("plain words. ".repeat(100_000).as_bytes());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

#[test]
fn checks_are_asked_and_a_check_without_an_answer_withholds() {
    // Nobody listens on the port of discarding.
    let check = "[[check]]\nid = \"tone\"\nmode = \"gate\"\n";
    let service = "service = { kind = \"presidio\", url = \"http://127.0.0.1:9\" }\n";
    let policy = file("checked.toml", format!("{check}{service}"));
    let filtered = run(&["filter", "--policy", policy.to_str().unwrap()], "How do you do? Fine.\n");
    assert_eq!((filtered.code, &*filtered.out), (0, "[tone][tone]"), "{}", filtered.err);
    let policy = file("unbound.toml", check);
    let refused = run(&["filter", "--policy", policy.to_str().unwrap()], "How do you do?");
    assert_eq!((refused.code, &*refused.out), (2, ""));
    assert!(refused.err.contains("nobody answers for the check `tone`"), "{}", refused.err);
}

#[test]
fn a_pipe_needs_nothing_of_policies_that_are_for_requests() {
    let service = "service = { kind = \"webhook\", url = \"http://127.0.0.1:9\", secret_env = \"HOLDBACK_NOT_SET\" }\n";
    file("judged.toml", format!("[[check]]\nid = \"tone\"\nmode = \"gate\"\n{service}"));
    let policy = file("choosing.toml", format!("{RULES}\n[[choose]]\npath = \"/x\"\npolicy = \"judged.toml\"\n"));
    let filtered = run(&["filter", "--policy", policy.to_str().unwrap()], "A Nightjar sings.\n");
    assert_eq!((filtered.code, &*filtered.out), (0, "A [codename] sings.\n"), "{}", filtered.err);
}
