use super::asked::Asked;
use super::body::{RequestBody, ResponseBody, Stream};
use super::choose::Choose;
use super::content::{Content, OtherContent, Treatment};
use super::decode::Decoded;
use super::entry::{Entered, Entry};
use super::metered::Metered;
use super::request::{self, RequestTreatment};
use super::service::Handling;
use super::whole::Whole;
use super::{POLLED, headers, status};
use crate::body::{Begun, Moderated, NoTimer, Shutdown, Timer};
use crate::policy::Policy;
use crate::wire::{Filter, FilterOptions, Observer};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

pin_project! {
    /// The response of a [`Holdback`](super::Holdback) service.
    pub struct ResponseFuture<S, Q, B: Body, C, O: Observer, T: Timer>
    where
        S: Service<Request<RequestBody<Q>>>,
    {
        #[pin]
        state: State<S, Q, B, C, O, T>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, Q, B: Body, C, O: Observer, T: Timer>
    where
        S: Service<Request<RequestBody<Q>>>,
    {
        // The request is on its way in, and the service, which is ready, has not heard of it.
        Entering { service: S, entry: Entry<Q, C, T::Sleep>, plan: Option<Plan<O, T>> },
        // The upstream was asked. There is no plan if no policy was chosen.
        Asked {
            #[pin]
            inner: S::Future,
            request: Option<RequestTreatment>,
            plan: Option<(Policy, Plan<O, T>)>,
            shutdown: Option<Begun>,
        },
        // A document is a stream of one event: nothing of it leaves before its end, so its head waits too, and then
        // knows whether there is anything to give it to.
        Document { head: Option<response::Parts>, #[pin] body: Stream<B, O, T>, whole: Whole },
    }
}

/// What is to become of one response, known when its request was seen.
pub(super) struct Plan<O, T> {
    pub(super) observer: Metered<O>,
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

impl<S, Q, B, C, O, T> ResponseFuture<S, Q, B, C, O, T>
where
    S: Service<Request<RequestBody<Q>>>,
    B: Body,
    O: Observer,
    T: Timer,
{
    /// Waits for a response that nobody watches.
    pub(super) fn left_alone(inner: S::Future, shutdown: Option<Begun>) -> ResponseFuture<S, Q, B, C, O, T> {
        ResponseFuture { state: State::Asked { inner, request: None, plan: None, shutdown } }
    }

    /// Asks `service`, which is ready, for what has entered.
    pub(super) fn ask(service: &mut S, entered: Entered<Q>, plan: Plan<O, T>) -> ResponseFuture<S, Q, B, C, O, T> {
        ResponseFuture { state: State::ask(service, entered, plan) }
    }

    /// Asks `service`, which is ready, once there is something to ask.
    pub(super) fn enter(
        service: S,
        entry: Entry<Q, C, T::Sleep>,
        plan: Plan<O, T>,
    ) -> ResponseFuture<S, Q, B, C, O, T> {
        ResponseFuture { state: State::Entering { service, entry, plan: Some(plan) } }
    }
}

impl<S, Q, B, C, O, T> State<S, Q, B, C, O, T>
where
    S: Service<Request<RequestBody<Q>>>,
    B: Body,
    O: Observer,
    T: Timer,
{
    fn ask(service: &mut S, entered: Entered<Q>, plan: Plan<O, T>) -> State<S, Q, B, C, O, T> {
        let Entered { request, treatment, policy } = entered;
        let shutdown = plan.handling.shutdown.as_ref().map(Shutdown::begun);
        let plan = policy.map(|policy| (policy, plan));
        State::Asked { inner: service.call(request), request: treatment, plan, shutdown }
    }
}

impl<S, Q, B, C, O, T> Future for ResponseFuture<S, Q, B, C, O, T>
where
    C: Choose,
    S: Service<Request<RequestBody<Q>>, Response = Response<B>>,
    Q: Body,
    B: Body,
    O: Observer,
    T: Timer,
{
    type Output = Result<Response<ResponseBody<B, O, T>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Entering { service, entry, plan } => {
                    let Plan { observer, uri, handling, timer, .. } = plan.as_mut().expect(POLLED);
                    match ready!(entry.poll_entered(handling, observer, timer, cx)) {
                        Ok(entered) => {
                            let asked = State::ask(service, entered, plan.take().expect(POLLED));
                            state.set(asked);
                        }
                        Err(refused) => {
                            let policy = entry.policy().and_then(name_of);
                            return Poll::Ready(Ok(request::refusal(refused, uri.path(), policy, observer)));
                        }
                    }
                }
                StateProjection::Asked { inner, request, plan, shutdown } => {
                    let (mut head, body) = ready!(inner.poll(cx))?.into_parts();
                    let policy = plan.as_ref().and_then(|(policy, _)| name_of(policy));
                    let (treatment, onward) = match plan.take() {
                        Some((policy, plan)) => plan.carry_out(policy, &mut head, body, shutdown.take()),
                        None => (Treatment::Off, Onward::Now(ResponseBody::untouched(body, shutdown.take()))),
                    };
                    headers::announce(&mut head.headers, Some(treatment), *request, policy);
                    head.extensions.insert(treatment);
                    request.map(|treatment| head.extensions.insert(treatment));
                    match onward {
                        Onward::Now(body) => return Poll::Ready(Ok(Response::from_parts(head, body))),
                        Onward::Whole(body) => {
                            state.set(State::Document { head: Some(head), body, whole: Whole::default() });
                        }
                    }
                }
                StateProjection::Document { head, mut body, whole } => {
                    // Whatever became of it, its body is regular: its filter has a form for every ending.
                    while let Some(Ok(frame)) = ready!(body.as_mut().poll_frame(cx)) {
                        whole.append(frame);
                    }
                    let mut head = head.take().expect(POLLED);
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

fn name_of(policy: &Policy) -> Option<HeaderValue> {
    HeaderValue::from_str(policy.name()?).ok()
}

impl<O: Observer, T: Timer> Plan<O, T> {
    fn carry_out<B: Body>(
        self,
        policy: Policy,
        head: &mut response::Parts,
        body: B,
        shutdown: Option<Begun>,
    ) -> (Treatment, Onward<B, O, T>) {
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
            return (Treatment::Empty, Onward::Now(ResponseBody::untouched(body, None)));
        }
        match (content, self.handling.other) {
            (Some(content), _) => {
                headers::forget_bytes(&mut head.headers);
                if is_event_stream {
                    headers::keep_flowing(&mut head.headers);
                }
                let (is_document, body) = (content.is_document(), self.moderate(&policy, content, body));
                let onward = if is_document { Onward::Whole(body) } else { Onward::Now(ResponseBody::streamed(body)) };
                (Treatment::Moderated, onward)
            }
            (None, OtherContent::Pass) => (Treatment::Passed, Onward::Now(ResponseBody::untouched(body, shutdown))),
            (None, OtherContent::Refuse) => (Treatment::Refused, refuse(head)),
        }
    }

    fn moderate<B: Body>(self, policy: &Policy, content: Content, body: B) -> Stream<B, O, T> {
        let (framing, usage_chunk) = (content.framing, self.asked.usage_chunk());
        let options = FilterOptions { framing, usage_chunk, ..FilterOptions::default() };
        let filter = Filter::with_options(policy, content.dialect, options);
        let body = Decoded::new(body, content.coding);
        let Handling { times, shutdown, checks, .. } = self.handling;
        let moderated = Moderated::with_observer(body, filter, self.observer);
        let moderated = moderated.timed(NoTimer, times).checks(self.timer, checks);
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
