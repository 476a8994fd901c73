//! What judgements bring about.

use super::findings::Finding;
use super::gates::{AskedBy, Gates};
use super::passage::{Judgement, Passage, PassageId, Ruling, Unjudged};
use super::{Account, Channel, Intake, Released, Stop, Text, forget};
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
        self.account.cleared()
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

    /// The text pauses: the passages that it has begun are complete, and what rules hold for checks is.
    pub(crate) fn end_passages(&mut self) {
        let Channel { policy, cursor, window, window_start, account, .. } = self;
        let text = Text { start: *window_start, bytes: window };
        account.ask_about_held(policy, text, |_| true);
        if let Some(gates) = &mut account.gates {
            gates.pause(policy, text, cursor.position());
        }
    }

    /// Where passages of it ended because it paused.
    pub(crate) fn breaks(&self) -> &[u64] {
        self.account.gates.as_ref().map_or(&[], |gates| gates.breaks())
    }

    /// It shows a text again, from its beginning, which paused here: it is cut into the same passages.
    pub(crate) fn break_at(&mut self, breaks: Vec<u64>) {
        if let Some(gates) = &mut self.account.gates {
            gates.break_at(breaks);
        }
    }

    /// Whether it takes no more text, but is not at its end.
    pub(crate) fn is_closed(&self) -> bool {
        self.account.intake == Intake::Closed && self.account.terminated.is_none()
    }

    /// Whether its end, or what ends it, waits for a judgement.
    pub fn awaits_judgement(&self) -> bool {
        let end = self.account.stop.as_ref().map_or(u64::MAX, |stop| stop.at);
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
    /// There is nobody to judge what a rule holds.
    pub(super) fn go_unjudged(&mut self, policy: &Policy, text: Text<'_>, check: u32, finding: Finding) {
        let by = AskedBy::Rule { rule: finding.rule, check };
        self.bring_about(policy, text, by, finding.span, &Err(Unjudged::Unbound));
    }

    fn take(&mut self, policy: &Policy, text: Text<'_>, passage: PassageId, judged: &Result<Judgement, Unjudged>) {
        if self.terminated.is_some() {
            return;
        }
        let settled = self.gates.as_mut().map(|gates: &mut Box<Gates>| gates.settle(passage)).unwrap_or_default();
        if settled.is_empty() {
            return;
        }
        for (by, span) in settled {
            self.bring_about(policy, text, by, span, judged);
        }
        self.hand_out(policy, text);
    }

    /// Does with a passage what a judgement says.
    fn bring_about(
        &mut self,
        policy: &Policy,
        text: Text<'_>,
        by: AskedBy,
        span: Range<u64>,
        judged: &Result<Judgement, Unjudged>,
    ) {
        let (check, rank, name) = match by {
            AskedBy::Check(index) => {
                let check = policy.check(index);
                (check, policy.rank_of_check(index), &check.id)
            }
            AskedBy::Rule { rule, check } => (policy.check(check), rule, &policy.rule(rule).id),
        };
        let judged = judged.as_ref().map_err(|unjudged| *unjudged).and_then(|judgement| legible(judgement, &span));
        let (action, consequence) = consequence(check, &span, judged);
        // A match is told of, though it leaves.
        let (action, consequence) = match (consequence, by) {
            (Consequence::Nothing, AskedBy::Check(_)) => return,
            (Consequence::Nothing, AskedBy::Rule { .. }) => (OnFailure::Release.name(), Consequence::Reported),
            (consequence, _) => (action, consequence),
        };
        let told = judged.ok();
        let verdict = Verdict {
            rule: name.clone(),
            span: span.clone(),
            action,
            enforced: check.is_enforced,
            reason: if told.is_some() { Reason::Judged } else { Reason::Unjudged },
            category: told.and_then(|judgement| judgement.category.clone()),
            score: told.and_then(|judgement| judgement.score),
        };
        match consequence {
            Consequence::Stopped => {
                self.stop_at(Stop { rank, at: span.start, verdict });
                return;
            }
            Consequence::Covered(spans) => {
                for span in spans {
                    self.segments.cover_late(rank, text.whole_chars(span, self.decided));
                }
            }
            Consequence::Nothing | Consequence::Reported => {}
        }
        self.verdicts.push(verdict);
        if let Some(stop) = self.count(policy, [rank], span.end) {
            self.stop_at(stop);
        }
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
        Consequence::Covered(_) if !matches!(check.mode, CheckMode::Gate | CheckMode::Held) => {
            (Action::Terminate.name(), Consequence::Stopped)
        }
        wished => (action, wished),
    }
}

/// The judgement, if it speaks of text that is there.
fn legible<'a>(judgement: &'a Judgement, passage: &Range<u64>) -> Result<&'a Judgement, Unjudged> {
    let len = passage.end - passage.start;
    match &judgement.ruling {
        // To redact nothing is no way to clear.
        Ruling::RedactSpans(spans)
            if spans.is_empty() || spans.iter().any(|at| at.start >= at.end || at.end as u64 > len) =>
        {
            Err(Unjudged::Unreadable)
        }
        _ => Ok(judgement),
    }
}
