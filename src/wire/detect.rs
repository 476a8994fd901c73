//! What a stream's first bytes say about its framing.

use super::framing::{BOM, Framing};
use super::grammar::Members;

/// What is known of how a stream is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    Is(Framing),
    /// Plain text: it is not framed.
    Text,
    /// More bytes are needed.
    Open,
}

/// How much of a stream is looked at. One that has not said what it is by then is text.
pub(crate) const MOST: usize = 4096;

/// Looks at a stream's first bytes: an event stream begins with comments and fields, of which one is data; JSON with a
/// bracket, behind which JSON goes on; and anything else is text. Once the stream is at its end, `start` is all of it.
pub(crate) fn detect(start: &[u8], extent: Extent) -> Guess {
    // However much of it a chunk has brought, no more than this counts, so that cuts mean nothing.
    let (start, extent) = match start.get(..MOST) {
        Some(most) => (most, Extent::Most),
        None => (start, extent),
    };
    if extent == Extent::SoFar && BOM.starts_with(start) {
        return Guess::Open;
    }
    let text = start.strip_prefix(BOM).unwrap_or(start);
    let guess = match text.trim_ascii_start().first() {
        None => Guess::Open,
        Some(b'{' | b'[') => json(text.trim_ascii_start(), extent),
        Some(0) => frames(text, extent),
        Some(_) => fields(text, extent),
    };
    match guess {
        Guess::Open if extent != Extent::SoFar => Guess::Text,
        guess => guess,
    }
}

/// How much of a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    SoFar,
    /// As much as is looked at.
    Most,
    Whole,
}

