//! OpenAI's legacy completions as streams and documents, written by hand: each case whole, at every cut in two, and
//! byte by byte.

mod drive;

use bytes::Bytes;
use drive::{Output, at_every_cut, cut, end, filter};
use holdback::wire::{Failure, FilterOptions, Framing, UsageChunk};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};

const COMPLETIONS: Option<Dialect> = Some(Dialect::OpenAiCompletions);
const DONE: &str = "data: [DONE]\n\n";

/// Redacts `secret` and numbers of two digits or more; ends at `forbidden`.
fn usual() -> Policy {
    let rules = [
        Rule::literal("secret", "secret").redact("[s]"),
        Rule::regex("number", r"\b[0-9]{2,}").redact("#"),
        Rule::literal("stop", "forbidden").terminate(),
    ];
    Policy::builder().rules(rules).build().unwrap()
}

fn chunk(choices: &str) -> String {
    format!(
        "data: {{\"id\":\"c-1\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\",\"choices\":[{choices}]}}\n\n"
    )
}

fn text(index: u32, text: &str) -> String {
    chunk(&format!("{{\"text\":\"{text}\",\"index\":{index},\"logprobs\":null,\"finish_reason\":null}}"))
}

fn finish(index: u32, reason: &str) -> String {
    chunk(&format!("{{\"index\":{index},\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"{reason}\"}}"))
}

fn run(input: &str) -> Output {
    at_every_cut(&usual(), COMPLETIONS, input.as_bytes())
}

#[test]
fn choices_are_apart() {
    let input = text(0, "a sec") + &text(1, "ret 1") + &text(0, "ret") + &text(1, "2 se");
    let tail = finish(0, "stop") + &finish(1, "length") + DONE;
    let expected = text(0, "a ") + &text(1, "ret ") + &text(0, "[s]") + &text(1, "# se") + &tail;
    let output = run(&(input.clone() + &tail));
    assert_eq!((output.text(), &output.ending, output.verdicts.len()), (expected, &Ending::Complete, 2));
    assert_eq!(at_every_cut(&usual(), None, (input + &tail).as_bytes()), output, "the first event tells the dialect");
}

#[test]
fn every_place_for_text_is_watched() {
    let choices = [
        r#"{"index":0,"text":"a secret","finish_reason":null}"#,
        r#"{"index":0,"text":"","unheard_of":{"a secret":["a secret"]},"finish_reason":null}"#,
        r#"{"index":0,"text":"","logprobs":{"tokens":["a"," secret"]}}"#,
        r#"{"index":0,"text":"","content_filter_results":{"custom":[{"id":"a secret"}]}}"#,
    ];
    for choice in choices {
        let input = chunk(choice) + &finish(0, "stop") + DONE;
        let output = run(&input);
        assert!(!output.text().contains("secret"), "{}", output.text());
        assert_eq!(output.verdicts.len(), choice.matches("secret").count(), "{choice}");
    }
    let writer = "data: {\"value\":\"a sec\"}\n\ndata: {\"value\":\"ret\"}\n\n";
    assert_eq!(run(writer).text(), "data: {\"value\":\"a \"}\n\ndata: {\"value\":\"[s]\"}\n\n");
}

#[test]
fn log_probabilities_go_with_their_text() {
    let event = |text: &str, logprobs: &str| {
        chunk(&format!("{{\"text\":\"{text}\",\"index\":0,\"logprobs\":{logprobs},\"finish_reason\":null}}"))
    };
    let logprobs = |token: &str, other: &str| {
        let top = format!("{{\"{token}\":-0.12,\"{other}\":-34}}");
        format!("{{\"tokens\":[\"{token}\"],\"token_logprobs\":[-0.12],\"top_logprobs\":[{top}],\"text_offset\":[12]}}")
    };
    let input = event("a ", &logprobs("a ", "the "))
        + &event("sec", &logprobs("sec", "b"))
        + &event("ret", &logprobs("ret", "c"))
        + &event("!", &logprobs("!", "a secret"));
    let expected =
        event("a ", &logprobs("a ", "the ")) + &event("", "null") + &event("[s]", "null") + &event("!", "null");
    let tail = finish(0, "stop") + DONE;
    let output = run(&(input + &tail));
    assert_eq!(output.text(), expected + &tail);
}

