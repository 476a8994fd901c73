//! The walk through an event that finds what its dialect's rows name.

use super::{BadIndex, Elements, Found, NO_LANE, Part, Place, Reach, Table};
use crate::policy::ChannelKind;
use crate::wire::json::{Kind, Tape, unescape_into};
use crate::wire::rows::{Extent, Notation, Role};
use std::collections::BTreeMap;

impl Table {
    /// Finds every field of an event that something must be done about, in document order. The framing may have
    /// given it a kind, in `walked`.
    pub(crate) fn walk(
        &self,
        tape: &Tape,
        text: &[u8],
        names: &mut Names,
        walked: &mut Walked,
    ) -> Result<(), BadIndex> {
        let Walked { kind, found, fixed } = walked;
        found.clear();
        fixed.clear();
        let mut walk = Walk { table: self, tape, text, names, found, fixed, key: Vec::new() };
        let root = walk.root(kind);
        let scope = walk.scope()?;
        walk.value(0, Some(root), scope)
    }
}

/// What a walk has found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// The event's kind. The framing's name goes in; what the event itself says comes out.
    pub(crate) kind: Vec<u8>,
    pub(crate) found: Vec<Found>,
    /// Strings that this depends on.
    pub(crate) fixed: Vec<u32>,
}

/// Numbers for names that tell choices apart.
#[derive(Debug)]
pub(crate) struct Names {
    numbers: BTreeMap<Box<[u8]>, u32>,
    next: u32,
    most: usize,
}

/// Where the numbers of names begin; a plain index is below.
const FIRST_NAME: u32 = 1 << 31;

impl Names {
    pub(crate) fn new(most: usize) -> Names {
        Names { numbers: BTreeMap::new(), next: FIRST_NAME, most }
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Keeps only names with these numbers.
    pub(crate) fn retain(&mut self, stays: impl Fn(u32) -> bool) {
        self.numbers.retain(|_, number| stays(*number));
    }

    fn number(&mut self, name: &[u8]) -> Result<u32, BadIndex> {
        if let Some(&number) = self.numbers.get(name) {
            return Ok(number);
        }
        let number = self.next;
        if self.numbers.len() >= self.most {
            return Err(BadIndex);
        }
        self.next = number.checked_add(1).ok_or(BadIndex)?;
        self.numbers.insert(name.into(), number);
        Ok(number)
    }
}

/// Whether a choice is told by a name.
pub(crate) fn is_named(choice: u32) -> bool {
    choice >= FIRST_NAME
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
    names: &'a mut Names,
    found: &'a mut Vec<Found>,
    fixed: &'a mut Vec<u32>,
    key: Vec<u8>,
}

impl Walk<'_> {
    /// The root of the event's kind.
    fn root(&mut self, kind: &mut Vec<u8>) -> usize {
        let members = self.table.layout.kind.iter();
        if self.table.layout.kind.contains(&"*")
            && let Some(root) = self.root_of_member(kind)
        {
            return root;
        }
        let named = members.filter_map(|name| self.member(name)).find(|node| self.kind(*node) == Kind::String);
        if let Some(node) = named {
            self.fixed.push(node as u32);
            kind.clear();
            unescape_into(&self.text[self.tape.node(node).content()], kind);
        }
        let named = std::str::from_utf8(kind).ok().and_then(|kind| self.table.roots.get(kind));
        named.copied().unwrap_or(0)
    }

    /// The root of the kind that a member is named after.
    fn root_of_member(&mut self, kind: &mut Vec<u8>) -> Option<usize> {
        let (tape, text, table) = (self.tape, self.text, self.table);
        if self.kind(0) != Kind::Object {
            return None;
        }
        let (name, root) = tape.children(0).find_map(|member| {
            let key = std::str::from_utf8(tape.key(text, member, &mut self.key)).ok()?;
            table.roots.get_key_value(key)
        })?;
        *kind = name.as_bytes().to_vec();
        Some(*root)
    }

    /// The choice and the item that the event says it is about.
    fn scope(&mut self) -> Result<Scope, BadIndex> {
        let mut scope = Scope::default();
        for (slot, paths) in self.table.layout.indexes.iter().enumerate().filter(|(_, paths)| !paths.is_empty()) {
            let node = paths.iter().find_map(|path| self.member(path));
            let index = match node.map(|node| (node, self.kind(node))) {
                None | Some((_, Kind::Null)) => continue,
                Some((node, Kind::String)) => self.name(node)?,
                Some((node, _)) => self.digits(node)?,
            };
            scope.indexes[slot] = index;
            scope.depth = slot + 1;
        }
        Ok(scope)
    }

