//! Drives bytes through a filter, cut in every way that a test asks for.

#![allow(dead_code, reason = "each test binary uses a part of it")]

#[path = "../frames/mod.rs"]
pub mod frames;

use bytes::Bytes;
use holdback::policy::ChannelKind;
use holdback::{Dialect, Ending, Filter, Observer, Policy, Verdict};
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What came out of a filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub bytes: Vec<u8>,
    pub ending: Ending,
    pub verdicts: Vec<(ChannelKind, Verdict)>,
}

impl Output {
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).expect("the streams of this test are UTF-8")
    }

    /// The JSON of every event that is an object.
    pub fn events(&self) -> Vec<Value> {
        events(&self.bytes)
    }
}

/// Notes what an observer sees, and checks that the ending comes once and last.
#[derive(Default)]
pub struct Notes {
    pub verdicts: Vec<(ChannelKind, Verdict)>,
    pub released: usize,
    pub endings: Vec<Ending>,
}

impl Observer for Notes {
    fn verdict(&mut self, channel: ChannelKind, verdict: &Verdict) {
        assert!(self.endings.is_empty(), "a verdict after the ending");
        self.verdicts.push((channel, verdict.clone()));
    }

    fn release(&mut self, bytes: usize, _held: Duration) {
        self.released += bytes;
    }

    fn ending(&mut self, ending: &Ending) {
        self.endings.push(ending.clone());
    }
}

/// Filters chunks to the upstream's end.
pub fn filter(filter: Filter, chunks: impl IntoIterator<Item = Bytes>) -> Output {
    end(filter, chunks, |filter, now, notes| filter.finish(now, notes))
}

/// Filters chunks, then ends the stream in some way.
pub fn end(
    mut filter: Filter,
    chunks: impl IntoIterator<Item = Bytes>,
    end: impl FnOnce(&mut Filter, Instant, &mut Notes),
) -> Output {
    let (now, mut notes, mut bytes) = (Instant::now(), Notes::default(), Vec::new());
    for chunk in chunks {
        filter.push(chunk, now, &mut notes);
        while let Some(out) = filter.pop() {
            assert!(!out.is_empty(), "nothing is handed on as something");
            bytes.extend_from_slice(&out);
        }
        if filter.ending().is_some() {
            break;
        }
    }
    end(&mut filter, now, &mut notes);
    while let Some(out) = filter.pop() {
        bytes.extend_from_slice(&out);
    }
    let ending = filter.ending().cloned().expect("a finished stream has an ending");
    assert_eq!(notes.endings, std::slice::from_ref(&ending), "the observer sees the ending once");
    Output { bytes, ending, verdicts: notes.verdicts }
}

/// Filters one input, cut into pieces of this size.
pub fn cut(policy: &Policy, dialect: Option<Dialect>, input: &[u8], size: usize) -> Output {
    filter(Filter::new(policy, dialect), input.chunks(size.max(1)).map(Bytes::copy_from_slice))
}

/// Filters one input whole, and checks that every cut in two and every single byte give the same.
pub fn at_every_cut(policy: &Policy, dialect: Option<Dialect>, input: &[u8]) -> Output {
    let whole = cut(policy, dialect, input, input.len());
    for at in 0..=input.len() {
        let chunks = [&input[..at], &input[at..]].map(Bytes::copy_from_slice);
        let output = filter(Filter::new(policy, dialect), chunks);
        let [text, expected] = [&output, &whole].map(|output| String::from_utf8_lossy(&output.bytes));
        assert_eq!(text, expected, "cut at {at}");
        assert_eq!(output, whole, "cut at {at}");
    }
    assert_eq!(cut(policy, dialect, input, 1), whole, "byte by byte");
    whole
}

/// The JSON of every event that is an object, or of the elements of an array, or of a document.
pub fn events(stream: &[u8]) -> Vec<Value> {
    payloads(stream).iter().filter_map(|text| serde_json::from_str(text).ok()).filter(Value::is_object).collect()
}

/// What the events of a stream carry, in whatever framing; what is in base64 in a frame is decoded.
pub fn payloads(stream: &[u8]) -> Vec<String> {
    if stream.starts_with(b"\0") {
        let frames = frames::decode(stream);
        let outer = frames.iter().map(|frame| frame.payload.clone());
        let inner = frames.iter().filter(|frame| frame.kind() == "chunk").map(frames::carried);
        return outer.chain(inner).map(|text| String::from_utf8_lossy(&text).into_owned()).collect();
    }
    match serde_json::from_slice::<Value>(stream) {
        Ok(Value::Array(elements)) => return elements.iter().map(Value::to_string).collect(),
        Ok(document) => return vec![document.to_string()],
        Err(_) => {}
    }
    let stream = String::from_utf8_lossy(stream).replace("\r\n", "\n");
    if stream.starts_with('{') {
        return stream.lines().map(str::to_owned).collect();
    }
    let data = |block: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix("data:").map(|line| line.trim_start()));
        lines.collect::<Vec<_>>().join("\n")
    };
    stream.split("\n\n").map(data).collect()
}

/// The bytes of a stream's events, as far as they are whole.
pub fn split(stream: &[u8]) -> Vec<&[u8]> {
    if stream.starts_with(b"\0") {
        return frames::split(stream);
    }
    if serde_json::from_slice::<Value>(stream).is_ok() {
        return vec![stream];
    }
    let end: &[u8] = if stream.starts_with(b"{") { b"\n" } else { b"\n\n" };
    let mut events = Vec::new();
    let mut rest = stream;
    while let Some(at) = rest.windows(end.len()).position(|bytes| bytes == end) {
        let (event, behind) = rest.split_at(at + end.len());
        events.push(event);
        rest = behind;
    }
    events
}

