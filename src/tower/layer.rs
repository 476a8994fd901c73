use super::choose::Watch;
use super::content::OtherContent;
use super::service::{Handling, Holdback, Settings};
use crate::body::{NoTimer, Shutdown, Timer};
use crate::check::Checks;
use crate::quota::Quotas;
use std::time::Duration;
use tower_layer::Layer;

/// Moderates the responses of the services it is laid on.
///
/// `C` [chooses](super::Choose) the policy, `W` [watches](Watch) the streams, `T` is the [`Timer`].
#[derive(Clone, Debug)]
pub struct HoldbackLayer<C, W = (), T = NoTimer> {
    settings: Settings<C, W, T>,
}

impl<C> HoldbackLayer<C> {
    /// A layer under this policy, or under the one that a closure chooses for each request.
    pub fn new(policy: C) -> HoldbackLayer<C> {
        let handling = Handling::default();
        HoldbackLayer { settings: Settings { choose: policy, watch: (), timer: NoTimer, handling } }
    }
}

impl<C, W, T> HoldbackLayer<C, W, T> {
    /// Gives each response an observer, made by `watch` of its request.
    pub fn observe<V: Watch>(self, watch: V) -> HoldbackLayer<C, V, T> {
        let Settings { choose, watch: _, timer, handling } = self.settings;
        HoldbackLayer { settings: Settings { choose, watch, timer, handling } }
    }

    /// Ends a stream whose upstream has sent nothing for `limit`.
    ///
    /// The timer that was given last serves everything that takes one.
    pub fn idle_timeout<U: Timer + Clone>(mut self, timer: U, limit: Duration) -> HoldbackLayer<C, W, U> {
        self.settings.handling.times.idle = Some(limit);
        self.timed(timer)
    }

    /// Ends a stream that is not over `limit` after it was first asked for.
    pub fn total_timeout<U: Timer + Clone>(mut self, timer: U, limit: Duration) -> HoldbackLayer<C, W, U> {
        self.settings.handling.times.total = Some(limit);
        self.timed(timer)
    }

    /// Sends the protocol's heartbeat, where it has one, into a stream that had nothing else to hand out for `interval`,
    /// so that what is held or thought about for long is not taken for dead.
    pub fn keep_alive<U: Timer + Clone>(mut self, timer: U, interval: Duration) -> HoldbackLayer<C, W, U> {
        self.settings.handling.times.quiet = Some(interval);
        self.timed(timer)
    }

    fn timed<U>(self, timer: U) -> HoldbackLayer<C, W, U> {
        let Settings { choose, watch, timer: _, handling } = self.settings;
        HoldbackLayer { settings: Settings { choose, watch, timer, handling } }
    }

    /// Has `checks` answer for the checks of policies. Without, each of them fails.
    pub fn checks<U: Timer + Clone>(mut self, timer: U, checks: Checks) -> HoldbackLayer<C, W, U> {
        self.settings.handling.checks = checks;
        self.timed(timer)
    }

    /// Counts the quotas of policies in `quotas`. Without, each layer counts for itself.
    pub fn quotas(mut self, quotas: Quotas) -> HoldbackLayer<C, W, T> {
        self.settings.handling.quotas = quotas;
        self
    }

    /// Ends every stream when `shutdown` begins, and refuses requests from then on with 503.
    pub fn shutdown(mut self, shutdown: Shutdown) -> HoldbackLayer<C, W, T> {
        self.settings.handling.shutdown = Some(shutdown);
        self
    }

    /// Says what happens to content that cannot be moderated.
    pub fn other_content(mut self, other: OtherContent) -> HoldbackLayer<C, W, T> {
        self.settings.handling.other = other;
        self
    }
}

impl<S, C: Clone, W: Clone, T: Clone> Layer<S> for HoldbackLayer<C, W, T> {
    type Service = Holdback<S, C, W, T>;

    fn layer(&self, inner: S) -> Holdback<S, C, W, T> {
        Holdback::new(inner, self.settings.clone())
    }
}
