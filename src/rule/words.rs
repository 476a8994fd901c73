//! A list of words, with the spellings that evade a plain list, as one pattern.
//!
//! The words become a graph in which common beginnings and common ends stand once; each letter is read as anything that
//! folds to it (see [`fold`](super::fold)), and what evasion puts between letters may stand between them. As an
//! expression a list of some hundred words would be megabytes long.

use super::fold::{Fold, Folds};
use super::graph::{CharGraph, Edge, Node};
use super::pattern::{Pattern, Spelled};
use crate::error::Fault;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

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

/// No word of any language's dictionary is longer, and each letter is a call within another one.
const MAX_LETTERS: usize = 64;

/// The most separators that may stand between two letters. Each costs as many states as the word has letters.
const MAX_GAP: usize = 16;

/// Blanks that one blank of a word may become.
const MAX_BLANKS: usize = 3;

/// Words of fewer letters are not looked for behind masks.
const MASKED_LETTERS: usize = 4;

/// In words of fewer letters no digit stands for a letter: `0.45s` is a time.
const DISGUISED_LETTERS: usize = 4;

/// Letters and digits of the scripts that have look-alikes: ASCII, Latin with marks, Greek, Cyrillic, and the blocks
/// of letters in other shapes: phonetic, Latin Extended Additional, letter-like, full-width, mathematical.
const WORD: &str = r"0-9A-Za-z\u{C0}-\u{24F}\u{250}-\u{2AF}\u{370}-\u{52F}\u{1D00}-\u{1DBF}\u{1E00}-\u{1EFF}\u{2100}-\u{214F}\u{24B6}-\u{24E9}\u{FF10}-\u{FF19}\u{FF21}-\u{FF3A}\u{FF41}-\u{FF5A}\u{1D400}-\u{1D7FF}";
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
        if self.max_gap > MAX_GAP {
            return Err(Fault::new(format!("`max_gap` is more than {MAX_GAP}"))
                .remedy("give the most separators that may stand between two letters, such as 2"));
        }
        let graph = Arc::new(Speller::graph(self, &words));
        let pattern = Pattern::spelled(Spelled { words: words.into_iter().collect(), graph }).unicode();
        Ok(match self.boundary {
            Boundary::Word => {
                // What is not seen belongs to a word, so the word does not end in front of it.
                let near = format!("[{WORD}{}]", unseen(&self.folds));
                pattern.not_before(near.as_str()).not_after(near)
            }
            Boundary::None => pattern,
        })
    }
}

/// What evasion puts between two letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Joint {
    Nothing,
    /// Up to this many signs (`d.ar-nit`).
    Signs(usize),
    /// One to this many signs or blanks, between all letters (`d a r n i t`). A blank between some letters only is how
    /// ordinary words stand together. The letters are plain ones, or digits and signs: nobody hides a word in both ways
    /// at once, and half of all states would be for that.
    Blanks(usize),
}

/// How words are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reading {
    joint: Joint,
    /// Whether digits may stand for letters.
    digits: bool,
}

/// Writes words into a graph with all their spellings.
struct Speller<'a> {
    words: &'a Words,
    graph: CharGraph,
    /// The class of each kind of character that was asked for.
    classes: HashMap<(Reading, Kind), Option<u32>>,
    /// Each letter's spellings, of all or, if so, only the plain ones.
    spellings: HashMap<(bool, char), Vec<char>>,
    /// Nodes by all that tells them apart: words with the same end share it.
    nodes: HashMap<(Reading, char, Rest, Option<u32>), u32>,
    reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// A letter in any of its spellings.
    Letter(char),
    /// A letter written as a letter.
    Spelt(char),
    /// A letter written as a digit or a sign.
    Disguised(char),
    /// What a reader does not see.
    Unseen,
    Mask,
    Sign,
    SignOrBlank,
    Blank,
}

