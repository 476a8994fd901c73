//! Anthropic's Messages API, streamed and as a document.
//!
//! A stream is a sequence of content blocks, told apart by `index`: each begins with an event that may already hold
//! all of it (a search result does), and ends with one. Bedrock wraps the same events in frames.

use crate::policy::ChannelKind::{Reasoning, Text, ToolResult};
use crate::wire::grammar::{Account, Edits, Fault, Grammar, Members, ROOT, RequestFault, Said};
use crate::wire::rows::{Group, Label, Layout, Role, Row};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document,
    recognizes,
    // Some gateways append OpenAI's last word.
    is_end: |data| data == b"[DONE]",
    allows_comments: true,
    ends_with_a_word: true,
    splits: true,
    keeps: &[MESSAGE_START, BLOCK_START, BLOCK_STOP, MESSAGE_DELTA],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "refusal",
    stop,
    fault,
    stop_document,
    fault_document,
};

const MESSAGE_START: &str = "message_start";
const BLOCK_START: &str = "content_block_start";
const BLOCK_DELTA: &str = "content_block_delta";
const BLOCK_STOP: &str = "content_block_stop";
const MESSAGE_DELTA: &str = "message_delta";
const MESSAGE_STOP: &str = "message_stop";

const LAYOUT: Layout = Layout {
    kind: &["type"],
    indexes: [&["index"], &[]],
    groups: &[
        Group::all(&[Row("type", Role::Inert), Row("index", Role::Inert)]),
        Group::of(&[MESSAGE_START], &[Row("", Role::Begins)]),
        Group::of(&[MESSAGE_START], MESSAGE).under("message"),
        Group::of(&[MESSAGE_START], BLOCK).under("message.content[#]"),
        Group::of(&[BLOCK_START], &[Row("", Role::Choice)]),
        Group::of(&[BLOCK_START], BLOCK).under("content_block"),
        Group::of(&[BLOCK_DELTA], DELTA).under("delta"),
        Group::of(&[BLOCK_STOP], &[Row("", Role::Closes)]),
        Group::of(&[MESSAGE_DELTA], END),
        Group::of(&[MESSAGE_DELTA], END).under("delta"),
        Group::of(&[MESSAGE_STOP], &[Row("", Role::End), Row("amazon-bedrock-invocationMetrics.**", Role::Inert)]),
        Group::of(&["error"], ERROR),
    ],
};

const DOCUMENT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(MESSAGE),
        Group::all(END),
        Group::all(BLOCK).under("content[#]"),
        Group::all(&[Row("content[#]", Role::Choice)]),
        Group::all(ERROR),
    ],
};

const TEXT: Label = Label::text("text", Text);
const THINKING: Label = Label::text("thinking", Reasoning);
const INPUT: Label = Label::args("input");

const MESSAGE: &[Row] = &[
    Row("id", Role::Inert),
    Row("type", Role::Inert),
    Row("role", Role::Inert),
    Row("model", Role::Inert),
    Row("stop_reason", Role::Inert),
    Row("container.**", Role::Inert),
    Row("usage.**", Role::Usage),
];

/// A content block, or its beginning.
const BLOCK: &[Row] = &[
    Row("type", Role::Inert),
    Row("id", Role::Inert),
    Row("tool_use_id", Role::Inert),
    Row("server_name", Role::Own(Text)),
    Row("text", Role::Text(TEXT)),
    Row("thinking", Role::Text(THINKING)),
    Row("signature", Role::Seal(Reasoning)),
    // Thinking that was encrypted for safety.
    Row("data", Role::Seal(Reasoning)),
    Row("name", Role::Own(Text)),
    Row("input", Role::Call(INPUT)),
    // Results of tools that ran upstream come whole.
    Row("content.**", Role::Own(ToolResult)),
    Row("content[].encrypted_content", Role::Inert),
    Row("content[].content[].encrypted_content", Role::Inert),
    Row("citations[].**", Role::Own(Text)),
    Row("citations[].encrypted_index", Role::Inert),
];

