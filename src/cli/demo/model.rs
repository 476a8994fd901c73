//! The demo's upstream: a model that says one thing, at a human pace.

use super::script;
use super::view::Beat;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Interval;

/// The request that bears this header is the one being watched.
pub(super) const WATCHED: &str = "x-holdback-demo";

/// More than anybody types into curl.
const REQUEST_BYTES: usize = 1024 * 1024;

/// Answers chat completions until the listener's task ends.
pub(super) async fn serve(listener: TcpListener, pace: Duration, watch: UnboundedSender<Beat>) {
    while let Ok((stream, _)) = listener.accept().await {
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let watch = watch.clone();
        let service = service_fn(move |request| answer(request, pace, watch.clone()));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer(
    request: Request<Incoming>,
    pace: Duration,
    watch: UnboundedSender<Beat>,
) -> Result<Response<Either<Speech, Full<Bytes>>>, Infallible> {
    let watch = request.headers().contains_key(WATCHED).then_some(watch);
    let asked = Limited::new(request.into_body(), REQUEST_BYTES).collect().await.map(|body| body.to_bytes());
    let asked: Value = asked.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let (content_type, body) = if asked["stream"] == true {
        ("text/event-stream", Either::Left(Speech::new(pace, watch)))
    } else {
        ("application/json", Either::Right(Full::from(completion().to_string())))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    Ok(response)
}

/// The answer's events, one each time the pace allows.
struct Speech {
    interval: Interval,
    events: std::vec::IntoIter<(Option<&'static str>, String)>,
    watch: Option<UnboundedSender<Beat>>,
}

impl Speech {
    fn new(pace: Duration, watch: Option<UnboundedSender<Beat>>) -> Speech {
        let tokens = script::tokens();
        let count = tokens.len();
        let said = tokens
            .into_iter()
            .enumerate()
            .map(|(number, token)| (Some(token), chunk(number, json!({ "content": token }), Value::Null)));
        let last = [(None, chunk(count, json!({}), json!("stop"))), (None, "data: [DONE]\n\n".to_owned())];
        let events: Vec<_> = said.chain(last).collect();
        // An interval of no time at all is refused.
        let interval = tokio::time::interval(pace.max(Duration::from_nanos(1)));
        Speech { interval, events: events.into_iter(), watch }
    }
}

impl Body for Speech {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.interval.poll_tick(cx));
        let Some((token, event)) = self.events.next() else { return Poll::Ready(None) };
        if let (Some(token), Some(watch)) = (token, &self.watch) {
            // Nobody watches any more once the view is closed.
            let _ = watch.send(Beat::said(token));
        }
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}

/// A chunk of a chat completion. Its number comes out at the other end, so that the view can tell which event a
/// released one was.
fn chunk(number: usize, delta: Value, finish_reason: Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 1767225600, "model": "demo",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish_reason }],
        "number": number,
    });
    format!("data: {chunk}\n\n")
}

fn completion() -> Value {
    let message = json!({ "role": "assistant", "content": script::answer() });
    json!({
        "id": "chatcmpl-demo", "object": "chat.completion", "created": 1767225600, "model": "demo",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
    })
}
