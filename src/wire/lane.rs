//! A channel on the wire: the engine's channel, and what it takes to find its bytes in the events again.

use super::coding::Coding;
use super::cuts::Cuts;
use super::splice::Quoted;
use crate::hold::{Channel, Judgement, Part, Passage, PassageId, Released, Tally, Unjudged};
use crate::policy::{ChannelKind, Policy, Verdict};
use std::ops::Range;

/// One channel of a stream.
#[derive(Debug)]
pub(crate) struct Lane {
    channel: Channel,
    coding: Coding,
    pub(crate) cuts: Cuts,
    /// Text taken, decoded.
    len: u64,
    /// Every byte before it is decided. Never decreases, and is `<= len`.
    decided: u64,
    phase: Phase,
    /// Cuts that are kept when the events that they touched have left.
    kept: Kept,
    /// The first field in the queue that ends within the unit that is open now.
    pub(crate) open_from: Option<u64>,
    pub(crate) quoted: Quoted,
    edited: Edited,
    /// Text that was pushed; used again.
    text: Vec<u8>,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Is to be paused as soon as all that came is judged.
    Pausing,
    /// Was at its end for the time being: what was held from this offset on is decided as if it were.
    Paused {
        from: u64,
    },
    /// Went on after a pause, so a pause says nothing about its end: it is not paused again.
    Resumed,
    Finished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    None,
    All,
}

/// Whether any of the text was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Edited {
    #[default]
    No,
    Yes,
}

/// What a push has added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added {
    /// The decoder's state before it.
    pub(crate) coding: Coding,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Where in the text the unit ended that was open before.
    pub(crate) closed_at: Option<u64>,
}

/// Text that cannot be taken any more: a finished channel goes on, or a paused one so that a match reaches into
/// what has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unexpected;

