//! Streams that real servers sent: untouched they leave as the very bytes that came, touched they leave the same at
//! every cut, and a redacted word is nowhere in what leaves.

mod drive;

use bytes::Bytes;
use drive::{Recorded, cut, recorded};
use holdback::wire::Failure;
use holdback::{Dialect, Ending, Filter, Pack, Policy, Rule};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Streams that do not come to their protocol's end: a client must not think that they did.
const UNFINISHED: [&str; 9] = [
    "derived/agui_cut.sse",
    "derived/ant_cut.sse",
    "derived/coh_cut.sse",
    "derived/gem_cut.sse",
    "derived/oll_cut.ndjson",
    "derived/vui_cut.sse",
    "gemini/firebase__vertexai-streaming-failure-empty-content.sse",
    "gemini/firebase__vertexai-streaming-failure-malformed-content.sse",
    "gemini/firebase__vertexai-streaming-success-quotes-escaped.sse",
];

const CUTS: [usize; 5] = [1, 2, 3, 7, 64];

#[test]
fn untouched_streams_leave_as_they_came() {
    let never = Policy::builder().rule(Rule::literal("never", "\u{1}never\u{1}")).build().unwrap();
    let mut endings = BTreeMap::<String, usize>::new();
    for Recorded { name, dialect, bytes: input } in recorded() {
        for size in CUTS.into_iter().chain([input.len()]) {
            for dialect in [None, Some(dialect)] {
                let output = cut(&never, dialect, &input, size);
                assert_eq!(output.verdicts, []);
                assert!(output.bytes.starts_with(&input), "{name} at {size}: {:?}", output.ending);
                let added = String::from_utf8_lossy(&output.bytes[input.len()..]);
                let is_cut_off = UNFINISHED.contains(&name.as_str());
                let is_truncated = output.ending == Ending::UpstreamFailed(Failure::Truncated);
                assert_eq!((is_truncated, !added.is_empty()), (is_cut_off, is_cut_off), "{name}: {added}");
                *endings.entry(format!("{:?}", output.ending)).or_default() += 1;
            }
        }
    }
    println!("{endings:?}");
}

