//! A stretch of a channel's text, and where its characters begin and end.

use std::ops::Range;

/// A stretch of the channel's text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) start: u64,
    pub(super) bytes: &'a [u8],
}

/// UTF-8 needs four bytes for a character at most.
pub(super) const LONGEST_CHAR: u64 = 4;

impl<'a> Text<'a> {
    /// The bytes between two offsets, if they are here.
    pub(super) fn between(self, start: u64, end: u64) -> Option<&'a [u8]> {
        let from = start.checked_sub(self.start)?;
        self.bytes.get(from as usize..(end - self.start) as usize)
    }

    fn byte(self, offset: u64) -> Option<u8> {
        self.bytes.get(offset.checked_sub(self.start)? as usize).copied()
    }

    fn continues_char(self, offset: u64) -> bool {
        self.byte(offset).is_some_and(is_continuation)
    }

    /// The start of the character that `offset` lies in, or would lie in if its rest came.
    #[inline]
    pub(super) fn char_start(self, offset: u64) -> u64 {
        let before = offset.wrapping_sub(1).wrapping_sub(self.start) as usize;
        match self.bytes.get(before) {
            Some(byte) if byte.is_ascii() => offset,
            _ => self.char_start_of(offset),
        }
    }

    fn char_start_of(self, offset: u64) -> u64 {
        match self.lead_before(offset) {
            Some((lead, length)) if offset - lead < length && self.byte(offset).is_none_or(is_continuation) => lead,
            _ => offset,
        }
    }

    /// The end of the character that the byte before `offset` belongs to, as far as it is here.
    pub(super) fn char_end(self, offset: u64) -> u64 {
        let Some((lead, length)) = self.lead_before(offset) else { return offset };
        let mut end = offset;
        while end - lead < length && self.continues_char(end) {
            end += 1;
        }
        end
    }

    /// The nearest byte before `offset` that begins a character, with only the middle of one in between, and the
    /// length that it announces.
    fn lead_before(self, offset: u64) -> Option<(u64, u64)> {
        let mut at = offset;
        while offset - at < LONGEST_CHAR {
            at = at.checked_sub(1)?;
            let byte = self.byte(at)?;
            if !is_continuation(byte) {
                return Some((at, char_len(byte)));
            }
        }
        None
    }

    /// The span with every character that it touches, from `earliest` on.
    pub(super) fn whole_chars(self, span: Range<u64>, earliest: u64) -> Range<u64> {
        let continues = self.continues_char(span.start);
        let start = if continues { self.char_start(span.start).max(earliest) } else { span.start };
        start.min(span.start)..self.char_end(span.end)
    }

    /// Whether the text stops before the character that `..end` ends with is whole.
    pub(super) fn is_split_at(self, end: u64) -> bool {
        end == self.start + self.bytes.len() as u64 && self.char_start(end) < end
    }
}

/// The length that a character's first byte announces; 1 for what begins none.
fn char_len(lead: u8) -> u64 {
    match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}
