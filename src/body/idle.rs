//! How long an upstream may say nothing.

use pin_project_lite::pin_project;
use std::future::{Future, Pending};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Sleeps and tells the time. The user brings it, since the library has no runtime of its own.
///
/// With tokio:
///
/// ```
/// use holdback::body::Timer;
/// use std::time::{Duration, Instant};
///
/// #[derive(Clone)]
/// struct TokioTimer;
///
/// impl Timer for TokioTimer {
///     type Sleep = tokio::time::Sleep;
///
///     fn sleep(&self, duration: Duration) -> tokio::time::Sleep {
///         tokio::time::sleep(duration)
///     }
///
///     fn now(&self) -> Instant {
///         tokio::time::Instant::now().into_std()
///     }
/// }
/// ```
pub trait Timer {
    /// Completes when the time is over.
    type Sleep: Future<Output = ()>;

    /// Begins to sleep.
    fn sleep(&self, duration: Duration) -> Self::Sleep;

    /// The time by the clock that the sleeps go by.
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// No timer: an upstream may be silent for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTimer;

impl Timer for NoTimer {
    type Sleep = Pending<()>;

    fn sleep(&self, _: Duration) -> Pending<()> {
        std::future::pending()
    }
}

pin_project! {
    /// Measures how long we have been waiting for an upstream.
    ///
    /// Time in which the client does not ask for more is not the upstream's fault and does not count.
    pub(super) struct Idle<T: Timer> {
        timer: T,
        limit: Option<Duration>,
        // Since when the upstream has had nothing for us; `None` while it had.
        waiting_since: Option<Instant>,
        // Left to run while events come and re-armed only when it fires: a timer operation per timeout
        // instead of one per event.
        #[pin]
        sleep: Option<T::Sleep>,
    }
}

impl<T: Timer> Idle<T> {
    pub(super) fn new(timer: T, limit: Option<Duration>) -> Idle<T> {
        Idle { timer, limit, waiting_since: None, sleep: None }
    }

    pub(super) fn now(&self) -> Instant {
        self.timer.now()
    }

    /// The upstream sent something.
    pub(super) fn heard(self: Pin<&mut Self>) {
        *self.project().waiting_since = None;
    }

    /// The upstream has nothing now: ready once that has lasted for the whole limit.
    pub(super) fn poll_expired(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(limit) = *this.limit else { return Poll::Pending };
        let now = this.timer.now();
        let since = *this.waiting_since.get_or_insert(now);
        loop {
            let Some(sleep) = this.sleep.as_mut().as_pin_mut() else {
                let rest = limit.saturating_sub(this.timer.now().saturating_duration_since(since));
                if rest.is_zero() {
                    return Poll::Ready(());
                }
                this.sleep.set(Some(this.timer.sleep(rest)));
                continue;
            };
            ready!(sleep.poll(cx));
            this.sleep.set(None);
        }
    }
}
