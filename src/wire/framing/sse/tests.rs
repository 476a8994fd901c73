use super::*;
use crate::wire::test_data;
use serde_json::Value;

/// What the framer makes of chunks: raw events with their fields, the last one perhaps unterminated.
fn frame(chunks: &[&[u8]]) -> Vec<(Bytes, Vec<Line>, Closed)> {
    let mut framer = Framer::new(64 << 20);
    let mut events = Vec::new();
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = framer.next().expect("within the limit") {
            events.push((event.raw, framer.lines().to_vec(), event.closed));
        }
    }
    if let Some(event) = framer.finish() {
        events.push((event.raw, framer.lines().to_vec(), event.closed));
    }
    events
}

fn fields(raw: &[u8], lines: &[Line]) -> Vec<(Field, String)> {
    lines.iter().map(|line| (line.field, String::from_utf8_lossy(&raw[line.value()]).into_owned())).collect()
}

/// Every way to cut `input` in two gives the same events, and so does every way to cut a short one in three.
fn assert_same_at_every_cut(input: &[u8]) {
    let whole = frame(&[input]);
    let joined: Vec<u8> = whole.iter().flat_map(|(raw, ..)| raw.iter().copied()).collect();
    assert_eq!(joined, input, "the events are the input");
    for i in 0..=input.len() {
        assert_eq!(frame(&[&input[..i], &input[i..]]), whole, "cut at {i} of {:?}", String::from_utf8_lossy(input));
        if input.len() <= 40 {
            for j in i..=input.len() {
                assert_eq!(frame(&[&input[..i], &input[i..j], &input[j..]]), whole, "cut at {i} and {j}");
            }
        }
    }
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(frame(&bytes), whole, "byte by byte");
}

#[test]
fn the_cuts_of_the_transport_mean_nothing() {
    let inputs: [&[u8]; 22] = [
        b"",
        b"\n",
        b"\r\n\r\n",
        b"data: a\n\ndata: b\n\n",
        b"data: a\r\n\r\ndata: b\r\n\r\n",
        b"data: a\r\rdata: b\r\r",
        b"data: a\r\n\rdata: b\r\n\r\n\r\n",
        b"data: a\n\r\ndata: b\r\r\n\n",
        b"data: a\rdata: b\ndata: c\r\n\n\r",
        b"\xef\xbb\xbfdata: a\n\ndata: b\n\n",
        b"\xef\xbb\xbf\n\xef\xbb\xbfdata: a\n\n",
        b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n",
        b"\xef\xbb\xbf",
        b": ping\n\n: ping\n\n",
        b":\n\n:\r\n\r\n:\r\r",
        b"event: x\nid: 1\nretry: 5\ndata\ndata:\ndata:  y\n\n",
        b"data: no end",
        b"data: no blank line\n",
        b"data: no blank line\r\n",
        b"data: waits for LF\r\n\r",
        b"data: \0\xff\xc3\n\n",
        b"\n\n\ndata: a\n\n\n\n",
    ];
    for input in inputs {
        assert_same_at_every_cut(input);
    }
}

#[test]
fn fields_are_where_they_say() {
    let events = frame(&[b"\xef\xbb\xbf: hi\r\nevent:x\r\nid\r\ndata: {}\r\ndata:\r\nfoo: bar\r\n\r\n"]);
    let (raw, lines, closed) = &events[0];
    assert_eq!(
        fields(raw, lines),
        [
            (Field::Comment, "hi".to_owned()),
            (Field::Event, "x".to_owned()),
            (Field::Id, String::new()),
            (Field::Data, "{}".to_owned()),
            (Field::Data, String::new()),
            (Field::Unknown, "bar".to_owned()),
        ]
    );
    assert_eq!(*closed, Closed::Whole);
    assert_eq!(&raw[lines[3].start as usize..lines[3].end as usize], b"data: {}\r\n");
}

#[test]
fn an_event_within_one_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
    let mut framer = Framer::new(1024);
    framer.push(chunk.clone());
    framer.next().unwrap();
    let second = framer.next().unwrap().unwrap();
    assert_eq!(second.raw.as_ptr(), chunk[9..].as_ptr());
}

#[test]
fn an_event_beyond_the_limit_is_an_error() {
    let mut framer = Framer::new(16);
    framer.push(Bytes::from_static(b"data: 89012345\n\n"));
    assert!(framer.next().unwrap().is_some());
    assert!(matches!(framer.next(), Ok(None)));
    framer.push(Bytes::from_static(b"data: 890123456\n"));
    assert!(matches!(framer.next(), Ok(None)));
    framer.push(Bytes::from_static(b"\n"));
    assert!(matches!(framer.next(), Err(TooLarge)));

    let mut framer = Framer::new(16);
    framer.push(Bytes::from_static(b"data: 890123456789"));
    assert!(matches!(framer.next(), Err(TooLarge)));
}

#[test]
fn a_large_event_in_small_chunks_is_scanned_once() {
    // Quadratic work would be 4 Mi times 64 Ki byte visits here, and not end within the test's patience.
    let mut framer = Framer::new(8 << 20);
    framer.push(Bytes::from_static(b"data: "));
    assert!(matches!(framer.next(), Ok(None)));
    let piece = Bytes::from(vec![b'x'; 64]);
    for _ in 0..65_536 {
        framer.push(piece.clone());
        assert!(matches!(framer.next(), Ok(None)));
    }
    framer.push(Bytes::from_static(b"\n\n"));
    assert_eq!(framer.next().unwrap().unwrap().raw.len(), 6 + (4 << 20) + 2);
}

/// What a client makes of the events: WHATWG's dispatch, on top of the framer's fields.
fn dispatch(chunks: &[&[u8]]) -> (Vec<Value>, Vec<u64>) {
    let (mut id, mut dispatched, mut retries) = (String::new(), Vec::new(), Vec::new());
    for (raw, lines, closed) in frame(chunks) {
        let (mut kind, mut data) = (String::new(), None::<String>);
        for (field, value) in fields(&raw, &lines) {
            match field {
                Field::Data => match &mut data {
                    Some(data) => *data = format!("{data}\n{value}"),
                    None => data = Some(value),
                },
                Field::Event => kind = value,
                Field::Id if !value.contains('\0') => id = value,
                Field::Retry if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                    retries.push(value.parse().unwrap());
                }
                _ => {}
            }
        }
        if let (Some(data), Closed::Whole) = (data, closed) {
            let kind = if kind.is_empty() { "message" } else { &kind };
            dispatched.push(serde_json::json!({ "event": kind, "data": data, "id": id }));
        }
    }
    (dispatched, retries)
}

#[test]
fn conformance_cases() {
    let Some(cases) = test_data::shared("streams/sse_cases.jsonl") else { return };
    let mut count = 0;
    for case in String::from_utf8(cases).unwrap().lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let chunks: Vec<Vec<u8>> =
            case["chunks_b64"].as_array().unwrap().iter().map(|c| test_data::base64(c.as_str().unwrap())).collect();
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        let (events, retries) = dispatch(&chunks);
        assert_eq!(&Value::from(events), &case["events"], "{}", case["name"]);
        if let Some(expected) = case.get("retry") {
            assert_eq!(&Value::from(retries), expected, "{}", case["name"]);
        }
        let input = chunks.concat();
        if input.len() <= 4096 {
            assert_same_at_every_cut(&input);
        }
        count += 1;
    }
    assert!(count >= 63, "only {count} cases");
}
