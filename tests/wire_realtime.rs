//! OpenAI's Realtime API, a message a line and message by message, written by hand.

mod drive;

use bytes::Bytes;
use drive::{Output, at_every_cut, end, filter};
use holdback::policy::ChannelKind;
use holdback::wire::{Failure, FilterOptions, Framing, ToolCalls};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};

const REALTIME: Option<Dialect> = Some(Dialect::OpenAiRealtime);

/// Redacts `secret` and numbers of two digits or more; ends at `forbidden`.
fn usual() -> Policy {
    let rules = [
        Rule::literal("secret", "secret").redact("[s]"),
        Rule::regex("number", r"\b[0-9]{2,}\b").redact("#"),
        Rule::literal("stop", "forbidden").terminate(),
    ];
    Policy::builder().rules(rules).build().unwrap()
}

fn event(kind: &str, members: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"event_id\":\"e\",{members}}}\n")
}

fn session() -> String {
    let instructions = "say no secret, nor forbidden";
    event(
        "session.created",
        &format!("\"session\":{{\"id\":\"s\",\"instructions\":\"{instructions}\",\"temperature\":0.85}}"),
    )
}

/// The session as it leaves.
fn session_out() -> String {
    session().replace("say no secret, nor forbidden", "say no [s], nor ")
}

fn created(id: &str) -> String {
    event(
        "response.created",
        &format!(
            "\"response\":{{\"id\":\"{id}\",\"status\":\"in_progress\",\"status_details\":null,\"output\":[],\"output_modalities\":[\"text\"],\"usage\":null}}"
        ),
    )
}

fn answer_done(id: &str, item: &str) -> String {
    let output = if item.is_empty() { String::new() } else { message(item, "completed", "") };
    event("response.done", &format!("\"response\":{{\"id\":\"{id}\",\"status\":\"completed\",\"output\":[{output}]}}"))
}

fn message(id: &str, status: &str, content: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"type\":\"message\",\"status\":\"{status}\",\"role\":\"assistant\",\"content\":[{content}]}}"
    )
}

/// What an event about an answer's item says of itself.
fn of_item(id: &str, item: &str) -> String {
    format!("\"response_id\":\"{id}\",\"item_id\":\"{item}\",\"output_index\":0,\"content_index\":0")
}

fn add(id: &str, item: &str) -> String {
    let about = format!("\"response_id\":\"{id}\",\"output_index\":0,\"item\":{}", message(item, "in_progress", ""));
    event("response.output_item.added", &about)
        + &event(
            "conversation.item.added",
            &format!("\"previous_item_id\":null,\"item\":{}", message(item, "in_progress", "")),
        )
        + &event(
            "response.content_part.added",
            &format!("{},\"part\":{{\"type\":\"text\",\"text\":\"\"}}", of_item(id, item)),
        )
}

fn delta(id: &str, item: &str, text: &str) -> String {
    event("response.output_text.delta", &format!("{},\"delta\":\"{text}\"", of_item(id, item)))
}

fn close(id: &str, item: &str, text: &str) -> String {
    let shown = message(item, "completed", &format!("{{\"type\":\"output_text\",\"text\":\"{text}\"}}"));
    event("response.output_text.done", &format!("{},\"text\":\"{text}\"", of_item(id, item)))
        + &event(
            "response.content_part.done",
            &format!("{},\"part\":{{\"type\":\"text\",\"text\":\"{text}\"}}", of_item(id, item)),
        )
        + &event("conversation.item.done", &format!("\"previous_item_id\":null,\"item\":{shown}"))
        + &event("response.output_item.done", &format!("\"response_id\":\"{id}\",\"output_index\":0,\"item\":{shown}"))
}

fn whole(id: &str, item: &str, deltas: &[&str]) -> String {
    let said: String = deltas.iter().map(|text| delta(id, item, text)).collect();
    created(id) + &add(id, item) + &said + &close(id, item, &deltas.concat()) + &answer_done(id, "")
}

fn run(input: &str) -> Output {
    at_every_cut(&usual(), REALTIME, input.as_bytes())
}

#[test]
fn every_repeat_shows_what_the_deltas_show() {
    let input = session() + &whole("r1", "i1", &["a se", "cret"]) + &whole("r2", "i2", &["sec", "rets are 1", "2 "]);
    let output = run(&input);
    let one = created("r1") + &add("r1", "i1") + &delta("r1", "i1", "a ") + &delta("r1", "i1", "[s]");
    let two = created("r2") + &add("r2", "i2") + &delta("r2", "i2", "") + &delta("r2", "i2", "[s]s are ");
    let expected = session_out()
        + &one
        + &close("r1", "i1", "a [s]")
        + &answer_done("r1", "")
        + &two
        + &delta("r2", "i2", "# ")
        + &close("r2", "i2", "[s]s are # ")
        + &answer_done("r2", "");
    assert_eq!(output.text(), expected);
    assert_eq!(output.ending, Ending::Complete);
    assert_eq!(at_every_cut(&usual(), None, input.as_bytes()), output, "the first event tells the dialect");
}

