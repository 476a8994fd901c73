use super::*;
use crate::wire::test_data::{Random, cuts, shared};

#[path = "../../../../tests/frames/mod.rs"]
mod encoder;

use encoder::{chunk, encode, encode_raw, event};

/// What a framer makes of chunks.
#[derive(Debug, PartialEq)]
struct Read {
    events: Vec<ReadEvent>,
    end: Result<(), Unreadable>,
}

#[derive(Debug, PartialEq)]
struct ReadEvent {
    frame: Bytes,
    kind: Vec<u8>,
    text: Vec<u8>,
    asides: Vec<Vec<u8>>,
}

fn read_all(largest_event: usize, chunks: &[&[u8]]) -> Read {
    let mut framer = Framer::new(largest_event);
    let mut events = Vec::new();
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        loop {
            match framer.next() {
                Ok(None) => break,
                Err(unreadable) => return Read { events, end: Err(unreadable) },
                Ok(Some(event)) => {
                    let text = event.payload.text(&event.raw).unwrap_or_default().to_vec();
                    let aside =
                        |aside: &Aside| event.raw[aside.content.start as usize..aside.content.end as usize].to_vec();
                    let asides = event.asides.iter().map(aside).collect();
                    let len = match event.wrap {
                        Wrap::Chunk { frame_len, .. } => frame_len as usize,
                        _ => event.raw.len(),
                    };
                    events.push(ReadEvent { frame: event.raw.slice(..len), kind: event.kind().to_vec(), text, asides });
                }
            }
        }
    }
    Read { events, end: framer.finish() }
}

/// Reads an input whole, and checks that every cut gives the same.
fn at_every_cut(input: &[u8]) -> Read {
    let whole = read_all(1 << 20, &[input]);
    for chunks in cuts(input) {
        assert_eq!(read_all(1 << 20, &chunks), whole);
    }
    let len: usize = whole.events.iter().map(|event| event.frame.len()).sum();
    assert!(len == input.len() || whole.end.is_err(), "no byte is lost");
    whole
}

fn kinds_and_texts(read: &Read) -> Vec<(&str, &str)> {
    let text = |bytes| std::str::from_utf8(bytes).expect("UTF-8");
    read.events.iter().map(|event| (text(&event.kind), text(&event.text))).collect()
}

