//! Streaming moderation middleware for LLM output.

pub mod error;
pub mod hold;
pub mod policy;
pub mod rule;
pub mod scan;
pub mod wire;

#[cfg(feature = "body")]
pub mod body;
#[cfg(feature = "sidecar")]
pub mod sidecar;
#[cfg(feature = "tower")]
pub mod tower;

pub use error::BuildError;
pub use hold::{Channel, Part, Released};
pub use policy::{ChannelKind, Policy, PolicyBuilder, Verdict};
pub use rule::{Pack, Rule};
pub use wire::{Dialect, Ending, Filter, Observer};
