//! OpenAI's legacy completions, as OpenAI, Azure and the compatible servers send them: what stands around a choice's
//! text is as in chat completions.

use super::openai_chat::{self, CHOICE, ROOT};
use crate::policy::ChannelKind::Text;
use crate::wire::grammar::{Account, Grammar, Members, Said};
use crate::wire::rows::{Group, Label, Layout, Role, Row};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect. A document has the same fields as an event.
pub(crate) const GRAMMAR: Grammar = Grammar { table, document: table, recognizes, stop, ..openai_chat::GRAMMAR };

const LAYOUT: Layout = Layout {
    groups: &[
        Group::all(ROOT),
        // Writer's events are only this.
        Group::all(&[Row("value", Role::Text(TEXT))]),
        Group::all(CHOICE).under("choices[#]"),
        Group::all(COMPLETION).under("choices[#]"),
    ],
    ..openai_chat::LAYOUT
};

const TEXT: Label = Label::text("text", Text);

const COMPLETION: &[Row] = &[
    Row("text", Role::Text(TEXT)),
    Row("logprobs.tokens[]", Role::Token(TEXT)),
    Row("logprobs.token_logprobs.**", Role::Inert),
    // Its keys are tokens.
    Row("logprobs.top_logprobs[].*", Role::Inert),
    // Places in what the upstream said, behind the prompt if that is echoed.
    Row("logprobs.text_offset.**", Role::Inert),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn recognizes(_: &[u8], event: &Members<'_>) -> bool {
    event.has("choices") && event.string("object") == Some(b"text_completion")
}

fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    openai_chat::stop_saying(account, r#""text":"""#)
}
