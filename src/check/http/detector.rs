//! Detectors of the FMS guardrails orchestrator and of TrustyAI.

use super::{Answer, Api, Endpoint, HttpCheck, Question, span_of};
use crate::check::Finding;
use crate::hold::{Passage, Unjudged};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

const DETECTOR_ID: HeaderName = HeaderName::from_static("detector-id");

impl HttpCheck {
    /// A detector with this id. Categories are the detections' types (`detection_type`), and places are told, so that only
    /// what was detected is redacted.
    pub fn detector(endpoint: Endpoint, id: HeaderValue) -> HttpCheck {
        HttpCheck::new(endpoint, Detector { id })
    }
}

struct Detector {
    id: HeaderValue,
}

impl Api for Detector {
    fn ask(&self, passage: &Passage) -> Question {
        let body = json!({ "contents": [passage.text_in_context()], "detector_params": {} });
        let mut question = Question::new("/api/v1/text/contents", &body);
        question.headers.insert(DETECTOR_ID, self.id.clone());
        question
    }

    fn read(&self, passage: &Passage, answer: &Value) -> Result<Answer, Unjudged> {
        let detections = answer[0].as_array().ok_or(Unjudged::Unreadable)?;
        let finding = |detection: &Value| {
            let kind = detection["detection_type"].as_str().or(detection["detection"].as_str());
            let category = kind.ok_or(Unjudged::Unreadable)?;
            let Some(span) = span_of(passage, &detection["start"], &detection["end"])? else { return Ok(None) };
            let score = detection["score"].as_f64();
            Ok(Some(Finding { score, ..Finding::new(category).span(span) }))
        };
        let findings = detections.iter().filter_map(|detection| finding(detection).transpose());
        Ok(Answer::Findings(findings.collect::<Result<_, Unjudged>>()?))
    }
}
