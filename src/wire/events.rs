//! A stream of events under a policy: framed, moderated event by event, and brought to an end that its clients
//! understand.

use super::beginning::Beginning;
use super::coding::Coding;
use super::dialects;
use super::framing::{Closed, Event, Framer, Framing, Name, Unreadable};
use super::grammar::{Account, Fault, Grammar, Members, Said};
use super::moderate::{Choice, Incoming, Lost, Moderator, Signals};
use super::queue::{Edit, Payload};
use super::{Ending, Failure, FilterOptions, Observer, OtherEvents, UsageChunk};
use crate::hold::{Judgement, Passage, PassageId, Unjudged};
use crate::policy::{ChannelKind, Policy};
use bytes::Bytes;
use std::time::Instant;

/// A stream of events.
#[derive(Debug)]
pub(crate) struct EventStream {
    grammar: Grammar,
    framer: Framer,
    moderator: Moderator,
    usage_chunk: UsageChunk,
    other_events: OtherEvents,
    beginning: Beginning,
    progress: Progress,
    /// The event that endings copy what a stream says of itself from.
    first: Option<Source>,
    /// The event that was stopped and never leaves.
    stopped: Option<Source>,
    /// The last usage that an event told.
    usage: Option<Vec<u8>>,
    /// How the event that was handed on last was closed.
    last_closed: Closed,
    /// The ending that waits for judgements: the upstream is at its end.
    closing: Option<Ending>,
}

/// What the stream has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    data: bool,
    /// An event of the dialect.
    native: bool,
    reported_error: bool,
    /// An event said that the answer is at its end, but accounts of it follow.
    concluded: bool,
    /// An event said that the answer is at its end.
    complete: bool,
    /// The protocol's last word.
    end: bool,
}

impl Progress {
    /// Whether the client was told the end, or the error.
    fn is_told(&self) -> bool {
        self.end || self.complete || self.reported_error
    }
}

/// An event that endings copy from.
#[derive(Debug)]
struct Source {
    raw: Bytes,
    payload: Payload,
    has_choice: bool,
}

impl Source {
    fn of(event: &Event, signals: &Signals) -> Source {
        Source { raw: event.raw.clone(), payload: event.payload.clone(), has_choice: signals.has_choice }
    }

    fn members(&self) -> Option<Members<'_>> {
        Members::of(self.payload.text(&self.raw)?)
    }
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    InTurn,
    Never,
}

impl EventStream {
    /// A stream of this dialect. Should its first event be of another one, it is that one's.
    pub(crate) fn new(policy: &Policy, grammar: Grammar, framing: Framing, options: &FilterOptions) -> EventStream {
        EventStream {
            framer: Framer::new(framing, options.limits.event_bytes),
            moderator: Moderator::new(policy, &grammar, options),
            grammar,
            usage_chunk: options.usage_chunk,
            other_events: options.other_events,
            beginning: Beginning::default(),
            progress: Progress::default(),
            first: None,
            stopped: None,
            usage: None,
            last_closed: Closed::Whole,
            closing: None,
        }
    }

    /// Takes the next bytes; gives back the ending if they brought one.
    pub(crate) fn push(&mut self, chunk: Bytes, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        self.framer.push(self.beginning.take(chunk));
        let result = self.read_events(now, observer);
        self.moderator.release(now, observer);
        self.ending_of(result, now, observer)
    }

    /// Takes an event that is not read; gives back the ending if it brought one.
    pub(crate) fn push_unread(&mut self, raw: Bytes, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        let result = match self.framer {
            Framer::Messages(_) => self.moderator.enqueue(Incoming::new(&Event::new(raw)), now),
            // It would tear an event of the framing apart.
            _ => Err(Failure::Malformed),
        };
        self.moderator.release(now, observer);
        self.ending_of(result, now, observer)
    }

    /// The next passage that a check is to judge.
    pub(crate) fn next_passage(&mut self) -> Option<Passage> {
        self.moderator.next_passage()
    }

