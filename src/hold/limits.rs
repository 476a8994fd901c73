//! What a stream has had of what it may have.

use super::{Account, Stop};
use crate::policy::{ChannelKind, CompiledLimit, Policy, Reason, Verdict};
use crate::rule::{Action, Findings, LimitKind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use unicode_script::{Script, UnicodeScript};

/// What a stream has had so far: for each limit, in its own measure.
///
/// The channels of a stream share one. A clone does not: what it counts is what would be.
#[derive(Debug)]
pub(crate) struct Tally(Arc<Mutex<Vec<u64>>>);

impl Clone for Tally {
    fn clone(&self) -> Tally {
        Tally(Arc::new(Mutex::new(self.had().clone())))
    }
}

impl Tally {
    /// Nothing so far; `None` under a policy without limits.
    pub(crate) fn under(policy: &Policy) -> Option<Tally> {
        let limits = policy.limits().len();
        (limits > 0).then(|| Tally(Arc::new(Mutex::new(vec![0; limits]))))
    }

    pub(crate) fn share(&self) -> Tally {
        Tally(self.0.clone())
    }

    fn had(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The limits that a channel counts towards.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    kind: ChannelKind,
    pub(super) tally: Tally,
    /// For each limit of repeats what was said of late.
    loops: Vec<(usize, Loop)>,
    /// The letters that were said, if a limit counts those of some scripts.
    letters: Option<Letters>,
}

impl Limits {
    /// The limits that count channels of this kind, if any does.
    pub(super) fn new(policy: &Policy, kind: ChannelKind) -> Option<Box<Limits>> {
        let watching = || policy.limits().iter().enumerate().filter(|(_, limit)| limit.watches(kind));
        watching().next()?;
        let of_limit = |(at, limit): (usize, &CompiledLimit)| match limit.kind {
            LimitKind::Repeats { times, min_bytes } => Some((at, Loop::new(times, min_bytes))),
            _ => None,
        };
        let loops = watching().filter_map(of_limit).collect();
        let letters =
            watching().any(|(_, limit)| matches!(limit.kind, LimitKind::Scripts { .. })).then(Letters::default);
        Some(Box::new(Limits { kind, tally: Tally::under(policy)?, loops, letters }))
    }

    /// How much of what comes may still be said, and the limit that is reached then, if one is; reports those that only
    /// report.
    pub(super) fn admit(
        &mut self,
        policy: &Policy,
        delta: &[u8],
        position: u64,
        verdicts: &mut Vec<Verdict>,
    ) -> Admitted {
        let mut first = None;
        let scripts = self.letters.as_mut().map(|letters| letters.take(delta)).unwrap_or_default();
        let mut had = self.tally.had();
        for (at, limit) in policy.limits().iter().enumerate().filter(|(_, limit)| limit.watches(self.kind)) {
            let reached_at = match limit.kind {
                LimitKind::Bytes(most) => {
                    let left = most.saturating_sub(had[at]);
                    had[at] += delta.len() as u64;
                    (delta.len() as u64 > left).then_some(left as usize)
                }
                LimitKind::Repeats { .. } => {
                    let found = self.loops.iter_mut().find(|(of, _)| *of == at).and_then(|(_, said)| said.take(delta));
                    found.filter(|_| had[at] == 0)
                }
                LimitKind::Scripts { ref allowed, letters, .. } => {
                    let before = had[at];
                    let is_foreign = |(script, _): &&(Script, usize)| !allowed.contains(script);
                    let foreign: Vec<usize> = scripts.iter().filter(is_foreign).map(|(_, end)| *end).collect();
                    had[at] += foreign.len() as u64;
                    let last = foreign.get(letters.saturating_sub(before + 1) as usize).copied();
                    last.filter(|_| before < letters)
                }
                LimitKind::Findings(_) => None,
            };
            let Some(reached_at) = reached_at else { continue };
            if !limit.is_enforced {
                let was_told = matches!(limit.kind, LimitKind::Bytes(most) if had[at] - (delta.len() as u64) > most);
                if !was_told {
                    verdicts.push(verdict(limit, position + reached_at as u64));
                }
                if let LimitKind::Repeats { .. } = limit.kind {
                    had[at] = 1;
                }
                continue;
            }
            // Too many bytes are too many with the next one, a loop is one with its last.
            let is_with_the_next = matches!(limit.kind, LimitKind::Bytes(_));
            let order = (reached_at, is_with_the_next, at);
            first = Some(first.map_or(order, |first: (usize, bool, usize)| first.min(order)));
        }
        match first {
            Some((len, _, limit)) => Admitted { len, reached: Some(limit) },
            None => Admitted { len: delta.len(), reached: None },
        }
    }
}

/// How much of a delta may be said.
pub(super) struct Admitted {
    pub(super) len: usize,
    /// The place of the limit that is reached behind it.
    pub(super) reached: Option<usize>,
}

fn verdict(limit: &CompiledLimit, at: u64) -> Verdict {
    Verdict {
        rule: limit.id.clone(),
        span: at..at,
        action: Action::Terminate.name(),
        enforced: limit.is_enforced,
        reason: Reason::Limit,
        category: None,
        score: None,
    }
}

impl Account {
    /// Counts findings of these rules and checks; ends the stream at `at` if that is one too many.
    pub(super) fn count(&mut self, policy: &Policy, ranks: impl IntoIterator<Item = u32>, at: u64) -> Option<Stop> {
        let limits = self.limits.as_ref()?;
        let mut had = limits.tally.had();
        let mut stop = None;
        for rank in ranks {
            for (place, limit) in policy.limits().iter().enumerate().filter(|(_, limit)| limit.watches(limits.kind)) {
                let LimitKind::Findings(Findings { count, .. }) = limit.kind else { continue };
                if !limit.counts(rank) {
                    continue;
                }
                had[place] += 1;
                if had[place] == count && !limit.is_enforced {
                    self.verdicts.push(verdict(limit, at));
                } else if had[place] >= count && limit.is_enforced {
                    stop.get_or_insert_with(|| Stop::by_limit(policy, place, at));
                }
            }
        }
        stop
    }
}

impl Stop {
    pub(super) fn by_limit(policy: &Policy, place: usize, at: u64) -> Stop {
        Stop { rank: policy.rank_of_limit(place), at, verdict: verdict(&policy.limits()[place], at) }
    }
}

/// Tells of which scripts the letters of a text are, however it is cut.
#[derive(Clone, Debug, Default)]
struct Letters {
    /// The beginning of a character of which the rest has not come.
    begun: Vec<u8>,
}

impl Letters {
    /// Takes text; gives back the scripts of its letters, and behind which of its bytes each of them ends.
    fn take(&mut self, text: &[u8]) -> Vec<(Script, usize)> {
        let ends = text.iter().enumerate().filter_map(|(at, byte)| Some((self.byte(*byte)?, at + 1)));
        ends.filter(|(c, _)| c.is_alphabetic())
            .map(|(c, end)| (c.script(), end))
            .filter(|(script, _)| !matches!(script, Script::Common | Script::Inherited))
            .collect()
    }

    /// The character that ends with this byte.
    fn byte(&mut self, byte: u8) -> Option<char> {
        self.begun.push(byte);
        match std::str::from_utf8(&self.begun) {
            Ok(whole) => {
                let c = whole.chars().next();
                self.begun.clear();
                c
            }
            Err(error) if error.error_len().is_none() => None,
            Err(_) => {
                // What came before is no character, but this may begin one.
                let is_alone = self.begun.len() == 1;
                self.begun.clear();
                if is_alone { None } else { self.byte(byte) }
            }
        }
    }
}

/// Longer stretches are not looked for, and this much is remembered twice over.
const LONGEST_STRETCH: usize = 2 << 10;
/// As many bytes must be alike before a stretch is taken for one that comes again.
const KEY_BYTES: usize = 8;

/// So many places are looked at where one may begin again, and so many bytes before each: whoever says things that are
/// nearly alike must not make each byte cost what all of them do.
const MOST_PLACES: usize = 32;
const MOST_ALIKE: usize = 256;

/// Looks for a stretch of text that comes again and again.
///
/// Where the last bytes were seen before is where the stretch may begin again; each byte that is like the one a stretch
/// earlier then makes the run longer. Where one is not, the stretch was another one: of the places where the last bytes
/// were seen, the one is taken before which the most was alike, for a stretch may have others within. Time is bounded for
/// each byte.
#[derive(Clone, Debug)]
struct Loop {
    times: u32,
    min_bytes: u32,
    /// What was said of late.
    said: Vec<u8>,
    /// Where in all that was said it begins.
    start: usize,
    seen: HashMap<[u8; KEY_BYTES], usize>,
    /// For each byte of `said`, where the key that ends with it had ended before; 0 if nowhere.
    before: Vec<usize>,
    /// How far back the run repeats, and how long it is by now, with its first time.
    stretch: usize,
    run: usize,
}

impl Loop {
    fn new(times: u32, min_bytes: u32) -> Loop {
        Loop {
            times,
            min_bytes,
            said: Vec::new(),
            start: 0,
            seen: HashMap::new(),
            before: Vec::new(),
            stretch: 0,
            run: 0,
        }
    }

    /// Takes text; gives back behind which of its bytes the limit is reached, if it is.
    fn take(&mut self, text: &[u8]) -> Option<usize> {
        (0..text.len()).find(|&at| self.byte(text[at])).map(|at| at + 1)
    }

    fn byte(&mut self, byte: u8) -> bool {
        self.said.push(byte);
        let end = self.start + self.said.len();
        let before = |back: usize| self.said.len().checked_sub(back + 1).map(|at| self.said[at]);
        if self.stretch > 0 && before(self.stretch) == Some(byte) {
            self.run += 1;
        } else {
            (self.stretch, self.run) = (0, 0);
        }
        let last = self.said.last_chunk::<KEY_BYTES>().and_then(|key| self.seen.insert(*key, end));
        self.before.push(last.unwrap_or_default());
        if self.stretch == 0 {
            (self.stretch, self.run) = self.begin_again(last, end);
        }
        if self.said.len() > 4 * LONGEST_STRETCH {
            let forgotten = self.said.len() - 2 * LONGEST_STRETCH;
            self.said.drain(..forgotten);
            self.before.drain(..forgotten);
            self.start += forgotten;
            let start = self.start;
            self.seen.retain(|_, seen| *seen > start);
        }
        self.stretch > 0 && self.run >= self.stretch * self.times as usize && self.run >= self.min_bytes as usize
    }

    /// How far back the text that ends here was said before, and how long the run is by now.
    fn begin_again(&self, last: Option<usize>, end: usize) -> (usize, usize) {
        let in_reach = |seen: &usize| *seen > self.start && end - seen <= LONGEST_STRETCH;
        let earlier = |seen: &usize| Some(self.before[seen - self.start - 1]).filter(in_reach);
        let places = std::iter::successors(last.filter(in_reach), earlier).take(MOST_PLACES);
        let alike = |stretch: usize| {
            let (now, then) = (self.said.iter().rev(), self.said[..self.said.len() - stretch].iter().rev());
            now.zip(then).take(MOST_ALIKE).take_while(|(now, then)| now == then).count()
        };
        // Of two that are alike the shorter one counts, which is met first.
        let longer = |best: (usize, usize), other: (usize, usize)| if other.1 > best.1 { other } else { best };
        let places = places.map(|seen| (end - seen, alike(end - seen)));
        places.reduce(longer).map_or((0, 0), |(stretch, alike)| (stretch, stretch + alike))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(times: u32, min_bytes: u32, text: &str) -> Option<usize> {
        let whole = Loop::new(times, min_bytes).take(text.as_bytes());
        let mut one_by_one = Loop::new(times, min_bytes);
        assert_eq!(
            text.bytes().position(|byte| one_by_one.byte(byte)).map(|at| at + 1),
            whole,
            "it depends on the cuts"
        );
        whole
    }

    #[test]
    fn what_comes_again_and_again_is_a_loop() {
        let stretch = "I am sorry. ";
        assert_eq!(reached(3, 0, &format!("Well-{}", stretch.repeat(9))), Some("Well-".len() + 3 * stretch.len()));
        assert_eq!(reached(3, 100, &stretch.repeat(20)), Some(100));
        assert_eq!(reached(4, 0, &format!("{}but no more", stretch.repeat(3))), None);
        assert_eq!(reached(3, 40, &"-".repeat(30)), None);
        assert_eq!(reached(3, 40, &"-".repeat(50)), Some(40));
        let long = "abcdefghij".repeat(3) + &"0123456789 ".repeat(180);
        assert_eq!(reached(2, 9_000, &long), None);
    }

    #[test]
    fn a_stretch_may_have_others_within() {
        for stretch in [
            "I am sorry. I am sorry, I am sorry, I am sorry. ",
            "I can't stop. I can't stop! I can't stop! I can't stop. ",
            "abcdefghijabcdefghikabcdefghijabcdefghijabcdefghil",
        ] {
            let behind = reached(3, 0, &stretch.repeat(9)).expect(stretch);
            assert!((2 * stretch.len()..=4 * stretch.len()).contains(&behind), "{stretch}: behind {behind}");
        }
    }

    #[test]
    fn letters_are_told_at_every_cut() {
        let text = "aß 1\u{301}π中😀й".to_owned().into_bytes();
        let text = [&text[..], b"\xe4\xb8x\xd0", "и".as_bytes()].concat();
        let whole = Letters::default().take(&text);
        let scripts: Vec<&str> = whole.iter().map(|(script, _)| script.short_name()).collect();
        assert_eq!(scripts, ["Latn", "Latn", "Grek", "Hani", "Cyrl", "Latn", "Cyrl"]);
        for cut in 0..text.len() {
            let mut letters = Letters::default();
            let mut told = letters.take(&text[..cut]);
            told.extend(letters.take(&text[cut..]).into_iter().map(|(script, end)| (script, cut + end)));
            assert_eq!(told, whole, "cut at {cut}");
        }
    }

    #[test]
    fn prose_is_no_loop() {
        let prose = include_str!("../scan/sample.txt");
        assert_eq!(reached(3, 40, prose), None);
    }
}
