//! The checks that watch a channel: which of its passages are asked about, and up to where they have cleared it.

use super::boundary::first_passage;
use super::passage::{Around, Passage, PassageId};
use super::{LONGEST_CHAR, More, Text};
use crate::policy::{ChannelKind, CompiledCheck, Policy};
use crate::rule::CheckMode;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

/// A channel's checks.
#[derive(Clone, Debug)]
pub(super) struct Gates {
    kind: ChannelKind,
    gates: Vec<Gate>,
    /// Cut, and not fetched yet.
    passages: VecDeque<Passage>,
    /// Where passages end whatever follows, and which of these places comes next.
    breaks: Vec<u64>,
    next_break: usize,
}

/// One check of a channel.
#[derive(Clone, Debug)]
struct Gate {
    check: u32,
    mode: CheckMode,
    is_enforced: bool,
    /// Where the passage begins that is not complete yet.
    open_from: u64,
    /// What is shown of the text before a passage does not reach back over this.
    begins_at: u64,
    /// Passages that are not judged yet, in order.
    asked: VecDeque<Asked>,
    /// Where each of them begins.
    starts: HashMap<PassageId, Vec<u64>>,
}

/// A passage that is not judged yet.
#[derive(Clone, Debug)]
struct Asked {
    id: PassageId,
    span: Range<u64>,
    by: AskedBy,
}

/// Who wants a passage judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskedBy {
    /// The check itself, with this place in the policy.
    Check(u32),
    /// A rule that holds it for the check.
    Rule { rule: u32, check: u32 },
}

impl Gate {
    /// Whether the end of the text waits for its judgements: of one that trails, too, or the last words would never be
    /// judged in time. What is on trial has nobody wait.
    fn holds_the_end(&self) -> bool {
        self.is_enforced && matches!(self.mode, CheckMode::Final | CheckMode::Trail)
    }

    /// Puts a passage on the list of those that are not judged yet.
    fn await_judgement(&mut self, id: PassageId, span: Range<u64>, by: AskedBy) {
        let place = self.asked.partition_point(|other| other.span.start <= span.start);
        self.starts.entry(id).or_default().push(span.start);
        self.asked.insert(place, Asked { id, span, by });
    }

    /// A span of the text, shown in as much of its context as the check wants and is still there.
    fn passage(
        &self,
        check: &CompiledCheck,
        kind: ChannelKind,
        text: Text<'_>,
        span: &Range<u64>,
        around: Option<&Around>,
    ) -> Passage {
        let from = self.shown_from(check, text, span);
        let shown = text.between(from, span.end).unwrap_or_default();
        let context_len = shown.len().saturating_sub((span.end - span.start) as usize);
        Passage::new((&check.id, self.check), kind, span.clone(), (shown, context_len), around)
    }

    /// Where the context begins that a passage is shown in.
    fn shown_from(&self, check: &CompiledCheck, text: Text<'_>, span: &Range<u64>) -> u64 {
        let from = span.start.saturating_sub(check.context as u64).max(self.begins_at).max(text.start);
        text.char_end(from).min(span.start)
    }

    /// The text up to `until` from the context of a passage on.
    fn around<'t>(&self, check: &CompiledCheck, text: Text<'t>, span: &Range<u64>, until: u64) -> Text<'t> {
        let start = self.shown_from(check, text, span);
        Text { start, bytes: text.between(start, until).unwrap_or_default() }
    }
}

impl Gates {
    /// The checks that watch channels of this kind, if any does.
    pub(super) fn new(policy: &Policy, kind: ChannelKind) -> Option<Box<Gates>> {
        let gate = |check: u32| Gate {
            check,
            mode: policy.check(check).mode,
            is_enforced: policy.check(check).is_enforced,
            open_from: 0,
            begins_at: 0,
            asked: VecDeque::new(),
            starts: HashMap::new(),
        };
        let gates: Vec<Gate> = policy.checks_of(kind).map(gate).collect();
        (!gates.is_empty())
            .then(|| Box::new(Gates { kind, gates, passages: VecDeque::new(), breaks: Vec::new(), next_break: 0 }))
    }

    /// Cuts the passages that are complete in the text up to `until`.
    pub(super) fn read(&mut self, policy: &Policy, text: Text<'_>, until: u64) {
        self.cut(policy, text, until, More::MayCome);
    }

    /// The text ends at `until`: cuts the rest. What follows is a text of its own, and this is none of its context.
    pub(super) fn finish(&mut self, policy: &Policy, text: Text<'_>, until: u64) {
        self.cut(policy, text, until, More::Never);
        self.gates.iter_mut().for_each(|gate| gate.begins_at = until);
    }

    /// The text pauses at `until`: cuts what there is.
    pub(super) fn pause(&mut self, policy: &Policy, text: Text<'_>, until: u64) {
        if self.breaks.last() != Some(&until) {
            self.breaks.push(until);
        }
        self.next_break = self.breaks.len();
        self.cut_until(policy, text, until, More::Never);
    }

    /// Where the text has paused.
    pub(super) fn breaks(&self) -> &[u64] {
        &self.breaks
    }

