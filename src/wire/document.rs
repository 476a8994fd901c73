//! A JSON document, not streamed: a chat completion as a whole, or any other JSON.
//!
//! It is a stream of one event, which leaves when its end has come.

use super::grammar::Fault;
use super::json::{Kind, Tape};
use super::moderate::{Incoming, Moderator};
use super::queue::{Edit, Payload, apply};
use super::rows::Layout;
use super::table::Table;
use super::{Ending, Failure, FilterOptions, Observer, openai_chat};
use crate::policy::Policy;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::Instant;

/// One JSON document.
#[derive(Debug)]
pub(crate) struct Document {
    policy: Policy,
    options: FilterOptions,
    body: BytesMut,
    since: Option<Instant>,
    out: VecDeque<Bytes>,
}

/// Any document: every string in it is a text of its own.
const ANY: Layout = Layout { kind: &[], indexes: [&[], &[]], groups: &[] };

/// Members of a choice's message that a stopped answer has not.
const CALLS: [&str; 2] = ["tool_calls", "function_call"];

impl Document {
    pub(crate) fn new(policy: &Policy, options: &FilterOptions) -> Document {
        let (body, out) = (BytesMut::new(), VecDeque::new());
        Document { policy: policy.clone(), options: options.clone(), body, since: None, out }
    }

    pub(crate) fn push(&mut self, chunk: Bytes, now: Instant) -> Option<Ending> {
        self.since.get_or_insert(now);
        self.body.extend_from_slice(&chunk);
        // Places in a document count in `u32`.
        let is_within = self.body.len() <= self.options.limits.event_bytes.min(u32::MAX as usize);
        (!is_within).then(|| self.fail(Ending::UpstreamFailed(Failure::Malformed)))
    }

    pub(crate) fn finish(&mut self, now: Instant, observer: &mut dyn Observer) -> Ending {
        let body = self.body.split().freeze();
        match self.moderate(body, now, observer) {
            Ok((body, ending)) => {
                observer.release(body.len(), now.saturating_duration_since(self.since.unwrap_or(now)));
                self.out.push_back(body);
                ending
            }
            Err(failure) => self.fail(Ending::UpstreamFailed(failure)),
        }
    }

    /// The document is replaced by an error.
    pub(crate) fn fail(&mut self, ending: Ending) -> Ending {
        self.body.clear();
        if let Some(fault) = Fault::of(&ending) {
            self.out.push_back(Bytes::from(openai_chat::error(fault)));
        }
        ending
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    fn moderate(&self, body: Bytes, now: Instant, observer: &mut dyn Observer) -> Result<(Bytes, Ending), Failure> {
        let mut moderator = Moderator::new(&self.policy, table_for(&body)?, &self.options);
        let payload = Payload::Whole(0..body.len() as u32);
        let mut event = Incoming::new(body, payload, Vec::new());
        moderator.read(&mut event, observer)?;
        moderator.finish(observer)?;
        moderator.enqueue(event, now)?;
        moderator.flush(now, &mut ());
        let body = moderator.pop().unwrap_or_default();
        match moderator.stop() {
            None => Ok((body, Ending::Complete)),
            Some(verdict) => {
                let ending = Ending::Terminated(verdict.clone());
                Ok((stopped(&body).unwrap_or_else(|| openai_chat::error(Fault::Stopped).into()), ending))
            }
        }
    }
}

fn table_for(body: &[u8]) -> Result<&'static Table, Failure> {
    static CHAT: LazyLock<Table> = LazyLock::new(|| Table::new(&openai_chat::DOCUMENT));
    static OTHER: LazyLock<Table> = LazyLock::new(|| Table::new(&ANY));
    let mut tape = Tape::default();
    tape.read(body).map_err(|_| Failure::Malformed)?;
    let is_chat = tape.node(0).kind == Kind::Object && !choices(&tape, body).is_empty();
    Ok(if is_chat { &CHAT } else { &OTHER })
}

fn choices(tape: &Tape, body: &[u8]) -> Vec<usize> {
    let list = tape.member(body, 0, "choices").filter(|list| tape.node(*list).kind == Kind::Array);
    list.map(|list| tape.children(list).collect()).unwrap_or_default()
}

/// A chat completion, its texts cut already, that says it was stopped; `None` if it has no place to say so.
fn stopped(body: &[u8]) -> Option<Bytes> {
    let mut tape = Tape::default();
    tape.read(body).ok()?;
    let mut edits = Vec::new();
    let mut write = |node: usize, with: &str| {
        let span = tape.node(node).span();
        edits.push(Edit { span: span.start as u32..span.end as u32, with: with.as_bytes().to_vec() });
    };
    let choices = choices(&tape, body);
    for choice in &choices {
        write(tape.member(body, *choice, "finish_reason")?, "\"content_filter\"");
        let message = tape.member(body, *choice, "message");
        let calls = message.into_iter().flat_map(|message| CALLS.map(|call| tape.member(body, message, call)));
        calls.flatten().for_each(|call| write(call, "null"));
    }
    (!choices.is_empty()).then(|| apply(body, &mut edits))
}
