//! What each dialect takes a field for, as Markdown.

use holdback::Dialect;
use holdback::wire::CoveredField;
use std::fmt::Write as _;

/// The fields of these dialects as tables.
pub(super) fn coverage(dialects: &[Dialect]) -> String {
    let mut out = String::from(
        "# What each dialect takes a field for\n\n\
         Printed by `holdback explain --coverage`. A string, number or key that no row names is moderated as a text of \
         its own.\nPaths: `a.b` is a member of a member, `a[]` and `a[#]` are the elements of an array (the latter told \
         apart), `a[?b]`\nthose of which the member `b` is true, `a.*` any other member, `a.**` everything below.\n",
    );
    for dialect in dialects.iter().filter(|dialect| !matches!(dialect, Dialect::Text | Dialect::Json)) {
        let (events, document) = (dialect.events_coverage(), dialect.document_coverage());
        write_table(&mut out, &format!("{}: events", dialect.name()), &events);
        if document != events {
            write_table(&mut out, &format!("{}: documents", dialect.name()), &document);
        }
    }
    out
}

fn write_table(out: &mut String, title: &str, fields: &[CoveredField]) {
    let _ = write!(out, "\n## {title}\n\n| events | field | taken for |\n|---|---|---|\n");
    for CoveredField { events, path, coverage, .. } in fields {
        let events = if events.is_empty() { "all".to_owned() } else { format!("`{}`", events.join("` `")) };
        let path = if path.is_empty() { "the event itself".to_owned() } else { format!("`{path}`") };
        let _ = writeln!(out, "| {events} | {path} | {coverage} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_table_is_the_one_in_the_docs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/coverage.md");
        let printed = std::fs::read_to_string(path).unwrap();
        let now = coverage(&Dialect::ALL);
        assert!(printed == now, "print it anew: cargo run -- explain --coverage > docs/coverage.md");
    }
}
