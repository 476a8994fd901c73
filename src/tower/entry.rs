//! The way in: from a request that has come to one that goes on, or to a refusal.
//!
//! What a request needs is done in order, and only as far as it needs it: its body is read for the model that it asks for,
//! its policy chosen, its quotas looked up, its texts moderated.

use super::body::RequestBody;
use super::choose::Choose;
use super::content::{OtherContent, RequestContent};
use super::metered::Metered;
use super::model::RequestedModel;
use super::request::RequestTreatment;
use super::service::Handling;
use super::whole::Whole;
use super::{POLLED, headers};
use crate::body::{Begun, Timer, random};
use crate::check::Driver;
use crate::policy::{ChannelKind, Policy, Reason, Verdict};
use crate::quota::{Asking, UsedUp};
use crate::wire::{Limits, Observer, Refused, RequestFilter, RequestOutcome};
use bytes::Bytes;
use http::{Request, request};
use http_body::Body;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A longer request is refused, if it is to be read. What Anthropic's API takes, and more than most others do; each request
/// that is read may cost this much memory, and as much again if it is edited or compressed.
const REQUEST_BYTES: usize = 32 << 20;

/// A request on its way in.
pub(super) struct Entry<B, C, S> {
    head: Option<request::Parts>,
    body: Coming<B>,
    shutdown: Option<Begun>,
    step: Step<C, S>,
    /// Once it is chosen.
    policy: Option<Policy>,
}

/// A request's body.
enum Coming<B> {
    /// Nobody has looked at it.
    Unread(B),
    /// Pinned where it is only if it is read, which most are not.
    Reading(Pin<Box<B>>, Whole),
    Read(Whole),
    /// It has gone on.
    Gone,
}

/// What a request waits for.
enum Step<C, S> {
    /// The model that it asks for, to be given a policy.
    Choosing(C),
    /// How its caller stands.
    Admitting(Asking),
    /// Its body.
    Reading(RequestContent),
    /// Nothing: it does not go on.
    Refused(Refused),
    /// What checks say of it.
    Judging(Box<Judging<S>>, RequestContent),
    /// Nothing, having been treated so.
    Done(Option<RequestTreatment>),
}

struct Judging<S> {
    filter: RequestFilter,
    driver: Driver<S>,
}

/// A request that goes on.
pub(super) struct Entered<B> {
    pub(super) request: Request<RequestBody<B>>,
    /// What was done with it, if its policy has rules for requests.
    pub(super) treatment: Option<RequestTreatment>,
    /// `None` leaves the response alone.
    pub(super) policy: Option<Policy>,
}

impl<B: Body, C: Choose, S: Future<Output = ()>> Entry<B, C, S> {
    pub(super) fn new(mut head: request::Parts, body: B, choose: &C, handling: &Handling) -> Entry<B, C, S>
    where
        C: Clone,
    {
        let needs_body = choose.needs_model() && !names_model(&mut head, &body);
        let mut entry = Entry {
            head: Some(head),
            body: Coming::Unread(body),
            shutdown: handling.shutdown.as_ref().map(|shutdown| shutdown.begun()),
            step: Step::Done(None),
            policy: None,
        };
        if handling.shutdown.as_ref().is_some_and(|shutdown| shutdown.has_begun()) {
            entry.step = Step::Refused(Refused::ShutDown);
        } else if needs_body && RequestContent::of(&entry.head().headers).is_some() {
            entry.step = Step::Choosing(choose.clone());
        } else if needs_body && handling.other != OtherContent::Pass {
            // Servers read what they are sent, whatever it is called: the client would choose by its content type.
            entry.step = Step::Refused(Refused::OtherContent);
        } else {
            entry.choose(choose, handling);
        }
        entry
    }

    /// The policy, once it is chosen.
    pub(super) fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// Whether it goes on without a policy, so that nobody watches what comes of it.
    pub(super) fn is_left_alone(&self) -> bool {
        self.is_done() && self.policy.is_none()
    }

    /// The head of what has not gone on yet.
    pub(super) fn head(&self) -> &request::Parts {
        self.head.as_ref().expect(POLLED)
    }

