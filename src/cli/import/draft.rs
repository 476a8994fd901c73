//! A rule of another tool on its way to becoming one of ours.

use super::super::policy::today;
use holdback::rule::RuleSet;
use holdback::{Channel, ChannelKind, Policy};
use regex_syntax::ast::{self, Ast, GroupKind};
use std::fmt::Write;
use std::ops::Range;

/// What outgrows this many bytes fails closed, where the other tool knows no bound.
const MAX_LEN: usize = 4096;

/// The name of the group that is covered.
const SECRET: &str = "secret";

/// A rule as another tool describes it.
#[derive(Clone, Default)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) severity: Option<&'static str>,
    pub(super) tags: Vec<String>,
    pub(super) matcher: Matcher,
    pub(super) capture: Capture,
    pub(super) not_before: Option<String>,
    pub(super) not_after: Option<String>,
    /// The least entropy in bits a character.
    pub(super) entropy: Option<f64>,
    /// Words of which one must stand before a match, within so many bytes.
    pub(super) near: Option<(Vec<String>, usize)>,
    /// Expressions; a candidate in which one matches somewhere does not count.
    pub(super) allowed: Vec<String>,
    pub(super) examples: Vec<String>,
    pub(super) losses: Vec<String>,
}

#[derive(Clone)]
pub(super) enum Matcher {
    Regex(String),
    Literals(Vec<String>),
}

impl Default for Matcher {
    fn default() -> Matcher {
        Matcher::Literals(Vec::new())
    }
}

/// Which part of a match is the secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) enum Capture {
    /// The first group that takes part, or all of it where there is none.
    #[default]
    First,
    Numbered(u32),
    Named(String),
    Whole,
}

/// A rule in our words, and what got lost.
pub(super) struct Imported {
    pub(super) toml: String,
    pub(super) losses: Vec<String>,
}

impl Draft {
    pub(super) fn under(mut self, prefix: &str) -> Draft {
        let fits = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        self.id = format!("{prefix}{}", self.id.chars().map(fits).collect::<String>().to_ascii_lowercase());
        self
    }

    /// The rule in our words, if there is a way to say it; several rules where alternatives have a group each.
    pub(super) fn import(mut self) -> Result<Imported, String> {
        if let Matcher::Regex(regex) = &mut self.matcher {
            *regex = strict(regex);
        }
        let branches = match &self.matcher {
            Matcher::Regex(regex) if self.capture == Capture::First => branches(regex)?,
            _ => Vec::new(),
        };
        if branches.len() < 2 {
            return self.import_one();
        }
        let mut all = Imported { toml: String::new(), losses: Vec::new() };
        for (at, regex) in (1..).zip(branches) {
            let draft = Draft {
                id: format!("{}-{at}", self.id),
                matcher: Matcher::Regex(regex),
                examples: Vec::new(),
                losses: Vec::new(),
                ..self.clone()
            };
            let one = draft.import_one()?;
            all.toml.push_str(&one.toml);
            all.losses.extend(one.losses);
        }
        all.losses.extend(self.losses);
        Ok(all)
    }

    fn import_one(mut self) -> Result<Imported, String> {
        let first = match self.try_as(false, None) {
            Ok(done) => return Ok(done),
            Err(reason) => reason,
        };
        // In this order less and less is kept of what the rule says.
        let attempts = [(false, Some(MAX_LEN)), (true, None), (true, Some(MAX_LEN))];
        if let Some(done) = attempts.iter().find_map(|&(unicode, max_len)| self.try_as(unicode, max_len).ok()) {
            return Ok(done);
        }
        self.losses.push(format!("all of the match is covered, not only its group: {first}"));
        self.capture = Capture::Whole;
        let attempts = [(false, None), (false, Some(MAX_LEN)), (true, None), (true, Some(MAX_LEN))];
        attempts.iter().find_map(|&(unicode, max_len)| self.try_as(unicode, max_len).ok()).ok_or(first)
    }

