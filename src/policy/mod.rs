//! The compiled policy: immutable, shared by every stream, with its limits and verdicts.

mod build;
mod check;
mod limit;
mod lint;
mod quota;
mod replace;

pub use crate::rule::{ChannelKind, Direction, Severity};
pub use build::PolicyBuilder;
pub use check::CheckInfo;
pub(crate) use check::CompiledCheck;
pub(crate) use limit::CompiledLimit;
pub use lint::{Cost, Delay, Lint};
pub(crate) use quota::CompiledQuota;
#[cfg(feature = "tower")]
pub(crate) use quota::Counted;
pub(crate) use replace::Cover;

use crate::rule::{Action, Lowered, Validator};
use crate::scan::{RuleTraits, Scanner};
use replace::Replacement;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A compiled rule set with its limits. Cheap to clone; clones share one automaton.
///
/// ```
/// use holdback::{Channel, ChannelKind, Policy, Rule};
///
/// let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar").redact("[codename]")).build()?;
/// let mut channel = Channel::new(&policy, ChannelKind::Text);
/// let mut out = Vec::new();
/// for token in ["The Night", "jar flies", " at night."] {
///     channel.push(token.as_bytes()).write_to(&mut out);
/// }
/// channel.finish().write_to(&mut out);
/// assert_eq!(out, b"The [codename] flies at night.");
/// # Ok::<(), holdback::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Policy {
    inner: Arc<Compiled>,
    /// The checks that a stream was not drawn for, a bit each.
    left_out: u64,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("rules", &self.inner.rules.len()).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Compiled {
    name: Option<String>,
    rules: Vec<CompiledRule>,
    scopes: Vec<Scope>,
    /// For each kind of channel the scope that watches it.
    scope_of: [Option<usize>; ChannelKind::ALL.len()],
    checks: Vec<CompiledCheck>,
    /// For each kind of channel the checks that watch it.
    checks_of: [Vec<u32>; ChannelKind::ALL.len()],
    limits: Vec<CompiledLimit>,
    quotas: Vec<CompiledQuota>,
    max_hold: u32,
}

/// A rule as the engine needs it.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) id: Arc<str>,
    pub(crate) action: Action,
    pub(crate) effect: Effect,
    /// Whether the action is taken, or only reported.
    pub(crate) is_enforced: bool,
    pub(crate) validators: Vec<Validator>,
    /// A longer candidate has outgrown its rule: it counts without its validators being asked.
    pub(crate) limit: u32,
    pub(crate) replacement: Replacement,
    /// What an unclosed block does; `None` for a rule that is none.
    pub(crate) ends_unclosed: bool,
    severity: Severity,
    direction: Direction,
    channels: Vec<ChannelKind>,
    /// What stands out before anything is measured.
    oddity: Option<Lint>,
    bound: HoldBound,
    lowered: Lowered,
    traits: RuleTraits,
}

/// What a match brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Report,
    Cover,
    Terminate,
    /// What a check says, whose place in the policy this is.
    Hold(u32),
}

/// The rules that watch the same kinds of channel, and their automaton.
#[derive(Debug)]
pub(crate) struct Scope {
    /// The place in the policy of each rule of the automaton.
    pub(crate) rules: Vec<u32>,
    /// Whether a replacement depends on what it replaces.
    pub(crate) replaces_by_text: bool,
    pub(crate) scanner: Scanner,
}

impl Policy {
    /// As many checks a policy can leave out for a stream, each by a bit.
    const MOST_SAMPLED: usize = u64::BITS as usize;

