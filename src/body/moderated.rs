//! The `http_body::Body` adaptor.

use super::session::Session;
use super::wait::{Times, Wait};
use super::{Begun, Error, NoTimer, Shutdown, Timer};
use crate::check::{Checks, Driver, Judged};
use crate::wire::{Ending, Failure, Filter, Observer};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

pin_project! {
    /// A body that lets through what its filter releases.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use holdback::body::Moderated;
    /// use holdback::{Dialect, Filter, Policy, Rule};
    /// use http_body_util::{BodyExt, Full};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar").redact("[codename]")).build()?;
    /// let upstream = Full::<Bytes>::from("We call it Nightjar.");
    ///
    /// let body = Moderated::new(upstream, Filter::new(&policy, Some(Dialect::Text)));
    /// assert_eq!(body.collect().await?.to_bytes(), "We call it [codename].");
    /// # Ok(()) }
    /// ```
    pub struct Moderated<B: Body, O: Observer = (), T: Timer = NoTimer> {
        // `None` as soon as the stream is over: dropping the upstream is what cancels it.
        #[pin]
        upstream: Option<B>,
        session: Session<O>,
        timer: T,
        checks: Checks,
        // Made with the first passage that is asked about: most streams have none.
        driver: Option<Driver<T::Sleep>>,
        // For the upstream to say something, for all of it, and for anything to be handed out.
        #[pin]
        idle: Wait<T::Sleep>,
        #[pin]
        total: Wait<T::Sleep>,
        #[pin]
        quiet: Wait<T::Sleep>,
        shutdown: Option<Begun>,
        // How the body ends once the session is drained: broken off, or with trailers, or neither.
        error: Option<Error<B::Error>>,
        trailers: Option<HeaderMap>,
    }
}

impl<B: Body> Moderated<B> {
    /// Moderates `upstream` by `filter`.
    pub fn new(upstream: B, filter: Filter) -> Moderated<B> {
        Moderated::with_observer(upstream, filter, ())
    }
}

impl<B: Body, O: Observer> Moderated<B, O> {
    /// Moderates `upstream` by `filter` before the eyes of `observer`.
    pub fn with_observer(upstream: B, filter: Filter, observer: O) -> Moderated<B, O> {
        let mut body = Moderated {
            upstream: Some(upstream),
            session: Session::new(filter, observer),
            timer: NoTimer,
            checks: Checks::new(),
            driver: None,
            idle: Wait::new(None),
            total: Wait::new(None),
            quiet: Wait::new(None),
            shutdown: None,
            error: None,
            trailers: None,
        };
        // A server asks `is_end_stream` before it polls, and then may never poll.
        if body.upstream.as_ref().is_some_and(B::is_end_stream) {
            body.upstream = None;
            body.session.finish(body.timer.now());
            body.error = broken_off(&mut body.session, None);
        }
        body
    }
}

impl<B: Body, O: Observer, T: Timer> Moderated<B, O, T> {
    /// Ends the stream as [`Ending::TimedOut`] when the upstream has sent nothing for `limit` while we waited for it;
    /// without a limit it may be silent for ever.
    ///
    /// The timer that was given last serves everything that takes one.
    pub fn idle_timeout<U: Timer>(self, timer: U, limit: impl Into<Option<Duration>>) -> Moderated<B, O, U> {
        let times = Times { idle: limit.into(), ..self.times() };
        self.timed(timer, times)
    }

    /// Ends the stream as [`Ending::TimedOut`] when it is not over `limit` after it was first asked for, whether it is the
    /// upstream or the client that takes its time; without a limit it may go on for ever.
    pub fn total_timeout<U: Timer>(self, timer: U, limit: impl Into<Option<Duration>>) -> Moderated<B, O, U> {
        let times = Times { total: limit.into(), ..self.times() };
        self.timed(timer, times)
    }

    /// Hands out the protocol's [heartbeat](Filter::heartbeat) whenever there was nothing else to hand out for
    /// `interval`, be it that the upstream is silent or that what it says is held; without an interval nothing.
    pub fn keep_alive<U: Timer>(self, timer: U, interval: impl Into<Option<Duration>>) -> Moderated<B, O, U> {
        let times = Times { quiet: interval.into(), ..self.times() };
        self.timed(timer, times)
    }

    /// Has `checks` answer for the policy's checks. Without, each of them fails.
    pub fn checks<U: Timer>(self, timer: U, checks: Checks) -> Moderated<B, O, U> {
        let times = self.times();
        Moderated { checks, ..self.timed(timer, times) }
    }

    fn times(&self) -> Times {
        Times { idle: self.idle.limit(), total: self.total.limit(), quiet: self.quiet.limit() }
    }

    pub(crate) fn timed<U: Timer>(self, timer: U, times: Times) -> Moderated<B, O, U> {
        let Times { idle, total, quiet } = times;
        Moderated {
            upstream: self.upstream,
            session: self.session,
            timer,
            checks: self.checks,
            driver: None,
            idle: Wait::new(idle),
            total: Wait::new(total),
            quiet: Wait::new(quiet),
            shutdown: self.shutdown,
            error: self.error,
            trailers: self.trailers,
        }
    }

    /// Ends the stream as [`Ending::ShutDown`] when `shutdown` begins.
    pub fn shutdown(self, shutdown: &Shutdown) -> Moderated<B, O, T> {
        Moderated { shutdown: Some(shutdown.begun()), ..self }
    }
}

