//! Reading `[[quota]]`.

use super::keys::Keys;
use super::limits::read_findings;
use super::read::text;
use crate::error::Fault;
use crate::rule::Quota;
use std::time::Duration;
use toml::Spanned;

/// Reads one `[[quota]]`; one without an id or a time, or that says not exactly one thing to count, is left out.
pub(super) fn read_quota(keys: &mut Keys<'_, '_>) -> Option<Quota> {
    let id = keys.needed_text("id").map(Spanned::into_inner);
    keys.speak_of(id.clone());
    text(keys, "description");
    let id = id.unwrap_or_default();
    let seconds = |seconds: Spanned<usize>| Duration::from_secs(seconds.into_inner() as u64);
    let within = keys.whole("within_s").map(seconds);
    if within.is_none() {
        let fault = Fault::new("`within_s` is missing").remedy("say within how many seconds it counts");
        keys.fault(keys.span(), fault);
    }
    // The rest is read all the same, for what may be wrong with it.
    let is_missing = within.is_none();
    let within = within.unwrap_or_default();
    let kinds = [
        keys.whole("bytes").map(|bytes| Quota::bytes(&id, bytes.into_inner() as u64, within)),
        keys.whole("requests").map(|requests| Quota::requests(&id, requests.into_inner() as u64, within)),
        read_findings(keys).map(|(rules, severity, count)| Quota::findings(&id, rules, severity, count.into(), within)),
    ];
    let (per, refuse) = (text(keys, "per"), keys.whole("refuse_s").map(seconds));
    let is_on_trial = keys.switch("monitor") == Some(true);
    let mut written = kinds.into_iter().flatten();
    let (Some(mut quota), None) = (written.next(), written.next()) else {
        let fault = Fault::new("the quota does not count one thing");
        keys.fault(keys.span(), fault.remedy("write exactly one of `findings`, `bytes` and `requests`"));
        return None;
    };
    if let Some(header) = per {
        quota = quota.per_header(header);
    }
    quota.refuse = refuse;
    if is_on_trial {
        quota = quota.monitor();
    }
    if is_missing {
        return None;
    }
    for fault in quota.faults() {
        keys.fault(keys.span(), fault);
    }
    (!id.is_empty()).then_some(quota)
}
