//! Fields that wait for more than their own text: what repeats a channel, what covers all of it, and calls that leave
//! whole or not at all.

use super::{Around, Incoming, Moderator, Reading};
use crate::policy::ChannelKind;
use crate::wire::coding::Coding;
use crate::wire::json::Kind;
use crate::wire::lanes::{Key, coding_of};
use crate::wire::queue::{End, Field, Touch};
use crate::wire::rows::{Label, Role};
use crate::wire::snapshot::Shows;
use crate::wire::table::{Found, NO_LANE};
use crate::wire::{Failure, Observer, ToolCalls};
use std::ops::Range;

impl Moderator {
    /// Takes a field that repeats a channel.
    pub(super) fn snapshot(
        &mut self,
        reading: &Reading<'_>,
        found: &Found,
        label: Label,
        event: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let content = reading.string(reading.tape.node(found.node as usize).content());
        let key = Key::of(found, found.lane);
        let lane = self.lanes.open(key, found.role, label.kind, coding_of(found.role))?;
        let deltas = self.table.deltas_of(label).unwrap_or(NO_LANE);
        let is_beside = |f: &&Found| f.lane == deltas && f.choice == found.choice && f.item == found.item;
        let beside = reading.found.iter().find(is_beside).map(|f| reading.tape.node(f.node as usize));
        let delta =
            beside.filter(|node| node.kind == Kind::String).map_or(&b""[..], |node| &reading.text[node.content()]);
        let primary = self.lanes.find(Key { lane: deltas, ..key });
        let (fresh, touch) = match self.lanes.snapshot(lane, content.bytes, delta, primary, self.event)? {
            Shows::AllWithNewFrom(from) => (&content.bytes[from..], Touch::View),
            Shows::OnlyNew => (content.bytes, Touch::Splice),
        };
        self.push(lane, fresh, content, touch, event, observer)
    }

    /// Makes the event wait for everything of a kind, or of all, that its choice has said so far.
    pub(super) fn seal(
        &mut self,
        choice: u32,
        kind: Option<ChannelKind>,
        place: Range<u32>,
        event: &mut Incoming,
    ) -> Result<(), Failure> {
        for lane in self.lanes.of_choice(choice) {
            let entry = &self.lanes.entry(lane).lane;
            if kind.is_none_or(|kind| entry.kind() == kind) && entry.len() > 0 {
                let end = End::Known(entry.len());
                let field = Field {
                    lane,
                    touch: Touch::Seal,
                    end,
                    start: entry.len(),
                    raw: place.clone(),
                    coding: Coding::Bare,
                };
                self.add_field(event, field)?;
            }
        }
        Ok(())
    }

    /// A tool call that must leave whole or not at all: the event waits for the end of its arguments, which is the end
    /// of its choice, for calls may come interleaved.
    pub(super) fn call(
        &mut self,
        reading: &Reading<'_>,
        found: &Found,
        args: Label,
        around: &Around,
        event: &mut Incoming,
    ) -> Result<(), Failure> {
        if self.tool_calls == ToolCalls::Streamed {
            return Ok(());
        }
        let lane = self.arguments(found, args)?;
        let at = self.lanes.entry(lane).lane.len();
        let call = reading.tape.node(found.node as usize).span();
        let (touch, place) = match (self.table.has_kinds(), around.calls.contains(&call.start)) {
            (true, _) => (Touch::Event, 0..0),
            (false, true) => (Touch::Call, around.calls.clone()),
            (false, false) => (Touch::Call, call),
        };
        let raw = reading.payload.place(place);
        self.add_field(event, Field { lane, touch, end: End::Known(at), start: at, raw, coding: Coding::Bare })
    }

    /// The channel of a tool call's arguments.
    pub(super) fn arguments(&mut self, found: &Found, args: Label) -> Result<u32, Failure> {
        let lane = self.table.deltas_of(args).unwrap_or(NO_LANE);
        let key = Key::of(found, lane);
        self.lanes.open(key, Role::Text(args), args.kind, coding_of(Role::Text(args)))
    }
}
