//! Rules and checks together, held against the oracle: what leaves does not depend on how the text is cut, nor on when
//! and in which order its judgements come; and nothing leaves before it was judged.

mod oracle;

use holdback::hold::{Judgement, Passage, PassageId, Ruling, Unjudged};
use holdback::rule::{Check, OnFailure, Passages};
use holdback::{Channel, ChannelKind, Part, Policy};
use oracle::ast::{Act, Case};
use oracle::drive::cuttings;
use oracle::generate::{self, Context, Overflow, Shapes, Wish};
use oracle::meaning::Meaning;
use oracle::property::property;
use oracle::rng::Rng;
use oracle::write;
use std::ops::Range;

const RULES: Wish = Wish {
    actions: &[Act::Redact("[{rule}]"), Act::Drop, Act::Flag, Act::Terminate, Act::Hold],
    shapes: Shapes::Every,
    overflow: Overflow::Never,
    context: Context::Any,
};

/// A gate that judges so many characters at a time, with so many bytes of context; or a check that rules hold matches for.
#[derive(Clone, Copy, Debug)]
struct Gate {
    /// None for the latter.
    characters: usize,
    context: usize,
    on_failure: OnFailure,
    /// Chooses what it answers.
    seed: u64,
}

impl Gate {
    fn random(rng: &mut Rng) -> Gate {
        Gate {
            characters: rng.between(1, 6),
            context: rng.below(5),
            on_failure: *rng.pick(&OnFailure::ALL),
            seed: rng.next(),
        }
    }

    /// What it always answers about this text behind that one.
    fn judge(&self, context: &[u8], text: &[u8]) -> Result<Judgement, Unjudged> {
        let bytes = context.iter().chain(b"|").chain(text);
        let hash = bytes.fold(self.seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        let mut rng = Rng::new(hash);
        match rng.below(12) {
            0 => Ok(Judgement::terminate().category("bad")),
            1 => Ok(Judgement::redact()),
            2 | 3 => {
                let start = rng.below(text.len());
                let end = rng.between(start, text.len());
                // Sometimes a span of nothing, which cannot be meant.
                Ok(Judgement::redact_span(start..end))
            }
            4 => Ok(Judgement::flag()),
            5 => Err(Unjudged::TimedOut),
            _ => Ok(Judgement::clear()),
        }
    }

    fn outcome(&self, text: &[u8], passage: &Range<usize>) -> Outcome {
        let context = &text[passage.start.saturating_sub(self.context)..passage.start];
        match self.judge(context, &text[passage.clone()]).map(|judgement| judgement.ruling) {
            Ok(Ruling::Redact) => Outcome::Covered(passage.clone()),
            Ok(Ruling::RedactSpans(spans)) if !spans[0].is_empty() => {
                Outcome::Covered(passage.start + spans[0].start..passage.start + spans[0].end)
            }
            Ok(Ruling::Terminate) => Outcome::Ends,
            Ok(Ruling::RedactSpans(_)) | Err(_) => match self.on_failure {
                OnFailure::Withhold => Outcome::Covered(passage.clone()),
                OnFailure::Terminate => Outcome::Ends,
                _ => Outcome::Leaves,
            },
            _ => Outcome::Leaves,
        }
    }
}

/// What becomes of a passage.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Leaves,
    Covered(Range<usize>),
    Ends,
}

/// The gates, and last the check that matches are held for.
fn gates(case: &Case) -> Vec<Gate> {
    let mut rng = Rng::new(case.cut_seed ^ 0x6a7e);
    let held = Gate { characters: 0, ..Gate::random(&mut rng) };
    (0..rng.below(3)).map(|_| Gate::random(&mut rng)).chain([held]).collect()
}

fn policy(case: &Case, gates: &[Gate]) -> Policy {
    let check = |(index, gate): (usize, &Gate)| {
        let check = match gate.characters {
            0 => Check::held("held"),
            characters => Check::gate(format!("check-{index}")).passages(Passages::Characters(characters)),
        };
        check.context(gate.context).on_failure(gate.on_failure)
    };
    let builder = Policy::builder().rules(write::rules(case)).max_hold(case.max_hold);
    let builder = gates.iter().enumerate().map(check).fold(builder, |builder, check| builder.check(check));
    case.automata.of(builder).build().expect("the policy builds")
}

/// What must come of a text.
struct Expected {
    output: Vec<u8>,
    /// Whether what leaves may end before `output` does: a check that ends the stream does not wait for a rule that still
    /// holds text before it.
    may_fall_short: bool,
    ends: Option<usize>,
}

