//! A list of words, with the spellings that evade a plain list, as one pattern.
//!
//! The words become a trie, so that common beginnings stand once; each letter becomes the class of everything
//! that folds to it (see [`fold`](super::fold)), and what evasion puts between letters stands between them.

use super::fold::{Fold, Folds};
use super::pattern::Pattern;
use crate::error::Fault;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What may stand next to a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Boundary {
    /// No letter or digit.
    #[default]
    Word,
    /// Anything: the word also counts inside a longer one.
    None,
}

/// A list of words and how loosely they are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub(super) list: Vec<String>,
    pub(super) folds: Folds,
    pub(super) boundary: Boundary,
    /// Separators between two letters at most, where separators are folded.
    pub(super) max_gap: usize,
}

/// No word of any language's dictionary is longer, and each branch below a letter is a group inside another one.
const MAX_LETTERS: usize = 64;

/// Words of fewer letters are not looked for behind masks.
const MASKED_LETTERS: usize = 4;

/// Letters and digits of the scripts that have look-alikes: ASCII, Latin with marks, Greek, Cyrillic.
const WORD: &str = r"[0-9A-Za-z\u{C0}-\u{24F}\u{370}-\u{52F}]";
/// Characters that are not seen (Default_Ignorable_Code_Point, Unicode 16, without the Hangul fillers' block mates).
const INVISIBLE: &str = r"\u{AD}\u{34F}\u{61C}\u{115F}\u{1160}\u{17B4}\u{17B5}\u{180B}-\u{180F}\u{200B}-\u{200F}\u{202A}-\u{202E}\u{2060}-\u{206F}\u{3164}\u{FE00}-\u{FE0F}\u{FEFF}\u{FFA0}\u{E0000}-\u{E0FFF}";
/// The blocks of combining diacritical marks.
const MARKS: &str =
    r"\u{300}-\u{36F}\u{483}-\u{489}\u{1AB0}-\u{1AFF}\u{1DC0}-\u{1DFF}\u{20D0}-\u{20FF}\u{FE20}-\u{FE2F}";
/// Signs that evasion puts between letters.
const SIGNS: &str = r##"\-._*~'"`^|/\\,:;+=\u{B7}\u{2010}-\u{2015}\u{2022}"##;
/// Blanks within a line.
const BLANKS: &str = r"\t\x20\u{A0}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}";

impl Words {
    /// The pattern that finds these words.
    pub(super) fn pattern(&self) -> Result<Pattern, Fault> {
        let words: BTreeSet<String> = self.list.iter().map(|word| self.folds.folded(word.trim())).collect();
        if words.is_empty() || words.contains("") {
            return Err(Fault::new("`words` has an empty list or an empty word")
                .remedy("write the words into `list`, each with at least one letter"));
        }
        if let Some(long) = words.iter().find(|word| word.chars().count() > MAX_LETTERS) {
            return Err(Fault::new(format!("the word `{long}` has more than {MAX_LETTERS} letters"))
                .remedy("write long texts into `literals`"));
        }
        let letters: BTreeSet<char> = words.iter().flat_map(|word| word.chars()).collect();
        let classes = letters.into_iter().map(|letter| (letter, self.letter(letter))).collect();
        let mut pattern = Pattern::regex(self.regex(&words, &classes)).unicode();
        if self.boundary == Boundary::Word {
            pattern = pattern.not_before(WORD).not_after(WORD);
        }
        Ok(pattern)
    }

    fn regex(&self, words: &BTreeSet<String>, classes: &BTreeMap<char, String>) -> String {
        let unseen = self.unseen();
        if !self.folds.has(Fold::Separators) {
            return Trie::of(words.iter()).regex(classes, "", &self.masks());
        }
        // Two readings: signs between some letters (`d.ar-nit`), and the same with blanks between all of them
        // (`d a r n i t`). A blank between some letters only is how ordinary words stand together.
        let gap = self.max_gap.max(1);
        let signs = Trie::of(words.iter()).regex(classes, &format!("(?:[{SIGNS}]{unseen}){{0,{gap}}}"), &self.masks());
        let spaced = words.iter().filter(|word| word.chars().nth(1).is_some() && !word.contains(char::is_whitespace));
        let spaced = Trie::of(spaced).regex(classes, &format!("(?:[{SIGNS}{BLANKS}]{unseen}){{1,{gap}}}"), "");
        match spaced.is_empty() {
            true => signs,
            false => format!("{signs}|{spaced}"),
        }
    }

    /// One letter with all its spellings, said once or more, and what is not seen behind it.
    fn letter(&self, letter: char) -> String {
        let unseen = self.unseen();
        if letter.is_whitespace() {
            return format!("(?:[{BLANKS}]{unseen}){{1,3}}");
        }
        let class = class(&self.folds.spellings(letter));
        match (self.folds.has(Fold::Repeat), unseen.is_empty()) {
            (true, true) => format!("{class}+"),
            (true, false) => format!("(?:{class}{unseen})+"),
            (false, _) => format!("{class}{unseen}"),
        }
    }

    /// What may stand in place of a letter within a word, if anything may.
    fn masks(&self) -> String {
        if self.folds.has(Fold::Masked) { format!("[*#]{}", self.unseen()) } else { String::new() }
    }

    /// Any number of characters that a reader does not see, where a fold takes them away.
    fn unseen(&self) -> String {
        let mut class = String::new();
        if self.folds.has(Fold::Nfkc) || self.folds.has(Fold::Confusables) {
            class.push_str(INVISIBLE);
        }
        if self.folds.has(Fold::Diacritics) {
            class.push_str(MARKS);
        }
        if class.is_empty() { class } else { format!("[{class}]*") }
    }
}

