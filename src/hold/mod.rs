//! A channel: text in, released text out, nothing released that a rule can still touch.

use crate::policy::{ChannelKind, Policy, Verdict};

/// One ordered text of a stream under a policy.
pub struct Channel {}

impl Channel {
    /// An empty channel of this kind.
    pub fn new(policy: &Policy, kind: ChannelKind) -> Channel {
        let _ = (policy, kind);
        Channel {}
    }

    /// Takes the next text and gives back what is decided by now.
    ///
    /// After a terminating verdict nothing more is released, whatever is pushed.
    pub fn push<'a>(&'a mut self, delta: &'a [u8]) -> Released<'a> {
        let _ = delta;
        Released { verdicts: &[], parts: Vec::new() }
    }

    /// The text is at its end: gives back the rest. Later pushes release nothing.
    pub fn finish(&mut self) -> Released<'_> {
        Released { verdicts: &[], parts: Vec::new() }
    }

    /// Bytes of text taken so far.
    pub fn len(&self) -> u64 {
        0
    }

    /// Every byte before this offset is decided and was handed out.
    pub fn decided(&self) -> u64 {
        0
    }

    /// The verdict that ended the channel.
    pub fn terminated(&self) -> Option<&Verdict> {
        None
    }
}

/// What a push or the end of a channel decided, in order and without gaps: its parts' lengths add up to
/// the distance that [`Channel::decided`] moved.
pub struct Released<'a> {
    verdicts: &'a [Verdict],
    parts: Vec<Part<'a>>,
}

/// A run of decided bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part<'a> {
    /// These bytes leave as they came.
    Keep(&'a [u8]),
    /// The next `len` bytes of the channel's text never leave.
    ///
    /// A covered segment may come as several cuts. `replacement` stands on the cut that holds the segment's
    /// last byte and takes its place behind it; it is `None` on every earlier cut of the segment, and the
    /// empty text where the action was to drop.
    Cut {
        /// Bytes of the channel's text, 1 or more.
        len: u64,
        /// What takes the segment's place.
        replacement: Option<&'a str>,
    },
}

impl<'a> Released<'a> {
    /// The decided runs, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'a>> + '_ {
        self.parts.iter().copied()
    }

    /// Verdicts that became final with this call.
    pub fn verdicts(&self) -> &'a [Verdict] {
        self.verdicts
    }

    /// Appends what leaves to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        for part in self.parts() {
            match part {
                Part::Keep(bytes) => out.extend_from_slice(bytes),
                Part::Cut { replacement, .. } => out.extend_from_slice(replacement.unwrap_or("").as_bytes()),
            }
        }
    }
}
