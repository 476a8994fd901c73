//! What each dialect takes a field for, as a table that people can read.

use super::Dialect;
use super::rows::{Group, Layout, Reading, Role, Row};
use crate::policy::ChannelKind;
use std::fmt;

/// A field that a dialect knows. Every other string, number and key is moderated as a text of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoveredField {
    /// The kinds of event that have it; none named: all. A document has no kinds.
    pub events: &'static [&'static str],
    /// Where it stands: `a.b` is a member of a member, `a[]` and `a[#]` are the elements of an array, `a[?b]` those
    /// of which the member `b` is true, `a{b=c}` is `a` where its member `b` says `c`, `a.*` any other member, `a.**`
    /// everything below, and nothing the root.
    pub path: String,
    /// What it is taken for.
    pub coverage: Coverage,
}

/// What a field is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coverage {
    /// It carries the text of a channel, delta by delta.
    Text(ChannelKind),
    /// It repeats the text of a channel.
    Repeats(ChannelKind),
    /// It is a text of its own, whole within its event.
    Alone(ChannelKind),
    /// It speaks of text, and follows or goes when that is edited: log probabilities, token numbers, signatures, places
    /// that are cited.
    Side,
    /// It says how the stream stands: choices, calls, ends, errors, costs. Its strings are moderated where they are not
    /// words of the protocol.
    Structure,
    /// It carries no model text.
    Inert,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Coverage::Text(kind) => write!(f, "text ({})", kind.name()),
            Coverage::Repeats(kind) => write!(f, "snapshot ({})", kind.name()),
            Coverage::Alone(kind) => write!(f, "text of its own ({})", kind.name()),
            Coverage::Side => f.write_str("side data"),
            Coverage::Structure => f.write_str("structure"),
            Coverage::Inert => f.write_str("inert"),
        }
    }
}

impl Dialect {
    /// What the dialect takes the fields of a streamed event for.
    ///
    /// ```
    /// use holdback::wire::Coverage;
    /// use holdback::{ChannelKind, Dialect};
    ///
    /// let fields = Dialect::OpenAiChat.events_coverage();
    /// let content = fields.iter().find(|field| field.path == "choices[#].delta.content").unwrap();
    /// assert_eq!(content.coverage, Coverage::Text(ChannelKind::Text));
    /// ```
    pub fn events_coverage(self) -> Vec<CoveredField> {
        covered((self.grammar().table)().layout())
    }

    /// What the dialect takes the fields of a response for that is not streamed.
    pub fn document_coverage(self) -> Vec<CoveredField> {
        covered((self.grammar().document)().layout())
    }
}

fn covered(layout: &Layout) -> Vec<CoveredField> {
    let field = |group: &Group, row: &Row| {
        let dot = if group.under.is_empty() || row.0.is_empty() { "" } else { "." };
        let path = [group.under, dot, row.0].concat().replace(".[", "[").replace(".{", "{");
        let role = if group.reading == Reading::Whole { row.1.as_whole() } else { row.1 };
        CoveredField { events: group.kinds, path, coverage: coverage_of(role) }
    };
    layout.groups.iter().flat_map(|group| group.rows.iter().map(move |row| field(group, row))).collect()
}

fn coverage_of(role: Role) -> Coverage {
    match role {
        Role::Text(label) | Role::LastDelta(label) => Coverage::Text(label.kind),
        Role::Unlisted(kind) => Coverage::Text(kind),
        Role::Call(label) => Coverage::Text(label.kind),
        Role::Echo(label) | Role::Snapshot(label) | Role::Repeat(label) => Coverage::Repeats(label.kind),
        Role::Own(kind) => Coverage::Alone(kind),
        Role::Request => Coverage::Alone(ChannelKind::Text),
        Role::Token(_) | Role::TokenBytes(_) | Role::OwnBytes(_) => Coverage::Side,
        Role::Side | Role::Seal(_) | Role::SealAll | Role::Citation(_) | Role::Cites(_) => Coverage::Side,
        Role::Excerpt(label) => Coverage::Repeats(label.kind),
        Role::Begins | Role::Choice | Role::Closes | Role::Calls => Coverage::Structure,
        Role::LastEvent | Role::Ends(_) | Role::GoesOn(_) | Role::Sequence => Coverage::Structure,
        Role::WholeCall | Role::Turn | Role::Starts(_) => Coverage::Structure,
        Role::Finish | Role::Reason | Role::Concludes | Role::End | Role::Error | Role::Usage => Coverage::Structure,
        Role::Inert => Coverage::Inert,
    }
}
