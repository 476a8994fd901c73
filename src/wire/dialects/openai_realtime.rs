//! OpenAI's Realtime API, as OpenAI, Azure and xAI speak it over a WebSocket: what the server sends, and what the client
//! does.
//!
//! A connection has any number of answers, and items of a conversation with names; what the user says is transcribed
//! while an answer is under way. Sound passes as it is: what can be moderated of it is its transcript. An error concerns
//! one event of the client's, and the session goes on.

mod ending;

use super::openai_chat;
use crate::policy::ChannelKind::{Text, ToolArgs, ToolResult};
use crate::wire::grammar::{Grammar, Members};
use crate::wire::rows::{Group, Label, Layout, Role, Row};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document: table,
    recognizes,
    is_end: |_| false,
    allows_comments: false,
    // It is complete wherever no answer is under way.
    ends_with_a_word: false,
    splits: false,
    keeps: ending::KEEPS,
    keeps_last: ending::KEEPS,
    keeps_texts: true,
    stop_reason: "content_filter",
    stop: ending::stop,
    fault: ending::fault,
    stop_document: |_| None,
    fault_document: openai_chat::fault_document,
};

const CREATED: &str = "response.created";
const DONE: &str = "response.done";
const ITEM_ADDED: &str = "response.output_item.added";
const ITEM_DONE: &str = "response.output_item.done";
const PART_ADDED: &str = "response.content_part.added";
const PART_DONE: &str = "response.content_part.done";

/// OpenAI's names, and those of its beta, which Azure has kept.
const TEXT_DELTAS: &[&str] = &["response.output_text.delta", "response.text.delta"];
const TEXT_DONES: &[&str] = &["response.output_text.done", "response.text.done"];
const TRANSCRIPT_DELTAS: &[&str] = &["response.output_audio_transcript.delta", "response.audio_transcript.delta"];
const TRANSCRIPT_DONES: &[&str] = &["response.output_audio_transcript.done", "response.audio_transcript.done"];
const ARGUMENTS_DELTAS: &[&str] = &["response.function_call_arguments.delta", "response.mcp_call_arguments.delta"];
const ARGUMENTS_DONES: &[&str] = &["response.function_call_arguments.done", "response.mcp_call_arguments.done"];

/// Events that show an item as it is so far.
const ITEMS_SO_FAR: &[&str] = &[
    "conversation.item.added",
    "conversation.item.created",
    "conversation.item.create",
    "conversation.item.retrieved",
];
const SESSIONS: &[&str] = &["session.created", "session.updated", "session.update"];
const HEARD: &str = "conversation.item.input_audio_transcription.completed";

