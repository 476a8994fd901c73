//! What the sidecar passes on, in both directions.
#![cfg(feature = "sidecar")]

mod scripted;

use bytes::Bytes;
use holdback::rule::Direction;
use holdback::tower::{OtherContent, RequestTreatment};
use holdback::{Policy, Rule};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use scripted::{Client, LAST_EVENTS, Running, Upstream, event, open, soon, start};

#[tokio::test]
async fn a_request_goes_on_as_it_came() {
    let upstream = Upstream::new().await;
    let url = format!("{}/base/", upstream.url());
    let running = Running::start(&upstream, |config| config.upstream = url.parse().unwrap()).await;
    let mut client = Client::send(
        running.proxy,
        "POST /v1/x?a=%20b HTTP/1.1\r\nHost: me.test\r\nAuthorization: Bearer t\r\nConnection: keep-alive, X-Own\r\n\
         X-Own: mine\r\nX-Other: kept\r\nAccept-Encoding: gzip\r\nTE: trailers\r\nContent-Length: 5\r\n\r\nhello",
    )
    .await;
    let mut exchange = upstream.request().await;
    assert_eq!(exchange.head.first, "POST /base/v1/x?a=%20b HTTP/1.1");
    assert_eq!(exchange.body, "hello");
    let head = &exchange.head;
    assert_eq!(head.get("host").map(str::to_owned), Some(upstream.url().replace("http://", "")));
    assert_eq!(head.get("authorization"), Some("Bearer t"));
    assert_eq!(head.get("x-other"), Some("kept"));
    assert_eq!(head.get("accept-encoding"), Some("identity"));
    assert_eq!(head.get("content-length"), Some("5"));
    for name in ["x-own", "te", "connection"] {
        assert_eq!(head.get(name), None, "{name} was for this connection");
    }

    exchange
        .answer(
            "HTTP/1.1 201 Created\r\ncontent-type: text/plain\r\nx-served-by: u\r\nalt-svc: h3\r\n\
             keep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nok",
        )
        .await;
    let (head, body) = client.response().await;
    assert_eq!((head.first.as_str(), body.as_str()), ("HTTP/1.1 201 Created", "ok"));
    assert_eq!(head.get("x-served-by"), Some("u"));
    assert_eq!(head.get("x-holdback-mode"), Some("moderated"));
    assert_eq!(head.get("x-holdback-policy"), Some("test"));
    for name in ["alt-svc", "keep-alive"] {
        assert_eq!(head.get(name), None, "{name} was for that connection");
    }
}

#[tokio::test]
async fn request_ids_are_kept_or_made() {
    let (upstream, mut running) = start(|_| ()).await;
    for sent in [Some("mine-1"), None] {
        let header = sent.map(|id| format!("x-request-id: {id}\r\n")).unwrap_or_default();
        let request = format!("GET /v1/models HTTP/1.1\r\nhost: me\r\n{header}\r\n");
        let mut client = Client::send(running.proxy, &request).await;
        let mut exchange = upstream.request().await;
        let asked = exchange.head.get("x-request-id").expect("an id").to_owned();
        exchange.reply("200 OK", "application/json", "{}").await;
        let (head, _) = client.response().await;
        assert_eq!(head.get("x-request-id"), Some(&*asked));
        assert!(sent.is_none_or(|sent| sent == asked));
        drop(client);
        let account = running.account().await;
        assert_eq!(account.request_id.expect("an id"), asked.as_str());
        assert_eq!(account.path, "/v1/models");
    }
}

#[tokio::test]
async fn each_event_arrives_before_the_next_is_said() {
    let (upstream, running) = start(|_| ()).await;
    let mut client = Client::ask(running.proxy, "{}").await;
    let mut exchange = upstream.request().await;
    exchange.begin("text/event-stream").await;
    assert_eq!(client.head().await.get("x-accel-buffering"), Some("no"));
    for word in ["one ", "two ", "three "] {
        exchange.say(&event(word)).await;
        assert_eq!(client.hear().await, event(word));
    }
    exchange.say(LAST_EVENTS).await;
    assert_eq!(client.hear().await, LAST_EVENTS);
    exchange.finish().await;
    assert_eq!(client.hear().await, "");
}

#[tokio::test]
async fn what_a_rule_may_still_touch_waits_and_is_redacted() {
    let (upstream, mut running) = start(|_| ()).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    exchange.say(&event("We say Night")).await;
    exchange.say(&event("jar.")).await;
    exchange.say(LAST_EVENTS).await;
    exchange.finish().await;
    let all = client.hear_all().await;
    assert!(all.contains("[codename].") && !all.contains("Night"), "{all}");
    assert!(all.ends_with(LAST_EVENTS));
    drop(client);
    let account = running.account().await;
    assert_eq!(account.verdicts.values().sum::<u64>(), 1);
    assert_eq!(account.downstream_bytes, all.len() as u64);
}

