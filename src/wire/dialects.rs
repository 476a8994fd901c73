//! The dialects: each is a table of rows and a few endings.

mod anthropic;
mod any;
mod bedrock_agent;
mod bedrock_converse;
mod bedrock_invoke;
mod cohere;
mod gemini;
mod gemini_interactions;
mod gemini_live;
pub(crate) mod openai_chat;

pub(crate) use any::GRAMMAR as ANY;

use super::Dialect;
use super::framing::Framing;
use super::grammar::{Grammar, Members};
use super::rows::{Group, Layout, Role, Row};
use super::table::Table;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// Every dialect that is told by what its events say, the more particular ones first.
const ALL: [&Grammar; 10] = [
    &anthropic::GRAMMAR,
    &cohere::GRAMMAR,
    &gemini_interactions::GRAMMAR,
    &gemini_live::GRAMMAR,
    &gemini::GRAMMAR,
    &openai_chat::GRAMMAR,
    &bedrock_converse::GRAMMAR,
    &bedrock_agent::GRAMMAR,
    &bedrock_invoke::TITAN,
    &bedrock_invoke::GRAMMAR,
];

impl Dialect {
    /// Every dialect, in declaration order.
    pub const ALL: [Dialect; 11] = [
        Dialect::Text,
        Dialect::Json,
        Dialect::Anthropic,
        Dialect::BedrockAgent,
        Dialect::BedrockConverse,
        Dialect::BedrockInvoke,
        Dialect::Cohere,
        Dialect::Gemini,
        Dialect::GeminiInteractions,
        Dialect::GeminiLive,
        Dialect::OpenAiChat,
    ];

    /// The dialect's word on the command line and in logs; parsing it gives the dialect back.
    ///
    /// ```
    /// use holdback::Dialect;
    ///
    /// assert_eq!("openai-chat".parse(), Ok(Dialect::OpenAiChat));
    /// let unknown = "morse".parse::<Dialect>().unwrap_err();
    /// assert!(unknown.to_string().contains("openai-chat"), "it lists the names");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Text => "text",
            Dialect::Json => "json",
            Dialect::Anthropic => "anthropic",
            Dialect::BedrockAgent => "bedrock-agent",
            Dialect::BedrockConverse => "bedrock-converse",
            Dialect::BedrockInvoke => "bedrock-invoke",
            Dialect::Cohere => "cohere",
            Dialect::Gemini => "gemini",
            Dialect::GeminiInteractions => "gemini-interactions",
            Dialect::GeminiLive => "gemini-live",
            Dialect::OpenAiChat => "openai-chat",
        }
    }

    /// How the dialect's streams are framed where nothing else is told; `None` if their first bytes tell.
    pub(crate) fn framing(self) -> Option<Framing> {
        match self {
            Dialect::Text | Dialect::Gemini | Dialect::GeminiLive => None,
            Dialect::Json => Some(Framing::Document),
            Dialect::BedrockAgent | Dialect::BedrockConverse | Dialect::BedrockInvoke => {
                Some(Framing::AmazonEventStream)
            }
            Dialect::Anthropic | Dialect::Cohere | Dialect::GeminiInteractions | Dialect::OpenAiChat => {
                Some(Framing::EventStream)
            }
        }
    }

    /// The dialect that a route of this path speaks, by the endings that the APIs have given their paths.
    ///
    /// ```
    /// use holdback::Dialect;
    ///
    /// assert_eq!(Dialect::of_route("/v1/messages"), Some(Dialect::Anthropic));
    /// assert_eq!(Dialect::of_route("/openai/deployments/d/chat/completions"), Some(Dialect::OpenAiChat));
    /// assert_eq!(Dialect::of_route("/answer"), None);
    /// ```
    pub fn of_route(path: &str) -> Option<Dialect> {
        ROUTES.iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, dialect)| *dialect)
    }

    pub(crate) fn grammar(self) -> Grammar {
        match self {
            Dialect::Text | Dialect::Json => ANY,
            Dialect::Anthropic => anthropic::GRAMMAR,
            Dialect::BedrockAgent => bedrock_agent::GRAMMAR,
            Dialect::BedrockConverse => bedrock_converse::GRAMMAR,
            Dialect::BedrockInvoke => bedrock_invoke::GRAMMAR,
            Dialect::Cohere => cohere::GRAMMAR,
            Dialect::Gemini => gemini::GRAMMAR,
            Dialect::GeminiInteractions => gemini_interactions::GRAMMAR,
            Dialect::GeminiLive => gemini_live::GRAMMAR,
            Dialect::OpenAiChat => openai_chat::GRAMMAR,
        }
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Dialect, UnknownDialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.name() == name).ok_or(UnknownDialect(()))
    }
}

/// No dialect has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDialect(());

impl fmt::Display for UnknownDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no such dialect; there are {}", Dialect::ALL.map(Dialect::name).join(", "))
    }
}

impl std::error::Error for UnknownDialect {}

/// How the paths of the APIs end, the longer endings first.
const ROUTES: &[(&str, Dialect)] = &[
    ("/chat/completions", Dialect::OpenAiChat),
    (":generateContent", Dialect::Gemini),
    (":streamGenerateContent", Dialect::Gemini),
    ("/interactions", Dialect::GeminiInteractions),
    ("/v2/chat", Dialect::Cohere),
    ("/converse", Dialect::BedrockConverse),
    ("/converse-stream", Dialect::BedrockConverse),
    ("/invoke", Dialect::BedrockInvoke),
    ("/invoke-with-response-stream", Dialect::BedrockInvoke),
    ("/messages", Dialect::Anthropic),
];

/// The dialect that an event, or a document, is of.
pub(crate) fn recognize(kind: &[u8], event: &Members<'_>) -> Option<Grammar> {
    ALL.into_iter().find(|grammar| (grammar.recognizes)(kind, event)).copied()
}

/// The JSON around a payload in base64.
pub(crate) fn envelope() -> &'static Table {
    const ENVELOPE_ROWS: &[Row] = &[
        Row("bytes", Role::Inert),
        // Random padding against guessing text from lengths.
        Row("p", Role::Inert),
        // What an agent's answer rests on. Its offsets cannot be exact once the answer is edited.
        Row("attribution.citations[].generatedResponsePart.textResponsePart.span.**", Role::Inert),
    ];
    const ENVELOPE: Layout = Layout { kind: &[], indexes: [&[], &[]], groups: &[Group::all(ENVELOPE_ROWS)] };
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&ENVELOPE));
    &TABLE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dialect::{Anthropic, Cohere, Gemini, GeminiInteractions, GeminiLive, OpenAiChat};
    use crate::wire::test_data::shared_folder;

    /// Dialects whose events no other one takes for its own, and the folders of their recorded streams.
    const OWN: [(Dialect, &[&str]); 6] = [
        (Anthropic, &["anthropic"]),
        (Cohere, &["cohere-v2"]),
        (Gemini, &["gemini", "gemini-jsonarray"]),
        (GeminiInteractions, &["gemini-interactions"]),
        (GeminiLive, &["gemini-live"]),
        (OpenAiChat, &["openai-chat", "azure-chat"]),
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
}
