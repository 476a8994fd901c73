//! Covered text: overlapping spans merged into segments, each replaced once.

use super::released::{Cut, Handout};
use super::{More, Text};
use crate::policy::{Cover, Policy};
use std::ops::Range;

/// The segments that are not handed out whole yet, disjoint and in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Segments {
    pending: Vec<Segment>,
}

#[derive(Clone, Debug)]
struct Segment {
    span: Range<u64>,
    /// The earliest rule that covers any of it names the replacement.
    rule: u32,
    cover: Cover,
}

/// How far the text is decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Horizon {
    /// What was handed out before.
    pub(super) decided: u64,
    /// Where the earliest candidate begins.
    pub(super) frontier: u64,
    /// Uncovered text before it leaves: the frontier, or the start of the character it lies in.
    pub(super) uncovered_until: u64,
    pub(super) more: More,
}

impl Segments {
    /// Covers a span. Spans come in the order of their ends, give or take a character.
    pub(super) fn cover(&mut self, rule: u32, span: Range<u64>) {
        let mut segment = Segment { span, rule, cover: Cover::OneRule };
        // Spans that only touch stay apart: each is a match of its own.
        while let Some(last) = self.pending.pop_if(|last| last.span.end > segment.span.start) {
            if last.span.start >= segment.span.end {
                // A character's last bytes moved the earlier span past the later one.
                self.cover(rule, segment.span);
                self.pending.push(last);
                return;
            }
            segment.join(&last);
        }
        self.pending.push(segment);
    }

    /// Covers a span that was found late: it may lie before others.
    pub(super) fn cover_late(&mut self, rule: u32, span: Range<u64>) {
        let first = self.pending.partition_point(|segment| segment.span.end <= span.start);
        let joined = self.pending[first..].iter().take_while(|segment| segment.span.start < span.end).count();
        let mut segment = Segment { span, rule, cover: Cover::OneRule };
        for other in self.pending.drain(first..first + joined) {
            segment.join(&other);
        }
        self.pending.insert(first, segment);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// A segment that ended in the middle of a character takes the rest of it from the text that followed.
    pub(super) fn rejoin(&mut self, text: Text<'_>) {
        if let Some(last) = self.pending.last_mut() {
            last.span.end = text.char_end(last.span.end);
        }
    }

    /// Hands out what is decided and gives back the offset up to which everything is.
    ///
    /// A segment is closed if it ends at or before the frontier. Of an open one everything but the last character
    /// is handed out, which later carries the replacement.
    pub(super) fn release(&mut self, at: Horizon, text: Text<'_>, policy: &Policy, out: &mut Handout) -> u64 {
        let mut decided = at.decided;
        let mut closed = 0;
        let mut open = None;
        for segment in &self.pending {
            if segment.span.start > at.frontier {
                break;
            }
            let start = segment.span.start.max(decided);
            let is_split = at.more == More::MayCome && text.is_split_at(segment.span.end);
            if segment.span.end > at.frontier || is_split {
                open = Some(start..text.char_start(segment.span.end - 1).max(start));
                break;
            }
            let begin = out.replacements.len();
            segment.replace(text, policy, &mut out.replacements);
            let replacement = Some(begin..out.replacements.len());
            out.cuts.push(Cut { span: start..segment.span.end, replacement });
            decided = segment.span.end;
            closed += 1;
        }
        self.pending.drain(..closed);
        match open {
            Some(covered) if covered.is_empty() => covered.end,
            Some(covered) => {
                out.cuts.push(Cut { span: covered.clone(), replacement: None });
                covered.end
            }
            None => decided.max(at.uncovered_until),
        }
    }

    /// Where the text begins that a replacement may still depend on.
    pub(super) fn start(&self) -> Option<u64> {
        self.pending.first().map(|segment| segment.span.start)
    }
}

impl Segment {
    /// Takes in one that overlaps it.
    fn join(&mut self, other: &Segment) {
        self.span = other.span.start.min(self.span.start)..other.span.end.max(self.span.end);
        if other.rule != self.rule || other.cover == Cover::SeveralRules {
            self.cover = Cover::SeveralRules;
        }
        self.rule = other.rule.min(self.rule);
    }

    fn replace(&self, text: Text<'_>, policy: &Policy, out: &mut String) {
        // Longer segments may have been swallowed unseen; whether this one was must not depend on how it came.
        let is_short = self.span.end - self.span.start <= u64::from(policy.max_hold());
        let covered = if is_short { text.between(self.span.start, self.span.end) } else { None };
        policy.replacement(self.rule).write(covered, self.cover, out);
    }
}