    /// Whether nothing is to be waited for.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.step, Step::Done(_))
    }

    /// Takes the request that goes on, once nothing is to be waited for.
    pub(super) fn entered(&mut self) -> Entered<B> {
        let mut head = self.head.take().expect(POLLED);
        let body = match std::mem::replace(&mut self.body, Coming::Gone) {
            Coming::Unread(body) => RequestBody::as_it_comes(body),
            Coming::Reading(_, whole) | Coming::Read(whole) => RequestBody::whole(whole),
            Coming::Gone => unreachable!("{POLLED}"),
        };
        let Step::Done(treatment) = self.step else { unreachable!("something is waited for") };
        let policy = self.policy.take();
        policy.clone().map(|policy| head.extensions.insert(policy));
        Entered { request: Request::from_parts(head, body), treatment, policy }
    }

    /// Chooses the policy, and sees what it wants to know of the request.
    fn choose(&mut self, choose: &C, handling: &Handling) {
        let head = self.head.as_mut().expect(POLLED);
        self.policy = choose.choose(head).map(|policy| policy.sampled(random::number()));
        let Some(policy) = &self.policy else { return self.step = Step::Done(None) };
        headers::ask_for_plain(&mut head.headers);
        if !policy.quotas().is_empty() {
            let header = |name: &str| head.headers.get(name).map(|value| value.as_bytes());
            return self.step = Step::Admitting(handling.quotas.ask(policy, header));
        }
        self.prepare(handling);
    }

    /// Sees what the policy wants of the request's content.
    fn prepare(&mut self, handling: &Handling) {
        let (head, policy) = (self.head.as_ref().expect(POLLED), self.policy.as_ref().expect(CHOSEN));
        if !policy.watches(ChannelKind::Prompt) {
            return self.step = Step::Done(None);
        }
        self.step = match RequestContent::of(&head.headers) {
            _ if self.body.is_empty() => Step::Done(Some(RequestTreatment::Untouched)),
            None if handling.other == OtherContent::Pass => Step::Done(Some(RequestTreatment::Passed)),
            None => Step::Refused(Refused::OtherContent),
            Some(content) => Step::Reading(content),
        };
    }

    /// Waits for all that the request needs.
    pub(super) fn poll_entered<O: Observer, T: Timer<Sleep = S>>(
        &mut self,
        handling: &Handling,
        observer: &mut Metered<O>,
        timer: &T,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Entered<B>, Refused>> {
        loop {
            match &mut self.step {
                Step::Done(_) => return Poll::Ready(Ok(self.entered())),
                Step::Refused(refused) => return Poll::Ready(Err(refused.clone())),
                Step::Choosing(_) => {
                    ready!(self.poll_whole(cx))?;
                    let Step::Choosing(choose) = std::mem::replace(&mut self.step, Step::Done(None)) else { continue };
                    let head = self.head.as_mut().expect(POLLED);
                    if let Some(content) = RequestContent::of(&head.headers) {
                        let model = RequestedModel::of_body(&content.decode(self.body.data(), REQUEST_BYTES)?)?;
                        model.map(|model| head.extensions.insert(model));
                    }
                    self.choose(&choose, handling);
                }
                Step::Admitting(asking) => {
                    let (used_up, meter) = ready!(asking.poll_answer(cx));
                    for used_up in &used_up {
                        observer.verdict(ChannelKind::Prompt, &verdict(used_up));
                    }
                    if let Some(UsedUp { quota, wait, .. }) = used_up.into_iter().find(|used_up| used_up.is_enforced) {
                        return Poll::Ready(Err(Refused::OverQuota { quota, wait }));
                    }
                    observer.meter = Some(meter);
                    self.prepare(handling);
                }
                Step::Reading(content) => {
                    let content = *content;
                    ready!(self.poll_whole(cx))?;
                    let policy = self.policy.as_ref().expect(CHOSEN);
                    let limits = Limits { event_bytes: REQUEST_BYTES, ..Limits::default() };
                    let plain = content.decode(self.body.data(), REQUEST_BYTES)?;
                    let filter = RequestFilter::new(policy, plain, limits, observer);
                    let driver = Driver::new(handling.checks.clone(), policy);
                    self.step = Step::Judging(Box::new(Judging { filter, driver }), content);
                }
                Step::Judging(judging, content) => {
                    let outcome = match judging.poll_outcome(observer, timer, cx) {
                        Poll::Ready(outcome) => outcome,
                        Poll::Pending if self.is_shut_down(cx) => return Poll::Ready(Err(Refused::ShutDown)),
                        Poll::Pending => return Poll::Pending,
                    };
                    let may_be_other = content.may_be_other();
                    let treatment = match outcome {
                        RequestOutcome::Untouched => RequestTreatment::Untouched,
                        RequestOutcome::Edited(edited) => {
                            let head = self.head.as_mut().expect(POLLED);
                            headers::replace_bytes(&mut head.headers, edited.len());
                            self.body.replace(edited);
                            RequestTreatment::Edited
                        }
                        // Its head has never said that it is.
                        RequestOutcome::Refused(Refused::NotJson) if may_be_other => match handling.other {
                            OtherContent::Pass => RequestTreatment::Passed,
                            OtherContent::Refuse => return Poll::Ready(Err(Refused::OtherContent)),
                        },
                        RequestOutcome::Refused(refused) => return Poll::Ready(Err(refused)),
                    };
                    self.step = Step::Done(Some(treatment));
                }
            }
        }
    }

    /// Reads the body to its end.
    fn poll_whole(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        if let Coming::Unread(body) = &self.body
            && body.size_hint().lower() > REQUEST_BYTES as u64
        {
            return Poll::Ready(Err(Refused::TooLarge));
        }
        self.body.read();
        while let Coming::Reading(body, whole) = &mut self.body {
            let Poll::Ready(frame) = body.as_mut().poll_frame(cx) else {
                return if self.is_shut_down(cx) { Poll::Ready(Err(Refused::ShutDown)) } else { Poll::Pending };
            };
            match frame {
                None => self.body = Coming::Read(std::mem::take(whole)),
                Some(Err(_)) => return Poll::Ready(Err(Refused::CutOff)),
                Some(Ok(frame)) => {
                    whole.append(frame);
                    if whole.len() > REQUEST_BYTES {
                        return Poll::Ready(Err(Refused::TooLarge));
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_shut_down(&mut self, cx: &mut Context<'_>) -> bool {
        self.shutdown.as_mut().is_some_and(|begun| Pin::new(begun).poll(cx).is_ready())
    }
}

/// What is told of a quota that is used up.
fn verdict(used_up: &UsedUp) -> Verdict {
    Verdict {
        rule: used_up.quota.clone(),
        span: 0..0,
        action: "refuse",
        enforced: used_up.is_enforced,
        reason: Reason::Limit,
        category: None,
        score: None,
    }
}

const CHOSEN: &str = "a policy was chosen before it was asked what it watches";

/// Whether it is known which model a request asks for, or that it has no body to tell; names it in the head.
fn names_model(head: &mut request::Parts, body: &impl Body) -> bool {
    let has_body = !body.is_end_stream();
    let by_query = || RequestedModel::of_query(&head.uri).filter(|_| !has_body);
    let model = RequestedModel::of_path(head.uri.path()).or_else(by_query);
    let is_named = model.is_some();
    model.map(|model| head.extensions.insert(model));
    is_named || !has_body
}

impl<B: Body> Coming<B> {
    fn is_empty(&self) -> bool {
        match self {
            Coming::Unread(body) => body.is_end_stream(),
            Coming::Read(whole) => whole.len() == 0,
            Coming::Reading(..) | Coming::Gone => false,
        }
    }

    fn read(&mut self) {
        *self = match std::mem::replace(self, Coming::Gone) {
            Coming::Unread(body) => Coming::Reading(Box::pin(body), Whole::default()),
            other => other,
        };
    }

    fn data(&self) -> Bytes {
        match self {
            Coming::Read(whole) => whole.data(),
            _ => Bytes::new(),
        }
    }

    fn replace(&mut self, data: Bytes) {
        if let Coming::Read(whole) = self {
            whole.replace(data);
        }
    }
}

impl<S: Future<Output = ()>> Judging<S> {
    fn poll_outcome<T: Timer<Sleep = S>>(
        &mut self,
        observer: &mut impl Observer,
        timer: &T,
        cx: &mut Context<'_>,
    ) -> Poll<RequestOutcome> {
        loop {
            while let Some(passage) = self.filter.next_passage() {
                self.driver.ask(passage, timer.now());
            }
            if let Some(outcome) = self.filter.outcome() {
                return Poll::Ready(outcome);
            }
            let judged = ready!(self.driver.poll_judged(|| timer.now(), |rest| timer.sleep(rest), cx));
            observer.judged(&judged.check, &judged.judged, judged.took);
            self.filter.judge(judged.passage, judged.judged, observer);
        }
    }
}