    /// Tries to say the rule in one way, and runs its examples.
    fn try_as(&self, unicode: bool, max_len: Option<usize>) -> Result<Imported, String> {
        let rule = self.written(unicode, max_len)?;
        let policy = policy(&rule)?;
        let mut imported = Imported { toml: rule, losses: self.losses.clone() };
        if max_len.is_some() {
            imported.losses.push(format!("it has no longest match: what is longer than {MAX_LEN} bytes fails closed"));
        }
        for example in &self.examples {
            let found = found(&policy, example);
            if found.is_empty() {
                let shown: String = example.chars().take(60).collect();
                imported.losses.push(format!("its example is not found: {shown:?}"));
                continue;
            }
            let finds: Vec<String> = found.into_iter().map(quoted).collect();
            let (text, finds) = (quoted(example), finds.join(", "));
            imported.toml.push_str(&format!("[[rule.test]]\ntext = {text}\nfinds = [{finds}]\n"));
        }
        Ok(imported)
    }

    fn written(&self, unicode: bool, max_len: Option<usize>) -> Result<String, String> {
        let mut toml = format!("\n[[rule]]\nid = {}\n", quoted(&self.id));
        let mut say = |key: &str, value: String| writeln!(toml, "{key} = {value}").expect("a string takes every text");
        if !self.description.is_empty() {
            say("description", quoted(&self.description));
        }
        say("severity", quoted(self.severity.unwrap_or("high")));
        if !self.tags.is_empty() {
            say("tags", list(&self.tags));
        }
        match &self.matcher {
            Matcher::Literals(literals) => {
                say("literals", list(literals));
                say("case", quoted("ascii-insensitive"));
            }
            Matcher::Regex(regex) => {
                let (regex, capture) = named(regex, &self.capture)?;
                say("regex", quoted(&regex));
                if let Some(capture) = capture {
                    say("capture", quoted(&capture));
                }
            }
        }
        if let Some(class) = &self.not_before {
            say("not_before", quoted(class));
        }
        if let Some(class) = &self.not_after {
            say("not_after", quoted(class));
        }
        if unicode {
            say("unicode", "true".to_owned());
        }
        if let Some(max_len) = max_len {
            say("max_len", max_len.to_string());
        }
        if let Some(least) = self.entropy {
            say("validate", format!("[{{ kind = \"entropy\", min = {least:?} }}]"));
        }
        if let Some((words, within)) = &self.near {
            say("near", format!("{{ words = {}, within = {within} }}", list(words)));
        }
        if !self.allowed.is_empty() {
            say(
                "allow",
                format!("{{ regex = {} }}", list(&self.allowed.iter().map(|r| somewhere(r)).collect::<Vec<_>>())),
            );
        }
        Ok(toml)
    }
}

/// An `[[allow]]` for all rules, of those expressions that compile, and the others.
pub(super) fn allow_everywhere(regexes: Vec<String>) -> (String, Vec<String>) {
    let (good, bad): (Vec<String>, Vec<String>) =
        regexes.into_iter().partition(|regex| parse(&somewhere(regex)).is_ok());
    if good.is_empty() {
        return (String::new(), bad);
    }
    let regexes: Vec<String> = good.iter().map(|regex| somewhere(regex)).collect();
    let toml = format!(
        "\n[[allow]]\nrules = [\"*\"]\nregex = {}\nreason = \"allowed by the imported configuration\"\n",
        list(&regexes)
    );
    (toml, bad)
}

/// Our allow-lists match a candidate as a whole, other tools' somewhere in it.
fn somewhere(regex: &str) -> String {
    format!("(?s:.*)(?:{})(?s:.*)", strict(regex))
}

/// An expression in which every brace that begins no count is escaped: other dialects take it as it stands.
fn strict(regex: &str) -> String {
    let mut strict = String::with_capacity(regex.len());
    let mut in_class = false;
    let mut chars = regex.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                strict.push(c);
                let Some((_, escaped)) = chars.next() else { break };
                strict.push(escaped);
                // `\p{Greek}`, `\x{e9}`: a brace that belongs to the escape.
                if matches!(escaped, 'p' | 'P' | 'x' | 'u' | 'U') && chars.as_str().starts_with('{') {
                    strict.extend(chars.next().map(|(_, brace)| brace));
                }
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '{' if !in_class && !begins_count(&regex[at + 1..]) => strict.push('\\'),
            _ => {}
        }
        strict.push(c);
    }
    strict
}

