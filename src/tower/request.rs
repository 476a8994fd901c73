//! Requests that are read before they go on.

use super::body::{RequestBody, ResponseBody};
use super::content::{OtherContent, RequestContent};
use super::service::Handling;
use super::whole::Whole;
use super::{POLLED, headers, status};
use crate::body::{Begun, Timer};
use crate::check::{Checks, Driver};
use crate::policy::{ChannelKind, Policy};
use crate::wire::{Dialect, Ending, Limits, Observer, Refused, RequestFilter, RequestOutcome};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, request};
use http_body::Body;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A longer request is refused. What Anthropic's API takes, and more than most others do; each request under rules for
/// requests may cost this much memory, and as much again if it is edited or compressed.
const REQUEST_BYTES: usize = 32 << 20;

/// What became of a request; the layer leaves it among the response's extensions where the policy has rules for
/// requests. For a refused one its [`Refused`] is there, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestTreatment {
    /// It was moderated and went on as it came, or it has no body.
    Untouched,
    /// It went on with other bytes.
    Edited,
    /// Its content cannot be moderated, and [`OtherContent::Pass`] let it through.
    Passed,
    /// It did not go on.
    Refused,
}

impl RequestTreatment {
    /// The treatment's word in headers, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            RequestTreatment::Untouched => "untouched",
            RequestTreatment::Edited => "edited",
            RequestTreatment::Passed => "passed",
            RequestTreatment::Refused => "refused",
        }
    }
}

/// How a request goes on.
pub(super) enum Onward<B, S> {
    /// At once. There is no treatment if the policy has no rules for requests.
    Now(Request<RequestBody<B>>, Option<RequestTreatment>),
    Read(Reading<B, S>),
}

impl<B: Body, S> Onward<B, S> {
    pub(super) fn of(policy: &Policy, handling: &Handling, head: request::Parts, body: B) -> Onward<B, S> {
        let now = |head, body| Request::from_parts(head, RequestBody::as_it_comes(body));
        if !policy.watches(ChannelKind::Prompt) {
            return Onward::Now(now(head, body), None);
        }
        if body.is_end_stream() {
            return Onward::Now(now(head, body), Some(RequestTreatment::Untouched));
        }
        let content = RequestContent::of(&head.headers);
        if content.is_none() && handling.other == OtherContent::Pass {
            return Onward::Now(now(head, body), Some(RequestTreatment::Passed));
        }
        let shutdown = handling.shutdown.as_ref().map(|shutdown| shutdown.begun());
        Onward::Read(Reading {
            head: Some(head),
            body,
            content,
            other: handling.other,
            whole: Whole::default(),
            shutdown,
            judging: None,
        })
    }
}

pin_project! {
    /// A request of which the body is on its way in.
    pub(super) struct Reading<B, S> {
        head: Option<request::Parts>,
        #[pin]
        body: B,
        // `None` if it cannot be read.
        content: Option<RequestContent>,
        other: OtherContent,
        whole: Whole,
        shutdown: Option<Begun>,
        judging: Option<Box<Judging<S>>>,
    }
}

/// A request that has come, and is being judged.
struct Judging<S> {
    head: request::Parts,
    whole: Whole,
    filter: RequestFilter,
    driver: Driver<S>,
}

type Moderated<B> = (Request<RequestBody<B>>, RequestTreatment);

