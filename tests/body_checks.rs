//! Checks that take time: every byte is judged before it leaves, and waits for nothing but that. Time is paused, so the
//! delays are exact.
#![cfg(feature = "sidecar")]

#[allow(dead_code, reason = "the oracle uses the rest")]
#[path = "oracle/rng.rs"]
mod rng;

use bytes::Bytes;
use holdback::body::{Moderated, Shutdown};
use holdback::check::{BoxError, Checks};
use holdback::hold::{Judgement, Passage, Unjudged};
use holdback::policy::{ChannelKind, Reason, Verdict};
use holdback::rule::{Check, OnFailure};
use holdback::sidecar::TokioTimer;
use holdback::{Dialect, Ending, Filter, Observer, Policy};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use rng::Rng;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tower::service_fn;

/// Fifty tokens a second.
const TOKEN: Duration = Duration::from_millis(20);
const CHECK: Duration = Duration::from_millis(40);

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n")
}

const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// Sentences of several lengths, in tokens of four bytes.
fn text(sentences: usize) -> Vec<String> {
    let sentence = |n: usize| format!("S{n} says{}. ", " so much".repeat(n % 5));
    let text: String = (0..sentences).map(sentence).collect();
    text.as_bytes().chunks(4).map(|token| String::from_utf8(token.to_vec()).unwrap()).collect()
}

/// An upstream that says these tokens in their time. It takes none back, so that it can be seen how far it was asked.
fn upstream(
    tokens: Vec<String>,
    pace: Duration,
) -> (impl Body<Data = Bytes, Error = Infallible> + Send, Arc<AtomicUsize>) {
    let (say, hear) = mpsc::channel(1);
    let said = Arc::new(AtomicUsize::new(0));
    let count = said.clone();
    tokio::spawn(async move {
        for token in tokens {
            if say.send(event(&token)).await.is_err() {
                return;
            }
            count.fetch_add(1, Ordering::SeqCst);
            sleep(pace).await;
        }
        let _gone = say.send(FINISH.to_owned()).await;
    });
    let frames = ReceiverStream::new(hear).map(|event| Ok(Frame::data(Bytes::from(event))));
    (StreamBody::new(frames), said)
}

/// When each passage was judged.
type Judged = Arc<Mutex<Vec<(Passage, Instant)>>>;

/// Takes its time, notes when it has judged, and says what `judge` says.
fn slow<F, A>(judged: &Judged, judge: F) -> Checks
where
    F: Fn(Passage) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Judgement, BoxError>> + Send + 'static,
{
    let judged = judged.clone();
    let service = service_fn(move |passage: Passage| {
        let (judged, judging) = (judged.clone(), judge(passage.clone()));
        async move {
            let judgement = judging.await;
            judged.lock().unwrap().push((passage, Instant::now()));
            judgement
        }
    });
    Checks::new().bind("tone", service)
}

async fn clear_after(time: Duration) -> Result<Judgement, BoxError> {
    sleep(time).await;
    Ok(Judgement::clear())
}

/// What a client reads: for each byte of the answer when it came, and how the body went.
#[derive(Default)]
struct Read {
    text: String,
    at: Vec<Instant>,
    raw: String,
}

async fn read<B: Body<Data = Bytes, Error: std::fmt::Debug>>(body: B) -> Read {
    let mut body = std::pin::pin!(body);
    let mut read = Read::default();
    while let Some(frame) = body.frame().await {
        let data = frame.expect("a chat can say how it fails").into_data().expect("no trailers");
        let data = String::from_utf8(data.to_vec()).unwrap();
        for event in data.split("\n\n").filter_map(|event| event.strip_prefix("data: ")) {
            let Ok(event) = serde_json::from_str::<serde_json::Value>(event) else { continue };
            if let Some(text) = event["choices"][0]["delta"]["content"].as_str() {
                read.text.push_str(text);
                read.at.resize(read.text.len(), Instant::now());
            }
        }
        read.raw.push_str(&data);
    }
    read
}

