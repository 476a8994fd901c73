//! Cohere's chat API, version 2, streamed and as a document.
//!
//! A message is a plan, content blocks (thoughts and text) and tool calls, each told apart by `index`; citations have an
//! index of their own and name the block that they speak of.

use crate::policy::ChannelKind::{Reasoning, Text, ToolResult};
use crate::wire::grammar::{Account, Edits, Fault, Grammar, Members, ROOT, Said, object};
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
    splits: true,
    keeps: &[MESSAGE_START, CONTENT_START, CONTENT_END, CALL_START, CALL_END],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "ERROR",
    stop,
    fault,
    stop_document,
    fault_document,
};

const MESSAGE_START: &str = "message-start";
const CONTENT_START: &str = "content-start";
const CONTENT_DELTA: &str = "content-delta";
const CONTENT_END: &str = "content-end";
const PLAN_DELTA: &str = "tool-plan-delta";
const CALL_START: &str = "tool-call-start";
const CALL_DELTA: &str = "tool-call-delta";
const CALL_END: &str = "tool-call-end";
const CITATION_START: &str = "citation-start";
const CITATION_END: &str = "citation-end";
const MESSAGE_END: &str = "message-end";

const LAYOUT: Layout = Layout {
    kind: &["type"],
    indexes: [&["index"], &[]],
    groups: &[
        Group::all(&[Row("type", Role::Inert), Row("index", Role::Inert), Row("id", Role::Inert)]),
        Group::of(&[MESSAGE_START], &[Row("", Role::Begins)]),
        Group::of(&[MESSAGE_START], &[Row("role", Role::Inert)]).under("delta.message"),
        Group::of(&[CONTENT_START], &[Row("", Role::Choice)]),
        Group::of(&[CONTENT_START, CONTENT_DELTA], CONTENT).under("delta.message.content"),
        Group::of(&[CONTENT_END], &[Row("", Role::Closes)]),
        Group::of(&[MESSAGE_START, PLAN_DELTA], &[Row("tool_plan", Role::Text(PLAN))]).under("delta.message"),
        // A call leaves the plan behind.
        Group::of(&[CALL_START, CALL_DELTA], &[Row("", Role::Choice)]),
        Group::of(&[CALL_START, CALL_DELTA], CALL).under("delta.message.tool_calls"),
        Group::of(&[CALL_START], &[Row("", Role::Call(ARGUMENTS))]).under("delta.message.tool_calls"),
        Group::of(&[CALL_END], &[Row("", Role::Closes)]),
        Group::of(&[CITATION_START], CITATION).under("delta.message.citations"),
        Group::of(&[CITATION_START], CITATION).under("delta.message.citations[]"),
        Group::of(&[MESSAGE_END], END),
        Group::of(&[MESSAGE_END], &[Row("", Role::End)]),
        Group::all(&[Row("logprobs", Role::Side), Row("logprobs.token_ids.**", Role::Inert)]),
        Group::all(&[Row("logprobs.logprobs.**", Role::Inert)]),
        Group::all(&[Row("logprobs.text", Role::Echo(Label::text("logprobs", Text)))]),
    ],
};

const DOCUMENT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(&[
            Row("id", Role::Inert),
            Row("finish_reason", Role::Inert),
            Row("usage.**", Role::Usage),
            Row("message", Role::Choice),
            Row("message.role", Role::Inert),
            Row("message.tool_plan", Role::Text(PLAN)),
            Row("message.tool_calls[#]", Role::Call(ARGUMENTS)),
            Row("logprobs", Role::Side),
            Row("logprobs[].token_ids.**", Role::Inert),
            Row("logprobs[].logprobs.**", Role::Inert),
        ]),
        Group::all(CONTENT).under("message.content[#]"),
        Group::all(CALL).under("message.tool_calls[#]"),
        Group::all(CITATION).under("message.citations[]"),
    ],
};

const TEXT: Label = Label::text("text", Text).cited_in(Unit::CodePoints);
const THINKING: Label = Label::text("thinking", Reasoning).cited_in(Unit::CodePoints);
const PLAN: Label = Label::text("tool_plan", Reasoning).cited_in(Unit::CodePoints);
const ARGUMENTS: Label = Label::args("arguments");