    /// Begins a policy.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::new()
    }

    /// The policy's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// Whether it has neither rules nor checks nor limits nor quotas, so that everything passes.
    pub fn is_empty(&self) -> bool {
        let Compiled { rules, checks, limits, quotas, .. } = &*self.inner;
        rules.is_empty() && checks.is_empty() && limits.is_empty() && quotas.is_empty()
    }

    /// The rules in their order, with what each may cost.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = RuleInfo<'_>> {
        self.inner.rules.iter().map(|rule| RuleInfo { rule })
    }

    /// The policy for one stream: a check that is asked about a share of the streams only
    /// ([`Check::sample`](crate::rule::Check::sample)) is left out of it, or is not, as the lot falls. Layers and the sidecar
    /// draw one for each request. At most the first 64 checks of a policy can be left out.
    ///
    /// ```
    /// use holdback::rule::Check;
    /// use holdback::{ChannelKind, Policy};
    ///
    /// let policy = Policy::builder().check(Check::gate("tone").sample(0.25)).build()?;
    /// let drawn = (0..10_000).filter(|lot| policy.sampled(*lot).watches(ChannelKind::Text)).count();
    /// assert!((2_300..2_700).contains(&drawn));
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    pub fn sampled(&self, lot: u64) -> Policy {
        let mut left_out = 0;
        for (at, check) in (0..Self::MOST_SAMPLED as u32).zip(&self.inner.checks) {
            // The lot of each check is its own; 53 bits are what a number of 0 to 1 can have.
            let drawn = (mixed(lot.wrapping_add(u64::from(at) << 32)) >> 11) as f64 / (1_u64 << 53) as f64;
            if drawn >= check.share {
                left_out |= 1 << at;
            }
        }
        Policy { inner: self.inner.clone(), left_out }
    }

    /// The longest a candidate may grow in bytes before it fails closed.
    pub fn max_hold(&self) -> u32 {
        self.inner.max_hold
    }

    /// The checks in their order.
    pub fn checks(&self) -> impl ExactSizeIterator<Item = CheckInfo<'_>> {
        self.inner.checks.iter().map(|check| CheckInfo { check })
    }

    /// Whether a rule or a check watches channels of this kind. Requests need not be read where none watches
    /// [`ChannelKind::Prompt`].
    pub fn watches(&self, kind: ChannelKind) -> bool {
        self.scope(kind).is_some() || self.checks_of(kind).next().is_some()
    }

    /// Whether a rule, a check or a limit that can end the stream watches channels of this kind.
    pub fn may_terminate(&self, kind: ChannelKind) -> bool {
        let a_limit_does = self.limits().iter().any(|limit| limit.is_enforced && limit.watches(kind));
        let a_check_may = self.checks_of(kind).any(|check| self.check(check).is_enforced);
        a_limit_does
            || a_check_may
            || self.scope(kind).is_some_and(|scope| {
                scope.rules.iter().any(|&rule| {
                    let rule = &self.inner.rules[rule as usize];
                    rule.effect == Effect::Terminate || rule.ends_unclosed
                })
            })
    }

    /// Measures how all rules that watch channels of this kind delay ordinary text; `None` where no rule does, and for
    /// prompts, which come whole.
    pub fn delay(&self, kind: ChannelKind) -> Option<Delay> {
        let scope = self.scope(kind).filter(|_| kind != ChannelKind::Prompt)?;
        Some(lint::delay(&scope.scanner))
    }

    /// Builds what the automata need for ordinary text, which otherwise the first streams do on their way: some tens
    /// of milliseconds for some hundreds of rules.
    pub fn warm_up(&self) {
        self.inner.scopes.iter().for_each(|scope| scope.scanner.warm_up());
    }

    /// How many automata there are, all kinds of channel together.
    pub fn shards(&self) -> usize {
        self.inner.scopes.iter().map(|scope| scope.scanner.shards()).sum()
    }

    /// States that the automata have built so far, all kinds of channel together.
    pub fn states(&self) -> usize {
        self.inner.scopes.iter().map(|scope| scope.scanner.states()).sum()
    }

    pub(crate) fn scope(&self, kind: ChannelKind) -> Option<&Scope> {
        self.inner.scope_of[kind as usize].map(|at| &self.inner.scopes[at])
    }

    pub(crate) fn rule(&self, rule: u32) -> &CompiledRule {
        &self.inner.rules[rule as usize]
    }

    /// The places of the checks that watch channels of this kind.
    pub(crate) fn checks_of(&self, kind: ChannelKind) -> impl Iterator<Item = u32> {
        let left_out = self.left_out;
        let is_asked = move |check: &u32| *check >= u64::BITS || left_out & (1 << check) == 0;
        self.inner.checks_of[kind as usize].iter().copied().filter(is_asked)
    }

    pub(crate) fn check(&self, check: u32) -> &CompiledCheck {
        &self.inner.checks[check as usize]
    }

    pub(crate) fn limits(&self) -> &[CompiledLimit] {
        &self.inner.limits
    }

    #[cfg(feature = "tower")]
    pub(crate) fn quotas(&self) -> &[CompiledQuota] {
        &self.inner.quotas
    }

    /// The place of a limit among all that ends streams: behind the rules and the checks.
    pub(crate) fn rank_of_limit(&self, limit: usize) -> u32 {
        (self.inner.rules.len() + self.inner.checks.len() + limit) as u32
    }

    /// The place of a check among all that covers text: behind the rules.
    pub(crate) fn rank_of_check(&self, check: u32) -> u32 {
        self.inner.rules.len() as u32 + check
    }

    /// What takes the place of what a rule, or behind the rules a check, covers.
    pub(crate) fn replacement(&self, rank: u32) -> &Replacement {
        let (rank, rules) = (rank as usize, &self.inner.rules);
        match rules.get(rank) {
            Some(rule) => &rule.replacement,
            None => &self.inner.checks[rank - rules.len()].replacement,
        }
    }
}

