//! Gemini's responses, written by hand: each stream whole, at every cut in two, and byte by byte.

mod drive;

use bytes::Bytes;
use drive::{Output, at_every_cut, end, filter};
use holdback::policy::ChannelKind;
use holdback::wire::{Failure, FilterOptions, ToolCalls};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};

const GEMINI: Option<Dialect> = Some(Dialect::Gemini);

fn policy(rules: impl IntoIterator<Item = Rule>) -> Policy {
    Policy::builder().rules(rules).build().unwrap()
}

/// Redacts `secret`; ends at `forbidden`.
fn usual() -> Policy {
    policy([Rule::literal("secret", "secret").redact("[s]"), Rule::literal("stop", "forbidden").terminate()])
}

fn event(json: &str) -> String {
    format!("data: {json}\r\n\r\n")
}

/// A chunk with these parts of one candidate, and more of its members.
fn chunk(parts: &str, more: &str) -> String {
    format!(
        r#"{{"candidates": [{{"content": {{"parts": {parts},"role": "model"}}{more},"index": 0}}],"usageMetadata": {{"promptTokenCount": 12,"totalTokenCount": 34}},"modelVersion": "m-1","responseId": "r-1"}}"#
    )
}

fn parts(parts: &str) -> String {
    event(&chunk(parts, ""))
}

