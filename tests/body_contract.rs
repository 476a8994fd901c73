//! What a moderated body owes to whoever polls it, poll by poll.
#![cfg(feature = "body")]

use bytes::Bytes;
use holdback::body::{Error, Moderated, ModeratedStream, Shutdown, Timer};
use holdback::{ChannelKind, Dialect, Ending, Filter, Observer, Policy, Rule, Verdict};
use http::HeaderMap;
use http_body::{Body, Frame};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// An upstream that does what its script says, and tells what was done to it.
struct Scripted {
    script: VecDeque<Step>,
    told: Rc<RefCell<Told>>,
}

enum Step {
    Data(&'static str),
    Pending,
    Trailers,
    Error,
}

#[derive(Default)]
struct Told {
    polls: usize,
    polls_after_end: usize,
    dropped: bool,
}

#[derive(Debug, PartialEq)]
struct Broken;

impl Scripted {
    fn new(script: impl IntoIterator<Item = Step>) -> (Scripted, Rc<RefCell<Told>>) {
        let told = Rc::<RefCell<Told>>::default();
        (Scripted { script: script.into_iter().collect(), told: told.clone() }, told)
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.told.borrow_mut().polls += 1;
        match self.script.pop_front() {
            Some(Step::Data(text)) => Poll::Ready(Some(Ok(Frame::data(text.into())))),
            Some(Step::Pending) => Poll::Pending,
            Some(Step::Trailers) => {
                let trailers = HeaderMap::from_iter([(http::header::WARNING, "199".parse().unwrap())]);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Some(Step::Error) => Poll::Ready(Some(Err(Broken))),
            None => {
                self.told.borrow_mut().polls_after_end += 1;
                Poll::Ready(None)
            }
        }
    }
}

impl futures_core::Stream for Scripted {
    type Item = Result<Bytes, Broken>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        self.poll_frame(cx).map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().expect("data"))))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.told.borrow_mut().dropped = true;
    }
}

/// Remembers what it saw.
#[derive(Clone, Default)]
struct Seen(Rc<RefCell<(Vec<String>, Vec<Ending>)>>);

impl Observer for Seen {
    fn verdict(&mut self, _: ChannelKind, verdict: &Verdict) {
        self.0.borrow_mut().0.push(verdict.rule.to_string());
    }

    fn ending(&mut self, ending: &Ending) {
        self.0.borrow_mut().1.push(ending.clone());
    }
}

impl Seen {
    fn endings(&self) -> Vec<Ending> {
        self.0.borrow().1.clone()
    }
}

/// A timer whose sleeps last as long as the test says.
#[derive(Clone)]
struct Hand(Rc<RefCell<Instant>>);

impl Timer for Hand {
    type Sleep = Until;

    fn sleep(&self, duration: Duration) -> Until {
        Until { clock: self.0.clone(), at: *self.0.borrow() + duration }
    }

    fn now(&self) -> Instant {
        *self.0.borrow()
    }
}

struct Until {
    clock: Rc<RefCell<Instant>>,
    at: Instant,
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if *self.clock.borrow() < self.at { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn policy() -> Policy {
    let redact = Rule::literal("codename", "Nightjar").redact("[codename]");
    let terminate = Rule::literal("stop", "Basilisk").terminate();
    Policy::builder().rule(redact).rule(terminate).build().expect("a valid policy")
}

fn text() -> Filter {
    Filter::new(&policy(), Some(Dialect::Text))
}

fn chat() -> Filter {
    Filter::new(&policy(), Some(Dialect::OpenAiChat))
}

/// One chat event that says `text`.
macro_rules! says {
    ($text:literal) => {
        Step::Data(concat!(
            r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":""#,
            $text,
            "\"},\"finish_reason\":null}]}\n\n"
        ))
    };
}

/// Polled once: data as text, or a word for everything else.
fn poll<B>(body: &mut B) -> String
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Debug,
{
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => "pending".to_owned(),
        Poll::Ready(None) => "end".to_owned(),
        Poll::Ready(Some(Err(error))) => format!("error {error:?}"),
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            Ok(data) => String::from_utf8(data.to_vec()).expect("UTF-8"),
            Err(_) => "trailers".to_owned(),
        },
    }
}

#[test]
fn passes_redacts_and_ends() {
    let (upstream, told) = Scripted::new([Step::Data("We call it Night"), Step::Pending, Step::Data("jar.")]);
    let seen = Seen::default();
    let mut body = Moderated::with_observer(upstream, text(), seen.clone());
    assert_eq!(poll(&mut body), "We call it ");
    assert_eq!(poll(&mut body), "pending");
    assert!(!body.is_end_stream());
    assert_eq!(poll(&mut body), "[codename].");
    assert_eq!(poll(&mut body), "end");
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(told.borrow().dropped);
    assert_eq!(seen.0.borrow().0, ["codename"]);
    assert_eq!(seen.endings(), [Ending::Complete]);
}

