//! The layer: which responses it moderates, what it changes in heads, who chooses and who watches.
#![cfg(feature = "tower")]

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use holdback::tower::{Choose, HoldbackLayer, OtherContent, RequestBody, Treatment, Watch, by_header};
use holdback::{ChannelKind, Ending, Observer, Policy, Rule, Verdict};
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, RANGE};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, response};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};

fn policy(name: &str) -> Policy {
    let rule = Rule::literal("codename", "Nightjar").redact(format!("[{name}]"));
    Policy::builder().name(name).rule(rule).build().expect("a valid policy")
}

fn layer() -> HoldbackLayer<Policy> {
    HoldbackLayer::new(policy("strict"))
}

fn response(content_type: &str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::builder().header(CONTENT_TYPE, content_type).body(Full::new(body.into())).expect("a valid response")
}

/// What the client got, and what the upstream was asked.
struct Answer {
    head: response::Parts,
    body: Result<String, String>,
    asked: HeaderMap,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).map(|value| value.to_str().expect("a text"))
    }

    fn treatment(&self) -> Option<Treatment> {
        self.head.extensions.get().copied()
    }
}

/// Sends a request through the layer to an upstream that answers with `response`.
async fn exchange<C, W>(
    layer: &HoldbackLayer<C, W>,
    request: Request<String>,
    response: Response<Full<Bytes>>,
) -> Answer
where
    C: Choose + Clone,
    W: Watch + Clone,
{
    let asked = Arc::<Mutex<HeaderMap>>::default();
    let (note, mut response) = (asked.clone(), Some(response));
    let upstream = service_fn(move |request: Request<RequestBody<String>>| {
        *note.lock().unwrap() = request.headers().clone();
        std::future::ready(Ok::<_, Infallible>(response.take().expect("asked once")))
    });
    let Ok(response) = layer.layer(upstream).oneshot(request).await;
    let (head, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => Ok(String::from_utf8(body.to_bytes().to_vec()).expect("UTF-8")),
        Err(error) => Err(error.to_string()),
    };
    let asked = asked.lock().unwrap().clone();
    Answer { head, body, asked }
}

fn get() -> Request<String> {
    Request::default()
}

