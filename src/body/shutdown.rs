//! Ending streams from outside.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Ends streams from outside, each in its protocol's error form: for servers whose time to drain is over, and as a kill
/// switch.
///
/// Clones are one. A stream that was given one goes on until it begins.
///
/// ```
/// use bytes::Bytes;
/// use holdback::body::{Moderated, Shutdown};
/// use holdback::{Dialect, Filter, Policy, Rule};
/// use http_body_util::{BodyExt, Empty};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar")).build()?;
/// let silent = http_body_util::StreamBody::new(tokio_stream::pending::<Result<http_body::Frame<Bytes>, std::io::Error>>());
/// let shutdown = Shutdown::default();
/// let body = Moderated::new(silent, Filter::new(&policy, Some(Dialect::OpenAiChat))).shutdown(&shutdown);
///
/// shutdown.begin();
/// let last_words = body.collect().await?.to_bytes();
/// assert!(last_words.starts_with(b"data: {\"error\":"));
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Shared>);

#[derive(Default)]
struct Shared {
    has_begun: AtomicBool,
    /// How many times it has begun: one that was revoked at once must not pass by streams that were not looking.
    beginnings: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    wakers: BTreeMap<u64, Waker>,
    next: u64,
}

impl Shutdown {
    /// Ends every stream that was given this, and those that are given it later.
    pub fn begin(&self) {
        self.0.has_begun.store(true, Ordering::SeqCst);
        self.0.beginnings.fetch_add(1, Ordering::SeqCst);
        // Not under the lock: what a waker does is not ours to know.
        let wakers = std::mem::take(&mut self.0.waiting().wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    /// Takes it back: streams that are given it from now on go on. Those that were given it before end, even if they have
    /// not noticed yet.
    pub fn revoke(&self) {
        self.0.has_begun.store(false, Ordering::SeqCst);
    }

    /// Whether it has begun, and was not revoked.
    pub fn has_begun(&self) -> bool {
        self.0.has_begun.load(Ordering::SeqCst)
    }

    /// Ready when it begins.
    pub fn begun(&self) -> Begun {
        Begun { shutdown: self.clone(), since: self.0.beginnings.load(Ordering::SeqCst), registered: None }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("has_begun", &self.0.has_begun).finish_non_exhaustive()
    }
}

/// Ready when a [`Shutdown`] begins, and ever after.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Begun {
    shutdown: Shutdown,
    /// How many times it had begun before.
    since: u64,
    // Under which number, and whom to wake: a stream asks at each event, mostly from one task.
    registered: Option<(u64, Waker)>,
}

impl Future for Begun {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.shutdown.0.clone();
        if self.registered.as_ref().is_none_or(|(_, waker)| !waker.will_wake(cx.waker())) {
            let mut waiting = shared.waiting();
            let id = self.registered.as_ref().map_or(waiting.next, |(id, _)| *id);
            waiting.next = waiting.next.max(id + 1);
            waiting.wakers.insert(id, cx.waker().clone());
            self.registered = Some((id, cx.waker().clone()));
        }
        // Looked at after the registration, so that a beginning between the two is not missed.
        let has_begun =
            shared.has_begun.load(Ordering::SeqCst) || shared.beginnings.load(Ordering::SeqCst) != self.since;
        if has_begun { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some((id, _)) = self.registered {
            self.shutdown.0.waiting().wakers.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    #[test]
    fn a_beginning_that_is_revoked_at_once_is_noticed() {
        let shutdown = Shutdown::default();
        let (mut before, mut cx) = (pin!(shutdown.begun()), Context::from_waker(Waker::noop()));
        assert!(before.as_mut().poll(&mut cx).is_pending());
        shutdown.begin();
        shutdown.revoke();
        assert!(before.as_mut().poll(&mut cx).is_ready());
        assert!(pin!(shutdown.begun()).poll(&mut cx).is_pending());
    }
}
