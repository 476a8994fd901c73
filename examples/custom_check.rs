//! A check of one's own: a server whose answers are judged sentence by sentence before they leave.
//!
//! `cargo run --example custom_check`, then `curl -N http://127.0.0.1:3000/`

use axum::Router;
use axum::routing::get;
use holdback::check::Checks;
use holdback::hold::{Judgement, Passage, Unjudged};
use holdback::rule::Check;
use holdback::sidecar::TokioTimer;
use holdback::tower::HoldbackLayer;
use holdback::{BuildError, Policy};
use std::error::Error;
use std::time::Duration;
use tower::{ServiceBuilder, service_fn};

/// Where a model would be asked, which takes its time.
async fn judge(passage: Passage) -> Result<Judgement, Unjudged> {
    tokio::time::sleep(Duration::from_millis(40)).await;
    let is_rude = passage.text().contains("blockhead");
    Ok(if is_rude { Judgement::redact().category("rude").score(0.9) } else { Judgement::clear() })
}

/// The router, under a policy. At most sixteen sentences are judged at once, those of all streams together.
pub fn app() -> Result<Router, BuildError> {
    let check = Check::gate("tone").context(200).deadline(Duration::from_millis(500)).replace("[unkind] ");
    let policy = Policy::builder().check(check).build()?;
    let judge = ServiceBuilder::new().concurrency_limit(16).service(service_fn(judge));
    let layer = HoldbackLayer::new(policy).checks(TokioTimer, Checks::new().bind("tone", judge));
    let answer = async || "It is simple. You are a blockhead. Try again.";
    Ok(Router::new().route("/", get(answer)).layer(layer))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()?).await?;
    Ok(())
}
