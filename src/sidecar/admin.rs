//! The admin port: health, readiness, metrics, and the kill switch.

use super::metrics::Metrics;
use crate::body::Shutdown;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the admin port tells.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) metrics: Metrics,
    /// Set once a stop was asked for: alive, but no longer to be sent requests.
    pub(super) draining: Arc<AtomicBool>,
    pub(super) shutdown: Shutdown,
}

impl Admin {
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if *request.method() == Method::POST && matches!(path, "/-/kill" | "/-/revive") {
            return self.switch(request);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET, and POST /-/kill and /-/revive\n");
        }
        match path {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.draining.load(Ordering::Relaxed) => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            "/readyz" if self.shutdown.has_begun() => text(StatusCode::SERVICE_UNAVAILABLE, "killed\n"),
            "/readyz" => text(StatusCode::OK, "ready\n"),
            "/metrics" => {
                let mut response = Response::new(Full::from(self.metrics.encode()));
                let open_metrics =
                    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, open_metrics);
                response
            }
            _ => text(
                StatusCode::NOT_FOUND,
                "here are /healthz, /readyz and /metrics, and to POST /-/kill and /-/revive\n",
            ),
        }
    }
}

impl Admin {
    /// Ends every stream and refuses every request, or takes that back.
    fn switch<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        // Browsers say so when a page sends it, which may be anybody's.
        if request.headers().contains_key(ORIGIN) {
            return text(StatusCode::FORBIDDEN, "not for web pages\n");
        }
        if self.draining.load(Ordering::Relaxed) {
            return text(StatusCode::CONFLICT, "draining\n");
        }
        if request.uri().path() == "/-/kill" {
            tracing::warn!("killed: streams are ended and requests refused until POST /-/revive");
            self.shutdown.begin();
            return text(StatusCode::OK, "killed: streams are ended and requests refused\n");
        }
        tracing::warn!("revived");
        self.shutdown.revoke();
        text(StatusCode::OK, "requests are taken\n")
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
