//! From rules to a policy: every fault is found in one go.

use super::replace::Replacement;
use super::{
    ChannelKind, Compiled, CompiledCheck, CompiledLimit, CompiledQuota, CompiledRule, Direction, Effect, HoldBound,
    Lint, Policy, Scope,
};
use crate::error::{BuildError, Fault};
use crate::rule::{
    Action, Check, CheckMode, Conduct, HashKey, Hold, Limit, Matcher, Mode, Pack, Quota, Rule, RuleSet, Shape,
    Unclosed, lower,
};
use crate::scan::{Component, MAX_LIMIT, Role, RuleTraits, Scanner, Size, Starts};
use std::collections::HashSet;
use std::sync::Arc;

/// Collects rules and limits.
#[derive(Clone, Debug)]
pub struct PolicyBuilder {
    name: Option<String>,
    rules: Vec<Rule>,
    checks: Vec<Check>,
    limits: Vec<Limit>,
    quotas: Vec<Quota>,
    max_hold: usize,
    size: Size,
    hash_key: Option<HashKey>,
    empty: Empty,
    conduct: Conduct,
}

/// What a policy without rules is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Empty {
    Fault,
    Meant,
}

/// Long enough for any token or key that is not a block, short enough that a stream stalled by a hostile
/// candidate costs little memory.
const DEFAULT_MAX_HOLD: usize = 16 << 10;

/// A few hundred rules need 5,000 to 28,000 states on ordinary text; most of it runs in the first thousand.
const DEFAULT_MAX_STATES: usize = 16 << 10;

impl PolicyBuilder {
    pub(super) fn new() -> PolicyBuilder {
        PolicyBuilder {
            name: None,
            rules: Vec::new(),
            checks: Vec::new(),
            limits: Vec::new(),
            quotas: Vec::new(),
            max_hold: DEFAULT_MAX_HOLD,
            size: Size { max_states: DEFAULT_MAX_STATES, shards: None },
            hash_key: None,
            empty: Empty::Fault,
            conduct: Conduct::Act,
        }
    }

    /// Names the policy, for response headers and logs.
    pub fn name(mut self, name: impl Into<String>) -> PolicyBuilder {
        self.name = Some(name.into());
        self
    }

    /// Adds a rule. Where two rules cover the same bytes, the earlier one names the replacement.
    pub fn rule(mut self, rule: Rule) -> PolicyBuilder {
        self.rules.push(rule);
        self
    }

    /// Adds rules.
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> PolicyBuilder {
        self.rules.extend(rules);
        self
    }

    /// Adds a check. Whoever drives streams binds a service to its id.
    pub fn check(mut self, check: Check) -> PolicyBuilder {
        self.checks.push(check);
        self
    }

    /// Adds a limit of what a stream may have.
    pub fn limit(mut self, limit: Limit) -> PolicyBuilder {
        self.limits.push(limit);
        self
    }

    /// Adds a quota of what a caller may have. Whoever answers requests counts by it: a layer, the sidecar.
    pub fn quota(mut self, quota: Quota) -> PolicyBuilder {
        self.quotas.push(quota);
        self
    }

    /// Adds the rules of a built-in pack.
    pub fn pack(self, pack: Pack) -> PolicyBuilder {
        self.rule_set(pack.rule_set())
    }

    /// Adds the rules, checks, limits and quotas of a file.
    pub fn rule_set(mut self, set: RuleSet) -> PolicyBuilder {
        self.max_hold = set.max_hold().unwrap_or(self.max_hold);
        self.checks.extend(set.checks().map(|(check, _)| check.clone()));
        self.limits.extend(set.limits().iter().cloned());
        self.quotas.extend(set.quotas().iter().cloned());
        self.rules(set.into_rules())
    }

    /// The longest a candidate may grow in bytes (16 KiB unless set, 1 GiB at most).
    ///
    /// A longer candidate is redacted for as long as it lives, or ends the stream if its rule would:
    /// it is never released.
    pub fn max_hold(mut self, bytes: usize) -> PolicyBuilder {
        self.max_hold = bytes;
        self
    }

