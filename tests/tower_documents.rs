//! JSON documents through the layer: their head waits for their end, and tells what became of them.
#![cfg(feature = "sidecar")]

use bytes::Bytes;
use holdback::sidecar::TokioTimer;
use holdback::tower::{HoldbackLayer, RequestBody, Watch};
use holdback::{Ending, Observer, Policy, Rule};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, WARNING};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tower::{Layer, ServiceExt, service_fn};

const LIMIT: Duration = Duration::from_secs(60);

/// The endings of every stream that was watched.
#[derive(Clone, Default)]
struct Endings(Arc<Mutex<Vec<Ending>>>);

impl Observer for Endings {
    fn ending(&mut self, ending: &Ending) {
        self.0.lock().unwrap().push(ending.clone());
    }
}

impl Watch for Endings {
    type Observer = Endings;

    fn watch(&self, _: &http::request::Parts) -> Endings {
        self.clone()
    }
}

impl Endings {
    fn all(&self) -> Vec<Ending> {
        self.0.lock().unwrap().clone()
    }
}

/// An upstream's body, said frame by frame.
struct Upstream(UnboundedSender<io::Result<Frame<Bytes>>>);

impl Upstream {
    fn say(&self, text: &str) {
        self.0.send(Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes())))).expect("somebody listens");
    }

    fn trail(&self) {
        let trailers =
            HeaderMap::from_iter([(WARNING, "199".parse().unwrap()), (CONTENT_LENGTH, "9".parse().unwrap())]);
        self.0.send(Ok(Frame::trailers(trailers))).expect("somebody listens");
    }

    fn fail(self) {
        self.0.send(Err(io::ErrorKind::ConnectionReset.into())).expect("somebody listens");
    }
}

type Answer = Response<Box<dyn Body<Data = Bytes, Error = io::Error> + Send + Unpin>>;

/// Asks through the layer for a document of this status, which the upstream says as it likes.
fn ask(method: Method, status: u16) -> (Upstream, Endings, impl Future<Output = Answer> + Send + 'static) {
    let redact = Rule::literal("codename", "Nightjar").redact("[codename]");
    let policy = Policy::builder().rule(redact).rule(Rule::literal("stop", "Basilisk").terminate()).build().unwrap();
    let endings = Endings::default();
    let layer = HoldbackLayer::new(policy).observe(endings.clone()).idle_timeout(TokioTimer, LIMIT);

    let (say, hear) = unbounded_channel();
    let response = Response::builder().status(status).header(CONTENT_TYPE, "application/json; charset=utf-8");
    let response = response.header("retry-after", "7").body(StreamBody::new(UnboundedReceiverStream::new(hear)));
    // A service can be cloned, and a body cannot.
    let response = Arc::new(Mutex::new(Some(response.unwrap())));
    let upstream = service_fn(move |_: Request<RequestBody<String>>| {
        std::future::ready(Ok::<_, Infallible>(response.lock().unwrap().take().expect("asked once")))
    });
    let request = Request::builder().method(method).body(String::new()).unwrap();
    let asking = layer.layer(upstream).oneshot(request);
    let answer = async {
        let response = asking.await.unwrap_or_else(|never| match never {});
        response.map(|body| Box::new(Box::pin(body.map_err(|error| error.into_upstream().unwrap()))) as Box<_>)
    };
    (Upstream(say), endings, answer)
}

fn get(status: u16) -> (Upstream, Endings, impl Future<Output = Answer> + Send + 'static) {
    ask(Method::GET, status)
}

/// Status, `error.code` and the whole text.
async fn read(answer: Answer) -> (u16, Option<String>, String) {
    assert!(answer.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("application/json"));
    let status = answer.status().as_u16();
    let length = answer.body().size_hint().exact();
    let text = String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    assert_eq!(length, Some(text.len() as u64), "the length is known with the head");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    (status, json["error"]["code"].as_str().map(str::to_owned), text)
}

