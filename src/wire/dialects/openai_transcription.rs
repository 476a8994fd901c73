//! OpenAI's transcriptions and translations of sound, streamed and as a document.

use super::openai_chat;
use crate::policy::ChannelKind::Text;
use crate::wire::grammar::{Grammar, Members, Said};
use crate::wire::rows::{Group, Label, Layout, Role, Row};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect. It has no word for a text that was stopped: only an error cannot be mistaken for its end.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document,
    recognizes,
    is_end: |data| data == b"[DONE]",
    allows_comments: true,
    ends_with_a_word: true,
    splits: false,
    keeps: &[],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "",
    stop: |_| None,
    fault: |fault, _| vec![Said::data(openai_chat::fault_document(fault))],
    stop_document: |_| None,
    fault_document: openai_chat::fault_document,
};

const DELTA: &str = "transcript.text.delta";
const DONE: &str = "transcript.text.done";

const LAYOUT: Layout = Layout {
    kind: &["type"],
    indexes: [&[], &[]],
    groups: &[
        Group::all(&[Row("type", Role::Inert), Row("error", Role::Error)]),
        Group::of(&[DELTA], &[Row("delta", Role::Text(TEXT)), Row("segment_id", Role::Inert)]),
        Group::of(&[DELTA], LOGPROBS),
        Group::of(&["transcript.text.segment"], SEGMENT),
        Group::of(&["transcript.text.segment"], &[Row("text", Role::Text(SEGMENTS))]),
        Group::of(&[DONE], &[Row("", Role::End), Row("usage.**", Role::Usage)]),
        Group::of(&[DONE], &[Row("text", Role::Text(TEXT))]).whole(),
        Group::of(&[DONE], LOGPROBS).whole(),
    ],
};

const DOCUMENT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(TRANSCRIPTION),
        Group::all(LOGPROBS),
        Group::all(SEGMENT).under("segments[]"),
        Group::all(&[Row("text", Role::Echo(SEGMENTS))]).under("segments[]"),
    ],
};

const TEXT: Label = Label::text("text", Text);
const SEGMENTS: Label = Label::text("segments", Text);

const TRANSCRIPTION: &[Row] = &[
    Row("task", Role::Inert),
    Row("language", Role::Inert),
    Row("duration", Role::Inert),
    Row("text", Role::Text(TEXT)),
    // One by one they are not what a rule looks for.
    Row("words", Role::Side),
    Row("words[].word", Role::Own(Text)),
    Row("words[].start", Role::Inert),
    Row("words[].end", Role::Inert),
    Row("usage.**", Role::Usage),
    Row("error", Role::Error),
];

const SEGMENT: &[Row] = &[
    Row("id", Role::Inert),
    Row("type", Role::Inert),
    Row("speaker", Role::Inert),
    Row("seek", Role::Inert),
    Row("start", Role::Inert),
    Row("end", Role::Inert),
    Row("tokens", Role::Side),
    Row("temperature", Role::Inert),
    Row("avg_logprob", Role::Inert),
    Row("compression_ratio", Role::Inert),
    Row("no_speech_prob", Role::Inert),
];

const LOGPROBS: &[Row] = &[
    Row("logprobs", Role::Side),
    Row("logprobs[].token", Role::Token(TEXT)),
    Row("logprobs[].logprob", Role::Inert),
    Row("logprobs[].bytes", Role::TokenBytes(TEXT)),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn document() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&DOCUMENT));
    &TABLE
}

fn recognizes(kind: &[u8], event: &Members<'_>) -> bool {
    event.string("type").unwrap_or(kind).starts_with(b"transcript.text.")
}
