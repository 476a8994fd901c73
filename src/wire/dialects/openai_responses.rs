//! OpenAI's Responses API, streamed and as a document, as OpenAI, Azure and compatible servers send it.
//!
//! An answer is a list of items, told apart by `output_index`: messages, thoughts, calls of tools. A part of an item has
//! an index of its own. Everything is said at least four times: by deltas, when a text is done, when its part is, when
//! its item is, and when the answer is.

mod ending;

use super::openai_chat;
use crate::policy::ChannelKind::{Reasoning, Refusal, Text, ToolArgs, ToolResult};
use crate::wire::grammar::{Grammar, Members};
use crate::wire::rows::{Cites, Group, Label, Layout, Role, Row, Unit};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document,
    recognizes,
    // Compatible servers append the last word of chat completions.
    is_end: |data| data == b"[DONE]",
    ends_with_a_word: true,
    // Two events cannot have one number.
    splits: false,
    allows_comments: true,
    keeps: ending::KEEPS,
    keeps_last: &[],
    keeps_texts: true,
    stop_reason: "content_filter",
    stop: ending::stop,
    fault: ending::fault,
    stop_document: ending::stop_document,
    fault_document: openai_chat::fault_document,
};

const CREATED: &str = "response.created";
const IN_PROGRESS: &str = "response.in_progress";
const QUEUED: &str = "response.queued";
const ITEM_ADDED: &str = "response.output_item.added";
const ITEM_DONE: &str = "response.output_item.done";
const PART_ADDED: &str = "response.content_part.added";
const PART_DONE: &str = "response.content_part.done";
const SUMMARY_ADDED: &str = "response.reasoning_summary_part.added";
const SUMMARY_DONE: &str = "response.reasoning_summary_part.done";
/// vLLM's names for the parts of a thought.
const REASONING_ADDED: &str = "response.reasoning_part.added";
const REASONING_DONE: &str = "response.reasoning_part.done";
const ANNOTATION_ADDED: &str = "response.output_text.annotation.added";

/// Events that show the answer: before it, and behind it.
const BEGINNINGS: &[&str] = &[CREATED, IN_PROGRESS, QUEUED];
const ENDS: &[&str] = &["response.completed", "response.incomplete", "response.failed"];

