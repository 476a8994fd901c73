//! What checks are asked about the channels of a stream, and what their judgements end.

use super::Lanes;
use crate::hold::{Judgement, PassageId, Unjudged};
use crate::policy::ChannelKind;
use crate::wire::asking::Asking;
use crate::wire::lane::Lane;
use crate::wire::{Failure, Observer};

/// Passages of a stream that may wait for their answers before the upstream does, all texts together: many short ones
/// would hold up little text, and memory all the same.
const MOST_OUTSTANDING: usize = 256;

impl Lanes {
    /// Hands on what a channel wants judged, and tells it what is known already.
    pub(super) fn ask(&mut self, id: u32, observer: &mut dyn Observer) -> Result<(), Failure> {
        let Some(asking) = &mut self.asking else { return Ok(()) };
        let mut known = Vec::new();
        while let Some(passage) = self.entries[id as usize].lane.next_passage() {
            let (passage, judged) = (passage.id(), asking.ask(passage, id));
            known.extend(judged.map(|judged| (passage, judged)));
        }
        for (passage, judged) in known {
            self.judge_in(id, passage, &judged, observer)?;
        }
        Ok(())
    }

    /// Takes a judgement.
    pub(crate) fn judge(
        &mut self,
        passage: PassageId,
        judged: Result<Judgement, Unjudged>,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let Some(asking) = &mut self.asking else { return Ok(()) };
        for id in asking.remember(passage, judged.clone()) {
            if self.stop.is_none() && self.entries.get(id as usize).is_some_and(|entry| entry.lane.has_unjudged()) {
                self.judge_in(id, passage, &judged, observer)?;
                self.reclaim(id);
            }
        }
        Ok(())
    }

    fn judge_in(
        &mut self,
        id: u32,
        passage: PassageId,
        judged: &Result<Judgement, Unjudged>,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let judged = self.entries[id as usize].lane.judge(passage, judged, &mut self.verdicts);
        self.report(id, observer);
        judged.map_err(|_| Failure::Malformed)
    }

    /// What checks are asked, if there are any.
    pub(crate) fn asking(&mut self) -> Option<&mut Asking> {
        self.asking.as_deref_mut()
    }

    pub(crate) fn has_checks(&self) -> bool {
        self.asking.is_some()
    }

    /// Whether a check watches channels of this kind.
    pub(crate) fn asks_about(&self, kind: ChannelKind) -> bool {
        self.asking.is_some() && self.policy.checks_of(kind).next().is_some()
    }

    /// Whether so much of a text waits for judgements that no more of it should come before one does.
    pub(crate) fn is_full(&self) -> bool {
        let Some(asking) = &self.asking else { return false };
        let lanes = || self.by_key.values().map(|id| &self.entries[*id as usize].lane);
        asking.outstanding() >= MOST_OUTSTANDING || (asking.outstanding() > 0 && lanes().any(|lane| lane.is_full()))
    }

    /// Whether events that tell of an end wait for a judgement.
    pub(crate) fn hold_the_end(&self) -> bool {
        self.asking.is_some() && self.entries.iter().any(|entry| entry.lane.holds_the_end())
    }

    /// Whether the end of the stream waits for a judgement.
    pub(crate) fn awaits_judgement(&self) -> bool {
        self.asking.is_some() && self.entries.iter().any(|entry| entry.lane.awaits_judgement())
    }

    /// The stream ends with what ends this channel.
    pub(crate) fn stop_with(&mut self, id: u32) {
        if self.stop.is_none() {
            self.stop = self.entries[id as usize].stop.clone();
        }
    }

    /// The first channel that was ended for which this holds.
    pub(crate) fn ended(&self, is_it: impl Fn(&Lane) -> bool) -> Option<u32> {
        if !self.has_ended {
            return None;
        }
        self.iter().find(|(_, entry)| entry.stop.is_some() && is_it(&entry.lane)).map(|(id, _)| id)
    }
}
