use super::*;
use crate::wire::rows::{Group, Label, Layout, Row};

const TEXT: Label = Label::text("content", ChannelKind::Text);
const REASONING: Label = Label::text("reasoning", ChannelKind::Reasoning);
const ARGS: Label = Label::args("arguments");

const CHAT: Layout = Layout {
    kind: &[],
    indexes: [&[], &[]],
    groups: &[Group::all(&[
        Row("id", Role::Inert),
        Row("usage.**", Role::Usage),
        Row("choices[#]", Role::Choice),
        Row("choices[#].index", Role::Inert),
        Row("choices[#].delta.content", Role::Text(TEXT)),
        Row("choices[#].delta.tool_calls[#].index", Role::Inert),
        Row("choices[#].delta.tool_calls[#].function.arguments", Role::Text(ARGS)),
        Row("choices[#].delta.*", Role::Unlisted(ChannelKind::Text)),
        Row("choices[#].logprobs", Role::Side),
        Row("choices[#].logprobs.content[].token", Role::Token(TEXT)),
    ])],
};

const TYPED: Layout = Layout {
    kind: &["type"],
    indexes: [&["index", "id"], &["item"]],
    groups: &[
        Group::all(&[Row("type", Role::Inert), Row("id", Role::Inert), Row("item", Role::Inert)]),
        Group::of(&["part"], &[Row("text", Role::Text(TEXT)), Row("args", Role::Text(ARGS))]),
        Group::of(&["part"], &[Row("[?thought].text", Role::Text(REASONING)), Row("[].text", Role::Text(TEXT))])
            .under("parts"),
        Group::of(&["start", "end"], &[Row("", Role::Choice), Row("text", Role::Text(TEXT))]),
        Group::of(&["end"], &[Row("text", Role::Text(TEXT)), Row("seen.**", Role::Own(ChannelKind::ToolResult))])
            .whole(),
    ],
};

/// Role, what it is about, and the indexes.
fn walk_as(layout: &'static Layout, named: &str, text: &str) -> Result<Vec<(Role, String, u32, u32)>, BadIndex> {
    let (mut tape, mut walked) = (Tape::default(), Walked { kind: named.into(), ..Walked::default() });
    tape.read(text.as_bytes()).unwrap();
    Table::new(layout).walk(&tape, text.as_bytes(), &mut Names::new(2), &mut walked)?;
    let about = |found: &Found| {
        let node = tape.node(found.node as usize);
        let span = if found.part == Part::Key { node.key() } else { node.span() };
        (found.role, text[span].to_owned(), found.choice, found.item)
    };
    Ok(walked.found.iter().map(about).collect())
}

fn walk(text: &str) -> Result<Vec<(Role, String, u32, u32)>, BadIndex> {
    walk_as(&CHAT, "", text)
}

#[test]
fn rows_are_found_wherever_they_are() {
    let text = r#"{"id":"x","choices":[{"index":2,"delta":{"cont\u0065nt":"a","tool_calls":
        [{"index":1,"function":{"arguments":"{"}}]},"logprobs":{"content":[{"token":"a"}]}}],"usage":{"total":"1"}}"#;
    let roles: Vec<_> = walk(text).unwrap().into_iter().map(|(role, _, choice, item)| (role, choice, item)).collect();
    assert_eq!(
        roles,
        [
            (Role::Choice, 2, 0),
            (Role::Text(TEXT), 2, 0),
            (Role::Text(ARGS), 2, 1),
            (Role::Side, 2, 0),
            (Role::Token(TEXT), 2, 0),
            (Role::Usage, 0, 0),
            (OWN_TEXT, 0, 0),
        ]
    );
}

