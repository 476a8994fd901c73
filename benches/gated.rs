//! Many gated streams at once, through the sidecar, with a detector that takes its time: what the gate adds to the delay,
//! what a stream costs in memory, and whether everything comes in order and redacted.
//!
//! `cargo bench --bench gated` runs 1,000 streams of 100 tokens at 50 a second, and a tenth as many more whose clients leave
//! early, under a gate whose detector answers after 40 ms; `cargo bench --bench gated -- 100` as many as it says. The model,
//! the detector and the sidecar are processes of their own, all on loopback.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::post;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt;

const TOKENS: usize = 100;
const PACE: Duration = Duration::from_millis(20);
const JUDGING: Duration = Duration::from_millis(40);
/// Each sentence is five tokens long.
const SENTENCE: [&str; 5] = ["You", " are a", " nice", " person", ". "];
const RUDE: [&str; 5] = ["You", " are a", " block", "head", ". "];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match arguments.first().map(String::as_str) {
        Some("detector") => runtime.block_on(detector()),
        Some("model") => runtime.block_on(model()),
        // `cargo test --benches` runs this too: then with few streams.
        _ => {
            let is_bench = arguments.iter().any(|argument| argument == "--bench");
            let streams = arguments.iter().find_map(|argument| argument.parse().ok());
            let streams = streams.unwrap_or(if is_bench { 1_000 } else { 20 });
            runtime.block_on(measure(streams, streams / 10));
        }
    }
}

/// The tokens of stream number `n`: every seventh sentence is rude.
fn tokens(n: usize) -> impl Iterator<Item = &'static str> {
    (0..TOKENS / 5).flat_map(move |sentence| if (sentence + n).is_multiple_of(7) { RUDE } else { SENTENCE })
}

/// What a client must read of stream number `n`.
fn expected(n: usize) -> String {
    let sentence = |sentence: usize| {
        if (sentence + n).is_multiple_of(7) { "You are a [detector]. " } else { "You are a nice person. " }
    };
    (0..TOKENS / 5).map(sentence).collect()
}

async fn serve(app: Router) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
    println!("{}", listener.local_addr().expect("bound"));
    axum::serve(listener, app).await.expect("it serves until it is ended");
}

/// What the detector was asked, and what it answered: the rest was cancelled.
#[derive(Clone, Default)]
struct Counts {
    asked: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
}

/// Finds blockheads, after some time.
async fn detector() {
    let detect = async |State(counts): State<Counts>, body: Bytes| {
        counts.asked.fetch_add(1, Ordering::Relaxed);
        sleep(JUDGING).await;
        counts.answered.fetch_add(1, Ordering::Relaxed);
        let asked: Value = serde_json::from_slice(&body).expect("JSON");
        let found = asked["contents"][0].as_str().and_then(|text| text.find("blockhead"));
        let detection = found.map(|at| json!({ "start": at, "end": at + 9, "detection_type": "rude", "score": 1.0 }));
        json!([detection.into_iter().collect::<Vec<_>>()]).to_string()
    };
    let count = async |State(counts): State<Counts>| {
        format!("{} {}", counts.asked.load(Ordering::Relaxed), counts.answered.load(Ordering::Relaxed))
    };
    let app = Router::new().route("/api/v1/text/contents", post(detect)).route("/counts", post(count));
    serve(app.with_state(Counts::default())).await;
}

/// Says what stream number `n` is asked for in the path.
async fn model() {
    let answer = async |uri: axum::http::Uri| {
        let n = uri.query().and_then(|n| n.parse().ok()).expect("a number");
        let said = tokens(n).map(|token| event(&json!({ "content": token }), None));
        let last = event(&json!({}), Some("stop")) + "data: [DONE]\n\n";
        let paced = tokio_stream::iter(said).throttle(PACE).chain(tokio_stream::iter([last]));
        let body = Body::from_stream(paced.map(Ok::<_, std::convert::Infallible>));
        axum::http::Response::builder()
            .header("content-type", "text/event-stream")
            .body(body)
            .expect("a valid response")
    };
    serve(Router::new().route("/v1/chat/completions", post(answer))).await;
}

fn event(delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    format!(
        "data: {}\n\n",
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] })
    )
}

/// A process that ends with us.
struct Process(Child);

