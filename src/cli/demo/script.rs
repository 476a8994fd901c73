//! What the demo's model says. Every value in it is made up or reserved for documentation.

/// An answer that a careless model might give to "summarise the incident".
const ANSWER: &str = "\
Sure! Here is the incident in short.\n\
\n\
Ada Sample could not pay last night. Her card 4111 1111 1111 1111 was declined twice, so she wrote to us from \
ada.sample@mail.test and asked to be called back on +44 20 7946 0958.\n\
\n\
The cause was a deploy with the wrong credentials: it used AKIAQ3EGRT5WXPLM7Z2K, which belongs to staging. \
I would rotate that key today.\n\
\n\
Shall I draft the answer to her?";

/// What is private in it, and the rule that says so.
pub(super) const PRIVATE: [(&str, &str); 4] = [
    ("pii.payment-card", "4111 1111 1111 1111"),
    ("pii.email", "ada.sample@mail.test"),
    ("pii.phone-intl", "+44 20 7946 0958"),
    ("secrets.aws-access-key-id", "AKIAQ3EGRT5WXPLM7Z2K"),
];

/// A token is about this long; it begins at a space, as models like it.
const TOKEN_BYTES: usize = 5;

/// The answer as a model would hand it out.
pub(super) fn tokens() -> Vec<&'static str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    for (at, char) in ANSWER.char_indices().skip(1) {
        if at - start >= TOKEN_BYTES || char == ' ' || char == '\n' {
            tokens.push(&ANSWER[start..at]);
            start = at;
        }
    }
    tokens.push(&ANSWER[start..]);
    tokens
}

/// The answer at once, for clients that do not stream.
pub(super) fn answer() -> &'static str {
    ANSWER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_answer_in_small_pieces() {
        assert_eq!(tokens().concat(), ANSWER);
        for (_, private) in PRIVATE {
            assert!(ANSWER.contains(private));
            assert!(!tokens().iter().any(|token| token.contains(private)), "no single token gives it away");
        }
    }
}