#[test]
fn frames_are_events_however_they_are_cut() {
    let exception = encode(&[(":message-type", "exception"), (":exception-type", "x")], br#"{"message":"m"}"#);
    let error = encode(&[(":message-type", "error"), (":error-code", "E"), (":error-message", "sorry")], b"");
    let input = [event("a", "{}"), chunk(r#"{"b":1}"#), chunk("plain"), encode(&[], b""), exception, error].concat();
    let read = at_every_cut(&input);
    assert_eq!(
        kinds_and_texts(&read),
        [
            ("a", "{}"),
            ("chunk", r#"{"b":1}"#),
            ("chunk", "plain"),
            ("", ""),
            ("exception", r#"{"message":"m"}"#),
            ("exception", "")
        ]
    );
    assert_eq!(read.end, Ok(()));
    assert_eq!(read.events[5].asides, [b"sorry"], "what a header says is looked at");
}

#[test]
fn headers_of_every_type_are_passed_over() {
    let header = |kind: u8, value: &[u8]| [&[1, b'h', kind], value].concat();
    let headers = [
        header(0, b""),
        header(1, b""),
        header(2, &[1]),
        header(3, &[1; 2]),
        header(4, &[1; 4]),
        header(5, &[1; 8]),
        header(6, &[0, 2, 1, 1]),
        header(7, &[0, 2, b'h', b'i']),
        header(8, &[1; 8]),
        header(9, &[1; 16]),
    ];
    let read = at_every_cut(&encode_raw(&headers.concat(), b"{}"));
    assert_eq!((read.events[0].asides.clone(), read.end), (vec![b"hi".to_vec()], Ok(())));
    for twice in [":event-type", ":message-type"] {
        let frame = encode(&[(twice, "event"), (twice, "error")], b"{}");
        assert_eq!(at_every_cut(&frame).end, Err(Unreadable::Broken), "a client may take either");
    }
    let broken: [&[u8]; 6] = [&[0], &[1, b'h'], &[1, b'h', 10], &[1, b'h', 4, 1], &[1, b'h', 7, 0], &[9, b'h', 7]];
    for headers in broken {
        assert_eq!(at_every_cut(&encode_raw(headers, b"{}")).end, Err(Unreadable::Broken), "{headers:?}");
    }
}

#[test]
fn what_is_broken_is_refused() {
    let frame = event("a", r#"{"a":1}"#);
    for at in 0..frame.len() {
        assert_eq!(read_all(1 << 20, &[&frame[..at]]).end, if at == 0 { Ok(()) } else { Err(Unreadable::Broken) });
        for bit in 0..8 {
            let mut flipped = frame.clone();
            flipped[at] ^= 1 << bit;
            let read = read_all(1 << 20, &[&flipped]);
            assert!(read.events.is_empty() && read.end.is_err(), "bit {bit} of byte {at}");
        }
    }
    let mut long = frame.clone();
    long[..4].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(read_all(1 << 20, &[&long]).end, Err(Unreadable::TooLarge));
    assert_eq!(read_all(frame.len() - 1, &[&frame]).end, Err(Unreadable::TooLarge));
    // Headers that are longer than the frame, with checksums that are right.
    let mut bad = encode_raw(b"", b"12345678");
    bad[4..8].copy_from_slice(&9u32.to_be_bytes());
    let prelude = crc32fast::hash(&bad[..8]).to_be_bytes();
    bad[8..12].copy_from_slice(&prelude);
    let behind = bad.len() - 4;
    let all = crc32fast::hash(&bad[..behind]).to_be_bytes();
    bad[behind..].copy_from_slice(&all);
    assert_eq!(read_all(1 << 20, &[&bad]).end, Err(Unreadable::Broken));
}

#[test]
fn edited_frames_have_their_lengths_and_checksums() {
    let input = event("a", r#"{"a":"secret"}"#);
    let frame = read(input.clone().into()).unwrap();
    let place = input.windows(6).position(|bytes| bytes == b"secret").unwrap() as u32;
    let mut edits = [Edit { span: place..place + 6, with: b"[a longer text]".to_vec() }];
    assert_eq!(reseal(&frame.raw, &mut edits), event("a", r#"{"a":"[a longer text]"}"#));
    let wrapped = read(chunk(r#"{"a":"secret"}"#).into()).unwrap();
    let Wrap::Chunk { frame_len, content } = wrapped.wrap.clone() else { panic!("a chunk is wrapped") };
    let Payload::Whole(inner) = wrapped.payload.clone() else { panic!("a chunk has an inner text") };
    let edits = vec![Edit { span: inner.start + 6..inner.start + 12, with: b"s".to_vec() }];
    assert_eq!(reseal_chunk(&wrapped.raw, frame_len, content, edits), chunk(r#"{"a":"s"}"#));
}

#[test]
fn frames_of_the_filters_own_are_like_the_upstreams() {
    let write = |input: &[u8], kind: &str| {
        let mut framer = Framer::new(1 << 20);
        framer.push(Bytes::copy_from_slice(input));
        framer.next().unwrap();
        let mut out = Vec::new();
        framer.write(kind, b"{}", &mut out);
        encoder::decode(&out).remove(0)
    };
    let bare = write(&event("a", "{}"), "b");
    assert_eq!((bare.kind(), bare.header(":message-type"), &bare.payload[..]), ("b", Some("event"), &b"{}"[..]));
    let wrapped = write(&chunk("{}"), "");
    assert_eq!((wrapped.kind(), encoder::carried(&wrapped)), ("chunk", b"{}".to_vec()));
    let exception = write(&chunk("{}"), EXCEPTION);
    assert_eq!(exception.header(":exception-type"), Some("modelStreamErrorException"));
    assert_eq!(exception.payload, b"{}");
}

#[test]
fn the_published_vectors() {
    let vectors = [
        ("invalid_header_name_length", false),
        ("invalid_header_string_length_cut_off", false),
        ("invalid_header_value_type", false),
        ("invalid_headers_length", false),
        ("invalid_message_checksum", false),
        ("invalid_prelude_checksum", false),
        ("valid_empty_payload", true),
        ("valid_no_headers", true),
    ];
    for (name, is_valid) in vectors {
        let Some(input) = shared(&format!("streams/eventstream-vectors/smithy__{name}.bin")) else { return };
        let read = at_every_cut(&input);
        assert_eq!((read.events.len() == 1, read.end.is_ok()), (is_valid, is_valid), "{name}");
    }
}

#[test]
fn noise_is_never_a_panic() {
    let mut random = Random::seeded(11);
    let stream = [event("a", "{}"), chunk("{}"), encode(&[("b", "c")], b"x")].concat();
    for _ in 0..5_000 {
        let mut input = stream.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(input.len());
            match random.below(3) {
                0 => input[at] = random.below(256) as u8,
                1 => input.insert(at, random.below(256) as u8),
                _ => drop(input.drain(at..(at + 1 + random.below(9)).min(input.len()))),
            }
        }
        let whole = read_all(1 << 20, &[&input]);
        let pieces: Vec<&[u8]> = input.chunks(1 + random.below(30)).collect();
        assert_eq!(read_all(1 << 20, &pieces), whole, "{input:?}");
    }
}
