//! Ollama's `/api/chat` and `/api/generate`, streamed as lines and as a document: the document is a stream's only line.

use crate::policy::ChannelKind::{Reasoning, Text};
use crate::wire::grammar::{Account, Edits, Fault, Grammar, Members, ROOT, Said, object};
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
    ends_with_a_word: true,
    splits: true,
    keeps: &[],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: STOP_REASON,
    stop,
    fault: |fault, _| vec![Said::data(fault_document(fault))],
    stop_document,
    fault_document,
};

const STOP_REASON: &str = "content_filter";

const LAYOUT: Layout =
    Layout { kind: &[], indexes: [&[], &[]], groups: &[Group::all(LINE), Group::all(MESSAGE).under("message")] };

const CONTENT: Label = Label::text("content", Text);
const THINKING: Label = Label::text("thinking", Reasoning);
const ARGUMENTS: Label = Label::args("arguments");
const TOKENS: Label = Label::text("logprobs", Text);

const LINE: &[Row] = &[
    Row("", Role::Choice),
    Row("model", Role::Inert),
    Row("created_at", Role::Inert),
    Row("remote_model", Role::Inert),
    Row("remote_host", Role::Inert),
    Row("response", Role::Text(CONTENT)),
    Row("thinking", Role::Text(THINKING)),
    // The whole conversation as token numbers.
    Row("context", Role::SealAll),
    Row("logprobs", Role::Side),
    Row("logprobs[].token", Role::Token(TOKENS)),
    Row("logprobs[].logprob", Role::Inert),
    Row("logprobs[].bytes", Role::TokenBytes(TOKENS)),
    Row("logprobs[].top_logprobs[].token", Role::Own(Text)),
    Row("logprobs[].top_logprobs[].logprob", Role::Inert),
    Row("logprobs[].top_logprobs[].bytes", Role::OwnBytes(Text)),
    Row("done", Role::End),
    Row("done_reason", Role::Inert),
    Row("total_duration", Role::Inert),
    Row("load_duration", Role::Inert),
    Row("prompt_eval_count", Role::Inert),
    Row("prompt_eval_duration", Role::Inert),
    Row("eval_count", Role::Inert),
    Row("eval_duration", Role::Inert),
    Row("error", Role::Error),
];

const MESSAGE: &[Row] = &[
    Row("role", Role::Inert),
    Row("content", Role::Text(CONTENT)),
    Row("thinking", Role::Text(THINKING)),
    // What imitations of the API call it.
    Row("reasoning_content", Role::Text(Label::text("reasoning_content", Reasoning))),
    // Calls come whole.
    Row("tool_calls[].id", Role::Inert),
    Row("tool_calls[].function.index", Role::Inert),
    Row("tool_calls[].function.name", Role::Own(Text)),
    Row("tool_calls[].function.arguments", Role::Text(ARGUMENTS)),
    Row("tool_name", Role::Own(Text)),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn recognizes(_: &[u8], event: &Members<'_>) -> bool {
    event.has("done") && (event.has("message") || event.has("response"))
}

/// The last line, of the kind that the stream's lines are of.
fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let first = account.first.as_ref().filter(|first| first.has("done"))?;
    let own = ["model", "created_at"].into_iter().filter_map(|key| Some((key, first.value(key)?)));
    let text: (&str, &[u8]) = match first.has("message") {
        true => ("message", br#"{"role":"assistant","content":""}"#),
        false => ("response", br#""""#),
    };
    let end: [(&str, &[u8]); 2] = [("done", b"true"), ("done_reason", br#""content_filter""#)];
    Some(vec![Said::data(object(own.chain([text]).chain(end)))])
}

/// Says `content_filter`, and makes no calls.
fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::of(body)?;
    edits.set(ROOT, "done_reason", &format!("\"{STOP_REASON}\""))?;
    if let Some(message) = edits.member(ROOT, "message") {
        // A stopped answer has none.
        let _absent = edits.set(message, "tool_calls", "[]");
    }
    Some(edits.apply())
}

fn fault_document(fault: Fault) -> Vec<u8> {
    format!(r#"{{"error":"{}"}}"#, fault.message()).into_bytes()
}
