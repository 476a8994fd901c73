//! What must leave: spans, where each becomes certain, the frontier, the stop, and the text that is left.

use super::ast::{Act, BlockAst, Case, Mode, Node, PatternAst, RuleAst, Shape, Unclosed};
use super::ends::{self, Match};
use super::live::Remainders;
use super::write::id;

/// A byte range that a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub rule: usize,
    pub start: usize,
    pub end: usize,
    /// The bytes that must be known before it is certain; one more than the text has for its end.
    pub confirmed: usize,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    Match,
    Overflow,
    Unclosed,
}

/// A verdict that must fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub rule: usize,
    pub start: usize,
    pub end: usize,
    pub why: Why,
    /// The bytes that are known when nothing can be added to it any more.
    pub known: usize,
}

/// Where the text ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub rule: usize,
    pub start: usize,
    pub end: usize,
    /// The bytes that were known when it fell.
    pub at: usize,
    /// Nothing from here on leaves.
    pub limit: usize,
}

/// Everything that follows from a [`Case`].
pub struct Meaning<'a> {
    case: &'a Case,
    /// Spans of every rule, whatever its action.
    pub spans: Vec<Span>,
    /// For each number of known bytes, the earliest byte that a continuation could still put into a span.
    pub frontier: Vec<usize>,
    pub stop: Option<Stop>,
    /// For each rule and number of known bytes, the starts of its spans that could still grow.
    growing: Vec<Vec<u32>>,
}

