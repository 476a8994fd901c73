//! The dialects: each is a table of rows and a few endings.

mod anthropic;
mod any;
mod cohere;
mod gemini;
mod gemini_interactions;
pub(crate) mod openai_chat;

pub(crate) use any::GRAMMAR as ANY;

use super::Dialect;
use super::framing::Framing;
use super::grammar::{Grammar, Members};
use super::rows::{Group, Layout, Role, Row};
use super::table::Table;
use std::sync::LazyLock;

/// Every dialect that is told by what its events say, the more particular ones first.
const ALL: [&Grammar; 5] =
    [&anthropic::GRAMMAR, &cohere::GRAMMAR, &gemini_interactions::GRAMMAR, &gemini::GRAMMAR, &openai_chat::GRAMMAR];

impl Dialect {
    /// How the dialect's streams are framed where nothing else is told; `None` if their first bytes tell.
    pub(crate) fn framing(self) -> Option<Framing> {
        match self {
            Dialect::Text | Dialect::Gemini => None,
            Dialect::Json => Some(Framing::Document),
            Dialect::Anthropic | Dialect::Cohere | Dialect::GeminiInteractions | Dialect::OpenAiChat => {
                Some(Framing::EventStream)
            }
        }
    }

    pub(crate) fn grammar(self) -> Grammar {
        match self {
            Dialect::Text | Dialect::Json => ANY,
            Dialect::Anthropic => anthropic::GRAMMAR,
            Dialect::Cohere => cohere::GRAMMAR,
            Dialect::Gemini => gemini::GRAMMAR,
            Dialect::GeminiInteractions => gemini_interactions::GRAMMAR,
            Dialect::OpenAiChat => openai_chat::GRAMMAR,
        }
    }
}

/// The dialect that an event, or a document, is of.
pub(crate) fn recognize(kind: &[u8], event: &Members<'_>) -> Option<Grammar> {
    ALL.into_iter().find(|grammar| (grammar.recognizes)(kind, event)).copied()
}

/// The JSON around a payload in base64.
pub(crate) fn envelope() -> &'static Table {
    const ENVELOPE: Layout = Layout {
        kind: &[],
        indexes: [&[], &[]],
        // `p` is random padding against guessing text from lengths.
        groups: &[Group::all(&[Row("bytes", Role::Inert), Row("p", Role::Inert)])],
    };
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&ENVELOPE));
    &TABLE
}
