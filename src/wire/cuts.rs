//! What the engine cut out of a channel, until the events that it was cut from have left.

use super::places::Places;
use super::rows::Unit;
use std::collections::VecDeque;
use std::ops::Range;

/// A channel's cuts, disjoint and in order.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    cuts: VecDeque<Cut>,
    /// For citations that speak of the text.
    places: Option<Box<Places>>,
}

/// A stretch of a channel's text that never leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) span: Range<u64>,
    /// What stands in its place, if the segment that it belongs to ends with it.
    pub(crate) replacement: Option<Box<str>>,
}

impl Cuts {
    pub(crate) fn push(&mut self, span: Range<u64>, replacement: Option<&str>) {
        debug_assert!(self.cuts.back().is_none_or(|last| last.span.end <= span.start), "cuts come in order");
        if let Some(places) = &mut self.places {
            places.cut(&span, replacement.unwrap_or_default());
        }
        self.cuts.push_back(Cut { span, replacement: replacement.map(Box::from) });
    }

    /// Keeps places in the text from its beginning on.
    pub(crate) fn keep_places(&mut self, unit: Unit) {
        self.places = Some(Box::new(Places::new(unit)));
    }

    pub(crate) fn places(&self) -> Option<&Places> {
        self.places.as_deref()
    }

    pub(crate) fn places_mut(&mut self) -> Option<&mut Places> {
        self.places.as_deref_mut()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// The cuts that overlap a stretch of text, in order.
    pub(crate) fn within(&self, span: Range<u64>) -> impl Iterator<Item = &Cut> {
        let first = self.cuts.partition_point(|cut| cut.span.end <= span.start);
        self.cuts.range(first..).take_while(move |cut| cut.span.start < span.end)
    }

    pub(crate) fn touches(&self, span: Range<u64>) -> bool {
        self.within(span).next().is_some()
    }

    /// Whether no byte of the stretch leaves.
    pub(crate) fn covers(&self, span: Range<u64>) -> bool {
        let mut at = span.start;
        for cut in self.within(span.clone()) {
            if cut.span.start > at {
                return false;
            }
            at = cut.span.end;
        }
        at >= span.end
    }

    /// Forgets what ends at or before an offset.
    pub(crate) fn forget(&mut self, until: u64) {
        while self.cuts.front().is_some_and(|cut| cut.span.end <= until) {
            self.cuts.pop_front();
        }
    }
}
