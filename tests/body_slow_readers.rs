//! Bodies whose checks take time, and clients that take theirs. Time is paused.
#![cfg(feature = "sidecar")]

use bytes::Bytes;
use holdback::body::Moderated;
use holdback::check::{BoxError, Checks};
use holdback::hold::{Judgement, Passage};
use holdback::rule::{Check, OnFailure};
use holdback::sidecar::TokioTimer;
use holdback::{Dialect, Filter, Policy};
use http_body_util::{BodyExt, Full};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::sleep;
use tower::service_fn;

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n")
}

const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// A judge that takes 10 ms for a sentence, and redacts what is bad.
fn quick(asked: &Arc<AtomicUsize>) -> Checks {
    let asked = asked.clone();
    Checks::new().bind(
        "tone",
        service_fn(move |passage: Passage| {
            asked.fetch_add(1, Ordering::SeqCst);
            async move {
                sleep(Duration::from_millis(10)).await;
                let is_bad = passage.text().contains("bad");
                Ok::<_, BoxError>(if is_bad { Judgement::redact() } else { Judgement::clear() })
            }
        }),
    )
}

/// What a client reads that takes its time behind every frame.
async fn read_slowly(check: Check, sentences: usize) -> (String, usize) {
    let policy = Policy::builder().check(check).build().unwrap();
    let input: String = (0..sentences).map(|n| event(&format!("Sentence {n} is bad. "))).collect::<String>() + FINISH;
    let filter = Filter::new(&policy, Some(Dialect::OpenAiChat));
    let asked = Arc::new(AtomicUsize::new(0));
    let mut body = Box::pin(Moderated::new(Full::<Bytes>::from(input), filter).checks(TokioTimer, quick(&asked)));
    let mut out = Vec::new();
    while let Some(frame) = body.frame().await {
        out.extend_from_slice(&frame.unwrap().into_data().unwrap());
        sleep(Duration::from_secs(3)).await;
    }
    (String::from_utf8(out).unwrap(), asked.load(Ordering::SeqCst))
}

/// Time in which the client does not ask for more is nobody's fault and does not count. Otherwise a client decides by
/// reading slowly what is judged: what it waited out was never asked about, and leaves as unjudged.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_does_not_get_around_a_check() {
    let check = Check::gate("tone").deadline(Duration::from_secs(2)).on_failure(OnFailure::Release);
    let (out, asked) = read_slowly(check, 20).await;
    assert!(!out.contains("bad"), "{asked} of 20 sentences were asked about, each takes 10 ms of 2 s: {out}");
}

/// The end of a stream waits for a check that trails, so that the last words are judged, too.
#[tokio::test(start_paused = true)]
async fn a_check_that_trails_is_asked_about_all_of_a_stream() {
    let policy = Policy::builder().check(Check::trail("tone")).build().unwrap();
    let filter = Filter::new(&policy, Some(Dialect::OpenAiChat));
    let asked = Arc::new(AtomicUsize::new(0));
    let input = event("This is bad. That is, too.") + FINISH;
    let body = Moderated::new(Full::<Bytes>::from(input), filter).checks(TokioTimer, quick(&asked));
    let _read = body.collect().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
