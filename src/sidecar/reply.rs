//! Errors of our own, in the form that clients of OpenAI's API show to people.

use crate::wire::{Ending, Failure};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use std::any::Any;

/// Why a request got no response from its upstream. Never quotes a request or a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// The proxy is not a tunnel.
    Tunnel,
    /// The request asks for a protocol that nobody here can moderate.
    Upgrade,
    /// The upstream switched protocols, or to an extension of one, which it was not asked to.
    Switched,
    /// Behind the upstream's base path, the request's path is longer than an address may be.
    TooLong,
    /// There is no connection to the upstream.
    Unreachable,
    /// A connection to the upstream was not there in time.
    NotConnected,
    /// The connection broke before the response began.
    Broken,
    /// The response did not begin in time.
    TimedOut,
    /// The response had not begun when the sidecar had to stop.
    ShutDown,
}

impl Unanswered {
    /// Its word in logs and in the client's error.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Unanswered::Tunnel => "tunnel_refused",
            Unanswered::Upgrade => "upgrade_refused",
            Unanswered::Switched => "upstream_switched",
            Unanswered::TooLong => "path_too_long",
            Unanswered::Unreachable => "upstream_unreachable",
            Unanswered::NotConnected => "upstream_connect_timeout",
            Unanswered::Broken => "upstream_failed",
            Unanswered::TimedOut => "upstream_timeout",
            Unanswered::ShutDown => "shut_down",
        }
    }

    pub(super) const fn ending(self) -> Ending {
        match self {
            // What was asked was answered.
            Unanswered::Tunnel | Unanswered::Upgrade | Unanswered::TooLong => Ending::Complete,
            Unanswered::Switched => Ending::UpstreamFailed(Failure::Malformed),
            Unanswered::Unreachable | Unanswered::Broken => Ending::UpstreamFailed(Failure::Cut),
            Unanswered::NotConnected | Unanswered::TimedOut => Ending::TimedOut,
            Unanswered::ShutDown => Ending::ShutDown,
        }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let (status, message) = match self {
            Unanswered::Tunnel => (StatusCode::NOT_IMPLEMENTED, "holdback does not open tunnels"),
            Unanswered::Upgrade => (
                StatusCode::NOT_IMPLEMENTED,
                "holdback moderates HTTP/1.1, HTTP/2 and WebSockets, and does not switch to another protocol",
            ),
            Unanswered::Switched => (StatusCode::BAD_GATEWAY, "the upstream switched protocols without being asked to"),
            Unanswered::TooLong => (StatusCode::URI_TOO_LONG, "the request's path is too long"),
            Unanswered::Unreachable => (StatusCode::BAD_GATEWAY, "holdback cannot connect to its upstream"),
            Unanswered::NotConnected => {
                (StatusCode::GATEWAY_TIMEOUT, "holdback did not get a connection to its upstream in time")
            }
            Unanswered::Broken => (StatusCode::BAD_GATEWAY, "the upstream closed the connection without an answer"),
            Unanswered::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "the upstream did not begin to answer in time"),
            Unanswered::ShutDown => {
                (StatusCode::SERVICE_UNAVAILABLE, "holdback had to stop before the upstream answered")
            }
        };
        error(status, self.code(), message)
    }
}

/// The word for a bug of ours, in logs and in the client's error.
pub(super) const PANICKED: &str = "internal_error";

/// What a client gets when a bug of ours stopped its request. Nothing of the response has left by then.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response<Full<Bytes>> {
    tracing::error!("a request was stopped by a bug in holdback");
    error(StatusCode::INTERNAL_SERVER_ERROR, PANICKED, "holdback failed and passed nothing on")
}

fn error(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({
        "error": { "message": message, "type": "holdback_error", "param": null, "code": code }
    });
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
