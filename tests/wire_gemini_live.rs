//! Messages of Gemini's Live API, written by hand: a line each, whole, at every cut, and as messages.

mod drive;

use bytes::Bytes;
use drive::{at_every_cut, filter};
use holdback::policy::ChannelKind;
use holdback::wire::{Failure, FilterOptions, Framing};
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use std::time::Instant;

const LIVE: Option<Dialect> = Some(Dialect::GeminiLive);
const SETUP: &str = "{\"setupComplete\":{}}\n";
const TURN: &str = "{\"serverContent\":{\"turnComplete\":true},\"usageMetadata\":{\"totalTokenCount\":12}}\n";
const STOP: &str = "{\"serverContent\":{\"interrupted\":true}}\n{\"goAway\":{\"timeLeft\":\"0s\"}}\n";

/// Redacts `secret`; ends at `forbidden`.
fn usual() -> Policy {
    let rules = [Rule::literal("secret", "secret").redact("[s]"), Rule::literal("stop", "forbidden").terminate()];
    Policy::builder().rules(rules).build().unwrap()
}

fn content(content: &str) -> String {
    format!("{{\"serverContent\":{{{content}}}}}\n")
}

fn said(text: &str) -> String {
    content(&format!(r#""outputTranscription":{{"text":"{text}"}}"#))
}

fn part(part: &str) -> String {
    content(&format!(r#""modelTurn":{{"role":"model","parts":[{part}]}}"#))
}

fn call(arguments: &str) -> String {
    format!("{{\"toolCall\":{{\"functionCalls\":[{{\"id\":\"c\",\"name\":\"f\",\"args\":{arguments}}}]}}}}\n")
}

#[test]
fn texts_go_on_within_a_turn() {
    let sound = part(r#"{"inlineData":{"mimeType":"audio/pcm","data":"c2VjcmV0"}}"#);
    let stream = |a: &str, b: &str, c: &str| {
        SETUP.to_owned()
            + &said(a)
            + &sound
            + &said(b)
            + TURN
            + &said("ret")
            + &part(&format!(r#"{{"text":"{c}","thought":true}}"#))
            + TURN
    };
    for dialect in [None, LIVE] {
        let output = at_every_cut(&usual(), dialect, stream("a sec", "ret, sec", "secret").as_bytes());
        assert_eq!(output.text(), stream("a ", "[s], sec", "[s]"));
        assert_eq!(output.ending, Ending::Complete);
        let kinds: Vec<_> = output.verdicts.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [ChannelKind::Text, ChannelKind::Reasoning]);
    }
}

#[test]
fn a_call_does_not_wait_for_the_turn_that_waits_for_its_result() {
    let mut options = FilterOptions::default();
    options.framing = Some(Framing::Messages);
    let mut live = Filter::with_options(&usual(), LIVE, options.clone());
    live.push(call(r#"{"a":"a secret"}"#).into(), Instant::now(), &mut ());
    assert_eq!(live.pop(), Some(Bytes::from(call(r#"{"a":"a [s]"}"#))));
    let named = r#"{"toolCall":{"functionCalls":[{"id":"c","name":"forbidden"}]}}"#;
    let none = r#"{"toolCall":{"functionCalls":[]}}"#;
    for (stopped, left) in [(call(r#"{"a":"forbidden"}"#), ""), (named.to_owned(), none)] {
        let messages = [call("{}"), stopped].map(Bytes::from);
        let output = filter(Filter::with_options(&usual(), LIVE, options.clone()), messages);
        assert_eq!(output.text(), call("{}") + left + &STOP.replace('\n', ""));
    }
}

#[test]
fn a_stop_interrupts_at_any_message() {
    let before = [SETUP.to_owned(), said("a"), call("{}"), part(r#"{"text":"b"}"#), TURN.to_owned()];
    for at in 1..=before.len() {
        for stop in [
            said("so forbidden"),
            part(r#"{"text":"so forbidden"}"#),
            content(r#""inputTranscription":{"text":"so forbidden"}"#),
        ] {
            let output = at_every_cut(&usual(), LIVE, (before[..at].concat() + &stop + TURN).as_bytes());
            assert_eq!(output.text(), before[..at].concat() + &stop.replace("forbidden", "") + STOP);
        }
    }
}

#[test]
fn a_turn_that_breaks_off_is_not_complete() {
    let input = SETUP.to_owned() + &said("a") + TURN + &said("b");
    let output = at_every_cut(&usual(), LIVE, input.as_bytes());
    assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Truncated));
    assert_eq!(output.text(), input + "{\"goAway\":{\"timeLeft\":\"0s\"}}\n");
}
