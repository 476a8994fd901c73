//! Limits, as streams need them.

use super::build::unfit;
use super::{ChannelKind, CompiledCheck, CompiledRule};
use crate::error::Fault;
use crate::rule::{Conduct, Findings, Limit, LimitKind};
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
        if let LimitKind::Findings(findings) = &limit.kind {
            match included(findings, &limit.id, rules, checks) {
                Ok(included) => counted.extend(included.iter().map(Option::is_some)),
                Err(fault) => faults.push(fault),
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

/// Of the rules, and behind them the checks, the ids of those whose findings count for the limit or quota with this id.
pub(super) fn included<'p>(
    findings: &Findings,
    id: &str,
    rules: &'p [CompiledRule],
    checks: &'p [CompiledCheck],
) -> Result<Vec<Option<&'p Arc<str>>>, Fault> {
    let of_rules = rules.iter().map(|rule| (&rule.id, rule.severity));
    let all = of_rules.chain(checks.iter().map(|check| (&check.id, check.severity)));
    let included: Vec<_> = all.map(|(id, severity)| findings.include(id, severity).then_some(id)).collect();
    if included.iter().all(Option::is_none) {
        let fault = Fault::new(format!("no rule or check that fits `{}` is so severe", findings.rules)).rule(id);
        return Err(fault.remedy("name some that the policy has, or a lower severity"));
    }
    Ok(included)
}
