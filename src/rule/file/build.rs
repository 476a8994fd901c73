//! From a rule as written to the rule that runs.

use super::source::Source;
use super::written::{Fate, WrittenAllow, WrittenMatcher, WrittenRule, WrittenValidator};
use crate::error::Fault;
use crate::rule::near::{DEFAULT_WITHIN, Near};
use crate::rule::pattern::{Block, Pattern};
use crate::rule::words::Words;
use crate::rule::{Allow, Matcher, Mode, Rule, Validator, chars, lower};
use std::collections::BTreeMap;

/// Named lists, as rules speak of them.
pub(super) type Lists = BTreeMap<String, Vec<String>>;

/// The longest word in bytes, with everything that evasion puts into it, where a rule does not say.
const WORDS_MAX_LEN: usize = 256;
/// The longest run of single characters in bytes, where a rule does not say.
const CHARS_MAX_LEN: usize = 1024;

/// Makes the rule that `written` describes, or says everything that is wrong with it.
pub(super) fn build(written: &WrittenRule, fate: &Fate, lists: &Lists, source: &Source) -> Result<Rule, Vec<Fault>> {
    let mut faults = Vec::new();
    let matcher = matcher(written, lists, source, &mut faults);
    let validators = validators(written, lists, source, &mut faults);
    let rule = matcher.map(|matcher| Rule {
        description: written.description.clone(),
        severity: fate.severity.unwrap_or_default(),
        tags: written.tags.clone(),
        references: written.references.clone(),
        action: fate.action(),
        conduct: fate.conduct.unwrap_or_default(),
        direction: fate.direction.unwrap_or_default(),
        channels: fate.channels.clone().unwrap_or_default(),
        max_len: written.max_len.or(match written.matcher {
            WrittenMatcher::Words { .. } => Some(WORDS_MAX_LEN),
            WrittenMatcher::Chars(_) => Some(CHARS_MAX_LEN),
            _ => None,
        }),
        validators,
        ..Rule::new(written.id.clone(), matcher)
    });
    if let Some(rule) = &rule {
        check(rule, &mut faults);
    }
    let place = |fault: Fault| match fault.span {
        Some(_) => fault.rule(&written.id),
        None => source.place(written.span.clone(), fault.rule(&written.id)),
    };
    match rule {
        Some(rule) if faults.is_empty() => Ok(rule),
        _ => Err(faults.into_iter().map(place).collect()),
    }
}

/// Whether an allow-list can apply: a match that is covered before it is complete is past allowing.
pub(super) fn can_allow(written: &WrittenRule) -> bool {
    !matches!(written.matcher, WrittenMatcher::Block { .. }) && written.mode != Some(Mode::Shortest)
}

/// Makes an allow-list, reporting patterns that cannot be read.
pub(super) fn allow(written: &WrittenAllow, source: &Source, faults: &mut Vec<Fault>) -> Allow {
    let mut allow = Allow::new();
    for literal in &written.literals {
        allow = allow.literal(literal);
    }
    for suffix in &written.suffix {
        allow = allow.suffix(suffix);
    }
    for word in &written.words {
        allow = allow.word(word);
    }
    for regex in &written.regex {
        allow = match allow.clone().regex(regex.get_ref()) {
            Ok(allow) => allow,
            Err(fault) => {
                faults.push(source.place(regex.span(), fault));
                allow
            }
        };
    }
    allow
}

fn matcher(written: &WrittenRule, lists: &Lists, source: &Source, faults: &mut Vec<Fault>) -> Option<Matcher> {
    keys_that_do_nothing(written, faults);
    let pattern = match &written.matcher {
        WrittenMatcher::Unclear => return None,
        WrittenMatcher::Block { open, close, max_len, unclosed } => {
            if let Some(near) = &written.near {
                faults.push(source.place(near.span.clone(), Fault::new("a block cannot have `near`")));
            }
            let block = Block::new(open, close, *max_len).unclosed(*unclosed);
            return Some(Matcher::Block(block.case(written.case.unwrap_or_default())));
        }
        WrittenMatcher::Regex(regex) => Ok(Pattern::regex(regex)),
        WrittenMatcher::Literals(literals) => self::literals(literals),
        WrittenMatcher::Listed(list) => match lists.get(list.get_ref()) {
            Some(literals) => self::literals(literals),
            None => {
                let fault = Fault::new(format!("there is no list `{}`", list.get_ref()));
                Err(source.place(list.span(), fault.remedy("write its texts into `[lists]`")))
            }
        },
        WrittenMatcher::Words { list, folds, boundary, max_gap } => {
            let folds = folds.iter().copied().collect();
            Words { list: list.clone(), folds, boundary: *boundary, max_gap: *max_gap }.pattern()
        }
        WrittenMatcher::Chars(ranges) => {
            let after = written.allow.as_ref().and_then(|allow| allow.after.as_ref());
            chars::pattern(ranges, after.map(|after| after.get_ref().as_str()))
        }
    };
    let pattern = pattern.map(|pattern| surroundings(pattern, written)).and_then(|pattern| match &written.near {
        Some(near) => Near { words: near.words.clone(), within: near.within.unwrap_or(DEFAULT_WITHIN) }.before(pattern),
        None => Ok(pattern),
    });
    pattern.map_err(|fault| faults.push(fault)).ok().map(Matcher::Pattern)
}

