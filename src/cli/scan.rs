//! `holdback scan`: what the rules find in texts at rest.

use super::Exit;
use super::finding::Finding;
use super::policy::PolicyArgs;
use anyhow::{Context, bail};
use flate2::read::MultiGzDecoder;
use holdback::{Channel, ChannelKind, Policy, Verdict};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, LineWriter, Read, Write};
use std::path::{Path, PathBuf};

const CHUNK_BYTES: usize = 64 * 1024;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Read JSON lines and look into this field of each
    #[arg(long, value_name = "FIELD")]
    jsonl: Option<String>,
    /// Files to look into, gzip or not
    #[arg(required = true)]
    files: Vec<PathBuf>,
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
    let policy = args.policy.load()?;
    let mut output = LineWriter::new(io::stdout().lock());
    for path in &args.files {
        let file = open(path).with_context(|| format!("cannot read {}", path.display()))?;
        match &args.jsonl {
            Some(field) => scan_lines(&policy, file, field, &mut output),
            None => scan_text(&policy, file, path, &mut output),
        }
        .with_context(|| format!("{}", path.display()))?;
    }
    Ok(Exit::Fine)
}

/// Opens a file, through gzip if it begins like one.
fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    let is_gzip = file.fill_buf()?.starts_with(b"\x1f\x8b");
    Ok(if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) })
}

fn scan_text(policy: &Policy, mut file: impl Read, path: &Path, output: &mut impl Write) -> anyhow::Result<()> {
    let mut channel = Channel::new(policy, ChannelKind::Text);
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

fn scan_lines(policy: &Policy, file: impl BufRead, field: &str, output: &mut impl Write) -> anyhow::Result<()> {
    for (line, text) in (1..).zip(file.lines()) {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let row: serde_json::Value = serde_json::from_str(&text).with_context(|| format!("line {line} is not JSON"))?;
        let Some(text) = row.get(field).and_then(serde_json::Value::as_str) else {
            bail!("line {line} has no text in the field `{field}`");
        };
        let verdicts = verdicts(policy, text.as_bytes());
        write_line(output, &InLine { line, findings: verdicts.iter().map(Finding::new).collect() })?;
    }
    Ok(())
}

/// Every verdict on a whole text, in order of their spans.
fn verdicts(policy: &Policy, text: &[u8]) -> Vec<Verdict> {
    let mut channel = Channel::new(policy, ChannelKind::Text);
    let mut verdicts = channel.push(text).verdicts().to_vec();
    verdicts.extend_from_slice(channel.finish().verdicts());
    verdicts.sort_by_key(|verdict| (verdict.span.start, verdict.span.end));
    verdicts
}

fn write_line(output: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    writeln!(output)
}
