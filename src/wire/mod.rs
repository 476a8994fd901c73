//! The wire: framers, JSON splicing, one file per dialect, and the filter that drives them.
//!
//! No I/O, no clock, no async: bytes and the time come in as arguments, bytes and a wished-for time go out.

mod args;
mod coding;
mod cuts;
mod json;
mod splice;
mod sse;
#[cfg(test)]
mod test_data;

use crate::policy::{ChannelKind, Policy, Verdict};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// What a stream's bytes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Plain text: one channel, no events.
    Text,
    /// OpenAI chat completions, as an event stream.
    OpenAiChat,
    /// A JSON document, not streamed: chat completions, or any other JSON.
    Json,
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The upstream came to its own end and everything decided was released.
    Complete,
    /// The policy ended it.
    Terminated(Verdict),
    /// The upstream broke off, sent an error or sent what cannot be read.
    UpstreamFailed(Failure),
    /// The client went away.
    ClientGone,
    /// Nothing came for too long.
    TimedOut,
}

/// What went wrong upstream. Never quotes the stream's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The transport failed or was cut.
    Cut,
    /// The stream ended before its protocol's own end.
    Truncated,
    /// An event cannot be read, has duplicate keys, or is larger than the limit.
    Malformed,
}

/// Sees what happens to a stream. Every method has an empty default.
pub trait Observer {
    /// A verdict became final.
    fn verdict(&mut self, channel: ChannelKind, verdict: &Verdict) {
        let _ = (channel, verdict);
    }

    /// Bytes left, after being held for `held` (zero if they left at once).
    fn release(&mut self, bytes: usize, held: Duration) {
        let _ = (bytes, held);
    }

    /// The stream is over.
    fn ending(&mut self, ending: &Ending) {
        let _ = ending;
    }
}

impl Observer for () {}

/// One stream under a policy: wire bytes in, wire bytes out.
pub struct Filter {}

impl Filter {
    /// A filter for one stream. Without a dialect it is told by the first event.
    pub fn new(policy: &Policy, dialect: Option<Dialect>) -> Filter {
        let _ = (policy, dialect);
        Filter {}
    }

    /// Takes the next bytes from upstream. What may leave is then had from [`pop`](Filter::pop).
    pub fn push(&mut self, chunk: Bytes, now: Instant, observer: &mut dyn Observer) {
        let _ = (chunk, now, observer);
    }

    /// The upstream came to its end.
    pub fn finish(&mut self, now: Instant, observer: &mut dyn Observer) {
        let _ = (now, observer);
    }

    /// The upstream failed, or nothing came for too long: the protocol's error form, held text withheld.
    pub fn fail(&mut self, ending: Ending, now: Instant, observer: &mut dyn Observer) {
        let _ = (ending, now, observer);
    }

    /// The next bytes for downstream.
    pub fn pop(&mut self) -> Option<Bytes> {
        None
    }

    /// How the stream ended, once it has. Nothing more is pushed then; what [`pop`](Filter::pop) still has must go out.
    pub fn ending(&self) -> Option<&Ending> {
        None
    }
}
