//! Requests under a policy's rules for requests.

mod drive;
#[path = "oracle/rng.rs"]
#[allow(dead_code, reason = "each test binary uses the part it needs")]
mod rng;

use drive::Notes;
use holdback::rule::Direction;
use holdback::wire::{Limits, Refused, RequestOutcome, moderate_request};
use holdback::{ChannelKind, Pack, Policy, Rule};
use rng::Rng;
use serde_json::{Value, json};

fn policy(rules: impl IntoIterator<Item = Rule>) -> Policy {
    let rules = rules.into_iter().map(|rule| rule.direction(Direction::Request));
    Policy::builder().rules(rules).build().expect("the rules are sound")
}

/// Redacts one word to something that must be escaped.
fn usual() -> Policy {
    policy([Rule::literal("secret", "secret").redact("[\"s\"]"), Rule::literal("stop", "forbidden").terminate()])
}

fn moderate(policy: &Policy, body: &[u8]) -> RequestOutcome {
    moderate_request(policy, body, Limits::default(), &mut ())
}

/// The body that goes on.
fn sent(policy: &Policy, body: &str) -> String {
    match moderate(policy, body.as_bytes()) {
        RequestOutcome::Untouched => body.to_owned(),
        RequestOutcome::Edited(edited) => {
            assert_ne!(edited, body, "an edit that is none");
            String::from_utf8(edited.to_vec()).expect("text in, text out")
        }
        RequestOutcome::Refused(refused) => panic!("{refused}: {body}"),
    }
}

fn sent_json(policy: &Policy, body: &Value) -> Value {
    serde_json::from_str(&sent(policy, &body.to_string())).expect("what goes on is JSON")
}

