//! `holdback rules`: which rules there are.

use super::Exit;
use super::policy::PolicyArgs;
use clap::Subcommand;
use holdback::rule::RuleSet;
use serde::Serialize;
use std::io::{self, LineWriter, Write};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A line for each rule of the policy
    List(ListArgs),
    /// The format of rule files as a JSON Schema, for editors
    Schema,
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Only rules with this tag; may be given again
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// A rule as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    severity: &'static str,
    action: &'static str,
    direction: &'static str,
    channels: Vec<&'static str>,
    tags: &'a [String],
    hold_bytes: u32,
    description: &'a str,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::List(args) => list(&args),
        Command::Schema => {
            io::stdout().write_all(RuleSet::json_schema().as_bytes())?;
            Ok(Exit::Fine)
        }
    }
}

fn list(args: &ListArgs) -> anyhow::Result<Exit> {
    let (policy, rules) = args.policy.load_with_rules()?;
    let lines: Vec<Line<'_>> = policy
        .rules()
        .zip(&rules)
        .filter(|(_, rule)| args.tags.iter().all(|tag| rule.tags().contains(tag)))
        .map(|(info, rule)| Line {
            id: info.id(),
            severity: info.severity().name(),
            action: info.action().name(),
            direction: info.direction().name(),
            channels: info.channels().iter().map(|kind| kind.name()).collect(),
            tags: rule.tags(),
            hold_bytes: info.hold_bound().bytes(),
            description: rule.purpose(),
        })
        .collect();
    let mut output = LineWriter::new(io::stdout().lock());
    let width = lines.iter().map(|line| line.id.len()).max().unwrap_or_default();
    for line in &lines {
        if args.json {
            serde_json::to_writer(&mut output, line)?;
            writeln!(output)?;
            continue;
        }
        let Line { id, severity, action, direction, description, .. } = line;
        writeln!(output, "{id:width$}  {severity:8}  {action:9}  {direction:8}  {description}")?;
    }
    Ok(Exit::Fine)
}