/// The number's bits, each depending on all of them (the finaliser of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A rule of a policy, for reports.
#[derive(Clone, Copy, Debug)]
pub struct RuleInfo<'a> {
    rule: &'a CompiledRule,
}

impl<'a> RuleInfo<'a> {
    /// The rule's id.
    pub fn id(&self) -> &'a str {
        &self.rule.id
    }

    /// What happens to a match.
    pub fn action(&self) -> &'a Action {
        &self.rule.action
    }

    /// How bad a match is.
    pub fn severity(&self) -> Severity {
        self.rule.severity
    }

    /// Which way the text goes that it watches.
    pub fn direction(&self) -> Direction {
        self.rule.direction
    }

    /// The kinds of channel that it watches.
    pub fn channels(&self) -> &'a [ChannelKind] {
        &self.rule.channels
    }

    /// How many bytes it can hold back at worst.
    pub fn hold_bound(&self) -> HoldBound {
        self.rule.bound
    }

    /// Measures what the rule, alone, does to ordinary text.
    ///
    /// ```
    /// use holdback::policy::Lint;
    /// use holdback::{Policy, Rule};
    ///
    /// let rule = Rule::regex("mail", r"[a-z.]+@[a-z.]+\.[a-z]{2,}").max_len(200);
    /// let policy = Policy::builder().rule(rule).build()?;
    /// let cost = policy.rules().next().expect("one rule").cost();
    /// assert_eq!(cost.lints, [Lint::HoldsEveryWord]);
    /// assert_eq!(cost.bound.bytes(), 200);
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    pub fn cost(&self) -> Cost {
        lint::cost(self.rule)
    }
}

/// How many bytes a rule can hold back at worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HoldBound {
    /// Nothing: it only reports, or watches only requests, which come whole.
    Zero,
    /// This many bytes: its longest match and right context.
    Pattern(u32),
    /// This many bytes: its pattern has no bound, or a longer one, and fails closed here.
    Limit(u32),
}

impl HoldBound {
    /// The bound in bytes.
    pub fn bytes(self) -> u32 {
        match self {
            HoldBound::Zero => 0,
            HoldBound::Pattern(bytes) | HoldBound::Limit(bytes) => bytes,
        }
    }
}

/// Why a verdict fell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// The rule's pattern matched and its validators agreed.
    Match,
    /// A candidate outgrew the rule's or the policy's limit before it was decided, or could have begun at more places
    /// than validators are asked about.
    Overflow,
    /// A block was not closed within its length or before the channel's end.
    Unclosed,
    /// A check judged so.
    Judged,
    /// A check's judgement did not come in time, or none could be had: what its owner said for that case.
    Unjudged,
    /// A limit of the stream was reached.
    Limit,
}

impl Reason {
    /// The reason's word in logs and findings.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Match => "match",
            Reason::Overflow => "overflow",
            Reason::Unclosed => "unclosed",
            Reason::Judged => "judged",
            Reason::Unjudged => "unjudged",
            Reason::Limit => "limit",
        }
    }
}

/// How sure a check is, in thousandths: 0 to 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u16);

impl Score {
    /// A score of 0 to 1; what lies outside is taken for the nearer of the two, and what is no number for 1.
    ///
    /// ```
    /// use holdback::policy::Score;
    ///
    /// assert_eq!(Score::new(0.9312).to_string(), "0.931");
    /// assert_eq!(Score::new(f64::NAN), Score::new(7.0));
    /// ```
    pub fn new(score: f64) -> Score {
        Score(if score.is_nan() { 1000 } else { (score.clamp(0.0, 1.0) * 1000.0).round() as u16 })
    }

    /// The score, 0 to 1.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.value())
    }
}

/// One decision: rule, span, action, reason. Never the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The id of the rule, the check or the limit.
    pub rule: Arc<str>,
    /// Byte range in the channel's decoded text.
    pub span: Range<u64>,
    /// `flag`, `mask`, `redact`, `drop` or `terminate`; of a check whose judgement failed also `withhold` or `release`.
    pub action: &'static str,
    /// Whether that was done, or only would have been: the rule, or the whole policy, is on trial.
    pub enforced: bool,
    /// Why it fell.
    pub reason: Reason,
    /// What a check says that the text is, in its own word.
    pub category: Option<Arc<str>>,
    /// How sure a check is of it.
    pub score: Option<Score>,
}
