//! Gemini's interactions, written by hand: each stream whole, at every cut in two, and byte by byte.

mod drive;

use drive::{Output, at_every_cut};
use holdback::policy::ChannelKind;
use holdback::wire::Failure;
use holdback::{Dialect, Ending, Policy, Rule};
use serde_json::{Value, json};

const INTERACTIONS: Option<Dialect> = Some(Dialect::GeminiInteractions);

/// Redacts `secret`; ends at `forbidden`.
fn usual() -> Policy {
    let rules = [Rule::literal("secret", "secret").redact("[s]"), Rule::literal("stop", "forbidden").terminate()];
    Policy::builder().rules(rules).build().unwrap()
}

/// An event that says twice what it is.
fn event(kind: &str, members: &str) -> String {
    format!("event: {kind}\ndata: {{{members},\"event_type\":\"{kind}\"}}\n\n")
}

fn created() -> String {
    event(
        "interaction.created",
        r#""interaction":{"id":"v1_x","status":"in_progress","object":"interaction","model":"m"}"#,
    )
}

fn start(index: u32, step: &str) -> String {
    event("step.start", &format!(r#""index":{index},"step":{step}"#))
}

fn delta(index: u32, delta: &str) -> String {
    event("step.delta", &format!(r#""index":{index},"delta":{delta}"#))
}

fn text(index: u32, text: &str) -> String {
    delta(index, &format!(r#"{{"text":"{text}","type":"text"}}"#))
}

fn stop(index: u32) -> String {
    event("step.stop", &format!(r#""index":{index}"#))
}

fn completed(more: &str) -> String {
    event(
        "interaction.completed",
        &format!(r#""interaction":{{"id":"v1_x","status":"completed","object":"interaction","model":"m"{more}}}"#),
    ) + "event: done\ndata: [DONE]\n\n"
}

const OUTPUT: &str = r#"{"type":"model_output"}"#;

/// How a stream ends that the policy has stopped.
fn incomplete(open: &[u32]) -> String {
    let stops: String = open.iter().map(|index| stop(*index)).collect();
    let interaction = r#""interaction":{"id":"v1_x","object":"interaction","model":"m","status":"incomplete"}"#;
    stops + &event("interaction.completed", interaction) + "event: done\ndata: [DONE]\n\n"
}

fn last(output: &Output) -> Value {
    output.events().pop().expect("there are events")
}

#[test]
fn texts_go_on_within_their_step_and_are_shown_again_as_they_left() {
    let whole = |text: &str| {
        completed(&format!(
            r#","steps":[{{"type":"thought","signature":""}},{{"type":"model_output","content":[{{"type":"text","text":"{text}"}}]}}]"#
        ))
    };
    let answer = |a: &str, b: &str, sum: &str| {
        [
            created(),
            start(0, r#"{"type":"thought"}"#),
            delta(0, r#"{"type":"thought_summary","content":{"type":"text","text":"hm, sec"}}"#),
            stop(0),
            start(1, OUTPUT),
            text(1, a),
            text(1, b),
            stop(1),
            whole(sum),
        ]
        .concat()
    };
    for dialect in [None, INTERACTIONS] {
        let output = at_every_cut(&usual(), dialect, answer("a sec", "ret!", "a secret!").as_bytes());
        assert_eq!(output.text(), answer("a ", "[s]!", "a [s]!"));
        assert_eq!(output.ending, Ending::Complete);
        assert_eq!(output.verdicts.len(), 1);
    }
}

#[test]
fn every_place_for_text_is_watched() {
    for (events, kind) in [
        (delta(0, r#"{"type":"thought_summary","content":{"type":"text","text":"secret"}}"#), ChannelKind::Reasoning),
        (text(0, "secret"), ChannelKind::Text),
        (start(1, r#"{"type":"function_call","name":"secret","arguments":{}}"#), ChannelKind::Text),
        (start(1, r#"{"type":"function_call","name":"f","arguments":{"a":"secret"}}"#), ChannelKind::ToolArgs),
        (delta(0, r#"{"type":"arguments_delta","arguments":"{\"a\":\"s\\u0065cret\"}"}"#), ChannelKind::ToolArgs),
        (delta(0, r#"{"type":"google_search_call","arguments":{"queries":["secret"]}}"#), ChannelKind::ToolArgs),
        (
            delta(0, r#"{"type":"google_search_result","result":[{"search_suggestions":"secret"}]}"#),
            ChannelKind::ToolResult,
        ),
        (delta(0, r#"{"type":"function_result","result":"secret"}"#), ChannelKind::ToolResult),
        (delta(0, r#"{"type":"x","unheard_of":{"secret":1}}"#), ChannelKind::Text),
        (start(1, r#"{"type":"model_output","content":[{"type":"text","text":"secret"}]}"#), ChannelKind::Text),
        (start(1, r#"{"type":"thought","summary":[{"type":"text","text":"secret"}]}"#), ChannelKind::Reasoning),
    ] {
        let input = created() + &start(0, OUTPUT) + &events + &stop(0) + &stop(1) + &completed("");
        let output = at_every_cut(&usual(), INTERACTIONS, input.as_bytes());
        assert!(!output.text().contains("cret"), "{events}: {}", output.text());
        assert_eq!(output.verdicts[0].0, kind, "{events}");
        assert_eq!(output.ending, Ending::Complete);
    }
}

#[test]
fn citations_move_in_bytes() {
    let annotations = |spans: [(u64, u64); 2]| {
        let spans = spans.map(|(start, end)| json!({"start_index": start, "end_index": end, "url": "https://a.example", "type": "url_citation"}));
        delta(0, &json!({"annotations": spans, "type": "text_annotation_delta"}).to_string())
    };
    let stream = |a: &str, b: &str, spans| {
        [created(), start(0, OUTPUT), text(0, a), text(0, b), annotations(spans), stop(0), completed("")].concat()
    };
    let output = at_every_cut(&usual(), None, stream("é sec", "ret, that", [(11, 15), (0, 4)]).as_bytes());
    assert_eq!(output.text(), stream("é ", "[s], that", [(8, 12), (6, 6)]));
}

#[test]
fn a_stop_at_any_event_ends_as_the_api_does() {
    let before = [created(), start(0, OUTPUT), text(0, "a"), stop(0), start(1, OUTPUT), text(1, "b")];
    let open: [&[u32]; 7] = [&[], &[], &[0], &[0], &[], &[1], &[1]];
    for at in 1..=before.len() {
        let mut index = 7;
        let opening = if open[at].is_empty() {
            start(index, OUTPUT)
        } else {
            index = open[at][0];
            String::new()
        };
        let input = before[..at].concat() + &opening + &text(index, "so forbidden") + &stop(index) + &completed("");
        let output = at_every_cut(&usual(), INTERACTIONS, input.as_bytes());
        let expected = before[..at].concat() + &opening + &text(index, "so ") + &incomplete(&[index]);
        assert_eq!(output.text(), expected);
        assert!(matches!(output.ending, Ending::Terminated(_)));
    }
    // Nothing has begun that could end.
    let output = at_every_cut(&usual(), INTERACTIONS, text(0, "forbidden").as_bytes());
    assert_eq!(last(&output)["error"]["code"], json!("content_filter"));
    // In the whole of it, which never leaves.
    let steps = r#","steps":[{"type":"x","note":"forbidden"}]"#;
    let input = created() + &start(0, OUTPUT) + &text(0, "a") + &stop(0) + &completed(steps);
    let output = at_every_cut(&usual(), INTERACTIONS, input.as_bytes());
    assert_eq!(output.text(), created() + &start(0, OUTPUT) + &text(0, "a") + &stop(0) + &incomplete(&[]));
}

#[test]
fn a_call_leaves_whole_or_not_at_all() {
    let call = |tail: &str| {
        start(0, r#"{"type":"function_call","id":"c","name":"f","arguments":{}}"#)
            + &delta(0, r#"{"type":"arguments_delta","arguments":"{\"a\":"}"#)
            + &delta(0, &format!(r#"{{"type":"arguments_delta","arguments":"\"{tail}\"}}"}}"#))
    };
    let input = created() + &call("so forbidden") + &stop(0) + &completed("");
    let output = at_every_cut(&usual(), INTERACTIONS, input.as_bytes());
    assert_eq!(output.text(), created() + &incomplete(&[]));
    let input = created() + &call("a secret") + &stop(0) + &completed("");
    assert_eq!(at_every_cut(&usual(), INTERACTIONS, input.as_bytes()).text(), input.replace("secret", "[s]"));
}

#[test]
fn the_first_revision_is_read_as_well() {
    let stream = |a: &str, b: &str| {
        [
            event("interaction.start", r#""interaction":{"id":"v1_x","object":"interaction","model":"m"}"#),
            event("content.start", r#""index":0,"content":{"type":"text"}"#),
            event("content.delta", &format!(r#""index":0,"delta":{{"type":"text","text":"{a}"}}"#)),
            event("content.delta", &format!(r#""index":0,"delta":{{"type":"text","text":"{b}"}}"#)),
        ]
        .concat()
    };
    let end = event("content.stop", r#""index":0"#)
        + &event("interaction.complete", r#""interaction":{"id":"v1_x","object":"interaction","status":"completed"}"#);
    let output = at_every_cut(&usual(), None, (stream("a sec", "ret") + &end).as_bytes());
    assert_eq!((output.text(), output.ending), (stream("a ", "[s]") + &end, Ending::Complete));
    let output = at_every_cut(&usual(), None, (stream("a", "forbidden") + &end).as_bytes());
    assert!(
        output.text().starts_with(&(stream("a", "") + &event("content.stop", r#""index":0"#))),
        "{}",
        output.text()
    );
    assert_eq!(last(&output)["event_type"], json!("interaction.complete"));
    assert_eq!(last(&output)["interaction"]["status"], json!("incomplete"));
}

#[test]
fn faults_and_errors() {
    let output =
        at_every_cut(&usual(), INTERACTIONS, (created() + &start(0, OUTPUT) + &text(0, "a") + &stop(0)).as_bytes());
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated));
    assert_eq!(last(&output)["event_type"], json!("error"));
    for error in [
        event("error", r#""error":{"code":"x","message":"a secret"}"#),
        "{\"error\":{\"message\":\"a secret\"}}\n".into(),
    ] {
        let output = at_every_cut(&usual(), INTERACTIONS, (created() + &error).as_bytes());
        assert_eq!(output.text(), created() + &error.replace("secret", "[s]"));
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Reported));
    }
}

#[test]
fn documents() {
    let document = |text: &str| {
        format!(
            r#"{{"id":"v1_x","object":"interaction","status":"completed","usage":{{"total_tokens":12}},"steps":[{{"type":"thought","summary":[{{"type":"text","text":"a secret"}}],"signature":"c2ln"}},{{"type":"model_output","content":[{{"type":"text","text":"{text}"}}]}},{{"type":"function_call","id":"c","name":"f","arguments":{{"a":"secret"}}}}]}}"#
        )
    };
    for dialect in [None, INTERACTIONS.map(|_| Dialect::Json)] {
        let output = at_every_cut(&usual(), dialect, document("a secret").as_bytes());
        assert_eq!(output.text(), document("a secret").replace("secret", "[s]").replace("c2ln", ""));
        let stopped = at_every_cut(&usual(), dialect, document("so forbidden").as_bytes());
        let body = last(&stopped);
        assert_eq!(body["status"], json!("incomplete"));
        assert_eq!(body["steps"].as_array().map(Vec::len), Some(2));
    }
}
