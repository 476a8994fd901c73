//! `holdback import`: another tool's rules as a rule file.

mod draft;
mod gitleaks;
mod noseyparker;
mod presidio;

use super::Exit;
use anyhow::Context;
use clap::ValueEnum;
use draft::{Draft, Imported};
use std::io::{self, Write};
use std::path::PathBuf;

/// Writes a rule file to standard output, and to standard error what of the other tool's rules it cannot say. A rule
/// counts as imported only if it compiles; its examples become tests where it finds them.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Whose rules they are
    #[arg(value_name = "TOOL")]
    tool: Tool,
    /// Their files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Put this in front of each rule's id; by default the tool's name and a dot
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Tool {
    /// A configuration in TOML (`[[rules]]`)
    Gitleaks,
    /// The same, with filters
    Betterleaks,
    /// Rules in YAML (`rules:`)
    Noseyparker,
    /// The same, with entropy
    Kingfisher,
    /// Recognizers in YAML (`recognizers:`)
    Presidio,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Tool::Gitleaks => "gitleaks",
            Tool::Betterleaks => "betterleaks",
            Tool::Noseyparker => "noseyparker",
            Tool::Kingfisher => "kingfisher",
            Tool::Presidio => "presidio",
        }
    }

    fn rules_stand_as(self) -> &'static str {
        match self {
            Tool::Gitleaks | Tool::Betterleaks => "TOML, under `[[rules]]`",
            Tool::Noseyparker | Tool::Kingfisher => "YAML, under `rules:`",
            Tool::Presidio => "YAML, under `recognizers:`",
        }
    }

    fn read(self, source: &str) -> anyhow::Result<Theirs> {
        match self {
            Tool::Gitleaks | Tool::Betterleaks => gitleaks::read(source),
            Tool::Noseyparker | Tool::Kingfisher => noseyparker::read(source),
            Tool::Presidio => presidio::read(source),
        }
    }
}

/// What a file of another tool says.
#[derive(Default)]
struct Theirs {
    rules: Vec<Draft>,
    /// Texts that no rule is to find, as expressions that match somewhere in them.
    allowed: Vec<String>,
    /// What has no place in a rule file.
    losses: Vec<String>,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let prefix = args.prefix.unwrap_or_else(|| format!("{}.", args.tool.name()));
    let mut report = Report::default();
    let mut rules = String::new();
    let mut allowed = Vec::new();
    for file in &args.files {
        let source = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let theirs = args.tool.read(&source).with_context(|| format!("cannot read {}", file.display()))?;
        allowed.extend(theirs.allowed);
        theirs.losses.iter().for_each(|loss| eprintln!("{}: {loss}", file.display()));
        for draft in theirs.rules {
            rules.push_str(&report.import(draft.under(&prefix)));
        }
    }
    if report.imported + report.left_out == 0 {
        anyhow::bail!(
            "no rules of {0} were found\nhelp: a file of {0} has them as {1}",
            args.tool.name(),
            args.tool.rules_stand_as()
        );
    }
    let mut output = io::stdout().lock();
    write!(output, "# Imported from {}'s rules, whose licence applies.\nformat = 1\n{rules}", args.tool.name())?;
    let (allowed, bad) = draft::allow_everywhere(allowed);
    output.write_all(allowed.as_bytes())?;
    bad.iter().for_each(|regex| eprintln!("an allowlist's expression cannot be read: {regex}"));
    eprintln!(
        "{} of {} rules imported, {} of them not to the letter",
        report.imported,
        report.imported + report.left_out,
        report.changed
    );
    Ok(if report.imported == 0 { Exit::Failed } else { Exit::Fine })
}

#[derive(Default)]
struct Report {
    imported: usize,
    changed: usize,
    left_out: usize,
}

impl Report {
    /// The rule as a rule file has it, or nothing if there is no way to say it.
    fn import(&mut self, draft: Draft) -> String {
        let id = draft.id.clone();
        match draft.import() {
            Ok(Imported { toml, losses }) => {
                self.imported += 1;
                self.changed += usize::from(!losses.is_empty());
                losses.iter().for_each(|loss| eprintln!("{id}: {loss}"));
                toml
            }
            Err(reason) => {
                self.left_out += 1;
                eprintln!("{id}: left out: {reason}");
                String::new()
            }
        }
    }
}
