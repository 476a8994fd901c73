//! A channel: text in, released text out, nothing released that a rule can still touch.
//!
//! A [`Channel`] is the live half of the engine, a [`Policy`] the shared one. It asks the automaton for the
//! frontier after every push, keeps the text from there on, and merges overlapping spans into segments, each
//! replaced once. Only this module makes a [`Released`], and only what is released goes downstream.

mod boundary;
mod examples;
mod findings;
mod gates;
mod judging;
mod limits;
mod passage;
mod released;
mod segments;
mod text;

pub use examples::{Failure, FailureKind, run_examples};
pub use passage::{Judgement, Passage, PassageId, Ruling, Unjudged};
pub use released::{Part, Released};

use crate::policy::{ChannelKind, Effect, Policy, Reason, Scope, Verdict};
use crate::rule::{Action, OnFailure};
use crate::scan::{Cursor, Hit, HitKind};
use findings::{Finding, Findings};
use gates::Gates;
use limits::Limits;
pub(crate) use limits::Tally;
use released::Handout;
use segments::{Horizon, Segments};
use std::ops::Range;
use text::{LONGEST_CHAR, Text};

/// One ordered text of a stream under a policy.
///
/// ```
/// use holdback::{Channel, ChannelKind, Policy, Rule};
///
/// let policy = Policy::builder().rule(Rule::regex("ssn", r"\b\d{3}-\d{2}-\d{4}\b")).build()?;
/// let mut channel = Channel::new(&policy, ChannelKind::Text);
/// let mut out = Vec::new();
/// channel.push(b"It is 12").write_to(&mut out);
/// assert_eq!(out, b"It is "); // `12` may become a number of the rule's kind
/// channel.push(b"3-45-6789.").write_to(&mut out);
/// assert_eq!(out, b"It is [ssn].");
/// # Ok::<(), holdback::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Channel {
    policy: Policy,
    kind: ChannelKind,
    cursor: Cursor,
    /// Text that may still be asked for, without gaps up to the cursor.
    window: Vec<u8>,
    /// Offset in the channel of the window's first byte.
    window_start: u64,
    /// What stands before it in the window is only there until the next push.
    needed_from: u64,
    account: Account,
}

/// What matched and what became of it.
#[derive(Clone, Debug, Default)]
struct Account {
    /// Every byte before it was handed out. Never decreases.
    decided: u64,
    segments: Segments,
    findings: Findings,
    /// What rules hold for checks that are not asked about it yet.
    holds: Findings,
    /// The checks that watch the channel, if any does.
    gates: Option<Box<Gates>>,
    /// What it counts, if it counts anything.
    limits: Option<Box<Limits>>,
    /// Where the rules' earliest candidate begins.
    frontier: u64,
    more: More,
    /// What ends the stream, once everything before it has left.
    stop: Option<Stop>,
    intake: Intake,
    terminated: Option<Verdict>,
    /// Reused between pushes.
    hits: Vec<Hit>,
    /// What the last call released.
    out: Handout,
    verdicts: Vec<Verdict>,
}

/// Whether text is still taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Intake {
    #[default]
    Open,
    /// A rule ends the stream in what was taken. A check that does so leaves it open: where the passages of other checks
    /// end before it must not depend on when its judgement came.
    Closed,
}

/// What ends the stream.
#[derive(Clone, Debug)]
struct Stop {
    /// The place of the rule, or behind the rules that of the check, or behind those that of the limit.
    rank: u32,
    /// Nothing from here on leaves.
    at: u64,
    verdict: Verdict,
}

/// Whether more text may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum More {
    #[default]
    MayCome,
    Never,
}

impl Channel {
    /// An empty channel of this kind.
    pub fn new(policy: &Policy, kind: ChannelKind) -> Channel {
        Channel {
            policy: policy.clone(),
            kind,
            cursor: policy.scope(kind).map_or_else(Cursor::default, |scope| Cursor::new(&scope.scanner)),
            window: Vec::new(),
            window_start: 0,
            needed_from: 0,
            account: Account {
                gates: Gates::new(policy, kind),
                limits: Limits::new(policy, kind),
                ..Account::default()
            },
        }
    }

