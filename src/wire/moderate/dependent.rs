//! Fields that wait for more than their own text: what repeats a channel, what covers all of it, and calls that leave
//! whole or not at all.

use super::{Incoming, Moderator, Reading};
use crate::policy::ChannelKind;
use crate::wire::coding::Coding;
use crate::wire::lanes::Key;
use crate::wire::queue::{End, Field, Touch};
use crate::wire::snapshot::Shows;
use crate::wire::table::{Found, Role};
use crate::wire::{Failure, Observer, ToolCalls};
use std::ops::Range;

impl Moderator {
    /// Takes a field that repeats a channel.
    pub(super) fn snapshot(
        &mut self,
        reading: &Reading<'_>,
        found: &Found,
        of: &'static str,
        event: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let content = reading.string(reading.tape.node(found.node as usize).content());
        let row = self.table.row(of).unwrap_or(found.row);
        let role = self.table.role(row).unwrap_or(found.role);
        let (kind, coding) = match role {
            Role::Args => (ChannelKind::ToolArgs, Coding::ARGS),
            Role::Text(kind) => (kind, Coding::TEXT),
            _ => (ChannelKind::Text, Coding::TEXT),
        };
        let key = Key { choice: found.choice, row: found.row, item: found.item, name: 0 };
        let lane = self.lanes.open(key, found.role, kind, coding)?;
        let beside = reading.found.iter().find(|f| f.row == row && f.choice == found.choice && f.item == found.item);
        let delta = beside.map_or(&b""[..], |f| &reading.text[reading.tape.node(f.node as usize).content()]);
        let primary = self.lanes.find(Key { row, ..key });
        let (fresh, touch) = match self.lanes.snapshot(lane, content.bytes, delta, primary, self.event)? {
            Shows::AllWithNewFrom(from) => (&content.bytes[from..], Touch::View),
            Shows::OnlyNew => (content.bytes, Touch::Splice),
        };
        self.push(lane, fresh, content, touch, event, observer)
    }

    /// Makes the event wait for everything of a kind that its choice has said so far.
    pub(super) fn seal(
        &mut self,
        choice: u32,
        kind: ChannelKind,
        place: Range<u32>,
        event: &mut Incoming,
    ) -> Result<(), Failure> {
        for lane in self.lanes.of_choice(choice) {
            let entry = &self.lanes.entry(lane).lane;
            if entry.kind() == kind && entry.len() > 0 {
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
    pub(super) fn call(&mut self, found: &Found, args: &str, event: &mut Incoming) -> Result<(), Failure> {
        if self.tool_calls == ToolCalls::Streamed {
            return Ok(());
        }
        let row = self.table.row(args).unwrap_or(found.row);
        let key = Key { choice: found.choice, row, item: found.item, name: 0 };
        let lane = self.lanes.open(key, Role::Args, ChannelKind::ToolArgs, Coding::ARGS)?;
        let at = self.lanes.entry(lane).lane.len();
        let coding = Coding::ARGS;
        self.add_field(event, Field { lane, touch: Touch::Splice, end: End::Known(at), start: at, raw: 0..0, coding })
    }
}