#[test]
fn every_place_for_text_is_watched() {
    let about = of_item("r1", "i1");
    let bodies = [
        event("response.text.delta", &format!("{about},\"delta\":\"a secret\"")),
        event("response.output_audio_transcript.delta", &format!("{about},\"delta\":\"a secret\"")),
        event("response.audio_transcript.done", &format!("{about},\"transcript\":\"a secret\"")),
        event("response.function_call_arguments.delta", &format!("{about},\"delta\":\"{{\\\"a\\\":\\\"a secret\\\"}}\"")),
        event("response.mcp_call_arguments.done", &format!("{about},\"arguments\":\"{{\\\"a secret\\\":1}}\"")),
        event("response.content_part.done", &format!("{about},\"content\":{{\"type\":\"audio\",\"transcript\":\"a secret\"}}")),
        event("conversation.item.created", "\"item\":{\"id\":\"u\",\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a secret\"}]}"),
        event("conversation.item.done", "\"item\":{\"id\":\"u\",\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"transcript\":\"a secret\"}]}"),
        event("conversation.item.added", "\"item\":{\"id\":\"u\",\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"a secret\"}"),
        event("conversation.item.added", "\"item\":{\"id\":\"u\",\"type\":\"mcp_list_tools\",\"tools\":[{\"name\":\"f\",\"description\":\"a secret\"}]}"),
        event("conversation.item.input_audio_transcription.delta", "\"item_id\":\"u\",\"content_index\":0,\"delta\":\"a secret\""),
        event("conversation.item.input_audio_transcription.segment", "\"item_id\":\"u\",\"content_index\":0,\"id\":\"g\",\"text\":\"a secret\",\"start\":0.5"),
        event("conversation.item.input_audio_transcription.completed", "\"item_id\":\"u\",\"content_index\":0,\"transcript\":\"a secret\""),
        event("conversation.item.input_audio_transcription.failed", "\"item_id\":\"u\",\"content_index\":0,\"error\":{\"message\":\"a secret\"}"),
        event("session.output_transcript.delta", "\"delta\":\"a secret\""),
        event("error", "\"error\":{\"type\":\"t\",\"message\":\"a secret\"}"),
        event("response.done", "\"response\":{\"id\":\"r1\",\"output\":[{\"id\":\"i1\",\"type\":\"message\",\"content\":[{\"type\":\"output_audio\",\"transcript\":\"a secret\"}]}]}"),
        event("unheard_of", "\"thing\":{\"a secret\":[\"a secret\"]}"),
        // What the client sends.
        "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a secret\"}]}}\n".to_owned(),
        "{\"type\":\"response.create\",\"response\":{\"instructions\":\"a secret\"}}\n".to_owned(),
    ];
    for body in bodies {
        let input = event("session.created", "\"session\":{}") + &body + &event("session.closed", "\"x\":null");
        let output = run(&input);
        assert_eq!(output.text(), input.replace("secret", "[s]"));
        assert_eq!(output.verdicts.len(), body.matches("secret").count(), "{body}");
    }
}

#[test]
fn channels_have_their_kinds() {
    use ChannelKind::*;
    let kinds = |body: String| -> Vec<ChannelKind> {
        run(&(event("session.created", "\"session\":{}") + &body)).verdicts.iter().map(|(kind, _)| *kind).collect()
    };
    assert_eq!(kinds(delta("r", "i", "secret")), [Text]);
    assert_eq!(
        kinds(event("response.function_call_arguments.done", "\"item_id\":\"i\",\"arguments\":\"\\\"secret\\\"\"")),
        [ToolArgs]
    );
    let output = "\"item\":{\"id\":\"u\",\"type\":\"function_call_output\",\"output\":\"secret\"}";
    assert_eq!(kinds(event("conversation.item.done", output)), [ToolResult]);
}

