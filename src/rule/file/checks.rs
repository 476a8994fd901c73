//! Reading `[[check]]`.

use super::keys::Keys;
use super::layers::beside;
use super::read::{SEVERITIES, read_channels, read_template, text};
use crate::error::Fault;
use crate::rule::service::{Address, GuardModel, Measure, Measures, Service, ServiceKind, Topic};
use crate::rule::{Check, CheckMode, Conduct, Direction, OnFailure, Passages};
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// A check, and who answers for it.
#[derive(Clone, Debug)]
pub(super) struct WrittenCheck {
    pub(super) check: Check,
    pub(super) service: Option<Service>,
}

pub(super) const MODES: [(&str, CheckMode); 4] = [
    (CheckMode::Gate.name(), CheckMode::Gate),
    (CheckMode::Trail.name(), CheckMode::Trail),
    (CheckMode::Final.name(), CheckMode::Final),
    (CheckMode::Held.name(), CheckMode::Held),
];

pub(super) const ON_FAILURE: [(&str, OnFailure); 3] = [
    (OnFailure::Withhold.name(), OnFailure::Withhold),
    (OnFailure::Terminate.name(), OnFailure::Terminate),
    (OnFailure::Release.name(), OnFailure::Release),
];

pub(super) const PASSAGES: [(&str, Passages); 3] =
    [("sentences", Passages::Sentences), ("paragraphs", Passages::Paragraphs), ("whole", Passages::Whole)];

pub(super) const MEASURES: [(&str, Measure); 4] = [
    (Measure::Ignore.name(), Measure::Ignore),
    (Measure::Flag.name(), Measure::Flag),
    (Measure::Redact.name(), Measure::Redact),
    (Measure::Terminate.name(), Measure::Terminate),
];

pub(super) const KINDS: [(&str, Kind); 7] = [
    ("moderation", Kind::Moderation),
    ("guard", Kind::Guard),
    ("detector", Kind::Detector),
    ("presidio", Kind::Presidio),
    ("linear", Kind::Linear),
    ("semantic", Kind::Semantic),
    ("webhook", Kind::Webhook),
];

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Moderation,
    Guard,
    Detector,
    Presidio,
    Linear,
    Semantic,
    Webhook,
}

pub(super) const GUARDS: [(&str, GuardName); 4] = [
    ("llama-guard", GuardName::LlamaGuard),
    ("qwen3-guard", GuardName::Qwen3Guard),
    ("shield-gemma", GuardName::ShieldGemma),
    ("granite-guardian", GuardName::GraniteGuardian),
];

#[derive(Clone, Copy)]
pub(super) enum GuardName {
    LlamaGuard,
    Qwen3Guard,
    ShieldGemma,
    GraniteGuardian,
}

/// Reads one `[[check]]`; one without an id or a mode cannot be run, and is left out.
pub(super) fn read_check(keys: &mut Keys<'_, '_>) -> Option<WrittenCheck> {
    let id = keys.needed_text("id").map(Spanned::into_inner);
    keys.speak_of(id.clone());
    text(keys, "description");
    let mode = keys.needed_word("mode", &MODES);
    let mut check = match (id, mode.unwrap_or(CheckMode::Gate)) {
        (id, CheckMode::Gate) => Check::gate(id.unwrap_or_default()),
        (id, CheckMode::Trail) => Check::trail(id.unwrap_or_default()),
        (id, CheckMode::Final) => Check::at_end(id.unwrap_or_default()),
        (id, CheckMode::Held) => Check::held(id.unwrap_or_default()),
    };
    check.passages = read_passages(keys).unwrap_or(check.passages);
    check.longest = whole(keys, "longest_passage");
    check.context = whole(keys, "context").unwrap_or(check.context);
    check.deadline = whole(keys, "deadline_ms").map_or(check.deadline, |ms| Duration::from_millis(ms as u64));
    check.on_failure = keys.word("on_failure", &ON_FAILURE);
    check.max_held = whole(keys, "max_held").unwrap_or(check.max_held);
    check.in_flight = whole(keys, "in_flight").unwrap_or(check.in_flight);
    check.share = read_share(keys, "sample").unwrap_or(check.share);
    check.direction =
        keys.word("direction", &Direction::ALL.map(|direction| (direction.name(), direction))).unwrap_or_default();
    check.channels = read_channels(keys).unwrap_or_default();
    check.severity = keys.word("severity", &SEVERITIES).unwrap_or_default();
    if keys.switch("monitor") == Some(true) {
        check.conduct = Conduct::Monitor;
    }
    if let Some(template) = keys.text("replace").and_then(|template| read_template(keys, template)) {
        check.replace = template;
    }
    let measures = keys.table("measures", read_measures).unwrap_or_default();
    let service = keys.table("service", |keys| read_service(keys, measures)).flatten();
    for fault in check.faults() {
        keys.fault(keys.span(), fault);
    }
    (!check.id.is_empty() && mode.is_some()).then_some(WrittenCheck { check, service })
}

fn whole(keys: &mut Keys<'_, '_>, key: &'static str) -> Option<usize> {
    keys.whole(key).map(Spanned::into_inner)
}

fn read_passages(keys: &mut Keys<'_, '_>) -> Option<Passages> {
    if keys.has_table("passages") {
        return keys.table("passages", |keys| whole(keys, "characters").map(Passages::Characters)).flatten();
    }
    keys.word("passages", &PASSAGES)
}

