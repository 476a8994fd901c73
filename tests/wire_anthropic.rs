//! Anthropic's Messages API as streams and documents, written by hand: each case whole, at every cut in two, and byte
//! by byte.

mod drive;

use bytes::Bytes;
use drive::{Output, at_every_cut, cut, end, filter};
use holdback::policy::ChannelKind;
use holdback::wire::{Failure, FilterOptions, Framing};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};

const ANTHROPIC: Option<Dialect> = Some(Dialect::Anthropic);

/// Redacts `secret` and numbers of two digits or more; ends at `forbidden`.
fn usual() -> Policy {
    let rules = [
        Rule::literal("secret", "secret").redact("[s]"),
        Rule::regex("number", r"[0-9]{2,}").redact("#"),
        Rule::literal("stop", "forbidden").terminate(),
    ];
    Policy::builder().rules(rules).build().unwrap()
}

fn event(kind: &str, data: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{data}}}\n\n")
}

fn start() -> String {
    event(
        "message_start",
        r#""message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}"#,
    )
}

fn block(index: u32, content: &str) -> String {
    event("content_block_start", &format!("\"index\":{index},\"content_block\":{content}"))
}

fn text_block(index: u32) -> String {
    block(index, r#"{"type":"text","text":""}"#)
}

fn delta(index: u32, delta: &str) -> String {
    event("content_block_delta", &format!("\"index\":{index},\"delta\":{delta}"))
}

fn text(index: u32, text: &str) -> String {
    delta(index, &format!("{{\"type\":\"text_delta\",\"text\":\"{text}\"}}"))
}

fn close(index: u32) -> String {
    event("content_block_stop", &format!("\"index\":{index}"))
}

fn finish(reason: &str) -> String {
    event(
        "message_delta",
        &format!("\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_sequence\":null}},\"usage\":{{\"output_tokens\":7}}"),
    ) + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
}

/// What a refusal looks like behind open blocks.
fn refusal(open: &[u32], tokens: u32) -> String {
    let delta = r#""delta":{"stop_reason":"refusal","stop_sequence":null}"#;
    open.iter().map(|index| close(*index)).collect::<String>()
        + &event("message_delta", &format!("{delta},\"usage\":{{\"output_tokens\":{tokens}}}"))
        + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
}

fn last_error(output: &Output) -> Option<String> {
    let last = output.events().pop()?;
    (last["type"] == "error").then(|| last["error"]["type"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_match_over_several_events_is_replaced_where_it_ends() {
    let before = start() + &text_block(0);
    let after = text(0, " b") + &close(0) + &finish("end_turn");
    let input =
        before.clone() + &text(0, "a se") + "event: ping\ndata: {\"type\": \"ping\"}\n\n" + &text(0, "cret") + &after;
    let output = at_every_cut(&usual(), ANTHROPIC, input.as_bytes());
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    assert_eq!(output.text(), before + &text(0, "a ") + ping + &text(0, "[s]") + &after);
    assert_eq!(output.ending, Ending::Complete);
    assert_eq!(at_every_cut(&usual(), None, input.as_bytes()), output, "the first event tells the dialect");
}

#[test]
fn every_place_for_text_is_watched() {
    let tool = r#"{"type":"tool_use","id":"toolu_1","name":"f","input":{}}"#;
    let blocks = [
        r#"{"type":"text","text":"a secret"}"#,
        r#"{"type":"tool_use","id":"toolu_1","name":"a secret","input":{}}"#,
        r#"{"type":"server_tool_use","id":"srvtoolu_1","name":"f","input":{"a secret":["a secret"]}}"#,
        r#"{"type":"web_search_tool_result","tool_use_id":"x","content":[{"type":"r","title":"a secret","url":"u","encrypted_content":"e"}]}"#,
        r#"{"type":"bash_code_execution_tool_result","tool_use_id":"x","content":{"stdout":"a secret","return_code":0}}"#,
        r#"{"type":"unheard_of","thing":{"deep":["a secret"]}}"#,
    ];
    let deltas = [
        (r#"{"type":"text","text":""}"#, r#"{"type":"text_delta","text":"a secret"}"#),
        (
            r#"{"type":"text","text":""}"#,
            r#"{"type":"citations_delta","citation":{"cited_text":"a secret","start_char_index":1}}"#,
        ),
        (r#"{"type":"thinking","thinking":""}"#, r#"{"type":"thinking_delta","thinking":"a secret"}"#),
        (r#"{"type":"compaction","content":""}"#, r#"{"type":"compaction_delta","content":"a secret"}"#),
        (tool, r#"{"type":"input_json_delta","partial_json":"{\"a\":\"a secret\"}"}"#),
        (r#"{"type":"unheard_of"}"#, r#"{"type":"unheard_of_delta","thing":"a secret"}"#),
    ];
    let with_block = blocks.iter().map(|content| block(0, content));
    let with_delta = deltas.iter().map(|(begun, content)| block(0, begun) + &delta(0, content));
    for body in with_block.chain(with_delta) {
        let input = start() + &body + &close(0) + &finish("end_turn");
        let output = at_every_cut(&usual(), ANTHROPIC, input.as_bytes());
        assert_eq!(output.text(), input.replace("secret", "[s]"));
        assert_eq!(output.verdicts.len(), body.matches("secret").count(), "{body}");
    }
}

#[test]
fn channels_have_their_kinds() {
    let kinds = |body: String| {
        let output = at_every_cut(&usual(), ANTHROPIC, (start() + &body + &close(0) + &finish("end_turn")).as_bytes());
        output.verdicts.iter().map(|(kind, _)| *kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(text_block(0) + &text(0, "secret")), [ChannelKind::Text]);
    let thinking = block(0, r#"{"type":"thinking","thinking":""}"#) + &delta(0, r#"{"thinking":"secret"}"#);
    assert_eq!(kinds(thinking), [ChannelKind::Reasoning]);
    let tool = block(0, r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#)
        + &delta(0, r#"{"partial_json":"\"secret\""}"#);
    assert_eq!(kinds(tool), [ChannelKind::ToolArgs]);
    let result = block(0, r#"{"type":"web_fetch_tool_result","content":{"text":"secret"}}"#);
    assert_eq!(kinds(result), [ChannelKind::ToolResult]);
}

#[test]
fn a_stop_at_every_event_is_a_refusal() {
    let deltas: Vec<String> = (0..4).map(|i| text(0, &format!("w{i} "))).collect();
    for at in 0..=deltas.len() {
        let (before, after) = deltas.split_at(at);
        let begun = start() + &text_block(0) + &before.concat();
        let input = begun.clone() + &text(0, "x forbidden y") + &after.concat() + &close(0) + &finish("end_turn");
        let output = at_every_cut(&usual(), ANTHROPIC, input.as_bytes());
        assert_eq!(output.text(), begun + &text(0, "x ") + &refusal(&[0], 1));
        assert!(matches!(&output.ending, Ending::Terminated(verdict) if &*verdict.rule == "stop"));
    }
}

#[test]
fn a_stop_says_only_what_has_left() {
    // In a block's beginning: the client has seen the block, without its text.
    let input = start() + &block(0, r#"{"type":"text","text":"forbidden"}"#);
    let begun = start() + &text_block(0);
    assert_eq!(at_every_cut(&usual(), ANTHROPIC, input.as_bytes()).text(), begun + &refusal(&[0], 1));
    // Between blocks, in a text of its own: none is open.
    let between = start() + &text_block(0) + &text(0, "a") + &close(0);
    let input = between.clone() + &event("unheard_of", r#""thing":"forbidden""#);
    let output = at_every_cut(&usual(), ANTHROPIC, input.as_bytes());
    assert_eq!(output.text(), between + &event("unheard_of", r#""thing":"""#) + &refusal(&[], 1));
    // In the message's own ending, or behind it: a client takes the last reason.
    let whole = start() + &text_block(0) + &text(0, "a") + &close(0);
    let ending = |reason: &str, note: &str| {
        event(
            "message_delta",
            &format!(
                "\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_sequence\":null}},\"usage\":{{\"output_tokens\":7}}{note}"
            ),
        )
    };
    let input = whole.clone() + &ending("end_turn", r#","note":"forbidden""#);
    let output = at_every_cut(&usual(), ANTHROPIC, input.as_bytes());
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    assert_eq!(output.text(), whole.clone() + &ending("refusal", r#","note":"""#) + stop);
    let begun = whole + &ending("end_turn", "");
    let input = begun.clone() + &event("message_stop", r#""note":"forbidden""#);
    assert_eq!(at_every_cut(&usual(), ANTHROPIC, input.as_bytes()).text(), begun + &refusal(&[], 7));
    // Before anything: there is no message to end.
    let input = event("ping", r#""thing":"forbidden""#);
    assert_eq!(last_error(&at_every_cut(&usual(), ANTHROPIC, input.as_bytes())).as_deref(), Some("api_error"));
}

#[test]
fn a_stop_that_only_a_blocks_end_decides() {
    let policy = Policy::builder().rule(Rule::regex("stop", r"end$").terminate()).build().unwrap();
    let begun = start() + &text_block(0) + &text(0, "the ");
    let input = begun.clone() + &text(0, "end") + &close(0) + &finish("end_turn");
    let output = at_every_cut(&policy, ANTHROPIC, input.as_bytes());
    assert_eq!(output.text(), begun + &text(0, "") + &refusal(&[0], 1));
}

#[test]
fn tool_calls_leave_whole_or_not_at_all() {
    let answer = start() + &text_block(0) + &text(0, "a") + &close(0);
    let call = |json: &[&str]| {
        let deltas =
            json.iter().map(|part| delta(1, &json!({"type": "input_json_delta", "partial_json": part}).to_string()));
        block(1, r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#) + &deltas.collect::<String>()
    };
    let whole = answer.clone() + &call(&["{\"a\":", "1}"]) + &close(1) + &finish("tool_use");
    let output = at_every_cut(&usual(), ANTHROPIC, whole.as_bytes());
    assert_eq!((output.text(), output.ending), (whole, Ending::Complete));
    for json in [&["{\"a\":", "\"forbidden\"}"][..], &["{\"forbidden"], &["{\"a\":1", "}\"forbidden"]] {
        let output = at_every_cut(&usual(), ANTHROPIC, (answer.clone() + &call(json)).as_bytes());
        assert_eq!(output.text(), answer.clone() + &refusal(&[], 1), "no part of the call");
    }
    // Streamed, for the policy cannot stop within arguments: then only an error is safe.
    let policy = Policy::builder()
        .rule(Rule::literal("stop", "forbidden").channels([ChannelKind::Text]).terminate())
        .build()
        .unwrap();
    let input = answer.clone() + &call(&["{\"a\":"]) + &event("unheard_of", r#""thing":"forbidden""#);
    let output = at_every_cut(&policy, ANTHROPIC, input.as_bytes());
    assert!(output.text().starts_with(&(answer + &call(&["{\"a\":"]))));
    assert_eq!(last_error(&output).as_deref(), Some("api_error"));
}

#[test]
fn arguments_are_redacted_inside_and_stay_json() {
    let parts = [r#"{"no"#, r#"te": "a \"sec"#, r#"ret\"","n":12"#, r#"34}"#];
    let deltas = parts.map(|part| delta(0, &json!({"type": "input_json_delta", "partial_json": part}).to_string()));
    let begun = start() + &block(0, r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#);
    let input = begun + &deltas.concat() + &close(0) + &finish("tool_use");
    let output = at_every_cut(&usual(), ANTHROPIC, input.as_bytes());
    let joined: String = output.events().iter().filter_map(|event| event["delta"]["partial_json"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&joined).unwrap(), json!({"note": "a \"[s]\"", "n": "#"}));
}

#[test]
fn signatures_do_not_outlive_an_edit() {
    let thinking = |text: &str, signature: &str| {
        start()
            + &block(0, r#"{"type":"thinking","thinking":"","signature":""}"#)
            + &delta(0, &format!("{{\"type\":\"thinking_delta\",\"thinking\":\"{text}\"}}"))
            + &delta(0, &format!("{{\"type\":\"signature_delta\",\"signature\":\"{signature}\"}}"))
            + &close(0)
            + &finish("end_turn")
    };
    let output = at_every_cut(&usual(), ANTHROPIC, thinking("a secret", "abc=").as_bytes());
    assert_eq!(output.text(), thinking("a [s]", ""));
    let clean = thinking("a thought", "abc=");
    assert_eq!(at_every_cut(&usual(), ANTHROPIC, clean.as_bytes()).text(), clean);
}

#[test]
fn an_upstream_that_breaks_off_never_looks_complete() {
    let whole = start() + &text_block(0) + &text(0, "a se") + &close(0) + &finish("end_turn");
    let events: Vec<&str> = whole.split_inclusive("\n\n").collect();
    for count in 0..events.len() {
        let input = events[..count].concat();
        let output = cut(&usual(), ANTHROPIC, input.as_bytes(), 5);
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated), "{input}");
        assert_eq!(last_error(&output).as_deref(), Some("api_error"));
        assert!(count > 3 || !output.text().contains("se\""), "held text is withheld");
        let chunks = [Bytes::from(input)];
        let output = end(Filter::new(&usual(), ANTHROPIC), chunks, |filter, now, notes| {
            filter.fail(Ending::TimedOut, now, notes);
        });
        assert_eq!(last_error(&output).as_deref(), Some("timeout_error"));
    }
}

#[test]
fn errors_of_the_upstream_pass_on_and_nothing_follows() {
    let error = event("error", r#""error":{"type":"overloaded_error","message":"a secret"}"#);
    let begun = start() + &text_block(0) + &text(0, "a ");
    let input = begun.clone() + &error + &text(0, "more");
    let output = at_every_cut(&usual(), ANTHROPIC, input.as_bytes());
    assert_eq!(output.text(), begun + &error.replace("secret", "[s]"));
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Reported));
}

#[test]
fn a_gateway_may_append_another_last_word_and_another_message() {
    let message = start() + &text_block(0) + &text(0, "a") + &close(0) + &finish("end_turn");
    for input in [message.clone() + "data: [DONE]\n\n", message.clone() + &message] {
        let output = at_every_cut(&usual(), ANTHROPIC, input.as_bytes());
        assert_eq!((output.text(), output.ending), (input, Ending::Complete));
    }
    let after = message.clone() + &text(0, "b");
    assert_eq!(at_every_cut(&usual(), ANTHROPIC, after.as_bytes()).ending, Ending::UpstreamFailed(Failure::Malformed));
}

#[test]
fn documents() {
    let message = |content: Value, reason: &str| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
               "stop_reason": reason, "stop_sequence": null, "usage": {"input_tokens": 3, "output_tokens": 5}})
    };
    let moderate = |document: &Value| {
        let mut options = FilterOptions::default();
        options.framing = Some(Framing::Document);
        let body = Bytes::from(document.to_string());
        let output = filter(Filter::with_options(&usual(), ANTHROPIC, options), [body.clone()]);
        let guessed = filter(Filter::new(&usual(), None), [body]);
        assert_eq!(output, guessed);
        serde_json::from_slice::<Value>(&output.bytes).unwrap()
    };
    let tool = |input: Value| json!({"type": "tool_use", "id": "t", "name": "f", "input": input});
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(
        moderate(&message(json!([text("a secret"), tool(json!({"n": 1234, "secret": true}))]), "tool_use")),
        message(json!([text("a [s]"), tool(json!({"n": "#", "[s]": true}))]), "tool_use")
    );
    assert_eq!(
        moderate(&message(json!([text("a forbidden b"), tool(json!({}))]), "tool_use")),
        message(json!([text("a ")]), "refusal")
    );
}
