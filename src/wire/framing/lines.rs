//! Newline-delimited JSON (`application/x-ndjson`): each line is an event.

use super::unframed::Unframed;
use super::{Closed, Event, TooLarge};
use crate::wire::queue::Payload;
use bytes::Bytes;

/// Cuts newline-delimited JSON into its lines. Line ends and blank lines stay with the events.
#[derive(Debug)]
pub(crate) struct Framer {
    bytes: Unframed,
    largest_event: usize,
}

impl Framer {
    /// A framer that refuses lines of more than `largest_event` bytes.
    pub(crate) fn new(largest_event: usize) -> Framer {
        Framer { bytes: Unframed::default(), largest_event: largest_event.min(u32::MAX as usize) }
    }

    /// Takes the next chunk. Call [`next`](Framer::next) until it gives `None` before the next push.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.bytes.push(chunk);
    }

    /// The next whole line, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, TooLarge> {
        let Some(at) = memchr::memchr(b'\n', self.bytes.rest()) else {
            self.bytes.keep();
            return self.within_limit().map(|()| None);
        };
        self.bytes.scan(at + 1);
        self.within_limit()?;
        Ok(Some(line(self.bytes.take(), Closed::Whole)))
    }

    /// The stream is at its end: gives out the line that no newline ended.
    pub(crate) fn finish(&mut self) -> Option<Event> {
        (self.bytes.scanned() > 0).then(|| line(self.bytes.take(), Closed::ByEndOfStream))
    }

    fn within_limit(&self) -> Result<(), TooLarge> {
        if self.bytes.scanned() > self.largest_event { Err(TooLarge) } else { Ok(()) }
    }
}

fn line(raw: Bytes, closed: Closed) -> Event {
    let text = raw.trim_ascii_end().len() as u32;
    let payload = if text == 0 { Payload::None } else { Payload::Whole(0..text) };
    Event { payload, closed, ..Event::new(raw) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::test_data::cuts;

    fn frame(chunks: &[&[u8]]) -> Vec<(Bytes, usize)> {
        let mut framer = Framer::new(100);
        let mut out = Vec::new();
        let mut add = |event: Event| {
            let text = event.payload.text(&event.raw).map_or(0, <[u8]>::len);
            out.push((event.raw, text));
        };
        for chunk in chunks {
            framer.push(Bytes::copy_from_slice(chunk));
            while let Some(event) = framer.next().unwrap() {
                add(event);
            }
        }
        framer.finish().into_iter().for_each(&mut add);
        out
    }

    #[test]
    fn lines_are_events_however_they_are_cut() {
        let input = b"{\"a\":1}\n\r\n{\"b\":2} \r\n{\"c\":3}";
        let whole = frame(&[input]);
        let texts: Vec<usize> = whole.iter().map(|(_, text)| *text).collect();
        assert_eq!(texts, [7, 0, 7, 7]);
        assert_eq!(whole.iter().flat_map(|(raw, _)| raw.iter().copied()).collect::<Vec<u8>>(), input);
        for chunks in cuts(input) {
            assert_eq!(frame(&chunks), whole);
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused() {
        for input in [vec![b'x'; 101], [vec![b'x'; 100], vec![b'\n']].concat()] {
            let mut framer = Framer::new(100);
            framer.push(input.into());
            assert_eq!(framer.next().unwrap_err(), TooLarge);
        }
    }
}
