//! Rule files: TOML in, rules out, or everything that is wrong with them.
//!
//! `rules/README.md` describes the format for those who write rules. The way through this module: `read` turns
//! TOML into what is `written`, `layers` lays files that extend each other on top of each other, `build` makes
//! the rules. Each step goes on after a fault, so that one run reports them all.
//!
//! There is no file system here: [`RuleSet::load`] asks the caller for each file it needs, and there is no
//! clock: the caller says what day it is.

mod build;
mod checks;
mod choices;
mod keys;
mod layers;
mod limits;
mod quotas;
mod read;
mod schema;
mod source;
mod written;

use super::date::Date;
use super::examples::{Example, RuleTest};
use super::pack::Pack;
use super::service::Service;
use super::{Check, CheckMode, Choice, Conduct, Limit, Quota, Rule, Validator};
use crate::error::{BuildError, Fault};
use checks::WrittenCheck;
use layers::{LayeredRule, Layers, Loader, Use};
use source::Source;
use std::collections::BTreeMap;
use std::io;
use toml::Spanned;

/// The rules of a file and of everything that it extends, ready for a policy. The default has none.
///
/// ```
/// use holdback::rule::{Date, RuleSet};
///
/// let source = r#"
///     extends = ["builtin:secrets"]
///
///     [[rule]]
///     id       = "acme.codename"
///     literals = ["Nightjar", "Kestrel"]
///     replace  = "[codename]"
/// "#;
/// let today = Date::parse("2027-01-31").expect("a date");
/// let rules = RuleSet::from_toml("acme.toml", source, today)?;
/// assert_eq!(rules.rules().last().map(|rule| rule.id()), Some("acme.codename"));
/// # Ok::<(), holdback::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    name: String,
    rules: Vec<Rule>,
    checks: Vec<WrittenCheck>,
    limits: Vec<Limit>,
    quotas: Vec<Quota>,
    examples: Vec<Example>,
    max_hold: Option<usize>,
    hash_key_env: Option<String>,
    choices: Vec<Choice>,
    /// By what the choices call them.
    chosen: BTreeMap<String, RuleSet>,
    warnings: Vec<Fault>,
}

impl RuleSet {
    /// Reads the rule file at `path` and the files that it extends, each by calling `read` with its path.
    ///
    /// `today` ends allowances that expired. `std::fs::read_to_string` is a good `read`.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or anything is wrong in any of them; the error lists every fault.
    pub fn load(path: &str, today: Date, read: impl Fn(&str) -> io::Result<String>) -> Result<RuleSet, BuildError> {
        let source = read(path).map_err(|error| {
            let mut fault = Fault::new(format!("cannot read the rule file: {error}"));
            fault.file = Some(path.to_owned());
            BuildError::new(vec![fault])
        })?;
        RuleSet::of(Source::new(path, &source), Use::Run, today, &read)
    }

    /// Reads `source`, which may extend built-in packs; faults speak of it as `name`.
    ///
    /// # Errors
    ///
    /// If anything is wrong in it; the error lists every fault.
    pub fn from_toml(name: &str, source: &str, today: Date) -> Result<RuleSet, BuildError> {
        RuleSet::of(Source::new(name, source), Use::Run, today, &no_files)
    }

    pub(super) fn built_in(pack: Pack) -> RuleSet {
        let source = Source::new(&format!("builtin:{}", pack.name()), pack.source());
        // Packs have no allowances that could expire.
        RuleSet::of(source, Use::Run, Date::from_unix_seconds(0), &no_files)
            .expect("a built-in pack loads, as its tests show")
    }

