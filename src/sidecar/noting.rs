//! Reads a request's body while it passes by.
//!
//! A stream that a policy ends must still bring its usage chunk if the client asked for one, and it asked in its
//! body. The body is not held back for that: what passes is remembered until its end, and by the time the response
//! begins the answer is there.

use crate::tower::Asked;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use serde::Deserialize;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A longer request is not remembered, and its stream has no usage chunk if a policy ends it. Conversations of
/// 200,000 tokens stay below; images do not.
const REMEMBERED_BYTES: usize = 1024 * 1024;

pin_project! {
    /// A request's body that fills in an [`Asked`] as it passes.
    pub(super) struct Noting<B> {
        #[pin]
        body: B,
        // `None` once there is nothing more to learn. A copy: pieces of a byte each would keep a buffer each.
        seen: Option<Vec<u8>>,
        asked: Asked,
    }
}

impl<B: Body> Noting<B> {
    pub(super) fn new(body: B, asked: Asked) -> Noting<B> {
        let is_short = body.size_hint().lower() <= REMEMBERED_BYTES as u64;
        Noting { body, seen: is_short.then(Vec::new), asked }
    }
}

impl<B: Body<Data = Bytes>> Body for Noting<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            match this.seen {
                Some(seen) if seen.len() + data.len() <= REMEMBERED_BYTES => seen.extend_from_slice(data),
                _ => *this.seen = None,
            }
        }
        if (frame.is_none() || this.body.is_end_stream())
            && let Some(seen) = this.seen.take()
            && wants_usage(&seen)
        {
            this.asked.found_include_usage();
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

fn wants_usage(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Request {
        stream_options: Option<StreamOptions>,
    }
    #[derive(Deserialize)]
    struct StreamOptions {
        include_usage: Option<bool>,
    }
    // Most requests do not ask, and looking for the word is far cheaper than parsing.
    memchr::memmem::find(body, b"include_usage").is_some()
        && serde_json::from_slice::<Request>(body)
            .ok()
            .and_then(|request| request.stream_options?.include_usage)
            .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    use http_body_util::StreamBody;
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::task::Waker;

    /// A buffer that somebody counts.
    struct Counted(Arc<[u8]>);

    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    #[test]
    fn no_chunk_is_kept() {
        let asking = r#"{"stream_options":{"include_usage":true}}"#;
        let buffers: Vec<Arc<[u8]>> = asking.bytes().map(|byte| Arc::from([byte])).collect();
        let frame = |buffer: &Arc<[u8]>| Frame::data(Bytes::from_owner(Counted(buffer.clone())));
        let frames: Vec<_> = buffers.iter().map(|buffer| Ok::<_, Infallible>(frame(buffer))).collect();
        let asked = Asked::default();
        let mut body = Noting::new(StreamBody::new(tokio_stream::iter(frames)), asked.clone());
        let mut next = || {
            loop {
                // The stream yields at times, for the sake of other tasks.
                let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
                if let Poll::Ready(frame) = polled {
                    return frame.map(|frame| drop(frame.expect("a frame")));
                }
            }
        };
        for buffer in &buffers {
            assert!(next().is_some());
            assert_eq!(Arc::strong_count(buffer), 1, "what has passed is not kept");
        }
        assert!(next().is_none());
        assert_eq!(asked.usage_chunk(), crate::wire::UsageChunk::Asked);
    }

    #[test]
    fn what_asks_for_usage() {
        for (body, asks) in [
            (r#"{"stream":true,"stream_options":{"include_usage":true},"messages":[]}"#, true),
            (r#"{"stream_options":{"include_usage":false}}"#, false),
            (r#"{"stream_options":null,"messages":[{"content":"include_usage"}]}"#, false),
            (r#"{"stream_options":{"include_usage":tr"#, false),
            ("", false),
        ] {
            assert_eq!(wants_usage(body.as_bytes()), asks, "{body}");
        }
    }
}
