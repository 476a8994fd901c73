//! Bounds of passages: where they end, what they may cost, and when the upstream has to wait for them.

use holdback::hold::Judgement;
use holdback::rule::{Check, Limit, OnFailure, Passages};
use holdback::{Channel, ChannelKind, Dialect, Ending, Filter, Policy, Rule};
use std::time::Instant;

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n")
}

const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn drain(filter: &mut Filter) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(bytes) = filter.pop() {
        out.extend_from_slice(&bytes);
    }
    out
}

/// `longest_passage` is accepted from 1 byte on. A passage that is cut within a character, shown behind the rest of it,
/// has a context that ends within a character: `Passage::text` slices a `str` there.
#[test]
fn a_longest_passage_shorter_than_a_character_does_not_panic() {
    for longest in 1..4 {
        let check = Check::gate("tone").passages(Passages::Whole).longest_passage(longest).context(8);
        let Ok(policy) = Policy::builder().check(check).build() else { continue };
        let mut channel = Channel::new(&policy, ChannelKind::Text);
        channel.push("\u{1f600}\u{e9}\u{20ac}".as_bytes());
        channel.finish();
        while let Some(passage) = channel.next_passage() {
            let _text = (passage.text().to_owned(), passage.context().to_owned());
        }
    }
}

/// A text that pauses within a character goes on.
#[test]
fn a_pause_within_a_character_does_not_panic() {
    let policy = Policy::builder().check(Check::gate("tone").context(8)).build().unwrap();
    let mut filter = Filter::new(&policy, Some(Dialect::OpenAiChat));
    let thought = |text: &[u8]| {
        let (head, tail) =
            (&b"data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\""[..], b"\"}}]}\n\n");
        [head, text, tail].concat()
    };
    let now = Instant::now();
    for event in [thought(b"ab\xc3"), event("x").into_bytes(), thought(b"\xa9 cd"), event("y").into_bytes()] {
        filter.push(event.into(), now, &mut ());
        while let Some(passage) = filter.next_passage() {
            let _text = (passage.text().to_owned(), passage.context().to_owned());
        }
    }
}

/// All of the text before, in the most natural way to say it.
#[test]
fn a_context_without_a_bound_is_no_overflow() {
    let policy = Policy::builder().check(Check::gate("tone").context(usize::MAX)).build().unwrap();
    let mut channel = Channel::new(&policy, ChannelKind::Text);
    channel.push(b"One. Two. Three. ");
    channel.push(b"Four. ");
    channel.finish();
    let mut last = None;
    while let Some(passage) = channel.next_passage() {
        last = Some(passage);
    }
    assert_eq!(last.unwrap().context(), "One. Two. Three. ");
}

/// What a rule holds for a check and can still grow is bounded by what the rule may hold.
#[test]
fn what_a_rule_holds_for_a_check_is_bounded() {
    let rule = || Rule::regex("run", "a+").hold("is-it");
    for (answer, left) in [(OnFailure::Withhold, "[run] b"), (OnFailure::Terminate, "")] {
        let check = Check::held("is-it").on_failure(answer);
        let policy = Policy::builder().rule(rule()).check(check).max_hold(1 << 10).build().unwrap();
        let mut filter = Filter::new(&policy, Some(Dialect::Text));
        for _ in 0..64 {
            filter.push("a".repeat(1 << 10).into(), Instant::now(), &mut ());
            assert!(filter.next_passage().is_none(), "it has outgrown its rule");
        }
        filter.push(" b".into(), Instant::now(), &mut ());
        filter.finish(Instant::now(), &mut ());
        assert_eq!(String::from_utf8(drain(&mut filter)).unwrap(), left);
    }
}

