//! An upstream that says what the test tells it when the test tells it, a client that reads chunk by chunk, and a
//! sidecar between them. Everything is a socket on loopback; nothing sleeps.

#![allow(dead_code, reason = "each test crate uses its own part")]

use holdback::sidecar::{Account, Accountant, Config, Drained, Sidecar};
use holdback::{Policy, Rule};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Far longer than anything takes: a test that waits for ever should say where.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens soon")
}

/// A port on loopback, and nobody has to know which.
pub async fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port")
}

/// One side of an HTTP/1.1 connection.
struct Wire(BufReader<TcpStream>);

impl Wire {
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let len = soon(self.0.read_line(&mut line)).await.unwrap_or(0);
        (len > 0).then(|| line.trim_end().to_owned())
    }

    /// The lines of a head, the first one as it stands and the header names in lower case.
    async fn head(&mut self) -> Option<Head> {
        let first = self.line().await?;
        let mut headers = Vec::new();
        while let Some((name, value)) = self.line().await?.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Head { first, headers })
    }

    async fn exactly(&mut self, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        soon(self.0.read_exact(&mut bytes)).await.ok()?;
        Some(bytes)
    }

    /// The next chunk; empty at the end of the body, `None` where the connection broke.
    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let len = usize::from_str_radix(&self.line().await?, 16).ok()?;
        let bytes = self.exactly(len).await?;
        self.line().await?;
        Some(bytes)
    }

    async fn body(&mut self, head: &Head) -> Vec<u8> {
        if let Some(len) = head.get("content-length") {
            return self.exactly(len.parse().expect("a length")).await.expect("a whole body");
        }
        let mut body = Vec::new();
        if head.get("transfer-encoding").is_some() {
            loop {
                let chunk = self.chunk().await.expect("a whole body");
                if chunk.is_empty() {
                    break;
                }
                body.extend(chunk);
            }
        }
        body
    }

    async fn write(&mut self, text: &str) {
        soon(self.0.get_mut().write_all(text.as_bytes())).await.expect("the other side listens");
    }
}

/// The first line and the headers.
#[derive(Debug)]
pub struct Head {
    pub first: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(its, _)| its == name).map(|(_, value)| &**value)
    }
}

/// Where requests end.
pub struct Upstream(TcpListener);

impl Upstream {
    pub async fn new() -> Upstream {
        Upstream(listen().await)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("bound"))
    }

    /// The next connection, of which nothing was read.
    pub async fn connection(&self) -> TcpStream {
        soon(self.0.accept()).await.expect("a connection").0
    }

    /// The next request, read whole.
    pub async fn request(&self) -> Exchange {
        loop {
            let (stream, _) = soon(self.0.accept()).await.expect("a connection");
            let mut wire = Wire(BufReader::new(stream));
            // A pool may open a connection and then take another one that has become free.
            let Some(head) = wire.head().await else { continue };
            let body = wire.body(&head).await;
            return Exchange { head, body: String::from_utf8(body).expect("UTF-8"), wire };
        }
    }
}

/// A request, and the way to answer it.
pub struct Exchange {
    pub head: Head,
    pub body: String,
    wire: Wire,
}

impl Exchange {
    /// Begins a response of unknown length.
    pub async fn begin(&mut self, content_type: &str) {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n");
        self.wire.write(&head).await;
    }

