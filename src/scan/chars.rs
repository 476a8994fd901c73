//! A class of characters as an automaton over their UTF-8 bytes, shared by all states that read one of the class.

use regex_syntax::hir::ClassUnicode;
use regex_syntax::utf8::{Utf8Range, Utf8Sequence, Utf8Sequences};
use std::collections::HashMap;

/// The automaton; its places are numbered.
#[derive(Debug)]
pub(super) struct CharSet {
    places: Vec<Box<[Move]>>,
    start: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Move {
    pub(super) start: u8,
    pub(super) end: u8,
    /// `None` where the character is complete.
    pub(super) to: Option<u16>,
}

impl CharSet {
    pub(super) fn of(class: &ClassUnicode) -> CharSet {
        let sequences: Vec<Utf8Sequence> =
            class.iter().flat_map(|range| Utf8Sequences::new(range.start(), range.end())).collect();
        let sequences: Vec<&[Utf8Range]> = sequences.iter().map(Utf8Sequence::as_slice).collect();
        let mut builder = Builder { places: Vec::new(), known: HashMap::new() };
        let start = builder.place(&sequences);
        CharSet { places: builder.places, start }
    }

    /// Where the reading of a character begins.
    pub(super) fn start(&self) -> u16 {
        self.start
    }

    /// How many places there are.
    pub(super) fn len(&self) -> u16 {
        self.places.len() as u16
    }

    pub(super) fn moves(&self, place: u16) -> &[Move] {
        &self.places[usize::from(place)]
    }

    /// Where a byte leads from a place, if anywhere.
    pub(super) fn follow(&self, place: u16, byte: u8) -> Option<Move> {
        let moves = self.moves(place);
        let at = moves.partition_point(|step| step.end < byte);
        moves.get(at).filter(|step| step.start <= byte).copied()
    }
}

struct Builder {
    places: Vec<Box<[Move]>>,
    known: HashMap<Box<[Move]>, u16>,
}

impl Builder {
    /// The place from which these sequences go on. They are in order, and two of their ranges at the same place are
    /// either the same or apart.
    fn place(&mut self, sequences: &[&[Utf8Range]]) -> u16 {
        let moves: Box<[Move]> = sequences
            .chunk_by(|a, b| a[0] == b[0])
            .map(|group| {
                let rest: Vec<&[Utf8Range]> =
                    group.iter().map(|sequence| &sequence[1..]).filter(|rest| !rest.is_empty()).collect();
                let to = (!rest.is_empty()).then(|| self.place(&rest));
                Move { start: group[0][0].start, end: group[0][0].end, to }
            })
            .collect();
        if let Some(&place) = self.known.get(&moves) {
            return place;
        }
        let place = self.places.len() as u16;
        self.places.push(moves.clone());
        self.known.insert(moves, place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::hir::{Class, HirKind};

    fn class(regex: &str) -> ClassUnicode {
        match regex_syntax::Parser::new().parse(regex).expect("a class").into_kind() {
            HirKind::Class(Class::Unicode(class)) => class,
            other => panic!("{other:?} is no class"),
        }
    }

    fn reads(set: &CharSet, bytes: &[u8]) -> bool {
        let mut place = Some(set.start());
        for &byte in bytes {
            let Some(at) = place else { return false };
            let Some(step) = set.moves(at).iter().find(|step| (step.start..=step.end).contains(&byte)) else {
                return false;
            };
            place = step.to;
        }
        place.is_none()
    }

    #[test]
    fn exactly_the_characters_of_the_class_are_read() {
        for regex in [r"[aé]", r"[\u{0}-\u{10FFFF}]", r"[a-z\u{430}\u{1D41A}\u{FF41}]", r"[^a\u{300}-\u{36F}]"] {
            let class = class(regex);
            let set = CharSet::of(&class);
            for c in (0..0x3_0000).chain(0x10_0000..0x10_FFFF).filter_map(char::from_u32) {
                let is_member = class.iter().any(|range| (range.start()..=range.end()).contains(&c));
                let mut bytes = [0; 4];
                assert_eq!(reads(&set, c.encode_utf8(&mut bytes).as_bytes()), is_member, "{regex}: {c:?}");
            }
            assert!(!reads(&set, &[0xff]) && !reads(&set, &[0x80]));
        }
    }

    #[test]
    fn places_with_the_same_rest_are_one() {
        // Start, and one place for the second byte after each of thirty leads.
        assert_eq!(CharSet::of(&class(r"[\u{80}-\u{7FF}]")).len(), 2);
    }
}