/// A document, or lines of JSON: what follows the first line tells them apart.
fn json(text: &[u8], extent: Extent) -> Guess {
    let is_json = match (text[0], text[1..].trim_ascii_start().first()) {
        (_, None) => return Guess::Open,
        (b'[', Some(b'{')) => return Guess::Is(Framing::Array),
        (b'[', Some(first)) => matches!(first, b'[' | b'"' | b']' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'),
        (_, Some(first)) => matches!(first, b'"' | b'}'),
    };
    if !is_json {
        return Guess::Text;
    }
    let first_line = memchr::memchr(b'\n', text).map(|end| text.split_at(end));
    match first_line {
        Some((line, rest)) if Members::of(line).is_some() => match rest.trim_ascii_start().first() {
            Some(b'{') => Guess::Is(Framing::Lines),
            None if extent == Extent::SoFar => Guess::Open,
            // A document has said all it has to say. A line that says otherwise is one of several.
            None if Members::of(line).is_some_and(|members| members.value("done") == Some(b"false")) => {
                Guess::Is(Framing::Lines)
            }
            _ => Guess::Is(Framing::Document),
        },
        None if extent == Extent::SoFar => Guess::Open,
        _ => Guess::Is(Framing::Document),
    }
}

/// A frame of Amazon's encoding: its length, below 16 MiB, and the checksum of its beginning.
fn frames(text: &[u8], extent: Extent) -> Guess {
    match text.get(..12) {
        Some(prelude) if crc32fast::hash(&prelude[..8]).to_be_bytes() == prelude[8..] => {
            Guess::Is(Framing::AmazonEventStream)
        }
        None if extent == Extent::SoFar => Guess::Open,
        _ => Guess::Text,
    }
}

/// The lines of an event stream, as far as they come. What has the form of a field may be one, known or not, until a
/// line comes that has not.
fn fields(text: &[u8], extent: Extent) -> Guess {
    let (mut has_event, mut has_other) = (false, false);
    for line in text.split_inclusive(|b| matches!(b, b'\n' | b'\r')) {
        let line = line.trim_ascii_end();
        let name = &line[..memchr::memchr(b':', line).unwrap_or(line.len())];
        let has_colon = name.len() < line.len();
        match name {
            b"" => {}
            b"data" if has_colon => return Guess::Is(Framing::EventStream),
            b"event" | b"id" | b"retry" if has_colon => has_event = true,
            // Clients read past a line like this, to the data behind it.
            name if name.trim_ascii_start() == b"data" => {}
            name if !name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) => return Guess::Text,
            // A word alone is a field without a value, unless text goes on behind it.
            _ if extent == Extent::Whole && !has_colon => return Guess::Text,
            _ => has_other = true,
        }
    }
    // Without data it is a stream if it ends as one, and all that it says is of one.
    let has_end = [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"].iter().any(|end| text.ends_with(end));
    let begins = has_event || text.trim_ascii_start().starts_with(b":");
    let is_stream = extent == Extent::Whole && begins && has_end && !has_other;
    if is_stream { Guess::Is(Framing::EventStream) } else { Guess::Open }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: Guess = Guess::Is(Framing::EventStream);
    const DOCUMENT: Guess = Guess::Is(Framing::Document);

    #[test]
    fn first_bytes() {
        let cases: [(&[u8], Guess); 34] = [
            (b"", Guess::Open),
            (b"\xef\xbb", Guess::Open),
            (b"\n \r\n", Guess::Open),
            (b"dat", Guess::Open),
            (b"data: x", EVENTS),
            (b"\xef\xbb\xbfdata:", EVENTS),
            (b"\n\nevent:", Guess::Open),
            (b"\n\nevent: a\ndata:", EVENTS),
            (b": ping", Guess::Open),
            (b": ping\n\ndata:", EVENTS),
            (b"x: y\r\ndata:", EVENTS),
            (b"id: 7\nA line", Guess::Text),
            (b":) said he", Guess::Open),
            (b":)\nsaid he", Guess::Text),
            (b"retry", Guess::Open),
            (b" {", Guess::Open),
            (b" {\"a", Guess::Open),
            (b"[", Guess::Open),
            (b"[{", Guess::Is(Framing::Array)),
            (b"[INFO] started", Guess::Text),
            (b"{curly}", Guess::Text),
            (b"{\"a\":1}\n", Guess::Open),
            (b"{\"a\":1}\n{", Guess::Is(Framing::Lines)),
            (b"{\"a\":\n", DOCUMENT),
            (b"Hello", Guess::Open),
            (b"Hello you", Guess::Text),
            (b"database\n", Guess::Open),
            (b"database\nis up", Guess::Text),
            (b"id\ndata: {}", EVENTS),
            (b"data\n\ndata: {}", EVENTS),
            (b" data: x\n\ndata: {}", EVENTS),
            (b"hello\n\ndata: {}", EVENTS),
            (b"\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb", Guess::Is(Framing::AmazonEventStream)),
            (b"\0\0\0\x10\0\0\0\0\x05\xc2\x48\xec", Guess::Text),
        ];
        for (start, guess) in cases {
            assert_eq!(detect(start, Extent::SoFar), guess, "{:?}", String::from_utf8_lossy(start));
        }
        assert_eq!(detect(&b"\n".repeat(MOST), Extent::SoFar), Guess::Text);
        assert_eq!(detect(format!("{{\"a\":\"{}", "x".repeat(MOST)).as_bytes(), Extent::SoFar), DOCUMENT);
    }

    #[test]
    fn all_bytes() {
        let cases: [(&[u8], Guess); 12] = [
            (b"Hello", Guess::Text),
            (b"Note: this", Guess::Text),
            (b": ping\n\n", EVENTS),
            (b"id: 7\n\n", EVENTS),
            (b"id: 7\nname: x\n", Guess::Text),
            (b"event: party at 5\n", Guess::Text),
            (b"{\"a\":1}\n", DOCUMENT),
            (b"{\"a\":1}", DOCUMENT),
            (b"{\"message\":{},\"done\":false}\n", Guess::Is(Framing::Lines)),
            (b"database\n", Guess::Text),
            (b"{", Guess::Text),
            (b"", Guess::Text),
        ];
        for (start, guess) in cases {
            assert_eq!(detect(start, Extent::Whole), guess, "{:?}", String::from_utf8_lossy(start));
        }
    }

    #[test]
    fn no_more_counts_than_what_is_looked_at() {
        let late = [&b": comment\n".repeat(MOST / 10 + 1)[..], b"data: {}\n\n"].concat();
        for extent in [Extent::SoFar, Extent::Whole] {
            assert_eq!(detect(&late, extent), detect(&late[..MOST], Extent::SoFar));
        }
        let spaced = [&b" ".repeat(MOST - 9)[..], b"{\"a\":\"long"].concat();
        assert_eq!(detect(&spaced, Extent::SoFar), DOCUMENT);
    }

    #[test]
    fn more_bytes_never_change_what_is_known() {
        for text in
            ["id: 7\nretry: 3\n: c\n\ndata: {}\n\n", "{\"a\":1}\n{\"b\":2}", "[1, 2]", "Once: there was\na king"]
        {
            let guesses = (0..=text.len()).map(|end| detect(&text.as_bytes()[..end], Extent::SoFar));
            let known: Vec<Guess> = guesses.skip_while(|guess| *guess == Guess::Open).collect();
            assert!(known.windows(2).all(|pair| pair[0] == pair[1]), "{text:?}: {known:?}");
        }
    }
}
