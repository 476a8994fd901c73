//! `holdback check`: what is wrong with rule files, and what their rules may cost.

use super::Exit;
use super::policy;
use holdback::Policy;
use holdback::policy::HoldBound;
use std::io::{self, LineWriter, Write};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Rule files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let mut exit = Exit::Fine;
    let mut output = LineWriter::new(io::stdout().lock());
    for file in &args.files {
        match policy::of_file(file) {
            Ok(policy) => {
                writeln!(output, "{}: {}, no faults", file.display(), policy::count(&policy))?;
                report(&policy, &mut output)?;
            }
            Err(bad) => {
                eprint!("{bad}");
                exit = Exit::Wrong;
            }
        }
    }
    Ok(exit)
}

/// What each rule may hold back.
fn report(policy: &Policy, output: &mut impl Write) -> io::Result<()> {
    let width = policy.rules().map(|rule| rule.id().len()).max().unwrap_or(0);
    for rule in policy.rules() {
        let action = rule.action().name();
        let bound = match rule.hold_bound() {
            HoldBound::Zero => "holds nothing".to_owned(),
            HoldBound::Pattern(bytes) => format!("holds {bytes} bytes at most"),
            HoldBound::Limit(bytes) => format!("holds {bytes} bytes at most, by its limit: its pattern has no bound"),
            bound => format!("holds {} bytes at most", bound.bytes()),
        };
        writeln!(output, "  {:width$}  {action:9}  {bound}", rule.id())?;
    }
    Ok(())
}
