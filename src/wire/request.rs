//! A request: what is said to the model.
//!
//! It comes whole, and nobody has to say of which API it is: one layout names the fields of all of them that are no
//! text, and every other string, number and key is a text of its own.

use super::coding::Coding;
use super::framing::Event;
use super::grammar::{Fault, RequestFault};
use super::json::{Kind, Refusal, Tape, unescape_into};
use super::lanes::coding_of;
use super::moderate::{Incoming, Moderator};
use super::queue::{Edit, apply};
use super::renamed::Renamed;
use super::rows::{Group, Label, Layout, Role, Row};
use super::table::{Found, Names, Part, Table, Walked};
use super::{Dialect, Failure, FilterOptions, Limits, Observer};
use crate::hold::{Judgement, Passage, PassageId, Unjudged};
use crate::policy::{ChannelKind, Policy, Verdict};
use bytes::Bytes;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// It may go as it came.
    Untouched,
    /// These bytes go in its place.
    Edited(Bytes),
    /// It must not go.
    Refused(Refused),
}

/// Why a request must not go. Never quotes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The policy says so.
    Terminated(Verdict),
    /// It is not JSON, or something stands behind its end.
    NotJson,
    /// An object in it has a key twice: who reads it could take either for the one that counts.
    DuplicateKey,
    /// It is nested more than 127 deep.
    TooDeep,
    /// It is longer than [`Limits::event_bytes`].
    TooLarge,
    /// Its content type or content coding is none that can be read. Told by whoever has seen its head.
    OtherContent,
    /// It broke off. Told by whoever receives it.
    CutOff,
    /// The caller has had all of this quota. Told by whoever counts.
    OverQuota {
        /// The quota's id.
        quota: Arc<str>,
        /// For how long.
        wait: Duration,
    },
    /// The server that received it had to stop.
    ShutDown,
}

impl Refused {
    /// Its word in logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Refused::Terminated(_) => "terminated",
            Refused::NotJson => "request_not_json",
            Refused::DuplicateKey => "request_duplicate_key",
            Refused::TooDeep => "request_too_deep",
            Refused::TooLarge => "request_too_large",
            Refused::OtherContent => "request_not_moderated",
            Refused::CutOff => "request_cut",
            Refused::OverQuota { .. } => "over_quota",
            Refused::ShutDown => "shut_down",
        }
    }

    /// The JSON document that says so to clients of a dialect, in the form of its API's own errors.
    ///
    /// ```
    /// use holdback::Dialect;
    /// use holdback::wire::Refused;
    ///
    /// let body = Refused::TooLarge.document(Dialect::Anthropic);
    /// assert!(body.starts_with(br#"{"type":"error","error":{"type":"request_too_large","message":"#));
    /// ```
    pub fn document(&self, dialect: Dialect) -> Bytes {
        let fault = match self {
            Refused::Terminated(_) => Fault::Request(RequestFault::Stopped),
            Refused::NotJson | Refused::DuplicateKey | Refused::TooDeep | Refused::CutOff => {
                Fault::Request(RequestFault::Unreadable)
            }
            Refused::TooLarge => Fault::Request(RequestFault::TooLarge),
            Refused::OtherContent => Fault::Request(RequestFault::OtherContent),
            Refused::OverQuota { .. } => Fault::Request(RequestFault::OverQuota),
            Refused::ShutDown => Fault::ShutDown,
        };
        (dialect.grammar().fault_document)(fault).into()
    }
}

