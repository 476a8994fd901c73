use super::asked::Asked;
use super::body::{ResponseBody, Stream, Whole};
use super::content::{Content, OtherContent, Treatment};
use super::decode::Decoded;
use super::service::Handling;
use super::{headers, status};
use crate::body::{Moderated, Timer};
use crate::policy::Policy;
use crate::wire::{Filter, FilterOptions, Observer};
use http::{HeaderValue, Method, Response, StatusCode, Uri, response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The response of a [`Holdback`](super::Holdback) service.
    pub struct ResponseFuture<F, B: Body, O: Observer, T: Timer> {
        #[pin]
        state: State<F, B, O, T>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B: Body, O: Observer, T: Timer> {
        // The upstream was asked. There is no plan if no policy was chosen.
        Asked { #[pin] inner: F, plan: Option<Plan<O, T>> },
        // A document is a stream of one event: nothing of it leaves before its end, so its head waits too, and then
        // knows whether there is anything to give it to.
        Document { head: Option<response::Parts>, #[pin] body: Stream<B, O, T>, whole: Whole },
    }
}

/// What is to become of one response, known when its request was seen.
pub(super) struct Plan<O, T> {
    pub(super) policy: Policy,
    pub(super) observer: O,
    pub(super) timer: T,
    pub(super) handling: Handling,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) asked: Asked,
}

/// What a response goes on as.
enum Onward<B: Body, O: Observer, T: Timer> {
    Now(ResponseBody<B, O, T>),
    Whole(Stream<B, O, T>),
}

impl<F, B: Body, O: Observer, T: Timer> ResponseFuture<F, B, O, T> {
    pub(super) fn new(inner: F, plan: Option<Plan<O, T>>) -> ResponseFuture<F, B, O, T> {
        ResponseFuture { state: State::Asked { inner, plan } }
    }
}

impl<F, O, T, B, E> Future for ResponseFuture<F, B, O, T>
where
    F: Future<Output = Result<Response<B>, E>>,
    O: Observer,
    T: Timer,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B, O, T>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Asked { inner, plan } => {
                    let (mut head, body) = ready!(inner.poll(cx))?.into_parts();
                    let policy = plan.as_ref().and_then(|plan| HeaderValue::from_str(plan.policy.name()?).ok());
                    let (treatment, onward) = match plan.take() {
                        Some(plan) => plan.carry_out(&mut head, body),
                        None => (Treatment::Off, Onward::Now(ResponseBody::untouched(body))),
                    };
                    headers::announce(&mut head.headers, treatment, policy);
                    head.extensions.insert(treatment);
                    match onward {
                        Onward::Now(body) => return Poll::Ready(Ok(Response::from_parts(head, body))),
                        Onward::Whole(body) => {
                            state.set(State::Document { head: Some(head), body, whole: Whole::default() });
                        }
                    }
                }
                StateProjection::Document { head, mut body, whole } => {
                    ready!(whole.poll_read(body.as_mut(), cx));
                    let mut head = head.take().expect("a future is not polled after it was ready");
                    if body.is_replaced() {
                        let ours = body.ending().map_or(StatusCode::BAD_GATEWAY, status::of);
                        status::replace(&mut head, ours);
                    }
                    let whole = std::mem::take(whole);
                    return Poll::Ready(Ok(Response::from_parts(head, ResponseBody::whole(whole))));
                }
            }
        }
    }
}

impl<O: Observer, T: Timer> Plan<O, T> {
    fn carry_out<B: Body>(self, head: &mut response::Parts, body: B) -> (Treatment, Onward<B, O, T>) {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            // Its body looks empty; what follows it is a channel that nobody watches.
            headers::stay_with_http(&mut head.headers);
            return (Treatment::Refused, refuse(head));
        }
        let content = Content::of(head, self.uri.path());
        let is_event_stream = content.as_ref().is_some_and(Content::is_event_stream);
        // An event stream without one event is not empty but broken, and its filter says so.
        let is_empty = body.is_end_stream() && !is_event_stream;
        if is_empty || self.method == Method::HEAD || has_no_body(head.status) {
            return (Treatment::Empty, Onward::Now(ResponseBody::untouched(body)));
        }
        match (content, self.handling.other) {
            (Some(content), _) => {
                headers::forget_bytes(&mut head.headers);
                if is_event_stream {
                    headers::keep_flowing(&mut head.headers);
                }
                let (is_document, body) = (content.is_document(), self.moderate(content, body));
                let onward = if is_document { Onward::Whole(body) } else { Onward::Now(ResponseBody::streamed(body)) };
                (Treatment::Moderated, onward)
            }
            (None, OtherContent::Pass) => (Treatment::Passed, Onward::Now(ResponseBody::untouched(body))),
            (None, OtherContent::Refuse) => (Treatment::Refused, refuse(head)),
        }
    }

    fn moderate<B: Body>(self, content: Content, body: B) -> Stream<B, O, T> {
        let (framing, usage_chunk) = (content.framing, self.asked.usage_chunk());
        let options = FilterOptions { framing, usage_chunk, ..FilterOptions::default() };
        let filter = Filter::with_options(&self.policy, Some(content.dialect), options);
        let body = Decoded::new(body, content.coding);
        let Handling { idle_limit, keep_alive, shutdown, .. } = self.handling;
        let moderated = Moderated::with_observer(body, filter, self.observer).timed(self.timer, idle_limit, keep_alive);
        match &shutdown {
            Some(shutdown) => moderated.shutdown(shutdown),
            None => moderated,
        }
    }
}

fn refuse<B: Body, O: Observer, T: Timer>(head: &mut response::Parts) -> Onward<B, O, T> {
    headers::forget_bytes(&mut head.headers);
    status::replace(head, StatusCode::BAD_GATEWAY);
    Onward::Now(ResponseBody::refusal())
}

fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