    /// The most states that the automata for a kind of channel keep (16,384 unless set).
    ///
    /// Streams that need more go on without remembering: slower, with the same result.
    pub fn max_states(mut self, states: usize) -> PolicyBuilder {
        self.size.max_states = states;
        self
    }

    /// Divides the rules for a kind of channel among this many automata, one to four.
    ///
    /// Unless set, building the policy reads a sample of text to find the fewest that keep ordinary text in few
    /// states. The result is the same with any number; speed and memory are not.
    pub fn shards(mut self, shards: usize) -> PolicyBuilder {
        self.size.shards = Some(shards);
        self
    }

    /// The key of `{hash8}`. Keep it secret: with it a hash can be tried against guesses.
    pub fn hash_key(mut self, key: impl Into<Vec<u8>>) -> PolicyBuilder {
        self.hash_key = Some(HashKey::new(key));
        self
    }

    /// Rules only report: verdicts name the action that each rule would take, nothing is held, changed or ended.
    ///
    /// For trying rules on live traffic, and for looking into texts at rest. [`Rule::monitor`] does so for one rule.
    ///
    /// ```
    /// use holdback::{Channel, ChannelKind, Policy, Rule};
    ///
    /// let policy = Policy::builder().rule(Rule::literal("stop", "canary").terminate()).report_only().build()?;
    /// let mut channel = Channel::new(&policy, ChannelKind::Text);
    /// let released = channel.push(b"a canary sings");
    /// assert_eq!(released.verdicts()[0].action, "terminate");
    /// assert!(released.is_untouched() && released.len() == 14);
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    pub fn report_only(mut self) -> PolicyBuilder {
        self.conduct = Conduct::Monitor;
        self
    }

    /// Says that a policy without rules, which passes everything, is meant.
    pub fn passthrough(mut self) -> PolicyBuilder {
        self.empty = Empty::Meant;
        self
    }

    /// Compiles the policy.
    ///
    /// # Errors
    ///
    /// If anything is wrong with any rule; the error lists every fault found.
    pub fn build(self) -> Result<Policy, BuildError> {
        let mut faults = Vec::new();
        let is_empty =
            self.rules.is_empty() && self.checks.is_empty() && self.limits.is_empty() && self.quotas.is_empty();
        if is_empty && self.empty == Empty::Fault {
            faults.push(
                Fault::new("the policy has no rule: it would pass everything").remedy(
                    "add rules or packs, or say that it is meant (`PolicyBuilder::passthrough`, `--passthrough`)",
                ),
            );
        }
        if self.max_hold == 0 || self.max_hold > MAX_LIMIT as usize {
            faults
                .push(Fault::new(format!("`max_hold` is {}", self.max_hold)).remedy(format!("1 to {MAX_LIMIT} bytes")));
        }
        let mut ids = HashSet::new();
        let mut compiled = Vec::new();
        for rule in &self.rules {
            if !ids.insert(rule.id()) {
                faults.push(rule.fault("the id is taken by an earlier rule").remedy("give each rule an id of its own"));
            }
            if let Action::Hold(Hold { check, .. }) = &rule.action
                && !self.checks.iter().any(|known| known.id == *check && known.mode == CheckMode::Held)
            {
                faults.push(
                    rule.fault(format!("there is no check `{check}` that matches could be held for"))
                        .remedy("add one of that id and of the mode `held` (`Check::held`)"),
                );
            }
            match self.compile(rule) {
                Ok(rule) => compiled.push(rule),
                Err(found) => faults.extend(found),
            }
        }
        let mut checks = Vec::new();
        for (at, check) in self.checks.iter().enumerate() {
            if check.share < 1.0 && at >= Policy::MOST_SAMPLED {
                let fault = Fault::new("only the first 64 checks of a policy can be asked of a share of the streams");
                faults.push(fault.rule(check.id()).remedy("put it further to the front"));
            }
            if !ids.insert(check.id()) {
                faults.push(
                    Fault::new("the id is taken by a rule or an earlier check")
                        .rule(check.id())
                        .remedy("give each check an id of its own"),
                );
            }
            match CompiledCheck::of(check, self.conduct) {
                Ok(check) => checks.push(check),
                Err(found) => faults.extend(found),
            }
        }
        if !faults.is_empty() {
            return Err(BuildError::new(faults));
        }
        let (rules, components): (Vec<_>, Vec<_>) = compiled.into_iter().unzip();
        let mut limits = Vec::new();
        for limit in &self.limits {
            if !ids.insert(limit.id()) {
                let fault = Fault::new("the id is taken by a rule, a check or an earlier limit").rule(limit.id());
                faults.push(fault.remedy("give each limit an id of its own"));
            }
            match CompiledLimit::of(limit, self.conduct, &rules, &checks) {
                Ok(limit) => limits.push(limit),
                Err(found) => faults.extend(found),
            }
        }
        let mut quotas = Vec::new();
        for quota in &self.quotas {
            if !ids.insert(quota.id()) {
                let fault =
                    Fault::new("the id is taken by a rule, a check, a limit or an earlier quota").rule(quota.id());
                faults.push(fault.remedy("give each quota an id of its own"));
            }
            match CompiledQuota::of(quota, self.conduct, &rules, &checks) {
                Ok(quota) => quotas.push(quota),
                Err(found) => faults.extend(found),
            }
        }
        if !faults.is_empty() {
            return Err(BuildError::new(faults));
        }
        Ok(self.scopes(rules, &components, checks, (limits, quotas)))
    }

