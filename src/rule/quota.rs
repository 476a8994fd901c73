//! Quotas: what one caller may have, all of its streams together.

use super::choice::is_header_name;
use super::{Conduct, Findings, Severity};
use crate::error::Fault;
use std::fmt;
use std::time::Duration;

/// What one caller may have within a time, all of its streams together. Once it has had that, its requests are refused with
/// 429 until the time is over, and the upstream does not hear of them. Streams that have begun go on.
///
/// Findings are what others call strikes, bytes and requests are budgets. The time begins with the first that is counted.
///
/// ```
/// use holdback::Policy;
/// use holdback::policy::Severity;
/// use holdback::rule::{Pack, Quota};
/// use std::time::Duration;
///
/// let day = Duration::from_secs(24 * 60 * 60);
/// let strikes = Quota::findings("strikes", "secrets.*", Severity::High, 3, day).per_header("x-user");
/// let policy = Policy::builder().pack(Pack::SECRETS).quota(strikes).build()?;
/// # let _ = policy;
/// # Ok::<(), holdback::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Quota {
    pub(crate) id: String,
    pub(crate) kind: QuotaKind,
    /// The header that tells callers apart, in small letters.
    pub(crate) per: Option<String>,
    pub(crate) within: Duration,
    pub(crate) refuse: Option<Duration>,
    pub(crate) conduct: Conduct,
}

#[derive(Clone, Debug)]
pub(crate) enum QuotaKind {
    Findings(Findings),
    /// So many bytes of streams, as they leave.
    Bytes(u64),
    Requests(u64),
}

impl QuotaKind {
    /// With so much, the caller has had enough.
    pub(crate) fn most(&self) -> u64 {
        match self {
            QuotaKind::Findings(findings) => findings.count,
            QuotaKind::Bytes(most) | QuotaKind::Requests(most) => *most,
        }
    }
}

impl Quota {
    /// So many findings of the rules and checks with these ids (`*` stands for any text), from this severity on, in
    /// requests and responses.
    pub fn findings(
        id: impl Into<String>,
        rules: impl Into<String>,
        min_severity: Severity,
        count: u64,
        within: Duration,
    ) -> Quota {
        Quota::new(id, QuotaKind::Findings(Findings { rules: rules.into(), min_severity, count }), within)
    }

    /// So many bytes of responses' text and framing, as they leave; what is not streamed counts likewise.
    pub fn bytes(id: impl Into<String>, bytes: u64, within: Duration) -> Quota {
        Quota::new(id, QuotaKind::Bytes(bytes), within)
    }

    /// So many requests. Of several that come at the same moment all may pass.
    pub fn requests(id: impl Into<String>, requests: u64, within: Duration) -> Quota {
        Quota::new(id, QuotaKind::Requests(requests), within)
    }

    fn new(id: impl Into<String>, kind: QuotaKind, within: Duration) -> Quota {
        Quota { id: id.into(), kind, per: None, within, refuse: None, conduct: Conduct::default() }
    }

    /// The request header that tells callers apart, such as `authorization` or one that a gateway sets; without one, all
    /// callers are one, and so are those whose requests lack the header. Its values are kept as keyed hashes only.
    pub fn per_header(mut self, name: impl Into<String>) -> Quota {
        self.per = Some(name.into().to_ascii_lowercase());
        self
    }

    /// For how long requests are refused once the caller has had enough; until the time that it counts within is over, if
    /// never called.
    pub fn refuse_for(mut self, time: Duration) -> Quota {
        self.refuse = Some(time);
        self
    }

    /// Only reports what it would refuse.
    pub fn monitor(mut self) -> Quota {
        self.conduct = Conduct::Monitor;
        self
    }

    /// The quota's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is wrong with it.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let fault = match &self.per {
            _ if self.kind.most() == 0 => Some(("nothing at all may be asked for", "raise the quota, or leave it out")),
            _ if self.within.is_zero() || self.refuse.is_some_and(|time| time.is_zero()) => {
                Some(("it counts for no time at all", "give at least one second"))
            }
            _ if self.within > LONGEST || self.refuse.is_some_and(|time| time > LONGEST) => {
                Some(("it counts for more than ten years", "give fewer seconds"))
            }
            Some(header) if !is_header_name(header) => {
                Some(("`per` cannot be the name of a header", "name a request header, such as `authorization`"))
            }
            _ => None,
        };
        fault.map(|(reason, remedy)| Fault::new(reason).rule(&self.id).remedy(remedy)).into_iter().collect()
    }
}

/// What any clock can still count.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

impl fmt::Display for Quota {
    /// What one caller may have, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            QuotaKind::Findings(findings) => write!(f, "{findings}")?,
            QuotaKind::Bytes(bytes) => write!(f, "{bytes} bytes")?,
            QuotaKind::Requests(requests) => write!(f, "{requests} requests")?,
        }
        write!(f, " within {} s", self.within.as_secs())?;
        match &self.per {
            Some(header) => write!(f, ", for each `{header}`")?,
            None => f.write_str(", for all callers together")?,
        }
        if let Some(time) = self.refuse {
            write!(f, ", then refused for {} s", time.as_secs())?;
        }
        f.write_str(if self.conduct == Conduct::Monitor { " (monitor)" } else { "" })
    }
}
