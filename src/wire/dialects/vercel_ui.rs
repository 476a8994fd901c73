//! The UI message stream of Vercel's AI SDK (`x-vercel-ai-ui-message-stream: v1`).
//!
//! The parts of a message are told apart by `id`, its tool calls by `toolCallId`. Providers count their parts anew in
//! each step, so an id may come again.

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
    is_end: |data| data == b"[DONE]",
    allows_comments: true,
    ends_with_a_word: true,
    splits: true,
    keeps: &[TEXT_START, TEXT_END, REASONING_START, REASONING_END],
    keeps_last: &[START_STEP, FINISH_STEP],
    keeps_texts: false,
    stop_reason: "content-filter",
    stop,
    fault,
    stop_document: |_| None,
    fault_document,
};

const START_STEP: &str = "start-step";
const FINISH_STEP: &str = "finish-step";
const TEXT_START: &str = "text-start";
const TEXT_DELTA: &str = "text-delta";
const TEXT_END: &str = "text-end";
const REASONING_START: &str = "reasoning-start";
const REASONING_DELTA: &str = "reasoning-delta";
const REASONING_END: &str = "reasoning-end";
const INPUT_START: &str = "tool-input-start";
const INPUT_DELTA: &str = "tool-input-delta";
const INPUT_AVAILABLE: &str = "tool-input-available";
const INPUT_ERROR: &str = "tool-input-error";
const OUTPUT_AVAILABLE: &str = "tool-output-available";

const LAYOUT: Layout = Layout {
    kind: &["type"],
    indexes: [&["id", "toolCallId"], &[]],
    groups: &[
        Group::all(ANY),
        Group::of(&[TEXT_START], &[Row("", Role::Starts(TEXT))]),
        Group::of(&[TEXT_DELTA], &[Row("", Role::Choice), Row("delta", Role::Text(TEXT))]),
        Group::of(&[TEXT_END], &[Row("", Role::Ends(TEXT))]),
        Group::of(&[REASONING_START], &[Row("", Role::Starts(REASONING))]),
        Group::of(&[REASONING_DELTA], &[Row("", Role::Choice), Row("delta", Role::Text(REASONING))]),
        Group::of(&[REASONING_END], &[Row("", Role::Ends(REASONING))]),
        Group::of(&[INPUT_START], &[Row("", Role::Call(INPUT))]),
        Group::of(&[INPUT_DELTA], &[Row("", Role::Choice), Row("inputTextDelta", Role::Text(INPUT))]),
        Group::of(&[INPUT_AVAILABLE, INPUT_ERROR], &[Row("input", Role::Text(INPUT))]).whole(),
        Group::of(&[INPUT_ERROR], &[Row("errorText", Role::Own(ToolResult))]),
        Group::of(&[OUTPUT_AVAILABLE], &[Row("output.**", Role::Own(ToolResult)), Row("preliminary", Role::Inert)]),
        Group::of(&["tool-output-error"], &[Row("errorText", Role::Own(ToolResult))]),
        Group::of(&["file"], &[Row("mediaType", Role::Inert)]),
        Group::of(&["source-url", "source-document"], &[Row("sourceId", Role::Inert), Row("mediaType", Role::Inert)]),
        Group::of(&["start"], &[Row("messageId", Role::Inert)]),
        Group::of(&["finish"], &[Row("", Role::End), Row("finishReason", Role::Inert)]),
        // The message is brought to its end after an error, but not after an abort.
        Group::of(&["error"], &[Row("errorText", Role::Own(Text))]),
        Group::of(&["abort"], &[Row("", Role::Error), Row("reason", Role::Own(Text))]),
    ],
};

const TEXT: Label = Label::text("text", Text);
const REASONING: Label = Label::text("reasoning", Reasoning);
const INPUT: Label = Label::args("input");

const ANY: &[Row] = &[
    Row("type", Role::Inert),
    Row("id", Role::Inert),
    Row("toolCallId", Role::Inert),
    Row("toolName", Role::Own(Text)),
    Row("approvalId", Role::Inert),
    Row("dynamic", Role::Inert),
    Row("providerExecuted", Role::Inert),
    Row("providerMetadata.openai.itemId", Role::Inert),
    Row("providerMetadata.openai.reasoningEncryptedContent", Role::Seal(Reasoning)),
    Row("providerMetadata.anthropic.signature", Role::Seal(Reasoning)),
    Row("providerMetadata.anthropic.redactedData", Role::Seal(Reasoning)),
    Row("providerMetadata.google.thoughtSignature", Role::SealAll),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn recognizes(_: &[u8], event: &Members<'_>) -> bool {
    match event.string("type").unwrap_or_default() {
        b"start" | b"start-step" | b"finish-step" => true,
        b"text-start" | b"text-delta" | b"reasoning-start" | b"reasoning-delta" => event.has("id"),
        b"tool-input-start" | b"tool-input-available" => event.has("toolCallId"),
        b"error" => event.has("errorText"),
        kind => kind.starts_with(b"data-") && event.has("data"),
    }
}

/// Ends what is open, the step and the message.
fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let last_step = account.kept.iter().rev().find(|kept| matches!(kept.kind, START_STEP | FINISH_STEP));
    let mut said = Vec::new();
    for (start, end) in [(REASONING_START, REASONING_END), (TEXT_START, TEXT_END)] {
        said.extend(
            account
                .open(start, end, "id")
                .map(|id| Said::data([&b"{\"type\":\""[..], end.as_bytes(), b"\",\"id\":", &id, b"}"].concat())),
        );
    }
    if last_step.is_some_and(|step| step.kind == START_STEP) {
        said.push(Said::data(r#"{"type":"finish-step"}"#));
    }
    said.push(Said::data(r#"{"type":"finish","finishReason":"content-filter"}"#));
    said.push(Said::data("[DONE]"));
    account.first.as_ref().map(|_| said)
}

fn fault(fault: Fault, _: &Account<'_>) -> Vec<Said> {
    vec![Said::data(fault_document(fault))]
}

fn fault_document(fault: Fault) -> Vec<u8> {
    format!(r#"{{"type":"error","errorText":"{}"}}"#, fault.message()).into_bytes()
}
