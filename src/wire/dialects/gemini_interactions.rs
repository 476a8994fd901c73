//! Gemini's Interactions API, streamed and as a document.
//!
//! An interaction is a sequence of steps (thoughts, output, calls, results of tools that run upstream), told apart by
//! `index`. The API's first revision called them content, and its events after that.

use super::gemini;
use crate::policy::ChannelKind::{Reasoning, Text, ToolResult};
use crate::wire::grammar::{Account, Edits, Fault, Grammar, Members, ROOT, Said, object};
use crate::wire::rows::{Cites, Group, Label, Layout, Role, Row, Unit};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document,
    recognizes,
    is_end: |data| data == b"[DONE]",
    allows_comments: false,
    ends_with_a_word: true,
    splits: true,
    keeps: &[CREATED[0], CREATED[1], START[0], START[1], STOP[0], STOP[1]],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "incomplete",
    stop,
    fault,
    stop_document,
    fault_document: gemini::fault_document,
};

/// Kinds of event, by the name that they have now and the one that they had.
const CREATED: [&str; 2] = ["interaction.created", "interaction.start"];
const START: [&str; 2] = ["step.start", "content.start"];
const DELTA: [&str; 2] = ["step.delta", "content.delta"];
const STOP: [&str; 2] = ["step.stop", "content.stop"];
const COMPLETED: [&str; 2] = ["interaction.completed", "interaction.complete"];

const LAYOUT: Layout = Layout {
    kind: &["event_type"],
    indexes: [&["index"], &[]],
    groups: &[
        Group::all(&[
            Row("event_type", Role::Inert),
            Row("event_id", Role::Inert),
            Row("index", Role::Inert),
            Row("interaction_id", Role::Inert),
            Row("status", Role::Inert),
            Row("metadata.**", Role::Inert),
            Row("error", Role::Error),
            Row("error.code", Role::Own(Text)),
            Row("error.message", Role::Own(Text)),
        ]),
        Group::of(&CREATED, INTERACTION).under("interaction"),
        Group::of(&START, &[Row("", Role::Choice)]),
        Group::of(&START, STEP).under("step"),
        Group::of(&START, STEP).under("content"),
        Group::of(&DELTA, STEP).under("delta"),
        Group::of(&["step.delta"], &[Row("arguments", Role::Text(ARGUMENTS))]).under("delta"),
        Group::of(&STOP, &[Row("", Role::Closes)]),
        Group::of(&STOP, STEP).under("step").whole(),
        Group::of(&COMPLETED, &[Row("", Role::End)]),
        Group::of(&COMPLETED, INTERACTION).under("interaction"),
        Group::of(&COMPLETED, STEP).under("interaction.steps[#]").whole(),
        Group::of(&COMPLETED, STEP).under("interaction.outputs[#]").whole(),
    ],
};

const DOCUMENT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[
        Group::all(INTERACTION),
        Group::all(&[Row("error", Role::Error), Row("error.code", Role::Inert)]),
        Group::all(STEP).under("steps[#]"),
        Group::all(STEP).under("outputs[#]"),
        Group::all(&[Row("steps[#]", Role::Choice), Row("outputs[#]", Role::Choice)]),
    ],
};

const TEXT: Label = Label::text("text", Text).cited_in(Unit::Bytes);
const SUMMARY: Label = Label::text("summary", Reasoning);
const ARGUMENTS: Label = Label::args("arguments");

const INTERACTION: &[Row] = &[
    Row("id", Role::Inert),
    Row("previous_interaction_id", Role::Inert),
    Row("environment_id", Role::Inert),
    Row("object", Role::Inert),
    Row("model", Role::Inert),
    Row("agent", Role::Inert),
    Row("role", Role::Inert),
    Row("status", Role::Inert),
    Row("created", Role::Inert),
    Row("updated", Role::Inert),
    Row("service_tier", Role::Inert),
    Row("usage.**", Role::Usage),
];

