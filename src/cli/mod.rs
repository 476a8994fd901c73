//! What the command line says, and what its exit code means.

mod check;
mod demo;
mod diagnostics;
mod eval;
mod explain;
mod filter;
mod finding;
mod import;
mod lines;
mod policy;
mod proxy;
mod rules;
mod scan;
mod signals;
mod test;
mod train;

use clap::{Parser, Subcommand};
use std::io;
use std::process::ExitCode;

/// Streaming moderation for LLM output: releases every byte the moment no rule can still touch it.
#[derive(Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Stand in front of a model's API and moderate what it answers
    Proxy(Box<proxy::Args>),
    /// Watch a stream being moderated; needs nothing else, not even a network
    Demo(demo::Args),
    /// Moderate standard input to standard output
    Filter(filter::Args),
    /// Report what the rules find in files, without changing anything
    Scan(scan::Args),
    /// Check rule files: faults with their place, and what each rule may hold back
    Check(check::Args),
    /// Run the rules' own examples, cut at every place
    Test(test::Args),
    /// Measure the rules on labelled texts: what they find, what they miss, and their false alarms
    Eval(eval::Args),
    /// Train a classifier for a check on labelled texts, and measure it on those it has not seen
    Train(train::Args),
    /// List the rules of a policy
    Rules(rules::Args),
    /// Turn another tool's rules into a rule file
    Import(import::Args),
    /// Explain what a rule looks for and costs, or what each API's fields are taken for
    Explain(explain::Args),
}

/// How a command went, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// It did what it was asked.
    Fine = 0,
    /// It could not: an unreadable file, a broken stream, a failing example.
    Failed = 1,
    /// It was asked wrongly, or by a bad policy. clap uses the same number.
    Wrong = 2,
    /// The policy ended the stream.
    Terminated = 3,
}

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let exit = match Cli::parse().command {
        Command::Proxy(args) => proxy::run(*args),
        Command::Demo(args) => demo::run(args),
        Command::Filter(args) => filter::run(args),
        Command::Scan(args) => scan::run(args),
        Command::Check(args) => check::run(args),
        Command::Test(args) => test::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Train(args) => train::run(args),
        Command::Rules(args) => rules::run(args),
        Command::Import(args) => import::run(args),
        Command::Explain(args) => explain::run(args),
    };
    let exit = exit.unwrap_or_else(|error| {
        // Whoever read our output wants no more of it: what `head` does to everyone.
        if is_broken_pipe(&error) {
            return Exit::Fine;
        }
        match error.downcast::<policy::BadPolicy>() {
            Ok(bad) => {
                eprint!("{bad}");
                Exit::Wrong
            }
            Err(error) => {
                eprintln!("holdback: {error:#}");
                Exit::Failed
            }
        }
    });
    ExitCode::from(exit as u8)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
