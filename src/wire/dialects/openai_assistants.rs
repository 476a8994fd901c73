//! OpenAI's Assistants API: the runs of a thread, streamed, and their objects as documents.
//!
//! The framing names the kind of an event; its data is the object that it is about, told apart by its id: a run, a step
//! of it, a message.

use super::openai_chat;
use crate::policy::ChannelKind::{Refusal, Text, ToolArgs, ToolResult};
use crate::wire::grammar::{Account, Grammar, Members, Said, object};
use crate::wire::rows::{Cites, Group, Label, Layout, Role, Row, Unit};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document,
    recognizes,
    is_end: |data| data == b"[DONE]",
    allows_comments: true,
    ends_with_a_word: true,
    splits: false,
    keeps: KEEPS,
    keeps_last: KEEPS,
    keeps_texts: true,
    stop_reason: "",
    stop,
    fault: |fault, _| vec![Said::of("error", openai_chat::fault_document(fault))],
    stop_document: |_| None,
    fault_document: openai_chat::fault_document,
};

const MESSAGE_CREATED: &str = "thread.message.created";
const MESSAGE_COMPLETED: &str = "thread.message.completed";
const MESSAGE_INCOMPLETE: &str = "thread.message.incomplete";
const RUN_CREATED: &str = "thread.run.created";
const RUN_QUEUED: &str = "thread.run.queued";
const RUN_IN_PROGRESS: &str = "thread.run.in_progress";

/// Runs, steps and messages follow one another.
const KEEPS: &[&str] =
    &[RUN_CREATED, RUN_QUEUED, RUN_IN_PROGRESS, MESSAGE_CREATED, MESSAGE_COMPLETED, MESSAGE_INCOMPLETE];

const RUNS: &[&str] = &[RUN_CREATED, RUN_QUEUED, RUN_IN_PROGRESS, "thread.run.cancelling"];
/// Behind them comes nothing but the last word.
const RUNS_ENDS: &[&str] = &[
    "thread.run.completed",
    "thread.run.requires_action",
    "thread.run.incomplete",
    "thread.run.failed",
    "thread.run.cancelled",
    "thread.run.expired",
];
const STEPS: &[&str] = &["thread.run.step.created", "thread.run.step.in_progress"];
const STEPS_ENDS: &[&str] =
    &["thread.run.step.completed", "thread.run.step.failed", "thread.run.step.cancelled", "thread.run.step.expired"];

const LAYOUT: Layout = Layout {
    kind: &[],
    indexes: [&["id"], &[]],
    groups: &[
        Group::all(OBJECT),
        Group::of(RUNS, RUN),
        Group::of(RUNS_ENDS, RUN).whole(),
        Group::of(RUNS_ENDS, &[Row("", Role::Concludes), Row("last_error", Role::Error)]),
        Group::of(STEPS, STEP),
        Group::of(STEPS, CALL).under("step_details.tool_calls[#]"),
        Group::of(STEPS_ENDS, STEP),
        Group::of(STEPS_ENDS, CALL).under("step_details.tool_calls[#]").whole(),
        Group::of(STEPS_ENDS, &[Row("", Role::Closes)]),
        Group::of(&["thread.run.step.delta"], STEP).under("delta"),
        Group::of(&["thread.run.step.delta"], CALL).under("delta.step_details.tool_calls[#]"),
        Group::of(&["thread.run.step.delta"], HEADS).under("delta.step_details.tool_calls[#]"),
        Group::of(&[MESSAGE_CREATED], &[Row("", Role::Choice)]),
        Group::of(&[MESSAGE_CREATED, "thread.message.in_progress"], MESSAGE),
        Group::of(&["thread.message.delta"], &[Row("role", Role::Inert)]).under("delta"),
        Group::of(&["thread.message.delta"], CONTENT).under("delta.content[#]"),
        Group::of(&[MESSAGE_COMPLETED, MESSAGE_INCOMPLETE], &[Row("", Role::Closes)]),
        Group::of(&[MESSAGE_COMPLETED, MESSAGE_INCOMPLETE], MESSAGE),
        Group::of(&[MESSAGE_COMPLETED, MESSAGE_INCOMPLETE], CONTENT).under("content[#]").whole(),
        Group::of(&["error"], &[Row("", Role::Error)]),
    ],
};

