//! `holdback scan`: what the rules find in texts at rest.

use super::Exit;
use super::finding::Finding;
use super::lines;
use super::policy::{self, PolicyArgs};
use anyhow::Context;
use clap::ValueEnum;
use holdback::policy::Direction;
use holdback::{Channel, ChannelKind, Policy};
use serde::Serialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;
use std::io::{self, BufRead, LineWriter, Read, Write};
use std::path::{Path, PathBuf};

const CHUNK_BYTES: usize = 64 * 1024;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Look for what rules of this direction look for
    #[arg(long, value_name = "DIRECTION", default_value = "response")]
    direction: TextDirection,
    /// Read JSON lines and look into this field of each
    #[arg(long, value_name = "FIELD")]
    jsonl: Option<String>,
    /// Files to look into, gzip or not
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Which way a text went.
#[derive(Clone, Copy, ValueEnum)]
enum TextDirection {
    Request,
    Response,
}

impl TextDirection {
    /// The rules to ask, and the kind of channel to ask them in.
    fn asks(self) -> (Direction, ChannelKind) {
        match self {
            TextDirection::Request => (Direction::Request, ChannelKind::Prompt),
            TextDirection::Response => (Direction::Response, ChannelKind::Text),
        }
    }
}

/// A rule set and the kind of text that it is to be tried on.
struct Scan {
    policy: Policy,
    kind: ChannelKind,
}

/// A finding in a file.
#[derive(Serialize)]
struct InFile<'a> {
    file: &'a Path,
    #[serde(flatten)]
    finding: Finding<'a>,
}

/// The findings in one line of a JSONL file.
#[derive(Serialize)]
struct InLine<'a> {
    /// One-based.
    line: usize,
    findings: Vec<Finding<'a>>,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let (direction, kind) = args.direction.asks();
    let scan = Scan { policy: args.policy.load_to_report()?, kind };
    policy::check_watches(&scan.policy, direction)?;
    let mut output = LineWriter::new(io::stdout().lock());
    let mut exit = Exit::Fine;
    for path in &args.files {
        let file = lines::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        match &args.jsonl {
            Some(field) => {
                let unreadable = scan.lines(file, path, field, &mut output);
                if unreadable.with_context(|| format!("{}", path.display()))? > 0 {
                    exit = Exit::Failed;
                }
            }
            None => scan.text(file, path, &mut output).with_context(|| format!("{}", path.display()))?,
        }
    }
    Ok(exit)
}

impl Scan {
    fn text(&self, mut file: impl Read, path: &Path, output: &mut impl Write) -> anyhow::Result<()> {
        let mut channel = Channel::new(&self.policy, self.kind);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let len = file.read(&mut chunk)?;
            let released = if len == 0 { channel.finish() } else { channel.push(&chunk[..len]) };
            for verdict in released.verdicts() {
                write_line(output, &InFile { file: path, finding: Finding::new(verdict) })?;
            }
            if len == 0 {
                return Ok(());
            }
        }
    }

    /// Looks into each line, and gives back how many could not be read: they are told on standard error.
    fn lines(&self, file: impl BufRead, path: &Path, field: &str, output: &mut impl Write) -> anyhow::Result<usize> {
        let mut unreadable = 0;
        lines::each_line(file, |line, bytes| {
            let text = match text_of(bytes, field) {
                Ok(text) => text,
                Err(reason) => {
                    eprintln!("error: {}:{line}: the line {reason} (looked for `{field}`)", path.display());
                    unreadable += 1;
                    return Ok(());
                }
            };
            let verdicts = lines::verdicts(&self.policy, self.kind, text.as_bytes());
            Ok(write_line(output, &InLine { line, findings: verdicts.iter().map(Finding::new).collect() })?)
        })?;
        Ok(unreadable)
    }
}

/// The text of a field of a JSON object. Of two fields of the name a reader may take either, so there must be one.
fn text_of(row: &[u8], field: &str) -> Result<String, &'static str> {
    struct Texts<'a>(&'a str);

    impl<'de> Visitor<'de> for Texts<'_> {
        type Value = Vec<serde_json::Value>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut row: M) -> Result<Self::Value, M::Error> {
            let mut texts = Vec::new();
            while let Some(name) = row.next_key::<String>()? {
                match name == self.0 {
                    true => texts.push(row.next_value()?),
                    false => drop(row.next_value::<IgnoredAny>()?),
                }
            }
            Ok(texts)
        }
    }

    let mut reader = serde_json::Deserializer::from_slice(row);
    let texts = reader.deserialize_any(Texts(field)).and_then(|texts| reader.end().map(|()| texts));
    match texts.map_err(|_| "is no JSON object")?.as_slice() {
        [serde_json::Value::String(text)] => Ok(text.clone()),
        [_, _, ..] => Err("has the field twice"),
        _ => Err("has no text in the field"),
    }
}

fn write_line(output: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    writeln!(output)
}
