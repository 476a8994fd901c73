//! Which policy a command runs under.

use super::diagnostics;
use holdback::check::Checks;
use holdback::error::Fault;
use holdback::policy::Direction;
use holdback::rule::{Date, Pack, RuleSet, id_fits};
use holdback::tower::Policies;
use holdback::{BuildError, Policy, PolicyBuilder, Rule};
use std::env;
use std::fmt;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Flags that choose rules. Without any, the packs that are the default.
#[derive(clap::Args)]
pub(super) struct PolicyArgs {
    /// A rule file; without it and `--pack`, the packs pii, secrets and exfil
    #[arg(long, value_name = "FILE", env = "HOLDBACK_POLICY")]
    policy: Option<PathBuf>,
    /// A built-in pack, beside the rule file if there is one; may be given again
    #[arg(long = "pack", value_name = "NAME")]
    packs: Vec<String>,
    /// Only the rules of this id (`*` stands for any text); may be given again
    #[arg(long = "rule", value_name = "ID")]
    rules: Vec<String>,
    /// Not the rules of this id; may be given again
    #[arg(long, value_name = "ID")]
    disable: Vec<String>,
    /// The rules of this id only report what they would have done; may be given again
    #[arg(long, value_name = "ID")]
    monitor: Vec<String>,
    /// A policy without rules is meant: pass everything
    #[arg(long)]
    passthrough: bool,
}

/// A policy that cannot be run, with everything that is wrong with it, ready to be shown.
#[derive(Debug)]
pub(super) struct BadPolicy(String);

impl BadPolicy {
    /// What is wrong, each in its place.
    pub(super) fn of(faults: &[Fault]) -> BadPolicy {
        BadPolicy(diagnostics::errors(faults))
    }

    /// A fault that is in no file.
    pub(super) fn new(reason: impl fmt::Display) -> BadPolicy {
        BadPolicy(format!("error: {reason}\n"))
    }
}

impl fmt::Display for BadPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadPolicy {}

impl From<BuildError> for BadPolicy {
    fn from(error: BuildError) -> BadPolicy {
        BadPolicy::of(error.faults())
    }
}

/// What a server runs by.
pub(super) struct Loaded {
    pub(super) policies: Policies,
    /// Who answers for their checks.
    pub(super) checks: Checks,
    /// The key of `{hash8}`, if the file says where it is.
    pub(super) hash_key: Option<String>,
}

impl PolicyArgs {
    /// The policy that the flags describe.
    pub(super) fn load(&self) -> Result<Policy, BadPolicy> {
        self.build(self.rule_sets()?)
    }

    /// The policies that the flags and the file's choices describe, and who answers for their checks.
    pub(super) fn load_all(&self) -> Result<Loaded, BadPolicy> {
        self.load_sets(self.rule_sets()?)
    }

    /// The file's own policy, and who answers for its checks: where there are no requests to choose by.
    pub(super) fn load_with_checks(&self) -> Result<(Policy, Checks), BadPolicy> {
        let sets = self.rule_sets()?.into_iter().map(RuleSet::without_choices).collect();
        let Loaded { policies, checks, .. } = self.load_sets(sets)?;
        let policy = policies.otherwise().expect("it was built of a rule set").clone();
        Ok((policy, checks))
    }

    fn load_sets(&self, sets: Vec<RuleSet>) -> Result<Loaded, BadPolicy> {
        let mut sets = sets.into_iter();
        let first = sets.next().unwrap_or_default();
        let others: Vec<RuleSet> = sets.collect();
        let file = Checks::named_in(&first, |name| env::var(name).ok());
        let hash_key = first.hash_key_env().and_then(|variable| env::var(variable).ok());
        let is_file = self.policy.is_some();
        self.check_known(iter::once(&first).chain(first.chosen_sets()).chain(&others))?;
        let policies = Policies::build(first, |name, set| {
            let name = if is_file { name.to_owned() } else { self.name() };
            let sets = iter::once(set).chain(others.iter().cloned()).collect();
            Ok::<_, BadPolicy>(self.builder_of(sets)?.name(name).build()?)
        })?;
        let checks = file?;
        if let Some(check) = policies.iter().find_map(|policy| checks.unbound(policy).next().map(str::to_owned)) {
            return Err(BadPolicy::new(format_args!(
                "nobody answers for the check `{check}`\n  = help: give it a `service` in the rule file"
            )));
        }
        Ok(Loaded { policies, checks, hash_key })
    }

    /// The same policy, with its rules as they are written.
    pub(super) fn load_with_rules(&self) -> Result<(Policy, Vec<Rule>), BadPolicy> {
        let sets = self.rule_sets()?;
        let rules = self.select(sets.clone()).into_iter().flat_map(RuleSet::into_rules).collect();
        Ok((self.build(sets)?, rules))
    }

    /// The same policy without its checks, which only reports.
    pub(super) fn load_to_report(&self) -> Result<Policy, BadPolicy> {
        let sets = self.rule_sets()?.into_iter().map(RuleSet::without_checks).collect();
        Ok(self.builder(sets)?.report_only().build()?)
    }

    /// The policy of these sets, as far as the flags choose of them.
    pub(super) fn build(&self, sets: Vec<RuleSet>) -> Result<Policy, BadPolicy> {
        Ok(self.builder(sets)?.build()?)
    }