/// How a word may go on after a letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Rest {
    ends: bool,
    next: Vec<NextLetter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct NextLetter {
    letter: char,
    nodes: Nodes,
    /// Where a mask in its place leads, if one may stand there.
    masked: Option<u32>,
}

/// Where a letter leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Nodes {
    /// Once a letter was written as one.
    spelt: u32,
    /// As long as none was; `None` where one was. Digits and signs alone, such as 455, are no word.
    disguised: Option<u32>,
}

impl Speller<'_> {
    fn graph(words: &Words, list: &BTreeSet<String>) -> CharGraph {
        let graph = CharGraph { classes: Vec::new(), nodes: vec![Node::default()] };
        let reading = Reading { joint: Joint::Nothing, digits: false };
        let (classes, spellings, nodes) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut speller = Speller { words, graph, classes, spellings, nodes, reading };
        speller.edge(START, Kind::Unseen, START);
        if !words.folds.has(Fold::Separators) {
            speller.spell(Joint::Nothing, list.iter());
            return speller.graph;
        }
        let gap = words.max_gap.max(1);
        speller.spell(Joint::Signs(gap), list.iter());
        let can_be_spaced = |word: &&String| word.chars().nth(1).is_some() && !word.contains(char::is_whitespace);
        speller.spell(Joint::Blanks(gap), list.iter().filter(can_be_spaced));
        speller.graph
    }

    fn spell<'w>(&mut self, joint: Joint, list: impl Iterator<Item = &'w String>) {
        let (long, short): (Vec<_>, Vec<_>) = list.partition(|word| word.chars().count() >= DISGUISED_LETTERS);
        for (digits, list) in [(true, long), (false, short)] {
            self.reading = Reading { joint, digits };
            let trie = Trie::of(list.into_iter());
            let any_spelt = !self.words.folds.has(Fold::Leet);
            let first = self.rest(&trie, 0, any_spelt);
            self.go_on(START, &first);
        }
    }

    /// How words go on below `trie`, which is `depth` letters deep; whether any of these was written as a letter.
    fn rest(&mut self, trie: &Trie, depth: usize, any_spelt: bool) -> Rest {
        let next = trie.next.iter().map(|(&letter, below)| {
            let rest = self.rest(below, depth + 1, true);
            let spelt = self.after(letter, rest.clone(), None);
            let may_be_masked = any_spelt && self.may_be_masked(letter, below, depth);
            let masked = may_be_masked.then(|| self.after(letter, Rest { ends: false, ..rest }, None));
            let may_be_disguised = !any_spelt && self.class_index(Kind::Disguised(letter)).is_some();
            let disguised = may_be_disguised.then(|| {
                let rest = self.rest(below, depth + 1, false);
                self.after(letter, Rest { ends: false, ..rest }, Some(spelt))
            });
            NextLetter { letter, nodes: Nodes { spelt, disguised }, masked }
        });
        Rest { next: next.collect(), ends: trie.ends }
    }

    /// Of a short word too little would be left to know it by, and its first and last letters must be.
    fn may_be_masked(&self, letter: char, below: &Trie, depth: usize) -> bool {
        let after = below.next.values().map(|below| below.letters_to_end() + 1).min();
        self.words.folds.has(Fold::Masked)
            && !matches!(self.reading.joint, Joint::Blanks(_))
            && !letter.is_whitespace()
            && depth > 0
            && after.is_some_and(|after| depth + 1 + after >= MASKED_LETTERS)
    }

    /// The node after `letter`, from where `rest` may follow; `spelt` is its like for when a letter was written as one.
    fn after(&mut self, letter: char, rest: Rest, spelt: Option<u32>) -> u32 {
        let key = (self.reading, letter, rest, spelt);
        if let Some(&node) = self.nodes.get(&key) {
            return node;
        }
        let rest = &key.2;
        let within =
            Rest { ends: false, next: rest.next.iter().copied().filter(|next| !next.letter.is_whitespace()).collect() };
        // Nodes and edges are made in the order in which what is known of ends spreads to beginnings.
        let node = match self.reading.joint {
            _ if letter.is_whitespace() => self.chain(Kind::Blank, MAX_BLANKS - 1, rest),
            Joint::Nothing => self.node(),
            Joint::Signs(most) => self.chain(Kind::Sign, most, &within),
            Joint::Blanks(most) => self.chain(Kind::SignOrBlank, most, &within),
        };
        if letter.is_whitespace() || !matches!(self.reading.joint, Joint::Blanks(_)) {
            self.go_on(node, rest);
        }
        self.graph.nodes[node as usize].ends = rest.ends;
        if self.words.folds.has(Fold::Repeat) && !letter.is_whitespace() {
            let again = match spelt {
                Some(spelt) => Nodes { spelt, disguised: Some(node) },
                None => Nodes { spelt: node, disguised: None },
            };
            self.read(node, letter, again);
        }
        self.edge(node, Kind::Unseen, node);
        self.nodes.insert(key, node);
        node
    }

    /// A node from which up to `most` characters of a kind may be read before `rest` follows. Behind what is not seen the
    /// count begins anew: one place to come back to, where there would be one for each count.
    fn chain(&mut self, kind: Kind, most: usize, rest: &Rest) -> u32 {
        let links: Vec<u32> = (0..if rest.next.is_empty() { 0 } else { most }).map(|_| self.node()).collect();
        let node = self.node();
        // Links are numbered from the last.
        for (at, &link) in links.iter().enumerate() {
            self.go_on(link, rest);
            if at > 0 {
                self.edge(link, kind, links[at - 1]);
            }
        }
        if let Some(&first) = links.last() {
            links.iter().for_each(|&link| self.edge(link, Kind::Unseen, node));
            self.edge(node, kind, first);
        }
        node
    }

    fn go_on(&mut self, from: u32, rest: &Rest) {
        for &NextLetter { letter, nodes, masked } in &rest.next {
            self.read(from, letter, nodes);
            if let Some(masked) = masked {
                self.edge(from, Kind::Mask, masked);
            }
        }
    }

    /// Reads `letter` in all its spellings.
    fn read(&mut self, from: u32, letter: char, Nodes { spelt, disguised }: Nodes) {
        match disguised {
            _ if letter.is_whitespace() => self.edge(from, Kind::Blank, disguised.unwrap_or(spelt)),
            None => self.edge(from, Kind::Letter(letter), spelt),
            Some(disguised) => {
                self.edge(from, Kind::Spelt(letter), spelt);
                self.edge(from, Kind::Disguised(letter), disguised);
            }
        }
    }

    fn node(&mut self) -> u32 {
        self.graph.nodes.push(Node::default());
        self.graph.nodes.len() as u32 - 1
    }

    /// Leads from one node to another over a kind of character, if there is any of it.
    fn edge(&mut self, from: u32, kind: Kind, to: u32) {
        let class = self.class_index(kind);
        self.graph.nodes[from as usize].edges.extend(class.map(|class| Edge { class, to }));
    }

    fn class_index(&mut self, kind: Kind) -> Option<u32> {
        if let Some(&class) = self.classes.get(&(self.reading, kind)) {
            return class;
        }
        let class = self.class(kind).map(|class| {
            self.graph.classes.push(class);
            self.graph.classes.len() as u32 - 1
        });
        self.classes.insert((self.reading, kind), class);
        class
    }

    fn spellings(&mut self, letter: char, counts: impl Fn(char) -> bool) -> Option<ClassUnicode> {
        let Reading { joint, digits } = self.reading;
        let is_plain = matches!(joint, Joint::Blanks(_));
        let all = self.spellings.entry((is_plain, letter)).or_insert_with(|| {
            let folds = &self.words.folds;
            if is_plain { folds.only(&[Fold::Case, Fold::Leet]).spellings(letter) } else { folds.spellings(letter) }
        });
        let is_read = |c: &&char| (**c == letter || digits || !c.is_ascii_digit()) && counts(**c);
        let class = ClassUnicode::new(all.iter().filter(is_read).map(|&c| ClassUnicodeRange::new(c, c)));
        (!class.ranges().is_empty()).then_some(class)
    }

    fn class(&mut self, kind: Kind) -> Option<ClassUnicode> {
        let folds = &self.words.folds;
        match kind {
            Kind::Letter(letter) => self.spellings(letter, |_| true),
            Kind::Spelt(letter) => self.spellings(letter, |c| c == letter || c.is_alphabetic()),
            Kind::Disguised(letter) => self.spellings(letter, |c| c != letter && !c.is_alphabetic()),
            Kind::Unseen => Some(unseen(folds)).filter(|members| !members.is_empty()).map(|members| class_of(&members)),
            Kind::Mask => Some(class_of("*#")),
            Kind::Sign => Some(class_of(SIGNS)),
            Kind::SignOrBlank => Some(class_of(&format!("{SIGNS}{BLANKS}"))),
            Kind::Blank => Some(class_of(BLANKS)),
        }
    }
}

