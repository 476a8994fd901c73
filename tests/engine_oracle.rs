//! The oracle is held against hand-made answers and against the definitions that it computes in a quicker way.

mod oracle;

use oracle::ast::{Act, Automata, Case, Class, Look, Mode, Node, PatternAst, RuleAst, Shape, Validator};
use oracle::ends::{self, Match};
use oracle::generate::{self, Context, Overflow, Shapes, Wish};
use oracle::live::Remainders;
use oracle::meaning::Meaning;
use oracle::property::property;
use oracle::write;
use oracle::{ast, rng::Rng};

const A: Node = Node::Class(Class(1));
const B: Node = Node::Class(Class(2));
const ONE: Node = Node::Class(Class(4));

fn pattern(body: Node) -> PatternAst {
    PatternAst {
        before: None,
        body,
        after: None,
        not_before: None,
        not_after: None,
        mode: Mode::All,
        validator: Validator::None,
    }
}

fn rule(pattern: PatternAst, action: Act) -> RuleAst {
    RuleAst { shape: Shape::Pattern(pattern), action, max_len: None }
}

fn case(rules: Vec<RuleAst>, text: &str) -> Case {
    Case { rules, max_hold: 4096, automata: Automata::One, text: text.into(), cut_seed: 0 }
}

fn output(rules: Vec<RuleAst>, text: &str) -> String {
    String::from_utf8(Meaning::of(&case(rules, text)).output()).expect("ASCII in, ASCII out")
}

fn some(node: Node) -> Node {
    Node::Repeat { node: Box::new(node), min: 1, max: None }
}

#[test]
fn every_start_and_every_end_matches() {
    let found = ends::matches(&pattern(some(A)), b"aab");
    let spans: Vec<_> = found.iter().map(|m| (m.start, m.end)).collect();
    assert_eq!(spans, [(0, 1), (0, 2), (1, 2)]);
}

#[test]
fn a_look_ahead_is_confirmed_by_the_next_letter_and_by_the_end() {
    let word = pattern(Node::Concat(vec![A, Node::Look(Look::WordEnd)]));
    assert_eq!(ends::matches(&word, b"a b"), [Match { start: 0, end: 1, confirmed: 2 }]);
    assert_eq!(ends::matches(&word, b"ba"), [Match { start: 1, end: 2, confirmed: 3 }]);
    assert_eq!(ends::matches(&word, b"ab"), []);
}

#[test]
fn context_is_not_part_of_a_match() {
    let pattern = PatternAst { before: Some(B), after: Some(ONE), ..pattern(A) };
    assert_eq!(ends::matches(&pattern, b"ba1a1"), [Match { start: 1, end: 2, confirmed: 3 }]);
    assert_eq!(output(vec![rule(pattern, Act::Drop)], "ba1a1"), "b1a1");
}

#[test]
fn overlapping_spans_are_replaced_once_and_touching_spans_apart() {
    let ab = || pattern(Node::Concat(vec![A, B]));
    let ba = || pattern(Node::Concat(vec![B, A]));
    assert_eq!(output(vec![rule(ab(), Act::Redact("<x>"))], "abab"), "<x><x>");
    let both = vec![rule(ba(), Act::Redact("<x>")), rule(ab(), Act::Redact("[{rule}]"))];
    assert_eq!(output(both, "aba"), "<x>");
}

#[test]
fn a_mask_shows_its_ends_only_where_its_rule_is_alone() {
    let mask = Act::Mask { keep_first: 1, keep_last: 0 };
    let word = || pattern(Node::Concat(vec![A, B, B]));
    let tail = || pattern(Node::Concat(vec![B, ONE]));
    assert_eq!(output(vec![rule(word(), mask)], "abb1"), "a**1");
    assert_eq!(output(vec![rule(word(), mask), rule(tail(), Act::Drop)], "abb1"), "****");
}

#[test]
fn the_shortest_match_ends_everything_begun_before_it() {
    let body = Node::Concat(vec![A, some(Node::Class(Class(0b11111))), B]);
    let shortest = PatternAst { mode: Mode::Shortest, ..pattern(body) };
    assert_eq!(output(vec![rule(shortest, Act::Redact("."))], "a1bb a1b"), ".b .");
}

#[test]
fn a_candidate_is_covered_from_where_it_outgrows_its_limit() {
    let body = Node::Concat(vec![some(A), B]);
    let limited = RuleAst { max_len: Some(3), ..rule(pattern(body), Act::Drop) };
    // Four of `a` are one candidate of four bytes: too long.
    assert_eq!(output(vec![limited.clone()], "aaaa1"), "1");
    assert_eq!(output(vec![limited], "aaa1"), "aaa1");
}

#[test]
fn nothing_at_or_behind_the_frontier_leaves_once_a_match_terminates() {
    let stop = || rule(pattern(Node::Concat(vec![B, B])), Act::Terminate);
    let long = rule(pattern(Node::Concat(vec![A, B, B, ONE])), Act::Drop);
    assert_eq!(output(vec![stop()], "1abb"), "1a");
    assert_eq!(output(vec![stop(), long], "1abb"), "1");
}

