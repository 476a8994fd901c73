//! Chat completions as streams, written by hand: each case whole, at every cut in two, and byte by byte.

mod drive;

use bytes::Bytes;
use drive::{Output, at_every_cut, cut, end, filter};
use holdback::policy::ChannelKind;
use holdback::wire::{Failure, FilterOptions, LaterKinds, OtherEvents, ToolCalls, UsageChunk};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};
use std::time::Instant;

const CHAT: Option<Dialect> = Some(Dialect::OpenAiChat);
const DONE: &str = "data: [DONE]\n\n";

fn policy(rules: impl IntoIterator<Item = Rule>) -> Policy {
    Policy::builder().rules(rules).build().unwrap()
}

/// Redacts `secret` and numbers of two digits or more; ends at `forbidden`.
fn usual() -> Policy {
    policy([
        Rule::literal("secret", "secret").redact("[s]"),
        Rule::regex("number", r"[0-9]{2,}").redact("#"),
        Rule::literal("stop", "forbidden").terminate(),
    ])
}

/// An event with one choice, whose `delta` is this JSON.
fn delta_of(index: u32, delta: &str) -> String {
    format!(
        "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
         \"choices\":[{{\"index\":{index},\"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
    )
}

fn content(text: &str) -> String {
    delta_of(0, &format!("{{\"content\":\"{text}\"}}"))
}

fn finish(index: u32, reason: &str) -> String {
    format!(
        "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
         \"choices\":[{{\"index\":{index},\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\n"
    )
}

/// A whole answer of these deltas of content.
fn answer(deltas: &[&str]) -> String {
    deltas.iter().map(|delta| content(delta)).collect::<String>() + &finish(0, "stop") + DONE
}

/// The text of one field of one choice's deltas, joined.
fn joined(output: &Output, index: u64, pointer: &str) -> String {
    let choices = output.events().into_iter().filter_map(|event| event["choices"].as_array().cloned()).flatten();
    let of_choice = choices.filter(|choice| choice["index"] == json!(index));
    of_choice.filter_map(|choice| choice.pointer(pointer)?.as_str().map(str::to_owned)).collect()
}

fn finishes(output: &Output) -> Vec<(u64, String)> {
    let choices = output.events().into_iter().filter_map(|event| event["choices"].as_array().cloned()).flatten();
    choices
        .filter_map(|choice| Some((choice["index"].as_u64()?, choice["finish_reason"].as_str()?.to_owned())))
        .collect()
}

fn error_code(output: &Output) -> Option<String> {
    output.events().last().and_then(|event| event["error"]["code"].as_str().map(str::to_owned))
}

#[test]
fn a_match_over_several_events_is_replaced_where_it_ends() {
    let input = answer(&["My sec", "r", "et is 1", "2", "3, not 7."]);
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    let expected = answer(&["My ", "", "[s] is ", "", "#, not 7."]);
    assert_eq!(output.text(), expected, "every other byte stays");
    assert_eq!(output.ending, Ending::Complete);
    let spans: Vec<_> = output.verdicts.iter().map(|(kind, v)| (*kind, v.rule.to_string(), v.span.clone())).collect();
    assert_eq!(spans, [(ChannelKind::Text, "secret".into(), 3..9), (ChannelKind::Text, "number".into(), 13..16)]);
}

#[test]
fn escapes_hide_nothing_and_stay_as_they_are() {
    let input = answer(&[r"\u00e9 s\u0065", r"cr\u0065t\n\/ \ud83c\udf0d"]);
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(output.text(), answer(&[r"\u00e9 ", r"[s]\n\/ \ud83c\udf0d"]));
    let spelt_key = input.replace("\"content\"", "\"c\\u006fntent\"");
    let output = at_every_cut(&usual(), CHAT, spelt_key.as_bytes());
    assert_eq!(joined(&output, 0, "/delta/content"), "é [s]\n/ 🌍");
}

