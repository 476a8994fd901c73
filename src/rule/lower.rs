//! From what people write to what the automaton is built from: a left context that is free, a span that is
//! held and covered, and a short right context that confirms it.

use super::graph::CharGraph;
use super::pattern::{Block, Case, Mode, Pattern, Unicode};
use super::{Matcher, Rule};
use crate::error::Fault;
use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look, Repetition};
use std::sync::Arc;

/// Context after the captured group must be at most this long: each of its bytes is a byte of delay.
const MAX_RIGHT_CONTEXT: usize = 32;

/// A pattern the automaton can be built from.
#[derive(Clone, Debug)]
pub(crate) struct Lowered {
    /// Group 1 is the span; without it the whole match is. In a block group 1 is the opening.
    pub(crate) hir: Hir,
    /// What really stands in place of group 1, whose expression then is only its place.
    pub(crate) graph: Option<Arc<CharGraph>>,
    pub(crate) shape: Shape,
    pub(crate) mode: Mode,
    /// The longest span and right context in bytes, `None` where the pattern has no bound.
    pub(crate) longest: Option<usize>,
}

impl Lowered {
    /// Of a block only its opening, as a pattern of its own.
    pub(crate) fn opening(&self) -> Lowered {
        let open = match self.hir.kind() {
            HirKind::Concat(parts) => without_captures(&parts[0]),
            _ => self.hir.clone(),
        };
        let longest = open.properties().maximum_len();
        Lowered { hir: open, graph: None, shape: Shape::Whole, mode: Mode::All, longest }
    }
}

/// What group 1 of a [`Lowered`] pattern means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// There is none: the whole match is the span.
    Whole,
    /// It is the span, the rest is context.
    Captured,
    /// It is the opening; from its end on everything is covered as it comes.
    Block,
}

/// Lowers a rule's matcher, or says everything that is wrong with it.
pub(crate) fn lower(rule: &Rule) -> Result<Lowered, Vec<Fault>> {
    let lowered = match &rule.matcher {
        Matcher::Pattern(pattern) => lower_pattern(pattern),
        Matcher::Block(block) => lower_block(block),
    };
    lowered.map_err(|faults| faults.into_iter().map(|fault| fault.rule(&rule.id)).collect())
}

fn lower_pattern(pattern: &Pattern) -> Result<Lowered, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut take = |result: Result<Hir, Fault>| result.map_err(|fault| faults.push(fault)).ok();
    let hir = take(parse(&pattern.regex, pattern.case, pattern.unicode));
    let before = pattern.not_before.as_deref().and_then(|class| take(complement("not_before", class)));
    let after = pattern.not_after.as_deref().and_then(|class| take(complement("not_after", class)));
    let Some(hir) = hir else { return Err(faults) };
    if !faults.is_empty() {
        return Err(faults);
    }

    let (mut left, span, mut right) = match &pattern.capture {
        None => (Vec::new(), without_captures(&hir), Vec::new()),
        Some(name) => split_at_capture(&hir, name).map_err(|fault| vec![fault])?,
    };
    match before {
        Some(class) => left.insert(0, Hir::alternation(vec![Hir::look(Look::Start), class])),
        None => strip_nullable_front(&mut left),
    }
    if let Some(class) = after {
        right.push(Hir::alternation(vec![class, Hir::look(Look::End)]));
    }
    let right = Hir::concat(right);
    check_span(&span, "the pattern").map_err(|fault| vec![fault])?;
    let Some(right_len) = right.properties().maximum_len().filter(|&len| len <= MAX_RIGHT_CONTEXT) else {
        return Err(vec![
            Fault::new(format!("what stands after the captured group may be longer than {MAX_RIGHT_CONTEXT} bytes"))
                .remedy("bound it, for example by {0,8} in place of *, or move it into the group"),
        ]);
    };
    if pattern.mode == Mode::Shortest {
        let looks = [&span, &right].iter().any(|hir| !hir.properties().look_set().is_empty()) || right_len > 0;
        if looks {
            return Err(vec![
                Fault::new("a `shortest` pattern cannot have look-around, `not_after` or text after its group")
                    .remedy("write the boundary into the pattern, or use the default mode"),
            ]);
        }
    }
    let longest = match &pattern.spelled {
        Some(spelled) => spelled.graph.longest(),
        None => span.properties().maximum_len(),
    };
    let longest = longest.map(|len| len + right_len);
    let whole = pattern.spelled.is_none() && left.is_empty() && matches!(right.kind(), HirKind::Empty);
    let (hir, shape) = if whole {
        (span, Shape::Whole)
    } else {
        left.push(group(span));
        left.push(right);
        (Hir::concat(left), Shape::Captured)
    };
    check_looks(&hir).map_err(|fault| vec![fault])?;
    let graph = pattern.spelled.as_ref().map(|spelled| spelled.graph.clone());
    Ok(Lowered { hir, graph, shape, mode: pattern.mode, longest })
}

