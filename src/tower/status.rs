//! The status of a response whose content an error has taken the place of.

use crate::wire::Ending;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode, response};

/// The status that says how a document ended.
pub(super) fn of(ending: &Ending) -> StatusCode {
    match ending {
        // What Azure OpenAI answers when its content filter leaves nothing of a request. SDKs raise it as an error and,
        // unlike a 5xx or a 409, do not ask again on their own.
        Ending::Terminated(_) => StatusCode::BAD_REQUEST,
        Ending::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        Ending::ShutDown => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// Gives a response the head of an error of ours. What is no success already keeps its status, which says more: whether
/// to wait, to sign in or to look elsewhere.
pub(super) fn replace(head: &mut response::Parts, ours: StatusCode) {
    let says_more = head.status.is_redirection() || head.status.is_client_error() || head.status.is_server_error();
    if !says_more {
        head.status = ours;
    }
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
}