    /// The text shows another one again, from its beginning, which has paused here: its passages are to be the same.
    pub(super) fn break_at(&mut self, breaks: Vec<u64>) {
        if breaks.len() > self.breaks.len() {
            self.breaks = breaks;
        }
    }

    fn cut(&mut self, policy: &Policy, text: Text<'_>, until: u64, more: More) {
        while let Some(&at) = self.breaks.get(self.next_break).filter(|at| **at <= until) {
            self.next_break += 1;
            self.cut_until(policy, text, at, More::Never);
        }
        self.cut_until(policy, text, until, more);
    }

    fn cut_until(&mut self, policy: &Policy, text: Text<'_>, until: u64, more: More) {
        for gate in &mut self.gates {
            let check = policy.check(gate.check);
            if gate.mode == CheckMode::Held {
                continue;
            }
            // Mostly there is one passage, and more if much has come at once.
            let mut around = None;
            while let Some(open) = text.between(gate.open_from, until.max(gate.open_from))
                && let Some(len) = first_passage(check.passages, check.longest, open, more)
            {
                let span = gate.open_from..gate.open_from + len as u64;
                gate.open_from = span.end;
                if open[..len].trim_ascii().is_empty() {
                    continue;
                }
                if around.is_none() && span.end < until {
                    around = Some(Around::new(gate.around(check, text, &span, until)));
                }
                let passage = gate.passage(check, self.kind, text, &span, around.as_ref());
                gate.await_judgement(passage.id(), span, AskedBy::Check(gate.check));
                self.passages.push_back(passage);
            }
        }
    }

    /// Has a check judge what a rule holds for it.
    pub(super) fn hold(&mut self, policy: &Policy, text: Text<'_>, rule: u32, check: u32, span: Range<u64>) {
        let Some(gate) = self.gates.iter_mut().find(|gate| gate.check == check) else { return };
        let span = text.whole_chars(span.clone(), span.start.saturating_sub(LONGEST_CHAR));
        let passage = gate.passage(policy.check(check), self.kind, text, &span, None);
        gate.await_judgement(passage.id(), span, AskedBy::Rule { rule, check });
        self.passages.push_back(passage);
    }

    pub(super) fn next_passage(&mut self) -> Option<Passage> {
        self.passages.pop_front()
    }

    /// Takes the passages with this id off the list, each with who has asked.
    pub(super) fn settle(&mut self, id: PassageId) -> Vec<(AskedBy, Range<u64>)> {
        let mut settled = Vec::new();
        for gate in &mut self.gates {
            for start in gate.starts.remove(&id).unwrap_or_default() {
                let first = gate.asked.partition_point(|asked| asked.span.start < start);
                let same = gate.asked.range(first..).take_while(|asked| asked.span.start == start);
                let at = same.enumerate().find(|(_, asked)| asked.id == id).map(|(at, _)| first + at);
                settled.extend(at.and_then(|at| gate.asked.remove(at)).map(|asked| (asked.by, asked.span)));
            }
        }
        settled
    }

    /// Where the earliest text begins that waits for a judgement.
    pub(super) fn held_from(&self) -> u64 {
        let held_by = |gate: &Gate| match (gate.mode, gate.asked.front()) {
            (CheckMode::Gate | CheckMode::Held, Some(asked)) => asked.span.start,
            (CheckMode::Gate, None) => gate.open_from,
            _ => u64::MAX,
        };
        self.gates.iter().map(held_by).min().unwrap_or(u64::MAX)
    }

    /// Whether a check has as much to judge as may wait for it.
    pub(super) fn is_full(&self, policy: &Policy, position: u64) -> bool {
        self.gates.iter().any(|gate| {
            let waiting = gate.asked.front().map_or(0, |asked| position - asked.span.start);
            waiting >= policy.check(gate.check).max_held as u64
        })
    }

    pub(super) fn has_unjudged(&self) -> bool {
        self.gates.iter().any(|gate| !gate.asked.is_empty())
    }

    pub(super) fn hold_the_end(&self) -> bool {
        self.gates.iter().any(|gate| gate.holds_the_end() && !gate.asked.is_empty())
    }

    /// Whether the end of the text waits for judgements of what begins before an offset.
    pub(super) fn awaits_before(&self, offset: u64) -> bool {
        let waited_for = self.gates.iter().filter(|gate| gate.mode != CheckMode::Trail || gate.is_enforced);
        waited_for.flat_map(|gate| &gate.asked).any(|asked| asked.span.start < offset)
    }

    /// The text from this offset on may still be shown to a check, if rules hold nothing for it that stands before `earliest`.
    pub(super) fn needed_from(&self, policy: &Policy, earliest: u64) -> u64 {
        let needs = |gate: &Gate| {
            let next = if gate.mode == CheckMode::Held { earliest } else { gate.open_from };
            next.saturating_sub((policy.check(gate.check).context as u64).saturating_add(LONGEST_CHAR))
        };
        self.gates.iter().map(needs).min().unwrap_or(u64::MAX)
    }
}
