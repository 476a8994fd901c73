//! Tool arguments: a JSON text that arrives in fragments, seen as text with its strings decoded.
//!
//! Rules see the structure as it stands (it is the left context of what they look for) and what the strings say.
//! A cut removes bytes of string content and of numbers, never of structure, so what leaves is valid JSON. Where
//! the text turns out not to be JSON, the rest of it is plain text. The lexer knows tokens, not grammar: more is
//! not needed to know what may be cut.

use super::json::{Sink, Unescaper};

/// What a piece of the arguments is, and so whether it may be cut and how a replacement is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Text as it stands on the wire.
    Bare,
    /// Content of a JSON string, as far as it is no JSON text itself.
    Text,
    /// Content of a string of the JSON text.
    InnerText,
    /// A number of the JSON text; touched, it becomes a string.
    Number,
    /// A quote that opens a string of it.
    Open,
    /// A quote that closes one.
    Close,
    /// Other structure of it: never cut.
    Structure,
}

/// Takes the pieces that the lexer makes of the inner text. Their lengths add up to the bytes taken.
pub(crate) trait ShapedSink {
    /// Bytes that stand for themselves.
    fn run(&mut self, shape: Shape, bytes: &[u8]);

    /// A unit that cannot be divided: this many bytes stand for `text`.
    fn unit(&mut self, shape: Shape, len: usize, text: &[u8]);
}

impl ShapedSink for Vec<u8> {
    fn run(&mut self, _shape: Shape, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn unit(&mut self, _shape: Shape, _len: usize, text: &[u8]) {
        self.extend_from_slice(text);
    }
}

/// Reads the inner JSON text, however it is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lexer {
    #[default]
    Between,
    String(Unescaper),
    Number,
    /// Within a word such as `true` or `null`: the word and how much of it has come.
    Literal(Word, u8),
    /// Not JSON after all.
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    True,
    False,
    Null,
    /// Not in RFC 8259, but Python's `json` writes and reads it.
    NaN,
    /// The same; a minus before it begins as a number does.
    Infinity,
}

impl Word {
    fn bytes(self) -> &'static [u8] {
        match self {
            Word::True => b"true",
            Word::False => b"false",
            Word::Null => b"null",
            Word::NaN => b"NaN",
            Word::Infinity => b"Infinity",
        }
    }
}

impl Lexer {
    /// Whether the text so far ends within something that must be decided as a whole.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Lexer::String(unescaper) => unescaper.is_open(),
            Lexer::Number | Lexer::Literal(..) => true,
            Lexer::Between | Lexer::Plain => false,
        }
    }

    /// Bytes at the end of what was fed that are not handed on yet.
    pub(crate) fn pending(&self) -> usize {
        match self {
            Lexer::String(unescaper) => unescaper.pending(),
            Lexer::Literal(_, len) => usize::from(*len),
            _ => 0,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, text: &[u8], sink: &mut impl ShapedSink) {
        let mut rest = text;
        while !rest.is_empty() {
            let used = self.token(rest, sink);
            rest = &rest[used..];
        }
    }

    /// Takes bytes until what is open is closed; gives back how many.
    pub(crate) fn feed_open(&mut self, text: &[u8], sink: &mut impl ShapedSink) -> usize {
        let mut used = 0;
        while self.is_open() && used < text.len() {
            used += match self {
                Lexer::String(unescaper) => unescaper.feed_open(&text[used..], &mut Inner(sink)),
                _ => self.token(&text[used..], sink),
            };
        }
        used
    }

    /// The text is at its end: hands on what is open.
    pub(crate) fn finish(&mut self, sink: &mut impl ShapedSink) {
        match self {
            Lexer::String(unescaper) => unescaper.finish(&mut Inner(sink)),
            Lexer::Literal(word, len) => {
                let len = usize::from(*len);
                sink.unit(Shape::Text, len, &word.bytes()[..len]);
            }
            _ => {}
        }
        *self = Lexer::Between;
    }

    /// Takes (a part of) one token from a text that is not empty; gives back how many bytes. That is none only
    /// where a number ends.
    fn token(&mut self, text: &[u8], sink: &mut impl ShapedSink) -> usize {
        match self {
            Lexer::Between => self.between(text, sink),
            Lexer::String(unescaper) => {
                if !unescaper.is_open() && text[0] == b'"' {
                    sink.unit(Shape::Close, 1, b"\"");
                    *self = Lexer::Between;
                    return 1;
                }
                if unescaper.is_open() || text[0] == b'\\' {
                    unescaper.feed(&text[..1], &mut Inner(sink));
                    return 1;
                }
                let run = memchr::memchr2(b'"', b'\\', text).unwrap_or(text.len());
                sink.run(Shape::InnerText, &text[..run]);
                run
            }
            Lexer::Number => {
                let digits = text.iter().take_while(|b| is_of_number(**b)).count();
                if digits > 0 {
                    sink.run(Shape::Number, &text[..digits]);
                }
                if digits < text.len() {
                    *self = Lexer::Between;
                }
                digits
            }
            Lexer::Literal(word, len) => {
                let (bytes, so_far) = (word.bytes(), usize::from(*len));
                if text[0] != bytes[so_far] {
                    sink.unit(Shape::Text, so_far, &bytes[..so_far]);
                    *self = Lexer::Plain;
                    return 0;
                }
                *len += 1;
                if so_far + 1 == bytes.len() {
                    sink.unit(Shape::Structure, bytes.len(), bytes);
                    *self = Lexer::Between;
                }
                1
            }
            Lexer::Plain => {
                sink.run(Shape::Text, text);
                text.len()
            }
        }
    }

    fn between(&mut self, text: &[u8], sink: &mut impl ShapedSink) -> usize {
        let structure = text.iter().take_while(|b| is_structure(**b)).count();
        if structure > 0 {
            sink.run(Shape::Structure, &text[..structure]);
            return structure;
        }
        *self = match text[0] {
            b'"' => {
                sink.unit(Shape::Open, 1, b"\"");
                *self = Lexer::String(Unescaper::default());
                return 1;
            }
            b'-' | b'0'..=b'9' => Lexer::Number,
            b't' => Lexer::Literal(Word::True, 0),
            b'f' => Lexer::Literal(Word::False, 0),
            b'n' => Lexer::Literal(Word::Null, 0),
            b'N' => Lexer::Literal(Word::NaN, 0),
            b'I' => Lexer::Literal(Word::Infinity, 0),
            _ => Lexer::Plain,
        };
        0
    }
}

