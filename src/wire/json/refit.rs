//! Reading an event that differs from the last one only within strings.
//!
//! Nearly every event of a stream does: the same members in the same order, the same id, and another delta. Such
//! an event is compared with the last one instead of being read, and the tape is moved to fit. What comes out is
//! what reading would have made, because every byte outside of those strings is the same.

use super::{Kind, Tape, content_len};

/// Whether a tape was made to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Fits,
    /// The text must be read; the tape is as it was.
    Differs,
}

/// A string that may differ: where its content ended, and how far what follows it moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hole {
    end: u32,
    shift: i64,
}

impl Tape {
    /// Makes the tape of `old` the tape of `new`, if only the strings at `open` differ. These are nodes, in order.
    pub(crate) fn refit(&mut self, old: &[u8], new: &[u8], open: &[u32]) -> Fit {
        if self.nodes.is_empty() {
            return Fit::Differs;
        }
        self.holes.clear();
        let (mut from, mut at, mut shift) = (0, 0, 0);
        for node in open {
            let content = self.nodes[*node as usize].content();
            let same = &old[from..content.start];
            if !new[at..].starts_with(same) {
                return Fit::Differs;
            }
            at += same.len();
            let Ok((len, _)) = content_len(&new[at..]) else { return Fit::Differs };
            at += len;
            from = content.end;
            shift += len as i64 - content.len() as i64;
            self.holes.push(Hole { end: content.end as u32, shift });
        }
        if new[at..] != old[from..] {
            return Fit::Differs;
        }
        self.shift();
        Fit::Fits
    }

    /// The strings in which this tape, of `new`, differs from another one, of `old`, that has as many nodes.
    pub(crate) fn differing(&self, new: &[u8], other: &Tape, old: &[u8], open: &mut Vec<u32>) {
        if self.nodes.len() != other.nodes.len() {
            return;
        }
        for (i, (a, b)) in self.nodes.iter().zip(&other.nodes).enumerate() {
            if a.kind == Kind::String && b.kind == Kind::String && new[a.content()] != old[b.content()] {
                open.push(i as u32);
            }
        }
    }

    fn shift(&mut self) {
        if self.holes.iter().all(|hole| hole.shift == 0) {
            return;
        }
        // Nodes and their keys come in the order of their starts, so the holes before them only grow.
        let mut before = 0;
        for node in &mut self.nodes {
            let end = moved(&self.holes, node.end, 0);
            while self.holes.get(before).is_some_and(|hole| hole.end <= node.start) {
                before += 1;
            }
            if node.key.end > 0 {
                node.key.start = moved_by(&self.holes, node.key.start, before);
                node.key.end = moved_by(&self.holes, node.key.end, before);
            }
            node.start = moved_by(&self.holes, node.start, before);
            node.end = end;
        }
    }
}

/// Where an offset of the old text is in the new one; the first holes are known to be before it.
fn moved(holes: &[Hole], offset: u32, known: usize) -> u32 {
    let before = known + holes[known..].iter().take_while(|hole| hole.end <= offset).count();
    moved_by(holes, offset, before)
}

fn moved_by(holes: &[Hole], offset: u32, before: usize) -> u32 {
    let shift = before.checked_sub(1).map_or(0, |last| holes[last].shift);
    (i64::from(offset) + shift) as u32
}
