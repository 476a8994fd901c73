//! OpenAI's Assistants API as streams and documents, written by hand: each case whole, at every cut in two, and byte by
//! byte.

mod drive;

use bytes::Bytes;
use drive::{Output, at_every_cut, cut, end, filter};
use holdback::policy::ChannelKind;
use holdback::wire::{Failure, FilterOptions, Framing, ToolCalls};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};

const ASSISTANTS: Option<Dialect> = Some(Dialect::OpenAiAssistants);
const DONE: &str = "event: done\ndata: [DONE]\n\n";

/// Redacts `secret` and numbers of two digits or more; ends at `forbidden`.
fn usual() -> Policy {
    let rules = [
        Rule::literal("secret", "secret").redact("[s]"),
        Rule::regex("number", r"\b[0-9]{2,}\b").redact("#"),
        Rule::literal("stop", "forbidden").terminate(),
    ];
    Policy::builder().rules(rules).build().unwrap()
}

fn event(kind: &str, id: &str, object: &str, members: &str) -> String {
    format!("event: {kind}\ndata: {{\"id\":\"{id}\",\"object\":\"{object}\",{members}}}\n\n")
}

fn run_object(kind: &str, status: &str) -> String {
    let members = format!(
        "\"status\":\"{status}\",\"instructions\":\"say no secret, nor forbidden\",\"incomplete_details\":null,\
         \"last_error\":null,\"required_action\":null,\"temperature\":0.75,\"usage\":null"
    );
    event(&format!("thread.run.{kind}"), "r", "thread.run", &members)
}

/// The run as it leaves.
fn out(stream: &str) -> String {
    stream.replace("say no secret, nor forbidden", "say no [s], nor ").replace("secret", "[s]")
}

fn begin() -> String {
    run_object("created", "queued") + &run_object("in_progress", "in_progress")
}

fn message(kind: &str, status: &str, content: &str) -> String {
    let members =
        format!("\"status\":\"{status}\",\"incomplete_details\":null,\"role\":\"assistant\",\"content\":[{content}]");
    event(&format!("thread.message.{kind}"), "m", "thread.message", &members)
}

fn part(text: &str) -> String {
    format!("{{\"type\":\"text\",\"text\":{{\"value\":\"{text}\",\"annotations\":[]}}}}")
}

fn delta_of(content: &str) -> String {
    event("thread.message.delta", "m", "thread.message.delta", &format!("\"delta\":{{\"content\":[{content}]}}"))
}

fn delta(text: &str) -> String {
    delta_of(&format!("{{\"index\":0,\"type\":\"text\",\"text\":{{\"value\":\"{text}\"}}}}"))
}

fn step(kind: &str, details: &str) -> String {
    event(
        &format!("thread.run.step.{kind}"),
        "s",
        "thread.run.step",
        &format!("\"type\":\"tool_calls\",\"step_details\":{details}"),
    )
}

fn call(call: &str) -> String {
    let delta = format!("\"delta\":{{\"step_details\":{{\"type\":\"tool_calls\",\"tool_calls\":[{call}]}}}}");
    event("thread.run.step.delta", "s", "thread.run.step.delta", &delta)
}

fn run(input: &str) -> Output {
    at_every_cut(&usual(), ASSISTANTS, input.as_bytes())
}

#[test]
fn every_repeat_shows_what_the_deltas_show() {
    let tail =
        |text: &str| message("completed", "completed", &part(text)) + &run_object("completed", "completed") + DONE;
    let input = begin() + &message("created", "in_progress", "") + &delta("a se") + &delta("cret, ") + &delta("12");
    let output = run(&(input + &tail("a secret, 12")));
    let expected = begin() + &message("created", "in_progress", "") + &delta("a ") + &delta("secret, ") + &delta("#");
    assert_eq!(output.text(), out(&(expected + &tail("a secret, #"))));
    assert_eq!(output.ending, Ending::Complete);
}

