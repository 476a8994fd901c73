//! `holdback filter`: a Unix pipe.

use super::Exit;
use super::finding::Finding;
use super::policy::{self, PolicyArgs};
use anyhow::Context;
use bytes::Bytes;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use holdback::check::Checks;
use holdback::hold::Unjudged;
use holdback::policy::Direction;
use holdback::wire::Failure;
use holdback::{ChannelKind, Dialect, Ending, Filter, Observer, Policy, Verdict};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

/// Bytes asked for at a time without `--cut`: a pipe's capacity on Linux.
const CHUNK_BYTES: usize = 64 * 1024;

#[derive(clap::Args)]
#[command(
    after_help = "Exit code: 0 the stream came through, redacted or not; 3 the policy ended it; 1 it broke off or \
                        cannot be read; 2 wrong usage or a bad policy"
)]
pub(super) struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    /// What the bytes mean; without it, the first event tells
    #[arg(long, value_name = "DIALECT", value_parser = dialects())]
    dialect: Option<Dialect>,
    /// Feed the engine this many bytes at a time; changes nothing but the speed
    #[arg(long, value_name = "BYTES")]
    cut: Option<NonZeroUsize>,
    /// Write what was found to this file, as JSON lines without the text
    #[arg(long, value_name = "FILE")]
    findings: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let (policy, checks) = args.policy.load_with_checks()?;
    policy::check_watches(&policy, Direction::Response)?;
    let mut filter = Filter::new(&policy, args.dialect);
    let asking = || Builder::new_current_thread().enable_all().build().context("cannot start");
    let runtime = (policy.checks().len() > 0).then(asking).transpose()?;
    let mut findings = Findings::open(args.findings)?;
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();

    while filter.ending().is_none() {
        match read(&mut input, args.cut).context("cannot read standard input")? {
            Some(chunk) => filter.push(chunk, Instant::now(), &mut findings),
            None => filter.finish(Instant::now(), &mut findings),
        }
        if let Some(runtime) = &runtime {
            runtime.block_on(judge(&mut filter, &policy, &checks, &mut findings));
        }
        while let Some(bytes) = filter.pop() {
            output.write_all(&bytes)?;
        }
        // Someone may be watching at the other end of the pipe.
        output.flush()?;
    }
    findings.close()?;

    Ok(match filter.ending() {
        Some(Ending::Terminated(verdict)) => {
            eprintln!("holdback: the policy ended the stream (rule `{}`)", verdict.rule);
            Exit::Terminated
        }
        Some(Ending::UpstreamFailed(Failure::Reported)) => {
            eprintln!("holdback: the input reports an error of its own, which was passed on");
            Exit::Failed
        }
        Some(Ending::UpstreamFailed(failure)) => {
            eprintln!("holdback: the input cannot be read to its end ({})", failure.name());
            if args.dialect.is_none() {
                eprintln!("help: if it was taken for what it is not, say what it is: --dialect text, for example");
            }
            Exit::Failed
        }
        _ => Exit::Fine,
    })
}

/// Has everything judged that can be.
async fn judge(filter: &mut Filter, policy: &Policy, checks: &Checks, findings: &mut Findings) {
    while let Some(passage) = filter.next_passage() {
        let id = passage.id();
        let deadline = policy.checks().nth(passage.check_index()).map_or(Duration::ZERO, |check| check.deadline());
        let judged = tokio::time::timeout(deadline, checks.judge(passage)).await;
        filter.judge(id, judged.unwrap_or(Err(Unjudged::TimedOut)), Instant::now(), findings);
    }
}

/// Takes the names of the dialects, and lists them in the help.
fn dialects() -> impl TypedValueParser<Value = Dialect> {
    PossibleValuesParser::new(Dialect::ALL.map(Dialect::name)).try_map(|name| name.parse())
}

/// The next chunk: exactly as long as `cut` says, but for the last one.
fn read(input: &mut impl Read, cut: Option<NonZeroUsize>) -> io::Result<Option<Bytes>> {
    let mut chunk = Vec::new();
    match cut {
        Some(cut) => {
            input.take(cut.get() as u64).read_to_end(&mut chunk)?;
        }
        None => {
            chunk.resize(CHUNK_BYTES, 0);
            let len = input.read(&mut chunk)?;
            chunk.truncate(len);
        }
    }
    Ok((!chunk.is_empty()).then(|| chunk.into()))
}

/// Writes a line for every verdict.
struct Findings {
    file: Option<BufWriter<File>>,
    // An observer cannot fail, so the first error waits for the end.
    result: io::Result<()>,
}

impl Findings {
    fn open(path: Option<PathBuf>) -> anyhow::Result<Findings> {
        let file = path
            .map(|path| File::create(&path).with_context(|| format!("cannot write {}", path.display())))
            .transpose()?;
        Ok(Findings { file: file.map(BufWriter::new), result: Ok(()) })
    }

    fn close(mut self) -> anyhow::Result<()> {
        self.result.context("cannot write the findings")?;
        if let Some(file) = &mut self.file {
            file.flush().context("cannot write the findings")?;
        }
        Ok(())
    }
}

impl Observer for Findings {
    fn verdict(&mut self, channel: ChannelKind, verdict: &Verdict) {
        let Some(file) = &mut self.file else { return };
        let finding = Finding::new(verdict).in_channel(channel, verdict);
        let written =
            serde_json::to_writer(&mut *file, &finding).map_err(io::Error::from).and_then(|()| writeln!(file));
        if self.result.is_ok() {
            self.result = written;
        }
    }
}
