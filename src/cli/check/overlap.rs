//! Rules that find the same.

use crate::cli::lines;
use holdback::rule::{Direction, Rule, RuleSet};
use holdback::{ChannelKind, Policy};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A rule of which everything that its own examples find is found by another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    pub(super) rule: String,
    other: String,
    standing: Standing,
}

/// Where the other one stands: the earlier of two rules names the replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Before,
    Behind,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = &self.other;
        match self.standing {
            Standing::Before => write!(
                f,
                "shadowed: `{other}`, which stands before it, finds all of its examples \
                 (help: put the narrower rule first, or drop it)"
            ),
            Standing::Behind => {
                write!(f, "`{other}` finds all of its examples, too (help: drop one of them if that is all)")
            }
        }
    }
}

/// The rules whose examples are all found by another rule of the set.
pub(super) fn overlaps(set: &RuleSet) -> Vec<Overlap> {
    let ids: Vec<&str> = set.rules().iter().map(Rule::id).collect();
    let mut overlaps = Vec::new();
    // Whatever they do and wherever they look, what counts is what they find.
    let everywhere = set.rules().iter().map(|rule| rule.clone().flag().direction(Direction::Both).channels([]));
    let Ok(policy) = Policy::builder().rules(everywhere).report_only().passthrough().build() else {
        // Faults are told where the set is built as it stands.
        return Vec::new();
    };
    for example in set.examples() {
        let id = example.rule.id();
        let Some(place) = ids.iter().position(|other| *other == id) else { continue };
        // Which other rules find everything that the examples so far find.
        let mut others: Option<BTreeSet<usize>> = None;
        for test in example.tests.iter().filter(|test| !test.finds.is_empty()) {
            let mut spans: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
            let verdicts = lines::verdicts(&policy, ChannelKind::Text, test.text.as_bytes());
            for verdict in &verdicts {
                spans.entry(&verdict.rule).or_default().push((verdict.span.start, verdict.span.end));
            }
            let own = spans.remove(id).unwrap_or_default();
            let covers = |other: &Vec<(u64, u64)>| {
                own.iter().all(|(start, end)| other.iter().any(|(from, to)| from <= start && end <= to))
            };
            let found = spans.iter().filter(|(_, other)| covers(other));
            let these: BTreeSet<usize> = found.filter_map(|(other, _)| ids.iter().position(|id| id == other)).collect();
            others = Some(match others {
                Some(others) => &others & &these,
                None => these,
            });
        }
        let others = others.unwrap_or_default();
        if let Some(&other) = others.iter().next() {
            let standing = if other < place { Standing::Before } else { Standing::Behind };
            overlaps.push(Overlap { rule: id.to_owned(), other: ids[other].to_owned(), standing });
        }
    }
    overlaps
}
