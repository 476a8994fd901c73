//! One stream under a policy: wire bytes in, wire bytes out.

use super::detect::{Extent, Guess, detect};
use super::document::Document;
use super::events::EventStream;
use super::framing::Framing;
use super::plain::PlainText;
use super::{Dialect, Ending, Failure, FilterOptions, Observer};
use crate::hold::{Judgement, Passage, PassageId, Unjudged};
use crate::policy::Policy;
use bytes::{Bytes, BytesMut};
use std::time::Instant;

/// One stream under a policy: wire bytes in, wire bytes out.
///
/// It does no I/O and has no clock. What may leave after a call is had from [`pop`](Filter::pop).
///
/// ```
/// use holdback::{Dialect, Filter, Policy, Rule};
/// use std::time::Instant;
///
/// let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar").redact("[codename]")).build()?;
/// let mut filter = Filter::new(&policy, Some(Dialect::OpenAiChat));
/// let mut out = Vec::new();
/// for delta in ["The Night", "jar flies"] {
///     let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{delta}\"}}}}]}}\n\n");
///     filter.push(event.into(), Instant::now(), &mut ());
///     while let Some(bytes) = filter.pop() {
///         out.extend_from_slice(&bytes);
///     }
/// }
/// let out = String::from_utf8(out)?;
/// assert!(out.contains(r#""content":"The ""#));
/// assert!(out.contains(r#""content":"[codename] flies""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Filter {
    policy: Policy,
    dialect: Option<Dialect>,
    options: FilterOptions,
    state: State,
    ending: Option<Ending>,
}

#[derive(Debug)]
enum State {
    /// The first bytes, which do not tell yet how the stream is framed.
    Undecided(BytesMut),
    Text(Box<PlainText>),
    Events(Box<EventStream>),
    Json(Box<Document>),
}

impl Filter {
    /// A filter for one stream. Without a dialect its first bytes and its first event tell.
    pub fn new(policy: &Policy, dialect: Option<Dialect>) -> Filter {
        Filter::with_options(policy, dialect, FilterOptions::default())
    }

    /// A filter for one stream that is told more than its policy.
    pub fn with_options(policy: &Policy, dialect: Option<Dialect>, options: FilterOptions) -> Filter {
        let framing = options.framing.or(dialect.and_then(Dialect::framing));
        let state = match (framing, dialect) {
            (_, Some(Dialect::Text)) => State::Text(Box::new(PlainText::new(policy))),
            (Some(framing), _) => State::framed(framing, dialect, policy, &options),
            (None, _) => State::Undecided(BytesMut::new()),
        };
        Filter { policy: policy.clone(), dialect, options, state, ending: None }
    }

    /// Takes the next bytes from upstream. What may leave is then had from [`pop`](Filter::pop).
    pub fn push(&mut self, chunk: Bytes, now: Instant, observer: &mut dyn Observer) {
        if self.ending.is_some() {
            return;
        }
        let Some(chunk) = self.begin(chunk, Extent::SoFar) else { return };
        let ending = match &mut self.state {
            State::Undecided(_) => None,
            State::Text(text) => text.push(chunk, now, observer),
            State::Events(events) => events.push(chunk, now, observer),
            State::Json(document) => document.push(chunk, now),
        };
        self.end(ending, observer);
    }

    /// The next passage that a check of the policy is to judge. Each comes once, however often its text stands in the
    /// stream; [`judge`](Filter::judge) tells its judgement.
    ///
    /// ```
    /// use holdback::hold::Judgement;
    /// use holdback::rule::Check;
    /// use holdback::{Dialect, Filter, Policy};
    /// use std::time::Instant;
    ///
    /// let policy = Policy::builder().check(Check::gate("tone")).build()?;
    /// let mut filter = Filter::new(&policy, Some(Dialect::Text));
    /// filter.push("Well done. So".into(), Instant::now(), &mut ());
    /// assert_eq!(filter.pop(), None);
    /// let passage = filter.next_passage().expect("a sentence is complete");
    /// filter.judge(passage.id(), Ok(Judgement::clear()), Instant::now(), &mut ());
    /// assert_eq!(filter.pop().as_deref(), Some(&b"Well done. "[..]));
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    pub fn next_passage(&mut self) -> Option<Passage> {
        if self.ending.is_some() {
            return None;
        }
        match &mut self.state {
            State::Undecided(_) => None,
            State::Text(text) => text.next_passage(),
            State::Events(events) => events.next_passage(),
            State::Json(document) => document.next_passage(),
        }
    }