#[test]
fn what_no_row_names_is_a_text_of_its_own() {
    let found =
        walk(r#"{"id":{"a":["b",1]},"choices":[{"delta":{"x":"y","content":["z"]},"logprobs":null}]}"#).unwrap();
    let expected = [
        (OWN_TEXT, "a"),
        (OWN_TEXT, "\"b\""),
        (OWN_TEXT, "1"),
        (Role::Choice, r#"{"delta":{"x":"y","content":["z"]},"logprobs":null}"#),
        (OWN_TEXT, "x"),
        (Role::Unlisted(ChannelKind::Text), "\"y\""),
        (OWN_TEXT, "\"z\""),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((role, text, ..), expected) in found.iter().zip(expected) {
        assert_eq!((*role, text.as_str()), expected);
    }
}

#[test]
fn a_text_is_one_wherever_something_else_belongs() {
    let texts = |layout, text| {
        let found = walk_as(layout, "", text).unwrap();
        found
            .into_iter()
            .filter(|(role, ..)| matches!(role, Role::Own(_)))
            .map(|(_, text, ..)| text)
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&CHAT, r#"{"choices":["a",7]}"#), ["\"a\"", "7"]);
    const ODD: Layout = Layout {
        kind: &[],
        indexes: [&[], &[]],
        groups: &[Group::all(&[
            Row("a", Role::Call(ARGS)),
            Row("b", Role::Calls),
            Row("c", Role::TokenBytes(TEXT)),
            Row("d", Role::Citation(TEXT)),
            Row("d.start", Role::Cites(crate::wire::rows::Cites::Start)),
            Row("e", Role::End),
        ])],
    };
    let text = r#"{"a":"1","b":"2","c":"3","d":"4","e":5}"#;
    assert_eq!(texts(&ODD, text), ["\"1\"", "\"2\"", "\"3\"", "\"4\"", "5"]);
    assert_eq!(texts(&ODD, r#"{"d":{"start":"6"}}"#), ["\"6\""]);
}

#[test]
fn an_index_is_digits() {
    assert_eq!(walk(r#"{"choices":[{},{}]}"#).unwrap()[1].2, 1, "without an index the place counts");
    for bad in ["1.0", "-1", "1e0", "\"1\"", "99999999999", "2147483648", "true"] {
        assert_eq!(walk(&format!(r#"{{"choices":[{{"index":{bad}}}]}}"#)), Err(BadIndex), "{bad}");
    }
}

#[test]
fn each_kind_of_event_has_its_rows() {
    let roles = |named, text| -> Vec<(Role, u32, u32)> {
        let found = walk_as(&TYPED, named, text).unwrap().into_iter();
        found.map(|(role, _, choice, item)| (role, choice, item)).collect()
    };
    let part =
        r#"{"type":"p\u0061rt","index":3,"item":1,"text":"a","parts":[{"text":"b"},{"text":"c","thought":true}]}"#;
    let own_key = (OWN_TEXT, 3, 1);
    assert_eq!(
        roles("", part),
        [
            (OWN_TEXT, 3, 1), // the key `index`, which no row names
            (OWN_TEXT, 3, 1),
            (Role::Text(TEXT), 3, 1),
            (Role::Text(TEXT), 3, 1),
            (Role::Text(REASONING), 3, 1),
            own_key, // the key `thought`
        ]
    );
    assert_eq!(roles("part", r#"{"text":"a"}"#), [(Role::Text(TEXT), 0, 0)], "the framing names it");
    assert_eq!(roles("part", r#"{"type":"other","text":"a"}"#).len(), 2, "the event knows better");
    assert_eq!(roles("start", r#"{"text":"a"}"#), [(Role::Choice, 0, 0), (Role::Text(TEXT), 0, 0)]);
    let whole = roles("end", r#"{"text":"a","seen":{"k":["v",7,null]}}"#);
    let result = (Role::Own(ChannelKind::ToolResult), 0, 0);
    assert_eq!(whole, [(Role::Choice, 0, 0), (Role::Repeat(TEXT), 0, 0), result, result, result]);
}

#[test]
fn a_place_may_be_another_by_what_a_member_says() {
    const PARTS: Layout = Layout {
        kind: &[],
        indexes: [&[], &[]],
        groups: &[Group::all(&[
            Row("parts[#]{type=thought}.text", Role::Text(REASONING)),
            Row("parts[#].type", Role::Inert),
            Row("parts[#].text", Role::Text(TEXT)),
            Row("parts[#].seen.id", Role::Inert),
            Row("parts[#]{type=thought}.seen.by", Role::Inert),
        ])],
    };
    let roles = |part: &str| -> Vec<(Role, u32)> {
        let found = walk_as(&PARTS, "", &format!(r#"{{"parts":[{{}},{part}]}}"#)).unwrap().into_iter();
        found.map(|(role, _, choice, _)| (role, choice)).collect()
    };
    assert_eq!(roles(r#"{"text":"a","type":"text"}"#), [(Role::Text(TEXT), 1)]);
    assert_eq!(roles(r#"{"text":"a","type":"th\u006fught"}"#), [(Role::Text(REASONING), 1)]);
    // What is not named for it is as elsewhere.
    assert_eq!(roles(r#"{"type":"thought","seen":{"id":"1","by":"me"}}"#), []);
    assert_eq!(roles(r#"{"seen":{"id":"1","by":"me"}}"#), [(OWN_TEXT, 1), (OWN_TEXT, 1)]);
}

#[test]
fn a_member_may_name_the_kind_and_items_may_share_a_channel() {
    const MEMBERS: Layout = Layout {
        kind: &["*"],
        indexes: [&[], &["part.i"]],
        groups: &[Group::of(
            &["part"],
            &[Row("part.i", Role::Inert), Row("part.text", Role::Text(SHARED)), Row("part.args", Role::Text(ARGS))],
        )],
    };
    const SHARED: Label = Label::text("shared", ChannelKind::Text).of_choice();
    let found = walk_as(&MEMBERS, "", r#"{"part":{"i":7,"text":"a","args":"b"}}"#).unwrap();
    let roles: Vec<_> = found.into_iter().map(|(role, _, choice, item)| (role, choice, item)).collect();
    assert_eq!(roles, [(Role::Text(SHARED), 0, 0), (Role::Text(ARGS), 0, 7)]);
    let other = walk_as(&MEMBERS, "", r#"{"other":{"text":"a"}}"#).unwrap();
    assert!(other.iter().all(|(role, ..)| *role == OWN_TEXT), "{other:?}");
}

#[test]
fn choices_may_have_names() {
    let (mut names, table) = (Names::new(2), Table::new(&TYPED));
    let mut choice = |id: &str| {
        let text = format!(r#"{{"type":"start","id":"{id}"}}"#);
        let (mut tape, mut walked) = (Tape::default(), Walked::default());
        tape.read(text.as_bytes()).unwrap();
        table.walk(&tape, text.as_bytes(), &mut names, &mut walked)?;
        assert_eq!(walked.fixed.len(), 2, "what a name says is not like any other string");
        Ok(walked.found[0].choice)
    };
    let (a, b) = (choice("a"), choice("b"));
    assert_ne!(a, b);
    assert_eq!(choice("\\u0061"), a);
    assert_eq!(choice("c"), Err(BadIndex), "more names than the limit");
}

#[test]
fn a_json_text_may_be_the_value_itself() {
    let found = walk_as(&TYPED, "part", r#"{"args":{"a":["b"]},"text":7}"#).unwrap();
    let expected =
        [(Role::Text(ARGS), r#"{"a":["b"]}"#.to_owned(), 0, 0), (Role::Own(ChannelKind::Text), "7".to_owned(), 0, 0)];
    assert_eq!(found, expected);
}
