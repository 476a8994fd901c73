//! A JSON document, not streamed: a chat completion as a whole, or any other JSON.
//!
//! It is a stream of one event, which leaves when its end has come.

use super::grammar::Fault;
use super::json::{Kind, Tape};
use super::moderate::{Incoming, Moderator};
use super::queue::{Edit, Payload, apply};
use super::table::{Role, Row, Table};
use super::{Ending, Failure, FilterOptions, Observer, openai_chat};
use crate::policy::ChannelKind::{Reasoning, Refusal, Text, ToolArgs};
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
    /// What leaves is an error of ours.
    replaced: bool,
}

/// Which field of a chat completion is what. In any other document every string is a text of its own.
pub(crate) const ROWS: &[Row] = &[
    Row("id", Role::Inert),
    Row("object", Role::Inert),
    Row("created", Role::Inert),
    Row("model", Role::Inert),
    Row("provider", Role::Inert),
    Row("service_tier", Role::Inert),
    Row("system_fingerprint", Role::Inert),
    Row("usage.**", Role::Inert),
    Row("timings.**", Role::Inert),
    Row("choices[#].index", Role::Inert),
    Row("choices[#]", Role::Choice),
    Row("choices[#].finish_reason", Role::Inert),
    Row("choices[#].native_finish_reason", Role::Inert),
    Row("choices[#].text", Role::Text(Text)),
    Row("choices[#].token_ids", Role::Side),
    Row("choices[#].message.role", Role::Inert),
    Row("choices[#].message.content", Role::Text(Text)),
    Row("choices[#].message.content[].type", Role::Inert),
    Row("choices[#].message.content[].text", Role::Text(Text)),
    Row("choices[#].message.content[].thinking[].type", Role::Inert),
    Row("choices[#].message.content[].thinking[].text", Role::Text(Reasoning)),
    Row("choices[#].message.refusal", Role::Text(Refusal)),
    Row("choices[#].message.reasoning_content", Role::Text(Reasoning)),
    Row("choices[#].message.reasoning", Role::Text(Reasoning)),
    Row("choices[#].message.reasoning_details[#].type", Role::Inert),
    Row("choices[#].message.reasoning_details[#].id", Role::Inert),
    Row("choices[#].message.reasoning_details[#].index", Role::Inert),
    Row("choices[#].message.reasoning_details[#].format", Role::Inert),
    Row("choices[#].message.reasoning_details[#].text", Role::Echo(Reasoning)),
    Row("choices[#].message.reasoning_details[#].summary", Role::Echo(Reasoning)),
    Row("choices[#].message.reasoning_details[#].signature", Role::Seal(Reasoning)),
    Row("choices[#].message.reasoning_details[#].data", Role::Seal(Reasoning)),
    Row("choices[#].message.tool_calls[#].index", Role::Inert),
    Row("choices[#].message.tool_calls[#].id", Role::Inert),
    Row("choices[#].message.tool_calls[#].type", Role::Inert),
    Row("choices[#].message.tool_calls[#].function.name", Role::Own(Text)),
    Row("choices[#].message.tool_calls[#].function.arguments", Role::Args),
    Row("choices[#].message.tool_calls[#].custom.name", Role::Own(Text)),
    Row("choices[#].message.tool_calls[#].custom.input", Role::Text(ToolArgs)),
    Row("choices[#].message.function_call.name", Role::Own(Text)),
    Row("choices[#].message.function_call.arguments", Role::Args),
    Row("choices[#].message.audio.id", Role::Inert),
    Row("choices[#].message.audio.data", Role::Inert),
    Row("choices[#].message.audio.transcript", Role::Text(Text)),
    Row("choices[#].logprobs", Role::Side),
    Row("choices[#].logprobs.content[].token", Role::Token(Text)),
    Row("choices[#].logprobs.content[].bytes", Role::TokenBytes(Text)),
    Row("choices[#].logprobs.content[].top_logprobs[].token", Role::Own(Text)),
    Row("choices[#].logprobs.content[].top_logprobs[].bytes", Role::OwnBytes(Text)),
    Row("choices[#].logprobs.refusal[].token", Role::Token(Refusal)),
    Row("choices[#].logprobs.refusal[].bytes", Role::TokenBytes(Refusal)),
    Row("choices[#].logprobs.refusal[].top_logprobs[].token", Role::Own(Refusal)),
    Row("choices[#].logprobs.refusal[].top_logprobs[].bytes", Role::OwnBytes(Refusal)),
];

/// Members of a choice's message that a stopped answer has not.
const CALLS: [&str; 2] = ["tool_calls", "function_call"];

impl Document {
    pub(crate) fn new(policy: &Policy, options: &FilterOptions) -> Document {
        Document {
            policy: policy.clone(),
            options: options.clone(),
            body: BytesMut::new(),
            since: None,
            out: VecDeque::new(),
            replaced: false,
        }
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
            Ok((Some(body), ending)) => {
                observer.release(body.len(), now.saturating_duration_since(self.since.unwrap_or(now)));
                self.out.push_back(body);
                ending
            }
            Ok((None, ending)) => self.fail(ending),
            Err(failure) => self.fail(Ending::UpstreamFailed(failure)),
        }
    }

    /// The document is replaced by an error.
    pub(crate) fn fail(&mut self, ending: Ending) -> Ending {
        self.body.clear();
        if let Some(fault) = Fault::of(&ending) {
            self.out.push_back(Bytes::from(openai_chat::error(fault)));
            self.replaced = true;
        }
        ending
    }

    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    /// The document as it may leave, if it may, and how it ended.
    fn moderate(
        &self,
        body: Bytes,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(Option<Bytes>, Ending), Failure> {
        let mut moderator = Moderator::new(
            &self.policy,
            table_for(&body)?,
            self.options.tool_calls_under(&self.policy),
            self.options.limits,
        );
        let payload = Payload::Whole(0..body.len() as u32);
        let mut event = Incoming::new(body, payload, Vec::new());
        moderator.read(&mut event, observer)?;
        moderator.finish(observer)?;
        moderator.enqueue(event, now)?;
        moderator.flush(now, &mut ());
        let body = moderator.pop().unwrap_or_default();
        match moderator.stop() {
            None => Ok((Some(body), Ending::Complete)),
            Some(verdict) => Ok((stopped(&body), Ending::Terminated(verdict.clone()))),
        }
    }
}

fn table_for(body: &[u8]) -> Result<&'static Table, Failure> {
    static CHAT: LazyLock<Table> = LazyLock::new(|| Table::new(ROWS));
    static ANY: LazyLock<Table> = LazyLock::new(|| Table::new(&[]));
    let mut tape = Tape::default();
    tape.read(body).map_err(|_| Failure::Malformed)?;
    let is_chat = tape.node(0).kind == Kind::Object && !choices(&tape, body).is_empty();
    Ok(if is_chat { &CHAT } else { &ANY })
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