    /// The number of what a string says.
    fn name(&mut self, node: usize) -> Result<u32, BadIndex> {
        self.fixed.push(node as u32);
        let mut name = Vec::new();
        unescape_into(&self.text[self.tape.node(node).content()], &mut name);
        self.names.number(&name)
    }

    /// A member of the root, or of its members.
    fn member(&self, path: &str) -> Option<usize> {
        path.split('.').try_fold(0, |node, name| {
            (self.kind(node) == Kind::Object).then(|| self.tape.member(self.text, node, name)).flatten()
        })
    }

    fn kind(&self, node: usize) -> Kind {
        self.tape.node(node).kind
    }

    fn value(&mut self, node: usize, at: Option<usize>, scope: Scope) -> Result<(), BadIndex> {
        let kind = self.kind(node);
        let at = at.map(|at| self.variant(node, at));
        let place = at.map(|at| &self.table.places[at]);
        let row = place.and_then(|place| place.row);
        let is_text = matches!(kind, Kind::String | Kind::Number);
        let is_container = matches!(kind, Kind::Object | Kind::Array);
        if let (Some((lane, role)), Reach::Below) = (row, place.map_or(Reach::Here, |place| place.reach)) {
            if role == Role::Usage && kind == Kind::Object {
                self.find(role, lane, node, Part::Value, scope);
            }
            return self.below(node, role, at, scope);
        }
        match row {
            // A call's arguments themselves.
            Some((lane, Role::Call(args))) if kind == Kind::Object && place.is_some_and(Place::is_leaf) => {
                self.find(Role::Call(args), lane, node, Part::Value, scope);
                self.find(Role::Text(args), lane, node, Part::Value, scope);
                return Ok(());
            }
            Some((_, Role::Inert)) => {}
            Some((lane, Role::Sequence)) if kind == Kind::Number => {
                self.find(Role::Sequence, lane, node, Part::Value, scope);
            }
            // A JSON text that is no string is the value itself.
            Some((lane, role @ (Role::Text(label) | Role::Repeat(label) | Role::Snapshot(label))))
                if label.notation == Notation::Json && is_container =>
            {
                self.find(role, lane, node, Part::Value, scope);
                return Ok(());
            }
            Some((lane, role @ Role::Cites(_))) if kind == Kind::Number => {
                self.find(role, lane, node, Part::Value, scope);
                return Ok(());
            }
            // A value that is sealed goes as a whole, numbers and all.
            Some((lane, role @ (Role::Seal(_) | Role::SealAll))) if is_container => {
                self.find(role, lane, node, Part::Value, scope);
                return Ok(());
            }
            Some((_, role)) if is_text && !role.is_of(kind) => {
                self.find(Role::Own(role.channel()), NO_LANE, node, Part::Value, scope);
            }
            Some((_, role)) if !role.is_of(kind) => {}
            Some((lane, role)) if !role.is_of_strings() => {
                self.find(role, lane, node, Part::Value, scope);
                // Numbers in it are bytes, or speak of tokens.
                if place.is_some_and(Place::is_leaf) && !role.has_texts_below() {
                    return self.below(node, Role::Inert, None, scope);
                }
                if is_text && (kind, role) != (Kind::Number, Role::LastEvent) {
                    self.find(OWN_TEXT, NO_LANE, node, Part::Value, scope);
                }
            }
            Some((lane, role)) if kind == Kind::String => self.find(role, lane, node, Part::Value, scope),
            // A number where a text belongs is one to clients that are not strict.
            Some((_, role)) if kind == Kind::Number => self.find(role.of_own(), NO_LANE, node, Part::Value, scope),
            None if is_text => self.find(OWN_TEXT, NO_LANE, node, Part::Value, scope),
            _ => {}
        }
        match kind {
            Kind::Object => self.members(node, at, scope),
            Kind::Array => self.elements(node, at, scope),
            _ => Ok(()),
        }
    }

