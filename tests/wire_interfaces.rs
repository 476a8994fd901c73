//! What agents send to user interfaces, and tools to agents, written by hand: Vercel's UI message stream, AG-UI, MCP.

mod drive;

use bytes::Bytes;
use drive::{Output, at_every_cut, cut, filter};
use holdback::policy::ChannelKind;
use holdback::wire::{Failure, FilterOptions, Framing, ToolCalls};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};

const VERCEL: Option<Dialect> = Some(Dialect::VercelUi);
const AG_UI: Option<Dialect> = Some(Dialect::AgUi);
const MCP: Option<Dialect> = Some(Dialect::Mcp);

fn usual() -> Policy {
    let rules = [
        Rule::literal("secret", "secret").redact("[s]"),
        Rule::regex("number", r"[0-9]{2,}").redact("#"),
        Rule::literal("stop", "forbidden").terminate(),
    ];
    Policy::builder().rules(rules).build().expect("the rules are well formed")
}

/// A stream of these events.
fn stream(events: &[&str]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn joined(output: &Output, kind: &str, member: &str) -> String {
    let events = output.events();
    let of_kind = events.iter().filter(|event| event["type"] == kind);
    of_kind.filter_map(|event| event[member].as_str().map(str::to_owned)).collect()
}

/// Checks that `before`, then `event` with the word in it, leaves with the word replaced.
fn watches(dialect: Option<Dialect>, before: &[&str], event: &str, after: &[&str]) {
    let input = stream(&[before, &[event], after].concat());
    let expected = stream(&[before, &[&event.replace("secret", "[s]")], after].concat());
    let output = at_every_cut(&usual(), dialect, input.as_bytes());
    assert_eq!(output.text(), expected);
}

const VERCEL_START: [&str; 3] =
    [r#"{"type":"start","messageId":"m-12"}"#, r#"{"type":"start-step"}"#, r#"{"type":"text-start","id":"0"}"#];
const VERCEL_END: [&str; 4] = [
    r#"{"type":"text-end","id":"0"}"#,
    r#"{"type":"finish-step"}"#,
    r#"{"type":"finish","finishReason":"stop"}"#,
    "[DONE]",
];

fn vercel(texts: &[&str]) -> String {
    let deltas = texts.iter().map(|text| format!(r#"{{"type":"text-delta","id":"0","delta":"{text}"}}"#));
    stream(&VERCEL_START) + &deltas.map(|delta| stream(&[&delta])).collect::<String>() + &stream(&VERCEL_END)
}

#[test]
fn vercel_texts_are_redacted_where_they_end() {
    for dialect in [VERCEL, None] {
        let output = at_every_cut(&usual(), dialect, vercel(&["My sec", "r", "et is 1", "2."]).as_bytes());
        assert_eq!(output.text(), vercel(&["My ", "", "[s] is ", "#."]));
        assert_eq!(output.ending, Ending::Complete);
    }
    let twice = [
        &VERCEL_START[..],
        &[r#"{"type":"text-delta","id":"0","delta":"a sec"}"#],
        &VERCEL_END[..2],
        &VERCEL_START[1..],
        &[r#"{"type":"text-delta","id":"0","delta":"ret"}"#],
        &VERCEL_END,
    ]
    .concat();
    let output = at_every_cut(&usual(), VERCEL, stream(&twice).as_bytes());
    assert_eq!(output.text(), stream(&twice), "an id may come again, for another text");
    assert_eq!(output.ending, Ending::Complete);
}

#[test]
fn every_place_of_vercels_is_watched() {
    for event in [
        r#"{"type":"reasoning-delta","id":"r","delta":"a secret"}"#,
        r#"{"type":"tool-input-start","toolCallId":"c","toolName":"secret"}"#,
        r#"{"type":"tool-input-available","toolCallId":"c","toolName":"f","input":{"a":"secret"}}"#,
        r#"{"type":"tool-input-error","toolCallId":"c","toolName":"f","input":{"a":"secret"},"errorText":"a secret"}"#,
        r#"{"type":"tool-output-available","toolCallId":"c","output":{"a":["secret"],"secret":1}}"#,
        r#"{"type":"tool-output-available","toolCallId":"c","output":"a secret"}"#,
        r#"{"type":"tool-output-error","toolCallId":"c","errorText":"a secret"}"#,
        r#"{"type":"source-url","sourceId":"s-12","url":"https://x.example/secret","title":"secret"}"#,
        r#"{"type":"data-weather","data":{"secret":"a secret"}}"#,
        r#"{"type":"message-metadata","messageMetadata":{"a":"secret"}}"#,
    ] {
        watches(VERCEL, &VERCEL_START, event, &VERCEL_END);
    }
    watches(VERCEL, &VERCEL_START, r#"{"type":"error","errorText":"saw a secret"}"#, &["[DONE]"]);
    watches(VERCEL, &VERCEL_START, r#"{"type":"error","errorText":"saw a secret"}"#, &VERCEL_END);
    watches(VERCEL, &VERCEL_START, r#"{"type":"abort","reason":"a secret"}"#, &["[DONE]"]);
    let signed = |signature: &str| {
        format!(
            r#"{{"type":"reasoning-end","id":"r","providerMetadata":{{"anthropic":{{"signature":"{signature}"}}}}}}"#
        )
    };
    let reasoning = |a: &str, b: &str, signature: &str| {
        let deltas = [a, b].map(|text| format!(r#"{{"type":"reasoning-delta","id":"r","delta":"{text}"}}"#));
        stream(&VERCEL_START) + &stream(&[&deltas[0], &deltas[1], &signed(signature)]) + &stream(&VERCEL_END)
    };
    let output = at_every_cut(&usual(), VERCEL, reasoning("a sec", "ret", "Zm9v").as_bytes());
    assert_eq!(output.text(), reasoning("a ", "[s]", ""));
}

#[test]
fn vercel_calls_repeat_what_their_deltas_show() {
    let call = |a: &str, b: &str, whole: &str| {
        let delta =
            |text: &str| json!({"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": text}).to_string();
        let start = r#"{"type":"tool-input-start","toolCallId":"c","toolName":"f"}"#;
        let available = format!(r#"{{"type":"tool-input-available","toolCallId":"c","toolName":"f","input":{whole}}}"#);
        stream(&VERCEL_START) + &stream(&[start, &delta(a), &delta(b), &available]) + &stream(&VERCEL_END)
    };
    let output = at_every_cut(
        &usual(),
        VERCEL,
        call(r#"{"a":"sec"#, r#"ret","n":123}"#, r#"{"a":"secret","n":123}"#).as_bytes(),
    );
    assert_eq!(joined(&output, "tool-input-delta", "inputTextDelta"), r##"{"a":"[s]","n":"#"}"##);
    assert!(output.text().contains(r##""input":{"a":"[s]","n":"#"}"##), "{}", output.text());
    assert_eq!(output.verdicts.len(), 2, "each finding is told once");
    let stopped = call(r#"{"a":"forb"#, r#"idden"}"#, r#"{"a":"forbidden"}"#);
    let atomic = at_every_cut(&usual(), VERCEL, stopped.as_bytes());
    assert!(!atomic.text().contains("tool-input"), "{}", atomic.text());
    assert!(atomic.text().contains("content-filter"));
    let mut options = FilterOptions::default();
    options.tool_calls = Some(ToolCalls::Streamed);
    let streamed = filter(Filter::with_options(&usual(), VERCEL, options), [Bytes::from(stopped)]);
    assert_eq!(streamed.events().pop().expect("an event")["type"], "error", "no finish may follow half a call");
}

#[test]
fn a_vercel_stream_is_stopped_at_every_event() {
    let words = ["One ", "two ", "three."];
    for at in 0..=words.len() {
        let mut texts = words[..at].to_vec();
        texts.extend(["for", "bidden"]);
        texts.extend(&words[at..]);
        let output = at_every_cut(&usual(), VERCEL, vercel(&texts).as_bytes());
        assert_eq!(joined(&output, "text-delta", "delta"), words[..at].concat());
        let end = VERCEL_END.map(|event| event.replace("\"stop\"", "\"content-filter\""));
        assert!(output.text().ends_with(&stream(&end.each_ref().map(String::as_str))), "{}", output.text());
    }
    let early = stream(&[r#"{"type":"start"}"#, r#"{"type":"data-x","data":"forbidden"}"#]) + &stream(&VERCEL_END);
    let output = at_every_cut(&usual(), VERCEL, early.as_bytes());
    assert!(output.text().ends_with(&stream(&[r#"{"type":"finish","finishReason":"content-filter"}"#, "[DONE]"])));
    assert!(!output.text().contains("text-end") && !output.text().contains("finish-step"));
    let input = vercel(&["A sec", "ret"]);
    for at in (1..input.find("{\"type\":\"finish\"").expect("an end")).step_by(3) {
        let output = cut(&usual(), VERCEL, &input.as_bytes()[..at], 7);
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated), "at {at}");
        assert_eq!(output.events().pop().expect("an event")["type"], "error", "at {at}");
        assert!(!output.text().contains("\"finish\"") && !output.text().contains("DONE"));
    }
}

const RUN: [&str; 2] = [
    r#"{"type":"RUN_STARTED","timestamp":1795373810106,"threadId":"t-12","runId":"r-12"}"#,
    r#"{"type":"TEXT_MESSAGE_START","timestamp":1795373810106,"messageId":"m-12","role":"assistant"}"#,
];
const RUN_END: [&str; 2] = [
    r#"{"type":"TEXT_MESSAGE_END","messageId":"m-12"}"#,
    r#"{"type":"RUN_FINISHED","threadId":"t-12","runId":"r-12","outcome":{"type":"success"}}"#,
];

fn run(texts: &[&str]) -> String {
    let deltas = texts
        .iter()
        .map(|text| stream(&[&format!(r#"{{"type":"TEXT_MESSAGE_CONTENT","messageId":"m-12","delta":"{text}"}}"#)]));
    stream(&RUN) + &deltas.collect::<String>() + &stream(&RUN_END)
}

#[test]
fn ag_ui_texts_are_redacted_where_they_end() {
    for dialect in [AG_UI, None] {
        let output = at_every_cut(&usual(), dialect, run(&["My sec", "r", "et is 1", "2."]).as_bytes());
        assert_eq!(output.text(), run(&["My ", "", "[s] is ", "#."]));
        assert_eq!(output.ending, Ending::Complete);
    }
    let chunks = |a: &str, b: &str| {
        let first = format!(r#"{{"type":"TEXT_MESSAGE_CHUNK","messageId":"x","role":"assistant","delta":"{a}"}}"#);
        stream(&RUN[..1])
            + &stream(&[&first, &format!(r#"{{"type":"TEXT_MESSAGE_CHUNK","delta":"{b}"}}"#)])
            + &stream(&RUN_END[1..])
    };
    let output = at_every_cut(&usual(), AG_UI, chunks("a sec", "ret").as_bytes());
    assert_eq!(output.text(), chunks("a ", "[s]"), "a chunk goes on where the last one was");
    let raw = |text: &str, raw: &str| {
        let event =
            format!(r#"{{"type":"TEXT_MESSAGE_CONTENT","messageId":"m-12","delta":"{text}","rawEvent":{raw}}}"#);
        stream(&RUN) + &stream(&[&event]) + &stream(&RUN_END)
    };
    let output = at_every_cut(&usual(), AG_UI, raw("a secret", r#"{"choices":[{"delta":"a secret"}]}"#).as_bytes());
    assert_eq!(output.text(), raw("a [s]", "null"));
}

#[test]
fn every_place_of_ag_ui_is_watched() {
    for event in [
        r#"{"type":"REASONING_MESSAGE_CONTENT","messageId":"r","delta":"a secret"}"#,
        r#"{"type":"REASONING_MESSAGE_CHUNK","delta":"a secret"}"#,
        r#"{"type":"THINKING_TEXT_MESSAGE_CONTENT","delta":"a secret"}"#,
        r#"{"type":"TOOL_CALL_START","toolCallId":"c","toolCallName":"secret"}"#,
        r#"{"type":"TOOL_CALL_ARGS","toolCallId":"c","delta":"{\"a\":\"secret\"}"}"#,
        r#"{"type":"TOOL_CALL_CHUNK","toolCallId":"c","delta":"{\"a\":\"secret\"}"}"#,
        r#"{"type":"TOOL_CALL_RESULT","messageId":"x","toolCallId":"c","content":"a secret","role":"tool"}"#,
        r#"{"type":"STATE_SNAPSHOT","snapshot":{"secret":["a secret"]}}"#,
        r#"{"type":"STATE_DELTA","delta":[{"op":"replace","path":"/secret","value":"a secret"}]}"#,
        r#"{"type":"MESSAGES_SNAPSHOT","messages":[{"id":"x","role":"user","content":"a secret","toolCalls":[{"id":"c","type":"function","function":{"name":"secret","arguments":"{\"a\":\"secret\"}"}}]}]}"#,
        r#"{"type":"ACTIVITY_SNAPSHOT","messageId":"a","activityType":"plan","content":{"a":"secret"}}"#,
        r#"{"type":"CUSTOM","name":"secret","value":{"a":"secret"}}"#,
        r#"{"type":"RAW","event":{"a":"secret"},"source":"secret"}"#,
    ] {
        watches(AG_UI, &RUN, event, &RUN_END);
    }
    watches(AG_UI, &RUN, r#"{"type":"RUN_ERROR","message":"saw a secret","code":"x"}"#, &[]);
    let result = r#"{"type":"RUN_FINISHED","threadId":"t-12","runId":"r-12","result":{"a":"secret"}}"#;
    watches(AG_UI, &RUN, result, &[]);
}

#[test]
fn an_ag_ui_run_is_stopped_at_every_event() {
    let words = ["One ", "two ", "three."];
    for at in 0..=words.len() {
        let mut texts = words[..at].to_vec();
        texts.extend(["for", "bidden"]);
        texts.extend(&words[at..]);
        let output = at_every_cut(&usual(), AG_UI, run(&texts).as_bytes());
        assert_eq!(joined(&output, "TEXT_MESSAGE_CONTENT", "delta"), words[..at].concat());
        let end = [
            RUN_END[0],
            r#"{"type":"RUN_ERROR","message":"The response was stopped by a content policy.","code":"content_filter"}"#,
        ];
        assert!(output.text().ends_with(&stream(&end)), "{}", output.text());
        assert!(!output.text().contains("RUN_FINISHED"));
    }
    let args = |text: &str| json!({"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": text}).to_string();
    let call = [
        r#"{"type":"TOOL_CALL_START","toolCallId":"c","toolCallName":"pay"}"#,
        &args(r#"{"a":"forb"#),
        &args(r#"idden"}"#),
        r#"{"type":"TOOL_CALL_END","toolCallId":"c"}"#,
    ];
    let output =
        at_every_cut(&usual(), AG_UI, (stream(&RUN[..1]) + &stream(&call) + &stream(&RUN_END[1..])).as_bytes());
    assert!(!output.text().contains("TOOL_CALL"), "{}", output.text());
    assert_eq!(joined(&output, "RUN_ERROR", "code"), "content_filter");
    let output = cut(&usual(), AG_UI, stream(&RUN).as_bytes(), 9);
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated));
    assert_eq!(joined(&output, "RUN_ERROR", "code"), "upstream_truncated");
}

fn message(json: &str) -> String {
    format!("event: message\r\ndata: {json}\r\n\r\n")
}

fn result(text: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":12,"result":{{"content":[{{"type":"text","text":"{text}"}},{{"type":"image","data":"c2VjcmV0","mimeType":"image/png"}}],"structuredContent":{{"result":"{text}"}},"isError":false}}}}"#
    )
}

const PROGRESS: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p-12","progress":12,"total":34,"message":"a secret"}}"#;
const LOG: &str = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"secret","data":{"msg":"a secret"}}}"#;

#[test]
fn what_a_tool_answers_is_redacted_each_time_it_says_it() {
    for dialect in [MCP, None] {
        let input = [PROGRESS, LOG, &result("a secret 42")].map(message).concat();
        let output = at_every_cut(&usual(), dialect, input.as_bytes());
        let expected = [&PROGRESS.replace("a secret", "a [s]"), &LOG.replace("secret", "[s]"), &result("a [s] #")];
        assert_eq!(output.text(), expected.map(|json| message(json)).concat());
        assert_eq!(output.ending, Ending::Complete);
        assert!(output.verdicts.iter().any(|(kind, _)| *kind == ChannelKind::ToolResult));
    }
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"a secret","data":["secret"]}}"#;
    let output = at_every_cut(&usual(), MCP, message(error).as_bytes());
    assert_eq!(output.text(), message(&error.replace("secret", "[s]")));
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Reported));
}

#[test]
fn a_tool_answer_that_is_stopped_is_a_failure_of_the_tool() {
    let stopped = json!({"jsonrpc": "2.0", "id": 12, "result": {"isError": true,
        "content": [{"type": "text", "text": "The response was stopped by a content policy."}]}});
    let output = at_every_cut(&usual(), MCP, (message(PROGRESS) + &message(&result("It is forbidden"))).as_bytes());
    assert_eq!(output.events().pop().expect("an event"), stopped);
    assert!(output.text().ends_with("\r\n\r\n") && !output.text().contains("It is"));
    let listing = r#"{"jsonrpc":"2.0","id":"a","result":{"tools":[{"name":"x","description":"forbidden"}]}}"#;
    let event: Value = at_every_cut(&usual(), MCP, message(listing).as_bytes()).events().pop().expect("an event");
    assert_eq!((&event["id"], &event["error"]["code"]), (&json!("a"), &json!(-32603)));
    let truncated = at_every_cut(&usual(), MCP, message(PROGRESS).as_bytes());
    assert_eq!(truncated.ending, Ending::UpstreamFailed(Failure::Truncated));
    assert_eq!(truncated.events().pop().expect("an event")["error"]["code"], json!(-32603));
    let mut options = FilterOptions::default();
    options.framing = Some(Framing::Document);
    let run = |body: &str| {
        let output =
            filter(Filter::with_options(&usual(), MCP, options.clone()), [Bytes::copy_from_slice(body.as_bytes())]);
        output.text()
    };
    assert_eq!(run(&result("a secret")), result("a [s]"));
    assert_eq!(serde_json::from_str::<Value>(&run(&result("forbidden"))).expect("JSON"), stopped);
}
