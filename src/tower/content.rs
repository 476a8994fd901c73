//! Which responses can be moderated.

use super::decode::{Coding, Undecoded};
use crate::wire::{Dialect, Framing, Refused};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, StatusCode, response};

/// What happens to a response whose content cannot be moderated, and to such a request under rules for requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherContent {
    /// The client gets an error and no byte of it (the default). The response keeps its status unless that says
    /// success; a 502 takes its place then. A request does not go on, and gets a 415.
    #[default]
    Refuse,
    /// It passes as it is, and the response's `x-holdback-mode` or `x-holdback-request` header says so.
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

/// How Gemini's streaming paths end. Unless an event stream was asked for, the answer is a JSON array that comes element
/// by element.
const STREAMED_ARRAY: &str = ":streamGenerateContent";

/// A body that a filter can read.
pub(super) struct Content {
    /// `None` if its first bytes tell: plain text, on the route of an API, may be anything that its clients read.
    pub(super) dialect: Option<Dialect>,
    /// `None` for plain text.
    pub(super) framing: Option<Framing>,
    pub(super) coding: Coding,
}

impl Content {
    /// What the response's head promises to a request for `path`; `None` where a filter would have to guess.
    pub(super) fn of(head: &response::Parts, path: &str) -> Option<Content> {
        // A part of a document may begin inside a match.
        if head.status == StatusCode::PARTIAL_CONTENT {
            return None;
        }
        let mut framing = framing(single(&head.headers, CONTENT_TYPE)??)?;
        let dialect = match (framing, Dialect::of_route(path)) {
            (None, None) => Some(Dialect::Text),
            (None, Some(_)) => None,
            // Where the route does not tell, the first event does.
            (Some(_), route) => Some(route.unwrap_or(Dialect::Json)),
        };
        if framing == Some(Framing::Document) && path.ends_with(STREAMED_ARRAY) {
            framing = Some(Framing::Array);
        }
        Some(Content { dialect, framing, coding: coding(&head.headers)? })
    }

    /// Whether it is a stream of events.
    pub(super) fn is_event_stream(&self) -> bool {
        !matches!(self.framing, None | Some(Framing::Document))
    }

    pub(super) fn is_document(&self) -> bool {
        self.framing == Some(Framing::Document)
    }
}

/// A request's body that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestContent {
    claim: Claim,
    coding: Coding,
}

/// What a request says of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Json,
    /// What clients say that do not care, such as `curl -d`. Servers that do not care either read JSON.
    Anything,
}

impl RequestContent {
    /// What the request's head promises; `None` where it cannot be read.
    pub(super) fn of(headers: &HeaderMap) -> Option<RequestContent> {
        let claim = match single(headers, CONTENT_TYPE)? {
            None => Claim::Anything,
            Some(content_type) => match &*essence(content_type)? {
                "text/plain" | "application/x-www-form-urlencoded" => Claim::Anything,
                essence if is_json(essence) => Claim::Json,
                _ => return None,
            },
        };
        Some(RequestContent { claim, coding: coding(headers)? })
    }

    /// Whether it need not be JSON.
    pub(super) fn may_be_other(self) -> bool {
        self.claim == Claim::Anything
    }

    /// A body without its content coding, if it has no more than `most` bytes.
    pub(super) fn decode(self, body: Bytes, most: usize) -> Result<Bytes, Refused> {
        self.coding.decode(body, most).map_err(|failed| match failed {
            Undecoded::TooLarge => Refused::TooLarge,
            Undecoded::Broken => Refused::CutOff,
        })
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

/// The content coding, if it is one that we can undo.
fn coding(headers: &HeaderMap) -> Option<Coding> {
    single(headers, CONTENT_ENCODING)?.map_or(Some(Coding::Identity), Coding::named)
}

/// How content of a type is framed, where that can be read: `Some(None)` is plain text.
fn framing(content_type: &str) -> Option<Option<Framing>> {
    match &*essence(content_type)? {
        "text/plain" => Some(None),
        "text/event-stream" => Some(Some(Framing::EventStream)),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Some(Some(Framing::Lines))
        }
        "application/vnd.amazon.eventstream" => Some(Some(Framing::AmazonEventStream)),
        essence => is_json(essence).then_some(Some(Framing::Document)),
    }
}

/// A content type without its parameters, if those leave the content readable.
fn essence(content_type: &str) -> Option<String> {
    let content_type = content_type.to_ascii_lowercase();
    let (essence, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
    parameters.split(';').all(reads_as_ascii).then(|| essence.trim().to_owned())
}

fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence.ends_with("+json")
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

    fn content_of(content_type: &str, path: &str) -> Option<(Option<Dialect>, Option<Framing>)> {
        let (head, ()) = Response::builder().header(CONTENT_TYPE, content_type).body(()).unwrap().into_parts();
        Content::of(&head, path).map(|content| (content.dialect, content.framing))
    }

    #[test]
    fn content_types() {
        use Framing::*;
        for (content_type, expected) in [
            ("text/event-stream", Some(Some(EventStream))),
            ("Text/Event-Stream; charset=UTF-8", Some(Some(EventStream))),
            ("text/plain", Some(None)),
            ("text/plain;charset=\"utf-8\"", Some(None)),
            ("text/plain; charset=utf-16le", None),
            ("application/json", Some(Some(Document))),
            ("application/problem+json; charset=utf-8", Some(Some(Document))),
            ("application/x-ndjson", Some(Some(Lines))),
            ("application/vnd.amazon.eventstream", Some(Some(AmazonEventStream))),
            ("application/octet-stream", None),
            ("text/html", None),
            ("", None),
        ] {
            let content = content_of(content_type, PATH);
            assert_eq!(content.map(|(_, framing)| framing), expected, "{content_type:?}");
        }
    }

    #[test]
    fn routes_tell_the_dialect() {
        for (content_type, path, expected) in [
            ("text/event-stream", PATH, Some(Dialect::OpenAiChat)),
            ("text/event-stream", "/openai/deployments/d/chat/completions", Some(Dialect::OpenAiChat)),
            ("application/json", "/v1/messages", Some(Dialect::Anthropic)),
            ("text/event-stream", "/answer", Some(Dialect::Json)),
            ("text/plain", "/answer", Some(Dialect::Text)),
            ("text/plain", PATH, None),
        ] {
            assert_eq!(content_of(content_type, path).unwrap().0, expected, "{path}");
        }
        let array = content_of("application/json", "/v1beta/models/m:streamGenerateContent").unwrap();
        assert_eq!(array.1, Some(Framing::Array));
    }

    #[test]
    fn two_readings_are_none() {
        let twice = Response::builder().header(CONTENT_TYPE, "text/plain").header(CONTENT_TYPE, "image/png");
        assert!(Content::of(&twice.body(()).unwrap().into_parts().0, PATH).is_none());
        let part = Response::builder().header(CONTENT_TYPE, "text/plain").status(206);
        assert!(Content::of(&part.body(()).unwrap().into_parts().0, PATH).is_none());
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