fn is_structure(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r')
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// The content of an inner string on its way out.
struct Inner<'a, S>(&'a mut S);

impl<S: ShapedSink> Sink for Inner<'_, S> {
    fn run(&mut self, bytes: &[u8]) {
        self.0.run(Shape::InnerText, bytes);
    }

    fn unit(&mut self, raw_len: usize, text: &[u8]) {
        self.0.unit(Shape::InnerText, raw_len, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::test_data::Random;

    /// Runs of the same shape, joined.
    #[derive(Debug, Default, PartialEq)]
    struct Pieces(Vec<(Shape, usize, Vec<u8>)>);

    impl ShapedSink for Pieces {
        fn run(&mut self, shape: Shape, bytes: &[u8]) {
            self.unit(shape, bytes.len(), bytes);
        }

        fn unit(&mut self, shape: Shape, len: usize, text: &[u8]) {
            match self.0.last_mut() {
                Some(last) if last.0 == shape && !matches!(shape, Shape::Open | Shape::Close) => {
                    last.1 += len;
                    last.2.extend_from_slice(text);
                }
                _ => self.0.push((shape, len, text.to_vec())),
            }
        }
    }

    fn lex(fragments: &[&[u8]]) -> Pieces {
        let (mut lexer, mut pieces) = (Lexer::default(), Pieces::default());
        for fragment in fragments {
            lexer.feed(fragment, &mut pieces);
        }
        lexer.finish(&mut pieces);
        pieces
    }

    fn text(pieces: &Pieces) -> String {
        pieces.0.iter().map(|(_, _, text)| String::from_utf8_lossy(text).into_owned()).collect()
    }

    #[test]
    fn strings_are_decoded_and_structure_stays() {
        let pieces = lex(&[br#"{"a\u0040":[-1.5e3,true,"x\"y"]}"#]);
        assert_eq!(text(&pieces), r#"{"a@":[-1.5e3,true,"x"y"]}"#);
        let shapes: Vec<Shape> = pieces.0.iter().map(|(shape, ..)| *shape).collect();
        use Shape::*;
        assert_eq!(
            shapes,
            [Structure, Open, InnerText, Close, Structure, Number, Structure, Open, InnerText, Close, Structure]
        );
    }

    #[test]
    fn what_is_not_json_is_plain_text() {
        assert_eq!(lex(&[b"hello \"you\""]).0, [(Shape::Text, 11, b"hello \"you\"".to_vec())]);
        assert_eq!(lex(&[b"transfer"]).0, [(Shape::Text, 8, b"transfer".to_vec())]);
        assert_eq!(lex(&[b"tr"]).0, [(Shape::Text, 2, b"tr".to_vec())]);
        assert_eq!(text(&lex(&[b"{\"a\": nul, and more"])), "{\"a\": nul, and more");
    }

    #[test]
    fn the_cuts_mean_nothing() {
        let mut random = Random::seeded(3);
        for _ in 0..20_000 {
            let mut input = String::new();
            for _ in 0..random.below(12) {
                let tokens = [
                    "{",
                    "}",
                    "\"",
                    "\\\"",
                    "\\u0041",
                    "\\ud83c\\udf0d",
                    "\\ud83c",
                    "12",
                    "-0.5",
                    "true",
                    "nul",
                    "x",
                    "é",
                    ",",
                    ": ",
                    "\\",
                ];
                input.push_str(random.pick(&tokens));
            }
            let whole = lex(&[input.as_bytes()]);
            assert_eq!(whole.0.iter().map(|(_, len, _)| len).sum::<usize>(), input.len(), "pieces tile {input}");
            let bytes: Vec<&[u8]> = input.as_bytes().chunks(1 + random.below(5)).collect();
            assert_eq!(lex(&bytes), whole, "{input}");
        }
    }
}
