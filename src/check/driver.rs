//! The questions of one stream: asked when they come, at most so many at once, each with its deadline.

use super::Checks;
use super::service::Answering;
use crate::hold::{Judgement, Passage, PassageId, Unjudged};
use crate::policy::{CheckInfo, Policy};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The questions of one stream. Dropping it cancels them.
pub(crate) struct Driver<S> {
    checks: Checks,
    lines: Vec<Line<S>>,
    /// Since when nobody looks at the answers.
    resting: Option<Instant>,
}

/// The questions to one check, in order.
struct Line<S> {
    deadline: Duration,
    in_flight: usize,
    waiting: VecDeque<(Passage, Instant)>,
    asked: Vec<Asked<S>>,
}

/// A question that is on its way.
struct Asked<S> {
    passage: PassageId,
    check: Arc<str>,
    since: Instant,
    answering: Answering,
    late: Pin<Box<S>>,
}

/// An answer, or that there is none.
pub(crate) struct Judged {
    pub(crate) passage: PassageId,
    pub(crate) check: Arc<str>,
    pub(crate) judged: Result<Judgement, Unjudged>,
    /// Since the passage was complete.
    pub(crate) took: Duration,
}

impl<S: Future<Output = ()>> Driver<S> {
    pub(crate) fn new(checks: Checks, policy: &Policy) -> Driver<S> {
        let line = |check: CheckInfo<'_>| Line {
            deadline: check.deadline(),
            in_flight: check.in_flight(),
            waiting: VecDeque::new(),
            asked: Vec::new(),
        };
        Driver { checks, lines: policy.checks().map(line).collect(), resting: None }
    }

    /// A passage is complete.
    pub(crate) fn ask(&mut self, passage: Passage, now: Instant) {
        let line = &mut self.lines[passage.check_index()];
        line.waiting.push_back((passage, now));
    }

    /// Whoever reads the stream has something to read: until the next look at the answers no time passes for them, for a
    /// client that reads slowly is no reason to call an answer late.
    pub(crate) fn rest(&mut self, now: Instant) {
        if self.lines.iter().any(|line| !line.asked.is_empty() || !line.waiting.is_empty()) {
            self.resting = Some(now);
        }
    }

    /// The next answer that is there. `sleep` begins to wait.
    pub(crate) fn poll_judged(
        &mut self,
        now: impl Fn() -> Instant,
        sleep: impl Fn(Duration) -> S,
        cx: &mut Context<'_>,
    ) -> Poll<Judged> {
        if let Some(since) = self.resting.take() {
            let now = now();
            let rested = now.saturating_duration_since(since);
            if rested >= NOTICEABLE {
                self.lines.iter_mut().for_each(|line| line.wait_longer(rested, now, &sleep));
            }
        }
        for line in &mut self.lines {
            if let Poll::Ready(judged) = line.poll_judged(&self.checks, &now, &sleep, cx) {
                return Poll::Ready(judged);
            }
        }
        Poll::Pending
    }
}

/// A shorter rest is not worth new timers.
const NOTICEABLE: Duration = Duration::from_millis(1);

impl<S: Future<Output = ()>> Line<S> {
    fn wait_longer(&mut self, rested: Duration, now: Instant, sleep: &impl Fn(Duration) -> S) {
        self.waiting.iter_mut().for_each(|(_, since)| *since += rested);
        for asked in &mut self.asked {
            asked.since += rested;
            let took = now.saturating_duration_since(asked.since);
            asked.late.set(sleep(self.deadline.saturating_sub(took)));
        }
    }

    fn poll_judged(
        &mut self,
        checks: &Checks,
        now: &impl Fn() -> Instant,
        sleep: &impl Fn(Duration) -> S,
        cx: &mut Context<'_>,
    ) -> Poll<Judged> {
        loop {
            for (at, asked) in self.asked.iter_mut().enumerate() {
                let judged = match asked.answering.as_mut().poll(cx) {
                    Poll::Ready(judged) => judged,
                    Poll::Pending if asked.late.as_mut().poll(cx).is_ready() => Err(Unjudged::TimedOut),
                    Poll::Pending => continue,
                };
                let Asked { passage, check, since, .. } = self.asked.remove(at);
                let took = now().saturating_duration_since(since);
                return Poll::Ready(Judged { passage, check, judged, took });
            }
            if self.asked.len() >= self.in_flight {
                return Poll::Pending;
            }
            let Some((passage, since)) = self.waiting.pop_front() else { return Poll::Pending };
            let took = now().saturating_duration_since(since);
            let (id, check) = (passage.id(), passage.check_id());
            let unjudged = |why| Judged { passage: id, check: check.clone(), judged: Err(why), took };
            let rest = self.deadline.saturating_sub(took);
            if rest.is_zero() {
                return Poll::Ready(unjudged(Unjudged::TimedOut));
            }
            let Some(answering) = checks.ask(passage) else { return Poll::Ready(unjudged(Unjudged::Unbound)) };
            // Asked, and looked at in the next turn.
            self.asked.push(Asked { passage: id, check, since, answering, late: Box::pin(sleep(rest)) });
        }
    }
}