fn expected(case: &Case, gates: &[Gate]) -> Expected {
    let meaning = Meaning::of(case);
    let rules = case.rules.len();
    // (start, rank, where the text is cut off)
    let mut stop = meaning.stop.map(|stop| (stop.start, stop.rule, stop.limit));
    let read = meaning.stop.map_or(case.text.len(), |stop| stop.at.min(case.text.len()));
    let end = meaning.stop.map_or(case.text.len(), |stop| stop.start);
    let known = meaning.stop.map_or(usize::MAX, |stop| stop.at);
    let of_rules = meaning.spans.iter().filter(|span| meaning.covers(span) && span.confirmed <= known);
    let mut covered: Vec<(Range<usize>, usize)> = of_rules.map(|span| (span.start..span.end, span.rule)).collect();
    // What is judged: by which gate, as whose, and where.
    let asked = |read: usize, end: usize, known: usize| {
        let mut asked: Vec<(&Gate, usize, Range<usize>)> = Vec::new();
        for (index, gate) in gates.iter().enumerate().filter(|(_, gate)| gate.characters > 0) {
            let passages = passages(gate.characters, &case.text, read, end);
            asked.extend(passages.into_iter().map(|passage| (gate, rules + index, passage)));
        }
        for rule in (0..rules).filter(|rule| case.rules[*rule].action == Act::Hold) {
            let runs = meaning.runs(rule, known).into_iter().filter(|(start, _)| *start < end);
            asked.extend(runs.map(|(start, end)| (&gates[gates.len() - 1], rule, start..end)));
        }
        asked
    };
    for (gate, rank, passage) in asked(read, end, known) {
        match gate.outcome(&case.text, &passage) {
            Outcome::Leaves => {}
            Outcome::Covered(span) => covered.push((span, rank)),
            Outcome::Ends => {
                let order = (passage.start, rank);
                if stop.is_none_or(|(start, rank, _)| order < (start, rank)) {
                    stop = Some((passage.start, rank, passage.start));
                }
            }
        }
    }
    // Before a rule ends the stream, a check may that is asked about what stands behind.
    let whole = case.text.len();
    let a_check_ends = [(read, end, known), (whole, whole, usize::MAX)].iter().any(|&(read, end, known)| {
        asked(read, end, known).iter().any(|(gate, _, passage)| gate.outcome(&case.text, passage) == Outcome::Ends)
    });
    let limit = stop.map_or(case.text.len(), |(_, _, limit)| limit);
    let is_held = |known: usize| meaning.frontier[known.min(case.text.len() + 1)] < limit;
    let may_fall_short = a_check_ends && (limit..=case.text.len()).any(is_held);
    Expected { output: output(case, covered, limit), may_fall_short, ends: stop.map(|(_, rank, _)| rank) }
}

/// Passages of so many characters that are not blank: whole ones as far as the text was read, and what is left of it before its end.
fn passages(characters: usize, text: &[u8], read: usize, end: usize) -> Vec<Range<usize>> {
    let mut passages: Vec<Range<usize>> =
        (0..read / characters).map(|n| n * characters..(n + 1) * characters).collect();
    let rest = passages.last().map_or(0, |last| last.end);
    if rest < end {
        passages.push(rest..end);
    }
    passages.retain(|passage| passage.start < end && !text[passage.clone()].trim_ascii().is_empty());
    passages
}

fn output(case: &Case, mut covered: Vec<(Range<usize>, usize)>, limit: usize) -> Vec<u8> {
    covered.sort_by_key(|(span, rank)| (span.start, span.end, *rank));
    let mut segments: Vec<(Range<usize>, usize)> = Vec::new();
    for (span, rank) in covered {
        match segments.last_mut().filter(|(segment, _)| span.start < segment.end) {
            Some((segment, first)) => {
                segment.end = segment.end.max(span.end);
                *first = rank.min(*first);
            }
            None => segments.push((span, rank)),
        }
    }
    let mut out = Vec::new();
    let mut at = 0;
    for (segment, rank) in segments {
        out.extend_from_slice(&case.text[at.min(limit)..segment.start.min(limit)]);
        if segment.end <= limit {
            out.extend_from_slice(&replacement(case, rank));
        }
        at = segment.end;
    }
    out.extend_from_slice(&case.text[at.min(limit)..limit]);
    out
}

fn replacement(case: &Case, rank: usize) -> Vec<u8> {
    match case.rules.get(rank).map(|rule| rule.action) {
        Some(Act::Drop) => Vec::new(),
        Some(_) => format!("[{}]", write::id(rank)).into_bytes(),
        None => format!("[check-{}]", rank - case.rules.len()).into_bytes(),
    }
}

