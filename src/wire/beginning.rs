//! How an event stream begins, as far as it matters to what is said before it.
//!
//! A byte order mark is one at the very start only. Behind a heartbeat it would be text, and make its event unreadable.

use super::framing::BOM;
use bytes::{Buf, Bytes};

/// What has come of a stream's beginning, and what has gone before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Nothing has come.
    #[default]
    Awaited,
    /// Nothing had come when something else was said: a mark must go. So many bytes of one have gone.
    Overtaken { gone: usize },
    /// It may have a mark, and has not left.
    Marked,
    /// Whatever is said now is behind it, or there is no mark in it.
    Settled,
}

impl Beginning {
    /// A chunk has come; gives back what of it goes on.
    pub(crate) fn take(&mut self, mut chunk: Bytes) -> Bytes {
        if *self == Beginning::Awaited
            && let Some(first) = chunk.first()
        {
            *self = if *first == BOM[0] { Beginning::Marked } else { Beginning::Settled };
        }
        while let Beginning::Overtaken { gone } = *self
            && let Some(next) = chunk.first()
        {
            if *next != BOM[gone] {
                // No mark after all.
                *self = Beginning::Settled;
                return if gone == 0 { chunk } else { [&BOM[..gone], &chunk].concat().into() };
            }
            chunk.advance(1);
            let gone = gone + 1;
            *self = if gone == BOM.len() { Beginning::Settled } else { Beginning::Overtaken { gone } };
        }
        chunk
    }

    /// An event has left.
    pub(crate) fn left(&mut self) {
        if *self == Beginning::Marked {
            *self = Beginning::Settled;
        }
    }

    /// Whether something may be said here; it is, if so.
    pub(crate) fn overtake(&mut self) -> bool {
        match self {
            Beginning::Awaited => {
                *self = Beginning::Overtaken { gone: 0 };
                true
            }
            Beginning::Overtaken { .. } | Beginning::Settled => true,
            Beginning::Marked => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes on of an input that was cut at every place.
    fn taken(beginning: Beginning, input: &[u8]) -> Vec<u8> {
        let whole = Beginning::take(&mut beginning.clone(), Bytes::copy_from_slice(input));
        for cut in 0..=input.len() {
            let mut beginning = beginning;
            let (head, tail) = input.split_at(cut);
            let mut out = beginning.take(Bytes::copy_from_slice(head)).to_vec();
            out.extend_from_slice(&beginning.take(Bytes::copy_from_slice(tail)));
            assert_eq!(out, whole, "cut at {cut}");
        }
        whole.to_vec()
    }

    #[test]
    fn a_mark_goes_only_if_something_was_said_before_it() {
        let mut overtaken = Beginning::default();
        assert!(overtaken.overtake());
        for (input, rest) in [
            (&b"\xef\xbb\xbfdata: x"[..], &b"data: x"[..]),
            (b"\xef\xbb\xbf\xef\xbb\xbfdata: x", b"\xef\xbb\xbfdata: x"),
            (b"\xef\xbbdata: x", b"\xef\xbbdata: x"),
            (b"data: x", b"data: x"),
        ] {
            assert_eq!(taken(Beginning::default(), input), input);
            assert_eq!(taken(overtaken, input), rest);
        }
    }

    #[test]
    fn nothing_is_said_between_a_mark_and_its_event() {
        let mut beginning = Beginning::default();
        beginning.take(Bytes::from_static(b"\xef"));
        assert!(!beginning.overtake());
        beginning.left();
        assert!(beginning.overtake());
        let mut beginning = Beginning::default();
        beginning.take(Bytes::from_static(b"data"));
        assert!(beginning.overtake());
    }
}
