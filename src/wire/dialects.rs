//! The dialects: each is a table of rows and a few endings.

mod ag_ui;
mod anthropic;
mod any;
mod bedrock_agent;
mod bedrock_converse;
mod bedrock_invoke;
mod cohere;
mod gemini;
mod gemini_interactions;
mod gemini_live;
mod mcp;
mod ollama;
mod openai_assistants;
pub(crate) mod openai_chat;
mod openai_completions;
mod openai_realtime;
mod openai_responses;
mod openai_transcription;
mod replicate;
mod vercel_ui;
mod watsonx;

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
const ALL: [&Grammar; 21] = [
    &anthropic::GRAMMAR,
    &cohere::GRAMMAR,
    &gemini_interactions::GRAMMAR,
    &gemini_live::GRAMMAR,
    &gemini::GRAMMAR,
    &openai_assistants::GRAMMAR,
    &openai_chat::GRAMMAR,
    &openai_completions::GRAMMAR,
    &openai_realtime::GRAMMAR,
    &openai_responses::GRAMMAR,
    &openai_transcription::GRAMMAR,
    &ag_ui::GRAMMAR,
    &vercel_ui::GRAMMAR,
    &mcp::GRAMMAR,
    &ollama::GRAMMAR,
    &watsonx::GRAMMAR,
    &replicate::GRAMMAR,
    &bedrock_converse::GRAMMAR,
    &bedrock_agent::GRAMMAR,
    &bedrock_invoke::TITAN,
    &bedrock_invoke::GRAMMAR,
];

impl Dialect {
    /// Every dialect, in declaration order.
    pub const ALL: [Dialect; 22] = [
        Dialect::Text,
        Dialect::Json,
        Dialect::AgUi,
        Dialect::Anthropic,
        Dialect::BedrockAgent,
        Dialect::BedrockConverse,
        Dialect::BedrockInvoke,
        Dialect::Cohere,
        Dialect::Gemini,
        Dialect::GeminiInteractions,
        Dialect::GeminiLive,
        Dialect::Mcp,
        Dialect::Ollama,
        Dialect::OpenAiAssistants,
        Dialect::OpenAiChat,
        Dialect::OpenAiCompletions,
        Dialect::OpenAiRealtime,
        Dialect::OpenAiResponses,
        Dialect::OpenAiTranscription,
        Dialect::Replicate,
        Dialect::VercelUi,
        Dialect::Watsonx,
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
            Dialect::AgUi => "ag-ui",
            Dialect::Anthropic => "anthropic",
            Dialect::BedrockAgent => "bedrock-agent",
            Dialect::BedrockConverse => "bedrock-converse",
            Dialect::BedrockInvoke => "bedrock-invoke",
            Dialect::Cohere => "cohere",
            Dialect::Gemini => "gemini",
            Dialect::GeminiInteractions => "gemini-interactions",
            Dialect::GeminiLive => "gemini-live",
            Dialect::Mcp => "mcp",
            Dialect::Ollama => "ollama",
            Dialect::OpenAiAssistants => "openai-assistants",
            Dialect::OpenAiChat => "openai-chat",
            Dialect::OpenAiCompletions => "openai-completions",
            Dialect::OpenAiRealtime => "openai-realtime",
            Dialect::OpenAiResponses => "openai-responses",
            Dialect::OpenAiTranscription => "openai-transcription",
            Dialect::Replicate => "replicate",
            Dialect::VercelUi => "vercel-ui",
            Dialect::Watsonx => "watsonx",
        }
    }

    /// How the dialect's streams are framed where nothing else is told; `None` if their first bytes tell.
    pub(crate) fn framing(self) -> Option<Framing> {
        match self {
            Dialect::Text | Dialect::Gemini | Dialect::GeminiLive | Dialect::OpenAiRealtime => None,
            Dialect::Json => Some(Framing::Document),
            Dialect::AgUi | Dialect::Anthropic | Dialect::Cohere | Dialect::GeminiInteractions => {
                Some(Framing::EventStream)
            }
            Dialect::Mcp | Dialect::OpenAiChat | Dialect::OpenAiCompletions => Some(Framing::EventStream),
            Dialect::OpenAiAssistants | Dialect::OpenAiTranscription => Some(Framing::EventStream),
            Dialect::OpenAiResponses | Dialect::Replicate => Some(Framing::EventStream),
            Dialect::VercelUi | Dialect::Watsonx => Some(Framing::EventStream),
            Dialect::Ollama => Some(Framing::Lines),
            Dialect::BedrockAgent | Dialect::BedrockConverse | Dialect::BedrockInvoke => {
                Some(Framing::AmazonEventStream)
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
            Dialect::AgUi => ag_ui::GRAMMAR,
            Dialect::Anthropic => anthropic::GRAMMAR,
            Dialect::BedrockAgent => bedrock_agent::GRAMMAR,
            Dialect::BedrockConverse => bedrock_converse::GRAMMAR,
            Dialect::BedrockInvoke => bedrock_invoke::GRAMMAR,
            Dialect::Cohere => cohere::GRAMMAR,
            Dialect::Gemini => gemini::GRAMMAR,
            Dialect::GeminiInteractions => gemini_interactions::GRAMMAR,
            Dialect::GeminiLive => gemini_live::GRAMMAR,
            Dialect::Mcp => mcp::GRAMMAR,
            Dialect::Ollama => ollama::GRAMMAR,
            Dialect::OpenAiAssistants => openai_assistants::GRAMMAR,
            Dialect::OpenAiChat => openai_chat::GRAMMAR,
            Dialect::OpenAiCompletions => openai_completions::GRAMMAR,
            Dialect::OpenAiRealtime => openai_realtime::GRAMMAR,
            Dialect::OpenAiResponses => openai_responses::GRAMMAR,
            Dialect::OpenAiTranscription => openai_transcription::GRAMMAR,
            Dialect::Replicate => replicate::GRAMMAR,
            Dialect::VercelUi => vercel_ui::GRAMMAR,
            Dialect::Watsonx => watsonx::GRAMMAR,
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
    ("/v2/chat", Dialect::Cohere),
    ("/chat/completions", Dialect::OpenAiChat),
    ("/completions", Dialect::OpenAiCompletions),
    (":generateContent", Dialect::Gemini),
    (":streamGenerateContent", Dialect::Gemini),
    (".BidiGenerateContent", Dialect::GeminiLive),
    ("/interactions", Dialect::GeminiInteractions),
    ("/realtime", Dialect::OpenAiRealtime),
    ("/responses", Dialect::OpenAiResponses),
    ("/runs", Dialect::OpenAiAssistants),
    ("/submit_tool_outputs", Dialect::OpenAiAssistants),
    ("/audio/transcriptions", Dialect::OpenAiTranscription),
    ("/audio/translations", Dialect::OpenAiTranscription),
    ("/api/chat", Dialect::Ollama),
    ("/api/generate", Dialect::Ollama),
    ("/converse", Dialect::BedrockConverse),
    ("/converse-stream", Dialect::BedrockConverse),
    ("/invoke", Dialect::BedrockInvoke),
    ("/invoke-with-response-stream", Dialect::BedrockInvoke),
    ("/messages", Dialect::Anthropic),
    ("/ml/v1/text/generation", Dialect::Watsonx),
    ("/ml/v1/text/generation_stream", Dialect::Watsonx),
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
mod tests;
