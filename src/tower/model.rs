//! Which model a request asks for.

use crate::wire::Refused;
use http::Uri;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use std::borrow::Cow;

/// The model that a request asks for. Where a [`Choose`](super::Choose) needs to know it, the layer puts it among the
/// request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedModel(pub String);

impl RequestedModel {
    /// The model that a path names, as Gemini's, Bedrock's and Azure's do.
    ///
    /// There is none in a path that a server may take for another one (`..`).
    pub(super) fn of_path(path: &str) -> Option<RequestedModel> {
        let segments: Vec<Cow<'_, str>> =
            path.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy()).collect();
        if segments.iter().any(|segment| matches!(&**segment, "." | "..")) {
            return None;
        }
        let named = |at: usize| match (&*segments[at], segments.get(at + 1), segments.get(at + 2)) {
            // `/v1beta/models/NAME:generateContent`
            ("models", Some(last), None) => last.rsplit_once(':').map(|(model, _)| model.to_owned()),
            // `/model/ID/converse-stream`, `/openai/deployments/NAME/chat/completions`
            ("model" | "deployments", Some(model), Some(_)) => Some(model.to_string()),
            _ => None,
        };
        (0..segments.len()).find_map(named).map(RequestedModel)
    }

    /// The model that a query names, as that of a WebSocket of OpenAI's does.
    pub(super) fn of_query(uri: &Uri) -> Option<RequestedModel> {
        let mut named = uri.query()?.split('&').filter_map(|pair| pair.strip_prefix("model="));
        match (named.next(), named.next()) {
            (Some(model), None) => Some(RequestedModel(percent_decode_str(model).decode_utf8_lossy().into_owned())),
            _ => None,
        }
    }

    /// The model that a JSON body names; `None` if it is no object with such a text.
    ///
    /// # Errors
    ///
    /// If it names it twice: the upstream could take either.
    pub(super) fn of_body(body: &[u8]) -> Result<Option<RequestedModel>, Refused> {
        #[derive(Deserialize)]
        struct Request<'a> {
            #[serde(borrow)]
            model: Option<Cow<'a, str>>,
        }
        match serde_json::from_slice::<Request<'_>>(body) {
            Ok(request) => Ok(request.model.map(|model| RequestedModel(model.into_owned()))),
            Err(error) if error.to_string().starts_with("duplicate field") => Err(Refused::DuplicateKey),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> Option<RequestedModel> {
        Some(RequestedModel(name.to_owned()))
    }

    #[test]
    fn paths_that_name_a_model() {
        for (path, named) in [
            ("/v1beta/models/gemini-3-pro:streamGenerateContent", model("gemini-3-pro")),
            ("/v1/projects/p/locations/l/publishers/google/models/gemini-3:generateContent", model("gemini-3")),
            ("/model/anthropic.claude-v2%3A1/converse-stream", model("anthropic.claude-v2:1")),
            ("/openai/deployments/ours/chat/completions", model("ours")),
            ("/openai/deployments/ours/../theirs/chat/completions", None),
            ("/v1/models/gpt-5", None),
            ("/v1/chat/completions", None),
        ] {
            assert_eq!(RequestedModel::of_path(path), named, "{path}");
        }
    }

    #[test]
    fn a_query_and_a_body_name_it_once() {
        let query = |uri: &'static str| RequestedModel::of_query(&Uri::from_static(uri));
        assert_eq!(query("/v1/realtime?model=gpt-realtime"), model("gpt-realtime"));
        assert_eq!(query("/v1/realtime?model=a&model=b"), None);
        assert_eq!(RequestedModel::of_body(br#"{"model":"gpt-\u0035","messages":[]}"#), Ok(model("gpt-5")));
        assert_eq!(RequestedModel::of_body(br#"{"model":"a","model":"b"}"#), Err(Refused::DuplicateKey));
        for other in [&b"{}"[..], b"[]", br#"{"model":1}"#, b"model=a", b""] {
            assert_eq!(RequestedModel::of_body(other), Ok(None));
        }
    }
}