    /// A channel that only the rules watch.
    pub(crate) fn of_rules(policy: &Policy, kind: ChannelKind) -> Channel {
        let mut channel = Channel::new(policy, kind);
        channel.account.gates = None;
        channel.account.limits = None;
        channel
    }

    /// Counts with the other channels of its stream; without a tally it counts nothing.
    pub(crate) fn count_with(&mut self, tally: Option<&Tally>) {
        match (&mut self.account.limits, tally) {
            (Some(limits), Some(tally)) => limits.tally = tally.share(),
            _ => self.account.limits = None,
        }
    }

    /// Takes the next text and gives back what is decided by now.
    ///
    /// After a terminating verdict nothing more is released, whatever is pushed.
    pub fn push<'a>(&'a mut self, delta: &'a [u8]) -> Released<'a> {
        self.advance(delta, More::MayCome)
    }

    /// The text is at its end: gives back the rest, or under a gate what is judged of it. Text pushed later is matched
    /// as a text of its own.
    pub fn finish(&mut self) -> Released<'_> {
        self.advance(&[], More::Never)
    }

    /// Bytes of text taken so far.
    pub fn len(&self) -> u64 {
        self.cursor.position()
    }

    /// Whether no text was taken yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every byte before this offset is decided and was handed out.
    pub fn decided(&self) -> u64 {
        self.account.decided
    }

    /// The kind it was made with.
    pub fn kind(&self) -> ChannelKind {
        self.kind
    }

    /// The verdict that ended the channel.
    pub fn terminated(&self) -> Option<&Verdict> {
        self.account.terminated.as_ref()
    }

    fn advance<'a>(&'a mut self, delta: &'a [u8], more: More) -> Released<'a> {
        let Channel { policy, kind, cursor, window, window_start, needed_from, account } = self;
        let from = account.begin();
        if account.terminated.is_some() || account.intake == Intake::Closed {
            return account.released(Text { start: from, bytes: &[] }, from);
        }
        forget(window, window_start, *needed_from);
        let (delta, reached) = account.admit(policy, delta, cursor.position());
        let is_held = !window.is_empty();
        if is_held {
            window.extend_from_slice(delta);
        } else {
            *window_start = cursor.position();
        }
        // Held text is joined with the delta. Without any the delta serves as it is, and only its tail is copied.
        let text = Text { start: *window_start, bytes: if is_held { window } else { delta } };
        match policy.scope(*kind) {
            Some(scope) => account.scan(policy, scope, cursor, text, delta.len(), more),
            None => account.skip(policy, cursor, text, delta.len(), more),
        }
        if let Some(limit) = reached {
            account.end_at_limit(policy, text, limit, cursor.position());
        }
        *needed_from = account.needed_from(policy, policy.scope(*kind), cursor);
        if is_held {
            return account.released(Text { start: *window_start, bytes: window }, from);
        }
        let tail = needed_from.saturating_sub(*window_start).min(delta.len() as u64);
        window.extend_from_slice(&delta[tail as usize..]);
        let start = std::mem::replace(window_start, *window_start + tail);
        account.released(Text { start, bytes: delta }, from)
    }
}

/// Drops the window's front, now and then only: what is held must not be moved at every push.
fn forget(window: &mut Vec<u8>, window_start: &mut u64, needed_from: u64) {
    let unneeded = (needed_from.saturating_sub(*window_start) as usize).min(window.len());
    if unneeded == window.len() {
        window.clear();
    } else if unneeded >= SLACK.max(window.len() / 2) {
        window.drain(..unneeded);
    } else {
        return;
    }
    *window_start += unneeded as u64;
}

/// Bytes that a window may keep although nobody needs them.
const SLACK: usize = 256;

impl Account {
    fn begin(&mut self) -> u64 {
        // Mostly there is nothing to clear, and a length just stored would stall the load that hands the list out.
        if !self.out.cuts.is_empty() {
            self.out.cuts.clear();
            self.out.replacements.clear();
        }
        if !self.verdicts.is_empty() {
            self.verdicts.clear();
        }
        self.decided
    }

