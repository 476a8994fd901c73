//! Limits, as streams need them.

use super::build::unfit;
use super::{ChannelKind, CompiledCheck, CompiledRule};
use crate::error::Fault;
use crate::rule::{Conduct, Limit, LimitKind, id_fits};
use std::sync::Arc;

/// A limit as streams need it.
#[derive(Debug)]
pub(crate) struct CompiledLimit {
    pub(crate) id: Arc<str>,
    pub(crate) kind: LimitKind,
    pub(crate) is_enforced: bool,
    /// Of the rules, and behind them the checks, those whose findings count.
    counted: Vec<bool>,
    channels: Vec<ChannelKind>,
}

impl CompiledLimit {
    pub(super) fn of(
        limit: &Limit,
        conduct: Conduct,
        rules: &[CompiledRule],
        checks: &[CompiledCheck],
    ) -> Result<CompiledLimit, Vec<Fault>> {
        let mut faults = limit.faults();
        faults.extend(unfit(&limit.id));
        let mut counted = Vec::new();
        if let LimitKind::Findings { rules: ids, min_severity, .. } = &limit.kind {
            let of_rules = rules.iter().map(|rule| (&rule.id, rule.severity));
            let all = of_rules.chain(checks.iter().map(|check| (&check.id, check.severity)));
            counted.extend(all.map(|(id, severity)| id_fits(id, ids) && severity >= *min_severity));
            if !counted.contains(&true) {
                faults.push(
                    Fault::new(format!("no rule or check that fits `{ids}` is so severe"))
                        .rule(&limit.id)
                        .remedy("name some that the policy has, or a lower severity"),
                );
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let is_enforced = limit.conduct == Conduct::Act && conduct == Conduct::Act;
        let watched = ChannelKind::ALL.into_iter().filter(|kind| *kind != ChannelKind::Prompt);
        let channels = watched.filter(|kind| limit.channels.is_empty() || limit.channels.contains(kind)).collect();
        Ok(CompiledLimit { id: Arc::from(limit.id.as_str()), kind: limit.kind.clone(), is_enforced, counted, channels })
    }

    /// Whether findings of the rule or check of this rank count.
    pub(crate) fn counts(&self, rank: u32) -> bool {
        self.counted.get(rank as usize).copied().unwrap_or(false)
    }

    pub(crate) fn watches(&self, kind: ChannelKind) -> bool {
        self.channels.contains(&kind)
    }
}
