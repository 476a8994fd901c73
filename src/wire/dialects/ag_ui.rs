//! The AG-UI protocol between agents and their user interfaces.
//!
//! Messages are told apart by `messageId`, tool calls by `toolCallId`. The events ending in `_CHUNK` may leave out both:
//! what they carry goes on where the chunk before it was.

use crate::policy::ChannelKind::{Reasoning, Text, ToolResult};
use crate::wire::grammar::{Account, Fault, Grammar, Members, Said};
use crate::wire::rows::{Group, Label, Layout, Role, Row};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document: table,
    recognizes,
    is_end: |_| false,
    allows_comments: true,
    ends_with_a_word: true,
    splits: true,
    keeps: &[TEXT_START, TEXT_END],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "content_filter",
    stop,
    fault,
    stop_document: |_| None,
    fault_document,
};

const TEXT_START: &str = "TEXT_MESSAGE_START";
const TEXT_END: &str = "TEXT_MESSAGE_END";

const LAYOUT: Layout = Layout {
    kind: &["type"],
    indexes: [&["messageId", "toolCallId", "entityId"], &[]],
    groups: &[
        Group::all(ANY),
        Group::of(&["RUN_STARTED"], &[Row("", Role::Begins)]),
        Group::of(&["RUN_FINISHED"], &[Row("", Role::End), Row("outcome.type", Role::Inert)]),
        Group::of(&["RUN_ERROR"], &[Row("", Role::Error), Row("message", Role::Own(Text))]),
        Group::of(&[TEXT_START], &[Row("", Role::Starts(TEXT))]),
        Group::of(&["TEXT_MESSAGE_CONTENT"], &[Row("", Role::Choice), Row("delta", Role::Text(TEXT))]),
        Group::of(&[TEXT_END], &[Row("", Role::Ends(TEXT))]),
        Group::of(&["TEXT_MESSAGE_CHUNK"], &[Row("delta", Role::Text(TEXT_CHUNKS))]),
        Group::of(&["REASONING_MESSAGE_START"], &[Row("", Role::Starts(REASONING))]),
        Group::of(&["REASONING_MESSAGE_CONTENT"], &[Row("", Role::Choice), Row("delta", Role::Text(REASONING))]),
        Group::of(&["REASONING_MESSAGE_END"], &[Row("", Role::Ends(REASONING))]),
        Group::of(&["REASONING_MESSAGE_CHUNK"], &[Row("delta", Role::Text(REASONING_CHUNKS))]),
        Group::of(&["REASONING_ENCRYPTED_VALUE"], &[Row("encryptedValue", Role::SealAll), Row("subtype", Role::Inert)]),
        // The older names.
        Group::of(&["THINKING_TEXT_MESSAGE_START"], &[Row("", Role::Starts(REASONING))]),
        Group::of(&["THINKING_TEXT_MESSAGE_CONTENT"], &[Row("", Role::Choice), Row("delta", Role::Text(REASONING))]),
        Group::of(&["THINKING_TEXT_MESSAGE_END"], &[Row("", Role::Ends(REASONING))]),
        Group::of(&["TOOL_CALL_START"], &[Row("", Role::Call(ARGS)), Row("toolCallName", Role::Own(Text))]),
        Group::of(&["TOOL_CALL_ARGS"], &[Row("", Role::Choice), Row("delta", Role::Text(ARGS))]),
        Group::of(&["TOOL_CALL_END"], &[Row("", Role::Ends(ARGS))]),
        Group::of(&["TOOL_CALL_CHUNK"], &[Row("", Role::Call(ARGS_CHUNKS)), Row("delta", Role::Text(ARGS_CHUNKS))]),
        Group::of(&["TOOL_CALL_RESULT"], &[Row("content", Role::Own(ToolResult))]),
        Group::of(&["STATE_DELTA"], &[Row("delta[].op", Role::Inert)]),
        Group::of(&["ACTIVITY_DELTA"], &[Row("patch[].op", Role::Inert)]),
        Group::of(&["MESSAGES_SNAPSHOT"], MESSAGE).under("messages[]"),
    ],
};

const TEXT: Label = Label::text("text", Text);
const TEXT_CHUNKS: Label = Label::text("text_chunks", Text).of_stream();
const REASONING: Label = Label::text("reasoning", Reasoning);
const REASONING_CHUNKS: Label = Label::text("reasoning_chunks", Reasoning).of_stream();
const ARGS: Label = Label::args("args");
const ARGS_CHUNKS: Label = Label::args("args_chunks").of_stream();
const WHOLE_ARGS: Label = Label::args("whole_args");

const ANY: &[Row] = &[
    Row("type", Role::Inert),
    Row("timestamp", Role::Inert),
    // The event of the model's own API, as it came.
    Row("rawEvent", Role::Side),
    Row("threadId", Role::Inert),
    Row("runId", Role::Inert),
    Row("parentRunId", Role::Inert),
    Row("messageId", Role::Inert),
    Row("toolCallId", Role::Inert),
    Row("parentMessageId", Role::Inert),
    Row("entityId", Role::Inert),
    Row("role", Role::Inert),
];

/// A message of the conversation so far.
const MESSAGE: &[Row] = &[
    Row("id", Role::Inert),
    Row("role", Role::Inert),
    Row("content", Role::Own(Text)),
    Row("toolCallId", Role::Inert),
    Row("toolCalls[].id", Role::Inert),
    Row("toolCalls[].type", Role::Inert),
    Row("toolCalls[].function.name", Role::Own(Text)),
    Row("toolCalls[].function.arguments", Role::Repeat(WHOLE_ARGS)),
    Row("encryptedValue", Role::SealAll),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn recognizes(_: &[u8], event: &Members<'_>) -> bool {
    match event.string("type").unwrap_or_default() {
        b"RUN_STARTED" | b"RUN_FINISHED" => event.has("runId"),
        b"RUN_ERROR" => event.has("message"),
        b"STATE_SNAPSHOT" => event.has("snapshot"),
        b"MESSAGES_SNAPSHOT" => event.has("messages"),
        kind => {
            let families = [&b"TEXT_MESSAGE_"[..], b"TOOL_CALL_", b"REASONING_", b"THINKING_"];
            families.iter().any(|family| kind.starts_with(family))
        }
    }
}

/// Ends the open messages, and the run with an error: it has no other end that says why.
fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    account.first.as_ref()?;
    let end = |id: Vec<u8>| Said::data([&b"{\"type\":\"TEXT_MESSAGE_END\",\"messageId\":"[..], &id, b"}"].concat());
    let open = account.open(TEXT_START, TEXT_END, "messageId").map(end);
    Some(open.chain(fault(Fault::Stopped, account)).collect())
}

fn fault(fault: Fault, _: &Account<'_>) -> Vec<Said> {
    vec![Said::data(fault_document(fault))]
}

fn fault_document(fault: Fault) -> Vec<u8> {
    format!(r#"{{"type":"RUN_ERROR","message":"{}","code":"{}"}}"#, fault.message(), fault.code()).into_bytes()
}
