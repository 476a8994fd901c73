//! Streaming moderation middleware for LLM output.
//!
//! A model's answer passes through holdback event by event. Rules see every byte before the client does; what no rule
//! can still touch leaves at once, unchanged; what a rule touches is redacted, masked, dropped, held for a check, or ends
//! the stream in the way the client's protocol expects. What is held back is exact: the text that some continuation could still turn
//! into a match, and not one byte more.
//!
//! ```
//! use holdback::{Channel, ChannelKind, Policy, Rule};
//!
//! let policy = Policy::builder()
//!     .rule(Rule::literal("codename", "Nightjar").redact("[codename]"))
//!     .rule(Rule::regex("ssn", r"\b\d{3}-\d{2}-\d{4}\b"))
//!     .build()?;
//!
//! let mut channel = Channel::new(&policy, ChannelKind::Text);
//! let mut out = Vec::new();
//! channel.push(b"Project Night").write_to(&mut out);
//! assert_eq!(out, b"Project "); // `Night` may become `Nightjar`
//! channel.push(b"fall is on.").write_to(&mut out);
//! assert_eq!(out, b"Project Nightfall is on."); // it did not
//! # Ok::<(), holdback::BuildError>(())
//! ```
//!
//! # Three ways in
//!
//! - [`tower::HoldbackLayer`] goes around a service, on a server or a client: responses are moderated by content type.
//! - [`body`] wraps one `http_body::Body`, or one `Stream` of `Bytes`.
//! - [`Channel`] is the bare engine for one text, [`Filter`] for the bytes of one stream in a wire format.
//!
//! The program `holdback` is a proxy with the same inside.
//!
//! # What it promises
//!
//! In this order; an earlier one wins. Never leak a byte of a match, however the stream was cut; faults fail closed.
//! Never change what no rule touched. Never wait longer than needed. Always end well: every ending is one that the
//! client's SDK understands. Say what happened, without the text.
//!
//! # What it does not do
//!
//! It understands no meaning: rules describe shapes. What takes judgement is asked of others, or of a small model beside it,
//! and waited for, as a policy's checks say ([`rule::Check`]). It does not balance, retry or authenticate.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `sidecar` | yes | the proxy and the command line; implies `tower` and `http-checks` |
//! | `tower` | | [`tower`]: the layer and its service; implies `body` |
//! | `redis` | | `quota::Quotas::redis`: quotas that processes share; implies `tower`, and brings tokio |
//! | `onnx` | | `check::semantic`: checks by what texts mean; implies `body`, brings tokio and tract, and needs Rust 1.91 |
//! | `http-checks` | | [`check::http`]: judgements by services over HTTP; implies `body`, and brings tokio and hyper |
//! | `body` | | [`body`]: adaptors for bodies and streams; [`check`]: who judges what a policy asks about |
//!
//! Without any of them there is the engine, the rule files and the wire: no runtime, no HTTP.

pub mod error;
pub mod hold;
pub mod policy;
pub mod rule;
mod scan;
pub mod wire;

#[cfg(feature = "body")]
pub mod body;
#[cfg(feature = "body")]
pub mod check;
#[cfg(feature = "http-checks")]
pub mod net;
#[cfg(feature = "tower")]
pub mod quota;
#[cfg(feature = "sidecar")]
pub mod sidecar;
#[cfg(feature = "tower")]
pub mod tower;

pub use error::BuildError;
pub use hold::{Channel, Part, Released};
pub use policy::{ChannelKind, Policy, PolicyBuilder, Verdict};
pub use rule::{Pack, Rule};
pub use wire::{Dialect, Ending, Filter, Observer};

/// The README's examples run with the tests.
#[cfg(all(doctest, feature = "sidecar"))]
#[doc = include_str!("../README.md")]
struct Readme;
