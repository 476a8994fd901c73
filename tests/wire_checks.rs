//! Streams under checks: whatever the order in which judgements come, the same leaves, nothing before it was judged, and
//! the end is one of the protocol's own.

mod drive;

#[allow(dead_code, reason = "the oracle uses the rest")]
#[path = "oracle/rng.rs"]
mod rng;

use bytes::Bytes;
use drive::{Notes, Output, Recorded, payloads, recorded};
use holdback::hold::{Judgement, Passage, Unjudged};
use holdback::policy::Reason;
use holdback::rule::{Check, OnFailure, Passages};
use holdback::wire::Failure;
use holdback::{Dialect, Ending, Filter, Policy, Rule};
use rng::Rng;
use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

const CHAT: Option<Dialect> = Some(Dialect::OpenAiChat);
const DONE: &str = "data: [DONE]\n\n";

type Judged = Result<Judgement, Unjudged>;

/// When judgements come.
#[derive(Clone, Copy, Debug)]
enum When {
    AtOnce,
    AtTheEnd,
    /// After any chunk, in any order.
    Sometime(u64),
}

/// Filters an input that is cut into pieces of this size, and judges as `judge` says.
fn judged(
    policy: &Policy,
    dialect: Option<Dialect>,
    input: &[u8],
    size: usize,
    when: When,
    judge: impl Fn(&Passage) -> Judged,
) -> Output {
    let (now, mut notes, mut bytes) = (Instant::now(), Notes::default(), Vec::new());
    let mut filter = Filter::new(policy, dialect);
    let mut rng = Rng::new(if let When::Sometime(seed) = when { seed } else { 0 });
    let (mut asked, mut ids) = (Vec::new(), HashSet::new());
    let mut take = |filter: &mut Filter, asked: &mut Vec<Passage>| {
        while let Some(out) = filter.pop() {
            bytes.extend_from_slice(&out);
        }
        while let Some(passage) = filter.next_passage() {
            assert!(ids.insert(passage.id()), "a passage is asked about once");
            asked.push(passage);
        }
    };
    let mut chunks = input.chunks(size.max(1));
    loop {
        let chunk = chunks.next();
        match chunk {
            Some(chunk) => filter.push(Bytes::copy_from_slice(chunk), now, &mut notes),
            None => filter.finish(now, &mut notes),
        }
        take(&mut filter, &mut asked);
        while filter.ending().is_none() && !asked.is_empty() {
            let is_due = match when {
                When::AtOnce => true,
                When::AtTheEnd => chunk.is_none(),
                When::Sometime(_) => chunk.is_none() || rng.chance(30),
            };
            if !is_due {
                break;
            }
            let passage = asked.swap_remove(rng.below(asked.len()));
            filter.judge(passage.id(), judge(&passage), now, &mut notes);
            take(&mut filter, &mut asked);
        }
        if filter.ending().is_some() || chunk.is_none() {
            break;
        }
    }
    let ending = filter.ending().cloned().expect("a stream that is judged ends");
    assert_eq!(notes.endings, std::slice::from_ref(&ending), "the observer sees the ending once");
    Output { bytes, ending, verdicts: notes.verdicts }
}

/// The same at several cuts and in several orders, which must not show.
fn at_any_time(policy: &Policy, dialect: Option<Dialect>, input: &[u8], judge: impl Fn(&Passage) -> Judged) -> Output {
    let whole = judged(policy, dialect, input, input.len(), When::AtOnce, &judge);
    for size in [1, 7, 64, input.len()] {
        for when in [When::AtOnce, When::AtTheEnd, When::Sometime(1), When::Sometime(2)] {
            let output = judged(policy, dialect, input, size, when, &judge);
            let [text, expected] = [&output, &whole].map(|output| String::from_utf8_lossy(&output.bytes));
            assert_eq!(text, expected, "pieces of {size}, {when:?}");
            assert_eq!(output.ending.name(), whole.ending.name());
        }
    }
    whole
}