/// Whether `rest` is the rest of a count such as `{3}`, `{3,}` or `{3,5}`.
fn begins_count(rest: &str) -> bool {
    let Some((count, _)) = rest.split_once('}') else { return false };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match count.split_once(',') {
        Some((least, most)) => !least.is_empty() && is_number(least) && is_number(most),
        None => !count.is_empty() && is_number(count),
    }
}

fn policy(rule: &str) -> Result<Policy, String> {
    let first = |error: holdback::BuildError| match error.faults().first() {
        Some(fault) => fault.reason.clone(),
        None => "it does not compile".to_owned(),
    };
    let source = format!("format = 1\n{rule}");
    let set = RuleSet::from_toml("imported", &source, today()).map_err(first)?;
    Policy::builder().rule_set(set).build().map_err(first)
}

/// What the policy finds in a text.
fn found<'t>(policy: &Policy, text: &'t str) -> Vec<&'t str> {
    let mut channel = Channel::new(policy, ChannelKind::Text);
    let mut verdicts = channel.push(text.as_bytes()).verdicts().to_vec();
    verdicts.extend_from_slice(channel.finish().verdicts());
    verdicts.iter().filter_map(|verdict| text.get(verdict.span.start as usize..verdict.span.end as usize)).collect()
}

/// Each alternative of an expression as one of its own, if several of them have a group.
fn branches(regex: &str) -> Result<Vec<String>, String> {
    let ast = parse(regex)?;
    let Ast::Alternation(alternation) = &ast else { return Ok(Vec::new()) };
    if alternation.asts.iter().filter(|ast| !groups(ast).is_empty()).count() < 2 {
        return Ok(Vec::new());
    }
    let text = |span: &ast::Span| &regex[span.start.offset..span.end.offset];
    // Flags at the beginning hold for all alternatives.
    let flags = match alternation.asts.first() {
        Some(Ast::Concat(concat)) => match concat.asts.first() {
            Some(Ast::Flags(flags)) => text(&flags.span),
            _ => "",
        },
        _ => "",
    };
    let all = alternation.asts.iter().enumerate().map(|(at, ast)| {
        let own = text(ast.span());
        if at == 0 { own.to_owned() } else { format!("{flags}{own}") }
    });
    Ok(all.collect())
}

/// The expression with the captured group named, and that name.
fn named(regex: &str, capture: &Capture) -> Result<(String, Option<String>), String> {
    let groups = groups(&parse(regex)?);
    let wanted = match capture {
        Capture::Whole => None,
        Capture::First => groups.first(),
        Capture::Numbered(number) => {
            Some(groups.iter().find(|group| group.index == *number).ok_or(format!("it has no group {number}"))?)
        }
        Capture::Named(name) => Some(
            groups.iter().find(|group| group.name.as_ref() == Some(name)).ok_or(format!("it has no group {name}"))?,
        ),
    };
    Ok(match wanted {
        None => (regex.to_owned(), None),
        Some(Group { name: Some(name), .. }) => (regex.to_owned(), Some(name.clone())),
        Some(Group { span, .. }) => {
            let inside = span.start + 1;
            (format!("{}?P<{SECRET}>{}", &regex[..inside], &regex[inside..]), Some(SECRET.to_owned()))
        }
    })
}

/// A group that captures.
struct Group {
    index: u32,
    name: Option<String>,
    span: Range<usize>,
}

fn parse(regex: &str) -> Result<Ast, String> {
    ast::parse::Parser::new().parse(regex).map_err(|error| format!("cannot read the pattern: {}", error.kind()))
}