fn lower_block(block: &Block) -> Result<Lowered, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut part = |what: &str, regex: &str| {
        let hir = parse(regex, block.case, Unicode::Ascii).and_then(|hir| {
            let hir = without_captures(&hir);
            check_span(&hir, what)?;
            check_looks(&hir)?;
            Ok(hir)
        });
        hir.map_err(|fault| faults.push(fault)).ok()
    };
    let open = part("a block's `open`", &block.open);
    let close = part("a block's `close`", &block.close);
    if let Some(close) = &close
        && !close.properties().look_set().is_empty()
    {
        faults.push(
            Fault::new("a block's `close` cannot have look-around")
                .remedy("write the characters before or after it into `close`"),
        );
    }
    if let Some(open) = &open
        && !open.properties().look_set_suffix_any().is_empty()
    {
        faults.push(
            Fault::new("a block's `open` cannot end in look-around").remedy("write the character after it into `open`"),
        );
    }
    if block.max_len == 0 {
        faults.push(Fault::new("a block's `max_len` is 0").remedy("give the longest block in bytes, such as 16384"));
    }
    match (open, close) {
        (Some(open), Some(close)) if faults.is_empty() => Ok(Lowered {
            hir: Hir::concat(vec![group(open), any_bytes(), close]),
            graph: None,
            shape: Shape::Block,
            mode: Mode::Shortest,
            longest: None,
        }),
        _ => Err(faults),
    }
}

fn parse(regex: &str, case: Case, unicode: Unicode) -> Result<Hir, Fault> {
    regex_syntax::ParserBuilder::new()
        .utf8(false)
        .unicode(unicode == Unicode::Unicode)
        .case_insensitive(case == Case::AsciiInsensitive)
        .build()
        .parse(regex)
        .map_err(|error| match &error {
            regex_syntax::Error::Parse(error) => Fault::new(format!("cannot read the pattern: {}", error.kind())),
            regex_syntax::Error::Translate(error) => Fault::new(format!("cannot read the pattern: {}", error.kind()))
                .remedy("patterns see bytes unless `unicode = true`"),
            _ => Fault::new(format!("cannot read the pattern: {error}")),
        })
}

/// Every character that is not in `class`, as one code point, or one byte where the class is ASCII.
fn complement(what: &str, class: &str) -> Result<Hir, Fault> {
    let not_a_class =
        || Fault::new(format!("`{what}` is not one class of characters")).remedy("write it like `[A-Za-z0-9_]`");
    let hir = regex_syntax::Parser::new().parse(class).map_err(|_| not_a_class())?;
    let mut class = match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => class.clone(),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).map_err(|_| not_a_class())?;
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => {
                    regex_syntax::hir::ClassUnicode::new([regex_syntax::hir::ClassUnicodeRange::new(c, c)])
                }
                _ => return Err(not_a_class()),
            }
        }
        _ => return Err(not_a_class()),
    };
    if class.is_ascii() {
        let mut bytes =
            ClassBytes::new(class.ranges().iter().map(|r| ClassBytesRange::new(r.start() as u8, r.end() as u8)));
        bytes.negate();
        Ok(Hir::class(Class::Bytes(bytes)))
    } else {
        class.negate();
        Ok(Hir::class(Class::Unicode(class)))
    }
}

