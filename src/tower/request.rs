//! What becomes of requests.

use super::body::ResponseBody;
use super::whole::Whole;
use super::{headers, status};
use crate::body::Timer;
use crate::wire::{Dialect, Ending, Observer, Refused};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body::Body;

/// What became of a request; the layer leaves it among the response's extensions where the policy has rules for
/// requests. For a refused one its [`Refused`] is there, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestTreatment {
    /// It was moderated and went on as it came, or it has no body.
    Untouched,
    /// It went on with other bytes.
    Edited,
    /// Its content cannot be moderated, and [`OtherContent::Pass`](super::OtherContent::Pass) let it through.
    Passed,
    /// It did not go on.
    Refused,
}

impl RequestTreatment {
    /// The treatment's word in headers, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            RequestTreatment::Untouched => "untouched",
            RequestTreatment::Edited => "edited",
            RequestTreatment::Passed => "passed",
            RequestTreatment::Refused => "refused",
        }
    }
}

/// What the client gets instead of an answer, in the form of the API that has this path.
pub(super) fn refusal<B: Body, O: Observer, T: Timer>(
    refused: Refused,
    path: &str,
    policy: Option<HeaderValue>,
    observer: &mut impl Observer,
) -> Response<ResponseBody<B, O, T>> {
    match &refused {
        Refused::Terminated(verdict) => observer.ending(&Ending::Terminated(verdict.clone())),
        Refused::ShutDown => observer.ending(&Ending::ShutDown),
        Refused::CutOff => observer.ending(&Ending::ClientGone),
        _ => {}
    }
    let dialect = Dialect::of_route(path).unwrap_or(Dialect::Json);
    let mut response = Response::new(ResponseBody::whole(Whole::new(refused.document(dialect))));
    headers::name_error(response.headers_mut(), dialect, &refused);
    *response.status_mut() = status::of_refused(&refused);
    if let Refused::OverQuota { wait, .. } = &refused {
        headers::ask_later(response.headers_mut(), *wait);
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers::announce(response.headers_mut(), None, Some(RequestTreatment::Refused), policy);
    response.extensions_mut().insert(RequestTreatment::Refused);
    response.extensions_mut().insert(refused);
    response
}
