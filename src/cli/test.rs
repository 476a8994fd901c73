//! `holdback test`: the rules' own examples, whole and cut at every place.

use super::Exit;
use super::policy::{self, BadPolicy};
use anyhow::Context;
use holdback::hold::run_examples;
use std::fs;
use std::io::{self, LineWriter, Write};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Rule files, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

/// What was run, and how much of it failed.
#[derive(Default)]
struct Count {
    rules: usize,
    tests: usize,
    failed: usize,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let mut output = LineWriter::new(io::stdout().lock());
    let mut count = Count::default();
    for path in &args.paths {
        for file in rule_files(path).with_context(|| format!("cannot read {}", path.display()))? {
            test(&file, &mut count, &mut output)?;
        }
    }
    let Count { rules, tests, failed } = count;
    writeln!(output, "{rules} rules, {tests} tests, {failed} failed")?;
    if tests == 0 {
        // A wrong folder must not look like a good one.
        eprintln!("holdback: nothing was tested (help: rules carry their examples as [[rule.test]])");
        return Ok(Exit::Failed);
    }
    Ok(if failed == 0 { Exit::Fine } else { Exit::Failed })
}

fn test(file: &Path, count: &mut Count, output: &mut impl Write) -> anyhow::Result<()> {
    for example in policy::rule_set(file)?.examples() {
        let failures = run_examples(example).map_err(BadPolicy::from)?;
        count.rules += 1;
        count.tests += example.tests.len();
        count.failed += failures.len();
        for failure in failures {
            writeln!(output, "{failure} (rule `{}`)", example.rule.id())?;
        }
    }
    Ok(())
}

/// The file, or every rule file of the folder in the order of their names.
fn rule_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries: Vec<PathBuf> = fs::read_dir(path)?.map(|entry| entry.map(|it| it.path())).collect::<Result<_, _>>()?;
    let mut files: Vec<PathBuf> =
        entries.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "toml")).collect();
    files.sort();
    Ok(files)
}
