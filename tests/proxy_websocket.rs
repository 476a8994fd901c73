//! WebSockets through the sidecar: what passes, what does not, and how a session ends, whoever ends it.
#![cfg(feature = "sidecar")]

mod scripted;

use futures_util::{SinkExt, StreamExt};
use holdback::rule::Direction;
use holdback::sidecar::{Config, Drained};
use holdback::tower::{OtherContent, Treatment};
use holdback::{Ending, Policy, Rule};
use http::HeaderValue;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use scripted::{Client, Running, Upstream, event, listen, soon, start};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::handshake::server;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_hdr_async, client_async};

type Socket = WebSocketStream<TcpStream>;

const PATH: &str = "/v1/live?model=m&key=none";
const REALTIME: &str = "/v1/realtime?model=m";
const GEMINI: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

/// A client's handshake, with these headers beside its own.
async fn connect(proxy: SocketAddr, headers: &[(&'static str, &str)]) -> Result<(Socket, Response), Error> {
    connect_at(proxy, PATH, headers).await
}

async fn connect_at(
    proxy: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<(Socket, Response), Error> {
    let mut request = format!("ws://{proxy}{path}").into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    let stream = soon(TcpStream::connect(proxy)).await.expect("somebody listens");
    soon(client_async(request, stream)).await
}

/// The upstream's half of a handshake, and what it was asked.
async fn accept(upstream: &Upstream) -> (Socket, server::Request) {
    let stream = upstream.connection().await;
    let mut asked = None;
    let note = |request: &server::Request, mut response: server::Response| {
        if request.headers().contains_key(SEC_WEBSOCKET_PROTOCOL) {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("realtime"));
        }
        asked = Some(request.clone());
        Ok(response)
    };
    let socket = soon(accept_hdr_async(stream, note)).await.expect("a handshake");
    (socket, asked.expect("it was asked"))
}

/// A session: the client's side of it, and the upstream's.
async fn open(running: &Running, upstream: &Upstream) -> (Socket, Socket) {
    open_at(running, upstream, PATH).await
}

async fn open_at(running: &Running, upstream: &Upstream, path: &str) -> (Socket, Socket) {
    let (connected, (server, _)) = tokio::join!(connect_at(running.proxy, path, &[]), accept(upstream));
    (connected.expect("a session").0, server)
}

async fn session(adjust: impl FnOnce(&mut Config)) -> (Socket, Socket, Running) {
    let (upstream, running) = start(adjust).await;
    let (client, server) = open(&running, &upstream).await;
    (client, server, running)
}

async fn say(socket: &mut Socket, text: &str) {
    soon(socket.send(Message::text(text))).await.expect("the other side listens");
}

async fn hear(socket: &mut Socket) -> Message {
    soon(socket.next()).await.expect("a message").expect("no error")
}

/// Everything up to the close, and its code and reason.
async fn hear_all(socket: &mut Socket) -> (Vec<Message>, Option<(u16, String)>) {
    let mut messages = Vec::new();
    loop {
        match hear(socket).await {
            Message::Close(frame) => return (messages, frame.map(|its| (its.code.into(), its.reason.to_string()))),
            message => messages.push(message),
        }
    }
}

fn close(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
}

/// A chat event as a message of its own.
fn chunk(text: &str) -> String {
    event(text)["data: ".len()..].trim_end().to_owned()
}

#[tokio::test]
async fn what_no_rule_touches_leaves_as_it_came() {
    let (mut client, mut server, mut running) = session(|_| ()).await;
    let answers = [
        r#"{"type": "session.created" , "session":{"id":"s"}}"#,
        "{}",
        "",
        r#"{"error": {}}"#,
        "no JSON",
        r#"{"é": 1e3}"#,
    ];
    let requests = ["{ \"type\":\"response.create\"}", "", "anything, even a Nightjar"];
    for text in answers {
        say(&mut server, text).await;
        assert_eq!(hear(&mut client).await, Message::text(text));
    }
    for text in requests {
        say(&mut client, text).await;
        assert_eq!(hear(&mut server).await, Message::text(text));
    }
    soon(client.send(close(1000, "done"))).await.unwrap();
    assert_eq!(hear(&mut server).await, close(1000, "done"));
    assert_eq!(hear(&mut client).await, close(1000, "done"));
    drop((server, client));

    let account = running.account().await;
    assert_eq!((account.ending, account.treatment), (Some(Ending::Complete), Some(Treatment::Moderated)));
    assert_eq!((account.upstream_messages, account.downstream_messages), (6, 6));
    let bytes = answers.iter().map(|text| text.len() as u64).sum::<u64>();
    assert_eq!((account.upstream_bytes, account.downstream_bytes), (bytes, bytes));
    assert_eq!((account.status.unwrap().as_u16(), account.path.as_str()), (101, "/v1/live"));
}

#[tokio::test]
async fn the_handshake_is_the_upstreams() {
    let (upstream, running) = start(|_| ()).await;
    let headers = [
        ("sec-websocket-protocol", "realtime, openai-insecure-api-key.EXAMPLE"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("authorization", "Bearer EXAMPLE"),
    ];
    // A client that gets an accept value for another key fails.
    let (connected, (_server, asked)) = tokio::join!(connect(running.proxy, &headers), accept(&upstream));
    let (_client, response) = connected.expect("a session");
    assert_eq!(asked.uri(), PATH);
    assert_eq!(asked.headers()["sec-websocket-protocol"], headers[0].1);
    assert_eq!(asked.headers()["authorization"], headers[2].1);
    assert_eq!(asked.headers().get("sec-websocket-extensions"), None, "nobody could read what is compressed");
    assert_eq!(asked.headers()["host"], upstream.url()["http://".len()..]);
    assert_eq!(response.headers()["sec-websocket-protocol"], "realtime");
    assert_eq!(response.headers()["x-holdback-mode"], "moderated");
    assert_eq!(response.headers()["x-holdback-policy"], "test");
}

#[tokio::test]
async fn a_match_over_several_messages_is_redacted() {
    let (mut client, mut server, mut running) = session(|_| ()).await;
    for text in ["a Night", "ja", "r flies"] {
        say(&mut server, &chunk(text)).await;
    }
    soon(server.send(close(1000, ""))).await.unwrap();
    let (messages, _) = hear_all(&mut client).await;
    let texts: Vec<String> = messages.iter().take(3).map(content).collect();
    assert_eq!(texts, ["a ", "", "[codename] flies"]);
    drop((client, server));
    assert_eq!(running.account().await.verdicts.values().sum::<u64>(), 1);
}

fn content(message: &Message) -> String {
    let event: Value = serde_json::from_str(message.to_text().expect("text")).expect("JSON");
    event["choices"][0]["delta"]["content"].as_str().expect("a delta").to_owned()
}

#[tokio::test]
async fn a_policy_stop_ends_both_sides() {
    let (mut client, mut server, mut running) = session(|_| ()).await;
    say(&mut server, &chunk("look, a Basilisk and more")).await;
    let (messages, closed) = hear_all(&mut client).await;
    let all = format!("{messages:?}");
    assert!(all.contains("content_filter") && !all.contains("Basilisk"), "{all}");
    assert_eq!(closed, Some((1008, "stopped by a content policy".to_owned())));
    assert_eq!(hear_all(&mut server).await.1, Some((1000, String::new())));
    drop((client, server));
    assert!(matches!(running.account().await.ending, Some(Ending::Terminated(_))));
}

#[tokio::test]
async fn a_realtime_answer_is_stopped_on_both_sides() {
    let (upstream, mut running) = start(|_| ()).await;
    let (mut client, mut server) = open_at(&running, &upstream, REALTIME).await;
    for event in [
        r#"{"type":"session.created","event_id":"e1","session":{"id":"s1","object":"realtime.session"}}"#,
        r#"{"type":"response.created","event_id":"e2","response":{"id":"r1","object":"realtime.response","status":"in_progress","output":[]}}"#,
        r#"{"type":"response.output_item.added","event_id":"e3","response_id":"r1","output_index":0,"item":{"id":"i1","object":"realtime.item","type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
        r#"{"type":"response.content_part.added","event_id":"e4","response_id":"r1","item_id":"i1","output_index":0,"content_index":0,"part":{"type":"text","text":""}}"#,
        r#"{"type":"response.output_text.delta","event_id":"e5","response_id":"r1","item_id":"i1","output_index":0,"content_index":0,"delta":"A Night"}"#,
        r#"{"type":"response.output_text.delta","event_id":"e6","response_id":"r1","item_id":"i1","output_index":0,"content_index":0,"delta":"jar and a Basil"}"#,
        r#"{"type":"response.output_text.delta","event_id":"e7","response_id":"r1","item_id":"i1","output_index":0,"content_index":0,"delta":"isk"}"#,
    ] {
        say(&mut server, event).await;
    }
    let (messages, closed) = hear_all(&mut client).await;
    let all = format!("{messages:?}");
    assert!(all.contains("[codename] and a") && !all.contains("Basil") && !all.contains("Night"), "{all}");
    let last: Value = serde_json::from_str(messages.last().unwrap().to_text().unwrap()).expect("JSON");
    assert_eq!((&last["type"], &last["response"]["status"]), (&"response.done".into(), &"incomplete".into()));
    assert_eq!(last["response"]["status_details"]["reason"], "content_filter");
    assert_eq!(closed.map(|(code, _)| code), Some(1008));
    let (messages, closed) = hear_all(&mut server).await;
    assert_eq!(messages, [Message::text(r#"{"type":"response.cancel"}"#)]);
    assert_eq!(closed.map(|(code, _)| code), Some(1000));
    drop((client, server));
    assert_eq!(running.account().await.reason(), Some("stop"));
}

#[tokio::test]
async fn a_session_may_end_between_answers() {
    let (upstream, mut running) = start(|_| ()).await;
    let session = r#"{"type":"session.created","event_id":"e1","session":{"id":"s1","object":"realtime.session"}}"#;
    let error = r#"{"type":"error","event_id":"e2","error":{"type":"invalid_request_error","message":"no such item"}}"#;
    for (path, events) in [(REALTIME, &[session, error, session][..]), (GEMINI, &[r#"{"setupComplete":{}}"#])] {
        let (mut client, mut server) = open_at(&running, &upstream, path).await;
        for event in events {
            say(&mut server, event).await;
            assert_eq!(hear(&mut client).await, Message::text(*event));
        }
        soon(server.send(close(1000, ""))).await.unwrap();
        assert_eq!(hear_all(&mut client).await, (vec![], Some((1000, String::new()))), "{path}");
        drop((client, server));
        assert_eq!(running.account().await.ending, Some(Ending::Complete), "{path}");
    }
}

#[tokio::test]
async fn binary_json_is_moderated_and_stays_binary() {
    let (mut client, mut server, _running) = session(|_| ()).await;
    for (said, heard) in [(r#"{"text": "a Nightjar"}"#, r#"{"text": "a [codename]"}"#), (" [1 ]", " [1 ]")] {
        soon(server.send(Message::binary(said))).await.unwrap();
        assert_eq!(hear(&mut client).await, Message::binary(heard));
    }
}

#[tokio::test]
async fn other_binary_messages_pass_only_if_the_policy_lets_them() {
    let (mut client, mut server, mut running) = session(|_| ()).await;
    soon(server.send(Message::binary(&b"\x01Nightjar"[..]))).await.unwrap();
    let (messages, closed) = hear_all(&mut client).await;
    let all = format!("{messages:?}");
    assert!(all.contains("error") && !all.contains("Nightjar"), "{all}");
    assert_eq!(closed.map(|(code, _)| code), Some(1003));
    drop((client, server));
    assert_eq!(running.account().await.reason(), Some("unknown"));

    let (mut client, mut server, _running) = session(|config| config.other_content = OtherContent::Pass).await;
    say(&mut server, &chunk("a Night")).await;
    soon(server.send(Message::binary(&b"{\xff"[..]))).await.unwrap();
    say(&mut server, &chunk("s")).await;
    let heard = [hear(&mut client).await, hear(&mut client).await, hear(&mut client).await];
    assert_eq!(heard, [Message::text(chunk("a Night")), Message::binary(&b"{\xff"[..]), Message::text(chunk("s"))]);
}

#[tokio::test]
async fn pings_go_on_and_are_answered_once() {
    let (mut client, mut server, _running) = session(|config| config.keep_alive = None).await;
    soon(client.send(Message::Ping("c".into()))).await.unwrap();
    assert!(hear(&mut server).await.is_ping());
    assert_eq!(hear(&mut client).await, Message::Pong("c".into()));
    soon(server.send(Message::Ping("s".into()))).await.unwrap();
    assert!(hear(&mut client).await.is_ping());
    assert_eq!(hear(&mut server).await, Message::Pong("s".into()));
    // Neither hears of the other's answers.
    say(&mut client, "{}").await;
    assert_eq!(hear(&mut server).await, Message::text("{}"));
    say(&mut server, "{}").await;
    assert_eq!(hear(&mut client).await, Message::text("{}"));
}

#[tokio::test]
async fn closes_pass_on() {
    let (upstream, mut running) = start(|_| ()).await;
    for (code, reason) in [(1000, "bye"), (1013, "too many"), (4001, "")] {
        let (mut client, mut server) = open(&running, &upstream).await;
        soon(server.send(close(code, reason))).await.unwrap();
        assert_eq!(hear_all(&mut client).await, (vec![], Some((code, reason.to_owned()))));
        assert_eq!(hear(&mut server).await, close(code, reason), "its own close is answered");
        drop((client, server));
        assert_eq!(running.account().await.ending, Some(Ending::Complete));

        let (mut client, mut server) = open(&running, &upstream).await;
        soon(client.send(close(code, reason))).await.unwrap();
        assert_eq!(hear_all(&mut server).await, (vec![], Some((code, reason.to_owned()))));
        drop((client, server));
        assert_eq!(running.account().await.ending, Some(Ending::Complete));
    }
    let (mut client, mut server) = open(&running, &upstream).await;
    soon(server.send(Message::Close(None))).await.unwrap();
    assert_eq!(hear_all(&mut client).await, (vec![], None));
}

#[tokio::test]
async fn an_upstream_that_dies_is_an_error() {
    let (upstream, mut running) = start(|_| ()).await;
    // Between messages, and within one: a text of five bytes, of which one comes.
    for last in [&b""[..], b"\x81\x05{"] {
        let (mut client, mut server) = open(&running, &upstream).await;
        say(&mut server, &chunk("hello Night")).await;
        soon(server.get_mut().write_all(last)).await.unwrap();
        drop(server);
        let (messages, closed) = hear_all(&mut client).await;
        let all = format!("{messages:?}");
        assert!(all.contains("hello ") && all.contains("error") && !all.contains("Night"), "{all}");
        assert_eq!(closed.map(|(code, _)| code), Some(1011));
        drop(client);
        assert_eq!(running.account().await.reason(), Some("cut"));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error() {
    let (upstream, mut running) = start(|_| ()).await;
    // Half a character; a message of 2 GiB; a compressed one; and JSON that is none.
    let broken = [&b"\x81\x01\xc3"[..], b"\x81\x7f\0\0\0\0\x80\0\0\0", b"\xc1\x01x", b"\x81\x01{"];
    for raw in broken {
        let (mut client, mut server) = open(&running, &upstream).await;
        soon(server.get_mut().write_all(raw)).await.unwrap();
        let (messages, closed) = hear_all(&mut client).await;
        assert!(format!("{messages:?}").contains("error"), "{messages:?}");
        assert_eq!(closed.map(|(code, _)| code), Some(1011), "{raw:?}");
        drop((client, server));
        assert_eq!(running.account().await.reason(), Some("malformed"), "{raw:?}");
    }
}

#[tokio::test]
async fn a_client_that_goes_closes_the_upstream() {
    let (client, mut server, mut running) = session(|_| ()).await;
    drop(client);
    assert_eq!(hear_all(&mut server).await.1, Some((1001, String::new())));
    drop(server);
    assert_eq!(running.account().await.ending, Some(Ending::ClientGone));
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_told() {
    let (upstream, mut running) = start(|_| ()).await;
    // A message of 2 GiB, and an opcode that there is not.
    for (raw, code) in [(&b"\x81\xff\0\0\0\0\x80\0\0\0\0\0\0\0"[..], 1009), (b"\x83\x80\0\0\0\0", 1002)] {
        let (mut client, mut server) = open(&running, &upstream).await;
        soon(client.get_mut().write_all(raw)).await.unwrap();
        assert_eq!(hear_all(&mut client).await.1.map(|(code, _)| code), Some(code));
        assert_eq!(hear_all(&mut server).await.1, Some((1001, String::new())));
        drop((client, server));
        assert_eq!(running.account().await.ending, Some(Ending::ClientGone));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_heard() {
    let (mut client, server, _running) = session(|_| ()).await;
    let (mut out, mut incoming) = server.split();
    // Far more than all buffers on the way take.
    let flood = tokio::spawn(async move {
        let text = chunk(&"all ".repeat(1 << 14));
        while out.send(Message::text(text.clone())).await.is_ok() {}
    });
    for number in 0..100 {
        say(&mut client, &number.to_string()).await;
        assert_eq!(soon(incoming.next()).await.unwrap().unwrap(), Message::text(number.to_string()));
    }
    flood.abort();
}

#[tokio::test]
async fn a_refused_handshake_is_an_answer_like_any_other() {
    let (upstream, mut running) = start(|_| ()).await;
    let refusing = async {
        let mut exchange = upstream.request().await;
        assert_eq!(exchange.head.get("upgrade"), Some("websocket"));
        exchange.reply("401 Unauthorized", "application/json", r#"{"error":"no Nightjar"}"#).await;
    };
    let (refused, ()) = tokio::join!(connect(running.proxy, &[]), refusing);
    let Err(Error::Http(response)) = refused else { panic!("an answer in HTTP") };
    assert_eq!(response.status(), 401);
    assert_eq!(response.body().as_deref(), Some(&br#"{"error":"no [codename]"}"#[..]));
    let account = running.account().await;
    assert_eq!((account.ending, account.treatment), (Some(Ending::Complete), Some(Treatment::Moderated)));

    // An extension that was not asked for.
    let switching = async {
        let mut exchange = upstream.request().await;
        let head = "HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
        exchange.answer(&format!("{head}sec-websocket-extensions: permessage-deflate\r\n\r\n")).await;
    };
    let (refused, ()) = tokio::join!(connect(running.proxy, &[]), switching);
    let Err(Error::Http(response)) = refused else { panic!("an answer in HTTP") };
    assert_eq!(response.status(), 502);
    assert_eq!(running.account().await.reason(), Some("upstream_switched"));
}

#[tokio::test]
async fn without_an_upstream_there_is_an_error_that_clients_understand() {
    let nobody = listen().await.local_addr().unwrap();
    let upstream = Upstream::new().await;
    let unreachable =
        Running::start(&upstream, |config| config.upstream = format!("http://{nobody}").parse().unwrap()).await;
    let silent = Running::start(&upstream, |config| config.response_timeout = Duration::from_millis(200)).await;
    for (mut running, status, code) in [(unreachable, 502, "upstream_unreachable"), (silent, 504, "upstream_timeout")] {
        let Err(Error::Http(response)) = connect(running.proxy, &[]).await else { panic!("an answer in HTTP") };
        assert_eq!(response.status(), status);
        let body: Value = serde_json::from_slice(response.body().as_deref().unwrap_or_default()).expect("JSON");
        assert_eq!(body["error"]["code"], code);
        assert_eq!(running.account().await.reason(), Some(code));
    }
}

#[tokio::test]
async fn a_stop_waits_for_sessions_and_then_cuts_them() {
    let (mut client, mut server, mut running) = session(|_| ()).await;
    running.stop();
    // It drains, and the session goes on.
    say(&mut server, "{}").await;
    assert_eq!(hear(&mut client).await, Message::text("{}"));
    running.stop();
    let (messages, closed) = hear_all(&mut client).await;
    assert!(format!("{messages:?}").contains("error"), "{messages:?}");
    assert_eq!(closed, Some((1001, "the server has to stop".to_owned())));
    assert_eq!(hear_all(&mut server).await.1, Some((1001, String::new())));
    drop((client, server));
    assert_eq!(running.account().await.ending, Some(Ending::ShutDown));
    assert_eq!(running.stopped().await, Drained::Cut(1));

    let (mut client, mut server, mut running) = session(|_| ()).await;
    running.stop();
    soon(client.send(close(1000, ""))).await.unwrap();
    hear_all(&mut server).await;
    drop((client, server));
    assert_eq!(running.stopped().await, Drained::InTime);
}

#[tokio::test]
async fn an_upstream_that_is_silent_for_too_long_is_an_error() {
    let (mut client, server, mut running) = session(|config| config.idle_timeout = Duration::from_millis(200)).await;
    let (messages, closed) = hear_all(&mut client).await;
    assert!(format!("{messages:?}").contains("upstream_timeout"), "{messages:?}");
    assert_eq!(closed.map(|(code, _)| code), Some(1011));
    drop((client, server));
    assert_eq!(running.account().await.ending, Some(Ending::TimedOut));
}

#[tokio::test]
async fn a_session_that_lasts_too_long_is_ended() {
    let (mut client, server, mut running) =
        session(|config| config.total_timeout = Some(Duration::from_millis(200))).await;
    let (messages, closed) = hear_all(&mut client).await;
    assert!(format!("{messages:?}").contains("upstream_timeout"), "{messages:?}");
    assert_eq!(closed.map(|(code, _)| code), Some(1011));
    drop((client, server));
    assert_eq!(running.account().await.ending, Some(Ending::TimedOut));
}

#[tokio::test]
async fn an_idle_upstream_is_not_silent() {
    let limit = Duration::from_millis(500);
    let (mut client, mut server, _running) = session(|config| {
        config.idle_timeout = limit;
        config.keep_alive = Some(limit / 10);
    })
    .await;
    // It only answers pings, for three times as long as it may be silent.
    let answering = async { while hear(&mut server).await.is_ping() {} };
    let pinged = async {
        for _ in 0..30 {
            assert!(hear(&mut client).await.is_ping());
        }
        say(&mut client, "enough").await;
    };
    tokio::join!(answering, pinged);
}

#[tokio::test]
async fn prompts_are_moderated_if_the_policy_watches_them() {
    let redact = Rule::literal("codename", "Nightjar").redact("[codename]").direction(Direction::Request);
    let refuse = Rule::literal("stop", "Basilisk").terminate().direction(Direction::Request);
    let policy = Policy::builder().rule(redact).rule(refuse).build().expect("a valid policy");
    let (upstream, mut running) = start(|config| config.policies = policy.into()).await;
    let (mut client, mut server) = open(&running, &upstream).await;
    let request = |text: &str| {
        format!(
            r#"{{"type":"conversation.item.create","item":{{"content":[{{"type":"input_text","text":"{text}"}}]}}}}"#
        )
    };
    say(&mut client, &request("a Nightjar")).await;
    assert_eq!(hear(&mut server).await, Message::text(request("a [codename]")));
    soon(client.send(Message::binary(request("a Nightjar")))).await.unwrap();
    assert_eq!(hear(&mut server).await, Message::binary(request("a [codename]")));

    for (said, code) in [(request("a Basilisk"), "content_filter"), ("no JSON".to_owned(), "request_not_json")] {
        say(&mut client, &said).await;
        let error: Value = serde_json::from_str(hear(&mut client).await.to_text().unwrap()).expect("JSON");
        assert_eq!((&error["type"], &error["error"]["code"]), (&"error".into(), &code.into()));
        assert!(!error.to_string().contains("Basilisk"), "{error}");
    }
    // Gemini's clients would fail on a message of that kind.
    let (mut other, mut its_server) = open_at(&running, &upstream, GEMINI).await;
    say(&mut other, r#"{"clientContent":{"turns":[{"parts":[{"text":"a Basilisk"}]}]}}"#).await;
    assert_eq!(hear_all(&mut other).await, (vec![], Some((1008, "refused by a content policy".to_owned()))));
    assert_eq!(hear_all(&mut its_server).await, (vec![], Some((1000, String::new()))));
    drop((other, its_server));
    assert_eq!(running.account().await.reason(), Some("stop"));

    // The session goes on, and answers are no matter of these rules.
    say(&mut client, "{}").await;
    assert_eq!(hear(&mut server).await, Message::text("{}"));
    say(&mut server, "a Nightjar").await;
    assert_eq!(hear(&mut client).await, Message::text("a Nightjar"));
    drop((client, server));
    let verdicts = running.account().await.verdicts;
    assert_eq!(verdicts.values().sum::<u64>(), 3, "{verdicts:?}");
}

#[tokio::test]
async fn passthrough_says_so() {
    let (upstream, running) = start(|config| config.policies = None.into()).await;
    let (connected, (mut server, _)) = tokio::join!(connect(running.proxy, &[]), accept(&upstream));
    let (mut client, response) = connected.expect("a session");
    assert_eq!(response.headers()["x-holdback-mode"], "off");
    for message in [Message::text("Nightjar"), Message::binary(&b"\xff"[..])] {
        soon(server.send(message.clone())).await.unwrap();
        assert_eq!(hear(&mut client).await, message);
    }
}

#[tokio::test]
async fn sessions_are_counted() {
    let (mut client, mut server, mut running) = session(|_| ()).await;
    assert!(running.admin("/metrics").await.1.contains("holdback_responses_open 1\n"));
    say(&mut server, &chunk("a Nightjar")).await;
    hear(&mut client).await;
    drop((client, server));
    running.account().await;
    let metrics = running.admin("/metrics").await.1;
    for line in [
        "holdback_requests_total{status=\"101\",request=\"none\",treatment=\"moderated\"} 1\n",
        "holdback_verdicts_total{rule=\"codename\",action=\"redact\",enforced=\"true\"} 1\n",
        "holdback_responses_open 0\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn http_goes_on_beside_sessions() {
    let (upstream, running) = start(|_| ()).await;
    let (_client, _server) = open(&running, &upstream).await;
    let mut other = Client::ask(running.proxy, "{}").await;
    let mut exchange = upstream.request().await;
    exchange.reply("200 OK", "text/plain", "Nightjar").await;
    assert_eq!(other.response().await.1, "[codename]");
}