/// A stream that a rule has ended, and that waits for a gate to clear what is before, takes no more from upstream.
#[test]
fn a_stream_that_waits_for_its_end_is_full() {
    for is_limit in [false, true] {
        let builder = Policy::builder().check(Check::gate("tone"));
        let policy = match is_limit {
            false => builder.rule(Rule::literal("canary", "CANARY").terminate()),
            true => builder.limit(Limit::bytes("length", 20)),
        };
        let policy = policy.build().unwrap();
        let mut filter = Filter::new(&policy, Some(Dialect::OpenAiChat));
        let now = Instant::now();
        filter.push(event("All is well. And here is the CANARY, and much else.").into(), now, &mut ());
        let passage = filter.next_passage().expect("a sentence");
        let mut pushed = 0;
        while !filter.is_full() && filter.ending().is_none() && pushed < 70_000 {
            filter.push(event("more ").into(), now, &mut ());
            while filter.next_passage().is_some() {}
            pushed += 1;
        }
        filter.judge(passage.id(), Ok(Judgement::clear()), now, &mut ());
        assert!(
            matches!(filter.ending(), None | Some(Ending::Terminated(_))),
            "after {pushed} events more: {:?}",
            filter.ending()
        );
        assert!(pushed < 1000, "{pushed} events were taken behind the end");
    }
}

/// The upstream waits before the stream fails.
#[test]
fn a_stream_is_full_before_it_overflows() {
    // A gate that has not answered yet, and an upstream that says one character an event.
    let policy = Policy::builder().check(Check::gate("tone")).build().unwrap();
    let mut filter = Filter::new(&policy, Some(Dialect::OpenAiChat));
    let now = Instant::now();
    filter.push(event("All is well. A").into(), now, &mut ());
    let _asked = filter.next_passage().expect("a sentence");
    for n in 0..70_000 {
        if filter.is_full() {
            return;
        }
        filter.push(event("").into(), now, &mut ());
        assert_eq!(filter.ending(), None, "after {n} events, and it was never full");
    }
}

/// "Where passages end depends on the text alone."
#[test]
fn where_a_sentence_ends_depends_on_no_cut() {
    let policy = Policy::builder().check(Check::gate("tone")).build().unwrap();
    let passages = |pieces: &[&str]| {
        let mut channel = Channel::new(&policy, ChannelKind::Text);
        let mut passages = Vec::new();
        for piece in pieces {
            channel.push(piece.as_bytes());
            passages.extend(std::iter::from_fn(|| channel.next_passage()).map(|passage| passage.text().to_owned()));
        }
        channel.finish();
        passages.extend(std::iter::from_fn(|| channel.next_passage()).map(|passage| passage.text().to_owned()));
        passages
    };
    let mut wrong = Vec::new();
    for c in ('\u{0}'..='\u{10ffff}').filter(|c| c.is_alphabetic()) {
        for head in ["Hi. 1", "Hi. "] {
            let (head, tail) = (format!("{head}{c}"), " and on. Then");
            if passages(&[&head, tail]) != passages(&[&format!("{head}{tail}")]) {
                wrong.push(c as u32);
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them: {:x?}", wrong.len(), &wrong[..wrong.len().min(40)]);
}

/// What a gate withholds is nowhere in what leaves.
#[test]
fn arguments_that_a_gate_redacts_do_not_leave() {
    let policy = Policy::builder().check(Check::gate("tone")).build().unwrap();
    let call = |arguments: &str| {
        let arguments = serde_json::to_string(arguments).unwrap();
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"id\":\"c\",\"type\":\"function\",\"function\":{{\"name\":\"run\",\"arguments\":{arguments}}}}}]}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let input = call("{\"kill all humans\": true, \"n\": ") + &call("12345, \"why\": \"they are bad\"}") + FINISH;
    let mut filter = Filter::new(&policy, Some(Dialect::OpenAiChat));
    let now = Instant::now();
    filter.push(input.into(), now, &mut ());
    filter.finish(now, &mut ());
    while let Some(passage) = filter.next_passage() {
        filter.judge(passage.id(), Ok(Judgement::redact()), now, &mut ());
    }
    let out = String::from_utf8(drain(&mut filter)).unwrap();
    assert!(!out.contains("kill") && !out.contains("12345") && !out.contains("bad"), "{out}");
}
