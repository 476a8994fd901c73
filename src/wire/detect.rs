//! What a stream's first bytes say about its dialect.

use super::Dialect;

/// What is known of a stream's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    Is(Dialect),
    /// More bytes are needed.
    Open,
}

/// The fields that an event stream may begin with.
const FIELDS: [&[u8]; 4] = [b"data:", b"event:", b"id:", b"retry:"];

/// Looks at a stream's first bytes: an event stream begins with a field or a comment, a JSON document with a
/// bracket, and anything else is text.
pub(crate) fn detect(start: &[u8]) -> Guess {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    if BOM.starts_with(start) {
        return Guess::Open;
    }
    let start = start.strip_prefix(BOM).unwrap_or(start).trim_ascii_start();
    match start.first() {
        None => Guess::Open,
        Some(b':') => Guess::Is(Dialect::OpenAiChat),
        Some(b'{' | b'[') => Guess::Is(Dialect::Json),
        _ if FIELDS.iter().any(|field| start.starts_with(field)) => Guess::Is(Dialect::OpenAiChat),
        _ if FIELDS.iter().any(|field| field.starts_with(start)) => Guess::Open,
        _ => Guess::Is(Dialect::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        let cases: [(&[u8], Guess); 14] = [
            (b"", Guess::Open),
            (b"\xef\xbb", Guess::Open),
            (b"\n \r\n", Guess::Open),
            (b"dat", Guess::Open),
            (b"data: x", Guess::Is(Dialect::OpenAiChat)),
            (b"\xef\xbb\xbfdata:", Guess::Is(Dialect::OpenAiChat)),
            (b"\n\nevent:", Guess::Is(Dialect::OpenAiChat)),
            (b": ping", Guess::Is(Dialect::OpenAiChat)),
            (b"retry", Guess::Open),
            (b" {", Guess::Is(Dialect::Json)),
            (b"[", Guess::Is(Dialect::Json)),
            (b"Hello", Guess::Is(Dialect::Text)),
            (b"database", Guess::Is(Dialect::Text)),
            (b"idea", Guess::Is(Dialect::Text)),
        ];
        for (start, guess) in cases {
            assert_eq!(detect(start), guess, "{:?}", String::from_utf8_lossy(start));
        }
    }
}
