//! Reading a rule file: from TOML to what is written in it, with everything that is wrong with its shape.

use super::checks::read_check;
use super::choices::read_choice;
use super::keys::Keys;
use super::limits::read_limit;
use super::quotas::read_quota;
use super::source::Source;
use super::written::{
    Fate, Replaces, Verb, Written, WrittenAllow, WrittenMatcher, WrittenNear, WrittenOverride, WrittenRule,
    WrittenTest, WrittenValidator,
};
use crate::error::Fault;
use crate::rule::date::Date;
use crate::rule::fold::Fold;
use crate::rule::words::Boundary;
use crate::rule::{Case, ChannelKind, Conduct, Direction, Mask, Mode, Severity, Template, Unclosed};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The newest format this reader knows.
const FORMAT: usize = 1;

pub(super) const SEVERITIES: [(&str, Severity); 5] = [
    (Severity::Info.name(), Severity::Info),
    (Severity::Low.name(), Severity::Low),
    (Severity::Medium.name(), Severity::Medium),
    (Severity::High.name(), Severity::High),
    (Severity::Critical.name(), Severity::Critical),
];

impl Written {
    /// Reads `source`, reporting everything that is wrong with its shape; nothing where it is not TOML at all, for
    /// what could be made of the rest would only mislead.
    pub(super) fn read(source: Source, faults: &mut Vec<Fault>) -> Option<Written> {
        let text = source.text().to_owned();
        let (table, errors) = DeTable::parse_recoverable(&text);
        if !errors.is_empty() {
            let fault = |error: toml::de::Error| {
                source.place(error.span().unwrap_or(0..0), Fault::new(format!("not TOML: {}", error.message())))
            };
            let mut errors: Vec<Fault> = errors.into_iter().map(fault).collect();
            // What comes after the first mistake on a line mostly comes from it.
            errors.sort_by_key(|fault| fault.line);
            errors.dedup_by_key(|fault| fault.line);
            faults.extend(errors);
            return None;
        }
        let mut file = Keys::new(table, &source, faults);
        if let Some(format) = file.whole("format").filter(|format| *format.get_ref() != FORMAT) {
            let fault = Fault::new(format!("format {} is not known", format.get_ref()))
                .remedy(format!("this version reads format {FORMAT}"));
            file.fault(format.span(), fault);
        }
        let mut extends = texts(&mut file, "extends");
        extends.extend(file.table("pack", read_pack).into_iter().flatten());
        let defaults = file.table("defaults", read_defaults).unwrap_or_default();
        let rules = file.tables("rule", |keys| read_rule(keys, &defaults)).into_iter().flatten().collect();
        let checks = file.tables("check", read_check).into_iter().flatten().collect();
        let limits = file.tables("limit", read_limit).into_iter().flatten().collect();
        let quotas = file.tables("quota", read_quota).into_iter().flatten().collect();
        let choices = file.tables("choose", read_choice).into_iter().flatten().collect();
        let overrides = file.tables("override", read_override).into_iter().flatten().collect();
        let allows = file.tables("allow", read_allow_table);
        let lists = file.table("lists", |keys| keys.every_list()).unwrap_or_default();
        let (max_hold, hash_key_env) = file
            .table("policy", |keys| {
                (keys.whole("max_hold").map(Spanned::into_inner), keys.text("hash_key_env").map(Spanned::into_inner))
            })
            .unwrap_or_default();
        file.finish();
        Some(Written {
            source,
            extends,
            rules,
            checks,
            limits,
            quotas,
            choices,
            overrides,
            allows,
            lists,
            max_hold,
            hash_key_env,
        })
    }
}

/// Reads `[pack]`, of which only `extends` has a consequence.
fn read_pack(keys: &mut Keys<'_, '_>) -> Vec<Spanned<String>> {
    for key in ["id", "version", "description", "license"] {
        keys.text(key);
    }
    texts(keys, "extends")
}

#[derive(Default)]
struct Defaults {
    case: Option<Case>,
    unicode: Option<bool>,
    fate: Fate,
}

fn read_defaults(keys: &mut Keys<'_, '_>) -> Defaults {
    Defaults { case: read_case(keys), unicode: keys.switch("unicode"), fate: read_fate(keys) }
}

fn read_case(keys: &mut Keys<'_, '_>) -> Option<Case> {
    keys.word("case", &[("sensitive", Case::Sensitive), ("ascii-insensitive", Case::AsciiInsensitive)])
}

fn read_fate(keys: &mut Keys<'_, '_>) -> Fate {
    Fate {
        replace: keys.text("replace").and_then(|template| read_template(keys, template)),
        ..read_fate_but_replace(keys)
    }
}

