//! Requests through the layer, poll by poll: what goes on, what does not, and when.
#![cfg(feature = "tower")]

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use holdback::body::Shutdown;
use holdback::policy::ChannelKind;
use holdback::rule::Direction;
use holdback::tower::{HoldbackLayer, OtherContent, RequestBody, RequestTreatment, Treatment, Watch};
use holdback::wire::Refused;
use holdback::{Ending, Observer, Policy, Rule, Verdict};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request, response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use tower::{Layer, Service, ServiceExt};

const CHAT: &str = "/v1/chat/completions";

/// Redacts one word of requests and refuses another; a third is for responses only.
fn policy() -> Policy {
    let rules =
        [Rule::literal("codename", "Nightjar").redact("[codename]"), Rule::literal("stop", "Basilisk").terminate()];
    let rules = rules.map(|rule| rule.direction(Direction::Request));
    Policy::builder()
        .name("strict")
        .rules(rules)
        .rule(Rule::literal("said", "Heron"))
        .build()
        .expect("the rules are sound")
}

fn layer() -> HoldbackLayer<Policy> {
    HoldbackLayer::new(policy())
}

/// A step of a body; where there is none, it is not at its end but pending.
enum Step {
    Frame(Frame<Bytes>),
    Fail,
    End,
}

/// A request's body that comes when the test says so.
#[derive(Clone, Default)]
struct Upload(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    steps: VecDeque<Step>,
    length: Option<u64>,
    polls: usize,
    waker: Option<Waker>,
}

impl Upload {
    /// All of it at once.
    fn of(text: impl Into<Bytes>) -> Upload {
        let upload = Upload::default();
        upload.say(text);
        upload.then(Step::End);
        upload
    }

    fn say(&self, text: impl Into<Bytes>) {
        self.then(Step::Frame(Frame::data(text.into())));
    }

    fn then(&self, step: Step) {
        let mut said = self.0.lock().unwrap();
        said.steps.push_back(step);
        if let Some(waker) = said.waker.take() {
            waker.wake();
        }
    }

    fn polls(&self) -> usize {
        self.0.lock().unwrap().polls
    }

    /// Whether nobody else has it any more.
    fn is_dropped(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut said = self.0.lock().unwrap();
        said.polls += 1;
        said.waker = Some(cx.waker().clone());
        match said.steps.pop_front() {
            None => Poll::Pending,
            Some(Step::Frame(frame)) => Poll::Ready(Some(Ok(frame))),
            Some(Step::Fail) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            Some(Step::End) => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap().length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// What went on to the service within.
#[derive(Clone, Debug, Default)]
struct Sent {
    head: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

/// The service within: notes requests, and answers `ok`. Only the one that was asked whether it is ready may be called.
#[derive(Default)]
struct Within {
    calls: Arc<Mutex<usize>>,
    sent: Arc<Mutex<Option<Sent>>>,
    is_ready: bool,
}

impl Clone for Within {
    fn clone(&self) -> Within {
        Within { calls: self.calls.clone(), sent: self.sent.clone(), is_ready: false }
    }
}

impl<B: Body<Data = Bytes, Error: std::fmt::Debug> + Send + 'static> Service<Request<B>> for Within {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "a service is ready when it is called");
        *self.calls.lock().unwrap() += 1;
        let sent = self.sent.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("a regular end");
            let trailers = body.trailers().cloned();
            *sent.lock().unwrap() = Some(Sent { head: head.headers, body: body.to_bytes(), trailers });
            Ok(Response::builder().header(CONTENT_TYPE, "text/plain").body(Full::from("ok")).unwrap())
        })
    }
}

impl Within {
    fn calls(&self) -> usize {
        *self.calls.lock().unwrap()
    }
}

type Future_ = Pin<Box<dyn Future<Output = (response::Parts, String)>>>;

