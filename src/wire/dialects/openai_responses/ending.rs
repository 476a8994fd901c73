//! How an answer ends that was stopped or has failed: what is open is closed with what has left of it.

use super::{
    ANNOTATION_ADDED, BEGINNINGS, CREATED, IN_PROGRESS, ITEM_ADDED, ITEM_DONE, PART_ADDED, PART_DONE, QUEUED,
    REASONING, REASONING_ADDED, REASONING_DONE, REFUSAL, SUMMARY, SUMMARY_ADDED, SUMMARY_DONE, TEXT,
};
use crate::wire::grammar::{Account, Edits, Fault, Members, ROOT, Said, object};
use std::collections::BTreeMap;

/// What endings must know of.
pub(super) const KEEPS: &[&str] = &[
    CREATED,
    IN_PROGRESS,
    QUEUED,
    ITEM_ADDED,
    ITEM_DONE,
    PART_ADDED,
    PART_DONE,
    SUMMARY_ADDED,
    SUMMARY_DONE,
    REASONING_ADDED,
    REASONING_DONE,
    ANNOTATION_ADDED,
];

const INCOMPLETE: &[u8] = b"\"incomplete\"";

/// Closes every part and every item that is open, and says that the answer is incomplete.
pub(super) fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let begun = account.kept.iter().find(|kept| BEGINNINGS.contains(&kept.kind))?;
    let begun = Members::of(&begun.text)?.value("response")?;
    let mut voice = Voice::new(account);
    let mut output = Vec::new();
    for (index, item) in items(account) {
        match item.done {
            Some(done) => output.push(done.to_vec()),
            None => output.extend(voice.close(index, &item)),
        }
    }
    let output = array(output);
    let response = incomplete(&Members::of(begun)?, &output, account.usage);
    voice.say("response.incomplete", &[("response", &response)]);
    Some(voice.said)
}

/// An answer like this one, which the policy has stopped.
fn incomplete(answer: &Members<'_>, output: &[u8], usage: Option<&[u8]>) -> Vec<u8> {
    let said = [
        ("status", INCOMPLETE),
        ("error", b"null"),
        ("incomplete_details", br#"{"reason":"content_filter"}"#),
        ("output", output),
        ("usage", usage.unwrap_or(b"null")),
    ];
    object(answer.entries().filter(|(key, _)| said.iter().all(|(own, _)| own != key)).chain(said))
}

fn array(elements: Vec<Vec<u8>>) -> Vec<u8> {
    [b"[", &elements.join(&b","[..])[..], b"]"].concat()
}

/// An error as OpenAI's SDKs take it from a stream, and flat, as the API documents it.
pub(super) fn fault(fault: Fault, account: &Account<'_>) -> Vec<Said> {
    let (kind, code, message) = (fault.kind(), fault.code(), fault.message());
    let error = format!(r#"{{"type":"{kind}","code":"{code}","message":"{message}","param":null}}"#);
    let (code, message) = (format!("\"{code}\""), format!("\"{message}\""));
    let mut voice = Voice::new(account);
    voice.say(
        "error",
        &[("code", code.as_bytes()), ("message", message.as_bytes()), ("param", b"null"), ("error", error.as_bytes())],
    );
    voice.said
}

/// Says that the answer is incomplete, and asks for no tool.
pub(super) fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::of(body)?;
    for item in edits.elements("output") {
        if edits.string(item, "type") == Some(b"message") {
            let _absent = edits.set(item, "status", "\"incomplete\"");
        }
    }
    let marked = edits.apply();
    let mut edits = Edits::of(&marked)?;
    let output = edits.member(ROOT, "output")?;
    edits.retain(output, |edits, item| !edits.string(item, "type").is_some_and(is_call));
    let without_calls = edits.apply();
    let answer = Members::of(&without_calls)?;
    Some(incomplete(&answer, answer.value("output")?, answer.value("usage")))
}

/// Whether a client may act upon items of this type.
fn is_call(kind: &[u8]) -> bool {
    let calls: [&[u8]; 8] = [
        b"function_call",
        b"custom_tool_call",
        b"tool_search_call",
        b"computer_call",
        b"shell_call",
        b"local_shell_call",
        b"apply_patch_call",
        b"mcp_approval_request",
    ];
    calls.contains(&kind)
}

/// An item as far as it has left.
#[derive(Debug, Default)]
struct Item<'a> {
    added: Option<&'a [u8]>,
    done: Option<&'a [u8]>,
    /// By what they carry, and their index.
    parts: BTreeMap<(&'static str, u32), Part<'a>>,
    annotations: BTreeMap<u32, Vec<&'a [u8]>>,
}

#[derive(Debug, Default)]
struct Part<'a> {
    done: Option<&'a [u8]>,
    /// What has left of its text, as the content of a string.
    text: &'a [u8],
}

/// The items of an answer.
fn items<'a>(account: &'a Account<'_>) -> BTreeMap<u32, Item<'a>> {
    let mut items = BTreeMap::<u32, Item<'a>>::new();
    for kept in account.kept {
        let Some(event) = Members::of(&kept.text) else { continue };
        let Some(item) = event.number("output_index").map(|index| items.entry(index).or_default()) else { continue };
        let part = event.number("content_index").or(event.number("summary_index")).unwrap_or(0);
        match kept.kind {
            ITEM_ADDED => item.added = event.value("item"),
            ITEM_DONE => item.done = event.value("item"),
            ANNOTATION_ADDED => item.annotations.entry(part).or_default().extend(event.value("annotation")),
            PART_ADDED | SUMMARY_ADDED | REASONING_ADDED => {
                item.parts.entry((name_of(&event), part)).or_default();
            }
            PART_DONE | SUMMARY_DONE | REASONING_DONE => {
                item.parts.entry((name_of(&event), part)).or_default().done = event.value("part");
            }
            _ => {}
        }
    }
    for left in &account.texts {
        let name = PARTS.iter().find(|part| part.name == left.name).map(|part| part.name);
        if let (Some(name), Some(item)) = (name, items.get_mut(&left.choice)) {
            item.parts.entry((name, left.item)).or_default().text = left.escaped;
        }
    }
    items
}