/// A path in the folder `shared` beside the checkout, or `None`, said aloud, where it is absent.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")).join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}

/// A stream that others have recorded.
pub struct Recorded {
    /// Its path below `streams`.
    pub name: String,
    pub dialect: Dialect,
    pub bytes: Vec<u8>,
}

/// What came from the server of a conversation that was recorded in both directions, a message a line.
fn received(recorded: Vec<u8>) -> Vec<u8> {
    if !recorded.starts_with(br#"{"kind": "message""#) {
        return recorded;
    }
    let line = |line: &str| serde_json::from_str::<Value>(line).expect("a line is a message");
    let text = String::from_utf8(recorded).expect("messages are UTF-8");
    let received = text.lines().map(line).filter(|line| line["direction"] == "received");
    received.map(|line| format!("{}\n", line["data"])).collect::<String>().into_bytes()
}

/// Folders of recorded streams, or beginnings of their files' paths, and the dialects that they are of.
const FOLDERS: &[(&str, Dialect)] = &[
    ("anthropic", Dialect::Anthropic),
    ("azure-chat", Dialect::OpenAiChat),
    ("azure-responses", Dialect::OpenAiResponses),
    ("bedrock-agent", Dialect::BedrockAgent),
    ("bedrock-converse", Dialect::BedrockConverse),
    ("bedrock-invoke", Dialect::BedrockInvoke),
    ("captured-here/aimock__anthropic", Dialect::Anthropic),
    ("captured-here/aimock__bedrock-converse", Dialect::BedrockConverse),
    ("captured-here/aimock__cohere", Dialect::Cohere),
    ("captured-here/aimock__gemini", Dialect::Gemini),
    ("captured-here/aimock__ollama", Dialect::Ollama),
    ("captured-here/aimock__openai-chat", Dialect::OpenAiChat),
    ("captured-here/aimock__openai-responses", Dialect::OpenAiResponses),
    ("captured-here/litellm-proxy__anthropic", Dialect::Anthropic),
    ("captured-here/litellm-proxy__chat", Dialect::OpenAiChat),
    ("captured-here/litellm-proxy__responses", Dialect::OpenAiResponses),
    ("captured-here/llamacpp-server__anthropic", Dialect::Anthropic),
    ("captured-here/llamacpp-server__chat", Dialect::OpenAiChat),
    ("captured-here/llamacpp-server__responses", Dialect::OpenAiResponses),
    ("captured-here/llamacpp-server__v1-completions", Dialect::OpenAiCompletions),
    ("captured-here/mcp", Dialect::Mcp),
    ("captured-here/pydantic-ai__ag-ui", Dialect::AgUi),
    ("captured-here/pydantic-ai__vercel-ui", Dialect::VercelUi),
    ("captured-here/vercel-ai", Dialect::VercelUi),
    ("cohere-v2", Dialect::Cohere),
    ("compat-chat", Dialect::OpenAiChat),
    ("compat-completions", Dialect::OpenAiCompletions),
    ("compat-responses", Dialect::OpenAiResponses),
    ("derived/agui", Dialect::AgUi),
    ("derived/ant", Dialect::Anthropic),
    // But not `bed_badcrc`, which is no stream.
    ("derived/bed_e", Dialect::BedrockConverse),
    ("derived/bed_guard", Dialect::BedrockConverse),
    ("derived/chat", Dialect::OpenAiChat),
    ("derived/coh", Dialect::Cohere),
    ("derived/gem", Dialect::Gemini),
    ("derived/oll", Dialect::Ollama),
    ("derived/resp", Dialect::OpenAiResponses),
    ("derived/vui", Dialect::VercelUi),
    ("gemini", Dialect::Gemini),
    ("gemini-interactions", Dialect::GeminiInteractions),
    ("gemini-jsonarray", Dialect::Gemini),
    ("gemini-live", Dialect::GeminiLive),
    ("mcp-http", Dialect::Mcp),
    ("mistral", Dialect::OpenAiChat),
    ("ollama-chat", Dialect::Ollama),
    ("ollama-generate", Dialect::Ollama),
    ("openai-assistants", Dialect::OpenAiAssistants),
    ("openai-chat", Dialect::OpenAiChat),
    ("openai-completions", Dialect::OpenAiCompletions),
    ("openai-responses", Dialect::OpenAiResponses),
    ("openai-transcription", Dialect::OpenAiTranscription),
    ("realtime-openai", Dialect::OpenAiRealtime),
    ("replicate", Dialect::Replicate),
    ("watsonx", Dialect::Watsonx),
];

/// The streams that others have recorded, of all dialects or, where `HOLDBACK_STREAMS` names folders, of those.
pub fn recorded() -> Vec<Recorded> {
    let only = std::env::var("HOLDBACK_STREAMS").ok();
    let mut all = Vec::new();
    for (beginning, dialect) in FOLDERS {
        let (folder, file) = beginning.split_once('/').unwrap_or((beginning, ""));
        if only.as_ref().is_some_and(|only| !only.split(',').any(|name| name == folder)) {
            continue;
        }
        let Some(path) = shared(&format!("streams/{folder}")) else { continue };
        for entry in std::fs::read_dir(path).expect("a folder can be read") {
            let path = entry.expect("a folder can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with(file) {
                continue;
            }
            let name = format!("{folder}/{name}");
            let bytes = received(std::fs::read(path).expect("a file can be read"));
            all.push(Recorded { name, dialect: *dialect, bytes });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
