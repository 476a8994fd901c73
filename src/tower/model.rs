//! Which model a request asks for.

use crate::wire::Refused;
use http::Uri;
use percent_encoding::percent_decode_str;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

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
        if segments.iter().any(|segment| matches!(&**segment, "." | "..") || segment.contains("/.")) {
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
        let pairs = uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut named = pairs.filter(|(key, _)| percent_decode_str(key).eq(*b"model"));
        match (named.next(), named.next()) {
            (Some((_, model)), None) => {
                Some(RequestedModel(percent_decode_str(model).decode_utf8_lossy().into_owned()))
            }
            _ => None,
        }
    }

    /// The model that a JSON body names; `None` if it names none.
    ///
    /// # Errors
    ///
    /// If it is no JSON object, or names it twice, or not quite by its key: some servers take `Model` for `model`, and it
    /// must not be for the client to say who is believed.
    pub(super) fn of_body(body: &[u8]) -> Result<Option<RequestedModel>, Refused> {
        let Named { mut exact, others } = serde_json::from_slice(body).map_err(|_| Refused::NotJson)?;
        match (&mut exact[..], others) {
            ([], 0) => Ok(None),
            ([model], 0) => Ok(model.take().map(RequestedModel)),
            _ => Err(Refused::DuplicateKey),
        }
    }
}

/// What an object has for a model.
#[derive(Default)]
struct Named {
    /// What `model` is, each time: `None` if it is no text.
    exact: Vec<Option<String>>,
    /// How many keys are spelled like it but for their case.
    others: usize,
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_map(NamedVisitor)
    }
}

struct NamedVisitor;

impl<'de> Visitor<'de> for NamedVisitor {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
        let mut named = Named::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "model" {
                named.exact.push(map.next_value::<Value>()?.as_str().map(str::to_owned));
            } else {
                named.others += usize::from(key.eq_ignore_ascii_case("model"));
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(named)
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
            ("/model/lenient/%2e%2e%2f%2e%2e%2fv1/completions", None),
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
        assert_eq!(query("/v1/realtime?%6dodel=a"), model("a"));
        assert_eq!(query("/v1/realtime?model=a&%6dodel=b"), None);
        for both in [r#"{"model":"a","Model":"b"}"#, r#"{"MODEL":"a"}"#] {
            assert_eq!(RequestedModel::of_body(both.as_bytes()), Err(Refused::DuplicateKey), "{both}");
        }
        for other in [&b"{}"[..], br#"{"model":1}"#] {
            assert_eq!(RequestedModel::of_body(other), Ok(None));
        }
        for other in [&b"[]"[..], br#"["a"]"#, b"model=a", b"", br#"{"model":"a"} x"#, br#"{"model":"a","x":NaN}"#] {
            assert_eq!(RequestedModel::of_body(other), Err(Refused::NotJson));
        }
    }
}