    fn released<'a>(&'a self, text: Text<'a>, from: u64) -> Released<'a> {
        Released { text, from, account: self }
    }

    /// Walks the last `fresh` bytes of `text` and decides what can be decided.
    fn scan(&mut self, policy: &Policy, scope: &Scope, cursor: &mut Cursor, text: Text<'_>, fresh: usize, more: More) {
        let mut unread = &text.bytes[text.bytes.len() - fresh..];
        let is_quiet = self.segments.is_empty() && self.findings.is_empty() && self.holds.is_empty();
        if more == More::MayCome && is_quiet && self.gates.is_none() {
            let read = cursor.run(&scope.scanner, unread, &mut self.hits);
            if self.hits.is_empty() && !cursor.is_in_block() {
                self.decided = text.char_start(cursor.frontier()).max(self.decided);
                return;
            }
            unread = &unread[read..];
        }
        self.decide(policy, scope, cursor, text, unread, more);
    }

    /// Takes the last `fresh` bytes of a text that no rule watches.
    fn skip(&mut self, policy: &Policy, cursor: &mut Cursor, text: Text<'_>, fresh: usize, more: More) {
        cursor.skip(fresh);
        if self.gates.is_none() {
            let position = cursor.position();
            // A limit may be reached within a character.
            let may_stop = more == More::MayCome && self.limits.is_some();
            self.decided = if may_stop { text.char_start(position).max(self.decided) } else { position };
            return;
        }
        self.frontier = cursor.position();
        let over = (more == More::Never).then_some(cursor.position());
        self.settle(policy, text, cursor.position(), over, more);
    }

    /// The rest of [`scan`](Account::scan) once anything matched.
    #[cold]
    fn decide(
        &mut self,
        policy: &Policy,
        scope: &Scope,
        cursor: &mut Cursor,
        text: Text<'_>,
        mut unread: &[u8],
        more: More,
    ) {
        self.segments.rejoin(text);
        let mut stop = self.judge(policy, scope, text);
        while stop.is_none() {
            stop = self.close(policy, scope, cursor, text);
            if stop.is_some() || unread.is_empty() {
                break;
            }
            // In which order findings close must not depend on the cuts, so while there are any each byte is asked.
            let step = if self.findings.is_empty() && self.holds.is_empty() { unread.len() } else { 1 };
            let read = cursor.run(&scope.scanner, &unread[..step], &mut self.hits);
            unread = &unread[read..];
            stop = self.judge(policy, scope, text);
        }
        let read_until = cursor.position();
        if more == More::Never && stop.is_none() {
            cursor.finish(&scope.scanner, &mut self.hits);
            stop = self.judge(policy, scope, text);
        } else {
            cursor.open_blocks(&scope.scanner, &mut self.hits);
            let ends = self.judge(policy, scope, text);
            debug_assert!(ends.is_none(), "an open block ends nothing");
        }
        if more == More::Never && stop.is_none() {
            stop = self.close_all(policy, read_until);
        }
        let end = stop.as_ref().map_or(u64::MAX, |stop| stop.at);
        if more == More::Never || stop.is_some() {
            self.ask_about_held(policy, text, |held| held.span.start < end);
        }
        self.frontier = cursor.frontier();
        let over = match stop {
            Some(stop) => {
                // What was swallowed so far and what ends the stream are one and the same.
                self.findings.forget(stop.rank, &stop.verdict.span);
                let over = stop.at;
                self.intake = Intake::Closed;
                self.stop_at(stop);
                Some(over)
            }
            None => (more == More::Never).then_some(read_until),
        };
        self.settle(policy, text, read_until, over, more);
    }

    /// Hands out what the rules, who have read the text up to `read_until`, and the checks have decided. Nothing behind
    /// `over` is asked about.
    fn settle(&mut self, policy: &Policy, text: Text<'_>, read_until: u64, over: Option<u64>, more: More) {
        self.more = more;
        if let Some(gates) = &mut self.gates {
            gates.read(policy, text, read_until);
            if let Some(over) = over {
                gates.finish(policy, text, over);
            }
        }
        self.hand_out(policy, text);
    }

