//! The dialects: each is a table of rows and a few endings.

mod anthropic;
mod any;
mod bedrock_agent;
mod bedrock_converse;
mod bedrock_invoke;
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
const ALL: [&Grammar; 6] = [
    &anthropic::GRAMMAR,
    &openai_chat::GRAMMAR,
    &bedrock_converse::GRAMMAR,
    &bedrock_agent::GRAMMAR,
    &bedrock_invoke::TITAN,
    &bedrock_invoke::GRAMMAR,
];

impl Dialect {
    /// Every dialect, in declaration order.
    pub const ALL: [Dialect; 7] = [
        Dialect::Text,
        Dialect::Json,
        Dialect::Anthropic,
        Dialect::BedrockAgent,
        Dialect::BedrockConverse,
        Dialect::BedrockInvoke,
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
            Dialect::OpenAiChat => "openai-chat",
        }
    }

    /// How the dialect's streams are framed where nothing else is told.
    pub(crate) fn framing(self) -> Framing {
        match self {
            Dialect::Text | Dialect::Json => Framing::Document,
            Dialect::Anthropic | Dialect::OpenAiChat => Framing::EventStream,
            Dialect::BedrockAgent | Dialect::BedrockConverse | Dialect::BedrockInvoke => Framing::AmazonEventStream,
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