#[test]
fn is_over_after_its_end() {
    let (upstream, told) = Scripted::new([Step::Data("a")]);
    let seen = Seen::default();
    let mut body = Moderated::with_observer(upstream, text(), seen.clone());
    assert_eq!(poll(&mut body), "a");
    for _ in 0..3 {
        assert_eq!(poll(&mut body), "end");
    }
    assert_eq!(told.borrow().polls_after_end, 1);
    drop(body);
    assert_eq!(seen.endings(), [Ending::Complete]);
}

#[test]
fn asks_for_more_only_when_all_is_handed_out() {
    let (upstream, told) = Scripted::new([Step::Data("one "), Step::Data("two "), Step::Pending]);
    let mut body = Moderated::new(upstream, text());
    assert_eq!(told.borrow().polls, 0);
    assert_eq!(poll(&mut body), "one ");
    assert_eq!(told.borrow().polls, 1);
    assert_eq!(poll(&mut body), "two ");
    assert_eq!(told.borrow().polls, 2);
}

#[test]
fn one_chunk_of_many_events_is_one_frame() {
    let events = "data: {\"id\":\"a\",\"choices\":[]}\n\ndata: {\"id\":\"b\"}\n\ndata: {\"id\":\"c\"}\n\n";
    let (upstream, _) = Scripted::new([Step::Data(events)]);
    let mut body = Moderated::new(upstream, chat());
    assert_eq!(poll(&mut body), events);
}

#[test]
fn trailers_come_last() {
    let (upstream, _) = Scripted::new([Step::Data("a Night"), Step::Trailers]);
    let mut body = Moderated::new(upstream, text());
    assert_eq!(poll(&mut body), "a ");
    assert_eq!(poll(&mut body), "Night");
    assert!(!body.is_end_stream());
    assert_eq!(poll(&mut body), "trailers");
    assert_eq!(poll(&mut body), "end");
}

#[test]
fn termination_drops_the_upstream_at_once() {
    let (upstream, told) = Scripted::new([says!("see Basilisk now"), says!("more"), Step::Trailers]);
    let seen = Seen::default();
    let mut body = Moderated::with_observer(upstream, chat(), seen.clone());
    let stopped = poll(&mut body);
    assert!(told.borrow().dropped, "dropped before the ending is even read");
    assert!(stopped.contains("content_filter") && stopped.ends_with("data: [DONE]\n\n"), "{stopped}");
    assert!(!stopped.contains("Basilisk"), "{stopped}");
    assert_eq!(poll(&mut body), "end");
    let endings = seen.endings();
    assert!(matches!(&endings[..], [Ending::Terminated(verdict)] if &*verdict.rule == "stop"), "{endings:?}");
}

#[test]
fn a_failed_upstream_becomes_an_error_event_and_a_regular_end() {
    let (upstream, told) = Scripted::new([says!("a Night"), Step::Error]);
    let seen = Seen::default();
    let mut body = Moderated::with_observer(upstream, chat(), seen.clone());
    let mut all = String::new();
    loop {
        match &*poll(&mut body) {
            "end" => break,
            frame => all.push_str(frame),
        }
    }
    assert!(all.contains("\"error\""), "{all}");
    assert!(!all.contains("Night") && !all.contains("[DONE]"), "{all}");
    assert!(told.borrow().dropped);
    assert!(matches!(&seen.endings()[..], [Ending::UpstreamFailed(_)]));
}

#[test]
fn a_failed_upstream_breaks_off_where_no_event_can_say_so() {
    let (upstream, _) = Scripted::new([Step::Data("half an ans"), Step::Error]);
    let mut body = Moderated::new(upstream, text());
    assert_eq!(poll(&mut body), "half an ans");
    assert_eq!(poll(&mut body), "error Upstream(Broken)");
    assert_eq!(poll(&mut body), "end");
}

#[test]
fn a_client_that_goes_is_seen_and_cancels_the_upstream() {
    let (upstream, told) = Scripted::new([Step::Data("a"), Step::Pending]);
    let seen = Seen::default();
    let mut body = Moderated::with_observer(upstream, text(), seen.clone());
    assert_eq!(poll(&mut body), "a");
    assert_eq!(poll(&mut body), "pending");
    drop(body);
    assert!(told.borrow().dropped);
    assert_eq!(seen.endings(), [Ending::ClientGone]);
}

#[test]
fn an_empty_body_is_over_before_it_is_polled() {
    let seen = Seen::default();
    let body = Moderated::with_observer(http_body_util::Empty::<Bytes>::new(), text(), seen.clone());
    assert!(body.is_end_stream());
    assert_eq!(seen.endings(), [Ending::Complete]);
}

#[test]
fn the_last_frame_of_a_known_end_is_the_last() {
    let mut body = Moderated::new(http_body_util::Full::new(Bytes::from("all")), text());
    assert!(!body.is_end_stream());
    assert_eq!(poll(&mut body), "all");
    assert!(body.is_end_stream(), "a server may never poll again");
}

