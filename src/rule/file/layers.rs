//! Files that build on files: what a file extends lies below it, and what it says itself lies on top.

use super::build::{self, Lists};
use super::checks::WrittenCheck;
use super::source::Source;
use super::written::{Fate, Replaces, Written, WrittenAllow, WrittenOverride, WrittenRule};
use crate::error::Fault;
use crate::rule::date::Date;
use crate::rule::id::id_fits;
use crate::rule::pack::Pack;
use crate::rule::{Allow, Choice, Limit, Quota};
use std::io;
use std::path::{Component, Path, PathBuf};
use toml::Spanned;

/// Files below files below files: deeper than this is a mistake.
const MAX_DEPTH: usize = 8;

/// The rules of a file and of everything below it.
#[derive(Default)]
pub(super) struct Layers {
    pub(super) rules: Vec<LayeredRule>,
    pub(super) checks: Vec<WrittenCheck>,
    pub(super) limits: Vec<Limit>,
    pub(super) quotas: Vec<Quota>,
    pub(super) choices: Vec<Choice>,
    pub(super) lists: Lists,
    pub(super) max_hold: Option<usize>,
    pub(super) hash_key_env: Option<String>,
    /// Whether a file could not be read, so that nobody can say what is not there.
    lacking: bool,
}

/// A rule with what files above its own say about it.
pub(super) struct LayeredRule {
    pub(super) written: WrittenRule,
    pub(super) source: Source,
    pub(super) enabled: bool,
    /// Where it differs from what the rule's own file says.
    pub(super) overridden: Fate,
    pub(super) allows: Vec<Allow>,
}

impl LayeredRule {
    /// What happens to a match, all files considered.
    pub(super) fn fate(&self) -> Fate {
        self.overridden.clone().or(&self.written.fate)
    }
}

/// What a file is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// To be run.
    Run,
    /// To be run for some requests, as the file that is run chooses.
    Chosen,
}

/// Reads files and what they extend.
pub(super) struct Loader<'l> {
    pub(super) read: &'l dyn Fn(&str) -> io::Result<String>,
    pub(super) today: Date,
    pub(super) used: Use,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
    /// The names of the files being read, the one that was asked for first.
    pub(super) open: Vec<String>,
}

