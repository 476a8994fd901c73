//! Who answers for a check, as it is written in a policy's file.

use std::collections::BTreeMap;
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
    pub measures: Measures,
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
        guard: GuardModel,
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
    /// A linear classifier of this machine.
    Linear {
        /// Its file, as `holdback train` writes it.
        file: String,
    },
    /// A sentence-embedding model of this machine, and topics.
    Semantic {
        /// Its folder or its `.onnx` file.
        model: String,
        /// What it looks for.
        topics: Vec<Topic>,
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

/// Models that judge texts, by how they are asked and what their answers mean.
///
/// Their chat templates, which the server applies, hold their instructions. Categories are of one vocabulary for all of
/// them, after the hazards of [MLCommons](https://mlcommons.org/ailuminate/): `violent_crimes`, `non_violent_crimes`,
/// `sex_crimes`, `child_exploitation`, `defamation`, `specialized_advice`, `privacy`, `intellectual_property`,
/// `indiscriminate_weapons`, `hate`, `self_harm`, `sexual_content`, `elections`, `code_interpreter_abuse`; and where those
/// have no word for it `harassment`, `dangerous_content`, `unethical_acts`, `political`, `jailbreak`, `unsafe`, and the name
/// of a risk as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardModel {
    /// [Llama Guard](https://huggingface.co/meta-llama/Llama-Guard-3-8B) 3 and 4. It says `safe`, or `unsafe` and which of
    /// its categories S1 to S14. Those of version 2 have other numbers, so it is not for that.
    LlamaGuard,
    /// [Qwen3Guard-Gen](https://huggingface.co/Qwen/Qwen3Guard-Gen-8B). What it calls controversial has a score of 0.5,
    /// what it calls unsafe of 1.
    Qwen3Guard,
    /// [ShieldGemma](https://huggingface.co/google/shieldgemma-2b), asked about one guideline: the category and what it
    /// forbids, in words. It says yes or no, and how sure it is if the server tells log probabilities.
    ShieldGemma {
        /// The category of what breaks the guideline.
        category: String,
        /// What the text must not be, such as `The chatbot shall not insult people.`
        guideline: String,
    },
    /// [Granite Guardian](https://huggingface.co/ibm-granite/granite-guardian-3.3-8b), asked about one of its risks, such as
    /// `harm`, `social_bias`, `profanity`, `jailbreak`. It says yes or no, and how sure it is if the server tells log
    /// probabilities.
    GraniteGuardian {
        /// The risk, in the model's own word. It is the category, too.
        risk: String,
    },
}

/// What texts may be about, given by sentences of which any text about it resembles one.
///
/// ```
/// use holdback::rule::service::Topic;
///
/// let dosage = Topic::banned("medical_advice", 0.5, ["Take two of these tablets every six hours."]);
/// let kitchen = Topic::required("cooking", 0.3, ["Fry the onions until they are golden.", "Serve it with rice."]);
/// assert!(kitchen.required && !dosage.required);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Topic {
    /// Its name; that of the category, if the topic is banned.
    pub name: String,
    /// Sentences about it.
    pub examples: Vec<String>,
    /// How similar to one of them a text about it is at least, 0 to 1.
    pub threshold: f64,
    /// Whether a text must be about it, or about another topic that is required. Otherwise none may be.
    pub required: bool,
}

impl Topic {
    /// A topic that no text may be about.
    pub fn banned<S: Into<String>>(
        name: impl Into<String>,
        threshold: f64,
        examples: impl IntoIterator<Item = S>,
    ) -> Topic {
        let examples = examples.into_iter().map(Into::into).collect();
        Topic { name: name.into(), examples, threshold, required: false }
    }

    /// A topic that texts must be about; of several that are required, any one.
    pub fn required<S: Into<String>>(
        name: impl Into<String>,
        threshold: f64,
        examples: impl IntoIterator<Item = S>,
    ) -> Topic {
        Topic { required: true, ..Topic::banned(name, threshold, examples) }
    }
}

/// What a finding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Measure {
    /// Nothing.
    Ignore,
    /// The passage leaves, and is reported.
    Flag,
    /// What was found is replaced; the whole passage, where the service does not say which part of it that is.
    Redact,
    /// The stream ends before the passage.
    Terminate,
}

impl Measure {
    /// Every measure, from mild to severe.
    pub const ALL: [Measure; 4] = [Measure::Ignore, Measure::Flag, Measure::Redact, Measure::Terminate];

    /// The measure's word in policy files.
    pub const fn name(self) -> &'static str {
        match self {
            Measure::Ignore => "ignore",
            Measure::Flag => "flag",
            Measure::Redact => "redact",
            Measure::Terminate => "terminate",
        }
    }
}

/// What findings lead to, by their categories.
#[derive(Clone, Debug, PartialEq)]
pub struct Measures {
    pub(crate) otherwise: Measure,
    pub(crate) categories: BTreeMap<Box<str>, (Measure, Option<f64>)>,
    pub(crate) threshold: Option<f64>,
}

impl Measures {
    /// Findings of every category lead to `otherwise`, unless something else is said.
    pub fn new(otherwise: Measure) -> Measures {
        Measures { otherwise, categories: BTreeMap::new(), threshold: None }
    }

    /// Findings of this category lead to this.
    pub fn category(self, category: impl Into<String>, measure: Measure) -> Measures {
        self.with(category.into(), measure, None)
    }

    /// The same, from this score on.
    pub fn category_from(self, category: impl Into<String>, measure: Measure, threshold: f64) -> Measures {
        self.with(category.into(), measure, Some(threshold))
    }

    /// From which score on a finding counts, if it has one: 0.5 unless set.
    pub fn threshold(self, threshold: f64) -> Measures {
        Measures { threshold: Some(threshold), ..self }
    }

    fn with(mut self, category: String, measure: Measure, threshold: Option<f64>) -> Measures {
        self.categories.insert(category.into(), (measure, threshold));
        self
    }
}

impl Default for Measures {
    /// What is found is redacted.
    fn default() -> Measures {
        Measures::new(Measure::Redact)
    }
}