/// Sends a request through a layer, and what comes of it.
fn send<W>(layer: &HoldbackLayer<Policy, W>, request: Request<Upload>) -> (Within, Future_)
where
    W: Watch<Observer: 'static> + Clone + 'static,
{
    let within = Within::default();
    let asking = layer.layer(within.clone()).oneshot(request);
    let answer = async {
        let (head, body) = asking.await.unwrap_or_else(|never| match never {}).into_parts();
        let body = body.collect().await.expect("a regular end").to_bytes();
        (head, String::from_utf8(body.to_vec()).expect("UTF-8"))
    };
    (within, Box::pin(answer))
}

/// One poll.
fn poll(answer: &mut Future_) -> Poll<(response::Parts, String)> {
    answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// The end of what needs no more than what is there.
fn at_once(mut answer: Future_) -> (response::Parts, String) {
    match poll(&mut answer) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("there is something to wait for"),
    }
}

fn post(path: &str, content_type: &str, body: &Upload) -> Request<Upload> {
    Request::post(path).header(CONTENT_TYPE, content_type).body(body.clone()).expect("a valid request")
}

fn json_request(body: &Upload) -> Request<Upload> {
    post(CHAT, "application/json", body)
}

/// What goes on to the service within, and what the response says of it.
fn sent(layer: &HoldbackLayer<Policy>, request: Request<Upload>) -> (Sent, &'static str) {
    let (within, answer) = send(layer, request);
    let (head, body) = at_once(answer);
    assert_eq!((&*body, &head.headers["x-holdback-mode"]), ("ok", &HeaderValue::from_static("moderated")));
    let treatment = head.extensions.get::<RequestTreatment>().expect("a treatment");
    assert_eq!(head.headers["x-holdback-request"], treatment.name());
    let sent = within.sent.lock().unwrap().take().expect("it was called");
    (sent, treatment.name())
}

/// Why the request is refused, with the status and the JSON that the client gets.
fn refused(layer: &HoldbackLayer<Policy>, request: Request<Upload>) -> (u16, Refused, Value) {
    let (within, answer) = send(layer, request);
    let (head, body) = at_once(answer);
    assert_eq!(within.calls(), 0, "the service within never hears of it");
    assert_eq!(head.headers["x-holdback-request"], "refused");
    assert_eq!(head.headers["x-holdback-policy"], "strict");
    assert_eq!(head.headers[CONTENT_TYPE], "application/json");
    assert_eq!(head.headers.get("x-holdback-mode"), None, "there was no response to treat");
    assert_eq!(head.extensions.get(), Some(&RequestTreatment::Refused));
    assert_eq!(head.extensions.get::<Treatment>(), None);
    let why = head.extensions.get::<Refused>().expect("a reason").clone();
    (head.status.as_u16(), why, serde_json::from_str(&body).expect("JSON"))
}

fn gzip(text: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap().into()
}

#[test]
fn what_no_rule_touches_goes_on_as_it_came() {
    let body = "{\"messages\": [ {\"role\":\"user\",\"content\":\"\\u0061 Heron\"} ]}\r\n";
    let mut request = json_request(&Upload::of(body));
    for (name, value) in [(CONTENT_LENGTH, "61"), (ETAG, "\"x\"")] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let (sent, treatment) = sent(&layer(), request);
    assert_eq!((&sent.body[..], treatment), (body.as_bytes(), "untouched"));
    assert_eq!((&sent.head[CONTENT_LENGTH], &sent.head[ETAG]), (&"61".parse().unwrap(), &"\"x\"".parse().unwrap()));
}

