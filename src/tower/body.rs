use super::decode::Decoded;
use super::headers;
use crate::body::{Error, Moderated, NoTimer, Timer};
use crate::wire::Observer;
use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

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
        Streamed { #[pin] body: Stream<B, O, T> },
        Untouched { #[pin] body: B },
        Whole { whole: Whole },
    }
}

/// An upstream's body under a policy.
pub(super) type Stream<B, O, T> = Moderated<Decoded<B>, O, T>;

/// A body that is there already: a document that has come to its end, or an error of our own.
#[derive(Default)]
pub(super) struct Whole {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Whole {
    /// Reads a document to its end. Whatever became of it, its body is regular: its filter has a form for every ending.
    pub(super) fn poll_read<B: Body, O: Observer, T: Timer>(
        &mut self,
        mut document: Pin<&mut Stream<B, O, T>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        while let Some(Ok(frame)) = ready!(document.as_mut().poll_frame(cx)) {
            match frame.into_data() {
                Ok(data) => self.append(data),
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
        Poll::Ready(())
    }

    fn append(&mut self, data: Bytes) {
        let data = match self.data.take() {
            Some(before) => {
                let mut all = BytesMut::from(before);
                all.extend_from_slice(&data);
                all.freeze()
            }
            None => data,
        };
        self.data = Some(data);
    }

    fn next(&mut self) -> Option<Frame<Bytes>> {
        self.data.take().map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers))
    }
}

impl<B: Body, O: Observer, T: Timer> ResponseBody<B, O, T> {
    pub(super) fn streamed(body: Stream<B, O, T>) -> ResponseBody<B, O, T> {
        ResponseBody { kind: Kind::Streamed { body } }
    }

    pub(super) fn untouched(body: B) -> ResponseBody<B, O, T> {
        ResponseBody { kind: Kind::Untouched { body } }
    }

    pub(super) fn whole(mut whole: Whole) -> ResponseBody<B, O, T> {
        if let Some(trailers) = &mut whole.trailers {
            headers::forget_bytes(trailers);
        }
        ResponseBody { kind: Kind::Whole { whole } }
    }

    pub(super) fn refusal() -> ResponseBody<B, O, T> {
        ResponseBody::whole(Whole { data: Some(Bytes::from_static(REFUSAL)), trailers: None })
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
            KindProjection::Untouched { body } => ready!(body.poll_frame(cx)).map(|frame| {
                let frame = frame.map_err(Error::Upstream)?;
                Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
            }),
            KindProjection::Whole { whole } => whole.next().map(Ok),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Streamed { body } => body.is_end_stream(),
            Kind::Untouched { body } => body.is_end_stream(),
            Kind::Whole { whole } => whole.data.is_none() && whole.trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Streamed { body } => body.size_hint(),
            Kind::Untouched { body } => body.size_hint(),
            // A server that knows the length has no place for trailers.
            Kind::Whole { whole } if whole.trailers.is_some() => SizeHint::default(),
            Kind::Whole { whole } => SizeHint::with_exact(whole.data.as_ref().map_or(0, |data| data.len() as u64)),
        }
    }
}