#[tokio::test]
async fn the_head_waits_for_the_end() {
    let (upstream, endings, answer) = get(201);
    let answer = tokio::spawn(answer);
    upstream.say(r#"{"text":"Night"#);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!answer.is_finished(), "whether it is a success is not known yet");
    upstream.say(r#"jar"}"#);
    drop(upstream);
    let (status, code, text) = read(answer.await.unwrap()).await;
    assert_eq!((status, code, &*text), (201, None, r#"{"text":"[codename]"}"#));
    assert_eq!(endings.all(), [Ending::Complete]);
}

#[tokio::test]
async fn half_a_document_is_a_502() {
    let (upstream, endings, answer) = get(200);
    upstream.say(r#"{"text":"Night"#);
    upstream.fail();
    let (status, code, text) = read(answer.await).await;
    assert_eq!((status, code.as_deref()), (502, Some("upstream_cut")));
    assert!(!text.contains("Night"), "{text}");
    assert!(matches!(&endings.all()[..], [Ending::UpstreamFailed(_)]));
}

#[tokio::test]
async fn what_cannot_be_read_is_a_502() {
    let twice = r#"{"text":"Nightjar","text":1}"#;
    let vast = format!("\"{}\"", "a".repeat(16 << 20));
    for document in [r#"{"text":"#, "no JSON", twice, &vast] {
        let (upstream, _, answer) = get(200);
        upstream.say(document);
        drop(upstream);
        let (status, code, text) = read(answer.await).await;
        assert_eq!((status, code.as_deref()), (502, Some("upstream_malformed")), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_upstream_is_a_504() {
    let (upstream, endings, answer) = get(200);
    upstream.say(r#"{"text":"#);
    let began = tokio::time::Instant::now();
    let (status, code, _) = read(answer.await).await;
    assert_eq!((status, code.as_deref()), (504, Some("upstream_timeout")));
    assert_eq!(began.elapsed(), LIMIT);
    assert!(upstream.0.is_closed(), "it is cancelled");
    assert_eq!(endings.all(), [Ending::TimedOut]);
}

#[tokio::test]
async fn a_stopped_completion_says_so_itself_and_anything_else_is_a_400() {
    let completion = r#"{"choices":[{"index":0,"message":{"content":"a Basilisk"},"finish_reason":"stop"}]}"#;
    let (upstream, endings, answer) = get(200);
    upstream.say(completion);
    drop(upstream);
    let (status, code, text) = read(answer.await).await;
    assert_eq!((status, code), (200, None));
    assert!(text.contains("\"content_filter\"") && !text.contains("Basilisk"), "{text}");
    assert!(matches!(&endings.all()[..], [Ending::Terminated(_)]));

    let (upstream, _, answer) = get(200);
    upstream.say(r#"{"text":"a Basilisk"}"#);
    drop(upstream);
    let (status, code, _) = read(answer.await).await;
    assert_eq!((status, code.as_deref()), (400, Some("content_filter")), "SDKs raise it, and do not ask again");
}

#[tokio::test]
async fn an_upstreams_own_error_status_stays() {
    for status in [307, 404, 429, 500, 503] {
        let (upstream, _, answer) = get(status);
        upstream.say(r#"{"error":"#);
        drop(upstream);
        let answer = answer.await;
        assert_eq!(answer.headers()["retry-after"], "7");
        let (kept, code, _) = read(answer).await;
        assert_eq!((kept, code.as_deref()), (status, Some("upstream_malformed")));
    }
}

#[tokio::test]
async fn trailers_follow_the_document() {
    let (upstream, _, answer) = get(200);
    upstream.say("{}");
    upstream.trail();
    let answer = answer.await;
    assert_eq!(answer.body().size_hint().exact(), None, "a known length would leave no place for them");
    let body = answer.into_body().collect().await.unwrap();
    let trailers = body.trailers().expect("trailers");
    assert_eq!((trailers.get(WARNING).is_some(), trailers.get(CONTENT_LENGTH)), (true, None));
    assert_eq!(body.to_bytes(), "{}");

    let (upstream, _, answer) = get(200);
    upstream.say("{");
    upstream.trail();
    assert!(answer.await.into_body().collect().await.unwrap().trailers().is_none(), "they spoke of something else");
}

#[tokio::test]
async fn a_head_alone_does_not_wait() {
    let (upstream, _, answer) = ask(Method::HEAD, 200);
    assert_eq!(answer.await.status(), StatusCode::OK);
    drop(upstream);
}

#[tokio::test]
async fn a_client_that_goes_while_the_head_waits_cancels_the_upstream() {
    let (upstream, endings, answer) = get(200);
    let answer = tokio::spawn(answer);
    upstream.say(r#"{"text":"#);
    tokio::task::yield_now().await;
    answer.abort();
    upstream.0.closed().await;
    assert_eq!(endings.all(), [Ending::ClientGone]);
}
