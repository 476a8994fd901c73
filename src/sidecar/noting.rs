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
        // `None` once there is nothing more to learn.
        seen: Option<Vec<Bytes>>,
        seen_bytes: usize,
        asked: Asked,
    }
}

impl<B> Noting<B> {
    pub(super) fn new(body: B, asked: Asked) -> Noting<B> {
        Noting { body, seen: Some(Vec::new()), seen_bytes: 0, asked }
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
            *this.seen_bytes += data.len();
            match this.seen {
                Some(seen) if *this.seen_bytes <= REMEMBERED_BYTES => seen.push(data.clone()),
                _ => *this.seen = None,
            }
        }
        if (frame.is_none() || this.body.is_end_stream())
            && let Some(seen) = this.seen.take()
            && wants_usage(&seen.concat())
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
