//! Checks by what texts mean: topics that are given by example sentences, so that paraphrases of them are seen, too.
//!
//! An [`Embedder`] is a sentence-embedding model: it makes a vector of a text, and texts that mean alike have vectors that
//! point alike. A [`SemanticCheck`] compares passages with the examples of [`Topic`]s, by the cosine of the angle between
//! the vectors. It answers for a check, and so does `service = { kind = "semantic", … }` in a policy's file.
//!
//! ```no_run
//! use holdback::check::Checks;
//! use holdback::check::semantic::{Embedder, SemanticCheck, Topic};
//!
//! let model = Embedder::open("models/all-MiniLM-L6-v2")?;
//! let dosage = Topic::banned("medical_advice", 0.5, ["Take two of these tablets every six hours."]);
//! let check = SemanticCheck::new(model, [dosage])?;
//! let (topic, similarity) = check.similarities("You should swallow a pair of the pills four times a day.")?[0];
//! assert!(topic == "medical_advice" && similarity > 0.5);
//! let checks = Checks::new().bind("topics", check);
//! # let _ = checks;
//! # Ok::<(), holdback::check::semantic::SemanticError>(())
//! ```
//!
//! # Models
//!
//! Those of [sentence-transformers](https://sbert.net) that were exported to ONNX and whose vectors are made by mean,
//! first-token or maximum pooling: all-MiniLM, BGE, E5, GTE, and multilingual ones. Each is good at other things; which
//! similarities mean that a text is about a topic is to be tried out with texts of one's own
//! ([`SemanticCheck::similarities`]).
//!
//! What a model takes for alike is no proof of anything. It is easily distracted, by other languages, spellings that it does
//! not know, and long passages about several things.

mod answer;
mod embedder;
mod folder;

pub use crate::rule::service::Topic;
pub use answer::{OFF_TOPIC, SemanticCheck};
pub use embedder::Embedder;

use std::fmt;
use std::path::PathBuf;

/// What is wrong with a model, with topics, or with what is asked of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SemanticError {
    /// A file of the model cannot be read, or not be understood.
    File {
        /// Where it should be.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The model is of a kind that is not known.
    Unsupported(String),
    /// A topic is bad.
    Topic {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There are no topics.
    Empty,
    /// No topic that is banned has this name.
    Unknown {
        /// The name.
        name: String,
        /// What may be named.
        categories: Vec<String>,
    },
    /// No similarity can be this threshold.
    Threshold(f64),
    /// The model failed on a text.
    Failed(String),
}

impl fmt::Display for SemanticError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SemanticError::File { path, reason } => write!(f, "`{}`: {reason}", path.display()),
            SemanticError::Unsupported(what) => write!(f, "the model is not of a kind that is known: {what}"),
            SemanticError::Topic { name, reason } => write!(f, "topic {name:?}: {reason}"),
            SemanticError::Empty => f.write_str("there are no topics to look for"),
            SemanticError::Unknown { name, categories } => {
                write!(f, "no banned topic is called {name:?}; there are {}", categories.join(", "))
            }
            SemanticError::Threshold(threshold) => write!(f, "a threshold is 0 to 1, not {threshold}"),
            SemanticError::Failed(reason) => write!(f, "the model failed: {reason}"),
        }
    }
}

impl std::error::Error for SemanticError {}
