//! What callers have had of their [quotas](crate::rule::Quota), counted across streams.
//!
//! Counting is off the way of the text: what a stream has is told to [`Quotas`] and forgotten, and only a request that
//! comes in asks how its caller stands. By default each process counts for itself; with the feature `redis` all that share a
//! server count together, and each falls back to its own counts while the server is away.

mod memory;
#[cfg(feature = "redis")]
mod redis;

#[cfg(feature = "redis")]
pub use self::redis::BadRedis;

#[cfg(feature = "redis")]
use crate::body::Shutdown;
use crate::body::random;
use crate::policy::{CompiledQuota, Counted, Policy};
use hmac::{Hmac, KeyInit, Mac};
use memory::Memory;
use sha2::Sha256;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// What callers have had of their quotas. Clones are one.
///
/// ```
/// use holdback::quota::Quotas;
/// use holdback::rule::Quota;
/// use holdback::tower::HoldbackLayer;
/// use holdback::Policy;
/// use std::time::Duration;
///
/// let quota = Quota::requests("hourly", 1_000, Duration::from_secs(3_600)).per_header("authorization");
/// let policy = Policy::builder().quota(quota).build()?;
/// let layer = HoldbackLayer::new(policy).quotas(Quotas::default());
/// # let _ = layer;
/// # Ok::<(), holdback::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Quotas(Arc<Shared>);

struct Shared {
    key: Vec<u8>,
    local: Memory,
    #[cfg(feature = "redis")]
    remote: Option<redis::Remote>,
}

impl Quotas {
    /// Counts in this process. Callers are told apart by hashes under `key`.
    pub fn in_memory(key: impl Into<Vec<u8>>) -> Quotas {
        Quotas(Arc::new(Shared {
            key: key.into(),
            local: Memory::default(),
            #[cfg(feature = "redis")]
            remote: None,
        }))
    }

    /// Counts together with all that use this Redis server, at a URL such as `redis://127.0.0.1:6379/0`, and the same `key`,
    /// under which callers are hashed.
    ///
    /// A request waits for the server's answer for 100 ms at most, and for none within a second of a failure; then the counts
    /// of this process hold. What is counted meanwhile is told to the server when it is back.
    ///
    /// # Errors
    ///
    /// If the URL is none of Redis.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[cfg(feature = "redis")]
    pub fn redis(url: &str, key: impl Into<Vec<u8>>) -> Result<Quotas, BadRedis> {
        let remote = Some(redis::Remote::new(url)?);
        Ok(Quotas(Arc::new(Shared { key: key.into(), local: Memory::default(), remote })))
    }

    /// Has `shutdown` begin while the server's key `holdback:kill` exists, whatever its value: a kill switch for all that
    /// share the server. It is looked up each second; while the server is away, nothing changes.
    #[cfg(feature = "redis")]
    pub fn kill_switch(self, shutdown: &Shutdown) -> Quotas {
        if let Some(remote) = &self.0.remote {
            remote.watch_kill_switch(shutdown.clone());
        }
        self
    }

    /// Begins to ask how the callers of a request stand. `header` has the values of a request's headers.
    pub(crate) fn ask<'r>(&self, policy: &Policy, header: impl Fn(&str) -> Option<&'r [u8]>) -> Asking {
        let caller = |(at, quota): (usize, &CompiledQuota)| Caller {
            quota: at,
            key: self.key_of(quota, quota.per.as_deref().and_then(&header).unwrap_or_default()),
        };
        let callers: Vec<Caller> = policy.quotas().iter().enumerate().map(caller).collect();
        let meter = Meter { quotas: self.clone(), policy: policy.clone(), callers, bytes: 0 };
        #[cfg(feature = "redis")]
        let remote = self.0.remote.as_ref().map(|remote| remote.ask(meter.callers.iter().map(|caller| caller.key)));
        #[cfg(not(feature = "redis"))]
        let remote = None;
        Asking { meter: Some(meter), remote }
    }

    /// Under which a caller's count of a quota is kept.
    fn key_of(&self, quota: &CompiledQuota, caller: &[u8]) -> Key {
        let mut hash = Hmac::<Sha256>::new_from_slice(&self.0.key).expect("HMAC takes a key of any length");
        hash.update(quota.id.as_bytes());
        hash.update(&[0]);
        hash.update(caller);
        let digest = hash.finalize().into_bytes();
        Key(u128::from_be_bytes(digest[..16].try_into().expect("a digest of 32 bytes")))
    }

    fn add(&self, key: Key, by: u64, quota: &CompiledQuota) {
        let counting = Counting { most: quota.most, within: quota.within, refuse: quota.refuse.unwrap_or_default() };
        self.0.local.add(key, by, counting, Instant::now());
        #[cfg(feature = "redis")]
        if let Some(remote) = &self.0.remote {
            remote.add(key, by, counting);
        }
    }
}

