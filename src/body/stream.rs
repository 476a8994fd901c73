//! The `Stream` adaptor: the same driver, for bytes that are no HTTP body.

use super::{Error, Moderated, NoTimer, Shutdown, Timer};
use crate::check::Checks;
use crate::wire::{Filter, Observer};
use bytes::Bytes;
use futures_core::{Stream, TryStream};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

pin_project! {
    /// A stream of bytes that lets through what its filter releases.
    ///
    /// ```
    /// use holdback::body::ModeratedStream;
    /// use holdback::{Dialect, Filter, Policy, Rule};
    /// use tokio_stream::StreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar").redact("[codename]")).build()?;
    /// let upstream = tokio_stream::iter(["We call it Night", "jar."].map(|text| Ok::<_, std::io::Error>(text.into())));
    ///
    /// let mut moderated = ModeratedStream::new(upstream, Filter::new(&policy, Some(Dialect::Text)));
    /// let mut text = String::new();
    /// while let Some(bytes) = moderated.next().await {
    ///     text.push_str(std::str::from_utf8(&bytes?)?);
    /// }
    /// assert_eq!(text, "We call it [codename].");
    /// # Ok(()) }
    /// ```
    pub struct ModeratedStream<S: TryStream<Ok = Bytes>, O: Observer = (), T: Timer = NoTimer> {
        #[pin]
        body: Moderated<Frames<S>, O, T>,
    }
}

impl<S: TryStream<Ok = Bytes>> ModeratedStream<S> {
    /// Moderates `upstream` by `filter`.
    pub fn new(upstream: S, filter: Filter) -> ModeratedStream<S> {
        ModeratedStream::with_observer(upstream, filter, ())
    }
}

impl<S: TryStream<Ok = Bytes>, O: Observer> ModeratedStream<S, O> {
    /// Moderates `upstream` by `filter` before the eyes of `observer`.
    pub fn with_observer(upstream: S, filter: Filter, observer: O) -> ModeratedStream<S, O> {
        ModeratedStream { body: Moderated::with_observer(Frames { stream: upstream }, filter, observer) }
    }
}

impl<S: TryStream<Ok = Bytes>, O: Observer, T: Timer> ModeratedStream<S, O, T> {
    /// Ends the stream as [`Ending::TimedOut`](crate::Ending::TimedOut) when the upstream has sent nothing for `limit`
    /// while we waited for it; without a limit it may be silent for ever.
    pub fn idle_timeout<U: Timer>(self, timer: U, limit: impl Into<Option<Duration>>) -> ModeratedStream<S, O, U> {
        ModeratedStream { body: self.body.idle_timeout(timer, limit) }
    }

    /// Ends the stream as [`Ending::TimedOut`](crate::Ending::TimedOut) when it is not over `limit` after it was first asked
    /// for; see [`Moderated::total_timeout`].
    pub fn total_timeout<U: Timer>(self, timer: U, limit: impl Into<Option<Duration>>) -> ModeratedStream<S, O, U> {
        ModeratedStream { body: self.body.total_timeout(timer, limit) }
    }

    /// Gives out the protocol's [heartbeat](Filter::heartbeat) whenever there was nothing else to give out for `interval`;
    /// see [`Moderated::keep_alive`].
    pub fn keep_alive<U: Timer>(self, timer: U, interval: impl Into<Option<Duration>>) -> ModeratedStream<S, O, U> {
        ModeratedStream { body: self.body.keep_alive(timer, interval) }
    }

    /// Has `checks` answer for the policy's checks; see [`Moderated::checks`].
    pub fn checks<U: Timer>(self, timer: U, checks: Checks) -> ModeratedStream<S, O, U> {
        ModeratedStream { body: self.body.checks(timer, checks) }
    }

    /// Ends the stream as [`Ending::ShutDown`](crate::Ending::ShutDown) when `shutdown` begins.
    pub fn shutdown(self, shutdown: &Shutdown) -> ModeratedStream<S, O, T> {
        ModeratedStream { body: self.body.shutdown(shutdown) }
    }
}

impl<S: TryStream<Ok = Bytes>, O: Observer, T: Timer> Stream for ModeratedStream<S, O, T> {
    type Item = Result<Bytes, Error<S::Error>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frame = ready!(self.project().body.poll_frame(cx));
        // A stream has no trailers, so neither has its body, and every frame is data.
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default())))
    }
}

pin_project! {
    /// A stream as a body whose frames are its items.
    struct Frames<S> {
        #[pin]
        stream: S,
    }
}

impl<S: TryStream<Ok = Bytes>> Body for Frames<S> {
    type Data = Bytes;
    type Error = S::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, S::Error>>> {
        let item = ready!(self.project().stream.try_poll_next(cx));
        Poll::Ready(item.map(|item| item.map(Frame::data)))
    }
}
