//! A client that cannot be told secrets: the same layer, around hyper-util's client.
//!
//! `cargo run --example hyper_client -- http://127.0.0.1:3000/v1/chat/completions`

use holdback::tower::HoldbackLayer;
use holdback::{Pack, Policy};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::io::Write;
use tower::{Layer, ServiceExt};

/// Asks and hands each piece of the answer to `hear`, as soon as it may be heard.
pub async fn ask(url: Uri, mut hear: impl FnMut(&[u8])) -> Result<(), Box<dyn Error>> {
    let policy = Policy::builder().pack(Pack::PII).pack(Pack::SECRETS).build()?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client = HoldbackLayer::new(policy).layer(client);

    let question = r#"{"stream":true,"messages":[{"role":"user","content":"Who wrote to us?"}]}"#;
    let request = Request::post(url).header("content-type", "application/json").body(Full::<Bytes>::from(question))?;
    let mut answer = client.oneshot(request).await?.into_body();
    while let Some(frame) = answer.frame().await {
        if let Ok(data) = frame?.into_data() {
            hear(&data);
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: hyper_client URL")?.parse()?;
    let mut output = std::io::stdout();
    ask(url, |piece| {
        // A closed pipe ends us at the next write.
        let _ = output.write_all(piece).and_then(|()| output.flush());
    })
    .await
}