/// What stands before the group called `name`, the group's inside, and what stands after it.
fn split_at_capture(hir: &Hir, name: &str) -> Result<(Vec<Hir>, Hir, Vec<Hir>), Fault> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some(name) => {
            Ok((Vec::new(), without_captures(&capture.sub), Vec::new()))
        }
        HirKind::Capture(capture) => split_at_capture(&capture.sub, name),
        HirKind::Concat(parts) => {
            let Some(at) = parts.iter().position(|part| has_capture(part, name)) else {
                return Err(no_capture(name));
            };
            let (inner_left, span, inner_right) = split_at_capture(&parts[at], name)?;
            let left = parts[..at].iter().map(without_captures).chain(inner_left).collect();
            let right = inner_right.into_iter().chain(parts[at + 1..].iter().map(without_captures)).collect();
            Ok((left, span, right))
        }
        _ if has_capture(hir, name) => {
            Err(Fault::new(format!("the group `{name}` is repeated or does not take part in every match"))
                .remedy("let the group stand outside of `|`, `*`, `+`, `?` and `{}`"))
        }
        _ => Err(no_capture(name)),
    }
}

fn no_capture(name: &str) -> Fault {
    Fault::new(format!("the pattern has no group called `{name}`")).remedy(format!("write it as (?P<{name}>...)"))
}

fn has_capture(hir: &Hir, name: &str) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => capture.name.as_deref() == Some(name) || has_capture(&capture.sub, name),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(|part| has_capture(part, name)),
        HirKind::Repetition(repetition) => has_capture(&repetition.sub, name),
        _ => false,
    }
}

/// The same language without its groups: only the span may be one.
fn without_captures(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Capture(capture) => without_captures(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(without_captures).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(without_captures).collect()),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(without_captures(&repetition.sub)),
            min: repetition.min,
            max: repetition.max,
            greedy: repetition.greedy,
        }),
        _ => hir.clone(),
    }
}

/// Context may begin anywhere, so what may be empty at its front changes nothing but the automaton's size.
fn strip_nullable_front(left: &mut Vec<Hir>) {
    let nullable = |hir: &Hir| hir.properties().minimum_len() == Some(0) && hir.properties().look_set().is_empty();
    let keep = left.iter().position(|hir| !nullable(hir)).unwrap_or(left.len());
    left.drain(..keep);
}

fn group(hir: Hir) -> Hir {
    Hir::capture(Capture { index: 1, name: None, sub: Box::new(without_captures(&hir)) })
}

fn any_bytes() -> Hir {
    let any = ClassBytes::new([ClassBytesRange::new(0, 255)]);
    Hir::repetition(Repetition { min: 0, max: None, greedy: false, sub: Box::new(Hir::class(Class::Bytes(any))) })
}

fn check_span(span: &Hir, what: &str) -> Result<(), Fault> {
    match span.properties().minimum_len() {
        Some(0) => Err(Fault::new(format!("{what} can match the empty text"))
            .remedy("ask for at least one character, for example by + in place of *")),
        Some(_) => Ok(()),
        None => Err(Fault::new(format!("{what} can never match"))),
    }
}

fn check_looks(hir: &Hir) -> Result<(), Fault> {
    let looks = hir.properties().look_set();
    if looks.contains_word_unicode() {
        return Err(Fault::new("Unicode word boundaries cannot be told from one byte of context")
            .remedy(r"use (?-u:\b), or `not_before` and `not_after`"));
    }
    if looks.contains(Look::StartCRLF) || looks.contains(Look::EndCRLF) {
        return Err(Fault::new("line anchors in CRLF mode are not supported").remedy("use (?m) without R"));
    }
    Ok(())
}
