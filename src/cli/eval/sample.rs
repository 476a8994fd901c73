//! A labelled text.

use serde::Deserialize;
use std::ops::Range;

/// A text, and what is to be found in it.
#[derive(Debug, Deserialize)]
pub(super) struct Sample {
    pub(super) text: String,
    #[serde(default)]
    pub(super) spans: Vec<Label>,
    /// Says of a text without spans whether there is something in it all the same.
    #[serde(default)]
    polarity: Polarity,
    /// What that is.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Everything else that the line says.
    #[serde(flatten)]
    others: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum Polarity {
    #[serde(rename = "pos")]
    Positive,
    #[default]
    #[serde(rename = "neg")]
    Negative,
}

/// Bytes that are to be found, and what they are.
#[derive(Debug, Deserialize)]
pub(super) struct Label {
    pub(super) start: usize,
    pub(super) end: usize,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

impl Label {
    pub(super) fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

impl Sample {
    /// Reads a line.
    ///
    /// # Errors
    ///
    /// If it is no sample, with the reason.
    pub(super) fn of(line: &[u8]) -> Result<Sample, String> {
        let sample: Sample = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let is_within = |label: &&Label| label.start < label.end && label.end <= sample.text.len();
        match sample.spans.iter().all(|label| is_within(&label)) {
            true => Ok(sample),
            false => Err("a span is empty or does not lie within the text".to_owned()),
        }
    }

    /// What is somewhere in the text, if nobody says where.
    pub(super) fn is_of(&self) -> Option<&str> {
        let is_positive = self.spans.is_empty() && self.polarity == Polarity::Positive;
        is_positive.then(|| self.kind.as_deref().unwrap_or_default())
    }

    /// What a field of the line says, for grouping.
    pub(super) fn field(&self, name: &str) -> String {
        match self.others.get(name) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "-".to_owned(),
        }
    }
}
