//! Amazon Bedrock's `InvokeModel`, for the models whose events no other dialect has: Titan, Nova, Llama, Mistral,
//! Cohere and the first Claudes. Those of today's Claudes are Anthropic's own.
//!
//! Each event is in a frame, in base64. Those of Nova are the events of the Converse API, named by their only member.

use super::bedrock_converse::{
    ACCOUNTS, BLOCK_DELTA, BLOCK_EVENTS, BLOCK_START, BLOCK_STOP, DELTA, GUARDRAIL, INPUT, MESSAGE_START, MESSAGE_STOP,
    METADATA, START, STOP_REASON, fault_document, open_block, stop_document as stop_converse_document,
};
use crate::policy::ChannelKind::Text;
use crate::wire::grammar::{Account, Edits, Grammar, Members, ROOT, Said};
use crate::wire::rows::{Group, Label, Layout, Role, Row};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document,
    recognizes: |_, event| is_of_nova(event) || model_of(event).is_some_and(|model| model.stop_reason == STOP_REASON),
    is_end: |_| false,
    allows_comments: false,
    ends_with_a_word: false,
    splits: false,
    keeps: &[MESSAGE_START],
    keeps_last: BLOCK_EVENTS,
    keeps_texts: false,
    stop_reason: STOP_REASON,
    stop,
    fault: |fault, _| vec![Said::data(fault_document(fault))],
    stop_document,
    fault_document,
};

/// The same for the models that spell the reason of a stop in another way.
pub(crate) const TITAN: Grammar = Grammar {
    recognizes: |_, event| model_of(event).is_some_and(|model| model.stop_reason == CONTENT_FILTERED),
    stop_reason: CONTENT_FILTERED,
    ..GRAMMAR
};

const CONTENT_FILTERED: &str = "CONTENT_FILTERED";

/// How the events of a model look.
struct Model {
    /// A path that only its events have.
    text: &'static str,
    /// The same of its documents.
    document: &'static str,
    stop_reason: &'static str,
    /// Its last event, when the policy has stopped the stream.
    stop: &'static str,
}

const MODELS: [Model; 5] = [
    Model {
        text: "outputText",
        document: "results",
        stop_reason: CONTENT_FILTERED,
        stop: r#"{"outputText":"","index":0,"completionReason":"CONTENT_FILTERED"}"#,
    },
    Model {
        text: "generation",
        document: "generation",
        stop_reason: STOP_REASON,
        stop: r#"{"generation":"","stop_reason":"content_filtered"}"#,
    },
    Model {
        text: "outputs",
        document: "outputs",
        stop_reason: STOP_REASON,
        stop: r#"{"outputs":[{"text":"","stop_reason":"content_filtered"}]}"#,
    },
    Model {
        text: "is_finished",
        document: "generations",
        stop_reason: STOP_REASON,
        stop: r#"{"is_finished":true,"finish_reason":"content_filtered"}"#,
    },
    Model {
        text: "completion",
        document: "completion",
        stop_reason: STOP_REASON,
        stop: r#"{"completion":"","stop_reason":"content_filtered"}"#,
    },
];

const LAYOUT: Layout = Layout {
    kind: &["*"],
    indexes: [
        &[],
        &[
            "contentBlockDelta.contentBlockIndex",
            "contentBlockStart.contentBlockIndex",
            "contentBlockStop.contentBlockIndex",
        ],
    ],
    groups: &[
        Group::all(&[Row("", Role::Choice)]),
        Group::all(ROOT_ROWS),
        Group::all(OUTPUT).under("outputs[#]"),
        Group::all(BEDROCK),
        Group::all(GUARDRAIL).under("amazon-bedrock-trace.guardrail"),
        Group::all(COHERE_RESPONSE).under("response").whole(),
        Group::of(&[MESSAGE_START], &[Row("messageStart", Role::Begins), Row("messageStart.role", Role::Inert)]),
        Group::of(&[BLOCK_START], START).under("contentBlockStart.start"),
        Group::of(&[BLOCK_START], &[Row("contentBlockStart.contentBlockIndex", Role::Inert)]),
        Group::of(&[BLOCK_DELTA], DELTA).under("contentBlockDelta.delta"),
        Group::of(&[BLOCK_DELTA], &[Row("contentBlockDelta.contentBlockIndex", Role::Inert)]),
        Group::of(&[BLOCK_STOP], &[Row("contentBlockStop", Role::Ends(INPUT))]),
        Group::of(&[BLOCK_STOP], &[Row("contentBlockStop.contentBlockIndex", Role::Inert)]),
        Group::of(&[MESSAGE_STOP], &[Row("messageStop", Role::Concludes), Row("messageStop.stopReason", Role::Inert)]),
        Group::of(&[METADATA], ACCOUNTS).under("metadata"),
        Group::of(&[METADATA], GUARDRAIL).under("metadata.trace.guardrail"),
    ],
};

