//! A text classifier that needs nothing but its own numbers: no model server, no runtime, microseconds for a sentence.
//!
//! A [`Linear`] is trained by a [`Trainer`] on labelled texts, or by `holdback train`, and kept as a file.
//! [`LinearCheck`] has it answer for a check, and so does `service = { kind = "linear", file = ... }` in a policy's file.
//!
//! # What it sees
//!
//! The text in lower case, character by character, with one mark for every run of white space and at both ends. Its
//! features are all runs of one to five characters, marks included, and all words (runs of letters and digits) and pairs
//! of words that follow each other. So it learns spellings, evasions and set phrases, and nothing of what a text means.
//!
//! A feature is hashed: FNV-1a of 64 bits over the byte 1 and the run's UTF-8, or over the byte 2 and the word's, with a
//! space between two words. The hash's upper half is xor-ed onto the lower, and the lowest `bits` bits of that are its
//! bucket. A bucket hit `n` times weighs `1 + ln n`; all weights of a text are scaled to a Euclidean length of 1. A
//! label's probability is the logistic function of its bias plus the sum of what each bucket weighs times the label's
//! number for it.
//!
//! # The file
//!
//! ```json
//! { "format": "holdback-linear", "version": 1, "bits": 18,
//!   "labels": [{ "name": "spam", "bias": -1.5, "threshold": 0.62, "weights": "AQAAAAAAgD8=" }] }
//! ```
//!
//! `weights` is base64 of pairs of a bucket (`u32`) and its number (`f32`), both little-endian, by rising bucket. Buckets
//! that are not there have 0. A label is found where its probability is at least its `threshold`. The numbers tell
//! something of the texts that a model was trained on: whoever has the file can test whether a word was among them.

mod answer;
mod features;
mod file;
mod measure;
mod split;
mod train;

pub use answer::LinearCheck;
pub use file::LinearError;
pub use measure::{Confusion, Measured, Report, Warning};
pub use train::{TrainError, Trained, Trainer};

use features::Features;
use std::fmt;
use std::sync::Arc;

/// The most numbers in a model, all labels together: 256 MiB.
const MOST_WEIGHTS: usize = 1 << 26;

/// A trained model: for every one of its labels, how probable it is that a text has it. Cheap to clone.
///
/// ```
/// use holdback::check::linear::{Linear, Trainer};
///
/// let samples = (0..300).map(|n| match n % 2 {
///     0 => (format!("order {n}: buy cheap pills now"), vec!["spam"]),
///     _ => (format!("the meeting is in room {n}"), vec![]),
/// });
/// let model = Trainer::new().train(samples)?.model;
/// let [(label, score)] = model.scores("cheap pills, buy now")[..] else { panic!("one label") };
/// assert_eq!(label, "spam");
/// assert!(score > 0.5 && model.scores("see you at the meeting")[0].1 < 0.5);
///
/// let read = Linear::from_json(&model.to_json())?;
/// assert_eq!(read.scores("buy pills"), model.scores("buy pills"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Linear(Arc<Model>);

struct Model {
    bits: u32,
    labels: Vec<Label>,
    /// Bucket by bucket the number of every label, so that a bucket's are fetched at once.
    weights: Vec<f32>,
}

struct Label {
    name: Arc<str>,
    bias: f32,
    threshold: f32,
}

impl Linear {
    /// Every label with its probability, 0 to 1, in the order of the file.
    ///
    /// ```
    /// use holdback::check::linear::Linear;
    ///
    /// let model = br#"{"format":"holdback-linear","version":1,"bits":18,
    ///     "labels":[{"name":"any","bias":0,"threshold":0.5,"weights":""}]}"#;
    /// assert_eq!(Linear::from_json(model)?.scores("whatever"), [("any", 0.5)]);
    /// # Ok::<(), holdback::check::linear::LinearError>(())
    /// ```
    pub fn scores(&self, text: &str) -> Vec<(&str, f64)> {
        let names = self.0.labels.iter().map(|label| &*label.name);
        names.zip(self.0.probabilities(&mut Features::new(self.0.bits), text)).collect()
    }

    /// Every label with the probability from which on it is found, in the order of the file.
    ///
    /// ```
    /// use holdback::check::linear::Linear;
    ///
    /// let model = br#"{"format":"holdback-linear","version":1,"bits":18,
    ///     "labels":[{"name":"any","bias":0,"threshold":0.75,"weights":""}]}"#;
    /// assert_eq!(Linear::from_json(model)?.thresholds().collect::<Vec<_>>(), [("any", 0.75)]);
    /// # Ok::<(), holdback::check::linear::LinearError>(())
    /// ```
    pub fn thresholds(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.labels.iter().map(|label| (&*label.name, f64::from(label.threshold)))
    }
}

impl Model {
    fn probabilities(&self, features: &mut Features, text: &str) -> Vec<f64> {
        let mut sums: Vec<f64> = self.labels.iter().map(|label| f64::from(label.bias)).collect();
        for &(bucket, weight) in features.of(text) {
            let at = bucket as usize * sums.len();
            let numbers = &self.weights[at..at + sums.len()];
            for (sum, number) in sums.iter_mut().zip(numbers) {
                *sum += f64::from(weight) * f64::from(*number);
            }
        }
        sums.into_iter().map(logistic).collect()
    }
}

impl fmt::Debug for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self.thresholds().collect();
        f.debug_struct("Linear").field("bits", &self.0.bits).field("labels", &labels).finish()
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Whether a model of this size is one.
fn fits(bits: u32, labels: usize) -> bool {
    labels <= MOST_WEIGHTS >> bits
}
