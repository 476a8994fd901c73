//! The wire: framers, JSON splicing, one file per dialect, and the filter that drives them.
//!
//! No I/O, no clock, no async: bytes and the time come in as arguments, bytes go out.
//!
//! ```text
//! bytes ─ sse ─ events ─ json ─ tape ─ table ─ fields ─ coding ─ lanes (hold::Channel) ─ cuts
//!                  │                                                                      │
//!                  └───────────────── queue: waits in order ── splice ◄───────────────────┘ ─ bytes
//! ```
//!
//! An event waits in a queue until every text in it is decided. It then leaves as the very bytes that came, or with
//! only the touched strings spliced.

mod args;
mod asking;
mod beginning;
mod coding;
mod coverage;
mod cuts;
mod detect;
mod dialects;
mod document;
mod events;
mod filter;
mod framing;
mod grammar;
mod json;
mod lane;
mod lanes;
mod moderate;
mod options;
mod places;
mod plain;
mod queue;
mod reader;
mod renamed;
mod request;
mod rows;
mod snapshot;
mod splice;
mod table;
#[cfg(test)]
mod test_data;

pub use coverage::{Coverage, CoveredField};
pub use dialects::UnknownDialect;
pub use filter::Filter;
pub use framing::Framing;
pub use options::{FilterOptions, LaterKinds, Limits, OtherEvents, ToolCalls, UsageChunk};
pub use request::{Refused, RequestFilter, RequestOutcome, moderate_request};

use crate::hold::{Judgement, Unjudged};
use crate::policy::{ChannelKind, Verdict};
use std::time::Duration;

/// What a stream's bytes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Plain text: one channel, no events.
    Text,
    /// JSON whose API is not known beforehand: its first event, or the document itself, tells. Otherwise every string is
    /// a text of its own.
    Json,
    /// The AG-UI protocol between agents and user interfaces.
    AgUi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Amazon Bedrock's agents (`InvokeAgent`).
    BedrockAgent,
    /// Amazon Bedrock's Converse API.
    BedrockConverse,
    /// Amazon Bedrock's `InvokeModel`, with and without a response stream: events and documents of the models' own APIs.
    BedrockInvoke,
    /// Cohere's chat API, version 2.
    Cohere,
    /// Gemini's `generateContent` and `streamGenerateContent`, of the Gemini API and of Vertex AI: an event stream, or an
    /// array that comes element by element.
    Gemini,
    /// Gemini's Interactions API.
    GeminiInteractions,
    /// Gemini's Live API: the messages of its server, of a WebSocket or a line each.
    GeminiLive,
    /// The Model Context Protocol over streamable HTTP.
    Mcp,
    /// Ollama's chats and completions.
    Ollama,
    /// The runs of OpenAI's Assistants API.
    OpenAiAssistants,
    /// OpenAI chat completions, and those of the many compatible servers and gateways.
    OpenAiChat,
    /// OpenAI's legacy completions, and those of compatible servers.
    OpenAiCompletions,
    /// OpenAI's Realtime API, by message or by line, and those of Azure and xAI.
    OpenAiRealtime,
    /// OpenAI's Responses API, and those of Azure and compatible servers.
    OpenAiResponses,
    /// OpenAI's transcriptions and translations of sound.
    OpenAiTranscription,
    /// Replicate's streams of plain text.
    Replicate,
    /// The UI message stream of Vercel's AI SDK.
    VercelUi,
    /// IBM watsonx.ai's text generation.
    Watsonx,
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
    /// Nothing came for too long, or all of it took too long.
    TimedOut,
    /// The server that handed it on had to stop.
    ShutDown,
}

impl Ending {
    /// The ending's word in logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Ending::Complete => "complete",
            Ending::Terminated(_) => "terminated",
            Ending::UpstreamFailed(_) => "upstream_failed",
            Ending::ClientGone => "client_gone",
            Ending::TimedOut => "timed_out",
            Ending::ShutDown => "shut_down",
        }
    }

    /// What brought it, in a word: the rule's id, or the failure's name.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Ending::Terminated(verdict) => Some(&verdict.rule),
            Ending::UpstreamFailed(failure) => Some(failure.name()),
            Ending::Complete | Ending::ClientGone | Ending::TimedOut | Ending::ShutDown => None,
        }
    }
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
    /// An event stream began with an event that is not of its dialect
    /// ([`OtherEvents::Refuse`]).
    Unknown,
    /// The upstream said so itself, by an event of its protocol, which was passed on.
    Reported,
    /// More had to wait for a decision than the limits allow.
    Overflow,
}

impl Failure {
    /// The failure's word in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Failure::Cut => "cut",
            Failure::Truncated => "truncated",
            Failure::Malformed => "malformed",
            Failure::Unknown => "unknown",
            Failure::Reported => "reported",
            Failure::Overflow => "overflow",
        }
    }
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

    /// A check was asked about a passage, and answered, or failed to, `took` after the passage was complete.
    fn judged(&mut self, check: &str, judged: &Result<Judgement, Unjudged>, took: Duration) {
        let _ = (check, judged, took);
    }

    /// The stream is over.
    fn ending(&mut self, ending: &Ending) {
        let _ = ending;
    }
}

impl Observer for () {}
