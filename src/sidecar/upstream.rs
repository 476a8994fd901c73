//! The way to the upstream: where it is, and why it does not answer.

use super::reply::Unanswered;
use crate::net::{ClientError, ConnectTimedOut};
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use std::error::Error;
use std::fmt;
use std::io;
use std::str::FromStr;

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

/// Why the upstream did not answer.
pub(super) struct Failed {
    pub(super) why: Unanswered,
    /// The error and its causes, for the log: they speak of connections, never of content.
    pub(super) causes: String,
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Failed {
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
