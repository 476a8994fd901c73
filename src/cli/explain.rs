//! `holdback explain`: what a rule looks for and costs, and what holdback takes an API's fields for.

mod coverage;
mod rule;

use super::Exit;
use super::policy::PolicyArgs;
use anyhow::anyhow;
use holdback::Dialect;
use std::io::{self, Write};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Print what each dialect takes for text, snapshot, side data and inert, as Markdown
    #[arg(long)]
    coverage: bool,
    /// Rules to explain, by id (`*` stands for any text); with `--coverage` the dialects, if not all
    #[arg(value_name = "NAME", required_unless_present = "coverage")]
    names: Vec<String>,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let mut output = io::stdout().lock();
    if !args.coverage {
        rule::explain(&args.policy, &args.names, &mut output)?;
        return Ok(Exit::Fine);
    }
    let named: Result<Vec<Dialect>, _> = args.names.iter().map(|name| name.parse()).collect();
    let named = named.map_err(|error| anyhow!("{error}"))?;
    let dialects = if named.is_empty() { Dialect::ALL.to_vec() } else { named };
    output.write_all(coverage::coverage(&dialects).as_bytes())?;
    Ok(Exit::Fine)
}
