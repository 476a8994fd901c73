//! A server whose answers are moderated: one layer on the router.
//!
//! `cargo run --example axum_server`, then `curl -N -X POST http://127.0.0.1:3000/v1/chat/completions`

use axum::Router;
use axum::response::Sse;
use axum::response::sse::Event;
use axum::routing::post;
use holdback::tower::HoldbackLayer;
use holdback::{Pack, Policy, Rule};
use serde_json::json;
use std::convert::Infallible;
use std::error::Error;
use tokio_stream::Stream;

/// The router, under a policy.
pub fn app() -> Result<Router, holdback::BuildError> {
    let policy = Policy::builder()
        .pack(Pack::SECRETS)
        .rule(Rule::literal("acme.codename", "Nightjar").redact("[codename]"))
        .build()?;
    Ok(Router::new().route("/v1/chat/completions", post(chat)).layer(HoldbackLayer::new(policy)))
}

/// Where a model would be asked.
async fn chat() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let said = ["We call it Night", "jar. The key is AKIAQ3EG", "RT5WXPLM7Z2K."]
        .map(|text| chunk(json!({ "content": text }), None));
    let last = [chunk(json!({}), Some("stop")), Event::default().data("[DONE]")];
    Sse::new(tokio_stream::iter(said.into_iter().chain(last).map(Ok)))
}

fn chunk(delta: serde_json::Value, finish_reason: Option<&str>) -> Event {
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": "example",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish_reason }],
    });
    Event::default().data(chunk.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()?).await?;
    Ok(())
}
