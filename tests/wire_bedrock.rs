//! Amazon Bedrock, written by hand: the Converse API, the models' own events in base64, agents.

mod drive;

use bytes::Bytes;
use drive::frames::{self, Frame, chunk, encode, event};
use drive::{Output, at_every_cut, cut, end, filter};
use holdback::policy::ChannelKind;
use holdback::wire::{Failure, FilterOptions, Framing, ToolCalls};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};

const CONVERSE: Option<Dialect> = Some(Dialect::BedrockConverse);
const INVOKE: Option<Dialect> = Some(Dialect::BedrockInvoke);
const AGENT: Option<Dialect> = Some(Dialect::BedrockAgent);

fn policy(rules: impl IntoIterator<Item = Rule>) -> Policy {
    Policy::builder().rules(rules).build().expect("the rules are well formed")
}

/// Redacts `secret` and numbers of two digits or more; ends at `forbidden`.
fn usual() -> Policy {
    policy([
        Rule::literal("secret", "secret").redact("[s]"),
        Rule::regex("number", r"[0-9]{2,}").redact("#"),
        Rule::literal("stop", "forbidden").terminate(),
    ])
}

fn begin() -> Vec<u8> {
    event("messageStart", r#"{"p":"abc","role":"assistant"}"#)
}

fn delta_of(block: u32, delta: &str) -> Vec<u8> {
    event("contentBlockDelta", &format!(r#"{{"contentBlockIndex":{block},"delta":{delta},"p":"abcdefg"}}"#))
}

fn text(block: u32, text: &str) -> Vec<u8> {
    delta_of(block, &json!({ "text": text }).to_string())
}

fn input(block: u32, part: &str) -> Vec<u8> {
    delta_of(block, &json!({ "toolUse": { "input": part } }).to_string())
}

fn call(block: u32) -> Vec<u8> {
    let start = r#"{"toolUse":{"name":"pay","toolUseId":"t-1"}}"#;
    event("contentBlockStart", &format!(r#"{{"contentBlockIndex":{block},"p":"ab","start":{start}}}"#))
}

fn close(block: u32) -> Vec<u8> {
    event("contentBlockStop", &format!(r#"{{"contentBlockIndex":{block},"p":"a"}}"#))
}

fn finish(reason: &str) -> Vec<u8> {
    event("messageStop", &format!(r#"{{"p":"ab","stopReason":"{reason}"}}"#))
}

fn metadata() -> Vec<u8> {
    event("metadata", r#"{"metrics":{"latencyMs":714},"p":"a","usage":{"inputTokens":12,"totalTokens":345}}"#)
}

/// A whole answer of one block.
fn answer(deltas: &[&str]) -> Vec<u8> {
    let deltas = deltas.iter().map(|delta| text(0, delta)).collect::<Vec<_>>().concat();
    [begin(), deltas, close(0), finish("end_turn"), metadata()].concat()
}

/// Each frame's kind and what it carries.
fn said(output: &Output) -> Vec<(String, Value)> {
    let read = |frame: &Frame| {
        let failure = frame.header(":exception-type").unwrap_or_default();
        let kind = if failure.is_empty() { frame.kind() } else { failure };
        (kind.to_owned(), serde_json::from_slice(&frames::carried(frame)).unwrap_or_default())
    };
    frames::decode(&output.bytes).iter().map(read).collect()
}

/// What stands at this place of all frames, joined.
fn joined(output: &Output, pointer: &str) -> String {
    said(output).iter().filter_map(|(_, event)| event.pointer(pointer)?.as_str().map(str::to_owned)).collect()
}

fn failure(output: &Output) -> Option<String> {
    said(output).pop().filter(|(kind, _)| kind == "modelStreamErrorException")?.1["message"].as_str().map(str::to_owned)
}

#[test]
fn a_match_over_several_frames_is_replaced_where_it_ends() {
    let output = at_every_cut(&usual(), CONVERSE, &answer(&["My sec", "r", "et is 1", "2", "3."]));
    assert_eq!(output.bytes, answer(&["My ", "", "[s] is ", "", "#."]), "every other frame stays as it was");
    assert_eq!(output.ending, Ending::Complete);
    assert_eq!(cut(&usual(), None, &answer(&["My sec", "ret"]), 9).bytes, answer(&["My ", "[s]"]), "without a dialect");
}

#[test]
fn blocks_that_go_on_are_one_text() {
    let input = [begin(), text(0, "a sec"), close(0), text(1, "ret"), close(1), finish("end_turn")].concat();
    let output = at_every_cut(&usual(), CONVERSE, &input);
    let expected = [begin(), text(0, "a "), close(0), text(1, "[s]"), close(1), finish("end_turn")].concat();
    assert_eq!(output.bytes, expected);
}

#[test]
fn every_place_for_text_is_watched() {
    let places = [
        ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"text":"a secret"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"a\":\"secret\"}"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolResult":[{"text":"a secret"}]}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolResult":[{"json":{"k":["secret"]}}]}}"#),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"citation":{"title":"secret","sourceContent":[{"text":"secret"}],"location":{"web":{"url":"http://x/secret","domain":"secret"}}}}}"#,
        ),
        ("contentBlockStart", r#"{"contentBlockIndex":4,"start":{"toolUse":{"name":"secret","toolUseId":"t"}}}"#),
        ("metadata", r#"{"trace":{"guardrail":{"modelOutput":["a secret"],"actionReason":"secret"}}}"#),
        (
            "metadata",
            r#"{"trace":{"guardrail":{"outputAssessments":{"g1":[{"sensitiveInformationPolicy":{"piiEntities":[{"match":"secret","type":"NAME"}],"regexes":[{"match":"secret"}]}}]}}}}"#,
        ),
        ("messageStop", r#"{"stopReason":"end_turn","additionalModelResponseFields":{"stop":"secret"}}"#),
        ("unheardOf", r#"{"a":{"secret":["secret"]}}"#),
    ];
    for (kind, payload) in places {
        let input = [begin(), text(0, "x"), event(kind, payload), finish("end_turn")].concat();
        let output = at_every_cut(&usual(), CONVERSE, &input);
        let expected = [begin(), text(0, "x"), event(kind, &payload.replace("secret", "[s]")), finish("end_turn")];
        assert_eq!(output.bytes, expected.concat(), "{payload}");
    }
    let measured = r#"{"trace":{"guardrail":{"inputAssessment":{"g":{"invocationMetrics":{"latency":123}}},"outputAssessments":{"g":[{"invocationMetrics":{"usage":{"units":45}},"contextualGroundingPolicy":{"filters":[{"score":0.981}]}}]}}},"usage":{"inputTokens":99}}"#;
    let input = [begin(), finish("end_turn"), event("metadata", measured)].concat();
    assert_eq!(at_every_cut(&usual(), CONVERSE, &input).bytes, input, "what Bedrock has measured is no text");
}

#[test]
fn a_policy_stop_at_every_frame() {
    let words = ["One ", "two ", "three."];
    for at in 0..=words.len() {
        for word in ["forbidden", "for|bid|den"] {
            let mut deltas = words[..at].to_vec();
            deltas.extend(word.split('|'));
            deltas.extend(&words[at..]);
            let output = at_every_cut(&usual(), CONVERSE, &answer(&deltas));
            assert!(matches!(&output.ending, Ending::Terminated(verdict) if &*verdict.rule == "stop"));
            assert_eq!(joined(&output, "/delta/text"), words[..at].concat());
            let said = said(&output);
            assert_eq!(
                said[said.len() - 2..],
                [
                    ("contentBlockStop".into(), json!({"contentBlockIndex": 0})),
                    ("messageStop".into(), json!({"stopReason": "content_filtered"})),
                ]
            );
        }
    }
    let between = [begin(), text(0, "a"), close(0), event("x", r#"{"y":"forbidden"}"#), finish("end_turn")].concat();
    let said = said(&at_every_cut(&usual(), CONVERSE, &between));
    assert_eq!(said.iter().filter(|(kind, _)| kind == "contentBlockStop").count(), 1, "the block was closed already");
    assert_eq!(said.last().unwrap().1, json!({"stopReason": "content_filtered"}));
    // In the accounts behind the end: a client takes the later reason.
    let behind = [begin(), text(0, "a"), close(0), finish("end_turn"), event("metadata", r#"{"note":"forbidden"}"#)];
    let said = self::said(&at_every_cut(&usual(), CONVERSE, &behind.concat()));
    assert_eq!(said.last().unwrap().1, json!({"stopReason": "content_filtered"}));
}

#[test]
fn a_stop_that_only_an_end_decides() {
    let last = policy([Rule::regex("last", r#"bye("\})?$"#).terminate()]);
    let output = at_every_cut(&last, CONVERSE, &answer(&["Good ", "bye"]));
    assert_eq!(joined(&output, "/delta/text"), "Good ");
    assert_eq!(joined(&output, "/stopReason"), "content_filtered");
    let calling = [begin(), text(0, "Hm."), close(0), call(1), input(1, r#"{"a":"by"#), input(1, r#"e"}"#), close(1)];
    let stream = [calling.concat(), finish("tool_use"), metadata()].concat();
    let atomic = at_every_cut(&last, CONVERSE, &stream);
    assert_eq!(joined(&atomic, "/start/toolUse/name"), "", "no half call: {:?}", said(&atomic));
    assert_eq!(joined(&atomic, "/stopReason"), "content_filtered");
    let mut options = FilterOptions::default();
    options.tool_calls = Some(ToolCalls::Streamed);
    let streamed = filter(Filter::with_options(&last, CONVERSE, options), stream.chunks(9).map(Bytes::copy_from_slice));
    assert_eq!(joined(&streamed, "/start/toolUse/name"), "pay");
    assert!(failure(&streamed).is_some(), "an error, for no end may follow half a call: {:?}", said(&streamed));
}

#[test]
fn tool_calls_leave_whole_or_not_at_all() {
    let good = [call(1), input(1, r#"{"to":"al"#), input(1, r#"ice"}"#), close(1)].concat();
    let bad = [call(2), input(2, r#"{"to":"forb"#), input(2, r#"idden"}"#), close(2)].concat();
    let stream = [begin(), text(0, "Paying."), close(0), good.clone(), bad, finish("tool_use"), metadata()].concat();
    let output = at_every_cut(&usual(), CONVERSE, &stream);
    let end = [event("messageStop", r#"{"stopReason":"content_filtered"}"#)].concat();
    let kept = [begin(), text(0, "Paying."), close(0), good].concat();
    assert!(output.bytes.starts_with(&kept), "{:?}", said(&output));
    assert_eq!(said(&output).last(), said(&Output { bytes: end, ..output.clone() }).last());
    assert_eq!(said(&output).len(), frames::decode(&kept).len() + 1);
    let redacted = at_every_cut(
        &usual(),
        CONVERSE,
        &[begin(), call(0), input(0, r#"{"n":1"#), input(0, r#"23,"s":"\u0073ecret"}"#), close(0), finish("tool_use")]
            .concat(),
    );
    assert_eq!(joined(&redacted, "/delta/toolUse/input"), r##"{"n":"#","s":"[s]"}"##);
}

#[test]
fn a_signature_goes_with_the_thought_that_it_covers() {
    let thought = |text: &str| delta_of(0, &json!({"reasoningContent": {"text": text}}).to_string());
    let sealed = |signature: &str| delta_of(0, &json!({"reasoningContent": {"signature": signature}}).to_string());
    let stream = |a: &str, b: &str, signature: &str| {
        [begin(), thought(a), thought(b), sealed(signature), close(0), text(1, "Hi"), close(1), finish("end_turn")]
            .concat()
    };
    let output = at_every_cut(&usual(), CONVERSE, &stream("a sec", "ret", "Zm9v"));
    assert_eq!(output.bytes, stream("a ", "[s]", ""));
    assert_eq!(output.verdicts[0].0, ChannelKind::Reasoning);
    let plain = stream("a sea", "l", "Zm9v");
    assert_eq!(at_every_cut(&usual(), CONVERSE, &plain).bytes, plain);
}

#[test]
fn an_exception_of_the_upstream_is_passed_on_without_what_it_quotes() {
    let exception = |message: &str| {
        let headers = [(":message-type", "exception"), (":exception-type", "throttlingException")];
        encode(&headers, json!({ "message": message }).to_string().as_bytes())
    };
    let bare = encode(&[(":message-type", "error"), (":error-code", "InternalFailure"), (":error-message", "no")], b"");
    for (failed, expected) in [(exception("saw a secret"), exception("saw a [s]")), (bare.clone(), bare)] {
        for dialect in [CONVERSE, INVOKE, AGENT, None] {
            let stream = [begin(), text(0, "Hi se"), failed.clone()].concat();
            let output = at_every_cut(&usual(), dialect, &stream);
            assert_eq!(output.bytes, [begin(), text(0, "Hi se"), expected.clone()].concat());
            assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Reported));
        }
    }
    let quoting = encode(&[(":message-type", "error"), (":error-message", "a secret")], b"");
    let output = at_every_cut(&usual(), CONVERSE, &[begin(), quoting].concat());
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Malformed), "a header cannot be cut");
    assert!(!String::from_utf8_lossy(&output.bytes).contains("secret"));
}

#[test]
fn an_upstream_that_breaks_off_never_looks_complete() {
    let stream = answer(&["A sec", "ret and 1", "2 more"]);
    let complete = stream.len() - metadata().len();
    for at in 0..stream.len() {
        let output = cut(&usual(), CONVERSE, &stream[..at], 5);
        let text = joined(&output, "/delta/text");
        assert!("A [s] and # more".starts_with(&text), "{text} at {at}");
        if at == complete {
            assert_eq!(output.ending, Ending::Complete);
        } else if at < complete {
            assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated), "at {at}");
            assert!(failure(&output).is_some(), "at {at}: {:?}", said(&output));
            assert_eq!(joined(&output, "/stopReason"), "");
        }
    }
}

#[test]
fn failures_are_exceptions() {
    for dialect in [CONVERSE, INVOKE, AGENT] {
        let begun = if dialect == CONVERSE { begin() } else { chunk(r#"{"outputText":"held sec"}"#) };
        for (ending, is_told) in
            [(Ending::UpstreamFailed(Failure::Cut), true), (Ending::TimedOut, true), (Ending::ClientGone, false)]
        {
            let given = ending.clone();
            let output = end(Filter::new(&usual(), dialect), [Bytes::from(begun.clone())], |filter, now, notes| {
                filter.fail(given, now, notes);
            });
            assert_eq!((failure(&output).is_some(), output.ending), (is_told, ending));
        }
    }
    let mut broken = answer(&["a", "b"]);
    let at = broken.len() / 2;
    broken[at] ^= 1;
    let output = at_every_cut(&usual(), CONVERSE, &broken);
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Malformed));
    assert!(failure(&output).is_some());
}

/// Streams of the models that `InvokeModel` knows: events, where their text is, and how they are stopped.
struct Model {
    name: &'static str,
    before: &'static [&'static str],
    text: fn(&str) -> String,
    after: &'static [&'static str],
    pointer: &'static str,
    stop: &'static [&'static str],
}

const MODELS: [Model; 7] = [
    Model {
        name: "Anthropic",
        before: &[
            r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[]}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        ],
        text: |text| {
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#)
        },
        after: &[
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null}}"#,
            r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":577}}"#,
        ],
        pointer: "/delta/text",
        stop: &[
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null},"usage":{"output_tokens":0}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    },
    Model {
        name: "Nova",
        before: &[r#"{"messageStart":{"role":"assistant"}}"#],
        text: |text| {
            format!(
                r#"{{"contentBlockDelta":{{"delta":{{"text":"{text}"}},"contentBlockIndex":0}},"amazon-bedrock-guardrailAction":"NONE"}}"#
            )
        },
        after: &[
            r#"{"contentBlockStop":{"contentBlockIndex":0}}"#,
            r#"{"messageStop":{"stopReason":"end_turn"}}"#,
            r#"{"metadata":{"usage":{"inputTokens":25},"metrics":{},"trace":{}},"amazon-bedrock-invocationMetrics":{"inputTokenCount":25}}"#,
        ],
        pointer: "/contentBlockDelta/delta/text",
        stop: &[
            r#"{"contentBlockStop":{"contentBlockIndex":0}}"#,
            r#"{"messageStop":{"stopReason":"content_filtered"}}"#,
        ],
    },
    Model {
        name: "Titan",
        before: &[],
        text: |text| format!(r#"{{"outputText":"{text}","index":0.0,"inputTextTokenCount":28.0}}"#),
        after: &[r#"{"outputText":"","index":0,"totalOutputTextTokenCount":51,"completionReason":"FINISH"}"#],
        pointer: "/outputText",
        stop: &[r#"{"outputText":"","index":0,"completionReason":"CONTENT_FILTERED"}"#],
    },
    Model {
        name: "Llama",
        before: &[],
        text: |text| {
            format!(
                r#"{{"generation":"{text}","prompt_token_count":10,"generation_token_count":10,"stop_reason":null}}"#
            )
        },
        after: &[
            r#"{"generation":"","stop_reason":"length","amazon-bedrock-invocationMetrics":{"inputTokenCount":10}}"#,
        ],
        pointer: "/generation",
        stop: &[r#"{"generation":"","stop_reason":"content_filtered"}"#],
    },
    Model {
        name: "Mistral",
        before: &[],
        text: |text| format!(r#"{{"outputs":[{{"text":"{text}","stop_reason":null}}]}}"#),
        after: &[r#"{"outputs":[{"text":"","stop_reason":"stop"}]}"#],
        pointer: "/outputs/0/text",
        stop: &[r#"{"outputs":[{"text":"","stop_reason":"content_filtered"}]}"#],
    },
    Model {
        name: "Cohere",
        before: &[r#"{"is_finished":false,"event_type":"stream-start","generation_id":"g"}"#],
        text: |text| format!(r#"{{"is_finished":false,"event_type":"text-generation","text":"{text}"}}"#),
        after: &[r#"{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE"}"#],
        pointer: "/text",
        stop: &[r#"{"is_finished":true,"finish_reason":"content_filtered"}"#],
    },
    Model {
        name: "Claude 2",
        before: &[],
        text: |text| format!(r#"{{"completion":"{text}","stop_reason":null,"stop":null}}"#),
        after: &[r#"{"completion":"","stop_reason":"stop_sequence","stop":"\n\nHuman:"}"#],
        pointer: "/completion",
        stop: &[r#"{"completion":"","stop_reason":"content_filtered"}"#],
    },
];

impl Model {
    fn stream(&self, texts: &[&str]) -> Vec<u8> {
        let before = self.before.iter().map(|event| (*event).to_owned());
        let all = before.chain(texts.iter().map(|text| (self.text)(text)));
        all.chain(self.after.iter().map(|event| (*event).to_owned())).flat_map(|event| chunk(&event)).collect()
    }
}

#[test]
fn models_of_every_form_are_read_through_their_base64() {
    for model in &MODELS {
        for dialect in [INVOKE, None] {
            let stream = model.stream(&["A sec", "ret\\nand 1", "2."]);
            let output = at_every_cut(&usual(), dialect, &stream);
            let frames: Vec<Vec<u8>> = frames::decode(&output.bytes).iter().map(frames::carried).collect();
            let expected = model.stream(&["A ", "[s]\\nand ", "#."]);
            let expected: Vec<Vec<u8>> = frames::decode(&expected).iter().map(frames::carried).collect();
            assert_eq!(frames, expected, "{}", model.name);
            assert_eq!(output.ending, Ending::Complete, "{}", model.name);
            let untouched = model.stream(&["A ", "word"]);
            assert_eq!(at_every_cut(&usual(), dialect, &untouched).bytes, untouched, "{}", model.name);
            let last = frames::split(&untouched).pop().unwrap().len();
            let broken = cut(&usual(), dialect, &untouched[..untouched.len() - last], 7);
            if model.after.len() == 1 {
                assert_eq!(broken.ending, Ending::UpstreamFailed(Failure::Truncated), "{}", model.name);
                assert!(failure(&broken).is_some(), "{}", model.name);
            }
        }
    }
}

#[test]
fn models_of_every_form_are_stopped_in_their_own_words() {
    for model in &MODELS {
        for at in 0..3 {
            let mut texts = vec!["One ", "two ", "three."];
            texts.splice(at..at, ["for", "bidden"]);
            let output = at_every_cut(&usual(), INVOKE, &model.stream(&texts));
            assert!(matches!(output.ending, Ending::Terminated(_)), "{}", model.name);
            assert_eq!(joined(&output, model.pointer), ["One ", "two ", "three."][..at].concat(), "{}", model.name);
            let inner: Vec<Vec<u8>> = frames::decode(&output.bytes).iter().map(frames::carried).collect();
            let stop: Vec<Vec<u8>> = model.stop.iter().map(|event| event.as_bytes().to_vec()).collect();
            assert!(inner.ends_with(&stop), "{}: {:?}", model.name, said(&output));
        }
    }
    let last = policy([Rule::regex("last", "bye$").terminate()]);
    for model in &MODELS {
        let output = at_every_cut(&last, INVOKE, &model.stream(&["Good ", "bye"]));
        let inner: Vec<Vec<u8>> = frames::decode(&output.bytes).iter().map(frames::carried).collect();
        assert_eq!(joined(&output, model.pointer), "Good ", "{}", model.name);
        let said = String::from_utf8_lossy(inner.last().unwrap()).into_owned();
        let is_told = ["content_filtered", "CONTENT_FILTERED", "message_stop"].iter().any(|word| said.contains(word));
        assert!(is_told && !said.contains("FINISH") && !said.contains("COMPLETE"), "{}: {said}", model.name);
    }
    // Where the end is in the event that is stopped, it says so itself.
    let whole = chunk(r#"{"outputText":"It is forbidden","completionReason":"FINISH"}"#);
    let output = at_every_cut(&usual(), INVOKE, &whole);
    let blocked =
        chunk(r#"{"outputText":"Blocked","index":0.0,"totalOutputTextTokenCount":345,"inputTextTokenCount":6}"#);
    let answered = at_every_cut(&usual(), INVOKE, &blocked);
    assert_eq!((answered.bytes, answered.ending), (blocked, Ending::Complete), "a guardrail's answer has no reason");
    assert_eq!(
        said(&output),
        [("chunk".into(), json!({"outputText": "It is ", "completionReason": "CONTENT_FILTERED"}))]
    );
}

#[test]
fn what_stands_around_a_chunk_is_watched() {
    let odd = event("chunk", r#"{"bytes":"eyJnZW5lcmF0aW9uIjoiYSJ9","unheardOf":"a secret","p":"secret"}"#);
    let output = at_every_cut(&usual(), INVOKE, &[odd, MODELS[3].stream(&["b"])].concat());
    let first = &frames::decode(&output.bytes)[0];
    let payload = String::from_utf8(first.payload.clone()).unwrap();
    assert_eq!(payload, r#"{"bytes":"eyJnZW5lcmF0aW9uIjoiYSJ9","unheardOf":"a [s]","p":"secret"}"#, "but padding");
    let repeated = r#"{"is_finished":true,"finish_reason":"COMPLETE","response":{"text":"A secret.","chat_history":[{"message":"a secret"}]}}"#;
    let stream = [MODELS[5].before[0], &(MODELS[5].text)("A sec"), &(MODELS[5].text)("ret."), repeated].map(chunk);
    let output = at_every_cut(&usual(), INVOKE, &stream.concat());
    assert_eq!(joined(&output, "/response/text"), joined(&output, "/text"));
    assert_eq!(joined(&output, "/response/chat_history/0/message"), "a [s]");
    let masked = r#"{"metadata":{"usage":{}},"amazon-bedrock-trace":{"guardrail":{"modelOutput":["the secret"],"outputs":[{"g":{"invocationMetrics":{"latency":233},"sensitiveInformationPolicy":{"regexes":[{"match":"1234567"}]}}}]}}}"#;
    let stream = [MODELS[1].stream(&["a"]), chunk(masked)].concat();
    let output = at_every_cut(&usual(), INVOKE, &stream);
    let expected = masked.replace("secret", "[s]").replace("1234567", "#");
    assert_eq!(said(&output).pop().unwrap().1, serde_json::from_str::<Value>(&expected).unwrap());
    let stopped = [MODELS[1].stream(&["a"]), chunk(&masked.replace("the secret", "forbidden"))].concat();
    let output = at_every_cut(&usual(), INVOKE, &stopped);
    let last = said(&output).pop().unwrap().1;
    assert_eq!(last, json!({"messageStop": {"stopReason": "content_filtered"}}), "behind the end it is said once more");
}

#[test]
fn the_pieces_of_an_agents_answer_are_one_text() {
    let trace = |trace: &str| event("trace", &format!(r#"{{"agentId":"A","sessionId":"s-1234","trace":{trace}}}"#));
    let rationale = |text: &str| trace(&json!({"orchestrationTrace": {"rationale": {"text": text}}}).to_string());
    let raw = |text: &str| {
        let content = json!({ "content": [{ "text": text }] }).to_string();
        let output = json!({"modelInvocationOutput": {"rawResponse": {"content": content}, "traceId": "t-12"}});
        trace(&json!({ "orchestrationTrace": output }).to_string())
    };
    let stream = |texts: [&str; 5]| {
        let [thought, said, a, b, c] = texts;
        [rationale(thought), raw(said), chunk(a), chunk(b), chunk(c)].concat()
    };
    for dialect in [AGENT, None] {
        let input = stream(["find secret", "\"the\" secret", "{1} The se", "cre", "t\nis \"out\""]);
        let output = at_every_cut(&usual(), dialect, &input);
        assert_eq!(output.bytes, stream(["find [s]", "\"the\" [s]", "{1} The ", "", "[s]\nis \"out\""]));
        assert_eq!(output.ending, Ending::Complete);
    }
    let bare = [chunk("No trace: a sec"), chunk("ret")].concat();
    assert_eq!(at_every_cut(&usual(), None, &bare).bytes, [chunk("No trace: a "), chunk("[s]")].concat());
    let stopped = at_every_cut(&usual(), AGENT, &[rationale("x"), chunk("It is for"), chunk("bidden")].concat());
    assert_eq!(frames::carried(&frames::decode(&stopped.bytes)[1]), b"It is ");
    assert_eq!(failure(&stopped).as_deref(), Some("The response was stopped by a content policy."));
    let only_traced = at_every_cut(&usual(), AGENT, &rationale("x"));
    assert_eq!(only_traced.ending, Ending::UpstreamFailed(Failure::Truncated));
}

#[test]
fn documents() {
    let options = || {
        let mut options = FilterOptions::default();
        options.framing = Some(Framing::Document);
        options
    };
    let run = |dialect, body: &str| {
        let whole =
            filter(Filter::with_options(&usual(), dialect, options()), [Bytes::copy_from_slice(body.as_bytes())]);
        let pieces = body.as_bytes().chunks(3).map(Bytes::copy_from_slice);
        assert_eq!(filter(Filter::with_options(&usual(), dialect, options()), pieces), whole);
        whole.text()
    };
    let converse = |text: &str, reason: &str, call: &str| {
        format!(
            r#"{{"metrics":{{"latencyMs":1234}},"output":{{"message":{{"content":[{{"text":"{text}"}},{{"reasoningContent":{{"reasoningText":{{"text":"{text}","signature":"Zm9v"}}}}}}{call}],"role":"assistant"}}}},"stopReason":"{reason}","usage":{{"inputTokens":77}}}}"#
        )
    };
    let call = r#",{"toolUse":{"input":{"a":"secret","n":123},"name":"f","toolUseId":"t"}}"#;
    for dialect in [CONVERSE, INVOKE, None] {
        let redacted = call.replace("secret", "[s]").replace("123", "\"#\"");
        let expected = converse("a [s]", "tool_use", &redacted).replace("Zm9v", "");
        assert_eq!(run(dialect, &converse("a secret", "tool_use", call)), expected);
        let expected = converse("It is ", "content_filtered", "").replace("Zm9v", "");
        let stopped = run(dialect, &converse("It is forbidden", "tool_use", &call.replace("secret", "x")));
        assert_eq!(stopped.matches("content_filtered").count(), 1, "{stopped}");
        assert!(stopped.starts_with(&expected[..60]) && !stopped.contains("toolUse"), "{stopped}");
    }
    for (body, reason) in [
        (
            r#"{"inputTextTokenCount":12,"results":[{"tokenCount":12,"outputText":"a secret","completionReason":"FINISH"}]}"#,
            "CONTENT_FILTERED",
        ),
        (
            r#"{"generation":"a secret","prompt_token_count":12,"generation_token_count":34,"stop_reason":"stop"}"#,
            "content_filtered",
        ),
        (r#"{"outputs":[{"text":"a secret","stop_reason":"stop"}]}"#, "content_filtered"),
        (
            r#"{"generations":[{"id":"g","text":"a secret","finish_reason":"COMPLETE"}],"prompt":"p"}"#,
            "content_filtered",
        ),
        (r#"{"completion":"a secret","stop_reason":"stop_sequence","stop":"x"}"#, "content_filtered"),
    ] {
        for dialect in [INVOKE, None] {
            assert_eq!(run(dialect, body), body.replace("secret", "[s]"));
            let stopped = run(dialect, &body.replace("secret", "forbidden"));
            assert!(stopped.contains(&format!(r#""{reason}""#)) && !stopped.contains("forbidden"), "{stopped}");
        }
    }
}
