//! Which requests get which policy of a file.
#![cfg(feature = "tower")]

use bytes::Bytes;
use holdback::body::{Error, Shutdown};
use holdback::rule::{Date, RuleSet};
use holdback::tower::{HoldbackLayer, OtherContent, Policies, RequestBody, RequestedModel};
use holdback::{BuildError, Policy, Rule};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use std::convert::Infallible;
use std::io;
use tower::{Layer, ServiceExt, service_fn};

const FILE: &str = r#"
    [[rule]]
    id       = "own"
    literals = ["Nightjar"]

    [[choose]]
    model  = "lenient-*"
    policy = "off"

    [[choose]]
    header = { X-Tenant = "bank-*" }
    path   = "/v1/*"
    policy = "bank.toml"
"#;

const BANK: &str = r#"
    [[rule]]
    id       = "bank"
    literals = ["Nightjar", "asks for"]
"#;

fn load(file: &'static str) -> Result<RuleSet, BuildError> {
    RuleSet::load("etc/policy.toml", Date::parse("2027-01-31").unwrap(), |path| match path {
        "etc/policy.toml" => Ok(file.to_owned()),
        "etc/bank.toml" => Ok(BANK.to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    })
}

fn policies() -> Policies {
    let build = |name: &str, set| Policy::builder().name(name).rule_set(set).build();
    Policies::build(load(FILE).unwrap(), build).unwrap()
}

/// The status of the response, the policy's name in it, and its text. The upstream says what it was asked for.
async fn ask(request: http::request::Builder, body: &'static str) -> (StatusCode, String, String) {
    let answer = service_fn(|request: Request<RequestBody<Full<Bytes>>>| async move {
        let model = request.extensions().get::<RequestedModel>().map(|model| model.0.clone());
        let asked = request.into_body().collect().await.unwrap().to_bytes();
        let said = format!("Nightjar asks for {model:?}, {} bytes", asked.len());
        Ok::<_, Infallible>(
            Response::builder().header("content-type", "text/plain").body(Full::<Bytes>::from(said)).unwrap(),
        )
    });
    let moderated = HoldbackLayer::new(policies()).layer(answer);
    let response = moderated.oneshot(request.body(Full::from(body)).unwrap()).await.unwrap();
    let policy = response.headers().get("x-holdback-policy").map_or("", |name| name.to_str().unwrap()).to_owned();
    let status = response.status();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    (status, policy, String::from_utf8(text.to_vec()).unwrap())
}

fn post(path: &str) -> http::request::Builder {
    Request::post(path.to_owned()).header("content-type", "application/json")
}

#[tokio::test]
async fn the_first_choice_that_fits_counts() {
    let (_, policy, text) = ask(post("/v1/chat/completions"), r#"{"model":"strict-1"}"#).await;
    assert_eq!((&*policy, &*text), ("policy", "[own] asks for Some(\"strict-1\"), 20 bytes"));
    let bank = post("/v1/chat/completions").header("x-tenant", "bank-7");
    let (_, policy, text) = ask(bank, r#"{"model":"strict-1"}"#).await;
    assert_eq!((&*policy, &*text), ("bank", "[bank] [bank] Some(\"strict-1\"), 20 bytes"));
    // Every condition must hold.
    let (_, policy, _) = ask(post("/other").header("x-tenant", "bank-7"), "{}").await;
    assert_eq!(policy, "policy");
    // The earlier choice is by the model, and the body goes on as it came.
    let bank = post("/v1/chat/completions").header("x-tenant", "bank-7");
    let (_, policy, text) = ask(bank, r#"{"model":"lenient-2"}"#).await;
    assert_eq!((&*policy, &*text), ("", "Nightjar asks for Some(\"lenient-2\"), 21 bytes"));
}

#[tokio::test]
async fn nobody_talks_a_policy_away() {
    // A path that names a model is believed before the body, as its server does.
    let (_, policy, _) = ask(post("/model/strict-1/converse"), r#"{"model":"lenient-2"}"#).await;
    assert_eq!(policy, "policy");
    // A query counts only where there is no body.
    let (_, policy, _) = ask(post("/v1/chat/completions?model=lenient-2"), r#"{"model":"strict-1"}"#).await;
    assert_eq!(policy, "policy");
    let (status, _, _) = ask(post("/v1/chat/completions"), r#"{"model":"lenient-2","model":"strict-1"}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    // What one server cannot read another one may.
    for body in
        ["lenient-2", r#"["lenient-2"]"#, r#"{"model":"lenient-2","MODEL":"strict-1"}"#, r#"{"model":"lenient-2"} {}"#]
    {
        let (status, _, _) = ask(post("/v1/chat/completions"), body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    }
    let other = Request::post("/v1/chat/completions").header("content-type", "application/octet-stream");
    let (status, _, _) = ask(other, r#"{"model":"strict-1"}"#).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[test]
fn faults_of_choices() {
    let faults = |source| {
        let error = load(source).unwrap_err();
        error.faults().iter().map(|fault| format!("{}: {}", fault.line.unwrap(), fault.reason)).collect::<Vec<_>>()
    };
    assert_eq!(
        faults("[[choose]]\npolicy = \"bank.toml\"\n\n[[choose]]\npath = \"/x\"\npolicy = \"none.toml\"\n"),
        [
            "1: the choice has no condition: it would fit every request",
            "4: cannot read `etc/none.toml`: entity not found",
        ]
    );
    assert_eq!(
        faults("[[choose]]\nheader = { \"x y\" = \"1\" }\npolicy = \"off\"\n"),
        ["1: the choice has no condition: it would fit every request", "2: `x y` cannot be the name of a header"]
    );
    // Itself, which chooses.
    assert_eq!(
        faults("[[choose]]\npath = \"/x\"\npolicy = \"policy.toml\"\n"),
        ["1: a file that another one extends or chooses cannot choose"]
    );
}

#[tokio::test]
async fn nobody_watches_what_no_policy_is_chosen_for() {
    let answer = service_fn(|_: Request<RequestBody<String>>| async {
        Ok::<_, Infallible>(Response::new(String::from("Nightjar")))
    });
    let layer = HoldbackLayer::new(|_: &http::request::Parts| None);
    let layer = layer.observe(|_: &http::request::Parts| -> () { panic!("there is nothing to observe") });
    let response = layer.layer(answer).oneshot(Request::new(String::new())).await.unwrap();
    assert_eq!(response.headers()["x-holdback-mode"], "off");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "Nightjar");
}

/// What nobody watches goes on for as long as its upstream likes, but not after a kill.
#[tokio::test]
async fn a_shutdown_breaks_off_what_nobody_watches() {
    let answer = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        let silent = tokio_stream::pending::<Result<Frame<Bytes>, io::Error>>();
        Ok::<_, Infallible>(Response::new(StreamBody::new(silent)))
    });
    let pass = Policy::builder().rule(Rule::literal("own", "Nightjar")).build().unwrap();
    for policy in [None, Some(pass)] {
        let shutdown = Shutdown::default();
        let layer = HoldbackLayer::new(move |_: &http::request::Parts| policy.clone());
        let layer = layer.other_content(OtherContent::Pass).shutdown(shutdown.clone());
        let request = Request::new(Full::default());
        let mut body = layer.layer(answer).oneshot(request).await.unwrap().into_body();
        shutdown.begin();
        shutdown.revoke();
        assert!(matches!(body.frame().await, Some(Err(Error::ShutDown))));
    }
}