impl<B: Body, S: Future<Output = ()>> Reading<B, S> {
    /// Reads the request to its end, and moderates it. One that is refused by its head is not read.
    pub(super) fn poll_moderated<O: Observer, T: Timer<Sleep = S>>(
        mut self: Pin<&mut Self>,
        policy: &Policy,
        checks: &Checks,
        observer: &mut O,
        timer: &T,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Moderated<B>, Refused>> {
        if self.judging.is_none() {
            let content = self.content.ok_or(Refused::OtherContent)?;
            ready!(self.as_mut().poll_whole(cx))?;
            let this = self.as_mut().project();
            let head = this.head.take().expect(POLLED);
            let whole = std::mem::take(this.whole);
            let limits = Limits { event_bytes: REQUEST_BYTES, ..Limits::default() };
            let plain = content.decode(whole.data(), REQUEST_BYTES)?;
            let filter = RequestFilter::new(policy, plain, limits, observer);
            let driver = Driver::new(checks.clone(), policy);
            *this.judging = Some(Box::new(Judging { head, whole, filter, driver }));
        }
        let this = self.project();
        let judging = this.judging.as_mut().expect("it was just put there");
        let outcome = loop {
            while let Some(passage) = judging.filter.next_passage() {
                judging.driver.ask(passage, timer.now());
            }
            if let Some(outcome) = judging.filter.outcome() {
                break outcome;
            }
            if this.shutdown.as_mut().is_some_and(|begun| Pin::new(begun).poll(cx).is_ready()) {
                return Poll::Ready(Err(Refused::ShutDown));
            }
            let judged = ready!(judging.driver.poll_judged(|| timer.now(), |rest| timer.sleep(rest), cx));
            observer.judged(&judged.check, &judged.judged, judged.took);
            judging.filter.judge(judged.passage, judged.judged, observer);
        };
        let Judging { mut head, mut whole, .. } = *this.judging.take().expect("it was looked at just now");
        let treatment = match outcome {
            RequestOutcome::Untouched => RequestTreatment::Untouched,
            RequestOutcome::Edited(edited) => {
                headers::replace_bytes(&mut head.headers, edited.len());
                whole.replace(edited);
                RequestTreatment::Edited
            }
            // Its head has never said that it is.
            RequestOutcome::Refused(Refused::NotJson) if this.content.is_some_and(|content| content.may_be_other()) => {
                match this.other {
                    OtherContent::Pass => RequestTreatment::Passed,
                    OtherContent::Refuse => return Poll::Ready(Err(Refused::OtherContent)),
                }
            }
            RequestOutcome::Refused(refused) => return Poll::Ready(Err(refused)),
        };
        Poll::Ready(Ok((Request::from_parts(head, RequestBody::whole(whole)), treatment)))
    }

    fn poll_whole(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        let mut this = self.project();
        if this.body.size_hint().lower() > REQUEST_BYTES as u64 {
            return Poll::Ready(Err(Refused::TooLarge));
        }
        loop {
            let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) else {
                let is_shut_down = this.shutdown.as_mut().is_some_and(|begun| Pin::new(begun).poll(cx).is_ready());
                return if is_shut_down { Poll::Ready(Err(Refused::ShutDown)) } else { Poll::Pending };
            };
            match frame {
                None => return Poll::Ready(Ok(())),
                Some(Err(_)) => return Poll::Ready(Err(Refused::CutOff)),
                Some(Ok(frame)) => this.whole.append(frame),
            }
            if this.whole.len() > REQUEST_BYTES {
                return Poll::Ready(Err(Refused::TooLarge));
            }
        }
    }
}

/// What the client gets instead of an answer, in the form of the API that has this path.
pub(super) fn refusal<B: Body, O: Observer, T: Timer>(
    refused: Refused,
    path: &str,
    policy: Option<HeaderValue>,
    observer: &mut O,
) -> Response<ResponseBody<B, O, T>> {
    match &refused {
        Refused::Terminated(verdict) => observer.ending(&Ending::Terminated(verdict.clone())),
        Refused::ShutDown => observer.ending(&Ending::ShutDown),
        Refused::CutOff => observer.ending(&Ending::ClientGone),
        _ => {}
    }
    let dialect = Dialect::of_route(path).unwrap_or(Dialect::Json);
    let mut response = Response::new(ResponseBody::whole(Whole::new(refused.document(dialect))));
    headers::name_error(response.headers_mut(), dialect, &refused);
    *response.status_mut() = status::of_refused(&refused);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers::announce(response.headers_mut(), None, Some(RequestTreatment::Refused), policy);
    response.extensions_mut().insert(RequestTreatment::Refused);
    response.extensions_mut().insert(refused);
    response
}