fn read_fate_but_replace(keys: &mut Keys<'_, '_>) -> Fate {
    Fate {
        severity: keys.word("severity", &SEVERITIES),
        direction: keys.word("direction", &Direction::ALL.map(|direction| (direction.name(), direction))),
        channels: read_channels(keys),
        action: keys.word("action", &Verb::NAMES),
        conduct: keys.switch("monitor").map(|monitor| if monitor { Conduct::Monitor } else { Conduct::Act }),
        replace: None,
        check: text(keys, "check"),
        mask: keys.table("mask", read_mask).flatten(),
    }
}

pub(super) fn read_channels(keys: &mut Keys<'_, '_>) -> Option<Vec<ChannelKind>> {
    // A prompt is no channel of a response: `direction` speaks of it.
    let kinds = ChannelKind::ALL.into_iter().filter(|kind| *kind != ChannelKind::Prompt);
    let words: Vec<_> = kinds.map(|kind| (kind.name(), kind)).collect();
    let channels = keys.words("channels", &words)?;
    if channels.is_empty() {
        keys.fault(keys.span(), Fault::new("`channels` names no channel: the rule would watch nothing"));
    }
    Some(channels)
}

pub(super) fn read_template(keys: &mut Keys<'_, '_>, written: Spanned<String>) -> Option<Template> {
    let template = Template::new(written.get_ref());
    match template.parse() {
        Ok(_) => Some(template),
        Err(fault) => {
            keys.fault(written.span(), fault);
            None
        }
    }
}

fn read_mask(keys: &mut Keys<'_, '_>) -> Option<Mask> {
    let written = keys.text("char");
    let mut one = written.as_ref().map_or("*", |written| written.get_ref()).chars();
    let char = match (one.next(), one.next()) {
        (Some(char), None) => Some(char),
        _ => {
            keys.fault(keys.span(), Fault::new("`char` is not one character").remedy("write it like `\"*\"`"));
            None
        }
    };
    let keep = |written: Option<Spanned<usize>>| written.map_or(0, Spanned::into_inner);
    let (first, last) = (keep(keys.whole("keep_first")), keep(keys.whole("keep_last")));
    char.map(|char| Mask::new(char).keep_first(first).keep_last(last))
}

/// Reads one `[[rule]]`; one without an id cannot be spoken of, and is left out.
fn read_rule(keys: &mut Keys<'_, '_>, defaults: &Defaults) -> Option<WrittenRule> {
    let id = keys.needed_text("id").map(Spanned::into_inner);
    keys.speak_of(id.clone());
    let (replace, replaces) = read_replace(keys);
    let own = Fate { replace, ..read_fate_but_replace(keys) };
    check_fate(keys, &own, &defaults.fate);
    let rule = WrittenRule {
        span: keys.span(),
        id: id.unwrap_or_default(),
        replaces,
        description: text(keys, "description").unwrap_or_default(),
        tags: plain(texts(keys, "tags")),
        references: plain(texts(keys, "references")),
        matcher: read_matcher(keys),
        capture: keys.text("capture"),
        not_before: keys.text("not_before"),
        not_after: keys.text("not_after"),
        case: read_case(keys).or(defaults.case),
        unicode: keys.switch("unicode").or(defaults.unicode),
        mode: keys.word("mode", &[("all", Mode::All), ("shortest", Mode::Shortest)]),
        max_len: keys.whole("max_len").map(Spanned::into_inner),
        near: keys.table("near", read_near),
        validators: read_validators(keys),
        allow: keys.table("allow", read_allow),
        fate: own.or(&defaults.fate),
        tests: keys.tables("test", read_test).into_iter().flatten().collect(),
    };
    keys.text("since");
    (!rule.id.is_empty()).then_some(rule)
}

/// `replace` is the template, or `true` where the rule takes the place of another one; a rule that does both
/// says `replaces = true`.
fn read_replace(keys: &mut Keys<'_, '_>) -> (Option<Template>, Replaces) {
    let mut replaces = keys.switch("replaces") == Some(true);
    let template = keys.take("replace").and_then(|value| match value.get_ref() {
        DeValue::Boolean(on) => {
            replaces |= on;
            None
        }
        _ => keys.read_text("replace", value),
    });
    let template = template.and_then(|template| read_template(keys, template));
    (template, if replaces { Replaces::Another } else { Replaces::None })
}