    /// The place of a value, by what its members say.
    fn variant(&mut self, node: usize, at: usize) -> usize {
        let (tape, text) = (self.tape, self.text);
        let variants = &self.table.places[at].variants;
        if self.kind(node) != Kind::Object {
            return at;
        }
        let mut said = Vec::new();
        for variant in variants {
            let Some(member) = tape.member(text, node, variant.member) else { continue };
            if self.kind(member) != Kind::String {
                continue;
            }
            self.fixed.push(member as u32);
            said.clear();
            unescape_into(&text[tape.node(member).content()], &mut said);
            if said == variant.says.as_bytes() {
                return variant.to;
            }
        }
        at
    }

    /// Everything within a value is what its row says, but for what has a row of its own: of inert fields only the
    /// strings are looked at.
    fn below(&mut self, node: usize, role: Role, at: Option<usize>, scope: Scope) -> Result<(), BadIndex> {
        // Keys and numbers of a request are as the client wrote them, or of the protocol.
        let own = match role {
            Role::Own(_) | Role::Request => role,
            _ => OWN_TEXT,
        };
        let is_of_model = role == own && role != Role::Request;
        match self.kind(node) {
            Kind::String => self.find(own, NO_LANE, node, Part::Value, scope),
            Kind::Number if is_of_model => self.find(own, NO_LANE, node, Part::Value, scope),
            _ => {}
        }
        let is_object = self.kind(node) == Kind::Object;
        let (tape, text, table) = (self.tape, self.text, self.table);
        let place = at.map(|at| &table.places[at]);
        for (i, child) in tape.children(node).enumerate() {
            let scope = match place.and_then(|place| place.elements) {
                Some((Elements::Indexed, _)) if !is_object => scope.enter(self.index(child, i)?),
                _ => scope,
            };
            let to = place.and_then(|place| match is_object {
                true => {
                    let key = tape.key(text, child, &mut self.key);
                    place.members.iter().find(|(name, _)| name.as_bytes() == key).map(|(_, to)| *to)
                }
                false => place.elements.map(|(_, to)| to),
            });
            if is_object && to.is_none() && is_of_model {
                self.find(own, NO_LANE, child, Part::Key, scope);
            }
            match to.filter(|to| table.places[*to].row.is_some()) {
                Some(to) => self.value(child, Some(to), scope)?,
                None => self.below(child, role, to, scope)?,
            }
        }
        Ok(())
    }

