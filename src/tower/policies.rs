//! Several policies, and which requests get which.

use super::choose::Choose;
use super::model::RequestedModel;
use crate::policy::Policy;
use crate::rule::{Choice, RuleSet};
use http::request::Parts;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The policies of a file: its own, and those that it chooses for some requests (`[[choose]]`). Cheap to clone.
///
/// The first choice that fits a request counts. Let only those set a header who may weaken the policy by it.
///
/// ```
/// use holdback::rule::{Date, RuleSet};
/// use holdback::tower::{Choose, HoldbackLayer, Policies};
/// use holdback::Policy;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let source = r#"
///     extends = ["builtin:pii"]
///
///     [[choose]]
///     header = { x-tenant = "bank-*" }
///     policy = "builtin:compliance"
/// "#;
/// let today = Date::parse("2027-01-31").expect("a date");
/// let set = RuleSet::from_toml("policy.toml", source, today)?;
/// let policies = Policies::build(set, |name, set| Policy::builder().name(name).rule_set(set).build())?;
///
/// let (parts, ()) = http::Request::get("/").header("x-tenant", "bank-7").body(())?.into_parts();
/// let policy = policies.choose(&parts).expect("there is one");
/// assert_eq!(policy.name(), Some("compliance"));
/// let layer = HoldbackLayer::new(policies);
/// # let _ = layer; Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Each with the place of its policy among those that are chosen; `None` for none.
    choices: Arc<[(Choice, Option<usize>)]>,
    chosen: Arc<[Policy]>,
    otherwise: Option<Policy>,
}

impl Policies {
    /// Builds the policies of a file, each by `build` from its name (that of its file, without folders and ending) and its
    /// rules.
    ///
    /// # Errors
    ///
    /// The first that `build` fails with.
    pub fn build<E>(set: RuleSet, build: impl Fn(&str, RuleSet) -> Result<Policy, E>) -> Result<Policies, E> {
        let names: BTreeSet<&String> = set.choices().iter().map(|choice| &choice.policy).collect();
        let sets: Vec<(&String, &RuleSet)> =
            names.into_iter().filter_map(|name| Some((name, set.chosen(name)?))).collect();
        let chosen =
            sets.iter().map(|(name, set)| build(name_of(name), RuleSet::clone(set))).collect::<Result<_, E>>()?;
        let place = |choice: &Choice| sets.iter().position(|(name, _)| **name == choice.policy);
        let choices = set.choices().iter().map(|choice| (choice.clone(), place(choice))).collect();
        let name = name_of(set.name()).to_owned();
        Ok(Policies { choices, chosen, otherwise: Some(build(&name, set)?) })
    }

    /// Every policy that is chosen for some requests, then the file's own.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.chosen.iter().chain(&self.otherwise)
    }

    /// The file's own policy; `None` if nothing is moderated where no choice fits.
    pub fn otherwise(&self) -> Option<&Policy> {
        self.otherwise.as_ref()
    }
}

/// Without one, nothing is moderated.
impl From<Option<Policy>> for Policies {
    fn from(policy: Option<Policy>) -> Policies {
        Policies { otherwise: policy, ..Policies::default() }
    }
}

impl From<Policy> for Policies {
    fn from(policy: Policy) -> Policies {
        Some(policy).into()
    }
}

impl Choose for Policies {
    fn choose(&self, request: &Parts) -> Option<Policy> {
        let model = request.extensions.get::<RequestedModel>().map(|model| &*model.0);
        let header = |name: &str| request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        match self.choices.iter().find(|(choice, _)| choice.fits(request.uri.path(), model, header)) {
            Some((_, chosen)) => chosen.map(|place| self.chosen[place].clone()),
            None => self.otherwise.clone(),
        }
    }

    fn needs_model(&self) -> bool {
        self.choices.iter().any(|(choice, _)| choice.model.is_some())
    }
}

/// What a policy is called whose file is called this.
fn name_of(file: &str) -> &str {
    let file = file.strip_prefix("builtin:").unwrap_or(file);
    Path::new(file).file_stem().and_then(|name| name.to_str()).unwrap_or_default()
}
