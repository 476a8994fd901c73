//! What happened to one response, in numbers: never a byte of its text.

use super::metrics::Metrics;
use super::reply::{self, Unanswered};
use crate::hold::{Judgement, Unjudged};
use crate::policy::{ChannelKind, Reason, Verdict};
use crate::rule::OnFailure;
use crate::tower::{RequestTreatment, Treatment};
use crate::wire::{Ending, Observer, Refused};
use http::{Extensions, HeaderValue, Method, StatusCode};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The account of one response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// The request's id.
    pub request_id: Option<HeaderValue>,
    /// The request's method.
    pub method: Method,
    /// The beginning of the request's path, without its query, which may carry a key.
    pub path: String,
    /// The status that the client got.
    pub status: Option<StatusCode>,
    /// The status that the upstream answered.
    pub upstream_status: Option<StatusCode>,
    /// What was done with the request, if the policy has rules for requests.
    pub request: Option<RequestTreatment>,
    /// What was done with the response.
    pub treatment: Option<Treatment>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// Why the response is the sidecar's own, in a word, if it is: the `code` of its error.
    pub refusal: Option<&'static str>,
    /// What the connection to the upstream says of its failure.
    pub upstream_error: Option<String>,
    /// Verdicts by rule, action, and whether that was taken.
    pub verdicts: BTreeMap<(Arc<str>, &'static str, bool), u64>,
    /// Checks that failed and let text go unjudged; for what a rule holds, the rule.
    pub unjudged: BTreeSet<Arc<str>>,
    /// What was released, and what it waited for.
    pub held: Held,
    /// Bytes of content that the upstream sent, as it had them coded.
    pub upstream_bytes: u64,
    /// Bytes of content handed to the client's connection.
    pub downstream_bytes: u64,
    /// Messages that the upstream sent, on a WebSocket.
    pub upstream_messages: u64,
    /// Messages handed to the client's connection, on a WebSocket.
    pub downstream_messages: u64,
    /// From the request's arrival to the response's head.
    pub to_head: Option<Duration>,
    /// From the request's arrival to the last byte.
    pub total: Duration,
    /// Time spent in moderation.
    pub overhead: Duration,
}

/// What was released, and what it waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// Releases in all.
    pub releases: u64,
    /// Releases that had waited.
    pub delayed: u64,
    /// Bytes of those.
    pub delayed_bytes: u64,
    /// The longest wait.
    pub longest: Duration,
}

impl Account {
    pub(super) fn new(method: Method, path: String, request_id: Option<HeaderValue>) -> Account {
        Account {
            request_id,
            method,
            path,
            status: None,
            upstream_status: None,
            request: None,
            treatment: None,
            ending: None,
            refusal: None,
            upstream_error: None,
            verdicts: BTreeMap::new(),
            unjudged: BTreeSet::new(),
            held: Held::default(),
            upstream_bytes: 0,
            downstream_bytes: 0,
            upstream_messages: 0,
            downstream_messages: 0,
            to_head: None,
            total: Duration::ZERO,
            overhead: Duration::ZERO,
        }
    }

