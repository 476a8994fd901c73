//! What moderation changes in heads.

use super::content::Treatment;
use super::request::RequestTreatment;
use crate::wire::{Dialect, Refused};
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG,
    IF_RANGE, RANGE, RETRY_AFTER, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

const MODE: HeaderName = HeaderName::from_static("x-holdback-mode");
const REQUEST: HeaderName = HeaderName::from_static("x-holdback-request");
const POLICY: HeaderName = HeaderName::from_static("x-holdback-policy");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const AMAZON_ERROR: HeaderName = HeaderName::from_static("x-amzn-errortype");
/// Tells nginx, and those who copied it, not to collect the stream.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Headers and trailers that speak of the bytes as they were before moderation.
const SPEAK_OF_BYTES: [HeaderName; 9] = [
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_RANGE,
    ACCEPT_RANGES,
    ETAG,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
];

/// Asks the upstream for whole, uncompressed content.
pub(super) fn ask_for_plain(request: &mut HeaderMap) {
    request.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    request.remove(RANGE);
    request.remove(IF_RANGE);
}

/// Removes what no longer holds of a moderated body.
pub(super) fn forget_bytes(headers: &mut HeaderMap) {
    for name in &SPEAK_OF_BYTES {
        headers.remove(name);
    }
}

/// Takes back a switch of protocols.
pub(super) fn stay_with_http(response: &mut HeaderMap) {
    response.remove(CONNECTION);
    response.remove(UPGRADE);
}

/// Asks the proxies on the way not to collect or rewrite an event stream.
pub(super) fn keep_flowing(response: &mut HeaderMap) {
    response.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, no-transform"));
    response.entry(ACCEL_BUFFERING).or_insert(HeaderValue::from_static("no"));
}

/// Says of a request that it has other content now, of this length.
pub(super) fn replace_bytes(request: &mut HeaderMap, len: usize) {
    // A request that came in chunks goes on as its transport likes; with a length, too, its end could be read twice.
    let has_length = request.contains_key(CONTENT_LENGTH);
    forget_bytes(request);
    if has_length {
        request.insert(CONTENT_LENGTH, len.into());
    }
}

/// Says after what time a request may come again, and that it should not sooner, in the word of the SDKs of OpenAI and
/// Anthropic, which otherwise do so on their own.
pub(super) fn ask_later(response: &mut HeaderMap, wait: Duration) {
    response.insert(RETRY_AFTER, wait.as_secs_f64().ceil().max(1.0).to_string().parse().expect("digits"));
    response.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
}

/// Names an error of ours where an API's clients do not find its name in the content.
pub(super) fn name_error(response: &mut HeaderMap, dialect: Dialect, refused: &Refused) {
    if let Dialect::BedrockAgent | Dialect::BedrockConverse | Dialect::BedrockInvoke = dialect {
        response.insert(
            AMAZON_ERROR,
            HeaderValue::from_static(match refused {
                Refused::ShutDown => "ServiceUnavailableException",
                Refused::OverQuota { .. } => "ThrottlingException",
                _ => "ValidationException",
            }),
        );
    }
}

/// Says what was done with the response and with its request, and by which policy.
pub(crate) fn announce(
    response: &mut HeaderMap,
    treatment: Option<Treatment>,
    request: Option<RequestTreatment>,
    policy: Option<HeaderValue>,
) {
    let values = [
        (MODE, treatment.map(|treatment| HeaderValue::from_static(treatment.name()))),
        (REQUEST, request.map(|treatment| HeaderValue::from_static(treatment.name()))),
        (POLICY, policy),
    ];
    for (name, value) in values {
        match value {
            Some(value) => response.insert(name, value),
            None => response.remove(name),
        };
    }
}
