//! One session: messages go both ways until somebody ends it.
//!
//! ```text
//! client ── requests ── moderate_request ──▶ upstream
//!        ◀── answers ─────── filter ────────
//! ```
//!
//! The two directions wait for each other nowhere, and neither reads a message before the one before it has left. Pings
//! are answered here, since the library does so by itself, and go on as pings of ours; pongs are their end.

use super::Switched;
use super::answers::{Answers, is_json};
use super::closing::Closing;
use crate::body::Shutdown;
use crate::check::{Checks, Judged};
use crate::policy::{ChannelKind, Policy};
use crate::sidecar::account::Book;
use crate::sidecar::config::Config;
use crate::sidecar::connection::Successor;
use crate::tower::{OtherContent, Treatment, announce};
use crate::wire::{Dialect, Ending, Failure, Limits, Refused, RequestOutcome, moderate_request};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// What is read at once, and what is collected before it is written. A session has four of these, and events are small.
const BUFFER_BYTES: usize = 16 * 1024;

/// How long a side may take to answer a close. Longer than the way to anybody who reads.
const LINGER: Duration = Duration::from_secs(1);

/// What every session runs by.
#[derive(Clone)]
pub(in crate::sidecar) struct Sessions {
    checks: Checks,
    other_content: OtherContent,
    idle_timeout: Duration,
    total_timeout: Option<Duration>,
    keep_alive: Option<Duration>,
    shutdown: Shutdown,
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Incoming = SplitStream<Socket>;
/// Shared: either direction may have to say something to either side.
type Outgoing = Mutex<SplitSink<Socket, Message>>;

impl Sessions {
    pub(in crate::sidecar) fn of(config: &Config, shutdown: Shutdown) -> Sessions {
        Sessions {
            checks: config.checks.clone(),
            other_content: config.other_content,
            idle_timeout: config.idle_timeout,
            total_timeout: config.total_timeout,
            keep_alive: config.keep_alive,
            shutdown,
        }
    }

    /// The head of the answer to the client. Once that has left, the session goes on in `successor`.
    pub(in crate::sidecar) fn begin(&self, switched: Switched, book: Book, successor: &Successor) -> Response<()> {
        let Switched { mut response, client, upstream, dialect, policy } = switched;
        let treatment = if policy.is_some() { Treatment::Moderated } else { Treatment::Off };
        let name = policy.as_ref().and_then(|policy| HeaderValue::from_str(policy.name()?).ok());
        // Of its requests nothing is known yet.
        announce(response.headers_mut(), Some(treatment), None, name);
        response.extensions_mut().insert(treatment);
        book.head(response.status(), response.extensions());
        successor.set(Session { by: self.clone(), policy, dialect, book }.run(client, upstream));
        response
    }
}

/// What comes from the upstream's side.
enum Heard {
    Message(Message),
    Judged(Judged),
    End(Ending),
}

struct Session {
    by: Sessions,
    policy: Option<Policy>,
    dialect: Option<Dialect>,
    book: Book,
}

impl Drop for Session {
    fn drop(&mut self) {
        // Unless it has ended, the sidecar had to stop while somebody did not read.
        self.book.ended(Ending::ShutDown);
    }
}

impl Session {
    async fn run(self, client: OnUpgrade, upstream: OnUpgrade) {
        // The upstream's connection is not watched by anybody yet, and dropping it closes it.
        let Ok(client) = client.await else { return self.book.ended(Ending::ClientGone) };
        let (client_out, mut client_in) = open(client, Role::Server).await;
        let Ok(upstream) = upstream.await else { return self.book.ended(Ending::UpstreamFailed(Failure::Cut)) };
        let (upstream_out, mut upstream_in) = open(upstream, Role::Client).await;

        let Sessions { checks, other_content, .. } = self.by.clone();
        let mut answers = Answers::new(self.policy.as_ref(), checks, self.dialect, other_content, self.book.clone());
        let closing = tokio::select! {
            closing = self.answers(&mut answers, &mut upstream_in, &client_out) => closing,
            closing = self.requests(&mut client_in, &upstream_out, &client_out) => closing,
            never = self.show_life(&upstream_out, &client_out) => match never {},
        };

        let last_answers = std::iter::from_fn(|| answers.next()).chain([closing.client]);
        tokio::join!(
            self.leave(client_out, client_in, last_answers),
            self.leave(upstream_out, upstream_in, closing.upstream),
        );
    }

