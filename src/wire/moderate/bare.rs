//! Events whose data is a text itself.

use super::{Choice, Content, Incoming, Moderator, Signals};
use crate::wire::framing::Event;
use crate::wire::lanes::{Key, coding_of};
use crate::wire::queue::{Payload, Touch};
use crate::wire::rows::{Label, Role};
use crate::wire::table::NO_LANE;
use crate::wire::{Failure, Observer};

impl Moderator {
    /// The text that events of this kind are pieces of.
    pub(crate) fn bare(&self, kind: &[u8]) -> Option<Label> {
        self.table.bare(kind)
    }

    /// Takes a piece of a text, which is all the data of its event.
    pub(crate) fn read_bare(
        &mut self,
        label: Label,
        incoming: &mut Incoming,
        event: &Event,
        observer: &mut dyn Observer,
    ) -> Result<Signals, Failure> {
        self.event += 1;
        if let Some(outer) = &event.outer {
            self.read_outer(outer, incoming, observer)?;
        }
        let Payload::Whole(place) = &event.payload else { return Ok(Signals::default()) };
        let role = Role::Text(label);
        let lane = self.table.deltas_of(label).unwrap_or(NO_LANE);
        let lane = self.lanes.open(Key { choice: 0, lane, item: 0, name: 0 }, role, label.kind, coding_of(role))?;
        let content = Content { bytes: &event.raw[place.start as usize..place.end as usize], place: place.clone() };
        self.push(lane, content.bytes, content, Touch::Splice, incoming, observer)?;
        // Nothing else may say that the text is at its end, so each piece may be its last.
        self.choices.insert(0, Choice::Finished);
        Ok(Signals { has_choice: true, ..Signals::default() })
    }
}
