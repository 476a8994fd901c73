//! What a sidecar runs by.

use super::account::Accountant;
use super::upstream::Upstream;
use crate::policy::Policy;
use crate::tower::OtherContent;
use std::time::Duration;

/// What a sidecar runs by.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where requests go.
    pub upstream: Upstream,
    /// What responses must obey; `None` passes everything, and every response says so.
    pub policy: Option<Policy>,
    /// What happens to content that cannot be moderated.
    pub other_content: OtherContent,
    /// How long the upstream may say nothing, both before its answer and inside it.
    pub idle_timeout: Duration,
    /// How long streams may go on after a stop was asked for.
    pub drain_timeout: Duration,
    /// Gets the account of every response.
    pub accountant: Accountant,
}

impl Config {
    /// The defaults, towards `upstream` and under `policy`.
    pub fn new(upstream: Upstream, policy: Option<Policy>) -> Config {
        Config {
            upstream,
            policy,
            other_content: OtherContent::default(),
            // Reasoning models are silent for minutes before their first token. Lower, and they are cut off;
            // higher, and a dead upstream keeps its clients longer.
            idle_timeout: Duration::from_secs(300),
            // What Kubernetes leaves between SIGTERM and SIGKILL, less a margin.
            drain_timeout: Duration::from_secs(25),
            accountant: Accountant::logging(),
        }
    }
}