    /// Passes on what the upstream says, until it ends or is ended.
    async fn answers(&self, answers: &mut Answers, upstream: &mut Incoming, client: &Outgoing) -> Closing {
        let mut stop = self.by.shutdown.begun();
        let mut late = pin!(async {
            match self.by.total_timeout {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        });
        // Its close, once it has said it.
        let mut closed = None;
        loop {
            // While judgements lag behind, it is not listened to, and is not late.
            let listens = closed.is_none() && !answers.is_full();
            let heard = tokio::select! {
                biased;
                () = &mut stop => Heard::End(Ending::ShutDown),
                () = &mut late => Heard::End(Ending::TimedOut),
                judged = answers.judged() => Heard::Judged(judged),
                message = upstream.next(), if listens => match message.unwrap_or(Err(Error::ConnectionClosed)) {
                    Ok(message) => Heard::Message(message),
                    Err(error) => Heard::End(broken(&error)),
                },
                () = tokio::time::sleep(self.by.idle_timeout), if listens => Heard::End(Ending::TimedOut),
            };
            let mut ping = None;
            match heard {
                Heard::Message(Message::Close(frame)) => {
                    answers.finish();
                    closed = Some(frame);
                }
                Heard::Message(Message::Ping(_)) => ping = Some(Message::Ping(Bytes::new())),
                Heard::Message(message @ (Message::Text(_) | Message::Binary(_))) => answers.push(message),
                Heard::Message(Message::Pong(_) | Message::Frame(_)) => {}
                Heard::Judged(judged) => answers.judge(judged),
                Heard::End(ending) => answers.fail(ending),
            }
            if let Some(ending) = answers.ending() {
                return match closed {
                    Some(frame) => Closing::by_upstream(frame, ending, self.policy.as_ref()),
                    None => Closing::after(ending, self.dialect),
                };
            }
            let sent = send(client, std::iter::from_fn(|| ping.take().or_else(|| answers.next()))).await;
            if sent.is_err() {
                return self.client_is_gone();
            }
        }
    }

    /// Passes on what the client says, until it leaves.
    async fn requests(&self, client: &mut Incoming, upstream: &Outgoing, back: &Outgoing) -> Closing {
        loop {
            let message = match client.next().await {
                Some(Ok(message)) => message,
                Some(Err(Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) | None => {
                    return self.client_is_gone();
                }
                Some(Err(error)) => {
                    self.book.ended(Ending::ClientGone);
                    return Closing::on_client(&error);
                }
            };
            let moderated = match message {
                Message::Close(frame) => {
                    self.book.ended(Ending::Complete);
                    return Closing::by_client(frame, self.policy.as_ref());
                }
                Message::Ping(_) => Ok(Message::Ping(Bytes::new())),
                Message::Pong(_) | Message::Frame(_) => continue,
                message => self.moderate(message),
            };
            let (to, message) = match moderated {
                Ok(message) => (upstream, message),
                Err(refused) => match refusal(&refused, self.dialect) {
                    Some(refusal) => (back, refusal),
                    None => {
                        self.book.ended(match refused {
                            Refused::Terminated(verdict) => Ending::Terminated(verdict),
                            _ => Ending::ClientGone,
                        });
                        return Closing::on_request();
                    }
                },
            };
            // Whoever is gone is missed where its messages are awaited.
            let _ = send(to, [message]).await;
        }
    }

    /// A request as it may go up.
    fn moderate(&self, message: Message) -> Result<Message, Refused> {
        let watching = self.policy.as_ref().filter(|policy| policy.watches(ChannelKind::Prompt));
        let Some(policy) = watching else { return Ok(message) };
        let is_text = message.is_text();
        let content = message.clone().into_data();
        if !is_text && !is_json(&content) && self.by.other_content == OtherContent::Pass {
            return Ok(message);
        }
        match moderate_request(policy, &content, Limits::default(), &mut self.book.clone()) {
            RequestOutcome::Untouched => Ok(message),
            RequestOutcome::Edited(content) if is_text => {
                Utf8Bytes::try_from(content).map(Message::Text).map_err(|_| Refused::NotJson)
            }
            RequestOutcome::Edited(content) => Ok(Message::Binary(content)),
            RequestOutcome::Refused(refused) => Err(refused),
        }
    }

    /// Pings both sides, so that what is between them does not take silence for death, and neither do we: an upstream
    /// that is idle answers.
    async fn show_life(&self, upstream: &Outgoing, client: &Outgoing) -> Infallible {
        let Some(interval) = self.by.keep_alive else { return std::future::pending().await };
        loop {
            tokio::time::sleep(interval).await;
            for side in [upstream, client] {
                // Whoever is gone is missed where its messages are awaited.
                let _ = send(side, [Message::Ping(Bytes::new())]).await;
            }
        }
    }

    fn client_is_gone(&self) -> Closing {
        self.book.ended(Ending::ClientGone);
        Closing::after(&Ending::ClientGone, self.dialect)
    }

    /// Says the last words to a side, and waits until it has closed: a connection that is dropped with something unread in
    /// it is reset, and a reset overtakes what was said before it.
    async fn leave(&self, out: Outgoing, mut incoming: Incoming, last_words: impl IntoIterator<Item = Message>) {
        // A side that is gone, or has closed, hears nothing.
        let _ = tokio::time::timeout(self.by.idle_timeout, send(&out, last_words)).await;
        let _ = tokio::time::timeout(LINGER, async { while let Some(Ok(_)) = incoming.next().await {} }).await;
    }
}

/// The two directions of a connection that has switched.
async fn open(connection: Upgraded, role: Role) -> (Outgoing, Incoming) {
    let largest = Some(Limits::default().event_bytes);
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(largest)
        .max_frame_size(largest);
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(connection), role, Some(config)).await;
    let (out, incoming) = socket.split();
    (Mutex::new(out), incoming)
}

/// Sends messages as one burst, and waits until they have left.
async fn send(side: &Outgoing, messages: impl IntoIterator<Item = Message>) -> Result<(), Error> {
    let mut side = side.lock().await;
    for message in messages {
        side.feed(message).await?;
    }
    side.flush().await
}

/// How a session ends whose upstream broke off so.
fn broken(error: &Error) -> Ending {
    Ending::UpstreamFailed(match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Failure::Cut,
        Error::Capacity(_) | Error::Utf8(_) | Error::Protocol(_) => Failure::Malformed,
        _ => Failure::Cut,
    })
}

/// What a client gets in place of sending a request: OpenAI's form, which has an `error` where others look for one. There
/// is none for Gemini, whose SDKs fail on what they do not know.
fn refusal(refused: &Refused, dialect: Option<Dialect>) -> Option<Message> {
    let (kind, code) = match refused {
        Refused::Terminated(_) => ("content_filter", "content_filter"),
        _ => ("invalid_request_error", refused.name()),
    };
    let error = serde_json::json!({
        "type": "error",
        "event_id": null,
        "error": { "type": kind, "code": code, "message": refused.to_string(), "param": null, "event_id": null }
    });
    (dialect != Some(Dialect::GeminiLive)).then(|| Message::text(error.to_string()))
}
