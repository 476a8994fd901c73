//! A service of one's own.

use super::{Answer, Api, Endpoint, HttpCheck, Question, span_of};
use crate::hold::{Judgement, Passage, Ruling, Unjudged};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

const SIGNATURE: HeaderName = HeaderName::from_static("x-holdback-signature");

impl HttpCheck {
    /// A service of one's own, posted to at the endpoint itself.
    ///
    /// It gets
    ///
    /// ```json
    /// { "version": 1, "check": "tone", "channel": "text", "start": 120, "end": 151,
    ///   "context": "What stands before. ", "text": "What is to be judged. " }
    /// ```
    ///
    /// with `start` and `end` in bytes of the channel, and answers
    ///
    /// ```json
    /// { "ruling": "redact", "spans": [{ "start": 20, "end": 24 }], "category": "tone", "score": 0.93 }
    /// ```
    ///
    /// where `ruling` is `clear`, `flag`, `redact` or `terminate`, and all else may be absent. Spans are in characters (Unicode
    /// code points) of the context and the text in one; without them, or by one that is empty, a redaction is of all the text.
    /// The schemas of both are `docs/webhook-request.schema.json` and `docs/webhook-response.schema.json`.
    ///
    /// The header `x-holdback-signature: t=TIME,v1=HEX` has the time in seconds since 1970 and the HMAC-SHA256, under
    /// `secret`, of that time, a full stop and the body. Refuse what is old, and compare in constant time.
    pub fn webhook(endpoint: Endpoint, secret: impl Into<Vec<u8>>) -> HttpCheck {
        HttpCheck::new(endpoint, Webhook { secret: secret.into() })
    }
}

struct Webhook {
    secret: Vec<u8>,
}

impl Webhook {
    fn signature(&self, time: u64, body: &[u8]) -> HeaderValue {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        mac.update(format!("{time}.").as_bytes());
        mac.update(body);
        let mut signature = format!("t={time},v1=");
        for byte in mac.finalize().into_bytes() {
            let _infallible = write!(signature, "{byte:02x}");
        }
        HeaderValue::from_str(&signature).expect("digits are a value of a header")
    }
}

impl Api for Webhook {
    fn ask(&self, passage: &Passage) -> Question {
        let span = passage.span();
        let mut question = Question::new(
            "",
            &json!({
                "version": 1,
                "check": passage.check(),
                "channel": passage.channel().name(),
                "start": span.start,
                "end": span.end,
                "context": passage.context(),
                "text": passage.text(),
            }),
        );
        // A clock before 1970 is wrong, and so will be the receiver's idea of what is old.
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        question.headers.insert(SIGNATURE, self.signature(time, &question.body));
        question
    }

    fn read(&self, passage: &Passage, answer: &Value) -> Result<Answer, Unjudged> {
        let ruling = match (answer["ruling"].as_str(), &answer["spans"]) {
            (Some("clear"), _) => Ruling::Clear,
            (Some("flag"), _) => Ruling::Flag,
            (Some("terminate"), _) => Ruling::Terminate,
            (Some("redact"), Value::Null) => Ruling::Redact,
            // Nothing is no part of the text; perhaps all of it is meant.
            (Some("redact"), Value::Array(spans)) if spans.is_empty() => Ruling::Redact,
            (Some("redact"), Value::Array(spans)) => {
                let placed = spans.iter().filter_map(|span| span_of(passage, &span["start"], &span["end"]).transpose());
                let placed: Vec<_> = placed.collect::<Result<_, _>>()?;
                if placed.is_empty() { Ruling::Clear } else { Ruling::RedactSpans(placed) }
            }
            _ => return Err(Unjudged::Unreadable),
        };
        let mut judgement = Judgement::of(ruling);
        if let Some(category) = answer["category"].as_str() {
            judgement = judgement.category(category);
        }
        if let Some(score) = answer["score"].as_f64() {
            judgement = judgement.score(score);
        }
        Ok(Answer::Judgement(judgement))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_the_time_and_the_body() {
        // printf '7.{}' | openssl dgst -sha256 -hmac EXAMPLE
        let signature = Webhook { secret: b"EXAMPLE".to_vec() }.signature(7, b"{}");
        assert_eq!(signature.to_str().unwrap().len(), "t=7,v1=".len() + 64);
        assert_eq!(signature, EXPECTED);
    }

    const EXPECTED: &str = "t=7,v1=aa3cb265c46e05bbaf597a9e87c269bc59fae6e929c0f74715b2e93649f7bad6";
}