/// A step, its beginning, or a delta of it.
const STEP: &[Row] = &[
    Row("type", Role::Inert),
    Row("id", Role::Inert),
    Row("call_id", Role::Inert),
    Row("name", Role::Own(Text)),
    Row("server_name", Role::Own(Text)),
    Row("status", Role::Inert),
    Row("text", Role::Text(TEXT)),
    Row("content[].type", Role::Inert),
    Row("content[].text", Role::Text(TEXT)),
    Row("content[].data", Role::Inert),
    Row("content[].mime_type", Role::Inert),
    Row("summary[].type", Role::Inert),
    Row("summary[].text", Role::Text(SUMMARY)),
    // A piece of the summary.
    Row("content.type", Role::Inert),
    Row("content.text", Role::Text(SUMMARY)),
    Row("signature", Role::Seal(Reasoning)),
    Row("arguments", Role::Call(ARGUMENTS)),
    Row("result.**", Role::Own(ToolResult)),
    // Pictures and sound cannot be redacted by their text.
    Row("data", Role::Inert),
    Row("mime_type", Role::Inert),
    Row("resolution", Role::Inert),
    Row("sample_rate", Role::Inert),
    Row("channels", Role::Inert),
    Row("annotations[]", Role::Citation(TEXT)),
    Row("annotations[].type", Role::Inert),
    Row("annotations[].start_index", Role::Cites(Cites::Start)),
    Row("annotations[].end_index", Role::Cites(Cites::End)),
    Row("content[].annotations[]", Role::Citation(TEXT)),
    Row("content[].annotations[].type", Role::Inert),
    Row("content[].annotations[].start_index", Role::Cites(Cites::Start)),
    Row("content[].annotations[].end_index", Role::Cites(Cites::End)),
];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

fn document() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&DOCUMENT));
    &TABLE
}

fn recognizes(_: &[u8], event: &Members<'_>) -> bool {
    let known = [CREATED, START, DELTA, STOP, COMPLETED].into_iter().flatten().chain(["interaction.status_update"]);
    match event.string("event_type") {
        Some(kind) => {
            known.into_iter().any(|known| known.as_bytes() == kind) || (kind == b"error" && event.has("error"))
        }
        None => event.string("object") == Some(b"interaction"),
    }
}

/// Ends the steps that are open, and the interaction as incomplete.
fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let kept = |kinds: [&'static str; 2]| account.kept.iter().filter(move |kept| kinds.contains(&kept.kind));
    let created = kept(CREATED).next()?;
    let revision = usize::from(created.kind == CREATED[1]);
    let index = |text: &[u8]| Members::of(text).and_then(|step| step.number::<u32>("index"));
    let mut open: Vec<u32> = kept(START).filter_map(|start| index(&start.text)).collect();
    let closed: Vec<u32> = kept(STOP).filter_map(|stop| index(&stop.text)).collect();
    open.retain(|step| !closed.contains(step));

    let stop = STOP[revision];
    let of_step = |index| Said::of(stop, format!(r#"{{"index":{index},"event_type":"{stop}"}}"#));
    let mut events: Vec<Said> = open.into_iter().map(of_step).collect();
    let created = Members::of(&created.text)?;
    let told = |name| Some((name, created.value(&format!("interaction.{name}"))?));
    let told = ["id", "object", "model", "agent"].into_iter().filter_map(told);
    let usage = account.usage.map(|usage| ("usage", usage));
    let interaction = object(told.chain([("status", &b"\"incomplete\""[..])]).chain(usage));
    let kind = COMPLETED[revision];
    let event_type = format!("\"{kind}\"");
    events.push(Said::of(kind, object([("interaction", &interaction[..]), ("event_type", event_type.as_bytes())])));
    events.push(Said::of("done", "[DONE]"));
    Some(events)
}

fn fault(fault: Fault, _: &Account<'_>) -> Vec<Said> {
    let (code, message) = (fault.code(), fault.message());
    vec![Said::of("error", format!(r#"{{"error":{{"code":"{code}","message":"{message}"}},"event_type":"error"}}"#))]
}

/// Says `incomplete`, and calls no function.
fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::of(body)?;
    edits.set(ROOT, "status", "\"incomplete\"")?;
    for steps in ["steps", "outputs"] {
        if let Some(steps) = edits.member(ROOT, steps) {
            edits.retain(steps, |edits, step| edits.member(step, "arguments").is_none());
        }
    }
    Some(edits.apply())
}