const LAYOUT: Layout = Layout {
    kind: &["type"],
    indexes: [&["output_index"], &["content_index", "summary_index", "command_index"]],
    groups: &[
        Group::all(EVENT),
        Group::of(&[CREATED], &[Row("", Role::Begins)]),
        Group::of(BEGINNINGS, RESPONSE).under("response"),
        Group::of(&[ITEM_ADDED], &[Row("", Role::Choice)]),
        Group::of(&[ITEM_ADDED], CALLS),
        Group::of(&[ITEM_ADDED], ITEM).under("item"),
        Group::of(&[ITEM_ADDED], PART).under("item.content[#]"),
        Group::of(&[PART_ADDED, REASONING_ADDED], PART).under("part"),
        Group::of(&[SUMMARY_ADDED], SUMMARY_PART).under("part"),
        Group::of(&["response.output_text.delta"], &[Row("delta", Role::Text(TEXT))]),
        Group::of(&["response.output_text.delta"], LOGPROBS),
        Group::of(&["response.refusal.delta"], &[Row("delta", Role::Text(REFUSAL))]),
        Group::of(REASONING_DELTAS, &[Row("delta", Role::Text(REASONING)), Row("delta.text", Role::Text(REASONING))]),
        Group::of(SUMMARY_DELTAS, &[Row("delta", Role::Text(SUMMARY)), Row("delta.text", Role::Text(SUMMARY))]),
        Group::of(ARGUMENTS_DELTAS, &[Row("delta", Role::Text(ARGUMENTS))]),
        Group::of(&["response.custom_tool_call_input.delta"], &[Row("delta", Role::Text(INPUT))]),
        Group::of(CODE_DELTAS, &[Row("delta", Role::Text(CODE))]),
        Group::of(&["response.apply_patch_call_operation_diff.delta"], &[Row("delta", Role::Text(DIFF))]),
        Group::of(&["response.shell_call_command.added"], &[Row("command", Role::Text(COMMAND))]),
        Group::of(&["response.shell_call_command.delta"], &[Row("delta", Role::Text(COMMAND))]),
        Group::of(&["response.shell_call_output_content.delta"], SHELL_OUTPUT).under("delta"),
        Group::of(&["response.audio.transcript.delta"], &[Row("delta", Role::Text(TRANSCRIPT))]),
        Group::of(&["response.audio.delta"], &[Row("delta", Role::Inert)]),
        Group::of(&["response.image_generation_call.partial_image"], IMAGE),
        Group::of(&[ANNOTATION_ADDED], ANNOTATION).under("annotation"),
        Group::of(&["response.output_text.done"], &[Row("text", Role::Text(TEXT))]).whole(),
        Group::of(&["response.output_text.done"], LOGPROBS).whole(),
        Group::of(&["response.refusal.done"], &[Row("refusal", Role::Text(REFUSAL))]).whole(),
        Group::of(REASONING_DONES, &[Row("text", Role::Text(REASONING))]).whole(),
        Group::of(SUMMARY_DONES, &[Row("text", Role::Text(SUMMARY))]).whole(),
        Group::of(ARGUMENTS_DONES, &[Row("arguments", Role::Text(ARGUMENTS)), Row("name", Role::Own(Text))]).whole(),
        Group::of(&["response.custom_tool_call_input.done"], &[Row("input", Role::Text(INPUT))]).whole(),
        Group::of(CODE_DONES, &[Row("code", Role::Text(CODE))]).whole(),
        Group::of(&["response.apply_patch_call_operation_diff.done"], &[Row("diff", Role::Text(DIFF))]).whole(),
        Group::of(&["response.shell_call_command.done"], &[Row("command", Role::Text(COMMAND))]).whole(),
        Group::of(&["response.shell_call_output_content.done"], SHELL_OUTPUT).under("output[]").whole(),
        Group::of(&[PART_DONE, REASONING_DONE], PART).under("part").whole(),
        Group::of(&[SUMMARY_DONE], SUMMARY_PART).under("part").whole(),
        Group::of(&[SUMMARY_DONE], &[Row("status", Role::Inert)]),
        Group::of(&[ITEM_DONE], &[Row("", Role::Closes)]),
        Group::of(&[ITEM_DONE], ITEM).under("item").whole(),
        Group::of(&[ITEM_DONE], PART).under("item.content[#]").whole(),
        Group::of(ENDS, &[Row("", Role::End), Row("copilot_usage.**", Role::Inert)]),
        Group::of(ENDS, RESPONSE).under("response"),
        Group::of(ENDS, ITEM).under("response.output[#]").whole(),
        Group::of(ENDS, PART).under("response.output[#].content[#]").whole(),
        Group::of(&["error"], &[Row("", Role::Error)]),
    ],
};

const DOCUMENT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(RESPONSE),
        Group::all(ITEM).under("output[#]"),
        Group::all(PART).under("output[#].content[#]"),
        Group::all(&[Row("output[#]", Role::Choice)]),
    ],
};

/// OpenAI's names, and those that it began with.
const REASONING_DELTAS: &[&str] = &["response.reasoning_text.delta", "response.reasoning.delta"];
const REASONING_DONES: &[&str] = &["response.reasoning_text.done", "response.reasoning.done"];
const SUMMARY_DELTAS: &[&str] = &["response.reasoning_summary_text.delta", "response.reasoning_summary.delta"];
const SUMMARY_DONES: &[&str] = &["response.reasoning_summary_text.done", "response.reasoning_summary.done"];
const ARGUMENTS_DELTAS: &[&str] = &[
    "response.function_call_arguments.delta",
    "response.mcp_call_arguments.delta",
    "response.mcp_call.arguments.delta",
];
const ARGUMENTS_DONES: &[&str] =
    &["response.function_call_arguments.done", "response.mcp_call_arguments.done", "response.mcp_call.arguments.done"];