const DOCUMENT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(OBJECT),
        Group::all(RUN),
        Group::all(STEP),
        Group::all(CALL).under("step_details.tool_calls[#]"),
        Group::all(MESSAGE),
        Group::all(CONTENT).under("content[#]"),
        // A page of messages.
        Group::all(&[Row("first_id", Role::Inert), Row("last_id", Role::Inert), Row("data", Role::Inert)]),
        Group::all(OBJECT).under("data[#]"),
        Group::all(MESSAGE).under("data[#]"),
        Group::all(CONTENT).under("data[#].content[#]"),
    ],
};

const TEXT: Label = Label::text("text", Text).cited_in(Unit::CodePoints);
const REFUSAL: Label = Label::text("refusal", Refusal);
const ARGUMENTS: Label = Label::args("arguments");
const CODE: Label = Label::text("code", ToolArgs);

/// What every object has.
const OBJECT: &[Row] = &[
    Row("id", Role::Inert),
    Row("object", Role::Inert),
    Row("type", Role::Inert),
    Row("status", Role::Inert),
    Row("assistant_id", Role::Inert),
    Row("thread_id", Role::Inert),
    Row("run_id", Role::Inert),
    Row("created_at", Role::Inert),
    Row("started_at", Role::Inert),
    Row("expires_at", Role::Inert),
    Row("completed_at", Role::Inert),
    Row("incomplete_at", Role::Inert),
    Row("cancelled_at", Role::Inert),
    Row("failed_at", Role::Inert),
    Row("incomplete_details.reason", Role::Inert),
    Row("last_error.code", Role::Inert),
    Row("last_error.message", Role::Own(Text)),
    Row("metadata.**", Role::Request),
    Row("usage.**", Role::Usage),
    Row("error", Role::Error),
];

const RUN: &[Row] = &[
    Row("model", Role::Inert),
    Row("instructions", Role::Request),
    Row("tools.**", Role::Request),
    Row("tools[].type", Role::Inert),
    Row("tool_choice.**", Role::Request),
    Row("response_format.**", Role::Request),
    Row("tool_resources.**", Role::Inert),
    Row("truncation_strategy.type", Role::Inert),
    Row("truncation_strategy.last_messages", Role::Inert),
    Row("reasoning_effort", Role::Inert),
    Row("max_completion_tokens", Role::Inert),
    Row("max_prompt_tokens", Role::Inert),
    Row("parallel_tool_calls", Role::Inert),
    Row("temperature", Role::Inert),
    Row("top_p", Role::Inert),
    Row("required_action.type", Role::Inert),
    Row("required_action.submit_tool_outputs.tool_calls[].id", Role::Inert),
    Row("required_action.submit_tool_outputs.tool_calls[].type", Role::Inert),
    Row("required_action.submit_tool_outputs.tool_calls[].function.name", Role::Own(Text)),
    Row("required_action.submit_tool_outputs.tool_calls[].function.arguments", Role::Text(ARGUMENTS)),
];

const STEP: &[Row] = &[
    Row("expired_at", Role::Inert),
    Row("step_details.type", Role::Inert),
    Row("step_details.message_creation.message_id", Role::Inert),
];

/// Calls as a delta begins them.
const HEADS: &[Row] =
    &[Row("{type=function}", Role::Call(ARGUMENTS)), Row("{type=code_interpreter}", Role::Call(CODE))];

const CALL: &[Row] = &[
    Row("index", Role::Inert),
    Row("id", Role::Inert),
    Row("type", Role::Inert),
    Row("function.name", Role::Own(Text)),
    Row("function.arguments", Role::Text(ARGUMENTS)),
    Row("function.output", Role::Own(ToolResult)),
    Row("code_interpreter.input", Role::Text(CODE)),
    Row("code_interpreter.outputs[].index", Role::Inert),
    Row("code_interpreter.outputs[].type", Role::Inert),
    Row("code_interpreter.outputs[].logs", Role::Own(ToolResult)),
    Row("code_interpreter.outputs[].image.file_id", Role::Inert),
    Row("file_search.**", Role::Own(ToolResult)),
    Row("file_search.ranking_options.ranker", Role::Inert),
    Row("file_search.results[].file_id", Role::Inert),
    Row("file_search.results[].content[].type", Role::Inert),
];