impl Lane {
    pub(crate) fn new(policy: &Policy, kind: ChannelKind, coding: Coding) -> Lane {
        Lane {
            channel: Channel::new(policy, kind),
            coding,
            cuts: Cuts::default(),
            len: 0,
            decided: 0,
            phase: Phase::Open,
            kept: Kept::None,
            open_from: None,
            quoted: Quoted::No,
            edited: Edited::No,
            text: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Counts with the other channels of its stream; without a tally it counts nothing.
    pub(crate) fn count_with(&mut self, tally: Option<&Tally>) {
        self.channel.count_with(tally);
    }

    /// Takes raw bytes of the channel's next delta.
    pub(crate) fn push(&mut self, raw: &[u8], verdicts: &mut Vec<Verdict>) -> Result<Added, Unexpected> {
        let (coding, start) = (self.coding, self.len);
        if raw.is_empty() {
            return Ok(Added { coding, start, end: start, closed_at: None });
        }
        if self.phase == Phase::Finished {
            return Err(Unexpected);
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let mut closed_at = None;
        let is_verbatim = self.coding.is_transparent() && memchr::memchr(b'\\', raw).is_none();
        let delta = if is_verbatim {
            raw
        } else {
            closed_at = self.coding.decode(raw, &mut text, &mut self.scratch).map(|at| start + at as u64);
            &text
        };
        let result = self.take(delta, verdicts);
        self.text = text;
        result?;
        Ok(Added { coding, start, end: self.len, closed_at })
    }

    /// The channel may be at its end, or go on later: decides what is held as if it were the end.
    ///
    /// If the channel goes on, it goes on as if nothing had been; a match that reaches back into what has left by
    /// then is [`Unexpected`].
    pub(crate) fn pause(&mut self, verdicts: &mut Vec<Verdict>) {
        let may_pause = matches!(self.phase, Phase::Open | Phase::Pausing);
        if !may_pause || self.coding.is_open() || self.is_terminated() {
            return;
        }
        self.channel.end_passages();
        if self.decided == self.len {
            return;
        }
        if self.channel.cleared() < self.len {
            self.phase = Phase::Pausing;
            return;
        }
        let from = self.decided;
        let mut channel = self.channel.clone();
        let released = channel.finish();
        let is_terminated = released.is_terminated();
        if !is_terminated && from + released.len() < self.len {
            // The end would bring a match that a check is to judge. It waits for the text to go on, or to end.
            return;
        }
        verdicts.extend_from_slice(released.verdicts());
        cut(&mut self.cuts, &mut self.edited, from, &released);
        self.decide(if is_terminated { channel.decided() } else { self.len });
        if is_terminated {
            self.channel = channel;
        } else {
            self.phase = Phase::Paused { from };
        }
    }

    /// The channel is at its end. Gives back where the unit ended that was open, if one was.
    pub(crate) fn finish(&mut self, verdicts: &mut Vec<Verdict>) -> Result<Option<u64>, Unexpected> {
        if self.phase == Phase::Finished {
            return Ok(None);
        }
        let was_open = self.coding.is_open();
        if was_open {
            let mut rest = std::mem::take(&mut self.text);
            rest.clear();
            self.coding.finish(&mut rest);
            let result = self.take(&rest, verdicts);
            self.text = rest;
            result?;
        }
        let from = self.channel.decided();
        let released = self.channel.finish();
        let result = settle(&mut self.cuts, &mut self.edited, self.decided, from, &released);
        report(&released, &self.phase, self.decided, verdicts);
        self.decide(self.channel.decided());
        self.phase = Phase::Finished;
        result?;
        Ok(was_open.then_some(self.len))
    }

    /// The next passage that a check is to judge.
    pub(crate) fn next_passage(&mut self) -> Option<Passage> {
        self.channel.next_passage()
    }

    /// Takes a judgement on a passage, be it one of this channel's or not.
    pub(crate) fn judge(
        &mut self,
        passage: PassageId,
        judged: &Result<Judgement, Unjudged>,
        verdicts: &mut Vec<Verdict>,
    ) -> Result<(), Unexpected> {
        let from = self.channel.decided();
        let released = self.channel.judge(passage, judged);
        let result = settle(&mut self.cuts, &mut self.edited, self.decided, from, &released);
        report(&released, &self.phase, self.decided, verdicts);
        self.decide(self.channel.decided());
        if self.phase == Phase::Pausing {
            self.pause(verdicts);
        }
        result
    }

    /// Whether its end, or what ends it, waits for a judgement.
    pub(crate) fn awaits_judgement(&self) -> bool {
        self.channel.awaits_judgement()
    }

    /// Whether so much of it waits for a judgement that no more of it should come before one does.
    pub(crate) fn is_full(&self) -> bool {
        self.channel.is_full() || self.channel.is_closed()
    }

    /// It shows a text again, from its beginning, of which passages ended here.
    pub(crate) fn break_at(&mut self, breaks: Vec<u64>) {
        self.channel.break_at(breaks);
    }

    /// Where passages of it ended because it paused.
    pub(crate) fn breaks(&self) -> &[u64] {
        self.channel.breaks()
    }

    /// Whether what tells of an end waits for a judgement of it.
    pub(crate) fn holds_the_end(&self) -> bool {
        self.channel.holds_the_end()
    }

    /// Whether a passage of it is not judged yet.
    pub(crate) fn has_unjudged(&self) -> bool {
        self.channel.has_unjudged()
    }

    fn take(&mut self, delta: &[u8], verdicts: &mut Vec<Verdict>) -> Result<(), Unexpected> {
        if self.phase == Phase::Pausing {
            self.phase = Phase::Resumed;
        }
        if let Some(places) = self.cuts.places_mut() {
            places.push(self.len, delta);
        }
        self.len += delta.len() as u64;
        let from = self.channel.decided();
        let released = self.channel.push(delta);
        let result = settle(&mut self.cuts, &mut self.edited, self.decided, from, &released);
        report(&released, &self.phase, self.decided, verdicts);
        self.decide(self.channel.decided());
        if let Phase::Paused { from } = self.phase
            && self.channel.decided() > from
            && self.channel.decided() >= self.decided
        {
            self.phase = Phase::Resumed;
        }
        result
    }

    fn decide(&mut self, until: u64) {
        self.decided = self.decided.max(until);
        if let Some(places) = self.cuts.places_mut() {
            places.decide(self.decided);
        }
    }

    pub(crate) fn kind(&self) -> ChannelKind {
        self.channel.kind()
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn decided(&self) -> u64 {
        self.decided
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.phase == Phase::Finished
    }

    /// Whether all of its text has come, and may leave.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_finished() && !self.is_terminated() && self.decided == self.len
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.channel.terminated().is_some()
    }

    /// Whether what came last ends within something that is decided as a whole.
    pub(crate) fn is_open(&self) -> bool {
        self.coding.is_open()
    }

    /// Whether any of its text was ever cut.
    pub(crate) fn is_edited(&self) -> bool {
        self.edited == Edited::Yes
    }

    /// Forgets no cut from now on: a snapshot shows the text from its beginning again.
    pub(crate) fn keep_all_cuts(&mut self) {
        self.kept = Kept::All;
    }

    /// Text before this offset will not be written any more.
    pub(crate) fn forget(&mut self, until: u64) {
        if self.cuts.is_empty() || self.kept == Kept::All {
            return;
        }
        self.cuts.forget(match self.phase {
            Phase::Paused { from } => until.min(from),
            Phase::Open | Phase::Pausing | Phase::Resumed | Phase::Finished => until,
        });
    }
}

/// Notes what was cut.
fn cut(cuts: &mut Cuts, edited: &mut Edited, from: u64, released: &Released<'_>) {
    if released.is_untouched() {
        return;
    }
    *edited = Edited::Yes;
    let mut at = from;
    for part in released.parts() {
        match part {
            Part::Keep(bytes) => at += bytes.len() as u64,
            Part::Cut { len, replacement } => {
                cuts.push(at..at + len, replacement);
                at += len;
            }
        }
    }
}

/// Notes what was cut of a channel that may have been decided further already, while it was paused.
fn settle(
    cuts: &mut Cuts,
    edited: &mut Edited,
    decided: u64,
    from: u64,
    released: &Released<'_>,
) -> Result<(), Unexpected> {
    if from >= decided {
        cut(cuts, edited, from, released);
        return Ok(());
    }
    let mut at = from;
    for part in released.parts() {
        let (span, replacement): (Range<u64>, _) = match part {
            Part::Keep(bytes) => {
                at += bytes.len() as u64;
                continue;
            }
            Part::Cut { len, replacement } => (at..at + len, replacement),
        };
        at = span.end;
        if !cuts.covers(span.start..span.end.min(decided)) {
            return Err(Unexpected);
        }
        if span.end > decided {
            *edited = Edited::Yes;
            cuts.push(span.start.max(decided)..span.end, replacement);
        }
    }
    Ok(())
}

/// Hands on the verdicts that were not handed on when the channel was paused.
fn report(released: &Released<'_>, phase: &Phase, decided: u64, verdicts: &mut Vec<Verdict>) {
    let is_known = |verdict: &&Verdict| matches!(phase, Phase::Paused { .. }) && verdict.span.end <= decided;
    verdicts.extend(released.verdicts().iter().filter(|verdict| !is_known(verdict)).cloned());
}