#[test]
fn halves_of_a_character_over_two_events() {
    let globe = policy([Rule::literal("globe", "🌍").redact("\"o\"")]);
    let input = answer(&[r"a\ud83c", "", r"\udf0db", r"lone \ud83c", "x"]);
    let output = at_every_cut(&globe, CHAT, input.as_bytes());
    assert_eq!(output.text(), answer(&["a", "", r#"\"o\"b"#, r"lone \ud83c", "x"]));
    let untouched = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(untouched.text(), input);
}

#[test]
fn choices_are_apart() {
    let mut input = String::new();
    for (a, b) in [("se", "1"), ("cr", "2"), ("et.", "sec"), ("", "ret")] {
        input += &delta_of(0, &format!("{{\"content\":\"{a}\"}}"));
        input += &delta_of(1, &format!("{{\"content\":\"{b}\"}}"));
    }
    input += &(finish(1, "stop") + &finish(0, "length") + DONE);
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(joined(&output, 0, "/delta/content"), "[s].");
    assert_eq!(joined(&output, 1, "/delta/content"), "#[s]");
    assert_eq!(finishes(&output), [(1, "stop".into()), (0, "length".into())]);
    assert!(output.text().ends_with(DONE));
}

#[test]
fn held_text_leaves_at_the_finish_and_before_it() {
    let output = at_every_cut(&usual(), CHAT, answer(&["It was se", "cre"]).as_bytes());
    assert_eq!(output.text(), answer(&["It was se", "cre"]));
    let input = content("4") + &finish(0, "stop").replace("{}", "{\"content\":\"2\"}") + DONE;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(joined(&output, 0, "/delta/content"), "#");
}

#[test]
fn a_policy_stop_ends_every_open_choice() {
    let input = delta_of(1, "{\"content\":\"other\"}") + &answer(&["It is for", "bidd", "en to say"]);
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert!(matches!(&output.ending, Ending::Terminated(verdict) if &*verdict.rule == "stop"));
    assert_eq!(joined(&output, 0, "/delta/content"), "It is ");
    assert_eq!(finishes(&output), [(0, "content_filter".into()), (1, "content_filter".into())]);
    assert!(output.text().ends_with(DONE));
    let last = output.events().pop().unwrap();
    let expected = json!({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 1, "delta": {}, "logprobs": null, "finish_reason": "content_filter"}]});
    assert_eq!(last, expected);
    assert_eq!(output.verdicts.len(), 1);
}

#[test]
fn a_policy_stop_at_every_event() {
    let words = ["One ", "two ", "three ", "four."];
    for at in 0..=words.len() {
        for word in ["forbidden", "for|bid|den"] {
            let mut deltas = words[..at].to_vec();
            deltas.extend(word.split('|'));
            deltas.extend(&words[at..]);
            let output = at_every_cut(&usual(), CHAT, answer(&deltas).as_bytes());
            assert_eq!(joined(&output, 0, "/delta/content"), words[..at].concat());
            assert_eq!(finishes(&output), [(0, "content_filter".into())]);
            assert!(output.text().ends_with(DONE));
            assert_eq!(output.text().matches("[DONE]").count(), 1);
        }
    }
}

#[test]
fn a_stop_that_only_the_end_decides() {
    let last = policy([Rule::regex("last", "bye$").terminate()]);
    for (input, reason) in [(answer(&["Good ", "bye"]), 1), (content("Good ") + &content("bye") + DONE, 1)] {
        let output = at_every_cut(&last, CHAT, input.as_bytes());
        assert!(matches!(output.ending, Ending::Terminated(_)));
        assert_eq!(joined(&output, 0, "/delta/content"), "Good ");
        assert_eq!(finishes(&output), vec![(0, "content_filter".to_owned()); reason]);
        assert!(output.text().ends_with(DONE) && output.text().matches("[DONE]").count() == 1);
    }
}

#[test]
fn usage_is_repeated_if_asked_for_and_never_invented() {
    let usage = |chunk: String| chunk.replace("\"choices\"", "\"usage\":{\"total_tokens\":7},\"choices\"");
    let options = || {
        let mut options = FilterOptions::default();
        options.usage_chunk = UsageChunk::Asked;
        options
    };
    let run = |input: String| filter(Filter::with_options(&usual(), CHAT, options()), [Bytes::from(input)]);
    let told = run(usage(content("a")) + &content("forbidden"));
    let last = told.events().pop().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(7)));
    let untold = run(content("a") + &content("forbidden"));
    assert!(!untold.text().contains("usage"));
    assert_eq!(finishes(&untold), [(0, "content_filter".into())]);
}

#[test]
fn an_upstream_that_breaks_off_never_looks_complete() {
    let input = answer(&["A sec", "ret and 1", "2 more"]);
    // From here on the finish is whole, though no blank line follows it.
    let finished = input.find("\"stop\"}]}").unwrap() + "\"stop\"}]}".len();
    let (last_word, done) = (input.find("[DONE]").unwrap(), input.find("DONE]").unwrap() + 5);
    for at in 0..input.len() {
        let output = cut(&usual(), CHAT, &input.as_bytes()[..at], 5);
        let text = joined(&output, 0, "/delta/content");
        assert!("A [s] and # more".starts_with(&text), "{text} at {at}");
        if (finished..=last_word).contains(&at) || at >= done {
            assert_eq!(output.ending, Ending::Complete, "at {at}");
        } else {
            assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated), "at {at}");
            assert_eq!(error_code(&output).as_deref(), Some("upstream_truncated"), "at {at}: {}", output.text());
            assert!(!output.text().contains("[DONE]"));
        }
    }
}

#[test]
fn failures_are_errors_that_the_client_understands() {
    let input = content("held sec");
    let cases = [
        (Ending::UpstreamFailed(Failure::Cut), Some("upstream_cut")),
        (Ending::TimedOut, Some("upstream_timeout")),
        (Ending::ClientGone, None),
    ];
    for (ending, code) in cases {
        let given = ending.clone();
        let output = end(Filter::new(&usual(), CHAT), [Bytes::from(input.clone())], |filter, now, notes| {
            filter.fail(given, now, notes);
        });
        assert_eq!(output.ending, ending);
        assert_eq!(error_code(&output).as_deref(), code);
        assert!(!output.text().contains("sec"));
    }
    // After the protocol's own end there is nothing left to say.
    let output = end(Filter::new(&usual(), CHAT), [Bytes::from(answer(&["a"]))], |filter, now, notes| {
        filter.fail(Ending::UpstreamFailed(Failure::Cut), now, notes);
    });
    assert_eq!(output.text(), answer(&["a"]));
}

#[test]
fn what_cannot_be_read_fails_closed() {
    let bad = [
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"secret\",\"content\":\"a\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"secret\",\"c\\u006fntent\":\"a\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"secret\"}}\n\n",
        "data: {\"choices\":[{\"index\":0.0,\"delta\":{\"content\":\"secret\"}}]}\n\n",
        "data: [DONE] secret\n\n",
    ];
    for event in bad {
        let output = at_every_cut(&policy([Rule::literal("x", "xyzzy")]), CHAT, (content("Hi") + event).as_bytes());
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Malformed), "{event}");
        assert!(output.text().starts_with(&content("Hi")) && !output.text().contains("secret"));
        assert_eq!(error_code(&output).as_deref(), Some("upstream_malformed"));
    }
    // Text after a finish would be joined to what was decided without it.
    let after = answer(&["se"]) + &content("cret");
    assert_eq!(cut(&usual(), CHAT, after.as_bytes(), 9).ending, Ending::UpstreamFailed(Failure::Malformed));
}

