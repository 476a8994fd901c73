//! `holdback check`: what is wrong with rule files, and what their rules may cost.

use super::Exit;
use super::policy;
use holdback::policy::{Direction, HoldBound};
use holdback::{ChannelKind, Policy};
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

/// What each rule may hold back, what that costs on ordinary text, and what stands out.
fn report(policy: &Policy, output: &mut impl Write) -> io::Result<()> {
    let width = policy.rules().map(|rule| rule.id().len()).max().unwrap_or(0);
    for rule in policy.rules() {
        let cost = rule.cost();
        let (action, direction) = (rule.action().name(), rule.direction());
        write!(output, "  {:width$}  {action:9}  {:8}  ", rule.id(), direction.name())?;
        if direction == Direction::Request {
            writeln!(output, "holds nothing: requests come whole")?;
        } else {
            let bound = match cost.bound {
                HoldBound::Zero => "holds nothing".to_owned(),
                HoldBound::Limit(bytes) => format!("holds {bytes} B at most, its limit"),
                bound => format!("holds {} B at most", bound.bytes()),
            };
            let (at_once, mean) = (percent(cost.delay.released_at_once), cost.delay.mean_held_bytes);
            writeln!(output, "{bound:31}  {at_once} at once, {mean:.2} B on average")?;
        }
        for lint in &cost.lints {
            writeln!(output, "      note: {lint}")?;
        }
    }
    let watching = |text: Direction| policy.rules().filter(|rule| rule.direction().includes(text)).count();
    let (requests, responses) = (watching(Direction::Request), watching(Direction::Response));
    writeln!(output, "  {requests} of them for requests, {responses} for responses")?;
    if let Some(delay) = policy.delay(ChannelKind::Text) {
        let (at_once, tokens) = (percent(delay.released_at_once), delay.mean_tokens);
        writeln!(
            output,
            "  on ordinary text {at_once} of tokens leave at once, a token waits for {tokens:.2} others on average"
        )?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
