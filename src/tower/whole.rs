//! Bodies that nobody streams through a filter.

use super::headers;
use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A body that is there already: what was read to its end, or an error of our own.
#[derive(Default)]
pub(super) struct Whole {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Whole {
    pub(super) fn new(data: Bytes) -> Whole {
        Whole { data: Some(data).filter(|data| !data.is_empty()), trailers: None }
    }

    pub(super) fn append(&mut self, frame: Frame<impl Buf>) {
        match frame.into_data() {
            Ok(mut data) => self.append_data(data.copy_to_bytes(data.remaining())),
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
    }

    /// Puts this in the place of the content.
    pub(super) fn replace(&mut self, data: Bytes) {
        self.data = Some(data).filter(|data| !data.is_empty());
        self.forget_bytes();
    }

    /// Removes trailers that spoke of other bytes.
    pub(super) fn forget_bytes(&mut self) {
        if let Some(trailers) = &mut self.trailers {
            headers::forget_bytes(trailers);
        }
    }

    pub(super) fn data(&self) -> Bytes {
        self.data.clone().unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.data.as_ref().map_or(0, Bytes::len)
    }

    /// Joined into one buffer: pieces of a byte each would keep a buffer each.
    fn append_data(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
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

pin_project! {
    /// A body as it comes, or one that is there already.
    #[project = UnstreamedProjection]
    pub(super) enum Unstreamed<B> {
        AsItComes { #[pin] body: B },
        Whole { whole: Whole },
    }
}

impl<B: Body> Body for Unstreamed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = match self.project() {
            UnstreamedProjection::AsItComes { body } => ready!(body.poll_frame(cx))
                .map(|frame| frame.map(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))),
            UnstreamedProjection::Whole { whole } => whole.next().map(Ok),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Unstreamed::AsItComes { body } => body.is_end_stream(),
            Unstreamed::Whole { whole } => whole.data.is_none() && whole.trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Unstreamed::AsItComes { body } => body.size_hint(),
            // Whoever sends the length has no place for trailers.
            Unstreamed::Whole { whole } if whole.trailers.is_some() => SizeHint::default(),
            Unstreamed::Whole { whole } => SizeHint::with_exact(whole.len() as u64),
        }
    }
}