#[test]
fn an_error_of_the_upstream_is_passed_on_without_what_it_quotes() {
    let error =
        "data: {\"error\":{\"message\":\"saw secret\",\"type\":\"t\",\"code\":5,\"failed\":[\"a secret\"]}}\n\n";
    let output = at_every_cut(&usual(), CHAT, (content("Hi se") + error + DONE).as_bytes());
    assert_eq!(output.text(), content("Hi se") + &error.replace("secret", "[s]") + DONE);
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Reported));
}

#[test]
fn limits_fail_closed() {
    let mut options = FilterOptions::default();
    options.limits.event_bytes = 200;
    let large = content(&"x".repeat(200));
    let output = filter(Filter::with_options(&usual(), CHAT, options.clone()), [Bytes::from(content("a") + &large)]);
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Malformed));
    assert!(!output.text().contains("xx"));

    options.limits.held_events = 3;
    let held = policy([Rule::regex("long", "s[0-9]{100}")]);
    let input: String = ["s", "1", "2", "3", "4"].map(content).concat();
    let output = filter(Filter::with_options(&held, CHAT, options), [Bytes::from(input)]);
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Overflow));
    assert_eq!(error_code(&output).as_deref(), Some("moderation_overflow"));
    assert_eq!(joined(&output, 0, "/delta/content"), "");
}

#[test]
fn tool_calls_leave_whole_or_not_at_all() {
    let call = |index: u32, args: &str| {
        delta_of(0, &format!("{{\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":\"{args}\"}}}}]}}"))
    };
    let head = |index: u32| {
        let name = format!("{{\"tool_calls\":[{{\"index\":{index},\"id\":\"call_{index}\",\"type\":\"function\",");
        delta_of(0, &(name + "\"function\":{\"name\":\"pay\",\"arguments\":\"\"}}]}"))
    };
    let input = content("Paying.")
        + &head(0)
        + &call(0, "{\\\"to\\\":\\\"al")
        + &call(0, "ice\\\"}")
        + &head(1)
        + &call(1, "{\\\"to\\\":\\\"for")
        + &call(1, "bidden\\\"}")
        + &finish(0, "tool_calls")
        + DONE;
    let run = |tool_calls: Option<ToolCalls>| {
        let mut options = FilterOptions::default();
        options.tool_calls = tool_calls;
        filter(Filter::with_options(&usual(), CHAT, options), input.as_bytes().chunks(7).map(Bytes::copy_from_slice))
    };
    let arguments = |output: &Output, call: u64| -> String {
        let calls = output.events().into_iter().filter_map(|e| e.pointer("/choices/0/delta/tool_calls/0").cloned());
        let of_call = calls.filter(|tool| tool["index"] == json!(call));
        of_call.filter_map(|tool| tool["function"]["arguments"].as_str().map(str::to_owned)).collect()
    };
    let atomic = run(None);
    assert!(!atomic.text().contains("call_"), "a choice that is stopped makes no call: {}", atomic.text());
    assert_eq!(finishes(&atomic), [(0, "content_filter".into())]);
    let streamed = run(Some(ToolCalls::Streamed));
    assert_eq!(arguments(&streamed, 1), "{\"to\":\"");
    assert_eq!(
        error_code(&streamed).as_deref(),
        Some("content_filter"),
        "an error, for no finish may follow half a call"
    );
    assert!(!streamed.text().contains("[DONE]"));
    assert!(matches!(streamed.ending, Ending::Terminated(_)));
}

#[test]
fn arguments_are_redacted_inside_and_stay_json() {
    let call = |args: &str| {
        delta_of(0, &format!("{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":{}}}}}]}}", json!(args)))
    };
    let fragments = ["{\"note\": \"a se", "cr\\u00", "65t\", \"n\": 1", "2", "3, \"ok\": true, \"m\": 7", "}"];
    let input = fragments.map(call).concat() + &finish(0, "tool_calls") + DONE;
    let redact =
        policy([Rule::literal("secret", "secret").redact("\"s\""), Rule::regex("number", "[0-9]{2,}").redact("#")]);
    let output = at_every_cut(&redact, CHAT, input.as_bytes());
    let args = joined(&output, 0, "/delta/tool_calls/0/function/arguments");
    let args: Value = serde_json::from_str(&args).expect("what leaves is JSON");
    assert_eq!(args, json!({"note": "a \"s\"", "n": "#", "ok": true, "m": 7}));
    let kinds: Vec<_> = output.verdicts.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [ChannelKind::ToolArgs; 2]);
}

