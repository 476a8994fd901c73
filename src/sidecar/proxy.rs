//! The service behind every connection.

use super::TokioTimer;
use super::account::{Account, Accountant, Book};
use super::accounted::{Accounted, Received};
use super::coalesced::Coalesced;
use super::config::Config;
use super::connection::Successor;
use super::metrics::Metrics;
use super::noting::Noting;
use super::reply::{self, Unanswered};
use super::upload::Upload;
use super::upstream::{Failed, Upstream};
use super::websocket::{self, Handshake, Sessions, Switched};
use crate::body::{Shutdown, random};
use crate::net::Client;
use crate::tower::{Asked, HoldbackLayer, RequestBody};
use bytes::Bytes;
use http::header::{
    ALT_SVC, CONNECTION, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::body::UnsyncBoxBody;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};

/// What goes to the client.
pub(super) type Reply = Response<UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>>;

/// The routes of every API fit several times; a path can have 64 KiB, which nobody wants in a log.
const LOGGED_PATH_CHARS: usize = 512;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// From the client's request to its reply, layer by layer; see the [module](super).
pub(super) fn service(
    config: &Config,
    metrics: Metrics,
    shutdown: Shutdown,
) -> impl Service<Request<Incoming>, Response = Reply, Error = Infallible, Future: Send> + Clone + Send + use<> {
    let mut moderation = HoldbackLayer::new(config.policies.clone())
        .observe(|request: &Parts| request.extensions.get::<Book>().cloned().expect("`answer` opened a book"))
        .idle_timeout(TokioTimer, config.idle_timeout)
        .checks(TokioTimer, config.checks.clone())
        .quotas(config.quotas.clone())
        .shutdown(shutdown.clone())
        .other_content(config.other_content);
    if let Some(limit) = config.total_timeout {
        moderation = moderation.total_timeout(TokioTimer, limit);
    }
    if let Some(interval) = config.keep_alive {
        moderation = moderation.keep_alive(TokioTimer, interval);
    }
    let forward = Forward {
        client: Client::new(config.trust.clone(), config.connect_timeout),
        websockets: Client::http1(config.trust.clone(), config.connect_timeout),
        upstream: Arc::new(config.upstream.clone()),
        response_timeout: config.response_timeout,
        shutdown: shutdown.clone(),
    };
    let moderated = moderation.layer(forward);
    let accountant = config.accountant.clone();
    let sessions = Sessions::of(config, shutdown);
    let answer = service_fn(move |request: Request<Incoming>| {
        answer(moderated.clone(), sessions.clone(), metrics.clone(), accountant.clone(), request)
    });

    let answer = CatchPanicLayer::custom(reply::panicked).layer(answer);
    let answer = PropagateRequestIdLayer::new(REQUEST_ID).layer(answer);
    SetRequestIdLayer::new(REQUEST_ID, RequestIds::default()).layer(answer)
}

/// Opens the book of a response, and makes a reply of whatever became of it.
async fn answer<S, B>(
    moderated: S,
    sessions: Sessions,
    metrics: Metrics,
    accountant: Accountant,
    request: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>>>, Infallible>
where
    S: Service<Request<Noting<Incoming>>, Response = Response<B>, Error = NoResponse>,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let (mut head, body) = request.into_parts();
    let request_id = head.headers.get(REQUEST_ID).cloned();
    let path = head.uri.path().chars().take(LOGGED_PATH_CHARS).collect();
    let account = Account::new(head.method.clone(), path, request_id);
    let book = Book::open(account, metrics, accountant);
    let successor = head.extensions.remove::<Successor>().unwrap_or_default();
    let asked = Asked::default();
    head.extensions.insert(book.clone());
    head.extensions.insert(asked.clone());

    let request = Request::from_parts(head, Noting::new(body, asked));
    let response = match moderated.oneshot(request).await {
        Ok(response) => response.map(Either::Left),
        Err(NoResponse::Unanswered(unanswered)) => {
            book.unanswered(unanswered);
            unanswered.into_response().map(Either::Right)
        }
        Err(NoResponse::Switched(switched)) => {
            let head = sessions.begin(*switched, book, &successor);
            return Ok(head.map(|()| Either::Right(Empty::new())));
        }
    };
    book.head(response.status(), response.extensions());
    Ok(response.map(|body| Either::Left(Accounted::new(body, book))))
}

