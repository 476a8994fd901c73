//! One channel's place in all automata of its scope.

use super::place::{Place, Standing, run_fast};
use super::shard::Shard;
use super::step::Event;
use super::{MAX_LIMIT, Scanner};

/// Something that came to light: a byte range and the rule it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) kind: HitKind,
    pub(crate) rule: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HitKind {
    /// The rule's pattern matches here.
    Match,
    /// It matches here, from too many starts to tell them apart.
    Merged,
    /// A candidate has outgrown its limit and still lives.
    Overflow,
    /// A block is open up to here.
    Swallow,
    /// A block was not closed within its length, or before the text's end.
    Unclosed,
}

/// How far a channel was read, and where its threads are in each automaton. Holds no text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    position: Position,
    /// Of all places together.
    standing: Standing,
    /// One for each automaton.
    places: Vec<Place>,
}

/// Positions are 32-bit to keep the rings small.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    /// Offset in the channel of position 0.
    origin: u64,
    pub(super) at: u32,
}

impl Position {
    #[inline]
    pub(super) fn offset(self, position: u32) -> u64 {
        self.origin + u64::from(position)
    }

    pub(super) fn next(self) -> Position {
        Position { at: self.at + 1, ..self }
    }

    /// What an event says that came to light here.
    pub(super) fn hit(self, event: &Event, start: u32) -> Hit {
        let end = self.offset(self.at - event.back);
        Hit { kind: event.kind, rule: event.rule, start: self.offset(start), end }
    }

    pub(super) fn span(self, kind: HitKind, rule: u32, start: u32) -> Hit {
        Hit { kind, rule, start: self.offset(start), end: self.offset(self.at) }
    }
}

impl Cursor {
    /// At the beginning of a text.
    pub(crate) fn new(scanner: &Scanner) -> Cursor {
        Cursor { places: vec![Place::new(); scanner.shards.len()], ..Cursor::default() }
    }

