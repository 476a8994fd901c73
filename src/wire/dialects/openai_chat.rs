//! OpenAI chat completions, streamed, as OpenAI, Azure and the many compatible servers and gateways send them.

use crate::policy::ChannelKind::{Reasoning, Refusal, Text, ToolArgs};
use crate::wire::UsageChunk;
use crate::wire::grammar::{Account, Edits, Fault, Grammar, Members, Said, object};
use crate::wire::rows::{Cites, Group, Label, Layout, Role, Row, Unit};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document,
    recognizes,
    is_end,
    allows_comments: true,
    ends_with_a_word: false,
    splits: true,
    keeps: &[],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "content_filter",
    stop,
    fault,
    stop_document,
    fault_document,
};

/// The events of a stream.
pub(crate) const LAYOUT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(ROOT),
        Group::all(CHOICE).under("choices[#]"),
        Group::all(MESSAGE).under("choices[#].delta"),
        Group::all(SNAPSHOT).under("choices[#].message"),
    ],
};

/// A completion that is not streamed.
pub(crate) const DOCUMENT: Layout = Layout {
    groups: &[
        Group::all(ROOT),
        Group::all(CHOICE).under("choices[#]"),
        Group::all(MESSAGE).under("choices[#].message"),
    ],
    ..LAYOUT
};

const CONTENT: Label = Label::text("content", Text).cited_in(Unit::CodePoints);
const REFUSAL: Label = Label::text("refusal", Refusal);
/// DeepSeek's and llama.cpp's name for it.
const REASONING_CONTENT: Label = Label::text("reasoning_content", Reasoning);
/// vLLM's, Groq's and OpenRouter's. Some servers send both.
const REASONING: Label = Label::text("reasoning", Reasoning);
const ARGUMENTS: Label = Label::args("arguments");
const FUNCTION_CALL: Label = Label::args("function_call");
/// Free text, in whatever grammar the tool asks for.
const INPUT: Label = Label::text("input", ToolArgs);

pub(super) const ROOT: &[Row] = &[
    Row("id", Role::Inert),
    Row("object", Role::Inert),
    Row("created", Role::Inert),
    Row("model", Role::Inert),
    Row("provider", Role::Inert),
    Row("service_tier", Role::Inert),
    Row("system_fingerprint", Role::Inert),
    // Random padding against guessing text from lengths.
    Row("obfuscation", Role::Inert),
    // Mistral's name for the same.
    Row("p", Role::Inert),
    Row("usage.**", Role::Usage),
    Row("timings.**", Role::Inert),
    Row("stream_options.include_usage", Role::Inert),
    Row("x_groq.id", Role::Inert),
    Row("x_groq.seed", Role::Inert),
    Row("x_groq.usage.**", Role::Inert),
    Row("error", Role::Error),
    Row("error.message", Role::Own(Text)),
    Row("error.type", Role::Own(Text)),
    Row("error.code", Role::Own(Text)),
    Row("error.param", Role::Own(Text)),
    Row("error.status_code", Role::Inert),
    Row("prompt_filter_results[].prompt_index", Role::Inert),
    Row("prompt_filter_results[].content_filter_results.*.severity", Role::Inert),
    Row("prompt_filter_results[].content_filter_results.*.filtered", Role::Inert),
    Row("prompt_filter_results[].content_filter_results.*.detected", Role::Inert),
    Row("token_ids", Role::Side),
    Row("prompt_token_ids.**", Role::Inert),
    // llama.cpp's account of what its sampler did.
    Row("__verbose.content", Role::Echo(Label::text("__verbose", Text))),
    Row("__verbose.tokens", Role::Side),
    Row("__verbose.generation_settings.**", Role::Inert),
    Row("__verbose.timings.**", Role::Inert),
    Row("choices", Role::Inert),
];

