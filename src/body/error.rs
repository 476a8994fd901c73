//! Why a body broke off.

use std::fmt;

/// Why a moderated body broke off where its protocol has no event that says so.
///
/// What a policy decides is not an error; see [`Ending`](crate::Ending).
#[derive(Debug)]
#[non_exhaustive]
pub enum Error<E> {
    /// The upstream's own error, untouched.
    Upstream(E),
    /// The upstream sent nothing for longer than the idle timeout, or all of it took longer than the total one.
    TimedOut,
    /// A [`Shutdown`](super::Shutdown) ended the stream.
    ShutDown,
    /// The upstream ended before its answer did, or sent what cannot be read.
    Unreadable,
}

impl<E> Error<E> {
    /// The upstream's own error.
    pub fn into_upstream(self) -> Option<E> {
        match self {
            Error::Upstream(error) => Some(error),
            Error::TimedOut | Error::ShutDown | Error::Unreadable => None,
        }
    }
}

impl<E> Error<Error<E>> {
    /// One error of two nested bodies' errors.
    #[cfg(feature = "tower")]
    pub(crate) fn flatten(self) -> Error<E> {
        match self {
            Error::Upstream(error) => error,
            Error::TimedOut => Error::TimedOut,
            Error::ShutDown => Error::ShutDown,
            Error::Unreadable => Error::Unreadable,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Upstream(error) => error.fmt(f),
            Error::TimedOut => f.write_str("upstream took too long"),
            Error::ShutDown => f.write_str("shut down before the end"),
            Error::Unreadable => f.write_str("upstream's answer cannot be read"),
        }
    }
}

impl<E: std::error::Error> std::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Displayed in its place, so only what lies below it is a cause.
            Error::Upstream(error) => error.source(),
            Error::TimedOut | Error::ShutDown | Error::Unreadable => None,
        }
    }
}
