//! OpenAI's moderation endpoint.

use super::{Answer, Api, Endpoint, HttpCheck, Question};
use crate::check::Finding;
use crate::hold::{Passage, Unjudged};
use serde_json::{Value, json};

impl HttpCheck {
    /// OpenAI's moderation endpoint, and those that follow it, such as Mistral's. The endpoint is the API's base, such as
    /// `https://api.openai.com/v1`.
    ///
    /// Categories are the API's own (`hate`, `violence/graphic`). One that the API flags counts whatever its score, for the API
    /// has thresholds of its own; the others count by their scores. What is flagged in no category is a finding `flagged`.
    pub fn moderation(endpoint: Endpoint, model: impl Into<String>) -> HttpCheck {
        HttpCheck::new(endpoint, Moderation { model: model.into() })
    }
}

struct Moderation {
    model: String,
}

impl Api for Moderation {
    fn ask(&self, passage: &Passage) -> Question {
        Question::new("/moderations", &json!({ "model": self.model, "input": passage.text_in_context() }))
    }

    fn read(&self, _: &Passage, answer: &Value) -> Result<Answer, Unjudged> {
        let result = &answer["results"][0];
        let categories = result["categories"].as_object().ok_or(Unjudged::Unreadable)?;
        let finding = |(name, flag): (&String, &Value)| {
            let finding = Finding::new(name.as_str());
            match (flag, result["category_scores"][name].as_f64()) {
                // A score would be measured again.
                (Value::Bool(true), _) => Some(Ok(finding)),
                (_, Some(score)) => Some(Ok(finding.score(score))),
                // Not every category is judged for every kind of input.
                (Value::Bool(false) | Value::Null, None) => None,
                (_, None) => Some(Err(Unjudged::Unreadable)),
            }
        };
        let mut findings = categories.iter().filter_map(finding).collect::<Result<Vec<_>, _>>()?;
        let says_why = categories.values().any(|flag| *flag == Value::Bool(true));
        if result["flagged"] == Value::Bool(true) && !says_why {
            findings.push(Finding::new("flagged"));
        }
        Ok(Answer::Findings(findings))
    }
}
