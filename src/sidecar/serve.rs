//! Listening, and stopping well.

use super::admin::Admin;
use super::config::Config;
use super::connection::{Connection, Successor};
use super::metrics::Metrics;
use super::proxy;
use crate::body::Shutdown;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::{Service, ServiceExt, service_fn};

/// What one connection may keep in memory while its client reads slowly. hyper's default is about 400 KiB, which a
/// thousand stalled clients turn into 400 MiB; a stream of tokens never fills this.
const CONNECTION_BUFFER_BYTES: usize = 64 * 1024;

/// After a failed accept, most likely for want of file descriptors, wait for connections to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long connections may take to hand out the endings of streams whose time to drain was over. Longer than the way
/// to any client that reads; the others are cut.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A proxy that is bound to its ports.
pub struct Sidecar {
    config: Config,
    metrics: Metrics,
    proxy: TcpListener,
    admin: Option<TcpListener>,
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drained {
    /// Every stream came to its own end.
    InTime,
    /// This many connections had to be cut short, the streams on them by their protocol's error form.
    Cut(usize),
}

impl Sidecar {
    /// A sidecar that takes requests at `proxy`, and answers its operator at `admin`.
    pub fn new(config: Config, proxy: TcpListener, admin: Option<TcpListener>) -> Sidecar {
        Sidecar { config, metrics: Metrics::default(), proxy, admin }
    }

    /// Serves until `stop` is ready, and then for as long as open streams need, within the configured limit. `stop` is
    /// called again then, and cuts them short when it is ready a second time.
    pub async fn run(self, mut stop: impl AsyncFnMut()) -> Drained {
        let draining = Arc::new(AtomicBool::new(false));
        let shutdown = self.config.shutdown.clone();
        let admin = Admin { metrics: self.metrics.clone(), draining: draining.clone(), shutdown: shutdown.clone() };
        let answer = service_fn(move |request: Request<Incoming>| {
            std::future::ready(Ok::<_, Infallible>(admin.answer(&request)))
        });
        let mut operator = JoinSet::new();
        if let Some(listener) = self.admin {
            operator.spawn(async move {
                Connections::to(answer).accept(listener, std::future::pending()).await;
            });
        }

        let mut connections = Connections::to(proxy::service(&self.config, self.metrics, shutdown.clone()));
        connections.accept(self.proxy, stop()).await;
        draining.store(true, Ordering::Relaxed);
        let limit = self.config.drain_timeout;
        let enough = async {
            tokio::select! {
                () = tokio::time::sleep(limit) => (),
                () = stop() => (),
            }
        };
        connections.drain(enough, &shutdown).await
    }
}

/// Connections to one service.
struct Connections<S> {
    service: S,
    tasks: JoinSet<()>,
    graceful: GracefulShutdown,
}

impl<S, B> Connections<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    fn to(service: S) -> Connections<S> {
        Connections { service, tasks: JoinSet::new(), graceful: GracefulShutdown::new() }
    }

    /// Takes connections until `stop`; the listener closes then, so that others may take the port.
    async fn accept(&mut self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut stop => return,
            };
            match accepted {
                Ok((stream, _)) => self.serve(stream),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn serve(&mut self, stream: TcpStream) {
        // Nagle's algorithm would hold small events back until the client acknowledges the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::warn!(%error, "cannot set TCP_NODELAY");
        }
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http1().timer(TokioTimer::new()).max_buf_size(CONNECTION_BUFFER_BYTES);
        server.http2().timer(TokioTimer::new()).max_send_buf_size(CONNECTION_BUFFER_BYTES);
        let (stream, last_answer) = Connection::new(stream);
        let begins = last_answer.clone();
        let successor = Successor::default();
        let for_successor = successor.clone();
        let service = self.service.clone().map_request(move |mut request: Request<Incoming>| {
            begins.begins(&request);
            request.extensions_mut().insert(for_successor.clone());
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = self.graceful.watch(connection);
        self.tasks.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            match connection.as_mut().await {
                Ok(()) => last_answer.is_whole(),
                // Clients come and go; what matters is in the account of their response.
                Err(error) => tracing::debug!(error, "a connection broke"),
            }
            successor.run().await;
        });
    }

    /// Lets connections finish, and cuts them short when it is `enough`.
    async fn drain(mut self, enough: impl Future<Output = ()>, shutdown: &Shutdown) -> Drained {
        let mut told = std::pin::pin!(self.graceful.shutdown());
        let finished = async {
            told.as_mut().await;
            // What came after HTTP on them was not told, and may take as long.
            while self.tasks.join_next().await.is_some() {}
        };
        tokio::select! {
            () = finished => return Drained::InTime,
            () = enough => (),
        }
        while self.tasks.try_join_next().is_some() {}
        let cut = self.tasks.len();
        shutdown.begin();
        // Whoever is late here did not read, or reads what has no form for an ending.
        let _ = tokio::time::timeout(LAST_WORDS, async { while self.tasks.join_next().await.is_some() {} }).await;
        self.tasks.shutdown().await;
        Drained::Cut(cut)
    }
}
