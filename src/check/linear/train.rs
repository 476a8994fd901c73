//! Texts with labels become a model.

use super::features::{BITS, Features};
use super::measure::{Report, Scored, choose_threshold, measure};
use super::split::{Part, split};
use super::{Label, Linear, Model, fits, logistic};
use crate::check::is_name;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How far AdaGrad goes with its first step.
const RATE: f32 = 0.3;
/// What every squared gradient has behind it from the start, so that one text does not move a number as far as many do.
const BEHIND: f32 = 0.001;
/// Pulls the numbers of a text's buckets towards 0 whenever the text is seen.
const PULL: f32 = 1e-4;
/// Numbers below have no say, and are left out of the file.
const LEAST: f32 = 1e-3;

/// A text to learn from.
pub(super) struct Sample {
    pub(super) text: String,
    /// Places of labels, rising, each once.
    pub(super) labels: Vec<usize>,
}

/// Trains models: logistic regression for every label against all other texts, by stochastic gradient descent with
/// AdaGrad's steps. The same samples in the same order give the same model.
///
/// The texts are divided by their hashes, every label's alike: seven tenths train, one tenth chooses the thresholds, two
/// tenths are held out to measure. Texts that differ only in case and white space are one text, which is never on two
/// sides. Texts that are nearly the same may be, and then flatter the figures: leave them out.
///
/// ```
/// use holdback::check::linear::Trainer;
///
/// let samples = (0..400).map(|n| match n % 2 {
///     0 => (format!("you have won {n} coins, claim them"), vec!["scam"]),
///     _ => (format!("the parcel {n} is at the door"), vec![]),
/// });
/// let trained = Trainer::new().precision(0.9).train(samples)?;
/// let [scam] = &trained.report.labels[..] else { panic!("one label") };
/// assert_eq!((scam.label.as_str(), scam.confusion.positives()), ("scam", 40));
/// assert_eq!(scam.confusion.f1(), Some(1.0));
/// # Ok::<(), holdback::check::linear::TrainError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Trainer {
    bits: u32,
    precision: Option<f64>,
    rounds: usize,
    seed: u64,
}

/// A model, and how good it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trained {
    /// The model. It has not seen the texts that measured it.
    pub model: Linear,
    /// How good it is.
    pub report: Report,
}

/// Why there is no model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TrainError {
    /// A bucket's number cannot have so many bits.
    Bits(u32),
    /// No precision can be this.
    Precision(f64),
    /// There are no texts.
    NoTexts,
    /// No text has a label.
    NoLabels,
    /// There are too many labels for the bits.
    TooLarge {
        /// How many labels there are.
        labels: usize,
        /// The bits.
        bits: u32,
    },
    /// A label cannot be called so.
    Name(String),
    /// Every text has this label, so there is nothing to tell it from.
    Everywhere(String),
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrainError::Bits(bits) => write!(f, "bits are {bits}; they may be {} to {}", BITS.start(), BITS.end()),
            TrainError::Precision(precision) => write!(f, "a precision is above 0 and at most 1, not {precision}"),
            TrainError::NoTexts => f.write_str("there are no texts to learn from"),
            TrainError::NoLabels => f.write_str("no text has a label"),
            TrainError::TooLarge { labels, bits } => {
                write!(f, "{labels} labels are too many for {bits} bits: the model would not fit into 256 MiB")
            }
            TrainError::Name(name) => {
                write!(f, "a label cannot be called {name:?}: 1 to 200 bytes, none of them a control character")
            }
            TrainError::Everywhere(name) => {
                write!(f, "every text has the label {name:?}; there must be some without it to tell it from")
            }
        }
    }
}

impl std::error::Error for TrainError {}

impl Default for Trainer {
    fn default() -> Trainer {
        Trainer { bits: 18, precision: None, rounds: 10, seed: 0 }
    }
}

impl Trainer {
    /// A trainer for models of 18 bits, whose thresholds have the best F1.
    pub fn new() -> Trainer {
        Trainer::default()
    }

    /// How many bits a bucket's number has, 8 to 24. Each more doubles the model in memory: 1 MiB a label at 18.
    pub fn bits(self, bits: u32) -> Trainer {
        Trainer { bits, ..self }
    }

    /// Of what is found, at least this share is to be right: thresholds are the lowest that had this precision where they
    /// were chosen.
    pub fn precision(self, precision: f64) -> Trainer {
        Trainer { precision: Some(precision), ..self }
    }

    /// How often every text is learned from.
    pub fn rounds(self, rounds: usize) -> Trainer {
        Trainer { rounds, ..self }
    }

    /// Divides and orders the texts otherwise. Figures that change much with it say little.
    pub fn seed(self, seed: u64) -> Trainer {
        Trainer { seed, ..self }
    }