fn chat(check: Check) -> Filter {
    let policy = Policy::builder().check(check).build().unwrap();
    Filter::new(&policy, Some(Dialect::OpenAiChat))
}

#[tokio::test(start_paused = true)]
async fn each_sentence_leaves_when_it_is_judged_and_no_later() {
    let tokens = text(40);
    let (said, began) = (tokens.concat(), Instant::now());
    let judged = Judged::default();
    let checks = slow(&judged, |_| clear_after(CHECK));
    let (body, _) = upstream(tokens, TOKEN);
    let read = read(Moderated::new(body, chat(Check::gate("tone"))).checks(TokioTimer, checks)).await;
    assert_eq!(read.text, said);
    let judged = judged.lock().unwrap();
    assert_eq!(judged.len(), 40);
    for (passage, verdict) in judged.iter() {
        // The sentence is complete when the first letter of the next one has come, or the end of the text.
        let complete = began + TOKEN * (passage.span().end / 4).min(said.len() as u64 / 4) as u32;
        let is_last = passage.span().end == said.len() as u64;
        assert!(is_last || *verdict == complete + CHECK, "judged {:?} late", *verdict - complete);
        // A token leaves whole, so the one that the next sentence begins in waits for that one.
        let whole = passage.span().end / 4 * 4;
        for at in passage.span().start..whole.max(passage.span().start) {
            assert_eq!(read.at[at as usize], *verdict, "byte {at}");
        }
    }
    println!("time to first token: {:?}", read.at[0] - began);
}

/// Notes what an observer hears.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    verdicts: Vec<Verdict>,
    unjudged: Vec<Unjudged>,
    ending: Option<Ending>,
}

impl Observer for Notes {
    fn verdict(&mut self, _: ChannelKind, verdict: &Verdict) {
        self.0.lock().unwrap().verdicts.push(verdict.clone());
    }

    fn judged(&mut self, check: &str, judged: &Result<Judgement, Unjudged>, took: Duration) {
        assert_eq!(check, "tone");
        assert!(took <= Duration::from_millis(500), "{took:?}");
        self.0.lock().unwrap().unjudged.extend(judged.as_ref().err());
    }

    fn ending(&mut self, ending: &Ending) {
        self.0.lock().unwrap().ending = Some(ending.clone());
    }
}