fn read_measures(keys: &mut Keys<'_, '_>) -> Measures {
    let mut measures = keys.word("otherwise", &MEASURES).map_or_else(Measures::default, Measures::new);
    if let Some(threshold) = read_share(keys, "threshold") {
        measures = measures.threshold(threshold);
    }
    for (category, measure, threshold) in keys.table("categories", |keys| keys.every(read_category)).unwrap_or_default()
    {
        measures = match threshold {
            Some(threshold) => measures.category_from(category, measure, threshold),
            None => measures.category(category, measure),
        };
    }
    measures
}

/// `hate = "terminate"`, or with a threshold of its own `hate = { measure = "terminate", threshold = 0.8 }`.
fn read_category<'s>(
    keys: &mut Keys<'_, 's>,
    name: String,
    value: Spanned<DeValue<'s>>,
) -> Option<(String, Measure, Option<f64>)> {
    let span = value.span();
    let (measure, threshold) = match value.get_ref() {
        DeValue::String(word) => (keys.one_of(&name, &Spanned::new(span, word.to_string()), &MEASURES), None),
        DeValue::Table(_) => {
            return keys.read_table("categories", value, |keys| {
                let (measure, threshold) = (keys.needed_word("measure", &MEASURES), read_share(keys, "threshold"));
                measure.map(|measure| (name, measure, threshold))
            })?;
        }
        other => {
            keys.wrong_type(&name, span, other, "a measure");
            return None;
        }
    };
    measure.map(|measure| (name, measure, threshold))
}

fn read_share(keys: &mut Keys<'_, '_>, key: &'static str) -> Option<f64> {
    let share = keys.number(key)?;
    if !(0.0..=1.0).contains(share.get_ref()) {
        keys.fault(share.span(), Fault::new(format!("`{key}` is a share")).remedy("give a number from 0 to 1"));
        return None;
    }
    Some(share.into_inner())
}

fn read_service(keys: &mut Keys<'_, '_>, measures: Measures) -> Option<Service> {
    let span: Range<usize> = keys.span();
    let (file, line) = keys.place(span.start);
    let Some(kind) = keys.needed_word("kind", &KINDS) else {
        // Which other keys there may be nobody can say then.
        keys.every(|_, _, _| None::<()>);
        return None;
    };
    let kind = match kind {
        Kind::Linear => {
            let model = keys.needed_text("file")?;
            ServiceKind::Linear { file: beside(&file, model.get_ref()) }
        }
        Kind::Moderation => {
            let (at, model) = (read_address(keys), needed(keys, "model"));
            ServiceKind::Moderation { at: at?, model: model? }
        }
        Kind::Guard => {
            let (at, model, guard) = (read_address(keys), needed(keys, "model"), read_guard(keys));
            ServiceKind::Guard { at: at?, model: model?, guard: guard? }
        }
        Kind::Detector => {
            let (at, id) = (read_address(keys), needed(keys, "id"));
            ServiceKind::Detector { at: at?, id: id? }
        }
        Kind::Presidio => {
            let (at, language) = (read_address(keys), text(keys, "language"));
            ServiceKind::Presidio { at: at?, language: language.unwrap_or_else(|| "en".to_owned()) }
        }
        Kind::Semantic => {
            let (model, topics) = (needed(keys, "model"), keys.tables("topic", read_topic));
            if topics.is_empty() {
                keys.fault(keys.span(), Fault::new("it looks for nothing").remedy("give it a `topic` with `examples`"));
            }
            ServiceKind::Semantic { model: beside(&file, &model?), topics: topics.into_iter().flatten().collect() }
        }
        Kind::Webhook => {
            let (at, secret_env) = (read_address(keys), needed(keys, "secret_env"));
            ServiceKind::Webhook { at: at?, secret_env: secret_env? }
        }
    };
    Some(Service { kind, measures, file, span, line })
}

fn read_topic(keys: &mut Keys<'_, '_>) -> Option<Topic> {
    keys.need("threshold");
    let (name, threshold) = (needed(keys, "name"), read_share(keys, "threshold"));
    let examples = keys.texts("examples").map(Spanned::into_inner).unwrap_or_default();
    if examples.is_empty() {
        keys.fault(
            keys.span(),
            Fault::new("the topic has no examples").remedy("give sentences about it as `examples`"),
        );
    }
    let required = keys.switch("required").unwrap_or(false);
    let examples = examples.into_iter().map(Spanned::into_inner).collect();
    Some(Topic { name: name?, threshold: threshold?, examples, required })
}

fn read_address(keys: &mut Keys<'_, '_>) -> Option<Address> {
    let (url, token_env) = (needed(keys, "url"), text(keys, "token_env"));
    url.map(|url| Address { url, token_env })
}

fn needed(keys: &mut Keys<'_, '_>, key: &'static str) -> Option<String> {
    keys.needed_text(key).map(Spanned::into_inner)
}

fn read_guard(keys: &mut Keys<'_, '_>) -> Option<GuardModel> {
    let name = keys.needed_word("guard", &GUARDS)?;
    Some(match name {
        GuardName::LlamaGuard => GuardModel::LlamaGuard,
        GuardName::Qwen3Guard => GuardModel::Qwen3Guard,
        GuardName::ShieldGemma => {
            let (category, guideline) = (needed(keys, "category"), needed(keys, "guideline"));
            GuardModel::ShieldGemma { category: category?, guideline: guideline? }
        }
        GuardName::GraniteGuardian => GuardModel::GraniteGuardian { risk: needed(keys, "risk")? },
    })
}
