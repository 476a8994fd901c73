//! JSON documents and plain text through the filter.

mod drive;

use drive::{at_every_cut, cut};
use holdback::wire::Failure;
use holdback::{Dialect, Ending, Policy, Rule};
use serde_json::{Value, json};

fn usual() -> Policy {
    let rules = [Rule::literal("secret", "secret").redact("[\"s\"]"), Rule::literal("stop", "forbidden").terminate()];
    Policy::builder().rules(rules).build().unwrap()
}

fn body(output: &drive::Output) -> Value {
    serde_json::from_slice(&output.bytes).expect("what leaves is JSON")
}

fn completion(content: &str) -> String {
    format!(
        r#" {{"id":"c","object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}",
        "tool_calls":[{{"id":"t","type":"function","function":{{"name":"f","arguments":"{{\"a\":\"s\\u0065cret\"}}"}}}}]}},
        "logprobs":{{"content":[{{"token":"sec"}},{{"token":"ret"}}]}},"finish_reason":"stop"}}],"usage":{{"total_tokens":3}}}} "#
    )
}

#[test]
fn a_completion_is_redacted_in_place() {
    let output = at_every_cut(&usual(), None, completion("a s\\u0065cret").as_bytes());
    let choice = &body(&output)["choices"][0];
    assert_eq!(choice["message"]["content"], json!("a [\"s\"]"));
    let args = choice["message"]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(args).unwrap(), json!({"a": "[\"s\"]"}));
    assert_eq!((&choice["logprobs"], &choice["finish_reason"]), (&Value::Null, &json!("stop")));
    assert_eq!(output.ending, Ending::Complete);
    let clean = completion("a").replace("ecret", "").replace("ret", "");
    assert_eq!(at_every_cut(&usual(), None, clean.as_bytes()).text(), clean);
}

#[test]
fn a_stopped_completion_says_so() {
    let output = at_every_cut(&usual(), None, completion("Well, forbidden it is").as_bytes());
    let choice = &body(&output)["choices"][0];
    assert_eq!(choice["message"]["content"], json!("Well, "));
    assert_eq!(choice["finish_reason"], json!("content_filter"));
    assert_eq!(choice["message"]["tool_calls"], Value::Null);
    assert!(matches!(output.ending, Ending::Terminated(_)));
    let other = at_every_cut(&usual(), None, br#"{"text":"forbidden"}"#);
    assert_eq!(body(&other)["error"]["code"], json!("content_filter"));
}

#[test]
fn in_other_json_every_string_is_watched() {
    let output = at_every_cut(&usual(), None, br#"[{"id":"a secret","secret":["secret",1]},"x"]"#);
    assert_eq!(body(&output), json!([{"id": "a [\"s\"]", "[\"s\"]": ["[\"s\"]", 1]}, "x"]));
}

#[test]
fn what_is_not_json_fails_closed() {
    for bad in [r#"{"a":"secret""#, r#"{"a":"secret","a":1}"#, "{} secret"] {
        let output = at_every_cut(&usual(), Some(Dialect::Json), bad.as_bytes());
        assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Malformed));
        assert_eq!(body(&output)["error"]["code"], json!("upstream_malformed"));
    }
}

#[test]
fn plain_text() {
    let output = at_every_cut(&usual(), None, "Dear all, a secret is a secret, é and sec.".as_bytes());
    assert_eq!(output.text(), "Dear all, a [\"s\"] is a [\"s\"], é and sec.");
    assert_eq!(output.ending, Ending::Complete);
    let stopped = at_every_cut(&usual(), None, b"It is forbidden to say more");
    assert_eq!(stopped.text(), "It is ");
    assert!(matches!(stopped.ending, Ending::Terminated(_)));
    assert_eq!(cut(&usual(), None, b"", 1).ending, Ending::Complete);
    assert_eq!(cut(&usual(), None, b"dat", 1).text(), "dat", "too short to be an event stream");
}

#[test]
fn a_document_may_have_a_byte_order_mark() {
    let policy = Policy::builder().rule(Rule::literal("secret", "secret").redact("[s]")).build().unwrap();
    let input = "\u{feff}{\"a\":\"secr\\u0065t\"}";
    for dialect in [None, Some(Dialect::Json)] {
        let output = at_every_cut(&policy, dialect, input.as_bytes());
        assert_eq!(output.text(), "\u{feff}{\"a\":\"[s]\"}");
    }
}
