//! In streams that real servers sent: what a client puts together from the deltas is what it is shown once more, also
//! where words are cut in their middle.

mod drive;

use drive::{Recorded, cut, recorded};
use holdback::{Dialect, Policy, Rule};
use serde_json::Value;
use std::collections::BTreeMap;

/// Which text of a stream: the name of its kind, and its numbers.
type Place = (String, u64, u64);

/// What the deltas add up to, and what is shown once more.
#[derive(Default)]
struct Texts {
    sums: BTreeMap<Place, String>,
    shown: Vec<(Place, String)>,
    /// Texts that came both ways.
    compared: usize,
    /// Those that are not the same.
    different: Vec<String>,
}

impl Texts {
    fn add(&mut self, place: Place, delta: &Value) {
        self.sums.entry(place).or_default().push_str(delta.as_str().unwrap_or_default());
    }

    fn show(&mut self, place: Place, text: &Value) {
        self.shown.extend(text.as_str().map(|text| (place, text.to_owned())));
    }
}

fn number(event: &Value, names: &[&str]) -> u64 {
    names.iter().find_map(|name| event[name].as_u64()).unwrap_or(0)
}

/// OpenAI's Responses and Realtime: `KIND.delta` and `KIND.done`, then the part, the item and the response.
fn responses(texts: &mut Texts, event: &Value) {
    let kind = event["type"].as_str().unwrap_or_default();
    let (item, part) = (number(event, &["output_index"]), number(event, &["content_index", "summary_index"]));
    if let Some(kind) = kind.strip_suffix(".delta") {
        return texts.add((kind.to_owned(), item, part), &event["delta"]);
    }
    if let Some(kind) = kind.strip_suffix(".done") {
        for field in ["text", "arguments", "refusal", "input", "code", "transcript"] {
            texts.show((kind.to_owned(), item, part), &event[field]);
        }
    }
    if kind.ends_with("part.done") {
        show_part(texts, item, part, &event["part"]);
    }
    if kind == "response.output_item.done" {
        show_item(texts, item, &event["item"]);
    }
    let ends = ["response.completed", "response.incomplete", "response.failed", "response.done"];
    if ends.contains(&kind) {
        for (item, shown) in (0..).zip(event["response"]["output"].as_array().into_iter().flatten()) {
            show_item(texts, item, shown);
        }
        // In Realtime another answer may follow.
        texts.close();
    }
}

impl Texts {
    /// Compares what was shown so far; what follows is another answer.
    fn close(&mut self) {
        for (place, text) in self.shown.drain(..) {
            let Some(sum) = self.sums.get(&place) else { continue };
            self.compared += 1;
            if text != *sum {
                self.different.push(format!("{place:?}: shown {text:?}, the deltas are {sum:?}"));
            }
        }
        self.sums.clear();
    }
}

fn show_part(texts: &mut Texts, item: u64, place: u64, part: &Value) {
    let kinds: &[&str] = match part["type"].as_str() {
        Some("output_text" | "text") => &["response.output_text", "response.text"],
        Some("reasoning_text") => &["response.reasoning_text"],
        Some("summary_text") => &["response.reasoning_summary_text"],
        _ => &[],
    };
    for kind in kinds {
        texts.show(((*kind).to_owned(), item, place), &part["text"]);
    }
    texts.show(("response.refusal".to_owned(), item, place), &part["refusal"]);
    for kind in ["response.output_audio_transcript", "response.audio_transcript"] {
        texts.show((kind.to_owned(), item, place), &part["transcript"]);
    }
}

fn show_item(texts: &mut Texts, item: u64, shown: &Value) {
    for list in ["content", "summary"] {
        for (place, part) in (0..).zip(shown[list].as_array().into_iter().flatten()) {
            show_part(texts, item, place, part);
        }
    }
    for (kind, field) in [
        ("response.function_call_arguments", "arguments"),
        ("response.mcp_call_arguments", "arguments"),
        ("response.custom_tool_call_input", "input"),
        ("response.code_interpreter_call_code", "code"),
    ] {
        texts.show((kind.to_owned(), item, 0), &shown[field]);
    }
}

/// OpenAI's Assistants: deltas of messages, then the message.
fn assistants(texts: &mut Texts, event: &Value) {
    let contents = |list: &Value| list.as_array().cloned().unwrap_or_default();
    match event["object"].as_str() {
        Some("thread.message.delta") => {
            for part in contents(&event["delta"]["content"]) {
                texts.add(("text".to_owned(), 0, number(&part, &["index"])), &part["text"]["value"]);
            }
        }
        Some("thread.message") if event["status"] == "completed" => {
            for (place, part) in (0..).zip(contents(&event["content"])) {
                texts.show(("text".to_owned(), 0, place), &part["text"]["value"]);
            }
            texts.close();
        }
        _ => {}
    }
}

fn transcription(texts: &mut Texts, event: &Value) {
    match event["type"].as_str() {
        Some("transcript.text.delta") => texts.add(("text".to_owned(), 0, 0), &event["delta"]),
        Some("transcript.text.done") => texts.show(("text".to_owned(), 0, 0), &event["text"]),
        _ => {}
    }
}

/// Vercel's UI messages: a tool's input piece by piece, then as a value.
fn vercel(texts: &mut Texts, event: &Value) {
    let place = (event["toolCallId"].to_string(), 0, 0);
    match event["type"].as_str() {
        Some("tool-input-delta") => texts.add(place, &event["inputTextDelta"]),
        Some("tool-input-available") => {
            let sum = texts.sums.get(&place).and_then(|sum| serde_json::from_str::<Value>(sum).ok());
            let sum = sum.filter(|sum| *sum == event["input"]).map(|_| texts.sums[&place].clone());
            texts.show(place, &Value::String(sum.unwrap_or_else(|| event["input"].to_string())));
        }
        _ => {}
    }
}

fn read_all(read: fn(&mut Texts, &Value), stream: &[u8]) -> Texts {
    let mut texts = Texts::default();
    drive::events(stream).iter().for_each(|event| read(&mut texts, event));
    texts.close();
    texts
}

#[test]
fn what_is_shown_again_is_the_sum_of_the_deltas() {
    let policy = Policy::builder()
        .rule(Rule::regex("in-words", "t[aeh]|[0-9]|er").redact("#"))
        .rule(Rule::regex("vowels", "[aeiou]{2}").remove())
        .build()
        .unwrap();
    let mut compared = BTreeMap::<&str, usize>::new();
    for Recorded { name, dialect, bytes: input } in recorded() {
        let read: fn(&mut Texts, &Value) = match dialect {
            Dialect::OpenAiResponses | Dialect::OpenAiRealtime => responses,
            Dialect::OpenAiAssistants => assistants,
            Dialect::OpenAiTranscription => transcription,
            Dialect::VercelUi => vercel,
            _ => continue,
        };
        let came = read_all(read, &input);
        if !came.different.is_empty() {
            println!("skipped: {name} does not repeat itself: {:?}", came.different);
            continue;
        }
        let output = cut(&policy, Some(dialect), &input, input.len());
        let left = read_all(read, &output.bytes);
        assert_eq!((left.different, left.compared), (Vec::<String>::new(), came.compared), "{name}");
        *compared.entry(dialect.name()).or_default() += left.compared;
    }
    println!("{compared:?}");
    let is_all = std::env::var("HOLDBACK_STREAMS").is_err() && drive::shared("streams").is_some();
    assert!(!is_all || compared.values().all(|count| *count > 0) && compared.len() == 5, "{compared:?}");
}
