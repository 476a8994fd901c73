//! What is reported: the spans of each rule, overlapping ones of the same rule merged.

use crate::policy::{Policy, Reason, Verdict};
use std::ops::Range;

/// Spans that may still grow, in the order of their ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pending: Vec<Finding>,
}

/// A span that a rule matches, with what it overlaps of the same rule.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) rule: u32,
    pub(super) span: Range<u64>,
    reason: Reason,
}

impl Findings {
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn add(&mut self, rule: u32, span: Range<u64>, reason: Reason) {
        let mut finding = Finding { rule, span, reason };
        let mut at = self.pending.len();
        while at > 0 && self.pending[at - 1].span.end > finding.span.start {
            at -= 1;
            // A right context of several lengths brings older spans after younger ones.
            let earlier = &self.pending[at];
            if earlier.rule == rule && earlier.span.start < finding.span.end {
                finding.span.start = finding.span.start.min(earlier.span.start);
                finding.span.end = finding.span.end.max(earlier.span.end);
                finding.reason = finding.reason.max(earlier.reason);
                self.pending.remove(at);
            }
        }
        let order = |finding: &Finding| (finding.span.end, finding.span.start, finding.rule);
        let place = self.pending.partition_point(|other| order(other) < order(&finding));
        self.pending.insert(place, finding);
    }

    /// Forgets what a rule found in a span.
    pub(super) fn forget(&mut self, rule: u32, span: &Range<u64>) {
        self.pending
            .retain(|finding| finding.rule != rule || finding.span.end <= span.start || span.end <= finding.span.start);
    }

    /// Where the earliest of them begins.
    pub(super) fn start(&self) -> Option<u64> {
        self.pending.iter().map(|finding| finding.span.start).min()
    }

    /// Takes out what is closed.
    pub(super) fn take(&mut self, is_closed: impl Fn(&Finding) -> bool) -> Vec<Finding> {
        if self.pending.is_empty() {
            return Vec::new();
        }
        let (closed, open) = std::mem::take(&mut self.pending).into_iter().partition(|finding| is_closed(finding));
        self.pending = open;
        closed
    }

    /// Moves to `verdicts` what is closed; gives back the rules whose it is.
    pub(super) fn close(
        &mut self,
        policy: &Policy,
        is_closed: impl Fn(&Finding) -> bool,
        verdicts: &mut Vec<Verdict>,
    ) -> Vec<u32> {
        let mut rules = Vec::new();
        self.pending.retain(|finding| {
            let is_closed = is_closed(finding);
            if is_closed {
                rules.push(finding.rule);
                let rule = policy.rule(finding.rule);
                verdicts.push(Verdict {
                    rule: rule.id.clone(),
                    span: finding.span.clone(),
                    action: rule.action.name(),
                    enforced: rule.is_enforced,
                    reason: finding.reason,
                    category: None,
                    score: None,
                });
            }
            !is_closed
        });
        rules
    }
}
