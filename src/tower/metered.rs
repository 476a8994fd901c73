//! Counts a stream's quotas beside its observer.

use crate::hold::{Judgement, Unjudged};
use crate::policy::{ChannelKind, Verdict};
use crate::quota::Meter;
use crate::wire::{Ending, Observer};
use std::time::Duration;

/// An observer, and what counts beside it once the policy is chosen.
pub(super) struct Metered<O> {
    observer: O,
    pub(super) meter: Option<Meter>,
}

impl<O> Metered<O> {
    pub(super) fn new(observer: O) -> Metered<O> {
        Metered { observer, meter: None }
    }
}

impl<O: Observer> Observer for Metered<O> {
    fn verdict(&mut self, channel: ChannelKind, verdict: &Verdict) {
        if let Some(meter) = &self.meter {
            meter.found(&verdict.rule);
        }
        self.observer.verdict(channel, verdict);
    }

    fn release(&mut self, bytes: usize, held: Duration) {
        if let Some(meter) = &mut self.meter {
            meter.released(bytes);
        }
        self.observer.release(bytes, held);
    }

    fn judged(&mut self, check: &str, judged: &Result<Judgement, Unjudged>, took: Duration) {
        self.observer.judged(check, judged, took);
    }

    fn ending(&mut self, ending: &Ending) {
        self.observer.ending(ending);
    }
}