const MESSAGE: &[Row] = &[
    Row("role", Role::Inert),
    Row("content", Role::Inert),
    Row("attachments[].file_id", Role::Inert),
    Row("attachments[].tools[].type", Role::Inert),
];

const CONTENT: &[Row] = &[
    Row("index", Role::Inert),
    Row("type", Role::Inert),
    Row("text.value", Role::Text(TEXT)),
    Row("text.annotations[]", Role::Citation(TEXT)),
    Row("text.annotations[].index", Role::Inert),
    Row("text.annotations[].type", Role::Inert),
    Row("text.annotations[].start_index", Role::Cites(Cites::Start)),
    Row("text.annotations[].end_index", Role::Cites(Cites::End)),
    Row("text.annotations[].text", Role::Excerpt(TEXT)),
    Row("text.annotations[].file_citation.file_id", Role::Inert),
    Row("text.annotations[].file_citation.quote", Role::Own(Text)),
    Row("text.annotations[].file_path.file_id", Role::Inert),
    Row("refusal", Role::Text(REFUSAL)),
    Row("image_file.file_id", Role::Inert),
    Row("image_file.detail", Role::Inert),
    Row("image_url.url", Role::Inert),
    Row("image_url.detail", Role::Inert),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn document() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&DOCUMENT));
    &TABLE
}

fn recognizes(_: &[u8], event: &Members<'_>) -> bool {
    let object = event.string("object").unwrap_or_default();
    object == b"thread" || object.starts_with(b"thread.")
}

/// The open message is incomplete, and so is its run.
fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let last = |kinds: &[&str]| account.kept.iter().rev().find(|kept| kinds.contains(&kept.kind));
    let run = Members::of(&last(&[RUN_CREATED, RUN_QUEUED, RUN_IN_PROGRESS])?.text)?;
    let created = last(&[MESSAGE_CREATED]).and_then(|created| Members::of(&created.text));
    let closed = last(&[MESSAGE_COMPLETED, MESSAGE_INCOMPLETE]).and_then(|closed| Members::of(&closed.text));
    let is_open =
        |message: &Members<'_>| closed.as_ref().is_none_or(|closed| closed.value("id") != message.value("id"));
    let mut said = Vec::new();
    if let Some(message) = created.filter(is_open) {
        let content = content(account);
        said.push(Said::of(MESSAGE_INCOMPLETE, incomplete(&message, Some(("content", &content)))));
    }
    said.push(Said::of("thread.run.incomplete", incomplete(&run, account.usage.map(|usage| ("usage", usage)))));
    said.push(Said::of("done", "[DONE]"));
    Some(said)
}

/// An object like this one, which the policy has stopped.
fn incomplete(like: &Members<'_>, with: Option<(&str, &[u8])>) -> Vec<u8> {
    let own: [(&str, &[u8]); 2] =
        [("status", b"\"incomplete\""), ("incomplete_details", br#"{"reason":"content_filter"}"#)];
    let is_told = |key: &str| own.iter().chain(&with).any(|(name, _)| *name == key);
    object(like.entries().filter(|(key, _)| !is_told(key)).chain(own).chain(with))
}

/// What has left of the open message.
fn content(account: &Account<'_>) -> Vec<u8> {
    let open = account.open_choices.iter().max();
    let texts = account.texts.iter().filter(|left| Some(&left.choice) == open && left.name == TEXT.name);
    let part =
        |escaped: &[u8]| [&br#"{"type":"text","text":{"value":""#[..], escaped, br#"","annotations":[]}}"#].concat();
    let mut parts: Vec<_> = texts.map(|left| (left.item, part(left.escaped))).collect();
    parts.sort();
    let parts: Vec<Vec<u8>> = parts.into_iter().map(|(_, part)| part).collect();
    [b"[", &parts.join(&b","[..])[..], b"]"].concat()
}