fn content(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

fn answer(deltas: &[&str]) -> String {
    let finish = content("").replace("{\"content\":\"\"}", "{}").replace("null", "\"stop\"");
    deltas.iter().map(|delta| content(delta)).collect::<String>() + &finish + DONE
}

fn said(output: &Output) -> String {
    let content = |event: serde_json::Value| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
    output.events().into_iter().filter_map(content).collect()
}

fn gate() -> Policy {
    Policy::builder().check(Check::gate("tone")).build().unwrap()
}

const DELTAS: &[&str] = &["One f", "ine day. Two", " bad words! Th", "ree again. Fo", "ur"];

#[test]
fn what_is_cleared_leaves_as_it_came() {
    let input = answer(DELTAS);
    let output = at_any_time(&gate(), CHAT, input.as_bytes(), |_| Ok(Judgement::clear()));
    assert_eq!(output.text(), input);
    assert_eq!(output.ending, Ending::Complete);
    assert_eq!(output.verdicts, []);
}

#[test]
fn nothing_leaves_before_it_was_judged() {
    let now = Instant::now();
    let mut filter = Filter::new(&gate(), CHAT);
    filter.push(answer(DELTAS).into(), now, &mut ());
    let passages: Vec<Passage> = std::iter::from_fn(|| filter.next_passage()).collect();
    let texts: Vec<&str> = passages.iter().map(Passage::text).collect();
    assert_eq!(texts, ["One fine day. ", "Two bad words! ", "Three again. ", "Four"]);
    filter.finish(now, &mut ());
    assert!(filter.pop().is_none() && filter.ending().is_none());
    // In whatever order they come, they leave in theirs.
    filter.judge(passages[1].id(), Ok(Judgement::clear()), now, &mut ());
    assert!(filter.pop().is_none());
    filter.judge(passages[0].id(), Ok(Judgement::clear()), now, &mut ());
    let mut left = Vec::new();
    while let Some(bytes) = filter.pop() {
        left.extend_from_slice(&bytes);
    }
    assert_eq!(String::from_utf8(left).unwrap(), DELTAS[..2].iter().map(|delta| content(delta)).collect::<String>());
}

#[test]
fn what_is_redacted_is_replaced() {
    let judge = |passage: &Passage| match passage.text().find("bad") {
        Some(at) => Ok(Judgement::redact_span(at..at + 3).category("tone").score(0.8)),
        None => Ok(Judgement::clear()),
    };
    let output = at_any_time(&gate(), CHAT, answer(DELTAS).as_bytes(), judge);
    assert_eq!(said(&output), "One fine day. Two [tone] words! Three again. Four");
    assert_eq!(output.ending, Ending::Complete);
    let (_, verdict) = &output.verdicts[0];
    assert_eq!((&*verdict.rule, verdict.action, verdict.reason), ("tone", "redact", Reason::Judged));
    assert_eq!(verdict.category.as_deref(), Some("tone"));
    assert_eq!(verdict.score.map(|score| score.to_string()).as_deref(), Some("0.800"));
}

#[test]
fn a_stream_ends_before_what_it_must_not_say_however_late_that_is_known() {
    let judge = |passage: &Passage| match passage.text().contains("bad") {
        true => Ok(Judgement::terminate()),
        false => Ok(Judgement::clear()),
    };
    let output = at_any_time(&gate(), CHAT, answer(DELTAS).as_bytes(), judge);
    assert_eq!(said(&output), "One fine day. ");
    assert_eq!(output.ending.reason(), Some("tone"));
    let finishes = output.text().matches("\"finish_reason\":\"content_filter\"").count();
    assert_eq!((finishes, output.text().matches("\"stop\"").count()), (1, 0), "{}", output.text());
    assert!(output.text().ends_with(DONE));
}

#[test]
fn a_failing_check_is_answered_as_its_owner_says() {
    for (on_failure, expected) in [
        (OnFailure::Withhold, "One fine day. [tone]Three again. Four"),
        (OnFailure::Terminate, "One fine day. "),
        (OnFailure::Release, "One fine day. Two bad words! Three again. Four"),
    ] {
        let policy = Policy::builder().check(Check::gate("tone").on_failure(on_failure)).build().unwrap();
        let judge = |passage: &Passage| match passage.text().contains("bad") {
            true => Err(Unjudged::TimedOut),
            false => Ok(Judgement::clear()),
        };
        let output = at_any_time(&policy, CHAT, answer(DELTAS).as_bytes(), judge);
        assert_eq!(said(&output), expected);
        let (_, verdict) = &output.verdicts[0];
        assert_eq!((verdict.action, verdict.reason), (on_failure.name(), Reason::Unjudged));
    }
}

#[test]
fn a_check_that_trails_ends_the_stream_where_it_is() {
    let policy = Policy::builder().check(Check::trail("tone")).build().unwrap();
    let now = Instant::now();
    let mut filter = Filter::new(&policy, CHAT);
    let mut left = Vec::new();
    for delta in DELTAS {
        filter.push(content(delta).into(), now, &mut ());
        left.extend(filter.pop().expect("text leaves at once"));
    }
    let passage = filter.next_passage().expect("a sentence is complete");
    filter.judge(passage.id(), Ok(Judgement::redact()), now, &mut ());
    assert!(matches!(filter.ending(), Some(Ending::Terminated(verdict)) if verdict.span == passage.span()));
    while let Some(bytes) = filter.pop() {
        left.extend(bytes);
    }
    let left = String::from_utf8(left).unwrap();
    assert!(left.ends_with(DONE) && left.contains("content_filter"), "{left}");
}

#[test]
fn the_end_waits_for_a_check_at_the_end() {
    let policy = Policy::builder().check(Check::at_end("tone")).build().unwrap();
    let input = answer(DELTAS);
    let output = at_any_time(&policy, CHAT, input.as_bytes(), |passage| {
        assert_eq!(passage.text(), DELTAS.concat());
        Ok(Judgement::clear())
    });
    assert_eq!(output.text(), input);
    let output = at_any_time(&policy, CHAT, input.as_bytes(), |_| Ok(Judgement::terminate()));
    assert_eq!(said(&output), DELTAS.concat());
    assert_eq!(output.text().matches("\"finish_reason\":\"content_filter\"").count(), 1, "{}", output.text());
    assert!(!output.text().contains("\"stop\"") && output.text().ends_with(DONE), "{}", output.text());
}

#[test]
fn fields_that_nobody_knows_are_judged_if_they_say_something() {
    let event = |n: usize| {
        let provider = format!("\"provider\":\"p-{n}\",\"note\":\"This is number {n}.\",\"choices\"");
        content("so ").replace("\"choices\"", &provider)
    };
    // More of them than a stream may have channels, while the answer waits for the end of its sentence.
    let input: String = (0..6_000).map(event).collect::<String>() + &answer(&["on. Bye"]);
    let judge = |passage: &Passage| match passage.text() {
        "This is number 7." => Ok(Judgement::redact()),
        text => {
            assert!(!text.starts_with("p-"), "{text}");
            Ok(Judgement::clear())
        }
    };
    let check = Check::gate("tone").longest_passage(60);
    let policy = Policy::builder().check(check).build().unwrap();
    let output = judged(&policy, CHAT, input.as_bytes(), 4_096, When::AtOnce, judge);
    assert_eq!((output.text().matches("[tone]").count(), output.ending.name()), (1, "complete"));
    assert_eq!(output.text(), input.replace("This is number 7.", "[tone]"));
    // Nothing leaves before the end, and each note waits for that.
    let policy = Policy::builder().check(Check::gate("tone").passages(Passages::Whole)).build().unwrap();
    let output = judged(&policy, CHAT, input.as_bytes(), 4_096, When::AtOnce, |_| Ok(Judgement::clear()));
    assert_eq!((output.text() == input, output.ending.name()), (true, "complete"));
    // Text that leaves at once is judged later, and its channels are forgotten all the same.
    let policy = Policy::builder().check(Check::trail("tone").longest_passage(60)).build().unwrap();
    let output = judged(&policy, CHAT, input.as_bytes(), 4_096, When::AtOnce, |_| Ok(Judgement::clear()));
    assert_eq!((output.text() == input, output.ending.name()), (true, "complete"));
}

#[test]
fn a_stream_that_fails_keeps_what_waits() {
    let now = Instant::now();
    let mut filter = Filter::new(&gate(), CHAT);
    filter.push(answer(DELTAS).into(), now, &mut ());
    filter.fail(Ending::TimedOut, now, &mut ());
    let mut left = Vec::new();
    while let Some(bytes) = filter.pop() {
        left.extend_from_slice(&bytes);
    }
    let left = String::from_utf8(left).unwrap();
    assert!(left.contains("\"error\"") && !left.contains("\"stop\"") && !left.contains("fine"), "{left}");
}

#[test]
fn rules_and_checks_share_a_text() {
    let policy = Policy::builder()
        .rule(Rule::literal("day", "fine day").redact("<d>"))
        .rule(Rule::literal("over", "again").terminate())
        .check(Check::gate("tone"))
        .build()
        .unwrap();
    let output = at_any_time(&policy, CHAT, answer(DELTAS).as_bytes(), |_| Ok(Judgement::clear()));
    assert_eq!(said(&output), "One <d>. Two bad words! Three ");
    assert_eq!(output.ending.reason(), Some("over"));
}

/// Holds numbers for a check, which takes those behind `account` for account numbers.
fn holding() -> Policy {
    let rule = Rule::regex("account", r"\b[0-9]{6,8}\b").hold("is-account");
    Policy::builder().rule(rule).check(Check::held("is-account").context(20)).build().unwrap()
}

fn is_account(passage: &Passage) -> Judged {
    match passage.context().contains("account") {
        true => Ok(Judgement::redact()),
        false => Ok(Judgement::clear()),
    }
}

#[test]
fn what_a_rule_holds_is_judged_in_its_context() {
    let deltas = ["My acc", "ount is 1234", "567, my order 765", "4321", ", both of 12 p", "arts, 123456"];
    let output = at_any_time(&holding(), CHAT, answer(&deltas).as_bytes(), is_account);
    assert_eq!(said(&output), "My account is [account], my order 7654321, both of 12 parts, 123456");
    let told: Vec<(&str, &str)> = output.verdicts.iter().map(|(_, verdict)| (&*verdict.rule, verdict.action)).collect();
    assert_eq!(told.iter().filter(|told| **told == ("account", "redact")).count(), 1);
    assert_eq!(told.iter().filter(|told| **told == ("account", "release")).count(), 2);
}

#[test]
fn only_what_is_held_waits() {
    let now = Instant::now();
    let mut filter = Filter::new(&holding(), Some(Dialect::Text));
    filter.push("Order 1234567 is on its way".into(), now, &mut ());
    assert_eq!(filter.pop().as_deref(), Some(&b"Order "[..]));
    assert_eq!(filter.pop(), None);
    let passage = filter.next_passage().expect("the number is complete");
    assert_eq!((passage.context(), passage.text()), ("Order ", "1234567"));
    filter.judge(passage.id(), Ok(Judgement::terminate()), now, &mut ());
    assert!(matches!(filter.ending(), Some(Ending::Terminated(verdict)) if &*verdict.rule == "account"));
    assert_eq!(filter.pop(), None);
}

#[test]
fn a_thought_that_ends_in_what_is_held_waits_for_its_judgement() {
    let thought = |text: &str| content(text).replace("\"content\"", "\"reasoning_content\"");
    let finish = answer(&[]);
    let input = thought("the account 1234") + &thought("567") + &content("It is done. ") + &content("Bye") + &finish;
    let output = at_any_time(&holding(), CHAT, input.as_bytes(), is_account);
    assert!(!output.text().contains("1234") && !output.text().contains("567"), "{}", output.text());
    assert_eq!(output.text().matches("[account]").count(), 1);
    assert_eq!((said(&output), output.ending.name()), ("It is done. Bye".to_owned(), "complete"));
}

#[test]
fn plain_text_and_documents_wait_too() {
    let judge = |passage: &Passage| match passage.text().contains("bad") {
        true => Ok(Judgement::redact()),
        false => Ok(Judgement::clear()),
    };
    let text = DELTAS.concat();
    let output = at_any_time(&gate(), Some(Dialect::Text), text.as_bytes(), judge);
    assert_eq!(output.text(), "One fine day. [tone]Three again. Four");
    let document = format!(
        "{{\"id\":\"c\",\"object\":\"chat.completion\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
         \"content\":\"{text}\"}},\"finish_reason\":\"stop\"}}]}}"
    );
    let output = at_any_time(&gate(), None, document.as_bytes(), judge);
    assert_eq!(output.text(), document.replace("Two bad words! ", "[tone]"));
    let output = at_any_time(&gate(), None, document.as_bytes(), |passage| match passage.text().contains("bad") {
        true => Ok(Judgement::terminate()),
        false => Ok(Judgement::clear()),
    });
    let stopped = document.replace("Two bad words! Three again. Four", "").replace("\"stop\"", "\"content_filter\"");
    assert_eq!(output.text(), stopped);
}

/// What a hash of the text says.
fn by_hash(passage: &Passage) -> Judged {
    let bytes = passage.text_in_context().bytes();
    let hash = bytes.fold(7_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    match hash % 8 {
        0 => Ok(Judgement::redact()),
        1 => Err(Unjudged::Failed),
        _ => Ok(Judgement::clear()),
    }
}

/// Whether the stream fails on its way: what waits by then is withheld, and how much that is depends on time.
fn breaks_off(output: &Output) -> bool {
    matches!(output.ending, Ending::UpstreamFailed(failure) if failure != Failure::Reported)
}

#[test]
fn recorded_streams_are_cleared_as_they_came() {
    let policy = gate();
    let mut broken_off = BTreeSet::new();
    for Recorded { name, dialect, bytes: input } in recorded() {
        for (size, when) in [(1, When::AtTheEnd), (64, When::AtOnce), (input.len(), When::Sometime(3))] {
            let output = judged(&policy, Some(dialect), &input, size, when, |_| Ok(Judgement::clear()));
            if breaks_off(&output) {
                broken_off.insert(name.clone());
                continue;
            }
            assert!(output.bytes.starts_with(&input), "{name} at {size}, {when:?}: {:?}", output.ending);
        }
    }
    assert!(broken_off.len() <= 9, "streams that do not come to their protocol's end: {broken_off:?}");
}

#[test]
fn recorded_streams_do_not_depend_on_when_they_are_judged() {
    let check = Check::gate("tone").passages(Passages::Characters(12)).context(8);
    let policy = Policy::builder().check(check).build().unwrap();
    for Recorded { name, dialect, bytes: input } in recorded() {
        let whole = judged(&policy, Some(dialect), &input, input.len(), When::AtOnce, by_hash);
        if breaks_off(&whole) {
            continue;
        }
        for (size, when) in [(7, When::AtTheEnd), (64, When::Sometime(1)), (input.len(), When::Sometime(2))] {
            let output = judged(&policy, Some(dialect), &input, size, when, by_hash);
            let [text, expected] = [&output, &whole].map(|output| String::from_utf8_lossy(&output.bytes));
            assert_eq!(text, expected, "{name} at {size}, {when:?}");
        }
    }
}

/// Ends what a hash of the text says.
fn ends_by_hash(passage: &Passage) -> Judged {
    let bytes = passage.text_in_context().bytes();
    let hash = bytes.fold(11_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    if hash % 24 == 0 { Ok(Judgement::terminate()) } else { by_hash(passage) }
}

#[test]
fn recorded_streams_end_alike_whenever_they_are_judged() {
    let check = Check::gate("tone").passages(Passages::Characters(12));
    let policy = Policy::builder().check(check).build().unwrap();
    let usage = r#",?(?:"(usage|usageMetadata)":(null|\{([^{}]|\{[^{}]*\})*\})|"bytes":"[^"]*"|"[A-Za-z_]*([Tt]okens|_count|_duration)[A-Za-z_]*":\d+)"#;
    let usage = regex::Regex::new(usage).unwrap();
    let mut ended = 0;
    for Recorded { name, dialect, bytes: input } in recorded() {
        let whole = judged(&policy, Some(dialect), &input, input.len(), When::AtOnce, ends_by_hash);
        if !matches!(whole.ending, Ending::Terminated(_)) {
            continue;
        }
        ended += 1;
        for (size, when) in
            [(1, When::AtOnce), (7, When::AtTheEnd), (64, When::Sometime(1)), (input.len(), When::Sometime(2))]
        {
            let output = judged(&policy, Some(dialect), &input, size, when, ends_by_hash);
            // What the model has used by the end is told as far as it is known by then.
            let [text, expected] = [&output, &whole].map(|output| {
                let text = payloads(&output.bytes).join("\n");
                usage.replace_all(&text, "").into_owned()
            });
            let same = text.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
            let [left, right] = [&text, &expected].map(|text| String::from_utf8_lossy(&text.as_bytes()[same..]));
            assert_eq!(left, right, "{name} at {size}, {when:?}, from byte {same}");
        }
    }
    println!("{ended} streams ended");
}
