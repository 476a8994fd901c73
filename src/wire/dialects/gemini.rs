//! Gemini's `generateContent` and `streamGenerateContent`, of the Gemini API and of Vertex AI.
//!
//! A stream is an event stream (`alt=sse`) or one array of the same objects; both are a response piece by piece, and the
//! document that is not streamed is one such object. The texts of a candidate's parts go on from event to event, thoughts
//! apart from the answer. Nothing but events may stand in a stream: a client fails at a comment.

use crate::policy::ChannelKind::{Reasoning, Text, ToolArgs, ToolResult};
use crate::wire::Failure;
use crate::wire::grammar::{Account, Edits, Fault, Grammar, Members, RequestFault, Said, object};
use crate::wire::rows::{Cites, Group, Label, Layout, Role, Row, Unit};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document: table,
    recognizes,
    is_end: |_| false,
    allows_comments: false,
    ends_with_a_word: false,
    splits: true,
    keeps: &[],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "SAFETY",
    stop,
    fault: |fault, _| vec![Said::data(fault_document(fault))],
    stop_document,
    fault_document,
};

const LAYOUT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(ROOT),
        Group::all(SAFETY_RATING).under("promptFeedback.safetyRatings[]"),
        Group::all(CANDIDATE).under("candidates[#]"),
        Group::all(SAFETY_RATING).under("candidates[#].safetyRatings[]"),
        Group::all(PART).under("candidates[#].content.parts[]"),
        Group::all(&[Row("text", Role::Text(TEXT))]).under("candidates[#].content.parts[]"),
        Group::all(PART).under("candidates[#].content.parts[?thought]"),
        Group::all(&[Row("text", Role::Text(THOUGHTS))]).under("candidates[#].content.parts[?thought]"),
        Group::all(CITATION).under("candidates[#].citationMetadata.citations[]"),
        // The Gemini API's name for them.
        Group::all(CITATION).under("candidates[#].citationMetadata.citationSources[]"),
        Group::all(GROUNDING).under("candidates[#].groundingMetadata"),
    ],
};

const TEXT: Label = Label::text("text", Text).cited_in(Unit::Bytes);
const THOUGHTS: Label = Label::text("thoughts", Reasoning);
const ARGS: Label = Label::args("args");
/// One string of arguments that come in pieces.
const PARTIAL_ARG: Label = Label::text("partialArgs", ToolArgs);

const ROOT: &[Row] = &[
    Row("candidates", Role::Inert),
    Row("responseId", Role::Inert),
    Row("modelVersion", Role::Inert),
    Row("createTime", Role::Inert),
    // A prompt that was refused has no other answer.
    Row("promptFeedback.blockReason", Role::End),
    Row("promptFeedback.blockReasonMessage", Role::Own(Text)),
    Row("usageMetadata.**", Role::Usage),
    Row("usageMetadata.serviceTier", Role::Inert),
    Row("usageMetadata.trafficType", Role::Inert),
    Row("usageMetadata.promptTokensDetails[].modality", Role::Inert),
    Row("usageMetadata.candidatesTokensDetails[].modality", Role::Inert),
    Row("usageMetadata.cacheTokensDetails[].modality", Role::Inert),
    Row("usageMetadata.toolUsePromptTokensDetails[].modality", Role::Inert),
    Row("error", Role::Error),
    Row("error.code", Role::Inert),
    Row("error.message", Role::Own(Text)),
    Row("error.status", Role::Own(Text)),
    Row("error.details[].@type", Role::Inert),
];

const SAFETY_RATING: &[Row] = &[
    Row("category", Role::Inert),
    Row("probability", Role::Inert),
    Row("probabilityScore", Role::Inert),
    Row("severity", Role::Inert),
    Row("severityScore", Role::Inert),
    Row("overwrittenThreshold", Role::Inert),
];

