//! What a dialect is written in: its fields, and what each of them is.
//!
//! A path names a field from where its group stands: `a.b` is a member of a member, `a[]` every element of an array,
//! `a[#]` every element that is told apart by its member `index` (or, without one, by its place), `a[?b]` every
//! element whose member `b` is `true`, `a[=b]` every element that is told apart by what its member `b` says, `a{b=c}`
//! the same place as `a` where its member `b` is the string `c`, `a.*` every member that no other row names, `a.**`
//! everything below, and the empty path the group's own place. What is named with braces goes before what is named
//! without.
//!
//! A string that no row names is moderated as a text of its own, and so is every number and every key that no row
//! names: a dialect that has not heard of a field does not leak by it.

use crate::policy::ChannelKind;

/// How a dialect's events are laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Members of the root that name the kind of the event; the first that is there does. `*` stands for a member whose
    /// key is the kind. Without one its framing may have named it.
    pub(crate) kind: &'static [&'static str],
    /// Paths to members that say which choice the event is about, and which item of it; of each the first that is
    /// there does.
    pub(crate) indexes: [&'static [&'static str]; 2],
    pub(crate) groups: &'static [Group],
}

/// Rows that stand at the same places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// The kinds of event that have them; none named: all.
    pub(crate) kinds: &'static [&'static str],
    /// The path that theirs go on from.
    pub(crate) under: &'static str,
    pub(crate) rows: &'static [Row],
    pub(crate) reading: Reading,
}

/// How the texts of a group are to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    AsWritten,
    /// Each text stands there whole, once more or for the first time.
    Whole,
}

impl Group {
    /// Rows of every event.
    pub(crate) const fn all(rows: &'static [Row]) -> Group {
        Group { kinds: &[], under: "", rows, reading: Reading::AsWritten }
    }

    /// Rows of the events of these kinds.
    pub(crate) const fn of(kinds: &'static [&'static str], rows: &'static [Row]) -> Group {
        Group { kinds, ..Group::all(rows) }
    }

    /// The same rows, further down.
    pub(crate) const fn under(self, under: &'static str) -> Group {
        Group { under, ..self }
    }

    /// The same rows, where each text is whole.
    pub(crate) const fn whole(self) -> Group {
        Group { reading: Reading::Whole, ..self }
    }
}

/// One field of a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) &'static str, pub(crate) Role);

/// A channel, as its choice's and item's only one of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) name: &'static str,
    pub(crate) kind: ChannelKind,
    pub(crate) notation: Notation,
    /// What places in it are counted in, where there are citations that speak of some.
    pub(crate) places: Option<Unit>,
    pub(crate) extent: Extent,
}

/// What places in a text are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes of UTF-8.
    Bytes,
    CodePoints,
}

/// What has one channel of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Each item of a choice.
    Item,
    /// A choice: its items are parts of one text.
    Choice,
    /// The stream.
    Stream,
}

/// How a channel's text stands in the fields that carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// As the content of strings.
    Text,
    /// As a JSON text in the content of strings, or as the JSON value itself.
    Json,
    /// As the data of the event itself, which is no JSON.
    Bare,
}

impl Label {
    pub(crate) const fn text(name: &'static str, kind: ChannelKind) -> Label {
        Label { name, kind, notation: Notation::Text, places: None, extent: Extent::Item }
    }

    /// A text that is the data of the events of a kind.
    pub(crate) const fn bare(name: &'static str, kind: ChannelKind) -> Label {
        Label { notation: Notation::Bare, ..Label::text(name, kind) }
    }

    /// The same, for all items of a choice together.
    pub(crate) const fn of_choice(self) -> Label {
        Label { extent: Extent::Choice, ..self }
    }

    /// The same, for the stream as a whole.
    pub(crate) const fn of_stream(self) -> Label {
        Label { extent: Extent::Stream, ..self }
    }

    /// A tool call's arguments.
    pub(crate) const fn args(name: &'static str) -> Label {
        Label { notation: Notation::Json, ..Label::text(name, ChannelKind::ToolArgs) }
    }