#[test]
fn every_place_for_text_is_watched() {
    let places = [
        r#"{"refusal":"a secret"}"#,
        r#"{"reasoning_content":"a secret"}"#,
        r#"{"reasoning":"a secret"}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","text":"a secret"}]}"#,
        r#"{"content":[{"type":"text","text":"a secret"}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a secret"}]}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"a secret"}}]}"#,
        r#"{"tool_calls":[{"index":0,"custom":{"name":"f","input":"a secret"}}]}"#,
        r#"{"function_call":{"name":"f","arguments":"{\"a\":\"a secret\"}"}}"#,
        r#"{"audio":{"transcript":"a secret"}}"#,
        r#"{"unheard_of":"a secret"}"#,
        r#"{"unheard_of":{"deep":["a secret"]}}"#,
        r#"{"unheard_of":{"a secret":1}}"#,
        r#"{"role":["a secret"]}"#,
        r#"{"content":["a secret"]}"#,
        r#"{"thinking_blocks":[{"type":"thinking","thinking":"a secret"}]}"#,
    ];
    for place in places {
        let output = at_every_cut(&usual(), CHAT, (delta_of(0, place) + &finish(0, "stop") + DONE).as_bytes());
        assert_eq!(output.text(), delta_of(0, &place.replace("secret", "[s]")) + &finish(0, "stop") + DONE);
        assert_eq!(output.verdicts.len(), 1, "{place}");
    }
    let outside = [r#"{"unheard_of":"a secret","choices":[]}"#, r#"{"citations":["a secret"],"choices":[]}"#];
    for event in outside.map(|event| format!("data: {event}\n\n")) {
        let output = at_every_cut(&usual(), CHAT, (event.clone() + &answer(&["a"])).as_bytes());
        assert_eq!(output.text(), event.replace("secret", "[s]") + &answer(&["a"]));
    }
}

#[test]
fn an_unknown_member_of_the_delta_is_a_channel_that_stalls_nothing() {
    let unknown = |text: &str| delta_of(0, &format!("{{\"unheard_of\":\"{text}\"}}"));
    let input = unknown("a sec") + &unknown("ret") + &unknown(" se") + &content("Hello") + &finish(0, "stop") + DONE;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(joined(&output, 0, "/delta/unheard_of"), "a [s] se");
    // The held `se` has left when the next event came without the member.
    let output =
        end(Filter::new(&usual(), CHAT), [Bytes::from(unknown("se") + &content("Hello"))], |filter, now, notes| {
            filter.fail(Ending::ClientGone, now, notes);
        });
    assert_eq!(output.text(), unknown("se") + &content("Hello"));
}

#[test]
fn a_thought_does_not_hold_up_the_answer() {
    let thought = |text: &str| delta_of(0, &format!("{{\"content\":\"\",\"reasoning_content\":\"{text}\"}}"));
    let gone = |input: String| {
        end(Filter::new(&usual(), CHAT), [Bytes::from(input)], |filter, now, notes| {
            filter.fail(Ending::ClientGone, now, notes);
        })
    };
    assert_eq!(gone(thought("so s") + &content("Hello ")).text(), thought("so s") + &content("Hello "));
    assert_eq!(gone(thought("so s") + &thought("e")).text(), "", "while it goes on it is held");
    // A thought that goes on is moderated as if there had been nothing between.
    let input = thought("so s") + &content("Hello ") + &thought("ay 1") + &thought("2 a sec") + &thought("ret");
    let output = at_every_cut(&usual(), CHAT, (input + &finish(0, "stop") + DONE).as_bytes());
    assert_eq!(joined(&output, 0, "/delta/reasoning_content"), "so say # a [s]");
    // A match that reaches back over the answer fails closed.
    let input = thought("so sec") + &content("Hello ") + &thought("ret");
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Malformed));
    assert!(!output.text().contains("ret\""));
}

#[test]
fn side_data_goes_with_the_text_that_it_is_about() {
    let event = |text: &str, token: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\",\"token_id\":7}},\"logprobs\":{{\"content\":[\
             {{\"token\":\"{token}\",\"logprob\":-0.1,\"bytes\":{:?},\"top_logprobs\":[]}}]}},\"token_ids\":[1,2]}}]}}\n\n",
            token.as_bytes()
        )
    };
    let bare = |text: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\",\"token_id\":null}},\"logprobs\":null,\
             \"token_ids\":[]}}]}}\n\n"
        )
    };
    let input = event("a ", "a ")
        + &event("sec", "sec")
        + &event("ret", "ret")
        + &event(" b", " b")
        + &finish(0, "stop")
        + DONE;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    let expected = event("a ", "a ") + &bare("") + &bare("[s]") + &event(" b", " b") + &finish(0, "stop") + DONE;
    assert_eq!(output.text(), expected);
    assert_eq!(output.verdicts.len(), 1, "the tokens repeat the text, and are not counted again");
    // Tokens that say more than the text does are moderated for themselves.
    let input = event("a ", "a secret") + &finish(0, "stop") + DONE;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert!(output.text().contains("\"logprobs\":null") && !output.text().contains("115"));
}

#[test]
fn a_snapshot_never_shows_what_the_deltas_hold() {
    let both = |delta: &str, snapshot: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{snapshot}\"}},\
             \"delta\":{{\"content\":\"{delta}\"}}}}]}}\n\n"
        )
    };
    let parts = ["My ", "sec", "ret is", " 1", "2", "3."];
    for habit in ["grows", "deltas"] {
        let mut input = String::new();
        for (i, part) in parts.iter().enumerate() {
            input += &both(part, if habit == "grows" { parts[..=i].concat() } else { part.to_string() }.as_str());
        }
        input += &(finish(0, "stop") + DONE);
        let output = at_every_cut(&usual(), CHAT, input.as_bytes());
        let deltas = ["My ", "", "[s] is", " ", "", "#."];
        let mut so_far = String::new();
        for (event, delta) in output.events().iter().zip(deltas) {
            so_far += delta;
            assert_eq!(event["choices"][0]["delta"]["content"], json!(delta), "{habit}");
            let snapshot = if habit == "grows" { &so_far } else { delta };
            assert_eq!(event["choices"][0]["message"]["content"], json!(snapshot), "{habit}");
        }
        assert_eq!(output.verdicts.len(), 2, "{habit}");
    }
}

#[test]
fn lines_beside_the_data_are_watched_too() {
    let input = format!(": a secret\n\n:ok\nevent: x\nid: secret\nretry: 5\nsecret: y\n{}{DONE}", content("a"));
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(output.text(), format!("\n:ok\nevent: x\nretry: 5\n{}{DONE}", content("a")));
    let (first, last) = (content("a"), finish(0, "stop") + DONE);
    let plain = format!("{first}data: a secret\ndata: in sec\ndata: rets and 12\n\n{last}");
    let output = at_every_cut(&usual(), CHAT, plain.as_bytes());
    assert_eq!(output.text(), format!("{first}data: a [s]\ndata: in sec\ndata: rets and #\n\n{last}"));
}

