//! What callers may have, counted across streams.
#![cfg(feature = "tower")]

use bytes::Bytes;
use holdback::policy::Severity;
use holdback::quota::Quotas;
use holdback::rule::{Direction, Quota};
use holdback::tower::{HoldbackLayer, RequestBody};
use holdback::wire::Refused;
use holdback::{Observer, Policy, PolicyBuilder, Rule, Verdict};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};

const HOUR: Duration = Duration::from_secs(3_600);

fn policy(quota: Quota) -> PolicyBuilder {
    Policy::builder()
        .rule(Rule::literal("own.codename", "Nightjar").severity(Severity::High).direction(Direction::Both))
        .quota(quota)
}

/// An upstream behind a policy, and how often it was asked.
struct Server {
    policy: Policy,
    quotas: Quotas,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn new(policy: PolicyBuilder) -> Server {
        let (quotas, asked) = (Quotas::in_memory("EXAMPLE"), Arc::default());
        Server { policy: policy.build().expect("a valid policy"), quotas, asked }
    }

    /// What `user` gets who says this; the upstream says it, too.
    async fn ask(&self, user: &str, path: &str, said: &'static str) -> Response<String> {
        let asked = self.asked.clone();
        let answer = service_fn(move |request: Request<RequestBody<Full<Bytes>>>| {
            asked.fetch_add(1, Ordering::Relaxed);
            async {
                let said = request.into_body().collect().await.unwrap().to_bytes();
                let response = Response::builder().header("content-type", "text/plain");
                Ok::<_, Infallible>(response.body(Full::<Bytes>::from(said)).unwrap())
            }
        });
        let layer = HoldbackLayer::new(self.policy.clone()).quotas(self.quotas.clone());
        let request = Request::post(path).header("x-user", user).body(Full::from(said)).unwrap();
        let response = layer.layer(answer).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, String::from_utf8(text.to_vec()).unwrap())
    }

    async fn status(&self, user: &str, said: &'static str) -> StatusCode {
        self.ask(user, "/v1/chat/completions", said).await.status()
    }
}

#[tokio::test]
async fn strikes_are_of_one_caller() {
    let strikes = Quota::findings("strikes", "own.*", Severity::High, 3, HOUR).per_header("X-User");
    let server = Server::new(policy(strikes));
    // One finding in the request, which is redacted, so that the upstream has none to repeat.
    for _ in 0..3 {
        assert_eq!(server.status("zoe", r#"{"text":"Nightjar"}"#).await, StatusCode::OK);
    }
    let refused = server.ask("zoe", "/v1/messages", r#"{"text":"Hello"}"#).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3_590..=3_600).contains(&wait), "{wait}");
    assert_eq!(refused.headers()["x-should-retry"], "false");
    assert_eq!(refused.headers()["x-holdback-request"], "refused");
    let error = r#"{"type":"error","error":{"type":"rate_limit_error","message":"#;
    assert!(refused.body().starts_with(error), "{}", refused.body());
    assert!(matches!(refused.extensions().get(), Some(Refused::OverQuota { quota, .. }) if &**quota == "strikes"));
    assert_eq!(server.asked.load(Ordering::Relaxed), 3, "the upstream hears nothing of it");
    assert_eq!(server.status("adam", r#"{"text":"Hello"}"#).await, StatusCode::OK);
    // Those who do not say who they are are one caller.
    for status in [StatusCode::OK, StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(server.status("", r#"{"text":"Nightjar"}"#).await, status);
    }
}

#[tokio::test]
async fn requests_and_bytes_are_budgets() {
    let server = Server::new(policy(Quota::requests("hourly", 2, HOUR)));
    for (user, status) in [("a", StatusCode::OK), ("b", StatusCode::OK), ("c", StatusCode::TOO_MANY_REQUESTS)] {
        assert_eq!(server.status(user, r#"{"a":"b"}"#).await, status, "without a header all are one");
    }
    let server = Server::new(policy(Quota::bytes("long", 20, HOUR).per_header("x-user")));
    for status in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(server.status("a", r#"{"text":"Hello"}"#).await, status);
    }
}

#[tokio::test]
async fn a_quota_on_trial_only_reports() {
    #[derive(Clone, Default)]
    struct Verdicts(Arc<Mutex<Vec<String>>>);
    impl Observer for Verdicts {
        fn verdict(&mut self, _: holdback::ChannelKind, verdict: &Verdict) {
            let Verdict { rule, action, enforced, .. } = verdict;
            self.0.lock().unwrap().push(format!("{rule} {action} {enforced}"));
        }
    }
    let policy = policy(Quota::requests("hourly", 1, HOUR).monitor()).build().unwrap();
    let verdicts = Verdicts::default();
    let watched = verdicts.clone();
    let answer = service_fn(|_: Request<RequestBody<String>>| async {
        let response = Response::builder().header("content-type", "text/plain");
        Ok::<_, Infallible>(response.body(Full::<Bytes>::from("Hello")).unwrap())
    });
    let layer = HoldbackLayer::new(policy).observe(move |_: &http::request::Parts| watched.clone());
    let service = layer.layer(answer);
    for _ in 0..2 {
        let response = service.clone().oneshot(Request::new(String::new())).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(*verdicts.0.lock().unwrap(), ["hourly refuse false"]);
}

#[test]
fn quotas_that_mean_nothing_are_faults() {
    let reason = |quota| policy(quota).build().unwrap_err().faults()[0].reason.clone();
    assert_eq!(reason(Quota::requests("q", 0, HOUR)), "nothing at all may be asked for");
    assert_eq!(reason(Quota::requests("q", 1, Duration::ZERO)), "it counts for no time at all");
    assert_eq!(reason(Quota::requests("q", 1, HOUR).per_header("x y")), "`per` cannot be the name of a header");
    assert_eq!(
        reason(Quota::findings("q", "pii.*", Severity::Low, 1, HOUR)),
        "no rule or check that fits `pii.*` is so severe"
    );
    assert_eq!(
        reason(Quota::requests("own.codename", 1, HOUR)),
        "the id is taken by a rule, a check, a limit or an earlier quota"
    );
}
