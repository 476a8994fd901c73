use super::asked::Asked;
use super::body::{RequestBody, ResponseBody};
use super::choose::{Choose, Watch};
use super::content::OtherContent;
use super::entry::Entry;
use super::future::{Plan, ResponseFuture};
use super::metered::Metered;
use crate::body::{Shutdown, Timer, Times};
use crate::check::Checks;
use crate::quota::Quotas;
use http::{Request, Response};
use http_body::Body;
use std::task::{Context, Poll};
use tower_service::Service;

/// Moderates the responses of `S`, and its requests. Made by [`HoldbackLayer`](super::HoldbackLayer).
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
    pub(super) times: Times,
    pub(super) shutdown: Option<Shutdown>,
    pub(super) other: OtherContent,
    pub(super) checks: Checks,
    pub(super) quotas: Quotas,
}

impl<S, C, W, T> Holdback<S, C, W, T> {
    pub(super) fn new(inner: S, settings: Settings<C, W, T>) -> Holdback<S, C, W, T> {
        Holdback { inner, settings }
    }
}

impl<S, C, W, T, ReqBody, ResBody> Service<Request<ReqBody>> for Holdback<S, C, W, T>
where
    S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    C: Choose + Clone,
    W: Watch,
    T: Timer + Clone,
    ReqBody: Body,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody, W::Observer, T>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, ResBody, C, W::Observer, T>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (head, body) = request.into_parts();
        let Settings { choose, watch, timer, handling } = &self.settings;
        let mut entry = Entry::new(head, body, choose, handling);
        if entry.is_left_alone() {
            let shutdown = handling.shutdown.as_ref().map(Shutdown::begun);
            return ResponseFuture::left_alone(self.inner.call(entry.entered().request), shutdown);
        }
        let head = entry.head();
        let plan = Plan {
            observer: Metered::new(watch.watch(head)),
            timer: timer.clone(),
            handling: handling.clone(),
            method: head.method.clone(),
            uri: head.uri.clone(),
            asked: head.extensions.get::<Asked>().cloned().unwrap_or_default(),
        };
        if entry.is_done() {
            return ResponseFuture::ask(&mut self.inner, entry.entered(), plan);
        }
        // The one that was asked whether it is ready is to be called; its clone was not asked.
        let clone = self.inner.clone();
        ResponseFuture::enter(std::mem::replace(&mut self.inner, clone), entry, plan)
    }
}
