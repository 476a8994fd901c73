//! OpenAI's transcriptions as streams and documents, written by hand: each case whole, at every cut in two, and byte by
//! byte.

mod drive;

use bytes::Bytes;
use drive::{Output, at_every_cut, cut, filter};
use holdback::wire::{Failure, FilterOptions, Framing};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};

const TRANSCRIPTION: Option<Dialect> = Some(Dialect::OpenAiTranscription);
const DONE: &str = "data: [DONE]\n\n";

/// Redacts `a secret`; ends at `forbidden`.
fn usual() -> Policy {
    let rules = [Rule::literal("secret", "a secret").redact("[s]"), Rule::literal("stop", "forbidden").terminate()];
    Policy::builder().rules(rules).build().unwrap()
}

fn delta(text: &str) -> String {
    format!("data: {{\"type\":\"transcript.text.delta\",\"delta\":\"{text}\"}}\n\n")
}

fn done(text: &str) -> String {
    format!("data: {{\"type\":\"transcript.text.done\",\"text\":\"{text}\",\"usage\":{{\"total_tokens\":9}}}}\n\n")
}

fn run(input: &str) -> Output {
    at_every_cut(&usual(), TRANSCRIPTION, input.as_bytes())
}

#[test]
fn the_whole_text_shows_what_the_deltas_show() {
    let input = delta("It is a se") + &delta("cret.") + &done("It is a secret.") + DONE;
    let output = run(&input);
    assert_eq!(output.text(), delta("It is ") + &delta("[s].") + &done("It is [s].") + DONE);
    assert_eq!((&output.ending, output.verdicts.len()), (&Ending::Complete, 1));
    assert_eq!(at_every_cut(&usual(), None, input.as_bytes()), output, "the first event tells the dialect");
    let segment = |text: &str| {
        format!(
            "data: {{\"type\":\"transcript.text.segment\",\"id\":\"g\",\"start\":0.5,\"end\":12,\"speaker\":\"A\",\"text\":\"{text}\"}}\n\n"
        )
    };
    let output = run(&(segment("It is a ") + &segment("secret") + &done("It is a secret")));
    assert_eq!(output.text(), segment("It is ") + &segment("[s]") + &done("It is [s]"));
}

#[test]
fn log_probabilities_go_with_their_text() {
    let event = |text: &str, logprobs: &str| {
        format!("data: {{\"type\":\"transcript.text.delta\",\"delta\":\"{text}\",\"logprobs\":{logprobs}}}\n\n")
    };
    let token = |text: &str| format!("[{{\"token\":\"{text}\",\"logprob\":-0.5,\"bytes\":{:?}}}]", text.as_bytes());
    let input = ["It is ", "a ", "secret"].map(|text| event(text, &token(text))).concat() + &done("It is a secret");
    let expected = event("It is ", &token("It is ")) + &event("", "[]") + &event("[s]", "[]") + &done("It is [s]");
    assert_eq!(run(&input).text(), expected);
}

#[test]
fn only_an_error_says_that_it_was_stopped() {
    for input in [delta("It is for") + &delta("bidden to") + DONE, delta("It is ") + &done("It is forbidden") + DONE] {
        let output = run(&input);
        assert!(matches!(output.ending, Ending::Terminated(_)));
        assert_eq!(output.events().pop().unwrap()["error"]["code"], "content_filter");
        assert!(!output.text().contains("[DONE]") && !output.text().contains("text.done"), "{}", output.text());
    }
}

#[test]
fn an_upstream_that_breaks_off_never_looks_complete() {
    let input = delta("It is a se") + &delta("cret.") + &done("It is a secret.");
    for at in 0..input.trim_end().len() {
        let output = cut(&usual(), TRANSCRIPTION, &input.as_bytes()[..at], 5);
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated), "at {at}");
        assert_eq!(output.events().pop().unwrap()["error"]["code"], "upstream_truncated");
    }
}

#[test]
fn documents_are_under_the_same_policy() {
    let document = |text: &str| {
        let body = json!({"text": text, "duration": 12.5, "language": "english",
            "words": [{"word": "a", "start": 0.1, "end": 0.2}, {"word": "secret", "start": 0.2, "end": 0.4}],
            "segments": [{"id": 0, "text": "It is a", "tokens": [50364, 1]}, {"id": 1, "text": " secret", "tokens": [2]}]});
        let mut options = FilterOptions::default();
        options.framing = Some(Framing::Document);
        let output = filter(Filter::with_options(&usual(), TRANSCRIPTION, options), [Bytes::from(body.to_string())]);
        serde_json::from_slice::<Value>(&output.bytes).unwrap()
    };
    let told = document("It is a secret");
    assert_eq!((&told["text"], &told["words"]), (&json!("It is [s]"), &json!([])));
    assert_eq!((&told["segments"][0]["text"], &told["segments"][1]["text"]), (&json!("It is "), &json!("[s]")));
    assert_eq!(told["segments"][1]["tokens"], json!([]));
    assert_eq!(document("It is forbidden")["error"]["code"], "content_filter");
}
