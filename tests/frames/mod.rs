//! Amazon's event stream encoding, written apart from the library's: what tests send and how they read what comes back.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A frame, of whose headers only the strings count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub headers: Vec<(String, String)>,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The kind of an event, or nothing.
    pub fn kind(&self) -> &str {
        self.header(":event-type").unwrap_or_default()
    }
}

/// An event of this kind.
pub fn event(kind: &str, payload: &str) -> Vec<u8> {
    let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    encode(&headers, payload.as_bytes())
}

/// An event that carries this in base64, as `InvokeModel` and agents send it.
pub fn chunk(inner: &str) -> Vec<u8> {
    event("chunk", &format!(r#"{{"bytes":"{}","p":"abcd"}}"#, BASE64.encode(inner)))
}

/// A frame with these headers, all of them strings.
pub fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(name.len() as u8);
        block.extend_from_slice(name.as_bytes());
        block.push(7);
        block.extend_from_slice(&(value.len() as u16).to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    encode_raw(&block, payload)
}

/// A frame of which the headers are written already.
pub fn encode_raw(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend_from_slice(&((16 + headers.len() + payload.len()) as u32).to_be_bytes());
    frame.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame.extend_from_slice(headers);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame
}

/// The frames of a stream, each as its bytes.
///
/// # Panics
///
/// If lengths or checksums are wrong, as a client would.
pub fn split(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let word = |at: usize| u32::from_be_bytes(stream[at..at + 4].try_into().expect("four bytes"));
        let len = word(0) as usize;
        assert_eq!(word(8), crc32(&stream[..8]), "the checksum of a prelude");
        assert_eq!(word(len - 4), crc32(&stream[..len - 4]), "the checksum of a frame");
        let (frame, rest) = stream.split_at(len);
        frames.push(frame);
        stream = rest;
    }
    frames
}

/// The frames of a stream.
pub fn decode(stream: &[u8]) -> Vec<Frame> {
    split(stream).into_iter().map(frame).collect()
}

fn frame(bytes: &[u8]) -> Frame {
    let headers_end = 12 + u32::from_be_bytes(bytes[4..8].try_into().expect("four bytes")) as usize;
    let (mut block, mut headers) = (&bytes[12..headers_end], Vec::new());
    while !block.is_empty() {
        let (name, rest) = block[1..].split_at(usize::from(block[0]));
        let kind = rest[0];
        let len = match kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            9 => 16,
            _ => 2 + usize::from(u16::from_be_bytes([rest[1], rest[2]])),
        };
        let (value, rest) = rest[1..].split_at(len);
        if kind == 7 {
            headers.push((text(name), text(&value[2..])));
        }
        block = rest;
    }
    Frame { headers, payload: bytes[headers_end..bytes.len() - 4].to_vec() }
}

/// What a frame carries: its payload, or what stands in that in base64.
pub fn carried(frame: &Frame) -> Vec<u8> {
    let payload = serde_json::from_slice::<serde_json::Value>(&frame.payload).unwrap_or_default();
    let inner = payload["bytes"].as_str().filter(|_| frame.kind() == "chunk");
    inner.map_or_else(|| frame.payload.clone(), |inner| BASE64.decode(inner).expect("base64"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("headers are UTF-8")
}

/// CRC-32 as gzip has it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