#[test]
fn touched_streams_do_not_depend_on_the_cuts() {
    let policy = Policy::builder()
        .rule(Rule::regex("mail", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"))
        .rule(Rule::regex("common", r"\b(?:the|and|you|that|weather|user|location|is)\b").redact("<{rule}>"))
        .rule(Rule::regex("digits", r"[0-9]{2,}").redact("#"))
        .build()
        .unwrap();
    let mut touched = 0;
    for Recorded { name, dialect, bytes: input } in recorded() {
        let whole = cut(&policy, Some(dialect), &input, input.len());
        touched += usize::from(whole.bytes != input);
        for size in CUTS {
            let output = cut(&policy, Some(dialect), &input, size);
            assert_eq!(output, whole, "{name} at {size}");
        }
        assert_ne!(whole.ending, Ending::UpstreamFailed(Failure::Malformed), "{name}");
    }
    println!("{touched} streams touched");
}

#[test]
fn the_packs_change_nothing_where_they_find_nothing_and_stall_nothing() {
    let policy = Pack::DEFAULT.into_iter().fold(Policy::builder(), |policy, pack| policy.pack(pack)).build().unwrap();
    let (mut most, mut sum, mut count) = (0, 0, 0);
    for Recorded { name, dialect, bytes: input } in recorded() {
        let whole = cut(&policy, None, &input, input.len());
        for size in CUTS {
            assert_eq!(cut(&policy, None, &input, size), whole, "{name} at {size}");
        }
        // The last words of an unfinished one are withheld.
        if whole.verdicts.is_empty() && !UNFINISHED.contains(&name.as_str()) {
            assert_eq!(whole.bytes, input, "{name}");
        }
        if dialect == Dialect::GeminiLive {
            // Sound waits behind the last word that is spoken.
            continue;
        }
        let waiting = waiting(&policy, dialect, &input);
        most = most.max(waiting.iter().copied().max().unwrap_or(0));
        sum += waiting.iter().sum::<usize>();
        count += waiting.len();
    }
    let mean = sum as f64 / count.max(1) as f64;
    println!("waiting events: mean {mean:.2}, most {most}");
    // An event waits for the end of the word that it may be a part of (a long link is one), not for the next field or
    // the finish.
    assert!(most <= 24 && mean < 1.5, "mean {mean}, most {most}");
}

/// How many events wait after each one.
fn waiting(policy: &Policy, dialect: Dialect, input: &[u8]) -> Vec<usize> {
    let mut filter = Filter::new(policy, Some(dialect));
    let mut waiting = 0;
    let push = |event: &[u8]| {
        filter.push(Bytes::copy_from_slice(event), Instant::now(), &mut ());
        // A blank line too many is an event as well.
        waiting = (waiting + 1usize).saturating_sub(std::iter::from_fn(|| filter.pop()).count());
        waiting
    };
    drive::split(input).into_iter().map(push).collect()
}

/// Fields that carry no model text, by the last names of their paths. This list is the test's own.
const INERT: [&str; 21] = [
    "id",
    "object",
    "model",
    "role",
    "type",
    "finish_reason",
    "native_finish_reason",
    "system_fingerprint",
    "service_tier",
    "serviceTier",
    "provider",
    "obfuscation",
    "format",
    "severity",
    "signature",
    "data",
    "channel",
    "code",
    "usage",
    "phase",
    "context",
];

/// Every text of an output: each string by itself, and each field's strings over all events joined.
#[derive(Default)]
struct Texts {
    single: Vec<String>,
    joined: BTreeMap<String, String>,
}

impl Texts {
    fn of(output: &drive::Output) -> Texts {
        let mut texts = Texts::default();
        for payload in drive::payloads(&output.bytes) {
            match serde_json::from_str(&payload) {
                Ok(event @ Value::Object(_)) => texts.collect("", &event),
                _ => texts.add("", &payload),
            }
        }
        // What a JSON text says is what counts, not how it is escaped.
        let is_json = |path: &String| JSON_TEXTS.iter().any(|name| path.ends_with(name));
        let parsed =
            |(path, text): (&String, &String)| Some((path.clone(), json_texts(text).filter(|_| is_json(path))?));
        for (path, values) in texts.joined.iter().filter_map(parsed).collect::<Vec<_>>() {
            texts.joined.remove(&path);
            values.iter().for_each(|value| texts.collect(".args", value));
        }
        texts
    }

    fn collect(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(object) => {
                for (key, value) in object.iter().filter(|(key, _)| !INERT.contains(&key.as_str())) {
                    self.collect(&format!("{path}.{key}"), value);
                }
            }
            Value::Array(bytes) if path.ends_with(".bytes") => {
                let bytes: Vec<u8> = bytes.iter().filter_map(|b| b.as_u64()?.try_into().ok()).collect();
                self.add(path, &String::from_utf8_lossy(&bytes));
            }
            Value::Array(elements) => {
                for (i, element) in elements.iter().enumerate() {
                    let index = element.get("index").and_then(Value::as_u64).unwrap_or(i as u64);
                    // Tokens are a sequence, choices and calls are told apart.
                    let place = if path.contains("logprobs") { String::new() } else { format!("[{index}]") };
                    self.collect(&format!("{path}{place}"), element);
                }
            }
            Value::String(text) => self.add(path, text),
            _ => {}
        }
    }

    fn add(&mut self, path: &str, text: &str) {
        if !JSON_TEXTS.iter().any(|name| path.ends_with(name)) {
            self.single.push(text.to_owned());
        }
        self.joined.entry(path.to_owned()).or_default().push_str(text);
    }

    fn holding(&self, word: &str) -> Option<String> {
        let joined =
            self.joined.iter().find(|(_, text)| text.contains(word)).map(|(path, _)| format!("{path}, joined"));
        joined.or_else(|| self.single.iter().find(|text| text.contains(word)).cloned())
    }
}

/// The names of fields that carry a JSON text in pieces.
const JSON_TEXTS: [&str; 4] = ["arguments", "partial_json", "input", "args"];

/// What the JSON texts in a string say, one behind the other; `None` if they are none.
fn json_texts(text: &str) -> Option<Vec<Value>> {
    serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().ok()
}

/// Words of six letters or more that a client would show.
fn words(channel: &str, text: &str, words: &mut BTreeSet<String>) {
    let is_json = ["args", "json", "arguments", "tool", "fc"].iter().any(|name| channel.ends_with(name));
    let shown = match json_texts(text).filter(|_| is_json) {
        Some(args) => {
            let mut texts = Texts::default();
            args.iter().for_each(|args| texts.collect("", args));
            texts.single.join(" ")
        }
        None if is_json => text.replace("\\n", " "),
        None => text.to_owned(),
    };
    let letters = shown.split(|c: char| !c.is_ascii_alphabetic());
    words.extend(letters.filter(|word| word.len() >= 6).map(str::to_owned));
}

#[test]
fn a_redacted_word_is_nowhere() {
    let Some(expected) = drive::shared("streams/expected_channels.jsonl") else { return };
    let expected = std::fs::read_to_string(expected).unwrap();
    let expected: BTreeMap<String, Value> = expected
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["file"].as_str().unwrap().to_owned(), line["channels"].clone()))
        .collect();
    let (mut tried, mut leaks) = (0, Vec::new());
    for Recorded { name, dialect, bytes: input } in recorded() {
        let mut canaries = BTreeSet::new();
        for (channel, text) in expected.get(&name).and_then(Value::as_object).into_iter().flatten() {
            words(channel, text.as_str().unwrap_or_default(), &mut canaries);
        }
        for word in &canaries {
            let policy = Policy::builder().rule(Rule::literal("canary", word).redact("[x]")).build().unwrap();
            let output = cut(&policy, Some(dialect), &input, input.len());
            tried += 1;
            leaks.extend(Texts::of(&output).holding(word).map(|at| format!("{name}: {word}: {at}")));
            if output.bytes == input {
                leaks.push(format!("{name}: {word}: not found at all"));
            }
        }
    }
    println!("{tried} words");
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks[..leaks.len().min(40)].join("\n"));
}

