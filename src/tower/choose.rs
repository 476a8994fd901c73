//! Which policy a request gets, and who watches its stream.

use crate::policy::Policy;
use crate::wire::Observer;
use http::HeaderName;
use http::request::Parts;
use std::collections::HashMap;
use std::sync::Arc;

/// Chooses the policy of a request: a fixed [`Policy`], or a closure.
///
/// ```
/// use holdback::Policy;
/// use holdback::tower::HoldbackLayer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let policy = Policy::builder().rule(holdback::Rule::literal("codename", "Nightjar")).build()?;
/// let layer = HoldbackLayer::new(move |request: &http::request::Parts| {
///     request.uri.path().starts_with("/v1/").then(|| policy.clone())
/// });
/// # let _ = layer; Ok(()) }
/// ```
pub trait Choose {
    /// The policy; `None` leaves the response alone.
    fn choose(&self, request: &Parts) -> Option<Policy>;

    /// Whether it must know the [`RequestedModel`](super::RequestedModel). Most APIs name that in their requests' bodies, so
    /// these are read to their ends then before a policy is chosen: up to 32 MiB, beyond which a request is refused.
    fn needs_model(&self) -> bool {
        false
    }
}

impl Choose for Policy {
    fn choose(&self, _: &Parts) -> Option<Policy> {
        Some(self.clone())
    }
}

impl<F: Fn(&Parts) -> Option<Policy>> Choose for F {
    fn choose(&self, request: &Parts) -> Option<Policy> {
        self(request)
    }
}

/// Chooses by name: the policy that `header` names, and `otherwise` where it names none of them.
///
/// Let only those set the header who may weaken the policy.
pub fn by_header(
    header: HeaderName,
    policies: impl IntoIterator<Item = (String, Policy)>,
    otherwise: Policy,
) -> impl Fn(&Parts) -> Option<Policy> + Clone {
    let policies: Arc<HashMap<String, Policy>> = Arc::new(policies.into_iter().collect());
    move |request: &Parts| {
        let name = request.headers.get(&header).and_then(|name| name.to_str().ok());
        Some(name.and_then(|name| policies.get(name)).unwrap_or(&otherwise).clone())
    }
}

/// Makes the [`Observer`] of one response: a closure over its request, or `()` for none.
pub trait Watch {
    /// What sees the stream.
    type Observer: Observer;

    /// The observer of the response to `request`. There is none where no policy is chosen, unless the request must be read
    /// to choose.
    fn watch(&self, request: &Parts) -> Self::Observer;
}

impl Watch for () {
    type Observer = ();

    fn watch(&self, _: &Parts) {}
}

impl<F, O> Watch for F
where
    F: Fn(&Parts) -> O,
    O: Observer,
{
    type Observer = O;

    fn watch(&self, request: &Parts) -> O {
        self(request)
    }
}
