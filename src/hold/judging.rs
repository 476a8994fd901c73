//! What judgements bring about.

use super::gates::Gates;
use super::passage::{Judgement, Passage, PassageId, Ruling, Unjudged};
use super::{Account, Channel, Released, Stop, Text, forget};
use crate::policy::{CompiledCheck, Policy, Reason, Verdict};
use crate::rule::{Action, CheckMode, OnFailure};
use std::ops::Range;

impl Channel {
    /// The next passage that a check is to judge, if one is complete. Each comes once.
    ///
    /// Nothing of it leaves, if its check is a gate, before [`judge`](Channel::judge) has told the judgement.
    pub fn next_passage(&mut self) -> Option<Passage> {
        self.account.gates.as_mut().and_then(|gates| gates.next_passage())
    }

    /// Takes a judgement and gives back what is decided by now. One that nothing waits for decides nothing.
    pub fn judge(&mut self, passage: PassageId, judged: &Result<Judgement, Unjudged>) -> Released<'_> {
        let Channel { policy, cursor, window, window_start, needed_from, account, kind } = self;
        let from = account.begin();
        forget(window, window_start, *needed_from);
        let text = Text { start: *window_start, bytes: window };
        account.take(policy, text, passage, judged);
        *needed_from = account.needed_from(policy, policy.scope(*kind), cursor);
        account.released(Text { start: *window_start, bytes: window }, from)
    }

    /// The text from this offset on waits for judgements, or for the passages to be complete that it is in.
    pub(crate) fn cleared(&self) -> u64 {
        self.account.gates.as_ref().map_or(u64::MAX, |gates| gates.held_from())
    }

    /// Whether so much of it waits for a judgement that no more of it should come before one does.
    pub fn is_full(&self) -> bool {
        let Channel { policy, cursor, account, .. } = self;
        account.gates.as_ref().is_some_and(|gates| gates.is_full(policy, cursor.position()))
    }

    /// Whether a check that the end of the stream waits for has not judged it yet.
    pub(crate) fn holds_the_end(&self) -> bool {
        self.account.gates.as_ref().is_some_and(|gates| gates.hold_the_end())
    }

    /// Whether a passage of it is not judged yet, be it that something waits for that or not.
    pub(crate) fn has_unjudged(&self) -> bool {
        self.account.gates.as_ref().is_some_and(|gates| gates.has_unjudged())
    }

    /// The text pauses: the passages that it has begun are complete.
    pub(crate) fn end_passages(&mut self) {
        let Channel { policy, cursor, window, window_start, account, .. } = self;
        let text = Text { start: *window_start, bytes: window };
        if let Some(gates) = &mut account.gates {
            gates.pause(policy, text, cursor.position());
        }
    }

    /// Whether its end, or what ends it, waits for a judgement.
    pub fn awaits_judgement(&self) -> bool {
        let end = self.account.stop.as_ref().map_or(u64::MAX, |stop| stop.verdict.span.start);
        let is_over = self.account.terminated.is_some();
        !is_over && self.account.gates.as_ref().is_some_and(|gates| gates.awaits_before(end))
    }
}

/// What becomes of a passage.
enum Consequence {
    Nothing,
    Reported,
    Covered(Vec<Range<u64>>),
    Stopped,
}

impl Account {
    fn take(&mut self, policy: &Policy, text: Text<'_>, passage: PassageId, judged: &Result<Judgement, Unjudged>) {
        if self.terminated.is_some() {
            return;
        }
        let settled = self.gates.as_mut().map(|gates: &mut Box<Gates>| gates.settle(passage)).unwrap_or_default();
        if settled.is_empty() {
            return;
        }
        for (index, span) in settled {
            let check = policy.check(index);
            let judged = judged.as_ref().map_err(|unjudged| *unjudged).and_then(|judgement| legible(judgement, &span));
            let (action, consequence) = consequence(check, &span, judged);
            if matches!(consequence, Consequence::Nothing) {
                continue;
            }
            let told = judged.ok();
            let verdict = Verdict {
                rule: check.id.clone(),
                span: span.clone(),
                action,
                enforced: check.is_enforced,
                reason: if told.is_some() { Reason::Judged } else { Reason::Unjudged },
                category: told.and_then(|judgement| judgement.category.clone()),
                score: told.and_then(|judgement| judgement.score),
            };
            let rank = policy.rank_of_check(index);
            match consequence {
                Consequence::Stopped => {
                    self.stop_at(Stop { rank, verdict });
                    continue;
                }
                Consequence::Covered(spans) => {
                    for span in spans {
                        self.segments.cover_late(rank, text.whole_chars(span, self.decided));
                    }
                }
                Consequence::Nothing | Consequence::Reported => {}
            }
            self.verdicts.push(verdict);
        }
        self.hand_out(policy, text);
    }
}

/// What a judgement brings about, with the word for it.
fn consequence(
    check: &CompiledCheck,
    span: &Range<u64>,
    judged: Result<&Judgement, Unjudged>,
) -> (&'static str, Consequence) {
    const REDACT: &str = "redact";
    let terminate = (Action::Terminate.name(), Consequence::Stopped);
    let (action, wished) = match judged.map(|judgement| &judgement.ruling) {
        Ok(Ruling::Clear) => (Action::Flag.name(), Consequence::Nothing),
        Ok(Ruling::Flag) => (Action::Flag.name(), Consequence::Reported),
        Ok(Ruling::Redact) => (REDACT, Consequence::Covered(vec![span.clone()])),
        Ok(Ruling::RedactSpans(spans)) => {
            let placed = spans.iter().map(|at| span.start + at.start as u64..span.start + at.end as u64);
            (REDACT, Consequence::Covered(placed.collect()))
        }
        Ok(Ruling::Terminate) => terminate,
        Err(_) => match check.on_failure {
            OnFailure::Withhold => (OnFailure::Withhold.name(), Consequence::Covered(vec![span.clone()])),
            OnFailure::Terminate => terminate,
            OnFailure::Release => (OnFailure::Release.name(), Consequence::Reported),
        },
    };
    match wished {
        Consequence::Covered(_) | Consequence::Stopped if !check.is_enforced => (action, Consequence::Reported),
        // What has left cannot be replaced any more.
        Consequence::Covered(_) if check.mode != CheckMode::Gate => (Action::Terminate.name(), Consequence::Stopped),
        wished => (action, wished),
    }
}

/// The judgement, if it speaks of text that is there.
fn legible<'a>(judgement: &'a Judgement, passage: &Range<u64>) -> Result<&'a Judgement, Unjudged> {
    let len = passage.end - passage.start;
    match &judgement.ruling {
        Ruling::RedactSpans(spans) if spans.iter().any(|at| at.start >= at.end || at.end as u64 > len) => {
            Err(Unjudged::Unreadable)
        }
        _ => Ok(judgement),
    }
}
