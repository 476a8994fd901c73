//! What a filter may be told beside its policy.

use super::Framing;
use crate::policy::{ChannelKind, Policy};
use std::num::NonZeroUsize;

/// What a [`Filter`](super::Filter) may be told beside its policy.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FilterOptions {
    /// How the stream is framed, where that is known. Without it: as its dialect usually is, and without a dialect as its
    /// first bytes tell.
    pub framing: Option<Framing>,
    /// Whether tool calls leave whole. Without it: they do if the policy may end the stream within one.
    pub tool_calls: Option<ToolCalls>,
    /// Whether the client asked for a usage chunk.
    pub usage_chunk: UsageChunk,
    /// Whether a text waits when its choice goes on with another kind.
    pub later_kinds: LaterKinds,
    /// A delta of which this many bytes are decided, and the rest is not, leaves in two events. Without it an event
    /// leaves as it came or not at all. Worth it where deltas are long, as Gemini's are.
    pub split_bytes: Option<NonZeroUsize>,
    /// What becomes of a stream whose first events are of no dialect that is known.
    pub other_events: OtherEvents,
    /// What may wait.
    pub limits: Limits,
}

impl FilterOptions {
    pub(crate) fn tool_calls_under(&self, policy: &Policy) -> ToolCalls {
        self.tool_calls.unwrap_or(match policy.may_terminate(ChannelKind::ToolArgs) {
            true => ToolCalls::Atomic,
            false => ToolCalls::Streamed,
        })
    }
}

/// How tool calls leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolCalls {
    /// Whole or not at all: the calls of a choice are held until it finishes, for parallel calls may come interleaved.
    /// A client that repairs broken JSON would otherwise run half a call.
    Atomic,
    /// As they come. If the policy stops a stream within a call, the ending is an error, never a finish.
    Streamed,
}

/// Whether the client asked for a usage chunk (`stream_options.include_usage`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageChunk {
    /// It did: a stream that the policy ends repeats the last usage that the upstream told, if it told any.
    Asked,
    /// It did not.
    #[default]
    NotAsked,
}

/// What a choice's later text means for its earlier ones, as an answer does for the thoughts before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaterKinds {
    /// What the earlier text still holds is decided as at its end, or every answer would wait for a thought that is
    /// over. Should that text go on after all, and a match reach back over the break, the stream fails closed; the
    /// match's head has left.
    #[default]
    EndEarlier,
    /// Nothing leaves before everything in front of it is decided, so that no match leaves in part even where texts
    /// alternate. The price: an answer waits for its end as long as the last words of a thought could go on.
    Wait,
}

/// What becomes of a stream whose first events are of no dialect that is known, nor an error, nor an end. Events of
/// other kinds between those of a dialect are no matter of this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtherEvents {
    /// Every string of every event is moderated as a text of its own. Which of them continue each other is not known,
    /// so a match that two events share passes.
    #[default]
    EachAlone,
    /// It fails closed with [`Failure::Unknown`](super::Failure::Unknown).
    Refuse,
}

/// What may wait in memory. Beyond a limit a stream fails closed: held text is withheld, and the ending is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest event, and the largest JSON document. Beyond it:
    /// [`Failure::Malformed`](super::Failure::Malformed).
    pub event_bytes: usize,
    /// Raw bytes of all events that wait. Beyond it: [`Failure::Overflow`](super::Failure::Overflow).
    pub held_bytes: usize,
    /// Events that wait. Beyond it: [`Failure::Overflow`](super::Failure::Overflow).
    pub held_events: usize,
    /// Channels of one stream. Beyond it: [`Failure::Overflow`](super::Failure::Overflow).
    pub channels: usize,
}

impl Default for Limits {
    /// 16 MiB an event (an image in base64 passes, and a hostile upstream costs no more), twice that and 65,536
    /// events waiting, 4,096 channels (128 choices, the most that OpenAI's API takes, of 32 channels each).
    fn default() -> Limits {
        Limits { event_bytes: 16 << 20, held_bytes: 32 << 20, held_events: 1 << 16, channels: 1 << 12 }
    }
}