/// Counts in this process, under a key that nobody knows.
impl Default for Quotas {
    fn default() -> Quotas {
        let random = [(); 4].map(|()| random::number().to_le_bytes());
        Quotas::in_memory(random.concat())
    }
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Quotas(..)")
    }
}

/// A caller's count of one quota, by a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(u128);

/// How a count goes.
#[derive(Clone, Copy, Debug)]
struct Counting {
    most: u64,
    within: Duration,
    /// For how long it stands once `most` is reached; zero for as long as it would in any case.
    refuse: Duration,
}

/// A count, and for how long it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    count: u64,
    left: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Caller {
    /// The place in the policy.
    quota: usize,
    key: Key,
}

/// Answers of a server; `None` if there are none.
type Remote = Pin<Box<dyn Future<Output = Option<Vec<Standing>>> + Send>>;

/// A question how the callers of a request stand.
pub(crate) struct Asking {
    meter: Option<Meter>,
    remote: Option<Remote>,
}

/// A quota that is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedUp {
    pub(crate) quota: Arc<str>,
    pub(crate) is_enforced: bool,
    /// For how long.
    pub(crate) wait: Duration,
}

impl Asking {
    /// What is used up, and what is to count the stream if it may begin: then the request is counted.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<(Vec<UsedUp>, Meter)> {
        let told = match &mut self.remote {
            Some(remote) => ready!(remote.as_mut().poll(cx)),
            None => None,
        };
        let meter = self.meter.take().expect("a question is not asked again");
        let local = &meter.quotas.0.local;
        let now = Instant::now();
        let mut used_up = Vec::new();
        for (at, caller) in meter.callers.iter().enumerate() {
            let standing = told.as_ref().map_or_else(|| local.standing(caller.key, now), |told| told[at]);
            let quota = &meter.policy.quotas()[caller.quota];
            if standing.count >= quota.most {
                used_up.push(UsedUp { quota: quota.id.clone(), is_enforced: quota.is_enforced, wait: standing.left });
            }
        }
        if !used_up.iter().any(|used_up| used_up.is_enforced) {
            meter.count(|counts| u64::from(matches!(counts, Counted::Requests)));
        }
        Poll::Ready((used_up, meter))
    }
}

/// Counts what one stream has.
#[derive(Debug)]
pub(crate) struct Meter {
    quotas: Quotas,
    policy: Policy,
    callers: Vec<Caller>,
    bytes: u64,
}

impl Meter {
    /// A rule or a check has found something.
    pub(crate) fn found(&self, rule: &str) {
        self.count(|counts| match counts {
            Counted::Findings(ids) => u64::from(ids.contains(rule)),
            _ => 0,
        });
    }

    /// Bytes have left.
    pub(crate) fn released(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Counts as much towards each quota as `by` says of what it counts.
    fn count(&self, by: impl Fn(&Counted) -> u64) {
        for caller in &self.callers {
            let quota = &self.policy.quotas()[caller.quota];
            match by(&quota.counts) {
                0 => {}
                by => self.quotas.add(caller.key, by, quota),
            }
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.count(|counts| if matches!(counts, Counted::Bytes) { self.bytes } else { 0 });
    }
}
