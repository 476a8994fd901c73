//! Faults as people like to read them: with the place they speak of.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use holdback::BuildError;
use holdback::error::Fault;
use std::collections::HashMap;
use std::fs;
use std::io::IsTerminal;

/// Every fault, with the lines it speaks of where it came from a file.
pub(super) fn render(error: &BuildError) -> String {
    let mut sources = HashMap::new();
    for file in error.faults().iter().filter_map(|fault| fault.file.as_deref()) {
        sources.entry(file).or_insert_with(|| fs::read_to_string(file).unwrap_or_default());
    }
    let renderer = if std::io::stderr().is_terminal() { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for fault in error.faults() {
        let source = fault.file.as_deref().map_or("", |file| &sources[file]);
        text.push_str(&renderer.render(&report(fault, source)));
        text.push_str("\n\n");
    }
    text
}

fn report<'a>(fault: &'a Fault, source: &'a str) -> Vec<Group<'a>> {
    let title = match &fault.rule {
        Some(rule) => format!("rule `{rule}`: {}", fault.reason),
        None => fault.reason.clone(),
    };
    let mut groups = Vec::new();
    let span = fault.span.clone().filter(|span| source.get(span.clone()).is_some());
    let main = Level::ERROR.primary_title(title);
    groups.push(match (&fault.file, span) {
        (Some(file), Some(span)) => {
            main.element(Snippet::source(source).path(file).annotation(AnnotationKind::Primary.span(span)))
        }
        (Some(file), None) => main.element(annotate_snippets::Origin::path(file)),
        (None, _) => Group::with_title(main),
    });
    if let Some(remedy) = &fault.remedy {
        groups.push(Group::with_title(Level::HELP.secondary_title(remedy)));
    }
    groups
}
