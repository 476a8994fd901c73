//! Finds keys that an object has twice.

use super::unescape_into;
use std::ops::Range;

/// The keys of the objects that are being read, innermost last.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: Vec<Key>,
    /// Keys whose raw form has escapes, unescaped.
    unescaped: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Key {
    /// In the text.
    Plain(Range<usize>),
    /// In `unescaped`.
    Unescaped(Range<usize>),
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

    pub(super) fn add(&mut self, start: usize, raw: &[u8], is_escaped: bool) {
        self.keys.push(if is_escaped {
            let from = self.unescaped.len();
            unescape_into(raw, &mut self.unescaped);
            Key::Unescaped(from..self.unescaped.len())
        } else {
            Key::Plain(start..start + raw.len())
        });
    }

    /// Forgets the keys from `mark` on and says whether two of them were equal.
    pub(super) fn take_has_duplicates(&mut self, mark: usize, text: &[u8]) -> bool {
        let Keys { keys, unescaped } = self;
        let bytes = |key: &Key| match key {
            Key::Plain(range) => &text[range.clone()],
            Key::Unescaped(range) => &unescaped[range.clone()],
        };
        let object = &mut keys[mark..];
        let has = if object.len() <= FEW {
            (1..object.len()).any(|i| object[..i].iter().any(|other| bytes(other) == bytes(&object[i])))
        } else {
            object.sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)));
            object.windows(2).any(|pair| bytes(&pair[0]) == bytes(&pair[1]))
        };
        keys.truncate(mark);
        has
    }
}