/// The node from which all words begin.
const START: u32 = 0;

/// What a reader does not see, where a fold takes it away, as the members of a class.
fn unseen(folds: &Folds) -> String {
    let invisible = folds.has(Fold::Nfkc) || folds.has(Fold::Confusables);
    let parts = [(invisible, INVISIBLE), (folds.has(Fold::Diacritics), MARKS)];
    parts.into_iter().filter(|(is_folded, _)| *is_folded).map(|(_, part)| part).collect()
}

/// The class with these members, written as inside brackets.
fn class_of(members: &str) -> ClassUnicode {
    let hir = regex_syntax::Parser::new().parse(&format!("[{members}]")).expect("the classes here are well formed");
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) => class,
        other => unreachable!("several characters are a class, not {other:?}"),
    }
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

    /// How many letters the shortest word below still has.
    fn letters_to_end(&self) -> usize {
        if self.ends { 0 } else { self.next.values().map(|node| node.letters_to_end() + 1).min().unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Channel, ChannelKind, Policy, Rule};

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

    fn policy(words: &Words) -> Policy {
        let rule = Rule::pattern("words", words.pattern().expect("good words")).max_len(256).flag();
        Policy::builder().rule(rule).build().expect("a sound rule")
    }

    fn finds_in(policy: &Policy, text: &str) -> bool {
        let mut channel = Channel::new(policy, ChannelKind::Text);
        let found = channel.push(text.as_bytes()).verdicts().len();
        found + channel.finish().verdicts().len() > 0
    }

    fn finds(words: &Words, text: &str) -> bool {
        finds_in(&policy(words), text)
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
            "\u{200b}darnit",
            "so \u{200b}\u{301}darnit\u{200b}!",
        ] {
            assert!(finds(&folded, text), "{text}");
        }
        for text in ["darn it", "She was darning it.", "dar nit", "d...a...r...n...i...t", "darnito"] {
            assert!(!finds(&folded, text), "{text}");
        }
    }

    #[test]
    fn a_word_within_another_is_not_one_however_they_are_written() {
        let folded = words(&["darn"], &EVERY);
        for text in [
            "ｄａｒｎｅｒ",
            "ｇｏｌdarn",
            "darn\u{301}er",
            "dar\u{308}n\u{308}e\u{308}r",
            "gol\u{200b}darn",
            "d\u{200b}a\u{200b}r\u{200b}n\u{200b}er",
        ] {
            assert!(!finds(&folded, text), "{text}");
        }
    }

    #[test]
    fn digits_and_signs_alone_are_no_word() {
        let folded = words(&["ass", "boob", "1488"], &EVERY);
        for text in ["a$s", "@ss", "8oob", "b00b", "1488", "1 4 8 8"] {
            assert!(finds(&folded, text), "{text}");
        }
        for text in ["455", "4.5.5", "8008", "$455,", "@$$", "4 5 5", "45s", "a55"] {
            assert!(!finds(&folded, text), "{text}");
        }
    }

    #[test]
    fn masks_stand_for_letters_within() {
        let masked = words(&["darn", "darnit", "sod"], &[Fold::Case, Fold::Masked]);
        for text in ["d*rn", "D**n", "da#n", "d*rnit", "darn*t", "dar*it", "sod"] {
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

    /// Lists and texts over a few letters, against an expression for each word.
    #[test]
    fn any_list_finds_what_an_expression_of_its_words_finds() {
        let mut seed = 0x5eed;
        let mut below = |n: usize| {
            seed = u64::wrapping_mul(seed, 6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize % n
        };
        let mut texts = 0;
        for case in 0..200 {
            let mut text = |most: usize, from: &str| -> String {
                (0..=below(most)).map(|_| char::from(from.as_bytes()[below(from.len())])).collect()
            };
            let list: Vec<String> = (0..3).map(|_| text(4, "aab ")).filter(|word| !word.trim().is_empty()).collect();
            if list.is_empty() {
                continue;
            }
            let list: Vec<&str> = list.iter().map(|word| word.trim()).collect();
            let policy = policy(&words(&list, &[Fold::Case, Fold::Repeat, Fold::Separators]));
            let expected = regex::Regex::new(&expression(&list)).expect("a good expression");
            for _ in 0..40 {
                let text = text(12, "aabAB  .-x1");
                assert_eq!(finds_in(&policy, &text), expected.is_match(&text), "case {case}: {list:?} in {text:?}");
                texts += 1;
            }
        }
        assert!(texts > 6000, "only {texts} texts");
    }

    /// What `Case`, `Repeat` and `Separators` with two separators mean, word by word.
    fn expression(list: &[&str]) -> String {
        let readings = list.iter().flat_map(|word| {
            let letters: Vec<char> = word.chars().collect();
            let spelled = |joint: &str| -> String {
                letters
                    .iter()
                    .enumerate()
                    .map(|(at, &letter)| match letters.get(at + 1) {
                        _ if letter == ' ' => " {1,3}".to_owned(),
                        Some(&next) if next != ' ' => format!("{letter}+{joint}"),
                        _ => format!("{letter}+"),
                    })
                    .collect()
            };
            let spaced = (letters.len() > 1 && !letters.contains(&' ')).then(|| spelled("[-. ]{1,2}"));
            [Some(spelled("[-.]{0,2}")), spaced].into_iter().flatten()
        });
        format!("(?i)(?:^|[^a-z0-9])(?:{})(?:$|[^a-z0-9])", readings.collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn a_list_that_would_take_all_memory_is_a_fault() {
        let letter = |number: u32| char::from(b'a' + (number % 26) as u8);
        let word =
            |number: u32| -> String { (0..9).map(|at| letter(number.wrapping_mul(0x9e37_79b9) >> (3 * at))).collect() };
        let list: Vec<String> = (1..=9000).map(word).collect();
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        let build = |folds: &[Fold]| {
            let pattern = words(&list, folds).pattern().expect("good words");
            Policy::builder().rule(Rule::pattern("words", pattern).max_len(256)).build()
        };
        build(&[Fold::Case]).expect("small enough");
        let error = build(&EVERY).expect_err("too many spellings");
        assert!(error.to_string().contains("too large"), "{error}");
    }

    #[test]
    fn an_empty_word_and_an_endless_one_are_faults() {
        let long = "a".repeat(65);
        for list in [&[][..], &["darn", " "], &[&long]] {
            assert!(words(list, &EVERY).pattern().is_err());
        }
        let far = Words { max_gap: 17, ..words(&["darn"], &EVERY) };
        assert!(far.pattern().is_err());
    }
}
