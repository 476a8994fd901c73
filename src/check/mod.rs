//! Checks: who judges the passages that a policy asks about.
//!
//! A policy says what is asked, and when ([`rule::Check`](crate::rule::Check)). Who answers is a [`tower`] service from
//! a [`Passage`] to a [`Judgement`], so whatever tower offers composes with it: limits on concurrency, retries, load
//! shedding, a buffer. [`Checks`] binds services to checks by their ids, and drives them while a stream goes on: each
//! passage is asked about the moment it is complete, several at once, and leaves in its turn. An answer that is not there
//! by the check's deadline counts as a failure, and so does an error, and a check that nobody answers for.
//!
//! A check of one's own is a function:
//!
//! ```
//! use holdback::check::Checks;
//! use holdback::hold::{Judgement, Passage};
//! use std::convert::Infallible;
//!
//! let shouting = tower::service_fn(|passage: Passage| async move {
//!     let shouts = passage.text().chars().filter(|c| c.is_uppercase()).count() > 10;
//!     Ok::<_, Infallible>(if shouts { Judgement::redact().category("shouting") } else { Judgement::clear() })
//! });
//! let checks = Checks::new().bind("shouting", shouting);
//! # let _ = checks;
//! ```
//!
//! One that needs nothing but labelled texts to be trained on is [`linear`]; with the feature `onnx` there is one for what
//! texts mean, `semantic`.
//!
//! [`tower`]: https://docs.rs/tower

#[cfg(feature = "http-checks")]
mod configured;
mod driver;
#[cfg(feature = "http-checks")]
pub mod http;
pub mod linear;
mod measures;
#[cfg(feature = "onnx")]
pub mod semantic;
mod service;

pub use crate::rule::service::{Measure, Measures};
pub(crate) use driver::{Driver, Judged};
pub use measures::Finding;

use crate::hold::{Judgement, Passage, Unjudged};
use crate::policy::Policy;
use service::{Answer, Answering, Bound};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use tower_service::Service;

/// What a service may fail with. An [`Unjudged`] says why by itself; anything else counts as
/// [`Unjudged::Failed`].
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Services, bound to the checks of policies by their ids. Cheap to clone.
#[derive(Clone, Default)]
pub struct Checks {
    services: Arc<BTreeMap<Box<str>, Box<dyn Answer>>>,
}

impl Checks {
    /// Nobody answers for anything.
    pub fn new() -> Checks {
        Checks::default()
    }

    /// Has `service` answer for the check with this id. Of two with the same id the later one does.
    ///
    /// Each passage is given to a clone of the service, as soon as that is ready.
    pub fn bind<S>(self, id: impl Into<String>, service: S) -> Checks
    where
        S: Service<Passage, Response = Judgement> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.bind_boxed(id.into(), Box::new(Bound(service)))
    }

    fn bind_boxed(self, id: String, service: Box<dyn Answer>) -> Checks {
        let mut services = Arc::try_unwrap(self.services)
            .unwrap_or_else(|shared| shared.iter().map(|(id, service)| (id.clone(), service.clone_box())).collect());
        services.insert(id.into(), service);
        Checks { services: Arc::new(services) }
    }

    /// The policy's checks that nobody answers for: every passage that they watch fails.
    ///
    /// ```
    /// use holdback::Policy;
    /// use holdback::check::Checks;
    /// use holdback::rule::Check;
    ///
    /// let policy = Policy::builder().check(Check::gate("tone")).build()?;
    /// assert_eq!(Checks::new().unbound(&policy).collect::<Vec<_>>(), ["tone"]);
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    pub fn unbound<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = &'a str> {
        policy.checks().map(|check| check.id()).filter(|id| !self.services.contains_key(*id))
    }

    /// Asks about one passage, outside of a stream that a body drives. There is no deadline but the caller's.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), holdback::BuildError> {
    /// use holdback::check::Checks;
    /// use holdback::hold::Unjudged;
    /// use holdback::rule::Check;
    /// use holdback::{Channel, ChannelKind, Policy};
    ///
    /// let policy = Policy::builder().check(Check::gate("tone")).build()?;
    /// let mut channel = Channel::new(&policy, ChannelKind::Text);
    /// channel.push(b"How do you do? ");
    /// channel.finish();
    /// let passage = channel.next_passage().expect("all of it");
    /// assert_eq!(Checks::new().judge(passage).await, Err(Unjudged::Unbound));
    /// # Ok(()) }
    /// ```
    pub async fn judge(&self, passage: Passage) -> Result<Judgement, Unjudged> {
        match self.ask(passage) {
            Some(answering) => answering.await,
            None => Err(Unjudged::Unbound),
        }
    }

    /// Asks about a passage; `None` if nobody answers for its check.
    fn ask(&self, passage: Passage) -> Option<Answering> {
        self.services.get(passage.check()).map(|service| service.answer(passage))
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.services.keys()).finish()
    }
}

/// Whether a category can be called so: it goes into logs and metrics.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 200 && !name.chars().any(char::is_control)
}