#[test]
fn only_the_match_changes() {
    let body = " {\"messages\" :[ {\"role\":\"user\",\"content\":\"a \\u0062 s\\u0065cret \\/ \\ud83c\\udf0d é\"} ],\r\n\"n\": 1e2}\n";
    let expected = body.replace("s\\u0065cret", "[\\\"s\\\"]");
    assert_eq!(sent(&usual(), body), expected);
    assert_eq!(moderate(&usual(), br#"{"messages":[{"role":"user","content":"sec ret"}]}"#), RequestOutcome::Untouched);
}

#[test]
fn a_policy_without_rules_for_requests_reads_nothing() {
    let policy = Policy::builder().rule(Rule::literal("secret", "secret")).build().expect("the rule is sound");
    for body in ["{\"a\":\"secret\"}", "no JSON", "{\"a\":1,\"a\":1}"] {
        assert_eq!(moderate(&policy, body.as_bytes()), RequestOutcome::Untouched);
    }
    assert_eq!(moderate(&usual(), b""), RequestOutcome::Untouched, "an empty body says nothing");
}

/// Text that no rule touches, in several spellings: what is in the body, whatever it means.
const CLEAN: [&str; 14] = [
    "a",
    "sec",
    "ret ",
    "\\n",
    "\\\"",
    "\\\\",
    "\\/",
    "é",
    "\u{1f30d}",
    "\\ud83c\\udf0d",
    "\\ud83c",
    "\\udf0d",
    "\\u0000",
    "[]{},:",
];
/// One word in several spellings.
const SECRET: [&str; 5] =
    ["secret", "\\u0073ecret", "sec\\u0072et", "s\\u0065\\u0063ret", "\\u0073\\u0065\\u0063\\u0072\\u0065\\u0074"];

/// A body as it comes, and as it must go on.
#[derive(Default)]
struct Twin {
    came: String,
    goes: String,
}

impl Twin {
    fn same(&mut self, text: &str) {
        self.came.push_str(text);
        self.goes.push_str(text);
    }

    /// The content of a string. Words are kept apart, so that no two pieces make another one.
    fn content(&mut self, rng: &mut Rng) {
        for _ in 0..rng.below(5) {
            if rng.chance(30) {
                self.came.push_str(rng.pick::<&str>(&SECRET));
                self.goes.push_str("[\\\"s\\\"]");
            } else {
                self.same(rng.pick::<&str>(&CLEAN));
            }
            self.same("-");
        }
    }

    fn value(&mut self, rng: &mut Rng, depth: usize, names: &mut usize) {
        let blank = |rng: &mut Rng| rng.pick::<&str>(&["", " ", "\n", "\t\r\n"]);
        match rng.below(if depth == 0 { 5 } else { 8 }) {
            0 => self.same(rng.pick::<&str>(&["null", "true", "false"])),
            1 => self.same(rng.pick::<&str>(&["0", "-1.5e3", "4111", "1E+2"])),
            2..=4 => {
                self.same("\"");
                self.content(rng);
                self.same("\"");
            }
            5 => {
                self.same("[");
                for i in 0..rng.below(4) {
                    self.same(if i > 0 { "," } else { "" });
                    self.same(blank(rng));
                    self.value(rng, depth - 1, names);
                }
                self.same("]");
            }
            _ => {
                self.same("{");
                for i in 0..rng.below(4) {
                    self.same(if i > 0 { "," } else { "" });
                    self.same(blank(rng));
                    // No name comes twice, edited or not.
                    *names += 1;
                    let name = format!("\"{names}-");
                    self.same(&name);
                    self.content(rng);
                    self.same("\"");
                    self.same(blank(rng));
                    self.same(":");
                    self.value(rng, depth - 1, names);
                }
                self.same("}");
            }
        }
    }
}

#[test]
fn every_string_and_key_is_a_text_of_its_own_and_all_else_stays() {
    let seed = std::env::var("HOLDBACK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(11);
    let runs = std::env::var("HOLDBACK_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(5_000);
    println!("HOLDBACK_SEED={seed}");
    let (mut rng, policy) = (Rng::new(seed), usual());
    for _ in 0..runs {
        let mut twin = Twin::default();
        twin.value(&mut rng, 5, &mut 0);
        assert_eq!(sent(&policy, &twin.came), twin.goes, "{}", twin.came);
    }
}

/// A request of each API, with a word at every place that a model reads or that nobody knows.
fn requests(word: &str) -> Vec<Value> {
    let calls = json!([{ "id": "call_1", "type": "function", "function": { "name": word, "arguments": format!("{{\"{word}\":[\"{word}\",1]}}") } }]);
    let tools = json!([{ "type": "function", "function": { "name": word, "description": word,
        "parameters": { "type": "object", "properties": { word: { "enum": [word] } } } } }]);
    vec![
        json!({ "model": "m", "messages": [
            { "role": "system", "content": word },
            { "role": "user", "name": word, "content": [{ "type": "text", "text": word },
                { "type": "image_url", "image_url": { "url": format!("https://x.example/{word}"), "detail": "low" } }] },
            { "role": "assistant", "content": null, "refusal": word, "reasoning_content": word, "tool_calls": calls },
            { "role": "tool", "tool_call_id": "call_1", "content": word },
        ], "tools": tools, "user": word, "metadata": { "k": word }, "stop": [word], "prediction": { "content": word } }),
        json!({ "model": "m", "instructions": word, "previous_response_id": "resp_1", "input": [
            { "role": "user", "content": [{ "type": "input_text", "text": word }] },
            { "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": word, "arguments": format!("{{\"a\":\"{word}\"}}") },
            { "type": "function_call_output", "call_id": "call_1", "output": [{ "type": "input_text", "text": word }] },
            { "type": "reasoning", "summary": [{ "type": "summary_text", "text": word }], "encrypted_content": "AAAA" },
        ], "safety_identifier": word }),
        json!({ "model": "m", "input": word }),
        json!({ "model": "m", "input": [word, word] }),
        json!({ "model": "m", "prompt": [word], "suffix": word }),
        json!({ "model": "m", "system": [{ "type": "text", "text": word }], "messages": [
            { "role": "user", "content": [
                { "type": "document", "title": word, "source": { "type": "text", "media_type": "text/plain", "data": word } },
                { "type": "tool_result", "tool_use_id": "toolu_1", "content": [{ "type": "text", "text": word }] }] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": word, "signature": "AAAA" },
                { "type": "tool_use", "id": "toolu_1", "name": word, "input": { "type": word, "source": { "data": word } } }] },
        ] }),
        json!({ "systemInstruction": { "parts": [{ "text": word }] }, "contents": [
            { "role": "user", "parts": [{ "text": word }, { "functionCall": { "name": word, "args": { "a": [word] } } },
                { "functionResponse": { "name": word, "response": { "r": word } } }, { "thoughtSignature": "AAAA", "text": word }] },
        ] }),
        json!({ "model": "m", "prompt": word, "system": word, "template": word, "images": ["AAAA"], "options": { "stop": [word] } }),
        json!({ "system": [{ "text": word }], "messages": [{ "role": "user", "content": [{ "text": word },
            { "toolUse": { "toolUseId": "t1", "name": word, "input": { "a": word } } },
            { "toolResult": { "toolUseId": "t1", "content": [{ "text": word }, { "json": { "a": word } }] } }] }] }),
        json!({ "message": word, "chat_history": [{ "role": "USER", "message": word }], "documents": [{ "text": word }] }),
    ]
}

#[test]
fn what_any_api_says_to_its_model_is_seen() {
    for (request, expected) in requests("secret").into_iter().zip(requests("[\"s\"]")) {
        // Words in the arguments' text are escaped once more.
        let expected = expected.to_string().replace(r#"[\"s\"]\"#, r#"[\\\"s\\\"]\"#);
        assert_eq!(
            sent_json(&usual(), &request),
            serde_json::from_str::<Value>(&expected).unwrap_or_else(|error| panic!("{error} {expected}")),
            "{request}"
        );
    }
}

#[test]
fn names_and_words_of_the_protocol_are_no_text() {
    // Whatever is a text is seen by this rule, digits and all.
    let all = policy([Rule::regex("all", r"[A-Za-z0-9+/_=.-]+").max_len(4096).redact("")]);
    for request in requests("secret") {
        let expected = request.to_string();
        let out = sent(&all, &expected);
        for kept in [
            "\"model\":\"m\"",
            "\"role\":\"user\"",
            "\"type\":\"text\"",
            "\"id\":\"call_1\"",
            "\"tool_call_id\":\"call_1\"",
            "\"call_id\":\"call_1\"",
            "\"previous_response_id\":\"resp_1\"",
            "\"tool_use_id\":\"toolu_1\"",
            "\"toolUseId\":\"t1\"",
            "\"signature\":\"AAAA\"",
            "\"encrypted_content\":\"AAAA\"",
            "\"thoughtSignature\":\"AAAA\"",
            "\"images\":[\"AAAA\"]",
        ] {
            let count = |text: &str| text.matches(kept).count();
            assert_eq!(count(&out), count(&expected), "{kept} in {out}");
        }
        assert!(!out.contains("secret"), "{out}");
    }
}

#[test]
fn arguments_in_the_history_stay_json() {
    let rules = || {
        [
            Rule::literal("secret", "secret").redact("[\"s\\]"),
            Rule::regex("card", r"\d{4}-?\d{4}").redact("[card]"),
            Rule::regex("password", "\"password\": ?\"(?P<word>[^\"]+)\"").max_len(200).redact("***"),
        ]
    };
    let policy = policy(rules());
    let arguments = "{\"q\": \"a s\\u0065cret \\\\\", \"secret\": [41114111, true, null], \"password\": \"hunter2\"}";
    let body = json!({ "messages": [{ "role": "assistant", "tool_calls": [{ "function": { "arguments": arguments } }], "function_call": { "arguments": arguments } }],
        "input": [{ "type": "function_call", "arguments": arguments }] });
    let out = sent_json(&policy, &body);
    let message = &out["messages"][0];
    for arguments in [
        &message["tool_calls"][0]["function"]["arguments"],
        &message["function_call"]["arguments"],
        &out["input"][0]["arguments"],
    ] {
        let arguments: Value = serde_json::from_str(arguments.as_str().expect("a string")).expect("JSON");
        assert_eq!(arguments["q"], json!("a [\"s\\] \\"));
        assert_eq!(arguments["[\"s\\]"], json!(["[card]", true, null]));
        assert!(!arguments.to_string().contains("hunter2"), "{arguments}");
    }
    // The same where an API has the arguments as a value.
    let value = json!({ "messages": [{ "content": [{ "type": "tool_use", "input": { "password": "hunter2", "card": 41114111 } }] }] });
    let out = sent_json(&policy, &value);
    assert_eq!(out["messages"][0]["content"][0]["input"]["card"], json!("[card]"));
    assert!(!out.to_string().contains("hunter2"), "{out}");
    // What only claims to be JSON is text.
    let broken = json!({ "messages": [{ "tool_calls": [{ "function": { "arguments": "{\"a\": secret" } }] }] });
    assert_eq!(
        sent_json(&policy, &broken)["messages"][0]["tool_calls"][0]["function"]["arguments"],
        json!("{\"a\": [\"s\\]")
    );
}

/// Redacts every run of letters, so that a payload which is taken for text is broken.
fn letters() -> Policy {
    policy([Rule::regex("letters", r"[A-Za-z0-9]+").max_len(4096).redact("*")])
}

#[test]
fn payloads_pass_untouched() {
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ+/w==";
    let uri = format!("data:image/png;base64,{png}");
    let blocks = |png: &str, uri: &str| {
        json!([
            { "image_url": { "url": uri } }, { "image_url": uri }, { "file_data": uri }, { "file": { "file_data": uri } },
            { "input_audio": { "data": png } }, { "type": "input_audio", "audio": png }, { "inlineData": { "data": png } }, { "inline_data": { "data": png } },
            { "type": "image", "source": { "type": "base64", "data": png } },
            { "type": "redacted_thinking", "data": png }, { "type": "thinking", "signature": png },
            { "image": { "source": { "bytes": png } } }, { "document": { "source": { "bytes": png } } },
        ])
    };
    let requests = |png: &str, uri: &str| {
        let blocks = blocks(png, uri);
        json!({
            "images": [png],
            "messages": [{ "content": blocks, "images": [png, uri] }, { "content": [{ "type": "tool_result", "content": blocks }] }],
            "input": [{ "content": blocks }, { "output": blocks }, { "type": "image_generation_call", "result": png }],
            "contents": [{ "parts": blocks }],
            "item": { "content": blocks },
            "response": { "input": [{ "content": blocks }] },
            "clientContent": { "turns": [{ "parts": blocks }] },
            "audio": png,
            "realtimeInput": { "audio": { "data": png }, "video": { "data": png }, "mediaChunks": [{ "data": png }] },
        })
    };
    let body = requests(png, &uri).to_string();
    let out = sent(&letters(), &body);
    assert_eq!(out.matches(png).count(), body.matches(png).count(), "{out}");
    // Some writers escape more than they must.
    let escaped = body.replace('/', "\\/").replace('+', "\\u002B");
    let out = sent(&letters(), &escaped);
    let count = |text: &str| text.matches("AAAAfFcSJ\\u002B\\/w==").count();
    assert_eq!(count(&out), count(&escaped), "{out}");
}

#[test]
fn what_is_no_payload_is_text_wherever_it_is() {
    let secret = usual();
    for block in [
        json!({ "image_url": { "url": "https://x.example/?q=secret" } }),
        json!({ "image_url": { "url": "data:text/plain,secret" } }),
        json!({ "image_url": { "url": "data:secret;base64,AAAA" } }),
        json!({ "image_url": { "url": "data:image/png;base64,AA secret" } }),
        json!({ "image_url": { "url": "data:image/png;base64,AA==secret" } }),
        json!({ "file_data": "it is secret" }),
        json!({ "type": "document", "source": { "type": "text", "data": "secret" } }),
        json!({ "type": "document", "source": { "data": "secret" } }),
        json!({ "type": "document", "source": { "type": ["base64"], "data": "secret" } }),
        json!({ "type": "custom", "data": "secret", "signature": "secret" }),
        json!({ "text": "data:image/png;base64,secret" }),
        json!({ "image_url": ["secret", { "url": "a secret" }] }),
    ] {
        let out = sent_json(&secret, &json!({ "messages": [{ "content": [block] }] }));
        assert!(!out.to_string().contains("secret"), "{out}");
    }
}

#[test]
fn messages_of_a_realtime_api_are_requests() {
    let all = policy([Rule::regex("all", r"\b(?:secret|[a-z]1|AAAA|user|message)\b").redact("")]);
    for message in [
        json!({ "type": "conversation.item.create", "event_id": "e1", "previous_item_id": "i1", "item":
                { "id": "i2", "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "secret" }] } }),
        json!({ "type": "conversation.item.create", "item":
                { "type": "function_call_output", "call_id": "c1", "output": "secret" } }),
        json!({ "type": "session.update", "session": { "model": "m", "instructions": "secret" } }),
        json!({ "type": "input_audio_buffer.append", "audio": "AAAA" }),
        json!({ "clientContent": { "turns": [{ "role": "user", "parts": [{ "text": "secret" }] }] } }),
        json!({ "toolResponse": { "functionResponses": [{ "id": "f1", "response": { "output": "secret" } }] } }),
    ] {
        assert_eq!(sent(&all, &message.to_string()), message.to_string().replace("secret", ""));
    }
}

#[test]
fn texts_do_not_join() {
    let policy =
        policy([Rule::literal("secret", "secret"), Rule::regex("start", "^start"), Rule::regex("end", "end$")]);
    for body in [r#"["sec","ret"]"#, r#"{"sec":"ret"}"#, r#"["a start", "end a"]"#] {
        assert_eq!(moderate(&policy, body.as_bytes()), RequestOutcome::Untouched, "{body}");
    }
    assert_eq!(sent(&policy, r#"["start of","the end"]"#), r#"["[start] of","the [end]"]"#);
}

#[test]
fn numbers_are_texts_and_a_touched_one_is_a_string() {
    let policy = policy([Rule::regex("card", r"\b\d{16}\b")]);
    let body = r#"{"seed":4111111111111111,"metadata":{"card":4111111111111111,"n":-1.0e5}}"#;
    assert_eq!(sent(&policy, body), r#"{"seed":4111111111111111,"metadata":{"card":"[card]","n":-1.0e5}}"#);
}

#[test]
fn edited_keys_stay_apart() {
    let policy = policy([Rule::regex("key", r"key\d+"), Rule::literal("quote", "quoted").redact("\"")]);
    for (body, expected) in [
        // Each object has names of its own.
        (r#"{"key1":1,"key2":{"key3":2},"other":3}"#, r#"{"[key]":1,"[key] (2)":{"[key]":2},"other":3}"#),
        // Who was never edited keeps its name, wherever it stands and however it is written.
        (r#"{"key1":1,"[key]":2}"#, r#"{"[key] (2)":1,"[key]":2}"#),
        (r#"{"[k\u0065y] (2)":1,"[key]":2,"key1":3}"#, r#"{"[k\u0065y] (2)":1,"[key]":2,"[key] (3)":3}"#),
        (r#"{"key1":1,"key2":2,"[key] (2)":3}"#, r#"{"[key]":1,"[key] (3)":2,"[key] (2)":3}"#),
        // An edit may make what another one was numbered to.
        (r#"{"key1":1,"key2":2,"key3 (2)":3}"#, r#"{"[key]":1,"[key] (2)":2,"[key] (2) (2)":3}"#),
        (r#"{"\u0022":1,"quoted":2}"#, r#"{"\u0022":1,"\" (2)":2}"#),
    ] {
        assert_eq!(sent(&policy, body), expected);
        assert_ne!(moderate(&policy, expected.as_bytes()), RequestOutcome::Refused(Refused::DuplicateKey));
    }
}

#[test]
fn many_edited_keys_cost_no_more_each_than_a_few() {
    // Compared each with each, these would take minutes.
    let (policy, many) = (policy([Rule::regex("key", r"key\d+")]), 100_000);
    let members: Vec<String> = (0..many).map(|n| format!("\"key{n}\":0,\"[key] ({n})\":0")).collect();
    let out = sent(&policy, &format!("{{{}}}", members.join(",")));
    assert!(out.contains(&format!("\"[key] ({})\":0", 2 * many - 2)), "numbers go on where others have left off");
}

#[test]
fn a_terminating_rule_refuses() {
    let mut notes = Notes::default();
    let body = br#"{"messages":[{"content":"secret"},{"content":"it is forbidden, secret"},{"content":"secret"}]}"#;
    let outcome = moderate_request(&usual(), body, Limits::default(), &mut notes);
    let RequestOutcome::Refused(refused @ Refused::Terminated(_)) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(refused.to_string(), "the policy refuses the request (rule `stop`)");
    let found: Vec<_> = notes.verdicts.iter().map(|(kind, v)| (*kind, &*v.rule, v.span.clone(), v.action)).collect();
    assert_eq!(
        found,
        [(ChannelKind::Prompt, "secret", 0..6, "redact"), (ChannelKind::Prompt, "stop", 6..15, "terminate")]
    );
}

#[test]
fn findings_are_told_with_their_place_in_their_own_text() {
    let mut notes = Notes::default();
    let body = br#"{"a":"secret","b":["x s\u0065cret, secret"],"secret":0}"#;
    moderate_request(&usual(), body, Limits::default(), &mut notes);
    let spans: Vec<_> = notes.verdicts.iter().map(|(_, verdict)| verdict.span.clone()).collect();
    assert_eq!(spans, [0..6, 2..8, 10..16, 0..6]);
    // A rule that only reports changes nothing.
    let flag = policy([Rule::literal("secret", "secret").flag()]);
    let mut notes = Notes::default();
    assert_eq!(moderate_request(&flag, body, Limits::default(), &mut notes), RequestOutcome::Untouched);
    assert_eq!(notes.verdicts.len(), 4);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let nested = |depth: usize| format!("{}\"secret\"{}", "[".repeat(depth), "]".repeat(depth));
    let deep = nested(128);
    for (body, refused) in [
        ("model=m&prompt=secret", Refused::NotJson),
        (r#"{"a":"secret"} {"b":1}"#, Refused::NotJson),
        (r#"{"a":"secret""#, Refused::NotJson),
        ("{\"a\":\"\n\"}", Refused::NotJson),
        ("\u{feff}{}", Refused::NotJson),
        (" ", Refused::NotJson),
        (r#"{"content":"a","content":"b"}"#, Refused::DuplicateKey),
        (r#"[{"a":{"content":"a","cont\u0065nt":"b"}}]"#, Refused::DuplicateKey),
        (&deep, Refused::TooDeep),
    ] {
        assert!(!refused.to_string().is_empty());
        assert_eq!(moderate(&usual(), body.as_bytes()), RequestOutcome::Refused(refused), "{body}");
    }
    assert_eq!(sent(&usual(), &nested(127)), nested(127).replace("secret", "[\\\"s\\\"]"));
}

#[test]
fn a_body_may_be_as_long_as_the_limit() {
    let mut limits = Limits::default();
    let body = br#"{"a":"secret"}"#;
    limits.event_bytes = body.len();
    assert!(matches!(moderate_request(&usual(), body, limits, &mut ()), RequestOutcome::Edited(_)));
    limits.event_bytes -= 1;
    let refused = RequestOutcome::Refused(Refused::TooLarge);
    assert_eq!(moderate_request(&usual(), body, limits, &mut ()), refused);
}

#[test]
fn broken_characters_pass_as_they_came() {
    let out = moderate(&usual(), b"[\"\xff secret \xc3\"]");
    assert_eq!(out, RequestOutcome::Edited(b"[\"\xff [\\\"s\\\"] \xc3\"]".to_vec().into()));
}

/// Whatever the body, what goes on is JSON in which the rules find nothing more.
#[test]
fn broken_bodies_are_refused_or_clean() {
    let seed = std::env::var("HOLDBACK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(12);
    println!("HOLDBACK_SEED={seed}");
    let (mut rng, policy) = (Rng::new(seed), usual());
    let bodies: Vec<String> = requests("secret").iter().map(Value::to_string).collect();
    for _ in 0..2_000 {
        let mut body = rng.pick(&bodies).clone().into_bytes();
        for _ in 0..=rng.below(3) {
            let at = rng.below(body.len());
            match rng.below(3) {
                0 => body[at] = *rng.pick(b"\"\\{}[],:0asecret \x00\xff"),
                1 => body.insert(at, *rng.pick(b"\"\\{}[],:0asecret \x00\xff")),
                _ => drop(body.drain(at..(at + rng.below(9)).min(body.len()))),
            }
        }
        if let RequestOutcome::Edited(edited) = moderate(&policy, &body) {
            assert!(!matches!(moderate(&policy, &edited), RequestOutcome::Refused(_)), "{}", body.escape_ascii());
        }
    }
}

#[test]
fn packs_watch_requests_where_a_deployment_says_so() {
    let rules = Pack::SECRETS.rules().into_iter().map(|rule| rule.direction(Direction::Both));
    let policy = Policy::builder().rules(rules).build().expect("the pack is sound");
    let body =
        json!({ "model": "m", "messages": [{ "role": "user", "content": "Why does AKIAIOSFODNN7EXAMPL2 not work?" }] });
    assert!(!sent(&policy, &body.to_string()).contains("AKIA"));
}
