//! The sidecar: a reverse proxy in front of a model's API, with every response under a policy, and every request if it
//! has rules for them.
//!
//! A request goes through these layers, the last one being the way out:
//!
//! ```text
//! request id → account → panics → errors as JSON → moderation → upstream
//! ```
//!
//! Method, path, query, headers and body go on as they came, but for what belongs to one connection (`Connection` and
//! what it names, `Host`) and what moderation needs (`Accept-Encoding`, `Range`). The request's body is not held unless
//! the policy has rules for requests: it is read in passing, for the one thing that an ending must know of it.
//!
//! A WebSocket goes the same way up to the upstream's answer. Should that be 101, the connections of both sides are joined
//! by a session, whose messages are moderated instead.
//!
//! Deliberately absent: retries, balancing, authentication and limits. Those belong to the gateway beside it.

mod account;
mod accounted;
mod admin;
mod coalesced;
mod config;
mod connection;
mod metrics;
mod noting;
mod proxy;
mod reply;
mod serve;
mod upload;
mod upstream;
mod websocket;

pub use account::{Account, Accountant, Held};
pub use config::Config;
pub use metrics::Metrics;
pub use serve::{Drained, Sidecar};
pub use upstream::{Upstream, UpstreamError};

use crate::body::Timer;
use std::time::{Duration, Instant};

/// Tokio's clock, for the idle timeout.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioTimer;

impl Timer for TokioTimer {
    type Sleep = tokio::time::Sleep;

    fn sleep(&self, duration: Duration) -> tokio::time::Sleep {
        tokio::time::sleep(duration)
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}
