//! A tower layer that moderates every response of the service inside it, and every request if the policy has rules for
//! them.
//!
//! It fits a server, such as an axum router, and a client, such as hyper-util's, and asks for no runtime.
//!
//! ```
//! use bytes::Bytes;
//! use holdback::tower::{HoldbackLayer, RequestBody};
//! use holdback::{Policy, Rule};
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use std::convert::Infallible;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar").redact("[codename]")).build()?;
//! let answer = service_fn(|_: Request<RequestBody<String>>| async {
//!     let response = Response::builder().header("content-type", "text/plain");
//!     Ok::<_, Infallible>(response.body(Full::<Bytes>::from("We call it Nightjar.")).expect("a valid response"))
//! });
//!
//! let moderated = HoldbackLayer::new(policy).layer(answer);
//! let response = moderated.oneshot(Request::new(String::new())).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "We call it [codename].");
//! # Ok(()) }
//! ```
//!
//! # What is moderated
//!
//! | response | treatment |
//! |---|---|
//! | `text/event-stream`, `application/json`, `*+json`, `text/plain` | moderated, whatever its status |
//! | no body: `HEAD`, 204, 304 | passed |
//! | anything else, event streams of other APIs than chat completions, an unknown content coding, a partial response | [`OtherContent`]: refused unless the policy's owner says otherwise |
//! | a switch of protocols (101) | refused |
//!
//! The response says which in its `x-holdback-mode` header and in its [`Treatment`] extension. Requests are asked for
//! plain and whole (`Accept-Encoding: identity`, no `Range`); an upstream that compresses nevertheless is decoded.
//! Headers that describe the unmoderated bytes, such as `Content-Length` and `ETag`, are removed.
//!
//! The head of an event stream or a text leaves at once. That of a JSON document waits for the document's end, before
//! which none of it could leave anyway, and tells what became of it: 502 with an error in its place if it broke off,
//! cannot be read or is too large, 504 if the upstream fell silent, 400 if the policy ended it and it is no chat
//! completion, which says so itself. An upstream's own 4xx or 5xx stays.
//!
//! # Requests
//!
//! A policy without rules for requests leaves them alone: bodies stream through as they come. Under one that has some
//! ([`Direction`](crate::rule::Direction)) the service within is not called before a request's body has come whole and
//! was moderated by [`moderate_request`](crate::wire::moderate_request), whatever the request's method:
//!
//! | request | treatment |
//! |---|---|
//! | no body | passed |
//! | `application/json`, `*+json`, plain or in gzip or deflate | moderated. It goes on as the very bytes that came, or edited, uncompressed and with a new `Content-Length`. 400 if the policy refuses it or it cannot be read, 413 beyond 32 MiB |
//! | no content type, `text/plain`, form data as `curl -d` calls it | the same if it is JSON |
//! | anything else: multipart uploads, media, another content coding | [`OtherContent`]: refused with 415 unless the policy's owner says otherwise, without being read |
//!
//! What is refused gets an error in the form of the API that has the path, and the service within never hears of it. The
//! response says what was done in its `x-holdback-request` header and its [`RequestTreatment`] extension, and why in the
//! extension [`Refused`](crate::wire::Refused). A dropped future drops the body that it reads; a body that does not come is
//! for the server to time out. A request that is signed over its body, as AWS has it, does not survive an edit: sign it
//! behind the layer.

mod asked;
mod body;
mod choose;
mod content;
mod decode;
mod entry;
mod future;
mod headers;
mod layer;
mod metered;
mod model;
mod policies;
mod request;
mod service;
mod status;
mod whole;

pub use asked::Asked;
pub use body::{RequestBody, ResponseBody};
pub use choose::{Choose, Watch, by_header};
pub use content::{OtherContent, Treatment};
pub use future::ResponseFuture;
#[cfg(feature = "sidecar")]
pub(crate) use headers::announce;
pub use layer::HoldbackLayer;
pub use model::RequestedModel;
pub use policies::Policies;
pub use request::RequestTreatment;
pub use service::Holdback;

const POLLED: &str = "a future is not polled after it was ready";
