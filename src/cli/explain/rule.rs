//! One rule: what it looks for, what happens then, and what it costs.

use crate::cli::policy::{BadPolicy, PolicyArgs};
use holdback::policy::{Cost, Direction, HoldBound, RuleInfo};
use holdback::rule::{Action, Rule, RuleTest, id_fits};
use std::io::{self, Write};

/// Writes about each rule that one of these names fits.
///
/// # Errors
///
/// If a name fits none.
pub(super) fn explain(policy: &PolicyArgs, names: &[String], output: &mut impl Write) -> anyhow::Result<()> {
    let sets = policy.rule_sets()?;
    let rules: Vec<&Rule> = sets.iter().flat_map(|set| set.rules()).collect();
    if let Some(unknown) = names.iter().find(|name| !rules.iter().any(|rule| id_fits(rule.id(), name))) {
        return Err(BadPolicy::new(format_args!(
            "no rule has the id `{unknown}`\n  = help: `holdback rules list` names them"
        ))
        .into());
    }
    let built = policy.build(sets.clone())?;
    for info in built.rules().filter(|info| names.iter().any(|name| id_fits(info.id(), name))) {
        let rule = rules.iter().rfind(|rule| rule.id() == info.id()).expect("the policy is made of these rules");
        let examples = sets.iter().flat_map(|set| set.examples());
        let tests = examples.filter(|example| example.rule.id() == info.id()).flat_map(|example| &example.tests);
        write(rule, info, &tests.collect::<Vec<_>>(), output)?;
    }
    Ok(())
}

fn write(rule: &Rule, info: RuleInfo<'_>, tests: &[&RuleTest], output: &mut impl Write) -> io::Result<()> {
    writeln!(output, "{}  ({})", rule.id(), info.severity().name())?;
    if !rule.purpose().is_empty() {
        writeln!(output, "  {}", rule.purpose())?;
    }
    if !rule.tags().is_empty() {
        writeln!(output, "  tags: {}", rule.tags().join(", "))?;
    }
    for reference in rule.references() {
        writeln!(output, "  see {reference}")?;
    }
    writeln!(output, "\n  What it looks for")?;
    for line in rule.to_string().lines() {
        writeln!(output, "    {line}")?;
    }
    let first = |finds: bool| tests.iter().find(|test| test.finds.is_empty() != finds);
    if let Some(test) = first(true) {
        writeln!(output, "    finds {:?} in {:?}", test.finds[0], test.text)?;
    }
    if let Some(test) = first(false) {
        writeln!(output, "    finds nothing in {:?}", test.text)?;
    }
    writeln!(output, "\n  What happens then")?;
    writeln!(output, "    {}", deed(info.action()))?;
    let channels: Vec<_> = info.channels().iter().map(|kind| kind.name()).collect();
    writeln!(output, "    direction: {}, in {}", info.direction().name(), channels.join(", "))?;
    writeln!(output, "\n  What it costs")?;
    let Cost { bound, delay, lints, .. } = info.cost();
    writeln!(output, "    {}", held(bound, info))?;
    if info.direction() != Direction::Request {
        writeln!(
            output,
            "    on ordinary text, alone, {:.1} % of tokens leave at once; {:.2} bytes wait on average",
            delay.released_at_once * 100.0,
            delay.mean_held_bytes
        )?;
    }
    for lint in lints {
        writeln!(output, "    note: {lint}")?;
    }
    writeln!(output)
}

fn deed(action: &Action) -> String {
    match action {
        Action::Flag => "the match is reported; nothing is changed".to_owned(),
        Action::Redact(template) => format!("the match is replaced by `{}`", template.source()),
        Action::Mask(_) => "the characters of the match are masked".to_owned(),
        Action::Drop => "the match is taken out".to_owned(),
        Action::Hold(hold) => format!("a match waits for the check `{}`", hold.check),
        Action::Terminate => "the stream ends before the match".to_owned(),
        other => other.name().to_owned(),
    }
}

fn held(bound: HoldBound, info: RuleInfo<'_>) -> String {
    match bound {
        HoldBound::Zero if info.direction() == Direction::Request => "holds nothing: requests come whole".to_owned(),
        HoldBound::Zero => "holds nothing: it only reports".to_owned(),
        HoldBound::Pattern(bytes) => {
            format!("holds a candidate until it is decided: {bytes} bytes at most, the longest match")
        }
        HoldBound::Limit(bytes) => {
            format!("holds a candidate until it is decided: {bytes} bytes at most; what outgrows that is covered")
        }
        other => format!("holds {} bytes at most", other.bytes()),
    }
}
