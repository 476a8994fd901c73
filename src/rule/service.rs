//! Who answers for a check, as it is written in a policy's file.

use std::ops::Range;

/// Who answers for a check, as it is written in a policy's file.
///
/// Nothing is reached from here: `check::Checks` makes services of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Service {
    /// Which of those that are known.
    pub kind: ServiceKind,
    /// What its findings lead to.
    pub measures: WrittenMeasures,
    /// The file that it is written in, and where.
    pub file: String,
    /// Byte range in that file.
    pub span: Range<usize>,
    /// One-based line of the start of `span`.
    pub line: usize,
}

/// A service that is known.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ServiceKind {
    /// OpenAI's moderation endpoint, and those that follow it.
    Moderation {
        /// Where it is.
        at: Address,
        /// The model's name.
        model: String,
    },
    /// A guard model behind an OpenAI-compatible chat endpoint.
    Guard {
        /// Where it is.
        at: Address,
        /// The model's name there.
        model: String,
        /// How it is asked.
        guard: Guard,
    },
    /// A detector of the FMS orchestrator or of TrustyAI.
    Detector {
        /// Where it is.
        at: Address,
        /// The detector's id.
        id: String,
    },
    /// Presidio's analyzer.
    Presidio {
        /// Where it is.
        at: Address,
        /// The language of the texts.
        language: String,
    },
    /// A service of one's own.
    Webhook {
        /// Where it is.
        at: Address,
        /// The environment variable that holds the key of its signature.
        secret_env: String,
    },
}

/// Where a service is, and as whom it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// Its URL.
    pub url: String,
    /// The environment variable that holds a bearer token for it.
    pub token_env: Option<String>,
}

/// A guard model, by how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Guard {
    /// Llama Guard.
    LlamaGuard,
    /// Qwen3Guard.
    Qwen3Guard,
    /// ShieldGemma, about one guideline.
    ShieldGemma {
        /// The category of what breaks the guideline.
        category: String,
        /// What the text must not be.
        guideline: String,
    },
    /// Granite Guardian, about one risk.
    GraniteGuardian {
        /// The risk.
        risk: String,
    },
}

/// What a service's findings lead to.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct WrittenMeasures {
    /// For categories that are not named: `ignore`, `flag`, `redact` or `terminate`.
    pub otherwise: Option<&'static str>,
    /// From which score on a finding counts.
    pub threshold: Option<f64>,
    /// For each category that is named its measure, and from which score on.
    pub categories: Vec<(String, &'static str, Option<f64>)>,
}
