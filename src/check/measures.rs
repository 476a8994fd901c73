//! From what a service finds to what becomes of a passage.

use crate::hold::{Judgement, Ruling};
use crate::rule::service::{Measure, Measures};
use std::ops::Range;
use std::sync::Arc;

/// Something that a service has found in a passage.
///
/// ```
/// use holdback::check::{Finding, Measure, Measures};
/// use holdback::hold::Ruling;
///
/// let measures = Measures::new(Measure::Flag).category("hate", Measure::Terminate).threshold(0.6);
/// let judgement = measures.judge([Finding::new("spam").score(0.9), Finding::new("hate").score(0.5)]);
/// assert_eq!((judgement.ruling, judgement.category.as_deref()), (Ruling::Flag, Some("spam")));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is.
    pub category: Arc<str>,
    /// How sure the service is, 0 to 1; `None` where it only says that it is there.
    pub score: Option<f64>,
    /// Which bytes of the passage it is; `None` for all of it.
    pub span: Option<Range<usize>>,
}

impl Finding {
    /// A finding of this category, in all of the passage.
    pub fn new(category: impl Into<Arc<str>>) -> Finding {
        Finding { category: category.into(), score: None, span: None }
    }

    /// Says how sure the service is, 0 to 1.
    pub fn score(self, score: f64) -> Finding {
        Finding { score: Some(score), ..self }
    }

    /// Says which bytes of the passage it is.
    pub fn span(self, span: Range<usize>) -> Finding {
        Finding { span: Some(span), ..self }
    }
}

impl Measures {
    /// What findings of this category lead to, and from which score on, where that is said.
    pub(super) fn of(&self, category: &str) -> (Measure, Option<f64>) {
        let (measure, threshold) = self.categories.get(category).copied().unwrap_or((self.otherwise, None));
        (measure, threshold.or(self.threshold))
    }

    /// The measures of labels that each have a threshold: their own, unless another is said.
    pub(super) fn of_labels<'a>(&self, labels: impl Iterator<Item = (&'a str, f64)>) -> Measures {
        labels.fold(Measures::new(Measure::Ignore), |all, (label, own)| {
            let (measure, threshold) = self.of(label);
            all.category_from(label, measure, threshold.unwrap_or(own))
        })
    }

    /// A category that is spoken of, and is not one of these.
    pub(super) fn unknown<'a>(&self, known: impl Iterator<Item = &'a str>) -> Option<&str> {
        let known: Vec<&str> = known.collect();
        self.categories.keys().map(|name| &**name).find(|name| !known.contains(name))
    }

    /// A threshold that no score can be.
    pub(super) fn bad_threshold(&self) -> Option<f64> {
        let mut thresholds = self.categories.values().filter_map(|(_, threshold)| *threshold).chain(self.threshold);
        thresholds.find(|threshold| !(0.0..=1.0).contains(threshold))
    }

    /// What findings in a passage lead to: the most severe measure that any of them asks for.
    pub fn judge(&self, findings: impl IntoIterator<Item = Finding>) -> Judgement {
        let counted: Vec<(Measure, Finding)> = findings
            .into_iter()
            .filter_map(|finding| {
                let (measure, threshold) = self.of(&finding.category);
                let threshold = threshold.unwrap_or(0.5);
                // What is no number counts as sure.
                let counts = finding.score.is_none_or(|score| score.is_nan() || score >= threshold);
                (counts && measure != Measure::Ignore).then_some((measure, finding))
            })
            .collect();
        let score = |finding: &Finding| finding.score.unwrap_or(1.0);
        let worst = counted.iter().max_by(|(measure, finding), (other, another)| {
            measure.cmp(other).then(score(finding).total_cmp(&score(another)))
        });
        let Some((measure, worst)) = worst else { return Judgement::clear() };
        let ruling = match measure {
            Measure::Terminate => Ruling::Terminate,
            Measure::Redact => redaction(&counted),
            Measure::Flag | Measure::Ignore => Ruling::Flag,
        };
        let judgement = Judgement::of(ruling).category(worst.category.clone());
        match worst.score {
            Some(score) => judgement.score(score),
            None => judgement,
        }
    }
}

/// What is to be redacted of what was found.
fn redaction(counted: &[(Measure, Finding)]) -> Ruling {
    let redacted = counted.iter().filter(|(measure, _)| *measure == Measure::Redact);
    let spans: Option<Vec<Range<usize>>> = redacted.map(|(_, finding)| finding.span.clone()).collect();
    spans.map_or(Ruling::Redact, Ruling::RedactSpans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_severe_measure_wins() {
        let measures = Measures::default().category("a", Measure::Flag).category_from("b", Measure::Terminate, 0.9);
        let a = Finding::new("a").score(0.99);
        for (findings, ruling, category) in [
            (vec![], Ruling::Clear, None),
            (vec![a.clone()], Ruling::Flag, Some("a")),
            (vec![a.clone(), Finding::new("b").score(0.8)], Ruling::Flag, Some("a")),
            (vec![a.clone(), Finding::new("b").score(0.9)], Ruling::Terminate, Some("b")),
            (vec![a.clone(), Finding::new("c")], Ruling::Redact, Some("c")),
            (vec![Finding::new("c").score(0.49)], Ruling::Clear, None),
            (vec![Finding::new("c").score(f64::NAN)], Ruling::Redact, Some("c")),
        ] {
            let judgement = measures.judge(findings);
            assert_eq!((judgement.ruling, judgement.category.as_deref()), (ruling, category));
        }
    }

    #[test]
    fn only_what_was_found_is_redacted_where_that_is_told() {
        let spans = Measures::default().judge([Finding::new("x").span(1..2), Finding::new("y").span(4..6)]);
        assert_eq!(spans.ruling, Ruling::RedactSpans(vec![1..2, 4..6]));
        let whole = Measures::default().judge([Finding::new("x").span(1..2), Finding::new("y")]);
        assert_eq!(whole.ruling, Ruling::Redact);
    }
}
