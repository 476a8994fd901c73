//! What an event says about stretches of a text: it moves with what is cut before it.

use super::leave::Extent;
use super::{Incoming, Moderator, Reading};
use crate::wire::Failure;
use crate::wire::coding::Coding;
use crate::wire::lanes::Key;
use crate::wire::queue::{Citation, Edit, End, Field, Touch};
use crate::wire::rows::{Cites, Label, Role};
use crate::wire::table::{Found, NO_LANE};

/// What becomes of a citation.
enum Fate {
    Stays,
    /// Its stretch is at these places now.
    Moves(u64, u64),
    /// Its stretch has been cut: it is about this place now.
    Empty(u64),
}

impl Moderator {
    /// Takes a citation and makes the event wait for the text that it may speak of.
    pub(super) fn citation(
        &mut self,
        reading: &Reading<'_>,
        found: &Found,
        label: Label,
        event: &mut Incoming,
    ) -> Result<(), Failure> {
        let mut choice = found.choice;
        let mut citation =
            Citation { lane: None, others: Vec::new(), span: None, start: None, end: None, excerpts: Vec::new() };
        let (mut start, mut end, mut is_of_first) = (Some(0), None, true);
        let whole = reading.tape.node(found.node as usize).span();
        let first = reading.found.partition_point(|within| within.node <= found.node);
        for within in &reading.found[first..] {
            let node = reading.tape.node(within.node as usize);
            if !whole.contains(&node.span().start) {
                break;
            }
            let number = || std::str::from_utf8(&reading.text[node.span()]).ok()?.parse::<u64>().ok();
            match within.role {
                Role::Cites(Cites::Start) => {
                    (start, citation.start) = (number(), Some(reading.payload.place(node.span())));
                }
                Role::Cites(Cites::End) => {
                    (end, citation.end) = (number(), Some(reading.payload.place(node.span())));
                }
                Role::Cites(Cites::Place) => {
                    (start, end) = (number(), number());
                    citation.start = Some(reading.payload.place(node.span()));
                }
                Role::Cites(Cites::Choice) => {
                    choice = number().and_then(|number| number.try_into().ok()).ok_or(Failure::Malformed)?;
                }
                Role::Cites(Cites::Part) => is_of_first = number() == Some(0),
                Role::Excerpt(_) => citation.excerpts.push(reading.payload.place(node.content())),
                _ => {}
            }
        }
        citation.span =
            start.zip(end).filter(|(start, end)| start <= end && is_of_first).map(|(start, end)| start..end);
        let lane = self.table.deltas_of(label).unwrap_or(NO_LANE);
        citation.lane = self.lanes.find(Key { choice, ..Key::of(found, lane) });
        let about = match citation.lane {
            Some(_) => self.lanes.of_choice(choice),
            None => self.lanes.iter().map(|(lane, _)| lane).collect(),
        };
        for lane in about {
            let entry = &self.lanes.entry(lane).lane;
            if entry.cuts.places().is_none() {
                continue;
            }
            let at = entry.len();
            if Some(lane) != citation.lane {
                citation.others.push(lane);
            }
            let wait =
                Field { lane, touch: Touch::None, end: End::Known(at), start: at, raw: 0..0, coding: Coding::Bare };
            self.add_field(event, wait)?;
        }
        event.citations.push(citation);
        Ok(())
    }

    /// Writes a citation as it is when its event leaves.
    pub(super) fn cite(&self, citation: &Citation, extent: Extent, edits: &mut Vec<Edit>) {
        let number = |place: &Option<_>, number: u64| {
            place.clone().map(|span| Edit { span, with: number.to_string().into_bytes() })
        };
        let (start, end) = match self.fate(citation, extent, edits) {
            Fate::Stays => return,
            Fate::Moves(start, end) => (start, end),
            Fate::Empty(place) => {
                // Without a beginning it is at that of the text.
                let place = citation.start.as_ref().map_or(0, |_| place);
                // In front of what was found in the excerpts themselves: of two edits of one place the first is made.
                let empty = citation.excerpts.iter().map(|span| Edit { span: span.clone(), with: Vec::new() });
                edits.splice(0..0, empty);
                (place, place)
            }
        };
        edits.extend(number(&citation.start, start));
        edits.extend(number(&citation.end, end));
    }

    fn fate(&self, citation: &Citation, extent: Extent, edits: &[Edit]) -> Fate {
        let is_edited = |lane: &u32| self.lanes.entry(*lane).lane.is_edited();
        let lane = citation.lane.map(|lane| &self.lanes.entry(lane).lane);
        let places = lane.and_then(|lane| lane.cuts.places());
        let is_elsewhere = citation.others.iter().any(is_edited);
        let placed = places.zip(citation.span.as_ref()).filter(|(places, span)| span.end <= places.decided());
        let Some((places, span)) = placed else {
            // Who knows what it is about.
            let is_about_cut = extent == Extent::Decided
                || is_elsewhere
                || lane.is_some_and(|lane| lane.is_edited())
                || !edits.is_empty();
            return if is_about_cut { Fate::Empty(0) } else { Fate::Stays };
        };
        match places.moved(span) {
            Some(moved) if !is_elsewhere && moved == *span => Fate::Stays,
            Some(moved) if !is_elsewhere => Fate::Moves(moved.start, moved.end),
            _ => Fate::Empty(places.now(span.end)),
        }
    }
}
