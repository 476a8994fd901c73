//! How an answer ends that was stopped within a session.

use super::{CREATED, DONE, ITEM_ADDED, ITEM_DONE, PART_ADDED, PART_DONE, TEXT, TRANSCRIPT};
use crate::wire::grammar::{Account, Fault, Members, Said, object};

/// What endings must know of: the last event of each kind, for answers and items follow one another.
pub(super) const KEEPS: &[&str] = &[CREATED, DONE, ITEM_ADDED, ITEM_DONE, PART_ADDED];

const INCOMPLETE: &[u8] = b"\"incomplete\"";
const BECAUSE: &[u8] = br#"{"type":"incomplete","reason":"content_filter"}"#;

/// Closes the part, the item and the answer that are under way.
pub(super) fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    let last = |kind: &str| Members::of(&account.kept.iter().find(|kept| kept.kind == kind)?.text);
    let created = last(CREATED)?;
    let id = created.value("response.id")?;
    if last(DONE).is_some_and(|done| done.value("response.id") == Some(id)) {
        return None;
    }
    let mut voice = Voice { said: Vec::new() };
    let open = last(ITEM_ADDED).filter(|added| {
        let is_of_answer = added.value("response_id") == Some(id);
        is_of_answer && last(ITEM_DONE).is_none_or(|done| done.value("item.id") != added.value("item.id"))
    });
    let item = open.and_then(|added| voice.close(&added, last(PART_ADDED), &created, account));
    let output = [b"[", &item.unwrap_or_default()[..], b"]"].concat();
    let own = [("status", INCOMPLETE), ("status_details", BECAUSE), ("output", &output)];
    let response = Members::of(created.value("response")?)?;
    let response = object(response.entries().filter(|(key, _)| own.iter().all(|(name, _)| name != key)).chain(own));
    voice.say(DONE, &[("response", &response)]);
    Some(voice.said)
}

pub(super) fn fault(fault: Fault, _: &Account<'_>) -> Vec<Said> {
    let (kind, code, message) = (fault.kind(), fault.code(), fault.message());
    let error = format!(r#"{{"type":"{kind}","code":"{code}","message":"{message}","param":null,"event_id":null}}"#);
    let mut voice = Voice { said: Vec::new() };
    voice.say("error", &[("error", error.as_bytes())]);
    voice.said
}

/// Says events, each with an id.
struct Voice {
    said: Vec<Said>,
}

impl Voice {
    fn say(&mut self, kind: &'static str, members: &[(&str, &[u8])]) {
        let (name, id) = (format!("\"{kind}\""), format!("\"event_holdback_{}\"", self.said.len() + 1));
        let all = [("type", name.as_bytes()), ("event_id", id.as_bytes())];
        self.said.push(Said::of(kind, object(all.into_iter().chain(members.iter().copied()))));
    }

    /// Closes a message with what has left of its last part; gives back what it is then.
    fn close(
        &mut self,
        added: &Members<'_>,
        part: Option<Members<'_>>,
        created: &Members<'_>,
        account: &Account<'_>,
    ) -> Option<Vec<u8>> {
        let item = Members::of(added.value("item")?)?;
        if item.string("type") != Some(b"message") {
            return None;
        }
        let id = item.value("id")?;
        let about = ["response_id", "output_index"].map(|key| (key, added.value(key).unwrap_or(b"null")));
        let part = part.filter(|part| part.value("item_id") == Some(id));
        let content = part.and_then(|part| {
            let index = part.value("content_index")?;
            let about = [about[0], ("item_id", id), about[1], ("content_index", index)];
            self.close_part(&part, about, created.has("response.output_modalities"), account)
        });
        let content = [b"[", &content.unwrap_or_default()[..], b"]"].concat();
        let own = [("status", INCOMPLETE), ("content", &content[..])];
        let item = object(item.entries().filter(|(key, _)| own.iter().all(|(name, _)| name != key)).chain(own));
        self.say(ITEM_DONE, &[about[0], about[1], ("item", &item)]);
        Some(item)
    }

    /// Gives back how the part stands in its item.
    fn close_part(
        &mut self,
        part: &Members<'_>,
        about: [(&str, &[u8]); 4],
        is_current: bool,
        account: &Account<'_>,
    ) -> Option<Vec<u8>> {
        let kind = part.string("part.type").or(part.string("content.type"))?;
        let is_text = kind == b"text";
        // The beta's names are without `output`.
        let (member, done, in_item) = match (is_text, is_current) {
            (true, true) => ("text", "response.output_text.done", "output_text"),
            (true, false) => ("text", "response.text.done", "text"),
            (false, true) => ("transcript", "response.output_audio_transcript.done", "output_audio"),
            (false, false) => ("transcript", "response.audio_transcript.done", "audio"),
        };
        let name = if is_text { TEXT.name } else { TRANSCRIPT.name };
        // Names are numbered as they come, and an item comes after its answer.
        let choice = account.open_choices.iter().max()?;
        let index: u32 = part.number("content_index")?;
        let left = account.texts.iter().find(|left| (left.choice, left.item, left.name) == (*choice, index, name));
        let text = [&b"\""[..], left.map_or(b"", |left| left.escaped), b"\""].concat();
        let shown = |kind: &str| object([("type", format!("\"{kind}\"").as_bytes()), (member, &text)]);
        self.say(done, &[&about[..], &[(member, &text)]].concat());
        let part = shown(if is_text { "text" } else { "audio" });
        self.say(PART_DONE, &[&about[..], &[("part", &part)]].concat());
        Some(shown(in_item))
    }
}