const DELTA: &[Row] = &[
    Row("type", Role::Inert),
    Row("text", Role::Text(TEXT)),
    Row("thinking", Role::Text(THINKING)),
    Row("estimated_tokens", Role::Inert),
    Row("signature", Role::Seal(Reasoning)),
    Row("partial_json", Role::Text(INPUT)),
    // Its offsets are places in a document of the prompt's, not in the answer.
    Row("citation.**", Role::Own(Text)),
    Row("citation.encrypted_index", Role::Inert),
    // A summary of the conversation so far.
    Row("content", Role::Text(Label::text("compaction", Text))),
    Row("encrypted_content", Role::Seal(Text)),
];

const END: &[Row] = &[
    Row("stop_reason", Role::Reason),
    Row("stop_sequence", Role::Own(Text)),
    Row("stop_details.type", Role::Inert),
    Row("stop_details.category", Role::Inert),
    Row("stop_details.explanation", Role::Own(Text)),
    Row("container.**", Role::Inert),
    Row("context_management.**", Role::Inert),
    Row("usage.**", Role::Usage),
];

const ERROR: &[Row] = &[
    Row("error", Role::Error),
    Row("error.type", Role::Own(Text)),
    Row("error.message", Role::Own(Text)),
    Row("request_id", Role::Inert),
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
    let kinds = [MESSAGE_START, BLOCK_START, BLOCK_DELTA, BLOCK_STOP, MESSAGE_DELTA, MESSAGE_STOP, "ping"];
    let kind = event.string("type").unwrap_or(kind);
    kinds.iter().any(|known| known.as_bytes() == kind)
        || (kind == b"message" && event.has("content"))
        // OpenAI numbers its own.
        || (kind == b"error" && event.has("error.message") && !event.has("sequence_number"))
}

/// Ends the open block, and the message with a refusal.
fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let kept = |kind: &'static str| account.kept.iter().filter(move |kept| kept.kind == kind);
    kept(MESSAGE_START).next()?;
    let index = |text: &[u8]| Members::of(text).and_then(|block| block.number::<u32>("index"));
    let mut open: Vec<u32> = kept(BLOCK_START).filter_map(|start| index(&start.text)).collect();
    let closed: Vec<u32> = kept(BLOCK_STOP).filter_map(|stop| index(&stop.text)).collect();
    open.retain(|block| !closed.contains(block));

    let mut events: Vec<Said> = open
        .into_iter()
        .map(|index| Said::of(BLOCK_STOP, format!(r#"{{"type":"content_block_stop","index":{index}}}"#)))
        .collect();
    let is_refused = |text: &[u8]| Members::of(text)?.string("delta.stop_reason").map(|reason| reason == b"refusal");
    // Should the message have told another reason, a client takes the later one.
    if kept(MESSAGE_DELTA).next_back().and_then(|delta| is_refused(&delta.text)) != Some(true) {
        let told = account.usage.and_then(Members::of);
        let tokens = told.and_then(|usage| usage.number::<u64>("output_tokens")).unwrap_or(0);
        events.push(Said::of(
            MESSAGE_DELTA,
            format!(
                r#"{{"type":"message_delta","delta":{{"stop_reason":"refusal","stop_sequence":null}},"usage":{{"output_tokens":{tokens}}}}}"#
            ),
        ));
    }
    events.push(Said::of(MESSAGE_STOP, r#"{"type":"message_stop"}"#));
    Some(events)
}

fn fault(fault: Fault, _: &Account<'_>) -> Vec<Said> {
    vec![Said::of("error", fault_document(fault))]
}

/// Says `refusal`, and asks for no tool.
fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::of(body)?;
    edits.set(ROOT, "stop_reason", "\"refusal\"")?;
    let blocks = edits.member(ROOT, "content")?;
    edits.retain(blocks, |edits, block| edits.member(block, "input").is_none());
    Some(edits.apply())
}

fn fault_document(fault: Fault) -> Vec<u8> {
    let kind = match fault {
        Fault::TimedOut => "timeout_error",
        Fault::Request(RequestFault::TooLarge) => "request_too_large",
        Fault::Request(RequestFault::OverQuota) => "rate_limit_error",
        Fault::Request(_) => "invalid_request_error",
        _ => "api_error",
    };
    format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{}"}}}}"#, fault.message()).into_bytes()
}