    fn builder(&self, sets: Vec<RuleSet>) -> Result<PolicyBuilder, BadPolicy> {
        self.check_known(&sets)?;
        self.builder_of(sets)
    }

    fn builder_of(&self, sets: Vec<RuleSet>) -> Result<PolicyBuilder, BadPolicy> {
        let mut builder = Policy::builder().name(self.name());
        for set in self.select(sets) {
            builder = add(builder, set)?;
        }
        if self.passthrough {
            builder = builder.passthrough();
        }
        Ok(builder)
    }

    fn name(&self) -> String {
        match (&self.policy, &self.packs[..]) {
            (None, []) => "built-in".to_owned(),
            (None, packs) => packs.join("+"),
            (Some(file), _) => file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// The file's rules stand first, so that it names what they and a pack both cover.
    pub(super) fn rule_sets(&self) -> Result<Vec<RuleSet>, BadPolicy> {
        let mut sets = Vec::new();
        if let Some(file) = &self.policy {
            sets.push(rule_set(file)?);
        } else if self.packs.is_empty() && !self.passthrough {
            sets.extend(Pack::DEFAULT.map(Pack::rule_set));
        }
        for name in &self.packs {
            let names = Pack::ALL.map(Pack::name).join(", ");
            let pack = Pack::named(name)
                .ok_or_else(|| BadPolicy::new(format_args!("no pack is called `{name}`; there are {names}")))?;
            sets.push(pack.rule_set());
        }
        Ok(sets)
    }

    /// A flag that names no rule is a mistake.
    fn check_known<'s>(&self, sets: impl IntoIterator<Item = &'s RuleSet>) -> Result<(), BadPolicy> {
        let rules: Vec<&Rule> = sets.into_iter().flat_map(RuleSet::rules).collect();
        let mut named = [&self.rules, &self.disable, &self.monitor].into_iter().flatten();
        match named.find(|id| !rules.iter().any(|rule| id_fits(rule.id(), id))) {
            Some(unknown) => Err(BadPolicy::new(format_args!("no rule has the id `{unknown}`"))),
            None => Ok(()),
        }
    }

    /// What the flags leave of the rules.
    fn select(&self, mut sets: Vec<RuleSet>) -> Vec<RuleSet> {
        let fits = |ids: &[String], rule: &Rule| ids.iter().any(|id| id_fits(rule.id(), id));
        for set in &mut sets {
            set.retain(|rule| self.rules.is_empty() || fits(&self.rules, rule));
            set.retain(|rule| !fits(&self.disable, rule));
            set.monitor(|rule| fits(&self.monitor, rule));
        }
        sets
    }
}

/// The rules of a file and of everything that it extends, or what is wrong with them.
pub(super) fn read(file: &Path) -> Result<Result<RuleSet, BuildError>, BadPolicy> {
    let path = file.to_str().ok_or_else(|| BadPolicy::new("the rule file's name is not UTF-8"))?;
    Ok(RuleSet::load(path, today(), |path| fs::read_to_string(path)))
}

/// The rules of a file and of everything that it extends. What is only worth knowing is said at once.
pub(super) fn rule_set(file: &Path) -> Result<RuleSet, BadPolicy> {
    let set = read(file)??;
    eprint!("{}", diagnostics::warnings(set.warnings()));
    Ok(set)
}

/// A policy of these rules alone, to be looked at: the key that is in the environment where it runs is an example here.
pub(super) fn example_of(set: RuleSet) -> PolicyBuilder {
    let builder = match set.hash_key_env() {
        Some(_) => Policy::builder().hash_key("EXAMPLE"),
        None => Policy::builder(),
    };
    builder.rule_set(set)
}

/// Rules that all look the other way would find nothing, which nobody means who has any.
pub(super) fn check_watches(policy: &Policy, text: Direction) -> Result<(), BadPolicy> {
    let is_idle = policy.rules().len() > 0 && !policy.rules().any(|rule| rule.direction().includes(text));
    if is_idle {
        let name = text.name();
        return Err(BadPolicy::new(format_args!(
            "no rule of the policy watches a {name}\n  = help: a rule that does says `direction = \"{name}\"` or `\"both\"`"
        )));
    }
    Ok(())
}

/// How many rules a policy has, in words.
pub(super) fn count(rules: usize) -> String {
    match rules {
        1 => "1 rule".to_owned(),
        rules => format!("{rules} rules"),
    }
}

/// Adds a rule set, with the key that it says is in the environment.
fn add(mut builder: PolicyBuilder, set: RuleSet) -> Result<PolicyBuilder, BadPolicy> {
    if let Some(variable) = set.hash_key_env() {
        let key = env::var(variable).ok().filter(|key| !key.trim().is_empty()).ok_or_else(|| {
            BadPolicy::new(format_args!("the environment has no `{variable}`, the key of `{{hash8}}`"))
        })?;
        builder = builder.hash_key(key);
    }
    Ok(builder.rule_set(set))
}

pub(super) fn today() -> Date {
    // A clock before 1970 is wrong in any case; then no allowance has expired yet.
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Date::from_unix_seconds(since_1970.as_secs())
}
