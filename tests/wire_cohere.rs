//! Cohere's messages, written by hand: each stream whole, at every cut in two, and byte by byte.

mod drive;

use drive::{Output, at_every_cut};
use holdback::policy::ChannelKind;
use holdback::wire::Failure;
use holdback::{Dialect, Ending, Policy, Rule};
use serde_json::{Value, json};

const COHERE: Option<Dialect> = Some(Dialect::Cohere);
const DONE: &str = "data: [DONE]\n\n";
const ERROR: &str = r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"The response was stopped by a content policy."}}"#;

/// Redacts `secret`; ends at `forbidden`.
fn usual() -> Policy {
    let rules = [Rule::literal("secret", "secret").redact("[s]"), Rule::literal("stop", "forbidden").terminate()];
    Policy::builder().rules(rules).build().unwrap()
}

fn event(kind: &str, members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{comma}{members}}}\n\n")
}

fn message(kind: &str, index: u32, message: &str) -> String {
    event(kind, &format!(r#""index":{index},"delta":{{"message":{message}}}"#))
}

fn begin() -> String {
    event(
        "message-start",
        r#""id":"m","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}"#,
    )
}

fn start(index: u32, kind: &str) -> String {
    message("content-start", index, &format!(r#"{{"content":{{"type":"{kind}","{kind}":""}}}}"#))
}

fn delta(index: u32, kind: &str, text: &str) -> String {
    message("content-delta", index, &format!(r#"{{"content":{{"{kind}":"{text}"}}}}"#))
}

fn stop(kind: &str, index: u32) -> String {
    event(kind, &format!(r#""index":{index}"#))
}

fn plan(text: &str) -> String {
    event("tool-plan-delta", &format!(r#""delta":{{"message":{{"tool_plan":"{text}"}}}}"#))
}

fn call(index: u32, name: &str) -> String {
    message(
        "tool-call-start",
        index,
        &format!(r#"{{"tool_calls":{{"id":"t","type":"function","function":{{"name":"{name}","arguments":""}}}}}}"#),
    )
}

fn arguments(index: u32, text: &str) -> String {
    message("tool-call-delta", index, &format!(r#"{{"tool_calls":{{"function":{{"arguments":{}}}}}}}"#, json!(text)))
}

fn end() -> String {
    event("message-end", r#""delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":3}}}"#) + DONE
}

fn stopped(ends: &str) -> String {
    format!("{ends}event: message-end\ndata: {ERROR}\n\n{DONE}")
}

fn last(output: &Output) -> Value {
    output.events().pop().expect("there are events")
}

#[test]
fn texts_go_on_within_their_block() {
    let stream = |texts: [&str; 4]| {
        let [a, b, c, d] = texts;
        [
            begin(),
            start(0, "thinking"),
            delta(0, "thinking", a),
            delta(0, "thinking", b),
            stop("content-end", 0),
            start(1, "text"),
            delta(1, "text", c),
            delta(1, "text", d),
            stop("content-end", 1),
            end(),
        ]
        .concat()
    };
    for dialect in [None, COHERE] {
        let output =
            at_every_cut(&usual(), dialect, stream(["a sec", "ret sec", "ret, a s\\u0065c", "ret"]).as_bytes());
        assert_eq!(output.text(), stream(["a ", "[s] sec", "ret, a ", "[s]"]));
        assert_eq!(output.ending, Ending::Complete);
        let kinds: Vec<_> = output.verdicts.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [ChannelKind::Reasoning, ChannelKind::Text]);
    }
}

#[test]
fn every_place_for_text_is_watched() {
    let citation = |citation: &str| message("citation-start", 0, &format!(r#"{{"citations":{citation}}}"#));
    for (events, kind) in [
        (plan("secret"), ChannelKind::Reasoning),
        (call(0, "secret"), ChannelKind::Text),
        (call(0, "f") + &arguments(0, r#"{"a":"sec"#) + &arguments(0, r#"ret"}"#), ChannelKind::ToolArgs),
        (citation(r#"{"start":0,"end":1,"text":"secret","sources":[]}"#), ChannelKind::Text),
        (
            citation(
                r#"{"start":0,"end":1,"text":"a","sources":[{"type":"document","id":"d","document":{"secret":1}}]}"#,
            ),
            ChannelKind::ToolResult,
        ),
        (
            citation(
                r#"{"start":0,"end":1,"text":"a","sources":[{"type":"tool","tool_output":{"content":"secret"}}]}"#,
            ),
            ChannelKind::ToolResult,
        ),
        (event("debug", r#""prompt":"secret""#), ChannelKind::Text),
        (message("content-start", 0, r#"{"content":{"type":"text","text":"secret"}}"#), ChannelKind::Text),
    ] {
        let input = begin() + &events + &end();
        let output = at_every_cut(&usual(), COHERE, input.as_bytes());
        assert!(
            !output.text().contains("secret") && !output.text().contains("ret\\\"}"),
            "{events}: {}",
            output.text()
        );
        assert_eq!(output.verdicts[0].0, kind, "{events}");
        assert_eq!(output.ending, Ending::Complete);
    }
}

#[test]
fn citations_move_in_code_points() {
    let cited = |index: u32, of: &str, (start, end): (u64, u64), text: &str| {
        let sources = json!([{"type": "document", "id": "doc:0", "document": {"title": "a"}}]);
        message(
            "citation-start",
            index,
            &format!(r#"{{"citations":{{"start":{start},"end":{end},"text":"{text}","sources":{sources}{of}}}}}"#),
        ) + &stop("citation-end", index)
    };
    const OF: &str = r#","type":"TEXT_CONTENT","content_index":1"#;
    let stream = |texts: [&str; 2], citations: &[String]| {
        let head =
            begin() + &start(0, "thinking") + &delta(0, "thinking", "so") + &stop("content-end", 0) + &start(1, "text");
        head + &texts.map(|text| delta(1, "text", text)).concat()
            + &citations.concat()
            + &stop("content-end", 1)
            + &end()
    };
    // The clef is one code point, and `secret` at 4..10.
    let input = stream(
        ["é \u{1d11e}:sec", "ret; \u{1d11e} that"],
        &[
            cited(0, OF, (0, 1), "é"),
            cited(1, OF, (14, 18), "that"),
            cited(2, OF, (8, 13), "et; \u{1d11e}"),
            cited(3, OF, (12, 13), "\u{1d11e}"),
        ],
    );
    let expected = stream(
        ["é \u{1d11e}:", "[s]; \u{1d11e} that"],
        &[
            cited(0, OF, (0, 1), "é"),
            cited(1, OF, (11, 15), "that"),
            cited(2, OF, (10, 10), ""),
            cited(3, OF, (9, 10), "\u{1d11e}"),
        ],
    );
    assert_eq!(at_every_cut(&usual(), None, input.as_bytes()).text(), expected);
    // Of a plan, which is in no block: it goes if that was cut, for its places are not those of a text.
    let of_plan = |plans: &str, citation: &str| begin() + &plan(plans) + citation + &end();
    for (plan, seen, citation) in [
        ("a secret is", "a [s] is", cited(0, r#","type":"PLAN""#, (0, 0), "")),
        ("a plan", "a plan", cited(0, r#","type":"PLAN""#, (2, 6), "plan")),
    ] {
        let input = of_plan(plan, &cited(0, r#","type":"PLAN""#, (2, 6), "plan"));
        assert_eq!(at_every_cut(&usual(), COHERE, input.as_bytes()).text(), of_plan(seen, &citation));
    }
}

#[test]
fn a_stop_at_any_event_ends_as_the_api_does() {
    let before = [
        begin(),
        start(0, "thinking"),
        delta(0, "thinking", "a"),
        stop("content-end", 0),
        start(1, "text"),
        delta(1, "text", "b"),
    ];
    for at in 1..=before.len() {
        let (opening, index, kind) = match at {
            1 => (start(0, "thinking"), 0, "thinking"),
            2 | 3 => (String::new(), 0, "thinking"),
            4 => (start(1, "text"), 1, "text"),
            _ => (String::new(), 1, "text"),
        };
        let input = before[..at].concat()
            + &opening
            + &delta(index, kind, "so forbidden")
            + &stop("content-end", index)
            + &end();
        let output = at_every_cut(&usual(), COHERE, input.as_bytes());
        let expected =
            before[..at].concat() + &opening + &delta(index, kind, "so ") + &stopped(&stop("content-end", index));
        assert_eq!(output.text(), expected);
        assert!(matches!(output.ending, Ending::Terminated(_)));
    }
    let output = at_every_cut(&usual(), COHERE, (begin() + &plan("so forbidden") + &call(0, "f")).as_bytes());
    assert_eq!(output.text(), begin() + &plan("so ") + &stopped(""));
}

#[test]
fn calls_leave_whole_or_not_at_all() {
    let calls = |a: &str, b: &str| {
        call(0, "f")
            + &arguments(0, r#"{"a":""#)
            + &arguments(0, a)
            + &stop("tool-call-end", 0)
            + &call(1, "g")
            + &arguments(1, b)
    };
    let input = begin() + &plan("I will") + &calls("1\"}", "{\"b\":\"forbidden") + &stop("tool-call-end", 1) + &end();
    let output = at_every_cut(&usual(), COHERE, input.as_bytes());
    let first = &calls("1\"}", "")
        [..calls("1\"}", "").find("event: tool-call-start\ndata: {\"type\":\"tool-call-start\",\"index\":1").unwrap()];
    assert_eq!(output.text(), begin() + &plan("I will") + first + &stopped(""));
    let input = begin() + &plan("a sec") + &calls("a secret\"}", "{}") + &stop("tool-call-end", 1) + &end();
    let output = at_every_cut(&usual(), COHERE, input.as_bytes());
    assert_eq!(output.text(), input.replace("secret", "[s]"));
}

#[test]
fn faults_are_ends_with_an_error() {
    let output = at_every_cut(&usual(), COHERE, (begin() + &start(0, "text") + &delta(0, "text", "a sec")).as_bytes());
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated));
    assert!(output.text().starts_with(&(begin() + &start(0, "text") + &delta(0, "text", "a "))), "{}", output.text());
    assert_eq!(last(&output)["delta"]["finish_reason"], json!("ERROR"));
    assert_eq!(last(&output)["delta"]["error"], json!("The upstream ended before its response was complete."));
    // The upstream's own failure is an end like any other.
    let failed = event("message-end", r#""delta":{"finish_reason":"ERROR","error":"a secret"}"#) + DONE;
    let output = at_every_cut(&usual(), COHERE, (begin() + &failed).as_bytes());
    assert_eq!((output.text(), output.ending), (begin() + &failed.replace("secret", "[s]"), Ending::Complete));
}

#[test]
fn documents() {
    let document = |text: &str, excerpt: &str, (start, end): (u32, u32)| {
        format!(
            r#"{{"id":"m","message":{{"role":"assistant","tool_plan":"a plan","content":[{{"type":"text","text":"{text}"}}],"tool_calls":[{{"id":"t","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}],"citations":[{{"start":{start},"end":{end},"text":"{excerpt}","sources":[],"content_index":0,"type":"TEXT_CONTENT"}}]}},"finish_reason":"COMPLETE","usage":{{"tokens":{{"input_tokens":12}}}}}}"#
        )
    };
    for dialect in [None, Some(Dialect::Json)] {
        let output = at_every_cut(&usual(), dialect, document("é secret that", "that", (9, 13)).as_bytes());
        assert_eq!(output.text(), document("é [s] that", "that", (6, 10)));
        let output = at_every_cut(&usual(), dialect, document("é secret that", "secret", (2, 8)).as_bytes());
        assert_eq!(output.text(), document("é [s] that", "", (5, 5)));
        let body = last(&at_every_cut(&usual(), dialect, document("so forbidden", "so", (0, 2)).as_bytes()));
        assert_eq!((&body["finish_reason"], &body["message"]["tool_calls"]), (&json!("ERROR"), &json!([])));
        assert_eq!(body["message"]["content"][0]["text"], json!("so "));
    }
}