/// What the part carries that an event is about.
fn name_of(event: &Members<'_>) -> &'static str {
    let kind = event.string("part.type").unwrap_or_default();
    PARTS.iter().find(|part| part.kind.as_bytes() == kind).map_or("", |part| part.name)
}

/// How a part is closed.
struct Closing {
    /// The channel's name.
    name: &'static str,
    /// The part's type.
    kind: &'static str,
    /// The member that has its text, in the part and in the event that says it is done.
    member: &'static str,
    done: &'static str,
    part_done: &'static str,
    index: &'static str,
}

const PARTS: [Closing; 4] = [
    Closing {
        name: TEXT.name,
        kind: "output_text",
        member: "text",
        done: "response.output_text.done",
        part_done: PART_DONE,
        index: "content_index",
    },
    Closing {
        name: REFUSAL.name,
        kind: "refusal",
        member: "refusal",
        done: "response.refusal.done",
        part_done: PART_DONE,
        index: "content_index",
    },
    Closing {
        name: REASONING.name,
        kind: "reasoning_text",
        member: "text",
        done: "response.reasoning_text.done",
        part_done: PART_DONE,
        index: "content_index",
    },
    Closing {
        name: SUMMARY.name,
        kind: "summary_text",
        member: "text",
        done: "response.reasoning_summary_text.done",
        part_done: SUMMARY_DONE,
        index: "summary_index",
    },
];

/// Says events, and numbers them where the stream does.
struct Voice {
    number: Option<u64>,
    said: Vec<Said>,
}

impl Voice {
    fn new(account: &Account<'_>) -> Voice {
        Voice { number: account.last_number, said: Vec::new() }
    }

    fn say(&mut self, kind: &'static str, members: &[(&str, &[u8])]) {
        let name = format!("\"{kind}\"");
        self.number = self.number.map(|number| number + 1);
        let number = self.number.map(|number| number.to_string());
        let number = number.as_ref().map(|number| ("sequence_number", number.as_bytes()));
        let all = [("type", name.as_bytes())].into_iter().chain(members.iter().copied()).chain(number);
        self.said.push(Said::of(kind, object(all)));
    }

    /// Closes an item with what has left of it, if it is one that is told by its texts; gives back what it is then.
    fn close(&mut self, index: u32, item: &Item<'_>) -> Option<Vec<u8>> {
        let added = Members::of(item.added?)?;
        // A tool's item without its result is neither done nor a part of the answer.
        let is_message = match added.string("type")? {
            b"message" => true,
            b"reasoning" => false,
            _ => return None,
        };
        let id = added.value("id").unwrap_or(b"null");
        let index = index.to_string();
        let (mut content, mut summary) = (Vec::new(), Vec::new());
        for ((name, place), part) in &item.parts {
            let Some(closing) = PARTS.iter().find(|closing| closing.name == *name) else { continue };
            let shown = match part.done {
                Some(done) => done.to_vec(),
                None => self.close_part(closing, [id, index.as_bytes()], *place, part, item),
            };
            if closing.index == "summary_index" { &mut summary } else { &mut content }.push((*place, shown));
        }
        let in_order = |mut parts: Vec<(u32, Vec<u8>)>| {
            parts.sort_by_key(|(place, _)| *place);
            array(parts.into_iter().map(|(_, part)| part).collect())
        };
        let (has_content, content, summary) = (!content.is_empty(), in_order(content), in_order(summary));
        let mut said = vec![("status", INCOMPLETE)];
        if is_message || has_content {
            said.push(("content", &content));
        }
        if !is_message {
            said.push(("summary", &summary));
        }
        // It sealed what the item began with.
        let is_told = |key: &str| key == "encrypted_content" || said.iter().any(|(own, _)| *own == key);
        let item = object(added.entries().filter(|(key, _)| !is_told(key)).chain(said.iter().copied()));
        self.say(ITEM_DONE, &[("output_index", index.as_bytes()), ("item", &item)]);
        Some(item)
    }

    fn close_part(
        &mut self,
        closing: &Closing,
        [id, output_index]: [&[u8]; 2],
        place: u32,
        part: &Part<'_>,
        item: &Item<'_>,
    ) -> Vec<u8> {
        let text = [b"\"", part.text, b"\""].concat();
        let kind = format!("\"{}\"", closing.kind);
        let annotations = item.annotations.get(&place).map(|all| all.join(&b","[..])).unwrap_or_default();
        let annotations = [b"[", &annotations[..], b"]"].concat();
        let place = place.to_string();
        let mut shown = vec![("type", kind.as_bytes()), (closing.member, &text[..])];
        let about = [("item_id", id), ("output_index", output_index), (closing.index, place.as_bytes())];
        let mut done = about.to_vec();
        done.push((closing.member, &text));
        if closing.name == TEXT.name {
            shown.extend([("annotations", &annotations[..]), ("logprobs", b"[]")]);
            done.push(("logprobs", b"[]"));
        }
        let shown = object(shown);
        self.say(closing.done, &done);
        self.say(closing.part_done, &[&about[..], &[("part", &shown)]].concat());
        shown
    }
}
