//! A dialect as a table: which field is what.
//!
//! A path names a field from the event's root: `a.b` is a member of a member, `a[]` every element of an array,
//! `a[#]` every element that is told apart by its member `index` (or, without one, by its place), `a.*` every
//! member that no other row names, `a.**` everything below. A string that no row names is moderated as a text of
//! its own, and so is every key that no row names: a dialect that has not heard of a field does not leak by it.

use super::json::{Kind, Tape};
use crate::policy::ChannelKind;

/// One field of a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) &'static str, pub(crate) Role);

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Carries the deltas of a channel.
    Text(ChannelKind),
    /// Carries the deltas of a tool call's arguments, a JSON text.
    Args,
    /// Repeats, delta by delta, what another field of the same choice carries. Moderated like any text, but what is
    /// found in it is reported only where the other field is absent.
    Echo(ChannelKind),
    /// Repeats what the field of this path carries: all of it so far, or only the event's delta.
    Snapshot(&'static str),
    /// A text of its own: whole within the event.
    Own(ChannelKind),
    /// A member that the dialect does not know, of an object that carries deltas. A channel for each key, which
    /// ends when an event comes without it.
    Unlisted(ChannelKind),
    /// A token's text; the tokens of a choice are a channel that repeats another.
    Token(ChannelKind),
    /// A token's bytes as an array of numbers, likewise.
    TokenBytes(ChannelKind),
    /// Says something about the text beside it and becomes `null` when any of that is edited.
    Side,
    /// Covers all the text of a kind in its choice and becomes `null` when any of that was edited.
    Seal(ChannelKind),
    /// A token's bytes beside the one that was chosen: a text of its own.
    OwnBytes(ChannelKind),
    /// Shows that an event is one of the dialect's.
    Hallmark,
    /// The object of one choice.
    Choice,
    /// The object of one tool call, whose arguments are at this path.
    Call(&'static str),
    /// Says that its choice is at its end, unless it is `null` or empty.
    Finish,
    /// Says that the upstream failed, if it is an object or a text. What is in it is moderated.
    Error,
    /// What the stream has cost so far.
    Usage,
    /// Carries no model text.
    Inert,
}

/// A field of an event that something must be done about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) role: Role,
    /// The row's number in the table.
    pub(crate) row: u16,
    pub(crate) node: u32,
    pub(crate) part: Part,
    pub(crate) choice: u32,
    /// The inner index, of a tool call for example.
    pub(crate) item: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

/// An `index` that is no index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadIndex;

/// A table made ready for lookups.
#[derive(Debug)]
pub(crate) struct Table {
    rows: &'static [Row],
    nodes: Vec<Place>,
}

/// A place that a path leads to or through.
#[derive(Debug, Default)]
struct Place {
    members: Vec<(&'static str, usize)>,
    any_member: Option<usize>,
    elements: Option<(Elements, usize)>,
    row: Option<(u16, Role)>,
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elements {
    Alike,
    Indexed,
}

/// How far a place's row holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reach {
    #[default]
    Here,
    Below,
}

/// The row of what no row names.
pub(crate) const NO_ROW: u16 = u16::MAX;

impl Table {
    pub(crate) fn new(rows: &'static [Row]) -> Table {
        let mut table = Table { rows, nodes: vec![Place::default()] };
        for (i, row) in rows.iter().enumerate() {
            table.add(row.0, i as u16);
        }
        table
    }

    /// The number of the row with this path.
    pub(crate) fn row(&self, path: &str) -> Option<u16> {
        self.rows.iter().position(|row| row.0 == path).map(|row| row as u16)
    }

    pub(crate) fn role(&self, row: u16) -> Option<Role> {
        self.rows.get(usize::from(row)).map(|row| row.1)
    }

    /// Finds every field of an event that something must be done about, in document order.
    pub(crate) fn walk(&self, tape: &Tape, text: &[u8], found: &mut Vec<Found>) -> Result<(), BadIndex> {
        found.clear();
        let mut walk = Walk { table: self, tape, text, found, key: Vec::new() };
        walk.value(0, Some(0), Scope::default())
    }

    fn add(&mut self, path: &'static str, row: u16) {
        let mut at = 0;
        for segment in path.split('.') {
            let name_len = segment.find('[').unwrap_or(segment.len());
            let (name, mut brackets) = segment.split_at(name_len);
            if name == "**" {
                self.nodes[at].reach = Reach::Below;
                break;
            }
            at = self.member(at, name);
            while let Some(rest) = brackets.strip_prefix("[]").or_else(|| brackets.strip_prefix("[#]")) {
                let kind = if brackets.starts_with("[#]") { Elements::Indexed } else { Elements::Alike };
                at = self.elements(at, kind);
                brackets = rest;
            }
        }
        self.nodes[at].row = self.role(row).map(|role| (row, role));
    }

    fn member(&mut self, at: usize, name: &'static str) -> usize {
        let existing = match name {
            "*" => self.nodes[at].any_member,
            _ => self.nodes[at].members.iter().find(|(member, _)| *member == name).map(|(_, to)| *to),
        };
        existing.unwrap_or_else(|| {
            let to = self.new_place();
            match name {
                "*" => self.nodes[at].any_member = Some(to),
                _ => self.nodes[at].members.push((name, to)),
            }
            to
        })
    }

    fn elements(&mut self, at: usize, kind: Elements) -> usize {
        match self.nodes[at].elements {
            Some((_, to)) => to,
            None => {
                let to = self.new_place();
                self.nodes[at].elements = Some((kind, to));
                to
            }
        }
    }

    fn new_place(&mut self) -> usize {
        self.nodes.push(Place::default());
        self.nodes.len() - 1
    }
}

/// The indexes on the way to a field.
#[derive(Clone, Copy, Debug, Default)]
struct Scope {
    indexes: [u32; 2],
    depth: usize,
}

impl Scope {
    fn enter(mut self, index: u32) -> Scope {
        if let Some(slot) = self.indexes.get_mut(self.depth) {
            *slot = index;
        }
        self.depth += 1;
        self
    }
}

struct Walk<'a> {
    table: &'a Table,
    tape: &'a Tape,
    text: &'a [u8],
    found: &'a mut Vec<Found>,
    key: Vec<u8>,
}

impl Walk<'_> {
    fn value(&mut self, node: usize, at: Option<usize>, scope: Scope) -> Result<(), BadIndex> {
        let kind = self.tape.node(node).kind;
        let place = at.map(|at| &self.table.nodes[at]);
        let (row, role) = match place.and_then(|place| place.row) {
            Some((row, role)) => (row, Some(role)),
            None => (NO_ROW, None),
        };
        let is_text = kind == Kind::String;
        match role {
            Some(Role::Inert | Role::Usage) if place.is_some_and(|place| place.reach == Reach::Below) => {
                if role == Some(Role::Usage) && kind == Kind::Object {
                    self.find(Role::Usage, row, node, Part::Value, scope);
                }
                return Ok(());
            }
            Some(Role::Inert) => {}
            Some(Role::Choice | Role::Call(_)) if kind != Kind::Object => {}
            Some(Role::Error | Role::Side) if kind == Kind::Null => {}
            Some(Role::TokenBytes(_) | Role::OwnBytes(_)) if kind != Kind::Array => {}
            Some(
                role @ (Role::Hallmark
                | Role::Choice
                | Role::Call(_)
                | Role::Error
                | Role::Side
                | Role::TokenBytes(_)
                | Role::OwnBytes(_)),
            ) => {
                self.find(role, row, node, Part::Value, scope);
                if is_text {
                    self.find(Role::Own(ChannelKind::Text), NO_ROW, node, Part::Value, scope);
                }
            }
            Some(role) if is_text => self.find(role, row, node, Part::Value, scope),
            None if is_text => self.find(Role::Own(ChannelKind::Text), NO_ROW, node, Part::Value, scope),
            _ => {}
        }
        match kind {
            Kind::Object => self.members(node, at, scope),
            Kind::Array => self.elements(node, at, scope),
            _ => Ok(()),
        }
    }

    fn members(&mut self, parent: usize, at: Option<usize>, scope: Scope) -> Result<(), BadIndex> {
        let (tape, text, table) = (self.tape, self.text, self.table);
        for child in tape.children(parent) {
            let place = at.map(|at| &table.nodes[at]);
            let key = tape.key(text, child, &mut self.key);
            let named = place.and_then(|place| place.members.iter().find(|(name, _)| name.as_bytes() == key));
            let to = match named {
                Some((_, to)) => Some(*to),
                None => {
                    self.find(Role::Own(ChannelKind::Text), NO_ROW, child, Part::Key, scope);
                    place.and_then(|place| place.any_member)
                }
            };
            if !self.is_idle(child, to) {
                self.value(child, to, scope)?;
            }
        }
        Ok(())
    }

    /// Whether there is nothing to find at a value: most members of an event are such.
    fn is_idle(&self, node: usize, at: Option<usize>) -> bool {
        let role = at.and_then(|at| self.table.nodes[at].row).map(|(_, role)| role);
        match self.tape.node(node).kind {
            Kind::Object | Kind::Array => false,
            Kind::String => role == Some(Role::Inert),
            Kind::Null => true,
            _ => role != Some(Role::Side),
        }
    }

    fn elements(&mut self, parent: usize, at: Option<usize>, scope: Scope) -> Result<(), BadIndex> {
        let (tape, table) = (self.tape, self.table);
        let elements = at.and_then(|at| table.nodes[at].elements);
        for (place, child) in tape.children(parent).enumerate() {
            let scope = match elements {
                Some((Elements::Indexed, _)) => scope.enter(self.index(child, place)?),
                _ => scope,
            };
            self.value(child, elements.map(|(_, to)| to), scope)?;
        }
        Ok(())
    }

    /// The `index` of an array's element. Another spelling of the same number would be another channel here and the
    /// same one to some clients, so only plain digits are taken.
    fn index(&self, element: usize, place: usize) -> Result<u32, BadIndex> {
        if self.tape.node(element).kind != Kind::Object {
            return Ok(place as u32);
        }
        let Some(member) = self.tape.member(self.text, element, "index") else { return Ok(place as u32) };
        let node = self.tape.node(member);
        match node.kind {
            Kind::Null => Ok(place as u32),
            _ => {
                std::str::from_utf8(&self.text[node.span()]).ok().and_then(|digits| digits.parse().ok()).ok_or(BadIndex)
            }
        }
    }

    fn find(&mut self, role: Role, row: u16, node: usize, part: Part, scope: Scope) {
        let [choice, item] = scope.indexes;
        self.found.push(Found { role, row, node: node as u32, part, choice, item });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &[Row] = &[
        Row("id", Role::Inert),
        Row("usage.**", Role::Usage),
        Row("choices[#]", Role::Choice),
        Row("choices[#].index", Role::Inert),
        Row("choices[#].delta.content", Role::Text(ChannelKind::Text)),
        Row("choices[#].delta.tool_calls[#].index", Role::Inert),
        Row("choices[#].delta.tool_calls[#].function.arguments", Role::Args),
        Row("choices[#].delta.*", Role::Unlisted(ChannelKind::Text)),
        Row("choices[#].logprobs", Role::Side),
        Row("choices[#].logprobs.content[].token", Role::Token(ChannelKind::Text)),
    ];

    /// Role, what it is about, and the indexes.
    fn walk(text: &str) -> Result<Vec<(Role, String, u32, u32)>, BadIndex> {
        let (mut tape, mut found) = (Tape::default(), Vec::new());
        tape.read(text.as_bytes()).unwrap();
        Table::new(ROWS).walk(&tape, text.as_bytes(), &mut found)?;
        let about = |found: &Found| {
            let node = tape.node(found.node as usize);
            let span = if found.part == Part::Key { node.key() } else { node.span() };
            (found.role, text[span].to_owned(), found.choice, found.item)
        };
        Ok(found.iter().map(about).collect())
    }

    #[test]
    fn rows_are_found_wherever_they_are() {
        let text = r#"{"id":"x","choices":[{"index":2,"delta":{"cont\u0065nt":"a","tool_calls":
            [{"index":1,"function":{"arguments":"{"}}]},"logprobs":{"content":[{"token":"a"}]}}],"usage":{"total":"1"}}"#;
        let roles: Vec<_> =
            walk(text).unwrap().into_iter().map(|(role, _, choice, item)| (role, choice, item)).collect();
        assert_eq!(
            roles,
            [
                (Role::Choice, 2, 0),
                (Role::Text(ChannelKind::Text), 2, 0),
                (Role::Args, 2, 1),
                (Role::Side, 2, 0),
                (Role::Token(ChannelKind::Text), 2, 0),
                (Role::Usage, 0, 0),
            ]
        );
    }

    #[test]
    fn what_no_row_names_is_a_text_of_its_own() {
        let own = Role::Own(ChannelKind::Text);
        let found =
            walk(r#"{"id":{"a":["b",1]},"choices":[{"delta":{"x":"y","content":["z"]},"logprobs":null}]}"#).unwrap();
        let expected = [
            (own, "a"),
            (own, "\"b\""),
            (Role::Choice, r#"{"delta":{"x":"y","content":["z"]},"logprobs":null}"#),
            (own, "x"),
            (Role::Unlisted(ChannelKind::Text), "\"y\""),
            (own, "\"z\""),
        ];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((role, text, ..), expected) in found.iter().zip(expected) {
            assert_eq!((*role, text.as_str()), expected);
        }
    }

    #[test]
    fn an_index_is_digits() {
        assert_eq!(walk(r#"{"choices":[{},{}]}"#).unwrap()[1].2, 1, "without an index the place counts");
        for bad in ["1.0", "-1", "1e0", "\"1\"", "99999999999", "true"] {
            assert_eq!(walk(&format!(r#"{{"choices":[{{"index":{bad}}}]}}"#)), Err(BadIndex), "{bad}");
        }
    }
}
