//! Gemini's Live API: the messages that its server sends over a WebSocket.
//!
//! A session has turns, and the message that ends one is not the session's last. Sound passes as it is: what can be
//! moderated of it is its transcript. There is no message for an error, so a transport has to close with one.

use super::gemini;
use crate::policy::ChannelKind::{Reasoning, Text};
use crate::wire::grammar::{Account, Grammar, Members, Said};
use crate::wire::rows::{Group, Label, Layout, Role, Row, Unit};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document: table,
    recognizes,
    is_end: |_| false,
    allows_comments: false,
    ends_with_a_word: true,
    splits: false,
    keeps: &[],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "",
    stop,
    fault: |_, _| vec![Said::data(GOES_AWAY)],
    stop_document: |_| None,
    fault_document: gemini::fault_document,
};

const LAYOUT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(ROOT),
        Group::all(CONTENT).under("serverContent"),
        Group::all(gemini::PART).under("serverContent.modelTurn.parts[]"),
        Group::all(&[Row("text", Role::Text(TEXT))]).under("serverContent.modelTurn.parts[]"),
        Group::all(gemini::PART).under("serverContent.modelTurn.parts[?thought]"),
        Group::all(&[Row("text", Role::Text(THOUGHTS))]).under("serverContent.modelTurn.parts[?thought]"),
        Group::all(gemini::GROUNDING).under("serverContent.groundingMetadata"),
        Group::all(CALL).under("toolCall.functionCalls[]"),
    ],
};

const TEXT: Label = Label::text("text", Text).cited_in(Unit::Bytes);
const THOUGHTS: Label = Label::text("thoughts", Reasoning);
const ARGS: Label = Label::args("args");

const ROOT: &[Row] = &[
    // A session without a turn is a whole one.
    Row("setupComplete", Role::Turn),
    Row("setupComplete.sessionId", Role::Inert),
    Row("serverContent", Role::Choice),
    Row("toolCall", Role::Choice),
    Row("toolCall.functionCalls", Role::Calls),
    Row("toolCallCancellation.ids[]", Role::Inert),
    Row("goAway.timeLeft", Role::Inert),
    Row("sessionResumptionUpdate.newHandle", Role::Inert),
    Row("sessionResumptionUpdate.resumable", Role::Inert),
    Row("sessionResumptionUpdate.lastConsumedClientMessageIndex", Role::Inert),
    Row("usageMetadata.**", Role::Usage),
    Row("usageMetadata.promptTokensDetails[].modality", Role::Inert),
    Row("usageMetadata.responseTokensDetails[].modality", Role::Inert),
];

const CONTENT: &[Row] = &[
    Row("modelTurn.role", Role::Inert),
    Row("outputTranscription.text", Role::Text(Label::text("outputTranscription", Text))),
    Row("outputTranscription.finished", Role::Inert),
    Row("outputTranscription.languageCode", Role::Inert),
    // What the user said.
    Row("inputTranscription.text", Role::Text(Label::text("inputTranscription", Text))),
    Row("inputTranscription.finished", Role::Inert),
    Row("inputTranscription.languageCode", Role::Inert),
    Row("generationComplete", Role::Inert),
    Row("interrupted", Role::Inert),
    Row("waitingForInput", Role::Inert),
    Row("turnComplete", Role::Turn),
    Row("turnCompleteReason", Role::Inert),
];

const CALL: &[Row] =
    &[Row("", Role::WholeCall), Row("id", Role::Inert), Row("name", Role::Own(Text)), Row("args", Role::Text(ARGS))];

/// The server is about to close.
const GOES_AWAY: &str = r#"{"goAway":{"timeLeft":"0s"}}"#;

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn recognizes(_: &[u8], event: &Members<'_>) -> bool {
    let kinds = ["setupComplete", "serverContent", "toolCall", "toolCallCancellation", "sessionResumptionUpdate"];
    kinds.into_iter().any(|kind| event.value(kind).is_some_and(|value| value.starts_with(b"{")))
}

/// Interrupts what the client plays, and goes.
fn stop(_: &Account<'_>) -> Option<Vec<Said>> {
    Some(vec![Said::data(r#"{"serverContent":{"interrupted":true}}"#), Said::data(GOES_AWAY)])
}