#[test]
fn answers_and_what_is_heard_are_apart() {
    let heard = |text: &str| {
        event(
            "conversation.item.input_audio_transcription.delta",
            &format!("\"item_id\":\"u\",\"content_index\":0,\"delta\":\"{text}\""),
        )
    };
    let heard_done = |text: &str| {
        event(
            "conversation.item.input_audio_transcription.completed",
            &format!("\"item_id\":\"u\",\"content_index\":0,\"transcript\":\"{text}\""),
        )
    };
    let input = session()
        + &heard("my sec")
        + &created("r1")
        + &created("r2")
        + &delta("r1", "i1", "sec")
        + &delta("r2", "i2", "ret se")
        + &heard("ret")
        + &heard_done("my secret")
        + &delta("r1", "i1", "ret")
        + &delta("r2", "i2", "cret")
        + &close("r1", "i1", "secret")
        + &close("r2", "i2", "ret secret")
        + &answer_done("r2", "")
        + &answer_done("r1", "");
    let expected = session_out()
        + &heard("my ")
        + &created("r1")
        + &created("r2")
        + &delta("r1", "i1", "")
        + &delta("r2", "i2", "ret ")
        + &heard("[s]")
        + &heard_done("my [s]")
        + &delta("r1", "i1", "[s]")
        + &delta("r2", "i2", "[s]")
        + &close("r1", "i1", "[s]")
        + &close("r2", "i2", "ret [s]")
        + &answer_done("r2", "")
        + &answer_done("r1", "");
    let output = run(&input);
    assert_eq!((output.text(), output.ending), (expected, Ending::Complete));
}

#[test]
fn a_stop_at_every_event_closes_what_is_open() {
    let words = ["One ", "two ", "three."];
    for at in 0..=words.len() {
        let said = words[..at].concat();
        let left: String = words[..at].iter().map(|word| delta("r1", "i1", word)).collect();
        let rest: String = words[at..].iter().map(|word| delta("r1", "i1", word)).collect();
        let begun = session() + &whole("r0", "i0", &["Hi"]) + &created("r1") + &add("r1", "i1");
        let input = begun.clone() + &left + &delta("r1", "i1", "for") + &delta("r1", "i1", "bidden") + &rest;
        let output = run(&input);
        assert!(matches!(&output.ending, Ending::Terminated(verdict) if &*verdict.rule == "stop"));
        let events: Vec<Value> = output.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let own = &events[events.len() - 4..];
        let kinds: Vec<&str> = own.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let expected =
            ["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.done"];
        assert_eq!(kinds, expected);
        assert_eq!(
            (&own[0]["text"], &own[0]["item_id"], &own[0]["response_id"]),
            (&json!(said), &json!("i1"), &json!("r1"))
        );
        assert_eq!(own[1]["part"], json!({"type": "text", "text": said}));
        let item = json!({"id": "i1", "type": "message", "role": "assistant", "status": "incomplete",
            "content": [{"type": "output_text", "text": said}]});
        assert_eq!((&own[2]["item"], &own[3]["response"]["output"]), (&item, &json!([item])));
        assert_eq!((&own[3]["response"]["id"], &own[3]["response"]["status"]), (&json!("r1"), &json!("incomplete")));
        assert_eq!(own[3]["response"]["status_details"], json!({"type": "incomplete", "reason": "content_filter"}));
        let before = begun.replace(&session(), &session_out()) + &left + &delta("r1", "i1", "").repeat(2);
        assert!(output.text().starts_with(&before), "{}", output.text());
    }
    // Azure keeps the names of the beta.
    let beta = |stream: String| stream.replace("output_modalities", "modalities").replace("output_text", "text");
    let output = run(&beta(session() + &created("r1") + &add("r1", "i1") + &delta("r1", "i1", "a forbidden")));
    assert!(output.text().contains("\"type\":\"response.text.done\""), "{}", output.text());
}

#[test]
fn a_stop_where_no_answer_is_under_way_is_an_error() {
    let heard = event(
        "conversation.item.input_audio_transcription.completed",
        "\"item_id\":\"u\",\"transcript\":\"forbidden\"",
    );
    for before in [session(), session() + &whole("r1", "i1", &["Hi"])] {
        let output = run(&(before.clone() + &heard));
        let last: Value = serde_json::from_str(output.text().lines().last().unwrap()).unwrap();
        assert_eq!((&last["type"], &last["error"]["code"]), (&json!("error"), &json!("content_filter")));
        assert!(!output.text().contains("\"transcript\""));
    }
}

#[test]
fn messages_come_and_go_one_by_one() {
    let mut options = FilterOptions::default();
    options.framing = Some(Framing::Messages);
    let input = session() + &created("r1") + &add("r1", "i1") + &delta("r1", "i1", "a sec") + &delta("r1", "i1", "ret");
    let input = input + &delta("r1", "i1", " forbidden");
    let messages = input.lines().map(|line| Bytes::copy_from_slice(line.as_bytes()));
    let mut filter = Filter::with_options(&usual(), REALTIME, options);
    let mut out = Vec::new();
    for message in messages {
        filter.push(message, std::time::Instant::now(), &mut ());
        out.extend(std::iter::from_fn(|| filter.pop()));
    }
    let parsed: Result<Vec<Value>, _> = out.iter().map(|message| serde_json::from_slice(message)).collect();
    let parsed = parsed.expect("each is one message");
    assert_eq!(parsed.last().unwrap()["response"]["status"], "incomplete");
    assert_eq!(parsed.last().unwrap()["response"]["output"][0]["content"][0]["text"], "a [s] ");
}

