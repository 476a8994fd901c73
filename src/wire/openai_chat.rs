//! OpenAI chat completions, streamed, as OpenAI, Azure and the many compatible servers and gateways send them.

use super::grammar::{Account, Fault, Grammar, Members};
use super::table::{Role, Row, Table};
use crate::policy::ChannelKind::{Reasoning, Refusal, Text, ToolArgs};
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar { table, is_end, stop, fault };

/// Which field is what. What is not here is moderated as a text of its own.
pub(crate) const ROWS: &[Row] = &[
    Row("id", Role::Inert),
    Row("object", Role::Inert),
    Row("created", Role::Inert),
    Row("model", Role::Inert),
    Row("provider", Role::Inert),
    Row("service_tier", Role::Inert),
    Row("system_fingerprint", Role::Inert),
    // Random padding against guessing text from lengths.
    Row("obfuscation", Role::Inert),
    Row("usage.**", Role::Usage),
    Row("timings.**", Role::Inert),
    Row("stream_options.include_usage", Role::Inert),
    Row("x_groq.id", Role::Inert),
    Row("x_groq.seed", Role::Inert),
    Row("x_groq.usage.**", Role::Inert),
    Row("error", Role::Error),
    Row("error.message", Role::Own(Text)),
    Row("error.type", Role::Inert),
    Row("error.code", Role::Inert),
    Row("error.param", Role::Own(Text)),
    Row("error.status_code", Role::Inert),
    Row("prompt_filter_results[].prompt_index", Role::Inert),
    Row("prompt_filter_results[].content_filter_results.*.severity", Role::Inert),
    Row("prompt_filter_results[].content_filter_results.*.filtered", Role::Inert),
    Row("prompt_filter_results[].content_filter_results.*.detected", Role::Inert),
    Row("token_ids", Role::Side),
    Row("prompt_token_ids", Role::Inert),
    Row("choices", Role::Hallmark),
    Row("choices[#]", Role::Choice),
    Row("choices[#].index", Role::Inert),
    Row("choices[#].seed", Role::Inert),
    Row("choices[#].finish_reason", Role::Finish),
    Row("choices[#].native_finish_reason", Role::Inert),
    Row("choices[#].stop_reason", Role::Inert),
    Row("choices[#].content_filter_results.hate.severity", Role::Inert),
    Row("choices[#].content_filter_results.hate.filtered", Role::Inert),
    Row("choices[#].content_filter_results.self_harm.severity", Role::Inert),
    Row("choices[#].content_filter_results.self_harm.filtered", Role::Inert),
    Row("choices[#].content_filter_results.sexual.severity", Role::Inert),
    Row("choices[#].content_filter_results.sexual.filtered", Role::Inert),
    Row("choices[#].content_filter_results.violence.severity", Role::Inert),
    Row("choices[#].content_filter_results.violence.filtered", Role::Inert),
    Row("choices[#].content_filter_offsets.check_offset", Role::Inert),
    Row("choices[#].content_filter_offsets.start_offset", Role::Inert),
    Row("choices[#].content_filter_offsets.end_offset", Role::Inert),
    Row("choices[#].delta.role", Role::Inert),
    // OpenAI's harmony format names its channels: analysis, commentary, final.
    Row("choices[#].delta.channel", Role::Inert),
    Row("choices[#].delta.content", Role::Text(Text)),
    Row("choices[#].delta.content[].type", Role::Inert),
    Row("choices[#].delta.content[].text", Role::Text(Text)),
    Row("choices[#].delta.content[].thinking[].type", Role::Inert),
    Row("choices[#].delta.content[].thinking[].text", Role::Text(Reasoning)),
    Row("choices[#].delta.refusal", Role::Text(Refusal)),
    Row("choices[#].delta.reasoning_content", Role::Text(Reasoning)),
    Row("choices[#].delta.reasoning", Role::Text(Reasoning)),
    Row("choices[#].delta.reasoning_details[#].type", Role::Inert),
    Row("choices[#].delta.reasoning_details[#].id", Role::Inert),
    Row("choices[#].delta.reasoning_details[#].index", Role::Inert),
    Row("choices[#].delta.reasoning_details[#].format", Role::Inert),
    Row("choices[#].delta.reasoning_details[#].provider", Role::Inert),
    Row("choices[#].delta.reasoning_details[#].text", Role::Echo(Reasoning)),
    Row("choices[#].delta.reasoning_details[#].summary", Role::Echo(Reasoning)),
    Row("choices[#].delta.reasoning_details[#].signature", Role::Seal(Reasoning)),
    Row("choices[#].delta.reasoning_details[#].data", Role::Seal(Reasoning)),
    Row("choices[#].delta.tool_calls[#]", Role::Call("choices[#].delta.tool_calls[#].function.arguments")),
    Row("choices[#].delta.tool_calls[#].index", Role::Inert),
    Row("choices[#].delta.tool_calls[#].id", Role::Inert),
    Row("choices[#].delta.tool_calls[#].type", Role::Inert),
    Row("choices[#].delta.tool_calls[#].function.name", Role::Own(Text)),
    Row("choices[#].delta.tool_calls[#].function.arguments", Role::Args),
    Row("choices[#].delta.tool_calls[#].custom.name", Role::Own(Text)),
    // Free text, in whatever grammar the tool asks for.
    Row("choices[#].delta.tool_calls[#].custom.input", Role::Text(ToolArgs)),
    Row("choices[#].delta.function_call", Role::Call("choices[#].delta.function_call.arguments")),
    Row("choices[#].delta.function_call.name", Role::Own(Text)),
    Row("choices[#].delta.function_call.arguments", Role::Args),
    Row("choices[#].delta.audio.id", Role::Inert),
    // Sound cannot be redacted by its text.
    Row("choices[#].delta.audio.data", Role::Inert),
    Row("choices[#].delta.audio.transcript", Role::Text(Text)),
    Row("choices[#].delta.token_id", Role::Side),
    Row("choices[#].delta.token_ids", Role::Side),
    Row("choices[#].delta.*", Role::Unlisted(Text)),
    // Hugging Face's router shows the token's text here once more.
    Row("choices[#].text", Role::Echo(Text)),
    Row("choices[#].token_id", Role::Side),
    Row("choices[#].token_ids", Role::Side),
    Row("choices[#].message.role", Role::Inert),
    Row("choices[#].message.content", Role::Snapshot("choices[#].delta.content")),
    Row("choices[#].message.refusal", Role::Snapshot("choices[#].delta.refusal")),
    Row("choices[#].message.reasoning_content", Role::Snapshot("choices[#].delta.reasoning_content")),
    Row("choices[#].message.reasoning", Role::Snapshot("choices[#].delta.reasoning")),
    Row("choices[#].message.tool_calls[#].index", Role::Inert),
    Row("choices[#].message.tool_calls[#].id", Role::Inert),
    Row("choices[#].message.tool_calls[#].type", Role::Inert),
    Row("choices[#].message.tool_calls[#].function.name", Role::Own(Text)),
    Row(
        "choices[#].message.tool_calls[#].function.arguments",
        Role::Snapshot("choices[#].delta.tool_calls[#].function.arguments"),
    ),
    Row("choices[#].logprobs", Role::Side),
    Row("choices[#].logprobs.content[].token", Role::Token(Text)),
    Row("choices[#].logprobs.content[].logprob", Role::Inert),
    Row("choices[#].logprobs.content[].bytes", Role::TokenBytes(Text)),
    Row("choices[#].logprobs.content[].top_logprobs[].token", Role::Own(Text)),
    Row("choices[#].logprobs.content[].top_logprobs[].logprob", Role::Inert),
    Row("choices[#].logprobs.content[].top_logprobs[].bytes", Role::OwnBytes(Text)),
    Row("choices[#].logprobs.refusal[].token", Role::Token(Refusal)),
    Row("choices[#].logprobs.refusal[].logprob", Role::Inert),
    Row("choices[#].logprobs.refusal[].bytes", Role::TokenBytes(Refusal)),
    Row("choices[#].logprobs.refusal[].top_logprobs[].token", Role::Own(Refusal)),
    Row("choices[#].logprobs.refusal[].top_logprobs[].logprob", Role::Inert),
    Row("choices[#].logprobs.refusal[].top_logprobs[].bytes", Role::OwnBytes(Refusal)),
    Row("choices[#].logprobs.reasoning_content[].token", Role::Token(Reasoning)),
    Row("choices[#].logprobs.reasoning_content[].logprob", Role::Inert),
    Row("choices[#].logprobs.reasoning_content[].bytes", Role::TokenBytes(Reasoning)),
    Row("choices[#].logprobs.reasoning_content[].top_logprobs[].token", Role::Own(Reasoning)),
    Row("choices[#].logprobs.reasoning_content[].top_logprobs[].logprob", Role::Inert),
    Row("choices[#].logprobs.reasoning_content[].top_logprobs[].bytes", Role::OwnBytes(Reasoning)),
    Row("choices[#].logprobs.tokens[]", Role::Token(Text)),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(ROWS));
    &TABLE
}

