//! Nothing but the engine: text in, decided text out, and what was found.
//!
//! `cargo run --example engine`

use holdback::{Channel, ChannelKind, Pack, Policy, Rule};
use std::error::Error;
use std::io::{self, Write};

/// Pushes an answer token by token.
pub fn main() -> Result<(), Box<dyn Error>> {
    let policy = Policy::builder()
        .pack(Pack::PII)
        .rule(Rule::literal("acme.codename", "Nightjar").redact("[codename]"))
        .build()?;
    let mut channel = Channel::new(&policy, ChannelKind::Text);
    let mut output = io::stdout().lock();

    for token in ["Ask ", "jane.r", "oe@mail", ".test", " about ", "Night", "jar", "."] {
        let released = channel.push(token.as_bytes());
        let mut text = Vec::new();
        released.write_to(&mut text);
        writeln!(output, "{token:8} -> {}", String::from_utf8(text)?)?;
        for verdict in released.verdicts() {
            writeln!(output, "            {} at {:?}: {}", verdict.rule, verdict.span, verdict.action)?;
        }
    }
    let mut rest = Vec::new();
    channel.finish().write_to(&mut rest);
    writeln!(output, "the end  -> {}", String::from_utf8(rest)?)?;
    Ok(())
}
