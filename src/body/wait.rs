//! How long to wait.

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

/// How long a stream may take, each without a limit if `None`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// For the upstream to say something.
    pub(crate) idle: Option<Duration>,
    /// For all of it.
    pub(crate) total: Option<Duration>,
    /// Until a heartbeat, while nothing is handed out.
    pub(crate) quiet: Option<Duration>,
}

pin_project! {
    /// Measures how long something has been waited for.
    ///
    /// Time in which the client does not ask for more is nobody's fault and does not count.
    pub(super) struct Wait<S> {
        limit: Option<Duration>,
        // `None` while there is nothing to wait for.
        since: Option<Instant>,
        // Left to run while what was waited for comes, and re-armed only when it fires: a timer operation per limit
        // instead of one per event.
        #[pin]
        sleep: Option<S>,
    }
}

impl<S: Future<Output = ()>> Wait<S> {
    pub(super) fn new(limit: Option<Duration>) -> Wait<S> {
        Wait { limit, since: None, sleep: None }
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// What was waited for has come.
    pub(super) fn is_over(self: Pin<&mut Self>) {
        *self.project().since = None;
    }

    /// It is not there: ready once that has lasted for the whole limit.
    pub(super) fn poll_expired<T: Timer<Sleep = S>>(self: Pin<&mut Self>, timer: &T, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(limit) = *this.limit else { return Poll::Pending };
        let now = timer.now();
        let since = *this.since.get_or_insert(now);
        loop {
            let Some(sleep) = this.sleep.as_mut().as_pin_mut() else {
                let rest = limit.saturating_sub(timer.now().saturating_duration_since(since));
                if rest.is_zero() {
                    return Poll::Ready(());
                }
                this.sleep.set(Some(timer.sleep(rest)));
                continue;
            };
            ready!(sleep.poll(cx));
            this.sleep.set(None);
        }
    }
}
