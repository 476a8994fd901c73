//! Which requests get another policy than their file's own.

use super::id_fits;
use std::ops::Range;

/// Which requests get another policy, as `[[choose]]` in a policy's file has it.
///
/// Every condition must hold that is given. `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// What the request's path is.
    pub path: Option<String>,
    /// What the model is called that the request asks for.
    pub model: Option<String>,
    /// What headers the request has: names in small letters, each with its value.
    pub headers: Vec<(String, String)>,
    /// The policy's file, as it was written; [`OFF`](Choice::OFF) for none.
    pub policy: String,
    /// The file that the choice is written in.
    pub file: String,
    /// Byte range in that file.
    pub span: Range<usize>,
    /// One-based line of the start of `span`.
    pub line: usize,
}

impl Choice {
    /// The policy of requests that nobody watches.
    pub const OFF: &str = "off";

    /// Whether the request is one of them. `header` has the values of a request's header by its name in small letters; of
    /// several that it has, one must fit.
    pub fn fits<'r, V>(&self, path: &str, model: Option<&str>, header: impl Fn(&str) -> V) -> bool
    where
        V: IntoIterator<Item = &'r str>,
    {
        let model_fits = |glob: &String| model.is_some_and(|model| id_fits(model, glob));
        self.path.as_ref().is_none_or(|glob| id_fits(path, glob))
            && self.model.as_ref().is_none_or(model_fits)
            && self.headers.iter().all(|(name, glob)| header(name).into_iter().any(|value| id_fits(value, glob)))
    }
}

/// Whether a header can be called so (a token of RFC 9110, 5.6.2).
pub(super) fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_must_hold() {
        let headers = vec![("x-tenant".to_owned(), "acme-*".to_owned())];
        let choice = Choice {
            path: Some("/v1/chat/*".to_owned()),
            model: Some("gpt-*".to_owned()),
            headers,
            policy: "strict.toml".to_owned(),
            file: "policy.toml".to_owned(),
            span: 0..0,
            line: 1,
        };
        let tenant = |value: &'static str| move |name: &str| (name == "x-tenant").then_some(value);
        assert!(choice.fits("/v1/chat/completions", Some("gpt-5"), tenant("acme-eu")));
        assert!(!choice.fits("/v1/messages", Some("gpt-5"), tenant("acme-eu")));
        assert!(!choice.fits("/v1/chat/completions", Some("claude"), tenant("acme-eu")));
        assert!(!choice.fits("/v1/chat/completions", None, tenant("acme-eu")));
        assert!(!choice.fits("/v1/chat/completions", Some("gpt-5"), tenant("zeta")));
        assert!(!choice.fits("/v1/chat/completions", Some("gpt-5"), |_| None));
    }
}