const CANDIDATE: &[Row] = &[
    Row("", Role::Choice),
    Row("index", Role::Inert),
    Row("content.role", Role::Inert),
    Row("finishReason", Role::Finish),
    Row("finishMessage", Role::Own(Text)),
    Row("tokenCount", Role::Inert),
    Row("avgLogprobs", Role::Inert),
    Row("logprobsResult", Role::Side),
    Row("logprobsResult.logProbabilitySum", Role::Inert),
    Row("logprobsResult.chosenCandidates[].token", Role::Token(TEXT)),
    Row("logprobsResult.chosenCandidates[].tokenId", Role::Inert),
    Row("logprobsResult.chosenCandidates[].logProbability", Role::Inert),
    Row("logprobsResult.topCandidates[].candidates[].token", Role::Own(Text)),
    Row("logprobsResult.topCandidates[].candidates[].tokenId", Role::Inert),
    Row("logprobsResult.topCandidates[].candidates[].logProbability", Role::Inert),
    Row("urlContextMetadata.urlMetadata[].retrievedUrl", Role::Own(Text)),
    Row("urlContextMetadata.urlMetadata[].urlRetrievalStatus", Role::Inert),
];

/// A part of a candidate's content, but for its text.
pub(super) const PART: &[Row] = &[
    Row("thought", Role::Inert),
    Row("thoughtSignature", Role::Seal(Reasoning)),
    Row("functionCall", Role::Call(ARGS)),
    Row("functionCall.id", Role::Inert),
    Row("functionCall.name", Role::Own(Text)),
    Row("functionCall.args", Role::Text(ARGS)),
    Row("functionCall.willContinue", Role::GoesOn(ARGS)),
    Row("functionCall.partialArgs[=jsonPath].jsonPath", Role::Own(ToolArgs)),
    Row("functionCall.partialArgs[=jsonPath].stringValue", Role::LastDelta(PARTIAL_ARG)),
    Row("functionCall.partialArgs[=jsonPath].numberValue", Role::Own(ToolArgs)),
    Row("functionCall.partialArgs[=jsonPath].boolValue", Role::Inert),
    Row("functionCall.partialArgs[=jsonPath].nullValue", Role::Inert),
    Row("functionCall.partialArgs[=jsonPath].willContinue", Role::Inert),
    Row("functionCall.partialArgs[?willContinue].jsonPath", Role::Own(ToolArgs)),
    Row("functionCall.partialArgs[?willContinue].stringValue", Role::Text(PARTIAL_ARG)),
    Row("functionCall.partialArgs[?willContinue].willContinue", Role::Inert),
    Row("functionResponse.id", Role::Inert),
    Row("functionResponse.name", Role::Own(Text)),
    Row("functionResponse.response.**", Role::Own(ToolResult)),
    // Tools that run upstream.
    Row("executableCode.id", Role::Inert),
    Row("executableCode.language", Role::Inert),
    Row("executableCode.code", Role::Own(ToolArgs)),
    Row("codeExecutionResult.id", Role::Inert),
    Row("codeExecutionResult.outcome", Role::Inert),
    Row("codeExecutionResult.output", Role::Own(ToolResult)),
    Row("toolCall.id", Role::Inert),
    Row("toolCall.toolType", Role::Inert),
    Row("toolCall.args.**", Role::Own(ToolArgs)),
    Row("toolResponse.id", Role::Inert),
    Row("toolResponse.toolType", Role::Inert),
    Row("toolResponse.response.**", Role::Own(ToolResult)),
    // Pictures and sound cannot be redacted by their text.
    Row("inlineData.mimeType", Role::Inert),
    Row("inlineData.data", Role::Inert),
    Row("fileData.mimeType", Role::Inert),
    Row("fileData.fileUri", Role::Own(Text)),
    Row("videoMetadata.**", Role::Inert),
];

/// A passage that stands elsewhere as well.
const CITATION: &[Row] = &[
    Row("", Role::Citation(TEXT)),
    Row("startIndex", Role::Cites(Cites::Start)),
    Row("endIndex", Role::Cites(Cites::End)),
    Row("uri", Role::Own(Text)),
    Row("title", Role::Own(Text)),
    Row("license", Role::Own(Text)),
    Row("publicationDate.**", Role::Inert),
];

