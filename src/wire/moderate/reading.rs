//! An event as it was read: its fields, the order in which they are looked at, and what stands around them.

use super::Incoming;
use crate::wire::json::{Kind, Tape};
use crate::wire::queue::{Edit, Payload, Side};
use crate::wire::rows::Role;
use crate::wire::table::{Found, Part};
use std::ops::Range;

/// The order in which the fields of an event are looked at: beginnings first, deltas before what repeats them, and
/// ends last, however they stand in the event.
pub(super) const PASSES: [Pass; 4] = [Pass::Beginnings, Pass::Deltas, Pass::Repeats, Pass::Ends];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Beginnings,
    Deltas,
    Repeats,
    Ends,
}

/// The JSON text of an event, read.
pub(super) struct Reading<'a> {
    pub(super) text: &'a [u8],
    pub(super) payload: &'a Payload,
    pub(super) tape: &'a Tape,
    pub(super) found: &'a [Found],
}

/// Raw bytes that a channel takes, and the place in the event that changes with them.
#[derive(Clone)]
pub(super) struct Content<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) place: Range<u32>,
}

impl Reading<'_> {
    pub(super) fn string(&self, content: Range<usize>) -> Content<'_> {
        Content { bytes: &self.text[content.clone()], place: self.payload.place(content) }
    }

    pub(super) fn number(&self, node: usize) -> Option<u64> {
        std::str::from_utf8(&self.text[self.tape.node(node).span()]).ok()?.parse().ok()
    }

    /// The bytes that an array of numbers stands for; what is no byte stands for none.
    pub(super) fn bytes_of(&self, array: usize) -> Vec<u8> {
        let byte = |element: usize| {
            let node = self.tape.node(element);
            let digits = (node.kind == Kind::Number).then(|| &self.text[node.span()])?;
            // 78.0 and 7.8e1 are 78 to a client.
            let number: f64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
            (number.fract() == 0.0 && (0.0..=255.0).contains(&number)).then_some(number as u8)
        };
        self.tape.children(array).filter_map(byte).collect()
    }
}

/// Whether a field can stand in both halves of an event that leaves in two.
pub(super) fn says_only_a_delta(reading: &Reading<'_>, found: &Found) -> bool {
    match found.role {
        Role::Text(_) | Role::Choice | Role::Usage => true,
        Role::Finish => !is_finish(&reading.text[reading.tape.node(found.node as usize).content()]),
        // Keys that no row names.
        Role::Own(_) => found.part == Part::Key,
        _ => false,
    }
}

/// Whether a reason for an end is there. watsonx has a word for that it is not.
pub(super) fn is_finish(reason: &[u8]) -> bool {
    !matches!(reason, b"" | b"null" | b"not_finished")
}

/// What stands around a field.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// The side data that it is in, or that came before it.
    pub(super) side: Range<usize>,
    /// Likewise, the tool calls.
    pub(super) calls: Range<usize>,
}

impl Around {
    pub(super) fn note(&mut self, reading: &Reading<'_>, found: &Found) {
        let span = || reading.tape.node(found.node as usize).span();
        match found.role {
            Role::Side => self.side = span(),
            Role::Calls => self.calls = span(),
            _ => {}
        }
    }
}

/// Notes what is said about the texts of an event and must go with them.
pub(super) fn note_sides(reading: &Reading<'_>, event: &mut Incoming) {
    let mut scope = 0..event.raw.len() as u32;
    for found in reading.found {
        let place = || reading.payload.place(reading.tape.node(found.node as usize).span());
        match found.role {
            Role::Choice => scope = place(),
            Role::Side => {
                let place = place();
                let is_within = scope.contains(&place.start);
                let about = if is_within { scope.clone() } else { 0..event.raw.len() as u32 };
                event.sides.push(Side { place, about });
            }
            _ => {}
        }
    }
}

pub(super) fn pass_of(role: Role) -> Pass {
    match role {
        Role::Echo(_) | Role::Snapshot(_) | Role::Repeat(_) => Pass::Repeats,
        Role::Token(_) | Role::TokenBytes(_) | Role::Seal(_) | Role::SealAll | Role::Citation(_) => Pass::Repeats,
        Role::Finish | Role::Closes | Role::LastEvent | Role::Ends(_) => Pass::Ends,
        Role::Concludes | Role::End | Role::Turn | Role::Error | Role::Usage => Pass::Ends,
        Role::Begins | Role::Starts(_) | Role::Choice => Pass::Beginnings,
        _ => Pass::Deltas,
    }
}

/// Takes out a value, and leaves one of its kind where there is an empty one.
pub(super) fn emptied(span: Range<u32>, raw: &[u8]) -> Edit {
    let with = match raw.get(span.start as usize) {
        Some(b'[') => &b"[]"[..],
        Some(b'"') => b"\"\"",
        _ => b"null",
    };
    Edit { span, with: with.to_vec() }
}