pub(super) const CHOICE: &[Row] = &[
    Row("", Role::Choice),
    Row("index", Role::Inert),
    Row("seed", Role::Inert),
    Row("finish_reason", Role::Finish),
    Row("native_finish_reason", Role::Inert),
    Row("stop_reason", Role::Inert),
    Row("content_filter_results.hate.severity", Role::Inert),
    Row("content_filter_results.hate.filtered", Role::Inert),
    Row("content_filter_results.self_harm.severity", Role::Inert),
    Row("content_filter_results.self_harm.filtered", Role::Inert),
    Row("content_filter_results.sexual.severity", Role::Inert),
    Row("content_filter_results.sexual.filtered", Role::Inert),
    Row("content_filter_results.violence.severity", Role::Inert),
    Row("content_filter_results.violence.filtered", Role::Inert),
    Row("content_filter_offsets.check_offset", Role::Inert),
    Row("content_filter_offsets.start_offset", Role::Inert),
    Row("content_filter_offsets.end_offset", Role::Inert),
    // Hugging Face's router shows the token's text here once more.
    Row("text", Role::Echo(Label::text("text", Text))),
    Row("token_id", Role::Side),
    Row("token_ids", Role::Side),
    Row("logprobs", Role::Side),
    Row("logprobs.content[].token", Role::Token(CONTENT)),
    Row("logprobs.content[].logprob", Role::Inert),
    Row("logprobs.content[].bytes", Role::TokenBytes(CONTENT)),
    Row("logprobs.content[].top_logprobs[].token", Role::Own(Text)),
    Row("logprobs.content[].top_logprobs[].logprob", Role::Inert),
    Row("logprobs.content[].top_logprobs[].bytes", Role::OwnBytes(Text)),
    Row("logprobs.refusal[].token", Role::Token(REFUSAL)),
    Row("logprobs.refusal[].logprob", Role::Inert),
    Row("logprobs.refusal[].bytes", Role::TokenBytes(REFUSAL)),
    Row("logprobs.refusal[].top_logprobs[].token", Role::Own(Refusal)),
    Row("logprobs.refusal[].top_logprobs[].logprob", Role::Inert),
    Row("logprobs.refusal[].top_logprobs[].bytes", Role::OwnBytes(Refusal)),
    Row("logprobs.reasoning_content[].token", Role::Token(REASONING_CONTENT)),
    Row("logprobs.reasoning_content[].logprob", Role::Inert),
    Row("logprobs.reasoning_content[].bytes", Role::TokenBytes(REASONING_CONTENT)),
    Row("logprobs.reasoning_content[].top_logprobs[].token", Role::Own(Reasoning)),
    Row("logprobs.reasoning_content[].top_logprobs[].logprob", Role::Inert),
    Row("logprobs.reasoning_content[].top_logprobs[].bytes", Role::OwnBytes(Reasoning)),
    Row("logprobs.tokens[]", Role::Token(Label::text("tokens", Text))),
    Row("logprobs.token_logprobs.**", Role::Inert),
];

/// A message, of which a stream sends the deltas.
const MESSAGE: &[Row] = &[
    Row("role", Role::Inert),
    // OpenAI's harmony format names its channels: analysis, commentary, final.
    Row("channel", Role::Inert),
    Row("content", Role::Text(CONTENT)),
    Row("content[]", Role::Text(CONTENT)),
    Row("content[].type", Role::Inert),
    Row("content[].text", Role::Text(CONTENT)),
    // Mistral's models think in parts of the content.
    Row("content[].closed", Role::Inert),
    Row("content[].reference_ids[]", Role::Inert),
    Row("content[].thinking[].type", Role::Inert),
    Row("content[].thinking[].text", Role::Text(REASONING)),
    Row("refusal", Role::Text(REFUSAL)),
    Row("reasoning_content", Role::Text(REASONING_CONTENT)),
    Row("reasoning", Role::Text(REASONING)),
    Row("reasoning_details[#].type", Role::Inert),
    Row("reasoning_details[#].id", Role::Inert),
    Row("reasoning_details[#].index", Role::Inert),
    Row("reasoning_details[#].format", Role::Inert),
    Row("reasoning_details[#].provider", Role::Inert),
    Row("reasoning_details[#].text", Role::Echo(Label::text("reasoning_details", Reasoning))),
    Row("reasoning_details[#].summary", Role::Echo(Label::text("reasoning_summary", Reasoning))),
    Row("reasoning_details[#].signature", Role::Seal(Reasoning)),
    Row("reasoning_details[#].data", Role::Seal(Reasoning)),
    // LiteLLM's, for models of Anthropic.
    Row("thinking_blocks[#].type", Role::Inert),
    Row("thinking_blocks[#].thinking", Role::Echo(Label::text("thinking_blocks", Reasoning))),
    Row("thinking_blocks[#].signature", Role::Seal(Reasoning)),
    Row("thinking_blocks[#].data", Role::Seal(Reasoning)),
    Row("tool_calls", Role::Calls),
    Row("tool_calls[#]", Role::Call(ARGUMENTS)),
    Row("tool_calls[#].index", Role::Inert),
    Row("tool_calls[#].id", Role::Inert),
    Row("tool_calls[#].type", Role::Inert),
    // The SDKs join the pieces of a name.
    Row("tool_calls[#].function.name", Role::Unlisted(Text)),
    Row("tool_calls[#].function.arguments", Role::Text(ARGUMENTS)),
    Row("tool_calls[#].custom.name", Role::Unlisted(Text)),
    Row("tool_calls[#].custom.input", Role::Text(INPUT)),
    Row("function_call", Role::Call(FUNCTION_CALL)),
    Row("function_call.name", Role::Unlisted(Text)),
    Row("function_call.arguments", Role::Text(FUNCTION_CALL)),
    Row("annotations[].type", Role::Inert),
    Row("annotations[].url_citation", Role::Citation(CONTENT)),
    Row("annotations[].url_citation.start_index", Role::Cites(Cites::Start)),
    Row("annotations[].url_citation.end_index", Role::Cites(Cites::End)),
    Row("annotations[].url_citation.url", Role::Own(Text)),
    Row("annotations[].url_citation.title", Role::Own(Text)),
    Row("annotations[].url_citation.content", Role::Own(Text)),
    Row("audio.id", Role::Inert),
    // Sound cannot be redacted by its text.
    Row("audio.data", Role::Inert),
    Row("audio.expires_at", Role::Inert),
    Row("audio.transcript", Role::Text(Label::text("transcript", Text))),
    Row("token_id", Role::Side),
    Row("token_ids", Role::Side),
    Row("*", Role::Unlisted(Text)),
];

