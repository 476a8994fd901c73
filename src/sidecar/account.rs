//! What happened to one response, in numbers: never a byte of its text.

use super::metrics::Metrics;
use crate::policy::{ChannelKind, Verdict};
use crate::tower::Treatment;
use crate::wire::{Ending, Observer};
use http::{HeaderValue, Method, StatusCode};
use std::collections::BTreeMap;
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
    /// The response's status.
    pub status: Option<StatusCode>,
    /// What was done with the response.
    pub treatment: Option<Treatment>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// Verdicts by rule and action.
    pub verdicts: BTreeMap<(Arc<str>, &'static str), u64>,
    /// What was released, and what it waited for.
    pub held: Held,
    /// Bytes handed to the client's connection.
    pub bytes: u64,
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
            treatment: None,
            ending: None,
            verdicts: BTreeMap::new(),
            held: Held::default(),
            bytes: 0,
            to_head: None,
            total: Duration::ZERO,
            overhead: Duration::ZERO,
        }
    }

    /// The ending's word in logs and metrics.
    pub fn ending_name(&self) -> &'static str {
        match &self.ending {
            Some(Ending::Complete) => "complete",
            Some(Ending::Terminated(_)) => "terminated",
            Some(Ending::UpstreamFailed(_)) => "upstream_failed",
            Some(Ending::ClientGone) => "client_gone",
            Some(Ending::TimedOut) => "timed_out",
            Some(Ending::ShutDown) => "shut_down",
            None => "none",
        }
    }

    fn log(&self) {
        let verdicts: Vec<String> =
            self.verdicts.iter().map(|((rule, action), count)| format!("{rule}:{action}={count}")).collect();
        tracing::info!(
            request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok()),
            method = %self.method,
            path = self.path,
            status = self.status.map(|status| status.as_u16()),
            treatment = self.treatment.map(Treatment::name),
            ending = self.ending_name(),
            verdicts = verdicts.join(" "),
            releases = self.held.releases,
            delayed = self.held.delayed,
            longest_hold_ms = millis(self.held.longest),
            bytes = self.bytes,
            head_ms = self.to_head.map(millis),
            total_ms = millis(self.total),
            overhead_ms = millis(self.overhead),
            "response"
        );
        if self.treatment == Some(Treatment::Passed) {
            tracing::warn!(path = self.path, "a response passed unmoderated: its content cannot be read");
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

    /// The response's head is there.
    pub(super) fn head(&self, status: StatusCode, treatment: Option<Treatment>) {
        let mut account = self.account();
        account.status = Some(status);
        account.treatment = treatment;
        account.to_head = Some(self.0.began.elapsed());
    }

    /// Bytes go to the client, after `overhead` in moderation.
    pub(super) fn wrote(&self, bytes: usize, overhead: Duration) {
        let mut account = self.account();
        account.bytes += bytes as u64;
        account.overhead += overhead;
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
        self.metrics.ended(&account);
        (self.accountant.0)(&account);
    }
}

impl Observer for Book {
    fn verdict(&mut self, _: ChannelKind, verdict: &Verdict) {
        *self.account().verdicts.entry((verdict.rule.clone(), verdict.action)).or_default() += 1;
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

    fn ending(&mut self, ending: &Ending) {
        self.ended(ending.clone());
    }
}