const CODE_DELTAS: &[&str] =
    &["response.code_interpreter_call_code.delta", "response.code_interpreter_call.code.delta"];
const CODE_DONES: &[&str] = &["response.code_interpreter_call_code.done", "response.code_interpreter_call.code.done"];

const TEXT: Label = Label::text("text", Text).cited_in(Unit::CodePoints);
const REFUSAL: Label = Label::text("refusal", Refusal);
const REASONING: Label = Label::text("reasoning_text", Reasoning);
const SUMMARY: Label = Label::text("summary_text", Reasoning);
const TRANSCRIPT: Label = Label::text("transcript", Text);
const ARGUMENTS: Label = Label::args("arguments");
/// Free text, in whatever grammar the tool asks for.
const INPUT: Label = Label::text("input", ToolArgs);
const CODE: Label = Label::text("code", ToolArgs);
const DIFF: Label = Label::text("diff", ToolArgs);
const COMMAND: Label = Label::text("command", ToolArgs);
const STDOUT: Label = Label::text("stdout", ToolResult);
const STDERR: Label = Label::text("stderr", ToolResult);

const EVENT: &[Row] = &[
    Row("type", Role::Inert),
    Row("sequence_number", Role::Sequence),
    Row("response_id", Role::Inert),
    Row("stream_id", Role::Inert),
    Row("item_id", Role::Inert),
    Row("output_index", Role::Inert),
    Row("content_index", Role::Inert),
    Row("summary_index", Role::Inert),
    Row("command_index", Role::Inert),
    Row("annotation_index", Role::Inert),
    // Random padding against guessing text from lengths.
    Row("obfuscation", Role::Inert),
    // Some servers send the error of chat completions.
    Row("error", Role::Error),
    Row("error.message", Role::Own(Text)),
    Row("error.type", Role::Own(Text)),
    Row("error.code", Role::Own(Text)),
    Row("error.param", Role::Own(Text)),
];

/// The answer, with what was asked of it.
const RESPONSE: &[Row] = &[
    Row("id", Role::Inert),
    Row("object", Role::Inert),
    Row("created_at", Role::Inert),
    Row("completed_at", Role::Inert),
    Row("status", Role::Inert),
    Row("background", Role::Inert),
    Row("model", Role::Inert),
    Row("error", Role::Error),
    Row("error.code", Role::Own(Text)),
    Row("error.message", Role::Own(Text)),
    Row("incomplete_details.reason", Role::Inert),
    Row("output", Role::Inert),
    // All of the output's text, once more.
    Row("output_text", Role::Own(Text)),
    Row("instructions.**", Role::Request),
    Row("metadata.**", Role::Request),
    Row("prompt.**", Role::Request),
    Row("text.**", Role::Request),
    Row("tool_choice.**", Role::Request),
    Row("tools.**", Role::Request),
    Row("conversation.id", Role::Inert),
    Row("frequency_penalty", Role::Inert),
    Row("image.**", Role::Inert),
    Row("input_transformations.**", Role::Inert),
    Row("max_output_tokens", Role::Inert),
    Row("max_tool_calls", Role::Inert),
    Row("parallel_tool_calls", Role::Inert),
    Row("presence_penalty", Role::Inert),
    Row("previous_response_id", Role::Inert),
    Row("prompt_cache_diagnostics.**", Role::Inert),
    Row("prompt_cache_key", Role::Inert),
    Row("prompt_cache_options.**", Role::Inert),
    Row("prompt_cache_retention", Role::Inert),
    Row("reasoning.effort", Role::Inert),
    Row("reasoning.summary", Role::Inert),
    Row("reasoning.generate_summary", Role::Inert),
    Row("reasoning.context", Role::Inert),
    Row("reasoning.mode", Role::Inert),
    Row("safety_identifier", Role::Request),
    Row("service_tier", Role::Inert),
    Row("store", Role::Inert),
    Row("temperature", Role::Inert),
    Row("top_logprobs", Role::Inert),
    Row("top_p", Role::Inert),
    Row("truncation", Role::Inert),
    Row("user", Role::Request),
    Row("moderation.**", Role::Inert),
    // Azure's; its offsets are too coarse to be wrong by a cut.
    Row("content_filters.**", Role::Inert),
    Row("tool_usage.**", Role::Inert),
    Row("usage.**", Role::Usage),
];

