//! What tells one dialect from another: its table, and how its streams end.

use super::json::Tape;
use super::table::Table;
use super::{Ending, Failure};

/// A dialect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grammar {
    pub(crate) table: fn() -> &'static Table,
    /// Whether an event's data is the protocol's own last word.
    pub(crate) is_end: fn(&[u8]) -> bool,
    /// The data of the events that end a stream which the policy has stopped.
    pub(crate) stop: fn(&Account<'_>) -> Vec<Vec<u8>>,
    /// The data of the events that end a stream which has failed.
    pub(crate) fault: fn(Fault) -> Vec<Vec<u8>>,
}

/// What an ending may say about the stream.
#[derive(Debug)]
pub(crate) struct Account<'a> {
    /// The first event that a choice spoke in.
    pub(crate) chunk: Option<Members<'a>>,
    pub(crate) open_choices: Vec<u32>,
    /// The usage that the upstream told last, as it stands, if the client asked for it.
    pub(crate) usage: Option<&'a [u8]>,
}

/// The members of a JSON object.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    text: &'a [u8],
    tape: Tape,
}

impl<'a> Members<'a> {
    pub(crate) fn of(text: &'a [u8]) -> Option<Members<'a>> {
        let mut tape = Tape::default();
        tape.read(text).ok()?;
        Some(Members { text, tape })
    }

    /// A member's value as it stands.
    pub(crate) fn value(&self, key: &str) -> Option<&'a [u8]> {
        self.tape.member(self.text, 0, key).map(|member| &self.text[self.tape.node(member).span()])
    }
}

/// Why a stream ends with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The policy stopped it where only an error cannot be mistaken for an end.
    Stopped,
    Upstream(Failure),
    TimedOut,
    ShutDown,
}

impl Fault {
    /// The fault that an ending speaks of, if it does.
    pub(crate) fn of(ending: &Ending) -> Option<Fault> {
        match ending {
            Ending::Complete | Ending::ClientGone => None,
            Ending::Terminated(_) => Some(Fault::Stopped),
            Ending::UpstreamFailed(failure) => Some(Fault::Upstream(*failure)),
            Ending::TimedOut => Some(Fault::TimedOut),
            Ending::ShutDown => Some(Fault::ShutDown),
        }
    }

    pub(crate) fn kind(self) -> &'static str {
        match self {
            Fault::Stopped => "content_filter",
            Fault::Upstream(Failure::Overflow) => "moderation_error",
            Fault::Upstream(_) | Fault::TimedOut => "upstream_error",
            Fault::ShutDown => "holdback_error",
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Fault::Stopped => "content_filter",
            Fault::Upstream(Failure::Cut) => "upstream_cut",
            Fault::Upstream(Failure::Truncated) => "upstream_truncated",
            Fault::Upstream(Failure::Malformed) => "upstream_malformed",
            Fault::Upstream(Failure::Unknown) => "upstream_unknown",
            Fault::Upstream(Failure::Reported) => "upstream_reported",
            Fault::Upstream(Failure::Overflow) => "moderation_overflow",
            Fault::TimedOut => "upstream_timeout",
            Fault::ShutDown => "shut_down",
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Fault::Stopped => "The response was stopped by a content policy.",
            Fault::Upstream(Failure::Cut) => "The connection to the upstream broke off.",
            Fault::Upstream(Failure::Truncated) => "The upstream ended before its response was complete.",
            Fault::Upstream(Failure::Malformed) => "The upstream sent something that cannot be read.",
            Fault::Upstream(Failure::Unknown) => "The upstream sent events of a format that is not known here.",
            Fault::Upstream(Failure::Reported) => "The upstream reported an error.",
            Fault::Upstream(Failure::Overflow) => {
                "More of the response had to wait for a decision than the limits allow."
            }
            Fault::TimedOut => "The upstream sent nothing for too long.",
            Fault::ShutDown => "The server had to stop before the response was complete.",
        }
    }
}