impl Process {
    fn start(mut command: Command) -> (Process, std::io::Lines<BufReader<ChildStdout>>) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        (Process(child), lines)
    }

    /// One of our own roles; gives back where it listens.
    fn role(role: &str) -> (Process, SocketAddr) {
        let mut command = Command::new(std::env::current_exe().expect("we are a program"));
        command.arg(role);
        let (process, mut lines) = Process::start(command);
        let address = lines.next().expect("it says where").expect("text").parse().expect("an address");
        (process, address)
    }

    /// Its most resident memory so far, in KiB.
    fn peak_kib(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// What a client saw: when its tokens came, and what they were.
struct Seen {
    first: Duration,
    /// How much later than the model said it each token came.
    delays: Vec<Duration>,
    text: String,
}

async fn measure(streams: usize, leaving: usize) {
    let (_detector, detector) = Process::role("detector");
    let (_model, model) = Process::role("model");
    let policy = std::env::temp_dir().join(format!("holdback-gated-{}.toml", std::process::id()));
    let check = format!(
        "[[check]]\nid = \"detector\"\nmode = \"gate\"\ncontext = 100\nservice = {{ kind = \"detector\", id = \"rude\", url = \"http://{detector}\" }}\n"
    );
    fs::write(&policy, check).expect("a temporary file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdback"));
    command.args(["proxy", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.args(["--upstream", &format!("http://{model}")]).arg("--policy").arg(&policy);
    let (proxy, mut lines) = Process::start(command);
    let line = lines.next().expect("it says where").expect("text");
    let address: SocketAddr =
        line.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).expect("an address").parse().expect("one");
    fs::remove_file(&policy).expect("it was written");

    let _warm = read(address, 0, usize::MAX).await;
    let before = proxy.peak_kib();
    let began = Instant::now();
    let staying = (0..streams).map(|n| tokio::spawn(read(address, n, usize::MAX)));
    let gone = (0..leaving).map(|n| tokio::spawn(read(address, n, 20)));
    let (staying, gone): (Vec<_>, Vec<_>) = (staying.collect(), gone.collect());
    let mut seen = Vec::new();
    for (n, stream) in staying.into_iter().enumerate() {
        let stream = stream.await.expect("no panic");
        assert_eq!(stream.text, expected(n), "stream {n}");
        seen.push(stream);
    }
    for stream in gone {
        drop(stream.await.expect("no panic"));
    }
    let took = began.elapsed();
    let peak = proxy.peak_kib();
    sleep(JUDGING * 5).await;
    let counts = post_to(detector, "/counts").await;
    let (asked, answered) = counts.split_once(' ').expect("two numbers");

    let mut firsts: Vec<Duration> = seen.iter().map(|seen| seen.first).collect();
    let mut delays: Vec<Duration> = seen.iter().flat_map(|seen| seen.delays.iter().copied()).collect();
    println!("{streams} gated streams of {TOKENS} tokens at {PACE:?}, and {leaving} that leave early, in {took:.1?}");
    println!("every stream is whole, in order and redacted");
    println!("time to first token: {}", quantiles(&mut firsts));
    println!("token later than it was said: {}", quantiles(&mut delays));
    println!(
        "a sentence is complete with the next one's first token, {PACE:?} after its last, and judged {JUDGING:?} later"
    );
    println!(
        "memory of the sidecar: {before} KiB before, {peak} KiB at most: {} KiB a stream",
        (peak - before) / (streams + leaving)
    );
    println!("the detector was asked {asked} times and answered {answered}; the rest was cancelled");
}

fn quantiles(times: &mut [Duration]) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    format!("p50 {:.1?}, p90 {:.1?}, p99 {:.1?}, most {:.1?}", at(0.5), at(0.9), at(0.99), at(1.0))
}

async fn post_to(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    let request = format!("POST {path} HTTP/1.1\r\nhost: me\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut lines = tokio::io::BufReader::new(stream).lines();
    let mut last = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        last = line;
    }
    last
}

/// Reads stream number `n`, or so many events of it.
async fn read(address: SocketAddr, n: usize, events: usize) -> Seen {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    stream.set_nodelay(true).expect("a socket");
    let request = format!(
        "POST /v1/chat/completions?{n} HTTP/1.1\r\nhost: me\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut lines = tokio::io::BufReader::new(stream).lines();
    let mut seen = Seen { first: Duration::ZERO, delays: Vec::new(), text: String::new() };
    while let Ok(Some(line)) = lines.next_line().await {
        let Some(data) = line.strip_prefix("data: ") else { continue };
        if data == "[DONE]" || seen.delays.len() >= events {
            break;
        }
        let event: Value = serde_json::from_str(data).expect("JSON");
        let Some(text) = event["choices"][0]["delta"]["content"].as_str() else { continue };
        let now = began.elapsed();
        if seen.delays.is_empty() {
            seen.first = now;
        }
        seen.delays.push(now.saturating_sub(PACE * seen.delays.len() as u32));
        seen.text.push_str(text);
    }
    seen
}
