//! What a model sees of a text: how often which buckets are hit.

/// The bits of a bucket's number that a model may have.
pub(super) const BITS: std::ops::RangeInclusive<u32> = 8..=24;

/// The longest run of characters that is a feature.
const LONGEST: usize = 5;

/// What is hashed before the characters of a feature, so that a word and the same run of characters are two features.
const CHARACTERS: u8 = 1;
const WORDS: u8 = 2;

/// Stands where a word begins or ends, for any run of white space, and at both ends of the text.
const MARK: char = ' ';

/// FNV-1a of 64 bits.
#[derive(Clone, Copy)]
pub(super) struct Fnv(u64);

impl Fnv {
    pub(super) fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn byte(self, byte: u8) -> Fnv {
        Fnv((self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Fnv {
        bytes.iter().fold(self, |hash, byte| hash.byte(*byte))
    }

    fn char(self, c: char) -> Fnv {
        if c.is_ascii() { self.byte(c as u8) } else { self.bytes(c.encode_utf8(&mut [0; 4]).as_bytes()) }
    }

    pub(super) fn value(self) -> u64 {
        self.0
    }

    /// Both halves of the hash count, since the low bits of FNV alone are its weakest.
    fn bucket(self, mask: u32) -> u32 {
        ((self.0 ^ (self.0 >> 32)) as u32) & mask
    }
}

/// The text as models read it: in lower case, between marks.
pub(super) fn characters(text: &str) -> Vec<char> {
    let mut characters = Vec::with_capacity(text.len() + 2);
    characters.push(MARK);
    for c in text.chars() {
        if c.is_whitespace() {
            if characters.last() != Some(&MARK) {
                characters.push(MARK);
            }
        } else if c.is_ascii() {
            characters.push(c.to_ascii_lowercase());
        } else {
            characters.extend(c.to_lowercase());
        }
    }
    if characters.last() != Some(&MARK) {
        characters.push(MARK);
    }
    characters
}

/// The features of one text after the other, in the same memory.
pub(super) struct Features {
    mask: u32,
    /// Open addressing: places in `found`, counted from 1.
    slots: Vec<u32>,
    /// Buckets and how often they were hit, in the order of their first hit, so that sums have one order.
    found: Vec<(u32, u32)>,
    weighted: Vec<(u32, f32)>,
}

impl Features {
    pub(super) fn new(bits: u32) -> Features {
        Features { mask: (1 << bits) - 1, slots: Vec::new(), found: Vec::new(), weighted: Vec::new() }
    }

    /// Buckets and what they weigh: one and the logarithm of the count, all of length 1.
    pub(super) fn of(&mut self, text: &str) -> &[(u32, f32)] {
        let characters = characters(text);
        // A word and a pair of words take two characters at least. Half of the slots stay free: searches end soon.
        let most = characters.len().saturating_mul(LONGEST + 1).min(self.mask as usize + 1);
        self.slots.clear();
        self.slots.resize((most * 2).next_power_of_two(), 0);
        self.found.clear();
        self.count_runs(&characters);
        self.count_words(&characters);
        let weight = |count: u32| if count == 1 { 1.0 } else { 1.0 + f64::from(count).ln() };
        let length = self.found.iter().map(|(_, count)| weight(*count).powi(2)).sum::<f64>().sqrt();
        self.weighted.clear();
        self.weighted.extend(self.found.iter().map(|(bucket, count)| (*bucket, (weight(*count) / length) as f32)));
        &self.weighted
    }

    fn count_runs(&mut self, characters: &[char]) {
        for start in 0..characters.len() {
            let mut hash = Fnv::new().byte(CHARACTERS);
            for c in &characters[start..characters.len().min(start + LONGEST)] {
                hash = hash.char(*c);
                self.count(hash.bucket(self.mask));
            }
        }
    }

    fn count_words(&mut self, characters: &[char]) {
        // The hash of the word before, to be gone on with.
        let mut before: Option<Fnv> = None;
        for word in characters.split(|c| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let go_on = |hash: Fnv| word.iter().fold(hash, |hash, c| hash.char(*c));
            let single = go_on(Fnv::new().byte(WORDS));
            self.count(single.bucket(self.mask));
            if let Some(before) = before {
                self.count(go_on(before.char(MARK)).bucket(self.mask));
            }
            before = Some(single);
        }
    }

    fn count(&mut self, bucket: u32) {
        let last = self.slots.len() - 1;
        // Buckets are hashes already; neighbours are spread, for a small table has fewer bits than they have.
        let mut at = bucket.wrapping_mul(0x9e37_79b1) as usize & last;
        loop {
            match self.slots[at] {
                0 => {
                    self.found.push((bucket, 1));
                    self.slots[at] = self.found.len() as u32;
                    return;
                }
                place => {
                    let (known, count) = &mut self.found[place as usize - 1];
                    if *known == bucket {
                        *count = count.saturating_add(1);
                        return;
                    }
                }
            }
            at = (at + 1) & last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_specification() {
        assert_eq!(Fnv::new().bytes(b"").value(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fnv::new().bytes(b"foobar").value(), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn case_and_the_width_of_spaces_make_no_difference() {
        let mut features = Features::new(18);
        let lower = features.of("été  is\n\there").to_vec();
        assert_eq!(features.of(" ÉTÉ is HERE "), lower);
        assert_ne!(features.of("étéishere"), lower);
    }

    #[test]
    fn features_have_length_one_whatever_the_text() {
        let mut features = Features::new(8);
        for text in ["", " ", "a", "a b a b", "\u{1f600}", &"many different words ".repeat(500)] {
            let length: f32 = features.of(text).iter().map(|(_, weight)| weight * weight).sum();
            assert!((length - 1.0).abs() < 1e-4, "{text:?}: {length}");
        }
    }

    #[test]
    fn words_are_apart_from_runs_of_characters() {
        // Two marks, one letter: `_`, `_a`, `_a_`, `a`, `a_`, and the word.
        assert_eq!(Features::new(24).of("a").len(), 6);
    }
    #[test]
    fn every_bucket_may_be_hit() {
        let text: String = (0_u32..20_000).filter_map(|n| char::from_u32(0x4e00 + n)).collect();
        assert_eq!(Features::new(8).of(&text).len(), 256);
    }
}
