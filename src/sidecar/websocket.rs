//! WebSockets: two connections that switch from HTTP in one handshake, and the messages between them.
//!
//! The client's key goes up to the upstream and the upstream's answer to it comes down, so there is no handshake of ours.
//! Extensions are not offered: they change what a frame is, and compressed text cannot be moderated.

mod answers;
mod closing;
mod session;

pub(super) use session::Sessions;

use crate::policy::Policy;
use crate::wire::Dialect;
use http::header::{CONNECTION, SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version};
use hyper::upgrade::OnUpgrade;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const SWITCH: HeaderValue = HeaderValue::from_static("upgrade");

/// The client's half of a handshake.
pub(super) struct Handshake {
    client: OnUpgrade,
    dialect: Option<Dialect>,
    policy: Option<Policy>,
}

/// A handshake that the upstream has agreed to.
pub(super) struct Switched {
    /// Its agreement, for the client.
    response: Response<()>,
    client: OnUpgrade,
    upstream: OnUpgrade,
    dialect: Option<Dialect>,
    policy: Option<Policy>,
}

impl Handshake {
    /// The handshake that a request begins, if it asks for a WebSocket (RFC 6455, 4.1).
    pub(super) fn of<B>(request: &mut Request<B>) -> Option<Handshake> {
        let asks = request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && lists(request.headers(), &CONNECTION, "upgrade")
            && lists(request.headers(), &UPGRADE, "websocket");
        asks.then(|| Handshake {
            dialect: Dialect::of_route(request.uri().path()),
            // The layer has chosen it.
            policy: request.extensions_mut().remove(),
            client: hyper::upgrade::on(request),
        })
    }

    /// The upstream has agreed by this response.
    pub(super) fn done<B>(self, mut response: Response<B>) -> Switched {
        let Handshake { client, dialect, policy } = self;
        let upstream = hyper::upgrade::on(&mut response);
        let mut response = response.map(drop);
        switch(response.headers_mut());
        Switched { response, client, upstream, dialect, policy }
    }
}

/// Asks for a WebSocket in the headers of a request that has lost those of the client's connection.
pub(super) fn ask(headers: &mut HeaderMap) {
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    switch(headers);
}

/// Whether a 101 of these headers is what was asked for.
pub(super) fn is_accepted(headers: &HeaderMap) -> bool {
    lists(headers, &UPGRADE, "websocket") && !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS)
}

fn switch(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, SWITCH);
    headers.insert(UPGRADE, WEBSOCKET);
}

/// Whether a header's list has this element.
fn lists(headers: &HeaderMap, name: &HeaderName, element: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|its| its.trim_ascii().eq_ignore_ascii_case(element.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_a_websocket() {
        let cases = [
            ("GET", Version::HTTP_11, "Upgrade", "websocket", true),
            ("GET", Version::HTTP_11, "keep-alive, upgrade", "h2c, WebSocket", true),
            ("GET", Version::HTTP_11, "keep-alive", "websocket", false),
            ("GET", Version::HTTP_11, "upgrade", "websockets", false),
            ("POST", Version::HTTP_11, "upgrade", "websocket", false),
            ("GET", Version::HTTP_10, "upgrade", "websocket", false),
        ];
        for (method, version, connection, upgrade, asks) in cases {
            let request = Request::builder().method(method).version(version);
            let request = request.header(CONNECTION, connection).header(UPGRADE, upgrade);
            let handshake = Handshake::of(&mut request.body(()).unwrap());
            assert_eq!(handshake.is_some(), asks, "{method} {version:?} {connection} {upgrade}");
        }
    }
}