    /// The rule, and the automaton that scopes are put together from.
    fn compile(&self, rule: &Rule) -> Result<(CompiledRule, Component), Vec<Fault>> {
        let mut faults = Vec::new();
        faults.extend(unfit(&rule.id));
        if rule.max_len == Some(0) {
            faults.push(rule.fault("`max_len` is 0").remedy("give the longest match in bytes"));
        }
        if rule.channels.contains(&ChannelKind::Prompt) {
            faults.push(
                rule.fault("a prompt is no channel of a response")
                    .remedy("leave it out of `channels`, and say by `direction` that the rule watches requests"),
            );
        }
        let replacement = Replacement::of(&rule.id, &rule.action, self.hash_key.as_ref())
            .map_err(|fault| faults.push(fault.rule(&rule.id)))
            .ok();
        let lowered = lower(rule).map_err(|found| faults.extend(found)).ok();
        let (Some(mut lowered), Some(replacement), true) = (lowered, replacement, faults.is_empty()) else {
            return Err(faults);
        };
        if !rule.validators.is_empty() && lowered.mode == Mode::Shortest {
            return Err(vec![
                rule.fault("a `shortest` pattern or a block cannot have validators or allow-lists")
                    .remedy("use the default mode, or drop the validators"),
            ]);
        }
        let block = match &rule.matcher {
            Matcher::Block(block) => Some(block),
            Matcher::Pattern(_) => None,
        };
        if rule.action == Action::Flag && block.is_some_and(|block| block.unclosed == Unclosed::Terminate) {
            return Err(vec![
                rule.fault("a flagged block holds nothing, so ending the stream where it is not closed comes too late")
                    .remedy("use another action, or leave `unclosed` out"),
            ]);
        }
        if matches!(rule.action, Action::Hold(_)) && block.is_some() {
            return Err(vec![
                rule.fault("a block is covered before it is complete, so no check can be asked about it")
                    .remedy("use another action, or a pattern"),
            ]);
        }
        let is_enforced = rule.conduct == Conduct::Act && self.conduct == Conduct::Act;
        let effect = match &rule.action {
            _ if !is_enforced => Effect::Report,
            Action::Flag => Effect::Report,
            Action::Terminate => Effect::Terminate,
            Action::Hold(Hold { check, .. }) => {
                let place = self.checks.iter().position(|known| known.id == *check);
                Effect::Hold(place.unwrap_or_default() as u32)
            }
            Action::Mask(_) | Action::Redact(_) | Action::Drop => Effect::Cover,
        };
        if effect == Effect::Terminate && lowered.shape == Shape::Block {
            // The stream ends where the block opens; what would follow is of no interest.
            lowered = lowered.opening();
        }
        let limit = rule.max_len.map_or(self.max_hold, |len| len.min(self.max_hold)).min(MAX_LIMIT as usize) as u32;
        // A block holds its opening only: from there on it is swallowed.
        let longest = if lowered.shape == Shape::Block { lowered.opening().longest } else { lowered.longest };
        let outgrows = longest.is_none_or(|longest| longest > limit as usize);
        let bound = match longest {
            _ if effect == Effect::Report || rule.direction == Direction::Request => HoldBound::Zero,
            Some(longest) if !outgrows => HoldBound::Pattern(longest as u32),
            _ => HoldBound::Limit(limit),
        };
        let traits = RuleTraits {
            role: if effect == Effect::Report { Role::Observe } else { Role::Cover },
            starts: if rule.validators.is_empty() { Starts::Earliest } else { Starts::Every },
            mode: lowered.mode,
            overflow: (effect != Effect::Report && outgrows).then_some(limit),
            block_len: block.map(|block| block.max_len.min(MAX_LIMIT as usize) as u32),
        };
        let component = Component::new(&lowered, traits).map_err(|reason| {
            vec![
                rule.fault(format!("the pattern is too large: {reason}"))
                    .remedy("repeat less, use ASCII classes, or give a list of words fewer folds"),
            ]
        })?;
        let rule = CompiledRule {
            id: Arc::from(rule.id.as_str()),
            action: rule.action.clone(),
            effect,
            is_enforced,
            validators: rule.validators.clone(),
            limit,
            replacement,
            ends_unclosed: effect != Effect::Report && block.is_some_and(|block| block.unclosed == Unclosed::Terminate),
            severity: rule.severity,
            direction: rule.direction,
            channels: rule.kinds(),
            oddity: (rule.direction == Direction::Request && !rule.channels.is_empty()).then_some(Lint::NamesNoChannel),
            bound,
            lowered,
            traits,
        };
        Ok((rule, component))
    }