    fn of(
        source: Source,
        used: Use,
        today: Date,
        read: &dyn Fn(&str) -> io::Result<String>,
    ) -> Result<RuleSet, BuildError> {
        let mut loader = Loader { read, today, used, faults: Vec::new(), warnings: Vec::new(), open: Vec::new() };
        let layers = loader.layers(source.clone());
        let chosen = chosen(&mut loader, &source, &layers.choices);
        let Loader { mut faults, warnings, .. } = loader;
        let mut set = RuleSet {
            name: source.name().to_owned(),
            rules: Vec::new(),
            checks: layers.checks.clone(),
            limits: layers.limits.clone(),
            quotas: layers.quotas.clone(),
            examples: Vec::new(),
            max_hold: layers.max_hold,
            hash_key_env: layers.hash_key_env.clone(),
            choices: layers.choices.clone(),
            chosen,
            warnings,
        };
        for rule in &layers.rules {
            match example(rule, &layers) {
                Ok(example) => {
                    set.rules.extend(deployed(rule, &example));
                    set.examples.push(example);
                }
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() {
            return Ok(set);
        }
        faults.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Err(BuildError::new(faults))
    }

    /// The format of rule files as a JSON Schema (draft 2020-12), for editors. `docs/rule-file.schema.json` is this text.
    ///
    /// ```
    /// use holdback::rule::RuleSet;
    ///
    /// assert!(RuleSet::json_schema().contains("\"not_before\""));
    /// ```
    pub fn json_schema() -> String {
        schema::schema()
    }

    /// The name of the file, as it was asked for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rules, in the order of their files.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The checks, in the order of their files, each with who answers for it, if the file says.
    pub fn checks(&self) -> impl ExactSizeIterator<Item = (&Check, Option<&Service>)> {
        self.checks.iter().map(|written| (&written.check, written.service.as_ref()))
    }

    /// The limits of what a stream may have, in the order of their files.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// The quotas of callers, in the order of their files.
    pub fn quotas(&self) -> &[Quota] {
        &self.quotas
    }

    /// Leaves the checks out, but for those that rules hold matches for.
    pub fn without_checks(mut self) -> RuleSet {
        self.checks.retain(|written| written.check.mode == CheckMode::Held);
        self
    }

    /// Leaves the choices out, and the policies that they choose.
    pub fn without_choices(mut self) -> RuleSet {
        self.choices.clear();
        self.chosen.clear();
        self
    }

    /// The rules, by value.
    pub fn into_rules(self) -> Vec<Rule> {
        self.rules
    }

    /// Keeps only the rules for which `keep` is true.
    pub fn retain(&mut self, keep: impl FnMut(&Rule) -> bool) {
        self.rules.retain(keep);
    }

    /// Makes those rules only [report](Rule::monitor) of which this is true.
    pub fn monitor(&mut self, mut on_trial: impl FnMut(&Rule) -> bool) {
        for rule in self.rules.iter_mut().filter(|rule| on_trial(rule)) {
            rule.conduct = Conduct::Monitor;
        }
    }

    /// Each rule with its own tests, disabled rules too.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// The longest a candidate may grow, if a file says (`[policy] max_hold`).
    pub fn max_hold(&self) -> Option<usize> {
        self.max_hold
    }

    /// The environment variable that holds the key of `{hash8}`, if a file says (`[policy] hash_key_env`).
    pub fn hash_key_env(&self) -> Option<&str> {
        self.hash_key_env.as_deref()
    }

    /// Which requests get another policy, in the order of the file: the first that fits counts.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// The rules of the policy that choices call by this name; `None` for `off`.
    ///
    /// ```
    /// use holdback::rule::{Date, RuleSet};
    ///
    /// let source = r#"
    ///     extends = ["builtin:pii"]
    ///
    ///     [[choose]]
    ///     path   = "/v1/embeddings"
    ///     policy = "off"
    ///
    ///     [[choose]]
    ///     header = { x-tenant = "bank-*" }
    ///     policy = "builtin:compliance"
    /// "#;
    /// let today = Date::parse("2027-01-31").expect("a date");
    /// let set = RuleSet::from_toml("policy.toml", source, today)?;
    /// let chosen: Vec<_> = set.choices().iter().map(|choice| set.chosen(&choice.policy).is_some()).collect();
    /// assert_eq!(chosen, [false, true]);
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    pub fn chosen(&self, policy: &str) -> Option<&RuleSet> {
        self.chosen.get(policy)
    }

    /// The rules of every policy that choices have.
    pub fn chosen_sets(&self) -> impl Iterator<Item = &RuleSet> {
        self.chosen.values()
    }

    /// What is not wrong, but worth knowing: an allowance that expired, a rule that took another one's place.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }
}

/// Loads the policies of choices, each once.
fn chosen(loader: &mut Loader<'_>, source: &Source, choices: &[Choice]) -> BTreeMap<String, RuleSet> {
    let mut chosen = BTreeMap::new();
    for choice in choices.iter().filter(|choice| choice.policy != Choice::OFF) {
        if chosen.contains_key(&choice.policy) {
            continue;
        }
        let name = Spanned::new(choice.span.clone(), choice.policy.clone());
        let Some(source) = loader.extended(source, &name) else { continue };
        match RuleSet::of(source, Use::Chosen, loader.today, loader.read) {
            Ok(set) => {
                loader.warnings.extend(set.warnings.iter().cloned());
                chosen.insert(choice.policy.clone(), set);
            }
            Err(error) => loader.faults.extend(error.faults().iter().cloned()),
        }
    }
    chosen
}

fn no_files(_: &str) -> io::Result<String> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only built-in packs can be extended here"))
}

/// The rule as its own file has it, with its tests.
fn example(rule: &LayeredRule, layers: &Layers) -> Result<Example, Vec<Fault>> {
    let LayeredRule { written, source, .. } = rule;
    let test = |test: &written::WrittenTest| RuleTest {
        name: test.name.clone(),
        text: test.text.clone(),
        finds: test.finds.clone(),
        output: test.output.clone(),
        file: source.name().to_owned(),
        line: source.line(test.span.start),
        span: test.span.clone(),
    };
    let tests = written.tests.iter().map(test).collect();
    build::build(written, &written.fate, &layers.lists, source).map(|rule| Example { rule, tests })
}

/// The rule as the files above its own want it, unless they switch it off.
fn deployed(rule: &LayeredRule, example: &Example) -> Option<Rule> {
    let fate = rule.fate();
    rule.enabled.then(|| {
        let allowed = rule.allows.iter().cloned().map(Validator::not_allowed);
        let own = example.rule.clone();
        Rule {
            severity: fate.severity.unwrap_or_default(),
            action: fate.action(),
            conduct: fate.conduct.unwrap_or_default(),
            direction: fate.direction.unwrap_or_default(),
            channels: fate.channels.unwrap_or_default(),
            validators: own.validators.iter().cloned().chain(allowed).collect(),
            ..own
        }
    })
}
