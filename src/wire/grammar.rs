//! What tells one dialect from another: its table, and how its streams end.

use super::json::{Kind, Tape};
use super::queue::{Edit, apply};
use super::table::Table;
use super::{Ending, Failure, UsageChunk};

/// A dialect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grammar {
    /// What the events of a stream carry.
    pub(crate) table: fn() -> &'static Table,
    /// What a response carries that is not streamed.
    pub(crate) document: fn() -> &'static Table,
    /// Whether an event, or a document, is one of the dialect's. The kind is the one that its framing gives it.
    pub(crate) recognizes: fn(kind: &[u8], event: &Members<'_>) -> bool,
    /// Whether an event's data is the protocol's own last word.
    pub(crate) is_end: fn(&[u8]) -> bool,
    /// Whether clients read past a comment where the framing has any: what a heartbeat is made of.
    pub(crate) allows_comments: bool,
    /// Whether a stream is not complete without an event that says so. Where there is none, all its choices have
    /// finished.
    pub(crate) ends_with_a_word: bool,
    /// Whether an event that is nothing but a delta may become two.
    pub(crate) splits: bool,
    /// The kinds of event that endings must know of.
    pub(crate) keeps: &'static [&'static str],
    /// The kinds of event of which endings must know the last one.
    pub(crate) keeps_last: &'static [&'static str],
    /// What a choice says of its end that the policy has stopped.
    pub(crate) stop_reason: &'static str,
    /// Whether endings must know what has left of each text.
    pub(crate) keeps_texts: bool,
    /// The events that end a stream which the policy has stopped; `None` if there is no saying so, and only an error
    /// cannot be mistaken.
    pub(crate) stop: fn(&Account<'_>) -> Option<Vec<Said>>,
    /// The events that end a stream which has failed.
    pub(crate) fault: fn(Fault, &Account<'_>) -> Vec<Said>,
    /// A document of which the texts are cut already, as one that was stopped; `None` if it has no place to say so.
    pub(crate) stop_document: fn(&[u8]) -> Option<Vec<u8>>,
    /// What takes the place of a document that failed.
    pub(crate) fault_document: fn(Fault) -> Vec<u8>,
}

/// An event of the filter's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Its kind, where the framing has a place for it.
    pub(crate) kind: Option<&'static str>,
    pub(crate) data: Vec<u8>,
}

impl Said {
    /// An event without a kind.
    pub(crate) fn data(data: impl Into<Vec<u8>>) -> Said {
        Said { kind: None, data: data.into() }
    }

    pub(crate) fn of(kind: &'static str, data: impl Into<Vec<u8>>) -> Said {
        Said { kind: Some(kind), data: data.into() }
    }
}

/// What an ending may say about the stream.
#[derive(Debug)]
pub(crate) struct Account<'a> {
    /// The first event of the dialect, or the first in which a choice spoke where there are choices.
    pub(crate) first: Option<Members<'a>>,
    /// The event that the policy has stopped, if it never leaves: endings may copy its ids, but not its texts.
    pub(crate) stopped: Option<Members<'a>>,
    pub(crate) open_choices: Vec<u32>,
    /// The usage that the upstream told last, as it stands.
    pub(crate) usage: Option<&'a [u8]>,
    pub(crate) usage_chunk: UsageChunk,
    /// Events of the kinds that the dialect [keeps](Grammar::keeps), as they left, and the last ones of those of which
    /// it keeps the [last](Grammar::keeps_last).
    pub(crate) kept: &'a [Kept],
    /// The number of the event that left last, where events are numbered.
    pub(crate) last_number: Option<u64>,
    /// What has left of each channel's text.
    pub(crate) texts: Vec<LeftText<'a>>,
}

impl Account<'_> {
    /// What events of the kind `start` say in a member, as it stands, that none of the kind `end` behind them says.
    pub(crate) fn open(
        &self,
        start: &'static str,
        end: &'static str,
        member: &'static str,
    ) -> impl Iterator<Item = Vec<u8>> {
        let mut open = Vec::new();
        for kept in self.kept {
            let Some(id) = Members::of(&kept.text).and_then(|event| event.value(member).map(<[u8]>::to_vec)) else {
                continue;
            };
            if kept.kind == start {
                open.push(id);
            } else if kept.kind == end {
                open.retain(|other| *other != id);
            }
        }
        open.into_iter()
    }
}

