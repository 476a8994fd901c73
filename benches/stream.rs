//! What an event of a chat stream costs from its bytes to its bytes.
//!
//! `cargo bench --bench stream` prints times as multiples of holdback's, of one interleaved run; each contender's best
//! round counts. Contenders, on events of about 280 bytes with a token of text each:
//! - `copy`: the bytes are copied;
//! - `holdback`: a filter with the built-in packs, fed an event at a time and in pieces of 16 KiB;
//! - `serde_json`: each event is parsed into a `Value` and written again, as gateways that rewrite do, and nothing else.

use bytes::Bytes;
use holdback::{Dialect, Filter, Pack, Policy};
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;
const EVENTS: usize = 20_000;

/// Takes a stream, and gives back how many bytes came of it.
type Run = Box<dyn Fn(&Bytes) -> usize>;

fn main() {
    // `cargo test --benches` runs this too: then once and briefly.
    let brief = !std::env::args().any(|arg| arg == "--bench");
    let (rounds, events) = if brief { (1, 200) } else { (ROUNDS, EVENTS) };
    let stream = stream(events);
    let policy = Policy::builder().pack(Pack::PII).pack(Pack::SECRETS).pack(Pack::EXFIL).build().expect("packs build");
    let event = stream.len() / (events + 2);
    let mut contenders: Vec<(&str, Duration, Run)> = vec![
        ("copy", Duration::MAX, Box::new(|stream| black_box(stream.to_vec()).len())),
        ("holdback, an event at a time", Duration::MAX, filter(policy.clone(), None)),
        ("holdback, 16 KiB at a time", Duration::MAX, filter(policy, Some(16 << 10))),
        ("serde_json", Duration::MAX, Box::new(rewritten)),
    ];
    for _ in 0..rounds {
        for (_, best, run) in &mut contenders {
            let begin = Instant::now();
            black_box(run(black_box(&stream)));
            *best = (*best).min(begin.elapsed());
        }
    }
    let ours = contenders[1].1.as_secs_f64();
    println!("\n{events} events of {event} bytes without a match; times as multiples of holdback's");
    for (name, best, _) in &contenders {
        let ns = best.as_secs_f64() * 1e9 / events as f64;
        println!("  {name:>28}: {:.2}   ({ns:.0} ns an event)", best.as_secs_f64() / ours);
    }
}

fn filter(policy: Policy, piece: Option<usize>) -> Run {
    Box::new(move |stream| {
        let now = Instant::now();
        let mut filter = Filter::new(&policy, Some(Dialect::OpenAiChat));
        let mut rest = stream.clone();
        let mut sent = 0;
        while !rest.is_empty() {
            let len = match piece {
                Some(len) => len.min(rest.len()),
                None => rest.windows(2).position(|pair| pair == b"\n\n").map_or(rest.len(), |at| at + 2),
            };
            filter.push(rest.split_to(len), now, &mut ());
            while let Some(bytes) = filter.pop() {
                sent += black_box(bytes).len();
            }
        }
        assert_eq!(sent, stream.len(), "nothing matches, so everything leaves");
        sent
    })
}

fn rewritten(stream: &Bytes) -> usize {
    let events = stream.split(|&byte| byte == b'\n').filter_map(|line| line.strip_prefix(b"data: "));
    let values = events.filter_map(|data| serde_json::from_slice::<serde_json::Value>(data).ok());
    values.map(|value| serde_json::to_vec(&value).map_or(0, |bytes| bytes.len())).sum()
}

fn stream(events: usize) -> Bytes {
    const WORDS: [&str; 8] = [" the", " harbour", " was", " quiet", ",", " two", " boats", " came in."];
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-MadeUp0000000000000000000000\",\"object\":\"chat.completion.chunk\",\
             \"created\":1700000000,\"model\":\"made-up-model-2026-01-01\",\"service_tier\":\"default\",\
             \"system_fingerprint\":\"fp_0000000000\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
             \"finish_reason\":{finish}}}],\"usage\":null}}\n\n"
        )
    };
    let mut out: String =
        (0..events).map(|at| chunk(&format!("{{\"content\":\"{}\"}}", WORDS[at % WORDS.len()]), "null")).collect();
    out += &chunk("{}", "\"stop\"");
    out += "data: [DONE]\n\n";
    Bytes::from(out)
}
