//! What leaves.

use super::{Account, Text};
use crate::policy::Verdict;
use std::ops::Range;

/// What a push or the end of a channel decided, in order and without gaps: its parts' lengths add up to
/// the distance that [`Channel::decided`](crate::Channel::decided) moved.
#[derive(Clone, Copy, Debug)]
pub struct Released<'a> {
    pub(super) text: Text<'a>,
    pub(super) from: u64,
    pub(super) account: &'a Account,
}

/// What one call decided about covered text.
#[derive(Clone, Debug, Default)]
pub(super) struct Handout {
    pub(super) cuts: Vec<Cut>,
    pub(super) replacements: String,
}

/// A covered run that was decided.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) span: Range<u64>,
    /// Where in `replacements` the segment's replacement stands, if the segment ends here.
    pub(super) replacement: Option<Range<usize>>,
}

/// A run of decided bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// These bytes leave as they came.
    Keep(&'a [u8]),
    /// The next `len` bytes of the channel's text never leave.
    ///
    /// A covered segment may come as several cuts. `replacement` stands on the one that holds the segment's
    /// last byte and takes its place behind it; it is `None` on every earlier cut of the segment, and the
    /// empty text where the action was to drop.
    Cut {
        /// Bytes of the channel's text, 1 or more.
        len: u64,
        /// What takes the segment's place.
        replacement: Option<&'a str>,
    },
}

impl<'a> Released<'a> {
    /// The decided runs, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let Released { text, from, account } = *self;
        let until = account.decided;
        let Handout { cuts, replacements } = &account.out;
        let mut at = from;
        let mut cuts = cuts.iter().peekable();
        std::iter::from_fn(move || {
            if let Some(cut) = cuts.next_if(|cut| cut.span.start == at) {
                at = cut.span.end;
                let replacement = cut.replacement.clone().map(|range| &replacements[range]);
                return Some(Part::Cut { len: cut.span.end - cut.span.start, replacement });
            }
            let end = cuts.peek().map_or(until, |cut| cut.span.start);
            let kept = text.between(at, end).filter(|kept| !kept.is_empty())?;
            at = end;
            Some(Part::Keep(kept))
        })
    }

    /// Bytes of the channel's text that were decided.
    pub fn len(&self) -> u64 {
        self.account.decided - self.from
    }

    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the channel has come to its end by a verdict.
    pub(crate) fn is_terminated(&self) -> bool {
        self.account.terminated.is_some()
    }

    /// Whether every decided byte leaves as it came.
    pub fn is_untouched(&self) -> bool {
        self.account.out.cuts.is_empty()
    }

    /// Verdicts that became final with this call.
    pub fn verdicts(&self) -> &'a [Verdict] {
        &self.account.verdicts
    }

    /// Appends what leaves to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        if self.is_untouched() {
            out.extend_from_slice(self.text.between(self.from, self.account.decided).unwrap_or_default());
            return;
        }
        for part in self.parts() {
            match part {
                Part::Keep(bytes) => out.extend_from_slice(bytes),
                Part::Cut { replacement, .. } => out.extend_from_slice(replacement.unwrap_or_default().as_bytes()),
            }
        }
    }
}