#[cfg(feature = "tower")]
impl<B: Body, O: Observer, T: Timer> Moderated<B, O, T> {
    /// How the stream ended, once it has.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.session.ending()
    }

    /// Whether an error has taken the place of a whole document.
    pub(crate) fn is_replaced(&self) -> bool {
        self.session.is_replaced()
    }
}

impl<B, O, T> Body for Moderated<B, O, T>
where
    B: Body,
    O: Observer,
    T: Timer,
{
    type Data = Bytes;
    type Error = Error<B::Error>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error<B::Error>>>> {
        let mut this = self.project();
        loop {
            if let Some(bytes) = this.session.take() {
                this.quiet.as_mut().is_over();
                return hand_out(bytes, this.driver, this.timer);
            }
            if this.session.ending().is_some() {
                let last = this.error.take().map(Err).or_else(|| this.trailers.take().map(Frame::trailers).map(Ok));
                return Poll::Ready(last);
            }

            let mut failure = None;
            let is_shut_down = this.shutdown.as_mut().is_some_and(|begun| Pin::new(begun).poll(cx).is_ready());
            if is_shut_down {
                this.session.fail(Ending::ShutDown, this.timer.now());
            } else if this.total.as_mut().poll_expired(this.timer, cx).is_ready() {
                // An upstream that always has more is late all the same.
                this.session.fail(Ending::TimedOut, this.timer.now());
            } else if let Poll::Ready(judged) = poll_judged(this.session, this.checks, this.driver, this.timer, cx) {
                this.session.judge(judged, this.timer.now());
            } else {
                // While judgements lag behind, the upstream is not asked for more.
                let is_asked = this.upstream.is_some() && !this.session.is_full();
                let upstream = this.upstream.as_mut().as_pin_mut().filter(|_| is_asked);
                let polled = upstream.map_or(Poll::Pending, |upstream| upstream.poll_frame(cx));
                let now = this.timer.now();
                match polled {
                    Poll::Pending if is_asked && this.idle.as_mut().poll_expired(this.timer, cx).is_ready() => {
                        this.session.fail(Ending::TimedOut, now);
                    }
                    Poll::Pending => {
                        if !is_asked {
                            this.idle.as_mut().is_over();
                        }
                        ready!(this.quiet.as_mut().poll_expired(this.timer, cx));
                        this.quiet.as_mut().is_over();
                        if let Some(heartbeat) = this.session.heartbeat() {
                            return hand_out(heartbeat, this.driver, this.timer);
                        }
                    }
                    Poll::Ready(Some(Ok(frame))) => {
                        this.idle.as_mut().is_over();
                        match frame.into_data() {
                            Ok(mut data) => this.session.push(data.copy_to_bytes(data.remaining()), now),
                            Err(frame) => *this.trailers = frame.into_trailers().ok(),
                        }
                        let is_last = this.trailers.is_some()
                            || this.upstream.as_ref().as_pin_ref().is_some_and(|body| body.is_end_stream());
                        if is_last && this.session.ending().is_none() {
                            this.session.finish(now);
                            this.upstream.set(None);
                        }
                    }
                    Poll::Ready(Some(Err(error))) => {
                        failure = Some(error);
                        this.session.fail(Ending::UpstreamFailed(Failure::Cut), now);
                    }
                    Poll::Ready(None) => {
                        this.session.finish(now);
                        // The end of the stream may wait for judgements still.
                        this.upstream.set(None);
                    }
                }
            }

            if let Some(ending) = this.session.ending() {
                if *ending != Ending::Complete {
                    *this.trailers = None;
                }
                this.upstream.set(None);
                *this.driver = None;
                *this.error = broken_off(this.session, failure);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_over = self.session.ending().is_some() && self.session.ready_bytes() == 0;
        is_over && self.error.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ready = self.session.ready_bytes() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(ready);
        if ready == 0 && self.session.ending().is_some() {
            hint.set_upper(0);
        }
        hint
    }
}

/// Gives the reader something; until it comes back no time passes for answers.
fn hand_out<T: Timer, E>(
    bytes: Bytes,
    driver: &mut Option<Driver<T::Sleep>>,
    timer: &T,
) -> Poll<Option<Result<Frame<Bytes>, Error<E>>>> {
    if let Some(driver) = driver {
        driver.rest(timer.now());
    }
    Poll::Ready(Some(Ok(Frame::data(bytes))))
}

/// Asks about what is to be judged; the next judgement, once there is one.
fn poll_judged<O: Observer, T: Timer>(
    session: &mut Session<O>,
    checks: &Checks,
    driver: &mut Option<Driver<T::Sleep>>,
    timer: &T,
    cx: &mut Context<'_>,
) -> Poll<Judged> {
    while let Some(passage) = session.next_passage() {
        driver.get_or_insert_with(|| session.driver(checks.clone())).ask(passage, timer.now());
    }
    match driver {
        Some(driver) => driver.poll_judged(|| timer.now(), |rest| timer.sleep(rest), cx),
        None => Poll::Pending,
    }
}

/// How a session that has just ended must end its body: a failure that its protocol cannot express breaks it off.
fn broken_off<O: Observer, E>(session: &mut Session<O>, failure: Option<E>) -> Option<Error<E>> {
    session.fill();
    session.is_cut_off().then(|| match (failure, session.ending()) {
        (Some(error), _) => Error::Upstream(error),
        (None, Some(Ending::TimedOut)) => Error::TimedOut,
        (None, Some(Ending::ShutDown)) => Error::ShutDown,
        (None, _) => Error::Unreadable,
    })
}