/// The groups that capture, in order.
fn groups(ast: &Ast) -> Vec<Group> {
    let mut found = Vec::new();
    let mut open = vec![ast];
    while let Some(ast) = open.pop() {
        match ast {
            Ast::Group(group) => {
                let (index, name) = match &group.kind {
                    GroupKind::CaptureIndex(index) => (Some(*index), None),
                    GroupKind::CaptureName { name, .. } => (Some(name.index), Some(name.name.clone())),
                    GroupKind::NonCapturing(_) => (None, None),
                };
                let span = group.span.start.offset..group.span.end.offset;
                found.extend(index.map(|index| Group { index, name, span }));
                open.push(&group.ast);
            }
            Ast::Repetition(repetition) => open.push(&repetition.ast),
            Ast::Concat(concat) => open.extend(&concat.asts),
            Ast::Alternation(alternation) => open.extend(&alternation.asts),
            _ => {}
        }
    }
    found.sort_by_key(|group| group.index);
    found
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// A string of TOML, as it stands where that is possible.
fn quoted(text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    let is_plain = |c: char| c == '\t' || c == '\n' || !c.is_control();
    match text.chars().all(is_plain) {
        true if !text.contains(['\'', '\n']) => format!("'{text}'"),
        // A line break right after the quotes is not part of the text.
        true if !text.contains("'''") && !text.ends_with('\'') => format!("'''\n{text}'''"),
        _ => toml::Value::String(text.to_owned()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(regex: &str) -> Draft {
        Draft { id: "r".into(), matcher: Matcher::Regex(regex.into()), ..Draft::default() }
    }

    fn import(draft: Draft) -> Imported {
        draft.import().unwrap_or_else(|reason| panic!("{reason}"))
    }

    #[test]
    fn the_first_group_is_what_is_covered() {
        let imported = import(rule(r"(?i)[\w.-]{0,50}?(?:acme)[ =]{1,3}([a-z0-9]{8})(?:[\s;]|\\[nr]|$)"));
        assert!(imported.losses.is_empty());
        assert_eq!(found(&policy(&imported.toml).unwrap(), "the ACME = abcd1234; and more"), ["abcd1234"]);
    }

    #[test]
    fn alternatives_with_a_group_each_become_rules() {
        let imported = import(rule(r"(?i)acme:([a-z]{4})|toy:([a-z]{5})"));
        assert_eq!(imported.toml.matches("[[rule]]").count(), 2);
        assert_eq!(found(&policy(&imported.toml).unwrap(), "ACME:abcd TOY:efghi"), ["abcd", "efghi"]);
    }

    #[test]
    fn what_cannot_be_said_is_said_otherwise_and_reported() {
        let repeated = import(rule("key(?:-([a-z]))+"));
        assert!(repeated.losses[0].contains("all of the match is covered"), "{:?}", repeated.losses);
        let endless = import(rule("ops_([a-z]{8,})"));
        assert!(endless.losses[0].contains("no longest match"), "{:?}", endless.losses);
        assert!(rule("(").import().is_err() && rule(r"(?<=a)b").import().is_err());
    }

    #[test]
    fn examples_become_tests_where_they_are_found() {
        let examples = vec!["a = toy-1234".to_owned(), "a = 'toy-12'\n".to_owned()];
        let imported = import(Draft { examples, ..rule("toy-([0-9]{4})") });
        assert!(
            imported.toml.contains("[[rule.test]]\ntext = 'a = toy-1234'\nfinds = ['1234']\n"),
            "{}",
            imported.toml
        );
        assert!(imported.losses[0].starts_with("its example is not found"), "{:?}", imported.losses);
    }

    #[test]
    fn allowed_texts_match_somewhere() {
        let draft = Draft { allowed: vec!["EXAMPLE$".into()], entropy: Some(1.5), ..rule("toy-([A-Z]{8})") };
        let imported = import(draft);
        let policy = policy(&imported.toml).unwrap();
        assert_eq!(found(&policy, "toy-ABEXAMPLE? toy-AAAAAAAA toy-AEXAMPLE toy-ABCDEFGH"), ["ABEXAMPL", "ABCDEFGH"]);
    }

    #[test]
    fn braces_that_count_nothing_are_escaped() {
        for (lenient, expected) in [
            (r"^${[A-Z]+}$", r"^$\{[A-Z]+}$"),
            (r"a{3}b{3,}c{3,5}", r"a{3}b{3,}c{3,5}"),
            (r"[{}]\{x{,3}", r"[{}]\{x\{,3}"),
            (r"\x{e9}\p{Greek}", r"\x{e9}\p{Greek}"),
        ] {
            assert_eq!(strict(lenient), expected);
        }
    }

    #[test]
    fn every_text_can_be_quoted() {
        for text in ["", "plain", "it's", "two\nlines'", "'''", "tab\t", "\u{1}", "\r\n", "\"\\"] {
            let source = format!("text = {}", quoted(text));
            let table: toml::Table = source.parse().unwrap_or_else(|error| panic!("{source}: {error}"));
            assert_eq!(table["text"].as_str(), Some(text));
        }
    }
}