#[test]
fn silence_ends_the_stream() {
    let clock = Rc::new(RefCell::new(Instant::now()));
    let pass = |seconds| *clock.borrow_mut() += Duration::from_secs(seconds);
    let (upstream, told) =
        Scripted::new([Step::Pending, says!("a "), Step::Pending, Step::Pending, Step::Pending, Step::Pending]);
    let seen = Seen::default();
    let mut body = Moderated::with_observer(upstream, chat(), seen.clone())
        .idle_timeout(Hand(clock.clone()), Duration::from_secs(10));

    assert_eq!(poll(&mut body), "pending");
    pass(9);
    assert!(poll(&mut body).contains("\"a "));
    // The client takes its time: that is not the upstream's silence.
    pass(100);
    assert_eq!(poll(&mut body), "pending");
    pass(9);
    assert_eq!(poll(&mut body), "pending");
    pass(1);
    let last = poll(&mut body);
    assert!(last.contains("\"error\""), "{last}");
    assert_eq!(poll(&mut body), "end");
    assert!(told.borrow().dropped);
    assert_eq!(seen.endings(), [Ending::TimedOut]);
}

#[test]
fn silence_breaks_off_where_no_event_can_say_so() {
    let clock = Rc::new(RefCell::new(Instant::now()));
    let (upstream, _) = Scripted::new([Step::Pending, Step::Pending]);
    let mut body = Moderated::new(upstream, text()).idle_timeout(Hand(clock.clone()), Duration::from_secs(10));
    assert_eq!(poll(&mut body), "pending");
    *clock.borrow_mut() += Duration::from_secs(10);
    assert_eq!(poll(&mut body), "error TimedOut");
    assert_eq!(poll(&mut body), "end");
}

#[test]
fn a_stream_that_goes_on_for_too_long_is_ended_however_busy_it_is() {
    let clock = Rc::new(RefCell::new(Instant::now()));
    let pass = |seconds| *clock.borrow_mut() += Duration::from_secs(seconds);
    let (upstream, told) = Scripted::new([says!("a "), says!("b "), says!("c "), says!("d ")]);
    let seen = Seen::default();
    let mut body = Moderated::with_observer(upstream, chat(), seen.clone())
        .total_timeout(Hand(clock.clone()), Duration::from_secs(10))
        .idle_timeout(Hand(clock.clone()), Duration::from_secs(100));

    assert!(poll(&mut body).contains("\"a "));
    pass(6);
    assert!(poll(&mut body).contains("\"b "));
    pass(4);
    let last = poll(&mut body);
    assert!(last.contains("\"upstream_timeout\"") && !last.contains("\"c "), "{last}");
    assert_eq!(poll(&mut body), "end");
    assert!(told.borrow().dropped);
    assert_eq!(seen.endings(), [Ending::TimedOut]);
}

#[test]
fn a_shutdown_ends_the_stream_and_wakes_who_waits() {
    let (upstream, told) = Scripted::new([says!("a Night"), Step::Pending, Step::Pending]);
    let (seen, shutdown) = (Seen::default(), Shutdown::default());
    let mut body = Moderated::with_observer(upstream, chat(), seen.clone()).shutdown(&shutdown);
    let woken = Arc::new(Woken::default());
    let mut poll_for = |woken: &Arc<Woken>| {
        Pin::new(&mut body).poll_frame(&mut Context::from_waker(&Waker::from(woken.clone()))).map(|frame| {
            let frame: Option<Result<_, Error<Broken>>> = frame;
            frame.map(|frame| String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
        })
    };
    // Another task polls from now on.
    let later = Arc::new(Woken::default());
    assert!(poll_for(&woken).is_pending());
    assert!(poll_for(&later).is_pending());
    shutdown.begin();
    assert_eq!([&woken, &later].map(|it| it.0.load(Ordering::Relaxed)), [0, 1]);
    let Poll::Ready(Some(last)) = poll_for(&later) else { panic!("its last words") };
    assert!(last.contains("\"shut_down\"") && !last.contains("Night"), "{last}");
    assert_eq!(poll_for(&later), Poll::Ready(None));
    assert!(told.borrow().dropped);
    assert_eq!(seen.endings(), [Ending::ShutDown]);
}

#[test]
fn a_shutdown_breaks_off_where_no_event_can_say_so() {
    let (upstream, told) = Scripted::new([Step::Data("one"), Step::Data("two")]);
    let shutdown = Shutdown::default();
    let mut body = Moderated::new(upstream, text()).shutdown(&shutdown);
    assert_eq!(poll(&mut body), "one");
    shutdown.begin();
    assert_eq!(poll(&mut body), "error ShutDown", "even if the upstream is quick");
    assert_eq!(poll(&mut body), "end");
    assert_eq!(told.borrow().polls, 1);
}

#[test]
fn streams_are_moderated_alike() {
    use futures_core::Stream;
    let (upstream, told) = Scripted::new([Step::Data("We call it Night"), Step::Data("jar"), Step::Error]);
    let mut stream = ModeratedStream::new(upstream, text());
    let mut next = || Pin::new(&mut stream).poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(next(), Poll::Ready(Some(Ok(bytes))) if bytes == "We call it "));
    assert!(matches!(next(), Poll::Ready(Some(Ok(bytes))) if bytes == "[codename]"));
    assert!(matches!(next(), Poll::Ready(Some(Err(Error::Upstream(Broken))))));
    assert!(matches!(next(), Poll::Ready(None)));
    assert!(told.borrow().dropped);
}
