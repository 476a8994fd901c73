//! How the two sides of a session are closed.

use crate::policy::{ChannelKind, Policy};
use crate::wire::{Dialect, Ending, Failure, Filter};
use bytes::Bytes;
use std::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};

/// What each side is told last.
#[derive(Debug)]
pub(super) struct Closing {
    /// After everything that may still leave.
    pub(super) client: Message,
    pub(super) upstream: Vec<Message>,
}

impl Closing {
    /// The session came to this end, and neither side has closed it.
    pub(super) fn after(ending: &Ending, dialect: Option<Dialect>) -> Closing {
        let (code, reason) = match ending {
            Ending::Complete | Ending::ClientGone => (CloseCode::Normal, ""),
            Ending::Terminated(_) => (CloseCode::Policy, "stopped by a content policy"),
            Ending::UpstreamFailed(Failure::Unknown) => {
                (CloseCode::Unsupported, "the upstream sent what cannot be read")
            }
            Ending::UpstreamFailed(_) => (CloseCode::Error, "the upstream failed"),
            Ending::TimedOut => (CloseCode::Error, "the upstream took too long"),
            Ending::ShutDown => (CloseCode::Away, "the server has to stop"),
        };
        let upstream = match ending {
            Ending::Terminated(_) => cancel(dialect).into_iter().chain([close(CloseCode::Normal, "")]).collect(),
            _ => vec![close(CloseCode::Away, "")],
        };
        Closing { client: close(code, reason), upstream }
    }

    /// The client has closed its side, or broken it.
    pub(super) fn by_client(frame: Option<CloseFrame>, policy: Option<&Policy>) -> Closing {
        // What a person or a program wrote there is no prompt, but nothing says that it is none.
        let watches = policy.is_some_and(|policy| policy.watches(ChannelKind::Prompt));
        let frame =
            frame.map(|frame| if watches { CloseFrame { reason: Utf8Bytes::default(), ..frame } } else { frame });
        Closing { client: close(CloseCode::Normal, ""), upstream: vec![Message::Close(frame)] }
    }

    /// The client sent a request that does not go on, and its API has no message that says so.
    pub(super) fn on_request() -> Closing {
        Closing {
            client: close(CloseCode::Policy, "refused by a content policy"),
            upstream: vec![close(CloseCode::Normal, "")],
        }
    }

    /// The client sent what is no WebSocket's.
    pub(super) fn on_client(error: &Error) -> Closing {
        let (code, reason) = match error {
            Error::Capacity(_) => (CloseCode::Size, "the message is too large"),
            Error::Utf8(_) => (CloseCode::Invalid, ""),
            _ => (CloseCode::Protocol, ""),
        };
        Closing { client: close(code, reason), upstream: vec![close(CloseCode::Away, "")] }
    }

    /// The upstream has closed its side, and the session ended so.
    pub(super) fn by_upstream(frame: Option<CloseFrame>, ending: &Ending, policy: Option<&Policy>) -> Closing {
        let says_success = frame.as_ref().is_none_or(|frame| matches!(frame.code, CloseCode::Normal | CloseCode::Away));
        let is_its_own = match ending {
            Ending::Complete => true,
            Ending::UpstreamFailed(_) => !says_success,
            _ => false,
        };
        if !is_its_own {
            return Closing::after(ending, None);
        }
        let frame = frame.map(|frame| match policy {
            Some(policy) if !is_untouched(&frame.reason, policy) => {
                CloseFrame { reason: Utf8Bytes::default(), ..frame }
            }
            _ => frame,
        });
        Closing { client: Message::Close(frame), upstream: Vec::new() }
    }
}

fn close(code: CloseCode, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
}

/// What stops an upstream that would go on to speak, and to charge for it, behind a close.
fn cancel(dialect: Option<Dialect>) -> Option<Message> {
    (dialect == Some(Dialect::OpenAiRealtime)).then(|| Message::text(r#"{"type":"response.cancel"}"#))
}

/// Whether no rule changes a text, such as a close's reason.
fn is_untouched(text: &str, policy: &Policy) -> bool {
    let mut filter = Filter::new(policy, Some(Dialect::Text));
    let now = Instant::now();
    filter.push(Bytes::copy_from_slice(text.as_bytes()), now, &mut ());
    filter.finish(now, &mut ());
    let left: Vec<Bytes> = std::iter::from_fn(|| filter.pop()).collect();
    left.concat() == text.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rule;

    fn frame(code: u16, reason: &str) -> Option<CloseFrame> {
        Some(CloseFrame { code: code.into(), reason: reason.into() })
    }

    #[test]
    fn a_reason_quotes_nothing() {
        let policy = Policy::builder().rule(Rule::literal("codename", "Nightjar")).build().unwrap();
        for (reason, left) in [("bye", "bye"), ("bye Nightjar", ""), ("", "")] {
            let closing = Closing::by_upstream(frame(4001, reason), &Ending::Complete, Some(&policy));
            assert_eq!(closing.client, Message::Close(frame(4001, left)), "{reason}");
        }
        let closing = Closing::by_upstream(frame(1000, "Nightjar"), &Ending::Complete, None);
        assert_eq!(closing.client, Message::Close(frame(1000, "Nightjar")), "nothing is moderated");
    }

    #[test]
    fn half_an_answer_is_never_closed_as_a_whole_one() {
        let truncated = Ending::UpstreamFailed(Failure::Truncated);
        for (code, told) in [(1000, 1011), (1001, 1011), (1013, 1013), (4000, 4000)] {
            let closing = Closing::by_upstream(frame(code, ""), &truncated, None);
            let Message::Close(Some(frame)) = closing.client else { panic!("a close with a code") };
            assert_eq!(u16::from(frame.code), told, "{code}");
        }
    }
}
