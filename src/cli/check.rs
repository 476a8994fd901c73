//! `holdback check`: what is wrong with rule files, and what their rules may cost.

mod overlap;

use super::policy::{self, BadPolicy};
use super::{Exit, diagnostics};
use holdback::check::Checks;
use holdback::error::Fault;
use holdback::policy::{Cost, Direction, HoldBound};
use holdback::rule::RuleSet;
use holdback::{ChannelKind, Policy};
use overlap::{Overlap, overlaps};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::env;
use std::io::{self, LineWriter, Write};
use std::iter;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Print a line of JSON for each file
    #[arg(long)]
    json: bool,
    /// Rule files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// A file and what is to be said about it.
#[derive(Serialize)]
struct Checked<'a> {
    file: &'a Path,
    faults: Vec<Told<'a>>,
    warnings: Vec<Told<'a>>,
    rules: Vec<CheckedRule<'a>>,
    checks: Vec<CheckedCheck<'a>>,
    limits: Vec<CheckedLimit>,
    quotas: Vec<CheckedLimit>,
    /// Environment variables that the policy needs where it runs, and that are not set here.
    missing_env: Vec<String>,
    /// Share of the tokens of ordinary text that leave at once, 0 to 1, under all rules for responses.
    #[serde(skip_serializing_if = "Option::is_none")]
    released_at_once: Option<f64>,
    /// How many others a token waits for, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_tokens: Option<f64>,
    /// States that the automata need for ordinary text.
    states: usize,
    /// How many automata the rules are divided among, all kinds of channel together.
    automata: usize,
}

/// A fault, or what is only worth knowing.
#[derive(Serialize)]
struct Told<'a> {
    file: Option<&'a str>,
    /// One-based.
    line: Option<usize>,
    start: Option<usize>,
    end: Option<usize>,
    rule: Option<&'a str>,
    reason: &'a str,
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct CheckedRule<'a> {
    id: &'a str,
    action: &'static str,
    direction: &'static str,
    hold_bytes: u32,
    /// The bound is a limit, at which a candidate is covered, and not the longest match.
    is_limited: bool,
    released_at_once: f64,
    mean_held_bytes: f64,
    states: usize,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct CheckedCheck<'a> {
    id: &'a str,
    mode: &'static str,
    deadline_ms: u128,
    on_failure: &'static str,
    /// Whether the file says who answers.
    has_service: bool,
}

/// A limit or a quota.
#[derive(Serialize)]
struct CheckedLimit {
    id: String,
    /// What is enough, in words.
    most: String,
}

/// What a file says that is not in its rules.
struct Beside {
    /// The checks that the file says who answers for.
    answered: Vec<String>,
    limits: Vec<CheckedLimit>,
    quotas: Vec<CheckedLimit>,
    missing_env: Vec<String>,
}

