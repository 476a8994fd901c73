//! A JSON document, not streamed.
//!
//! It is a stream of one event, which leaves when its end has come.

use super::dialects;
use super::framing::{BOM, Event};
use super::grammar::{Fault, Grammar, Members};
use super::moderate::{Incoming, Moderator};
use super::queue::Payload;
use super::{Ending, Failure, FilterOptions, Observer};
use crate::hold::{Judgement, Passage, PassageId, Unjudged};
use crate::policy::Policy;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::time::Instant;

/// One JSON document.
#[derive(Debug)]
pub(crate) struct Document {
    policy: Policy,
    grammar: Grammar,
    options: FilterOptions,
    body: BytesMut,
    since: Option<Instant>,
    out: VecDeque<Bytes>,
    /// What leaves is an error of ours.
    replaced: bool,
    /// All of it has come, and waits for judgements.
    read: Option<Box<Read>>,
}

/// A document that was read.
#[derive(Debug)]
struct Read {
    moderator: Moderator,
    incoming: Incoming,
}

impl Document {
    /// A document of this dialect. Should what it says be of another one, it is that one's.
    pub(crate) fn new(policy: &Policy, grammar: Grammar, options: &FilterOptions) -> Document {
        Document {
            policy: policy.clone(),
            grammar,
            options: options.clone(),
            body: BytesMut::new(),
            since: None,
            out: VecDeque::new(),
            replaced: false,
            read: None,
        }
    }

    pub(crate) fn push(&mut self, chunk: Bytes, now: Instant) -> Option<Ending> {
        self.since.get_or_insert(now);
        self.body.extend_from_slice(&chunk);
        // Places in a document count in `u32`.
        let is_within = self.body.len() <= self.options.limits.event_bytes.min(u32::MAX as usize);
        (!is_within).then(|| self.fail(Ending::UpstreamFailed(Failure::Malformed)))
    }

    /// The end, given back, may wait for judgements.
    pub(crate) fn finish(&mut self, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        let body = self.body.split().freeze();
        match self.read(body, observer) {
            Ok(read) => {
                self.read = Some(Box::new(read));
                self.leave(now, observer)
            }
            Err(failure) => Some(self.fail(Ending::UpstreamFailed(failure))),
        }
    }

    /// The next passage that a check is to judge.
    pub(crate) fn next_passage(&mut self) -> Option<Passage> {
        self.read.as_mut()?.moderator.next_passage()
    }

    /// Takes a judgement; gives back the ending if it brought one.
    pub(crate) fn judge(
        &mut self,
        passage: PassageId,
        judged: Result<Judgement, Unjudged>,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Option<Ending> {
        match self.read.as_mut()?.moderator.judge(passage, judged, observer) {
            Ok(()) => self.leave(now, observer),
            Err(failure) => Some(self.fail(Ending::UpstreamFailed(failure))),
        }
    }

    /// Lets the document leave once nothing of it waits.
    fn leave(&mut self, now: Instant, observer: &mut dyn Observer) -> Option<Ending> {
        let mut read = self.read.take_if(|read| !read.moderator.awaits_judgement())?;
        read.moderator.stop_anywhere();
        Some(match self.moderated(*read, now) {
            Ok((Some(body), ending)) => {
                observer.release(body.len(), now.saturating_duration_since(self.since.unwrap_or(now)));
                self.out.push_back(body);
                ending
            }
            Ok((None, ending)) => self.fail(ending),
            Err(failure) => self.fail(Ending::UpstreamFailed(failure)),
        })
    }

    /// The document is replaced by an error.
    pub(crate) fn fail(&mut self, ending: Ending) -> Ending {
        self.body.clear();
        self.read = None;
        if let Some(fault) = Fault::of(&ending) {
            self.out.push_back(Bytes::from((self.grammar.fault_document)(fault)));
            self.replaced = true;
        }
        ending
    }

    /// Whether the body is no JSON, nor anything that has escapes.
    pub(crate) fn is_plain(&self) -> bool {
        memchr::memchr(b'\\', &self.body).is_none() && Members::of(&self.body).is_none()
    }

    pub(crate) fn take_body(&mut self) -> Bytes {
        self.body.split().freeze()
    }

    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    fn read(&mut self, body: Bytes, observer: &mut dyn Observer) -> Result<Read, Failure> {
        // Some writers set a byte order mark before it, and readers that are lenient skip it.
        let start = if body.starts_with(BOM) { BOM.len() } else { 0 };
        let members = Members::of(&body[start..]).ok_or(Failure::Malformed)?;
        if !(self.grammar.recognizes)(b"", &members) {
            self.grammar = dialects::recognize(b"", &members).unwrap_or(self.grammar);
        }
        let mut moderator = Moderator::with_table(&self.policy, (self.grammar.document)(), &self.options);
        let payload = Payload::Whole(start as u32..body.len() as u32);
        let event = Event { payload, ..Event::new(body.clone()) };
        let mut incoming = Incoming::new(&event);
        moderator.read(&mut incoming, &event, observer)?;
        moderator.finish(observer)?;
        Ok(Read { moderator, incoming })
    }

    /// The document as it may leave, if it may, and how it ended.
    fn moderated(&self, read: Read, now: Instant) -> Result<(Option<Bytes>, Ending), Failure> {
        let Read { mut moderator, incoming } = read;
        moderator.enqueue(incoming, now)?;
        moderator.leave_whole(now);
        let body = moderator.pop().unwrap_or_default();
        match moderator.stop() {
            None => Ok((Some(body), Ending::Complete)),
            Some(verdict) => {
                let stopped = (self.grammar.stop_document)(&body).map(Bytes::from);
                Ok((stopped, Ending::Terminated(verdict.clone())))
            }
        }
    }
}
