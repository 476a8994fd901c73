//! Services that judge, asked over HTTP: each scripted after its own API, with its errors.
#![cfg(feature = "http-checks")]

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use holdback::check::http::{Endpoint, GuardModel, HttpCheck};
use holdback::check::{Checks, Measure, Measures};
use holdback::hold::{Judgement, Passage, Ruling, Unjudged};
use holdback::rule::{Check, Date, Direction, RuleSet};
use holdback::{Channel, ChannelKind, Policy};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tower::{Service, ServiceExt};

/// What a service was asked, and what it says to that.
#[derive(Clone)]
struct Script {
    asked: Arc<Mutex<Vec<(Uri, HeaderMap, Value)>>>,
    answer: Arc<Mutex<(StatusCode, String)>>,
}

impl Script {
    async fn serve() -> (Script, Endpoint) {
        let script = Script { asked: Arc::default(), answer: Arc::new(Mutex::new((StatusCode::OK, String::new()))) };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (script, Endpoint::new(&format!("http://{address}/base/")).unwrap())
    }

    fn says(&self, status: u16, answer: &str) {
        *self.answer.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), answer.to_owned());
    }

    fn asked(&self) -> (Uri, HeaderMap, Value) {
        self.asked.lock().unwrap().pop().expect("it was asked")
    }
}

async fn answer(State(script): State<Script>, uri: Uri, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    script.asked.lock().unwrap().push((uri, headers, serde_json::from_slice(&body).unwrap()));
    script.answer.lock().unwrap().clone()
}

/// A passage with a context; both have characters of several bytes.
fn passage(kind: ChannelKind) -> Passage {
    let check = Check::gate("tone").context(99).direction(Direction::Both);
    let policy = Policy::builder().check(check).build().unwrap();
    let mut channel = Channel::new(&policy, kind);
    channel.push("Ünder. Called Zoë Böll now. ".as_bytes());
    channel.finish();
    channel.next_passage().unwrap();
    let passage = channel.next_passage().unwrap();
    assert_eq!((passage.context(), passage.text()), ("Ünder. ", "Called Zoë Böll now. "));
    passage
}

async fn ask(check: &HttpCheck) -> Result<Judgement, Unjudged> {
    check.clone().ready().await.unwrap().call(passage(ChannelKind::Text)).await
}

