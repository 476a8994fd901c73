//! Which characters count as which letter.
//!
//! A fold is never applied to the text. It is compiled into the pattern the other way round: a letter becomes
//! the class of all code points that fold to it, so offsets stay those of the text and hold-back stays exact.
//! Only folds from one code point to one letter can be turned round like that: `rn` for `m` is not seen.

use std::sync::OnceLock;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::confusable_detection::skeleton;

/// One way in which two spellings count as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fold {
    /// Upper and lower case.
    Case,
    /// Compatibility forms, such as full-width and mathematical letters (NFKC).
    Nfkc,
    /// Letters with and without marks.
    Diacritics,
    /// Letters of other scripts that look alike (UTS 39).
    Confusables,
    /// Digits and signs in place of letters.
    Leet,
    /// A letter said once or many times.
    Repeat,
    /// Signs, or one space throughout, between the letters.
    Separators,
    /// `*` or `#` in place of letters within a word.
    Masked,
}

impl Fold {
    /// Every fold with its word in rule files.
    pub(super) const NAMES: [(&'static str, Fold); 8] = [
        ("case", Fold::Case),
        ("nfkc", Fold::Nfkc),
        ("diacritics", Fold::Diacritics),
        ("confusables", Fold::Confusables),
        ("leet", Fold::Leet),
        ("repeat", Fold::Repeat),
        ("separators", Fold::Separators),
        ("masked", Fold::Masked),
    ];

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Signs that stand for a letter, as rule files and chats use them.
const LEET: [(char, &str); 13] = [
    ('a', "@4^"),
    ('b', "8"),
    ('c', "(<{"),
    ('e', "3€"),
    ('g', "69"),
    ('h', "#"),
    ('i', "1!|"),
    ('l', "1|"),
    ('o', "0"),
    ('s', "$5"),
    ('t', "7+"),
    ('x', "%"),
    ('z', "2"),
];

/// A set of folds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Folds {
    /// A bit for each.
    bits: u16,
}

impl FromIterator<Fold> for Folds {
    fn from_iter<I: IntoIterator<Item = Fold>>(folds: I) -> Folds {
        Folds { bits: folds.into_iter().fold(0, |bits, fold| bits | fold.bit()) }
    }
}

impl Folds {
    pub(super) fn has(&self, fold: Fold) -> bool {
        self.bits & fold.bit() != 0
    }

    /// Those of them that are also among `folds`.
    pub(super) fn only(&self, folds: &[Fold]) -> Folds {
        folds.iter().copied().filter(|&fold| self.has(fold)).collect()
    }

    /// The word as these folds see it, so that a list may be written in any spelling.
    pub(super) fn folded(&self, word: &str) -> String {
        let word: String = if self.has(Fold::Nfkc) { word.nfkc().collect() } else { word.nfc().collect() };
        let word: String =
            if self.has(Fold::Diacritics) { word.nfd().filter(|&c| !is_combining_mark(c)).collect() } else { word };
        if self.has(Fold::Case) { word.to_lowercase() } else { word }
    }

    /// Every code point that folds to `letter`, itself included, in order.
    pub(super) fn spellings(&self, letter: char) -> Vec<char> {
        let mut shapes = vec![look_of(letter)];
        if self.has(Fold::Case) {
            shapes.extend(letter.to_uppercase().map(look_of));
        }
        let mut spellings: Vec<char> =
            likenesses().iter().filter(|likeness| self.reaches(likeness, letter, &shapes)).map(|l| l.point).collect();
        spellings.push(letter);
        spellings.sort_unstable();
        spellings.dedup();
        spellings
    }

