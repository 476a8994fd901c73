//! A model that answers for a check.

use super::features::Features;
use super::{Linear, LinearError};
use crate::hold::{Judgement, Passage};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tower_service::Service;

/// What is to become of a passage that has a label.
///
/// ```
/// use holdback::check::linear::Consequence;
///
/// let sure = Consequence::terminate().at_least(0.95);
/// assert_ne!(sure, Consequence::terminate());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Consequence {
    severity: Severity,
    threshold: Option<f64>,
}

/// By rising severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Flag,
    Redact,
    Terminate,
}

impl Consequence {
    /// It leaves, and is reported.
    pub fn flag() -> Consequence {
        Consequence { severity: Severity::Flag, threshold: None }
    }

    /// It is replaced whole.
    pub fn redact() -> Consequence {
        Consequence { severity: Severity::Redact, threshold: None }
    }

    /// The stream ends before it.
    pub fn terminate() -> Consequence {
        Consequence { severity: Severity::Terminate, threshold: None }
    }

    /// Where the label is at least this probable, in place of the threshold that the model has for the label.
    pub fn at_least(self, threshold: f64) -> Consequence {
        Consequence { threshold: Some(threshold), ..self }
    }
}

/// A service that answers with what a model finds: the most severe consequence of the labels that a passage has, with
/// the label as the category and its probability as the score. Of two that are as severe, the more probable one counts.
/// It is always ready and never fails, and answers in the call itself.
///
/// It judges the passage alone and not in its context. A linear model cannot tell which part of a text a probability comes
/// from: with the context in view, one bad sentence would have the next ones judged bad too, though they are not and the
/// sentence has had its judgement; and a long harmless context would hide a short bad passage.
///
/// ```
/// use holdback::check::Checks;
/// use holdback::check::linear::{Consequence, Linear, LinearCheck};
///
/// let model = Linear::from_json(br#"{"format":"holdback-linear","version":1,"bits":18,"labels":[
///     {"name":"spam","bias":0,"threshold":0.9,"weights":""},
///     {"name":"violence","bias":0,"threshold":0.9,"weights":""}]}"#)?;
/// let check = LinearCheck::new(model)
///     .on("spam", Consequence::flag())?
///     .on("violence", Consequence::terminate().at_least(0.97))?;
/// assert!(check.clone().on("violins", Consequence::flag()).is_err());
/// let checks = Checks::new().bind("tone", check);
/// # let _ = checks;
/// # Ok::<(), holdback::check::linear::LinearError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinearCheck {
    model: Linear,
    /// The places of labels in the model, what follows from them, and from when on.
    consequences: Vec<(usize, Severity, f64)>,
}

impl LinearCheck {
    /// A check that clears everything, until it is said what follows from which label.
    pub fn new(model: Linear) -> LinearCheck {
        LinearCheck { model, consequences: Vec::new() }
    }

    /// Says what follows from a label. Of two consequences of the same label the later one counts.
    ///
    /// # Errors
    ///
    /// If the model has no such label, or the threshold is not 0 to 1.
    pub fn on(mut self, label: &str, consequence: Consequence) -> Result<LinearCheck, LinearError> {
        let known = self.model.thresholds().enumerate().find(|(_, (name, _))| *name == label);
        let (place, threshold) = known.map(|(place, (_, threshold))| (place, threshold)).ok_or_else(|| {
            let labels = self.model.thresholds().map(|(name, _)| name.to_owned()).collect();
            LinearError::Unknown { name: label.to_owned(), labels }
        })?;
        let threshold = consequence.threshold.unwrap_or(threshold);
        if !(0.0..=1.0).contains(&threshold) {
            return Err(LinearError::Threshold(threshold));
        }
        self.consequences.retain(|(known, ..)| *known != place);
        self.consequences.push((place, consequence.severity, threshold));
        Ok(self)
    }

    /// What the model says of a text, whoever asks.
    ///
    /// ```
    /// use holdback::check::linear::{Consequence, Linear, LinearCheck};
    /// use holdback::hold::Judgement;
    ///
    /// let model = Linear::from_json(br#"{"format":"holdback-linear","version":1,"bits":18,
    ///     "labels":[{"name":"any","bias":0,"threshold":0.5,"weights":""}]}"#)?;
    /// let check = LinearCheck::new(model);
    /// assert_eq!(check.judge("a text"), Judgement::clear());
    /// let check = check.on("any", Consequence::redact())?;
    /// assert_eq!(check.judge("a text"), Judgement::redact().category("any").score(0.5));
    /// # Ok::<(), holdback::check::linear::LinearError>(())
    /// ```
    pub fn judge(&self, text: &str) -> Judgement {
        let model = &*self.model.0;
        let scores = model.probabilities(&mut Features::new(model.bits), text);
        let found = self.consequences.iter().filter(|(place, _, threshold)| scores[*place] >= *threshold);
        let worst = found.max_by(|(a, severity, _), (b, other, _)| {
            severity.cmp(other).then(scores[*a].total_cmp(&scores[*b])).then(b.cmp(a))
        });
        let Some((place, severity, _)) = worst else { return Judgement::clear() };
        let judgement = match severity {
            Severity::Flag => Judgement::flag(),
            Severity::Redact => Judgement::redact(),
            Severity::Terminate => Judgement::terminate(),
        };
        judgement.category(model.labels[*place].name.clone()).score(scores[*place])
    }
}

impl Service<Passage> for LinearCheck {
    type Response = Judgement;
    type Error = Infallible;
    type Future = Ready<Result<Judgement, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, passage: Passage) -> Self::Future {
        ready(Ok(self.judge(passage.text())))
    }
}
