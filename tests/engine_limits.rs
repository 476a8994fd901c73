//! Limits of what a stream may have: reached at the same byte however the text is cut.

mod oracle;

use holdback::policy::Reason;
use holdback::rule::{Limit, Severity};
use holdback::{Channel, ChannelKind, Dialect, Ending, Filter, Policy, Rule, Verdict};
use oracle::ast::Case;
use oracle::drive::cuttings;
use oracle::generate::{self, ACTIONS, Context, Overflow, Shapes, Wish};
use oracle::property::property;
use oracle::rng::Rng;
use oracle::write;
use std::time::Instant;

const RULES: Wish = Wish { actions: ACTIONS, shapes: Shapes::Every, overflow: Overflow::Never, context: Context::Any };

/// What leaves of a text that is cut so, and what is told.
fn run(policy: &Policy, text: &[u8], cuts: &[usize]) -> (Vec<u8>, Vec<Verdict>) {
    let mut channel = Channel::new(policy, ChannelKind::Text);
    let (mut out, mut verdicts, mut known) = (Vec::new(), Vec::new(), 0);
    for cut in cuts {
        let released = channel.push(&text[known..known + cut]);
        released.write_to(&mut out);
        verdicts.extend_from_slice(released.verdicts());
        known += cut;
    }
    let released = channel.finish();
    released.write_to(&mut out);
    verdicts.extend_from_slice(released.verdicts());
    (out, verdicts)
}

fn check(case: &Case) -> Result<(), String> {
    let mut rng = Rng::new(case.cut_seed ^ 0x11);
    let bytes = rng.below(case.text.len() + 1) as u64 + 1;
    let limits = [
        Limit::bytes("bytes", bytes),
        Limit::findings("findings", "*", Severity::Info, rng.between(1, 3) as u32),
        Limit::repeats("repeats", 2, 6),
        Limit::scripts("scripts", ["Greek"], rng.between(1, 9) as u64),
    ];
    let limits: Vec<Limit> = limits.into_iter().filter(|_| rng.chance(60)).collect();
    let builder = Policy::builder().rules(write::rules(case)).max_hold(case.max_hold);
    let builder = limits.iter().cloned().fold(builder, |builder, limit| builder.limit(limit));
    let policy = case.automata.of(builder).build().map_err(|error| error.to_string())?;
    let mut whole = None;
    for cuts in cuttings(case.text.len(), case.cut_seed) {
        let (out, verdicts) = run(&policy, &case.text, &cuts);
        let (first, told) = whole.get_or_insert_with(|| (out.clone(), verdicts.clone()));
        if *first != out {
            let [out, first] = [&out, &*first].map(|out| String::from_utf8_lossy(out));
            return Err(format!("cut into {cuts:?}: left {out:?}, but {first:?} at first, under {limits:?}"));
        }
        if *told != verdicts {
            return Err(format!("cut into {cuts:?}: told {verdicts:?}, but {told:?} at first, under {limits:?}"));
        }
    }
    Ok(())
}

#[test]
fn limits_are_reached_at_the_same_byte_at_every_cut() {
    property("limits", 10_000, |rng| generate::case(rng, RULES), check);
}

#[test]
fn a_limit_within_a_character_is_reached_before_it() {
    let rule = || Rule::literal("codename", "Nightjar");
    for builder in [Policy::builder(), Policy::builder().rule(rule())] {
        let policy = builder.limit(Limit::bytes("length", 5)).build().unwrap();
        let text = "äö漢".as_bytes();
        for cuts in cuttings(text.len(), 7) {
            let (out, verdicts) = run(&policy, text, &cuts);
            assert_eq!((std::str::from_utf8(&out), verdicts.len()), (Ok("äö"), 1), "cut into {cuts:?}");
        }
        // What is no character is text all the same.
        assert_eq!(run(&policy, b"abc\xe6", &[4]).0, b"abc\xe6");
    }
}

fn chat(index: u32, text: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

fn filter(limit: Limit, input: &str) -> (String, Option<Ending>) {
    let rule = Rule::regex("pii.number", r"\b[0-9]{3}\b").severity(Severity::High);
    let policy = Policy::builder().rule(rule).limit(limit).build().unwrap();
    let mut filter = Filter::new(&policy, Some(Dialect::OpenAiChat));
    filter.push(input.to_owned().into(), Instant::now(), &mut ());
    let mut out = String::new();
    while let Some(bytes) = filter.pop() {
        out.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    (out, filter.ending().cloned())
}

#[test]
fn all_texts_of_a_stream_count_together() {
    let input = chat(0, "One 123, ") + &chat(1, "two 456, ") + &chat(0, "three 789, ") + &chat(1, "four");
    let (out, ending) = filter(Limit::findings("limits.pii", "pii.*", Severity::High, 3), &input);
    let Some(Ending::Terminated(verdict)) = ending else { panic!("it ends: {out}") };
    assert_eq!((&*verdict.rule, verdict.reason), ("limits.pii", Reason::Limit));
    assert!(out.contains("three [pii.number]") && !out.contains("four") && out.ends_with("data: [DONE]\n\n"), "{out}");

    let (out, ending) = filter(Limit::bytes("limits.length", 12), &input);
    assert!(matches!(ending, Some(Ending::Terminated(_))), "{out}");
    assert!(out.contains("\"two\"") && !out.contains("pii.number]\",\"two"), "{out}");

    let (out, ending) = filter(Limit::bytes("limits.length", 12).monitor(), &input);
    assert!(ending.is_none() && out.contains("four"), "{out}");
}

#[test]
fn a_model_that_has_lost_itself_is_stopped() {
    let input: String = std::iter::once(chat(0, "Well: ")).chain((0..40).map(|_| chat(0, "and so on, "))).collect();
    let (out, ending) = filter(Limit::repeats("limits.loop", 4, 60), &input);
    assert!(matches!(ending, Some(Ending::Terminated(_))), "{out}");
    // Sixty bytes, with the blank before: five times, and the beginning of a sixth.
    assert_eq!((out.matches("and so on").count(), out.matches("\"and \"").count()), (5, 1), "{out}");
}

#[test]
fn a_limit_that_limits_nothing_is_a_fault() {
    for limit in [
        Limit::bytes("a", 0),
        Limit::findings("a", "pii.*", Severity::Info, 0),
        Limit::findings("a", "no.such", Severity::Info, 1),
        Limit::findings("a", "pii.*", Severity::Critical, 1),
        Limit::repeats("a", 1, 9),
        Limit::bytes("pii.number", 9),
    ] {
        let rule = Rule::regex("pii.number", "[0-9]{3}").severity(Severity::High);
        assert!(Policy::builder().rule(rule).limit(limit.clone()).build().is_err(), "{limit:?}");
    }
}