    /// Whether the code point of `likeness` folds to `letter`, whose own shapes are `shapes`.
    fn reaches(&self, likeness: &Likeness, letter: char, shapes: &[String]) -> bool {
        let plain = [
            Some(likeness.point),
            likeness.compatible.filter(|_| self.has(Fold::Nfkc)),
            likeness.bare.filter(|_| self.has(Fold::Diacritics)),
        ];
        plain.into_iter().flatten().any(|c| c == letter || (self.has(Fold::Case) && lower(c) == letter))
            // That `l` looks like `I` hides nothing: both are read as they stand.
            || (self.has(Fold::Confusables)
                && !likeness.point.is_ascii_alphabetic()
                && shapes.contains(&likeness.look))
            || (self.has(Fold::Confusables)
                && self.has(Fold::Diacritics)
                && likeness.bare_look.as_ref().is_some_and(|look| shapes.contains(look)))
            || (self.has(Fold::Leet) && LEET.iter().any(|(of, signs)| *of == letter && signs.contains(likeness.point)))
    }
}

/// What one code point can be taken for.
struct Likeness {
    point: char,
    /// Its compatibility form, where that is one code point.
    compatible: Option<char>,
    /// Its base without marks, where that is one code point.
    bare: Option<char>,
    /// Its UTS 39 skeleton.
    look: String,
    /// The skeleton of its base.
    bare_look: Option<String>,
}

/// Every code point that any fold changes, and printable ASCII. Computed once: a word list asks for each of its
/// letters.
fn likenesses() -> &'static [Likeness] {
    static LIKENESSES: OnceLock<Vec<Likeness>> = OnceLock::new();
    LIKENESSES.get_or_init(|| {
        // Ideographs, syllables and private use (U+3400 to U+9FFF, U+AC00 to U+F8FF), and the planes beyond the
        // first two, have no letters that look like those of another script.
        let points = ('!'..='\u{33FF}').chain('\u{A000}'..='\u{ABFF}').chain('\u{F900}'..='\u{1FFFF}');
        points
            .filter_map(|point| {
                let compatible = only(std::iter::once(point).nfkc()).filter(|&c| c != point);
                let bare =
                    only(std::iter::once(point).nfkd().filter(|&c| !is_combining_mark(c))).filter(|&c| c != point);
                let look = look_of(point);
                let bare_look = bare.map(look_of);
                let itself = look.chars().eq([point]) && compatible.is_none() && bare.is_none();
                let cased = lower(point) != point;
                (point.is_ascii() || point == '€' || cased || !itself).then_some(Likeness {
                    point,
                    compatible,
                    bare,
                    look,
                    bare_look,
                })
            })
            .collect()
    })
}

fn look_of(c: char) -> String {
    skeleton(c.encode_utf8(&mut [0; 4])).collect()
}

fn lower(c: char) -> char {
    only(c.to_lowercase()).unwrap_or(c)
}

fn only(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(letter: char, folds: &[Fold]) -> String {
        folds.iter().copied().collect::<Folds>().spellings(letter).into_iter().collect()
    }

    #[test]
    fn each_fold_adds_its_own() {
        assert_eq!(spelled('a', &[]), "a");
        assert_eq!(spelled('a', &[Fold::Case]), "Aa");
        assert_eq!(spelled('a', &[Fold::Leet]), "4@^a");
        for (folds, letter, spellings) in [
            (&[Fold::Nfkc][..], 'a', "ａ𝐚ⓐ"),
            (&[Fold::Diacritics], 'a', "áäåǎ"),
            (&[Fold::Confusables], 'a', "аɑα"),
            (&[Fold::Case, Fold::Confusables], 'o', "OО0о"),
            (&[Fold::Diacritics, Fold::Confusables], 'o', "ӧ"),
        ] {
            let found = spelled(letter, folds);
            for spelling in spellings.chars() {
                assert!(found.contains(spelling), "{spelling} ({:x}) for {letter} in {found}", u32::from(spelling));
            }
        }
    }

    #[test]
    fn a_fold_that_is_off_adds_nothing() {
        assert!(!spelled('a', &[Fold::Case]).contains('á'));
        assert!(!spelled('o', &[Fold::Nfkc, Fold::Diacritics]).contains('0'));
        assert!(
            !spelled('a', &[Fold::Case, Fold::Nfkc, Fold::Diacritics, Fold::Confusables, Fold::Leet]).contains('b')
        );
    }

    #[test]
    fn words_are_folded_like_the_text() {
        let folds: Folds = [Fold::Case, Fold::Nfkc, Fold::Diacritics].into_iter().collect();
        assert_eq!(folds.folded("ＤÄRN"), "darn");
        assert_eq!(Folds::default().folded("Darn"), "Darn");
    }
}