fn literals(literals: &[String]) -> Result<Pattern, Fault> {
    if literals.is_empty() || literals.iter().any(String::is_empty) {
        return Err(Fault::new("`literals` is empty, or has an empty text").remedy("list the texts to find"));
    }
    let literals: Vec<String> = literals.iter().map(|literal| regex_syntax::escape(literal)).collect();
    Ok(Pattern::regex(literals.join("|")))
}

/// The pattern with what the rule says about its surroundings; [`keys_that_do_nothing`] has looked at the rest.
fn surroundings(mut pattern: Pattern, written: &WrittenRule) -> Pattern {
    if let WrittenMatcher::Regex(_) | WrittenMatcher::Literals(_) | WrittenMatcher::Listed(_) = written.matcher {
        pattern.case = written.case.unwrap_or_default();
        pattern.not_before = written.not_before.as_ref().map(|class| class.get_ref().clone());
        pattern.not_after = written.not_after.as_ref().map(|class| class.get_ref().clone());
    }
    if let WrittenMatcher::Regex(_) = written.matcher {
        pattern.capture = written.capture.as_ref().map(|group| group.get_ref().clone());
        pattern.mode = written.mode.unwrap_or_default();
        if written.unicode == Some(true) {
            pattern = pattern.unicode();
        }
    }
    pattern
}

fn keys_that_do_nothing(written: &WrittenRule, faults: &mut Vec<Fault>) {
    let regex = matches!(written.matcher, WrittenMatcher::Regex(_) | WrittenMatcher::Unclear);
    let text = regex || matches!(written.matcher, WrittenMatcher::Literals(_) | WrittenMatcher::Listed(_));
    let chars = matches!(written.matcher, WrittenMatcher::Chars(_) | WrittenMatcher::Unclear);
    let after = written.allow.as_ref().is_some_and(|allow| allow.after.is_some());
    for (key, written, belongs, to) in [
        ("capture", written.capture.is_some(), regex, "`regex`"),
        ("mode", written.mode.is_some(), regex, "`regex`"),
        ("not_before", written.not_before.is_some(), text, "`regex` and `literals`"),
        ("not_after", written.not_after.is_some(), text, "`regex` and `literals`"),
        ("allow.after", after, chars, "`chars`"),
    ] {
        if written && !belongs {
            faults.push(Fault::new(format!("`{key}` has no effect here")).remedy(format!("it belongs to {to}")));
        }
    }
}

fn validators(written: &WrittenRule, lists: &Lists, source: &Source, faults: &mut Vec<Fault>) -> Vec<Validator> {
    let mut validators = Vec::new();
    for check in &written.validators {
        match check.get_ref() {
            WrittenValidator::Digits { min, max } => validators.push(Validator::digits(*min, *max)),
            WrittenValidator::Entropy { min } => validators.push(Validator::entropy(*min)),
            WrittenValidator::HostNotIn { list, hosts } => {
                let listed = list.as_ref().and_then(|list| lists.get(list)).into_iter().flatten();
                validators.push(Validator::url_host_not_in(listed.chain(hosts).cloned()));
            }
            WrittenValidator::Plain(name) => match Validator::named(name) {
                Some(validator) => validators.push(validator),
                None => {
                    let known: Vec<_> = Validator::names().chain(["digits", "entropy", "url-host-not-in"]).collect();
                    let fault = Fault::new(format!("there is no validator `{name}`"))
                        .remedy(format!("there are {}", known.join(", ")));
                    faults.push(source.place(check.span(), fault));
                }
            },
        }
    }
    if let Some(written) = &written.allow {
        let allow = allow(written, source, faults);
        if !allow.is_empty() {
            validators.push(Validator::not_allowed(allow));
        }
    }
    if !validators.is_empty() && !can_allow(written) {
        faults.push(
            Fault::new("a block or a `shortest` pattern cannot have validators or an allow-list")
                .remedy("its text is covered before it is complete; drop them, or bound the pattern"),
        );
    }
    validators
}

/// What only the lowered pattern shows.
fn check(rule: &Rule, faults: &mut Vec<Fault>) {
    match lower(rule) {
        Ok(lowered) => {
            let bounded = lowered.longest.is_some() || rule.max_len.is_some();
            if let (Matcher::Pattern(_), false) = (&rule.matcher, bounded) {
                faults.push(
                    Fault::new("the pattern has no longest match")
                        .remedy("give `max_len` in bytes: what outgrows it fails closed"),
                );
            }
        }
        Err(found) => faults.extend(found),
    }
}