    /// A scanner for each set of rules that some kind of channel is watched by.
    fn scopes(
        &self,
        rules: Vec<CompiledRule>,
        components: &[Component],
        checks: Vec<CompiledCheck>,
        (limits, quotas): (Vec<CompiledLimit>, Vec<CompiledQuota>),
    ) -> Policy {
        let mut scopes: Vec<Scope> = Vec::new();
        let mut scope_of = [None; ChannelKind::ALL.len()];
        for kind in ChannelKind::ALL {
            let watching: Vec<u32> =
                (0..).zip(&rules).filter(|(_, rule)| rule.channels.contains(&kind)).map(|(at, _)| at).collect();
            if watching.is_empty() {
                continue;
            }
            let known = scopes.iter().position(|scope| scope.rules == watching);
            let at = match known {
                Some(at) => at,
                None => {
                    let set: Vec<_> = watching.iter().map(|&at| &components[at as usize]).collect();
                    let scanner = Scanner::new(&set, self.size);
                    let replaces_by_text = watching.iter().any(|&at| rules[at as usize].replacement.needs_text());
                    scopes.push(Scope { rules: watching, replaces_by_text, scanner });
                    scopes.len() - 1
                }
            };
            scope_of[kind as usize] = Some(at);
        }
        let checks_of = ChannelKind::ALL.map(|kind| {
            let is_held_for =
                |at: u32| rules.iter().any(|rule| rule.effect == Effect::Hold(at) && rule.channels.contains(&kind));
            let watches = |(at, check): &(u32, &CompiledCheck)| check.channels.contains(&kind) || is_held_for(*at);
            (0..).zip(&checks).filter(watches).map(|(at, _)| at).collect()
        });
        let max_hold = self.max_hold as u32;
        let name = self.name.clone();
        let compiled = Compiled { name, rules, scopes, scope_of, checks, checks_of, limits, quotas, max_hold };
        Policy { inner: Arc::new(compiled), left_out: 0 }
    }
}

/// What is wrong with an id.
pub(super) fn unfit(id: &str) -> Option<Fault> {
    let is_fit = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let fault = Fault::new("the id may have letters, digits, `.`, `_` and `-` only").rule(id);
    (!is_fit).then(|| fault.remedy("write it like `pii.email`"))
}
