//! Where a service is.

use crate::hold::Unjudged;
use crate::net::{Client, Trust};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Far more than any of the services says about a passage.
const ANSWER_BYTES: usize = 1 << 20;
/// A service of one's own is near, and a check's deadline is short.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The address of a service, with what it is to be sent beside a question, and the pool of connections to it. Clones share
/// the pool.
///
/// ```
/// use holdback::check::http::Endpoint;
///
/// let endpoint = Endpoint::new("https://api.example.com/v1/")?.bearer("EXAMPLE-TOKEN")?;
/// assert_eq!(endpoint.to_string(), "https://api.example.com/v1");
/// assert!(!format!("{endpoint:?}").contains("EXAMPLE-TOKEN"));
/// assert!(Endpoint::new("api.example.com").is_err());
/// # Ok::<(), holdback::check::http::EndpointError>(())
/// ```
#[derive(Clone)]
pub struct Endpoint {
    // Without a slash at its end.
    base: String,
    headers: HeaderMap,
    client: Client<Full<Bytes>>,
}

impl Endpoint {
    /// A service at this address, which speaks HTTP or HTTPS. Paths are put behind it.
    pub fn new(url: &str) -> Result<Endpoint, EndpointError> {
        let uri: Uri = url.parse().map_err(|_| EndpointError("not a URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(EndpointError("it needs a scheme: http://host or https://host"));
        }
        let authority = uri.authority().ok_or(EndpointError("it needs a host"))?;
        if authority.as_str().contains('@') {
            return Err(EndpointError("it must not carry credentials; send them as a header"));
        }
        // Paths are put behind it, and what parses a URI drops a fragment without a word.
        if uri.query().is_some() || url.contains('#') {
            return Err(EndpointError("it must not have a query or a fragment"));
        }
        let base = url.trim_end_matches('/').to_owned();
        Ok(Endpoint { base, headers: HeaderMap::new(), client: Client::new(Trust::default(), CONNECT_TIMEOUT) })
    }

    /// Believes these authorities in place of the web's.
    pub fn trust(self, trust: Trust) -> Endpoint {
        Endpoint { client: Client::new(trust, CONNECT_TIMEOUT), ..self }
    }

    /// Sends this header with every question. It is never shown.
    pub fn header(mut self, name: &str, value: &str) -> Result<Endpoint, EndpointError> {
        let name: HeaderName = name.parse().map_err(|_| EndpointError("not the name of a header"))?;
        let mut value: HeaderValue = value.parse().map_err(|_| EndpointError("not the value of a header"))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sends `Authorization: Bearer` with this token.
    pub fn bearer(self, token: &str) -> Result<Endpoint, EndpointError> {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    pub(super) async fn post(&self, path: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Bytes, Unjudged> {
        let request = Request::post(format!("{}{path}", self.base)).body(Full::from(body));
        let mut request = request.map_err(|_| Unjudged::Failed)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers_mut().extend(self.headers.clone());
        request.headers_mut().extend(headers);
        let response = self.client.send(request).await.map_err(|_| Unjudged::Failed)?;
        match response.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => return Err(Unjudged::Overloaded),
            status if !status.is_success() => return Err(Unjudged::Failed),
            _ => {}
        }
        let answer = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        match answer {
            Ok(answer) => Ok(answer.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Unjudged::Unreadable),
            Err(_) => Err(Unjudged::Failed),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Why a text is no endpoint, or no header of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointError(&'static str);

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for EndpointError {}
