//! Counts of this process.

use super::{Counting, Key, Standing};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// As many counts are kept, some 20 MB; beyond it those go that have the least time left. Who can make up callers can
/// make up more than any table holds.
const MOST_COUNTS: usize = 1 << 18;

/// Counts of this process.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<HashMap<Key, Count>>);

#[derive(Clone, Copy, Debug)]
struct Count {
    count: u64,
    ends: Instant,
    /// Whether its caller has had enough.
    is_full: bool,
}

impl Memory {
    /// Adds to a count, which begins anew if its time is over.
    pub(super) fn add(&self, key: Key, by: u64, counting: Counting, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_COUNTS && !counts.contains_key(&key) {
            make_room(&mut counts, now);
        }
        let fresh = Count { count: 0, ends: now + counting.within, is_full: false };
        let count = counts.entry(key).or_insert(fresh);
        if count.ends <= now {
            *count = fresh;
        }
        let before = count.count;
        count.count = before.saturating_add(by);
        count.is_full = count.count >= counting.most;
        if before < counting.most && count.is_full && !counting.refuse.is_zero() {
            count.ends = now + counting.refuse;
        }
    }

    /// How a count stands.
    pub(super) fn standing(&self, key: Key, now: Instant) -> Standing {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get(&key).filter(|count| count.ends > now) {
            Some(count) => Standing { count: count.count, left: count.ends - now },
            None => Standing { count: 0, left: Duration::ZERO },
        }
    }
}

fn make_room(counts: &mut HashMap<Key, Count>, now: Instant) {
    counts.retain(|_, count| count.ends > now);
    if counts.len() >= MOST_COUNTS {
        // Nobody is to wash away what it has had by callers that it makes up.
        let weight = |count: &Count| (count.is_full, count.ends);
        let mut weights: Vec<(bool, Instant)> = counts.values().map(weight).collect();
        let (_, median, _) = weights.select_nth_unstable(MOST_COUNTS / 2);
        let median = *median;
        counts.retain(|_, count| weight(count) > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_count_ends_with_its_time() {
        let (memory, began) = (Memory::default(), Instant::now());
        let counting = Counting { most: 3, within: MINUTE, refuse: Duration::ZERO };
        memory.add(Key(1), 2, counting, began);
        memory.add(Key(1), 1, counting, began + MINUTE / 2);
        let standing = |at| memory.standing(Key(1), began + at);
        assert_eq!(standing(MINUTE / 2), Standing { count: 3, left: MINUTE / 2 });
        assert_eq!(standing(MINUTE).count, 0);
        assert_eq!(memory.standing(Key(2), began).count, 0);
        memory.add(Key(1), 1, counting, began + MINUTE);
        assert_eq!(standing(MINUTE), Standing { count: 1, left: MINUTE });
    }

    #[test]
    fn who_has_had_enough_is_refused_for_a_time_of_its_own() {
        let (memory, began) = (Memory::default(), Instant::now());
        let counting = Counting { most: 2, within: MINUTE, refuse: 10 * MINUTE };
        memory.add(Key(1), 2, counting, began);
        // What comes later does not lengthen it.
        memory.add(Key(1), 5, counting, began + MINUTE);
        assert_eq!(memory.standing(Key(1), began + MINUTE), Standing { count: 7, left: 9 * MINUTE });
        assert_eq!(memory.standing(Key(1), began + 10 * MINUTE).count, 0);
    }

    #[test]
    fn made_up_callers_do_not_wash_away_strikes() {
        let (memory, began) = (Memory::default(), Instant::now());
        memory.add(Key(u128::MAX), 2, Counting { most: 2, within: MINUTE, refuse: Duration::ZERO }, began);
        let longer = Counting { most: 2, within: 10 * MINUTE, refuse: Duration::ZERO };
        for number in 0..2 * MOST_COUNTS as u128 {
            memory.add(Key(number), 1, longer, began);
        }
        assert_eq!(memory.standing(Key(u128::MAX), began).count, 2);
    }

    #[test]
    fn made_up_callers_do_not_fill_the_memory() {
        let (memory, began) = (Memory::default(), Instant::now());
        let counting = Counting { most: 2, within: MINUTE, refuse: Duration::ZERO };
        for number in 0..MOST_COUNTS as u128 + 10 {
            memory.add(Key(number), 1, counting, began + Duration::from_nanos(number as u64));
        }
        assert!(memory.0.lock().unwrap().len() <= MOST_COUNTS);
        assert_eq!(memory.standing(Key(MOST_COUNTS as u128 + 9), began).count, 1);
    }
}
