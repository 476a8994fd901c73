//! Reading `[[limit]]`.

use super::keys::Keys;
use super::read::{SEVERITIES, read_channels, text};
use crate::error::Fault;
use crate::rule::{Limit, Severity};
use toml::Spanned;

/// Reads one `[[limit]]`; one without an id, or that says not exactly one thing to limit, is left out.
pub(super) fn read_limit(keys: &mut Keys<'_, '_>) -> Option<Limit> {
    let id = keys.needed_text("id").map(Spanned::into_inner);
    keys.speak_of(id.clone());
    text(keys, "description");
    let id = id.unwrap_or_default();
    let limits = [
        keys.whole("bytes").map(|bytes| Limit::bytes(&id, bytes.into_inner() as u64)),
        read_findings(keys).map(|(rules, severity, count)| Limit::findings(&id, rules, severity, count)),
        keys.table("repeats", |keys| {
            let (times, min_bytes) = (needed_count(keys, "times"), needed_count(keys, "min_bytes"));
            Some(Limit::repeats(&id, times?, min_bytes?))
        })
        .flatten(),
        keys.table("scripts", |keys| {
            let (allowed, letters) = (keys.texts("allowed"), needed_count(keys, "letters"));
            let allowed = allowed.map(Spanned::into_inner).unwrap_or_default();
            Some(Limit::scripts(&id, allowed.iter().map(Spanned::get_ref), letters?.into()))
        })
        .flatten(),
    ];
    let channels = read_channels(keys);
    let is_on_trial = keys.switch("monitor") == Some(true);
    let mut written = limits.into_iter().flatten();
    let (Some(mut limit), None) = (written.next(), written.next()) else {
        let fault = Fault::new("the limit does not limit one thing");
        keys.fault(keys.span(), fault.remedy("write exactly one of `bytes`, `findings`, `repeats` and `scripts`"));
        return None;
    };
    limit.channels = channels.unwrap_or_default();
    if is_on_trial {
        limit = limit.monitor();
    }
    for fault in limit.faults() {
        keys.fault(keys.span(), fault);
    }
    (!id.is_empty()).then_some(limit)
}

/// Whose findings count, from which severity on, and how many are enough.
pub(super) fn read_findings(keys: &mut Keys<'_, '_>) -> Option<(String, Severity, u32)> {
    let read = |keys: &mut Keys<'_, '_>| {
        let (rules, count) = (keys.needed_text("rules"), needed_count(keys, "count"));
        let severity = keys.word("min_severity", &SEVERITIES).unwrap_or(Severity::Info);
        Some((rules?.into_inner(), severity, count?))
    };
    keys.table("findings", read).flatten()
}

fn needed_count(keys: &mut Keys<'_, '_>, key: &'static str) -> Option<u32> {
    let count = keys.whole(key).and_then(|count| u32::try_from(count.into_inner()).ok());
    if count.is_none() {
        keys.fault(keys.span(), Fault::new(format!("`{key}` is missing, or too large")));
    }
    count
}
