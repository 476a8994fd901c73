use super::asked::Asked;
use super::body::ResponseBody;
use super::content::{Content, OtherContent, Treatment};
use super::headers;
use crate::body::Timer;
use crate::policy::Policy;
use crate::wire::{Filter, FilterOptions, Observer};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode, Uri, response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

pin_project! {
    /// The response of a [`Holdback`](super::Holdback) service.
    pub struct ResponseFuture<F, O, T> {
        #[pin]
        inner: F,
        // `None` if no policy was chosen.
        plan: Option<Plan<O, T>>,
    }
}

/// What is to become of one response, known when its request was seen.
pub(super) struct Plan<O, T> {
    pub(super) policy: Policy,
    pub(super) observer: O,
    pub(super) timer: T,
    pub(super) idle_limit: Option<Duration>,
    pub(super) other: OtherContent,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) asked: Asked,
}

impl<F, O, T> ResponseFuture<F, O, T> {
    pub(super) fn new(inner: F, plan: Option<Plan<O, T>>) -> ResponseFuture<F, O, T> {
        ResponseFuture { inner, plan }
    }
}

impl<F, O, T, B, E> Future for ResponseFuture<F, O, T>
where
    F: Future<Output = Result<Response<B>, E>>,
    O: Observer,
    T: Timer,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B, O, T>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut head, body) = ready!(this.inner.poll(cx))?.into_parts();
        let (treatment, policy, body) = match this.plan.take() {
            Some(plan) => {
                let policy = plan.policy.name().and_then(|name| HeaderValue::from_str(name).ok());
                let (treatment, body) = plan.carry_out(&mut head, body);
                (treatment, policy, body)
            }
            None => (Treatment::Off, None, ResponseBody::untouched(body)),
        };
        headers::announce(&mut head.headers, treatment, policy);
        head.extensions.insert(treatment);
        Poll::Ready(Ok(Response::from_parts(head, body)))
    }
}

impl<O: Observer, T: Timer> Plan<O, T> {
    fn carry_out<B: Body>(self, head: &mut response::Parts, body: B) -> (Treatment, ResponseBody<B, O, T>) {
        let content = Content::of(head, self.uri.path());
        let is_event_stream = content.as_ref().is_some_and(Content::is_event_stream);
        // An event stream without one event is not empty but broken, and its filter says so.
        let is_empty = body.is_end_stream() && !is_event_stream;
        if is_empty || self.method == Method::HEAD || has_no_body(head.status) {
            return (Treatment::Empty, ResponseBody::untouched(body));
        }
        match (content, self.other) {
            (Some(content), _) => {
                headers::forget_bytes(&mut head.headers);
                if is_event_stream {
                    headers::keep_flowing(&mut head.headers);
                }
                let options = FilterOptions { usage_chunk: self.asked.usage_chunk(), ..FilterOptions::default() };
                let filter = Filter::with_options(&self.policy, Some(content.dialect), options);
                let body =
                    ResponseBody::moderated(body, content.coding, filter, self.observer, self.timer, self.idle_limit);
                (Treatment::Moderated, body)
            }
            (None, OtherContent::Pass) => (Treatment::Passed, ResponseBody::untouched(body)),
            (None, OtherContent::Refuse) => {
                headers::forget_bytes(&mut head.headers);
                head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                head.status = StatusCode::BAD_GATEWAY;
                (Treatment::Refused, ResponseBody::refusal())
            }
        }
    }
}

fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
