//! A verdict as a line of JSON.

use holdback::{ChannelKind, Verdict};
use serde::Serialize;

/// What a rule found, without what it found.
#[derive(Serialize)]
pub(super) struct Finding<'a> {
    rule: &'a str,
    start: u64,
    end: u64,
    action: &'static str,
    /// Only told where it is not: a rule on trial in a stream that is moderated.
    #[serde(skip_serializing_if = "Option::is_none")]
    enforced: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl<'a> Finding<'a> {
    /// What was found at these bytes of a text.
    pub(super) fn new(verdict: &'a Verdict) -> Finding<'a> {
        Finding {
            rule: &verdict.rule,
            start: verdict.span.start,
            end: verdict.span.end,
            action: verdict.action,
            enforced: None,
            channel: None,
            reason: None,
        }
    }

    /// The same in a stream, where there is more than one text.
    pub(super) fn in_channel(mut self, kind: ChannelKind, verdict: &Verdict) -> Finding<'a> {
        self.channel = Some(kind.name());
        self.reason = Some(verdict.reason.name());
        self.enforced = (!verdict.enforced).then_some(false);
        self
    }
}