#[tokio::test]
async fn text_is_moderated_and_its_head_tells_the_truth() {
    let mut response = response("text/plain", "Say Nightjar.");
    for (name, value) in [(CONTENT_LENGTH, "13"), (ETAG, "\"abc\""), (HeaderName::from_static("digest"), "sha-256=x")] {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    let answer = exchange(&layer(), get(), response).await;
    assert_eq!(answer.body.as_deref(), Ok("Say [strict]."));
    assert_eq!(answer.treatment(), Some(Treatment::Moderated));
    assert_eq!(answer.header("x-holdback-mode"), Some("moderated"));
    assert_eq!(answer.header("x-holdback-policy"), Some("strict"));
    for name in ["content-length", "etag", "digest"] {
        assert_eq!(answer.header(name), None, "{name} spoke of the unmoderated bytes");
    }
}

#[tokio::test]
async fn the_upstream_is_asked_for_plain_and_whole_content() {
    let mut request = get();
    request.headers_mut().insert(ACCEPT_ENCODING, "gzip, br".parse().unwrap());
    request.headers_mut().insert(RANGE, "bytes=4-".parse().unwrap());
    let answer = exchange(&layer(), request, response("text/plain", "")).await;
    assert_eq!(answer.asked.get(ACCEPT_ENCODING).unwrap(), "identity");
    assert_eq!(answer.asked.get(RANGE), None);
}

#[tokio::test]
async fn json_is_moderated_whatever_its_status() {
    for status in [200, 400, 500] {
        let mut response = response("application/json", r#"{"error":{"message":"no Nightjar here"}}"#);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let answer = exchange(&layer(), get(), response).await;
        assert_eq!(answer.head.status, status);
        assert_eq!(answer.body.as_deref(), Ok(r#"{"error":{"message":"no [strict] here"}}"#));
    }
}

#[tokio::test]
async fn event_streams_ask_proxies_to_let_them_flow() {
    let events = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n";
    let answer = exchange(&layer(), get(), response("text/event-stream", events)).await;
    assert_eq!(answer.body.as_deref(), Ok(events));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    assert_eq!(answer.header("cache-control"), Some("no-cache, no-transform"));

    let mut own = response("text/event-stream", events);
    own.headers_mut().insert(CACHE_CONTROL, "private".parse().unwrap());
    assert_eq!(exchange(&layer(), get(), own).await.header("cache-control"), Some("private"));
}

#[tokio::test]
async fn other_content_is_refused_unless_told_to_pass() {
    let image = || response("image/png", "Nightjar in pixels");
    let refused = exchange(&layer(), get(), image()).await;
    assert_eq!(refused.head.status, StatusCode::BAD_GATEWAY);
    assert_eq!(refused.treatment(), Some(Treatment::Refused));
    assert!(refused.body.as_ref().is_ok_and(|body| body.contains("\"error\"") && !body.contains("Nightjar")));
    assert_eq!(refused.header("content-type"), Some("application/json"));

    let passed = exchange(&layer().other_content(OtherContent::Pass), get(), image()).await;
    assert_eq!(passed.head.status, StatusCode::OK);
    assert_eq!(passed.treatment(), Some(Treatment::Passed));
    assert_eq!(passed.header("x-holdback-mode"), Some("passed"));
    assert_eq!(passed.body.as_deref(), Ok("Nightjar in pixels"));
}

#[tokio::test]
async fn a_refused_error_keeps_its_status() {
    for (status, kept) in [(203, 502), (206, 502), (302, 302), (401, 401), (429, 429), (500, 500), (503, 503)] {
        let mut page = response("text/html", "<h1>Nightjar</h1>");
        *page.status_mut() = StatusCode::from_u16(status).unwrap();
        page.headers_mut().insert("retry-after", "7".parse().unwrap());
        let refused = exchange(&layer(), get(), page).await;
        assert_eq!((refused.head.status.as_u16(), refused.treatment()), (kept, Some(Treatment::Refused)));
        assert_eq!(
            (refused.header("retry-after"), refused.header("content-type")),
            (Some("7"), Some("application/json"))
        );
        assert!(refused.body.as_ref().is_ok_and(|body| body.contains("\"error\"") && !body.contains("Nightjar")));
    }
}

#[tokio::test]
async fn a_switch_of_protocols_never_passes() {
    for other in [OtherContent::Refuse, OtherContent::Pass] {
        let mut switch = response("", "");
        *switch.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        switch.headers_mut().insert("connection", "upgrade".parse().unwrap());
        switch.headers_mut().insert("upgrade", "websocket".parse().unwrap());
        let refused = exchange(&layer().other_content(other), get(), switch).await;
        assert_eq!((refused.head.status.as_u16(), refused.treatment()), (502, Some(Treatment::Refused)));
        assert_eq!((refused.header("connection"), refused.header("upgrade")), (None, None));
        assert!(refused.body.as_ref().is_ok_and(|body| body.contains("\"error\"")));
    }
}

#[tokio::test]
async fn what_has_no_body_passes() {
    let mut head = get();
    *head.method_mut() = Method::HEAD;
    let answer = exchange(&layer(), head, response("image/png", "")).await;
    assert_eq!(answer.treatment(), Some(Treatment::Empty));
    for status in [204, 304] {
        let mut response = response("", "");
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let answer = exchange(&layer(), get(), response).await;
        assert_eq!((answer.head.status.as_u16(), answer.treatment()), (status, Some(Treatment::Empty)));
    }
}

#[tokio::test]
async fn compressed_content_is_decoded_first() {
    let text = "Say Nightjar. ".repeat(1000);
    let gzip = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zlib = {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let bare = {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for (coding, body) in [("gzip", gzip), ("deflate", zlib), ("deflate", bare)] {
        let whole = {
            let mut response = response("text/plain", body.clone());
            response.headers_mut().insert(CONTENT_ENCODING, coding.parse().unwrap());
            exchange(&layer(), get(), response).await
        };
        assert_eq!(whole.body, Ok("Say [strict]. ".repeat(1000)), "{coding}");
        assert_eq!(whole.header("content-encoding"), None);

        let mut cut = response("text/plain", body[..body.len() - 1].to_vec());
        cut.headers_mut().insert(CONTENT_ENCODING, coding.parse().unwrap());
        assert!(exchange(&layer(), get(), cut).await.body.is_err(), "half of a {coding} body must not look whole");
    }
}

#[tokio::test]
async fn an_unknown_coding_is_refused() {
    let mut response = response("text/plain", "Nightjar, squeezed");
    response.headers_mut().insert(CONTENT_ENCODING, "br".parse().unwrap());
    let answer = exchange(&layer(), get(), response).await;
    assert_eq!(answer.treatment(), Some(Treatment::Refused));
}

#[tokio::test]
async fn a_closure_chooses_the_policy() {
    let moderated = policy("chosen");
    let layer = HoldbackLayer::new(move |request: &http::request::Parts| {
        request.uri.path().starts_with("/v1").then(|| moderated.clone())
    });
    let to = |path: &str| Request::get(path).body(String::new()).unwrap();
    let chosen = exchange(&layer, to("/v1/x"), response("text/plain", "Nightjar")).await;
    assert_eq!(chosen.body.as_deref(), Ok("[chosen]"));
    let off = exchange(&layer, to("/status"), response("text/plain", "Nightjar")).await;
    assert_eq!(off.body.as_deref(), Ok("Nightjar"));
    assert_eq!((off.treatment(), off.header("x-holdback-mode")), (Some(Treatment::Off), Some("off")));
}

#[tokio::test]
async fn a_header_names_the_policy() {
    let policies = ["lax", "strict"].map(|name| (name.to_owned(), policy(name)));
    let layer = HoldbackLayer::new(by_header(HeaderName::from_static("x-team"), policies, policy("usual")));
    for (team, expected) in [(Some("lax"), "[lax]"), (Some("unheard of"), "[usual]"), (None, "[usual]")] {
        let mut request = get();
        if let Some(team) = team {
            request.headers_mut().insert("x-team", team.parse().unwrap());
        }
        let answer = exchange(&layer, request, response("text/plain", "Nightjar")).await;
        assert_eq!(answer.body.as_deref(), Ok(expected), "{team:?}");
    }
}

#[tokio::test]
async fn an_observer_watches_each_stream() {
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);
    impl Observer for Seen {
        fn verdict(&mut self, _: ChannelKind, verdict: &Verdict) {
            self.0.lock().unwrap().push(verdict.rule.to_string());
        }
        fn ending(&mut self, ending: &Ending) {
            self.0.lock().unwrap().push(format!("{ending:?}"));
        }
    }
    let seen = Seen::default();
    let watch = seen.clone();
    let layer = layer().observe(move |_: &http::request::Parts| watch.clone());
    exchange(&layer, get(), response("text/plain", "Nightjar, Nightjar")).await;
    assert_eq!(*seen.0.lock().unwrap(), ["codename", "codename", "Complete"]);
}