    /// Takes the judgement on a passage. What may leave is then had from [`pop`](Filter::pop).
    ///
    /// A stream whose upstream is at its end ends with the last judgement that it waits for.
    pub fn judge(
        &mut self,
        passage: PassageId,
        judged: Result<Judgement, Unjudged>,
        now: Instant,
        observer: &mut dyn Observer,
    ) {
        if self.ending.is_some() {
            return;
        }
        let ending = match &mut self.state {
            State::Undecided(_) => None,
            State::Text(text) => text.judge(passage, &judged, now, observer),
            State::Events(events) => events.judge(passage, judged, now, observer),
            State::Json(document) => document.judge(passage, judged, now, observer),
        };
        self.end(ending, observer);
    }

    /// Whether so much waits for judgements that no more should be pushed before one was told
    /// ([`Check::max_held`](crate::rule::Check::max_held)).
    pub fn is_full(&self) -> bool {
        match &self.state {
            State::Undecided(_) | State::Json(_) => false,
            State::Text(text) => text.is_full(),
            State::Events(events) => events.is_full(),
        }
    }

    /// Takes an event that no rule can read, such as a message of sound among those of text, and lets it leave as it is when
    /// its turn has come. The framing must be known, and be one in which each push is an event; in any other this is
    /// nothing but a fault of the stream.
    ///
    /// ```
    /// use holdback::wire::{FilterOptions, Framing};
    /// use holdback::{Dialect, Filter, Policy, Rule};
    /// use std::time::Instant;
    ///
    /// let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar")).build()?;
    /// let mut options = FilterOptions::default();
    /// options.framing = Some(Framing::Messages);
    /// let mut filter = Filter::with_options(&policy, Some(Dialect::Json), options);
    /// filter.push_unread("\u{1}\u{2}".into(), Instant::now(), &mut ());
    /// assert_eq!(filter.pop().as_deref(), Some(&b"\x01\x02"[..]));
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    pub fn push_unread(&mut self, event: Bytes, now: Instant, observer: &mut dyn Observer) {
        if self.ending.is_some() {
            return;
        }
        let ending = match &mut self.state {
            State::Events(events) => events.push_unread(event, now, observer),
            State::Undecided(_) | State::Text(_) | State::Json(_) => Some(Ending::UpstreamFailed(Failure::Malformed)),
        };
        self.end(ending, observer);
    }

    /// The upstream came to its end. So does the stream, unless its end waits for judgements.
    pub fn finish(&mut self, now: Instant, observer: &mut dyn Observer) {
        if self.ending.is_some() {
            return;
        }
        if let Some(start) = self.begin(Bytes::new(), Extent::Whole) {
            self.push(start, now, observer);
        }
        self.reconsider(now, observer);
        let ending = match &mut self.state {
            State::Undecided(_) => Some(Ending::Complete),
            State::Text(text) => text.finish(now, observer),
            State::Events(events) => events.finish(now, observer),
            State::Json(document) => document.finish(now, observer),
        };
        self.end(ending, observer);
    }

    /// The upstream failed, nothing came for too long, or the server stops: the protocol's error form, held text withheld.
    pub fn fail(&mut self, ending: Ending, now: Instant, observer: &mut dyn Observer) {
        if self.ending.is_some() {
            return;
        }
        if matches!(self.state, State::Undecided(_)) && self.dialect.is_some() {
            self.state = State::framed(Framing::EventStream, self.dialect, &self.policy, &self.options);
        }
        match &mut self.state {
            // A text has no form to say so in: its transport must.
            State::Undecided(_) | State::Text(_) => {}
            State::Events(events) => events.end(&ending, now, observer),
            State::Json(document) => drop(document.fail(ending.clone())),
        }
        self.end(Some(ending), observer);
    }