const LAYOUT: Layout = Layout {
    kind: &["type"],
    // An item of its own, or an answer.
    indexes: [&["item_id", "item.id", "response.id"], &["content_index"]],
    groups: &[
        Group::all(EVENT),
        // A session without an answer is a whole one.
        Group::of(&["session.created"], &[Row("", Role::Closes)]),
        Group::of(SESSIONS, &[Row("session.id", Role::Inert), Row("session.**", Role::Request)]),
        Group::of(&[CREATED], &[Row("", Role::Choice)]),
        Group::of(&[CREATED, DONE], RESPONSE).under("response"),
        Group::of(&[DONE], &[Row("", Role::Closes), Row("usage.**", Role::Inert)]),
        Group::of(&[DONE], ITEM).under("response.output[]").whole(),
        Group::of(&[ITEM_ADDED], &[Row("", Role::Choice)]),
        Group::of(&[ITEM_ADDED], CALLS),
        Group::of(&[ITEM_ADDED], ITEM).under("item"),
        Group::of(&[ITEM_DONE], &[Row("", Role::Closes)]),
        Group::of(&[ITEM_DONE], ITEM).under("item").whole(),
        Group::of(ITEMS_SO_FAR, ITEM_SO_FAR).under("item"),
        Group::of(ITEMS_SO_FAR, USERS_ITEM).under("item{role=user}"),
        Group::of(ITEMS_SO_FAR, USERS_ITEM).under("item{role=system}"),
        Group::of(&["conversation.item.done"], ITEM).under("item").whole(),
        Group::of(&["conversation.item.done"], USERS_ITEM).under("item{role=user}"),
        Group::of(&["conversation.item.done"], USERS_ITEM).under("item{role=system}"),
        Group::of(&["conversation.created"], &[Row("conversation.id", Role::Inert)]),
        Group::of(&["conversation.created"], &[Row("conversation.object", Role::Inert)]),
        Group::of(&[PART_ADDED], PART).under("part"),
        // xAI's name.
        Group::of(&[PART_ADDED], PART).under("content"),
        Group::of(&[PART_DONE], PART).under("part").whole(),
        Group::of(&[PART_DONE], PART).under("content").whole(),
        Group::of(TEXT_DELTAS, &[Row("delta", Role::Text(TEXT))]),
        Group::of(TEXT_DONES, &[Row("text", Role::Text(TEXT))]).whole(),
        Group::of(TRANSCRIPT_DELTAS, &[Row("delta", Role::Text(TRANSCRIPT))]),
        Group::of(TRANSCRIPT_DONES, &[Row("transcript", Role::Text(TRANSCRIPT))]).whole(),
        Group::of(&["response.output_audio.delta", "response.audio.delta"], SOUND),
        Group::of(ARGUMENTS_DELTAS, &[Row("delta", Role::Text(ARGUMENTS))]),
        Group::of(ARGUMENTS_DONES, &[Row("arguments", Role::Text(ARGUMENTS)), Row("name", Role::Own(Text))]).whole(),
        Group::of(&["conversation.item.input_audio_transcription.delta"], HEARING),
        Group::of(&["conversation.item.input_audio_transcription.segment"], SEGMENT),
        Group::of(&[HEARD], &[Row("", Role::Ends(SEGMENTS)), Row("usage.**", Role::Inert)]),
        Group::of(&[HEARD], &[Row("status", Role::Inert), Row("transcript", Role::Text(HEARD_TEXT))]).whole(),
        Group::of(&["conversation.item.input_audio_transcription.failed"], &[Row("", Role::Ends(HEARD_TEXT))]),
        // Translations have one text each way, as long as the session.
        Group::of(&["session.input_transcript.delta"], &[Row("delta", Role::Text(HEARD_TEXT))]),
        Group::of(&["session.output_transcript.delta"], &[Row("delta", Role::Text(TRANSCRIPT))]),
        Group::of(&["session.output_audio.delta"], SOUND),
        Group::of(&["session.closed"], &[Row("", Role::Closes)]),
        Group::of(&["rate_limits.updated"], RATE_LIMITS).under("rate_limits[]"),
        // What the client sends.
        Group::of(&["input_audio_buffer.append", "session.input_audio_buffer.append"], &[Row("audio", Role::Inert)]),
    ],
};

const TEXT: Label = Label::text("text", Text);
const TRANSCRIPT: Label = Label::text("transcript", Text);
const ARGUMENTS: Label = Label::args("arguments");
/// What the user says.
const HEARD_TEXT: Label = Label::text("heard", Text);
const SEGMENTS: Label = Label::text("segments", Text);

const EVENT: &[Row] = &[
    Row("type", Role::Inert),
    Row("event_id", Role::Inert),
    Row("response_id", Role::Inert),
    Row("item_id", Role::Inert),
    Row("previous_item_id", Role::Inert),
    Row("call_id", Role::Inert),
    Row("output_index", Role::Inert),
    Row("content_index", Role::Inert),
    Row("audio_start_ms", Role::Inert),
    Row("audio_end_ms", Role::Inert),
    // xAI's.
    Row("latency", Role::Inert),
    Row("rid", Role::Inert),
    Row("ts", Role::Inert),
    Row("timestamp", Role::Inert),
    Row("start_time", Role::Inert),
    Row("audio_duration_ms", Role::Inert),
    Row("elapsed_ms", Role::Inert),
    // Random padding against guessing text from lengths.
    Row("obfuscation", Role::Inert),
    Row("error.type", Role::Own(Text)),
    Row("error.code", Role::Own(Text)),
    Row("error.message", Role::Own(Text)),
    Row("error.param", Role::Own(Text)),
    Row("error.event_id", Role::Inert),
];

const RESPONSE: &[Row] = &[
    Row("id", Role::Inert),
    Row("object", Role::Inert),
    Row("conversation_id", Role::Inert),
    Row("status", Role::Inert),
    Row("status_details.type", Role::Inert),
    Row("status_details.reason", Role::Inert),
    Row("status_details.error.type", Role::Own(Text)),
    Row("status_details.error.code", Role::Own(Text)),
    Row("status_details.error.message", Role::Own(Text)),
    Row("output", Role::Inert),
    Row("metadata.**", Role::Request),
    Row("audio.**", Role::Request),
    Row("voice.**", Role::Request),
    Row("max_output_tokens", Role::Inert),
    Row("modalities[]", Role::Inert),
    Row("output_modalities[]", Role::Inert),
    Row("output_audio_format", Role::Inert),
    Row("temperature", Role::Inert),
    Row("usage.**", Role::Usage),
];

