//! Fields that repeat a channel: all of its text so far, or the event's delta once more.
//!
//! Gateways disagree on what `message.content` beside `delta.content` is; some send everything so far in every
//! event, some the delta alone. Which one a stream does is told from its first two values. A snapshot runs through
//! a channel of its own, so it decides as the deltas do, and its event waits as theirs would.

use super::lane::Unexpected;
use std::hash::{DefaultHasher, Hasher};

/// What a snapshot field has shown so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Snapshot {
    habit: Habit,
    /// Raw bytes of the last value, and their hash: what the next one must begin with if it grows.
    len: usize,
    hash: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Habit {
    #[default]
    Unknown,
    Grows,
    Deltas,
}

/// How a value stands to the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// Everything so far; what is new begins here.
    AllWithNewFrom(usize),
    OnlyNew,
}

impl Snapshot {
    /// Takes the next value's raw content, beside the delta of the same event and what is known of those before.
    pub(crate) fn next(&mut self, raw: &[u8], delta: &[u8], deltas_before: Before) -> Result<Shows, Unexpected> {
        if raw.is_empty() {
            return Ok(Shows::OnlyNew);
        }
        let extends = raw.len() >= self.len && hash(&raw[..self.len]) == self.hash;
        if self.habit == Habit::Unknown && !delta.is_empty() && deltas_before == Before::Some {
            self.habit = if raw == delta { Habit::Deltas } else { Habit::Grows };
        } else if self.habit == Habit::Unknown && self.len > 0 {
            self.habit = if extends { Habit::Grows } else { Habit::Deltas };
        }
        let shows = match self.habit {
            Habit::Deltas => Shows::OnlyNew,
            Habit::Unknown => Shows::AllWithNewFrom(0),
            Habit::Grows if self.len == 0 || extends => Shows::AllWithNewFrom(self.len),
            // Neither reading fits, and guessing would let text pass unseen.
            Habit::Grows => return Err(Unexpected),
        };
        (self.len, self.hash) = (raw.len(), hash(raw));
        Ok(shows)
    }
}

/// Whether the channel had deltas before this event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    None,
    Some,
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn habit(values: &[(&str, &str)]) -> Vec<Result<Shows, Unexpected>> {
        let (mut snapshot, mut before) = (Snapshot::default(), Before::None);
        let mut next = |(value, delta): &(&str, &str)| {
            let shows = snapshot.next(value.as_bytes(), delta.as_bytes(), before);
            if !delta.is_empty() {
                before = Before::Some;
            }
            shows
        };
        values.iter().map(&mut next).collect()
    }

    #[test]
    fn both_habits_are_told_apart() {
        use Shows::*;
        let grows = habit(&[("1", "1"), ("1 2", " 2"), ("1 2 3", " 3"), ("1 2 3", "")]);
        assert_eq!(grows, [0, 1, 3, 5].map(|from| Ok(AllWithNewFrom(from))));
        let deltas = habit(&[("1", "1"), ("1", "1"), ("2", "2")]);
        assert_eq!(deltas, [Ok(AllWithNewFrom(0)), Ok(OnlyNew), Ok(OnlyNew)]);
        let alone = habit(&[("a", ""), ("ab", ""), ("abc", "")]);
        assert_eq!(alone, [0, 1, 2].map(|from| Ok(AllWithNewFrom(from))));
        assert_eq!(habit(&[("a", ""), ("b", ""), ("bc", "")])[2], Ok(OnlyNew));
        assert_eq!(habit(&[("ab", "ab"), ("", ""), ("abcd", "cd")])[2], Ok(AllWithNewFrom(2)));
        assert_eq!(habit(&[("a", ""), ("ab", ""), ("xy", "")])[2], Err(Unexpected), "neither");
        assert_eq!(habit(&[("late", "x")]), [Ok(AllWithNewFrom(0))]);
    }
}
