//! The services that a policy's file names.

use super::http::{Endpoint, EndpointError, HttpCheck};
use super::linear::{Linear, LinearCheck};
#[cfg(feature = "onnx")]
use super::semantic::{Embedder, SemanticCheck};
use super::service::{Answer, Bound};
use super::{Checks, Measures};
use crate::error::{BuildError, Fault};
use crate::rule::RuleSet;
use crate::rule::service::{Address, Service, ServiceKind, Topic};
use std::collections::BTreeMap;
use std::fs;
use std::iter;

impl Checks {
    /// The services that a policy's file, and those that it chooses for some requests, name for their checks. `env` looks
    /// into the environment, where tokens and secrets are.
    ///
    /// A check without one is left for [`bind`](Checks::bind).
    ///
    /// ```
    /// use holdback::Policy;
    /// use holdback::check::Checks;
    /// use holdback::rule::{Date, RuleSet};
    ///
    /// let source = r#"
    ///     [[check]]
    ///     id      = "safety"
    ///     mode    = "gate"
    ///     service = { kind = "guard", guard = "llama-guard", url = "http://127.0.0.1:8000/v1", model = "llama-guard3" }
    /// "#;
    /// let today = Date::parse("2027-01-31").expect("a date");
    /// let set = RuleSet::from_toml("policy.toml", source, today)?;
    /// let checks = Checks::named_in(&set, |_| None)?;
    /// let policy = Policy::builder().rule_set(set).build()?;
    /// assert_eq!(checks.unbound(&policy).count(), 0);
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If an address is none, a model's file cannot be read, policies name different services for checks of one id, or the
    /// environment lacks a token or a secret, or has it empty; the error lists every fault.
    pub fn named_in(set: &RuleSet, env: impl Fn(&str) -> Option<String>) -> Result<Checks, BuildError> {
        let (mut checks, mut faults) = (Checks::new(), Vec::new());
        let mut named: BTreeMap<&str, &Service> = BTreeMap::new();
        for (check, service) in iter::once(set).chain(set.chosen_sets()).flat_map(RuleSet::checks) {
            let Some(service) = service else { continue };
            let answer = match named.insert(check.id(), service) {
                None => answering(service, &env),
                Some(other) if (&other.kind, &other.measures) == (&service.kind, &service.measures) => continue,
                Some(other) => {
                    let fault = Fault::new(format!("another service answers for it in {}", other.file));
                    Err(fault.remedy("give one of the checks another id"))
                }
            };
            match answer {
                Ok(answer) => checks = checks.bind_boxed(check.id().to_owned(), answer),
                Err(fault) => faults.push(Fault {
                    file: Some(service.file.clone()),
                    span: Some(service.span.clone()),
                    line: Some(service.line),
                    ..fault.rule(check.id())
                }),
            }
        }
        if faults.is_empty() { Ok(checks) } else { Err(BuildError::new(faults)) }
    }
}

/// Who answers, as it is written.
fn answering(service: &Service, env: &impl Fn(&str) -> Option<String>) -> Result<Box<dyn Answer>, Fault> {
    let from_env = |variable: &str| {
        let missing = || Fault::new(format!("the environment has no `{variable}`"));
        // Anyone could sign with an empty secret.
        let value = env(variable).filter(|value| !value.trim().is_empty());
        value.ok_or_else(|| missing().remedy("set it where holdback is started"))
    };
    let endpoint = |at: &Address| {
        let endpoint = Endpoint::new(&at.url).map_err(|error| bad(&at.url, error))?;
        match &at.token_env {
            None => Ok(endpoint),
            Some(variable) => endpoint.bearer(&from_env(variable)?).map_err(|error| bad(variable, error)),
        }
    };
    let check = match &service.kind {
        ServiceKind::Moderation { at, model } => HttpCheck::moderation(endpoint(at)?, model),
        ServiceKind::Guard { at, model, guard } => HttpCheck::guard(endpoint(at)?, guard.clone(), model),
        ServiceKind::Detector { at, id } => {
            let header = id.parse().map_err(|_| Fault::new(format!("`{id}` cannot be sent as a detector's id")));
            HttpCheck::detector(endpoint(at)?, header?)
        }
        ServiceKind::Presidio { at, language } => HttpCheck::presidio(endpoint(at)?, language),
        ServiceKind::Linear { file } => return Ok(Box::new(Bound(linear(file, &service.measures)?))),
        ServiceKind::Semantic { model, topics } => return semantic(model, topics, &service.measures),
        ServiceKind::Webhook { at, secret_env } => HttpCheck::webhook(endpoint(at)?, from_env(secret_env)?),
    };
    Ok(Box::new(Bound(check.measures(service.measures.clone()))))
}

/// The classifier of this file.
fn linear(file: &str, measures: &Measures) -> Result<LinearCheck, Fault> {
    let json = fs::read(file).map_err(|error| Fault::new(format!("cannot read the model `{file}`: {error}")))?;
    let model = Linear::from_json(&json).map_err(|error| {
        Fault::new(format!("`{file}` is no model: {error}")).remedy("write one with `holdback train`")
    })?;
    LinearCheck::new(model).measures(measures).map_err(|error| Fault::new(error.to_string()))
}

/// The topics that a sentence-embedding model looks for.
#[cfg(feature = "onnx")]
fn semantic(model: &str, topics: &[Topic], measures: &Measures) -> Result<Box<dyn Answer>, Fault> {
    let check = Embedder::open(model).and_then(|model| SemanticCheck::new(model, topics.iter().cloned()));
    let check = check.and_then(|check| check.measures(measures));
    check.map(|check| Box::new(Bound(check)) as Box<dyn Answer>).map_err(|error| Fault::new(error.to_string()))
}

#[cfg(not(feature = "onnx"))]
fn semantic(_: &str, _: &[Topic], _: &Measures) -> Result<Box<dyn Answer>, Fault> {
    Err(Fault::new("this program cannot run models").remedy("build it with `--features onnx`"))
}

fn bad(what: &str, error: EndpointError) -> Fault {
    Fault::new(format!("`{what}` is no address of a service: {error}"))
}
