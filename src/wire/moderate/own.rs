//! Texts of their own: whole where they stand, so that the rules decide about them at once; where checks watch them, each is
//! a channel that ends with it.

use super::{Content, Incoming, Moderator, Reading};
use crate::policy::ChannelKind;
use crate::wire::coding::Coding;
use crate::wire::json::Kind;
use crate::wire::lanes::{Stops, Tells, coding_of};
use crate::wire::queue::{Edit, Touch};
use crate::wire::rows::{Label, Role};
use crate::wire::splice::{Quoted, Splice};
use crate::wire::table::{Found, Part};
use crate::wire::{Failure, Observer};
use std::ops::Range;

impl Moderator {
    /// Moderates a text that is whole and stands in an event as it is; gives back what to write in its place.
    pub(crate) fn own(
        &mut self,
        kind: ChannelKind,
        coding: Coding,
        raw: &[u8],
        observer: &mut dyn Observer,
    ) -> Option<Vec<u8>> {
        self.own_text(kind, Stops::Stream, coding, raw, observer)
    }

    fn own_text(
        &mut self,
        kind: ChannelKind,
        stops: Stops,
        coding: Coding,
        raw: &[u8],
        observer: &mut dyn Observer,
    ) -> Option<Vec<u8>> {
        let own = self.lanes.own(kind, stops, coding, raw, observer)?;
        let splice = Splice { raw, coding, text: own.text, cuts: &own.cuts, limit: own.limit };
        let mut out = Vec::new();
        splice.write(&mut Quoted::No, &mut out);
        Some(out)
    }

    /// Moderates a text that a channel has brought already, most likely: then that has told what is found in it.
    pub(super) fn shown_again(
        &mut self,
        reading: &Reading<'_>,
        found: &Found,
        label: Label,
        event: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let is_told = self.table.deltas_of(label).is_some_and(|lane| self.lanes.has_spoken(lane));
        let tells = if is_told { Tells::Nothing } else { Tells::Verdicts };
        self.own_field(reading, found, label.kind, coding_of(found.role), tells, event, observer)
    }

    /// Moderates a key, a string, a number or a JSON value that is a text of its own.
    #[expect(clippy::too_many_arguments, reason = "the parts of one field; a struct would be built here only")]
    pub(super) fn own_field(
        &mut self,
        reading: &Reading<'_>,
        found: &Found,
        kind: ChannelKind,
        of_string: Coding,
        tells: Tells,
        event: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let (span, coding) = found.own_text(reading.tape, of_string);
        if self.is_asked_about(reading, found, kind) {
            let lane = self.lanes.open_own(found, kind, coding, tells)?;
            return self.own_lane(lane, reading.string(span), event, observer);
        }
        let observer: &mut dyn Observer = if tells == Tells::Nothing { &mut () } else { observer };
        let stops = if found.role == Role::Request { Stops::Nothing } else { Stops::Stream };
        let Some(with) = self.own_text(kind, stops, coding, &reading.text[span.clone()], observer) else {
            return Ok(());
        };
        if found.part == Part::Key {
            event.renamed.note(found.node, event.edits.len());
        }
        event.edits.push(Edit { span: reading.payload.place(span), with });
        Ok(())
    }

    /// Has checks look at a text that is whole, too.
    fn own_lane(
        &mut self,
        lane: u32,
        content: Content<'_>,
        event: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        self.push(lane, content.bytes, content, Touch::Splice, event, observer)?;
        self.finish_lanes(vec![lane], observer)
    }

    /// Whether checks watch what is said to the model.
    pub(crate) fn asks_about_prompts(&self) -> bool {
        self.lanes.asks_about(ChannelKind::Prompt)
    }

    /// Has rules and checks look at a text of a request, which stands at this place.
    #[expect(clippy::too_many_arguments, reason = "the parts of one field; a struct would be built here only")]
    pub(crate) fn ask_about(
        &mut self,
        found: &Found,
        kind: ChannelKind,
        coding: Coding,
        bytes: &[u8],
        place: Range<u32>,
        event: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let lane = self.lanes.open_own(found, kind, coding, Tells::Verdicts)?;
        self.own_lane(lane, Content { bytes, place }, event, observer)
    }

    /// Whether checks watch a text of its own. They see neither keys nor numbers, nor what the client itself has said, nor
    /// words in fields that nobody knows, such as ids and names, which there is nothing to judge about.
    fn is_asked_about(&self, reading: &Reading<'_>, found: &Found, kind: ChannelKind) -> bool {
        if !self.lanes.asks_about(kind) || found.part != Part::Value || found.role == Role::Request {
            return false;
        }
        let node = reading.tape.node(found.node as usize);
        match found.role {
            Role::Own(_) if node.kind == Kind::String => !is_word(&reading.text[node.content()]),
            _ => node.kind != Kind::Number,
        }
    }
}

/// Whether a string's raw content is a single short word.
fn is_word(raw: &[u8]) -> bool {
    raw.len() <= LONGEST_WORD && raw.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\')
}

/// As long as a hash in hexadecimal digits.
const LONGEST_WORD: usize = 64;