/// Items that a client acts upon, or shows as calls.
const CALLS: &[Row] = &[
    Row("item{type=function_call}", Role::Call(ARGUMENTS)),
    Row("item{type=custom_tool_call}", Role::Call(INPUT)),
    Row("item{type=tool_search_call}", Role::Call(ARGUMENTS)),
    Row("item{type=mcp_approval_request}", Role::Call(ARGUMENTS)),
    Row("item{type=mcp_call}", Role::Call(ARGUMENTS)),
    Row("item{type=code_interpreter_call}", Role::Call(CODE)),
    Row("item{type=shell_call}", Role::Call(COMMAND)),
    Row("item{type=apply_patch_call}", Role::Call(DIFF)),
];

/// An item, but for the parts of its content.
const ITEM: &[Row] = &[
    Row("type", Role::Inert),
    Row("id", Role::Inert),
    Row("status", Role::Inert),
    Row("role", Role::Inert),
    Row("phase", Role::Inert),
    Row("created_by", Role::Inert),
    // Thoughts.
    Row("summary[#].type", Role::Inert),
    Row("summary[#].text", Role::Text(SUMMARY)),
    Row("encrypted_content", Role::Seal(Reasoning)),
    // Whose encryption that is.
    Row("format", Role::Inert),
    // Calls.
    Row("call_id", Role::Inert),
    Row("caller.type", Role::Inert),
    Row("caller.caller_id", Role::Inert),
    Row("execution", Role::Inert),
    Row("namespace", Role::Own(Text)),
    Row("name", Role::Own(Text)),
    Row("arguments", Role::Text(ARGUMENTS)),
    Row("input", Role::Text(INPUT)),
    Row("code", Role::Text(CODE)),
    Row("fingerprint", Role::Inert),
    Row("operation.type", Role::Inert),
    Row("operation.path", Role::Own(ToolArgs)),
    Row("operation.diff", Role::Text(DIFF)),
    Row("action.**", Role::Own(ToolArgs)),
    Row("action.type", Role::Inert),
    Row("action.commands[#]", Role::Text(COMMAND)),
    Row("action.sources[].type", Role::Inert),
    Row("action.sources[].**", Role::Own(ToolResult)),
    Row("actions[].type", Role::Inert),
    Row("actions[].**", Role::Own(ToolArgs)),
    Row("queries[]", Role::Own(ToolArgs)),
    Row("pending_safety_checks[].id", Role::Inert),
    Row("pending_safety_checks[].code", Role::Inert),
    Row("server_label", Role::Inert),
    Row("approval_request_id", Role::Inert),
    Row("container_id", Role::Inert),
    Row("environment.type", Role::Inert),
    Row("environment.container_id", Role::Inert),
    Row("max_output_length", Role::Inert),
    // Results.
    Row("error.**", Role::Own(ToolResult)),
    Row("output", Role::Own(ToolResult)),
    Row("output[#].**", Role::Own(ToolResult)),
    Row("output[#].type", Role::Inert),
    Row("output[#].stdout", Role::Text(STDOUT)),
    Row("output[#].stderr", Role::Text(STDERR)),
    Row("output[#].outcome.type", Role::Inert),
    Row("outputs[].**", Role::Own(ToolResult)),
    Row("outputs[].type", Role::Inert),
    Row("results[].**", Role::Own(ToolResult)),
    Row("results[].file_id", Role::Inert),
    Row("results[].vector_store_id", Role::Inert),
    Row("tools.**", Role::Own(ToolResult)),
    Row("tools[].type", Role::Inert),
    Row("result", Role::Own(ToolResult)),
    // An image in base64.
    Row("{type=image_generation_call}.result", Role::Inert),
    Row("revised_prompt", Role::Own(ToolArgs)),
    Row("background", Role::Inert),
    Row("output_format", Role::Inert),
    Row("quality", Role::Inert),
    Row("size", Role::Inert),
    Row("svg_usage.**", Role::Inert),
];

