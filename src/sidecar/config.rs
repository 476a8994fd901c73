//! What a sidecar runs by.

use super::account::Accountant;
use super::upstream::Upstream;
use crate::body::Shutdown;
use crate::check::Checks;
use crate::net::Trust;
use crate::quota::Quotas;
use crate::tower::{OtherContent, Policies};
use std::time::Duration;

/// What a sidecar runs by.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where requests go.
    pub upstream: Upstream,
    /// Whom an https upstream is believed.
    pub trust: Trust,
    /// What requests and responses must obey. Where there is no policy, everything passes, and every response says so.
    pub policies: Policies,
    /// Who answers for the policies' checks.
    pub checks: Checks,
    /// Counts the policies' quotas.
    pub quotas: Quotas,
    /// What happens to content that cannot be moderated.
    pub other_content: OtherContent,
    /// How long a connection to the upstream may take, from the look-up of its name to the end of its TLS handshake.
    pub connect_timeout: Duration,
    /// How long the upstream may take to begin its response. The time of the client's upload does not count.
    pub response_timeout: Duration,
    /// How long the upstream may say nothing inside its response.
    pub idle_timeout: Duration,
    /// How long a response may go on, or a WebSocket's session; `None` for as long as it likes.
    pub total_timeout: Option<Duration>,
    /// How long nothing may leave before a stream's own heartbeat does, where its protocol has one that every client reads
    /// past; `None` for never.
    pub keep_alive: Option<Duration>,
    /// How long streams may go on after a stop was asked for.
    pub drain_timeout: Duration,
    /// Begins when the time to drain is over. Begun earlier it is a kill switch, until it is revoked.
    pub shutdown: Shutdown,
    /// Gets the account of every response.
    pub accountant: Accountant,
}

impl Config {
    /// The defaults, towards `upstream` and under `policies`.
    pub fn new(upstream: Upstream, policies: impl Into<Policies>) -> Config {
        Config {
            upstream,
            trust: Trust::default(),
            policies: policies.into(),
            checks: Checks::new(),
            quotas: Quotas::default(),
            other_content: OtherContent::default(),
            // Longer than any handshake on earth; a dead address should not cost clients their own timeout.
            connect_timeout: Duration::from_secs(10),
            // What OpenAI's SDKs wait by default. An answer that is not streamed begins when it is complete; lower, and
            // long ones are lost, higher, and nobody is waiting any more.
            response_timeout: Duration::from_secs(600),
            // Reasoning models are silent for minutes before their first token. Lower, and they are cut off;
            // higher, and a dead upstream keeps its clients longer.
            idle_timeout: Duration::from_secs(300),
            // Which answer is too long only its reader can tell.
            total_timeout: None,
            // What the HTML standard recommends for event streams: proxies on the way drop what is silent for a minute, or
            // for half of one.
            keep_alive: Some(Duration::from_secs(15)),
            // What Kubernetes leaves between SIGTERM and SIGKILL, less a margin.
            drain_timeout: Duration::from_secs(25),
            shutdown: Shutdown::default(),
            accountant: Accountant::logging(),
        }
    }
}
