//! `holdback proxy` and `holdback demo`, as processes.
#![cfg(all(feature = "sidecar", unix))]

mod binary;
mod scripted;

use binary::{file, holdback, run};
use futures_util::{SinkExt, StreamExt};
use scripted::{LAST_EVENTS, Upstream, event, open, soon};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, client_async};

/// A proxy process, ended with the test.
struct Proxy {
    process: Child,
    address: SocketAddr,
    line: String,
}

impl Proxy {
    fn start(listen: &str, upstream: &str) -> Proxy {
        Proxy::start_with(listen, upstream, &[])
    }

    fn start_with(listen: &str, upstream: &str, more: &[&str]) -> Proxy {
        Proxy::start_with_log(listen, upstream, more, "info")
    }

    fn start_with_log(listen: &str, upstream: &str, more: &[&str], level: &str) -> Proxy {
        let mut process = holdback(&["proxy", "--listen", listen, "--admin", "127.0.0.1:0", "--upstream", upstream])
            .args(more)
            .env("HOLDBACK_LOG", level)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary is built");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("http://")?.parse().ok());
        Proxy { address: address.expect("the line names its address"), process, line }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.process.id().to_string()]).status();
        assert!(sent.expect("there is a kill command").success());
    }

    /// The exit code and the logs.
    fn ended(mut self) -> (Option<i32>, String) {
        let code = self.process.wait().unwrap().code();
        let mut logs = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut logs).unwrap();
        (code, logs)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        let _ = self.process.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_logs_and_drains_on_sigterm() {
    let upstream = Upstream::new().await;
    let proxy = Proxy::start("127.0.0.1:0", &upstream.url());
    assert!(proxy.line.contains(&upstream.url()) && proxy.line.contains("rules (built-in)"), "{}", proxy.line);

    let (mut client, mut exchange) = open(proxy.address, &upstream, "text/event-stream").await;
    exchange.say(&event("Write to ")).await;
    assert_eq!(client.hear().await, event("Write to "));

    proxy.signal("TERM");
    exchange.say(&event("ada.sample@mail.test, ")).await;
    exchange.say(LAST_EVENTS).await;
    exchange.finish().await;
    let rest = client.hear_all().await;
    assert!(rest.contains("[pii.email]") && rest.ends_with(LAST_EVENTS), "{rest}");
    drop(client);

    let (code, logs) = tokio::task::spawn_blocking(|| proxy.ended()).await.unwrap();
    assert_eq!(code, Some(0), "{logs}");
    let logs: Vec<serde_json::Value> =
        logs.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let response = logs.iter().find(|log| log["message"] == "response").expect("the stream's account");
    assert_eq!(response["ending"], "complete");
    assert_eq!(response["verdicts"], "pii.email:redact=1");
    assert_eq!((&response["method"], &response["path"]), (&"POST".into(), &"/v1/chat/completions".into()));
    assert_eq!((&response["status"], &response["upstream_status"]), (&200.into(), &200.into()));
    assert_eq!(response["treatment"], "moderated");
    for number in ["upstream_bytes", "downstream_bytes", "delayed_bytes", "longest_hold_ms", "total_ms"] {
        assert!(response[number].is_number(), "{number} in {response}");
    }
    assert!(response["request_id"].is_string());
    assert!(!format!("{logs:?}").contains("ada.sample"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait() {
    let upstream = Upstream::new().await;
    let proxy = Proxy::start_with("127.0.0.1:0", &upstream.url(), &["--drain-timeout", "1000"]);
    let (mut client, _exchange) = open(proxy.address, &upstream, "text/event-stream").await;
    proxy.signal("TERM");
    proxy.signal("INT");
    let last = client.hear_all().await;
    assert!(last.contains("\"shut_down\"") && !last.contains("[DONE]"), "{last}");
    let (code, logs) = tokio::task::spawn_blocking(|| proxy.ended()).await.unwrap();
    assert_eq!(code, Some(0), "{logs}");
    assert!(logs.contains("\"shut_down\""), "{logs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_address_is_a_loud_warning() {
    let proxy = Proxy::start("0.0.0.0:0", "http://127.0.0.1:9");
    proxy.signal("INT");
    let (code, logs) = proxy.ended();
    assert_eq!(code, Some(0), "{logs}");
    assert!(logs.contains("\"WARN\"") && logs.contains("anyone who reaches this address"), "{logs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_left_unjudged_is_a_loud_warning() {
    let upstream = Upstream::new().await;
    // Nobody answers at the discard port.
    let policy = file(
        "proxy_unjudged.toml",
        r#"
        [[check]]
        id         = "names"
        mode       = "gate"
        on_failure = "release"
        service    = { kind = "presidio", url = "http://127.0.0.1:9" }

        [[check]]
        id         = "on-trial"
        mode       = "trail"
        monitor    = true
        service    = { kind = "presidio", url = "http://127.0.0.1:9" }
        "#,
    );
    let proxy = Proxy::start_with("127.0.0.1:0", &upstream.url(), &["--policy", policy.to_str().unwrap()]);
    let (mut client, mut exchange) = open(proxy.address, &upstream, "text/event-stream").await;
    exchange.say(&event("Zoe sends it. ")).await;
    exchange.say(LAST_EVENTS).await;
    exchange.finish().await;
    let heard = client.hear_all().await;
    assert!(heard.contains("Zoe sends it. ") && heard.ends_with(LAST_EVENTS), "{heard}");
    drop(client);

    proxy.signal("TERM");
    let (code, logs) = tokio::task::spawn_blocking(|| proxy.ended()).await.unwrap();
    assert_eq!(code, Some(0), "{logs}");
    let logs = logs.lines().map(|line| serde_json::from_str(line).expect("each line is JSON"));
    let warnings: Vec<serde_json::Value> = logs.filter(|log: &serde_json::Value| log["level"] == "WARN").collect();
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert_eq!(warning["checks"], "names");
    assert!(warning["message"].as_str().is_some_and(|message| message.contains("unjudged")), "{warning}");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for args in [
        &["proxy"][..],
        &["proxy", "--upstream", "ftp://host"],
        &["proxy", "--upstream", "http://127.0.0.1:9", "--policy", "/dev/null"],
        &["proxy", "--upstream", "http://127.0.0.1:9", "--idle-timeout", "-1"],
    ] {
        let run = run(args, "");
        assert_eq!((run.code, &*run.out), (2, ""), "{args:?}: {}", run.err);
    }
    for flag in ["--connect-timeout", "--response-timeout", "--idle-timeout"] {
        let run = run(&["proxy", "--upstream", "http://127.0.0.1:9", flag, "0"], "");
        assert!(run.code == 2 && run.err.contains("0 would leave no time at all"), "{flag}: {}", run.err);
    }
    let nothing = binary::file("nothing.pem", "");
    let certificate = rcgen::generate_simple_self_signed(["me.test".to_owned()]).unwrap().cert.pem();
    let authority = binary::file("authority.pem", certificate);
    for (upstream, file, why) in [
        ("https://127.0.0.1:9", "/no/such/file.pem", "No such file"),
        ("http://127.0.0.1:9", authority.to_str().unwrap(), "is not https"),
        ("https://127.0.0.1:9", nothing.to_str().unwrap(), "there is no certificate in it"),
    ] {
        let run = run(&["proxy", "--upstream", upstream, "--upstream-ca", file], "");
        assert!(run.code == 2 && run.err.contains(why) && run.err.contains("--upstream-ca"), "{}", run.err);
    }
}

#[test]
fn the_demo_shows_what_it_promises() {
    let run = run(&["demo", "--once", "--pace", "0", "--listen", "127.0.0.1:0"], "");
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.out.contains("Private values kept from the client: 4 of 4."), "{}", run.out);
    let (_, read) = run.out.split_once("What the client has read").expect("the answer");
    for replaced in ["[pii.email]", "[pii.phone-intl]", "[secrets.aws-access-key-id]", "1 × pii.payment-card: mask"] {
        assert!(read.contains(replaced), "{replaced} is not in\n{read}");
    }
    assert!(!run.out.contains('\x1b'), "no colours where there is no terminal");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_level_of_logs_quotes_a_message() {
    let upstream = Upstream::new().await;
    let proxy = Proxy::start_with_log("127.0.0.1:0", &upstream.url(), &[], "trace");
    let stream = TcpStream::connect(proxy.address).await.expect("it listens");
    let url = format!("ws://{}/v1/realtime", proxy.address);
    let (connected, accepted) =
        tokio::join!(soon(client_async(url, stream)), async { accept_async(upstream.connection().await).await });
    let (mut client, mut server) = (connected.expect("a session").0, accepted.expect("a session"));
    for text in ["\"a word in clear\"", "\"ada.sample@mail.test\""] {
        soon(server.send(Message::text(text))).await.expect("it reads");
        soon(client.next()).await.expect("a message").expect("no error");
    }
    drop((client, server));

    proxy.signal("TERM");
    let (code, logs) = tokio::task::spawn_blocking(|| proxy.ended()).await.unwrap();
    assert_eq!(code, Some(0), "{logs}");
    assert!(logs.contains("\"TRACE\""), "{logs}");
    assert!(!logs.contains("in clear") && !logs.contains("ada"), "{logs}");
}
