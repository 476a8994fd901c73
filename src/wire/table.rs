//! A dialect's rows made ready for lookups.

mod walk;

pub(crate) use walk::{Names, Walked, is_named};

use super::coding::Coding;
use super::json::{Kind, Tape};
use super::rows::{Group, Label, Layout, Notation, Reading, Role};
use std::collections::BTreeMap;
use std::ops::Range;

/// A field of an event that something must be done about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) role: Role,
    /// The number of the channel's label among those of the table; [`NO_LANE`] for a field that is in no channel.
    pub(crate) lane: u16,
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

impl Found {
    /// Where its text lies if that is one of its own, and how it stands there: in a string, a value's does as
    /// `of_string` says.
    pub(crate) fn own_text(&self, tape: &Tape, of_string: Coding) -> (Range<usize>, Coding) {
        let node = tape.node(self.node as usize);
        match (self.part, node.kind) {
            (Part::Key, _) => (node.key(), Coding::TEXT),
            (Part::Value, Kind::String) => (node.content(), of_string),
            (Part::Value, _) => (node.span(), Coding::JSON),
        }
    }
}

/// An event whose choices cannot be told apart: an `index` that is no index, or more names than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadIndex;

/// A table made ready for lookups.
#[derive(Debug)]
pub(crate) struct Table {
    layout: &'static Layout,
    places: Vec<Place>,
    /// The root of each kind of event that has rows of its own.
    roots: BTreeMap<&'static str, usize>,
    /// Names of channels, of each form of role that has its own.
    lanes: Vec<(Form, &'static str)>,
}

/// A place that a path leads to or through.
#[derive(Clone, Debug, Default)]
struct Place {
    members: Vec<(&'static str, usize)>,
    any_member: Option<usize>,
    elements: Option<(Elements, usize)>,
    /// Elements that have this member, and it is `true`, are at this place instead.
    flagged: Option<(&'static str, usize)>,
    /// Where a member of a value says this, the value is at this place instead.
    variants: Vec<Variant>,
    row: Option<(u16, Role)>,
    reach: Reach,
}

#[derive(Clone, Copy, Debug)]
struct Variant {
    member: &'static str,
    says: &'static str,
    to: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elements {
    Alike,
    Indexed,
    /// Told apart by what this member says.
    Named(&'static str),
}

/// How far a place's row holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reach {
    #[default]
    Here,
    Below,
}

/// Roles that carry the same text in channels of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Echo,
    Snapshot,
    Token,
    TokenBytes,
}

/// The lane of what is in no channel, and of members that no row names.
pub(crate) const NO_LANE: u16 = u16::MAX;

impl Table {
    pub(crate) fn new(layout: &'static Layout) -> Table {
        let mut table = Table { layout, places: vec![Place::default()], roots: BTreeMap::new(), lanes: Vec::new() };
        // The rows of every event first, for every kind begins with a copy of them.
        for group in layout.groups.iter().filter(|group| group.kinds.is_empty()) {
            table.add_group(0, group);
        }
        let common = table.places.clone();
        for group in layout.groups {
            for kind in group.kinds {
                let root = *table.roots.get(kind).unwrap_or(&table.places.len());
                if root == table.places.len() {
                    table.roots.insert(kind, root);
                    table.places.extend(common.iter().map(|place| place.moved_by(root)));
                }
                table.add_group(root, group);
            }
        }
        for place in 0..table.places.len() {
            for variant in table.places[place].variants.clone() {
                table.complete(variant.to, place);
            }
        }
        table
    }

    /// The lane of the channel that carries the deltas of this label.
    pub(crate) fn deltas_of(&self, label: Label) -> Option<u16> {
        self.lanes.iter().position(|lane| *lane == (Form::Text, label.name)).map(|lane| lane as u16)
    }

    pub(crate) fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// The channel of which the events of this kind are pieces, data and all.
    pub(crate) fn bare(&self, kind: &[u8]) -> Option<Label> {
        let root = self.roots.get(std::str::from_utf8(kind).ok()?)?;
        let label = self.places[*root].row.and_then(|(_, role)| role.label());
        label.filter(|label| label.notation == Notation::Bare)
    }

    /// Whether its events have kinds: then one event is about one thing.
    pub(crate) fn has_kinds(&self) -> bool {
        !self.roots.is_empty()
    }

    fn add_group(&mut self, root: usize, group: &Group) {
        let under = self.path(root, group.under);
        for row in group.rows {
            let place = self.path(under, row.0);
            let role = match group.reading {
                Reading::AsWritten => row.1,
                Reading::Whole => row.1.as_whole(),
            };
            let lane = self.lane(role);
            self.places[place].row = Some((lane, role));
            if row.0.ends_with("**") {
                self.places[place].reach = Reach::Below;
            }
        }
    }

    fn lane(&mut self, role: Role) -> u16 {
        let lane = match role {
            Role::Text(label) | Role::LastDelta(label) => (Form::Text, label.name),
            Role::Echo(label) => (Form::Echo, label.name),
            Role::Snapshot(label) => (Form::Snapshot, label.name),
            Role::Token(label) => (Form::Token, label.name),
            Role::TokenBytes(label) => (Form::TokenBytes, label.name),
            _ => return NO_LANE,
        };
        let known = self.lanes.iter().position(|known| *known == lane);
        known.unwrap_or_else(|| {
            self.lanes.push(lane);
            self.lanes.len() - 1
        }) as u16
    }

    /// Gives a variant what it does not name itself.
    fn complete(&mut self, variant: usize, of: usize) {
        let Place { members, any_member, elements, row, reach, .. } = self.places[of].clone();
        for (name, to) in members {
            match self.places[variant].members.iter().find(|(member, _)| *member == name) {
                Some((_, own)) => self.complete(*own, to),
                None => self.places[variant].members.push((name, to)),
            }
        }
        match (self.places[variant].elements, elements) {
            (Some((_, own)), Some((_, to))) => self.complete(own, to),
            (None, elements) => self.places[variant].elements = elements,
            (Some(_), None) => {}
        }
        let place = &mut self.places[variant];
        place.any_member = place.any_member.or(any_member);
        if place.row.is_none() {
            (place.row, place.reach) = (row, reach);
        }
    }

    /// The place that a path leads to.
    fn path(&mut self, from: usize, path: &'static str) -> usize {
        let mut at = from;
        for segment in path.split('.').filter(|segment| !matches!(*segment, "" | "**")) {
            let (segment, says) = segment.split_once('{').unwrap_or((segment, ""));
            let name_len = segment.find('[').unwrap_or(segment.len());
            let (name, brackets) = segment.split_at(name_len);
            if !name.is_empty() {
                at = self.member(at, name);
            }
            for bracket in brackets.split_terminator(']').filter_map(|bracket| bracket.strip_prefix('[')) {
                at = match bracket {
                    "" => self.elements(at, Elements::Alike),
                    "#" => self.elements(at, Elements::Indexed),
                    other => match other.strip_prefix('=') {
                        Some(member) => self.elements(at, Elements::Named(member)),
                        None => self.flagged(at, other.trim_start_matches('?')),
                    },
                };
            }
            if let Some((member, says)) = says.trim_end_matches('}').split_once('=') {
                at = self.variant(at, member, says);
            }
        }
        at
    }

    fn member(&mut self, at: usize, name: &'static str) -> usize {
        let existing = match name {
            "*" => self.places[at].any_member,
            _ => self.places[at].members.iter().find(|(member, _)| *member == name).map(|(_, to)| *to),
        };
        existing.unwrap_or_else(|| {
            let to = self.new_place();
            match name {
                "*" => self.places[at].any_member = Some(to),
                _ => self.places[at].members.push((name, to)),
            }
            to
        })
    }

    fn elements(&mut self, at: usize, kind: Elements) -> usize {
        if let Some((_, to)) = self.places[at].elements {
            return to;
        }
        let to = self.new_place();
        self.places[at].elements = Some((kind, to));
        to
    }

    fn flagged(&mut self, at: usize, flag: &'static str) -> usize {
        if let Some((_, to)) = self.places[at].flagged {
            return to;
        }
        let to = self.new_place();
        self.places[at].flagged = Some((flag, to));
        to
    }

    fn variant(&mut self, at: usize, member: &'static str, says: &'static str) -> usize {
        let known = self.places[at].variants.iter().find(|variant| (variant.member, variant.says) == (member, says));
        if let Some(variant) = known {
            return variant.to;
        }
        let to = self.new_place();
        self.places[at].variants.push(Variant { member, says, to });
        to
    }

    fn new_place(&mut self) -> usize {
        self.places.push(Place::default());
        self.places.len() - 1
    }
}

impl Place {
    /// Whether no path leads further.
    fn is_leaf(&self) -> bool {
        self.members.is_empty()
            && self.any_member.is_none()
            && self.elements.is_none()
            && self.flagged.is_none()
            && self.variants.is_empty()
    }

    /// A copy among copies that all stand `by` places further on.
    fn moved_by(&self, by: usize) -> Place {
        Place {
            members: self.members.iter().map(|(name, to)| (*name, to + by)).collect(),
            any_member: self.any_member.map(|to| to + by),
            elements: self.elements.map(|(kind, to)| (kind, to + by)),
            flagged: self.flagged.map(|(flag, to)| (flag, to + by)),
            variants: self.variants.iter().map(|variant| Variant { to: variant.to + by, ..*variant }).collect(),
            ..*self
        }
    }
}
