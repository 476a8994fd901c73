//! OpenAI's Responses API as streams and documents, written by hand: each case whole, at every cut in two, and byte by
//! byte.

mod drive;

use bytes::Bytes;
use drive::{Output, at_every_cut, cut, end, filter};
use holdback::policy::ChannelKind;
use holdback::wire::{Failure, FilterOptions, Framing, ToolCalls};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use serde_json::{Value, json};

const RESPONSES: Option<Dialect> = Some(Dialect::OpenAiResponses);

/// Redacts `secret` and numbers of two digits or more; ends at `forbidden`.
fn usual() -> Policy {
    let rules = [
        Rule::literal("secret", "secret").redact("[s]"),
        Rule::regex("number", r"[0-9]{2,}").redact("#"),
        Rule::literal("stop", "forbidden").terminate(),
    ];
    Policy::builder().rules(rules).build().unwrap()
}

/// An event whose number is still to be told.
fn event(kind: &str, members: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{members},\"sequence_number\":@}}\n\n")
}

/// Numbers the events of a stream.
fn numbered(stream: impl AsRef<str>) -> String {
    let mut pieces = stream.as_ref().split('@');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.enumerate().fold(first, |stream, (number, piece)| stream + &number.to_string() + piece)
}

fn answer(status: &str, output: &str) -> String {
    format!(
        "\"response\":{{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1,\"status\":\"{status}\",\"error\":null,\
         \"incomplete_details\":null,\"instructions\":\"be kind\",\"model\":\"m\",\"output\":[{output}],\"tools\":[],\
         \"usage\":null,\"metadata\":{{}}}}"
    )
}

fn begin() -> String {
    event("response.created", &answer("in_progress", "")) + &event("response.in_progress", &answer("in_progress", ""))
}

fn complete(output: &str) -> String {
    event("response.completed", &answer("completed", output))
}

fn add(index: u32, item: &str) -> String {
    event("response.output_item.added", &format!("\"output_index\":{index},\"item\":{item}"))
}

fn done(index: u32, item: &str) -> String {
    event("response.output_item.done", &format!("\"output_index\":{index},\"item\":{item}"))
}

/// An event about a part of an item.
fn of_part(kind: &str, [output, content]: [u32; 2], members: &str) -> String {
    let about = format!("\"item_id\":\"i{output}\",\"output_index\":{output},\"content_index\":{content},{members}");
    event(kind, &about)
}

fn message(index: u32, status: &str, content: &str) -> String {
    format!(
        "{{\"id\":\"i{index}\",\"type\":\"message\",\"status\":\"{status}\",\"content\":[{content}],\"role\":\"assistant\"}}"
    )
}

fn text_part(text: &str) -> String {
    format!("{{\"type\":\"output_text\",\"text\":\"{text}\",\"annotations\":[],\"logprobs\":[]}}")
}

fn delta(index: u32, text: &str) -> String {
    of_part("response.output_text.delta", [index, 0], &format!("\"delta\":\"{text}\",\"logprobs\":[]"))
}

fn open_message(index: u32) -> String {
    add(index, &message(index, "in_progress", ""))
        + &of_part("response.content_part.added", [index, 0], &format!("\"part\":{}", text_part("")))
}

fn close_message(index: u32, text: &str) -> String {
    of_part("response.output_text.done", [index, 0], &format!("\"text\":\"{text}\",\"logprobs\":[]"))
        + &of_part("response.content_part.done", [index, 0], &format!("\"part\":{}", text_part(text)))
        + &done(index, &message(index, "completed", &text_part(text)))
}

/// A whole answer of one message.
fn whole(deltas: &[&str]) -> String {
    let text = deltas.concat();
    let deltas: String = deltas.iter().map(|text| delta(0, text)).collect();
    let shown = message(0, "completed", &text_part(&text));
    begin() + &open_message(0) + &deltas + &close_message(0, &text) + &complete(&shown)
}