/// The message so far, which some gateways send beside the deltas.
const SNAPSHOT: &[Row] = &[
    Row("role", Role::Inert),
    Row("content", Role::Snapshot(CONTENT)),
    Row("refusal", Role::Snapshot(REFUSAL)),
    Row("reasoning_content", Role::Snapshot(REASONING_CONTENT)),
    Row("reasoning", Role::Snapshot(REASONING)),
    Row("tool_calls[#].index", Role::Inert),
    Row("tool_calls[#].id", Role::Inert),
    Row("tool_calls[#].type", Role::Inert),
    Row("tool_calls[#].function.name", Role::Own(Text)),
    Row("tool_calls[#].function.arguments", Role::Snapshot(ARGUMENTS)),
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
    let is_legacy = event.string("object") == Some(b"text_completion");
    !is_legacy && event.value("choices").is_some_and(|choices| choices.starts_with(b"["))
}

fn is_end(data: &[u8]) -> bool {
    data == b"[DONE]"
}

fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    stop_saying(account, r#""delta":{}"#)
}

/// A finish chunk for each choice that is open, with this for its text, the usage if the client asked for it and the
/// upstream told it, and the end.
pub(super) fn stop_saying(account: &Account<'_>, nothing: &str) -> Option<Vec<Said>> {
    let chunk = account.first.as_ref().filter(|first| first.has("choices"))?;
    let mut events = Vec::new();
    for index in &account.open_choices {
        let choice = format!(r#"[{{"index":{index},{nothing},"logprobs":null,"finish_reason":"content_filter"}}]"#);
        events.push(Said::data(like(chunk, &[("choices", choice.as_bytes())])));
    }
    if let (Some(usage), UsageChunk::Asked) = (account.usage, account.usage_chunk) {
        events.push(Said::data(like(chunk, &[("choices", b"[]"), ("usage", usage)])));
    }
    events.push(Said::data("[DONE]"));
    Some(events)
}

fn fault(fault: Fault, _: &Account<'_>) -> Vec<Said> {
    vec![Said::data(fault_document(fault))]
}

/// Says `content_filter` in each choice, and nothing of its calls.
fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::of(body)?;
    let choices = edits.elements("choices");
    for choice in &choices {
        edits.set(*choice, "finish_reason", "\"content_filter\"")?;
        if let Some(message) = edits.member(*choice, "message") {
            // A stopped answer has none.
            for calls in ["tool_calls", "function_call"] {
                let _absent = edits.set(message, calls, "null");
            }
        }
    }
    (!choices.is_empty()).then(|| edits.apply())
}

/// The body of an error, of which nothing comes from the stream.
pub(crate) fn fault_document(fault: Fault) -> Vec<u8> {
    let (kind, code, message) = (fault.kind(), fault.code(), fault.message());
    format!(r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":"{code}"}}}}"#).into_bytes()
}

/// An event that says of itself what the stream's other events say of themselves.
fn like(chunk: &Members<'_>, members: &[(&str, &[u8])]) -> Vec<u8> {
    let own = ["id", "object", "created", "model"].into_iter().filter_map(|key| Some((key, chunk.value(key)?)));
    object(own.chain(members.iter().copied()))
}