    /// The same channel, of which citations speak.
    pub(crate) const fn cited_in(self, unit: Unit) -> Label {
        Label { places: Some(unit), ..self }
    }
}

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Carries the deltas of a channel.
    Text(Label),
    /// Carries the last delta of a channel: what comes next under its name is another one.
    LastDelta(Label),
    /// Repeats, delta by delta, what another field of the same choice carries. Moderated like any text, but what is
    /// found in it is reported only where the other field is absent.
    Echo(Label),
    /// Repeats what a channel carries: all of it so far, or only the event's delta.
    Snapshot(Label),
    /// Repeats a channel, which is at its end by that: all of it.
    Repeat(Label),
    /// A text of its own: whole within the event.
    Own(ChannelKind),
    /// A member of an object that carries deltas, which the dialect does not know or does not join itself. A channel
    /// for each key, which ends when an event comes without it.
    Unlisted(ChannelKind),
    /// A token's text; the tokens of a choice are a channel that repeats another.
    Token(Label),
    /// A token's bytes as an array of numbers, likewise.
    TokenBytes(Label),
    /// A token's bytes beside the one that was chosen: a text of its own.
    OwnBytes(ChannelKind),
    /// Says something about the text beside it and goes when any of that is edited.
    Side,
    /// Covers all the text of a kind in its choice and goes when any of that was edited.
    Seal(ChannelKind),
    /// Covers all the text of its choice, whatever its kind, and goes when any of that was edited.
    SealAll,
    /// The object of a citation: it speaks of a stretch of the text of its choice's channel of this name, or of its
    /// only other one that is cited. Its places follow what is cut before them; where the stretch itself is cut, it
    /// becomes empty.
    Citation(Label),
    /// A number of a citation.
    Cites(Cites),
    /// Shows the stretch of this channel that a citation speaks of.
    Excerpt(Label),
    /// Begins an answer, by being there: what came before is over.
    Begins,
    /// The object of one choice.
    Choice,
    /// Says that its choice is at its end, by being there.
    Closes,
    /// Says that its event is its choice's last, by being there, but not why. It may be a number.
    LastEvent,
    /// Says that a channel begins, by being there: one that had ended may do so once more.
    Starts(Label),
    /// Says that a channel is at its end, by being there.
    Ends(Label),
    /// Holds the tool calls of a choice.
    Calls,
    /// The object of one tool call, with the channel of its arguments.
    Call(Label),
    /// The object of one tool call, which its event shows whole.
    WholeCall,
    /// Says, by being `true`, that the call with these arguments is not whole.
    GoesOn(Label),
    /// Says why its choice is at its end, and so that it is; `null`, the empty string and `not_finished` do not.
    Finish,
    /// A word for why the answer is at its end, though not yet that it is.
    Reason,
    /// Says that the whole answer is at its end, by being there; accounts of it follow.
    Concludes,
    /// Says that the whole answer is at its end, if it is an object, `true` or a text.
    End,
    /// Says, by being `true`, that an answer is at its end; another one may follow.
    Turn,
    /// Says that the upstream failed, if it is an object or a text. What is in it is moderated.
    Error,
    /// What the stream has cost so far.
    Usage,
    /// The event's number in its stream: the filter's own events go on from there.
    Sequence,
    /// Repeats the request. Each string in it is moderated as a text of its own, but none ends the stream: a request
    /// may name what an answer must not.
    Request,
    /// Carries no model text.
    Inert,
}

impl Role {
    /// What a field of this role is where its text stands whole.
    pub(crate) fn as_whole(self) -> Role {
        match self {
            Role::Text(label) | Role::LastDelta(label) => Role::Repeat(label),
            Role::Echo(label) | Role::Snapshot(label) => Role::Repeat(label),
            Role::Token(label) => Role::Own(label.kind),
            Role::TokenBytes(label) => Role::OwnBytes(label.kind),
            Role::Unlisted(kind) => Role::Own(kind),
            other => other,
        }
    }

    /// The channel that it speaks of.
    pub(crate) fn label(self) -> Option<Label> {
        match self {
            Role::Text(label) | Role::Echo(label) | Role::Snapshot(label) | Role::Repeat(label) => Some(label),
            Role::Token(label) | Role::TokenBytes(label) | Role::Call(label) | Role::Ends(label) => Some(label),
            Role::Starts(label) | Role::Excerpt(label) | Role::LastDelta(label) | Role::GoesOn(label) => Some(label),
            _ => None,
        }
    }
}

/// What a number of a citation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cites {
    /// Where the stretch begins; without it, at the beginning of the text.
    Start,
    /// Where it ends.
    End,
    /// Where both are: it is a place in the text.
    Place,
    /// Which choice the text is of, where it is not the citation's own.
    Choice,
    /// From which part of the text on the places are counted. Only those of the first one are known.
    Part,
}
