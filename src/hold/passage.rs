//! What a check is asked, and what it answers.

use super::Text;
use super::boundary::readable;
use crate::policy::{ChannelKind, Score};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::sync::Arc;

/// A stretch of a channel's text that a check judges at once.
#[derive(Clone, Debug)]
pub struct Passage {
    pub(super) id: PassageId,
    check: Arc<str>,
    /// Its place among the policy's checks.
    check_index: u32,
    channel: ChannelKind,
    span: Range<u64>,
    /// A text that it is in, and where in it its context begins and it ends.
    text: Arc<str>,
    shown: Range<usize>,
    context_len: usize,
}

/// Tells a passage from others. Two with the same text behind the same context, for the same check, are one: a check
/// need not be asked twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PassageId(u128);

/// Text that several passages are in, with their contexts: a copy for each would be many times as long.
pub(super) struct Around {
    start: u64,
    text: Arc<str>,
}

impl Around {
    pub(super) fn new(text: Text<'_>) -> Around {
        Around { start: text.start, text: Arc::from(readable(text.bytes)) }
    }

    /// Where in it the text is that has so many bytes from an offset on, unless it or its context divides a character.
    fn find(&self, from: u64, len: usize, context_len: usize) -> Option<(Arc<str>, Range<usize>)> {
        let from = usize::try_from(from.checked_sub(self.start)?).ok()?;
        let places = [from, from + context_len, from + len];
        places.iter().all(|at| self.text.is_char_boundary(*at)).then(|| (self.text.clone(), from..from + len))
    }
}

impl Passage {
    /// A passage that ends `shown`, of which the first `context_len` bytes are its context. `around` may have the text.
    pub(super) fn new(
        check: (&Arc<str>, u32),
        channel: ChannelKind,
        span: Range<u64>,
        (shown, context_len): (&[u8], usize),
        around: Option<&Around>,
    ) -> Passage {
        let (name, index) = check;
        let mut hash = Sha256::new();
        hash.update(index.to_le_bytes());
        hash.update([channel as u8]);
        hash.update((context_len as u64).to_le_bytes());
        hash.update(shown);
        let digest = hash.finalize();
        let id = u128::from_le_bytes(digest[..16].try_into().expect("a digest of 32 bytes"));
        let from = span.end - shown.len() as u64;
        let (text, shown) =
            around.and_then(|around| around.find(from, shown.len(), context_len)).unwrap_or_else(|| {
                // Each for itself: together they may be a character that the passage divides.
                let (before, judged) = shown.split_at(context_len);
                (Arc::from([readable(before), readable(judged)].concat()), 0..shown.len())
            });
        Passage { id: PassageId(id), check: name.clone(), check_index: index, channel, span, text, shown, context_len }
    }

    /// By which its judgement is told.
    pub fn id(&self) -> PassageId {
        self.id
    }

    /// The id of the check that is asked.
    pub fn check(&self) -> &str {
        &self.check
    }

    #[cfg(feature = "body")]
    pub(crate) fn check_id(&self) -> Arc<str> {
        self.check.clone()
    }

    /// The place of the check in its policy, as [`Policy::checks`](crate::Policy::checks) has them.
    pub fn check_index(&self) -> usize {
        self.check_index as usize
    }

    /// The kind of channel that the text is of.
    pub fn channel(&self) -> ChannelKind {
        self.channel
    }

    /// Byte range of the passage in the channel's decoded text, without its context.
    pub fn span(&self) -> Range<u64> {
        self.span.clone()
    }

    /// The text to judge. Bytes that are no part of a character are question marks.
    pub fn text(&self) -> &str {
        &self.text_in_context()[self.context_len..]
    }

    /// The text before it, as much as the check asks for.
    pub fn context(&self) -> &str {
        &self.text_in_context()[..self.context_len]
    }

    /// Both in one.
    pub fn text_in_context(&self) -> &str {
        &self.text[self.shown.clone()]
    }
}

/// What a check says of a passage.
///
/// ```
/// use holdback::hold::{Judgement, Ruling};
///
/// let judgement = Judgement::terminate().category("violence").score(0.97);
/// assert_eq!(judgement.ruling, Ruling::Terminate);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judgement {
    /// What is to become of the passage.
    pub ruling: Ruling,
    /// What it is found to be, in the check's own word.
    pub category: Option<Arc<str>>,
    /// How sure the check is.
    pub score: Option<Score>,
}

/// What is to become of a passage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ruling {
    /// It leaves.
    Clear,
    /// It leaves, and is reported.
    Flag,
    /// It is replaced whole.
    Redact,
    /// These byte ranges of its text are replaced. Ranges that are not in it make the judgement one that cannot be read.
    RedactSpans(Vec<Range<usize>>),
    /// The stream ends before it.
    Terminate,
}

impl Ruling {
    /// The ruling's word in logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Ruling::Clear => "clear",
            Ruling::Flag => "flag",
            Ruling::Redact | Ruling::RedactSpans(_) => "redact",
            Ruling::Terminate => "terminate",
        }
    }
}

impl Judgement {
    /// The passage leaves.
    pub fn clear() -> Judgement {
        Judgement::of(Ruling::Clear)
    }

    /// It leaves, and is reported.
    pub fn flag() -> Judgement {
        Judgement::of(Ruling::Flag)
    }

    /// It is replaced whole.
    pub fn redact() -> Judgement {
        Judgement::of(Ruling::Redact)
    }

    /// This byte range of its text is replaced.
    pub fn redact_span(span: Range<usize>) -> Judgement {
        Judgement::of(Ruling::RedactSpans(Vec::from([span])))
    }

    /// These byte ranges of its text are replaced.
    pub fn redact_spans(spans: impl IntoIterator<Item = Range<usize>>) -> Judgement {
        Judgement::of(Ruling::RedactSpans(spans.into_iter().collect()))
    }

    /// The stream ends before it.
    pub fn terminate() -> Judgement {
        Judgement::of(Ruling::Terminate)
    }

    /// This is to become of it.
    pub fn of(ruling: Ruling) -> Judgement {
        Judgement { ruling, category: None, score: None }
    }

    /// Says what it is found to be.
    pub fn category(self, category: impl Into<Arc<str>>) -> Judgement {
        Judgement { category: Some(category.into()), ..self }
    }

    /// Says how sure the check is, 0 to 1.
    pub fn score(self, score: f64) -> Judgement {
        Judgement { score: Some(Score::new(score)), ..self }
    }
}

/// Why there is no judgement. Never quotes the passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unjudged {
    /// It did not come before the deadline.
    TimedOut,
    /// The check failed, or cannot be reached.
    Failed,
    /// What it answered cannot be read, or speaks of text that is not there.
    Unreadable,
    /// The check is too busy to be asked.
    Overloaded,
    /// Nobody answers for the check.
    Unbound,
}

impl Unjudged {
    /// Its word in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Unjudged::TimedOut => "timed_out",
            Unjudged::Failed => "failed",
            Unjudged::Unreadable => "unreadable",
            Unjudged::Overloaded => "overloaded",
            Unjudged::Unbound => "unbound",
        }
    }
}

impl std::fmt::Display for Unjudged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unjudged::TimedOut => "the check took too long",
            Unjudged::Failed => "the check failed",
            Unjudged::Unreadable => "the check's answer cannot be read",
            Unjudged::Overloaded => "the check is too busy",
            Unjudged::Unbound => "nobody answers for the check",
        })
    }
}

impl std::error::Error for Unjudged {}