/// An event that has left.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) kind: &'static str,
    pub(crate) text: Vec<u8>,
}

/// What has left of a channel's text.
#[derive(Debug)]
pub(crate) struct LeftText<'a> {
    pub(crate) choice: u32,
    pub(crate) item: u32,
    /// The channel's name in its dialect.
    pub(crate) name: &'static str,
    /// As the content of a JSON string.
    pub(crate) escaped: &'a [u8],
}

/// The members of a JSON object.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    text: &'a [u8],
    tape: Tape,
}

impl<'a> Members<'a> {
    pub(crate) fn of(text: &'a [u8]) -> Option<Members<'a>> {
        let mut tape = Tape::default();
        tape.read(text).ok()?;
        Some(Members { text, tape })
    }

    /// A member's value as it stands; the path goes from member to member.
    pub(crate) fn value(&self, path: &str) -> Option<&'a [u8]> {
        self.node(path).map(|node| &self.text[self.tape.node(node).span()])
    }

    /// The content of a member that is a string, as it stands.
    pub(crate) fn string(&self, path: &str) -> Option<&'a [u8]> {
        let node = self.tape.node(self.node(path)?);
        (node.kind == Kind::String).then(|| &self.text[node.content()])
    }

    /// A member that is a plain number.
    pub(crate) fn number<N: std::str::FromStr>(&self, path: &str) -> Option<N> {
        std::str::from_utf8(self.value(path)?).ok()?.parse().ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tape.children(0).next().is_none()
    }

    /// The members of the object itself, as they stand.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.tape.children(0).filter_map(|member| {
            let node = self.tape.node(member);
            Some((std::str::from_utf8(&self.text[node.key()]).ok()?, &self.text[node.span()]))
        })
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.node(path).is_some()
    }

    fn node(&self, path: &str) -> Option<usize> {
        path.split('.').try_fold(0, |node, name| {
            let is_object = self.tape.node(node).kind == Kind::Object;
            is_object.then(|| self.tape.member(self.text, node, name)).flatten()
        })
    }
}

/// Changes to a JSON document.
#[derive(Debug)]
pub(crate) struct Edits<'a> {
    text: &'a [u8],
    tape: Tape,
    edits: Vec<Edit>,
}

/// The root of a document.
pub(crate) const ROOT: usize = 0;

impl<'a> Edits<'a> {
    pub(crate) fn of(text: &'a [u8]) -> Option<Edits<'a>> {
        let mut tape = Tape::default();
        tape.read(text).ok()?;
        Some(Edits { text, tape, edits: Vec::new() })
    }

    pub(crate) fn member(&self, object: usize, name: &str) -> Option<usize> {
        let is_object = self.tape.node(object).kind == Kind::Object;
        is_object.then(|| self.tape.member(self.text, object, name)).flatten()
    }

    /// The content of a member that is a string, as it stands.
    pub(crate) fn string(&self, object: usize, name: &str) -> Option<&'a [u8]> {
        let node = self.tape.node(self.member(object, name)?);
        (node.kind == Kind::String).then(|| &self.text[node.content()])
    }

    /// The elements of an array that is a member of the root.
    pub(crate) fn elements(&self, name: &str) -> Vec<usize> {
        let array = self.member(ROOT, name).filter(|array| self.tape.node(*array).kind == Kind::Array);
        array.map(|array| self.tape.children(array).collect()).unwrap_or_default()
    }

    /// Gives a member another value; `None` if there is no such member.
    pub(crate) fn set(&mut self, object: usize, name: &str, value: &str) -> Option<()> {
        let span = self.tape.node(self.member(object, name)?).span();
        self.edits.push(Edit { span: span.start as u32..span.end as u32, with: value.as_bytes().to_vec() });
        Some(())
    }

    /// Leaves only those elements in an array of which this is true.
    pub(crate) fn retain(&mut self, array: usize, stays: impl Fn(&Self, usize) -> bool) {
        let elements: Vec<usize> = self.tape.children(array).collect();
        let left: Vec<&[u8]> = elements
            .iter()
            .filter(|element| stays(self, **element))
            .map(|element| &self.text[self.tape.node(*element).span()])
            .collect();
        if left.len() < elements.len() {
            let span = self.tape.node(array).span();
            let with = [b"[", &left.join(&b","[..])[..], b"]"].concat();
            self.edits.push(Edit { span: span.start as u32..span.end as u32, with });
        }
    }

