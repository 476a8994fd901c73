use super::*;
use crate::wire::test_data::Random;
use serde_json::Value;

fn read(text: &str) -> Result<Value, Refusal> {
    let mut tape = Tape::default();
    tape.read(text.as_bytes())?;
    Ok(rebuild(&tape, text.as_bytes(), 0))
}

/// The value that the tape stands for.
fn rebuild(tape: &Tape, text: &[u8], index: usize) -> Value {
    let node = tape.node(index);
    match node.kind {
        Kind::Object => {
            let member = |child| {
                let key = tape.key(text, child, &mut Vec::new()).to_vec();
                (String::from_utf8(key).unwrap(), rebuild(tape, text, child))
            };
            Value::Object(tape.children(index).map(member).collect())
        }
        Kind::Array => tape.children(index).map(|child| rebuild(tape, text, child)).collect(),
        Kind::String => {
            let mut content = Vec::new();
            unescape_into(&text[node.content()], &mut content);
            Value::String(String::from_utf8(content).unwrap())
        }
        _ => serde_json::from_slice(&text[node.span()]).unwrap(),
    }
}

#[test]
fn what_is_json_and_what_is_not() {
    let good = [
        "{}",
        "[]",
        " null ",
        "-0.5e+10",
        "[1,2 , 3]",
        r#"{"a":{"b":[true,false,null,"x\u00e9\n\/"]},"c":""}"#,
        r#""\ud83c\udf0d""#,
        "\t[\r\n]",
    ];
    for text in good {
        assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
    }
    let bad = [
        "",
        " ",
        "{",
        "[",
        "nul",
        "truex",
        "01",
        "1.",
        "-",
        "+1",
        ".5",
        "1e",
        "{} {}",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "\"\n\"",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\"}",
        "'a'",
        "1 1",
        "\u{feff}{}",
    ];
    for text in bad {
        assert_eq!(read(text), Err(Refusal::Syntax), "{text}");
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
    }
}

