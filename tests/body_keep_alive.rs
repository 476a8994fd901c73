//! Signs of life from a stream that has nothing to hand out.
#![cfg(feature = "sidecar")]

use bytes::Bytes;
use holdback::body::Moderated;
use holdback::sidecar::TokioTimer;
use holdback::{Dialect, Filter, Policy, Rule};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};
use tokio_stream::wrappers::UnboundedReceiverStream;

const INTERVAL: Duration = Duration::from_secs(15);
const SECOND: Duration = Duration::from_secs(1);

type Frames = StreamBody<UnboundedReceiverStream<Result<Frame<Bytes>, Infallible>>>;

/// What the upstream says, frame by frame.
struct Upstream(UnboundedSender<Result<Frame<Bytes>, Infallible>>);

impl Upstream {
    fn new() -> (Upstream, Frames) {
        let (say, hear) = unbounded_channel();
        (Upstream(say), StreamBody::new(UnboundedReceiverStream::new(hear)))
    }

    fn say(&self, text: &str) {
        self.0.send(Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes())))).expect("somebody listens");
    }
}

fn filter(dialect: Dialect) -> Filter {
    let redact = Rule::literal("codename", "Nightjar").redact("[codename]");
    let policy = Policy::builder().rule(redact).rule(Rule::literal("stop", "Basilisk").terminate()).build().unwrap();
    Filter::new(&policy, Some(dialect))
}

fn chat() -> Filter {
    filter(Dialect::OpenAiChat)
}

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

/// Each frame with the second it came in, until the body is over or has been waited for in vain.
async fn frames(body: Moderated<Frames, (), TokioTimer>, patience: Duration) -> Vec<(u64, String)> {
    let began = Instant::now();
    let mut body = std::pin::pin!(body);
    let mut frames = Vec::new();
    while let Ok(Some(frame)) = tokio::time::timeout_at(began + patience, body.frame()).await {
        let data = frame.unwrap_or_else(|error| panic!("{error}")).into_data().expect("data");
        frames.push((began.elapsed().as_secs(), String::from_utf8(data.to_vec()).expect("UTF-8")));
    }
    frames
}

fn beats(seconds: impl IntoIterator<Item = u64>) -> Vec<(u64, String)> {
    seconds.into_iter().map(|second| (second, ": keep-alive\n\n".to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_silent_upstream_is_alive_until_it_is_late() {
    let (_upstream, body) = Upstream::new();
    let body = Moderated::new(body, chat()).keep_alive(TokioTimer, INTERVAL).idle_timeout(TokioTimer, 40 * SECOND);
    let mut heard = frames(body, 100 * SECOND).await;
    let (second, last) = heard.pop().expect("its ending");
    assert!(second == 40 && last.contains("upstream_timeout"), "{last}");
    assert_eq!(heard, beats([15, 30]));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_beats_although_the_upstream_speaks() {
    let (upstream, body) = Upstream::new();
    let body = Moderated::new(body, chat()).keep_alive(TokioTimer, INTERVAL);
    // A call that the policy may stop leaves whole, so all of it is held.
    let call = |arguments: &str| {
        let call = format!(r#"{{"index":0,"id":"t","function":{{"name":"f","arguments":"{arguments}"}}}}"#);
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n")
    };
    let all = [call("{"), call(""), call(""), call(""), call("}")].concat();
    let said = all.clone();
    let talking = async {
        for event in said.split_inclusive("\n\n") {
            upstream.say(event);
            sleep(8 * SECOND).await;
        }
        upstream.say("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n");
    };
    let (heard, ()) = tokio::join!(frames(body, 54 * SECOND), talking);
    assert_eq!(heard[..2], beats([15, 30]));
    assert!(heard[2].0 == 40 && heard[2].1.starts_with(&all), "{heard:?}");
    assert_eq!(heard.len(), 3, "a beat comes an interval after what left last");
}

#[tokio::test(start_paused = true)]
async fn a_busy_stream_does_not_beat() {
    let (upstream, body) = Upstream::new();
    let body = Moderated::new(body, chat()).keep_alive(TokioTimer, INTERVAL);
    let talking = async {
        for _ in 0..10 {
            upstream.say(&event("word "));
            sleep(14 * SECOND).await;
        }
    };
    let (heard, ()) = tokio::join!(frames(body, 140 * SECOND), talking);
    assert_eq!(heard, (0..10).map(|i| (14 * i, event("word "))).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_beat_is_never_inside_an_event() {
    let (upstream, body) = Upstream::new();
    let body = Moderated::new(body, chat()).keep_alive(TokioTimer, INTERVAL);
    let said = event("hello ");
    let talking = async {
        for piece in [&said[..1], &said[1..20], &said[20..said.len() - 1], &said[said.len() - 1..]] {
            upstream.say(piece);
            sleep(20 * SECOND).await;
        }
    };
    let (heard, ()) = tokio::join!(frames(body, 70 * SECOND), talking);
    let mut expected = beats([15, 30, 45]);
    expected.push((60, said.clone()));
    assert_eq!(heard, expected);
}

#[tokio::test(start_paused = true)]
async fn nothing_beats_after_the_end() {
    let (upstream, body) = Upstream::new();
    let body = Moderated::new(body, chat()).keep_alive(TokioTimer, INTERVAL);
    upstream.say("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    assert_eq!(frames(body, 100 * SECOND).await.len(), 1, "although the upstream does not close");
}

#[tokio::test(start_paused = true)]
async fn a_text_and_a_document_have_no_heart() {
    for dialect in [Dialect::Text, Dialect::Json] {
        let (upstream, body) = Upstream::new();
        let body = Moderated::new(body, filter(dialect)).keep_alive(TokioTimer, INTERVAL);
        upstream.say("[");
        let heard = frames(body, 100 * SECOND).await;
        assert!(heard.iter().all(|(_, text)| text == "["), "{heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_nothing_beats() {
    let (_upstream, body) = Upstream::new();
    let body = Moderated::new(body, chat()).idle_timeout(TokioTimer, 40 * SECOND);
    assert_eq!(frames(body, 39 * SECOND).await, []);
}

#[tokio::test(start_paused = true)]
async fn beats_have_the_streams_line_ends() {
    let (upstream, body) = Upstream::new();
    let body = Moderated::new(body, chat()).keep_alive(TokioTimer, INTERVAL);
    upstream.say(&event("hello ").replace('\n', "\r\n"));
    assert_eq!(frames(body, 20 * SECOND).await[1], (15, ": keep-alive\r\n\r\n".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_does_not_come_behind_a_beat() {
    let marked = format!("\u{feff}{}", event("hello "));
    let (upstream, body) = Upstream::new();
    let body = Moderated::new(body, chat()).keep_alive(TokioTimer, INTERVAL);
    let talking = async {
        sleep(20 * SECOND).await;
        upstream.say(&marked);
    };
    let (heard, ()) = tokio::join!(frames(body, 30 * SECOND), talking);
    assert_eq!(heard, [beats([15]), vec![(20, event("hello "))]].concat());

    // And no beat comes before a mark that is on its way.
    let (upstream, body) = Upstream::new();
    let body = Moderated::new(body, chat()).keep_alive(TokioTimer, INTERVAL);
    upstream.say(&marked[..10]);
    let talking = async {
        sleep(20 * SECOND).await;
        upstream.say(&marked[10..]);
    };
    let (heard, ()) = tokio::join!(frames(body, 40 * SECOND), talking);
    assert_eq!(heard, [vec![(20, marked.clone())], beats([35])].concat());
}
