//! Amazon Bedrock's Converse API, streamed in frames and as a document.
//!
//! The content of a message is a sequence of blocks, told apart by `contentBlockIndex`. Some models begin a new one at
//! every token, so the texts of all blocks are one text, as they are to a reader; only calls are apart.

use crate::policy::ChannelKind::{Reasoning, Text, ToolResult};
use crate::wire::grammar::{Account, Edits, Fault, Grammar, Members, ROOT, Said};
use crate::wire::rows::{Group, Label, Layout, Role, Row};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document,
    recognizes,
    is_end: |_| false,
    allows_comments: false,
    ends_with_a_word: true,
    splits: true,
    keeps: &[MESSAGE_START],
    keeps_last: BLOCK_EVENTS,
    keeps_texts: false,
    stop_reason: STOP_REASON,
    stop,
    fault: |fault, _| vec![Said::data(fault_document(fault))],
    stop_document,
    fault_document,
};

pub(super) const STOP_REASON: &str = "content_filtered";
pub(super) const MESSAGE_START: &str = "messageStart";
pub(super) const BLOCK_START: &str = "contentBlockStart";
pub(super) const BLOCK_DELTA: &str = "contentBlockDelta";
pub(super) const BLOCK_STOP: &str = "contentBlockStop";
pub(super) const MESSAGE_STOP: &str = "messageStop";
pub(super) const METADATA: &str = "metadata";
/// The last of them tells which block is open.
pub(super) const BLOCK_EVENTS: &[&str] = &[BLOCK_START, BLOCK_DELTA, BLOCK_STOP];

const LAYOUT: Layout = Layout {
    kind: &[],
    // All of a stream is one choice.
    indexes: [&[], &["contentBlockIndex"]],
    groups: &[
        // `p` is random padding against guessing text from lengths.
        Group::all(&[Row("contentBlockIndex", Role::Inert), Row("p", Role::Inert)]),
        Group::of(&[MESSAGE_START], &[Row("", Role::Begins), Row("role", Role::Inert)]),
        Group::of(&[BLOCK_START, BLOCK_DELTA], &[Row("", Role::Choice)]),
        Group::of(&[BLOCK_START], START).under("start"),
        Group::of(&[BLOCK_DELTA], DELTA).under("delta"),
        Group::of(&[BLOCK_STOP], &[Row("", Role::Ends(INPUT))]),
        Group::of(&[MESSAGE_STOP], &[Row("", Role::Concludes), Row("stopReason", Role::Inert)]),
        Group::of(&[METADATA], ACCOUNTS),
        Group::of(&[METADATA], GUARDRAIL).under("trace.guardrail"),
    ],
};

const DOCUMENT: Layout = Layout {
    groups: &[
        Group::all(&[
            Row("stopReason", Role::Inert),
            Row("output.message.role", Role::Inert),
            Row("output.message.content[#]", Role::Choice),
        ]),
        Group::all(BLOCK).under("output.message.content[#]"),
        Group::all(ACCOUNTS),
        Group::all(GUARDRAIL).under("trace.guardrail"),
    ],
    kind: &[],
    indexes: [&[], &[]],
};

const TEXT: Label = Label::text("text", Text).of_choice();
const REASONING: Label = Label::text("reasoningContent", Reasoning).of_choice();
pub(super) const INPUT: Label = Label::args("input");
/// What a tool that ran upstream gave back.
const RESULT: Label = Label::text("toolResult", ToolResult);

pub(super) const START: &[Row] = &[
    Row("toolUse", Role::Call(INPUT)),
    Row("toolUse.toolUseId", Role::Inert),
    Row("toolUse.type", Role::Inert),
    Row("toolUse.name", Role::Own(Text)),
    Row("toolResult.toolUseId", Role::Inert),
    Row("toolResult.type", Role::Inert),
    Row("toolResult.status", Role::Inert),
    Row("image.format", Role::Inert),
];

pub(super) const DELTA: &[Row] = &[
    Row("text", Role::Text(TEXT)),
    Row("toolUse.input", Role::Text(INPUT)),
    Row("toolResult[].text", Role::Text(RESULT)),
    Row("toolResult[].json.**", Role::Own(ToolResult)),
    Row("reasoningContent.text", Role::Text(REASONING)),
    Row("reasoningContent.signature", Role::Seal(Reasoning)),
    // Thinking that was encrypted for safety.
    Row("reasoningContent.redactedContent", Role::Seal(Reasoning)),
    Row("citation.title", Role::Own(Text)),
    Row("citation.source", Role::Own(Text)),
    Row("citation.sourceContent[].text", Role::Own(Text)),
    // Places in documents of the prompt's, not in the answer.
    Row("citation.location.documentChar.**", Role::Inert),
    Row("citation.location.documentPage.**", Role::Inert),
    Row("citation.location.documentChunk.**", Role::Inert),
    Row("image.source.bytes", Role::Inert),
];