    /// The next bytes for downstream.
    pub fn pop(&mut self) -> Option<Bytes> {
        match &mut self.state {
            State::Undecided(_) => None,
            State::Text(text) => text.pop(),
            State::Events(events) => events.pop(),
            State::Json(document) => document.pop(),
        }
    }

    /// Bytes that say nothing to a client but that the stream goes on, for when nothing has left for long. They may be sent
    /// once [`pop`](Filter::pop) gives nothing, and at no other time. `None` where the dialect has no such thing, or its
    /// clients fail on it, and where the stream is at its end.
    ///
    /// ```
    /// use holdback::{Dialect, Filter, Policy, Rule};
    ///
    /// let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar")).build()?;
    /// let mut chat = Filter::new(&policy, Some(Dialect::OpenAiChat));
    /// assert_eq!(chat.heartbeat().as_deref(), Some(&b": keep-alive\n\n"[..]));
    /// assert_eq!(Filter::new(&policy, Some(Dialect::Text)).heartbeat(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn heartbeat(&mut self) -> Option<Bytes> {
        match &mut self.state {
            State::Events(events) if self.ending.is_none() => events.heartbeat(),
            _ => None,
        }
    }

    #[cfg(feature = "body")]
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How the stream ended, once it has. Nothing more is pushed then; what [`pop`](Filter::pop) still has must go out.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Whether the stream failed and could not say so: a text has no form for it, so that its transport must break off.
    pub fn is_cut_off(&self) -> bool {
        matches!(self.state, State::Undecided(_) | State::Text(_))
            && matches!(self.ending, Some(Ending::UpstreamFailed(_) | Ending::TimedOut | Ending::ShutDown))
    }

    /// Whether an error has taken the place of a JSON document: it failed, or the policy ended it and it had no place to
    /// say so. Its transport should not call that a success.
    pub fn is_replaced(&self) -> bool {
        matches!(&self.state, State::Json(document) if document.is_replaced())
    }

    /// The bytes to moderate now: all that came, once it is known what they mean.
    fn begin(&mut self, chunk: Bytes, extent: Extent) -> Option<Bytes> {
        let State::Undecided(start) = &mut self.state else { return Some(chunk).filter(|chunk| !chunk.is_empty()) };
        start.extend_from_slice(&chunk);
        let state = match detect(start, extent) {
            Guess::Open => return None,
            // Events are expected, and text is no sign of any.
            Guess::Text if self.dialect.is_some() => {
                State::framed(Framing::EventStream, self.dialect, &self.policy, &self.options)
            }
            Guess::Text => State::Text(Box::new(PlainText::new(&self.policy))),
            Guess::Is(framing) => State::framed(framing, self.dialect, &self.policy, &self.options),
        };
        let chunk = start.split().freeze();
        self.state = state;
        Some(chunk)
    }

    /// What looked like JSON, but is none, is text after all. Only without escapes does it read the same.
    fn reconsider(&mut self, now: Instant, observer: &mut dyn Observer) {
        if let State::Json(document) = &mut self.state
            && self.dialect.is_none()
            && self.options.framing.is_none()
            && document.is_plain()
        {
            let body = document.take_body();
            self.state = State::Text(Box::new(PlainText::new(&self.policy)));
            self.push(body, now, observer);
        }
    }

    fn end(&mut self, ending: Option<Ending>, observer: &mut dyn Observer) {
        if let Some(ending) = ending
            && self.ending.is_none()
        {
            observer.ending(&ending);
            self.ending = Some(ending);
        }
    }
}

impl State {
    fn framed(framing: Framing, dialect: Option<Dialect>, policy: &Policy, options: &FilterOptions) -> State {
        let grammar = dialect.unwrap_or(Dialect::Json).grammar();
        match framing {
            Framing::Document => State::Json(Box::new(Document::new(policy, grammar, options))),
            _ => State::Events(Box::new(EventStream::new(policy, grammar, framing, options))),
        }
    }
}
