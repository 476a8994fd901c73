//! How events leave: in order, each when every text in it is decided, with what was cut spliced out.

use super::{Moderator, emptied};
use crate::wire::Observer;
use crate::wire::queue::{Edit, End, Field, Side, Touch, Waiting, apply};
use crate::wire::splice::{Quoted, Splice};
use bytes::Bytes;
use std::time::Instant;

/// How much of what waits may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    All,
    /// Only what is decided; the stream ends here.
    Decided,
}

impl Moderator {
    /// Lets every event leave whose turn has come.
    pub(crate) fn release(&mut self, now: Instant, observer: &mut dyn Observer) {
        while self.is_front_ready() {
            self.leave(Extent::All, now, observer);
        }
    }

    /// The stream ends here: what is decided leaves, the rest never does.
    pub(crate) fn flush(&mut self, now: Instant, observer: &mut dyn Observer) {
        while !self.queue.is_empty() {
            self.leave(Extent::Decided, now, observer);
        }
    }

    fn is_front_ready(&self) -> bool {
        !self.queue.is_empty()
            && self.queue.front_fields().all(|field| {
                let entry = self.lanes.entry(field.lane);
                let is_whole = !self.is_atomic(entry) || entry.lane.is_finished();
                matches!(field.end, End::Known(end) if end <= entry.lane.decided()) && is_whole
            })
    }

    /// Lets the oldest event leave.
    fn leave(&mut self, extent: Extent, now: Instant, observer: &mut dyn Observer) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        let Some(Waiting { raw, since, mut edits, sides, .. }) = self.queue.pop(&mut fields) else { return };
        for field in &fields {
            edits.extend(self.edit(field, &raw, extent));
        }
        let bytes = if edits.is_empty() {
            raw
        } else {
            empty_sides(&raw, &sides, &mut edits);
            apply(&raw, &mut edits)
        };
        observer.release(bytes.len(), now.saturating_duration_since(since));
        self.out.push_back(bytes);
        self.fields = fields;
    }

    /// What becomes of a field that leaves, if anything.
    fn edit(&mut self, field: &Field, raw: &Bytes, extent: Extent) -> Option<Edit> {
        let is_half_call = field.touch == Touch::Call && !self.lanes.entry(field.lane).lane.is_finished();
        let lane = &mut self.lanes.entry_mut(field.lane).lane;
        let limit = if extent == Extent::Decided { lane.decided() } else { u64::MAX };
        let end = match field.end {
            End::Known(end) => end,
            // What the last raw bytes mean will never be known.
            End::Open => u64::MAX,
        };
        let is_touched = end > limit || lane.cuts.touches(field.start..end);
        let mut quoted = if field.touch == Touch::Splice { lane.quoted } else { Quoted::No };
        let with = match field.touch {
            Touch::Call => is_half_call.then(|| emptied(field.raw.clone(), raw).with),
            Touch::Null => is_touched.then(|| emptied(field.raw.clone(), raw).with),
            Touch::Seal => (is_touched || lane.is_edited()).then(|| emptied(field.raw.clone(), raw).with),
            Touch::Splice | Touch::View => {
                let content = &raw[field.raw.start as usize..field.raw.end as usize];
                let splice =
                    Splice { raw: content, coding: field.coding, text: field.start..end, cuts: &lane.cuts, limit };
                splice.is_touched(quoted).then(|| {
                    let mut out = Vec::new();
                    splice.write(&mut quoted, &mut out);
                    out
                })
            }
        };
        if field.touch == Touch::Splice {
            lane.quoted = quoted;
        }
        lane.forget(field.start);
        with.map(|with| Edit { span: field.raw.clone(), with })
    }
}

/// What is said about a text that was edited goes with it.
fn empty_sides(raw: &[u8], sides: &[Side], edits: &mut Vec<Edit>) {
    edits.sort_by_key(|edit| edit.span.start);
    let is_edited = |side: &&Side| {
        let first = edits.partition_point(|edit| edit.span.start < side.about.start);
        edits.get(first).is_some_and(|edit| edit.span.start < side.about.end)
    };
    let empty: Vec<Edit> = sides.iter().filter(is_edited).map(|side| emptied(side.place.clone(), raw)).collect();
    edits.extend(empty);
}
