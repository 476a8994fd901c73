//! A service of any type, ready to be asked.

use super::BoxError;
use crate::hold::{Judgement, Passage, Unjudged};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// An answer on its way.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Judgement, Unjudged>> + Send>>;

/// Someone who answers.
pub(super) trait Answer: Send + Sync {
    fn answer(&self, passage: Passage) -> Answering;

    fn clone_box(&self) -> Box<dyn Answer>;
}

/// A service that answers.
#[derive(Clone)]
pub(super) struct Bound<S>(pub(super) S);

impl<S> Answer for Bound<S>
where
    S: Service<Passage, Response = Judgement> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn answer(&self, passage: Passage) -> Answering {
        Box::pin(Asking { state: State::Waiting { service: self.0.clone(), passage: Some(passage) } })
    }

    fn clone_box(&self) -> Box<dyn Answer> {
        Box::new(self.clone())
    }
}

pin_project! {
    /// Waits for the service to be ready, then for its answer.
    struct Asking<S: Service<Passage>> {
        #[pin]
        state: State<S>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Passage>> {
        Waiting { service: S, passage: Option<Passage> },
        Asked { #[pin] answer: S::Future },
    }
}

impl<S> Future for Asking<S>
where
    S: Service<Passage, Response = Judgement>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Judgement, Unjudged>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Waiting { service, passage } => {
                    ready!(service.poll_ready(cx)).map_err(|error| unjudged(error.into()))?;
                    let passage = passage.take().expect("a future is not polled after it was ready");
                    let answer = service.call(passage);
                    state.set(State::Asked { answer });
                }
                StateProjection::Asked { answer } => {
                    return answer.poll(cx).map_err(|error| unjudged(error.into()));
                }
            }
        }
    }
}

/// What an error says, or one that it is caused by.
fn unjudged(error: BoxError) -> Unjudged {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
    while let Some(error) = cause {
        if let Some(unjudged) = error.downcast_ref() {
            return *unjudged;
        }
        cause = error.source();
    }
    Unjudged::Failed
}