/// A rule that says how to do what it does not do is mistaken about one of the two.
fn check_fate(keys: &mut Keys<'_, '_>, own: &Fate, defaults: &Fate) {
    let action = own.action.or(defaults.action).unwrap_or(Verb::Redact);
    for (key, written, of, word) in [
        ("mask", own.mask.is_some(), &[Verb::Mask][..], "mask"),
        ("replace", own.replace.is_some(), &[Verb::Redact, Verb::Hold], "redact"),
        ("check", own.check.is_some(), &[Verb::Hold], "hold"),
    ] {
        if written && !of.contains(&action) {
            let fault = Fault::new(format!("`{key}` is given, but the action is another one"));
            keys.fault(keys.span(), fault.remedy(format!("write `action = \"{}\"`, or drop `{key}`", word)));
        }
    }
    if action == Verb::Hold && own.check.as_ref().or(defaults.check.as_ref()).is_none() {
        let fault = Fault::new("the rule holds its matches, but does not say what for");
        keys.fault(keys.span(), fault.remedy("name a `[[check]]` of the mode `held` by `check`"));
    }
    if own.channels.is_some() && own.direction.or(defaults.direction) == Some(Direction::Request) {
        let fault = Fault::new("`channels` is given, but the rule watches requests only, which have none");
        keys.fault(keys.span(), fault.remedy("write `direction = \"both\"`, or drop `channels`"));
    }
}

fn read_matcher(keys: &mut Keys<'_, '_>) -> WrittenMatcher {
    let matchers = [
        keys.text("regex").map(|regex| WrittenMatcher::Regex(regex.into_inner())),
        read_literals(keys),
        keys.table("words", read_words),
        keys.text("chars").map(|chars| WrittenMatcher::Chars(chars.into_inner())),
        keys.table("block", read_block),
    ];
    let mut written = matchers.into_iter().flatten();
    match (written.next(), written.next()) {
        (Some(matcher), None) => matcher,
        (none, _) => {
            let found = if none.is_none() { "no" } else { "more than one" };
            let fault = Fault::new(format!("the rule has {found} matcher"))
                .remedy("write exactly one of `regex`, `literals`, `words`, `chars` and `block`");
            keys.fault(keys.span(), fault);
            WrittenMatcher::Unclear
        }
    }
}

fn read_literals(keys: &mut Keys<'_, '_>) -> Option<WrittenMatcher> {
    if keys.has_table("literals") {
        let list = keys.table("literals", |keys| keys.needed_text("list"))?;
        return Some(list.map_or(WrittenMatcher::Unclear, WrittenMatcher::Listed));
    }
    keys.texts("literals").map(|literals| WrittenMatcher::Literals(plain(literals.into_inner())))
}

fn read_words(keys: &mut Keys<'_, '_>) -> WrittenMatcher {
    WrittenMatcher::Words {
        list: plain(texts(keys, "list")),
        folds: keys.words("fold", &Fold::NAMES).unwrap_or_default(),
        boundary: keys.word("boundary", &[("word", Boundary::Word), ("none", Boundary::None)]).unwrap_or_default(),
        max_gap: keys.whole("max_gap").map_or(1, Spanned::into_inner),
    }
}

fn read_block(keys: &mut Keys<'_, '_>) -> WrittenMatcher {
    let unclosed = [("redact", Unclosed::Redact), ("terminate", Unclosed::Terminate)];
    let (open, close) = (keys.needed_text("open"), keys.needed_text("close"));
    let max_len = keys.whole("max_len");
    if max_len.is_none() {
        let fault = Fault::new("a block needs `max_len`").remedy("give the longest block in bytes, such as 16384");
        keys.fault(keys.span(), fault);
    }
    let unclosed = keys.word("unclosed", &unclosed).unwrap_or_default();
    match (open, close, max_len) {
        (Some(open), Some(close), Some(max_len)) => WrittenMatcher::Block {
            open: open.into_inner(),
            close: close.into_inner(),
            max_len: max_len.into_inner(),
            unclosed,
        },
        _ => WrittenMatcher::Unclear,
    }
}

fn read_near(keys: &mut Keys<'_, '_>) -> WrittenNear {
    keys.word("effect", &[("require", ())]);
    WrittenNear {
        span: keys.span(),
        words: plain(texts(keys, "words")),
        within: keys.whole("within").map(Spanned::into_inner),
    }
}

fn read_validators(keys: &mut Keys<'_, '_>) -> Vec<Spanned<WrittenValidator>> {
    let Some(value) = keys.take("validate") else { return Vec::new() };
    let span = value.span();
    let DeValue::Array(items) = value.get_ref() else {
        keys.wrong_type("validate", span, value.get_ref(), "a list of validators");
        return Vec::new();
    };
    let mut checks = Vec::new();
    for item in items.iter().cloned() {
        let span = item.span();
        let check = match item.get_ref() {
            DeValue::Table(_) => keys.read_table("validate", item, read_validator).flatten(),
            _ => keys.read_text("validate", item).map(|name| WrittenValidator::Plain(name.into_inner())),
        };
        checks.extend(check.map(|check| Spanned::new(span, check)));
    }
    checks
}

