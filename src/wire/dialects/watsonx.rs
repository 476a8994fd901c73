//! IBM watsonx.ai's text generation, streamed and as a document. Its chats are OpenAI's.

use crate::policy::ChannelKind::Text;
use crate::wire::grammar::{Account, Edits, Fault, Grammar, Members, Said, object};
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
    stop_reason: "content_filter",
    stop,
    fault,
    stop_document,
    fault_document,
};

const LAYOUT: Layout =
    Layout { kind: &[], indexes: [&[], &[]], groups: &[Group::all(ROOT), Group::all(RESULT).under("results[#]")] };

const GENERATED: Label = Label::text("generated_text", Text);
const TOKENS: Label = Label::text("generated_tokens", Text);

const ROOT: &[Row] = &[
    Row("model_id", Role::Inert),
    Row("model_version", Role::Inert),
    Row("created_at", Role::Inert),
    Row("results", Role::Inert),
    Row("system.warnings[].id", Role::Inert),
    Row("errors", Role::Error),
    Row("errors[].code", Role::Inert),
    Row("trace", Role::Inert),
    Row("status_code", Role::Inert),
];

const RESULT: &[Row] = &[
    Row("", Role::Choice),
    Row("generated_text", Role::Text(GENERATED)),
    Row("generated_token_count", Role::Inert),
    Row("input_token_count", Role::Inert),
    Row("stop_reason", Role::Finish),
    Row("seed", Role::Inert),
    Row("generated_tokens", Role::Side),
    Row("generated_tokens[].text", Role::Token(TOKENS)),
    Row("generated_tokens[].logprob", Role::Inert),
    Row("generated_tokens[].rank", Role::Inert),
    Row("generated_tokens[].top_tokens[].text", Role::Own(Text)),
    Row("generated_tokens[].top_tokens[].logprob", Role::Inert),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn recognizes(_: &[u8], event: &Members<'_>) -> bool {
    event.has("model_id") && event.value("results").is_some_and(|results| results.starts_with(b"["))
}

fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let first = account.first.as_ref().filter(|first| first.has("results"))?;
    let own = ["model_id", "created_at"].into_iter().filter_map(|key| Some((key, first.value(key)?)));
    let results: &[u8] =
        br#"[{"generated_text":"","generated_token_count":0,"input_token_count":0,"stop_reason":"content_filter"}]"#;
    let end = object(own.chain([("results", results)]));
    Some(account.open_choices.iter().take(1).map(|_| Said::of("message", end.clone())).collect())
}

fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::of(body)?;
    let results = edits.elements("results");
    for result in &results {
        edits.set(*result, "stop_reason", "\"content_filter\"")?;
    }
    (!results.is_empty()).then(|| edits.apply())
}

fn fault(fault: Fault, _: &Account<'_>) -> Vec<Said> {
    vec![Said::of("error", fault_document(fault))]
}

fn fault_document(fault: Fault) -> Vec<u8> {
    format!(r#"{{"errors":[{{"code":"{}","message":"{}"}}]}}"#, fault.code(), fault.message()).into_bytes()
}