    /// Hands out what is decided by now.
    fn hand_out(&mut self, policy: &Policy, text: Text<'_>) {
        let mut frontier = self.frontier;
        if let Some(stop) = &self.stop {
            frontier = frontier.min(stop.at);
        }
        let cleared = self.cleared();
        // A cut in the middle of a character would leave broken text on both sides.
        let is_whole = self.more == More::Never && self.stop.is_none() && cleared >= frontier;
        frontier = frontier.min(cleared);
        let uncovered_until = if is_whole { frontier } else { text.char_start(frontier) };
        let horizon = Horizon { decided: self.decided, frontier, uncovered_until, more: self.more };
        self.decided = self.segments.release(horizon, text, policy, &mut self.out);
        if self.more == More::Never || self.stop.is_some() {
            self.findings.close(policy, |_| true, &mut self.verdicts);
        }
        if let Some(stop) = self.stop.take_if(|stop| cleared >= stop.at) {
            self.verdicts.push(stop.verdict.clone());
            self.terminated = Some(stop.verdict);
        }
    }

    /// The text from this offset on is not cleared by the checks, or held for them.
    fn cleared(&self) -> u64 {
        let gates = self.gates.as_ref().map_or(u64::MAX, |gates| gates.held_from());
        gates.min(self.holds.start().unwrap_or(u64::MAX))
    }

