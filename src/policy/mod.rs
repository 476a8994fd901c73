//! The compiled policy: immutable, shared by every stream, with its limits and verdicts.

use crate::error::BuildError;
pub use crate::rule::ChannelKind;
use crate::rule::Rule;
use std::ops::Range;
use std::sync::Arc;

/// A compiled rule set with its limits. Cheap to clone; clones share one automaton.
#[derive(Clone)]
pub struct Policy {
    inner: Arc<Compiled>,
}

struct Compiled {}

impl Policy {
    /// Begins a policy.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder { rules: Vec::new() }
    }
}

/// Collects rules and limits.
pub struct PolicyBuilder {
    rules: Vec<Rule>,
}

impl PolicyBuilder {
    /// Adds a rule. Earlier rules win where two cover the same bytes and only one can name the replacement.
    pub fn rule(mut self, rule: Rule) -> PolicyBuilder {
        self.rules.push(rule);
        self
    }

    /// Adds rules.
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> PolicyBuilder {
        self.rules.extend(rules);
        self
    }

    /// Compiles the policy.
    pub fn build(self) -> Result<Policy, BuildError> {
        Ok(Policy { inner: Arc::new(Compiled {}) })
    }
}

/// Why a verdict fell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The rule's pattern matched and its validators agreed.
    Match,
    /// A candidate outgrew the rule's or the policy's limit before it was decided.
    Overflow,
    /// A block was not closed within its length or before the channel's end.
    Unclosed,
}

/// One decision: rule, span, action, reason. Never the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The rule's id.
    pub rule: Arc<str>,
    /// Byte range in the channel's decoded text.
    pub span: Range<u64>,
    /// `flag`, `mask`, `redact`, `drop` or `terminate`.
    pub action: &'static str,
    /// Why it fell.
    pub reason: Reason,
}