/// Moderates the JSON body of a request under a policy's rules for requests.
///
/// Each string is a text of its own, and so is each number and key: messages, instructions, tools, tool results, and
/// whatever field nobody has heard of. A tool call's arguments are one text, and stay JSON. Exempt are the model's name,
/// roles, types and ids, and payloads: base64, bare or as a `data:` URI, where an API has an image, a sound, a file or
/// a seal. Findings are told to `observer`, with spans in their own text.
///
/// A thought that is edited keeps its signature, so that its API will refuse it: neither half of it can be mended here.
///
/// There is nobody here to answer for checks, so each passage that one watches counts as one whose judgement failed; see
/// [`RequestFilter`].
///
/// What no rule touched stays as it came, byte for byte. A policy without rules for requests
/// ([`Policy::watches`] says so) does not read the body; under any other a body that cannot be read is refused, even
/// if the rules would only report.
///
/// ```
/// use holdback::rule::Direction;
/// use holdback::wire::{Limits, RequestOutcome, moderate_request};
/// use holdback::{Policy, Rule};
///
/// let rule = Rule::literal("codename", "Nightjar").redact("[codename]").direction(Direction::Request);
/// let policy = Policy::builder().rule(rule).build()?;
/// let body = br#"{"model": "m", "messages": [{"role": "user", "content": "Is Nightjar a bird?"}]}"#;
/// let RequestOutcome::Edited(body) = moderate_request(&policy, body, Limits::default(), &mut ()) else { panic!() };
/// assert_eq!(body, r#"{"model": "m", "messages": [{"role": "user", "content": "Is [codename] a bird?"}]}"#);
/// # Ok::<(), holdback::BuildError>(())
/// ```
pub fn moderate_request(policy: &Policy, body: &[u8], limits: Limits, observer: &mut dyn Observer) -> RequestOutcome {
    if !policy.watches(ChannelKind::Prompt) {
        return RequestOutcome::Untouched;
    }
    let mut request = RequestFilter::new(policy, Bytes::copy_from_slice(body), limits, observer);
    while let Some(passage) = request.next_passage() {
        request.judge(passage.id(), Err(Unjudged::Unbound), observer);
    }
    request.outcome().expect("everything is judged")
}

/// A request under a policy whose checks take time: what [`moderate_request`] does, passage by passage.
///
/// ```
/// use holdback::hold::Judgement;
/// use holdback::rule::{Check, Direction};
/// use holdback::wire::{Limits, RequestFilter, RequestOutcome};
/// use holdback::Policy;
///
/// let policy = Policy::builder().check(Check::gate("tone").direction(Direction::Request)).build()?;
/// let body = r#"{"messages":[{"role":"user","content":"Be rude."}]}"#;
/// let mut request = RequestFilter::new(&policy, body.into(), Limits::default(), &mut ());
/// assert_eq!(request.outcome(), None);
/// let passage = request.next_passage().expect("there is one");
/// assert_eq!(passage.text(), "Be rude.");
/// request.judge(passage.id(), Ok(Judgement::redact()), &mut ());
/// let edited = r#"{"messages":[{"role":"user","content":"[tone]"}]}"#;
/// assert_eq!(request.outcome(), Some(RequestOutcome::Edited(edited.into())));
/// # Ok::<(), holdback::BuildError>(())
/// ```
#[derive(Debug)]
pub struct RequestFilter(Progress);

#[derive(Debug)]
enum Progress {
    Read(Box<Read>),
    Done(Option<RequestOutcome>),
}

/// A request of which every text is with the rules and the checks.
#[derive(Debug)]
struct Read {
    body: Bytes,
    moderator: Moderator,
    incoming: Incoming,
}

/// A conversation of many turns, each of which is a text.
const MOST_TEXTS: usize = 1 << 16;

impl RequestFilter {
    /// Reads a request's body, and has the rules look at it.
    pub fn new(policy: &Policy, body: Bytes, limits: Limits, observer: &mut dyn Observer) -> RequestFilter {
        // An empty body says nothing.
        if body.is_empty() || !policy.watches(ChannelKind::Prompt) {
            return RequestFilter(Progress::Done(Some(RequestOutcome::Untouched)));
        }
        RequestFilter(match read(policy, body, limits, observer) {
            Ok(read) => Progress::Read(Box::new(read)),
            Err(refused) => Progress::Done(Some(RequestOutcome::Refused(refused))),
        })
    }

