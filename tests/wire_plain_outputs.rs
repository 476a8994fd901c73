//! Streams of plain generated text, written by hand: Replicate's and watsonx's.

mod drive;

use bytes::Bytes;
use drive::{at_every_cut, cut, filter};
use holdback::wire::{Failure, FilterOptions, Framing};
use holdback::{Dialect, Ending, Filter, Policy, Rule};

const REPLICATE: Option<Dialect> = Some(Dialect::Replicate);
const WATSONX: Option<Dialect> = Some(Dialect::Watsonx);

fn usual() -> Policy {
    let rules = [
        Rule::literal("secret", "secret").redact("[s]"),
        Rule::regex("number", r"[0-9]{2,}").redact("#"),
        Rule::regex("lines", r"begin\s+end").redact("(a\n\nb)"),
        Rule::literal("stop", "forbidden").terminate(),
    ];
    Policy::builder().rules(rules).build().expect("the rules are well formed")
}

/// An event whose text may have several lines.
fn output(id: u32, text: &str) -> String {
    let data: String = text.split('\n').map(|line| format!("data: {line}\n")).collect();
    format!("event: output\nid: {id}:0\n{data}\n")
}

const DONE: &str = "event: done\nid: 9:0\ndata: {}\n\n: bye\n";

fn replicate(texts: &[&str]) -> String {
    let outputs = texts.iter().zip(1..).map(|(text, id)| output(id, text));
    ": hi\n\n".to_owned() + &outputs.collect::<String>() + DONE
}

#[test]
fn pieces_of_plain_text_are_one_text() {
    for dialect in [REPLICATE, None] {
        let input = replicate(&["", "My sec", "r", "et is 1", "2.", "{\"a", "\nb\n", "[1"]);
        let filtered = at_every_cut(&usual(), dialect, input.as_bytes());
        assert_eq!(filtered.text(), replicate(&["", "My ", "", "[s] is ", "#.", "{\"a", "\nb\n", "[1"]));
        assert_eq!(filtered.ending, Ending::Complete);
    }
}

#[test]
fn lines_of_a_text_stay_lines_of_data() {
    let filtered = at_every_cut(&usual(), REPLICATE, replicate(&["x\nbe", "gin\n", "\nend\ny"]).as_bytes());
    assert_eq!(filtered.text(), replicate(&["x\n", "", "(a\n\nb)\ny"]));
    let both = at_every_cut(&usual(), REPLICATE, output(1, "a secret\nb\nsecret").as_bytes());
    assert!(both.text().starts_with(&output(1, "a [s]\nb\n[s]")), "{}", both.text());
}

#[test]
fn a_stop_and_a_failure_of_plain_text_are_errors() {
    let ended = "event: done\ndata: {\"reason\":\"error\"}\n\n";
    let filtered = at_every_cut(&usual(), REPLICATE, replicate(&["It is ", "for", "bidden"]).as_bytes());
    assert!(matches!(filtered.ending, Ending::Terminated(_)));
    let error = "event: error\ndata: {\"detail\":\"The response was stopped by a content policy.\"}\n\n";
    let expected = ": hi\n\n".to_owned() + &output(1, "It is ") + &output(2, "") + &output(3, "") + error + ended;
    assert_eq!(filtered.text(), expected);
    let filtered = cut(&usual(), REPLICATE, output(1, "a").as_bytes(), 3);
    assert_eq!(filtered.ending, Ending::UpstreamFailed(Failure::Truncated));
    assert!(filtered.text().ends_with(ended));
}

fn result(text: &str, reason: &str) -> String {
    format!(
        "id: 1\nevent: message\ndata: {{\"model_id\":\"m-12\",\"created_at\":\"2026-01-01T00:00:00Z\",\"results\":[{{\"generated_text\":\"{text}\",\
         \"generated_token_count\":12,\"input_token_count\":0,\"stop_reason\":\"{reason}\"}}]}}\n\n"
    )
}

fn watsonx(texts: &[&str]) -> String {
    texts.iter().map(|text| result(text, "not_finished")).collect::<String>() + &result("", "eos_token")
}

#[test]
fn watsonx_texts() {
    for dialect in [WATSONX, None] {
        let filtered = at_every_cut(&usual(), dialect, watsonx(&["My sec", "r", "et is 1", "2."]).as_bytes());
        assert_eq!(filtered.text(), watsonx(&["My ", "", "[s] is ", "#."]));
        assert_eq!(filtered.ending, Ending::Complete);
    }
    let stopped = at_every_cut(&usual(), WATSONX, watsonx(&["It is ", "for", "bidden"]).as_bytes());
    let last = stopped.events().pop().expect("an event");
    assert_eq!(last["results"][0]["stop_reason"], "content_filter");
    let truncated = cut(&usual(), WATSONX, result("a", "not_finished").as_bytes(), 9);
    assert_eq!(truncated.ending, Ending::UpstreamFailed(Failure::Truncated));
    let mut options = FilterOptions::default();
    options.framing = Some(Framing::Document);
    let body = |text: &str, reason: &str| {
        format!(r#"{{"model_id":"m","results":[{{"generated_text":"{text}","stop_reason":"{reason}"}}]}}"#)
    };
    let run =
        |body: String| filter(Filter::with_options(&usual(), WATSONX, options.clone()), [Bytes::from(body)]).text();
    assert_eq!(run(body("a secret", "eos_token")), body("a [s]", "eos_token"));
    assert_eq!(run(body("It is forbidden", "eos_token")), body("It is ", "content_filter"));
}
