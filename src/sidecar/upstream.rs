//! The way to the upstream: where it is, and the pool of connections to it.

use super::reply::Unanswered;
use super::trust::Trust;
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body::Body;
use hyper::body::Incoming;
use hyper_rustls::builderstates::WantsProtocols1;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::Service;

/// Where requests go: scheme, host and a base path.
///
/// ```
/// use holdback::sidecar::Upstream;
///
/// let upstream: Upstream = "https://api.example.com/openai/".parse()?;
/// let target = upstream.target(&"/v1/models?limit=2".parse()?)?;
/// assert_eq!(target, "https://api.example.com/openai/v1/models?limit=2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    scheme: Scheme,
    authority: Authority,
    // Without a slash at its end.
    base_path: String,
}

impl Upstream {
    /// Whether it speaks TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The address of what a client asked for; an error if, behind the base path, it is longer than an address may be.
    pub fn target(&self, asked: &Uri) -> Result<Uri, http::Error> {
        let asked = asked.path_and_query().map_or("/", PathAndQuery::as_str);
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{asked}", self.base_path))
            .build()
    }
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(url: &str) -> Result<Upstream, UpstreamError> {
        let parts = url.parse::<Uri>().map_err(|_| UpstreamError("not a URL"))?.into_parts();
        let scheme = parts.scheme.ok_or(UpstreamError("it needs a scheme: https://host"))?;
        if scheme != Scheme::HTTPS && scheme != Scheme::HTTP {
            return Err(UpstreamError("only http and https are spoken"));
        }
        let authority = parts.authority.ok_or(UpstreamError("it needs a host"))?;
        if authority.as_str().contains('@') {
            return Err(UpstreamError("it must not carry credentials; send them as a header"));
        }
        let path = parts.path_and_query.unwrap_or(PathAndQuery::from_static("/"));
        if path.query().is_some() {
            return Err(UpstreamError("it must not have a query"));
        }
        Ok(Upstream { scheme, authority, base_path: path.path().trim_end_matches('/').to_owned() })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base_path)
    }
}

/// Why a text is no upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamError(&'static str);

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for UpstreamError {}

/// A pool of connections.
pub(super) struct Client<B>(legacy::Client<Connector, B>);

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
    pub(super) fn new(trust: Trust, connect_timeout: Duration) -> Client<B> {
        let https = https(trust).enable_http1().enable_http2();
        Client::over(connect_timeout, |tcp| https.wrap_connector(tcp))
    }

    /// A pool whose connections speak HTTP/1.1, from which they may switch to another protocol.
    pub(super) fn http1(trust: Trust, connect_timeout: Duration) -> Client<B> {
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

    pub(super) async fn send(&self, request: Request<B>) -> Result<Response<Incoming>, Failed> {
        Ok(self.0.request(request).await?)
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
struct ConnectTimedOut;

impl fmt::Display for ConnectTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connecting or the TLS handshake took too long")
    }
}

impl Error for ConnectTimedOut {}

/// Why the upstream did not answer.
pub(super) struct Failed {
    pub(super) why: Unanswered,
    /// The error and its causes, for the log: they speak of connections, never of content.
    pub(super) causes: String,
}

impl From<legacy::Error> for Failed {
    fn from(error: legacy::Error) -> Failed {
        let causes: Vec<&(dyn Error + 'static)> =
            std::iter::successors(Some(&error as &(dyn Error + 'static)), |&error| error.source()).collect();
        let timed_out = |cause: &&(dyn Error + 'static)| {
            let io = cause.downcast_ref::<io::Error>();
            cause.is::<ConnectTimedOut>() || io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        };
        let why = match error.is_connect() {
            true if causes.iter().any(timed_out) => Unanswered::NotConnected,
            true => Unanswered::Unreachable,
            false => Unanswered::Broken,
        };
        let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
        Failed { why, causes: causes.join(": ") }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_paths_are_joined() {
        for (upstream, asked, target) in [
            ("http://h:1", "/v1/x?y=%20", "http://h:1/v1/x?y=%20"),
            ("http://h:1/", "/", "http://h:1/"),
            ("http://h:1/base", "/", "http://h:1/base/"),
            ("https://h/a/b/", "/c", "https://h/a/b/c"),
        ] {
            let upstream: Upstream = upstream.parse().unwrap();
            assert_eq!(upstream.target(&asked.parse().unwrap()).unwrap(), target);
        }
    }

    #[test]
    fn a_path_that_outgrows_an_address_is_an_error() {
        let upstream: Upstream = format!("http://h/{}", "b".repeat(300)).parse().unwrap();
        let asked = format!("/{}", "a".repeat(65_300)).parse().unwrap();
        assert!(upstream.target(&asked).is_err());
    }

    #[test]
    fn what_is_no_upstream() {
        for text in ["", "host", "ftp://host", "https://", "http://me:pw@host", "http://host/?q=1", "http://ho st"] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
    }
}