fn read_validator(keys: &mut Keys<'_, '_>) -> Option<WrittenValidator> {
    let kind = keys.needed_text("kind")?;
    match kind.get_ref().as_str() {
        "digits" => match (keys.whole("min"), keys.whole("max")) {
            (Some(min), Some(max)) => Some(WrittenValidator::Digits { min: min.into_inner(), max: max.into_inner() }),
            _ => {
                keys.fault(keys.span(), Fault::new("`digits` needs `min` and `max`"));
                None
            }
        },
        "entropy" => match keys.number("min").map(Spanned::into_inner) {
            Some(min) if (0.0..=8.0).contains(&min) => Some(WrittenValidator::Entropy { min }),
            _ => {
                let fault = Fault::new("`entropy` needs `min`").remedy("give bits per byte, 0 to 8, such as 3.0");
                keys.fault(keys.span(), fault);
                None
            }
        },
        "url-host-not-in" => {
            Some(WrittenValidator::HostNotIn { list: text(keys, "list"), hosts: plain(texts(keys, "hosts")) })
        }
        _ => Some(WrittenValidator::Plain(kind.into_inner())),
    }
}

fn read_allow(keys: &mut Keys<'_, '_>) -> WrittenAllow {
    WrittenAllow {
        span: keys.span(),
        rules: None,
        literals: plain(texts(keys, "literals")),
        suffix: plain(texts(keys, "suffix")),
        words: plain(texts(keys, "words")),
        regex: texts(keys, "regex"),
        after: keys.text("after"),
        expires: None,
    }
}

fn read_allow_table(keys: &mut Keys<'_, '_>) -> WrittenAllow {
    let rules = keys.texts("rules").map(Spanned::into_inner);
    keys.text("reason");
    let expires = read_expires(keys);
    let mut allow = read_allow(keys);
    if let Some(after) = allow.after.take() {
        keys.fault(
            after.span(),
            Fault::new("`after` belongs to a rule").remedy("write it into the rule's own `allow`"),
        );
    }
    if allow.literals.is_empty() && allow.suffix.is_empty() && allow.words.is_empty() && allow.regex.is_empty() {
        let fault = Fault::new("the list allows nothing").remedy("write `literals`, `suffix`, `words` or `regex`");
        keys.fault(keys.span(), fault);
    }
    WrittenAllow { rules, expires, ..allow }
}

fn read_expires(keys: &mut Keys<'_, '_>) -> Option<Date> {
    let value = keys.take("expires")?;
    let written = match value.get_ref() {
        DeValue::Datetime(date) => date.to_string(),
        DeValue::String(date) => date.to_string(),
        _ => String::new(),
    };
    let date = Date::parse(&written);
    if date.is_none() {
        let fault = Fault::new("`expires` is not a date").remedy("write it like \"2027-01-31\"");
        keys.fault(value.span(), fault);
    }
    date
}

fn read_override(keys: &mut Keys<'_, '_>) -> Option<WrittenOverride> {
    let rules = keys.needed_text("rule");
    let min_severity = keys.word("min_severity", &SEVERITIES);
    let enabled = keys.switch("enabled");
    let fate = read_fate(keys);
    Some(WrittenOverride { rules: rules?, min_severity, enabled, fate })
}

fn read_test(keys: &mut Keys<'_, '_>) -> Option<WrittenTest> {
    let text = keys.needed_text("text");
    let finds = keys.texts("finds");
    if finds.is_none() {
        keys.fault(
            keys.span(),
            Fault::new("the test does not say what it `finds`").remedy("write `finds = []` for nothing"),
        );
    }
    let (name, output) = (self::text(keys, "name"), self::text(keys, "output"));
    Some(WrittenTest { span: keys.span(), name, text: text?.into_inner(), finds: plain(finds?.into_inner()), output })
}

pub(super) fn text(keys: &mut Keys<'_, '_>, key: &'static str) -> Option<String> {
    keys.text(key).map(Spanned::into_inner)
}

fn texts(keys: &mut Keys<'_, '_>, key: &'static str) -> Vec<Spanned<String>> {
    keys.texts(key).map(Spanned::into_inner).unwrap_or_default()
}

fn plain(texts: Vec<Spanned<String>>) -> Vec<String> {
    texts.into_iter().map(Spanned::into_inner).collect()
}