fn is_end(data: &[u8]) -> bool {
    data == b"[DONE]"
}

/// A finish chunk for each choice that is open, the usage if the client asked for it and the upstream told it, and
/// the end.
fn stop(account: &Account<'_>) -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    if let Some(chunk) = &account.chunk {
        for index in &account.open_choices {
            let choice =
                format!(r#"[{{"index":{index},"delta":{{}},"logprobs":null,"finish_reason":"content_filter"}}]"#);
            events.push(like(chunk, &[("choices", choice.as_bytes())]));
        }
        if let Some(usage) = account.usage {
            events.push(like(chunk, &[("choices", b"[]"), ("usage", usage)]));
        }
    } else {
        return fault(Fault::Stopped);
    }
    events.push(b"[DONE]".to_vec());
    events
}

fn fault(fault: Fault) -> Vec<Vec<u8>> {
    vec![error(fault)]
}

/// The body of an error, of which nothing comes from the stream.
pub(crate) fn error(fault: Fault) -> Vec<u8> {
    let (kind, code, message) = (fault.kind(), fault.code(), fault.message());
    format!(r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":"{code}"}}}}"#).into_bytes()
}

/// An event that says of itself what the stream's other events say of themselves.
fn like(chunk: &Members<'_>, members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"{".to_vec();
    let own = ["id", "object", "created", "model"].into_iter().filter_map(|key| Some((key, chunk.value(key)?)));
    for (i, (key, value)) in own.chain(members.iter().copied()).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(format!("\"{key}\":").as_bytes());
        out.extend_from_slice(value);
    }
    out.push(b'}');
    out
}