impl Loader<'_> {
    /// Reads `source` and everything that it extends.
    pub(super) fn layers(&mut self, source: Source) -> Layers {
        let mut layers = Layers::default();
        self.open.push(source.name().to_owned());
        match Written::read(source, &mut self.faults) {
            Some(written) => {
                for name in &written.extends {
                    match self.extended(&written.source, name) {
                        Some(below) => {
                            let below = self.layers(below);
                            self.lay_beside(&mut layers, below);
                        }
                        None => layers.lacking = true,
                    }
                }
                self.lay_on_top(&mut layers, written);
            }
            None => layers.lacking = true,
        }
        self.open.pop();
        layers
    }

    /// The file that `source` calls by `name`.
    pub(super) fn extended(&mut self, source: &Source, name: &Spanned<String>) -> Option<Source> {
        let found = match name.get_ref().strip_prefix("builtin:") {
            Some(pack) => Pack::named(pack)
                .map(|pack| Source::new(name.get_ref(), pack.source()))
                .ok_or_else(|| Fault::new(format!("there is no built-in pack `{pack}`")).remedy(Pack::choices())),
            None => {
                let path = beside(source.name(), name.get_ref());
                self.closed(&path).and_then(|()| {
                    (self.read)(&path)
                        .map(|text| Source::new(&path, &text))
                        .map_err(|error| Fault::new(format!("cannot read `{path}`: {error}")))
                })
            }
        };
        found.map_err(|fault| self.faults.push(source.place(name.span(), fault))).ok()
    }

    /// Whether the file at `path` may be read below those that are being read.
    fn closed(&self, path: &str) -> Result<(), Fault> {
        if self.open.iter().any(|open| open == path) {
            let chain = self.open.join("` extends `");
            return Err(Fault::new(format!("the files go round in a circle: `{chain}` extends `{path}`")));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault::new(format!("files extend each other more than {MAX_DEPTH} deep")));
        }
        Ok(())
    }

    /// Adds the rules of a file that stands in the same `extends`. The later one wins where both have an id.
    fn lay_beside(&mut self, layers: &mut Layers, other: Layers) {
        for rule in other.rules {
            match layers.rules.iter_mut().find(|known| known.written.id == rule.written.id) {
                Some(known) => {
                    if known.source.name() != rule.source.name() {
                        let fault = Fault::new(format!("takes the place of the rule of {}", known.source.name()));
                        let fault = fault.rule(&rule.written.id);
                        self.warnings.push(rule.source.place(rule.written.span.clone(), fault));
                    }
                    *known = rule;
                }
                None => layers.rules.push(rule),
            }
        }
        layers.lacking |= other.lacking;
        layers.checks.extend(other.checks);
        layers.limits.extend(other.limits);
        layers.quotas.extend(other.quotas);
        add_to_lists(&mut layers.lists, other.lists);
        layers.max_hold = other.max_hold.or(layers.max_hold);
        layers.hash_key_env = other.hash_key_env.or(layers.hash_key_env.take());
    }

    fn lay_on_top(&mut self, layers: &mut Layers, written: Written) {
        let Written {
            source,
            rules,
            checks,
            limits,
            quotas,
            choices,
            overrides,
            allows,
            lists,
            max_hold,
            hash_key_env,
            ..
        } = written;
        for rule in rules {
            self.add(layers, rule, &source);
        }
        layers.checks.extend(checks);
        layers.limits.extend(limits);
        layers.quotas.extend(quotas);
        self.choose(layers, choices, &source);
        for written in overrides {
            self.override_rules(layers, &written, &source);
        }
        for written in allows {
            self.allow(layers, &written, &source);
        }
        add_to_lists(&mut layers.lists, lists);
        layers.max_hold = max_hold.or(layers.max_hold);
        layers.hash_key_env = hash_key_env.or(layers.hash_key_env.take());
    }

    /// Only the file that is run chooses: what it extends or chooses cannot know for whom it is run.
    fn choose(&mut self, layers: &mut Layers, choices: Vec<Choice>, source: &Source) {
        if self.used == Use::Run && self.open.len() == 1 {
            layers.choices = choices;
            return;
        }
        let fault = Fault::new("a file that another one extends or chooses cannot choose");
        let fault = fault.remedy("move it into the file that is run");
        self.faults.extend(choices.into_iter().map(|choice| source.place(choice.span, fault.clone())));
    }

    fn add(&mut self, layers: &mut Layers, written: WrittenRule, source: &Source) {
        let known = layers.rules.iter_mut().find(|known| known.written.id == written.id);
        let mut fault = |fault: Fault| {
            self.faults.push(source.place(written.span.clone(), fault.rule(&written.id)));
        };
        match (&known, written.replaces) {
            (Some(known), Replaces::None) => {
                let line = known.source.line(known.written.span.start);
                fault(
                    Fault::new(format!("the id is taken in {}, line {line}", known.source.name()))
                        .remedy("give it another id, or say `replace = true` to take the other rule's place"),
                );
            }
            (None, Replaces::Another) if !layers.lacking => fault(
                Fault::new("there is no rule of this id to replace")
                    .remedy("drop `replace = true`, or extend its file"),
            ),
            _ => {}
        }
        let rule = LayeredRule {
            written,
            source: source.clone(),
            enabled: true,
            overridden: Fate::default(),
            allows: Vec::new(),
        };
        match known {
            Some(known) if rule.written.replaces == Replaces::Another => *known = rule,
            // Taken or not, what is wrong with it is to be told.
            _ => layers.rules.push(rule),
        }
    }

    fn override_rules(&mut self, layers: &mut Layers, written: &WrittenOverride, source: &Source) {
        let mut found = false;
        for rule in layers.rules.iter_mut().filter(|rule| id_fits(&rule.written.id, written.rules.get_ref())) {
            found = true;
            if written.min_severity.is_some_and(|min| rule.fate().severity.unwrap_or_default() < min) {
                continue;
            }
            rule.enabled = written.enabled.unwrap_or(rule.enabled);
            rule.overridden = written.fate.clone().or(&rule.overridden);
        }
        if !found && !layers.lacking {
            self.faults.push(source.place(written.rules.span(), no_rule(written.rules.get_ref())));
        }
    }

    fn allow(&mut self, layers: &mut Layers, written: &WrittenAllow, source: &Source) {
        let allow = build::allow(written, source, &mut self.faults);
        for glob in written.rules.iter().flatten() {
            let mut named = layers.rules.iter().filter(|rule| id_fits(&rule.written.id, glob.get_ref())).peekable();
            if named.peek().is_none() {
                if layers.lacking {
                    continue;
                }
                self.faults.push(source.place(glob.span(), no_rule(glob.get_ref())));
            } else if named.all(|rule| !build::can_allow(&rule.written)) {
                let fault = Fault::new(format!("`{}` covers its text before it is complete", glob.get_ref()))
                    .remedy("a block or a `shortest` pattern cannot have an allow-list");
                self.faults.push(source.place(glob.span(), fault));
            }
        }
        if let Some(last) = written.expires.filter(|last| *last < self.today) {
            let fault = Fault::new(format!("allows nothing any more: it expired on {last}"));
            self.warnings.push(source.place(written.span.clone(), fault.remedy("drop it, or give it a later date")));
            return;
        }
        for rule in layers.rules.iter_mut().filter(|rule| build::can_allow(&rule.written)) {
            let globs = written.rules.as_ref();
            if globs.is_none_or(|globs| globs.iter().any(|glob| id_fits(&rule.written.id, glob.get_ref()))) {
                rule.allows.push(allow.clone());
            }
        }
    }
}

fn no_rule(glob: &str) -> Fault {
    Fault::new(format!("no rule is called `{glob}`"))
        .remedy("name a rule, or several by `*`, that this file has or extends")
}

/// The path of `name` as the file at `path` means it.
pub(super) fn beside(path: &str, name: &str) -> String {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let mut beside = PathBuf::new();
    for component in folder.join(name).components() {
        match (component, beside.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                beside.pop();
            }
            (component, _) => beside.push(component),
        }
    }
    beside.to_string_lossy().into_owned()
}

/// A list adds to what files below have under its name: a pack's rule goes on finding what its own tests show.
fn add_to_lists(lists: &mut Lists, more: impl IntoIterator<Item = (String, Vec<String>)>) {
    for (name, texts) in more {
        lists.entry(name).or_default().extend(texts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_beside_the_one_that_names_them() {
        assert_eq!(beside("policy.toml", "./core.toml"), "core.toml");
        assert_eq!(beside("etc/policy.toml", "core.toml"), "etc/core.toml");
        assert_eq!(beside("etc/policy.toml", "../core.toml"), "core.toml");
        assert_eq!(beside("policy.toml", "../core.toml"), "../core.toml");
        assert_eq!(beside("/etc/hb/policy.toml", "/usr/core.toml"), "/usr/core.toml");
    }
}
