//! A policy with checks in the sidecar, from its file to the client.
#![cfg(feature = "sidecar")]

mod scripted;

use axum::Router;
use axum::body::Bytes;
use holdback::Policy;
use holdback::check::Checks;
use holdback::rule::{Date, RuleSet};
use holdback::tower::Policies;
use scripted::{Client, LAST_EVENTS, Running, Upstream, event, listen, open};
use serde_json::{Value, json};

/// Two gates, one that trails, rules beside them, strikes, and a choice.
fn policy_file(url: &str) -> String {
    format!(
        r#"
        format = 1
        [[rule]]
        id       = "acme.codename"
        literals = ["Nightjar"]
        replace  = "[codename]"

        [[check]]
        id          = "tone"
        mode        = "gate"
        context     = 200
        deadline_ms = 5000
        replace     = "[unkind]"
        service     = {{ kind = "webhook", url = "{url}/tone", secret_env = "HOOK_SECRET" }}

        [[check]]
        id       = "names"
        mode     = "gate"
        passages = "paragraphs"
        service  = {{ kind = "presidio", url = "{url}" }}
        measures = {{ threshold = 0.4, categories = {{ PERSON = "redact", DATE_TIME = "ignore" }} }}

        [[check]]
        id       = "safety"
        mode     = "trail"
        passages = {{ characters = 40 }}
        service  = {{ kind = "guard", guard = "llama-guard", url = "{url}/v1", model = "guard" }}
        measures = {{ otherwise = "terminate" }}

        [[quota]]
        id       = "strikes"
        per      = "x-user"
        findings = {{ rules = "*", min_severity = "medium", count = 2 }}
        within_s = 3600

        [[choose]]
        model  = "trusted-*"
        policy = "off"
        "#
    )
}

/// Says that `rude` is unkind, `Zoe` a name, and `bomb` unsafe.
async fn judge(uri: axum::http::Uri, body: Bytes) -> String {
    let asked: Value = serde_json::from_slice(&body).expect("JSON");
    match uri.path() {
        "/tone" => match asked["text"].as_str().unwrap().contains("rude") {
            true => json!({ "ruling": "redact", "category": "rude" }),
            false => json!({ "ruling": "clear" }),
        },
        "/analyze" => {
            let text = asked["text"].as_str().unwrap();
            let found = text.find("Zoe").map(|at| {
                let start = text[..at].chars().count();
                json!({ "entity_type": "PERSON", "start": start, "end": start + 3, "score": 0.85 })
            });
            Value::Array(found.into_iter().collect())
        }
        "/v1/chat/completions" => {
            let said = asked["messages"][1]["content"].as_str().unwrap();
            let content = if said.contains("bomb") { "unsafe\nS9" } else { "safe" };
            json!({ "choices": [{ "message": { "content": content } }] })
        }
        path => panic!("nobody asks {path}"),
    }
    .to_string()
}

async fn running(upstream: &Upstream) -> Running {
    let judges = listen().await;
    let url = format!("http://{}", judges.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(judges, Router::new().fallback(judge)).await });
    let today = Date::parse("2027-01-31").unwrap();
    let set = RuleSet::from_toml("policy.toml", &policy_file(&url), today).unwrap();
    let checks = Checks::named_in(&set, |name| (name == "HOOK_SECRET").then(|| "EXAMPLE".to_owned())).unwrap();
    let build = |_: &str, set| Policy::builder().name("judged").rule_set(set).build();
    let policies = Policies::build(set, build).unwrap();
    Running::start(upstream, |config| {
        config.policies = policies;
        config.checks = checks;
    })
    .await
}