#[test]
fn a_stop_at_every_event_is_a_finish() {
    let words = ["One ", "two ", "three."];
    for at in 0..=words.len() {
        let other = text(1, "other");
        let deltas: String = words[..at].iter().map(|word| text(0, word)).collect();
        let rest: String = words[at..].iter().map(|word| text(0, word)).collect();
        let input = other.clone() + &deltas + &text(0, "for") + &text(0, "bidden") + &rest + &finish(0, "stop") + DONE;
        let output = run(&input);
        let open = [0, 1].map(|index| finish(index, "content_filter"));
        assert_eq!(output.text(), other + &deltas + &text(0, "") + &text(0, "") + &open.concat() + DONE);
        assert!(matches!(&output.ending, Ending::Terminated(verdict) if &*verdict.rule == "stop"));
    }
}

#[test]
fn usage_is_repeated_if_asked_for() {
    let mut options = FilterOptions::default();
    options.usage_chunk = UsageChunk::Asked;
    let input =
        text(0, "a").replace("\"choices\"", "\"usage\":{\"total_tokens\":7},\"choices\"") + &text(0, "forbidden");
    let output = filter(Filter::with_options(&usual(), COMPLETIONS, options), [Bytes::from(input)]);
    let last = output.events().pop().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(7)));
}

#[test]
fn an_upstream_that_breaks_off_never_looks_complete() {
    let input = text(0, "A sec") + &text(0, "ret and 1") + &text(0, "2 more") + &finish(0, "stop") + DONE;
    let finished = input.find("\"stop\"}]}").unwrap() + "\"stop\"}]}".len();
    let (last_word, done) = (input.find("[DONE]").unwrap(), input.find("DONE]").unwrap() + 5);
    for at in 0..input.len() {
        let output = cut(&usual(), COMPLETIONS, &input.as_bytes()[..at], 5);
        if (finished..=last_word).contains(&at) || at >= done {
            assert_eq!(output.ending, Ending::Complete, "at {at}");
        } else {
            assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated), "at {at}");
            assert_eq!(output.events().pop().unwrap()["error"]["code"], "upstream_truncated", "at {at}");
            assert!(!output.text().contains("[DONE]"));
        }
    }
    let timed_out = end(Filter::new(&usual(), COMPLETIONS), [Bytes::from(text(0, "a sec"))], |filter, now, notes| {
        filter.fail(Ending::TimedOut, now, notes);
    });
    assert_eq!(timed_out.events().pop().unwrap()["error"]["code"], "upstream_timeout");
    assert!(!timed_out.text().contains("sec"));
}

#[test]
fn documents_are_under_the_same_policy() {
    let document = |text: &str| {
        let choice = format!(
            r#"{{"text":"{text}","index":0,"logprobs":{{"tokens":["a"," sec","ret"],"token_logprobs":[-1,-1,-1],"text_offset":[0,1,5]}},"finish_reason":"stop"}}"#
        );
        let body = chunk(&choice).trim().trim_start_matches("data: ").to_owned();
        let mut options = FilterOptions::default();
        options.framing = Some(Framing::Document);
        let output = filter(Filter::with_options(&usual(), None, options), [Bytes::from(body)]);
        (serde_json::from_slice::<Value>(&output.bytes).unwrap(), output.ending)
    };
    let (told, ending) = document("a secret");
    assert_eq!((&told["choices"][0]["text"], &told["choices"][0]["logprobs"]), (&json!("a [s]"), &json!(null)));
    assert_eq!(ending, Ending::Complete);
    let (told, ending) = document("It is forbidden");
    let choice = &told["choices"][0];
    assert_eq!((&choice["text"], &choice["finish_reason"]), (&json!("It is "), &json!("content_filter")));
    assert!(matches!(ending, Ending::Terminated(_)));
}
