//! Where passages end.

use super::More;
use crate::rule::Passages;
use std::borrow::Cow;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

/// The length of the first passage of a text, once that is certain whatever follows; of a text that is at its end, of
/// what there is.
///
/// A passage that would have more than `longest` bytes is cut there, between characters. What it is cut into does not
/// depend on how much of the text has come: only its first `longest` bytes are looked at.
pub(super) fn first_passage(unit: Passages, longest: usize, text: &[u8], more: More) -> Option<usize> {
    if text.is_empty() {
        return None;
    }
    let is_full = text.len() >= longest;
    let head = if is_full { &text[..char_floor(text, longest)] } else { text };
    let extent = if is_full || more == More::Never { Extent::Whole } else { Extent::SoFar };
    let end = match unit {
        Passages::Sentences => sentence(head, extent),
        Passages::Paragraphs => paragraph(head),
        Passages::Characters(count) => characters(head, count),
        Passages::Whole => None,
    };
    end.or_else(|| (extent == Extent::Whole).then_some(head.len()))
}

/// Whether a text ends where it seems to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    SoFar,
    Whole,
}

/// The text, with a question mark for each byte that is no part of a character: every byte stays in its place.
pub(super) fn readable(text: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(text) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut out = String::with_capacity(text.len());
            for chunk in text.utf8_chunks() {
                out.push_str(chunk.valid());
                out.extend(chunk.invalid().iter().map(|_| '?'));
            }
            Cow::Owned(out)
        }
    }
}

/// The end of the first sentence.
///
/// Whether a full stop ends one depends on the first letter behind it, however far that is ("etc. (1) and"), and on no
/// more than that: so says rule SB8, and no other rule looks further.
fn sentence(text: &[u8], extent: Extent) -> Option<usize> {
    let may_end = |byte: &u8| matches!(byte, b'.' | b'!' | b'?' | b'\n' | b'\r') || !byte.is_ascii();
    if !text.iter().any(may_end) {
        return None;
    }
    // The rest of a character that is on its way could be anything.
    let whole = if extent == Extent::SoFar { char_floor(text, text.len()) } else { text.len() };
    let text = readable(&text[..whole]);
    let end = text.split_sentence_bounds().next()?.len();
    // The sound marks of halfwidth katakana are letters that count to what is before them, as combining marks do.
    let is_mark = |c: char| is_combining_mark(c) || matches!(c, '\u{ff9e}' | '\u{ff9f}');
    let is_letter = |c: char| c.is_alphabetic() && !is_mark(c);
    let is_certain = extent == Extent::Whole || text[end..].contains(is_letter);
    (is_certain && end < text.len()).then_some(end)
}

/// The end of the first paragraph: behind the line end of a blank line.
fn paragraph(text: &[u8]) -> Option<usize> {
    let mut line_start = None;
    for at in memchr::memchr_iter(b'\n', text) {
        let is_blank = |start: usize| text[start..at].trim_ascii().is_empty();
        if line_start.is_some_and(is_blank) {
            return Some(at + 1);
        }
        line_start = Some(at + 1);
    }
    None
}

/// Where so many characters end.
fn characters(text: &[u8], count: usize) -> Option<usize> {
    // A byte that is no part of a character counts as one, and so does the beginning of one.
    let mut at = 0;
    for _ in 0..count {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        at += char_width(rest)?;
    }
    Some(at)
}

/// Bytes of the first character; `None` while the rest of it may come.
fn char_width(text: &[u8]) -> Option<usize> {
    let chunk = text[..text.len().min(4)].utf8_chunks().next()?;
    match chunk.valid().chars().next() {
        Some(first) => Some(first.len_utf8()),
        None if text.len() < 4 && is_beginning(chunk.invalid()) => None,
        None => Some(1),
    }
}

/// Whether these bytes could become one character.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

/// The greatest place at or before `at` that is not within a character, as far as the text shows it.
fn char_floor(text: &[u8], at: usize) -> usize {
    let (from, at) = (at.saturating_sub(3), at.min(text.len()));
    (from..at).find(|&start| start > 0 && text.get(start..at).is_some_and(is_beginning)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The passages of a text that comes in pieces of these lengths.
    fn passages(unit: Passages, longest: usize, text: &[u8], piece: usize) -> Vec<String> {
        let (mut out, mut start, mut known) = (Vec::new(), 0, 0);
        while known < text.len() || start < text.len() {
            let more = if known == text.len() { More::Never } else { More::MayCome };
            known = (known + piece).min(text.len());
            while let Some(len) = first_passage(unit, longest, &text[start..known], more) {
                out.push(readable(&text[start..start + len]).into_owned());
                start += len;
            }
        }
        out
    }

    fn at_every_piece(unit: Passages, longest: usize, text: &[u8]) -> Vec<String> {
        let whole = passages(unit, longest, text, text.len());
        for piece in 1..text.len() {
            assert_eq!(passages(unit, longest, text, piece), whole, "{unit:?}, pieces of {piece}");
        }
        assert_eq!(whole.concat().len(), text.len());
        whole
    }

    #[test]
    fn sentences_end_where_the_next_begins() {
        for (text, expected) in [
            ("One. Two! Three?", &["One. ", "Two! ", "Three?"][..]),
            ("It costs 3.14 e.g. here. Next", &["It costs 3.14 e.g. here. ", "Next"]),
            ("Etc. (1) and so on. 2) Then", &["Etc. (1) and so on. ", "2) Then"]),
            (
                "\u{201c}Is it?\u{201d} He asked.\n- a list\n- of two",
                &["\u{201c}Is it?\u{201d} ", "He asked.\n", "- a list\n", "- of two"],
            ),
            ("これは文です。次の文です。", &["これは文です。", "次の文です。"]),
            ("No end", &["No end"]),
        ] {
            assert_eq!(at_every_piece(Passages::Sentences, 1 << 10, text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_sentence_is_complete_with_the_next_letter() {
        let text = b"One. Two";
        assert_eq!(first_passage(Passages::Sentences, 99, &text[..5], More::MayCome), None);
        assert_eq!(first_passage(Passages::Sentences, 99, &text[..6], More::MayCome), Some(5));
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let text = "a".repeat(9) + "äöü. Und";
        assert_eq!(at_every_piece(Passages::Sentences, 10, text.as_bytes()), ["aaaaaaaaa", "äöü. ", "Und"]);
        assert_eq!(at_every_piece(Passages::Whole, 10, text.as_bytes()), ["aaaaaaaaa", "äöü. Un", "d"]);
    }

    #[test]
    fn paragraphs_and_characters() {
        let text = "One\nline.\n \nTwo\r\n\r\n\nThree";
        let expected = ["One\nline.\n \n", "Two\r\n\r\n", "\nThree"];
        assert_eq!(at_every_piece(Passages::Paragraphs, 99, text.as_bytes()), expected);
        assert_eq!(at_every_piece(Passages::Characters(2), 99, "aé日本x".as_bytes()), ["aé", "日本", "x"]);
    }

    #[test]
    fn bytes_that_are_no_text_stay_in_their_places() {
        let text = b"\xff\xe2\x82. A\xe2\x82\xac\xf0";
        for unit in [Passages::Sentences, Passages::Characters(1), Passages::Characters(3), Passages::Whole] {
            at_every_piece(unit, 99, text);
            at_every_piece(unit, 4, text);
        }
        assert_eq!(readable(text), "???. A€?");
    }
}
