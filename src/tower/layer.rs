use super::choose::Watch;
use super::content::OtherContent;
use super::service::{Holdback, Settings};
use crate::body::{NoTimer, Shutdown, Timer};
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
        let settings = Settings {
            choose: policy,
            watch: (),
            timer: NoTimer,
            idle_limit: None,
            shutdown: None,
            other: OtherContent::default(),
        };
        HoldbackLayer { settings }
    }
}

impl<C, W, T> HoldbackLayer<C, W, T> {
    /// Gives each response an observer, made by `watch` of its request.
    pub fn observe<V: Watch>(self, watch: V) -> HoldbackLayer<C, V, T> {
        let Settings { choose, watch: _, timer, idle_limit, shutdown, other } = self.settings;
        HoldbackLayer { settings: Settings { choose, watch, timer, idle_limit, shutdown, other } }
    }

    /// Ends a stream whose upstream has sent nothing for `limit`.
    pub fn idle_timeout<U: Timer + Clone>(self, timer: U, limit: Duration) -> HoldbackLayer<C, W, U> {
        let Settings { choose, watch, timer: _, idle_limit: _, shutdown, other } = self.settings;
        HoldbackLayer { settings: Settings { choose, watch, timer, idle_limit: Some(limit), shutdown, other } }
    }

    /// Ends every stream when `shutdown` begins.
    pub fn shutdown(mut self, shutdown: Shutdown) -> HoldbackLayer<C, W, T> {
        self.settings.shutdown = Some(shutdown);
        self
    }

    /// Says what happens to content that cannot be moderated.
    pub fn other_content(mut self, other: OtherContent) -> HoldbackLayer<C, W, T> {
        self.settings.other = other;
        self
    }
}

impl<S, C: Clone, W: Clone, T: Clone> Layer<S> for HoldbackLayer<C, W, T> {
    type Service = Holdback<S, C, W, T>;

    fn layer(&self, inner: S) -> Holdback<S, C, W, T> {
        Holdback::new(inner, self.settings.clone())
    }
}
