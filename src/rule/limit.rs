//! Limits: what a stream may have, all of its texts together.

use super::{ChannelKind, Conduct, Severity, id_fits};
use crate::error::Fault;
use std::fmt;
use unicode_script::Script;

/// A limit of a stream. At it the stream ends.
///
/// ```
/// use holdback::rule::Limit;
/// use holdback::{Channel, ChannelKind, Policy};
///
/// let policy = Policy::builder().limit(Limit::bytes("short", 9)).build()?;
/// let mut channel = Channel::new(&policy, ChannelKind::Text);
/// let mut out = Vec::new();
/// channel.push(b"On and on and on").write_to(&mut out);
/// assert_eq!(out, b"On and on");
/// assert_eq!(&*channel.terminated().expect("the limit is reached").rule, "short");
/// # Ok::<(), holdback::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Limit {
    pub(crate) id: String,
    pub(crate) kind: LimitKind,
    pub(crate) channels: Vec<ChannelKind>,
    pub(crate) conduct: Conduct,
}

#[derive(Clone, Debug)]
pub(crate) enum LimitKind {
    /// So many bytes of text.
    Bytes(u64),
    Findings(Findings),
    /// The same stretch of text so many times in a row, and so many bytes of it at least.
    Repeats {
        times: u32,
        min_bytes: u32,
    },
    /// So many letters of other scripts than these, of which `unknown` is none.
    Scripts {
        allowed: Vec<Script>,
        unknown: Option<String>,
        letters: u64,
    },
}

/// So many findings of rules and checks that fit: of limits and quotas alike.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    pub(crate) rules: String,
    pub(crate) min_severity: Severity,
    pub(crate) count: u64,
}

impl Findings {
    /// Whether those of this rule or check are among them.
    pub(crate) fn include(&self, id: &str, severity: Severity) -> bool {
        id_fits(id, &self.rules) && severity >= self.min_severity
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} findings of `{}`, {} at least", self.count, self.rules, self.min_severity.name())
    }
}

impl Limit {
    /// So many bytes of text, decoded.
    pub fn bytes(id: impl Into<String>, bytes: u64) -> Limit {
        Limit::new(id, LimitKind::Bytes(bytes))
    }

    /// So many findings of the rules and checks with these ids (`*` stands for any text), from this severity on. The last of
    /// them is dealt with as its rule says, and the stream ends behind it.
    pub fn findings(id: impl Into<String>, rules: impl Into<String>, min_severity: Severity, count: u32) -> Limit {
        Limit::new(id, LimitKind::Findings(Findings { rules: rules.into(), min_severity, count: count.into() }))
    }

    /// The same stretch of text, of up to 2 KiB, so many times in a row, as models say that have lost themselves; and so many
    /// bytes of it in all, so that a row of dashes is none.
    pub fn repeats(id: impl Into<String>, times: u32, min_bytes: u32) -> Limit {
        Limit::new(id, LimitKind::Repeats { times, min_bytes })
    }

    /// So many letters of other scripts than these, for answers in other languages than users read, or models that have lost
    /// themselves. Scripts have their names or codes of [UAX 24](https://www.unicode.org/reports/tr24/), such as `Latin`,
    /// `Han` or `Cyrl`; digits, punctuation and emoji belong to none.
    ///
    /// ```
    /// use holdback::rule::Limit;
    /// use holdback::{Channel, ChannelKind, Policy};
    ///
    /// let policy = Policy::builder().limit(Limit::scripts("latin", ["Latin"], 2)).build()?;
    /// let mut channel = Channel::new(&policy, ChannelKind::Text);
    /// let mut out = Vec::new();
    /// channel.push("π = 3.14, and ζ is something else".as_bytes()).write_to(&mut out);
    /// assert_eq!(out, "π = 3.14, and ζ".as_bytes());
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    pub fn scripts<S: AsRef<str>>(id: impl Into<String>, allowed: impl IntoIterator<Item = S>, letters: u64) -> Limit {
        let script = |name: &str| Script::from_full_name(name).or_else(|| Script::from_short_name(name));
        let (mut scripts, mut unknown) = (Vec::new(), None);
        for name in allowed {
            match script(name.as_ref()) {
                Some(script) => scripts.push(script),
                None => unknown = Some(name.as_ref().to_owned()),
            }
        }
        Limit::new(id, LimitKind::Scripts { allowed: scripts, unknown, letters })
    }

    fn new(id: impl Into<String>, kind: LimitKind) -> Limit {
        Limit { id: id.into(), kind, channels: Vec::new(), conduct: Conduct::default() }
    }

    /// Counts only these kinds of channel of a response; every kind if never called.
    pub fn channels(mut self, kinds: impl IntoIterator<Item = ChannelKind>) -> Limit {
        self.channels = kinds.into_iter().collect();
        self
    }

    /// Only reports that it is reached, once.
    pub fn monitor(mut self) -> Limit {
        self.conduct = Conduct::Monitor;
        self
    }

    /// The limit's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is wrong with it.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        if let LimitKind::Scripts { unknown: Some(name), .. } = &self.kind {
            let fault = Fault::new(format!("there is no script `{name}`")).rule(&self.id);
            return vec![fault.remedy("name it as Unicode does, such as `Latin`, `Han` or `Cyrl`")];
        }
        let wrong = match &self.kind {
            LimitKind::Scripts { allowed, .. } if allowed.is_empty() => Some("no script is allowed"),
            LimitKind::Bytes(0)
            | LimitKind::Findings(Findings { count: 0, .. })
            | LimitKind::Scripts { letters: 0, .. } => Some("nothing at all may be said"),
            LimitKind::Repeats { times: 0 | 1, .. } => Some("what is said once is repeated already"),
            _ if self.channels.contains(&ChannelKind::Prompt) => Some("a prompt is no channel of a response"),
            _ => None,
        };
        wrong
            .map(|reason| Fault::new(reason).rule(&self.id).remedy("raise the limit, or leave it out"))
            .into_iter()
            .collect()
    }
}

impl fmt::Display for Limit {
    /// What ends a stream, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            LimitKind::Bytes(bytes) => write!(f, "{bytes} bytes of text")?,
            LimitKind::Findings(findings) => write!(f, "{findings}")?,
            LimitKind::Repeats { times, min_bytes } => {
                write!(f, "the same {times} times in a row, {min_bytes} bytes at least")?;
            }
            LimitKind::Scripts { allowed, letters, .. } => {
                let names: Vec<&str> = allowed.iter().map(|script| script.full_name()).collect();
                write!(f, "{letters} letters of other scripts than {}", names.join(", "))?;
            }
        }
        f.write_str(if self.conduct == Conduct::Monitor { " (monitor)" } else { "" })
    }
}