#[tokio::test]
async fn what_cannot_be_moderated_is_refused_or_passes_loudly() {
    let upstream = Upstream::new().await;
    for (other, status, mode) in [
        (OtherContent::Refuse, "HTTP/1.1 502 Bad Gateway", "refused"),
        (OtherContent::Pass, "HTTP/1.1 200 OK", "passed"),
    ] {
        let running = Running::start(&upstream, |config| config.other_content = other).await;
        let mut client = Client::ask(running.proxy, "{}").await;
        let mut exchange = upstream.request().await;
        exchange.reply("200 OK", "audio/mpeg", "abc").await;
        let (head, body) = client.response().await;
        assert_eq!((&*head.first, head.get("x-holdback-mode")), (status, Some(mode)));
        assert_eq!(body == "abc", other == OtherContent::Pass);
    }
}

#[tokio::test]
async fn an_error_page_keeps_its_status() {
    let (upstream, running) = start(|_| ()).await;
    for status in ["404 Not Found", "503 Service Unavailable"] {
        let mut client = Client::ask(running.proxy, "{}").await;
        let mut exchange = upstream.request().await;
        exchange
            .answer(&format!("HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<h1>"))
            .await;
        let (head, body) = client.response().await;
        assert_eq!(head.first, format!("HTTP/1.1 {status}"));
        assert_eq!(head.get("content-type"), Some("application/json"));
        assert!(body.contains("content_not_moderated"), "{body}");
    }
}

