//! Which responses can be moderated.

use super::decode::Coding;
use crate::wire::Dialect;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, StatusCode, response};

/// What happens to a response whose content cannot be moderated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherContent {
    /// The client gets an error and no byte of it (the default). The response keeps its status unless that says
    /// success; a 502 takes its place then.
    #[default]
    Refuse,
    /// It passes as it is, and says so in its `x-holdback-mode` header.
    Pass,
}

/// What happened to a response; the layer leaves it among the response's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Treatment {
    /// Its body goes through a filter.
    Moderated,
    /// It has no body.
    Empty,
    /// Its content cannot be moderated, and [`OtherContent::Pass`] let it through.
    Passed,
    /// Its content cannot be moderated, and an error took its place.
    Refused,
    /// No policy was chosen for its request.
    Off,
}

impl Treatment {
    /// The treatment's word in headers, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Treatment::Moderated => "moderated",
            Treatment::Empty => "empty",
            Treatment::Passed => "passed",
            Treatment::Refused => "refused",
            Treatment::Off => "off",
        }
    }
}

/// Routes whose event streams have a dialect that no filter reads yet. Taken for chat completions, their events would
/// be moderated one by one, and a match in two of them would pass.
const OTHER_STREAMS: [&str; 4] = ["/messages", "/responses", "/interactions", ":streamGenerateContent"];

/// A body that a filter can read.
pub(super) struct Content {
    pub(super) dialect: Dialect,
    pub(super) coding: Coding,
}

impl Content {
    /// What the response's head promises to a request for `path`; `None` where a filter would have to guess.
    pub(super) fn of(head: &response::Parts, path: &str) -> Option<Content> {
        // A part of a document may begin inside a match.
        if head.status == StatusCode::PARTIAL_CONTENT {
            return None;
        }
        let dialect = dialect(single(&head.headers, CONTENT_TYPE)??)?;
        if dialect == Dialect::OpenAiChat && OTHER_STREAMS.iter().any(|route| path.ends_with(route)) {
            return None;
        }
        let coding = match single(&head.headers, CONTENT_ENCODING)? {
            Some(name) => Coding::named(name)?,
            None => Coding::Identity,
        };
        Some(Content { dialect, coding })
    }

    pub(super) fn is_event_stream(&self) -> bool {
        self.dialect == Dialect::OpenAiChat
    }

    pub(super) fn is_document(&self) -> bool {
        self.dialect == Dialect::Json
    }
}

/// The header's value, or `Some(None)` without one. Two values, or one that is not text, leave room for two readings.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<Option<&str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

fn dialect(content_type: &str) -> Option<Dialect> {
    let content_type = content_type.to_ascii_lowercase();
    let (essence, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
    if !parameters.split(';').all(reads_as_ascii) {
        return None;
    }
    match essence.trim() {
        "text/event-stream" => Some(Dialect::OpenAiChat),
        "text/plain" => Some(Dialect::Text),
        "application/json" => Some(Dialect::Json),
        essence if essence.ends_with("+json") => Some(Dialect::Json),
        _ => None,
    }
}

/// Whether a parameter leaves the content readable: rules see bytes, so they are blind in a charset such as UTF-16.
fn reads_as_ascii(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return true };
    let value = value.trim().trim_matches('"');
    name.trim() != "charset" || matches!(value, "utf-8" | "utf8" | "us-ascii" | "iso-8859-1" | "windows-1252")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;

    const PATH: &str = "/v1/chat/completions";

    fn dialect_of(content_type: &str) -> Option<Dialect> {
        let (head, ()) = Response::builder().header(CONTENT_TYPE, content_type).body(()).unwrap().into_parts();
        Content::of(&head, PATH).map(|content| content.dialect)
    }

    #[test]
    fn content_types() {
        for (content_type, expected) in [
            ("text/event-stream", Some(Dialect::OpenAiChat)),
            ("Text/Event-Stream; charset=UTF-8", Some(Dialect::OpenAiChat)),
            ("text/plain", Some(Dialect::Text)),
            ("text/plain;charset=\"utf-8\"", Some(Dialect::Text)),
            ("text/plain; charset=utf-16le", None),
            ("application/json", Some(Dialect::Json)),
            ("application/problem+json; charset=utf-8", Some(Dialect::Json)),
            ("application/octet-stream", None),
            ("text/html", None),
            ("", None),
        ] {
            assert_eq!(dialect_of(content_type), expected, "{content_type:?}");
        }
    }

    #[test]
    fn two_readings_are_none() {
        let twice = Response::builder().header(CONTENT_TYPE, "text/plain").header(CONTENT_TYPE, "image/png");
        assert!(Content::of(&twice.body(()).unwrap().into_parts().0, PATH).is_none());
        let part = Response::builder().header(CONTENT_TYPE, "text/plain").status(206);
        assert!(Content::of(&part.body(()).unwrap().into_parts().0, PATH).is_none());
    }

    #[test]
    fn event_streams_of_other_apis_are_none() {
        for (content_type, path, readable) in [
            ("text/event-stream", "/v1/messages", false),
            ("text/event-stream", "/v1beta/models/m:streamGenerateContent", false),
            ("text/event-stream", "/chat", true),
            ("application/json", "/v1/messages", true),
        ] {
            let response = Response::builder().header(CONTENT_TYPE, content_type);
            let head = response.body(()).unwrap().into_parts().0;
            assert_eq!(Content::of(&head, path).is_some(), readable, "{content_type} of {path}");
        }
    }

    #[test]
    fn codings() {
        for (coding, readable) in
            [("gzip", true), ("Deflate", true), ("identity", true), ("br", false), ("gzip, gzip", false)]
        {
            let response = Response::builder().header(CONTENT_TYPE, "text/plain").header(CONTENT_ENCODING, coding);
            assert_eq!(Content::of(&response.body(()).unwrap().into_parts().0, PATH).is_some(), readable, "{coding}");
        }
    }
}
