use super::decode::{Coding, Decoded};
use super::headers;
use crate::body::{Error, Moderated, NoTimer, Timer};
use crate::wire::{Filter, Observer};
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Clients of OpenAI's API show the message; every other client shows the status.
const REFUSAL: &[u8] = br#"{"error":{"message":"holdback cannot moderate a response of this kind and does not pass it on","type":"holdback_error","param":null,"code":"content_not_moderated"}}"#;

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
        Moderated { #[pin] body: Moderated<Decoded<B>, O, T> },
        Untouched { #[pin] body: B },
        Refusal { message: Option<Bytes> },
    }
}

impl<B: Body, O: Observer, T: Timer> ResponseBody<B, O, T> {
    pub(super) fn moderated(
        body: B,
        coding: Coding,
        filter: Filter,
        observer: O,
        timer: T,
        idle_limit: Option<Duration>,
    ) -> ResponseBody<B, O, T> {
        let body = Moderated::with_observer(Decoded::new(body, coding), filter, observer);
        ResponseBody { kind: Kind::Moderated { body: body.idle_timeout(timer, idle_limit) } }
    }

    pub(super) fn untouched(body: B) -> ResponseBody<B, O, T> {
        ResponseBody { kind: Kind::Untouched { body } }
    }

    pub(super) fn refusal() -> ResponseBody<B, O, T> {
        ResponseBody { kind: Kind::Refusal { message: Some(Bytes::from_static(REFUSAL)) } }
    }
}

impl<B: Body, O: Observer, T: Timer> Body for ResponseBody<B, O, T> {
    type Data = Bytes;
    type Error = Error<B::Error>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error<B::Error>>>> {
        let frame = match self.project().kind.project() {
            KindProjection::Moderated { body } => ready!(body.poll_frame(cx)).map(|frame| {
                let mut frame = frame.map_err(Error::flatten)?;
                if let Some(trailers) = frame.trailers_mut() {
                    headers::forget_bytes(trailers);
                }
                Ok(frame)
            }),
            KindProjection::Untouched { body } => ready!(body.poll_frame(cx)).map(|frame| {
                let frame = frame.map_err(Error::Upstream)?;
                Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
            }),
            KindProjection::Refusal { message } => message.take().map(Frame::data).map(Ok),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Moderated { body } => body.is_end_stream(),
            Kind::Untouched { body } => body.is_end_stream(),
            Kind::Refusal { message } => message.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Moderated { body } => body.size_hint(),
            Kind::Untouched { body } => body.size_hint(),
            Kind::Refusal { message } => SizeHint::with_exact(message.as_ref().map_or(0, |it| it.len() as u64)),
        }
    }
}