#[test]
fn a_connection_of_any_number_of_answers_runs_into_no_limit() {
    let mut options = FilterOptions::default();
    options.framing = Some(Framing::Messages);
    options.limits.channels = 16;
    let answers = (0..200).map(|n| {
        let user = event(
            "conversation.item.added",
            &format!("\"item\":{{\"id\":\"u{n}\",\"type\":\"message\",\"role\":\"user\",\"content\":[]}}"),
        );
        user + &whole(&format!("r{n}"), &format!("i{n}"), &["a sec", "ret"])
    });
    let input = session() + &answers.collect::<String>();
    let messages = input.lines().map(|line| Bytes::copy_from_slice(line.as_bytes()));
    let output = filter(Filter::with_options(&usual(), REALTIME, options), messages);
    assert_eq!(output.ending, Ending::Complete);
    assert!(!output.text().contains("secret"));
    assert_eq!(output.verdicts.len(), 202, "two of them in the instructions");
}

#[test]
fn a_session_that_breaks_off_within_an_answer_never_looks_complete() {
    let lines: Vec<String> = (session() + &whole("r1", "i1", &["a sec", "ret"])).lines().map(str::to_owned).collect();
    for at in 1..=lines.len() {
        let input = lines[..at].join("\n") + "\n";
        let output = filter(Filter::new(&usual(), REALTIME), [Bytes::from(input)]);
        if at == 1 || at == lines.len() {
            assert_eq!(output.ending, Ending::Complete, "at {at}: between answers there is nothing to miss");
        } else {
            assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated), "at {at}");
            let last: Value = serde_json::from_str(output.text().lines().last().unwrap()).unwrap();
            assert_eq!(last["error"]["code"], "upstream_truncated");
        }
    }
    let input = session() + &created("r1") + &add("r1", "i1") + &delta("r1", "i1", "a sec");
    let output = end(Filter::new(&usual(), REALTIME), [Bytes::from(input)], |filter, now, notes| {
        filter.fail(Ending::TimedOut, now, notes);
    });
    let last: Value = serde_json::from_str(output.text().lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "upstream_timeout");
    assert!(!output.text().contains("a sec"));
}

#[test]
fn an_error_ends_no_session() {
    let error = event("error", "\"error\":{\"type\":\"invalid_request_error\",\"message\":\"no such item\"}");
    let input = session() + &error + &whole("r1", "i1", &["Hi"]);
    let output = run(&input);
    assert_eq!((output.text(), output.ending), (input.replace(&session(), &session_out()), Ending::Complete));
}

#[test]
fn calls_leave_whole_or_not_at_all() {
    let call = |item: &str, args: &str| {
        let shown = |args: &str| {
            format!(
                "\"item\":{{\"id\":\"{item}\",\"type\":\"function_call\",\"call_id\":\"c{item}\",\"name\":\"pay\",\"arguments\":{}}}",
                json!(args)
            )
        };
        let (head, tail) = args.split_at(args.len() / 2);
        let delta = |args: &str| {
            event(
                "response.function_call_arguments.delta",
                &format!("\"response_id\":\"r1\",\"item_id\":\"{item}\",\"output_index\":0,\"delta\":{}", json!(args)),
            )
        };
        event("response.output_item.added", &format!("\"response_id\":\"r1\",{}", shown("")))
            + &event("conversation.item.added", &shown(""))
            + &delta(head)
            + &delta(tail)
            + &event(
                "response.function_call_arguments.done",
                &format!("\"item_id\":\"{item}\",\"arguments\":{}", json!(args)),
            )
            + &event("response.output_item.done", &format!("\"response_id\":\"r1\",{}", shown(args)))
    };
    let input = session() + &created("r1") + &call("i1", "{\"to\":\"alice\"}") + &call("i2", "{\"to\":\"forbidden\"}");
    let run = |tool_calls: Option<ToolCalls>| {
        let mut options = FilterOptions::default();
        options.tool_calls = tool_calls;
        let output = filter(Filter::with_options(&usual(), REALTIME, options), [Bytes::from(input.clone())]);
        let last: Value = serde_json::from_str(output.text().lines().last().unwrap()).unwrap();
        (output, last)
    };
    let (atomic, last) = run(None);
    assert!(atomic.text().contains("\"arguments\":\"{\\\"to\\\":\\\"alice\\\"}\""));
    assert!(
        !atomic
            .text()
            .contains("function_call_arguments.delta\",\"event_id\":\"e\",\"response_id\":\"r1\",\"item_id\":\"i2\"")
    );
    assert_eq!(last["response"]["status"], "incomplete", "{last}");
    let (_, last) = run(Some(ToolCalls::Streamed));
    assert_eq!((&last["type"], &last["error"]["code"]), (&json!("error"), &json!("content_filter")));
}
