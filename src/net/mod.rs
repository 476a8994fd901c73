//! Connections to others: to the upstream that the sidecar stands in front of, and to services that judge.

mod pool;
mod trust;

pub(crate) use pool::Client;
#[cfg(feature = "sidecar")]
pub(crate) use pool::{ClientError, ConnectTimedOut};
pub use trust::{Trust, TrustError};
