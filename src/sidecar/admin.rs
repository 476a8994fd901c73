//! The admin port: health, readiness and metrics.

use super::metrics::Metrics;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
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
}

impl Admin {
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.draining.load(Ordering::Relaxed) => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            "/readyz" => text(StatusCode::OK, "ready\n"),
            "/metrics" => {
                let mut response = Response::new(Full::from(self.metrics.encode()));
                let open_metrics =
                    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, open_metrics);
                response
            }
            _ => text(StatusCode::NOT_FOUND, "here are /healthz, /readyz and /metrics\n"),
        }
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