/// The vectors of the frame format, and a stream in which the third frame has a wrong checksum: what is no frame ends the
/// stream, and nothing of it leaves.
#[test]
fn damaged_frames_are_malformed() {
    let Some(folder) = drive::shared("streams/eventstream-vectors") else { return };
    let vectors = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let never = Policy::builder().rule(Rule::literal("never", "\u{1}never\u{1}")).build().unwrap();
    for path in vectors.chain(drive::shared("streams/derived/bed_badcrc.bin")) {
        let (name, input) = (path.display(), std::fs::read(&path).unwrap());
        for dialect in [Dialect::BedrockConverse, Dialect::BedrockInvoke, Dialect::BedrockAgent] {
            let output = drive::at_every_cut(&never, Some(dialect), &input);
            if name.to_string().contains("__valid") {
                assert!(output.bytes.starts_with(&input), "{name} of {dialect:?}");
                continue;
            }
            assert_eq!(output.ending, Ending::UpstreamFailed(Failure::Malformed), "{name} of {dialect:?}");
            let last = input.len() - 4..;
            assert!(!output.bytes.windows(4).any(|bytes| *bytes == input[last.clone()]), "{name}: its checksum left");
        }
    }
}

#[test]
fn every_stream_is_recognized_by_its_first_event() {
    let word = Policy::builder().rule(Rule::regex("word", r"\b[a-z]{7,}\b").redact("<{rule}>")).build().unwrap();
    let mut unrecognized = Vec::new();
    for Recorded { name, dialect, bytes: input } in recorded() {
        let [told, found] = [Some(dialect), None].map(|dialect| cut(&word, dialect, &input, input.len()));
        // An error alone may be anyone's.
        let is_error = drive::events(&input).first().is_none_or(|event| event.get("error").is_some());
        // Writer's legacy completions are `{"value": "..."}` and say nothing of themselves.
        let is_nameless = name.contains("writer") && name.contains("legacy");
        if told != found && !is_error && !is_nameless {
            unrecognized.push(format!("{name} of {dialect:?}"));
        }
    }
    assert!(unrecognized.is_empty(), "{unrecognized:#?}");
}
