//! Judgements that come late: when text was decided, but has not left, and when it is shown again.

use holdback::hold::{Judgement, Passage, Unjudged};
use holdback::rule::{Check, Limit, OnFailure};
use holdback::{Dialect, Ending, Filter, Policy};
use std::time::Instant;

fn run(
    policy: &Policy,
    dialect: Dialect,
    input: &str,
    judge: impl Fn(&Passage) -> Result<Judgement, Unjudged>,
) -> (String, String, Ending) {
    let now = Instant::now();
    let mut filter = Filter::new(policy, Some(dialect));
    let mut before = Vec::new();
    let mut after = Vec::new();
    filter.push(input.to_owned().into(), now, &mut ());
    filter.finish(now, &mut ());
    while let Some(bytes) = filter.pop() {
        before.extend_from_slice(&bytes);
    }
    while let Some(passage) = filter.next_passage() {
        filter.judge(passage.id(), judge(&passage), now, &mut ());
    }
    while let Some(bytes) = filter.pop() {
        after.extend_from_slice(&bytes);
    }
    let ending = filter.ending().cloned().expect("it ends");
    (String::from_utf8(before).unwrap(), String::from_utf8(after).unwrap(), ending)
}

fn terminate(_: &Passage) -> Result<Judgement, Unjudged> {
    Ok(Judgement::terminate())
}

const DOCUMENT: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"I will hurt you. All of you."},"finish_reason":"stop"}]}"#;

/// Of a document nothing has left when the check at its end says that the stream must end before its first byte.
#[test]
fn a_document_that_a_check_at_the_end_stops_does_not_leave_first() {
    let policy = Policy::builder().check(Check::at_end("tone")).build().unwrap();
    for judge in [terminate, |_: &Passage| Ok(Judgement::redact()), |_: &Passage| Err(Unjudged::TimedOut)] {
        let (before, after, ending) = run(&policy, Dialect::OpenAiChat, DOCUMENT, judge);
        assert!(before.is_empty() && matches!(ending, Ending::Terminated(_)), "{before} {ending:?}");
        assert!(!after.contains("hurt"), "judged bad, and sent then: {after}");
    }
}

/// Of a stream whose last event has text, that text has not left either.
#[test]
fn an_event_that_waits_for_a_check_at_the_end_does_not_leave_with_what_is_stopped() {
    let policy = Policy::builder().check(Check::at_end("tone")).build().unwrap();
    let gemini = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"I will hurt you.\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}]}\n\n";
    let chat = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"I will hurt you.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    for (dialect, input) in [(Dialect::Gemini, gemini), (Dialect::OpenAiChat, chat)] {
        let (before, after, ending) = run(&policy, dialect, input, terminate);
        assert!(before.is_empty() && matches!(ending, Ending::Terminated(_)), "{before} {ending:?}");
        assert!(!after.contains("hurt"), "{dialect:?}: judged bad, and sent then: {after}");
    }
}

/// A gate and a limit of findings in a document.
#[test]
fn gates_stop_documents_before_what_they_judge() {
    let policy = Policy::builder().check(Check::gate("tone").on_failure(OnFailure::Terminate));
    let policy = policy.limit(Limit::bytes("length", 1000)).build().unwrap();
    for judge in [terminate, |_: &Passage| Err(Unjudged::TimedOut)] {
        let (_, after, _) = run(&policy, Dialect::OpenAiChat, DOCUMENT, judge);
        assert!(!after.contains("hurt"), "{after}");
    }
}

/// "A redaction" of nothing is no redaction, and is not reported as one that was enforced.
#[test]
fn a_redaction_of_no_spans_is_not_a_clearance() {
    let policy = Policy::builder().check(Check::gate("tone")).build().unwrap();
    let (_, after, _) = run(&policy, Dialect::OpenAiChat, DOCUMENT, |_| Ok(Judgement::redact_spans([])));
    assert!(!after.contains("hurt"), "{after}");
}

fn run_each(input: &str, judge: impl Fn(&Passage) -> Result<Judgement, Unjudged>) -> (String, Vec<String>, Ending) {
    let policy = Policy::builder().check(Check::gate("tone")).build().unwrap();
    let now = Instant::now();
    let mut filter = Filter::new(&policy, Some(Dialect::OpenAiChat));
    let (mut out, mut asked) = (Vec::new(), Vec::new());
    let mut judged = |filter: &mut Filter| {
        while let Some(passage) = filter.next_passage() {
            asked.push(passage.text().to_owned());
            filter.judge(passage.id(), judge(&passage), now, &mut ());
        }
        while let Some(bytes) = filter.pop() {
            out.extend_from_slice(&bytes);
        }
    };
    for event in input.split_inclusive("\n\n") {
        filter.push(event.to_owned().into(), now, &mut ());
        judged(&mut filter);
    }
    filter.finish(now, &mut ());
    judged(&mut filter);
    (String::from_utf8(out).unwrap(), asked, filter.ending().cloned().unwrap())
}

/// A thought that an answer interrupts is cut there for its gate, and shown whole by the last event, where it is not: what
/// was withheld of the deltas stands in the snapshot.
#[test]
fn what_was_redacted_of_an_interrupted_thought_is_not_shown_at_the_end() {
    let delta = |member: &str, text: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"{member}\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let input = [
        delta("reasoning_content", "The code is 1234 "),
        delta("content", "Let me see. "),
        delta("reasoning_content", "or so they say. Well. "),
        delta("content", "It is done."),
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"message\":{\"role\":\"assistant\",\"reasoning_content\":\"The code is 1234 or so they say. Well. \",\"content\":\"Let me see. It is done.\"},\"finish_reason\":\"stop\"}]}\n\n".to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let (out, asked, ending) = run_each(&input, |passage| match passage.text().ends_with("1234 ") {
        true => Ok(Judgement::redact()),
        false => Ok(Judgement::clear()),
    });
    assert!(!out.contains("1234"), "{ending:?} {asked:?}\n{out}");
}

/// The same where the check was late for the half of it.
#[test]
fn what_was_withheld_of_an_interrupted_thought_is_not_shown_at_the_end() {
    let delta = |member: &str, text: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"{member}\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let input = delta("reasoning", "She is bad ")
        + &delta("content", "Hi. ")
        + &delta("reasoning", "no more. ")
        + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"message\":{\"reasoning\":\"She is bad no more. \",\"content\":\"Hi. \"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let (out, asked, ending) = run_each(&input, |passage| match passage.text() {
        "She is bad " => Err(Unjudged::TimedOut),
        _ => Ok(Judgement::clear()),
    });
    assert!(!out.contains("bad"), "{ending:?} {asked:?}\n{out}");
}