#[test]
fn line_ends_folding_and_order_marks_stay() {
    let folded = "\u{feff}data: {\"choices\": [\r\ndata: {\"delta\": {\"content\":\r\n: x\r\ndata:\"a secret\", \"token_id\":\r\ndata: 5},\r\ndata:\"index\":0}]}\r\n\r\n";
    let expected = "\u{feff}data: {\"choices\": [\r\ndata: {\"delta\": {\"content\":\r\n: x\r\ndata:\"a [s]\", \"token_id\":\r\ndata: null},\r\ndata:\"index\":0}]}\r\n\r\n";
    let end = (finish(0, "stop") + DONE).replace('\n', "\r\n");
    let output = at_every_cut(&usual(), CHAT, (folded.to_owned() + &end).as_bytes());
    assert_eq!(output.text(), expected.to_owned() + &end);
    // The filter's own events end their lines as the stream does.
    let stopped = at_every_cut(&usual(), CHAT, content("forbidden").replace('\n', "\r\n").as_bytes());
    assert!(stopped.text().ends_with("data: [DONE]\r\n\r\n"));
}

#[test]
fn signatures_do_not_outlive_an_edit() {
    let details = |text: &str, signature: &str| {
        delta_of(
            0,
            &format!("{{\"reasoning_details\":[{{\"index\":0,\"text\":\"{text}\",\"signature\":{signature}}}]}}"),
        )
    };
    let end = finish(0, "stop") + DONE;
    let input = details("a sec", "null") + &details("ret", "null") + &details("", "\"abc\"") + &end;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(output.text(), details("a ", "null") + &details("[s]", "null") + &details("", "\"\"") + &end);
    let clean = details("a", "null") + &details("", "\"abc\"") + &end;
    assert_eq!(at_every_cut(&usual(), CHAT, clean.as_bytes()).text(), clean);
}

#[test]
fn events_of_no_dialect_fail_closed_or_are_moderated_alone() {
    let whole = delta_of(0, r#"{"content":"a sec"}"#);
    let other = [
        r#"{"response":"a sec"}"#,
        r#""a sec""#,
        "a sec",
        r#"{"choices":"a sec"}"#,
        &format!("[{}]", whole.trim().trim_start_matches("data: ")),
    ];
    for data in other {
        let input = format!(": ping\n\ndata:\n\ndata: {data}\n\ndata: {}\n\n", data.replace("a sec", "ret"));
        let mut options = FilterOptions::default();
        options.other_events = OtherEvents::Refuse;
        for dialect in [CHAT, None] {
            let output = filter(Filter::with_options(&usual(), dialect, options.clone()), [Bytes::from(input.clone())]);
            assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Unknown), "{data}");
            assert_eq!(error_code(&output).as_deref(), Some("upstream_unknown"));
            assert!(!output.text().contains("sec"), "{}", output.text());
            let output = at_every_cut(&usual(), dialect, input.as_bytes());
            assert_eq!((output.text(), output.ending), (input.clone(), Ending::Complete));
        }
    }
    // Between events of the dialect others are moderated one by one.
    let between = |text: &str| format!("{}event: x\ndata: {{\"x\":\"{text}\"}}\n\n{}", content("a"), answer(&["b"]));
    assert_eq!(at_every_cut(&usual(), CHAT, between("a secret").as_bytes()).text(), between("a [s]"));
    // An error may come first, and so may the end.
    let error = "data: {\"error\":{\"message\":\"no\"}}\n\n";
    assert_eq!(at_every_cut(&usual(), CHAT, error.as_bytes()).text(), error);
    assert_eq!(at_every_cut(&usual(), CHAT, DONE.as_bytes()).text(), DONE);
}

#[test]
fn nothing_follows_an_ending() {
    let error = |text: &str| format!("data: {{\"error\":{{\"message\":\"{text}\"}}}}\n\n");
    let reported = content("Hi") + &error("no");
    let more = [
        content("more"),
        finish(0, "stop"),
        error("again"),
        "data: [DONE] more\n\n".to_owned(),
        "data: {\"choices\":[}\n\n".to_owned(),
    ];
    for more in more {
        let output = at_every_cut(&usual(), CHAT, (reported.clone() + &more + DONE).as_bytes());
        assert_eq!((output.text(), output.ending), (reported.clone(), Ending::UpstreamFailed(Failure::Reported)));
        let ended = answer(&["Hi"]);
        let output = at_every_cut(&usual(), CHAT, (ended.clone() + &more).as_bytes());
        assert_eq!((output.text(), output.ending), (ended, Ending::UpstreamFailed(Failure::Malformed)));
    }
    // An error that says what the policy forbids is an ending all the same.
    let output = at_every_cut(&usual(), CHAT, (content("Hi") + &error("so forbidden it") + DONE).as_bytes());
    assert_eq!(output.text(), content("Hi") + &error("so "));
    assert!(matches!(output.ending, Ending::Terminated(_)));
    // What fails after the error has been said.
    let output = end(Filter::new(&usual(), CHAT), [Bytes::from(reported.clone())], |filter, now, notes| {
        filter.fail(Ending::UpstreamFailed(Failure::Cut), now, notes);
    });
    assert_eq!(output.text(), reported);
}

#[test]
fn a_choice_may_go_on_after_a_finish() {
    let chunk = |text: &str| content(text).replace("null", "\"stop\"");
    let input =
        [chunk("a se"), chunk("lf, 1"), chunk("x"), chunk(" a secret"), chunk(" bye"), DONE.to_owned()].concat();
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(output.text(), input.replace("secret", "[s]"));
    assert_eq!((output.ending, output.verdicts.len()), (Ending::Complete, 1));
    // A match that reaches back over the finish fails closed.
    let output = at_every_cut(&usual(), CHAT, (chunk("a sec") + &chunk("ret") + DONE).as_bytes());
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Malformed));
    assert_eq!(joined(&output, 0, "/delta/content"), "a sec");
    // Text after the last finish is no end.
    let output = at_every_cut(&usual(), CHAT, (chunk("a") + &content("b")).as_bytes());
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated));
}