impl<'a> Meaning<'a> {
    pub fn of(case: &'a Case) -> Meaning<'a> {
        let len = case.text.len();
        let mut spans = Vec::new();
        let mut frontier: Vec<usize> = (0..=len).chain([len]).collect();
        let mut growing = Vec::new();
        for (index, rule) in case.rules.iter().enumerate() {
            let RuleMeaning { spans: found, alive, growing: grows } = rule_meaning(index, rule, case);
            spans.extend(found);
            growing.push(grows);
            if rule.action != Act::Flag {
                for (known, starts) in alive.iter().enumerate().filter(|&(_, &starts)| starts != 0) {
                    frontier[known] = frontier[known].min(starts.trailing_zeros() as usize);
                }
            }
        }
        let mut meaning = Meaning { case, spans, frontier, stop: None, growing };
        meaning.stop = meaning.first_stop();
        meaning
    }

    /// The text that leaves once the whole text is known.
    pub fn output(&self) -> Vec<u8> {
        let segments = self.segments(usize::MAX);
        let limit = self.stop.map_or(self.case.text.len(), |stop| stop.limit);
        let mut output = Vec::new();
        let mut at = 0;
        for segment in &segments {
            output.extend_from_slice(&self.case.text[at.min(limit)..segment.start.min(limit)]);
            if segment.end <= limit {
                output.extend_from_slice(&segment.replacement(self.case));
            }
            at = segment.end;
        }
        output.extend_from_slice(&self.case.text[at.min(limit)..limit]);
        output
    }

    /// For each byte, whether it may leave as it is when the first `known` bytes of the text are known.
    pub fn kept(&self, known: usize) -> Vec<bool> {
        let stopped = self.stop.filter(|stop| stop.at <= known).map_or(usize::MAX, |stop| stop.limit);
        let end = self.frontier[known].min(stopped);
        let mut kept = vec![false; self.case.text.len()];
        kept[..end].fill(true);
        for span in self.spans.iter().filter(|span| self.covers(span) && span.confirmed <= known) {
            kept[span.start..span.end].fill(false);
        }
        kept
    }

    /// What is reported, in order, but for the verdict that ends the text.
    ///
    /// Each run of a rule's overlapping spans is reported once: when no open beginning can add to it, or when the
    /// text ends or is ended. Of the rule that ended it, the ending stands for what it overlaps.
    pub fn reports(&self) -> Vec<Report> {
        let last = self.stop.map_or(self.case.text.len() + 1, |stop| stop.at);
        let mut reports: Vec<Report> = Vec::new();
        for known in 0..=last {
            let merged = self.merged(known);
            let reported = reports.len();
            let is_new = |report: &&Report| !reports[..reported].iter().any(|old| old.same_place(report));
            let is_final =
                |report: &&Report| known == last || self.growing[report.rule][known] & begun_before(report.end) == 0;
            let new: Vec<Report> = merged.iter().filter(is_new).filter(is_final).copied().collect();
            reports.extend(new);
        }
        reports
    }

    /// The spans that may have ended the text: of those that fall together and begin together, any.
    pub fn endings(&self) -> Vec<Span> {
        let is_stop = |span: &&Span| {
            self.stop.is_some_and(|stop| (stop.rule, stop.start, stop.at) == (span.rule, span.start, span.confirmed))
        };
        self.spans.iter().filter(|span| self.ends_the_text(span)).filter(is_stop).copied().collect()
    }

    /// The reports of all rules as far as their spans are certain, ordered by their ends.
    fn merged(&self, known: usize) -> Vec<Report> {
        let stop = self.stop.filter(|stop| stop.at == known);
        let mut reports = Vec::new();
        for rule in 0..self.case.rules.len() {
            let of_rule = |span: &&Span| span.rule == rule && span.confirmed <= known && !self.ends_the_text(span);
            for segment in merge(self.spans.iter().filter(of_rule).copied().collect()) {
                let Segment { start, end, rules } = segment;
                let why = rules.iter().map(|&(_, why)| why).max().expect("a segment has a span");
                reports.push(Report { rule, start, end, why, known });
            }
        }
        reports.retain(|report| {
            stop.is_none_or(|stop| report.rule != stop.rule || report.end <= stop.start || stop.end <= report.start)
        });
        reports.sort_by_key(|report| (report.end, report.start, report.rule));
        reports
    }

    /// Runs of overlapping spans of rules that cover, as far as they were certain when the text stopped.
    pub fn segments(&self, known: usize) -> Vec<Segment> {
        let known = known.min(self.stop.map_or(usize::MAX, |stop| stop.at));
        let covering = |span: &&Span| self.covers(span) && span.confirmed <= known;
        merge(self.spans.iter().filter(covering).copied().collect())
    }

    pub fn covers(&self, span: &Span) -> bool {
        self.case.rules[span.rule].covers() && !self.ends_the_text(span)
    }

    /// Runs of overlapping spans of a rule, as far as they were certain when so many bytes were known.
    pub fn runs(&self, rule: usize, known: usize) -> Vec<(usize, usize)> {
        let of_rule = |span: &&Span| span.rule == rule && span.confirmed <= known && !self.ends_the_text(span);
        let spans = self.spans.iter().filter(of_rule).copied().collect();
        merge(spans).into_iter().map(|segment| (segment.start, segment.end)).collect()
    }

    fn ends_the_text(&self, span: &Span) -> bool {
        let rule = &self.case.rules[span.rule];
        let unclosed_ends = match &rule.shape {
            Shape::Block(block) => block.unclosed == Unclosed::Terminate && span.why == Why::Unclosed,
            Shape::Pattern(_) => false,
        };
        rule.action == Act::Terminate || unclosed_ends
    }

    fn first_stop(&self) -> Option<Stop> {
        let stops = self.spans.iter().filter(|span| self.ends_the_text(span));
        let first = stops.min_by_key(|span| (span.confirmed, span.start, span.rule))?;
        let limit = self.frontier[first.confirmed].min(first.start);
        Some(Stop { rule: first.rule, start: first.start, end: first.end, at: first.confirmed, limit })
    }
}

impl Report {
    fn same_place(&self, other: &Report) -> bool {
        (self.rule, self.start, self.end) == (other.rule, other.start, other.end)
    }
}

/// A run of overlapping spans, replaced once.
#[derive(Clone, Debug)]
pub struct Segment {
    pub start: usize,
    pub end: usize,
    /// The rules in it and why, least first: the first names the replacement.
    pub rules: Vec<(usize, Why)>,
}

impl Segment {
    /// What takes its place.
    fn replacement(&self, case: &Case) -> Vec<u8> {
        let (first, _) = self.rules[0];
        let alone = self.rules.iter().all(|&(rule, _)| rule == first);
        let text = &case.text[self.start..self.end];
        let too_long = text.len() > case.max_hold;
        match case.rules[first].action {
            Act::Redact(template) => {
                let len = if too_long { "unknown".to_owned() } else { text.len().to_string() };
                template.replace("{rule}", &id(first)).replace("{len}", &len).into_bytes()
            }
            Act::Drop => Vec::new(),
            Act::Mask { keep_first, keep_last } => {
                if too_long {
                    return format!("[{}]", id(first)).into_bytes();
                }
                let shows = alone && keep_first + keep_last < text.len();
                let (keep_first, keep_last) = if shows { (keep_first, keep_last) } else { (0, 0) };
                let hidden = keep_first..text.len() - keep_last;
                text.iter().enumerate().map(|(i, &byte)| if hidden.contains(&i) { b'*' } else { byte }).collect()
            }
            Act::Flag | Act::Terminate | Act::Hold => unreachable!("a segment holds only rules that cover"),
        }
    }
}

/// Spans that touch stay apart, spans that overlap become one.
fn merge(mut spans: Vec<Span>) -> Vec<Segment> {
    spans.sort_by_key(|span| (span.start, span.end));
    let mut segments: Vec<Segment> = Vec::new();
    for span in spans {
        match segments.last_mut().filter(|segment| span.start < segment.end) {
            Some(segment) => {
                segment.end = segment.end.max(span.end);
                segment.rules.push((span.rule, span.why));
            }
            None => segments.push(Segment { start: span.start, end: span.end, rules: vec![(span.rule, span.why)] }),
        }
    }
    segments.iter_mut().for_each(|segment| segment.rules.sort());
    segments
}

/// What one rule says about the text.
struct RuleMeaning {
    spans: Vec<Span>,
    /// For each number of known bytes, the starts of beginnings that hold bytes back.
    alive: Vec<u32>,
    /// The same with open blocks, which hold nothing.
    growing: Vec<u32>,
}

fn rule_meaning(index: usize, rule: &RuleAst, case: &Case) -> RuleMeaning {
    let hold = rule.max_len.unwrap_or(usize::MAX).min(case.max_hold);
    let mut meaning = match &rule.shape {
        Shape::Pattern(pattern) => pattern_meaning(index, pattern, hold, &case.text),
        Shape::Block(block) => block_meaning(index, block, &case.text),
    };
    if rule.action != Act::Flag {
        meaning.spans.extend(overflow(index, &meaning.alive, hold));
    }
    meaning
}

fn pattern_meaning(rule: usize, pattern: &PatternAst, hold: usize, text: &[u8]) -> RuleMeaning {
    // What outgrows its limit is not kept, so its validator is not asked.
    let accepted = |m: &Match| m.end - m.start > hold || pattern.validator.accepts(&text[m.start..m.end]);
    let matches: Vec<Match> = ends::matches(pattern, text).into_iter().filter(accepted).collect();
    let whole = Node::Concat(vec![pattern.body.clone(), pattern.right()]);
    let mut alive = Remainders::new(whole).alive(&ends::starts(pattern, text), text);
    let matches = match pattern.mode {
        Mode::All => matches,
        Mode::Shortest => shortest(&matches, &mut alive),
    };
    let span = |m: &Match| Span { rule, start: m.start, end: m.end, confirmed: m.confirmed, why: Why::Match };
    RuleMeaning { spans: matches.iter().map(span).collect(), growing: alive.clone(), alive }
}

/// A match ends at the first byte at which it can; everything begun before ends with it.
fn shortest(matches: &[Match], alive: &mut [u32]) -> Vec<Match> {
    let mut kept = Vec::new();
    let mut from = 0;
    for (end, alive) in alive.iter_mut().enumerate() {
        let first = kept.len();
        kept.extend(matches.iter().filter(|m| m.end == end && m.start >= from));
        if kept.len() > first {
            from = end;
        }
        *alive &= !begun_before(from);
    }
    kept
}

/// Each opening begins a block of its own, which ends at its longest or at the first end of a closing that begins at
/// or after the opening's end. A closing ends everything begun before.
fn block_meaning(rule: usize, block: &BlockAst, text: &[u8]) -> RuleMeaning {
    let opens = ends::substrings(&block.open, text);
    let closes = ends::substrings(&block.close, text);
    let mut alive = Remainders::new(block.open.clone()).alive(&Vec::from_iter(0..text.len()), text);
    let mut spans = Vec::new();
    let mut growing = Vec::new();
    let mut from = 0;
    let longest = |open: &Match| open.confirmed.max(open.start + block.max_len);
    for (known, alive) in alive.iter_mut().enumerate() {
        let is_open = |open: &&Match| open.start >= from && open.confirmed <= known && known <= longest(open);
        let closed = |open: &&Match| closes.iter().any(|close| close.start >= open.end && close.end == known);
        let span = |open: &Match, why| Span { rule, start: open.start, end: known, confirmed: known, why };
        let ends: Vec<Span> = opens.iter().filter(is_open).filter(closed).map(|open| span(open, Why::Match)).collect();
        // What is open is covered as it comes, closed or not.
        spans.extend(
            opens.iter().filter(is_open).map(|open| span(open, Why::Match)).filter(|open| open.end > open.start),
        );
        if ends.is_empty() {
            let over = opens.iter().filter(is_open).filter(|open| known == longest(open));
            spans.extend(over.map(|open| span(open, Why::Unclosed)));
        } else {
            spans.extend(ends);
            from = known;
        }
        *alive &= !begun_before(from);
        let goes_on = |open: &&Match| open.start >= from && open.confirmed <= known && known < longest(open);
        growing.push(opens.iter().filter(goes_on).fold(*alive, |starts, open| starts | 1 << open.start));
    }
    let unclosed = opens.iter().filter(|open| open.start >= from && longest(open) > text.len());
    spans.extend(unclosed.map(|open| Span {
        rule,
        start: open.start,
        end: text.len(),
        confirmed: text.len() + 1,
        why: Why::Unclosed,
    }));
    RuleMeaning { spans, alive, growing }
}

/// A candidate that grows beyond `hold` without being decided is covered as far as it came.
fn overflow(rule: usize, alive: &[u32], hold: usize) -> Vec<Span> {
    let mut spans = Vec::new();
    for (known, starts) in alive.iter().enumerate() {
        for start in (0..known.saturating_sub(hold)).filter(|start| starts >> start & 1 == 1) {
            spans.push(Span { rule, start, end: known, confirmed: known, why: Why::Overflow });
        }
    }
    spans
}

fn begun_before(position: usize) -> u32 {
    (1 << position) - 1
}