#[tokio::test]
async fn other_protocols_are_refused() {
    let (upstream, running) = start(|_| ()).await;
    let mine = "GET /v1/realtime HTTP/1.1\r\nhost: me\r\nconnection: Upgrade\r\nupgrade: mine\r\n\r\n";
    let posted = "POST /v1/realtime HTTP/1.1\r\nhost: me\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    let tunnel = "CONNECT me:443 HTTP/1.1\r\nhost: me:443\r\n\r\n";
    for (request, code) in [(mine, "upgrade_refused"), (posted, "upgrade_refused"), (tunnel, "tunnel_refused")] {
        let (head, body) = Client::send(running.proxy, request).await.response().await;
        assert_eq!(head.first, "HTTP/1.1 501 Not Implemented");
        assert!(body.contains(code), "{body}");
    }

    // Java's client offers HTTP/2 with every request, and means the same HTTP.
    let offer = "GET /v1/models HTTP/1.1\r\nhost: me\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\
                 http2-settings: AAEAAEAA\r\n\r\n";
    let mut client = Client::send(running.proxy, offer).await;
    let mut exchange = upstream.request().await;
    assert_eq!((exchange.head.get("upgrade"), exchange.head.get("http2-settings")), (None, None));
    exchange.reply("200 OK", "application/json", "{}").await;
    assert_eq!(client.response().await.0.first, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_switch_of_protocols_is_an_error() {
    let upstream = Upstream::new().await;
    for (policy, other) in [(Some(scripted::policy()), OtherContent::Pass), (None, OtherContent::Refuse)] {
        let running = Running::start(&upstream, |config| {
            config.policies = policy.into();
            config.other_content = other;
        })
        .await;
        let mut client = Client::ask(running.proxy, "{}").await;
        let mut exchange = upstream.request().await;
        exchange
            .answer("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: mine\r\n\r\nNightjar")
            .await;
        let (head, body) = client.response().await;
        assert_eq!(head.first, "HTTP/1.1 502 Bad Gateway");
        assert!(body.contains("upstream_switched") && !body.contains("Nightjar"), "{body}");
        exchange.cancelled().await;
    }
}

#[tokio::test]
async fn passthrough_says_so() {
    let (upstream, running) = start(|config| config.policies = None.into()).await;
    let mut client = Client::ask(running.proxy, "{}").await;
    let mut exchange = upstream.request().await;
    exchange.reply("200 OK", "text/plain", "Nightjar").await;
    let (head, body) = client.response().await;
    assert_eq!((&*body, head.get("x-holdback-mode")), ("Nightjar", Some("off")));
}

#[tokio::test]
async fn http_2_is_spoken_too() {
    let (upstream, running) = start(|_| ()).await;
    let client = HyperClient::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
    let request = http::Request::get(format!("http://{}/v1/models", running.proxy)).body(Full::default()).unwrap();
    let asking = tokio::spawn(client.request(request));
    let mut exchange = upstream.request().await;
    assert_eq!(exchange.head.first, "GET /v1/models HTTP/1.1");
    exchange.reply("200 OK", "text/plain", "Nightjar").await;
    let response = soon(asking).await.unwrap().expect("a response");
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(soon(response.into_body().collect()).await.unwrap().to_bytes(), "[codename]");
}

#[tokio::test]
async fn requests_are_moderated_if_rules_watch_them() {
    let (upstream, mut running) = start(|config| {
        let redact = Rule::literal("codename", "Nightjar").redact("[codename]").direction(Direction::Both);
        let terminate = Rule::literal("stop", "Basilisk").terminate().direction(Direction::Request);
        config.policies = Policy::builder().rule(redact).rule(terminate).build().expect("a valid policy").into();
    })
    .await;
    let head = |length: usize| {
        format!(
            "POST /v1/messages HTTP/1.1\r\nhost: me\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             expect: 100-continue\r\n\r\n"
        )
    };

    let body = r#"{"messages":[{"role":"user","content":"Is Nightjar a bird?"}]}"#;
    let mut client = Client::send(running.proxy, &head(body.len())).await;
    assert_eq!(client.head().await.first, "HTTP/1.1 100 Continue");
    client.say(body).await;
    let mut exchange = upstream.request().await;
    let edited = body.replace("Nightjar", "[codename]");
    assert_eq!(exchange.body, edited);
    assert_eq!(exchange.head.get("content-length"), Some(&*edited.len().to_string()));
    assert_eq!(exchange.head.get("expect"), None);
    exchange.reply("200 OK", "application/json", r#"{"text":"Nightjar is none."}"#).await;
    let (response, text) = client.response().await;
    assert_eq!(
        (response.get("x-holdback-request"), response.get("x-holdback-mode")),
        (Some("edited"), Some("moderated"))
    );
    assert_eq!(text, r#"{"text":"[codename] is none."}"#);
    let account = running.account().await;
    assert_eq!((account.request, account.verdicts.values().sum::<u64>()), (Some(RequestTreatment::Edited), 2));

    // The upstream would be waited for in vain: it takes no connection from here on.
    let body = r#"{"messages":[{"role":"user","content":"Basilisk"}]}"#;
    client.say(&(head(body.len()) + body)).await;
    assert_eq!(client.head().await.first, "HTTP/1.1 100 Continue");
    let (response, text) = client.response().await;
    assert_eq!((&*response.first, response.get("x-holdback-request")), ("HTTP/1.1 400 Bad Request", Some("refused")));
    assert_eq!(
        text,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"The request was refused by a content policy."}}"#
    );
    let account = running.account().await;
    assert_eq!((account.ending_name(), account.reason(), account.upstream_status), ("terminated", Some("stop"), None));

    // Nobody is asked to send what would be refused.
    client.say(&head(1 << 30)).await;
    assert_eq!(client.response().await.0.first, "HTTP/1.1 413 Payload Too Large");
    let account = running.account().await;
    assert_eq!((account.ending_name(), account.reason()), ("complete", Some("request_too_large")));

    let (_, metrics) = running.admin("/metrics").await;
    for line in [
        r#"holdback_requests_total{status="200",request="edited",treatment="moderated"} 1"#,
        r#"holdback_requests_total{status="400",request="refused",treatment="none"} 1"#,
        r#"holdback_verdicts_total{rule="stop",action="terminate",enforced="true"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_within_its_request_is_noted() {
    let (_upstream, mut running) = start(|config| {
        let rule = Rule::literal("codename", "Nightjar").direction(Direction::Request);
        config.policies = Policy::builder().rule(rule).build().expect("a valid policy").into();
    })
    .await;
    let head = "POST /v1/messages HTTP/1.1\r\nhost: me\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[";
    drop(Client::send(running.proxy, head).await);
    let account = running.account().await;
    assert_eq!((account.ending_name(), account.upstream_bytes), ("client_gone", 0));
}

#[tokio::test]
async fn an_upstream_of_http_1_0_is_answered_in_the_clients_version() {
    let (upstream, running) = start(|_| {}).await;
    let mut client = Client::ask(running.proxy, "{}").await;
    let mut exchange = upstream.request().await;
    exchange.answer(&format!("HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{}", event("Hello"))).await;
    let head = client.head().await;
    assert_eq!((&*head.first, head.get("transfer-encoding")), ("HTTP/1.1 200 OK", Some("chunked")));
    assert!(client.hear().await.contains("Hello"));
}
