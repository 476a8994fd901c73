//! Checks, as streams need them.

use super::build::unfit;
use super::replace::Replacement;
use super::{ChannelKind, Severity};
use crate::error::Fault;
use crate::rule::{Action, Check, CheckMode, Conduct, OnFailure, Passages};
use std::sync::Arc;
use std::time::Duration;

/// A check as streams need it.
#[derive(Debug)]
pub(crate) struct CompiledCheck {
    pub(crate) id: Arc<str>,
    pub(crate) mode: CheckMode,
    pub(crate) passages: Passages,
    /// The longest passage in bytes.
    pub(crate) longest: usize,
    /// Bytes of the text before a passage that are shown with it.
    pub(crate) context: usize,
    pub(crate) on_failure: OnFailure,
    pub(crate) max_held: usize,
    /// Whether its judgements bring anything about, or are only reported.
    pub(crate) is_enforced: bool,
    pub(crate) replacement: Replacement,
    pub(crate) channels: Vec<ChannelKind>,
    /// Of the streams, 0 to 1.
    pub(super) share: f64,
    deadline: Duration,
    in_flight: usize,
    pub(super) severity: Severity,
}

impl CompiledCheck {
    pub(super) fn of(check: &Check, conduct: Conduct) -> Result<CompiledCheck, Vec<Fault>> {
        let mut faults = check.faults();
        faults.extend(unfit(&check.id));
        let replacement = Replacement::of(&check.id, &Action::Redact(check.replace.clone()), None);
        let fixed = match replacement {
            Ok(replacement) if !replacement.needs_text() => Some(replacement),
            Ok(_) => {
                faults.push(
                    Fault::new("what takes the place of a passage cannot depend on it")
                        .rule(&check.id)
                        .remedy("use {rule} and {category} only"),
                );
                None
            }
            Err(fault) => {
                faults.push(fault.rule(&check.id));
                None
            }
        };
        let (Some(replacement), true) = (fixed, faults.is_empty()) else { return Err(faults) };
        let is_enforced = check.conduct == Conduct::Act && conduct == Conduct::Act;
        Ok(CompiledCheck {
            id: Arc::from(check.id.as_str()),
            // What only reports is waited for by nothing.
            mode: if is_enforced { check.mode } else { CheckMode::Trail },
            passages: check.passages,
            longest: check.longest(),
            context: check.context,
            on_failure: check.on_failure_or_default(),
            max_held: check.max_held,
            is_enforced,
            replacement,
            channels: check.kinds(),
            share: check.share,
            deadline: check.deadline,
            in_flight: check.in_flight,
            severity: check.severity,
        })
    }
}

/// A check of a policy, for whoever answers for it and for reports.
#[derive(Clone, Copy, Debug)]
pub struct CheckInfo<'a> {
    pub(super) check: &'a CompiledCheck,
}

impl<'a> CheckInfo<'a> {
    /// The check's id.
    pub fn id(&self) -> &'a str {
        &self.check.id
    }

    /// What waits for its answers. A check that only reports is one that trails.
    pub fn mode(&self) -> CheckMode {
        self.check.mode
    }

    /// Into what text is divided for it.
    pub fn passages(&self) -> Passages {
        self.check.passages
    }

    /// How long a judgement may take.
    pub fn deadline(&self) -> Duration {
        self.check.deadline
    }

    /// How many passages of a stream may be asked about at once.
    pub fn in_flight(&self) -> usize {
        self.check.in_flight
    }

    /// What becomes of a passage whose judgement fails.
    pub fn on_failure(&self) -> OnFailure {
        self.check.on_failure
    }

    /// How bad it is what it finds.
    pub fn severity(&self) -> Severity {
        self.check.severity
    }

    /// The kinds of channel that it watches.
    pub fn channels(&self) -> &'a [ChannelKind] {
        &self.check.channels
    }
}
