//! Bytes that came and are in no event yet.

use bytes::{Buf, Bytes, BytesMut};

/// The bytes from the start of the event at hand on.
///
/// A chunk that holds whole events is sliced, not copied; only an event that chunks share is put together.
#[derive(Debug, Default)]
pub(crate) struct Unframed {
    /// The beginning of the event at hand, from chunks that are used up. All of it is scanned.
    carry: BytesMut,
    /// What is left of the newest chunk.
    chunk: Bytes,
    /// How far into the event at hand its framer has looked; `carry.len() <= scanned`.
    scanned: usize,
}

impl Unframed {
    /// Takes the next chunk; the last one must be used up, or [kept](Unframed::keep).
    pub(crate) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the last chunk is used up");
        self.chunk = chunk;
    }

    /// What has not been looked at.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.chunk[self.scanned - self.carry.len()..]
    }

    /// The next `len` bytes of the rest have been looked at.
    pub(crate) fn scan(&mut self, len: usize) {
        debug_assert!(len <= self.rest().len(), "there is that much");
        self.scanned += len;
    }

    /// How many bytes of the event at hand were looked at.
    pub(crate) fn scanned(&self) -> usize {
        self.scanned
    }

    /// A byte that was looked at.
    pub(crate) fn byte(&self, offset: usize) -> u8 {
        match offset.checked_sub(self.carry.len()) {
            Some(of_chunk) => self.chunk[of_chunk],
            None => self.carry[offset],
        }
    }

    /// The bytes that were looked at are an event: gives them out.
    pub(crate) fn take(&mut self) -> Bytes {
        let of_chunk = std::mem::take(&mut self.scanned) - self.carry.len();
        if self.carry.is_empty() {
            return self.chunk.split_to(of_chunk);
        }
        self.carry.extend_from_slice(&self.chunk[..of_chunk]);
        self.chunk.advance(of_chunk);
        self.carry.split().freeze()
    }

    /// All of the chunk was looked at, and its event goes on in the next one.
    pub(crate) fn keep(&mut self) {
        self.carry.extend_from_slice(&self.chunk);
        self.chunk.clear();
        self.scanned = self.carry.len();
    }
}
