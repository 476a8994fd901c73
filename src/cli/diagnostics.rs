//! Faults as people like to read them: with the lines they speak of.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use holdback::error::Fault;
use holdback::rule::Pack;
use std::fs;
use std::io::{self, IsTerminal};

/// What stops a policy.
pub(super) fn errors(faults: &[Fault]) -> String {
    render(faults, &Level::ERROR)
}

/// What does not.
pub(super) fn warnings(faults: &[Fault]) -> String {
    render(faults, &Level::WARNING)
}

fn render(faults: &[Fault], level: &Level<'_>) -> String {
    // Diagnostics go to standard error.
    let renderer = if io::stderr().is_terminal() { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for fault in faults {
        let source = fault.file.as_deref().and_then(source).unwrap_or_default();
        text.push_str(&renderer.render(&report(fault, &source, level.clone())));
        text.push_str("\n\n");
    }
    text
}

fn report<'a>(fault: &'a Fault, source: &'a str, level: Level<'a>) -> Vec<Group<'a>> {
    let title = match &fault.rule {
        Some(rule) => format!("rule `{rule}`: {}", fault.reason),
        None => fault.reason.clone(),
    };
    let title = level.primary_title(title);
    // A file may have changed since it was read.
    let span = fault.span.clone().filter(|span| source.get(span.clone()).is_some());
    let mut groups = vec![match (&fault.file, span) {
        (Some(file), Some(span)) => {
            title.element(Snippet::source(source).path(file).annotation(AnnotationKind::Primary.span(span)))
        }
        (Some(file), None) => title.element(Origin::path(file)),
        (None, _) => Group::with_title(title),
    }];
    if let Some(remedy) = &fault.remedy {
        groups.push(Group::with_title(Level::HELP.secondary_title(remedy)));
    }
    groups
}

/// What stands in a file, or in a built-in pack under its name in rule files.
fn source(file: &str) -> Option<String> {
    match file.strip_prefix("builtin:") {
        Some(name) => Pack::named(name).map(|pack| pack.source().to_owned()),
        None => fs::read_to_string(file).ok(),
    }
}