/// A content block, its beginning, or a delta of it.
const CONTENT: &[Row] =
    &[Row("type", Role::Inert), Row("text", Role::Text(TEXT)), Row("thinking", Role::Text(THINKING))];

const CALL: &[Row] = &[
    Row("id", Role::Inert),
    Row("type", Role::Inert),
    Row("function.name", Role::Own(Text)),
    Row("function.arguments", Role::Text(ARGUMENTS)),
];

/// A citation of what the model was given, beside a stretch of what it says.
const CITATION: &[Row] = &[
    Row("", Role::Citation(TEXT)),
    Row("start", Role::Cites(Cites::Start)),
    Row("end", Role::Cites(Cites::End)),
    Row("content_index", Role::Cites(Cites::Choice)),
    Row("text", Role::Excerpt(TEXT)),
    // The text may be a plan as well, or a thought.
    Row("type", Role::Inert),
    Row("sources[].type", Role::Inert),
    Row("sources[].id", Role::Inert),
    Row("sources[].document.**", Role::Own(ToolResult)),
    Row("sources[].tool_output.**", Role::Own(ToolResult)),
];

const END: &[Row] =
    &[Row("delta.finish_reason", Role::Inert), Row("delta.error", Role::Own(Text)), Row("delta.usage.**", Role::Usage)];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn document() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&DOCUMENT));
    &TABLE
}

fn recognizes(kind: &[u8], event: &Members<'_>) -> bool {
    let kinds = [
        MESSAGE_START,
        CONTENT_START,
        CONTENT_DELTA,
        CONTENT_END,
        PLAN_DELTA,
        CALL_START,
        CALL_DELTA,
        CALL_END,
        CITATION_START,
        CITATION_END,
        MESSAGE_END,
    ];
    let kind = event.string("type").unwrap_or(kind);
    kinds.iter().any(|known| known.as_bytes() == kind)
        || (event.has("message.role") && event.has("finish_reason") && !event.has("choices"))
}

/// Ends what is open, and the message with an error: there is no other reason for an end that was not its own.
fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let kept = |kind: &'static str| account.kept.iter().filter(move |kept| kept.kind == kind);
    kept(MESSAGE_START).next()?;
    let index = |text: &[u8]| Members::of(text).and_then(|block| block.number::<u32>("index"));
    let mut events = Vec::new();
    for (start, end) in [(CONTENT_START, CONTENT_END), (CALL_START, CALL_END)] {
        let closed: Vec<u32> = kept(end).filter_map(|end| index(&end.text)).collect();
        let open = kept(start).filter_map(|start| index(&start.text)).filter(|open| !closed.contains(open));
        events.extend(open.map(|index| Said::of(end, format!(r#"{{"type":"{end}","index":{index}}}"#))));
    }
    events.extend(failed(Fault::Stopped, account));
    Some(events)
}

fn fault(fault: Fault, account: &Account<'_>) -> Vec<Said> {
    failed(fault, account).to_vec()
}

/// A message that has ended with an error, and the last word.
fn failed(fault: Fault, account: &Account<'_>) -> [Said; 2] {
    let error = format!("\"{}\"", fault.message());
    let usage = account.usage.map(|usage| ("usage", usage));
    let delta = object([("finish_reason", &b"\"ERROR\""[..]), ("error", error.as_bytes())].into_iter().chain(usage));
    let end = object([("type", &b"\"message-end\""[..]), ("delta", &delta)]);
    [Said::of(MESSAGE_END, end), Said::data("[DONE]")]
}

/// Says `ERROR`, and calls no tool.
fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::of(body)?;
    edits.set(ROOT, "finish_reason", "\"ERROR\"")?;
    let message = edits.member(ROOT, "message")?;
    let _absent = edits.set(message, "tool_calls", "[]");
    Some(edits.apply())
}

fn fault_document(fault: Fault) -> Vec<u8> {
    format!(r#"{{"message":"{}"}}"#, fault.message()).into_bytes()
}
