//! Amazon Bedrock's agents: `InvokeAgent`, streamed in frames.
//!
//! An answer is plain text in base64, in one frame or several. The frames between tell how the agent came to it: what
//! it was told, what the model said, what tools gave back. That repeats the answer, often as a JSON text in a string.

use super::bedrock_converse::fault_document;
use crate::policy::ChannelKind::{Reasoning, Text, ToolArgs, ToolResult};
use crate::wire::grammar::{Grammar, Members, Said};
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
    ends_with_a_word: false,
    splits: false,
    keeps: &[],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "",
    // There is no saying so.
    stop: |_| None,
    fault: |fault, _| vec![Said::data(fault_document(fault))],
    stop_document: |_| None,
    fault_document,
};

const LAYOUT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::of(&["chunk"], &[Row("", Role::Text(Label::bare("bytes", Text)))]),
        Group::of(&["trace"], TRACE),
        Group::of(&["trace"], GUARDRAIL).under("trace.guardrailTrace"),
        Group::of(&["trace"], STEP).under("trace.preProcessingTrace"),
        Group::of(&["trace"], STEP).under("trace.orchestrationTrace"),
        Group::of(&["trace"], STEP).under("trace.postProcessingTrace"),
        Group::of(&["trace"], STEP).under("trace.customOrchestrationTrace"),
        Group::of(&["trace"], STEP).under("trace.routingClassifierTrace"),
    ],
};

const TRACE: &[Row] = &[
    Row("agentAliasId", Role::Inert),
    Row("agentId", Role::Inert),
    Row("agentVersion", Role::Inert),
    Row("callerChain[].agentAliasArn", Role::Inert),
    Row("collaboratorName", Role::Inert),
    Row("eventTime", Role::Inert),
    Row("sessionId", Role::Inert),
    Row("trace.failureTrace.traceId", Role::Inert),
    Row("trace.failureTrace.metadata.**", Role::Inert),
    Row("trace.failureTrace.failureCode", Role::Inert),
];

const GUARDRAIL: &[Row] = &[Row("action", Role::Inert), Row("traceId", Role::Inert), Row("metadata.**", Role::Inert)];

/// What a model was sent and sent back is JSON of its own API, as a text.
const MODEL_JSON: Label = Label { kind: Text, ..Label::args("model") };

/// One step of the way to an answer. Its texts are whole.
const STEP: &[Row] = &[
    Row("modelInvocationInput.text", Role::Repeat(MODEL_JSON)),
    Row("modelInvocationInput.traceId", Role::Inert),
    Row("modelInvocationInput.type", Role::Inert),
    Row("modelInvocationInput.foundationModel", Role::Inert),
    Row("modelInvocationInput.inferenceConfiguration.**", Role::Inert),
    Row("modelInvocationInput.promptCreationMode", Role::Inert),
    Row("modelInvocationInput.parserMode", Role::Inert),
    Row("modelInvocationOutput.rawResponse.content", Role::Repeat(MODEL_JSON)),
    Row("modelInvocationOutput.traceId", Role::Inert),
    Row("modelInvocationOutput.metadata.**", Role::Inert),
    Row("modelInvocationOutput.reasoningContent.reasoningText.text", Role::Own(Reasoning)),
    Row("modelInvocationOutput.reasoningContent.reasoningText.signature", Role::Inert),
    Row("rationale.traceId", Role::Inert),
    Row("rationale.text", Role::Own(Reasoning)),
    Row("invocationInput.traceId", Role::Inert),
    Row("invocationInput.invocationType", Role::Inert),
    Row("invocationInput.actionGroupInvocationInput.executionType", Role::Inert),
    Row("invocationInput.actionGroupInvocationInput.invocationId", Role::Inert),
    Row("invocationInput.actionGroupInvocationInput.verb", Role::Inert),
    Row("invocationInput.actionGroupInvocationInput.parameters[].type", Role::Inert),
    Row("invocationInput.actionGroupInvocationInput.parameters[].value", Role::Own(ToolArgs)),
    Row("invocationInput.codeInterpreterInvocationInput.code", Role::Own(ToolArgs)),
    Row("invocationInput.knowledgeBaseLookupInput.text", Role::Own(ToolArgs)),
    Row("invocationInput.knowledgeBaseLookupInput.knowledgeBaseId", Role::Inert),
    Row("observation.traceId", Role::Inert),
    Row("observation.type", Role::Inert),
    Row("observation.actionGroupInvocationOutput.text", Role::Own(ToolResult)),
    Row("observation.actionGroupInvocationOutput.metadata.**", Role::Inert),
    Row("observation.codeInterpreterInvocationOutput.executionOutput", Role::Own(ToolResult)),
    Row("observation.codeInterpreterInvocationOutput.executionError", Role::Own(ToolResult)),
    Row("observation.codeInterpreterInvocationOutput.metadata.**", Role::Inert),
    Row("observation.knowledgeBaseLookupOutput.retrievedReferences.**", Role::Own(ToolResult)),
    Row("observation.knowledgeBaseLookupOutput.metadata.**", Role::Inert),
    Row("observation.finalResponse.text", Role::Own(Text)),
    Row("observation.finalResponse.metadata.**", Role::Inert),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn recognizes(kind: &[u8], event: &Members<'_>) -> bool {
    match kind {
        // A text that is no JSON has no members.
        b"chunk" => event.is_empty(),
        b"trace" => event.has("agentId") && event.has("trace"),
        _ => false,
    }
}
