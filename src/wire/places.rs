//! Places in a channel's text, and where they are when some of it is cut.
//!
//! Citations say with numbers which stretch of a text they speak of, and what is cut or put in before it moves them.
//! The text itself is not kept: only how long it is, which of its undecided bytes begin no code point, and how long
//! what took the place of each cut is.

use super::rows::Unit;
use std::collections::VecDeque;
use std::ops::Range;

/// How many cuts of a channel are remembered. Of what lies behind them it is only known that it has moved.
const MOST: usize = 1024;

/// A channel's text as those count it who cite it.
#[derive(Debug)]
pub(crate) struct Places {
    unit: Unit,
    /// Stretches of undecided bytes that begin no code point: where each begins, and how long it is.
    inner: VecDeque<(u64, u64)>,
    /// How many such bytes there are in the decided text.
    skipped: u64,
    /// How long the decided text is.
    decided: u64,
    edits: Vec<Edit>,
    /// The place behind which edits are not remembered.
    known: u64,
}

/// A stretch of the text that was cut, and how long what stands there now is.
#[derive(Clone, Debug)]
struct Edit {
    span: Range<u64>,
    with: u64,
}

impl Places {
    pub(crate) fn new(unit: Unit) -> Places {
        Places { unit, inner: VecDeque::new(), skipped: 0, decided: 0, edits: Vec::new(), known: u64::MAX }
    }

    /// Takes the bytes that follow those before `at`.
    pub(crate) fn push(&mut self, at: u64, text: &[u8]) {
        if self.unit == Unit::Bytes || text.is_ascii() {
            return;
        }
        for (at, _) in (at..).zip(text).filter(|(_, byte)| (0x80..0xc0).contains(*byte)) {
            match self.inner.back_mut() {
                Some((start, len)) if *start + *len == at => *len += 1,
                _ => self.inner.push_back((at, 1)),
            }
        }
    }

    /// These bytes were cut. They follow all that was cut or decided before.
    pub(crate) fn cut(&mut self, span: &Range<u64>, replacement: &str) {
        let span = self.place(span.start)..self.place(span.end);
        let with = match self.unit {
            Unit::Bytes => replacement.len(),
            Unit::CodePoints => replacement.chars().count(),
        } as u64;
        let has_room = self.edits.len() < MOST;
        match self.edits.last_mut().filter(|last| last.span.end == span.start) {
            Some(last) => {
                last.span.end = span.end;
                last.with += with;
            }
            None if has_room => self.edits.push(Edit { span, with }),
            None => self.known = self.known.min(span.start),
        }
    }

    /// Every byte before this one is decided.
    pub(crate) fn decide(&mut self, until: u64) {
        self.decided = self.place(until);
    }

    /// How long the decided text is.
    pub(crate) fn decided(&self) -> u64 {
        self.decided
    }

    /// Where a stretch of the decided text is now; `None` if any of it was cut, or it is not known.
    pub(crate) fn moved(&self, span: &Range<u64>) -> Option<Range<u64>> {
        let is_cut = |edit: &Edit| edit.span.start < span.end && span.start < edit.span.end;
        let is_known = span.end <= self.known && !self.edits.iter().any(is_cut);
        is_known.then(|| self.now(span.start)..self.now(span.end))
    }

    /// Where a place of the decided text is now: behind what stands there instead, if it was cut.
    pub(crate) fn now(&self, place: u64) -> u64 {
        let mut now = place;
        for edit in self.edits.iter().take_while(|edit| edit.span.start < place) {
            now = now + edit.with - (edit.span.end.min(place) - edit.span.start);
        }
        now
    }

    /// The place before the byte at `offset`, which is not before any that was asked for.
    fn place(&mut self, offset: u64) -> u64 {
        while let Some(&(start, len)) = self.inner.front().filter(|(start, _)| *start < offset) {
            self.inner.pop_front();
            let before = len.min(offset - start);
            self.skipped += before;
            if before < len {
                self.inner.push_front((offset, len - before));
            }
        }
        offset - self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `aé𝄞b` three times, of which the second is cut from `é` to `𝄞`, then decided.
    fn places(unit: Unit, step: usize) -> Places {
        let mut places = Places::new(unit);
        let text = "aé𝄞b".repeat(3);
        for (i, chunk) in text.as_bytes().chunks(step).enumerate() {
            places.push((i * step) as u64, chunk);
        }
        places.cut(&(9..11), "");
        places.cut(&(11..15), "[ü]");
        places.decide(24);
        places
    }

    #[test]
    fn places_move_with_what_was_cut_before_them() {
        for step in 1..=24 {
            let places = places(Unit::CodePoints, step);
            assert_eq!(places.decided(), 12);
            assert_eq!(places.moved(&(0..5)), Some(0..5), "before the cut");
            assert_eq!(places.moved(&(7..12)), Some(8..13), "behind it");
            assert_eq!([0..6, 5..6, 6..7, 6..12, 0..12, 6..6].map(|span| places.moved(&span)), [const { None }; 6]);
            assert_eq!([places.moved(&(5..5)), places.moved(&(7..7))], [Some(5..5), Some(8..8)]);
            assert_eq!([5, 6, 7].map(|place| places.now(place)), [5, 8, 8]);
        }
        let places = places(Unit::Bytes, 24);
        assert_eq!(places.moved(&(0..9)), Some(0..9));
        assert_eq!(places.moved(&(15..24)), Some(13..22));
    }

    #[test]
    fn only_so_many_cuts_are_remembered() {
        let mut places = Places::new(Unit::Bytes);
        for i in 0..2 * MOST as u64 {
            places.cut(&(2 * i..2 * i + 1), "");
        }
        let last = 2 * MOST as u64;
        assert_eq!(places.moved(&(last - 1..last)), Some(MOST as u64 - 1..MOST as u64));
        assert_eq!(places.moved(&(last + 1..last + 2)), None);
    }
}