/// A part of an item's content.
const PART: &[Row] = &[
    Row("type", Role::Inert),
    Row("text", Role::Text(TEXT)),
    Row("{type=reasoning_text}.text", Role::Text(REASONING)),
    Row("refusal", Role::Text(REFUSAL)),
    Row("transcript", Role::Text(TRANSCRIPT)),
    // Sound cannot be redacted by its text.
    Row("data", Role::Inert),
    Row("annotations[]", Role::Citation(TEXT)),
    Row("annotations[].type", Role::Inert),
    Row("annotations[].file_id", Role::Inert),
    Row("annotations[].container_id", Role::Inert),
    Row("annotations[].index", Role::Cites(Cites::Place)),
    Row("annotations[].start_index", Role::Cites(Cites::Start)),
    Row("annotations[].end_index", Role::Cites(Cites::End)),
    Row("annotations[].filename", Role::Own(Text)),
    Row("annotations[].title", Role::Own(Text)),
    Row("annotations[].url", Role::Own(Text)),
    Row("logprobs", Role::Side),
    Row("logprobs[].token", Role::Token(TEXT)),
    Row("logprobs[].logprob", Role::Inert),
    Row("logprobs[].bytes", Role::TokenBytes(TEXT)),
    Row("logprobs[].top_logprobs[].token", Role::Own(Text)),
    Row("logprobs[].top_logprobs[].logprob", Role::Inert),
    Row("logprobs[].top_logprobs[].bytes", Role::OwnBytes(Text)),
];

const SUMMARY_PART: &[Row] = &[Row("type", Role::Inert), Row("text", Role::Text(SUMMARY))];

/// What a stretch of the text refers to, or a place in it.
const ANNOTATION: &[Row] = &[
    Row("", Role::Citation(TEXT)),
    Row("type", Role::Inert),
    Row("file_id", Role::Inert),
    Row("container_id", Role::Inert),
    Row("index", Role::Cites(Cites::Place)),
    Row("start_index", Role::Cites(Cites::Start)),
    Row("end_index", Role::Cites(Cites::End)),
    Row("filename", Role::Own(Text)),
    Row("title", Role::Own(Text)),
    Row("url", Role::Own(Text)),
];

const LOGPROBS: &[Row] = &[
    Row("logprobs", Role::Side),
    Row("logprobs[].token", Role::Token(TEXT)),
    Row("logprobs[].logprob", Role::Inert),
    Row("logprobs[].bytes", Role::TokenBytes(TEXT)),
    Row("logprobs[].top_logprobs[].token", Role::Own(Text)),
    Row("logprobs[].top_logprobs[].logprob", Role::Inert),
    Row("logprobs[].top_logprobs[].bytes", Role::OwnBytes(Text)),
];

const SHELL_OUTPUT: &[Row] = &[
    Row("stdout", Role::Text(STDOUT)),
    Row("stderr", Role::Text(STDERR)),
    Row("outcome.type", Role::Inert),
    Row("created_by", Role::Inert),
];

const IMAGE: &[Row] = &[
    Row("partial_image_b64", Role::Inert),
    Row("partial_image_index", Role::Inert),
    Row("background", Role::Inert),
    Row("output_format", Role::Inert),
    Row("quality", Role::Inert),
    Row("size", Role::Inert),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn document() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&DOCUMENT));
    &TABLE
}

fn recognizes(kind: &[u8], event: &Members<'_>) -> bool {
    let kind = event.string("type").unwrap_or(kind);
    // The Realtime API has events of the same names.
    let is_event = kind.starts_with(b"response.") && !event.has("event_id");
    let is_error = kind == b"error" && event.has("sequence_number");
    is_event || is_error || (event.string("object") == Some(b"response") && event.has("output"))
}
