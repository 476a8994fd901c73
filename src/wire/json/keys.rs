//! Finds keys that an object has twice.

use super::unescape_into;

/// The keys of the objects that are being read, innermost last.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: Vec<Key>,
    /// Keys whose raw form has escapes, unescaped.
    unescaped: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    place: Place,
    start: u32,
    len: u32,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Text,
    Unescaped,
}

/// Few enough keys to compare each with each: sorting starts to pay beyond (a chat chunk has about eight).
const FEW: usize = 12;

impl Keys {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.unescaped.clear();
    }

    /// The place from which the keys of a new object stand.
    pub(super) fn mark(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn add(&mut self, start: u32, raw: &[u8], is_escaped: bool) {
        self.keys.push(if is_escaped {
            let start = self.unescaped.len() as u32;
            unescape_into(raw, &mut self.unescaped);
            Key { place: Place::Unescaped, start, len: self.unescaped.len() as u32 - start }
        } else {
            Key { place: Place::Text, start, len: raw.len() as u32 }
        });
    }

    /// Forgets the keys from `mark` on and says whether two of them were equal.
    pub(super) fn take_has_duplicates(&mut self, mark: usize, text: &[u8]) -> bool {
        let Keys { keys, unescaped } = self;
        let bytes = |key: &Key| {
            let all = match key.place {
                Place::Text => text,
                Place::Unescaped => unescaped,
            };
            &all[key.start as usize..(key.start + key.len) as usize]
        };
        let is_same = |a: &Key, b: &Key| a.len == b.len && bytes(a) == bytes(b);
        let object = &mut keys[mark..];
        let has = if object.len() <= FEW {
            (1..object.len()).any(|i| object[..i].iter().any(|other| is_same(other, &object[i])))
        } else {
            object.sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)));
            object.windows(2).any(|pair| is_same(&pair[0], &pair[1]))
        };
        keys.truncate(mark);
        has
    }
}