#[test]
fn a_key_twice_is_refused_however_it_is_spelt() {
    for text in [r#"{"a":1,"a":2}"#, r#"{"content":1,"b":2,"cont\u0065nt":3}"#, r#"[{"x":{"\n":1,"\u000a":2}}]"#] {
        assert_eq!(read(text), Err(Refusal::DuplicateKey), "{text}");
    }
    let many: Vec<String> = (0..100).map(|i| format!(r#""k{}":{{"k0":0}}"#, i * 7 % 99)).collect();
    assert_eq!(read(&format!("{{{}}}", many.join(","))), Err(Refusal::DuplicateKey));
    assert!(read(&format!("{{{}}}", many[..99].join(","))).is_ok());
    assert!(read(r#"{"a":{"a":{"a":1}},"b":{"a":2}}"#).is_ok());
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(127)).is_ok());
    assert!(serde_json::from_str::<Value>(&nested(127)).is_ok());
    assert_eq!(read(&nested(128)), Err(Refusal::TooDeep));
    assert!(serde_json::from_str::<Value>(&nested(128)).is_err());
    assert_eq!(read(&"{\"a\":[".repeat(100_000)), Err(Refusal::TooDeep));
}

#[test]
fn lone_surrogates_are_accepted() {
    assert_eq!(read(r#""a\ud83c""#).unwrap(), Value::from("a\u{fffd}"));
    assert_eq!(read(r#""\udf0d\ud83cx\ud83c\ud83c\udf0d\ud83c\n""#).unwrap(), "\u{fffd}\u{fffd}x\u{fffd}🌍\u{fffd}\n");
}

/// A random value, written with random blanks and escapes; sometimes damaged afterwards.
fn write_value(random: &mut Random, depth: usize, out: &mut String) {
    let blanks = |random: &mut Random, out: &mut String| {
        for _ in 0..random.below(5).saturating_sub(3) {
            out.push(random.pick(&[' ', '\t', '\n', '\r']));
        }
    };
    blanks(random, out);
    match random.below(if depth < 5 { 8 } else { 5 }) {
        0 => out.push_str(random.pick(&["null", "true", "false"])),
        1 => out.push_str(random.pick(&["0", "-0", "12", "3.25", "1e3", "-7E-2", "10"])),
        2..=4 => write_string(random, out),
        5..=6 => {
            out.push('[');
            for i in 0..random.below(4) {
                if i > 0 {
                    out.push(',');
                }
                write_value(random, depth + 1, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for i in 0..random.below(4) {
                if i > 0 {
                    out.push(',');
                }
                blanks(random, out);
                // The number keeps the keys apart.
                out.push_str(&format!("\"{i}"));
                let mut key = String::new();
                write_string(random, &mut key);
                out.push_str(&key[1..]);
                blanks(random, out);
                out.push(':');
                write_value(random, depth + 1, out);
            }
            out.push('}');
        }
    }
    blanks(random, out);
}

fn write_string(random: &mut Random, out: &mut String) {
    out.push('"');
    for _ in 0..random.below(8) {
        let pieces =
            ["a", "é", "🌍", "\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\u00e9", "\\ud83c\\udf0d", "{", ":", ","];
        out.push_str(random.pick(&pieces));
    }
    out.push('"');
}

#[test]
fn serde_json_agrees() {
    let mut random = Random::seeded(1);
    for _ in 0..20_000 {
        let mut text = String::new();
        write_value(&mut random, 0, &mut text);
        if random.below(2) == 0 && !text.is_empty() {
            let damage = random.below(text.len() + 1);
            if text.is_char_boundary(damage) {
                match random.below(3) {
                    0 => text.truncate(damage),
                    1 => text.insert(damage, random.pick(&['"', '\\', '{', '}', ',', '1', ' ', 'u'])),
                    _ => drop(text.drain(damage..).next()),
                }
            }
        }
        match (read(&text), serde_json::from_str::<Value>(&text)) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text}"),
            (Err(Refusal::DuplicateKey), Ok(_)) | (Err(_), Err(_)) => {}
            // serde_json refuses lone surrogates, which damage can make.
            (Ok(_), Err(error)) => assert!(
                error.to_string().contains("hex escape") || error.to_string().contains("surrogate"),
                "{text}: {error}"
            ),
            (Err(refusal), Ok(_)) => panic!("{text}: {refusal:?}"),
        }
    }
}

/// Notes the pieces: raw length, text.
#[derive(Default)]
struct Pieces(Vec<(usize, Vec<u8>)>);

impl Sink for Pieces {
    fn run(&mut self, bytes: &[u8]) {
        self.0.push((bytes.len(), bytes.to_vec()));
    }

    fn unit(&mut self, raw_len: usize, text: &[u8]) {
        self.0.push((raw_len, text.to_vec()));
    }
}

#[test]
fn decoding_does_not_depend_on_the_cuts() {
    let mut random = Random::seeded(2);
    for _ in 0..20_000 {
        let mut raw = String::new();
        for _ in 0..random.below(10) {
            let pieces = [
                "a",
                "é",
                "\\n",
                "\\u0041",
                "\\ud83c\\udf0d",
                "\\ud83c",
                "\\udf0d",
                "\\ud83c\\n",
                "\\u12",
                "\\x",
                "\\",
            ];
            raw.push_str(random.pick(&pieces));
        }
        let mut whole = Vec::new();
        unescape_into(raw.as_bytes(), &mut whole);
        let (mut unescaper, mut pieces, mut rest) = (Unescaper::default(), Pieces::default(), raw.as_bytes());
        while !rest.is_empty() {
            let (now, later) = rest.split_at(1 + random.below(rest.len().min(7)));
            unescaper.feed(now, &mut pieces);
            rest = later;
            let taken: usize = pieces.0.iter().map(|(raw, _)| raw).sum();
            assert_eq!(taken + unescaper.pending(), raw.len() - rest.len(), "{raw}");
        }
        unescaper.finish(&mut pieces);
        assert_eq!(pieces.0.iter().map(|(raw, _)| raw).sum::<usize>(), raw.len(), "pieces tile {raw}");
        let text: Vec<u8> = pieces.0.iter().flat_map(|(_, text)| text.iter().copied()).collect();
        assert_eq!(text, whole, "{raw}");
        if let Ok(theirs) = serde_json::from_str::<String>(&format!("\"{raw}\"")) {
            assert_eq!(text, theirs.as_bytes(), "{raw}");
        }
    }
}

#[test]
fn escaped_text_reads_back() {
    let text = "a\"b\\c\n\r\t\0\u{1f}é🌍/";
    let mut out = b"\"".to_vec();
    escape_into(text, &mut out);
    out.push(b'"');
    assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
}