    /// Takes a judgement; gives back the ending if it brought one.
    pub(crate) fn judge(
        &mut self,
        passage: PassageId,
        judged: Result<Judgement, Unjudged>,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Option<Ending> {
        let result = self.moderator.judge(passage, judged, observer);
        self.moderator.release(now, observer);
        if self.closing.is_some() && !self.moderator.awaits_judgement() {
            self.moderator.stop_anywhere();
        }
        if let Some(ending) = self.ending_of(result, now, observer) {
            return Some(ending);
        }
        let ending = self.closing.take_if(|_| !self.moderator.awaits_judgement())?;
        self.end(&ending, now, observer);
        Some(ending)
    }

    /// Whether so much waits for judgements that no more should come before one does.
    pub(crate) fn is_full(&self) -> bool {
        self.moderator.is_full()
    }

    /// The upstream came to its end. The stream's own end, given back, may wait for judgements.
    pub(crate) fn finish(&mut self, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        let result = self.read_rest(now, observer);
        if let Some(ending) = self.ending_of(result, now, observer) {
            return Some(ending);
        }
        let ending = if self.is_complete() {
            match self.moderator.finish(observer) {
                Ok(()) => Ending::Complete,
                Err(failure) => Ending::UpstreamFailed(failure),
            }
        } else if self.progress.reported_error {
            Ending::UpstreamFailed(Failure::Reported)
        } else {
            Ending::UpstreamFailed(Failure::Truncated)
        };
        self.moderator.release(now, observer);
        if !self.moderator.awaits_judgement() {
            self.moderator.stop_anywhere();
        }
        // What was held may have turned out to be a match that ends the stream.
        if let Some(ending) = self.ending_of(Ok(()), now, observer) {
            return Some(ending);
        }
        let has_ended = matches!(ending, Ending::Complete | Ending::UpstreamFailed(Failure::Reported));
        if has_ended && self.moderator.awaits_judgement() {
            self.closing = Some(ending);
            return None;
        }
        self.end(&ending, now, observer);
        Some(ending)
    }

    /// What was read but never left was not told either.
    fn lose(&mut self, lost: Option<Lost>) {
        let Some(lost) = lost else { return };
        let Progress { data, native, .. } = self.progress;
        self.progress = Progress { data, native, ..Progress::default() };
        if lost.newest {
            // Only the newest event can be one that no blank line has ended.
            self.last_closed = Closed::Whole;
        }
        if let Some((raw, payload, has_choice)) = lost.last {
            self.stopped = Some(Source { raw, payload, has_choice });
        }
    }

    /// Lets what is decided leave, and brings the stream to this end.
    pub(crate) fn end(&mut self, ending: &Ending, now: Instant, observer: &mut dyn Observer) {
        self.moderator.release(now, observer);
        let has_half_call = self.moderator.has_half_call();
        if *ending != Ending::ClientGone {
            let lost = self.moderator.flush(ending, now, observer);
            self.lose(lost);
        }
        let said = match (ending, Fault::of(ending)) {
            (_, None) => Vec::new(),
            // The client was told the end, or the error, already.
            _ if self.progress.is_told() => Vec::new(),
            (Ending::Terminated(_), Some(fault)) => {
                let account = self.account();
                let stop = (!has_half_call).then(|| (self.grammar.stop)(&account)).flatten();
                stop.unwrap_or_else(|| self.fault(fault, &account))
            }
            (_, Some(fault)) => self.fault(fault, &self.account()),
        };
        self.say(&said);
    }

    fn fault(&self, fault: Fault, account: &Account<'_>) -> Vec<Said> {
        let framed = self.framer.fault(fault).map(|said| vec![said]);
        framed.unwrap_or_else(|| (self.grammar.fault)(fault, account))
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let bytes = self.moderator.pop()?;
        self.beginning.left();
        Some(bytes)
    }

    /// What says nothing but that the stream goes on, if it may be said here.
    pub(crate) fn heartbeat(&mut self) -> Option<Bytes> {
        let is_told = self.progress.is_told() && !self.moderator.has_waiting();
        if is_told || !self.grammar.allows_comments {
            return None;
        }
        let comment = self.framer.comment()?;
        self.beginning.overtake().then(|| comment.into())
    }

    fn read_events(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<(), Failure> {
        while self.moderator.stop().is_none() {
            let Some(event) = self.framer.next().map_err(unreadable)? else { break };
            self.read_event(event, now, observer)?;
        }
        Ok(())
    }

    /// Takes what no blank line ended, or no newline. A client ignores it, but may not be the only reader.
    fn read_rest(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<(), Failure> {
        let Some(event) = self.framer.finish().map_err(|_| Failure::Truncated)? else { return Ok(()) };
        if event.closed == Closed::ByEndOfStream {
            let data = event.payload.text(&event.raw).map(<[u8]>::trim_ascii).unwrap_or_default();
            let is_whole = (self.grammar.is_end)(data) || Members::of(data).is_some();
            let is_broken = !is_whole && matches!(data.first(), Some(b'{' | b'['));
            if is_broken {
                return Err(Failure::Truncated);
            }
            if !is_whole && !self.is_complete() {
                return Ok(());
            }
        }
        self.read_event(event, now, observer)
    }

    fn read_event(&mut self, event: Event, now: Instant, observer: &mut dyn Observer) -> Result<(), Failure> {
        self.last_closed = event.closed;
        let mut incoming = Incoming::new(&event);
        for aside in &event.asides {
            let content = aside.content.start as usize..aside.content.end as usize;
            let text = &event.raw[content];
            if self.moderator.own(ChannelKind::Text, Coding::Bare, text, observer).is_some() {
                let line = aside.line.clone().ok_or(Failure::Malformed)?;
                incoming.edits.push(Edit { span: line, with: Vec::new() });
            }
        }
        match self.read_data(&event, &mut incoming, observer)? {
            Leaves::InTurn => self.moderator.enqueue(incoming, now),
            Leaves::Never => {
                self.moderator.forget(incoming);
                Ok(())
            }
        }
    }

    fn read_data(
        &mut self,
        event: &Event,
        incoming: &mut Incoming,
        observer: &mut dyn Observer,
    ) -> Result<Leaves, Failure> {
        if event.name == Name::End {
            return self.read_last_word(incoming, observer);
        }
        let data = match event.payload.text(&event.raw) {
            Some(data) => data,
            None if event.is_failure() => b"",
            None => return Ok(Leaves::InTurn),
        };
        self.progress.data = true;
        let trimmed = data.trim_ascii();
        if (self.grammar.is_end)(trimmed) {
            return self.read_last_word(incoming, observer);
        }
        let is_blank = trimmed.is_empty();
        let was_error = self.progress.reported_error;
        if was_error && event.is_failure() {
            return Err(Failure::Reported);
        }
        if !is_blank && self.progress.end {
            return Err(Failure::Malformed);
        }
        let is_json = match trimmed.first() {
            Some(b'{' | b'[') => true,
            Some(b'"') => Members::of(data).is_some(),
            _ => false,
        };
        if !self.progress.native {
            self.recognize(event.kind(), data);
        }
        if let Some(text) = self.moderator.bare(event.kind()) {
            let event = self.framer.laid_out(event);
            incoming.laid_out(&event);
            let signals = self.moderator.read_bare(text, incoming, &event, observer)?;
            self.note(&signals, &event);
        } else if is_json {
            let read = self.moderator.read(incoming, event, observer);
            let signals = read.map_err(|failure| if was_error { Failure::Reported } else { failure })?;
            // What says that the answer is at its end may say so behind an error.
            if was_error && !signals.is_end {
                return Err(Failure::Reported);
            }
            if signals.is_own_ending && self.moderator.stop().is_some() {
                self.stopped = Some(Source::of(event, &signals));
                return Ok(Leaves::Never);
            }
            self.note(&signals, event);
        } else if was_error && !is_blank {
            return Err(Failure::Reported);
        } else if let Some(text) = self.moderator.own(ChannelKind::Text, Coding::Bare, data, observer) {
            // Data that is no JSON is a text of its own.
            incoming.edits.extend(self.framer.rewrite(event, &text));
        }
        if event.is_failure() {
            self.moderator.finish(observer)?;
            self.progress.reported_error = true;
        }
        let is_known = self.progress.native || self.progress.reported_error || is_blank;
        match self.other_events {
            OtherEvents::Refuse if !is_known => Err(Failure::Unknown),
            _ => Ok(Leaves::InTurn),
        }
    }

    /// The upstream says that nothing follows.
    fn read_last_word(&mut self, incoming: &mut Incoming, observer: &mut dyn Observer) -> Result<Leaves, Failure> {
        self.moderator.finish(observer)?;
        if self.moderator.stop().is_some() {
            // The end that the policy brings has a last word of its own.
            return Ok(Leaves::Never);
        }
        self.progress.end = true;
        incoming.tells_of_end = true;
        Ok(Leaves::InTurn)
    }

    /// Finds out whose the stream's first events are.
    fn recognize(&mut self, kind: &[u8], data: &[u8]) {
        let of_kind_only = || Members::of(b"{}").filter(|_| !kind.is_empty());
        let Some(members) = Members::of(data).or_else(of_kind_only) else { return };
        if !(self.grammar.recognizes)(kind, &members) {
            let Some(grammar) = dialects::recognize(kind, &members) else { return };
            self.grammar = grammar;
            self.moderator.take_grammar(&grammar);
        }
        self.progress.native = true;
    }

    fn note(&mut self, signals: &Signals, event: &Event) {
        // A connection of messages goes on behind one that speaks of an error: it may be about a request.
        self.progress.reported_error |= signals.is_error && !matches!(self.framer, Framer::Messages(_));
        self.progress.concluded = signals.is_conclusion || (self.progress.concluded && !signals.is_beginning);
        self.progress.complete =
            signals.is_end || (self.progress.complete && !signals.is_beginning && !signals.has_choice);
        if self.first.as_ref().is_none_or(|first| signals.has_choice && !first.has_choice) && self.progress.native {
            self.first = Some(Source::of(event, signals));
        }
        if let (Some(usage), Some(text)) = (signals.usage.clone(), event.payload.text(&event.raw)) {
            self.usage = Some(text[usage].to_vec());
        }
    }

    /// Brings the stream to its end if it has stopped or failed.
    fn ending_of(&mut self, result: Result<(), Failure>, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        let ending = match (self.moderator.stop(), result) {
            (Some(verdict), _) => Ending::Terminated(verdict.clone()),
            (None, Err(failure)) => Ending::UpstreamFailed(failure),
            (None, Ok(())) => return None,
        };
        self.end(&ending, now, observer);
        Some(ending)
    }

    /// Whether the stream may end here.
    fn is_complete(&self) -> bool {
        let choices = self.moderator.choices();
        let is_finished = !self.grammar.ends_with_a_word
            && !choices.is_empty()
            && choices.values().all(|choice| *choice == Choice::Finished);
        let is_foreign = self.progress.data && !self.progress.native;
        let is_said = self.progress.end || self.progress.complete || self.progress.concluded;
        let is_at_end = is_said || is_finished || is_foreign;
        is_at_end && !self.progress.reported_error
    }

    fn account(&self) -> Account<'_> {
        let is_open = |(index, choice): (&u32, &Choice)| (*choice == Choice::Open).then_some(*index);
        Account {
            first: self.first.as_ref().and_then(Source::members),
            stopped: self.stopped.as_ref().and_then(Source::members),
            open_choices: self.moderator.choices().iter().filter_map(is_open).collect(),
            usage: self.usage.as_deref(),
            usage_chunk: self.usage_chunk,
            kept: self.moderator.kept(),
            last_number: self.moderator.last_number(),
            texts: self.moderator.texts(),
        }
    }

    /// Hands on events of the filter's own.
    fn say(&mut self, said: &[Said]) {
        for piece in self.framer.write(said, self.last_closed).into_iter().filter(|piece| !piece.is_empty()) {
            self.moderator.say(piece);
        }
    }
}

fn unreadable(_: Unreadable) -> Failure {
    Failure::Malformed
}
