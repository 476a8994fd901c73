//! Whose turn it is while a request goes up.
//!
//! An upstream has a limited time to begin its response. A client that uploads slowly must not use it up, so that time
//! is counted only while nothing is missing from the client.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The client has more to say and has not said it yet.
    Client,
    /// The upstream may take what is there, or begin to answer.
    Upstream,
}

pin_project! {
    /// A request's body that tells whose turn it is.
    pub(super) struct Upload<B> {
        #[pin]
        body: B,
        turn: watch::Sender<Turn>,
    }
}

/// Sees whose turn it is.
pub(super) struct Turns(watch::Receiver<Turn>);

impl<B> Upload<B> {
    pub(super) fn new(body: B) -> (Upload<B>, Turns) {
        let (turn, turns) = watch::channel(Turn::Upstream);
        (Upload { body, turn }, Turns(turns))
    }
}

impl Turns {
    /// Ready when it has been the upstream's turn for `limit`, and it took nothing.
    pub(super) async fn upstream_is_late(mut self, limit: Duration) {
        loop {
            let turn = *self.0.borrow_and_update();
            let goes_on = match turn {
                Turn::Client => self.0.changed().await,
                Turn::Upstream => match tokio::time::timeout(limit, self.0.changed()).await {
                    Ok(changed) => changed,
                    Err(_) => return,
                },
            };
            if goes_on.is_err() {
                // The upload is over, so it is the upstream's turn for good.
                return tokio::time::sleep(limit).await;
            }
        }
    }
}

impl<B: Body<Data = Bytes>> Body for Upload<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = this.body.poll_frame(cx);
        match frame {
            Poll::Pending => drop(this.turn.send_replace(Turn::Client)),
            // Told each time: the upstream has taken what came before.
            Poll::Ready(_) => drop(this.turn.send_replace(Turn::Upstream)),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, StreamBody};
    use std::convert::Infallible;
    use tokio::time::Instant;
    use tokio_stream::wrappers::UnboundedReceiverStream;

    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn only_the_upstreams_turn_counts() {
        let (say, hear) = tokio::sync::mpsc::unbounded_channel::<Result<Frame<Bytes>, Infallible>>();
        let (mut body, turns) = Upload::new(StreamBody::new(UnboundedReceiverStream::new(hear)));
        let late = tokio::spawn(turns.upstream_is_late(LIMIT));
        let began = Instant::now();

        // The client is slow, the upstream takes each piece at once.
        for _ in 0..10 {
            let (frame, ()) = tokio::join!(body.frame(), async {
                tokio::time::sleep(LIMIT).await;
                say.send(Ok(Frame::data(Bytes::from_static(b"piece")))).expect("somebody listens");
            });
            assert!(frame.is_some() && !late.is_finished());
        }
        // The client is done.
        drop(say);
        assert!(body.frame().await.is_none());
        drop(body);
        late.await.expect("no panic");
        assert_eq!(began.elapsed(), 11 * LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upstream_that_takes_nothing_is_late() {
        let (_body, turns) = Upload::new(http_body_util::Full::new(Bytes::from_static(b"all")));
        let began = Instant::now();
        turns.upstream_is_late(LIMIT).await;
        assert_eq!(began.elapsed(), LIMIT);
    }
}
