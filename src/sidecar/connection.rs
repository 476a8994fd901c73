//! A client's connection: its end may be the only sign that an answer is whole, and HTTP's end need not be its own.

use http::{Request, Version};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection that is reset, not closed, if an answer to a client of HTTP/1.0 was cut off on it.
///
/// Such a client knows no chunks: it takes the close of the connection for the end of the answer.
pub(super) struct Connection {
    stream: TcpStream,
    last_answer: LastAnswer,
}

/// What the end of a connection says of the last answer on it.
#[derive(Clone, Default)]
pub(super) struct LastAnswer(Arc<AtomicBool>);

impl Connection {
    pub(super) fn new(stream: TcpStream) -> (Connection, LastAnswer) {
        let last_answer = LastAnswer::default();
        (Connection { stream, last_answer: last_answer.clone() }, last_answer)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.last_answer.0.load(Ordering::Relaxed) {
            // Of a connection that is gone already, nothing needs to be said.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl LastAnswer {
    /// A request came: until the connection is over, its close would be the answer's end.
    pub(super) fn begins<B>(&self, request: &Request<B>) {
        if request.version() <= Version::HTTP_10 {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// The connection came to a regular end, and so did every answer on it.
    pub(super) fn is_whole(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// What goes on on a connection after it has switched from HTTP to another protocol. It belongs to the connection's task,
/// so that a sidecar that stops waits for it as it does for answers.
#[derive(Clone, Default)]
pub(super) struct Successor(Arc<Mutex<Option<Running>>>);

/// What goes on.
type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Successor {
    pub(super) fn set(&self, successor: impl Future<Output = ()> + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(successor));
    }

    /// HTTP is over: runs what comes after it, if anything does.
    pub(super) async fn run(self) {
        let successor = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(successor) = successor {
            successor.await;
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