    /// As much of a delta as may be said, and the limit that is reached behind it.
    fn admit<'a>(&mut self, policy: &Policy, delta: &'a [u8], position: u64) -> (&'a [u8], Option<usize>) {
        let Some(limits) = &mut self.limits else { return (delta, None) };
        let admitted = limits.admit(policy, delta, position, &mut self.verdicts);
        (&delta[..admitted.len], admitted.reached)
    }

    /// A limit is reached: nothing behind `at` is taken.
    fn end_at_limit(&mut self, policy: &Policy, text: Text<'_>, limit: usize, at: u64) {
        if self.terminated.is_some() || self.intake == Intake::Closed {
            return;
        }
        self.intake = Intake::Closed;
        self.stop_at(Stop::by_limit(policy, limit, at));
        self.ask_about_held(policy, text, |held| held.span.start < at);
        self.settle(policy, text, at, Some(at), self.more);
    }

    /// Of two that end the stream the first one does.
    fn stop_at(&mut self, stop: Stop) {
        if self.stop.as_ref().is_none_or(|first| stop.order() < first.order()) {
            self.stop = Some(stop);
        }
    }

    /// Reports the findings that can no longer grow: they end before the oldest live thread of their rule begins.
    /// Gives back the limit that is reached with them, if one is.
    fn close(&mut self, policy: &Policy, scope: &Scope, cursor: &Cursor, text: Text<'_>) -> Option<Stop> {
        if self.findings.is_empty() && self.holds.is_empty() {
            return None;
        }
        let is_closed = |finding: &Finding| {
            let in_scope = scope.rules.binary_search(&finding.rule).expect("only rules of the scope are found");
            cursor.oldest(&scope.scanner, in_scope as u32).is_none_or(|start| start >= finding.span.end)
        };
        let closed = self.findings.close(policy, is_closed, &mut self.verdicts);
        self.ask_about_held(policy, text, is_closed);
        self.count(policy, closed, cursor.position())
    }

    /// Reports all findings, at the end of the text.
    fn close_all(&mut self, policy: &Policy, end: u64) -> Option<Stop> {
        let closed = self.findings.close(policy, |_| true, &mut self.verdicts);
        self.count(policy, closed, end)
    }

    /// Has checks judge what rules hold for them that can no longer grow.
    fn ask_about_held(&mut self, policy: &Policy, text: Text<'_>, is_closed: impl Fn(&Finding) -> bool) {
        for finding in self.holds.take(is_closed) {
            let Effect::Hold(check) = policy.rule(finding.rule).effect else { continue };
            match &mut self.gates {
                Some(gates) => gates.hold(policy, text, finding.rule, check, finding.span),
                None => self.go_unjudged(policy, text, check, finding),
            }
        }
    }

    /// Takes what the cursor found; gives back what ends the stream, if anything does.
    fn judge(&mut self, policy: &Policy, scope: &Scope, text: Text<'_>) -> Option<Stop> {
        if self.hits.is_empty() {
            return None;
        }
        let mut stop: Option<Stop> = None;
        let mut hits = std::mem::take(&mut self.hits);
        for hit in hits.drain(..) {
            let index = scope.rules[hit.rule as usize];
            let rule = policy.rule(index);
            let candidate = text.between(hit.start, hit.end);
            let is_asked = hit.kind == HitKind::Match && hit.end - hit.start <= u64::from(rule.limit);
            if is_asked && candidate.is_some_and(|text| !rule.validators.iter().all(|check| check.accepts(text))) {
                continue;
            }
            let reason = match hit.kind {
                HitKind::Match | HitKind::Swallow => Reason::Match,
                HitKind::Overflow | HitKind::Merged => Reason::Overflow,
                HitKind::Unclosed => Reason::Unclosed,
            };
            let ends = rule.effect == Effect::Terminate || (reason == Reason::Unclosed && rule.ends_unclosed);
            if ends {
                let is_first = stop.as_ref().is_none_or(|first| (hit.start, index) < first.order());
                if is_first {
                    stop = Some(Stop::by_rule(policy, index, hit.start..hit.end, reason));
                }
                if reason == Reason::Unclosed {
                    // If another rule ends the stream at this very byte, what was swallowed so far is all there is.
                    self.findings.add(index, hit.start..hit.end, Reason::Match);
                }
                continue;
            }
            let mut covers = rule.effect == Effect::Cover;
            if let Effect::Hold(check) = rule.effect {
                if reason != Reason::Overflow {
                    self.holds.add(index, hit.start..hit.end, reason);
                    continue;
                }
                // It has outgrown its rule, and waits for no judgement any more.
                drop(self.holds.take(|held| held.rule == index && held.span.end > hit.start));
                let check = policy.check(check);
                covers = check.is_enforced && check.on_failure == OnFailure::Withhold;
                if check.is_enforced && check.on_failure == OnFailure::Terminate {
                    if stop.as_ref().is_none_or(|first| (hit.start, index) < first.order()) {
                        stop = Some(Stop::by_rule(policy, index, hit.start..hit.end, reason));
                    }
                    continue;
                }
            }
            self.findings.add(index, hit.start..hit.end, reason);
            if covers {
                self.segments.cover(index, text.whole_chars(hit.start..hit.end, self.decided));
            }
        }
        self.hits = hits;
        stop
    }

    /// The text from this offset on may still be asked for.
    fn needed_from(&self, policy: &Policy, scope: Option<&Scope>, cursor: &Cursor) -> u64 {
        let held = self.decided.min(cursor.needed_from());
        let replaces_by_text = scope.is_some_and(|scope| scope.replaces_by_text);
        let replaced = if replaces_by_text { self.segments.start() } else { None }.unwrap_or(u64::MAX);
        // What is older is covered, and too long for its replacement to depend on it: see `Segment::replace`.
        let oldest = cursor.position().saturating_sub(2 * u64::from(policy.max_hold()) + LONGEST_CHAR);
        let needed = held.min(replaced).max(oldest);
        match &self.gates {
            Some(gates) => {
                // What is to be judged may be covered by others, and cut out already.
                let earliest = self.decided.min(self.frontier).min(self.holds.start().unwrap_or(u64::MAX));
                needed.min(earliest).min(gates.needed_from(policy, earliest))
            }
            None => needed,
        }
    }
}

impl Stop {
    fn by_rule(policy: &Policy, rank: u32, span: Range<u64>, reason: Reason) -> Stop {
        let rule = policy.rule(rank).id.clone();
        let action = Action::Terminate.name();
        let at = span.start;
        Stop { rank, at, verdict: Verdict { rule, span, action, enforced: true, reason, category: None, score: None } }
    }

    /// Of two the lesser one ends the stream.
    fn order(&self) -> (u64, u32) {
        (self.at, self.rank)
    }
}
