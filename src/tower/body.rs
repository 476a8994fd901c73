use super::decode::Decoded;
use super::headers;
use super::metered::Metered;
use super::whole::{Unstreamed, Whole};
use crate::body::{Begun, Error, Moderated, NoTimer, Timer};
use crate::wire::Observer;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Clients of OpenAI's API show the message; every other client shows the status.
const REFUSAL: &[u8] = br#"{"error":{"message":"holdback cannot moderate a response of this kind and does not pass it on","type":"holdback_error","param":null,"code":"content_not_moderated"}}"#;

pin_project! {
    /// The body of a request that goes on to the service within: as it comes, or, under rules for requests, read and
    /// moderated.
    pub struct RequestBody<B> {
        #[pin]
        body: Unstreamed<B>,
    }
}

impl<B> RequestBody<B> {
    pub(super) fn as_it_comes(body: B) -> RequestBody<B> {
        RequestBody { body: Unstreamed::AsItComes { body } }
    }

    pub(super) fn whole(whole: Whole) -> RequestBody<B> {
        RequestBody { body: Unstreamed::Whole { whole } }
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// The body of a [`Holdback`](super::Holdback) service's response.
    pub struct ResponseBody<B: Body, O: Observer = (), T: Timer = NoTimer> {
        #[pin]
        kind: Kind<B, O, T>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B: Body, O: Observer, T: Timer> {
        Streamed { #[pin] body: Stream<B, O, T> },
        // What nobody watches has no form to end in, so a shutdown breaks it off.
        Unstreamed { #[pin] body: Unstreamed<B>, shutdown: Option<Begun> },
    }
}

/// An upstream's body under a policy.
pub(super) type Stream<B, O, T> = Moderated<Decoded<B>, Metered<O>, T>;

impl<B: Body, O: Observer, T: Timer> ResponseBody<B, O, T> {
    pub(super) fn streamed(body: Stream<B, O, T>) -> ResponseBody<B, O, T> {
        ResponseBody { kind: Kind::Streamed { body } }
    }

    pub(super) fn untouched(body: B, shutdown: Option<Begun>) -> ResponseBody<B, O, T> {
        ResponseBody { kind: Kind::Unstreamed { body: Unstreamed::AsItComes { body }, shutdown } }
    }

    pub(super) fn whole(mut whole: Whole) -> ResponseBody<B, O, T> {
        whole.forget_bytes();
        ResponseBody { kind: Kind::Unstreamed { body: Unstreamed::Whole { whole }, shutdown: None } }
    }

    pub(super) fn refusal() -> ResponseBody<B, O, T> {
        ResponseBody::whole(Whole::new(Bytes::from_static(REFUSAL)))
    }
}

impl<B: Body, O: Observer, T: Timer> Body for ResponseBody<B, O, T> {
    type Data = Bytes;
    type Error = Error<B::Error>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error<B::Error>>>> {
        let frame = match self.project().kind.project() {
            KindProjection::Streamed { body } => ready!(body.poll_frame(cx)).map(|frame| {
                let mut frame = frame.map_err(Error::flatten)?;
                if let Some(trailers) = frame.trailers_mut() {
                    headers::forget_bytes(trailers);
                }
                Ok(frame)
            }),
            KindProjection::Unstreamed { body, shutdown } => {
                if shutdown.as_mut().is_some_and(|begun| Pin::new(begun).poll(cx).is_ready()) {
                    return Poll::Ready(Some(Err(Error::ShutDown)));
                }
                ready!(body.poll_frame(cx)).map(|frame| frame.map_err(Error::Upstream))
            }
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Streamed { body } => body.is_end_stream(),
            Kind::Unstreamed { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Streamed { body } => body.size_hint(),
            Kind::Unstreamed { body, .. } => body.size_hint(),
        }
    }
}