    /// Trains a model on texts, each with its labels. Labels stand in the model in alphabetical order.
    ///
    /// # Errors
    ///
    /// If there is nothing to learn, or the trainer was asked for what cannot be.
    pub fn train<T, L>(&self, samples: impl IntoIterator<Item = (T, L)>) -> Result<Trained, TrainError>
    where
        T: Into<String>,
        L: IntoIterator,
        L::Item: AsRef<str>,
    {
        if !BITS.contains(&self.bits) {
            return Err(TrainError::Bits(self.bits));
        }
        if let Some(precision) = self.precision.filter(|precision| !(*precision > 0.0 && *precision <= 1.0)) {
            return Err(TrainError::Precision(precision));
        }
        let (names, samples) = collect(samples)?;
        if !fits(self.bits, names.len()) {
            return Err(TrainError::TooLarge { labels: names.len(), bits: self.bits });
        }
        let counts: Vec<usize> = (0..names.len()).map(|at| samples.iter().filter(|s| s.has(at)).count()).collect();
        if let Some(at) = counts.iter().position(|count| *count == samples.len()) {
            return Err(TrainError::Everywhere(names[at].to_string()));
        }
        let parts = split(&samples, names.len(), self.seed);
        let of = |part| -> Vec<&Sample> {
            samples.iter().zip(&parts).filter(|(_, is)| **is == part).map(|(sample, _)| sample).collect()
        };
        let (training, tuning, held_out) = (of(Part::Training), of(Part::Tuning), of(Part::HeldOut));
        let mut model = self.learn(names, &training);
        let scores = score(&model, &tuning);
        let chosen: Vec<_> = scores.into_iter().map(|scored| choose_threshold(scored, self.precision)).collect();
        model.labels.iter_mut().zip(&chosen).for_each(|(label, (threshold, _))| label.threshold = *threshold);
        let scores = score(&model, &held_out);
        let labels = scores.into_iter().enumerate().map(|(at, scored)| {
            let (threshold, warning) = chosen[at];
            let mut measured = measure(&model.labels[at].name, threshold, counts[at], scored);
            measured.warnings.extend(warning);
            measured
        });
        let report = Report {
            labels: labels.collect(),
            training: training.len(),
            tuning: tuning.len(),
            held_out: held_out.len(),
        };
        Ok(Trained { model: Linear(Arc::new(model)), report })
    }

    fn learn(&self, names: Vec<Arc<str>>, samples: &[&Sample]) -> Model {
        let stride = names.len();
        let mut weights = vec![0.0_f32; stride << self.bits];
        let mut squares = vec![BEHIND; stride << self.bits];
        let (mut biases, mut bias_squares) = (vec![0.0_f32; stride], vec![BEHIND; stride]);
        let mut features = Features::new(self.bits);
        let mut order: Vec<usize> = (0..samples.len()).collect();
        let mut random = Random(self.seed);
        let mut errors = vec![0.0_f32; stride];
        for _ in 0..self.rounds {
            random.shuffle(&mut order);
            for sample in order.iter().map(|at| samples[*at]) {
                // Features are counted anew each time: to keep them takes a hundred times the memory of the texts.
                let found = features.of(&sample.text);
                errors.copy_from_slice(&biases);
                for &(bucket, weight) in found {
                    let at = bucket as usize * stride;
                    errors.iter_mut().zip(&weights[at..at + stride]).for_each(|(sum, number)| *sum += weight * number);
                }
                for (at, error) in errors.iter_mut().enumerate() {
                    *error = logistic(f64::from(*error)) as f32 - if sample.has(at) { 1.0 } else { 0.0 };
                    step(&mut biases[at], &mut bias_squares[at], *error);
                }
                for &(bucket, weight) in found {
                    let at = bucket as usize * stride;
                    let numbers = weights[at..at + stride].iter_mut().zip(&mut squares[at..at + stride]);
                    for ((number, square), error) in numbers.zip(&errors) {
                        let gradient = weight * error + PULL * *number;
                        step(number, square, gradient);
                    }
                }
            }
        }
        weights.iter_mut().filter(|number| number.abs() < LEAST).for_each(|number| *number = 0.0);
        let label = |(name, bias)| Label { name, bias, threshold: 0.5 };
        Model { bits: self.bits, labels: names.into_iter().zip(biases).map(label).collect(), weights }
    }
}

/// AdaGrad: the further a number has been moved, the less it moves.
fn step(number: &mut f32, square: &mut f32, gradient: f32) {
    *square += gradient * gradient;
    *number -= RATE * gradient / square.sqrt();
}

impl Sample {
    fn has(&self, label: usize) -> bool {
        self.labels.binary_search(&label).is_ok()
    }
}

/// The names of all labels in alphabetical order, and the texts with their labels' places among them.
fn collect<T, L>(samples: impl IntoIterator<Item = (T, L)>) -> Result<(Vec<Arc<str>>, Vec<Sample>), TrainError>
where
    T: Into<String>,
    L: IntoIterator,
    L::Item: AsRef<str>,
{
    // Numbered as they come, and anew when all are known.
    let mut numbers: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    let mut collected = Vec::new();
    for (text, labels) in samples {
        let mut sample = Sample { text: text.into(), labels: Vec::new() };
        for label in labels {
            let (name, next) = (label.as_ref(), numbers.len());
            let number = match numbers.get(name) {
                Some(number) => *number,
                None if is_name(name) => *numbers.entry(name.into()).or_insert(next),
                None => return Err(TrainError::Name(name.to_owned())),
            };
            sample.labels.push(number);
        }
        collected.push(sample);
    }
    if collected.is_empty() {
        return Err(TrainError::NoTexts);
    }
    if numbers.is_empty() {
        return Err(TrainError::NoLabels);
    }
    let mut places = vec![0; numbers.len()];
    numbers.values().enumerate().for_each(|(place, number)| places[*number] = place);
    for sample in &mut collected {
        sample.labels.iter_mut().for_each(|label| *label = places[*label]);
        sample.labels.sort_unstable();
        sample.labels.dedup();
    }
    Ok((numbers.into_keys().collect(), collected))
}

/// Every label's scores of these texts.
fn score(model: &Model, samples: &[&Sample]) -> Vec<Vec<Scored>> {
    let mut features = Features::new(model.bits);
    let mut scores = vec![Vec::with_capacity(samples.len()); model.labels.len()];
    for sample in samples {
        let probabilities = model.probabilities(&mut features, &sample.text);
        for (at, probability) in probabilities.into_iter().enumerate() {
            scores[at].push((probability, sample.has(at)));
        }
    }
    scores
}

/// A SplitMix64 generator: the same seed gives the same order everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, (self.next() % (at as u64 + 1)) as usize);
        }
    }
}