    pub(crate) fn apply(mut self) -> Vec<u8> {
        apply(self.text, &mut self.edits).to_vec()
    }
}

/// Writes a JSON object of these members, whose values are written already.
pub(crate) fn object<'a>(members: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    for (i, (key, value)) in members.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(format!("\"{key}\":").as_bytes());
        out.extend_from_slice(value);
    }
    out.push(b'}');
    out
}

/// Why a client gets an error of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The policy stopped it where only an error cannot be mistaken for an end.
    Stopped,
    Upstream(Failure),
    TimedOut,
    ShutDown,
    /// Its request was refused.
    Request(RequestFault),
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestFault {
    /// The policy stopped it. 400.
    Stopped,
    /// 400.
    Unreadable,
    /// 413.
    TooLarge,
    /// Its content is none that can be moderated. 415.
    OtherContent,
    /// Its caller has had enough for now. 429.
    OverQuota,
}

impl Fault {
    /// The fault that an ending speaks of, if it does.
    pub(crate) fn of(ending: &Ending) -> Option<Fault> {
        match ending {
            Ending::Complete | Ending::ClientGone => None,
            Ending::Terminated(_) => Some(Fault::Stopped),
            Ending::UpstreamFailed(failure) => Some(Fault::Upstream(*failure)),
            Ending::TimedOut => Some(Fault::TimedOut),
            Ending::ShutDown => Some(Fault::ShutDown),
        }
    }

    pub(crate) fn kind(self) -> &'static str {
        match self {
            Fault::Stopped => "content_filter",
            Fault::Upstream(Failure::Overflow) => "moderation_error",
            Fault::Upstream(_) | Fault::TimedOut => "upstream_error",
            Fault::ShutDown => "holdback_error",
            Fault::Request(RequestFault::OverQuota) => "rate_limit_error",
            Fault::Request(_) => "invalid_request_error",
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Fault::Stopped => "content_filter",
            Fault::Upstream(Failure::Cut) => "upstream_cut",
            Fault::Upstream(Failure::Truncated) => "upstream_truncated",
            Fault::Upstream(Failure::Malformed) => "upstream_malformed",
            Fault::Upstream(Failure::Unknown) => "upstream_unknown",
            Fault::Upstream(Failure::Reported) => "upstream_reported",
            Fault::Upstream(Failure::Overflow) => "moderation_overflow",
            Fault::TimedOut => "upstream_timeout",
            Fault::ShutDown => "shut_down",
            Fault::Request(RequestFault::Stopped) => "content_filter",
            Fault::Request(RequestFault::Unreadable) => "request_unreadable",
            Fault::Request(RequestFault::TooLarge) => "request_too_large",
            Fault::Request(RequestFault::OtherContent) => "request_not_moderated",
            Fault::Request(RequestFault::OverQuota) => "over_quota",
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Fault::Stopped => "The response was stopped by a content policy.",
            Fault::Upstream(Failure::Cut) => "The connection to the upstream broke off.",
            Fault::Upstream(Failure::Truncated) => "The upstream ended before its response was complete.",
            Fault::Upstream(Failure::Malformed) => "The upstream sent something that cannot be read.",
            Fault::Upstream(Failure::Unknown) => "The upstream sent events of a format that is not known here.",
            Fault::Upstream(Failure::Reported) => "The upstream reported an error.",
            Fault::Upstream(Failure::Overflow) => {
                "More of the response had to wait for a decision than the limits allow."
            }
            Fault::TimedOut => "The upstream took too long.",
            Fault::ShutDown => "The server had to stop before the response was complete.",
            Fault::Request(RequestFault::Stopped) => "The request was refused by a content policy.",
            Fault::Request(RequestFault::Unreadable) => {
                "The request cannot be read: it is not JSON, has a key twice in an object, is nested too deep or broke off."
            }
            Fault::Request(RequestFault::TooLarge) => "The request is larger than what can be moderated.",
            Fault::Request(RequestFault::OtherContent) => {
                "A request of this content type or coding cannot be moderated, and is not passed on."
            }
            Fault::Request(RequestFault::OverQuota) => "You have had all that a policy allows for now.",
        }
    }
}