/// What an answer is based on.
pub(super) const GROUNDING: &[Row] = &[
    Row("webSearchQueries[]", Role::Own(Text)),
    Row("searchEntryPoint.renderedContent", Role::Own(Text)),
    // The queries once more, in base64.
    Row("searchEntryPoint.sdkBlob", Role::Side),
    Row("retrievalMetadata.googleSearchDynamicRetrievalScore", Role::Inert),
    Row("groundingChunks[].**", Role::Own(Text)),
    Row("groundingSupports[].groundingChunkIndices.**", Role::Inert),
    Row("groundingSupports[].confidenceScores.**", Role::Inert),
    Row("groundingSupports[].segment", Role::Citation(TEXT)),
    Row("groundingSupports[].segment.partIndex", Role::Cites(Cites::Part)),
    Row("groundingSupports[].segment.startIndex", Role::Cites(Cites::Start)),
    Row("groundingSupports[].segment.endIndex", Role::Cites(Cites::End)),
    Row("groundingSupports[].segment.text", Role::Excerpt(TEXT)),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn recognizes(_: &[u8], event: &Members<'_>) -> bool {
    let begins = |name: &str, bracket: &[u8]| event.value(name).is_some_and(|value| value.starts_with(bracket));
    begins("candidates", b"[")
        || begins("promptFeedback", b"{")
        || (begins("usageMetadata", b"{") && event.has("modelVersion"))
}

/// Finishes each candidate that is open or, where none has come, refuses the prompt.
fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let Some(first) = account.first.as_ref().filter(|first| first.has("candidates")) else {
        return Some(vec![Said::data(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#)]);
    };
    let finish = |index: &u32| format!(r#"{{"finishReason":"SAFETY","index":{index}}}"#);
    // Where none is open, one that has finished is told the better reason.
    let indexes = if account.open_choices.is_empty() { &[0][..] } else { &account.open_choices };
    let candidates = format!("[{}]", indexes.iter().map(finish).collect::<Vec<_>>().join(","));
    let told = ["modelVersion", "responseId"].into_iter().filter_map(|name| Some((name, first.value(name)?)));
    let usage = account.usage.map(|usage| ("usageMetadata", usage));
    Some(vec![Said::data(object([("candidates", candidates.as_bytes())].into_iter().chain(usage).chain(told)))])
}

/// Says `SAFETY` in each candidate, and calls no function.
fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::of(body)?;
    let candidates = edits.elements("candidates");
    for candidate in &candidates {
        edits.set(*candidate, "finishReason", "\"SAFETY\"")?;
        let content = edits.member(*candidate, "content");
        if let Some(parts) = content.and_then(|content| edits.member(content, "parts")) {
            edits.retain(parts, |edits, part| edits.member(part, "functionCall").is_none());
        }
    }
    (!candidates.is_empty()).then(|| edits.apply())
}

/// The body of an error as Google's APIs have it.
pub(super) fn fault_document(fault: Fault) -> Vec<u8> {
    let (code, status) = match fault {
        Fault::Stopped => (400, "FAILED_PRECONDITION"),
        Fault::TimedOut => (504, "DEADLINE_EXCEEDED"),
        Fault::Upstream(Failure::Overflow) => (500, "INTERNAL"),
        Fault::Upstream(_) | Fault::ShutDown => (503, "UNAVAILABLE"),
        Fault::Request(RequestFault::TooLarge) => (413, "INVALID_ARGUMENT"),
        Fault::Request(RequestFault::OverQuota) => (429, "RESOURCE_EXHAUSTED"),
        Fault::Request(RequestFault::OtherContent) => (415, "INVALID_ARGUMENT"),
        Fault::Request(_) => (400, "INVALID_ARGUMENT"),
    };
    let (reason, message) = (fault.code().to_ascii_uppercase(), fault.message());
    format!(
        r#"{{"error":{{"code":{code},"message":"{message}","status":"{status}","details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{reason}","domain":"holdback"}}]}}}}"#
    )
    .into_bytes()
}