/// A check of which one in twenty answers is none, in one of four ways.
async fn unreliable(passage: Passage, seed: u64) -> Result<Judgement, BoxError> {
    let mut rng = Rng::new(seed ^ passage.span().start);
    sleep(CHECK).await;
    if !rng.chance(5) {
        return Ok(Judgement::clear());
    }
    match rng.below(4) {
        0 => Err("out of order".into()),
        1 => Err(Unjudged::Unreadable.into()),
        // Speaks of text that is not there.
        2 => Ok(Judgement::redact_span(0..passage.text().len() + 1)),
        _ => clear_after(Duration::from_secs(10)).await,
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_a_check_its_owner_has_said_what_follows() {
    let mut failures = 0;
    for seed in 0..60 {
        for on_failure in OnFailure::ALL {
            let tokens = text(30);
            let said = tokens.concat();
            let judged = Judged::default();
            let checks = slow(&judged, move |passage| unreliable(passage, seed));
            let check = Check::gate("tone").on_failure(on_failure).deadline(Duration::from_millis(500)).replace("<>");
            let notes = Notes::default();
            let (body, _) = upstream(tokens, TOKEN);
            let body = Moderated::with_observer(body, chat(check), notes.clone()).checks(TokioTimer, checks);
            let read = read(body).await;
            let heard = notes.0.lock().unwrap();
            let mut unjudged: Vec<&Verdict> =
                heard.verdicts.iter().filter(|verdict| verdict.reason == Reason::Unjudged).collect();
            unjudged.sort_by_key(|verdict| verdict.span.start);
            failures += unjudged.len();
            let mut expected = said.clone();
            for verdict in unjudged.iter().rev() {
                assert_eq!(verdict.action, on_failure.name());
                let span = verdict.span.start as usize..verdict.span.end as usize;
                match on_failure {
                    OnFailure::Withhold => expected.replace_range(span, "<>"),
                    OnFailure::Terminate => expected.truncate(span.start),
                    _ => {}
                }
            }
            assert_eq!(read.text, expected, "seed {seed}, {on_failure:?}");
            let is_ended = on_failure == OnFailure::Terminate && !unjudged.is_empty();
            assert_eq!(matches!(heard.ending, Some(Ending::Terminated(_))), is_ended);
            assert_eq!(read.raw.contains("content_filter"), is_ended);
            assert!(read.raw.ends_with("data: [DONE]\n\n"));
        }
    }
    assert!(failures > 100, "{failures} failures show little");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_nobody_answers_for_fails() {
    let (body, _) = upstream(text(3), TOKEN);
    let notes = Notes::default();
    let read = read(Moderated::with_observer(body, chat(Check::gate("tone").replace("<>")), notes.clone())).await;
    assert_eq!(read.text, "<><><>");
    assert_eq!(notes.0.lock().unwrap().unjudged, [Unjudged::Unbound; 3]);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_asked_at_once_than_may_be() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (now.clone(), most.clone());
    let checks = slow(&Judged::default(), move |_| {
        let (now, most) = counts.clone();
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(CHECK).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(Judgement::clear())
        }
    });
    let (body, _) = upstream(text(30), Duration::ZERO);
    let check = Check::gate("tone").in_flight(3);
    let read = read(Moderated::new(body, chat(check)).checks(TokioTimer, checks)).await;
    assert_eq!(read.text, text(30).concat());
    assert_eq!((now.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (0, 3));
}

/// Notes when it is dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn never(dropped: &Arc<AtomicUsize>) -> Checks {
    let dropped = dropped.clone();
    slow(&Judged::default(), move |_| {
        let noted = Dropped(dropped.clone());
        async move {
            let _noted = noted;
            std::future::pending().await
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_takes_its_questions_with_it() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (body, _) = upstream(text(10), Duration::ZERO);
    let check = Check::gate("tone").deadline(Duration::from_secs(60));
    let body = Moderated::new(body, chat(check)).checks(TokioTimer, never(&dropped));
    let reading = tokio::time::timeout(Duration::from_secs(1), read(body)).await;
    assert!(reading.is_err(), "nothing is judged, so nothing leaves");
    assert_eq!(dropped.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_waits_while_as_much_is_held_as_may_be() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (body, said) = upstream(text(400), Duration::ZERO);
    let check = Check::gate("tone").deadline(Duration::from_secs(60)).longest_passage(200).max_held(400);
    let body = Moderated::new(body, chat(check)).checks(TokioTimer, never(&dropped));
    let body = body.idle_timeout(TokioTimer, Duration::from_secs(5));
    let reading = tokio::time::timeout(Duration::from_secs(50), read(body)).await;
    assert!(reading.is_err(), "an upstream that is not asked is not late");
    // A hundred tokens of four bytes, and what was on its way.
    assert!((100..110).contains(&said.load(Ordering::SeqCst)), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn while_judgements_are_waited_for_the_stream_is_alive_and_can_be_ended() {
    let (body, _) = upstream(text(2), Duration::ZERO);
    let shutdown = Shutdown::default();
    let check = Check::gate("tone").deadline(Duration::from_secs(60));
    let body = Moderated::new(body, chat(check)).checks(TokioTimer, never(&Arc::default()));
    let body = body.keep_alive(TokioTimer, Duration::from_secs(15)).shutdown(&shutdown);
    let reading = tokio::spawn(read(body));
    sleep(Duration::from_secs(32)).await;
    shutdown.begin();
    let read = reading.await.unwrap();
    assert_eq!(read.raw.matches(": keep-alive\n\n").count(), 2);
    assert!(read.raw.contains("\"error\"") && read.text.is_empty(), "{}", read.raw);
}
