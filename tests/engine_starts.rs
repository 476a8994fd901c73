//! Rules with validators where more starts are alive than are told apart: nothing that a validator accepts leaves, and
//! what does not match leaves.

mod oracle;

use holdback::rule::Validator;
use holdback::{Policy, Rule};
use oracle::ast::Automata;
use oracle::drive::{build, cuttings, run};
use oracle::rng::Rng;

/// As many starts of a rule are told apart, as the README says.
const TOLD_APART: usize = 63;

/// A pattern in two readings, and the validator of the rule.
struct Candidate {
    regex: &'static str,
    matches: fn(&[u8]) -> bool,
}

const CANDIDATES: [Candidate; 3] = [
    Candidate { regex: "[0-9]+", matches: |text| text.iter().all(u8::is_ascii_digit) },
    Candidate {
        regex: "[0-9][0-9a]*z",
        matches: |text| {
            text.len() > 1
                && text[0].is_ascii_digit()
                && text.ends_with(b"z")
                && text[..text.len() - 1].iter().all(|byte| byte.is_ascii_digit() || *byte == b'a')
        },
    },
    Candidate {
        regex: "[0-9](?:[0-9a]{2})*",
        matches: |text| {
            text.len() % 2 == 1
                && text[0].is_ascii_digit()
                && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'a')
        },
    },
];

/// Refuses most texts: the digits add up to a multiple of 97.
fn accepts(text: &[u8]) -> bool {
    text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0')).sum::<u32>() % 97 == 0
}

fn policy(candidate: &Candidate, automata: Automata) -> Policy {
    let rule = Rule::regex("sum", candidate.regex).remove().validate(Validator::new("sum", accepts));
    build(vec![rule], 16 << 10, automata).expect("sound rules")
}

/// Which bytes some match covers, of those that `counts`.
fn covered(text: &[u8], candidate: &Candidate, counts: impl Fn(&[u8]) -> bool) -> Vec<bool> {
    let mut covered = vec![false; text.len()];
    for start in 0..text.len() {
        for end in start + 1..=text.len() {
            let span = &text[start..end];
            if (candidate.matches)(span) && counts(span) {
                covered[start..end].fill(true);
            }
        }
    }
    covered
}

/// Runs of digits of which some are longer than the starts that are told apart.
fn text(rng: &mut Rng) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < 220 {
        let longest = if rng.chance(30) { 2 * TOLD_APART } else { 20 };
        let run = rng.below(longest);
        for _ in 0..run {
            text.push(if rng.chance(4) { b'a' } else { b'0' + rng.below(10) as u8 });
        }
        text.push(b"z -"[rng.below(3)]);
    }
    text
}

#[test]
fn too_many_starts_cover_more_and_never_less() {
    let mut merged = 0;
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let text = text(&mut rng);
        for candidate in &CANDIDATES {
            let exact = covered(&text, candidate, accepts);
            let most = covered(&text, candidate, |_| true);
            let mut first: Option<Vec<bool>> = None;
            for automata in Automata::ALL {
                let policy = policy(candidate, automata);
                for cuts in cuttings(text.len(), seed) {
                    let run = run(&policy, &text, &cuts).unwrap_or_else(|reason| panic!("seed {seed}: {reason}"));
                    let gone: Vec<bool> = run.left_at.iter().map(Option::is_none).collect();
                    let context = || format!("seed {seed}, {}, cuts {cuts:?}", candidate.regex);
                    for at in 0..text.len() {
                        assert!(gone[at] || !exact[at], "{}: byte {at} left", context());
                        assert!(!gone[at] || most[at], "{}: byte {at} is in no match", context());
                    }
                    assert_eq!(first.get_or_insert_with(|| gone.clone()), &gone, "{}", context());
                }
            }
            let few_starts = text.split(|byte| b"z -".contains(byte)).all(|run| run.len() <= TOLD_APART);
            let gone = first.expect("there are cuttings");
            merged += usize::from(gone != exact);
            assert!(!few_starts || gone == exact, "seed {seed}, {}: covers more than it must", candidate.regex);
        }
    }
    assert!(merged > 20, "only {merged} texts had too many starts");
}
