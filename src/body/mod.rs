//! A moderated body: what an upstream streams, as a policy lets it pass.
//!
//! [`Moderated`] wraps an [`http_body::Body`], [`ModeratedStream`] a [`Stream`](futures_core::Stream) of
//! bytes. Both drive a [`Filter`](crate::Filter) and add what it deliberately lacks: polling, time and an end.
//!
//! - **Back-pressure.** The upstream is polled only when nothing is left to hand out.
//! - **Few frames.** Whatever is ready at once leaves as one frame, since servers make a system call of each.
//! - **Endings.** The upstream is dropped the moment the policy ends the stream. An upstream that fails, says nothing
//!   for too long or takes too long, becomes the protocol's own error event and a regular end of the body; where the
//!   protocol has no such event, the body ends in an [`Error`], so that half an answer never looks whole. A server
//!   that must stop ends its streams in the same way, by a [`Shutdown`].
//! - **Signs of life.** A stream that has nothing to hand out for long, because its upstream is silent or all that came
//!   is held, says so by its protocol's heartbeat where it has one, if it is given an interval.
//! - **An account.** The [`Observer`](crate::Observer) sees exactly one ending, also when the client goes away and
//!   the body is dropped.
//!
//! There is no runtime in here: whoever wants to wait brings a [`Timer`].
//!
//! # Cancel safety
//!
//! Dropping a body at any point is safe. It drops the upstream, which cancels it, and everything still held.

mod error;
mod moderated;
#[cfg(feature = "tower")]
pub(crate) mod random;
mod session;
mod shutdown;
mod stream;
mod wait;

pub use error::Error;
pub use moderated::Moderated;
pub use shutdown::{Begun, Shutdown};
pub use stream::ModeratedStream;
#[cfg(feature = "tower")]
pub(crate) use wait::Times;
pub use wait::{NoTimer, Timer};
