//! What the packs cost: to load, a chunk of a token's size, in delay, and by how many automata they are divided among.
//!
//! `cargo bench --bench packs` measures on text of its own; `cargo bench --bench packs -- FILE` on yours. Times come
//! from one interleaved run: every round runs every contender once, and each contender's best round counts. Read the
//! ratios; absolute times say something about the machine only.

use holdback::rule::Pack;
use holdback::{Channel, ChannelKind, Policy, PolicyBuilder, Rule};
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const TEXT_BYTES: usize = 1 << 20;
const TOKEN_BYTES: usize = 4;

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` runs this too: then once and briefly.
    let brief = !arguments.iter().any(|argument| argument == "--bench");
    arguments.retain(|argument| !argument.starts_with("--"));
    let rounds = if brief { 1 } else { ROUNDS };
    let mut text = match arguments.first() {
        Some(file) => std::fs::read(file).expect("the file can be read"),
        None => technical(TEXT_BYTES),
    };
    text.truncate(if brief { 1 << 12 } else { 4 << 20 });
    println!("{} bytes of text", text.len());

    let default = || Pack::DEFAULT.into_iter().flat_map(Pack::rules).collect::<Vec<_>>();
    let without_email = || default().into_iter().filter(|rule| rule.id() != "pii.email").collect::<Vec<_>>();
    let all = || Pack::ALL.into_iter().flat_map(Pack::rules).collect::<Vec<_>>();
    let many = || all().into_iter().chain(imported(500)).collect::<Vec<_>>();
    measure("default packs", default, &text, rounds);
    measure("default packs without e-mail", without_email, &text, rounds);
    measure("all packs", all, &text, rounds);
    measure("all packs and 500 rules for vendors' keys", many, &text, rounds);
}

fn measure(name: &str, rules: impl Fn() -> Vec<Rule>, text: &[u8], rounds: usize) {
    println!("\n{name}: {} rules", rules().len());
    let layouts = [
        ("as found", None),
        ("1 automaton", Some(1)),
        ("2 automata", Some(2)),
        ("3 automata", Some(3)),
        ("4 automata", Some(4)),
    ];
    let mut contenders: Vec<Contender> = layouts
        .into_iter()
        .map(|(name, shards)| {
            let rules = rules();
            let begin = Instant::now();
            let builder = Policy::builder().rules(rules);
            let builder = shards.into_iter().fold(builder, PolicyBuilder::shards);
            let policy = builder.build().expect("the rules are sound");
            let built = begin.elapsed();
            policy.warm_up();
            let warm = begin.elapsed();
            Contender { name, policy, built, warm, tokens: Duration::MAX, blocks: Duration::MAX }
        })
        .collect();
    for _ in 0..rounds {
        for Contender { policy, tokens, blocks, .. } in &mut contenders {
            *tokens = run(policy, text, TOKEN_BYTES).min(*tokens);
            *blocks = run(policy, text, 4096).min(*blocks);
        }
    }
    let first = (contenders[0].tokens.as_secs_f64(), contenders[0].blocks.as_secs_f64());
    for Contender { name, policy, built, warm, tokens, blocks } in &contenders {
        println!(
            "  {name:>12}: {} automata, {:>5} states; built in {:>4} ms, warm after {:>4} ms; \
             4 B {:.2} ({:.0} ns a chunk), 4 KiB {:.2} ({:.2} ns a byte)",
            policy.shards(),
            policy.states(),
            built.as_millis(),
            warm.as_millis(),
            tokens.as_secs_f64() / first.0,
            tokens.as_secs_f64() * 1e9 / text.len().div_ceil(TOKEN_BYTES) as f64,
            blocks.as_secs_f64() / first.1,
            blocks.as_secs_f64() * 1e9 / text.len() as f64,
        );
    }
    hold_back(&contenders[0].policy, text);
}

struct Contender {
    name: &'static str,
    policy: Policy,
    built: Duration,
    warm: Duration,
    tokens: Duration,
    blocks: Duration,
}

fn run(policy: &Policy, text: &[u8], chunk: usize) -> Duration {
    let mut out = Vec::with_capacity(text.len());
    let begin = Instant::now();
    let mut channel = Channel::new(policy, ChannelKind::Text);
    for piece in text.chunks(chunk) {
        channel.push(black_box(piece)).write_to(&mut out);
    }
    channel.finish().write_to(&mut out);
    black_box(out);
    begin.elapsed()
}

/// How long what came in a token waits for others.
fn hold_back(policy: &Policy, text: &[u8]) {
    let mut channel = Channel::new(policy, ChannelKind::Text);
    let mut held = Vec::new();
    // For each token how many had come when it had left whole.
    let mut left = Vec::new();
    for (come, token) in text.chunks(TOKEN_BYTES).enumerate() {
        channel.push(token);
        let decided = channel.decided();
        held.push(channel.len() - decided);
        while left.len() <= come && ((left.len() + 1) * TOKEN_BYTES) as u64 <= decided {
            left.push(come - left.len());
        }
    }
    let at_once = held.iter().filter(|&&bytes| bytes == 0).count() as f64 / held.len() as f64;
    let mean_bytes = held.iter().sum::<u64>() as f64 / held.len() as f64;
    let mean_tokens = left.iter().sum::<usize>() as f64 / left.len().max(1) as f64;
    held.sort_unstable();
    println!(
        "  held back after a token: nothing {:.1} %, mean {mean_bytes:.2} B, p99 {} B; mean delay {mean_tokens:.2} tokens",
        at_once * 100.0,
        held[held.len() * 99 / 100],
    );
}

/// Rules as scanners' configurations have them: a vendor's name, a little later a value; or a prefix with a body.
fn imported(count: usize) -> Vec<Rule> {
    let mut seed = 5;
    let mut word =
        || -> String { (0..5 + next(&mut seed) % 5).map(|_| (b'a' + (next(&mut seed) % 26) as u8) as char).collect() };
    (0..count)
        .map(|at| {
            let (id, name) = (format!("vendor.{at}"), word());
            let pattern = if at % 3 == 0 {
                format!(
                    r#"(?i)\b{name}(?:[ \t\w.-]{{0,20}})[\s'"]{{0,3}}(?:=|:{{1,3}}=|=>)[\s'"]{{0,5}}[a-z0-9]{{{}}}\b"#,
                    20 + at % 40
                )
            } else {
                format!(r"\b{}_[A-Za-z0-9_-]{{{}}}\b", &name[..4], 20 + at % 40)
            };
            Rule::regex(id, pattern)
        })
        .collect()
}

/// Answers of the kind that developers read: prose, source, logs, settings, none of it secret.
fn technical(bytes: usize) -> Vec<u8> {
    const PIECES: [&str; 18] = [
        "To build the index, sort the keys first; then write each block with its checksum.",
        "Note: the function returns `None` when the list is empty (see section 4.2).",
        "The token is read from the environment, so that no secret ends up in the repository.",
        "Run `cargo test --all` and look at the 3 tests that fail on 2024-05-01.",
        "    let total: u64 = items.iter().map(|item| item.price * item.count).sum();\n",
        "    if user.password_hash != hash(password, &user.salt) {\n        return Err(Error::Denied);\n    }\n",
        "def load(path, encoding=\"utf-8\"):\n    with open(path, encoding=encoding) as file:\n        return json.load(file)\n",
        "2024-02-11T09:31:07Z INFO  listening on 127.0.0.1:3000, version 2.11.0\n",
        "2024-02-11T09:31:09Z ERROR request 8c1d0f9a failed after 1204 ms: connection reset by peer\n",
        "[server]\nport = 8443\nworkers = 16\nkey_file = \"/etc/app/tls.key\"\n",
        "{\"name\": \"widget\", \"id\": 48213, \"tags\": [\"new\", \"sale\"], \"price\": 12.5}\n",
        "See https://docs.example.org/guide/install?os=linux#step-2 for the other systems.",
        "| 2021 | 48,210 | 12.4 % |\n| 2022 | 51,877 | 13.1 % |\n",
        "SELECT name, count(*) FROM visits WHERE day > '2024-01-31' GROUP BY name ORDER BY 2 DESC;\n",
        "A stack overflow happens when a function calls itself without an end; add a base case.",
        "Die Tests laufen in etwa fünf Minuten; danach steht das Ergebnis im Protokoll.",
        "Ask the account's owner for access, or open a ticket with the help desk.",
        "The API answers with 429 when more than 60 requests a minute come from one address.",
    ];
    let mut text = Vec::with_capacity(bytes + 128);
    let mut seed = 3;
    while text.len() < bytes {
        text.extend_from_slice(PIECES[next(&mut seed) as usize % PIECES.len()].as_bytes());
        text.extend_from_slice(if next(&mut seed).is_multiple_of(5) { b"\n\n" } else { b" " });
    }
    text.truncate(bytes);
    text
}

/// SplitMix64 (Steele, Lea and Flood 2014).
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