fn text(text: &str) -> String {
    parts(&format!(r#"[{{"text": "{text}"}}]"#))
}

fn thought(text: &str) -> String {
    parts(&format!(r#"[{{"thought": true,"text": "{text}"}}]"#))
}

fn last(text: &str) -> String {
    event(&chunk(&format!(r#"[{{"text": "{text}"}}]"#), r#","finishReason": "STOP""#))
}

/// What a member of every part says, joined.
fn joined(output: &Output, pointer: &str) -> String {
    let events = output.events();
    let parts = events.iter().filter_map(|event| event.pointer("/candidates/0/content/parts")?.as_array()).flatten();
    parts.filter_map(|part| part.pointer(pointer)?.as_str()).collect()
}

const STOPPED: &str = r#"{"candidates":[{"finishReason":"SAFETY","index":0}],"usageMetadata":{"promptTokenCount": 12,"totalTokenCount": 34},"modelVersion":"m-1","responseId":"r-1"}"#;

#[test]
fn matches_over_several_events_are_replaced_where_they_end() {
    let input = text("a s") + &text("ecr") + &last("et, s\\u0065cret");
    let output = at_every_cut(&usual(), None, input.as_bytes());
    assert_eq!(output.text(), text("a ") + &text("") + &last("[s], [s]"));
    assert_eq!(output.ending, Ending::Complete);
    // Thoughts are another text than the answer.
    let input = thought("a sec") + &text("ret s") + &last("ecret");
    let output = at_every_cut(&usual(), GEMINI, input.as_bytes());
    assert_eq!(output.text(), thought("a sec") + &text("ret ") + &last("[s]"));
    let kinds: Vec<_> = output.verdicts.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [ChannelKind::Text]);
}

#[test]
fn every_place_for_text_is_watched() {
    let finish = event(&chunk("[]", r#","finishReason": "STOP""#));
    for (part, kind) in [
        (r#"{"text":"secret"}"#, ChannelKind::Text),
        (r#"{"text":"secret","thought":true}"#, ChannelKind::Reasoning),
        (r#"{"functionCall":{"name":"secret","args":{}}}"#, ChannelKind::Text),
        (r#"{"functionCall":{"name":"f","args":{"secret":1}}}"#, ChannelKind::ToolArgs),
        (r#"{"functionCall":{"name":"f","args":{"a":["secret"]}}}"#, ChannelKind::ToolArgs),
        (r#"{"functionCall":{"partialArgs":[{"jsonPath":"$.secret","stringValue":"a"}]}}"#, ChannelKind::ToolArgs),
        (r#"{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"secret"}]}}"#, ChannelKind::ToolArgs),
        (r#"{"executableCode":{"language":"PYTHON","code":"secret"}}"#, ChannelKind::ToolArgs),
        (r#"{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"secret"}}"#, ChannelKind::ToolResult),
        (r#"{"toolCall":{"toolType":"T","args":{"queries":["secret"]}}}"#, ChannelKind::ToolArgs),
        (r#"{"toolResponse":{"toolType":"T","response":{"a":"secret"}}}"#, ChannelKind::ToolResult),
        (r#"{"functionResponse":{"name":"f","response":{"secret":true}}}"#, ChannelKind::ToolResult),
        (r#"{"fileData":{"mimeType":"text/plain","fileUri":"https://a.example/secret"}}"#, ChannelKind::Text),
        (r#"{"unheardOf":{"secret":"secret"}}"#, ChannelKind::Text),
    ] {
        let output = at_every_cut(&usual(), GEMINI, (parts(&format!("[{part}]")) + &finish).as_bytes());
        assert!(!output.text().contains("secret"), "{part}: {}", output.text());
        assert_eq!(output.verdicts[0].0, kind, "{part}");
        assert_eq!(output.ending, Ending::Complete);
    }
    for more in [
        r#","finishMessage":"secret""#,
        r#","groundingMetadata":{"webSearchQueries":["secret"]}"#,
        r#","groundingMetadata":{"searchEntryPoint":{"renderedContent":"<b>secret"}}"#,
        r#","groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a.example","title":"secret"}}]}"#,
        r#","citationMetadata":{"citations":[{"startIndex":1,"endIndex":2,"title":"secret"}]}"#,
        r#","urlContextMetadata":{"urlMetadata":[{"retrievedUrl":"https://a.example/secret"}]}"#,
        r#","logprobsResult":{"chosenCandidates":[{"token":"sec"},{"token":"ret"}]}"#,
    ] {
        let output = at_every_cut(
            &usual(),
            GEMINI,
            event(&chunk("[]", &format!("{more},\"finishReason\":\"STOP\""))).as_bytes(),
        );
        assert!(!output.text().contains("secret") && !output.text().contains("\"ret\""), "{}", output.text());
    }
}

#[test]
fn a_signature_does_not_outlive_the_thoughts_that_it_covers() {
    let signed = r#"[{"functionCall": {"name": "f","args": {}},"thoughtSignature": "c2ln"}]"#;
    let finish = event(&chunk(signed, r#","finishReason": "STOP""#));
    let output = at_every_cut(&usual(), GEMINI, (thought("a sec") + &thought("ret") + &finish).as_bytes());
    assert_eq!(output.text(), thought("a ") + &thought("[s]") + &finish.replace("c2ln", ""));
    let input = thought("a") + &text("secret") + &finish;
    let output = at_every_cut(&usual(), GEMINI, input.as_bytes());
    assert_eq!(output.text(), input.replace("secret", "[s]"));
}

#[test]
fn places_are_counted_in_bytes_of_utf_8() {
    let support = |start: u64, end: u64, text: &str| json!({"segment": {"startIndex": start, "endIndex": end, "text": text}, "groundingChunkIndices": [0]});
    // é is two bytes and the clef four; `secret` is at 8..14.
    let supports = json!([
        {"segment": {"endIndex": 2, "text": "é"}, "groundingChunkIndices": [10, 11], "confidenceScores": [0.25]},
        support(3, 7, "\u{1d11e}"), support(8, 16, "secret t"), support(15, 16, "t"), support(15, 99, "tail, and secret")
    ]);
    let grounding = format!(r#","groundingMetadata": {{"groundingSupports": {supports}}},"finishReason": "STOP""#);
    let input = text("é \u{1d11e} sec") + &text("ret t") + &event(&chunk("[{\"text\":\"ail\"}]", &grounding));
    let output = at_every_cut(&usual(), None, input.as_bytes());
    let moved = json!([
        {"segment": {"endIndex": 2, "text": "é"}, "groundingChunkIndices": [10, 11], "confidenceScores": [0.25]},
        support(3, 7, "\u{1d11e}"), support(13, 13, ""), support(12, 13, "t"), support(0, 0, "")
    ]);
    let events = output.events();
    assert_eq!(events[2]["candidates"][0]["groundingMetadata"]["groundingSupports"], moved);
    let clean = input.replace("sec", "sex");
    assert_eq!(at_every_cut(&usual(), None, clean.as_bytes()).text(), clean.replace("secret", "[s]"));
}

#[test]
fn arguments_may_come_in_pieces() {
    let call = |call: &str| parts(&format!(r#"[{{"functionCall": {call}}}]"#));
    let piece = |path: &str, text: &str, more: &str| {
        call(&format!(
            r#"{{"partialArgs": [{{"jsonPath": "{path}","stringValue": "{text}"{more}}}],"willContinue": true}}"#
        ))
    };
    let on = r#","willContinue": true"#;
    let finish = event(&chunk("[]", r#","finishReason": "STOP""#));
    let input = call(r#"{"name": "f","willContinue": true}"#)
        + &piece("$.a", "sec", on)
        + &piece("$.a", "ret", on)
        + &piece("$.a", "", "")
        // The next one of its name is another text.
        + &piece("$.b", "sec", "")
        + &piece("$.b", "ret", "")
        + &call("{}")
        + &finish;
    let output = at_every_cut(&usual(), GEMINI, input.as_bytes());
    let strings: Vec<Value> = output
        .events()
        .iter()
        .filter_map(|event| {
            event.pointer("/candidates/0/content/parts/0/functionCall/partialArgs/0/stringValue").cloned()
        })
        .collect();
    assert_eq!(strings, ["", "[s]", "", "sec", "ret"]);
    // A stop within the call takes all of it along, or says that something is wrong.
    let stopped = &input[..input.find("$.b").unwrap()].rsplit_once("data:").unwrap().0;
    let input = stopped.to_string() + &piece("$.b", "forbidden", "");
    let output = at_every_cut(&usual(), GEMINI, input.as_bytes());
    assert!(!output.text().contains("partialArgs") && !output.text().contains("\"f\""), "{}", output.text());
    assert!(output.text().ends_with(&event(STOPPED)), "{}", output.text());
    let mut options = FilterOptions::default();
    options.tool_calls = Some(ToolCalls::Streamed);
    let output = filter(Filter::with_options(&usual(), GEMINI, options), [Bytes::from(input)]);
    assert!(!output.text().contains("SAFETY"), "{}", output.text());
    assert_eq!(output.events().last().unwrap()["error"]["status"], json!("FAILED_PRECONDITION"));
}

#[test]
fn a_call_in_which_the_stream_stops_is_none() {
    let call = r#"[{"text": "well"},{"functionCall": {"name": "f","args": {"a": "forbidden"}}}]"#;
    let output = at_every_cut(&usual(), GEMINI, (text("a") + &parts(call)).as_bytes());
    // Half a value is no JSON, so its event goes.
    assert_eq!(output.text(), text("a") + &event(STOPPED));
    let named = r#"[{"text": "well"},{"functionCall": {"name": "forbidden"}}]"#;
    let output = at_every_cut(&usual(), GEMINI, (text("a") + &parts(named)).as_bytes());
    let expected = text("a") + &parts(r#"[{"text": "well"},{"functionCall": null}]"#) + &event(STOPPED);
    assert_eq!(output.text(), expected);
    // Nor is it one for being in the event that finishes.
    let finish = |parts: &str, reason: &str| event(&chunk(parts, &format!(r#","finishReason": "{reason}""#)));
    let output = at_every_cut(&usual(), GEMINI, finish(named, "STOP").as_bytes());
    let null = r#"[{"text": "well"},{"functionCall": null}]"#;
    assert_eq!(output.text(), finish(null, "SAFETY") + &event(STOPPED));
}

#[test]
fn a_stop_at_any_event_ends_as_the_api_does() {
    let before =
        [thought("a"), text("b"), parts(r#"[{"executableCode": {"language": "PYTHON","code": "1"}}]"#), text("c")];
    for at in 0..=before.len() {
        for stop in [
            text("so forbidden"),
            thought("so forbidden"),
            parts(r#"[{"executableCode": {"code": "so forbidden"}}]"#),
            last("so forbidden"),
        ] {
            let input = before[..at].concat() + &stop + &last("d");
            let output = at_every_cut(&usual(), GEMINI, input.as_bytes());
            let cut = stop.replace("forbidden", "").replace("STOP", "SAFETY");
            assert_eq!(output.text(), before[..at].concat() + &cut + &event(STOPPED));
            assert!(matches!(output.ending, Ending::Terminated(_)));
        }
    }
    // Before any candidate.
    let block = r#"{"promptFeedback": {"safetyRatings": [{"category": "forbidden"}],"note": "forbidden"}}"#;
    let output = at_every_cut(&usual(), GEMINI, (event(block) + &last("a")).as_bytes());
    let expected = event(&block.replace(r#""note": "forbidden""#, r#""note": """#))
        + &event(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#);
    assert_eq!(output.text(), expected);
}

#[test]
fn each_candidate_is_finished() {
    let both = r#"{"candidates": [{"content": {"parts": [{"text": "a"}]},"index": 0},{"content": {"parts": [{"text": "forbidden"}]},"index": 1}]}"#;
    let output = at_every_cut(&usual(), GEMINI, event(both).as_bytes());
    let finishes = r#"{"candidates":[{"finishReason":"SAFETY","index":0},{"finishReason":"SAFETY","index":1}]}"#;
    assert_eq!(output.text(), event(&both.replace("forbidden", "")) + &event(finishes));
}

#[test]
fn a_finish_may_come_in_every_event() {
    let input = last("a s") + &last("b secret") + &last("c");
    let output = at_every_cut(&usual(), GEMINI, input.as_bytes());
    assert_eq!((output.text(), output.ending), (input.replace("secret", "[s]"), Ending::Complete));
}

#[test]
fn faults_are_googles_errors() {
    let input = text("a sec");
    let output = at_every_cut(&usual(), GEMINI, input.as_bytes());
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated));
    let error = &output.events()[1]["error"];
    assert_eq!((&error["code"], &error["status"]), (&json!(503), &json!("UNAVAILABLE")));
    assert_eq!(error["details"][0]["reason"], json!("UPSTREAM_TRUNCATED"));
    assert!(output.text().starts_with(&text("a ")), "{}", output.text());
    let timed_out = end(Filter::new(&usual(), GEMINI), [Bytes::new()], |filter, now, notes| {
        filter.fail(Ending::TimedOut, now, notes)
    });
    assert_eq!(timed_out.events()[0]["error"]["status"], json!("DEADLINE_EXCEEDED"));
    let empty = at_every_cut(&usual(), GEMINI, b"");
    assert_eq!(empty.ending, Ending::UpstreamFailed(Failure::Truncated));
}

#[test]
fn an_error_of_the_upstream_is_one_however_it_comes() {
    let error = "{\n  \"error\": {\n    \"code\": 499,\n    \"message\": \"a secret\",\n    \"status\": \"CANCELLED\"\n  }\n}\n";
    for (input, dialect) in [
        (last("a") + error, GEMINI),
        (last("a") + error, None),
        (text("a") + error + "\n", None),
        (text("a") + &event(r#"{"error": {"code": 499,"message": "a secret"}}"#), None),
    ] {
        let output = at_every_cut(&usual(), dialect, input.as_bytes());
        assert_eq!(output.text(), input.replace("secret", "[s]"));
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Reported), "{input}");
    }
    let alone = at_every_cut(&usual(), GEMINI, error.as_bytes());
    assert_eq!(alone.text(), error.replace("secret", "[s]"));
}

/// Chunks as an array that comes element by element.
fn array(chunks: &[String]) -> String {
    format!("[{}\n]\n", chunks.join("\n,\r\n"))
}

#[test]
fn a_stream_may_be_an_array() {
    let chunks = |head: &str, tail: &str| {
        let part = |text: &str| format!("[{{\"text\":\"{text}\"}}]");
        [chunk(&part(head), ""), chunk(&part(tail), r#","finishReason":"STOP""#)]
    };
    for dialect in [None, GEMINI] {
        let input = array(&chunks("a sec", "ret"));
        let output = at_every_cut(&usual(), dialect, input.as_bytes());
        assert_eq!((output.text(), output.ending), (array(&chunks("a ", "[s]")), Ending::Complete));
        let input = array(&chunks("a", "so forbidden"));
        let output = at_every_cut(&usual(), dialect, input.as_bytes());
        let [a, b] = chunks("a", "so ");
        assert_eq!(output.text(), format!("[{a}\n,\r\n{},\n{STOPPED}]", b.replace("STOP", "SAFETY")));
        // Not closed: not complete, whatever its elements say.
        let output = at_every_cut(
            &usual(),
            dialect,
            input.replace("forbidden", "on").trim_end().trim_end_matches("\n]").as_bytes(),
        );
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated));
        let elements: Vec<Value> = serde_json::from_str(&output.text()).expect("the array is closed");
        assert_eq!(elements[2]["error"]["details"][0]["reason"], json!("UPSTREAM_TRUNCATED"));
    }
    let input = format!("[{}]", r#"{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}"#);
    let output = at_every_cut(&usual(), GEMINI, input.as_bytes());
    assert_eq!((output.text(), output.ending), (input, Ending::UpstreamFailed(Failure::Reported)));
}

#[test]
fn what_is_held_at_the_closing_bracket_is_decided_in_front_of_it() {
    let policy = policy([Rule::regex("stop", r"forbidden\z").terminate()]);
    let input = array(&[chunk(r#"[{"text":"so forbidden"}]"#, "")]);
    let output = at_every_cut(&policy, GEMINI, input.as_bytes());
    let elements: Vec<Value> = serde_json::from_str(&output.text()).expect("the array is closed once");
    assert_eq!(elements[0]["candidates"][0]["content"]["parts"][0]["text"], json!("so "));
    assert_eq!(elements[1]["candidates"][0]["finishReason"], json!("SAFETY"));
}

#[test]
fn documents() {
    let document = |text: &str| {
        let call = r#"{"functionCall":{"name":"f","args":{"a":"s\u0065cret"}}}"#;
        chunk(&format!(r#"[{{"text":"{text}"}},{call}]"#), r#","finishReason":"STOP""#)
    };
    for dialect in [None, GEMINI] {
        let output = at_every_cut(&usual(), dialect, document("a secret").as_bytes());
        assert_eq!(output.text(), document("a [s]").replace("s\\u0065cret", "[s]"));
        let output = at_every_cut(&usual(), dialect, document("so forbidden").as_bytes());
        let candidate = &output.events()[0]["candidates"][0];
        assert_eq!(candidate["content"]["parts"], json!([{"text": "so "}]));
        assert_eq!(candidate["finishReason"], json!("SAFETY"));
    }
}

#[test]
fn log_probabilities_go_with_the_text() {
    let tokens = |text: &str| {
        let logprobs = format!(
            r#","logprobsResult":{{"chosenCandidates":[{{"token":"{text}","tokenId":12,"logProbability":-0.5}}]}}"#
        );
        event(&chunk(&format!(r#"[{{"text":"{text}"}}]"#), &logprobs))
    };
    let input = tokens("a ") + &tokens("sec") + &tokens("ret") + &last("");
    let output = at_every_cut(&usual(), GEMINI, input.as_bytes());
    let logprobs = |event: &Value| event["candidates"][0]["logprobsResult"].clone();
    let events = output.events();
    assert_eq!(logprobs(&events[0])["chosenCandidates"][0]["token"], json!("a "));
    assert_eq!([logprobs(&events[1]), logprobs(&events[2])], [Value::Null, Value::Null]);
    assert_eq!(joined(&output, "/text"), "a [s]");
}