/// What an answer of one message says when it is stopped with this text out.
fn stopped(text: &str) -> String {
    let item =
        message(0, "incomplete", &text_part(text)).replace("\"status\":\"incomplete\",\"content\"", "\"content\"");
    // The filter's own members stand behind the item's.
    let item = item.replace(&format!("\"content\":[{}],\"role\":\"assistant\"", text_part(text)), &own_members(text));
    own_close(text) + &done(0, &item) + &incomplete(&item)
}

fn own_members(text: &str) -> String {
    format!("\"role\":\"assistant\",\"status\":\"incomplete\",\"content\":[{}]", text_part(text))
}

fn own_close(text: &str) -> String {
    of_part("response.output_text.done", [0, 0], &format!("\"text\":\"{text}\",\"logprobs\":[]"))
        + &of_part("response.content_part.done", [0, 0], &format!("\"part\":{}", text_part(text)))
}

fn incomplete(output: &str) -> String {
    event(
        "response.incomplete",
        &format!(
            "\"response\":{{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1,\"instructions\":\"be kind\",\
             \"model\":\"m\",\"tools\":[],\"metadata\":{{}},\"status\":\"incomplete\",\"error\":null,\
             \"incomplete_details\":{{\"reason\":\"content_filter\"}},\"output\":[{output}],\"usage\":null}}"
        ),
    )
}

fn run(input: &str) -> Output {
    at_every_cut(&usual(), RESPONSES, numbered(input).as_bytes())
}

/// The numbers that the events of an output have.
fn numbers(output: &Output) -> Vec<u64> {
    output.events().iter().filter_map(|event| event["sequence_number"].as_u64()).collect()
}

fn assert_contiguous(output: &Output) {
    let numbers = numbers(output);
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "{}", output.text());
}

#[test]
fn every_repeat_shows_what_the_deltas_show() {
    let output = run(&whole(&["a se", "cr", "et is ", "12", "34."]));
    let expected = begin()
        + &open_message(0)
        + &["a ", "", "[s] is ", "", "#."].map(|text| delta(0, text)).concat()
        + &close_message(0, "a [s] is #.")
        + &complete(&message(0, "completed", &text_part("a [s] is #.")));
    assert_eq!(output.text(), numbered(expected));
    assert_eq!(output.ending, Ending::Complete);
    assert_eq!(output.verdicts.len(), 2, "what is only shown again is not found again");
    assert_eq!(
        at_every_cut(&usual(), None, numbered(whole(&["a se", "cr", "et is ", "12", "34."])).as_bytes()),
        output
    );
}

