//! What the upstream says, message by message, as the policy lets it pass.

use crate::body::Timer;
use crate::check::{Checks, Driver, Judged};
use crate::policy::Policy;
use crate::sidecar::TokioTimer;
use crate::sidecar::account::Book;
use crate::tower::OtherContent;
use crate::wire::{Dialect, Ending, Failure, Filter, FilterOptions, Framing, Observer};
use bytes::Bytes;
use std::collections::VecDeque;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;

/// The upstream's messages on their way to the client. What may leave after a call is had from [`next`](Answers::next).
pub(super) struct Answers {
    /// There is none without a policy.
    filter: Option<Filter>,
    other_content: OtherContent,
    book: Book,
    /// What is moderated by nobody.
    passing: Option<Message>,
    /// What the messages are that have not left, oldest first: each leaves as what it came.
    opcodes: VecDeque<Opcode>,
    last_opcode: Opcode,
    has_spoken: bool,
    /// Moderation's time since a message left.
    overhead: Duration,
    ending: Option<Ending>,
    checks: Checks,
    driver: Option<Driver<tokio::time::Sleep>>,
}

#[derive(Clone, Copy)]
enum Opcode {
    Text,
    Binary,
}

impl Answers {
    pub(super) fn new(
        policy: Option<&Policy>,
        checks: Checks,
        dialect: Option<Dialect>,
        other_content: OtherContent,
        book: Book,
    ) -> Answers {
        let options = FilterOptions { framing: Some(Framing::Messages), ..FilterOptions::default() };
        // Where the route does not tell, the first message does.
        let dialect = dialect.filter(|dialect| *dialect != Dialect::Text).unwrap_or(Dialect::Json);
        Answers {
            filter: policy.map(|policy| Filter::with_options(policy, Some(dialect), options)),
            other_content,
            book,
            passing: None,
            opcodes: VecDeque::new(),
            last_opcode: Opcode::Text,
            has_spoken: false,
            overhead: Duration::ZERO,
            ending: None,
            checks,
            driver: None,
        }
    }

    /// Takes the upstream's next message.
    pub(super) fn push(&mut self, message: Message) {
        self.book.read_message(message.len());
        let Some(filter) = &mut self.filter else {
            self.passing = Some(message);
            return;
        };
        self.has_spoken = true;
        let (began, now) = (Instant::now(), TokioTimer.now());
        let is_text = message.is_text();
        let content = message.into_data();
        self.last_opcode = if is_text { Opcode::Text } else { Opcode::Binary };
        self.opcodes.push_back(self.last_opcode);
        match (is_text || is_json(&content), self.other_content) {
            (true, _) if !content.is_empty() => filter.push(content, now, &mut self.book),
            // There is nothing to read in it.
            (true, _) | (false, OtherContent::Pass) => filter.push_unread(content, now, &mut self.book),
            (false, OtherContent::Refuse) => {
                filter.fail(Ending::UpstreamFailed(Failure::Unknown), now, &mut self.book);
            }
        }
        self.overhead += began.elapsed();
        self.ending = filter.ending().cloned();
    }

    /// The upstream came to its own end, which is also the end of what was held. The session's end may wait for judgements.
    pub(super) fn finish(&mut self) {
        match &mut self.filter {
            // There is nothing half about a session in which nothing was said.
            Some(filter) if self.has_spoken => {
                filter.finish(TokioTimer.now(), &mut self.book);
                self.ending = filter.ending().cloned();
            }
            _ => {
                self.book.ended(Ending::Complete);
                self.ending = Some(Ending::Complete);
            }
        }
    }

    /// Whether the upstream is to wait until something was judged.
    pub(super) fn is_full(&self) -> bool {
        self.filter.as_ref().is_some_and(Filter::is_full)
    }

    /// Asks about what is to be judged; the next judgement, once there is one.
    pub(super) async fn judged(&mut self) -> Judged {
        let Some(filter) = &mut self.filter else { return std::future::pending().await };
        std::future::poll_fn(|cx| {
            while let Some(passage) = filter.next_passage() {
                let driver = || Driver::new(self.checks.clone(), filter.policy());
                self.driver.get_or_insert_with(driver).ask(passage, TokioTimer.now());
            }
            match &mut self.driver {
                Some(driver) => driver.poll_judged(|| TokioTimer.now(), tokio::time::sleep, cx),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Takes a judgement.
    pub(super) fn judge(&mut self, judged: Judged) {
        let Some(filter) = &mut self.filter else { return };
        self.book.judged(&judged.check, &judged.judged, judged.took);
        filter.judge(judged.passage, judged.judged, TokioTimer.now(), &mut self.book);
        self.ending = filter.ending().cloned();
    }

    /// It came to another end.
    pub(super) fn fail(&mut self, ending: Ending) {
        match &mut self.filter {
            Some(filter) => filter.fail(ending.clone(), TokioTimer.now(), &mut self.book),
            None => self.book.ended(ending.clone()),
        }
        self.ending.get_or_insert(ending);
    }

    /// How the session ended, once it has. What [`next`](Answers::next) still has must go out.
    pub(super) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// The next message for the client.
    pub(super) fn next(&mut self) -> Option<Message> {
        let message = match &mut self.filter {
            None => self.passing.take()?,
            Some(filter) => {
                let content = filter.pop()?;
                // Endings are ours, and of the kind of what came last.
                message(self.opcodes.pop_front().unwrap_or(self.last_opcode), content)
            }
        };
        self.book.wrote_message(message.len(), std::mem::take(&mut self.overhead));
        Some(message)
    }
}

fn message(opcode: Opcode, content: Bytes) -> Message {
    match (opcode, Utf8Bytes::try_from(content.clone())) {
        (Opcode::Text, Ok(text)) => Message::Text(text),
        _ => Message::Binary(content),
    }
}

/// Whether a binary message is meant to be JSON, as Gemini's are. If it is none after all, the filter says so.
pub(super) fn is_json(content: &[u8]) -> bool {
    matches!(content.trim_ascii_start().first(), Some(b'{' | b'[')) && std::str::from_utf8(content).is_ok()
}
