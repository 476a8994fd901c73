//! Checks in the layer: requests wait for their judgements before the service within hears of them, responses before they
//! leave.
#![cfg(feature = "sidecar")]

use bytes::Bytes;
use holdback::check::Checks;
use holdback::hold::{Judgement, Passage, Unjudged};
use holdback::rule::{Check, Direction, OnFailure};
use holdback::sidecar::TokioTimer;
use holdback::tower::{HoldbackLayer, RequestBody};
use holdback::wire::Refused;
use holdback::{Policy, Rule};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};

/// After 40 ms: `rude` is replaced, `evil` ends it, `slow` takes for ever, and `odd` is nothing that can be judged.
fn checks() -> Checks {
    Checks::new().bind(
        "tone",
        service_fn(|passage: Passage| async move {
            sleep(Duration::from_millis(40)).await;
            let text = passage.text();
            match text.find("rude") {
                Some(at) => Ok(Judgement::redact_span(at..at + 4)),
                None if text.contains("evil") => Ok(Judgement::terminate()),
                None if text.contains("slow") => std::future::pending().await,
                None if text.contains("odd") => Err(Unjudged::Unreadable),
                None => Ok(Judgement::clear()),
            }
        }),
    )
}

/// Asks a service that says again what it was asked; gives back what came and how often the service was asked.
async fn ask(check: Check, body: &str) -> (StatusCode, String, usize) {
    let rule = Rule::literal("name", "Nightjar").redact("[name]").direction(Direction::Both);
    let policy = Policy::builder().rule(rule).check(check).build().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let echo = service_fn(move |request: Request<RequestBody<Full<Bytes>>>| {
        count.fetch_add(1, Ordering::SeqCst);
        async {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let response = Response::builder().header("content-type", "text/plain");
            Ok::<_, Infallible>(response.body(Full::new(body)).unwrap())
        }
    });
    let layer = HoldbackLayer::new(policy).checks(TokioTimer, checks());
    let request = Request::post("/v1/chat/completions").header("content-type", "application/json");
    let request = request.body(Full::from(body.to_owned())).unwrap();
    let response = layer.layer(echo).oneshot(request).await.unwrap();
    let status = response.status();
    assert_eq!(response.extensions().get::<Refused>().is_some(), status == StatusCode::BAD_REQUEST);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap(), asked.load(Ordering::SeqCst))
}

fn prompt(text: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"Hello."}},{{"role":"user","content":"{text}"}}]}}"#)
}

fn requests() -> Check {
    Check::gate("tone").direction(Direction::Request).deadline(Duration::from_millis(500))
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_on_when_it_is_judged() {
    for (text, expected) in [
        ("How are you?", "How are you?"),
        ("Be rude, Nightjar. Now.", "Be [tone], [name]. Now."),
        ("This is slow. And this is not.", "[tone]And this is not."),
        ("How odd.", "[tone]"),
    ] {
        let (status, body, asked) = ask(requests(), &prompt(text)).await;
        assert_eq!((status, body, asked), (StatusCode::OK, prompt(expected), 1), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_goes_nowhere() {
    let began = Instant::now();
    for (check, text) in [(requests(), "Be evil."), (requests().on_failure(OnFailure::Terminate), "How odd.")] {
        let (status, body, asked) = ask(check, &prompt(text)).await;
        assert_eq!((status, asked), (StatusCode::BAD_REQUEST, 0), "{text}");
        assert!(body.contains("\"error\"") && !body.contains("evil"), "{body}");
    }
    // Both messages of a request are judged at once.
    assert_eq!(began.elapsed(), Duration::from_millis(80));
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_requests_is_judged() {
    let mut judged = 0;
    for _ in 0..400 {
        let (_, body, _) = ask(requests().sample(0.25), &prompt("Be rude.")).await;
        judged += usize::from(body == prompt("Be [tone]."));
    }
    // Farther off than this it is less than once in a billion runs.
    assert!((48..=158).contains(&judged), "{judged}");
}

#[tokio::test(start_paused = true)]
async fn a_response_leaves_when_it_is_judged() {
    let (status, body, _) = ask(Check::gate("tone"), "How rude! Goodbye, Nightjar.").await;
    // Not JSON, so the request is refused: a rule watches requests.
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    let (status, body, _) = ask(Check::gate("tone"), r#""How rude! Goodbye, Nightjar.""#).await;
    assert_eq!((status, &*body), (StatusCode::OK, r#""How [tone]! Goodbye, [name].""#));
}