impl Beside {
    fn of(set: &RuleSet, variables: BTreeSet<String>) -> Beside {
        let answered = set.checks().filter(|(_, service)| service.is_some());
        let limit = |id: &str, most: String| CheckedLimit { id: id.to_owned(), most };
        let is_missing = |name: &String| env::var_os(name).is_none_or(|value| value.is_empty());
        Beside {
            answered: answered.map(|(check, _)| check.id().to_owned()).collect(),
            limits: set.limits().iter().map(|it| limit(it.id(), it.to_string())).collect(),
            quotas: set.quotas().iter().map(|it| limit(it.id(), it.to_string())).collect(),
            missing_env: variables.into_iter().filter(is_missing).collect(),
        }
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let mut exit = Exit::Fine;
    let mut output = LineWriter::new(io::stdout().lock());
    for file in &args.files {
        if !check(file, args.json, &mut output)? {
            exit = Exit::Wrong;
        }
    }
    Ok(exit)
}

/// Writes about one file; gives back whether it is sound.
fn check(file: &Path, in_json: bool, output: &mut impl Write) -> anyhow::Result<bool> {
    let set = match policy::read(file)? {
        Ok(set) => set,
        Err(error) => return faulty(file, error.faults(), in_json, output),
    };
    let (warnings, overlaps) = (set.warnings().to_vec(), overlaps(&set));
    // Tokens are where the policy runs, not where it is checked: one that is missing here is no fault.
    let keys = iter::once(&set).chain(set.chosen_sets()).filter_map(RuleSet::hash_key_env);
    let variables: RefCell<BTreeSet<String>> = RefCell::new(keys.map(str::to_owned).collect());
    let example = |name: &str| {
        variables.borrow_mut().insert(name.to_owned());
        Some("EXAMPLE".to_owned())
    };
    if let Err(error) = Checks::named_in(&set, example) {
        return faulty(file, error.faults(), in_json, output);
    }
    let beside = Beside::of(&set, variables.into_inner());
    for chosen in set.chosen_sets() {
        if let Err(error) = policy::example_of(chosen.clone()).build() {
            return faulty(file, error.faults(), in_json, output);
        }
    }
    let policy = match policy::example_of(set).build() {
        Ok(policy) => policy,
        Err(error) => return faulty(file, error.faults(), in_json, output),
    };
    let checked = Checked::of(file, &policy, &warnings, &overlaps, beside);
    if in_json {
        serde_json::to_writer(&mut *output, &checked)?;
        writeln!(output)?;
    } else {
        eprint!("{}", diagnostics::warnings(&warnings));
        checked.write(output)?;
    }
    Ok(true)
}

fn faulty(file: &Path, faults: &[Fault], in_json: bool, output: &mut impl Write) -> anyhow::Result<bool> {
    if in_json {
        let faults = faults.iter().map(Told::of).collect();
        let checked = Checked {
            file,
            faults,
            warnings: Vec::new(),
            rules: Vec::new(),
            checks: Vec::new(),
            limits: Vec::new(),
            quotas: Vec::new(),
            missing_env: Vec::new(),
            released_at_once: None,
            mean_tokens: None,
            states: 0,
            automata: 0,
        };
        serde_json::to_writer(&mut *output, &checked)?;
        writeln!(output)?;
    } else {
        eprint!("{}", BadPolicy::of(faults));
    }
    Ok(false)
}

impl<'a> Told<'a> {
    fn of(fault: &'a Fault) -> Told<'a> {
        Told {
            file: fault.file.as_deref(),
            line: fault.line,
            start: fault.span.as_ref().map(|span| span.start),
            end: fault.span.as_ref().map(|span| span.end),
            rule: fault.rule.as_deref(),
            reason: &fault.reason,
            help: fault.remedy.as_deref(),
        }
    }
}

impl<'a> Checked<'a> {
    fn of(
        file: &'a Path,
        policy: &'a Policy,
        warnings: &'a [Fault],
        overlaps: &[Overlap],
        beside: Beside,
    ) -> Checked<'a> {
        let rules = policy.rules().map(|rule| {
            let Cost { bound, delay, states, lints, .. } = rule.cost();
            let overlaps = overlaps.iter().filter(|overlap| overlap.rule == rule.id()).map(Overlap::to_string);
            CheckedRule {
                id: rule.id(),
                action: rule.action().name(),
                direction: rule.direction().name(),
                hold_bytes: bound.bytes(),
                is_limited: matches!(bound, HoldBound::Limit(_)),
                released_at_once: delay.released_at_once,
                mean_held_bytes: delay.mean_held_bytes,
                states,
                notes: lints.iter().map(ToString::to_string).chain(overlaps).collect(),
            }
        });
        let rules = rules.collect();
        let checks = policy.checks().map(|check| CheckedCheck {
            id: check.id(),
            mode: check.mode().name(),
            deadline_ms: check.deadline().as_millis(),
            on_failure: check.on_failure().name(),
            has_service: beside.answered.iter().any(|id| id == check.id()),
        });
        let checks = checks.collect();
        let delay = policy.delay(ChannelKind::Text);
        policy.warm_up();
        Checked {
            file,
            faults: Vec::new(),
            warnings: warnings.iter().map(Told::of).collect(),
            rules,
            checks,
            limits: beside.limits,
            quotas: beside.quotas,
            missing_env: beside.missing_env,
            released_at_once: delay.map(|delay| delay.released_at_once),
            mean_tokens: delay.map(|delay| delay.mean_tokens),
            states: policy.states(),
            automata: policy.shards(),
        }
    }

    /// What each rule may hold back, what that costs on ordinary text, and what stands out.
    fn write(&self, output: &mut impl Write) -> io::Result<()> {
        writeln!(output, "{}: {}, no faults", self.file.display(), policy::count(self.rules.len()))?;
        let width = self.rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
        for rule in &self.rules {
            write!(output, "  {:width$}  {:9}  {:8}  ", rule.id, rule.action, rule.direction)?;
            if rule.direction == Direction::Request.name() {
                writeln!(output, "holds nothing: requests come whole")?;
            } else {
                let bound = match (rule.hold_bytes, rule.is_limited) {
                    (0, _) => "holds nothing".to_owned(),
                    (bytes, true) => format!("holds {bytes} B at most, its limit"),
                    (bytes, false) => format!("holds {bytes} B at most"),
                };
                let (at_once, mean) = (percent(rule.released_at_once), rule.mean_held_bytes);
                writeln!(output, "{bound:31}  {at_once} at once, {mean:.2} B on average, {} states", rule.states)?;
            }
            for note in &rule.notes {
                writeln!(output, "      note: {note}")?;
            }
        }
        for check in &self.checks {
            let CheckedCheck { id, mode, deadline_ms, on_failure, has_service } = check;
            writeln!(output, "  {id}: a check, {mode}, {deadline_ms} ms at most, else {on_failure}")?;
            if !has_service {
                writeln!(output, "      note: the file does not say who answers, so whoever runs the policy must")?;
            }
        }
        for CheckedLimit { id, most } in &self.limits {
            writeln!(output, "  {id}: a limit, a stream ends at {most}")?;
        }
        for CheckedLimit { id, most } in &self.quotas {
            writeln!(output, "  {id}: a quota, {most}")?;
        }
        for name in &self.missing_env {
            writeln!(output, "  note: the environment has no `{name}` here, which the file needs where it runs")?;
        }
        let watching = |way: Direction| self.rules.iter().filter(|rule| looks(rule.direction, way)).count();
        let (requests, responses) = (watching(Direction::Request), watching(Direction::Response));
        writeln!(output, "  {requests} of them for requests, {responses} for responses")?;
        if let (Some(at_once), Some(tokens)) = (self.released_at_once, self.mean_tokens) {
            let at_once = percent(at_once);
            writeln!(
                output,
                "  on ordinary text {at_once} of tokens leave at once, a token waits for {tokens:.2} others on average; \
                 {} states in {}",
                self.states,
                if self.automata == 1 { "one automaton".to_owned() } else { format!("{} automata", self.automata) }
            )?;
        }
        Ok(())
    }
}

/// Whether a rule of the direction of this name looks this way.
fn looks(name: &str, way: Direction) -> bool {
    name == way.name() || name == Direction::Both.name()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
