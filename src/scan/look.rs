//! Look-around, told from the byte before and the byte after.

use regex_syntax::hir::Look;

/// What was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Before {
    /// Nothing: the text begins here.
    Start,
    Word,
    LineFeed,
    Other,
}

impl Before {
    pub(super) const COUNT: usize = 4;
    pub(super) const ALL: [Before; Before::COUNT] = [Before::Start, Before::Word, Before::LineFeed, Before::Other];

    pub(super) fn of(byte: u8) -> Before {
        Byte::of(byte).as_before()
    }

    /// Whether `look` holds between this and `next`.
    pub(super) fn allows(self, look: Look, next: Byte) -> bool {
        let word_before = self == Before::Word;
        let word_after = next == Byte::Word;
        match look {
            Look::Start => self == Before::Start,
            Look::End => next == Byte::End,
            Look::StartLF => matches!(self, Before::Start | Before::LineFeed),
            Look::EndLF => matches!(next, Byte::End | Byte::LineFeed),
            Look::WordAscii => word_before != word_after,
            Look::WordAsciiNegate => word_before == word_after,
            Look::WordStartAscii => !word_before && word_after,
            Look::WordEndAscii => word_before && !word_after,
            Look::WordStartHalfAscii => !word_before,
            Look::WordEndHalfAscii => !word_after,
            // Lowering refuses the others; never holding is the safe answer to what cannot come.
            _ => false,
        }
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Byte {
    Word,
    LineFeed,
    Other,
    /// Nothing: the text is at its end.
    End,
}

impl Byte {
    pub(super) const ALL: [Byte; 4] = [Byte::Word, Byte::LineFeed, Byte::Other, Byte::End];

    pub(super) fn of(byte: u8) -> Byte {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'_' | b'a'..=b'z' => Byte::Word,
            b'\n' => Byte::LineFeed,
            _ => Byte::Other,
        }
    }

    pub(super) fn as_before(self) -> Before {
        match self {
            Byte::Word => Before::Word,
            Byte::LineFeed => Before::LineFeed,
            Byte::Other | Byte::End => Before::Other,
        }
    }

    pub(super) fn bit(self) -> u8 {
        1 << self as u8
    }

    /// A bit for each kind of byte in the range.
    pub(super) fn kinds_in(start: u8, end: u8) -> u8 {
        let shared = |low: u8, high: u8| (u32::from(end.min(high)) + 1).saturating_sub(u32::from(start.max(low)));
        let words = shared(b'0', b'9') + shared(b'A', b'Z') + shared(b'_', b'_') + shared(b'a', b'z');
        let line_feeds = shared(b'\n', b'\n');
        let others = u32::from(end) + 1 - u32::from(start) - words - line_feeds;
        [(words, Byte::Word), (line_feeds, Byte::LineFeed), (others, Byte::Other)]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .fold(0, |bits, (_, kind)| bits | kind.bit())
    }
}