    /// The next passage that a check is to judge. Each comes once, however often its text stands in the request.
    pub fn next_passage(&mut self) -> Option<Passage> {
        match &mut self.0 {
            Progress::Read(read) => read.moderator.next_passage(),
            Progress::Done(_) => None,
        }
    }

    /// Takes the judgement on a passage.
    pub fn judge(&mut self, passage: PassageId, judged: Result<Judgement, Unjudged>, observer: &mut dyn Observer) {
        if let Progress::Read(read) = &mut self.0
            && read.moderator.judge(passage, judged, observer).is_err()
        {
            self.0 = Progress::Done(Some(RequestOutcome::Refused(Refused::NotJson)));
        }
    }

    /// What becomes of the request, once everything is judged; it is told once.
    pub fn outcome(&mut self) -> Option<RequestOutcome> {
        if matches!(&self.0, Progress::Read(read) if read.moderator.awaits_judgement()) {
            return None;
        }
        match std::mem::replace(&mut self.0, Progress::Done(None)) {
            Progress::Read(read) => Some(read.outcome()),
            Progress::Done(outcome) => outcome,
        }
    }
}

impl Read {
    fn outcome(self) -> RequestOutcome {
        let Read { body, mut moderator, incoming } = self;
        moderator.stop_anywhere();
        if let Some(verdict) = moderator.stop() {
            return RequestOutcome::Refused(Refused::Terminated(verdict.clone()));
        }
        let mut edits = moderator.edits_of(incoming);
        if edits.is_empty() { RequestOutcome::Untouched } else { RequestOutcome::Edited(apply(&body, &mut edits)) }
    }
}

const ARGS: Label = Label { kind: ChannelKind::Prompt, ..Label::args("arguments") };
const PAYLOAD: Label = payload_of(ANYTHING);

/// A payload if the `type` of the object that it is in has this name.
const fn payload_of(kind: &'static str) -> Label {
    Label::text(kind, ChannelKind::Prompt)
}

/// No `type` is asked for, where the field's own name says enough.
const ANYTHING: &str = "";

const ROOT: &[Row] = &[
    Row("model", Role::Inert),
    Row("previous_response_id", Role::Inert),
    Row("seed", Role::Inert),
    // Of the messages that are sent over a WebSocket.
    Row("type", Role::Inert),
    Row("event_id", Role::Inert),
    Row("item_id", Role::Inert),
    Row("previous_item_id", Role::Inert),
    Row("session.model", Role::Inert),
    Row("setup.model", Role::Inert),
    Row("audio", Role::Text(PAYLOAD)),
    Row("realtimeInput.audio.data", Role::Text(PAYLOAD)),
    Row("realtimeInput.video.data", Role::Text(PAYLOAD)),
    Row("realtimeInput.mediaChunks[].data", Role::Text(PAYLOAD)),
    Row("images[]", Role::Text(PAYLOAD)),
];

/// A turn of the conversation.
const TURN: &[Row] = &[
    Row("role", Role::Inert),
    Row("type", Role::Inert),
    Row("id", Role::Inert),
    Row("call_id", Role::Inert),
    Row("tool_call_id", Role::Inert),
    Row("tool_calls[].id", Role::Inert),
    Row("tool_calls[].type", Role::Inert),
    Row("tool_calls[].function.arguments", Role::Text(ARGS)),
    Row("function_call.arguments", Role::Text(ARGS)),
    Row("arguments", Role::Text(ARGS)),
    Row("images[]", Role::Text(PAYLOAD)),
    Row("result", Role::Text(payload_of("image_generation_call"))),
    Row("encrypted_content", Role::Text(PAYLOAD)),
];

