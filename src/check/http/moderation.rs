//! OpenAI's moderation endpoint.

use super::{Answer, Api, Endpoint, HttpCheck, Question};
use crate::check::Finding;
use crate::hold::{Passage, Unjudged};
use serde_json::{Value, json};

impl HttpCheck {
    /// OpenAI's moderation endpoint, and those that follow it, such as Mistral's. The endpoint is the API's base, such as
    /// `https://api.openai.com/v1`.
    ///
    /// Categories are the API's own (`hate`, `violence/graphic`). A category counts by its score, and where the API gives
    /// none by its flag.
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
            match (result["category_scores"][name].as_f64(), flag.as_bool()) {
                (Some(score), _) => Some(Ok(finding.score(score))),
                (None, Some(true)) => Some(Ok(finding)),
                // Not every category is judged for every kind of input.
                (None, Some(false)) => None,
                (None, None) if flag.is_null() => None,
                (None, None) => Some(Err(Unjudged::Unreadable)),
            }
        };
        Ok(Answer::Findings(categories.iter().filter_map(finding).collect::<Result<_, _>>()?))
    }
}