fn said(stream: &str) -> String {
    let events = stream.split("\n\n").filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok());
    events.filter_map(|event: Value| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn every_gate_has_its_say() {
    let upstream = Upstream::new().await;
    let mut running = running(&upstream).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    for text in ["Zoe sends N", "ightjar. You are r", "ude. Goodbye.\\n\\nYours. ", "Bye"] {
        exchange.say(&event(text)).await;
    }
    exchange.say(LAST_EVENTS).await;
    exchange.finish().await;
    let heard = client.hear_all().await;
    assert_eq!(said(&heard), "[names] sends [codename]. [unkind]Goodbye.\n\nYours. Bye");
    assert!(heard.ends_with("data: [DONE]\n\n"));
    let account = running.account().await;
    let counts: Vec<(&str, &str)> = account.verdicts.keys().map(|(rule, action, _)| (&**rule, *action)).collect();
    assert_eq!(counts, [("acme.codename", "redact"), ("names", "redact"), ("tone", "redact")]);
    let (_, metrics) = running.admin("/metrics").await;
    for line in [
        "holdback_judgements_total{check=\"tone\",outcome=\"redact\"} 1",
        "holdback_judgements_total{check=\"names\",outcome=\"clear\"} 1",
        "holdback_judgements_total{check=\"safety\",outcome=\"clear\"}",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn what_trails_ends_the_stream_before_its_end() {
    let upstream = Upstream::new().await;
    let running = running(&upstream).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    exchange.say(&event("Here is how to build a bomb at home. It is easy.\\n\\nFirst")).await;
    // The upstream would go on.
    let heard = client.hear_all().await;
    assert!(heard.contains("\"finish_reason\":\"content_filter\"") && heard.ends_with("data: [DONE]\n\n"), "{heard}");
    exchange.cancelled().await;
}

#[tokio::test]
async fn documents_are_judged_too() {
    let upstream = Upstream::new().await;
    let running = running(&upstream).await;
    let mut client = Client::ask(running.proxy, "{}").await;
    let mut exchange = upstream.request().await;
    let document = json!({ "id": "c", "object": "chat.completion", "choices": [
        { "index": 0, "message": { "role": "assistant", "content": "Fine. How rude." }, "finish_reason": "stop" },
    ]});
    exchange.reply("200 OK", "application/json", &document.to_string()).await;
    let (_, body) = client.response().await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Fine. [unkind]");
}

fn request(user: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: me\r\nx-user: {user}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn who_has_struck_out_waits() {
    let upstream = Upstream::new().await;
    let mut running = running(&upstream).await;
    let mut client = Client::send(running.proxy, &request("zoe", "{}")).await;
    let document = json!({ "id": "c", "object": "chat.completion", "choices": [
        { "index": 0, "message": { "role": "assistant", "content": "Nightjar. How rude." }, "finish_reason": "stop" },
    ]});
    upstream.request().await.reply("200 OK", "application/json", &document.to_string()).await;
    let (_, body) = client.response().await;
    assert!(body.contains("[codename]. [unkind]"), "{body}");
    running.account().await;

    let mut client = Client::send(running.proxy, &request("zoe", "{}")).await;
    let (head, body) = client.response().await;
    assert_eq!(head.first, "HTTP/1.1 429 Too Many Requests");
    assert!(head.get("retry-after").is_some() && body.contains("over_quota"), "{body}");
    let account = running.account().await;
    assert_eq!(account.reason(), Some("over_quota"));
    assert!(account.verdicts.contains_key(&("strikes".into(), "refuse", true)), "{:?}", account.verdicts);

    // Nobody else waits for that, and nobody is watched who asks for another model.
    let mut client = Client::send(running.proxy, &request("zoe", r#"{"model":"trusted-1"}"#)).await;
    upstream.request().await.reply("200 OK", "application/json", &document.to_string()).await;
    let (head, body) = client.response().await;
    assert!(body.contains("Nightjar. How rude."), "{body}");
    assert_eq!(head.get("x-holdback-mode"), Some("off"));
    let mut client = Client::send(running.proxy, &request("adam", "{}")).await;
    upstream.request().await.reply("200 OK", "application/json", "{}").await;
    assert_eq!(client.response().await.0.first, "HTTP/1.1 200 OK");
}

/// What the admin port says to an operator's order: its first line.
async fn switch(running: &Running, path: &str, header: &str) -> String {
    let request = format!("POST {path} HTTP/1.1\r\nhost: admin\r\n{header}content-length: 0\r\n\r\n");
    Client::send(running.admin, &request).await.response().await.0.first
}

#[tokio::test]
async fn a_kill_switch_ends_streams_and_refuses_requests() {
    let upstream = Upstream::new().await;
    let running = running(&upstream).await;
    let (mut client, mut exchange) = open(running.proxy, &upstream, "text/event-stream").await;
    exchange.say(&event("Well.\\n\\nAnd so on.\\n\\nAnd")).await;
    assert!(switch(&running, "/-/kill", "origin: http://example.com\r\n").await.starts_with("HTTP/1.1 403"));
    assert!(switch(&running, "/-/kill", "").await.starts_with("HTTP/1.1 200"));
    let heard = client.hear_all().await;
    assert!(heard.contains("shut_down"), "{heard}");
    exchange.cancelled().await;
    let mut client = Client::ask(running.proxy, "{}").await;
    assert_eq!(client.response().await.0.first, "HTTP/1.1 503 Service Unavailable");
    assert!(running.admin("/readyz").await.1.contains("killed"));

    assert!(switch(&running, "/-/revive", "").await.starts_with("HTTP/1.1 200"));
    let mut client = Client::ask(running.proxy, "{}").await;
    upstream.request().await.reply("200 OK", "application/json", "{}").await;
    assert_eq!(client.response().await.0.first, "HTTP/1.1 200 OK");
}
