//! What is reported: the spans of each rule, overlapping ones of the same rule merged.

use crate::policy::{Policy, Reason, Scope, Verdict};
use std::ops::Range;

/// Spans that may still grow, in the order of their ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pending: Vec<Finding>,
}

#[derive(Clone, Debug)]
struct Finding {
    rule: u32,
    span: Range<u64>,
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
            if self.pending[at].rule == rule {
                let earlier = self.pending.remove(at);
                finding.span.start = finding.span.start.min(earlier.span.start);
                finding.span.end = finding.span.end.max(earlier.span.end);
                finding.reason = finding.reason.max(earlier.reason);
            }
        }
        self.pending.push(finding);
    }

    /// Moves to `verdicts` what can no longer grow: spans that end at or before the oldest live thread of their rule.
    pub(super) fn close(
        &mut self,
        policy: &Policy,
        scope: &Scope,
        oldest: impl Fn(u32) -> Option<u64>,
        verdicts: &mut Vec<Verdict>,
    ) {
        if self.pending.is_empty() {
            return;
        }
        self.pending.retain(|finding| {
            let in_scope = scope.rules.binary_search(&finding.rule).expect("only rules of the scope are found");
            let is_closed = oldest(in_scope as u32).is_none_or(|start| start >= finding.span.end);
            if is_closed {
                let rule = policy.rule(finding.rule);
                verdicts.push(Verdict {
                    rule: rule.id.clone(),
                    span: finding.span.clone(),
                    action: rule.action.name(),
                    reason: finding.reason,
                });
            }
            !is_closed
        });
    }
}
