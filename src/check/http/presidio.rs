//! Presidio's analyzer.

use super::{Answer, Api, Endpoint, HttpCheck, Question, span_of};
use crate::check::Finding;
use crate::hold::{Passage, Unjudged};
use serde_json::{Value, json};

impl HttpCheck {
    /// Presidio's analyzer, for texts in this language (`en`). Categories are its types of entity (`PERSON`), and places
    /// are told, so that only the entities are redacted.
    pub fn presidio(endpoint: Endpoint, language: impl Into<String>) -> HttpCheck {
        HttpCheck::new(endpoint, Presidio { language: language.into() })
    }
}

struct Presidio {
    language: String,
}

impl Api for Presidio {
    fn ask(&self, passage: &Passage) -> Question {
        Question::new("/analyze", &json!({ "text": passage.text_in_context(), "language": self.language }))
    }

    fn read(&self, passage: &Passage, answer: &Value) -> Result<Answer, Unjudged> {
        let entities = answer.as_array().ok_or(Unjudged::Unreadable)?;
        let finding = |entity: &Value| {
            let category = entity["entity_type"].as_str().ok_or(Unjudged::Unreadable)?;
            let Some(span) = span_of(passage, &entity["start"], &entity["end"])? else { return Ok(None) };
            let score = entity["score"].as_f64().ok_or(Unjudged::Unreadable)?;
            Ok(Some(Finding::new(category).span(span).score(score)))
        };
        let findings = entities.iter().filter_map(|entity| finding(entity).transpose());
        Ok(Answer::Findings(findings.collect::<Result<_, Unjudged>>()?))
    }
}
