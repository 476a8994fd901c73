//! Clients of HTTP/1.0, who know an answer's end by the connection's.
#![cfg(feature = "sidecar")]

mod scripted;

use holdback::sidecar::Drained;
use holdback::tower::OtherContent;
use scripted::{Client, Exchange, LAST_EVENTS, Upstream, event, start};
use std::net::SocketAddr;
use std::time::Duration;

/// Asks in HTTP/1.0 for content of this type, which the upstream has begun.
async fn open(proxy: SocketAddr, upstream: &Upstream, content_type: &str) -> (Client, Exchange) {
    let request = "POST /v1/chat/completions HTTP/1.0\r\nhost: me\r\ncontent-length: 2\r\n\r\n{}";
    let mut client = Client::send(proxy, request).await;
    let mut exchange = upstream.request().await;
    exchange.begin(content_type).await;
    let head = client.head().await;
    assert_eq!(head.first, "HTTP/1.0 200 OK");
    for name in ["transfer-encoding", "content-length"] {
        assert_eq!(head.get(name), None);
    }
    (client, exchange)
}

#[tokio::test]
async fn a_stream_ends_with_its_connection() {
    let (upstream, running) = start(|_| ()).await;
    let (client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    exchange.say(&event("hello ")).await;
    exchange.say(LAST_EVENTS).await;
    exchange.finish().await;
    assert_eq!(client.rest().await.expect("a regular end"), event("hello ") + LAST_EVENTS);
}

#[tokio::test]
async fn a_failure_that_can_be_said_is_said() {
    let (upstream, running) = start(|_| ()).await;
    let (client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    exchange.say(&event("hello ")).await;
    drop(exchange);
    let all = client.rest().await.expect("a regular end");
    assert!(all.contains("\"error\"") && !all.contains("[DONE]"), "{all}");
}

#[tokio::test]
async fn a_text_that_is_cut_off_does_not_look_whole() {
    let (upstream, running) = start(|_| ()).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/plain").await;
    exchange.say("half of ").await;
    assert_eq!(client.exactly(8).await, "half of ");
    drop(exchange);
    client.rest().await.expect_err("the connection is reset");
}

#[tokio::test]
async fn nor_does_one_that_a_stop_cut() {
    let (upstream, mut running) = start(|config| {
        config.drain_timeout = Duration::ZERO;
        config.other_content = OtherContent::Pass;
    })
    .await;
    let (text, half) = open(running.proxy, &upstream, "text/plain").await;
    let (image, half_too) = open(running.proxy, &upstream, "image/png").await;
    running.stop();
    for client in [text, image] {
        client.rest().await.expect_err("the connection is reset");
    }
    drop((half, half_too));
    assert_eq!(running.stopped().await, Drained::Cut(2));
}

#[tokio::test]
async fn a_document_has_a_length() {
    let (upstream, running) = start(|_| ()).await;
    let mut client = Client::send(running.proxy, "GET /v1/models HTTP/1.0\r\nhost: me\r\n\r\n").await;
    let mut exchange = upstream.request().await;
    exchange.begin("application/json").await;
    exchange.say("{\"id\":\"Nightjar\"}").await;
    exchange.finish().await;
    assert_eq!(client.head().await.get("content-length"), Some("19"));
    assert_eq!(client.rest().await.expect("a regular end"), "{\"id\":\"[codename]\"}");
}
