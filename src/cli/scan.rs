//! `holdback scan`: what the rules find in texts at rest.

use super::Exit;
use super::finding::Finding;
use super::policy::PolicyArgs;
use anyhow::Context;
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
    let policy = args.policy.load_to_report()?;
    let mut output = LineWriter::new(io::stdout().lock());
    let mut exit = Exit::Fine;
    for path in &args.files {
        let file = open(path).with_context(|| format!("cannot read {}", path.display()))?;
        match &args.jsonl {
            Some(field) => {
                if scan_lines(&policy, file, path, field, &mut output)? > 0 {
                    exit = Exit::Failed;
                }
            }
            None => scan_text(&policy, file, path, &mut output).with_context(|| format!("{}", path.display()))?,
        }
    }
    Ok(exit)
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

/// Looks into each line, and gives back how many could not be read: they are told on standard error.
fn scan_lines(
    policy: &Policy,
    mut file: impl BufRead,
    path: &Path,
    field: &str,
    output: &mut impl Write,
) -> anyhow::Result<usize> {
    let mut unreadable = 0;
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        if file.read_until(b'\n', &mut bytes).with_context(|| format!("{}", path.display()))? == 0 {
            break;
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let row = serde_json::from_slice::<serde_json::Value>(&bytes);
        let text = row.as_ref().ok().and_then(|row| row.get(field)).and_then(serde_json::Value::as_str);
        let Some(text) = text else {
            let reason = if row.is_err() { "is not JSON" } else { "has no text in the field" };
            eprintln!("error: {}:{line}: the line {reason} (looked for `{field}`)", path.display());
            unreadable += 1;
            continue;
        };
        let verdicts = verdicts(policy, text.as_bytes());
        write_line(output, &InLine { line, findings: verdicts.iter().map(Finding::new).collect() })?;
    }
    Ok(unreadable)
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
