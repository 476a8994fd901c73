//! The examples do what they say.
#![cfg(feature = "sidecar")]

#[allow(dead_code, reason = "its `main` serves for ever")]
#[path = "../examples/axum_server.rs"]
mod axum_server;
#[allow(dead_code, reason = "its `main` serves for ever")]
#[path = "../examples/custom_check.rs"]
mod custom_check;
#[path = "../examples/engine.rs"]
mod engine;
#[allow(dead_code, reason = "its `main` takes an argument")]
#[path = "../examples/hyper_client.rs"]
mod hyper_client;

use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

#[test]
fn the_engine_runs() {
    engine::main().expect("it runs");
}

#[tokio::test]
async fn the_server_is_moderated() {
    let request = Request::post("/v1/chat/completions").body(axum::body::Body::empty()).unwrap();
    let response = axum_server::app().expect("a valid policy").oneshot(request).await.unwrap();
    assert_eq!(response.headers()["x-holdback-mode"], "moderated");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = std::str::from_utf8(&body).unwrap();
    assert!(body.contains("[codename]") && body.contains("[secrets.aws-access-key-id]"), "{body}");
    assert!(!body.contains("Night") && !body.contains("AKIA") && body.ends_with("data: [DONE]\n\n"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn the_check_is_asked() {
    let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
    let response = custom_check::app().expect("a valid policy").oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "It is simple. [unkind] Try again.");
}

#[tokio::test]
async fn the_client_is_moderated() {
    let answer = || async { "Jane, jane.roe@mail.test, wrote to us." };
    let app = axum::Router::new().route("/ask", axum::routing::post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ask", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });

    let mut heard = Vec::new();
    hyper_client::ask(url.parse().unwrap(), |piece| heard.extend_from_slice(piece)).await.expect("an answer");
    assert_eq!(String::from_utf8(heard).unwrap(), "Jane, [pii.email], wrote to us.");
}
