//! How good a model is on texts that it has not seen.

use std::fmt;

/// With fewer held-out texts of a label its figures say little: at 20, a recall of 0.9 may as well be 0.7.
const FEW: usize = 20;

/// Below this area under the curve a label is as good as not learned; 0.5 is what guessing has.
const CHANCE: f64 = 0.6;

/// How a training went. Everything but the thresholds is measured on held-out texts alone.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Texts that the model was trained on.
    pub training: usize,
    /// Texts that the thresholds were chosen by.
    pub tuning: usize,
    /// Texts that it was measured on.
    pub held_out: usize,
    /// Every label, in the order of the model.
    pub labels: Vec<Measured>,
}

/// How well a model finds a label in texts that were held out.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// The label.
    pub label: String,
    /// From which probability on it counts as found.
    pub threshold: f64,
    /// Texts that have it, wherever they are used.
    pub texts: usize,
    /// What is found in held-out texts, and what is not.
    pub confusion: Confusion,
    /// The precision to expect, over all thresholds by what each adds to the recall. As high as the label is frequent
    /// if nothing was learned.
    pub average_precision: Option<f64>,
    /// How probable it is that a text with the label has a higher score than one without: 0.5 if nothing was learned.
    pub roc_auc: Option<f64>,
    /// What is to be known before the figures are believed.
    pub warnings: Vec<Warning>,
}

/// What a label's threshold makes of held-out texts.
///
/// ```
/// use holdback::check::linear::Confusion;
///
/// let confusion = Confusion { true_positives: 8, false_positives: 2, false_negatives: 8, true_negatives: 82 };
/// assert_eq!(confusion.precision(), Some(0.8));
/// assert_eq!(confusion.recall(), Some(0.5));
/// assert_eq!(Confusion::default().recall(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Texts that have the label, and it is found.
    pub true_positives: usize,
    /// Texts that do not have it, and it is found.
    pub false_positives: usize,
    /// Texts that have it, and it is not found.
    pub false_negatives: usize,
    /// Texts that do not have it, and it is not found.
    pub true_negatives: usize,
}

impl Confusion {
    /// Texts that have the label.
    pub fn positives(&self) -> usize {
        self.true_positives + self.false_negatives
    }

    /// Of those that are found, how many have the label; `None` if none is found.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Of those that have the label, how many are found; `None` if none has it.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positives, self.positives())
    }

    /// The harmonic mean of both; `None` if there is nothing to find and nothing is found.
    pub fn f1(&self) -> Option<f64> {
        share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)
    }
}

/// What is to be known before a label's figures are believed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Fewer than 20 held-out texts have the label.
    FewHeldOut(usize),
    /// No text with the label was left to choose the threshold by, so it is 0.5.
    NoneToTune,
    /// No threshold had the wanted precision. The one with this precision was taken.
    PrecisionOutOfReach(f64),
    /// On held-out texts the label's scores are hardly better than guesses.
    Guesses,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::FewHeldOut(positives) => {
                write!(f, "only {positives} held-out texts have it, fewer than {FEW}: its figures say little")
            }
            Warning::NoneToTune => f.write_str("no text with it was left to choose its threshold by, so it is 0.5"),
            Warning::PrecisionOutOfReach(best) => {
                write!(f, "no threshold had the wanted precision; the one taken had {best:.3} where it was chosen")
            }
            Warning::Guesses => f.write_str("its scores are hardly better than guesses"),
        }
    }
}

/// A text's score, and whether it has the label.
pub(super) type Scored = (f64, bool);

/// A threshold, and what must be told of how it was chosen.
pub(super) fn choose_threshold(mut scored: Vec<Scored>, precision: Option<f64>) -> (f32, Option<Warning>) {
    let positives = count_positives(&scored);
    if positives == 0 {
        return (0.5, Some(Warning::NoneToTune));
    }
    // Every place where the scores could be cut, with how well that would do: by what is wanted, then by the rest.
    let steps = steps(&mut scored);
    let value = |step: &Step| {
        let confusion = step.confusion(positives);
        let [is, recall, f1] =
            [confusion.precision(), confusion.recall(), confusion.f1()].map(Option::unwrap_or_default);
        match precision {
            None => [f1, is],
            Some(wanted) if is >= wanted => [1.0 + recall, is],
            Some(_) => [is, recall],
        }
    };
    let best = (0..steps.len()).reduce(|best, at| if value(&steps[at]) > value(&steps[best]) { at } else { best });
    let Some(best) = best else { return (0.5, Some(Warning::NoneToTune)) };
    // In the middle of the gap, where it has the most room on both sides.
    let below = steps.get(best + 1).map_or(0.0, |step| step.score);
    let middle = ((steps[best].score + below) / 2.0) as f32;
    // Near 1 scores are closer than a file's numbers, and rounding must not lift the threshold above all of them.
    let threshold = if f64::from(middle) > steps[best].score { middle.next_down() } else { middle };
    let reached = steps[best].confusion(positives).precision().unwrap_or_default();
    let out_of_reach = precision.is_some_and(|wanted| reached < wanted);
    (threshold, out_of_reach.then_some(Warning::PrecisionOutOfReach(reached)))
}