/// What a request gets in place of a response of its upstream's.
enum NoResponse {
    Unanswered(Unanswered),
    /// There is no more HTTP on the connection.
    Switched(Box<Switched>),
}

impl From<Unanswered> for NoResponse {
    fn from(why: Unanswered) -> NoResponse {
        NoResponse::Unanswered(why)
    }
}

type FromClient = RequestBody<Noting<Incoming>>;
type FromUpstream = Received<Coalesced<Incoming>>;

/// Sends requests to the upstream.
#[derive(Clone)]
struct Forward {
    client: Client<Upload<FromClient>>,
    websockets: Client<Upload<FromClient>>,
    upstream: Arc<Upstream>,
    response_timeout: Duration,
    shutdown: Shutdown,
}

impl Service<Request<FromClient>> for Forward {
    type Response = Response<FromUpstream>;
    type Error = NoResponse;
    type Future = Pin<Box<dyn Future<Output = Result<Response<FromUpstream>, NoResponse>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoResponse>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<FromClient>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.forward(request).await })
    }
}

impl Forward {
    async fn forward(self, mut request: Request<FromClient>) -> Result<Response<FromUpstream>, NoResponse> {
        let book = request.extensions_mut().remove::<Book>().expect("`answer` opened a book");
        if request.method() == Method::CONNECT {
            return Err(Unanswered::Tunnel.into());
        }
        let handshake = Handshake::of(&mut request);
        if handshake.is_none() && asks_for_another_protocol(request.headers()) {
            return Err(Unanswered::Upgrade.into());
        }
        *request.uri_mut() = self.upstream.target(request.uri()).map_err(|_| Unanswered::TooLong)?;
        // The client's version says nothing about the upstream's; the connection there decides.
        *request.version_mut() = Version::HTTP_11;
        remove_hop_by_hop(request.headers_mut());
        // Taken anew from the upstream's address; and we have already told the client to continue.
        request.headers_mut().remove(HOST);
        request.headers_mut().remove(EXPECT);
        let client = match &handshake {
            Some(_) => &self.websockets,
            None => &self.client,
        };
        if handshake.is_some() {
            websocket::ask(request.headers_mut());
        }

        let (head, body) = request.into_parts();
        let (body, turns) = Upload::new(body);
        let answered = tokio::select! {
            answered = client.send(Request::from_parts(head, body)) => answered,
            () = turns.upstream_is_late(self.response_timeout) => return Err(Unanswered::TimedOut.into()),
            () = self.shutdown.begun() => return Err(Unanswered::ShutDown.into()),
        };
        let mut response = answered.map_err(|error| {
            let failed = Failed::from(error);
            book.upstream_failed(failed.causes);
            failed.why
        })?;
        book.answered(response.status());
        let has_switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if has_switched && !handshake.as_ref().is_some_and(|_| websocket::is_accepted(response.headers())) {
            return Err(Unanswered::Switched.into());
        }
        // Nor does the upstream's about the client's: of a stream in HTTP/1.0 a cut would look like its end.
        *response.version_mut() = Version::HTTP_11;
        remove_hop_by_hop(response.headers_mut());
        // It invites the client to speak to the upstream itself.
        response.headers_mut().remove(ALT_SVC);
        if let Some(handshake) = handshake.filter(|_| has_switched) {
            return Err(NoResponse::Switched(Box::new(handshake.done(response))));
        }
        Ok(response.map(|body| Received::new(Coalesced::new(body), book)))
    }
}

/// Whether a request that is no WebSocket's cannot be answered in HTTP/1.1. An offer of HTTP/2, as Java's client makes it with every request, is
/// the same HTTP, and going on without it is an answer (RFC 9110, 7.8).
fn asks_for_another_protocol(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|name| !name.trim_ascii().eq_ignore_ascii_case(b"h2c"))
    })
}

/// Removes what belongs to one connection (RFC 9110, 7.6.1).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection"] {
        headers.remove(name);
    }
}

/// Numbers requests from a random start, so that the ids of several sidecars do not meet.
#[derive(Clone)]
struct RequestIds {
    process: u64,
    next: Arc<AtomicU64>,
}

impl Default for RequestIds {
    fn default() -> RequestIds {
        RequestIds { process: random::number(), next: Arc::default() }
    }
}

impl MakeRequestId for RequestIds {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:016x}-{number:x}", self.process);
        HeaderValue::from_str(&id).ok().map(RequestId::new)
    }
}