/// A class of these code points, which are in order; neighbours are written as a range.
fn class(points: &[char]) -> String {
    let mut class = String::from("[");
    let follows = |a: &char, b: &char| u32::from(*a) + 1 == u32::from(*b);
    for run in points.chunk_by(follows) {
        for end in [run.first(), run.last().filter(|_| run.len() > 1)].into_iter().flatten() {
            if class.len() > 1 && end != &run[0] {
                class.push('-');
            }
            write!(class, r"\u{{{:X}}}", u32::from(*end)).expect("a string takes every text");
        }
    }
    class.push(']');
    class
}

/// Words by their common beginnings.
#[derive(Default)]
struct Trie {
    ends: bool,
    next: BTreeMap<char, Trie>,
}

impl Trie {
    fn of<'a>(words: impl Iterator<Item = &'a String>) -> Trie {
        let mut root = Trie::default();
        for word in words {
            let end = word.chars().fold(&mut root, |node, letter| node.next.entry(letter).or_default());
            end.ends = true;
        }
        root
    }

    /// The regex of all words below, `joint` standing between any two letters and `mask` in place of those within.
    fn regex(&self, classes: &BTreeMap<char, String>, joint: &str, mask: &str) -> String {
        self.regex_from(0, classes, joint, mask)
    }

    fn regex_from(&self, depth: usize, classes: &BTreeMap<char, String>, joint: &str, mask: &str) -> String {
        let branches: Vec<String> = self
            .next
            .iter()
            .map(|(&letter, node)| {
                let rest = node.regex_from(depth + 1, classes, joint, mask);
                let joint =
                    if letter.is_whitespace() || node.next.keys().all(|c| c.is_whitespace()) { "" } else { joint };
                // Of a short word too little would be left to know it by, and its first and last letters must be.
                let may_be_masked = !mask.is_empty() && depth > 0 && !node.ends && !letter.is_whitespace();
                let letter = match may_be_masked && depth + 1 + node.letters_to_end() >= MASKED_LETTERS {
                    true => format!("(?:{}|{mask})", classes[&letter]),
                    false => classes[&letter].clone(),
                };
                match (rest.is_empty(), node.ends) {
                    (true, _) => letter,
                    (false, true) => format!("{letter}(?:{joint}{rest})?"),
                    (false, false) => format!("{letter}{joint}{rest}"),
                }
            })
            .collect();
        match branches.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            _ => format!("(?:{})", branches.join("|")),
        }
    }

    /// How many letters the shortest word below still has.
    fn letters_to_end(&self) -> usize {
        if self.ends { 0 } else { self.next.values().map(|node| node.letters_to_end() + 1).min().unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str], folds: &[Fold]) -> Words {
        Words {
            list: list.iter().map(|&word| word.to_owned()).collect(),
            folds: folds.iter().copied().collect(),
            boundary: Boundary::Word,
            max_gap: 2,
        }
    }

    const EVERY: [Fold; 7] =
        [Fold::Case, Fold::Nfkc, Fold::Diacritics, Fold::Confusables, Fold::Leet, Fold::Repeat, Fold::Separators];

    fn finds(words: &Words, text: &str) -> bool {
        let pattern = words.pattern().expect("good words");
        let side = |class: &Option<String>| class.clone().unwrap_or_else(|| "[a&&b]".to_owned());
        let (before, after) = (side(&pattern.not_before), side(&pattern.not_after));
        let regex = format!("(?:^|[^{before}])(?:{})(?:$|[^{after}])", pattern.regex);
        regex::Regex::new(&regex).expect("a good pattern").is_match(text)
    }

    #[test]
    fn a_plain_list_finds_its_words_and_no_others() {
        let plain = words(&["darn", "darnit", "heck no"], &[]);
        for text in ["darn", "well, darnit!", "heck no", "_darn_"] {
            assert!(finds(&plain, text), "{text}");
        }
        for text in ["Darn", "darning", "udarn", "dar", "d.arn", "heckno", "ädarn"] {
            assert!(!finds(&plain, text), "{text}");
        }
    }

    #[test]
    fn folds_see_through_evasion() {
        let folded = words(&["darnit"], &EVERY);
        for text in [
            "D@rn1t",
            "d.a.r.n.i.t",
            "d a r n i t",
            "daaaarnitttt",
            "ｄａｒｎｉｔ",
            "dаrnіt",
            "d\u{200b}arn\u{200d}it",
            "da\u{301}rn\u{308}it",
            "DÅRNÏT",
            "**darnit**",
        ] {
            assert!(finds(&folded, text), "{text}");
        }
        for text in ["darn it", "She was darning it.", "dar nit", "d...a...r...n...i...t", "darnito"] {
            assert!(!finds(&folded, text), "{text}");
        }
    }

    #[test]
    fn masks_stand_for_letters_within() {
        let masked = words(&["darn", "darnit", "sod"], &[Fold::Case, Fold::Masked]);
        for text in ["d*rn", "D**n", "da#n", "d*rnit", "darn*t", "sod"] {
            assert!(finds(&masked, text), "{text}");
        }
        for text in ["*arn", "dar*", "d***", "s*d", "d.rn", "d***n"] {
            assert!(!finds(&masked, text), "{text}");
        }
    }

    #[test]
    fn without_a_boundary_a_word_counts_inside_another() {
        let mut inside = words(&["darn"], &[Fold::Case]);
        inside.boundary = Boundary::None;
        assert!(finds(&inside, "goldarned"));
    }

    #[test]
    fn an_empty_word_and_an_endless_one_are_faults() {
        let long = "a".repeat(65);
        for list in [&[][..], &["darn", " "], &[&long]] {
            assert!(words(list, &EVERY).pattern().is_err());
        }
    }
}