/// A channel, the passages that were asked about, and what has left.
struct Run<'a> {
    gates: &'a [Gate],
    channel: Channel,
    text: &'a [u8],
    output: Vec<u8>,
    decided: usize,
    asked: Vec<Passage>,
    /// For each gate the bytes that it has judged.
    judged: Vec<Vec<bool>>,
}

/// What a channel is told.
enum Step<'a> {
    Push(&'a [u8]),
    Judge(PassageId, &'a Result<Judgement, Unjudged>),
    Finish,
}

impl<'a> Run<'a> {
    fn new(policy: &Policy, gates: &'a [Gate], text: &'a [u8]) -> Run<'a> {
        // What nobody holds for it, the last one has nothing against.
        let judged = gates.iter().map(|gate| vec![gate.characters == 0; text.len()]).collect();
        let channel = Channel::new(policy, ChannelKind::Text);
        Run { gates, channel, text, output: Vec::new(), decided: 0, asked: Vec::new(), judged }
    }

    fn take(&mut self, step: Step<'_>) -> Result<(), String> {
        let released = match step {
            Step::Push(delta) => self.channel.push(delta),
            Step::Judge(id, judged) => self.channel.judge(id, judged),
            Step::Finish => self.channel.finish(),
        };
        for part in released.parts() {
            match part {
                Part::Keep(bytes) => {
                    for at in self.decided..self.decided + bytes.len() {
                        let is_judged = self.judged.iter().all(|judged| judged[at]);
                        if !is_judged && !self.text[at].is_ascii_whitespace() {
                            return Err(format!("byte {at} left before it was judged"));
                        }
                    }
                    self.decided += bytes.len();
                    self.output.extend_from_slice(bytes);
                }
                Part::Cut { len, replacement } => {
                    self.decided += len as usize;
                    self.output.extend_from_slice(replacement.unwrap_or_default().as_bytes());
                }
            }
        }
        self.ask()
    }

    fn ask(&mut self) -> Result<(), String> {
        while let Some(passage) = self.channel.next_passage() {
            let (start, end) = (passage.span().start as usize, passage.span().end as usize);
            let gate = self.gates[passage.check_index()];
            let context = gate.context.min(start);
            if passage.text_in_context().as_bytes() != &self.text[start - context..end] {
                return Err(format!("asked about {:?}, behind {:?}", passage.text(), passage.context()));
            }
            self.asked.push(passage);
        }
        Ok(())
    }

    fn judge_one(&mut self, rng: &mut Rng) -> Result<(), String> {
        let passage = self.asked.swap_remove(rng.below(self.asked.len()));
        let gate = &self.gates[passage.check_index()];
        let judged = gate.judge(passage.context().as_bytes(), passage.text().as_bytes());
        // What is judged once is judged wherever it stands.
        let same = self.asked.iter().filter(|other| other.id() == passage.id());
        for span in same.map(Passage::span).chain([passage.span()]) {
            self.judged[passage.check_index()][span.start as usize..span.end as usize].fill(true);
        }
        self.take(Step::Judge(passage.id(), &judged))
    }
}

fn check(case: &Case) -> Result<(), String> {
    let gates = gates(case);
    let policy = policy(case, &gates);
    let expected = expected(case, &gates);
    for (turn, cuts) in cuttings(case.text.len(), case.cut_seed).into_iter().enumerate() {
        let mut rng = Rng::new(case.cut_seed.wrapping_add(turn as u64));
        let mut run = Run::new(&policy, &gates, &case.text);
        let mut known = 0;
        for cut in cuts.iter().copied() {
            run.take(Step::Push(&case.text[known..known + cut]))?;
            known += cut;
            while !run.asked.is_empty() && rng.chance(40) {
                run.judge_one(&mut rng)?;
            }
        }
        run.take(Step::Finish)?;
        while run.channel.awaits_judgement() {
            if run.asked.is_empty() {
                return Err(format!("cut into {cuts:?}: waits for nothing, with {gates:?}"));
            }
            run.judge_one(&mut rng)?;
        }
        let (left, wanted) = (String::from_utf8_lossy(&run.output), String::from_utf8_lossy(&expected.output));
        let falls_short = expected.may_fall_short && expected.output.starts_with(&run.output);
        if run.output != expected.output && !falls_short {
            return Err(format!("cut into {cuts:?}: left {left:?}, should leave {wanted:?}, with {gates:?}"));
        }
        if run.channel.terminated().is_some() != expected.ends.is_some() {
            return Err(format!("cut into {cuts:?}: ended by {:?}, with {gates:?}", run.channel.terminated()));
        }
    }
    Ok(())
}

#[test]
fn what_leaves_depends_on_no_cut_and_no_order_of_judgements() {
    property("output under checks", 10_000, |rng| generate::case(rng, RULES), check);
}