#[test]
fn the_regex_says_what_the_tree_says() {
    let body = Node::Concat(vec![
        Node::Alt(vec![A, Node::Class(Class(0b00111))]),
        Node::Repeat { node: Box::new(Node::Concat(vec![A, B])), min: 0, max: Some(2) },
        Node::Look(Look::LineEnd),
        Node::Class(Class(0b11010)),
    ]);
    assert_eq!(write::regex(&body), r"(?:a|\w)(?:ab){0,2}(?m:$)[^a1]");
}

/// Few and small, since the checks below try every continuation.
fn small_case(rng: &mut Rng, patience: usize) -> Case {
    const WISH: Wish =
        Wish { actions: &[Act::Drop], shapes: Shapes::AllMode, overflow: Overflow::Never, context: Context::Any };
    loop {
        let mut case = generate::case(rng, WISH);
        case.rules.truncate(2);
        case.text.truncate(5);
        if case.rules.iter().all(|rule| longest_wait(&whole(patterns(rule))) <= patience) {
            return case;
        }
    }
}

fn patterns(rule: &RuleAst) -> &PatternAst {
    rule.pattern().expect("only patterns were asked for")
}

fn whole(pattern: &PatternAst) -> Node {
    Node::Concat(vec![pattern.body.clone(), pattern.right()])
}

/// Letters enough to complete any beginning of it that can be completed.
fn longest_wait(node: &Node) -> usize {
    match node {
        Node::Empty => 0,
        Node::Class(_) | Node::Look(_) => 1,
        Node::Concat(parts) => parts.iter().map(longest_wait).sum(),
        Node::Alt(branches) => branches.iter().map(longest_wait).max().unwrap_or(0),
        Node::Repeat { node, min, .. } => min.max(&1) * longest_wait(node),
    }
}

/// `text` with every continuation of at most `letters` letters.
fn continuations(text: &[u8], letters: usize) -> Vec<Vec<u8>> {
    let mut all = vec![text.to_vec()];
    let mut from = 0;
    for _ in 0..letters {
        let to = all.len();
        for i in from..to {
            let shorter = all[i].clone();
            all.extend(ast::ALPHABET.iter().map(|&letter| [&shorter[..], &[letter]].concat()));
        }
        from = to;
    }
    all
}

/// Every way in which `rule` could match once more text is known, whatever its validator will say.
fn later_matches(rule: &RuleAst, known: usize, texts: &[Vec<u8>]) -> Vec<Match> {
    let all = texts.iter().flat_map(|text| ends::matches(patterns(rule), text));
    all.filter(|m| m.confirmed > known && m.start < known).collect()
}

#[test]
fn a_beginning_is_alive_if_some_continuation_completes_it() {
    property(
        "liveness",
        150,
        |rng| small_case(rng, 4),
        |case| {
            for rule in &case.rules {
                let starts = ends::starts(patterns(rule), &case.text);
                let alive = Remainders::new(whole(patterns(rule))).alive(&starts, &case.text);
                for (known, &alive) in alive.iter().enumerate() {
                    let texts = continuations(&case.text[..known], 4);
                    let mut by_definition = 0;
                    later_matches(rule, known, &texts).iter().for_each(|m| by_definition |= 1 << m.start);
                    if (alive ^ by_definition) & !certain(rule, case, known) != 0 {
                        return Err(format!("{known} known: {alive:b}, by definition {by_definition:b}"));
                    }
                }
            }
            Ok(())
        },
    );
}

/// Starts with a match that is certain already: whether a slower way to the same match counts as alive is open.
fn certain(rule: &RuleAst, case: &Case, known: usize) -> u32 {
    let found = ends::matches(patterns(rule), &case.text[..known]);
    found.iter().filter(|m| m.confirmed <= known).fold(0, |starts, m| starts | 1 << m.start)
}

#[test]
fn a_byte_may_leave_when_no_continuation_covers_it() {
    let without_right_context = |rng: &mut Rng| {
        loop {
            let case = small_case(rng, 3);
            // Behind a span whose right context is awaited a byte is decided, yet waits for the span's replacement.
            if case.rules.iter().all(|rule| patterns(rule).after.is_none()) {
                return case;
            }
        }
    };
    property("minimality", 60, without_right_context, |case| {
        let meaning = Meaning::of(case);
        for known in 0..=case.text.len() {
            let texts = continuations(&case.text[..known], 3);
            let mut covered = vec![false; case.text.len()];
            for segment in meaning.segments(known) {
                covered[segment.start..segment.end].fill(true);
            }
            let mut open = vec![false; known];
            for m in case.rules.iter().flat_map(|rule| later_matches(rule, known, &texts)) {
                open[m.start..m.end.min(known)].fill(true);
            }
            let first_open = (0..known).find(|&p| open[p] && !covered[p]).unwrap_or(known);
            let by_definition: Vec<bool> = (0..case.text.len()).map(|p| p < first_open && !covered[p]).collect();
            if meaning.kept(known) != by_definition {
                return Err(format!("{known} known: {:?}, by definition {by_definition:?}", meaning.kept(known)));
            }
        }
        Ok(())
    });
}