    /// The ending's word in logs and metrics.
    pub fn ending_name(&self) -> &'static str {
        self.ending.as_ref().map_or("none", Ending::name)
    }

    /// What brought the ending, in a word: the rule that stopped the stream, what failed, or why the sidecar answered
    /// itself.
    pub fn reason(&self) -> Option<&str> {
        self.refusal.or_else(|| self.ending.as_ref()?.reason())
    }

    /// A number of messages, where there are any: on a WebSocket.
    fn messages(&self, number: u64) -> Option<u64> {
        (self.status == Some(StatusCode::SWITCHING_PROTOCOLS)).then_some(number)
    }

    fn log(&self) {
        let verdict = |((rule, action, enforced), count): (&(Arc<str>, &str, bool), &u64)| {
            let on_trial = if *enforced { "" } else { " (monitor)" };
            format!("{rule}:{action}{on_trial}={count}")
        };
        let verdicts: Vec<String> = self.verdicts.iter().map(verdict).collect();
        tracing::info!(
            request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok()),
            method = %self.method,
            path = self.path,
            status = self.status.map(|status| status.as_u16()),
            upstream_status = self.upstream_status.map(|status| status.as_u16()),
            request = self.request.map(RequestTreatment::name),
            treatment = self.treatment.map(Treatment::name),
            ending = self.ending_name(),
            reason = self.reason(),
            upstream_error = self.upstream_error,
            verdicts = verdicts.join(" "),
            upstream_bytes = self.upstream_bytes,
            downstream_bytes = self.downstream_bytes,
            upstream_messages = self.messages(self.upstream_messages),
            downstream_messages = self.messages(self.downstream_messages),
            releases = self.held.releases,
            delayed = self.held.delayed,
            delayed_bytes = self.held.delayed_bytes,
            longest_hold_ms = millis(self.held.longest),
            head_ms = self.to_head.map(millis),
            total_ms = millis(self.total),
            overhead_ms = millis(self.overhead),
            "response"
        );
        if !self.unjudged.is_empty() {
            let checks: Vec<&str> = self.unjudged.iter().map(|check| &**check).collect();
            tracing::warn!(
                request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok()),
                path = self.path,
                checks = checks.join(" "),
                "text left unjudged: a check failed, and releases what it fails on"
            );
        }
        if self.treatment == Some(Treatment::Passed) {
            tracing::warn!(path = self.path, "a response passed unmoderated: its content cannot be read");
        }
        if self.request == Some(RequestTreatment::Passed) {
            tracing::warn!(path = self.path, "a request passed unmoderated: its content cannot be read");
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Who gets the account of every response.
#[derive(Clone)]
pub struct Accountant(Arc<dyn Fn(&Account) + Send + Sync>);

impl Accountant {
    /// Gives every account to `take`, which must not block.
    pub fn new(take: impl Fn(&Account) + Send + Sync + 'static) -> Accountant {
        Accountant(Arc::new(take))
    }

    /// Logs one line for every account.
    pub fn logging() -> Accountant {
        Accountant::new(Account::log)
    }
}

/// An account while its response is under way, shared by those who see parts of it. It closes when the last of them
/// is gone.
#[derive(Clone)]
pub(super) struct Book(Arc<Open>);

struct Open {
    account: Mutex<Account>,
    began: Instant,
    metrics: Metrics,
    accountant: Accountant,
}

impl Book {
    pub(super) fn open(account: Account, metrics: Metrics, accountant: Accountant) -> Book {
        metrics.began();
        Book(Arc::new(Open { account: Mutex::new(account), began: Instant::now(), metrics, accountant }))
    }

    /// The upstream has begun to answer.
    pub(super) fn answered(&self, status: StatusCode) {
        self.account().upstream_status = Some(status);
    }

    /// The connection to the upstream failed.
    pub(super) fn upstream_failed(&self, error: String) {
        self.account().upstream_error = Some(error);
    }

    /// The sidecar answers itself.
    pub(super) fn unanswered(&self, why: Unanswered) {
        let mut account = self.account();
        account.refusal = Some(why.code());
        account.ending = Some(why.ending());
    }

    /// The response's head is there, with what the layer has noted.
    pub(super) fn head(&self, status: StatusCode, notes: &Extensions) {
        let mut account = self.account();
        account.status = Some(status);
        account.request = notes.get().copied();
        account.treatment = notes.get().copied();
        account.to_head = Some(self.0.began.elapsed());
        if account.treatment == Some(Treatment::Refused) {
            account.refusal = Some("content_not_moderated");
        }
        match notes.get::<Refused>() {
            // The ending names the rule.
            None | Some(Refused::Terminated(_)) => {}
            Some(refused) => account.refusal = Some(refused.name()),
        }
    }

    /// Bytes came from the upstream.
    pub(super) fn read(&self, bytes: usize) {
        self.account().upstream_bytes += bytes as u64;
    }

    /// Bytes go to the client, after `overhead` in moderation.
    pub(super) fn wrote(&self, bytes: usize, overhead: Duration) {
        let mut account = self.account();
        account.downstream_bytes += bytes as u64;
        account.overhead += overhead;
    }

    /// A message of so many bytes came from the upstream.
    pub(super) fn read_message(&self, bytes: usize) {
        self.read(bytes);
        self.account().upstream_messages += 1;
    }

    /// A message of so many bytes goes to the client.
    pub(super) fn wrote_message(&self, bytes: usize, overhead: Duration) {
        self.wrote(bytes, overhead);
        self.account().downstream_messages += 1;
    }

    /// The body is over; says how, unless the filter has said it.
    pub(super) fn ended(&self, ending: Ending) {
        self.account().ending.get_or_insert(ending);
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.0.account()
    }
}

impl Open {
    fn account(&self) -> MutexGuard<'_, Account> {
        // Counters are right at every moment, so a panic elsewhere spoils nothing.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut account = self.account();
        account.total = self.began.elapsed();
        if account.status.is_none() {
            // There was nobody left to answer, or it is a bug of ours; see `reply::panicked`.
            match std::thread::panicking() {
                true => account.refusal = Some(reply::PANICKED),
                false => drop(account.ending.get_or_insert(Ending::ClientGone)),
            }
        }
        self.metrics.ended(&account);
        (self.accountant.0)(&account);
    }
}

impl Observer for Book {
    fn verdict(&mut self, _: ChannelKind, verdict: &Verdict) {
        let mut account = self.account();
        *account.verdicts.entry((verdict.rule.clone(), verdict.action, verdict.enforced)).or_default() += 1;
        // On a check that is on trial nothing depends.
        let is_unjudged = verdict.reason == Reason::Unjudged && verdict.action == OnFailure::Release.name();
        if is_unjudged && verdict.enforced {
            account.unjudged.insert(verdict.rule.clone());
        }
    }

    fn release(&mut self, bytes: usize, held: Duration) {
        self.0.metrics.released(bytes, held);
        let mut account = self.account();
        account.held.releases += 1;
        if !held.is_zero() {
            account.held.delayed += 1;
            account.held.delayed_bytes += bytes as u64;
            account.held.longest = account.held.longest.max(held);
        }
    }

    fn judged(&mut self, check: &str, judged: &Result<Judgement, Unjudged>, took: Duration) {
        self.0.metrics.judged(check, judged, took);
    }

    fn ending(&mut self, ending: &Ending) {
        self.ended(ending.clone());
    }
}
