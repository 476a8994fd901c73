//! The first body behind the upstream's connection and the last before the client's: count what comes, what leaves and
//! how long it took us.

use super::account::Book;
use crate::wire::{Ending, Failure};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

pin_project! {
    /// A body whose bytes and ending are entered in a book.
    pub(super) struct Accounted<B: Body> {
        #[pin]
        body: B,
        book: Book,
    }

    impl<B: Body> PinnedDrop for Accounted<B> {
        fn drop(this: Pin<&mut Self>) {
            let ending = if this.body.is_end_stream() { Ending::Complete } else { Ending::ClientGone };
            this.book.ended(ending);
        }
    }
}

impl<B: Body> Accounted<B> {
    pub(super) fn new(body: B, book: Book) -> Accounted<B> {
        Accounted { body, book }
    }
}

impl<B: Body<Data = Bytes>> Body for Accounted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let began = Instant::now();
        let frame = ready!(this.body.poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => this.book.wrote(frame.data_ref().map_or(0, Bytes::len), began.elapsed()),
            Some(Err(_)) => this.book.ended(Ending::UpstreamFailed(Failure::Cut)),
            None => this.book.ended(Ending::Complete),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// An upstream's body, whose bytes are entered in a book.
    pub(super) struct Received<B> {
        #[pin]
        body: B,
        book: Book,
    }
}

impl<B> Received<B> {
    pub(super) fn new(body: B, book: Book) -> Received<B> {
        Received { body, book }
    }
}

impl<B: Body<Data = Bytes>> Body for Received<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            this.book.read(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
