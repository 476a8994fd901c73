use super::*;
use crate::wire::Dialect::{
    Anthropic, Cohere, Gemini, GeminiInteractions, GeminiLive, OpenAiAssistants, OpenAiChat, OpenAiCompletions,
    OpenAiRealtime, OpenAiResponses, OpenAiTranscription,
};
use crate::wire::test_data::shared_folder;

/// Dialects whose events no other one takes for its own, and the folders of their recorded streams.
const OWN: [(Dialect, &[&str]); 11] = [
    (Anthropic, &["anthropic"]),
    (Cohere, &["cohere-v2"]),
    (Gemini, &["gemini", "gemini-jsonarray"]),
    (GeminiInteractions, &["gemini-interactions"]),
    (GeminiLive, &["gemini-live"]),
    (OpenAiAssistants, &["openai-assistants"]),
    (OpenAiChat, &["openai-chat", "azure-chat"]),
    (OpenAiCompletions, &["openai-completions"]),
    (OpenAiRealtime, &["realtime-openai"]),
    (OpenAiResponses, &["openai-responses", "azure-responses"]),
    (OpenAiTranscription, &["openai-transcription"]),
];

/// The kind and the JSON of a stream's first event, or of its first line or element.
fn first_event(stream: &str) -> (String, String) {
    let field = |name| stream.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    let json = match field("data:") {
        "" => {
            let mut values = serde_json::Deserializer::from_str(stream.trim_start_matches(['[', ' '])).into_iter();
            let value: Option<serde_json::Value> = values.next().and_then(Result::ok);
            // Conversations are recorded with what went the other way.
            let message = stream
                .lines()
                .find_map(|line| line.strip_prefix(r#"{"kind": "message", "direction": "received", "data": "#));
            message
                .map(|line| line[..line.len() - 1].to_owned())
                .or(value.map(|value| value.to_string()))
                .unwrap_or_default()
        }
        data => data.to_owned(),
    };
    (field("event:").to_owned(), json)
}

#[test]
fn each_recorded_stream_is_recognized_by_its_own_dialect_alone() {
    let (mut recognized, mut strange) = (0, 0);
    for (folder, name, bytes) in shared_folder("streams") {
        // Folders of other names hold streams of several kinds.
        let own = OWN.iter().find(|(_, folders)| folders.contains(&folder.as_str())).map(|(dialect, _)| *dialect);
        let Ok(stream) = String::from_utf8(bytes) else { continue };
        let (kind, json) = first_event(&stream);
        let Some(event) = Members::of(json.as_bytes()) else { continue };
        let takes = |dialect: &Dialect| (dialect.grammar().recognizes)(kind.as_bytes(), &event);
        let by: Vec<Dialect> = OWN.iter().map(|(dialect, _)| *dialect).filter(takes).collect();
        let is_clear = by.is_empty() || (by.len() == 1 && own.is_none_or(|own| by == [own]));
        assert!(is_clear, "{folder}/{name} is taken by {by:?}: {json}");
        recognized += by.len();
        if own.is_some() && by.is_empty() {
            // An error, or what its recorder made up.
            strange += 1;
        }
    }
    println!("{recognized} recognized, {strange} strange");
    assert!(strange <= 12, "{strange}");
}

/// How streams begin, or documents: each is taken by its own dialect and by no other.
#[test]
fn first_events_are_told_apart() {
    let firsts: [(Dialect, &str, &str); 19] = [
        (Dialect::Anthropic, "message_start", r#"{"type":"message_start","message":{"id":"m"}}"#),
        (Dialect::Anthropic, "", r#"{"type":"message","content":[]}"#),
        (Dialect::Anthropic, "error", r#"{"type":"error","error":{"type":"t","message":"m"}}"#),
        (Dialect::OpenAiChat, "", r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{}}]}"#),
        (Dialect::OpenAiChat, "", r#"{"choices":[],"prompt_filter_results":[]}"#),
        (Dialect::OpenAiChat, "", r#"{"object":"chat.completion","choices":[{"index":0,"message":{}}]}"#),
        (Dialect::OpenAiCompletions, "", r#"{"object":"text_completion","choices":[{"index":0,"text":"a"}]}"#),
        (Dialect::OpenAiCompletions, "", r#"{"object":"text_completion","choices":[],"prompt_filter_results":[]}"#),
        (Dialect::OpenAiAssistants, "thread.created", r#"{"id":"t","object":"thread"}"#),
        (Dialect::OpenAiAssistants, "thread.run.step.created", r#"{"object":"thread.run.step","type":"tool_calls"}"#),
        (Dialect::OpenAiTranscription, "", r#"{"type":"transcript.text.delta","delta":"a"}"#),
        (Dialect::OpenAiRealtime, "", r#"{"type":"session.created","event_id":"e","session":{}}"#),
        (Dialect::OpenAiRealtime, "", r#"{"type":"response.created","event_id":"e","response":{"id":"r"}}"#),
        (Dialect::OpenAiRealtime, "", r#"{"type":"conversation.item.create","item":{}}"#),
        (Dialect::OpenAiResponses, "response.created", r#"{"type":"response.created","response":{"id":"r"}}"#),
        (Dialect::OpenAiResponses, "", r#"{"type":"response.output_text.delta","delta":"a"}"#),
        (Dialect::OpenAiResponses, "", r#"{"object":"response","output":[]}"#),
        (Dialect::OpenAiResponses, "error", r#"{"type":"error","code":"c","message":"m","sequence_number":0}"#),
        (Dialect::OpenAiResponses, "error", r#"{"type":"error","error":{"message":"m"},"sequence_number":0}"#),
    ];
    for (dialect, kind, event) in firsts {
        let members = Members::of(event.as_bytes()).unwrap();
        let takers: Vec<&Grammar> =
            ALL.into_iter().filter(|grammar| (grammar.recognizes)(kind.as_bytes(), &members)).collect();
        let is_its_own = |grammar: &&Grammar| std::ptr::eq((grammar.table)(), (dialect.grammar().table)());
        assert!(takers.len() == 1 && takers.iter().all(is_its_own), "{event}: {}", takers.len());
    }
}