    /// Offset of the next byte.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        self.position.offset(self.position.at)
    }

    /// Every byte before this offset is decided as far as matching goes: no thread that holds began before it.
    #[inline]
    pub(crate) fn frontier(&self) -> u64 {
        self.position.offset(self.standing.hold)
    }

    /// The text from this offset on may be asked for by a match.
    #[inline]
    pub(crate) fn needed_from(&self) -> u64 {
        self.position.offset(self.standing.keep)
    }

    /// Whether a block is open.
    #[inline]
    pub(crate) fn is_in_block(&self) -> bool {
        self.standing.is_in_block
    }

    /// Bytes since the oldest live thread began.
    #[inline]
    fn lag(&self) -> u32 {
        self.position.at - self.standing.oldest
    }

    /// To be called after the places have moved.
    #[inline]
    fn look_round(&mut self, scanner: &Scanner) {
        let at = self.position.at;
        let (mut hold, mut keep, mut oldest, mut is_in_block) = (at, at, at, false);
        for (place, shard) in self.places.iter().zip(&scanner.shards) {
            let one = place.standing(shard, at);
            hold = hold.min(one.hold);
            keep = keep.min(one.keep);
            oldest = oldest.min(one.oldest);
            is_in_block |= one.is_in_block;
        }
        self.standing = Standing { hold, keep, oldest, is_in_block };
    }

    /// Where the oldest live thread of a rule began.
    pub(crate) fn oldest(&self, scanner: &Scanner, rule: u32) -> Option<u64> {
        let starts = self.places.iter().zip(&scanner.shards).filter_map(|(place, shard)| place.oldest_of(shard, rule));
        starts.min().map(|start| self.position.offset(start))
    }

    /// How many starts are told apart now.
    pub(crate) fn live_starts(&self, scanner: &Scanner) -> usize {
        self.places.iter().zip(&scanner.shards).map(|(place, shard)| place.live_starts(shard)).sum()
    }

    /// Moves on over bytes that no rule watches.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.position.origin += bytes as u64;
    }

    /// Reads `bytes` up to the first byte that brings hits, or to their end; gives back how many were read.
    #[inline]
    pub(crate) fn run(&mut self, scanner: &Scanner, bytes: &[u8], hits: &mut Vec<Hit>) -> usize {
        let mut read = 0;
        let is_near_limit = u64::from(self.lag()) + bytes.len() as u64 >= u64::from(scanner.shortest_limit)
            || self.position.at >= 2 * MAX_LIMIT;
        if !is_near_limit {
            read = self.run_fast(scanner, bytes);
            self.look_round(scanner);
        }
        if read < bytes.len() { self.run_on(scanner, bytes, read, hits) } else { read }
    }

    /// Reads on where the fast entries end or a limit is near.
    fn run_on(&mut self, scanner: &Scanner, bytes: &[u8], mut read: usize, hits: &mut Vec<Hit>) -> usize {
        while read < bytes.len() && hits.is_empty() {
            if self.position.at >= 2 * MAX_LIMIT {
                self.rebase();
            }
            let rest = &bytes[read..];
            let room = self.room(scanner).min(rest.len());
            read += self.run_near(scanner, &rest[..room], hits);
            if self.lag() >= scanner.shortest_limit {
                self.each(scanner, |place, shard, now| place.check_limits(shard, now, hits));
                self.look_round(scanner);
            }
        }
        read
    }

    /// Reads bytes, among which no limit is reached.
    fn run_near(&mut self, scanner: &Scanner, bytes: &[u8], hits: &mut Vec<Hit>) -> usize {
        let mut read = 0;
        while read < bytes.len() && hits.is_empty() {
            read += self.run_fast(scanner, &bytes[read..]);
            let Some(&byte) = bytes.get(read) else { break };
            read += 1;
            self.each(scanner, |place, shard, now| place.step(shard, byte, now, hits));
            self.position.at += 1;
        }
        self.look_round(scanner);
        read
    }

    /// Reads bytes up to the first that needs more than a move of the rings.
    #[inline]
    fn run_fast(&mut self, scanner: &Scanner, bytes: &[u8]) -> usize {
        if self.places.iter().any(Place::is_loose) {
            return 0;
        }
        let at = self.position.at;
        let read = match (&scanner.shards[..], &mut self.places[..]) {
            ([shard], [place]) => run_fast(std::array::from_ref(shard), std::array::from_mut(place), at, bytes),
            (shards, places) => run_fast_together(shards, places, at, bytes),
        };
        self.position.at += read as u32;
        read
    }

    fn each(&mut self, scanner: &Scanner, mut act: impl FnMut(&mut Place, &Shard, Position)) {
        self.places.iter_mut().zip(&scanner.shards).for_each(|(place, shard)| act(place, shard, self.position));
    }

    /// Bytes that can be read before a limit could be reached; at least 1.
    fn room(&self, scanner: &Scanner) -> usize {
        let lag = self.lag();
        if lag < scanner.shortest_limit {
            return (scanner.shortest_limit - lag) as usize;
        }
        let places = self.places.iter().zip(&scanner.shards);
        places.fold(scanner.shortest_limit, |room, (place, shard)| place.room(shard, self.position, room)) as usize
    }

    /// Reports how far open blocks reach.
    pub(crate) fn open_blocks(&mut self, scanner: &Scanner, hits: &mut Vec<Hit>) {
        if self.is_in_block() {
            self.each(scanner, |place, shard, now| place.blocks(shard, HitKind::Swallow, now, hits));
        }
    }

    /// The text is at its end: reports what that confirms, and the blocks left open. Nothing is live afterwards.
    pub(crate) fn finish(&mut self, scanner: &Scanner, hits: &mut Vec<Hit>) {
        self.each(scanner, |place, shard, now| place.finish(shard, now, hits));
        self.look_round(scanner);
    }

    /// Keeps positions small: a channel may be longer than 32 bits count.
    #[cold]
    fn rebase(&mut self) {
        let shift = self.position.at - MAX_LIMIT;
        self.places.iter_mut().for_each(|place| place.rebase(shift));
        self.position = Position { origin: self.position.offset(shift), at: MAX_LIMIT };
        let Standing { hold, keep, oldest, .. } = &mut self.standing;
        [hold, keep, oldest].into_iter().for_each(|start| *start = start.saturating_sub(shift));
    }
}

/// Several automata at once. Their number is a constant in the loop, which keeps all that it needs in registers.
fn run_fast_together(shards: &[Shard], places: &mut [Place], at: u32, bytes: &[u8]) -> usize {
    fn of<const N: usize>(shards: &[Shard], places: &mut [Place], at: u32, bytes: &[u8]) -> usize {
        let shards = shards.try_into().expect("as many automata as were counted");
        run_fast::<N>(shards, places.try_into().expect("a place in each automaton"), at, bytes)
    }
    const { assert!(super::layout::MAX_SHARDS == 4) };
    match shards.len() {
        2 => of::<2>(shards, places, at, bytes),
        3 => of::<3>(shards, places, at, bytes),
        _ => of::<4>(shards, places, at, bytes),
    }
}

#[cfg(test)]
mod tests;
