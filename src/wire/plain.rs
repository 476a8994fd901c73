//! Plain text: one channel, no events.

use super::{Ending, Observer};
use crate::hold::{Channel, Part, Released};
use crate::policy::{ChannelKind, Policy};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Instant;

/// One plain text.
#[derive(Debug)]
pub(crate) struct PlainText {
    channel: Channel,
    /// Up to which offset the text had come, and when; what is decided is forgotten.
    arrivals: VecDeque<(u64, Instant)>,
    out: VecDeque<Bytes>,
}

impl PlainText {
    pub(crate) fn new(policy: &Policy) -> PlainText {
        let channel = Channel::new(policy, ChannelKind::Text);
        PlainText { channel, arrivals: VecDeque::new(), out: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, chunk: Bytes, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        self.arrivals.push_back((self.channel.len() + chunk.len() as u64, now));
        let released = self.channel.push(&chunk);
        hand_out(&released, &chunk, &self.arrivals, &mut self.out, now, observer);
        while self.arrivals.front().is_some_and(|(until, _)| *until <= self.channel.decided()) {
            self.arrivals.pop_front();
        }
        self.stopped()
    }

    pub(crate) fn finish(&mut self, now: Instant, observer: &mut dyn Observer) -> Ending {
        let released = self.channel.finish();
        hand_out(&released, &Bytes::new(), &self.arrivals, &mut self.out, now, observer);
        self.stopped().unwrap_or(Ending::Complete)
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    fn stopped(&self) -> Option<Ending> {
        self.channel.terminated().cloned().map(Ending::Terminated)
    }
}

fn hand_out(
    released: &Released<'_>,
    chunk: &Bytes,
    arrivals: &VecDeque<(u64, Instant)>,
    out: &mut VecDeque<Bytes>,
    now: Instant,
    observer: &mut dyn Observer,
) {
    for verdict in released.verdicts() {
        observer.verdict(ChannelKind::Text, verdict);
    }
    for part in released.parts() {
        let bytes = match part {
            Part::Keep(bytes) => part_of(chunk, bytes),
            Part::Cut { replacement, .. } => Bytes::copy_from_slice(replacement.unwrap_or_default().as_bytes()),
        };
        if bytes.is_empty() {
            continue;
        }
        let since = arrivals.front().map_or(now, |(_, at)| *at);
        observer.release(bytes.len(), now.saturating_duration_since(since));
        out.push_back(bytes);
    }
}

/// The same bytes, as a slice of the chunk if they lie in it.
fn part_of(chunk: &Bytes, bytes: &[u8]) -> Bytes {
    let (chunk_at, bytes_at) = (chunk.as_ptr() as usize, bytes.as_ptr() as usize);
    match bytes_at.checked_sub(chunk_at) {
        Some(offset) if offset + bytes.len() <= chunk.len() => chunk.slice(offset..offset + bytes.len()),
        _ => Bytes::copy_from_slice(bytes),
    }
}