/// Items that a client acts upon, or shows as calls.
const CALLS: &[Row] = &[
    Row("item{type=function_call}", Role::Call(ARGUMENTS)),
    Row("item{type=mcp_call}", Role::Call(ARGUMENTS)),
    Row("item{type=mcp_approval_request}", Role::Call(ARGUMENTS)),
];

const ITEM: &[Row] = &[
    Row("id", Role::Inert),
    Row("object", Role::Inert),
    Row("type", Role::Inert),
    Row("status", Role::Inert),
    Row("role", Role::Inert),
    Row("call_id", Role::Inert),
    Row("name", Role::Own(Text)),
    Row("arguments", Role::Text(ARGUMENTS)),
    Row("output", Role::Own(ToolResult)),
    Row("server_label", Role::Inert),
    Row("approval_request_id", Role::Inert),
    Row("tools.**", Role::Own(ToolResult)),
    Row("error.**", Role::Own(ToolResult)),
    Row("content[#].type", Role::Inert),
    Row("content[#].text", Role::Text(TEXT)),
    Row("content[#].transcript", Role::Text(TRANSCRIPT)),
    Row("content[#].audio", Role::Inert),
];

/// An item whose texts are yet to come, or were said elsewhere.
const ITEM_SO_FAR: &[Row] = &[
    Row("id", Role::Inert),
    Row("object", Role::Inert),
    Row("type", Role::Inert),
    Row("status", Role::Inert),
    Row("role", Role::Inert),
    Row("call_id", Role::Inert),
    Row("name", Role::Own(Text)),
    Row("arguments", Role::Own(ToolArgs)),
    Row("output", Role::Own(ToolResult)),
    Row("server_label", Role::Inert),
    Row("approval_request_id", Role::Inert),
    Row("tools.**", Role::Own(ToolResult)),
    Row("error.**", Role::Own(ToolResult)),
    Row("content[#].type", Role::Inert),
    Row("content[#].text", Role::Own(Text)),
    Row("content[#].transcript", Role::Own(Text)),
    Row("content[#].audio", Role::Inert),
];

/// What the user has said in writing, or who set it all up.
const USERS_ITEM: &[Row] = &[
    Row("content[#].text", Role::Request),
    Row("content[#].transcript", Role::Own(Text)),
    Row("content[#].image_url", Role::Inert),
    Row("content[#].detail", Role::Inert),
];

const PART: &[Row] = &[
    Row("type", Role::Inert),
    Row("text", Role::Text(TEXT)),
    Row("transcript", Role::Text(TRANSCRIPT)),
    Row("audio", Role::Inert),
];

const SOUND: &[Row] = &[
    Row("delta", Role::Inert),
    Row("format", Role::Inert),
    Row("channels", Role::Inert),
    Row("sample_rate", Role::Inert),
];

const HEARING: &[Row] = &[
    Row("delta", Role::Text(HEARD_TEXT)),
    Row("logprobs", Role::Side),
    Row("logprobs[].token", Role::Token(HEARD_TEXT)),
    Row("logprobs[].logprob", Role::Inert),
    Row("logprobs[].bytes", Role::TokenBytes(HEARD_TEXT)),
];

const SEGMENT: &[Row] = &[
    Row("id", Role::Inert),
    Row("text", Role::Text(SEGMENTS)),
    Row("speaker", Role::Inert),
    Row("start", Role::Inert),
    Row("end", Role::Inert),
];

const RATE_LIMITS: &[Row] = &[
    Row("name", Role::Inert),
    Row("limit", Role::Inert),
    Row("remaining", Role::Inert),
    Row("reset_seconds", Role::Inert),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn recognizes(kind: &[u8], event: &Members<'_>) -> bool {
    let kind = event.string("type").unwrap_or(kind);
    let of_client = ["session.update", "conversation.item.create", "input_audio_buffer.append"];
    let beginnings = [&b"session."[..], b"conversation.", b"response.", b"input_audio_buffer."];
    let is_of_server = event.has("event_id") && beginnings.iter().any(|beginning| kind.starts_with(beginning));
    is_of_server || of_client.iter().any(|known| known.as_bytes() == kind)
}
