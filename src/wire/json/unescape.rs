//! The content of JSON strings, decoded as it comes, however it is cut.
//!
//! A channel's text comes in the contents of many string literals, one after the other. Their concatenation is
//! what is decoded: a surrogate pair may have its halves in two events, and a tool call's arguments, a JSON text
//! that itself comes in string literals, may be cut anywhere, within an escape too.

/// Decodes string content piece by piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unescaper {
    state: State,
    /// The first half of a pair, waiting for its second.
    high: Option<u16>,
    /// Raw bytes taken of the unit at hand, which is not handed on yet.
    pending: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    /// Behind a backslash.
    Escape,
    /// Behind `\u` and this many digits.
    Hex { digits: u8, value: u16 },
}

/// Takes what the decoder makes of the raw bytes. The pieces' raw lengths add up to the raw bytes taken.
pub(crate) trait Sink {
    /// Bytes that stand for themselves.
    fn run(&mut self, bytes: &[u8]);

    /// A unit that cannot be divided: this many raw bytes stand for `text`.
    fn unit(&mut self, raw_len: usize, text: &[u8]);
}

impl Sink for Vec<u8> {
    fn run(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn unit(&mut self, _raw_len: usize, text: &[u8]) {
        self.extend_from_slice(text);
    }
}

/// Decodes whole string content.
pub(crate) fn unescape_into(raw: &[u8], out: &mut Vec<u8>) {
    let mut unescaper = Unescaper::default();
    unescaper.feed(raw, out);
    unescaper.finish(out);
}

const LONE: char = char::REPLACEMENT_CHARACTER;

impl Unescaper {
    pub(crate) const NEW: Unescaper = Unescaper { state: State::Plain, high: None, pending: 0 };

    /// Whether the raw bytes so far end within a unit: what the last of them mean is not known yet.
    pub(crate) fn is_open(&self) -> bool {
        self.pending > 0
    }

    /// Raw bytes at the end of what was fed that are not handed on yet.
    pub(crate) fn pending(&self) -> usize {
        usize::from(self.pending)
    }

    /// Takes the next raw bytes.
    pub(crate) fn feed(&mut self, raw: &[u8], sink: &mut impl Sink) {
        let mut rest = raw;
        while !rest.is_empty() {
            let used = if self.is_open() {
                self.step(rest[0], sink);
                1
            } else {
                let run = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
                if run > 0 {
                    sink.run(&rest[..run]);
                } else {
                    self.step(rest[0], sink);
                }
                run.max(1)
            };
            rest = &rest[used..];
        }
    }

    /// Takes bytes while a unit is open; gives back how many.
    pub(crate) fn feed_open(&mut self, raw: &[u8], sink: &mut impl Sink) -> usize {
        let mut used = 0;
        while self.is_open() && used < raw.len() {
            self.step(raw[used], sink);
            used += 1;
        }
        used
    }

    /// The text is at its end: hands on what is open, as what a client would show for it.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) {
        if self.is_open() {
            let mut text = [0; 4];
            sink.unit(self.pending(), LONE.encode_utf8(&mut text).as_bytes());
        }
        *self = Unescaper::default();
    }

    /// Takes one byte, which is a backslash or comes while a unit is open.
    fn step(&mut self, byte: u8, sink: &mut impl Sink) {
        self.pending += 1;
        match self.state {
            State::Plain if byte == b'\\' => self.state = State::Escape,
            State::Plain => self.close(Decoded::Byte(byte), sink),
            State::Escape => match byte {
                b'u' => self.state = State::Hex { digits: 0, value: 0 },
                b'b' => self.close(Decoded::Byte(0x08), sink),
                b'f' => self.close(Decoded::Byte(0x0c), sink),
                b'n' => self.close(Decoded::Byte(b'\n'), sink),
                b'r' => self.close(Decoded::Byte(b'\r'), sink),
                b't' => self.close(Decoded::Byte(b'\t'), sink),
                b'"' | b'\\' | b'/' => self.close(Decoded::Byte(byte), sink),
                // No JSON, but some readers take it for the byte itself.
                _ => self.close(Decoded::Invalid(byte), sink),
            },
            State::Hex { digits, value } => match (byte as char).to_digit(16) {
                Some(digit) if digits == 3 => self.close_hex(value << 4 | digit as u16, sink),
                Some(digit) => self.state = State::Hex { digits: digits + 1, value: value << 4 | digit as u16 },
                None => self.close(Decoded::Invalid(byte), sink),
            },
        }
    }

    fn close_hex(&mut self, unit: u16, sink: &mut impl Sink) {
        match (self.high, unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                let code = 0x10000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(unit) - 0xdc00);
                self.high = None;
                self.close(Decoded::Char(char::from_u32(code).unwrap_or(LONE)), sink);
            }
            (_, 0xd800..=0xdbff) => {
                // The unit before it, if there is one, is a lone half.
                let first = usize::from(self.pending) - 6;
                if first > 0 {
                    let mut text = [0; 4];
                    sink.unit(first, LONE.encode_utf8(&mut text).as_bytes());
                }
                (self.high, self.pending, self.state) = (Some(unit), 6, State::Plain);
            }
            _ => self.close(Decoded::Char(char::from_u32(u32::from(unit)).unwrap_or(LONE)), sink),
        }
    }

    /// Hands on the unit at hand; a lone half before it goes along.
    fn close(&mut self, decoded: Decoded, sink: &mut impl Sink) {
        let mut buffer = [0; 16];
        let mut len = 0;
        let mut add = |c: char| {
            let mut utf8 = [0; 4];
            let bytes = c.encode_utf8(&mut utf8).as_bytes();
            buffer[len..len + bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
        };
        if self.high.is_some() {
            add(LONE);
        }
        match decoded {
            Decoded::Char(c) => add(c),
            Decoded::Byte(byte) => {
                buffer[len] = byte;
                len += 1;
            }
            Decoded::Invalid(byte) => {
                add('\\');
                if let State::Hex { digits, value } = self.state {
                    add('u');
                    for digit in (0..digits).rev() {
                        add(char::from_digit(u32::from(value >> (4 * digit) & 0xf), 16).unwrap_or(LONE));
                    }
                }
                buffer[len] = byte;
                len += 1;
            }
        }
        sink.unit(usize::from(self.pending), &buffer[..len]);
        *self = Unescaper::default();
    }
}

enum Decoded {
    Char(char),
    Byte(u8),
    /// What a broken escape breaks off with.
    Invalid(u8),
}