#[test]
fn every_place_for_text_is_watched() {
    let of_item = |kind: &str, members: &str| event(kind, &format!("\"item_id\":\"i0\",\"output_index\":0,{members}"));
    let bodies = [
        add(0, r#"{"type":"reasoning","id":"i0","summary":[{"type":"summary_text","text":"a secret"}]}"#),
        add(0, r#"{"type":"function_call","id":"i0","call_id":"c","name":"a secret","arguments":""}"#),
        add(0, r#"{"type":"function_call","id":"i0","call_id":"c","name":"f","arguments":"{\"a\":\"a secret\"}"}"#),
        add(0, r#"{"type":"custom_tool_call","id":"i0","call_id":"c","name":"f","input":"a secret"}"#),
        add(0, r#"{"type":"code_interpreter_call","id":"i0","code":"a secret","outputs":null}"#),
        add(
            0,
            r#"{"type":"local_shell_call","id":"i0","action":{"type":"exec","command":["a secret"],"env":{"a secret":"b"}}}"#,
        ),
        add(0, r#"{"type":"computer_call","id":"i0","action":{"type":"type","text":"a secret"}}"#),
        add(0, r#"{"type":"shell_call","id":"i0","action":{"commands":["ls","a secret"]}}"#),
        add(
            0,
            r#"{"type":"apply_patch_call","id":"i0","operation":{"type":"update_file","path":"p","diff":"a secret"}}"#,
        ),
        add(0, r#"{"type":"tool_search_call","id":"i0","arguments":{"goal":"a secret"}}"#),
        add(0, r#"{"type":"unheard_of","id":"i0","deep":{"er":["a secret"]}}"#),
        done(0, r#"{"type":"web_search_call","id":"i0","action":{"type":"search","query":"a secret"}}"#),
        done(
            0,
            r#"{"type":"web_search_call","id":"i0","action":{"type":"search","sources":[{"type":"url","url":"a secret"}]}}"#,
        ),
        done(0, r#"{"type":"file_search_call","id":"i0","queries":["a secret"],"results":null}"#),
        done(0, r#"{"type":"file_search_call","id":"i0","queries":[],"results":[{"file_id":"f","text":"a secret"}]}"#),
        done(0, r#"{"type":"code_interpreter_call","id":"i0","outputs":[{"type":"logs","logs":"a secret"}]}"#),
        done(0, r#"{"type":"mcp_call","id":"i0","name":"f","arguments":"{}","output":"a secret"}"#),
        done(
            0,
            r#"{"type":"mcp_call","id":"i0","name":"f","arguments":"{}","error":{"type":"e","message":"a secret"}}"#,
        ),
        done(0, r#"{"type":"mcp_list_tools","id":"i0","tools":[{"name":"f","description":"a secret"}]}"#),
        done(0, r#"{"type":"program_output","id":"i0","result":"a secret"}"#),
        done(0, r#"{"type":"image_generation_call","id":"i0","result":"AAAA","revised_prompt":"a secret"}"#),
        done(
            0,
            r#"{"type":"shell_call_output","id":"i0","output":[{"stdout":"","stderr":"a secret","outcome":{"type":"exit","exit_code":0}}]}"#,
        ),
        done(0, r#"{"type":"function_call_output","id":"i0","output":[{"type":"input_text","text":"a secret"}]}"#),
        of_part("response.content_part.added", [0, 0], r#""part":{"type":"output_text","text":"a secret"}"#),
        of_part("response.content_part.added", [0, 0], r#""part":{"type":"refusal","refusal":"a secret"}"#),
        of_part(
            "response.content_part.done",
            [0, 0],
            r#""part":{"type":"output_audio","data":"AA","transcript":"a secret"}"#,
        ),
        of_part("response.refusal.delta", [0, 0], r#""delta":"a secret""#),
        of_part("response.reasoning_text.delta", [0, 0], r#""delta":"a secret""#),
        of_part("response.reasoning.delta", [0, 0], r#""delta":{"text":"a secret"}"#),
        of_part("response.reasoning_part.done", [0, 0], r#""part":{"type":"reasoning_text","text":"a secret"}"#),
        of_item("response.reasoning_summary_text.delta", r#""summary_index":0,"delta":"a secret""#),
        of_item(
            "response.reasoning_summary_part.done",
            r#""summary_index":0,"part":{"type":"summary_text","text":"a secret"}"#,
        ),
        of_item("response.function_call_arguments.delta", r#""delta":"{\"a\":\"a secret\"}""#),
        of_item("response.function_call_arguments.done", r#""arguments":"{\"a secret\":1}""#),
        of_item("response.mcp_call_arguments.delta", r#""delta":"{\"a\":\"a secret\"}""#),
        of_item("response.custom_tool_call_input.delta", r#""delta":"a secret""#),
        of_item("response.code_interpreter_call_code.delta", r#""delta":"a secret""#),
        of_item("response.apply_patch_call_operation_diff.delta", r#""delta":"a secret""#),
        event("response.shell_call_command.delta", r#""output_index":0,"command_index":0,"delta":"a secret""#),
        of_item("response.shell_call_output_content.delta", r#""command_index":0,"delta":{"stdout":"a secret"}"#),
        event("response.audio.transcript.delta", r#""delta":"a secret""#),
        of_part(
            "response.output_text.annotation.added",
            [0, 0],
            r#""annotation_index":0,"annotation":{"type":"url_citation","url":"u","title":"a secret"}"#,
        ),
        of_item("response.unheard_of.delta", r#""delta":"a secret""#),
        event("keepalive", r#""unheard_of":"a secret""#),
    ];
    for body in bodies {
        let input = begin() + &body + &complete("");
        let output = run(&input);
        assert_eq!(output.text(), numbered(input.replace("secret", "[s]")));
        assert_eq!(output.verdicts.len(), body.matches("secret").count(), "{body}");
    }
    for member in [r#""output_text":"a secret""#, r#""unheard_of":{"a secret":"a secret"}"#] {
        let input = begin() + &complete("").replace("\"metadata\":{}", member);
        assert_eq!(run(&input).text(), numbered(input.replace("secret", "[s]")));
    }
}

#[test]
fn channels_have_their_kinds() {
    use ChannelKind::*;
    let kinds = |body: String| -> Vec<ChannelKind> {
        run(&(begin() + &body + &complete(""))).verdicts.iter().map(|(kind, _)| *kind).collect()
    };
    assert_eq!(kinds(open_message(0) + &delta(0, "secret")), [Text]);
    assert_eq!(kinds(of_part("response.refusal.delta", [0, 0], r#""delta":"secret""#)), [Refusal]);
    assert_eq!(kinds(of_part("response.reasoning_text.delta", [0, 0], r#""delta":"secret""#)), [Reasoning]);
    let thought = r#"{"type":"reasoning","content":[{"type":"reasoning_text","text":"secret"},{"type":"output_text","text":"secret"}]}"#;
    assert_eq!(kinds(done(0, thought)), [Reasoning, Text]);
    assert_eq!(kinds(done(0, &thought.replace("reasoning_text", "reasoning\\u005ftext"))), [Reasoning, Text]);
    assert_eq!(kinds(done(0, r#"{"type":"function_call","arguments":"\"secret\""}"#)), [ToolArgs]);
    assert_eq!(kinds(done(0, r#"{"type":"mcp_call","output":"secret"}"#)), [ToolResult]);
}

#[test]
fn items_and_parts_are_apart() {
    let part = |index: u32, text: &str| {
        of_part("response.output_text.delta", [0, index], &format!("\"delta\":\"{text}\",\"logprobs\":[]"))
    };
    let input = begin() + &part(0, "sec") + &part(1, "ret and se") + &part(0, "ret") + &part(1, "cret") + &complete("");
    let expected = begin() + &part(0, "") + &part(1, "ret and ") + &part(0, "[s]") + &part(1, "[s]") + &complete("");
    assert_eq!(run(&input).text(), numbered(expected));
}

#[test]
fn a_stop_at_every_event_closes_what_is_open() {
    let words = ["One ", "two ", "three ", "four."];
    for at in 0..=words.len() {
        for word in ["forbidden", "for|bid|den"] {
            let mut deltas = words[..at].to_vec();
            deltas.extend(word.split('|'));
            deltas.extend(&words[at..]);
            let output = run(&whole(&deltas));
            let out = words[..at].concat();
            let left: String = words[..at].iter().map(|word| delta(0, word)).collect();
            let emptied = delta(0, "").repeat(word.split('|').count());
            let expected = begin() + &open_message(0) + &left + &emptied + &stopped(&out);
            assert_eq!(output.text(), numbered(expected));
            assert!(matches!(&output.ending, Ending::Terminated(verdict) if &*verdict.rule == "stop"));
            assert_contiguous(&output);
        }
    }
}

#[test]
fn a_stop_that_only_a_repeat_brings() {
    let policy = Policy::builder().rule(Rule::regex("last", "bye$").terminate()).build().unwrap();
    for deltas in [&["Good ", "bye"][..], &["Goodbye"]] {
        let output = at_every_cut(&policy, RESPONSES, numbered(whole(deltas)).as_bytes());
        assert!(matches!(output.ending, Ending::Terminated(_)));
        assert!(!output.text().contains("bye") && !output.text().contains("completed"), "{}", output.text());
        let last = output.events().pop().unwrap();
        assert_eq!(
            last["response"]["output"][0]["content"][0]["text"],
            "Good ".trim_end_matches(if deltas.len() > 1 { "" } else { " " })
        );
        assert_contiguous(&output);
    }
    // Or only what the answer shows at its end.
    let input = begin() + &complete(&message(0, "completed", &text_part("forbidden")));
    let output = run(&input);
    assert_eq!(output.text(), numbered(begin() + &incomplete("")));
}

#[test]
fn what_is_closed_already_is_part_of_the_incomplete_answer() {
    let thought = |text: &str| {
        format!(
            r#"{{"id":"i0","type":"reasoning","summary":[{{"type":"summary_text","text":"{text}"}}],"encrypted_content":"e"}}"#
        )
    };
    let summary = |kind: &str, members: &str| {
        event(kind, &format!("\"item_id\":\"i0\",\"output_index\":0,\"summary_index\":0,{members}"))
    };
    let thinking = add(0, r#"{"id":"i0","type":"reasoning","summary":[]}"#)
        + &summary("response.reasoning_summary_part.added", r#""part":{"type":"summary_text","text":""}"#)
        + &summary("response.reasoning_summary_text.delta", r#""delta":"a secret""#);
    let thought_done = summary("response.reasoning_summary_text.done", r#""text":"a secret""#)
        + &summary("response.reasoning_summary_part.done", r#""part":{"type":"summary_text","text":"a secret"}"#)
        + &done(0, &thought("a secret"));
    let call = r#"{"id":"i1","type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#;
    let search = r#"{"id":"i2","type":"web_search_call","status":"in_progress"}"#;
    let input =
        begin() + &thinking + &thought_done + &add(1, call) + &done(1, call) + &add(2, search) + &open_message(3);
    let output = run(&(input + &delta(3, "Hi forbidden")));
    let last = output.events().pop().unwrap();
    let items = &last["response"]["output"];
    assert_eq!(items[0]["summary"][0]["text"], "a [s]");
    assert_eq!(items[0]["encrypted_content"], "", "it sealed what was edited");
    assert_eq!(items[1], serde_json::from_str::<Value>(call).unwrap());
    assert_eq!(items[2]["id"], "i3", "a search without a result is no part of the answer: {items}");
    assert_eq!(items[2]["content"], json!([{"type": "output_text", "text": "Hi ", "annotations": [], "logprobs": []}]));
    assert_eq!(items.as_array().unwrap().len(), 3);
    assert_contiguous(&output);

    // In the middle of the thought.
    let output =
        run(&(begin() + &thinking + &summary("response.reasoning_summary_text.delta", r#""delta":" forbidden""#)));
    let kinds: Vec<Value> = output.events().iter().rev().take(4).rev().map(|event| event["type"].clone()).collect();
    let expected = [
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.incomplete",
    ];
    assert_eq!(kinds, expected);
    let last = output.events().pop().unwrap();
    let thought = json!({"id": "i0", "type": "reasoning", "status": "incomplete",
        "summary": [{"type": "summary_text", "text": "a [s] "}]});
    assert_eq!(last["response"]["output"], json!([thought]));
}

#[test]
fn the_request_is_moderated_but_ends_nothing() {
    let request = |text: &str| {
        begin().replace("be kind", text).replace(
            "\"tools\":[]",
            &format!("\"tools\":[{{\"type\":\"function\",\"name\":\"f\",\"parameters\":{{\"limit\":12345,\"goal\":\"{text}\"}}}}]"),
        )
    };
    let input = request("no secret, nor forbidden") + &open_message(0) + &delta(0, "Hi") + &close_message(0, "Hi");
    let input = input + &complete(&message(0, "completed", &text_part("Hi")));
    let output = run(&input);
    assert_eq!(output.ending, Ending::Complete);
    assert!(!output.text().contains("secret") && !output.text().contains("forbidden"), "{}", output.text());
    assert!(output.text().contains("\"instructions\":\"no [s], nor \""), "{}", output.text());
    assert!(output.text().contains("\"limit\":12345"), "its numbers are the client's own");
}

#[test]
fn calls_leave_whole_or_not_at_all() {
    let call = |index: u32, args: &str| {
        let item = |args: &str| {
            format!(
                r#"{{"id":"i{index}","type":"function_call","call_id":"c{index}","name":"pay","arguments":{}}}"#,
                json!(args)
            )
        };
        let of_call = |kind: &str, members: String| {
            event(kind, &format!("\"item_id\":\"i{index}\",\"output_index\":{index},{members}"))
        };
        let (head, tail) = args.split_at(args.len() / 2);
        let deltas = [head, tail]
            .map(|args| of_call("response.function_call_arguments.delta", format!("\"delta\":{}", json!(args))));
        add(index, &item(""))
            + &deltas.concat()
            + &of_call("response.function_call_arguments.done", format!("\"arguments\":{}", json!(args)))
            + &done(index, &item(args))
    };
    let input = begin() + &call(0, r#"{"to":"alice"}"#) + &call(1, r#"{"to":"a forbidden"}"#) + &complete("");
    let input = numbered(input);
    let run = |tool_calls: Option<ToolCalls>| {
        let mut options = FilterOptions::default();
        options.tool_calls = tool_calls;
        let chunks = input.as_bytes().chunks(7).map(Bytes::copy_from_slice);
        filter(Filter::with_options(&usual(), RESPONSES, options), chunks)
    };
    let atomic = run(None);
    assert!(atomic.text().contains("\"c0\"") && !atomic.text().contains("\"c1\""), "{}", atomic.text());
    let last = atomic.events().pop().unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["output"][0]["call_id"]),
        (&json!("response.incomplete"), &json!("c0"))
    );
    assert_contiguous(&atomic);
    let streamed = run(Some(ToolCalls::Streamed));
    let last = streamed.events().pop().unwrap();
    assert_eq!(
        (&last["type"], &last["error"]["code"]),
        (&json!("error"), &json!("content_filter")),
        "no end follows half a call"
    );
    assert_contiguous(&streamed);
}

#[test]
fn arguments_are_redacted_inside_and_stay_json() {
    let args = ["{\"note\": \"a se", "cr\\u00", "65t\", \"n\": 1", "2", "3, \"m\": 7", "}"];
    let deltas = args.map(|args| {
        event("response.function_call_arguments.delta", &format!("\"output_index\":0,\"delta\":{}", json!(args)))
    });
    let whole = json!(args.concat());
    let item = format!(r#"{{"type":"function_call","call_id":"c","name":"f","arguments":{whole}}}"#);
    let input = begin()
        + &deltas.concat()
        + &event("response.function_call_arguments.done", &format!("\"output_index\":0,\"arguments\":{whole}"))
        + &done(0, &item)
        + &complete(&item);
    let output = run(&input);
    let events = output.events();
    let joined: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    let shown =
        [&events[8]["arguments"], &events[9]["item"]["arguments"], &events[10]["response"]["output"][0]["arguments"]];
    for args in shown {
        assert_eq!(args.as_str(), Some(joined.as_str()));
    }
    assert_eq!(serde_json::from_str::<Value>(&joined).unwrap(), json!({"note": "a [s]", "n": "#", "m": 7}));
}

#[test]
fn side_data_goes_with_the_text_that_it_is_about() {
    let tokens = |tokens: &[&str]| {
        let tokens = tokens.iter().map(|token| {
            json!({"token": token, "logprob": -0.1, "bytes": token.as_bytes(), "top_logprobs": [{"token": token, "logprob": -0.1}]})
        });
        json!(tokens.collect::<Vec<_>>()).to_string()
    };
    let delta = |text: &str, logprobs: &str| {
        of_part("response.output_text.delta", [0, 0], &format!("\"delta\":\"{text}\",\"logprobs\":{logprobs}"))
    };
    let done = |text: &str, logprobs: &str| {
        of_part("response.output_text.done", [0, 0], &format!("\"text\":\"{text}\",\"logprobs\":{logprobs}"))
    };
    let all = tokens(&["a ", "sec", "ret", "!"]);
    let input =
        ["a ", "sec", "ret", "!"].map(|token| delta(token, &tokens(&[token]))).concat() + &done("a secret!", &all);
    let expected = delta("a ", &tokens(&["a "]))
        + &delta("", "[]")
        + &delta("[s]", "[]")
        + &delta("!", &tokens(&["!"]))
        + &done("a [s]!", "[]");
    assert_eq!(run(&(begin() + &input + &complete(""))).text(), numbered(begin() + &expected + &complete("")));
}

#[test]
fn citations_move_with_the_text() {
    let annotation = |start: u32, end: u32, index: u32| {
        let kind = "response.output_text.annotation.added";
        let link = format!(
            r#""annotation":{{"type":"url_citation","start_index":{start},"end_index":{end},"url":"u","title":"t"}}"#
        );
        let file = format!(r#""annotation":{{"type":"file_citation","index":{index},"file_id":"f","filename":"n"}}"#);
        of_part(kind, [0, 0], &link) + &of_part(kind, [0, 0], &file)
    };
    let shown = |text: &str, [start, end]: [u32; 2]| {
        let annotations =
            format!(r#"[{{"type":"url_citation","start_index":{start},"end_index":{end},"url":"u","title":"t"}}]"#);
        message(
            0,
            "completed",
            &text_part(text).replace("\"annotations\":[]", &format!("\"annotations\":{annotations}")),
        )
    };
    let input = begin() + &open_message(0) + &delta(0, "é secret is out") + &annotation(9, 11, 8);
    let input = input + &done(0, &shown("é secret is out", [9, 11])) + &complete(&shown("é secret is out", [9, 11]));
    let expected = begin() + &open_message(0) + &delta(0, "é [s] is out") + &annotation(6, 8, 5);
    let expected = expected + &done(0, &shown("é [s] is out", [6, 8])) + &complete(&shown("é [s] is out", [6, 8]));
    assert_eq!(run(&input).text(), numbered(expected));
}

#[test]
fn an_upstream_that_breaks_off_never_looks_complete() {
    let input = numbered(whole(&["A sec", "ret and 1", "2 more"]));
    let completed = input.find("\"type\":\"response.completed\"").unwrap();
    for at in (0..input.len()).step_by(3) {
        let output = cut(&usual(), RESPONSES, &input.as_bytes()[..at], 5);
        if at > completed && input[at..].trim().is_empty() {
            assert_eq!(output.ending, Ending::Complete, "at {at}");
        } else {
            assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated), "at {at}");
            let last = output.events().pop().unwrap();
            assert_eq!(last["error"]["code"], "upstream_truncated", "at {at}: {}", output.text());
            assert_eq!(last["code"], "upstream_truncated");
        }
    }
}

#[test]
fn failures_are_errors_that_the_client_understands() {
    let input = numbered(begin() + &open_message(0) + &delta(0, "held sec"));
    for (ending, code) in [
        (Ending::UpstreamFailed(Failure::Cut), Some("upstream_cut")),
        (Ending::TimedOut, Some("upstream_timeout")),
        (Ending::ShutDown, Some("shut_down")),
        (Ending::ClientGone, None),
    ] {
        let given = ending.clone();
        let output = end(Filter::new(&usual(), RESPONSES), [Bytes::from(input.clone())], |filter, now, notes| {
            filter.fail(given, now, notes);
        });
        assert_eq!(output.ending, ending);
        assert!(!output.text().contains("sec\""));
        let last = output.events().pop().unwrap();
        assert_eq!(last["error"]["code"].as_str(), code);
        if code.is_some() {
            assert_contiguous(&output);
        }
    }
}

#[test]
fn the_upstreams_own_errors_are_passed_on_without_what_they_quote() {
    let failed = event(
        "response.failed",
        &answer("failed", "").replace("\"error\":null", r#""error":{"code":"c","message":"saw secret"}"#),
    );
    let flat = event("error", r#""code":"c","message":"saw secret","param":null"#);
    let nested = event("error", r#""error":{"type":"t","code":"c","message":"saw secret","param":null}"#);
    for error in [failed.clone(), flat, nested.clone(), nested + &failed] {
        let input = begin() + &open_message(0) + &delta(0, "Hi se") + &error;
        let output = run(&input);
        assert_eq!(output.text(), numbered(input.replace("secret", "[s]")));
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Reported));
    }
    let after = begin() + &event("error", r#""code":"c","message":"m""#) + &delta(0, "Hi");
    let output = run(&after);
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Reported));
    assert!(!output.text().contains("Hi"), "nothing follows an error");
}

#[test]
fn an_answer_begins_where_another_ends() {
    // As on a connection that is kept.
    let one = |texts: &[&str]| whole(texts);
    let output = run(&(one(&["a sec", "ret"]) + &one(&["rets of ", "secret"])));
    let texts: String = output.events().iter().filter_map(|event| event["delta"].as_str()).map(str::to_owned).collect();
    assert_eq!((texts.as_str(), output.ending), ("a [s]rets of [s]", Ending::Complete));
}

fn document(policy: &Policy, body: &str) -> (Value, Ending) {
    let mut options = FilterOptions::default();
    options.framing = Some(Framing::Document);
    let chunks = body.as_bytes().chunks(5).map(Bytes::copy_from_slice);
    let output = filter(Filter::with_options(policy, None, options), chunks);
    (serde_json::from_slice(&output.bytes).expect("a document is JSON"), output.ending)
}

#[test]
fn documents_are_under_the_same_policy() {
    let call =
        r#"{"id":"i1","type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":\"a secret\",\"n\":12}"}"#;
    let thought = r#"{"id":"i2","type":"reasoning","summary":[{"type":"summary_text","text":"a secret"}],"encrypted_content":"e"}"#;
    let body = |text: &str| {
        let items = [message(0, "completed", &text_part(text)), call.to_owned(), thought.to_owned()].join(",");
        format!("{{{}}}", answer("completed", &items))
            .replacen("{\"response\":", "", 1)
            .trim_end_matches('}')
            .to_owned()
            + "}}"
    };
    let (told, ending) = document(&usual(), &body("a secret"));
    assert_eq!(ending, Ending::Complete);
    assert_eq!(told["output"][0]["content"][0]["text"], "a [s]");
    assert_eq!(told["output"][1]["arguments"], json!("{\"a\":\"a [s]\",\"n\":\"#\"}"));
    assert_eq!(
        (&told["output"][2]["summary"][0]["text"], &told["output"][2]["encrypted_content"]),
        (&json!("a [s]"), &json!(""))
    );

    let (told, ending) = document(&usual(), &body("It is forbidden to say"));
    assert!(matches!(ending, Ending::Terminated(_)));
    assert_eq!(
        (&told["status"], &told["incomplete_details"]),
        (&json!("incomplete"), &json!({"reason": "content_filter"}))
    );
    assert_eq!(told["output"][0]["content"][0]["text"], "It is ");
    assert_eq!(told["output"][0]["status"], "incomplete");
    assert_eq!(told["output"].as_array().unwrap().len(), 2, "it asks for no tool: {told}");
}
