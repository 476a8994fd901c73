//! A model that answers for a check.

use super::features::Features;
use super::{Linear, LinearError};
use crate::check::{Finding, Measures};
use crate::hold::{Judgement, Passage};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tower_service::Service;

/// A service that answers with what a model finds: what the most severe [`Measure`](crate::check::Measure) asks for of
/// those that the labels of a passage lead to, with the label as the category and its probability as the score. Of two
/// that are as severe, the more probable one counts. It is always ready and never fails, and answers in the call itself.
///
/// It judges the passage alone and not in its context. A linear model cannot tell which part of a text a probability comes
/// from: with the context in view, one bad sentence would have the next ones judged bad too, though they are not and the
/// sentence has had its judgement; and a long harmless context would hide a short bad passage.
///
/// ```
/// use holdback::check::linear::{Linear, LinearCheck};
/// use holdback::check::{Checks, Measure, Measures};
///
/// let model = Linear::from_json(br#"{"format":"holdback-linear","version":1,"bits":18,"labels":[
///     {"name":"spam","bias":0,"threshold":0.9,"weights":""},
///     {"name":"violence","bias":0,"threshold":0.9,"weights":""}]}"#)?;
/// let measures = Measures::new(Measure::Flag).category_from("violence", Measure::Terminate, 0.97);
/// let check = LinearCheck::new(model).measures(&measures)?;
/// assert!(check.clone().measures(&Measures::default().category("violins", Measure::Flag)).is_err());
/// let checks = Checks::new().bind("tone", check);
/// # let _ = checks;
/// # Ok::<(), holdback::check::linear::LinearError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinearCheck {
    model: Linear,
    /// What every label leads to, and from which probability on.
    measures: Measures,
}

impl LinearCheck {
    /// A check that redacts whatever has a label. A label is found from the threshold on that the model has for it.
    pub fn new(model: Linear) -> LinearCheck {
        let measures = Measures::default().of_labels(model.thresholds());
        LinearCheck { model, measures }
    }

    /// What its labels lead to. A threshold there takes the place of the model's own.
    ///
    /// # Errors
    ///
    /// If they speak of a label that the model has not, or a threshold is not 0 to 1.
    pub fn measures(self, measures: &Measures) -> Result<LinearCheck, LinearError> {
        let labels = || self.model.thresholds().map(|(name, _)| name);
        if let Some(name) = measures.unknown(labels()) {
            let labels = labels().map(str::to_owned).collect();
            return Err(LinearError::Unknown { name: name.to_owned(), labels });
        }
        if let Some(threshold) = measures.bad_threshold() {
            return Err(LinearError::Threshold(threshold));
        }
        let measures = measures.of_labels(self.model.thresholds());
        Ok(LinearCheck { measures, ..self })
    }

    /// What the model says of a text, whoever asks.
    ///
    /// ```
    /// use holdback::check::linear::{Linear, LinearCheck};
    /// use holdback::hold::Judgement;
    ///
    /// let model = Linear::from_json(br#"{"format":"holdback-linear","version":1,"bits":18,
    ///     "labels":[{"name":"any","bias":0,"threshold":0.5,"weights":""}]}"#)?;
    /// let check = LinearCheck::new(model);
    /// assert_eq!(check.judge("a text"), Judgement::redact().category("any").score(0.5));
    /// # Ok::<(), holdback::check::linear::LinearError>(())
    /// ```
    pub fn judge(&self, text: &str) -> Judgement {
        let model = &*self.model.0;
        let scores = model.probabilities(&mut Features::new(model.bits), text);
        let findings = model.labels.iter().zip(scores);
        // Of two that are alike the first label is to be named, and the last finding is.
        self.measures.judge(findings.rev().map(|(label, score)| Finding::new(label.name.clone()).score(score)))
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
