use super::asked::Asked;
use super::body::ResponseBody;
use super::choose::{Choose, Watch};
use super::content::OtherContent;
use super::future::{Plan, ResponseFuture};
use super::headers;
use crate::body::{Shutdown, Timer};
use http::{Request, Response};
use http_body::Body;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// Moderates the responses of `S`. Made by [`HoldbackLayer`](super::HoldbackLayer).
#[derive(Clone, Debug)]
pub struct Holdback<S, C, W, T> {
    // Readiness is the inner service's alone, so a clone is as ready as a clone of it.
    inner: S,
    settings: Settings<C, W, T>,
}

#[derive(Clone, Debug)]
pub(super) struct Settings<C, W, T> {
    pub(super) choose: C,
    pub(super) watch: W,
    pub(super) timer: T,
    pub(super) handling: Handling,
}

/// How every response is handled.
#[derive(Clone, Debug, Default)]
pub(super) struct Handling {
    pub(super) idle_limit: Option<Duration>,
    pub(super) keep_alive: Option<Duration>,
    pub(super) shutdown: Option<Shutdown>,
    pub(super) other: OtherContent,
}

impl<S, C, W, T> Holdback<S, C, W, T> {
    pub(super) fn new(inner: S, settings: Settings<C, W, T>) -> Holdback<S, C, W, T> {
        Holdback { inner, settings }
    }
}

impl<S, C, W, T, ReqBody, ResBody> Service<Request<ReqBody>> for Holdback<S, C, W, T>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    C: Choose,
    W: Watch,
    T: Timer + Clone,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody, W::Observer, T>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, W::Observer, T>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let Settings { choose, watch, timer, handling } = &self.settings;
        let plan = choose.choose(&head).map(|policy| Plan {
            policy,
            observer: watch.watch(&head),
            timer: timer.clone(),
            handling: handling.clone(),
            method: head.method.clone(),
            uri: head.uri.clone(),
            asked: head.extensions.get::<Asked>().cloned().unwrap_or_default(),
        });
        if plan.is_some() {
            headers::ask_for_plain(&mut head.headers);
        }
        ResponseFuture::new(self.inner.call(Request::from_parts(head, body)), plan)
    }
}
