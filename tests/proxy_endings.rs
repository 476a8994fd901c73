//! How streams end at the sidecar, whoever ends them, and how the sidecar itself ends.
#![cfg(feature = "sidecar")]

mod scripted;

use holdback::Ending;
use holdback::sidecar::Drained;
use scripted::{Client, LAST_EVENTS, Running, Upstream, event, listen, open, start};
use std::time::Duration;

#[tokio::test]
async fn a_policy_stop_is_a_content_filter_ending_and_cancels_the_upstream() {
    let (upstream, mut running) = start(|_| ()).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    exchange.say(&event("look, a Basilisk and more")).await;
    let all = client.hear_all().await;
    assert!(all.contains("\"content_filter\"") && all.ends_with("data: [DONE]\n\n"), "{all}");
    assert!(!all.contains("Basilisk"), "{all}");
    exchange.cancelled().await;
    assert!(matches!(running.account().await.ending, Some(Ending::Terminated(_))));
}

#[tokio::test]
async fn a_stopped_stream_tells_its_usage_to_clients_that_asked() {
    let (upstream, running) = start(|_| ()).await;
    let asking = r#"{"stream":true,"stream_options":{"include_usage":true}}"#;
    for (request, usages) in [(asking, 2), (r#"{"stream":true}"#, 1)] {
        let mut client = Client::ask(running.proxy, request).await;
        let mut exchange = upstream.request().await;
        assert_eq!(exchange.body, request);
        exchange.begin("text/event-stream").await;
        client.head().await;
        // As gateways do that count in every chunk.
        exchange.say(&event("one").replace("\"choices\"", "\"usage\":{\"total_tokens\":7},\"choices\"")).await;
        exchange.say(&event(" Basilisk")).await;
        let all = client.hear_all().await;
        assert_eq!(all.matches("\"total_tokens\":7").count(), usages, "{all}");
    }
}

#[tokio::test]
async fn a_client_that_goes_cancels_the_upstream() {
    let (upstream, mut running) = start(|_| ()).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    exchange.say(&event("hello ")).await;
    assert_eq!(client.hear().await, event("hello "));
    drop(client);
    exchange.cancelled().await;
    assert_eq!(running.account().await.ending, Some(Ending::ClientGone));
}

#[tokio::test]
async fn a_client_that_goes_before_the_answer_cancels_the_upstream() {
    let (upstream, mut running) = start(|_| ()).await;
    let client = Client::ask(running.proxy, "{}").await;
    let exchange = upstream.request().await;
    drop(client);
    exchange.cancelled().await;
    let account = running.account().await;
    assert_eq!((account.ending, account.status, account.upstream_status), (Some(Ending::ClientGone), None, None));
}

#[tokio::test]
async fn a_broken_upstream_ends_in_an_error_event() {
    let (upstream, mut running) = start(|_| ()).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    exchange.say(&event("hello Night")).await;
    drop(exchange);
    let all = client.hear_all().await;
    assert!(all.contains("\"error\""), "{all}");
    assert!(!all.contains("Night") && !all.contains("[DONE]"), "{all}");
    assert!(matches!(running.account().await.ending, Some(Ending::UpstreamFailed(_))));
}

#[tokio::test]
async fn half_a_text_never_looks_whole() {
    let (upstream, running) = start(|_| ()).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/plain").await;
    exchange.say("half of ").await;
    assert_eq!(client.hear().await, "half of ");
    drop(exchange);
    assert_eq!(client.heard().await, None, "the connection breaks, for plain text has no error of its own");
}

#[tokio::test]
async fn a_silent_upstream_ends_in_an_error_event() {
    let (upstream, mut running) = start(|config| config.idle_timeout = Duration::from_millis(200)).await;
    let (mut client, exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    let all = client.hear_all().await;
    assert!(all.contains("\"error\"") && !all.contains("[DONE]"), "{all}");
    exchange.cancelled().await;
    assert_eq!(running.account().await.ending, Some(Ending::TimedOut));
}

#[tokio::test]
async fn a_stream_that_lasts_too_long_ends_in_an_error_event() {
    let (upstream, mut running) = start(|config| config.total_timeout = Some(Duration::from_millis(200))).await;
    let (mut client, exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    let all = client.hear_all().await;
    assert!(all.contains("\"upstream_timeout\"") && !all.contains("[DONE]"), "{all}");
    exchange.cancelled().await;
    assert_eq!(running.account().await.ending, Some(Ending::TimedOut));
}

#[tokio::test]
async fn a_silent_stream_gives_a_sign_of_life() {
    let (upstream, running) = start(|config| config.keep_alive = Some(Duration::from_millis(50))).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    assert_eq!(client.hear().await, ": keep-alive\n\n");
    exchange.say(LAST_EVENTS).await;
    exchange.finish().await;
    assert!(client.hear_all().await.ends_with(LAST_EVENTS));
}

#[tokio::test]
async fn without_an_answer_there_is_an_error_that_clients_understand() {
    let nobody = listen().await.local_addr().unwrap();
    let upstream = Upstream::new().await;
    let mut unreachable =
        Running::start(&upstream, |config| config.upstream = format!("http://{nobody}").parse().unwrap()).await;
    let (head, body) = Client::ask(unreachable.proxy, "{}").await.response().await;
    assert_eq!(head.first, "HTTP/1.1 502 Bad Gateway");
    let error: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(error["error"]["code"], "upstream_unreachable");
    let account = unreachable.account().await;
    assert_eq!((account.ending_name(), account.reason()), ("upstream_failed", Some("upstream_unreachable")));
    assert!(account.upstream_error.is_some_and(|error| error.contains("refused")));

    let mut running = Running::start(&upstream, |config| config.response_timeout = Duration::from_millis(200)).await;
    let mut client = Client::ask(running.proxy, "{}").await;
    let silent = upstream.request().await;
    let (head, body) = client.response().await;
    assert_eq!(head.first, "HTTP/1.1 504 Gateway Timeout");
    assert!(body.contains("upstream_timeout"), "{body}");
    silent.cancelled().await;
    let account = running.account().await;
    assert_eq!((account.ending_name(), account.reason()), ("timed_out", Some("upstream_timeout")));

    let mut client = Client::ask(running.proxy, "{}").await;
    drop(upstream.request().await);
    let (head, body) = client.response().await;
    assert_eq!(head.first, "HTTP/1.1 502 Bad Gateway");
    assert!(body.contains("upstream_failed"), "{body}");
    let account = running.account().await;
    assert_eq!((account.ending_name(), account.reason()), ("upstream_failed", Some("upstream_failed")));
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_a_504() {
    let upstream = Upstream::new().await;
    let mut running = Running::start(&upstream, |config| {
        config.upstream = upstream.url().replace("http:", "https:").parse().unwrap();
        config.connect_timeout = Duration::from_millis(200);
    })
    .await;
    let (head, body) = Client::ask(running.proxy, "{}").await.response().await;
    assert_eq!(head.first, "HTTP/1.1 504 Gateway Timeout");
    assert!(body.contains("upstream_connect_timeout"), "{body}");
    let account = running.account().await;
    assert_eq!((account.ending_name(), account.reason()), ("timed_out", Some("upstream_connect_timeout")));
}

#[tokio::test]
async fn an_upload_takes_its_time() {
    let upstream = Upstream::new().await;
    let limit = Duration::from_millis(200);
    let running = Running::start(&upstream, |config| config.response_timeout = limit).await;
    let mut client = Client::send(running.proxy, "POST /v1/x HTTP/1.1\r\nhost: me\r\ncontent-length: 2\r\n\r\n{").await;
    // The connection to the upstream is there, and far more than the limit passes.
    tokio::time::timeout(3 * limit, client.head()).await.expect_err("nobody is late but the client");
    client.say("}").await;
    let mut exchange = upstream.request().await;
    exchange.reply("200 OK", "application/json", "{}").await;
    assert_eq!(client.response().await.0.first, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn an_account_says_why() {
    let (upstream, mut running) = start(|_| ()).await;
    let cases = [
        ("200 OK", "text/event-stream", event("a Basilisk"), "terminated", Some("stop")),
        ("200 OK", "text/event-stream", event("all"), "upstream_failed", Some("truncated")),
        ("200 OK", "application/json", "{".to_owned(), "upstream_failed", Some("malformed")),
        ("500 Oh", "text/html", "<h1>".to_owned(), "complete", Some("content_not_moderated")),
        ("404 No", "text/plain", "gone".to_owned(), "complete", None),
    ];
    for (status, content_type, content, ending, reason) in cases {
        let mut client = Client::ask(running.proxy, "{}").await;
        let mut exchange = upstream.request().await;
        exchange.reply(status, content_type, &content).await;
        let (_, body) = client.response().await;
        drop(client);
        let account = running.account().await;
        assert_eq!((account.ending_name(), account.reason()), (ending, reason), "{status} {content_type}");
        assert_eq!(account.upstream_status.map(|status| status.as_u16()), status[..3].parse().ok());
        assert_eq!(account.downstream_bytes, body.len() as u64);
        // What is refused is not even read.
        let read = if reason == Some("content_not_moderated") { 0 } else { content.len() };
        assert_eq!(account.upstream_bytes, read as u64);
    }
}

#[tokio::test]
async fn the_admin_port_counts() {
    let (upstream, mut running) = start(|_| ()).await;
    assert_eq!(running.admin("/healthz").await, ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    assert_eq!(running.admin("/readyz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(running.admin("/else").await.0, "HTTP/1.1 404 Not Found");

    let mut client = Client::ask(running.proxy, "{}").await;
    let mut exchange = upstream.request().await;
    exchange.reply("200 OK", "text/plain", "Nightjar").await;
    assert_eq!(client.response().await.1, "[codename]");
    drop(client);
    running.account().await;

    let (_, metrics) = running.admin("/metrics").await;
    for line in [
        r#"holdback_requests_total{status="200",request="none",treatment="moderated"} 1"#,
        r#"holdback_streams_total{ending="complete"} 1"#,
        r#"holdback_verdicts_total{rule="codename",action="redact",enforced="true"} 1"#,
        "holdback_downstream_bytes_total 10",
        "holdback_responses_open 0",
    ] {
        assert!(metrics.lines().any(|has| has == line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn a_stop_lets_open_streams_finish() {
    let (upstream, mut running) = start(|_| ()).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;

    running.stop();
    // New clients are turned away, and whoever asks is told.
    while running.admin("/readyz").await.0 != "HTTP/1.1 503 Service Unavailable" {
        tokio::task::yield_now().await;
    }
    assert!(tokio::net::TcpStream::connect(running.proxy).await.is_err());

    exchange.say(&event("still here ")).await;
    exchange.say(LAST_EVENTS).await;
    exchange.finish().await;
    assert_eq!(client.hear_all().await, event("still here ") + LAST_EVENTS);
    assert_eq!(running.stopped().await, Drained::InTime);
}

#[tokio::test]
async fn when_the_time_to_drain_is_over_every_stream_gets_its_error_form() {
    let (upstream, mut running) = start(|config| config.drain_timeout = Duration::ZERO).await;
    let (mut chat, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    exchange.say(&event("hello ")).await;
    assert_eq!(chat.hear().await, event("hello "));
    exchange.say(&event("Night")).await;
    let mut document = Client::ask(running.proxy, "{}").await;
    let mut half = upstream.request().await;
    half.begin("application/json").await;
    half.say("{\"text\":").await;
    let mut unanswered = Client::ask(running.proxy, "{}").await;
    let silent = upstream.request().await;

    running.stop();
    let last = chat.hear_all().await;
    assert!(last.contains("\"shut_down\"") && !last.contains("Night") && !last.contains("[DONE]"), "{last}");
    for client in [&mut document, &mut unanswered] {
        let (head, body) = client.response().await;
        assert_eq!(head.first, "HTTP/1.1 503 Service Unavailable");
        assert!(body.contains("\"shut_down\""), "{body}");
    }
    for exchange in [exchange, half, silent] {
        exchange.cancelled().await;
    }
    assert_eq!(running.stopped().await, Drained::Cut(3));
    assert_eq!(running.account().await.ending, Some(Ending::ShutDown));
}

#[tokio::test]
async fn where_no_event_can_say_so_the_end_of_the_drain_is_a_visible_cut() {
    let (upstream, mut running) = start(|config| config.drain_timeout = Duration::ZERO).await;
    let (mut client, exchange) = open(running.proxy, &upstream, "text/plain").await;
    running.stop();
    assert_eq!(client.heard().await, None);
    exchange.cancelled().await;
    assert_eq!(running.stopped().await, Drained::Cut(1));
}

#[tokio::test]
async fn a_second_stop_does_not_wait() {
    let (upstream, mut running) = start(|config| config.drain_timeout = Duration::MAX).await;
    let (mut client, exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    running.stop();
    running.stop();
    let last = client.hear_all().await;
    assert!(last.contains("\"shut_down\"") && !last.contains("[DONE]"), "{last}");
    exchange.cancelled().await;
    assert_eq!(running.stopped().await, Drained::Cut(1));
}