/// What a label's scores and its threshold are worth.
pub(super) fn measure(label: &str, threshold: f32, texts: usize, mut scored: Vec<Scored>) -> Measured {
    let threshold = f64::from(threshold);
    let mut confusion = Confusion::default();
    for (score, is_positive) in &scored {
        let count = match (*score >= threshold, is_positive) {
            (true, true) => &mut confusion.true_positives,
            (true, false) => &mut confusion.false_positives,
            (false, true) => &mut confusion.false_negatives,
            (false, false) => &mut confusion.true_negatives,
        };
        *count += 1;
    }
    let positives = confusion.positives();
    let negatives = scored.len() - positives;
    let (mut average_precision, mut pairs) = (0.0, 0.0);
    let mut before = Step { score: 1.0, positives: 0, negatives: 0 };
    for step in steps(&mut scored) {
        let gained = (step.positives - before.positives) as f64;
        average_precision += gained * step.positives as f64 / (step.positives + step.negatives) as f64;
        // Each is above the negatives that are still to come, and level with those that come with it.
        let level = (step.negatives - before.negatives) as f64;
        pairs += gained * ((negatives - step.negatives) as f64 + level / 2.0);
        before = step;
    }
    let roc_auc = (positives > 0 && negatives > 0).then(|| pairs / (positives as f64 * negatives as f64));
    let mut warnings = Vec::new();
    if positives < FEW {
        warnings.push(Warning::FewHeldOut(positives));
    }
    if roc_auc.is_some_and(|auc| auc < CHANCE) {
        warnings.push(Warning::Guesses);
    }
    Measured {
        label: label.to_owned(),
        threshold,
        texts,
        confusion,
        average_precision: (positives > 0).then(|| average_precision / positives as f64),
        roc_auc,
        warnings,
    }
}

/// What stands at or above a score.
struct Step {
    score: f64,
    positives: usize,
    negatives: usize,
}

impl Step {
    /// What is found, and what is not, if `positives` have the label; of the quiet ones it says nothing.
    fn confusion(&self, positives: usize) -> Confusion {
        Confusion {
            true_positives: self.positives,
            false_positives: self.negatives,
            false_negatives: positives - self.positives,
            true_negatives: 0,
        }
    }
}

/// Every score that there is, from the highest down.
fn steps(scored: &mut [Scored]) -> Vec<Step> {
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let (mut positives, mut negatives) = (0, 0);
    let level = scored.chunk_by(|(a, _), (b, _)| a == b);
    level
        .map(|level| {
            let gained = count_positives(level);
            positives += gained;
            negatives += level.len() - gained;
            Step { score: level[0].0, positives, negatives }
        })
        .collect()
}

fn count_positives(scored: &[Scored]) -> usize {
    scored.iter().filter(|(_, is_positive)| *is_positive).count()
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORED: [Scored; 6] = [(0.2, false), (0.9, true), (0.8, false), (0.7, true), (0.1, false), (0.6, true)];

    #[test]
    fn a_threshold_has_the_best_f1_or_the_wanted_precision() {
        let (threshold, warning) = choose_threshold(SCORED.to_vec(), None);
        assert_eq!((threshold, warning), (0.4, None));
        let (threshold, warning) = choose_threshold(SCORED.to_vec(), Some(0.9));
        assert_eq!((threshold, warning), (0.85, None));
        let (threshold, warning) = choose_threshold(SCORED[2..].to_vec(), Some(0.9));
        assert_eq!((threshold, warning), (0.35, Some(Warning::PrecisionOutOfReach(2.0 / 3.0))));
        let close = vec![(1.0 - 1e-12, true), (1.0 - 2e-12, false)];
        assert!(f64::from(choose_threshold(close, None).0) <= 1.0 - 1e-12);
        assert_eq!(choose_threshold(vec![(0.3, false)], None), (0.5, Some(Warning::NoneToTune)));
    }

    #[test]
    fn figures_are_those_of_the_textbook() {
        let measured = measure("a", 0.65, 9, SCORED.to_vec());
        let confusion = Confusion { true_positives: 2, false_positives: 1, false_negatives: 1, true_negatives: 2 };
        assert_eq!(measured.confusion, confusion);
        // Seven of nine pairs stand the right way round.
        assert_eq!(measured.roc_auc, Some(7.0 / 9.0));
        let expected = (1.0 + 2.0 / 3.0 + 3.0 / 4.0) / 3.0;
        assert!((measured.average_precision.unwrap() - expected).abs() < 1e-12);
        assert_eq!(measured.warnings, [Warning::FewHeldOut(3)]);
    }

    #[test]
    fn level_scores_are_guesses_whatever_their_order() {
        for order in [[true, false, true, false], [false, false, true, true]] {
            let measured = measure("a", 0.5, 2, order.map(|is_positive| (0.5, is_positive)).to_vec());
            assert_eq!((measured.roc_auc, measured.average_precision), (Some(0.5), Some(0.5)));
            assert!(measured.warnings.contains(&Warning::Guesses));
        }
        assert_eq!(measure("a", 0.5, 0, vec![(0.1, false)]).roc_auc, None);
    }
}