    pub async fn say(&mut self, text: &str) {
        self.wire.write(&format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    pub async fn finish(mut self) {
        self.wire.write("0\r\n\r\n").await;
    }

    /// A whole response, head and body, as it stands.
    pub async fn answer(&mut self, response: &str) {
        self.wire.write(response).await;
    }

    /// A whole response of this status line and content.
    pub async fn reply(&mut self, status: &str, content_type: &str, content: &str) {
        let length = content.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
        self.answer(&(head + content)).await;
    }

    /// Waits until the other side has closed the connection.
    pub async fn cancelled(mut self) {
        let mut rest = Vec::new();
        // A reset is as good as a close.
        let _ = soon(self.wire.0.read_to_end(&mut rest)).await;
        assert_eq!(rest, b"", "nothing else is said");
    }
}

/// Where responses end.
pub struct Client(Wire);

impl Client {
    /// Connects and sends `request`, whose lines end as HTTP wants it.
    pub async fn send(address: SocketAddr, request: &str) -> Client {
        let stream = soon(TcpStream::connect(address)).await.expect("somebody listens");
        let mut client = Client(Wire(BufReader::new(stream)));
        client.0.write(request).await;
        client
    }

    /// Asks for a chat completion.
    pub async fn ask(address: SocketAddr, body: &str) -> Client {
        let length = body.len();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: me\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        Client::send(address, &request).await
    }

    /// Sends more of its request.
    pub async fn say(&mut self, text: &str) {
        self.0.write(text).await;
    }

    pub async fn head(&mut self) -> Head {
        self.0.head().await.expect("a head")
    }

    /// The next chunk of the body; empty at its regular end.
    pub async fn hear(&mut self) -> String {
        self.heard().await.expect("a chunk, or the regular end")
    }

    /// The same where the connection may break, which is `None`.
    pub async fn heard(&mut self) -> Option<String> {
        self.0.chunk().await.map(|chunk| String::from_utf8(chunk).expect("UTF-8"))
    }

    /// Everything up to the regular end of the body.
    pub async fn hear_all(&mut self) -> String {
        let mut all = String::new();
        loop {
            match &*self.hear().await {
                "" => return all,
                chunk => all.push_str(chunk),
            }
        }
    }

    /// The next bytes of a body that is not chunked.
    pub async fn exactly(&mut self, len: usize) -> String {
        String::from_utf8(self.0.exactly(len).await.expect("so many bytes")).expect("UTF-8")
    }

    /// Everything up to the end of the connection, if that is a regular one.
    pub async fn rest(mut self) -> io::Result<String> {
        let mut rest = String::new();
        soon(self.0.0.read_to_string(&mut rest)).await.map(|_| rest)
    }

    /// Head and body of a response of known or unknown length.
    pub async fn response(&mut self) -> (Head, String) {
        let head = self.head().await;
        let body = self.0.body(&head).await;
        (head, String::from_utf8(body).expect("UTF-8"))
    }
}

/// A sidecar at work.
pub struct Running {
    pub proxy: SocketAddr,
    pub admin: SocketAddr,
    pub accounts: mpsc::UnboundedReceiver<Account>,
    stop: mpsc::UnboundedSender<()>,
    task: JoinHandle<Drained>,
}

impl Running {
    pub async fn start(upstream: &Upstream, adjust: impl FnOnce(&mut Config)) -> Running {
        let (closed, accounts) = mpsc::unbounded_channel();
        let mut config = Config::new(upstream.url().parse().expect("a URL"), policy());
        config.accountant = Accountant::new(move |account: &Account| {
            let _ = closed.send(account.clone());
        });
        adjust(&mut config);
        let (proxy, admin) = (listen().await, listen().await);
        let addresses = (proxy.local_addr().expect("bound"), admin.local_addr().expect("bound"));
        let (stop, mut stopped) = mpsc::unbounded_channel();
        let sidecar = Sidecar::new(config, proxy, Some(admin));
        let task = tokio::spawn(sidecar.run(async move || {
            stopped.recv().await;
        }));
        Running { proxy: addresses.0, admin: addresses.1, accounts, stop, task }
    }

    pub async fn account(&mut self) -> Account {
        soon(self.accounts.recv()).await.expect("an account")
    }

    /// Asks it to stop, and does not wait.
    pub fn stop(&self) {
        self.stop.send(()).expect("it has not stopped");
    }

    pub async fn stopped(&mut self) -> Drained {
        soon(&mut self.task).await.expect("no panic")
    }

    /// An admin page: its first line and its text.
    pub async fn admin(&self, path: &str) -> (String, String) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\n\r\n");
        let (head, body) = Client::send(self.admin, &request).await.response().await;
        (head.first, body)
    }
}

/// An upstream, and a sidecar at work before it.
pub async fn start(adjust: impl FnOnce(&mut Config)) -> (Upstream, Running) {
    let upstream = Upstream::new().await;
    let running = Running::start(&upstream, adjust).await;
    (upstream, running)
}

/// A stream of this content type, asked for and begun: the client has read its head, and nothing was said yet.
pub async fn open(proxy: SocketAddr, upstream: &Upstream, content_type: &str) -> (Client, Exchange) {
    let mut client = Client::ask(proxy, "{}").await;
    let mut exchange = upstream.request().await;
    exchange.begin(content_type).await;
    client.head().await;
    (client, exchange)
}

/// Redacts one word and ends the stream at another.
pub fn policy() -> Policy {
    let redact = Rule::literal("codename", "Nightjar").redact("[codename]");
    let terminate = Rule::literal("stop", "Basilisk").terminate();
    Policy::builder().name("test").rule(redact).rule(terminate).build().expect("a valid policy")
}

/// A chat event that says `text`.
pub fn event(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// How a chat stream ends by itself.
pub const LAST_EVENTS: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
     \"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
