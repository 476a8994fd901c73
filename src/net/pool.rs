//! Pools of connections.

use super::Trust;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use hyper::body::Incoming;
use hyper_rustls::builderstates::WantsProtocols1;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// Why there is no response.
pub(crate) type ClientError = legacy::Error;

/// A pool of connections.
pub(crate) struct Client<B>(legacy::Client<Connector, B>);

impl<B> Clone for Client<B> {
    fn clone(&self) -> Client<B> {
        Client(self.0.clone())
    }
}

impl<B> Client<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// A pool whose connections speak HTTP/2 if the upstream does.
    pub(crate) fn new(trust: Trust, connect_timeout: Duration) -> Client<B> {
        let https = https(trust).enable_http1().enable_http2();
        Client::over(connect_timeout, |tcp| https.wrap_connector(tcp))
    }

    /// A pool whose connections speak HTTP/1.1, from which they may switch to another protocol.
    #[cfg(feature = "sidecar")]
    pub(crate) fn http1(trust: Trust, connect_timeout: Duration) -> Client<B> {
        let https = https(trust).enable_http1();
        Client::over(connect_timeout, |tcp| https.wrap_connector(tcp))
    }

    fn over(
        connect_timeout: Duration,
        https: impl FnOnce(HttpConnector) -> HttpsConnector<HttpConnector>,
    ) -> Client<B> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // hyper's default is off, and Nagle's algorithm turns a stream of tokens into bursts.
        tcp.set_nodelay(true);
        // For each address its share, so that a dead one leaves time for the others.
        tcp.set_connect_timeout(Some(connect_timeout));
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(Connector { https: https(tcp), limit: connect_timeout });
        Client(pool)
    }

    pub(crate) async fn send(&self, request: Request<B>) -> Result<Response<Incoming>, ClientError> {
        self.0.request(request).await
    }
}

/// Connects in time, or not at all.
#[derive(Clone)]
struct Connector {
    https: HttpsConnector<HttpConnector>,
    limit: Duration,
}

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(self.limit, self.https.call(address));
        Box::pin(async { connecting.await.map_err(|_| ConnectTimedOut)? })
    }
}

/// A connection was not there in time.
#[derive(Debug)]
pub(crate) struct ConnectTimedOut;

impl fmt::Display for ConnectTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connecting or the TLS handshake took too long")
    }
}

impl Error for ConnectTimedOut {}

fn https(trust: Trust) -> HttpsConnectorBuilder<WantsProtocols1> {
    HttpsConnectorBuilder::new().with_tls_config(tls(trust)).https_or_http()
}

fn tls(trust: Trust) -> ClientConfig {
    // The provider is named here and never installed for the process: with two of them in one binary rustls panics.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default protocol versions")
        .with_root_certificates(trust.into_roots())
        .with_no_client_auth()
}