/// A content block of a document.
const BLOCK: &[Row] = &[
    Row("text", Role::Text(TEXT)),
    Row("toolUse.toolUseId", Role::Inert),
    Row("toolUse.type", Role::Inert),
    Row("toolUse.name", Role::Own(Text)),
    Row("toolUse.input", Role::Call(INPUT)),
    Row("toolResult.toolUseId", Role::Inert),
    Row("toolResult.type", Role::Inert),
    Row("toolResult.status", Role::Inert),
    Row("toolResult.content.**", Role::Own(ToolResult)),
    Row("reasoningContent.reasoningText.text", Role::Text(REASONING)),
    Row("reasoningContent.reasoningText.signature", Role::Seal(Reasoning)),
    Row("reasoningContent.redactedContent", Role::Seal(Reasoning)),
    Row("citationsContent.content[].text", Role::Text(TEXT)),
    Row("citationsContent.citations[].title", Role::Own(Text)),
    Row("citationsContent.citations[].source", Role::Own(Text)),
    Row("citationsContent.citations[].sourceContent[].text", Role::Own(Text)),
    Row("citationsContent.citations[].location.documentChar.**", Role::Inert),
    Row("citationsContent.citations[].location.documentPage.**", Role::Inert),
    Row("citationsContent.citations[].location.documentChunk.**", Role::Inert),
    Row("image.format", Role::Inert),
    Row("image.source.bytes", Role::Inert),
];

pub(super) const ACCOUNTS: &[Row] = &[
    Row("usage.**", Role::Usage),
    Row("metrics.**", Role::Inert),
    Row("trace.promptRouter.invokedModelId", Role::Inert),
    Row("performanceConfig.latency", Role::Inert),
    Row("serviceTier.type", Role::Inert),
];

/// What a guardrail of Bedrock's own has found, by the guardrail's id. It quotes what it has masked, and the answer as
/// it was before.
pub(super) const GUARDRAIL: &[Row] = &[
    Row("modelOutput[]", Role::Own(Text)),
    Row("actionReason", Role::Own(Text)),
    Row("inputAssessment.*.invocationMetrics.**", Role::Inert),
    Row("input.*.invocationMetrics.**", Role::Inert),
    Row("outputAssessments.*[].invocationMetrics.**", Role::Inert),
    Row("outputAssessments.*[].contextualGroundingPolicy.filters[].score", Role::Inert),
    Row("outputAssessments.*[].contextualGroundingPolicy.filters[].threshold", Role::Inert),
    Row("outputs[].*.invocationMetrics.**", Role::Inert),
    Row("outputs[].*.contextualGroundingPolicy.filters[].score", Role::Inert),
    Row("outputs[].*.contextualGroundingPolicy.filters[].threshold", Role::Inert),
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
    match kind {
        b"messageStart" => event.has("role"),
        b"contentBlockStart" | b"contentBlockDelta" | b"contentBlockStop" => event.has("contentBlockIndex"),
        b"messageStop" => event.has("stopReason"),
        b"metadata" => event.has("usage") || event.has("metrics"),
        _ => event.has("output.message.content") && event.has("stopReason"),
    }
}

/// Ends the open block, and the message as filtered.
fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    account.kept.iter().find(|kept| kept.kind == MESSAGE_START)?;
    let end = Said::of(MESSAGE_STOP, format!(r#"{{"stopReason":"{STOP_REASON}"}}"#));
    let close = |index| Said::of(BLOCK_STOP, format!(r#"{{"contentBlockIndex":{index}}}"#));
    Some(open_block(account, "contentBlockIndex").map(close).into_iter().chain([end]).collect())
}

/// The block of which the end has not left; `path` leads to its index.
pub(super) fn open_block(account: &Account<'_>, path: &str) -> Option<u32> {
    let last = account.kept.iter().rev().find(|kept| BLOCK_EVENTS.contains(&kept.kind))?;
    Members::of(&last.text).filter(|_| last.kind != BLOCK_STOP)?.number(path)
}

/// Says `content_filtered`, and asks for no tool.
pub(super) fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::of(body)?;
    edits.set(ROOT, "stopReason", &format!("\"{STOP_REASON}\""))?;
    let message = edits.member(edits.member(ROOT, "output")?, "message")?;
    let blocks = edits.member(message, "content")?;
    edits.retain(blocks, |edits, block| edits.member(block, "toolUse").is_none());
    Some(edits.apply())
}

pub(super) fn fault_document(fault: Fault) -> Vec<u8> {
    format!(r#"{{"message":"{}"}}"#, fault.message()).into_bytes()
}