#[test]
fn every_place_for_text_is_watched() {
    let bodies = [
        delta_of(r#"{"index":0,"type":"refusal","refusal":"a secret"}"#),
        delta_of(
            r#"{"index":0,"type":"text","text":{"annotations":[{"index":0,"file_citation":{"file_id":"f","quote":"a secret"}}]}}"#,
        ),
        delta_of(r#"{"index":0,"type":"unheard_of","thing":["a secret"]}"#),
        call(
            r#"{"index":0,"id":"c","type":"function","function":{"name":"a secret","arguments":"{\"a\":\"a secret\"}"}}"#,
        ),
        call(r#"{"index":0,"id":"c","type":"code_interpreter","code_interpreter":{"input":"a secret","outputs":[]}}"#),
        call(r#"{"index":0,"code_interpreter":{"outputs":[{"index":0,"type":"logs","logs":"a secret"}]}}"#),
        call(
            r#"{"index":0,"type":"file_search","file_search":{"results":[{"file_id":"f","content":[{"type":"text","text":"a secret"}]}]}}"#,
        ),
        step(
            "completed",
            r#"{"type":"tool_calls","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}","output":"a secret"}}]}"#,
        ),
        message("created", "in_progress", "").replace("\"content\":[]", "\"metadata\":{\"a\":\"a secret\"}"),
        event("thread.unheard_of", "x", "thread.thing", "\"thing\":\"a secret\""),
    ];
    for body in bodies {
        let input = run_object("created", "queued") + &body + DONE;
        let output = run(&input);
        assert_eq!(output.text(), out(&input));
        assert_eq!(output.verdicts.len(), 2 + body.matches("secret").count(), "{body}");
    }
    let action = r#""required_action":{"type":"submit_tool_outputs","submit_tool_outputs":{"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":\"a secret\"}"}}]}}"#;
    let input = run_object("requires_action", "requires_action").replace("\"required_action\":null", action) + DONE;
    let output = run(&input);
    assert_eq!(output.text(), out(&input));
    assert!(output.verdicts.iter().any(|(kind, _)| *kind == ChannelKind::ToolArgs));
    assert_eq!(output.ending, Ending::Complete);
}

#[test]
fn citations_move_with_the_text() {
    let cited = |start: u32, end: u32, text: &str| {
        delta_of(&format!(
            "{{\"index\":0,\"type\":\"text\",\"text\":{{\"annotations\":[{{\"index\":0,\"type\":\"file_citation\",\
             \"start_index\":{start},\"end_index\":{end},\"text\":\"{text}\",\"file_citation\":{{\"file_id\":\"f\"}}}}]}}}}"
        ))
    };
    let input = begin() + &delta("é secret 【1】") + &cited(9, 12, "【1】") + DONE;
    assert_eq!(run(&input).text(), out(&(begin() + &delta("é secret 【1】") + &cited(6, 9, "【1】") + DONE)));
}

#[test]
fn a_stop_at_every_event_makes_message_and_run_incomplete() {
    let words = ["One ", "two ", "three."];
    for at in 0..=words.len() {
        let deltas = |words: &[&str]| words.iter().map(|word| delta(word)).collect::<String>();
        let before = begin() + &message("created", "in_progress", "") + &deltas(&words[..at]);
        let input = before.clone() + &delta("for") + &delta("bidden") + &deltas(&words[at..]) + DONE;
        let output = run(&input);
        let text = output.text();
        assert!(text.starts_with(&out(&(before + &delta("") + &delta("")))), "{text}");
        assert!(text.ends_with(DONE) && text.matches("[DONE]").count() == 1);
        let events = output.events();
        let [message, run] = &events[events.len() - 2..] else { panic!() };
        let reason = json!({"reason": "content_filter"});
        assert_eq!(
            (&message["id"], &message["status"], &message["incomplete_details"]),
            (&json!("m"), &json!("incomplete"), &reason)
        );
        assert_eq!(message["content"][0]["text"]["value"], words[..at].concat());
        assert_eq!(
            (&run["id"], &run["status"], &run["incomplete_details"]),
            (&json!("r"), &json!("incomplete"), &reason)
        );
        assert!(text.contains("event: thread.message.incomplete") && text.contains("event: thread.run.incomplete"));
    }
}

#[test]
fn calls_leave_whole_or_not_at_all() {
    let head = call(r#"{"index":0,"id":"c","type":"function","function":{"name":"pay","arguments":""}}"#);
    let args =
        |args: &str| call(&format!(r#"{{"index":0,"type":"function","function":{{"arguments":{}}}}}"#, json!(args)));
    let input = begin() + &step("created", r#"{"type":"tool_calls","tool_calls":[]}"#) + &head + &args("{\"to\":\"for");
    let input = input + &args("bidden\"}") + &run_object("requires_action", "requires_action") + DONE;
    let run = |tool_calls: Option<ToolCalls>| {
        let mut options = FilterOptions::default();
        options.tool_calls = tool_calls;
        filter(Filter::with_options(&usual(), ASSISTANTS, options), [Bytes::from(input.clone())])
    };
    let atomic = run(None);
    assert!(!atomic.text().contains("pay") && !atomic.text().contains("requires_action"), "{}", atomic.text());
    assert!(atomic.text().contains("event: thread.run.incomplete"));
    let streamed = run(Some(ToolCalls::Streamed));
    assert_eq!(streamed.events().pop().unwrap()["error"]["code"], "content_filter");
    assert!(!streamed.text().contains("[DONE]"));
}

#[test]
fn an_upstream_that_breaks_off_never_looks_complete() {
    let input = begin() + &message("created", "in_progress", "") + &delta("A sec") + &delta("ret");
    let input =
        input + &message("completed", "completed", &part("A secret")) + &run_object("completed", "completed") + DONE;
    let completed = input.find("event: thread.run.completed").unwrap();
    for at in 0..completed {
        let output = cut(&usual(), ASSISTANTS, &input.as_bytes()[..at], 5);
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated), "at {at}");
        assert_eq!(output.events().pop().unwrap()["error"]["code"], "upstream_truncated");
    }
    let output = end(Filter::new(&usual(), ASSISTANTS), [Bytes::from(begin())], |filter, now, notes| {
        filter.fail(Ending::TimedOut, now, notes);
    });
    assert!(output.text().contains("event: error\ndata: {\"error\":"));
    let error = "event: error\ndata: {\"error\":{\"message\":\"saw secret\",\"type\":\"t\"}}\n\n";
    let output = run(&(begin() + error + DONE));
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Reported));
    assert_eq!(output.text(), out(&(begin() + error + DONE)));
}

#[test]
fn documents_are_under_the_same_policy() {
    let body = |text: &str| {
        format!(
            "{{\"object\":\"list\",\"data\":[{{\"id\":\"m\",\"object\":\"thread.message\",\"role\":\"assistant\",\"content\":[{}]}}]}}",
            part(text)
        )
    };
    let document = |text: &str| {
        let mut options = FilterOptions::default();
        options.framing = Some(Framing::Document);
        let output = filter(Filter::with_options(&usual(), ASSISTANTS, options), [Bytes::from(body(text))]);
        serde_json::from_slice::<Value>(&output.bytes).unwrap()
    };
    assert_eq!(document("a secret")["data"][0]["content"][0]["text"]["value"], "a [s]");
    assert_eq!(document("forbidden")["error"]["code"], "content_filter");
}
