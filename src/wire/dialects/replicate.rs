//! Replicate's streams: an event of the kind `output` is a piece of plain text.

use super::any;
use crate::policy::ChannelKind::Text;
use crate::wire::grammar::{Fault, Grammar, Said};
use crate::wire::rows::{Group, Label, Layout, Role, Row};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect. A prediction that is not streamed has an output of any form.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document: any::GRAMMAR.document,
    recognizes: |kind, _| kind == OUTPUT.as_bytes(),
    is_end: |_| false,
    allows_comments: true,
    ends_with_a_word: true,
    splits: false,
    keeps: &[],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "",
    // The reasons of an end are an error and its being cancelled.
    stop: |_| None,
    fault: |fault, _| vec![Said::of("error", fault_document(fault)), Said::of(DONE, r#"{"reason":"error"}"#)],
    stop_document: |_| None,
    fault_document,
};

const OUTPUT: &str = "output";
const DONE: &str = "done";

const LAYOUT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::of(&[OUTPUT], &[Row("", Role::Text(Label::bare("output", Text)))]),
        Group::of(&["error"], &[Row("", Role::Error), Row("detail", Role::Own(Text))]),
        Group::of(&[DONE], &[Row("", Role::End), Row("reason", Role::Inert)]),
    ],
};

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn fault_document(fault: Fault) -> Vec<u8> {
    format!(r#"{{"detail":"{}"}}"#, fault.message()).into_bytes()
}
