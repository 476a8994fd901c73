use super::*;
use crate::wire::test_data::Random;

/// Feeds string contents one after the other, cuts, and gives back what each becomes.
fn splice(
    coding: Coding,
    contents: &[&str],
    cut: impl Fn(&str) -> Vec<(Range<usize>, Option<&'static str>)>,
) -> Vec<String> {
    let (mut state, mut text, mut scratch) = (coding, Vec::new(), Vec::new());
    let mut fields: Vec<(Coding, Range<u64>)> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for content in contents {
        let (start, before) = (text.len() as u64, state);
        let mut delta = Vec::new();
        if let Some(closed) = state.decode(content.as_bytes(), &mut delta, &mut scratch) {
            open.drain(..).for_each(|i| fields[i].1.end = start + closed as u64);
        }
        text.extend_from_slice(&delta);
        fields.push((before, start..text.len() as u64));
        if state.is_open() {
            open.push(fields.len() - 1);
        }
    }
    state.finish(&mut text);
    open.drain(..).for_each(|i| fields[i].1.end = text.len() as u64);

    let mut cuts = Cuts::default();
    for (span, replacement) in cut(&String::from_utf8_lossy(&text)) {
        cuts.push(span.start as u64..span.end as u64, replacement);
    }
    let mut quoted = Quoted::No;
    let write = |(content, (coding, text)): (&&str, (Coding, Range<u64>))| {
        let splice = Splice { raw: content.as_bytes(), coding, text, cuts: &cuts, limit: u64::MAX };
        if !splice.is_touched(quoted) {
            return content.to_string();
        }
        let mut out = Vec::new();
        splice.write(&mut quoted, &mut out);
        String::from_utf8(out).unwrap()
    };
    contents.iter().zip(fields).map(write).collect()
}

/// Cuts every occurrence of a word.
fn word(word: &'static str, replacement: &'static str) -> impl Fn(&str) -> Vec<(Range<usize>, Option<&'static str>)> {
    move |text| text.match_indices(word).map(|(at, _)| (at..at + word.len(), Some(replacement))).collect()
}

#[test]
fn everything_but_the_cut_stays_as_it_was() {
    let out = splice(Coding::TEXT, &[r"a\u0041 sec", r"r\u0065t\n\/b"], word("secret", "[\"x\"]"));
    assert_eq!(out, [r"a\u0041 ", r#"[\"x\"]\n\/b"#]);
}

#[test]
fn halves_of_a_pair_go_together() {
    let contents = [r"x\ud83c", "", r"\udf0dy"];
    assert_eq!(splice(Coding::TEXT, &contents, word("🌍", "[globe]")), ["x", "", "[globe]y"]);
    assert_eq!(splice(Coding::TEXT, &contents, word("y", "[y]")), [r"x\ud83c", "", r"\udf0d[y]"]);
    assert_eq!(splice(Coding::TEXT, &contents, word("x", "[x]")), [r"[x]\ud83c", "", r"\udf0dy"]);
    let lone = [r"x\ud83c", "yz"];
    assert_eq!(splice(Coding::TEXT, &lone, word("z", "[z]")), [r"x\ud83c", "y[z]"]);
    // The escape behind a lone half is one unit with it.
    assert_eq!(splice(Coding::TEXT, &[r"x\ud83c\n"], word("\n", "[n]")), ["x[n]"]);
}

#[test]
fn arguments_stay_json() {
    let args = [r#"{\"mail\": \"bob\\u0040x"#, r#".com\", \"n\": 12"#, r#"34, \"m\": 5}"#];
    let mail = splice(Coding::ARGS, &args, word("bob@x.com", "[\"mail\"]"));
    assert_eq!(mail, [r#"{\"mail\": \""#, r#"[\\\"mail\\\"]\", \"n\": 12"#, args[2]]);
    let number = splice(Coding::ARGS, &args, word("23", "[n]"));
    assert_eq!(number, [args[0], r#".com\", \"n\": \"1"#, r#"[n]4\", \"m\": 5}"#]);
    let split = splice(Coding::ARGS, &[r#"{\"a\":\"x\\u00"#, r#"41y\"}"#], word("A", "[a]"));
    assert_eq!(split, [r#"{\"a\":\"x"#, r#"[a]y\"}"#]);
    // A cut that reaches over structure removes content only; the replacement stays within a string.
    let over = splice(Coding::ARGS, &[r#"{\"key\":\"val\",\"k\":1}"#], word("ey\":\"va", "[r]"));
    assert_eq!(over, [r#"{\"k\":\"[r]l\",\"k\":1}"#]);
    let quote = splice(Coding::ARGS, &[r#"{\"key\":\"val"#, r#"\",\"k\":1}"#], word("val\",", "[r]"));
    assert_eq!(quote, [r#"{\"key\":\""#, r#"[r]\",\"k\":1}"#]);
    assert_eq!(splice(Coding::ARGS, &["not {json} ", "12"], word("{json} 1", "[r]")), ["not ", "[r]2"]);
}

#[test]
fn a_limit_leaves_the_rest_behind() {
    let cuts = Cuts::default();
    let write = |coding, raw: &str, limit| {
        let splice = Splice { raw: raw.as_bytes(), coding, text: 10..99, cuts: &cuts, limit };
        let mut out = Vec::new();
        splice.write(&mut Quoted::No, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(write(Coding::TEXT, r"a\u0041bc", 13), r"a\u0041b");
    assert_eq!(write(Coding::TEXT, r"abc", 10), "");
    assert_eq!(write(Coding::ARGS, r#"{\"a\":\"xyz\"}"#, 17), r#"{\"a\":\"x"#);
}

/// Random arguments, fragments and cuts: what leaves is JSON, has no cut byte, and without cuts is what came.
#[test]
fn spliced_arguments_parse() {
    let mut random = Random::seeded(4);
    for _ in 0..20_000 {
        let mut inner = String::from("{");
        for i in 0..random.below(4) {
            if i > 0 {
                inner.push(',');
            }
            let strings = ["aXb", "X", "", "\\u0058y", "\\ud83c\\udf0d", "q\\\"X", "é"];
            let numbers = ["1", "-27.7e7", "7", "2", "true", "null", "[7,\"X\"]", "{\"X\":\"\"}"];
            inner.push_str(&format!("\"{i}{}\": ", random.pick(&strings)));
            match random.below(2) {
                0 => inner.push_str(&format!("\"{}\"", random.pick(&strings))),
                _ => inner.push_str(random.pick(&numbers)),
            }
        }
        inner.push('}');
        let mut outer = Vec::new();
        escape_into(&inner, &mut outer);
        let outer = String::from_utf8(outer).unwrap();
        // Fragments as JSON strings: never cut within an outer escape, nor within a character.
        let (mut fragments, mut rest) = (Vec::new(), outer.as_str());
        while !rest.is_empty() {
            let mut at = 1 + random.below(rest.len().min(6));
            while !rest.is_char_boundary(at) || rest[..at].bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1 {
                at += 1;
            }
            let (now, later) = rest.split_at(at);
            fragments.push(now);
            rest = later;
        }
        for needle in ["X", "7", "🌍", "\"", "7,", "é\"", "y\": "] {
            let out = splice(Coding::ARGS, &fragments, word(needle, "[\"r\"]"));
            let joined: String = serde_json::from_str(&format!("\"{}\"", out.concat())).unwrap();
            let parsed = serde_json::from_str::<serde_json::Value>(&joined);
            assert!(parsed.is_ok(), "{inner} without {needle:?}: {joined}");
            if ["X", "7", "🌍"].contains(&needle) {
                let text = parsed.unwrap().to_string();
                assert!(!text.contains(needle), "{inner} without {needle:?}: {joined}");
            }
        }
        assert_eq!(splice(Coding::ARGS, &fragments, |_| Vec::new()), fragments);
    }
}