#[tokio::test]
async fn the_moderation_endpoint() {
    let (script, endpoint) = Script::serve().await;
    let endpoint = endpoint.bearer("EXAMPLE-TOKEN").unwrap();
    let check = HttpCheck::moderation(endpoint, "omni-moderation-latest")
        .measures(Measures::new(Measure::Flag).category_from("violence", Measure::Terminate, 0.8));
    let scored = |hate: f64, violence: f64| {
        json!({ "id": "modr-1", "model": "m", "results": [{
            "flagged": false,
            "categories": { "hate": false, "violence": false, "illicit": null },
            "category_scores": { "hate": hate, "violence": violence },
        }]})
        .to_string()
    };
    script.says(200, &scored(0.1, 0.85));
    assert_eq!(ask(&check).await, Ok(Judgement::terminate().category("violence").score(0.85)));
    let (uri, headers, body) = script.asked();
    assert_eq!(
        (uri.path(), &headers["authorization"]),
        ("/base/moderations", &"Bearer EXAMPLE-TOKEN".parse().unwrap())
    );
    assert_eq!(body, json!({ "model": "omni-moderation-latest", "input": "Ünder. Called Zoë Böll now. " }));
    script.says(200, &scored(0.7, 0.6));
    assert_eq!(ask(&check).await, Ok(Judgement::flag().category("hate").score(0.7)));
    script.says(200, &scored(0.1, 0.1));
    assert_eq!(ask(&check).await, Ok(Judgement::clear()));
    script.says(200, r#"{"results":[{"flagged":true,"categories":{"hate":true,"spam":false}}]}"#);
    assert_eq!(ask(&check).await, Ok(Judgement::flag().category("hate")));
    for answer in ["{}", r#"{"results":[]}"#, r#"{"results":[{"categories":{"hate":"yes"}}]}"#, "[", ""] {
        script.says(200, answer);
        assert_eq!(ask(&check).await, Err(Unjudged::Unreadable), "{answer}");
    }
}

#[tokio::test]
async fn what_the_moderation_endpoint_flags_counts_whatever_its_score() {
    let (script, endpoint) = Script::serve().await;
    let check = HttpCheck::moderation(endpoint, "omni-moderation-latest")
        .measures(Measures::new(Measure::Flag).category_from("self-harm/intent", Measure::Terminate, 0.8));
    let flagged = |categories: Value, scores: Value| {
        json!({ "results": [{ "flagged": true, "categories": categories, "category_scores": scores }] }).to_string()
    };
    let scores = json!({ "self-harm/intent": 0.41, "hate": 0.01 });
    script.says(200, &flagged(json!({ "self-harm/intent": true, "hate": false }), scores.clone()));
    assert_eq!(ask(&check).await, Ok(Judgement::terminate().category("self-harm/intent")));
    for (categories, scores) in [
        (json!({}), json!({})),
        (json!({ "new": null }), json!({})),
        (json!({ "self-harm/intent": false, "hate": false }), scores),
    ] {
        let answer = flagged(categories, scores);
        script.says(200, &answer);
        assert_eq!(ask(&check).await, Ok(Judgement::flag().category("flagged")), "{answer}");
    }
}

#[tokio::test]
async fn guard_models() {
    let (script, endpoint) = Script::serve().await;
    let said =
        |content: &str| json!({ "choices": [{ "message": { "role": "assistant", "content": content } }] }).to_string();
    let guideline = "The chatbot shall not insult people.".to_owned();
    for (guard, answer, category, kwargs) in [
        (GuardModel::LlamaGuard, "\n\nunsafe\nS10", "hate", Value::Null),
        (GuardModel::Qwen3Guard, "Safety: Unsafe\nCategories: PII\nRefusal: No", "privacy", Value::Null),
        (
            GuardModel::ShieldGemma { category: "harassment".into(), guideline: guideline.clone() },
            "Yes",
            "harassment",
            json!({ "guideline": guideline }),
        ),
        (
            GuardModel::GraniteGuardian { risk: "harm".into() },
            "<score> yes </score>",
            "harm",
            json!({ "guardian_config": { "risk_name": "harm", "criteria_id": "harm" } }),
        ),
    ] {
        let check = HttpCheck::guard(endpoint.clone(), guard, "guard").measures(Measures::new(Measure::Terminate));
        script.says(200, &said(answer));
        let judgement = ask(&check).await.unwrap();
        assert_eq!((judgement.ruling, judgement.category.as_deref()), (Ruling::Terminate, Some(category)));
        let (uri, _, body) = script.asked();
        assert_eq!(uri.path(), "/base/chat/completions");
        assert_eq!(body["chat_template_kwargs"], kwargs);
        assert_eq!(body["messages"][1], json!({ "role": "assistant", "content": "Ünder. Called Zoë Böll now. " }));
        let mut prompts = check.clone();
        prompts.ready().await.unwrap().call(passage(ChannelKind::Prompt)).await.unwrap();
        assert_eq!(
            script.asked().2["messages"],
            json!([{ "role": "user", "content": "Ünder. Called Zoë Böll now. " }])
        );
        script.says(200, &said("I am a helpful assistant."));
        assert_eq!(ask(&check).await, Err(Unjudged::Unreadable));
        script.says(200, r#"{"choices":[{"message":{"content":null}}]}"#);
        assert_eq!(ask(&check).await, Err(Unjudged::Unreadable));
    }
}

#[tokio::test]
async fn detectors_and_presidio_say_where() {
    let (script, endpoint) = Script::serve().await;
    let detector = HttpCheck::detector(endpoint.clone(), "en.names".parse().unwrap());
    let presidio = HttpCheck::presidio(endpoint, "en");
    // `Zoë Böll` in characters of the context and the text; in the passage it is at these bytes.
    let (start, end, bytes) = (14, 22, 7..17);
    assert_eq!(&passage(ChannelKind::Text).text()[bytes.clone()], "Zoë Böll");
    let detection = |start: i64, end: i64| {
        json!([[{ "start": start, "end": end, "text": "…", "detection": "name", "detection_type": "pii", "score": 0.9 }]])
            .to_string()
    };
    let entity = |start: i64, end: i64| {
        json!([{ "entity_type": "PERSON", "start": start, "end": end, "score": 0.85, "analysis_explanation": null }])
            .to_string()
    };
    script.says(200, &detection(start, end));
    assert_eq!(ask(&detector).await, Ok(Judgement::redact_span(bytes.clone()).category("pii").score(0.9)));
    let (uri, headers, body) = script.asked();
    assert_eq!((uri.path(), headers["detector-id"].to_str().unwrap()), ("/base/api/v1/text/contents", "en.names"));
    assert_eq!(body, json!({ "contents": ["Ünder. Called Zoë Böll now. "], "detector_params": {} }));
    script.says(200, &entity(start, end));
    assert_eq!(ask(&presidio).await, Ok(Judgement::redact_span(bytes).category("PERSON").score(0.85)));
    let (uri, _, body) = script.asked();
    assert_eq!(uri.path(), "/base/analyze");
    assert_eq!(body, json!({ "text": "Ünder. Called Zoë Böll now. ", "language": "en" }));
    // What reaches back into the context begins with the passage; what is in the context only is nothing new.
    script.says(200, &entity(0, 10));
    assert_eq!(ask(&presidio).await, Ok(Judgement::redact_span(0..3).category("PERSON").score(0.85)));
    // What has no extent is found in all of the passage, though it should stand in the context.
    let whole = 0..passage(ChannelKind::Text).text().len();
    for at in [0, 7, 14, 28] {
        script.says(200, &entity(at, at));
        assert_eq!(ask(&presidio).await, Ok(Judgement::redact_span(whole.clone()).category("PERSON").score(0.85)));
        script.says(200, &detection(at, at));
        assert_eq!(ask(&detector).await, Ok(Judgement::redact_span(whole.clone()).category("pii").score(0.9)));
    }
    for (start, end, expected) in [
        (0, 7, Ok(Judgement::clear())),
        (7, 29, Err(Unjudged::Unreadable)),
        (9, 8, Err(Unjudged::Unreadable)),
        (-1, 8, Err(Unjudged::Unreadable)),
    ] {
        script.says(200, &entity(start, end));
        assert_eq!(ask(&presidio).await, expected, "{start}..{end}");
        script.says(200, &detection(start, end));
        assert_eq!(ask(&detector).await, expected, "{start}..{end}");
    }
    for answer in ["{}", r#"[[{"start":0}]]"#, r#"{"code":422,"message":"no"}"#] {
        script.says(200, answer);
        assert_eq!(ask(&detector).await, Err(Unjudged::Unreadable), "{answer}");
    }
}

#[tokio::test]
async fn a_webhook_rules_by_itself() {
    let (script, endpoint) = Script::serve().await;
    let check = HttpCheck::webhook(endpoint, "EXAMPLE-SECRET");
    script.says(200, r#"{"ruling":"redact","spans":[{"start":14,"end":22}],"category":"name","score":0.5}"#);
    assert_eq!(ask(&check).await, Ok(Judgement::redact_span(7..17).category("name").score(0.5)));
    let (uri, headers, body) = script.asked();
    assert_eq!(uri.path(), "/base");
    let expected = json!({
        "version": 1, "check": "tone", "channel": "text", "start": 8, "end": 31,
        "context": "Ünder. ", "text": "Called Zoë Böll now. ",
    });
    assert_eq!(body, expected);
    let schema: Value = serde_json::from_str(include_str!("../docs/webhook-request.schema.json")).unwrap();
    let [described, needed, sent] = [&schema["properties"], &expected, &body]
        .map(|object| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>());
    assert_eq!((&described, &needed), (&sent, &sent));
    let signature = headers["x-holdback-signature"].to_str().unwrap();
    assert!(signature.starts_with("t=") && signature.contains(",v1="), "{signature}");
    let schema: Value = serde_json::from_str(include_str!("../docs/webhook-response.schema.json")).unwrap();
    for ruling in schema["properties"]["ruling"]["enum"].as_array().unwrap() {
        script.says(200, &json!({ "ruling": ruling }).to_string());
        assert_eq!(ask(&check).await.unwrap().ruling.name(), ruling);
    }
    for (answer, expected) in [
        (r#"{"ruling":"clear"}"#, Ok(Judgement::clear())),
        (r#"{"ruling":"flag","category":"x"}"#, Ok(Judgement::flag().category("x"))),
        (r#"{"ruling":"redact"}"#, Ok(Judgement::redact())),
        (r#"{"ruling":"redact","spans":[]}"#, Ok(Judgement::redact())),
        (r#"{"ruling":"redact","spans":[{"start":0,"end":7}]}"#, Ok(Judgement::clear())),
        (r#"{"ruling":"redact","spans":[{"start":15,"end":15}]}"#, Ok(Judgement::redact_span(0..23))),
        (r#"{"ruling":"terminate"}"#, Ok(Judgement::terminate())),
        (r#"{"ruling":"allow"}"#, Err(Unjudged::Unreadable)),
        (r#"{"ruling":"redact","spans":[{"start":1}]}"#, Err(Unjudged::Unreadable)),
        ("null", Err(Unjudged::Unreadable)),
    ] {
        script.says(200, answer);
        assert_eq!(ask(&check).await, expected, "{answer}");
    }
}

#[tokio::test]
async fn whatever_goes_wrong_is_a_failure() {
    let (script, endpoint) = Script::serve().await;
    let check = HttpCheck::webhook(endpoint, "EXAMPLE-SECRET");
    for (status, expected) in [
        (429, Unjudged::Overloaded),
        (503, Unjudged::Overloaded),
        (500, Unjudged::Failed),
        (401, Unjudged::Failed),
        (302, Unjudged::Failed),
    ] {
        script.says(status, r#"{"ruling":"clear"}"#);
        assert_eq!(ask(&check).await, Err(expected), "{status}");
    }
    script.says(200, &" ".repeat((1 << 20) + 1));
    assert_eq!(ask(&check).await, Err(Unjudged::Unreadable));
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let nobody = HttpCheck::webhook(Endpoint::new(&format!("http://{gone}")).unwrap(), "EXAMPLE-SECRET");
    assert_eq!(ask(&nobody).await, Err(Unjudged::Failed));
}

#[test]
fn a_token_or_secret_that_is_empty_is_none() {
    for service in [
        r#"kind = "webhook", url = "http://127.0.0.1:1", secret_env = "JUDGE_KEY""#,
        r#"kind = "presidio", url = "http://127.0.0.1:1", token_env = "JUDGE_KEY""#,
    ] {
        let source = format!("[[check]]\nid = \"tone\"\nmode = \"gate\"\nservice = {{ {service} }}\n");
        let set = RuleSet::from_toml("policy.toml", &source, Date::parse("2027-01-31").unwrap()).unwrap();
        assert!(Checks::named_in(&set, |_| Some("EXAMPLE".to_owned())).is_ok());
        for empty in ["", " "] {
            let error = Checks::named_in(&set, |_| Some(empty.to_owned())).expect_err("there is no key");
            assert!(error.faults()[0].reason.contains("`JUDGE_KEY`"), "{error}");
        }
    }
}

#[test]
fn an_address_ends_where_paths_can_follow() {
    for url in ["http://127.0.0.1:8000/v1#guard", "http://127.0.0.1:8000/v1?a=b", "http://127.0.0.1:8000#"] {
        assert!(Endpoint::new(url).is_err(), "{url}");
    }
}
