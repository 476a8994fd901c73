//! Quotas as they are counted.

use super::build::unfit;
use super::limit::included;
use super::{CompiledCheck, CompiledRule};
use crate::error::Fault;
use crate::rule::{Conduct, Quota, QuotaKind};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A quota of a policy.
#[derive(Debug)]
#[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "layers count"))]
pub(crate) struct CompiledQuota {
    pub(crate) id: Arc<str>,
    pub(crate) counts: Counted,
    /// With so much, the caller has had enough.
    pub(crate) most: u64,
    /// The header that tells callers apart.
    pub(crate) per: Option<String>,
    pub(crate) within: Duration,
    /// For how long the caller is refused then; `None` for as long as it counts.
    pub(crate) refuse: Option<Duration>,
    pub(crate) is_enforced: bool,
}

/// What a quota counts.
#[derive(Debug)]
#[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "layers count"))]
pub(crate) enum Counted {
    /// Findings of these rules and checks.
    Findings(BTreeSet<Arc<str>>),
    Bytes,
    Requests,
}

impl CompiledQuota {
    pub(super) fn of(
        quota: &Quota,
        conduct: Conduct,
        rules: &[CompiledRule],
        checks: &[CompiledCheck],
    ) -> Result<CompiledQuota, Vec<Fault>> {
        let mut faults = quota.faults();
        faults.extend(unfit(&quota.id));
        let counts = match &quota.kind {
            QuotaKind::Bytes(_) => Counted::Bytes,
            QuotaKind::Requests(_) => Counted::Requests,
            QuotaKind::Findings(findings) => {
                let included = included(findings, &quota.id, rules, checks).map_err(|fault| faults.push(fault));
                Counted::Findings(included.unwrap_or_default().into_iter().flatten().cloned().collect())
            }
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(CompiledQuota {
            id: Arc::from(quota.id.as_str()),
            counts,
            most: quota.kind.most(),
            per: quota.per.clone(),
            within: quota.within,
            refuse: quota.refuse,
            is_enforced: quota.conduct == Conduct::Act && conduct == Conduct::Act,
        })
    }
}
