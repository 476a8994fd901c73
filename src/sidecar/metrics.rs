//! Counters for Prometheus.

use super::account::Account;
use crate::hold::{Judgement, Unjudged};
use crate::tower::{RequestTreatment, Treatment};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::time::Duration;

/// The sidecar's counters. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    streams: Family<StreamLabels, Counter>,
    open: Gauge,
    verdicts: Family<VerdictLabels, Counter>,
    judgements: Family<JudgementLabels, Counter>,
    judgement_seconds: Histogram,
    releases: Counter,
    bytes: Counter,
    held_seconds: Histogram,
    held_bytes: Histogram,
    overhead_seconds: Histogram,
    head_seconds: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    status: u16,
    request: &'static str,
    treatment: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    ending: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    rule: String,
    action: &'static str,
    /// `false` where the rule is only on trial.
    enforced: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JudgementLabels {
    check: String,
    /// What was ruled, or why nothing was.
    outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("holdback");
        // From 10 µs, below which a stream's overhead is noise, to 40 s.
        let durations = || Histogram::new(exponential_buckets(1e-5, 4.0, 12));

        let requests = Family::default();
        registry.register("requests", "Responses by status, treatment and that of their requests", requests.clone());
        let streams = Family::default();
        registry.register("streams", "Moderated responses by their ending", streams.clone());
        let open = Gauge::default();
        registry.register("responses_open", "Responses under way", open.clone());
        let verdicts = Family::default();
        registry.register("verdicts", "Verdicts by rule and action, and whether that was taken", verdicts.clone());
        let judgements = Family::default();
        registry.register("judgements", "Passages judged, by check and outcome", judgements.clone());
        let judgement_seconds = durations();
        registry.register_with_unit(
            "judgement",
            "From a passage's completion to its judgement",
            Unit::Seconds,
            judgement_seconds.clone(),
        );
        let releases = Counter::default();
        registry.register("releases", "Events and pieces of text released", releases.clone());
        let bytes = Counter::default();
        registry.register_with_unit("downstream", "Bytes handed to clients", Unit::Bytes, bytes.clone());
        let held_seconds = durations();
        registry.register_with_unit("held", "How long released bytes had waited", Unit::Seconds, held_seconds.clone());
        let held_bytes = Histogram::new(exponential_buckets(16.0, 4.0, 8));
        registry.register_with_unit("held", "Bytes of a release that had waited", Unit::Bytes, held_bytes.clone());
        let overhead_seconds = durations();
        registry.register_with_unit(
            "overhead",
            "Time a response spent in moderation",
            Unit::Seconds,
            overhead_seconds.clone(),
        );
        let head_seconds = durations();
        registry.register_with_unit(
            "response_head",
            "From a request to its response's head",
            Unit::Seconds,
            head_seconds.clone(),
        );

        Metrics {
            registry: Arc::new(registry),
            requests,
            streams,
            open,
            verdicts,
            judgements,
            judgement_seconds,
            releases,
            bytes,
            held_seconds,
            held_bytes,
            overhead_seconds,
            head_seconds,
        }
    }
}

impl Metrics {
    /// All counters in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    pub(super) fn began(&self) {
        self.open.inc();
    }

    pub(super) fn released(&self, bytes: usize, held: Duration) {
        self.releases.inc();
        self.held_seconds.observe(held.as_secs_f64());
        if !held.is_zero() {
            self.held_bytes.observe(bytes as f64);
        }
    }

    pub(super) fn judged(&self, check: &str, judged: &Result<Judgement, Unjudged>, took: Duration) {
        let outcome = match judged {
            Ok(judgement) => judgement.ruling.name(),
            Err(unjudged) => unjudged.name(),
        };
        self.judgements.get_or_create(&JudgementLabels { check: check.to_owned(), outcome }).inc();
        self.judgement_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn ended(&self, account: &Account) {
        self.open.dec();
        self.bytes.inc_by(account.downstream_bytes);
        self.requests
            .get_or_create(&RequestLabels {
                status: account.status.map_or(0, |status| status.as_u16()),
                request: account.request.map_or("none", RequestTreatment::name),
                treatment: account.treatment.map_or("none", Treatment::name),
            })
            .inc();
        if account.treatment == Some(Treatment::Moderated) {
            self.streams.get_or_create(&StreamLabels { ending: account.ending_name() }).inc();
            self.overhead_seconds.observe(account.overhead.as_secs_f64());
        }
        for ((rule, action, enforced), count) in &account.verdicts {
            let enforced = if *enforced { "true" } else { "false" };
            self.verdicts.get_or_create(&VerdictLabels { rule: rule.to_string(), action, enforced }).inc_by(*count);
        }
        if let Some(to_head) = account.to_head {
            self.head_seconds.observe(to_head.as_secs_f64());
        }
    }
}
