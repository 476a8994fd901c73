//! Judgements by services over HTTP.
//!
//! | service | constructor | path behind the endpoint |
//! |---|---|---|
//! | [OpenAI's moderation endpoint](https://platform.openai.com/docs/api-reference/moderations), and those that follow it | [`HttpCheck::moderation`] | `/moderations` |
//! | guard models behind an OpenAI-compatible chat endpoint, as vLLM, llama.cpp and Ollama have one | [`HttpCheck::guard`] | `/chat/completions` |
//! | [detectors](https://foundation-model-stack.github.io/fms-guardrails-orchestrator/) of the FMS orchestrator and of TrustyAI | [`HttpCheck::detector`] | `/api/v1/text/contents` |
//! | [Presidio's analyzer](https://microsoft.github.io/presidio/api-docs/api-docs.html) | [`HttpCheck::presidio`] | `/analyze` |
//! | anything of one's own | [`HttpCheck::webhook`] | |
//!
//! All of them are asked about a passage in its [context](crate::rule::Check::context); what they find in the context alone
//! is nothing new. What they find leads to [`Measures`]. An answer that is no success counts as a failure (429 and 503 as
//! [`Unjudged::Overloaded`]), and so does one that cannot be read or is longer than 1 MiB. Nothing is tried twice: lay
//! [`tower`'s retry](https://docs.rs/tower/latest/tower/retry/) on a check where that is wanted.
//!
//! They run on tokio.

mod detector;
mod endpoint;
mod guard;
mod moderation;
mod presidio;
mod webhook;

pub use crate::rule::service::GuardModel;
pub use endpoint::{Endpoint, EndpointError};

use super::{Finding, Measures};
use crate::hold::{Judgement, Passage, Unjudged};
use http::HeaderMap;
use serde_json::Value;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// A check that a service over HTTP answers for.
///
/// ```
/// use holdback::check::http::{Endpoint, GuardModel, HttpCheck};
/// use holdback::check::{Checks, Measure, Measures};
///
/// let endpoint = Endpoint::new("http://127.0.0.1:8000/v1")?;
/// let guard = HttpCheck::guard(endpoint, GuardModel::LlamaGuard, "llama-guard3:1b")
///     .measures(Measures::new(Measure::Terminate).category("specialized_advice", Measure::Ignore));
/// let checks = Checks::new().bind("safety", guard);
/// # let _ = checks;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct HttpCheck {
    endpoint: Endpoint,
    api: Arc<dyn Api>,
    measures: Arc<Measures>,
}

impl HttpCheck {
    fn new(endpoint: Endpoint, api: impl Api + 'static) -> HttpCheck {
        HttpCheck { endpoint, api: Arc::new(api), measures: Arc::default() }
    }

    /// What its findings lead to; unless said, they are redacted. A webhook says by itself what is to become of a passage.
    pub fn measures(self, measures: Measures) -> HttpCheck {
        HttpCheck { measures: Arc::new(measures), ..self }
    }
}

impl fmt::Debug for HttpCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCheck").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// How a service is asked, and what its answers mean.
trait Api: Send + Sync {
    fn ask(&self, passage: &Passage) -> Question;

    fn read(&self, passage: &Passage, answer: &Value) -> Result<Answer, Unjudged>;
}

/// A request's part that differs from service to service.
struct Question {
    /// Behind the endpoint's.
    path: &'static str,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Question {
    fn new(path: &'static str, body: &Value) -> Question {
        Question { path, headers: HeaderMap::new(), body: body.to_string().into_bytes() }
    }
}

/// What a service says.
enum Answer {
    Findings(Vec<Finding>),
    Judgement(Judgement),
}

impl Service<Passage> for HttpCheck {
    type Response = Judgement;
    type Error = Unjudged;
    type Future = Pin<Box<dyn Future<Output = Result<Judgement, Unjudged>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unjudged>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, passage: Passage) -> Self::Future {
        let HttpCheck { endpoint, api, measures } = self.clone();
        Box::pin(async move {
            let Question { path, headers, body } = api.ask(&passage);
            let answer = endpoint.post(path, headers, body).await?;
            let answer = serde_json::from_slice(&answer).map_err(|_| Unjudged::Unreadable)?;
            Ok(match api.read(&passage, &answer)? {
                Answer::Findings(findings) => measures.judge(findings),
                Answer::Judgement(judgement) => judgement,
            })
        })
    }
}

/// The bytes of a passage that a service speaks of, which counts the characters of the text with its context; `None` if
/// they are all in the context, and an error if they are not there. Of something that has no extent, as of a detector that
/// judges whole texts, the place is not told: that is all of the passage.
fn span_of(passage: &Passage, start: &Value, end: &Value) -> Result<Option<Range<usize>>, Unjudged> {
    let text = passage.text_in_context();
    let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or(Unjudged::Unreadable);
    let mut offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let (start, end) = (number(start)?, number(end)?);
    let from = offsets.clone().nth(start).ok_or(Unjudged::Unreadable)?;
    let until = offsets.nth(end).ok_or(Unjudged::Unreadable)?;
    if from > until {
        return Err(Unjudged::Unreadable);
    }
    if from == until {
        return Ok(Some(0..passage.text().len()));
    }
    let context = passage.context().len();
    let span = from.max(context)..until.max(context);
    Ok((!span.is_empty()).then(|| span.start - context..span.end - context))
}
