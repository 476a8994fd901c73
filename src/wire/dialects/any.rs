//! Events or documents of no known dialect: every string is a text of its own.

use super::openai_chat;
use crate::wire::grammar::{Account, Fault, Grammar, Members, Said};
use crate::wire::rows::{Group, Layout, Role, Row};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// What is left when nothing is known. Its faults have the form that most clients know.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document: table,
    recognizes,
    is_end: |data| data == b"[DONE]",
    // Google's SDKs fail on one.
    allows_comments: false,
    ends_with_a_word: false,
    splits: false,
    keeps: &[],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "content_filter",
    stop: |_| None,
    fault,
    stop_document: |_| None,
    fault_document: openai_chat::fault_document,
};

const LAYOUT: Layout = Layout { kind: &[], indexes: [&[], &[]], groups: &[Group::all(&[Row("error", Role::Error)])] };

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn recognizes(_: &[u8], _: &Members<'_>) -> bool {
    false
}

fn fault(fault: Fault, _: &Account<'_>) -> Vec<Said> {
    vec![Said::data(openai_chat::fault_document(fault))]
}
