//! What the engine promises for any rules, any text and any cuts, held against the oracle.

mod oracle;

use holdback::Verdict;
use oracle::ast::{Act, Case};
use oracle::drive::{Run, cuttings, policy, run};
use oracle::generate::{self, ACTIONS, Context, Overflow, QUIET_ACTIONS, Shapes, Wish};
use oracle::meaning::{Meaning, Report, Why};
use oracle::property::property;
use oracle::write::id;

/// Runs the case at every cutting and checks each run against what the oracle says. Which verdicts fall and in which
/// order is the same at every cutting.
fn at_every_cutting(
    case: &Case,
    check: impl Fn(&Meaning<'_>, &[usize], &Run) -> Result<(), String>,
) -> Result<(), String> {
    let meaning = Meaning::of(case);
    let policy = policy(case)?;
    let mut verdicts: Option<Vec<Verdict>> = None;
    for cuts in cuttings(case.text.len(), case.cut_seed) {
        let outcome = run(&policy, &case.text, &cuts).and_then(|run| {
            let first = verdicts.get_or_insert_with(|| run.verdicts.clone());
            if *first != run.verdicts {
                return Err(format!("verdicts {:?}, but {first:?} for the whole text", run.verdicts));
            }
            check(&meaning, &cuts, &run)
        });
        outcome.map_err(|reason| format!("cut into {cuts:?}: {reason}"))?;
    }
    Ok(())
}

fn same_output(meaning: &Meaning<'_>, run: &Run) -> Result<(), String> {
    let expected = meaning.output();
    if run.output == expected {
        return Ok(());
    }
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(format!("left {:?}, should leave {:?}", show(&run.output), show(&expected)))
}

/// P1: what leaves is the text with every segment replaced.
#[test]
fn streaming_gives_what_the_whole_text_gives() {
    const WISH: Wish =
        Wish { actions: QUIET_ACTIONS, shapes: Shapes::Every, overflow: Overflow::Never, context: Context::Any };
    property(
        "output",
        10_000,
        |rng| generate::case(rng, WISH),
        |case| at_every_cutting(case, |meaning, _, run| same_output(meaning, run)),
    );
}

/// A verdict without the action, in a form that sorts.
type Told = (String, u64, u64, &'static str);

/// What was reported, less the verdict that ended the text, which must be the last and one that may end it.
fn told(meaning: &Meaning<'_>, run: &Run) -> Result<Vec<Told>, String> {
    let tell = |v: &Verdict| (v.rule.to_string(), v.span.start, v.span.end, v.reason.name());
    let mut verdicts: Vec<Told> = run.verdicts.iter().map(tell).collect();
    let Some(ending) = &run.terminated else { return Ok(verdicts) };
    let may_end: Vec<Told> = meaning
        .endings()
        .iter()
        .map(|span| (id(span.rule), span.start as u64, span.end as u64, reason(span.why)))
        .collect();
    let last = verdicts.pop();
    if last != Some(tell(ending)) || !may_end.contains(&tell(ending)) || ending.action != "terminate" {
        return Err(format!("ended by {ending:?} with {last:?} as last verdict, should be one of {may_end:?}"));
    }
    Ok(verdicts)
}

fn reason(why: Why) -> &'static str {
    match why {
        Why::Match => "match",
        Why::Overflow => "overflow",
        Why::Unclosed => "unclosed",
    }
}

fn expected(reports: &[Report]) -> Vec<Told> {
    reports.iter().map(|r| (id(r.rule), r.start as u64, r.end as u64, reason(r.why))).collect()
}

/// P6: the verdicts are the spans of each rule, overlapping ones merged, and where the text is ended the ending last.
#[test]
fn verdicts_are_the_merged_spans_of_each_rule() {
    const WISH: Wish =
        Wish { actions: ACTIONS, shapes: Shapes::Every, overflow: Overflow::Never, context: Context::Any };
    property(
        "verdicts",
        10_000,
        |rng| generate::case(rng, WISH),
        |case| {
            at_every_cutting(case, |meaning, _, run| {
                let (mut told, mut expected) = (told(meaning, run)?, expected(&meaning.reports()));
                told.sort();
                expected.sort();
                if told == expected { Ok(()) } else { Err(format!("verdicts {told:?}, should be {expected:?}")) }
            })
        },
    );
}

/// P7: a verdict falls with the first push after which nothing can be added to it, those of one push in the order in
/// which they became final.
#[test]
fn a_verdict_falls_when_it_is_final_and_in_order() {
    const WISH: Wish =
        Wish { actions: ACTIONS, shapes: Shapes::Every, overflow: Overflow::Never, context: Context::Plain };
    let wish = |rng: &mut oracle::rng::Rng| {
        let overflow = if rng.chance(30) { Overflow::Likely } else { Overflow::Never };
        generate::case(rng, Wish { overflow, ..WISH })
    };
    property("verdict order", 10_000, wish, |case| {
        at_every_cutting(case, |meaning, cuts, run| {
            let reports = meaning.reports();
            let (told, expected) = (told(meaning, run)?, expected(&reports));
            if told != expected {
                return Err(format!("verdicts {told:?}, should be {expected:?}"));
            }
            let moments = moments(cuts);
            for (report, &at) in reports.iter().zip(&run.verdicts_at) {
                let due = moments.iter().find(|&&known| known >= report.known);
                if due != Some(&at) {
                    return Err(format!("{report:?} was reported when {at} were known, should be when {due:?} are"));
                }
            }
            Ok(())
        })
    });
}

/// P2: a byte leaves with the first push after which no continuation can change what becomes of it, not earlier
/// (that would be a leak) and not later.
#[test]
fn a_byte_leaves_when_it_is_decided_and_not_later() {
    const WISH: Wish =
        Wish { actions: ACTIONS, shapes: Shapes::AllMode, overflow: Overflow::Never, context: Context::Plain };
    property(
        "minimality",
        10_000,
        |rng| generate::case(rng, WISH),
        |case| {
            at_every_cutting(case, |meaning, cuts, run| {
                let mut due = vec![None; case.text.len()];
                for known in moments(cuts) {
                    for (byte, _) in meaning.kept(known).iter().enumerate().filter(|&(_, &kept)| kept) {
                        due[byte].get_or_insert(known);
                    }
                }
                for (byte, (left, due)) in run.left_at.iter().zip(&due).enumerate() {
                    let (left, due) = (left.unwrap_or(usize::MAX), due.unwrap_or(usize::MAX));
                    if left < due {
                        return Err(format!("LEAK: byte {byte} left when {left} were known, may leave when {due} are"));
                    }
                    if left > due {
                        return Err(format!(
                            "over-hold: byte {byte} left when {left} were known, may leave when {due} are"
                        ));
                    }
                }
                Ok(())
            })
        },
    );
}

/// How many bytes are known after each push, and after the end.
fn moments(cuts: &[usize]) -> Vec<usize> {
    let mut known = 0;
    let mut moments: Vec<usize> = cuts.iter().map(|cut| (known += cut, known).1).collect();
    moments.push(known + 1);
    moments
}

/// P3: a candidate that outgrows its limit is covered from there on for as long as it lives, and no more than the
/// limit is ever held.
#[test]
fn what_outgrows_its_limit_is_covered() {
    const WISH: Wish =
        Wish { actions: QUIET_ACTIONS, shapes: Shapes::Every, overflow: Overflow::Likely, context: Context::Plain };
    property(
        "overflow",
        10_000,
        |rng| generate::case(rng, WISH),
        |case| {
            at_every_cutting(case, |meaning, _, run| {
                same_output(meaning, run)?;
                if run.most_held > case.max_hold {
                    return Err(format!("held {} bytes with a limit of {}", run.most_held, case.max_hold));
                }
                Ok(())
            })
        },
    );
}

/// P4: the text ends at the first byte that confirms a terminating match, wherever the cuts are, and no byte of
/// the match or behind it leaves.
#[test]
fn a_terminating_match_ends_the_text_before_its_start() {
    const ENDINGS: &[Act] = &[
        Act::Terminate,
        Act::Terminate,
        Act::Redact("[{rule}]"),
        Act::Drop,
        Act::Flag,
        Act::Mask { keep_first: 1, keep_last: 1 },
    ];
    const WISH: Wish =
        Wish { actions: ENDINGS, shapes: Shapes::Every, overflow: Overflow::Never, context: Context::Plain };
    let wish = |rng: &mut oracle::rng::Rng| {
        let overflow = if rng.chance(40) { Overflow::Likely } else { Overflow::Never };
        generate::case(rng, Wish { overflow, ..WISH })
    };
    property("termination", 10_000, wish, |case| {
        at_every_cutting(case, |meaning, _, run| {
            match (&meaning.stop, &run.terminated) {
                (None, None) => {}
                (Some(stop), Some(verdict)) => {
                    if *verdict.rule != *id(stop.rule) || verdict.span.start != stop.start as u64 {
                        return Err(format!("terminated by {verdict:?}, should be {stop:?}"));
                    }
                    let covered = |byte| meaning.segments(stop.at).iter().any(|s| (s.start..s.end).contains(&byte));
                    let left = |byte: &usize| run.left_at[*byte].is_some();
                    if let Some(byte) = (0..case.text.len()).filter(left).find(|&b| b >= stop.start || covered(b)) {
                        return Err(format!("LEAK: byte {byte} left though the text ends before {}", stop.start));
                    }
                }
                (stop, verdict) => return Err(format!("terminated: {verdict:?}, should be {stop:?}")),
            }
            same_output(meaning, run)
        })
    });
}
