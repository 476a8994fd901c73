//! Topics that answer for a check.

use super::{Embedder, SemanticError, Topic};
use crate::check::{Finding, Measures};
use crate::hold::{Judgement, Passage};
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::spawn_blocking;
use tower_service::Service;

/// The category of a passage that is about no topic that is required.
pub const OFF_TOPIC: &str = "off_topic";

/// A service that answers with the topics that a passage is about: what the most severe measure asks for of those that are
/// banned and are found, with the topic as the category and the similarity as the score; and [`OFF_TOPIC`], without a score,
/// where topics are required and a passage is about none of them.
///
/// It judges the passage alone and not in its context, which would make the one like the other. A passage that is longer
/// than what the model sees at once is judged in parts, and is about what any part of it is about. Every part must be about
/// something that is required; so passages should be paragraphs then, for a sentence such as `Yes.` is about nothing.
///
/// It needs tokio's runtime: judging takes milliseconds, and so takes place on a thread for what blocks, at most half as
/// many at once as there are cores. What is waited for no longer, as it is late or the client has gone, is not begun.
#[derive(Clone, Debug)]
pub struct SemanticCheck {
    model: Embedder,
    topics: Arc<[Examples]>,
    /// What every banned topic leads to, and from which similarity on.
    measures: Measures,
}

/// A topic, with what the model makes of its examples.
#[derive(Debug)]
struct Examples {
    name: Arc<str>,
    vectors: Vec<Vec<f32>>,
    threshold: f64,
    required: bool,
}

impl SemanticCheck {
    /// A check that redacts what is about a banned topic, or about none that is required.
    ///
    /// # Errors
    ///
    /// If there are no topics, two have one name, a name is empty or has control characters, or is [`OFF_TOPIC`]; if a
    /// threshold is not 0 to 1; if a topic has no examples, or one that is blank or longer than what the model sees at
    /// once.
    pub fn new(model: Embedder, topics: impl IntoIterator<Item = Topic>) -> Result<SemanticCheck, SemanticError> {
        let mut names = BTreeSet::new();
        let mut all = Vec::new();
        for topic in topics {
            let bad = |reason: &str| SemanticError::Topic { name: topic.name.clone(), reason: reason.to_owned() };
            if !crate::check::is_name(&topic.name) {
                return Err(bad("a name has 1 to 200 bytes, none of them a control character"));
            }
            if topic.name == OFF_TOPIC {
                return Err(bad("this is what a text is that is about no topic"));
            }
            if !names.insert(topic.name.clone()) {
                return Err(bad("another topic has the same name"));
            }
            if !(0.0..=1.0).contains(&topic.threshold) {
                return Err(bad("its threshold is not 0 to 1"));
            }
            if topic.examples.is_empty() || topic.examples.iter().any(|example| example.trim().is_empty()) {
                return Err(bad("it needs examples, and none that is blank"));
            }
            let mut vectors = Vec::new();
            for example in &topic.examples {
                let [vector] = &mut model.embed(example)?[..] else {
                    return Err(bad("an example is longer than what the model sees at once"));
                };
                vectors.push(std::mem::take(vector));
            }
            let Topic { name, threshold, required, .. } = topic;
            all.push(Examples { name: name.into(), vectors, threshold, required });
        }
        if all.is_empty() {
            return Err(SemanticError::Empty);
        }
        let check = SemanticCheck { model, topics: all.into(), measures: Measures::default() };
        check.measures(&Measures::default())
    }

    /// What its topics lead to, by their names, and [`OFF_TOPIC`]. A threshold there takes the place of a banned topic's own.
    ///
    /// # Errors
    ///
    /// If they speak of a topic that is not there, or is required, or a threshold is not 0 to 1.
    pub fn measures(self, measures: &Measures) -> Result<SemanticCheck, SemanticError> {
        let banned = || self.topics.iter().filter(|topic| !topic.required);
        let required = self.topics.iter().any(|topic| topic.required);
        let labels = banned().map(|topic| (&*topic.name, topic.threshold)).chain(required.then_some((OFF_TOPIC, 0.0)));
        if let Some(name) = measures.unknown(labels.clone().map(|(name, _)| name)) {
            let categories = labels.map(|(name, _)| name.to_owned()).collect();
            return Err(SemanticError::Unknown { name: name.to_owned(), categories });
        }
        if let Some(threshold) = measures.bad_threshold() {
            return Err(SemanticError::Threshold(threshold));
        }
        let measures = measures.of_labels(labels);
        Ok(SemanticCheck { measures, ..self })
    }

    /// Every topic, and how similar to the nearest of its examples a text is, 0 to 1: of a banned topic the most similar
    /// part of the text, of a required one the least similar.
    ///
    /// # Errors
    ///
    /// If the model fails.
    pub fn similarities(&self, text: &str) -> Result<Vec<(&str, f64)>, SemanticError> {
        let parts = self.model.embed(text)?;
        let similarity = |topic: &Examples| {
            let parts = parts.iter().map(|part| topic.similarity(part));
            if topic.required { parts.fold(1.0, f64::min) } else { parts.fold(0.0, f64::max) }
        };
        Ok(self.topics.iter().map(|topic| (&*topic.name, similarity(topic))).collect())
    }

    /// What a text is judged to be, whoever asks. This takes milliseconds, and blocks.
    ///
    /// # Errors
    ///
    /// If the model fails.
    pub fn judge(&self, text: &str) -> Result<Judgement, SemanticError> {
        let parts = self.model.embed(text)?;
        let similarity = |topic: &Examples| parts.iter().map(|part| topic.similarity(part)).fold(0.0, f64::max);
        let mut findings: Vec<Finding> = self
            .topics
            .iter()
            .filter(|topic| !topic.required)
            .map(|topic| Finding::new(topic.name.clone()).score(similarity(topic)))
            .collect();
        let required = || self.topics.iter().filter(|topic| topic.required);
        let is_on_topic = |part: &Vec<f32>| required().any(|topic| topic.similarity(part) >= topic.threshold);
        if required().next().is_some() && !parts.iter().all(is_on_topic) {
            findings.push(Finding::new(OFF_TOPIC));
        }
        Ok(self.measures.judge(findings))
    }
}

impl Examples {
    /// The cosine to the nearest example; what points the other way is as little alike as what has nothing to do with it.
    fn similarity(&self, part: &[f32]) -> f64 {
        let cosine = |example: &[f32]| example.iter().zip(part).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        self.vectors.iter().map(|example| cosine(example)).fold(0.0, f64::max).min(1.0)
    }
}

impl Service<Passage> for SemanticCheck {
    type Response = Judgement;
    type Error = SemanticError;
    type Future = Pin<Box<dyn Future<Output = Result<Judgement, SemanticError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), SemanticError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, passage: Passage) -> Self::Future {
        let check = self.clone();
        Box::pin(async move {
            let turn = check.model.turns().acquire_owned().await.expect("turns are never closed");
            let judging = spawn_blocking(move || {
                let _turn = turn;
                check.judge(passage.text())
            });
            judging.await.unwrap_or_else(|error| Err(SemanticError::Failed(error.to_string())))
        })
    }
}
