//! What no channel shows from outside: positions near the end of 32 bits, and where a stream steps.

use super::*;
use crate::rule::{Block, Mode, Pattern, Rule, lower};
use crate::scan::table::MAX_GROUPS;
use crate::scan::{Component, Role, RuleTraits, Size, Starts};

const COVER: RuleTraits =
    RuleTraits { role: Role::Cover, starts: Starts::Earliest, mode: Mode::All, overflow: None, block_len: None };

fn scanner(rules: &[(Rule, RuleTraits)], max_states: usize, shards: usize) -> Scanner {
    let component = |(rule, traits): &(Rule, RuleTraits)| {
        let lowered = lower(rule).expect("a sound rule");
        Component::new(&lowered, RuleTraits { mode: lowered.mode, ..*traits }).expect("small enough")
    };
    let rules: Vec<_> = rules.iter().map(component).collect();
    Scanner::new(&rules.iter().collect::<Vec<_>>(), Size { max_states, shards: Some(shards) })
}

/// A candidate that is open for long, one under a limit, a flag, a block, and a word.
fn rules() -> Vec<(Rule, RuleTraits)> {
    vec![
        (Rule::regex("open", r"x[a-z ]*!"), COVER),
        (Rule::regex("short", r"y[a-z]*!"), RuleTraits { overflow: Some(5), ..COVER }),
        (Rule::regex("flag", r"x\w+ "), RuleTraits { role: Role::Observe, ..COVER }),
        (Rule::block("block", Block::new("<", ">", 9)), RuleTraits { block_len: Some(9), ..COVER }),
        (Rule::pattern("word", Pattern::literal("go").not_after("o")), COVER),
    ]
}

const TEXT: &[u8] = b"go xab yabcdefg cd ! <go<abcdefghi goo> xy yx! go";

/// Hits, frontier and what is needed after each piece of `TEXT`.
fn walk(scanner: &Scanner, mut cursor: Cursor, piece: usize) -> Vec<(Vec<Hit>, u64, u64)> {
    let mut steps = Vec::new();
    for piece in TEXT.chunks(piece) {
        let mut rest = piece;
        let mut found = Vec::new();
        while !rest.is_empty() {
            let mut hits = Vec::new();
            rest = &rest[cursor.run(scanner, rest, &mut hits)..];
            found.extend(hits);
        }
        cursor.open_blocks(scanner, &mut found);
        steps.push((found, cursor.frontier(), cursor.needed_from()));
    }
    let mut hits = Vec::new();
    cursor.finish(scanner, &mut hits);
    steps.push((hits, cursor.frontier(), cursor.position()));
    steps
}

#[test]
fn positions_start_over_before_their_32_bits_end() {
    let threshold = 2 * MAX_LIMIT;
    for (max_states, shards) in [(1000, 1), (6, 1), (1000, 3), (18, 3)] {
        let scanner = scanner(&rules(), max_states, shards);
        assert_eq!(scanner.shards(), shards);
        for before in 0..=TEXT.len() as u32 {
            for piece in [1, 2, 7, TEXT.len()] {
                let at = threshold - before;
                let near = Cursor { position: Position { origin: 0, at }, ..Cursor::new(&scanner) };
                let far = Cursor { position: Position { origin: at.into(), at: 0 }, ..Cursor::new(&scanner) };
                let steps = walk(&scanner, near, piece);
                assert!(steps.iter().flat_map(|(hits, ..)| hits).count() > 5);
                assert_eq!(steps, walk(&scanner, far, piece), "{before} bytes before, in pieces of {piece}");
            }
        }
    }
}

#[test]
fn positions_start_over_within_a_long_push() {
    let scanner = scanner(&rules(), 1000, 2);
    let position = Position { origin: 0, at: 2 * MAX_LIMIT - 1 };
    let mut cursor = Cursor { position, ..Cursor::new(&scanner) };
    let read = cursor.run(&scanner, &[b'.'; 100], &mut Vec::new());
    assert_eq!((read, cursor.position()), (100, u64::from(2 * MAX_LIMIT) + 99));
    assert!(cursor.position.at < 2 * MAX_LIMIT, "{:?}", cursor.position);
}

/// Reads `bytes`, in which nothing matches, and says whether the cursor is in the table then.
fn is_in_table(cursor: &mut Cursor, scanner: &Scanner, bytes: &[u8]) -> bool {
    let mut hits = Vec::new();
    assert_eq!((cursor.run(scanner, bytes, &mut hits), hits.len()), (bytes.len(), 0));
    !cursor.places[0].is_loose()
}

#[test]
fn a_stream_that_left_a_full_table_comes_back() {
    let scanner = scanner(&[(Rule::literal("r", "abcdef"), COVER)], 4, 1);
    let mut cursor = Cursor::new(&scanner);
    assert!(is_in_table(&mut cursor, &scanner, b" ab"));
    assert!(!is_in_table(&mut cursor, &scanner, b"cd"));
    assert!(is_in_table(&mut cursor, &scanner, b" "));
    assert_eq!(scanner.states(), 4);
}

#[test]
fn a_stream_with_more_starts_than_the_ring_has_comes_back() {
    let every = RuleTraits { starts: Starts::Every, ..COVER };
    let rules = [(Rule::regex("r", "[a-z]+!"), every), (Rule::regex("s", "_[a-z]+!"), COVER)];
    let scanner = scanner(&rules, 1000, 1);
    let mut cursor = Cursor::new(&scanner);
    assert!(is_in_table(&mut cursor, &scanner, b" _"));
    assert!(is_in_table(&mut cursor, &scanner, &[b'a'; MAX_GROUPS - 1]));
    assert!(!is_in_table(&mut cursor, &scanner, b"a"));
    assert_eq!((cursor.frontier(), cursor.live_starts(&scanner)), (1, MAX_GROUPS + 1));
    assert!(is_in_table(&mut cursor, &scanner, b" "));
    assert_eq!(cursor.frontier(), cursor.position());
}

#[test]
fn too_many_starts_of_a_rule_become_one_of_each_state() {
    for max_states in [1000, 6] {
        let every = RuleTraits { starts: Starts::Every, ..COVER };
        let scanner = scanner(&[(Rule::regex("r", "[a-z]+!"), every)], max_states, 1);
        let mut cursor = Cursor::new(&scanner);
        let mut hits = Vec::new();
        cursor.run(&scanner, &[b'a'; MAX_GROUPS], &mut hits);
        assert_eq!(cursor.live_starts(&scanner), MAX_GROUPS);
        for _ in 0..1000 {
            cursor.run(&scanner, b"a", &mut hits);
            assert_eq!((cursor.frontier(), cursor.live_starts(&scanner)), (0, 1));
        }
        cursor.run(&scanner, b"!", &mut hits);
        let whole = Hit { kind: HitKind::Merged, rule: 0, start: 0, end: cursor.position() };
        assert_eq!(hits, [whole]);
    }
}