    fn members(&mut self, parent: usize, at: Option<usize>, scope: Scope) -> Result<(), BadIndex> {
        let (tape, text, table) = (self.tape, self.text, self.table);
        for child in tape.children(parent) {
            let place = at.map(|at| &table.places[at]);
            let key = tape.key(text, child, &mut self.key);
            let named = place.and_then(|place| place.members.iter().find(|(name, _)| name.as_bytes() == key));
            let to = match named {
                Some((_, to)) => Some(*to),
                None => {
                    self.find(OWN_TEXT, NO_LANE, child, Part::Key, scope);
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
        let role = at.and_then(|at| self.table.places[at].row).map(|(_, role)| role);
        match self.kind(node) {
            Kind::Object | Kind::Array => false,
            Kind::String | Kind::Number => role == Some(Role::Inert),
            Kind::Null => true,
            _ => !matches!(role, Some(Role::Side | Role::End | Role::GoesOn(_) | Role::Turn)),
        }
    }

    fn elements(&mut self, parent: usize, at: Option<usize>, scope: Scope) -> Result<(), BadIndex> {
        let (tape, table) = (self.tape, self.table);
        let place = at.map(|at| &table.places[at]);
        let elements = place.and_then(|place| place.elements);
        let flagged = place.and_then(|place| place.flagged);
        for (i, child) in tape.children(parent).enumerate() {
            let scope = match elements {
                Some((Elements::Indexed, _)) => scope.enter(self.index(child, i)?),
                Some((Elements::Named(member), _)) => scope.enter(self.named(child, i, member)?),
                _ => scope,
            };
            let to = match flagged {
                Some((flag, to)) if self.is_flagged(child, flag) => Some(to),
                _ => elements.map(|(_, to)| to),
            };
            self.value(child, to, scope)?;
        }
        Ok(())
    }

    fn is_flagged(&self, element: usize, flag: &str) -> bool {
        self.kind(element) == Kind::Object
            && self.tape.member(self.text, element, flag).is_some_and(|member| self.kind(member) == Kind::True)
    }

    /// The `index` of an array's element.
    fn index(&self, element: usize, place: usize) -> Result<u32, BadIndex> {
        let member = (self.kind(element) == Kind::Object).then(|| self.tape.member(self.text, element, "index"));
        match member.flatten() {
            Some(member) if self.kind(member) != Kind::Null => self.digits(member),
            _ => Ok(place as u32),
        }
    }

    /// What tells an element apart by a name.
    fn named(&mut self, element: usize, place: usize, member: &str) -> Result<u32, BadIndex> {
        let is_object = self.kind(element) == Kind::Object;
        let member = is_object.then(|| self.tape.member(self.text, element, member)).flatten();
        match member.filter(|member| self.kind(*member) == Kind::String) {
            Some(member) => self.name(member),
            None => Ok(place as u32),
        }
    }

    /// Another spelling of the same number would be another channel here and the same one to some clients, so only
    /// plain digits are taken.
    fn digits(&self, node: usize) -> Result<u32, BadIndex> {
        let digits = std::str::from_utf8(&self.text[self.tape.node(node).span()]).ok();
        digits.and_then(|digits| digits.parse().ok()).filter(|index| *index < FIRST_NAME).ok_or(BadIndex)
    }

    fn find(&mut self, role: Role, lane: u16, node: usize, part: Part, scope: Scope) {
        let [choice, item] = scope.indexes;
        let (choice, item) = match role.label().map_or(Extent::Item, |label| label.extent) {
            Extent::Item => (choice, item),
            Extent::Choice => (choice, 0),
            Extent::Stream => (0, 0),
        };
        self.found.push(Found { role, lane, node: node as u32, part, choice, item });
    }
}

const OWN_TEXT: Role = Role::Own(ChannelKind::Text);

impl Role {
    /// Whether what stands in a value of this role is looked at for itself, numbers and all.
    fn has_texts_below(self) -> bool {
        !matches!(self, Role::TokenBytes(_) | Role::OwnBytes(_) | Role::Side)
    }

    /// Whether a value of this kind can have this role; a text that cannot is one of its own.
    fn is_of(self, kind: Kind) -> bool {
        match self {
            Role::Choice | Role::Call(_) | Role::WholeCall | Role::Citation(_) => kind == Kind::Object,
            Role::Calls => matches!(kind, Kind::Object | Kind::Array),
            Role::TokenBytes(_) | Role::OwnBytes(_) => kind == Kind::Array,
            Role::Cites(_) => kind == Kind::Number,
            Role::GoesOn(_) | Role::Turn => !matches!(kind, Kind::False | Kind::Null),
            Role::Error | Role::Side | Role::Closes | Role::Concludes => kind != Kind::Null,
            Role::LastEvent | Role::Ends(_) => kind != Kind::Null,
            Role::End => !matches!(kind, Kind::Null | Kind::False | Kind::Number),
            _ => true,
        }
    }

    /// Whether it speaks of a string, rather than of a value of any kind.
    fn is_of_strings(self) -> bool {
        match self {
            Role::Text(_) | Role::LastDelta(_) | Role::Echo(_) | Role::Snapshot(_) => true,
            Role::Repeat(_) | Role::Token(_) | Role::Own(_) | Role::Unlisted(_) | Role::Excerpt(_) => true,
            Role::Finish | Role::Reason | Role::Seal(_) | Role::SealAll | Role::Request | Role::Inert => true,
            Role::TokenBytes(_) | Role::OwnBytes(_) | Role::Side | Role::Begins | Role::Choice => false,
            Role::Closes | Role::LastEvent | Role::Ends(_) | Role::Citation(_) | Role::Cites(_) => false,
            Role::Calls | Role::Call(_) | Role::GoesOn(_) | Role::Concludes | Role::End => false,
            Role::Error | Role::Usage | Role::Sequence | Role::WholeCall | Role::Turn | Role::Starts(_) => false,
        }
    }

    /// What a value in its place is that is a text of its own.
    fn of_own(self) -> Role {
        match self {
            Role::Request => Role::Request,
            role => Role::Own(role.channel()),
        }
    }

    /// The kind of channel that its text is in.
    fn channel(self) -> ChannelKind {
        match self {
            Role::Own(kind) | Role::OwnBytes(kind) | Role::Unlisted(kind) => kind,
            _ => self.label().map_or(ChannelKind::Text, |label| label.kind),
        }
    }
}

#[cfg(test)]
mod tests;