/// A part of a turn.
const BLOCK: &[Row] = &[
    Row("type", Role::Inert),
    Row("id", Role::Inert),
    Row("tool_use_id", Role::Inert),
    Row("toolUse.toolUseId", Role::Inert),
    Row("toolResult.toolUseId", Role::Inert),
    Row("input", Role::Text(ARGS)),
    Row("toolUse.input", Role::Text(ARGS)),
    Row("functionCall.args", Role::Text(ARGS)),
    Row("function_call.args", Role::Text(ARGS)),
    Row("image_url", Role::Text(PAYLOAD)),
    Row("image_url.url", Role::Text(PAYLOAD)),
    Row("input_audio.data", Role::Text(PAYLOAD)),
    Row("audio", Role::Text(PAYLOAD)),
    Row("file_data", Role::Text(PAYLOAD)),
    Row("file.file_data", Role::Text(PAYLOAD)),
    Row("source.type", Role::Inert),
    Row("source.data", Role::Text(payload_of("base64"))),
    Row("image.source.bytes", Role::Text(PAYLOAD)),
    Row("document.source.bytes", Role::Text(PAYLOAD)),
    Row("video.source.bytes", Role::Text(PAYLOAD)),
    Row("inlineData.data", Role::Text(PAYLOAD)),
    Row("inline_data.data", Role::Text(PAYLOAD)),
    Row("data", Role::Text(payload_of("redacted_thinking"))),
    Row("signature", Role::Text(payload_of("thinking"))),
    Row("thoughtSignature", Role::Text(PAYLOAD)),
    Row("thought_signature", Role::Text(PAYLOAD)),
    Row("reasoningContent.reasoningText.signature", Role::Text(PAYLOAD)),
    Row("reasoningContent.redactedContent", Role::Text(PAYLOAD)),
];

/// The requests of OpenAI's APIs and those that follow them, of Anthropic, Gemini, Bedrock and Ollama, and the messages of
/// OpenAI's Realtime and Gemini's Live API: no two of them have fields of the same path that mean different things.
const REQUEST: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(ROOT).whole(),
        Group::all(TURN).whole().under("messages[]"),
        Group::all(TURN).whole().under("input[]"),
        Group::all(TURN).whole().under("contents[]"),
        Group::all(TURN).whole().under("item"),
        Group::all(TURN).whole().under("response.input[]"),
        Group::all(TURN).whole().under("clientContent.turns[]"),
        Group::all(TURN).whole().under("toolResponse.functionResponses[]"),
        Group::all(BLOCK).whole().under("system[]"),
        Group::all(BLOCK).whole().under("messages[].content[]"),
        Group::all(BLOCK).whole().under("messages[].content[].content[]"),
        Group::all(BLOCK).whole().under("messages[].content[].toolResult.content[]"),
        Group::all(BLOCK).whole().under("input[].content[]"),
        Group::all(BLOCK).whole().under("input[].output[]"),
        Group::all(BLOCK).whole().under("contents[].parts[]"),
        Group::all(BLOCK).whole().under("item.content[]"),
        Group::all(BLOCK).whole().under("response.input[].content[]"),
        Group::all(BLOCK).whole().under("clientContent.turns[].parts[]"),
    ],
};

/// Has the rules look at a body, and gives what checks watch to them.
fn read(policy: &Policy, body: Bytes, limits: Limits, observer: &mut dyn Observer) -> Result<Read, Refused> {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&REQUEST));
    // Places in a body count in `u32`.
    if body.len() > limits.event_bytes.min(u32::MAX as usize) {
        return Err(Refused::TooLarge);
    }
    let (mut tape, mut walked) = (Tape::default(), Walked::default());
    tape.read(&body)?;
    // No row tells elements apart, so none can have a bad index.
    TABLE.walk(&tape, &body, &mut Names::new(0), &mut walked).map_err(|_| Refused::NotJson)?;
    let limits = Limits { held_events: limits.held_events.max(MOST_TEXTS), ..limits };
    let mut moderator = Moderator::with_table(policy, &TABLE, &FilterOptions { limits, ..FilterOptions::default() });
    let (mut incoming, mut renamed) = (Incoming::new(&Event::new(body.clone())), Renamed::default());
    for found in &walked.found {
        let (span, coding) = text_of(&tape, &body, found);
        let place = span.start as u32..span.end as u32;
        if found.part == Part::Value
            && tape.node(found.node as usize).kind != Kind::Number
            && moderator.asks_about_prompts()
        {
            let text = &body[span];
            moderator.ask_about(found, ChannelKind::Prompt, coding, text, place, &mut incoming, observer)?;
            continue;
        }
        let Some(with) = moderator.own(ChannelKind::Prompt, coding, &body[span], observer) else {
            continue;
        };
        if let Some(verdict) = moderator.stop() {
            return Err(Refused::Terminated(verdict.clone()));
        }
        if found.part == Part::Key {
            renamed.note(found.node, incoming.edits.len());
        }
        incoming.edits.push(Edit { span: place, with });
    }
    renamed.tell_apart(&tape, &body, &mut incoming.edits);
    Ok(Read { body, moderator, incoming })
}

