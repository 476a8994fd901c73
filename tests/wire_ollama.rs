//! Ollama's chats and completions, written by hand: lines and documents.

mod drive;

use bytes::Bytes;
use drive::{Output, at_every_cut, cut, end, filter};
use holdback::policy::ChannelKind;
use holdback::wire::{Failure, FilterOptions, Framing};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};

const OLLAMA: Option<Dialect> = Some(Dialect::Ollama);

fn usual() -> Policy {
    let rules = [
        Rule::literal("secret", "secret").redact("[s]"),
        Rule::regex("number", r"[0-9]{2,}").redact("#"),
        Rule::literal("stop", "forbidden").terminate(),
    ];
    Policy::builder().rules(rules).build().expect("the rules are well formed")
}

fn line(rest: &str) -> String {
    format!("{{\"model\":\"m-12\",\"created_at\":\"2026-01-01T00:00:00Z\",{rest}}}\n")
}

fn content(text: &str) -> String {
    line(&format!(r#""message":{{"role":"assistant","content":"{text}"}},"done":false"#))
}

fn response(text: &str) -> String {
    line(&format!(r#""response":"{text}","done":false"#))
}

fn done(rest: &str) -> String {
    line(&format!(
        r#""message":{{"role":"assistant","content":""}},"done":true,"done_reason":"stop","eval_count":308{rest}"#
    ))
}

fn answer(texts: &[&str]) -> String {
    texts.iter().map(|text| content(text)).collect::<String>() + &done("")
}

fn joined(output: &Output, pointer: &str) -> String {
    output.events().iter().filter_map(|line| line.pointer(pointer)?.as_str().map(str::to_owned)).collect()
}

#[test]
fn a_match_over_several_lines_is_replaced_where_it_ends() {
    for dialect in [OLLAMA, None] {
        let output = at_every_cut(&usual(), dialect, answer(&["My sec", "r", "et is 1", "2."]).as_bytes());
        assert_eq!(output.text(), answer(&["My ", "", "[s] is ", "#."]));
        assert_eq!(output.ending, Ending::Complete);
    }
    let crlf = answer(&["a", "b"]).replace('\n', "\r\n") + "\r\n";
    assert_eq!(at_every_cut(&usual(), OLLAMA, crlf.as_bytes()).text(), crlf);
    let open = answer(&["a sec", "ret"]);
    assert_eq!(
        at_every_cut(&usual(), OLLAMA, open.trim_end().as_bytes()).text(),
        answer(&["a ", "[s]"]).trim_end(),
        "the last line may have no end"
    );
}

#[test]
fn every_place_for_text_is_watched() {
    for place in [
        r#""message":{"role":"assistant","content":"","thinking":"a secret"},"done":false"#,
        r#""message":{"role":"assistant","content":"","reasoning_content":"a secret"},"done":false"#,
        r#""message":{"role":"assistant","content":"","tool_calls":[{"id":"c","function":{"index":0,"name":"secret","arguments":{"a secret":["a secret"]}}}]},"done":false"#,
        r#""response":"","thinking":"a secret","done":false"#,
        r#""unheard_of":{"secret":"a secret"},"message":{"content":""},"done":false"#,
    ] {
        let input = content("x") + &line(place) + &done("");
        let output = at_every_cut(&usual(), OLLAMA, input.as_bytes());
        assert_eq!(output.text(), input.replace("secret", "[s]"));
    }
    let call = r#""message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"n":123,"s":"4 "}}}]},"done":false"#;
    let output = at_every_cut(&usual(), OLLAMA, (line(call) + &done("")).as_bytes());
    assert_eq!(output.text(), line(&call.replace("123", "\"#\"")) + &done(""));
    assert_eq!(output.verdicts[0].0, ChannelKind::ToolArgs);
}

#[test]
fn a_policy_stop_at_every_line() {
    let words = ["One ", "two ", "three."];
    for line_of in [content, response] {
        for at in 0..=words.len() {
            let mut texts = words[..at].to_vec();
            texts.extend(["for", "bidden"]);
            texts.extend(&words[at..]);
            let input = texts.iter().map(|text| line_of(text)).collect::<String>() + &done("");
            let output = at_every_cut(&usual(), OLLAMA, input.as_bytes());
            assert!(matches!(output.ending, Ending::Terminated(_)));
            let text = joined(&output, "/message/content") + &joined(&output, "/response");
            assert_eq!(text, words[..at].concat());
            let own = if line_of("") == content("") {
                r#""message":{"role":"assistant","content":""}"#
            } else {
                r#""response":"""#
            };
            let expected = line(&format!(r#"{own},"done":true,"done_reason":"content_filter""#));
            assert!(output.text().ends_with(&expected), "{}", output.text());
            assert_eq!(output.text().matches("\"done\":true").count(), 1);
        }
    }
    let last = Policy::builder().rule(Rule::regex("last", "bye$").terminate()).build().expect("a rule");
    let output = at_every_cut(&last, OLLAMA, answer(&["Good ", "bye"]).as_bytes());
    assert_eq!(
        (joined(&output, "/message/content"), joined(&output, "/done_reason")),
        ("Good ".into(), "content_filter".into())
    );
}

#[test]
fn a_call_that_is_stopped_never_leaves() {
    let call = r#""message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"pay","arguments":{"to":"forbidden","n":1}}}]},"done":false"#;
    let output = at_every_cut(&usual(), OLLAMA, (content("Hm.") + &line(call) + &done("")).as_bytes());
    assert!(!output.text().contains("pay"), "{}", output.text());
    assert_eq!(output.events().len(), 2, "every line is JSON");
    assert_eq!(joined(&output, "/done_reason"), "content_filter");
}

#[test]
fn token_numbers_go_with_the_text_that_they_stand_for() {
    let context = |context: &str| done(&format!(r#","context":{context}"#));
    let plain = response("a word") + &context("[1,128006,7]");
    assert_eq!(at_every_cut(&usual(), OLLAMA, plain.as_bytes()).text(), plain);
    let output =
        at_every_cut(&usual(), OLLAMA, (response("a sec") + &response("ret") + &context("[1,128006]")).as_bytes());
    assert_eq!(output.text(), response("a ") + &response("[s]") + &context("[]"));
    let thought = line(r#""response":"","thinking":"a secret","done":false"#);
    let output = at_every_cut(&usual(), OLLAMA, (thought + &response("x") + &context("[1]")).as_bytes());
    assert!(output.text().contains(r#""context":[]"#), "thoughts are in it, too");
    let logprobs = |text: &str, logprobs: &str| {
        line(&format!(r#""message":{{"content":"{text}"}},"logprobs":{logprobs},"done":false"#))
    };
    let tokens = r#"[{"token":"a secret","logprob":-1.25,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-2.5}]}]"#;
    let output = at_every_cut(&usual(), OLLAMA, (logprobs("a secret", tokens) + &done("")).as_bytes());
    assert_eq!(output.text(), logprobs("a [s]", "[]") + &done(""));
    let kept = logprobs("a word", &tokens.replace("secret", "word")) + &done("");
    assert_eq!(at_every_cut(&usual(), OLLAMA, kept.as_bytes()).text(), kept);
}

#[test]
fn errors_and_failures() {
    let error = "{\"error\":\"saw a secret\"}\n";
    let output = at_every_cut(&usual(), OLLAMA, (content("Hi se") + error).as_bytes());
    assert_eq!(output.text(), content("Hi se") + &error.replace("secret", "[s]"));
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Reported));
    let input = answer(&["A sec", "ret"]);
    for at in 1..input.trim_end().len() {
        let output = cut(&usual(), OLLAMA, &input.as_bytes()[..at], 5);
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated), "at {at}");
        let last: Value = serde_json::from_str(output.text().lines().last().expect("a line")).expect("JSON");
        assert_eq!(last, json!({"error": "The upstream ended before its response was complete."}), "at {at}");
    }
    let output = end(Filter::new(&usual(), OLLAMA), [Bytes::from(content("held sec"))], |filter, now, notes| {
        filter.fail(Ending::TimedOut, now, notes);
    });
    assert!(output.text().ends_with("{\"error\":\"The upstream took too long.\"}\n"));
}

#[test]
fn documents() {
    let run = |dialect, body: &str| {
        let mut options = FilterOptions::default();
        options.framing = Some(Framing::Document);
        filter(Filter::with_options(&usual(), dialect, options), [Bytes::copy_from_slice(body.as_bytes())]).text()
    };
    let body = |text: &str, reason: &str, calls: &str| {
        format!(
            r#"{{"model":"m","message":{{"role":"assistant","content":"{text}","tool_calls":[{calls}]}},"done":true,"done_reason":"{reason}","context":[17]}}"#
        )
    };
    let call = r#"{"function":{"name":"f","arguments":{"a":"b"}}}"#;
    for dialect in [OLLAMA, None] {
        assert_eq!(run(dialect, &body("a word", "stop", call)), body("a word", "stop", call));
        let redacted = body("a [s]", "stop", call).replace("[17]", "[]");
        assert_eq!(run(dialect, &body("a secret", "stop", call)), redacted);
        let stopped = body("It is ", "content_filter", "").replace("[17]", "[]");
        assert_eq!(run(dialect, &body("It is forbidden", "stop", call)), stopped);
        let half = run(dialect, &body("x", "stop", &call.replace("\"b\"", "\"forbidden\"")));
        assert!(half.starts_with("{\"error\":"), "{half}");
    }
}
