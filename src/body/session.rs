//! A filter with its observer and its account, which ends with it.

use crate::check::{Checks, Driver, Judged};
use crate::hold::Passage;
use crate::wire::{Ending, Filter, Observer};
use bytes::{Bytes, BytesMut};
use std::future::Future;
use std::time::Instant;

/// Pieces are joined into one frame up to this size: one buffer of hyper's, and far more events than a client can
/// tell apart. A larger piece leaves as it is, without a copy.
const FRAME_BYTES: usize = 16 * 1024;

/// One stream, from its first byte to its ending.
pub(super) struct Session<O: Observer> {
    filter: Filter,
    observer: O,
    // Popped from the filter, not yet handed out.
    next: Option<Bytes>,
}

impl<O: Observer> Session<O> {
    pub(super) fn new(filter: Filter, observer: O) -> Session<O> {
        Session { filter, observer, next: None }
    }

    pub(super) fn push(&mut self, chunk: Bytes, now: Instant) {
        self.filter.push(chunk, now, &mut self.observer);
    }

    pub(super) fn finish(&mut self, now: Instant) {
        self.filter.finish(now, &mut self.observer);
    }

    /// The next passage that a check is to judge.
    pub(super) fn next_passage(&mut self) -> Option<Passage> {
        self.filter.next_passage()
    }

    pub(super) fn judge(&mut self, judged: Judged, now: Instant) {
        self.observer.judged(&judged.check, &judged.judged, judged.took);
        self.filter.judge(judged.passage, judged.judged, now, &mut self.observer);
    }

    /// Whether so much waits for judgements that no more should be pushed before one was told.
    pub(super) fn is_full(&self) -> bool {
        self.filter.is_full()
    }

    /// A driver for the checks of the policy.
    pub(super) fn driver<S: Future<Output = ()>>(&self, checks: Checks) -> Driver<S> {
        Driver::new(checks, self.filter.policy())
    }

    /// Ends the stream early, because the upstream failed or fell silent.
    pub(super) fn fail(&mut self, ending: Ending, now: Instant) {
        self.filter.fail(ending, now, &mut self.observer);
    }

    /// What may be said while nothing is ready.
    pub(super) fn heartbeat(&mut self) -> Option<Bytes> {
        self.filter.heartbeat()
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        self.filter.ending()
    }

    /// Whether the stream failed in a way that only the end of its body can tell.
    pub(super) fn is_cut_off(&self) -> bool {
        self.filter.is_cut_off()
    }

    /// Whether an error has taken the place of a whole document.
    #[cfg(feature = "tower")]
    pub(super) fn is_replaced(&self) -> bool {
        self.filter.is_replaced()
    }

    /// Everything that is ready, as one frame where that is cheap.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let first = self.pop()?;
        let Some(second) = self.pop_within(first.len()) else { return Some(first) };
        let mut frame = BytesMut::with_capacity(first.len() + second.len());
        frame.extend_from_slice(&first);
        frame.extend_from_slice(&second);
        while let Some(piece) = self.pop_within(frame.len()) {
            frame.extend_from_slice(&piece);
        }
        Some(frame.freeze())
    }

    /// Bytes that are certainly left, if any. Right after a filter's call only [`fill`](Session::fill) knows.
    pub(super) fn ready_bytes(&self) -> usize {
        self.next.as_ref().map_or(0, Bytes::len)
    }

    /// Looks ahead, so that [`ready_bytes`](Session::ready_bytes) tells the truth.
    pub(super) fn fill(&mut self) {
        self.next = self.pop();
    }

    fn pop(&mut self) -> Option<Bytes> {
        self.next.take().or_else(|| self.filter.pop())
    }

    /// The next piece if a frame of `len` bytes has room for it; leaves it in `next` otherwise.
    fn pop_within(&mut self, len: usize) -> Option<Bytes> {
        self.fill();
        self.next.take_if(|next| len + next.len() <= FRAME_BYTES)
    }
}

impl<O: Observer> Drop for Session<O> {
    fn drop(&mut self) {
        if self.filter.ending().is_none() {
            self.observer.ending(&Ending::ClientGone);
        }
    }
}
