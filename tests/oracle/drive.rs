//! A text pushed through a channel in pieces, with everything that must hold for any text, rules and cuts checked
//! on the way.

use super::ast::{Automata, Case};
use super::rng::Rng;
use super::write;
use holdback::{Channel, ChannelKind, Part, Policy, Rule, Verdict};

/// What a channel did with a text.
#[derive(Debug, Default)]
pub struct Run {
    pub output: Vec<u8>,
    /// For each byte, how many bytes were known when it left as it came; one more than the text has at its end.
    pub left_at: Vec<Option<usize>>,
    pub verdicts: Vec<Verdict>,
    /// For each verdict, how many bytes were known when it fell; one more than the text has at its end.
    pub verdicts_at: Vec<usize>,
    pub terminated: Option<Verdict>,
    /// The most bytes that were known and not decided after a push.
    pub most_held: usize,
}

/// The policy of a case.
pub fn policy(case: &Case) -> Result<Policy, String> {
    build(write::rules(case), case.max_hold, case.automata)
}

pub fn build(rules: Vec<Rule>, max_hold: usize, automata: Automata) -> Result<Policy, String> {
    let builder = automata.of(Policy::builder().rules(rules).max_hold(max_hold));
    builder.build().map_err(|error| format!("the policy does not build: {error}"))
}

/// Cuts that every check tries: whole, byte by byte, and a few random ones.
pub fn cuttings(len: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut rng = Rng::new(seed);
    let mut cuttings = vec![vec![len], vec![1; len]];
    cuttings.extend((0..3).map(|_| rng.cuts(len, 6)));
    cuttings
}

/// Pushes `text` cut into pieces of these lengths, and ends it.
pub fn run(policy: &Policy, text: &[u8], cuts: &[usize]) -> Result<Run, String> {
    run_in(Channel::new(policy, ChannelKind::Text), text, cuts)
}

/// The same in a channel of any kind, which must be fresh.
pub fn run_in(mut channel: Channel, text: &[u8], cuts: &[usize]) -> Result<Run, String> {
    let mut run = Run { left_at: vec![None; text.len()], ..Run::default() };
    let mut known = 0;
    let mut decided = 0;
    for &cut in cuts {
        let delta = &text[known..known + cut];
        known += cut;
        let over = channel.terminated().is_some();
        let released = channel.push(delta);
        run.take(text, &mut decided, known, &released, over)?;
        if channel.terminated().is_none() {
            run.most_held = run.most_held.max(known - decided);
        }
        check_account(&channel, known, decided)?;
    }
    let over = channel.terminated().is_some();
    let released = channel.finish();
    run.take(text, &mut decided, text.len() + 1, &released, over)?;
    check_account(&channel, known, decided)?;
    run.terminated = channel.terminated().cloned();
    check_end(&mut channel, &run)?;
    if run.terminated.is_none() && decided != text.len() {
        return Err(format!("at the end only {decided} of {} bytes were decided", text.len()));
    }
    Ok(run)
}

impl Run {
    fn take(
        &mut self,
        text: &[u8],
        decided: &mut usize,
        known: usize,
        released: &holdback::Released<'_>,
        over: bool,
    ) -> Result<(), String> {
        for part in released.parts() {
            if over {
                return Err(format!("released after it was terminated: {part:?}"));
            }
            let len = match part {
                Part::Keep(bytes) => bytes.len(),
                Part::Cut { len, .. } => len as usize,
            };
            let range = *decided..*decided + len;
            if len == 0 || range.end > text.len() {
                return Err(format!("{part:?} at {range:?} with {known} bytes known"));
            }
            if let Part::Keep(bytes) = part {
                if bytes != &text[range.clone()] {
                    return Err(format!("kept {bytes:?} where the text has {:?}", &text[range]));
                }
                self.left_at[range].fill(Some(known));
            }
            *decided += len;
        }
        released.write_to(&mut self.output);
        self.verdicts.extend_from_slice(released.verdicts());
        self.verdicts_at.resize(self.verdicts.len(), known);
        Ok(())
    }
}

/// The parts' lengths add up to what the channel says is decided.
fn check_account(channel: &Channel, known: usize, decided: usize) -> Result<(), String> {
    if channel.terminated().is_none() && channel.len() != known as u64 {
        return Err(format!("len() is {} after {known} bytes", channel.len()));
    }
    if channel.decided() != decided as u64 {
        return Err(format!("decided() is {} but the parts add up to {decided}", channel.decided()));
    }
    Ok(())
}

/// Ending twice changes nothing, and nothing leaves behind a terminated text's end.
fn check_end(channel: &mut Channel, run: &Run) -> Result<(), String> {
    let decided = channel.decided();
    let is_quiet =
        |released: holdback::Released<'_>| released.parts().next().is_none() && released.verdicts().is_empty();
    let mut quiet = is_quiet(channel.finish());
    if run.terminated.is_some() {
        quiet &= is_quiet(channel.push(b"aab1 ab\n")) && is_quiet(channel.finish());
    }
    if !quiet || channel.decided() != decided || channel.terminated() != run.terminated.as_ref() {
        return Err("something happened after the end".to_owned());
    }
    Ok(())
}
