//! A tower layer that moderates every response of the service inside it.
//!
//! It fits a server, such as an axum router, and a client, such as hyper-util's, and asks for no runtime.
//!
//! ```
//! use bytes::Bytes;
//! use holdback::tower::HoldbackLayer;
//! use holdback::{Policy, Rule};
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use std::convert::Infallible;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar").redact("[codename]")).build()?;
//! let answer = service_fn(|_: Request<()>| async {
//!     let response = Response::builder().header("content-type", "text/plain");
//!     Ok::<_, Infallible>(response.body(Full::<Bytes>::from("We call it Nightjar.")).expect("a valid response"))
//! });
//!
//! let moderated = HoldbackLayer::new(policy).layer(answer);
//! let response = moderated.oneshot(Request::new(())).await?;
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

mod asked;
mod body;
mod choose;
mod content;
mod decode;
mod future;
mod headers;
mod layer;
mod service;
mod status;

pub use asked::Asked;
pub use body::ResponseBody;
pub use choose::{Choose, Watch, by_header};
pub use content::{OtherContent, Treatment};
pub use future::ResponseFuture;
#[cfg(feature = "sidecar")]
pub(crate) use headers::announce;
pub use layer::HoldbackLayer;
pub use service::Holdback;