impl From<Failure> for Refused {
    /// More texts than a request may have.
    fn from(_: Failure) -> Refused {
        Refused::TooLarge
    }
}

/// Where a field's text is, and how it stands there.
fn text_of(tape: &Tape, body: &[u8], found: &Found) -> (Range<usize>, Coding) {
    let (span, coding) = found.own_text(tape, coding_of(found.role));
    let is_string = found.part == Part::Value && tape.node(found.node as usize).kind == Kind::String;
    match found.role {
        Role::Repeat(label) if is_string && label != ARGS && is_of_type(tape, body, found, label.name) => {
            let text = text_before_payload(&body[span.clone()]);
            (span.start..span.start + text, coding)
        }
        _ => (span, coding),
    }
}

/// Whether the object that a member is in has this `type`.
fn is_of_type(tape: &Tape, body: &[u8], found: &Found, kind: &str) -> bool {
    if kind == ANYTHING {
        return true;
    }
    let index = found.node as usize;
    let start = tape.node(index).span().start;
    let object = (0..index).rev().find(|&before| tape.node(before).span().end > start);
    let named = object.and_then(|object| tape.member(body, object, "type")).map(|named| tape.node(named));
    let mut name = Vec::new();
    if let Some(named) = named.filter(|named| named.kind == Kind::String) {
        unescape_into(&body[named.content()], &mut name);
    }
    name == kind.as_bytes()
}

/// How much of a string's raw content is text: what stands before the base64, or all of it if there is none.
fn text_before_payload(raw: &[u8]) -> usize {
    const MARK: &[u8] = b";base64,";
    let start = match raw.strip_prefix(b"data:") {
        Some(_) => memchr::memmem::find(raw, MARK).map_or(raw.len(), |mark| mark + MARK.len()),
        None => 0,
    };
    if is_base64(&raw[start..]) { start } else { raw.len() }
}

/// Whether raw string content is base64, in either alphabet. There are writers that escape `/` and `+`.
fn is_base64(raw: &[u8]) -> bool {
    let mut unescaped = Vec::new();
    let content = if memchr::memchr(b'\\', raw).is_some() {
        unescape_into(raw, &mut unescaped);
        &unescaped
    } else {
        raw
    };
    let padding = content.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let digits = &content[..content.len() - padding];
    digits.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'))
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        match refusal {
            Refusal::Syntax => Refused::NotJson,
            Refusal::TooDeep => Refused::TooDeep,
            Refusal::DuplicateKey => Refused::DuplicateKey,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Terminated(verdict) => {
                return write!(f, "the policy refuses the request (rule `{}`)", verdict.rule);
            }
            Refused::NotJson => "the request is not JSON",
            Refused::DuplicateKey => "an object of the request has a key twice",
            Refused::TooDeep => "the request is nested too deep",
            Refused::TooLarge => "the request is too large to be read",
            Refused::OtherContent => "the request's content type or coding cannot be read",
            Refused::CutOff => "the request broke off",
            Refused::OverQuota { quota, .. } => {
                return write!(f, "the caller has had all of its quota (`{quota}`)");
            }
            Refused::ShutDown => "the server had to stop before it had the whole request",
        })
    }
}
