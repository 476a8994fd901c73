//! The status of a response whose content an error has taken the place of, or that nobody was asked for.

use crate::wire::{Ending, Refused};
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

/// The status that says why a request did not go on. Every SDK raises them, and none asks again but after a 429 or a 503.
pub(super) fn of_refused(refused: &Refused) -> StatusCode {
    match refused {
        Refused::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Refused::OtherContent => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refused::OverQuota { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refused::ShutDown => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
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
