//! The demo's client: asks through the proxy and notes what arrives.

use super::model::WATCHED;
use super::view::Beat;
use anyhow::Context;
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::sync::mpsc::UnboundedSender;

/// What the client asks, here and in the line to try.
pub(super) const QUESTION: &str =
    r#"{"model":"demo","stream":true,"messages":[{"role":"user","content":"What happened?"}]}"#;

/// Asks once and reads the answer to its end, however it ends.
pub(super) async fn ask(proxy: SocketAddr, watch: UnboundedSender<Beat>) -> anyhow::Result<()> {
    let asked = read_answer(proxy, &watch).await;
    // Nobody watches any more once the view is closed; so it is below.
    let _ = watch.send(Beat::Over);
    asked
}

async fn read_answer(proxy: SocketAddr, watch: &UnboundedSender<Beat>) -> anyhow::Result<()> {
    let request = Request::post(format!("http://{proxy}/v1/chat/completions"))
        .header(CONTENT_TYPE, "application/json")
        .header(WATCHED, "1")
        .body(Full::<Bytes>::from(QUESTION))?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut body = client.request(request).await.context("the demo cannot reach its own proxy")?.into_body();
    let mut pending = String::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        pending.push_str(&String::from_utf8_lossy(&data));
        while let Some((event, rest)) = pending.split_once("\n\n") {
            if let Some(beat) = beat(event) {
                let _ = watch.send(beat);
            }
            pending = rest.to_owned();
        }
    }
    Ok(())
}

fn beat(event: &str) -> Option<Beat> {
    let chunk: Value = serde_json::from_str(event.strip_prefix("data: ")?).ok()?;
    let number = chunk["number"].as_u64()?;
    let text = chunk["choices"][0]["delta"]["content"].as_str()?;
    Some(Beat::received(number as usize, text))
}