const DOCUMENT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(&[Row("", Role::Choice)]),
        Group::all(ROOT_ROWS),
        Group::all(OUTPUT).under("outputs[#]"),
        Group::all(TITAN_RESULT).under("results[#]"),
        Group::all(COHERE_GENERATION).under("generations[#]"),
        Group::all(BEDROCK),
        Group::all(GUARDRAIL).under("amazon-bedrock-trace.guardrail"),
    ],
};

const TEXT: Label = Label::text("text", Text);
const PARAMETERS: Label = Label::args("parameters");

const ROOT_ROWS: &[Row] = &[
    Row("outputText", Role::Text(TEXT)),
    Row("index", Role::Inert),
    Row("inputTextTokenCount", Role::Inert),
    // A guardrail's own answer has no reason, but has this.
    Row("totalOutputTextTokenCount", Role::LastEvent),
    Row("completionReason", Role::Finish),
    Row("generation", Role::Text(TEXT)),
    Row("prompt_token_count", Role::Inert),
    Row("generation_token_count", Role::Inert),
    Row("completion", Role::Text(TEXT)),
    Row("stop", Role::Own(Text)),
    Row("stop_reason", Role::Finish),
    Row("type", Role::Inert),
    Row("text", Role::Text(TEXT)),
    Row("event_type", Role::Inert),
    Row("id", Role::Inert),
    Row("generation_id", Role::Inert),
    Row("response_id", Role::Inert),
    Row("is_finished", Role::End),
    Row("finish_reason", Role::Finish),
    Row("tool_calls[#].name", Role::Own(Text)),
    Row("tool_calls[#].parameters", Role::Call(PARAMETERS)),
];

const OUTPUT: &[Row] = &[
    Row("", Role::Choice),
    Row("text", Role::Text(TEXT)),
    Row("stop_reason", Role::Finish),
    Row("index", Role::Inert),
];

const TITAN_RESULT: &[Row] = &[
    Row("", Role::Choice),
    Row("outputText", Role::Text(TEXT)),
    Row("tokenCount", Role::Inert),
    Row("completionReason", Role::Finish),
];

const COHERE_GENERATION: &[Row] =
    &[Row("", Role::Choice), Row("id", Role::Inert), Row("text", Role::Text(TEXT)), Row("finish_reason", Role::Finish)];

/// The last event of Command R repeats the answer.
const COHERE_RESPONSE: &[Row] = &[
    Row("text", Role::Text(TEXT)),
    Row("response_id", Role::Inert),
    Row("generation_id", Role::Inert),
    Row("finish_reason", Role::Inert),
    Row("tool_calls[#].name", Role::Own(Text)),
    Row("tool_calls[#].parameters", Role::Text(PARAMETERS)),
];

/// What Bedrock itself adds.
const BEDROCK: &[Row] =
    &[Row("amazon-bedrock-invocationMetrics.**", Role::Inert), Row("amazon-bedrock-guardrailAction", Role::Inert)];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn document() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&DOCUMENT));
    &TABLE
}

fn is_of_nova(event: &Members<'_>) -> bool {
    let blocks = ["contentBlockStart.contentBlockIndex", "contentBlockDelta.contentBlockIndex"];
    event.has("messageStart.role") || blocks.iter().any(|path| event.has(path))
}

fn model_of(event: &Members<'_>) -> Option<&'static Model> {
    // Ollama and others have a `done` beside a text of such a name.
    let is_other = event.has("choices") || event.has("done");
    MODELS.iter().find(|model| !is_other && (event.has(model.text) || event.has(model.document)))
}

fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let first = account.first.as_ref()?;
    if account.kept.iter().any(|kept| kept.kind == MESSAGE_START) {
        let index =
            BLOCK_EVENTS.iter().take(2).find_map(|kind| open_block(account, &format!("{kind}.contentBlockIndex")));
        let close = |index| Said::data(format!(r#"{{"contentBlockStop":{{"contentBlockIndex":{index}}}}}"#));
        let end = Said::data(format!(r#"{{"messageStop":{{"stopReason":"{STOP_REASON}"}}}}"#));
        return Some(index.map(close).into_iter().chain([end]).collect());
    }
    let model = model_of(first)?;
    Some(account.open_choices.iter().take(1).map(|_| Said::data(model.stop)).collect())
}

/// Says in every answer of the document why it has ended.
fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    if let Some(stopped) = stop_converse_document(body) {
        return Some(stopped);
    }
    let mut edits = Edits::of(body)?;
    let of_all = ["results", "generations", "outputs"].into_iter().flat_map(|name| edits.elements(name));
    let answers: Vec<usize> = of_all.chain([ROOT]).collect();
    let reasons =
        [("completionReason", CONTENT_FILTERED), ("stop_reason", STOP_REASON), ("finish_reason", STOP_REASON)];
    let mut said = None;
    for answer in answers {
        for (name, reason) in reasons {
            said = edits.set(answer, name, &format!("\"{reason}\"")).or(said);
        }
        let _absent = edits.set(answer, "tool_calls", "[]");
    }
    said.map(|()| edits.apply())
}