#[test]
fn an_edited_request_has_a_head_that_tells_the_truth() {
    let body = r#"{"messages":[{"role":"user","content":"Is Night\u006aar a bird?"}]}"#;
    let expected = r#"{"messages":[{"role":"user","content":"Is [codename] a bird?"}]}"#;
    for has_length in [true, false] {
        let mut request = json_request(&Upload::of(body));
        request.headers_mut().insert("content-digest", "sha-256=:x:".parse().unwrap());
        if has_length {
            request.headers_mut().insert(CONTENT_LENGTH, body.len().into());
        }
        let (sent, treatment) = sent(&layer(), request);
        assert_eq!((&sent.body[..], treatment), (expected.as_bytes(), "edited"));
        assert_eq!(sent.head.get("content-digest"), None);
        // What came in chunks may go on in chunks.
        let length = sent.head.get(CONTENT_LENGTH).map(|length| length.to_str().unwrap().parse().unwrap());
        assert_eq!(length, has_length.then_some(expected.len()));
    }
}

#[test]
fn cuts_mean_nothing() {
    let body = r#"{"messages":[{"content":"Is Nightjar a bird?"}]}"#;
    for size in 1..body.len() {
        let upload = Upload::default();
        for piece in body.as_bytes().chunks(size) {
            upload.say(Bytes::copy_from_slice(piece));
            upload.say("");
        }
        upload.then(Step::End);
        let (sent, _) = sent(&layer(), json_request(&upload));
        assert_eq!(sent.body, r#"{"messages":[{"content":"Is [codename] a bird?"}]}"#);
    }
}

#[test]
fn nothing_goes_on_before_all_is_there() {
    let upload = Upload::default();
    let (within, mut answer) = send(&layer(), json_request(&upload));
    for piece in [r#"{"a":"Night"#, r#"jar"}"#] {
        upload.say(piece);
        assert!(poll(&mut answer).is_pending());
    }
    assert_eq!(within.calls(), 0);
    upload.then(Step::End);
    assert_eq!(at_once(answer).0.status, 200);
    assert_eq!(within.calls(), 1);
    assert!(upload.is_dropped());
}

#[test]
fn a_request_is_asked_for_more_only_when_somebody_waits() {
    let upload = Upload::default();
    let (_, mut answer) = send(&layer(), json_request(&upload));
    assert_eq!(upload.polls(), 0, "nobody has polled");
    assert!(poll(&mut answer).is_pending());
    assert_eq!(upload.polls(), 1);
}

#[test]
fn a_client_that_leaves_takes_its_request_with_it() {
    let upload = Upload::default();
    let (within, mut answer) = send(&layer(), json_request(&upload));
    upload.say(r#"{"a":"#);
    assert!(poll(&mut answer).is_pending());
    drop(answer);
    assert!(upload.is_dropped());
    assert_eq!(within.calls(), 0);
}

#[test]
fn an_upload_that_breaks_off_goes_nowhere() {
    let upload = Upload::default();
    upload.say(r#"{"a":1}"#);
    upload.then(Step::Fail);
    let (status, why, _) = refused(&layer(), json_request(&upload));
    assert_eq!((status, why), (400, Refused::CutOff));
}

#[test]
fn without_rules_for_requests_nothing_is_held_or_refused() {
    let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar")).build().unwrap();
    for content_type in ["application/json", "multipart/form-data; boundary=x"] {
        let upload = Upload::default();
        upload.say("Night");
        let (within, mut answer) = send(&HoldbackLayer::new(policy.clone()), post(CHAT, content_type, &upload));
        assert!(poll(&mut answer).is_pending());
        assert_eq!((within.calls(), upload.polls()), (1, 2), "it is the service within that reads");
        upload.say("jar");
        upload.then(Step::End);
        let (head, _) = at_once(answer);
        assert_eq!(within.sent.lock().unwrap().take().expect("a request").body, "Nightjar");
        assert_eq!(head.headers.get("x-holdback-request"), None);
        assert_eq!(head.extensions.get::<RequestTreatment>(), None);
    }
}

#[test]
fn a_body_counts_whatever_the_method() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::GET, Method::DELETE] {
        let mut request = json_request(&Upload::of(r#"["Nightjar"]"#));
        *request.method_mut() = method;
        assert_eq!(sent(&layer(), request).0.body, r#"["[codename]"]"#);
    }
    // There may be none although its length was not told.
    let mut request = json_request(&Upload::of(""));
    request.headers_mut().remove(CONTENT_TYPE);
    assert_eq!(sent(&layer(), request).1, "untouched");
}

#[test]
fn a_request_without_a_body_waits_for_nothing() {
    let within = Within::default();
    let answer = layer().layer(within.clone()).oneshot(Request::get("/v1/models").body(String::new()).unwrap());
    let Poll::Ready(Ok(response)) = Box::pin(answer).as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("there is something to wait for")
    };
    assert_eq!(response.headers()["x-holdback-request"], "untouched");
    assert_eq!(within.calls(), 1);
}

#[test]
fn a_refusal_has_the_form_of_its_api() {
    let refuse = |path: &str| {
        let (status, why, body) =
            refused(&layer(), post(path, "application/json", &Upload::of(r#"{"a":"Nightjar and Basilisk, too"}"#)));
        assert!(matches!(why, Refused::Terminated(verdict) if &*verdict.rule == "stop"));
        assert_eq!(status, 400);
        assert!(!body.to_string().contains("Basilisk") && !body.to_string().contains("Night"), "{body}");
        body
    };
    let message = "The request was refused by a content policy.";
    let open_ai = json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": "content_filter" } });
    for path in [CHAT, "/v1/responses", "/what/nobody/knows"] {
        assert_eq!(refuse(path), open_ai, "{path}");
    }
    let anthropic = json!({ "type": "error", "error": { "type": "invalid_request_error", "message": message } });
    assert_eq!(refuse("/v1/messages"), anthropic);
    let gemini = refuse("/v1beta/models/m:streamGenerateContent");
    assert_eq!((&gemini["error"]["code"], &gemini["error"]["status"]), (&json!(400), &json!("INVALID_ARGUMENT")));
    assert_eq!(gemini["error"]["message"], message);
    assert_eq!(refuse("/api/chat"), json!({ "error": message }));
    assert_eq!(refuse("/v2/chat"), json!({ "message": message }));
    assert_eq!(refuse("/model/m/converse-stream"), json!({ "message": message }));
}

#[test]
fn an_error_of_amazons_has_its_name_in_the_head() {
    for (path, name) in [("/model/m/invoke", Some("ValidationException")), (CHAT, None)] {
        let (_, answer) = send(&layer(), post(path, "application/json", &Upload::of(r#"["Basilisk"]"#)));
        assert_eq!(at_once(answer).0.headers.get("x-amzn-errortype").map(|name| name.to_str().unwrap()), name);
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    for (body, expected) in [
        (r#"{"a":"Nightjar""#, Refused::NotJson),
        (r#"{"a":1,"a":2}"#, Refused::DuplicateKey),
        (&"[".repeat(200), Refused::TooDeep),
    ] {
        for other in [OtherContent::Refuse, OtherContent::Pass] {
            let (status, why, body) =
                refused(&layer().other_content(other), json_request(&Upload::of(body.to_owned())));
            assert_eq!((status, why), (400, expected.clone()));
            assert_eq!(body["error"]["code"], "request_unreadable");
        }
    }
}

#[test]
fn a_request_may_be_so_large() {
    const MOST: usize = 32 << 20;
    // Its head says it: not a byte is asked for, so a client that expects a 100 sends none.
    let upload = Upload::default();
    upload.0.lock().unwrap().length = Some(MOST as u64 + 1);
    let (status, why, body) = refused(&layer(), post("/v1/messages", "application/json", &upload));
    assert_eq!((status, why, upload.polls()), (413, Refused::TooLarge, 0));
    assert_eq!(body["error"]["type"], "request_too_large");
    // Its head says nothing.
    let padded = |len: usize| format!("{}[\"Nightjar\"]", " ".repeat(len - 12));
    let upload = Upload::default();
    upload.say(padded(MOST));
    upload.say(" ");
    let (status, why, _) = refused(&layer(), json_request(&upload));
    assert_eq!((status, why), (413, Refused::TooLarge));
    let (sent, _) = sent(&layer(), json_request(&Upload::of(padded(MOST))));
    assert!(sent.body.ends_with(b"[\"[codename]\"]"));
    // It unfolds to more than that.
    let mut bomb = json_request(&Upload::of(gzip(padded(MOST + 1).as_bytes())));
    bomb.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    let (status, why, _) = refused(&layer(), bomb);
    assert_eq!((status, why), (413, Refused::TooLarge));
}

#[test]
fn compressed_requests_are_read() {
    let coded = |coding: &str, body: Bytes| {
        let mut request = json_request(&Upload::of(body));
        request.headers_mut().insert(CONTENT_ENCODING, coding.parse().unwrap());
        request
    };
    let zlib = |text: &[u8]| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        Bytes::from(encoder.finish().unwrap())
    };
    let long = |word: &str| format!("[{}\"\"]", format!("\"{word}\",").repeat(10_000));
    for (coding, encode) in [
        ("gzip", &gzip as &dyn Fn(&[u8]) -> Bytes),
        ("deflate", &zlib),
        ("identity", &|text| Bytes::copy_from_slice(text)),
    ] {
        let clean = encode(long("Heron").as_bytes());
        let (came, treatment) = sent(&layer(), coded(coding, clean.clone()));
        assert_eq!((came.body == clean, treatment), (true, "untouched"), "the very bytes");
        assert_eq!(came.head[CONTENT_ENCODING], coding);

        let dirty = encode(long("Nightjar").as_bytes());
        let (came, treatment) = sent(&layer(), coded(coding, dirty.clone()));
        assert_eq!((came.body == long("[codename]"), treatment), (true, "edited"));
        assert_eq!(came.head.get(CONTENT_ENCODING), None);

        let (status, _, _) = refused(&layer(), coded(coding, dirty.slice(..dirty.len() - 1)));
        assert_eq!(status, 400, "half of it");
    }
    for unknown in ["br", "zstd", "gzip, gzip"] {
        let (status, why, _) = refused(&layer(), coded(unknown, Bytes::from_static(b"[]")));
        assert_eq!((status, why), (415, Refused::OtherContent), "{unknown}");
    }
}

#[test]
fn other_content_is_refused_unless_told_to_pass() {
    for content_type in
        ["multipart/form-data; boundary=x", "audio/wav", "application/json; charset=utf-16", "text/html"]
    {
        let upload = Upload::of("--x Nightjar");
        let (status, why, body) = refused(&layer(), post("/v1/messages", content_type, &upload));
        assert_eq!((status, why, upload.polls()), (415, Refused::OtherContent, 0), "{content_type}");
        assert_eq!(body["error"]["type"], "invalid_request_error");

        // It is not even held.
        let (upload, pass) = (Upload::default(), layer().other_content(OtherContent::Pass));
        let (within, mut answer) = send(&pass, post(CHAT, content_type, &upload));
        assert!(poll(&mut answer).is_pending());
        assert_eq!(within.calls(), 1);
        upload.then(Step::End);
        assert_eq!(at_once(answer).0.headers["x-holdback-request"], "passed");
    }
    let mut two = json_request(&Upload::of("[]"));
    two.headers_mut().append(CONTENT_TYPE, "application/json".parse().unwrap());
    assert_eq!(refused(&layer(), two).0, 415, "a server may believe either");
}

#[test]
fn json_is_json_whatever_it_is_called() {
    for content_type in
        ["application/x-www-form-urlencoded", "text/plain; charset=utf-8", "application/vnd.api+json", ""]
    {
        let request = |body: &'static str| {
            let mut request = post("/api/chat", content_type, &Upload::of(body));
            if content_type.is_empty() {
                request.headers_mut().remove(CONTENT_TYPE);
            }
            request
        };
        assert_eq!(sent(&layer(), request(r#"{"a":"Nightjar"}"#)).0.body, r#"{"a":"[codename]"}"#);
        assert_eq!(refused(&layer(), request(r#"{"a":"Basilisk"}"#)).0, 400);
        if !content_type.contains("json") {
            let form = "a=Nightjar";
            assert_eq!(refused(&layer(), request(form)).1, Refused::OtherContent);
            let (sent, treatment) = sent(&layer().other_content(OtherContent::Pass), request(form));
            assert_eq!((&*sent.body, treatment), (form.as_bytes(), "passed"));
        }
    }
}

#[test]
fn trailers_go_on() {
    let upload = Upload::default();
    upload.say(r#"["Nightjar"]"#);
    let trailers =
        [("x-own".parse().unwrap(), "1".parse().unwrap()), ("digest".parse().unwrap(), "x".parse().unwrap())];
    upload.then(Step::Frame(Frame::trailers(HeaderMap::from_iter(trailers))));
    upload.then(Step::End);
    let trailers = sent(&layer(), json_request(&upload)).0.trailers.expect("trailers");
    assert_eq!((trailers.get("x-own").is_some(), trailers.get("digest")), (true, None));
}

/// What an observer has seen.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Observer for Seen {
    fn verdict(&mut self, channel: ChannelKind, verdict: &Verdict) {
        self.0.lock().unwrap().push(format!("{channel:?} {} {}", verdict.rule, verdict.action));
    }

    fn ending(&mut self, ending: &Ending) {
        self.0.lock().unwrap().push(ending.name().to_owned());
    }
}

impl Watch for Seen {
    type Observer = Seen;

    fn watch(&self, _: &request::Parts) -> Seen {
        self.clone()
    }
}

#[test]
fn an_observer_sees_both_sides() {
    for (body, expected) in [
        (r#"["Nightjar"]"#, &["Prompt codename redact", "complete"][..]),
        (r#"["Nightjar","Basilisk"]"#, &["Prompt codename redact", "Prompt stop terminate", "terminated"]),
    ] {
        let seen = Seen::default();
        at_once(send(&layer().observe(seen.clone()), json_request(&Upload::of(body))).1);
        assert_eq!(*seen.0.lock().unwrap(), expected);
    }
}

#[test]
fn a_shutdown_ends_uploads() {
    let (shutdown, upload, seen) = (Shutdown::default(), Upload::default(), Seen::default());
    let (within, mut answer) = send(&layer().shutdown(shutdown.clone()).observe(seen.clone()), json_request(&upload));
    upload.say("[");
    assert!(poll(&mut answer).is_pending());
    shutdown.begin();
    let (head, body) = at_once(answer);
    assert_eq!((head.status, within.calls()), (StatusCode::SERVICE_UNAVAILABLE, 0));
    assert!(body.contains("shut_down"), "{body}");
    assert_eq!(*seen.0.lock().unwrap(), ["shut_down"]);
}

#[test]
fn a_router_takes_the_layer() {
    let app = axum::Router::new().route(CHAT, axum::routing::post(|body: String| async { body })).layer(layer());
    let request = Request::post(CHAT).header(CONTENT_TYPE, "application/json");
    let answer = async {
        let response = app.oneshot(request.body(axum::body::Body::from(r#"["Nightjar"]"#)).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        (head, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
    };
    assert_eq!(at_once(Box::pin(answer)).1, r#"["[codename]"]"#);
}

#[allow(dead_code, reason = "that it compiles is the test")]
fn futures_can_be_sent(service: Within, request: Request<Upload>) -> impl Future + Send {
    layer().layer(service).oneshot(request)
}

#[allow(dead_code, reason = "likewise")]
fn bodies_are_as_free_as_what_they_wrap(body: RequestBody<Full<Bytes>>) -> impl Body + Send + Sync + Unpin {
    body
}
