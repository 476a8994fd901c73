//! A model as a file.

use super::features::BITS;
use super::{Label, Linear, Model, fits};
use crate::check::is_name;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

const FORMAT: &str = "holdback-linear";
const VERSION: u64 = 1;

/// A bucket and its number.
const PAIR: usize = 8;

/// What is wrong with a model's file, or with what is asked of a model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LinearError {
    /// It is no JSON, or lacks something, or has something that version 1 has not.
    Unreadable(String),
    /// It says that it is something else.
    Format(String),
    /// It is of another version.
    Version(u64),
    /// A bucket's number cannot have so many bits.
    Bits(u32),
    /// It has no labels.
    Empty,
    /// It has too many labels for its bits.
    TooLarge {
        /// How many labels it has.
        labels: usize,
        /// Its bits.
        bits: u32,
    },
    /// A label of it is bad.
    Label {
        /// Its place in the file, counted from 1.
        place: usize,
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model has no label of this name.
    Unknown {
        /// The name.
        name: String,
        /// What its labels are called.
        labels: Vec<String>,
    },
    /// No probability can be this threshold.
    Threshold(f64),
}

impl fmt::Display for LinearError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinearError::Unreadable(reason) => write!(f, "this is no model: {reason}"),
            LinearError::Format(format) => write!(f, "the format is {format:?}, not {FORMAT:?}"),
            LinearError::Version(version) => write!(f, "the version is {version}; only {VERSION} is known"),
            LinearError::Bits(bits) => write!(f, "bits are {bits}; they may be {} to {}", BITS.start(), BITS.end()),
            LinearError::Empty => f.write_str("the model has no labels"),
            LinearError::TooLarge { labels, bits } => {
                write!(f, "{labels} labels are too many for {bits} bits: the model would not fit into 256 MiB")
            }
            LinearError::Label { place, name, reason } => write!(f, "label {place} ({name:?}): {reason}"),
            LinearError::Unknown { name, labels } => {
                write!(f, "the model has no label {name:?}; it has {}", labels.join(", "))
            }
            LinearError::Threshold(threshold) => write!(f, "a threshold is 0 to 1, not {threshold}"),
        }
    }
}

impl std::error::Error for LinearError {}

/// What tells whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    version: u64,
    bits: u32,
    labels: Vec<WrittenLabel>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLabel {
    name: String,
    bias: f32,
    threshold: f32,
    weights: String,
}

impl Linear {
    /// Reads a model. Its numbers take at most 256 MiB, whatever the file says.
    ///
    /// ```
    /// use holdback::check::linear::Linear;
    ///
    /// let error = Linear::from_json(br#"{ "format": "holdback-linear", "version": 2 }"#).unwrap_err();
    /// assert_eq!(error.to_string(), "the version is 2; only 1 is known");
    /// ```
    ///
    /// # Errors
    ///
    /// If it is none, or its numbers cannot be.
    pub fn from_json(json: &[u8]) -> Result<Linear, LinearError> {
        let unreadable = |error: serde_json::Error| LinearError::Unreadable(error.to_string());
        let head: Head = serde_json::from_slice(json).map_err(unreadable)?;
        if head.format != FORMAT {
            return Err(LinearError::Format(head.format));
        }
        if head.version != VERSION {
            return Err(LinearError::Version(head.version));
        }
        let Written { bits, labels, .. } = serde_json::from_slice(json).map_err(unreadable)?;
        if !BITS.contains(&bits) {
            return Err(LinearError::Bits(bits));
        }
        if labels.is_empty() {
            return Err(LinearError::Empty);
        }
        if !fits(bits, labels.len()) {
            return Err(LinearError::TooLarge { labels: labels.len(), bits });
        }
        let mut model =
            Model { bits, labels: Vec::with_capacity(labels.len()), weights: vec![0.0; labels.len() << bits] };
        let (stride, mut names) = (labels.len(), BTreeSet::new());
        for (at, label) in labels.into_iter().enumerate() {
            let bad = |reason| LinearError::Label { place: at + 1, name: label.name.clone(), reason };
            if !is_name(&label.name) {
                return Err(bad("a name has 1 to 200 bytes, none of them a control character".to_owned()));
            }
            if !names.insert(label.name.clone()) {
                return Err(bad("another label has the same name".to_owned()));
            }
            if !label.bias.is_finite() {
                return Err(bad("its bias is no finite number".to_owned()));
            }
            if !(0.0..=1.0).contains(&label.threshold) {
                return Err(bad(format!("its threshold is {}, not 0 to 1", label.threshold)));
            }
            read_weights(&label.weights, bits, |bucket, number| model.weights[bucket * stride + at] = number)
                .map_err(bad)?;
            let WrittenLabel { name, bias, threshold, .. } = label;
            model.labels.push(Label { name: name.into(), bias, threshold });
        }
        Ok(Linear(Arc::new(model)))
    }

    /// The model's file.
    pub fn to_json(&self) -> Vec<u8> {
        let model = &*self.0;
        let stride = model.labels.len();
        let labels = model.labels.iter().enumerate().map(|(at, label)| {
            let mut bytes = Vec::new();
            for (bucket, numbers) in (0_u32..).zip(model.weights.chunks_exact(stride)) {
                if numbers[at] != 0.0 {
                    bytes.extend_from_slice(&bucket.to_le_bytes());
                    bytes.extend_from_slice(&numbers[at].to_le_bytes());
                }
            }
            WrittenLabel {
                name: label.name.to_string(),
                bias: label.bias,
                threshold: label.threshold,
                weights: BASE64_STANDARD.encode(bytes),
            }
        });
        let written =
            Written { format: FORMAT.to_owned(), version: VERSION, bits: model.bits, labels: labels.collect() };
        let mut json = serde_json::to_vec(&written).expect("names and numbers are JSON");
        json.push(b'\n');
        json
    }
}

fn read_weights(weights: &str, bits: u32, mut take: impl FnMut(usize, f32)) -> Result<(), String> {
    let bytes = BASE64_STANDARD.decode(weights).map_err(|error| format!("its weights are no base64: {error}"))?;
    let (pairs, rest) = bytes.as_chunks::<PAIR>();
    if !rest.is_empty() {
        return Err("its weights end within a pair".to_owned());
    }
    let mut least = 0;
    for &[a, b, c, d, e, f, g, h] in pairs {
        let (bucket, number) = (u32::from_le_bytes([a, b, c, d]), f32::from_le_bytes([e, f, g, h]));
        if bucket >= 1 << bits {
            return Err(format!("its weights name bucket {bucket}, and {bits} bits have {}", 1_u32 << bits));
        }
        if bucket < least {
            return Err(format!("its weights name bucket {bucket} out of order"));
        }
        if !number.is_finite() {
            return Err(format!("its weight for bucket {bucket} is no finite number"));
        }
        least = bucket + 1;
        take(bucket as usize, number);
    }
    Ok(())
}