/// Streams with a byte changed here and there: never a panic, the same at every cut, and always an ending.
#[test]
fn mangled_streams() {
    let seed = std::env::var("HOLDBACK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(6u64);
    println!("HOLDBACK_SEED={seed}");
    let mut state = seed | 1;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % bound
    };
    let details = r#"{"reasoning":"a se","reasoning_details":[{"index":0,"text":"a se","signature":"x"}],"x":"12"}"#;
    let call = r#"{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{\"a\": 1"}}]}"#;
    let more = r#"{"tool_calls":[{"index":0,"function":{"arguments":"2, \"b\": \"s\\u0065cret\"}"}}],"token_id":3}"#;
    let stream = [
        ": ping\r\n\r\n".to_owned(),
        delta_of(0, details),
        content(r"\ud83c"),
        content(r"\udf0d sec"),
        content("ret forbid"),
        delta_of(1, call),
        delta_of(1, more),
        "data: {\"choices\":[{\"index\":0,\"message\":{\"content\":\"\"},\"logprobs\":{\"content\":[{\"token\":\"se\"}]}}]}\n\n".to_owned(),
        finish(0, "stop"),
        finish(1, "tool_calls"),
        DONE.to_owned(),
    ]
    .concat();
    let pieces = [
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\n",
        "\r",
        "\n\n",
        "data: ",
        "0",
        "secret",
        "forbidden",
        "\u{feff}",
        "é",
    ];
    for _ in 0..3_000 {
        let mut bytes = stream.clone().into_bytes();
        for _ in 0..1 + below(3) {
            let at = below(bytes.len());
            match below(3) {
                0 => bytes[at] = below(256) as u8,
                1 => drop(bytes.splice(at..at, pieces[below(pieces.len())].bytes())),
                _ => drop(bytes.drain(at..(at + 1 + below(40)).min(bytes.len()))),
            }
        }
        let whole = cut(&usual(), CHAT, &bytes, bytes.len());
        let size = 1 + below(60);
        assert_eq!(cut(&usual(), CHAT, &bytes, size), whole, "at {size}: {}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn a_snapshot_of_arguments_is_cut_as_arguments_are() {
    let snapshot = |args: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"message\":{{\"tool_calls\":[{{\"index\":0,\"function\":\
             {{\"name\":\"g\",\"arguments\":{}}}}}]}}}}]}}\n\n",
            json!(args)
        )
    };
    for (args, expected) in [
        (r#"{"n":"l\nl\nl","code":"secret"}"#, json!({"n": "l\nl\nl", "code": "[s]"})),
        (r#"{"x":4242}"#, json!({"x": "#"})),
    ] {
        let output = at_every_cut(&usual(), CHAT, (snapshot(args) + &finish(0, "tool_calls") + DONE).as_bytes());
        let args = joined(&output, 0, "/message/tool_calls/0/function/arguments");
        assert_eq!(serde_json::from_str::<Value>(&args).expect("what leaves is JSON"), expected);
    }
}

#[test]
fn a_call_that_has_only_begun_is_half_a_call() {
    let call = delta_of(0, r#"{"tool_calls":[{"index":0,"function":{"name":"delete_all","arguments":""}}]}"#);
    let policy = Policy::builder()
        .rule(Rule::literal("stop", "forbidden").channels([ChannelKind::Text]).terminate())
        .build()
        .expect("the rule is well formed");
    let output = at_every_cut(&policy, CHAT, (call + &content("forbidden") + DONE).as_bytes());
    assert_eq!(error_code(&output).as_deref(), Some("content_filter"), "{}", output.text());
    assert!(!output.text().contains("[DONE]"));
}

#[test]
fn parallel_calls_may_come_interleaved() {
    let call = |index: u32, function: &str| {
        delta_of(0, &format!("{{\"tool_calls\":[{{\"index\":{index},\"function\":{function}}}]}}"))
    };
    let input = [
        call(0, r#"{"name":"g","arguments":"{\"a\":"}"#),
        call(1, r#"{"name":"h","arguments":"{\"b\":"}"#),
        call(0, r#"{"arguments":"1}"}"#),
        call(1, r#"{"arguments":"2}"}"#),
        finish(0, "tool_calls"),
        DONE.into(),
    ]
    .concat();
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!((output.text(), &output.ending), (input.clone(), &Ending::Complete));
    let stopped =
        [&input[..input.find("2}").expect("the last part")], "\\\"forbidden\\\"}\"}}]},\"finish_reason\":null}]}\n\n"]
            .concat();
    let output = at_every_cut(&usual(), CHAT, (stopped + DONE).as_bytes());
    assert!(!output.text().contains("function"), "{}", output.text());
    assert_eq!(output.text().matches(r#""tool_calls":[]"#).count(), 4, "{}", output.text());
}

#[test]
fn spellings_that_only_some_clients_read_hide_nothing() {
    let call = |arguments: &str| {
        let delta = json!({"tool_calls": [{"index": 0, "function": {"name": "g", "arguments": arguments}}]});
        delta_of(0, &delta.to_string()) + &finish(0, "tool_calls") + DONE
    };
    for word in ["NaN", "Infinity", "-Infinity"] {
        let input = call(&format!("{{\"x\":{word},\"a\":\"\\u0073ecret\"}}"));
        let output = at_every_cut(&usual(), CHAT, input.as_bytes());
        assert!(output.text().contains(&format!("{word},\\\"a\\\":\\\"[s]")), "{}", output.text());
    }
    let bytes = "115.0,1.01e2,99,114,101,116";
    let token = format!("{{\"token\":\"x\",\"bytes\":[{bytes}]}}");
    let input = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"\"}},\"logprobs\":{{\"content\":[{token}]}}}}]}}\n\n"
    );
    let output = at_every_cut(&usual(), CHAT, (input + &finish(0, "stop") + DONE).as_bytes());
    assert!(!output.text().contains(bytes), "{}", output.text());
}

#[test]
fn what_an_event_names_is_not_left_behind() {
    let both =
        |reasoning: &str, content: &str| delta_of(0, &json!({"reasoning": reasoning, "content": content}).to_string());
    let input = both("a sec", "x") + &both("ret", "y") + &finish(0, "stop") + DONE;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(joined(&output, 0, "/delta/reasoning"), "a [s]");
    let musing = |text: &str| delta_of(0, &json!({"musing": text}).to_string());
    let input = musing("a sec") + &musing("") + &musing("ret") + &finish(0, "stop") + DONE;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(joined(&output, 0, "/delta/musing"), "a [s]");
}

#[test]
fn a_text_may_go_on_as_an_array_of_parts() {
    let parts = |parts: &str| delta_of(0, &format!("{{\"content\":{parts}}}"));
    let input =
        content("a sec") + &parts(r#"[{"type":"text","text":"re"},"t"]"#) + &content("!") + &finish(0, "stop") + DONE;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    let expected =
        content("a ") + &parts(r#"[{"type":"text","text":""},"[s]"]"#) + &content("!") + &finish(0, "stop") + DONE;
    assert_eq!(output.text(), expected);
}

#[test]
fn a_tool_name_may_come_in_pieces() {
    let call = |function: &str| delta_of(0, &format!("{{\"tool_calls\":[{{\"index\":0,\"function\":{function}}}]}}"));
    let arguments = call(r#"{"arguments":"{}"}"#);
    let end = arguments + &finish(0, "tool_calls") + DONE;
    let input = call(r#"{"name":"sec"}"#) + &call(r#"{"name":"ret"}"#) + &end;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(output.text(), call(r#"{"name":""}"#) + &call(r#"{"name":"[s]"}"#) + &end);
}

#[test]
fn arguments_may_be_a_json_value() {
    let scoped = policy([
        Rule::literal("secret", "secret").channels([ChannelKind::ToolArgs]).redact("<\"s\">"),
        Rule::regex("number", r"[0-9]{2,}").channels([ChannelKind::ToolArgs]).redact("#"),
    ]);
    let call = |arguments: &str| {
        delta_of(
            0,
            &format!("{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"name\":\"f\",\"arguments\":{arguments}}}}}]}}"),
        )
    };
    let end = finish(0, "tool_calls") + DONE;
    let input = call(r#"{"a secret":["b\u0020secret",123, -4.56e7,7,true]}"#) + &end;
    let output = at_every_cut(&scoped, CHAT, input.as_bytes());
    let expected = call(r##"{"a <\"s\">":["b\u0020<\"s\">","#", "-4.#e7",7,true]}"##) + &end;
    assert_eq!(output.text(), expected);
    assert!(output.verdicts.iter().all(|(kind, _)| *kind == ChannelKind::ToolArgs));
}

#[test]
fn numbers_that_the_dialect_does_not_know_are_texts() {
    let input = delta_of(0, r#"{"content":1234,"unheard_of":[5,678]}"#) + &finish(0, "stop") + DONE;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    let expected = delta_of(0, r##"{"content":"#","unheard_of":[5,"#"]}"##) + &finish(0, "stop") + DONE;
    assert_eq!(output.text(), expected);
}

#[test]
fn keys_that_were_told_apart_still_are() {
    for (came, leaves) in [
        (r#"{"11":1,"22":2,"a":3}"#, r##"{"#":1,"# (2)":2,"a":3}"##),
        (r##"{"11":1,"#":2}"##, r##"{"# (2)":1,"#":2}"##),
        (r#"{"11":{"22":1},"b":{"33":2}}"#, r##"{"#":{"#":1},"b":{"#":2}}"##),
    ] {
        let stream = |member: &str| delta_of(0, &format!("{{\"unheard_of\":{member}}}")) + &finish(0, "stop") + DONE;
        assert_eq!(at_every_cut(&usual(), CHAT, stream(came).as_bytes()).text(), stream(leaves));
    }
}

#[test]
fn a_half_call_takes_nothing_else_with_it() {
    let both = |calls: &str| {
        format!(
            "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"one\"}}}},\
             {{\"index\":1,\"delta\":{{\"content\":\"two\",\"tool_calls\":{calls}}}}}]}}\n\n"
        )
    };
    let calls = r#"[{"index":0,"function":{"name":"f","arguments":"{\"a"}},{"index":1,"function":{"name":"g"}}]"#;
    let output = at_every_cut(&usual(), CHAT, (both(calls) + &content("forbidden")).as_bytes());
    assert!(output.text().starts_with(&both("[]")), "{}", output.text());
    assert_eq!(finishes(&output), [(0, "content_filter".to_owned()), (1, "content_filter".to_owned())]);
}

#[test]
fn texts_that_alternate_may_be_made_to_wait() {
    let reasoning = |text: &str| delta_of(0, &format!("{{\"reasoning\":\"{text}\"}}"));
    let input = reasoning("a sec") + &content("b") + &reasoning("ret") + &finish(0, "stop") + DONE;
    let mut options = FilterOptions::default();
    options.later_kinds = LaterKinds::Wait;
    let mut filter = Filter::with_options(&usual(), CHAT, options);
    let mut out = Vec::new();
    for event in input.split_inclusive("\n\n") {
        filter.push(event.to_owned().into(), Instant::now(), &mut ());
        out.extend(std::iter::from_fn(|| filter.pop()).flatten());
    }
    let expected = reasoning("a ") + &content("b") + &reasoning("[s]") + &finish(0, "stop") + DONE;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let failed = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(failed.ending, Ending::UpstreamFailed(Failure::Malformed), "the head has left: fails closed");
}

#[test]
fn an_event_of_very_many_choices_is_read_in_one_go() {
    let one = r#"{"index":0,"delta":{"content":"a"}},"#;
    let input = format!("data: {{\"choices\":[{}{}]}}\n\n", one.repeat(60_000), one.trim_end_matches(','));
    let output = cut(&usual(), CHAT, (input.clone() + &finish(0, "stop") + DONE).as_bytes(), usize::MAX);
    assert!(output.text().starts_with(&input));
}

#[test]
fn long_deltas_may_leave_in_two_parts() {
    let mut options = FilterOptions::default();
    options.split_bytes = std::num::NonZeroUsize::new(10);
    let split = |chunks: &[String]| {
        let chunks = chunks.iter().cloned().map(Bytes::from);
        filter(Filter::with_options(&usual(), CHAT, options.clone()), chunks)
    };
    let long = content("A \\u00e9long delta, se");
    let end = finish(0, "stop") + DONE;
    let output = split(&[long.clone(), content("cret and more") + &end]);
    let expected = content("A \\u00e9long delta, ") + &content("") + &content("[s] and more") + &end;
    assert_eq!(output.text(), expected);
    // Twice, with a match in what is decided, and the rest is none.
    let output = split(&[content("a secret, 123 and more, and more 4"), content(" secr") + &content("et") + &end]);
    let rest = content("4") + &content(" ") + &content("[s]");
    assert_eq!(output.text(), content("a [s], # and more, and more ") + &rest + &end);
    // Too little is decided, or it says more than a delta.
    let short = content("short se") + &content("ction") + &end;
    assert_eq!(split(std::slice::from_ref(&short)).text(), short);
    let last = delta_of(0, r#"{"content":"A long delta, se","refusal":""}"#);
    let other = last.clone() + &content("ction") + &end;
    assert_eq!(split(std::slice::from_ref(&other)).text(), other);
    let marked = "\u{feff}".to_owned() + &long;
    assert_eq!(split(&[marked.clone(), end.clone()]).text(), marked + &end, "its mark would stand there twice");
    assert_eq!(split(&[long, end.clone()]).text(), content("A \\u00e9long delta, ") + &content("se") + &end);
}

#[test]
fn citations_move_with_what_is_cut_before_them() {
    let cited = |text: &str, spans: &[(u64, u64)]| {
        let annotation = |&(start, end): &(u64, u64)| {
            json!({"type": "url_citation", "url_citation":
                {"end_index": end, "start_index": start, "title": "a secret", "url": "https://a.example"}})
        };
        let annotations: Vec<Value> = spans.iter().map(annotation).collect();
        delta_of(0, &json!({"content": text, "annotations": annotations}).to_string())
    };
    let spans = |output: &Output| -> Vec<(u64, u64)> {
        let of = |event: Value| event.pointer("/choices/0/delta/annotations").and_then(Value::as_array).cloned();
        let citation = |annotation: Value| {
            assert_eq!(annotation["url_citation"]["title"], json!("a [s]"));
            let at = |name: &str| annotation["url_citation"][name].as_u64().unwrap();
            (at("start_index"), at("end_index"))
        };
        output.events().into_iter().filter_map(of).flatten().map(citation).collect()
    };
    let end = finish(0, "stop") + DONE;
    // Code points: the first is of four bytes and two UTF-16 units, `secret` is at 5..11 and becomes three long.
    let (head, tail) = ("\u{1d11e}é a sec", "ret, é \u{1d11e} b");
    let input = content(head) + &cited(tail, &[(0, 4), (13, 14), (15, 18), (0, 18), (5, 11), (6, 7), (11, 12)]) + &end;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(joined(&output, 0, "/delta/content"), "\u{1d11e}é a [s], é \u{1d11e} b");
    assert_eq!(spans(&output), [(0, 4), (10, 11), (12, 15), (15, 15), (8, 8), (8, 8), (8, 9)]);
    // Text that is escaped, and citations behind it, in the event that finishes.
    let input = content(r"\ud834\udd1e s\u0065cret") + &cited("", &[(0, 1), (2, 8)]) + &content(" 42!") + &end;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    assert_eq!(spans(&output), [(0, 1), (5, 5)]);
    // Beyond the text: no one knows what they speak of, once it has been cut.
    let output = at_every_cut(&usual(), CHAT, (content("a ") + &cited("b", &[(2, 3), (2, 40)]) + &end).as_bytes());
    assert_eq!(spans(&output), [(2, 3), (0, 0)], "the title is cut");
}

#[test]
fn a_call_that_is_stopped_at_its_end_is_half_a_call() {
    let call =
        delta_of(0, r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"a\":\"forbidden\"}"}}]}"#);
    let policy = policy([Rule::regex("stop", r#"forbidden"\}\z"#).terminate()]);
    let output = at_every_cut(&policy, CHAT, (call + &finish(0, "tool_calls") + DONE).as_bytes());
    assert!(!output.text().contains("function"), "{}", output.text());
}

#[test]
fn a_thought_may_be_parts_of_the_content() {
    let thought = |text: &str, rest: &str| {
        delta_of(0, &format!("{{\"content\":[{{\"type\":\"thinking\",\"thinking\":[{{\"type\":\"text\",\"text\":\"{text}\"}}]{rest}}}]}}"))
            .replace("\"choices\"", "\"p\":\"ab12\",\"choices\"")
    };
    let closed = ",\"closed\":true";
    let input =
        thought("a sec", "") + &thought("ret", closed) + &content("4") + &content("2") + &finish(0, "stop") + DONE;
    let output = at_every_cut(&usual(), CHAT, input.as_bytes());
    let expected =
        thought("a ", "") + &thought("[s]", closed) + &content("") + &content("#") + &finish(0, "stop") + DONE;
    assert_eq!(output.text(), expected, "Mistral's");
    assert_eq!(output.verdicts[0].0, ChannelKind::Reasoning);
}
