//! Plain text: one channel, no events.

use super::{Ending, Observer};
use crate::hold::{Channel, Judgement, Part, Passage, PassageId, Released, Unjudged};
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
    extent: Extent,
}

/// Whether all of the text has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    SoFar,
    Whole,
}

impl PlainText {
    pub(crate) fn new(policy: &Policy) -> PlainText {
        let channel = Channel::new(policy, ChannelKind::Text);
        PlainText { channel, arrivals: VecDeque::new(), out: VecDeque::new(), extent: Extent::SoFar }
    }

    pub(crate) fn push(&mut self, chunk: Bytes, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        self.arrivals.push_back((self.channel.len() + chunk.len() as u64, now));
        let released = self.channel.push(&chunk);
        hand_out(&released, &chunk, &self.arrivals, &mut self.out, now, observer);
        self.forget_arrivals();
        self.ending()
    }

    /// The end of the stream, given back, may wait for judgements.
    pub(crate) fn finish(&mut self, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        let released = self.channel.finish();
        hand_out(&released, &Bytes::new(), &self.arrivals, &mut self.out, now, observer);
        self.forget_arrivals();
        self.extent = Extent::Whole;
        self.ending()
    }

    /// The next passage that a check is to judge.
    pub(crate) fn next_passage(&mut self) -> Option<Passage> {
        self.channel.next_passage()
    }

    /// Takes a judgement; gives back the ending if it brought one.
    pub(crate) fn judge(
        &mut self,
        passage: PassageId,
        judged: &Result<Judgement, Unjudged>,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Option<Ending> {
        let released = self.channel.judge(passage, judged);
        hand_out(&released, &Bytes::new(), &self.arrivals, &mut self.out, now, observer);
        self.forget_arrivals();
        self.ending()
    }

    /// Whether so much waits for judgements that no more should come before one does.
    pub(crate) fn is_full(&self) -> bool {
        self.channel.is_full()
    }

    fn forget_arrivals(&mut self) {
        while self.arrivals.front().is_some_and(|(until, _)| *until <= self.channel.decided()) {
            self.arrivals.pop_front();
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    fn ending(&self) -> Option<Ending> {
        let is_complete = self.extent == Extent::Whole && !self.channel.awaits_judgement();
        let stopped = self.channel.terminated().cloned().map(Ending::Terminated);
        stopped.or(is_complete.then_some(Ending::Complete))
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
