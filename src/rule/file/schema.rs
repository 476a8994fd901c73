//! The format of rule files as a JSON Schema, for editors.
//!
//! It knows the keys, their types and their words. What only the whole of a file can be wrong about, such as a pattern, is
//! for `holdback check`.

use super::checks::{GUARDS, KINDS, MEASURES, MODES, ON_FAILURE, PASSAGES};
use super::read::SEVERITIES;
use super::written::Verb;
use crate::rule::fold::Fold;
use crate::rule::{ChannelKind, Direction, Validator};
use serde_json::{Value, json};

/// The schema, as JSON text.
pub(super) fn schema() -> String {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rule file of holdback",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "format": { "const": 1 },
            "extends": texts("Files and packs that lie below this one, such as \"builtin:pii\""),
            "pack": table("What the file is", json!({
                "id": text(""), "version": text(""), "description": text(""), "license": text(""),
                "extends": texts("Likewise"),
            }), &[]),
            "defaults": table("What each rule of this file says unless it says otherwise", defaults(), &[]),
            "rule": tables("A rule", rule(), &["id"]),
            "check": tables("A judgement on passages of text that takes time", check(), &["id", "mode"]),
            "limit": tables("What a stream may have, all of its texts together", limit(), &["id"]),
            "quota": tables("What one caller may have, all of its streams together", quota(), &["id", "within_s"]),
            "choose": tables("Requests that get another policy; the first that fits counts", choice(), &["policy"]),
            "override": tables("What a deployment changes about the rules that it names", deployment(), &["rule"]),
            "allow": tables("Texts to leave alone", allow_table(), &[]),
            "lists": { "type": "object", "additionalProperties": texts("A list for rules; it adds to one of its name in files below") },
            "policy": table("Limits of the whole policy", json!({
                "max_hold": whole("The longest a candidate may grow, in bytes"),
                "hash_key_env": text("The environment variable that holds the key of {hash8}"),
            }), &[]),
        },
    });
    let mut text = serde_json::to_string_pretty(&schema).expect("a value is JSON");
    text.push('\n');
    text
}

fn text(about: &str) -> Value {
    described(json!({ "type": "string" }), about)
}

fn texts(about: &str) -> Value {
    described(json!({ "type": "array", "items": { "type": "string" } }), about)
}

fn either(about: &str, forms: [Value; 2]) -> Value {
    described(json!({ "anyOf": forms }), about)
}

fn whole(about: &str) -> Value {
    described(json!({ "type": "integer", "minimum": 0 }), about)
}

fn switch(about: &str) -> Value {
    described(json!({ "type": "boolean" }), about)
}

fn word<'a>(about: &str, words: impl IntoIterator<Item = &'a str>) -> Value {
    described(json!({ "enum": words.into_iter().collect::<Vec<_>>() }), about)
}

fn words<'a>(about: &str, words: impl IntoIterator<Item = &'a str>) -> Value {
    described(json!({ "type": "array", "items": { "enum": words.into_iter().collect::<Vec<_>>() } }), about)
}

fn described(mut value: Value, about: &str) -> Value {
    if !about.is_empty() {
        value["description"] = about.into();
    }
    value
}

/// A table of these keys and no others.
fn table(about: &str, properties: Value, required: &[&str]) -> Value {
    let mut table = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    described(table, about)
}

fn tables(about: &str, properties: Value, required: &[&str]) -> Value {
    json!({ "type": "array", "items": table(about, properties, required) })
}

/// These keys and those.
fn with(mut keys: Value, others: Value) -> Value {
    let (Value::Object(all), Value::Object(others)) = (&mut keys, others) else { unreachable!("both are tables") };
    all.extend(others);
    keys
}

/// What happens to a match: of rules, defaults and overrides alike.
fn fate() -> Value {
    let kinds = ChannelKind::ALL.into_iter().filter(|kind| *kind != ChannelKind::Prompt);
    json!({
        "severity": word("How bad a match is", SEVERITIES.map(|(name, _)| name)),
        "direction": word("Whether requests are watched, or responses", Direction::ALL.map(Direction::name)),
        "channels": words("The texts of a response that are watched; all if missing", kinds.map(ChannelKind::name)),
        "action": word("What happens to a match", Verb::NAMES.map(|(name, _)| name)),
        "monitor": switch("The rule is on trial: it only reports what it would have done"),
        "check": text("The check of mode held that matches are held for, if the action is hold"),
        "replace": text("The text that takes a match's place: {rule}, {category}, {len}, {hash8}"),
        "mask": table("How a match's characters are masked", json!({
            "char": text("The character that is written"),
            "keep_first": whole("Characters to keep at the beginning"),
            "keep_last": whole("Characters to keep at the end"),
        }), &[]),
    })
}

fn names<'a, T>(words: &[(&'a str, T)]) -> Vec<&'a str> {
    words.iter().map(|(word, _)| *word).collect()
}

fn check() -> Value {
    let kinds = ChannelKind::ALL.into_iter().filter(|kind| *kind != ChannelKind::Prompt);
    let measure = || word("What a finding leads to", names(&MEASURES));
    let share = |about: &str| described(json!({ "type": "number", "minimum": 0, "maximum": 1 }), about);
    let category = either(
        "What findings of this category lead to",
        [
            measure(),
            table(
                "",
                json!({
                    "measure": measure(), "threshold": share("From which score on they count"),
                }),
                &["measure"],
            ),
        ],
    );
    json!({
        "id": text("Such as safety"),
        "description": text(""),
        "mode": word("What waits for its judgements: the text, nothing, or the end of the stream", names(&MODES)),
        "passages": either("Into what a text is divided; sentences if missing", [
            word("", names(&PASSAGES)),
            table("", json!({ "characters": whole("So many characters each") }), &["characters"]),
        ]),
        "longest_passage": whole("Longer passages are cut, in bytes"),
        "context": whole("How much of the text before a passage is shown with it, in bytes"),
        "deadline_ms": whole("How long a judgement may take, in milliseconds"),
        "on_failure": word("What becomes of a passage whose judgement fails", names(&ON_FAILURE)),
        "max_held": whole("How much of a text may wait, in bytes, before no more of it is taken from upstream"),
        "in_flight": whole("How many passages of a stream may be asked about at once"),
        "sample": share("Of which share of the streams it is asked"),
        "direction": word("Whether requests are watched, or responses", Direction::ALL.map(Direction::name)),
        "channels": words("The texts of a response that are watched; all if missing", kinds.map(ChannelKind::name)),
        "severity": word("How bad it is what the check finds", SEVERITIES.map(|(name, _)| name)),
        "monitor": switch("The check is on trial: it only reports"),
        "replace": text("What takes the place of what is redacted or withheld: {rule}, {category}"),
        "measures": table("What a service's findings lead to", json!({
            "otherwise": word("Findings of categories that are not named", names(&MEASURES)),
            "threshold": share("From which score on a finding counts"),
            "categories": { "type": "object", "additionalProperties": category },
        }), &[]),
        "service": table("Who answers; bound by the program if missing", json!({
            "kind": word("Which of the services that are known", names(&KINDS)),
            "url": text("Where it is, for all but linear and semantic"),
            "file": text("The model's file, for linear"),
            "token_env": text("The environment variable that holds a bearer token for it"),
            "model": text("The model's name, for moderation and guard; its folder, for semantic"),
            "topic": tables("What texts may not be about, or must be, for semantic", json!({
                "name": text("Its name, and that of the category"),
                "examples": texts("Sentences about it"),
                "threshold": share("How similar to one of them a text about it is at least"),
                "required": switch("Texts must be about this topic, or another that is required"),
            }), &["name", "examples", "threshold"]),
            "guard": word("How a guard model is asked", names(&GUARDS)),
            "category": text("Of what breaks the guideline, for shield-gemma"),
            "guideline": text("What the text must not be, for shield-gemma"),
            "risk": text("For granite-guardian, such as harm"),
            "id": text("The detector's id, for detector"),
            "language": text("Of the texts, for presidio; en if missing"),
            "secret_env": text("The environment variable that holds the key of the signature, for webhook"),
        }), &["kind"]),
    })
}

fn findings(about: &str, count: &str) -> Value {
    let findings = json!({
        "rules": text("Of rules and checks with these ids, such as pii.*"),
        "min_severity": word("From this severity on", SEVERITIES.map(|(name, _)| name)),
        "count": whole(count),
    });
    table(about, findings, &["rules", "count"])
}

fn quota() -> Value {
    json!({
        "id": text("Such as strikes"),
        "description": text(""),
        "per": text("The request header that tells callers apart; all are one if missing"),
        "within_s": whole("Within how many seconds it counts, from the first on"),
        "refuse_s": whole("For how many seconds requests are refused then; until within_s is over if missing"),
        "findings": findings("So many findings, in requests and responses", "How many are enough"),
        "bytes": whole("So many bytes of responses"),
        "requests": whole("So many requests"),
        "monitor": switch("The quota is on trial: it only reports"),
    })
}

fn choice() -> Value {
    let globs = described(json!({ "type": "string" }), "Its value; * stands for any text");
    json!({
        "description": text(""),
        "policy": text("The policy's file, a pack such as \"builtin:pii\", or \"off\": nothing is moderated"),
        "path": text("The request's path; * stands for any text"),
        "model": text("The model that it asks for; * stands for any text"),
        "header": described(json!({ "type": "object", "additionalProperties": globs }), "Headers that it has"),
    })
}

fn limit() -> Value {
    let kinds = ChannelKind::ALL.into_iter().filter(|kind| *kind != ChannelKind::Prompt);
    json!({
        "id": text("Such as limits.length"),
        "description": text(""),
        "bytes": whole("So many bytes of text"),
        "findings": findings("So many findings", "How many end the stream"),
        "repeats": table("The same text again and again", json!({
            "times": whole("So many times in a row"),
            "min_bytes": whole("And so many bytes in all"),
        }), &["times", "min_bytes"]),
        "scripts": table("Letters of other scripts", json!({
            "allowed": texts("The scripts that may be used, by Unicode's names, such as Latin or Han"),
            "letters": whole("So many letters of others end the stream"),
        }), &["allowed", "letters"]),
        "channels": words("The texts of a response that count; all if missing", kinds.map(ChannelKind::name)),
        "monitor": switch("The limit is on trial: it only reports"),
    })
}

fn reading() -> Value {
    json!({
        "case": word("Which letters match which", ["sensitive", "ascii-insensitive"]),
        "unicode": switch("Classes and `.` speak of code points"),
    })
}

fn defaults() -> Value {
    with(reading(), fate())
}

fn rule() -> Value {
    let own = json!({
        "id": text("Such as pii.email"),
        "description": text(""),
        "tags": texts("Words to select rules by"),
        "references": texts("Where the pattern's source can be read"),
        "since": text(""),
        "regex": text("A regular expression in the syntax of Rust's regex"),
        "literals": either("Texts as they stand, here or in a list", [
            texts(""),
            table("", json!({ "list": text("The list's name in `lists`") }), &["list"]),
        ]),
        "words": table("Words, through the spellings that hide them", json!({
            "list": texts(""),
            "fold": words("", Fold::NAMES.map(|(name, _)| name)),
            "boundary": word("", ["word", "none"]),
            "max_gap": whole("The most separators between two letters"),
        }), &["list"]),
        "chars": text("Code points, such as U+200B-U+200D"),
        "block": table("Everything from one text to another", json!({
            "open": text(""), "close": text(""), "max_len": whole("In bytes"),
            "unclosed": word("", ["redact", "terminate"]),
        }), &["open", "close", "max_len"]),
        "capture": text("The named group that is held and covered"),
        "not_before": text("A class of characters that must not stand before the match"),
        "not_after": text("A class of characters that must not stand behind the match"),
        "mode": word("", ["all", "shortest"]),
        "max_len": whole("The longest match, in bytes"),
        "near": table("Words one of which must stand before the match", json!({
            "words": texts(""), "within": whole("In bytes, 32 if missing"), "effect": word("", ["require"]),
        }), &["words"]),
        "validate": { "type": "array", "description": "Checks that must accept a match", "items": { "anyOf": validators() } },
        "allow": table("Texts to leave alone", with(allow(), json!({ "after": text("A code point") })), &[]),
        "replaces": switch("Takes the place of the rule of the same id"),
        "test": tables("A text, and what the rule finds in it", json!({
            "name": text(""), "text": text(""), "finds": texts(""), "output": text(""),
        }), &["text", "finds"]),
    });
    let mut all = with(with(own, reading()), fate());
    all["replace"]["type"] = json!(["string", "boolean"]);
    all
}

fn validators() -> Vec<Value> {
    let kind = |name: &str, settings: Value, required: &[&str]| {
        let keys = with(json!({ "kind": { "const": name } }), settings);
        table("", keys, &[&["kind"], required].concat())
    };
    let number = || json!({ "type": "number", "minimum": 0, "maximum": 8 });
    vec![
        word("", Validator::names()),
        kind("digits", json!({ "min": whole(""), "max": whole("") }), &["min", "max"]),
        kind("entropy", json!({ "min": number() }), &["min"]),
        kind("url-host-not-in", json!({ "list": text(""), "hosts": texts("") }), &[]),
        table("", json!({ "kind": word("", Validator::names()) }), &["kind"]),
    ]
}

fn allow() -> Value {
    json!({
        "literals": texts("Whole texts"),
        "suffix": texts("Ends of texts"),
        "words": texts("Whole texts, in any case"),
        "regex": texts("Patterns of whole texts"),
    })
}

fn allow_table() -> Value {
    let more = json!({
        "rules": texts("The rules, if not all"), "reason": text(""),
        "expires": { "type": "string", "description": "The last day, such as 2027-01-31" },
    });
    with(allow(), more)
}

fn deployment() -> Value {
    let own = json!({
        "rule": text("Which rules; * stands for any text"),
        "min_severity": word("Only those of this severity or more", SEVERITIES.map(|(name, _)| name)),
        "enabled": switch(""),
    });
    with(own, fate())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Pack;

    #[test]
    fn the_schema_is_the_one_in_the_docs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rule-file.schema.json");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == schema(), "print it anew: cargo run -- rules schema > docs/rule-file.schema.json");
    }

    /// Says what the schema does not allow in `value`.
    fn faults(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        if let Some(choices) = schema["anyOf"].as_array() {
            let fits = |choice: &&Value| {
                let mut none = Vec::new();
                super::tests::faults(choice, value, at, &mut none);
                none.is_empty()
            };
            if !choices.iter().any(|choice| fits(&choice)) {
                faults.push(format!("{at}: {value}"));
            }
            return;
        }
        if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
            faults.push(format!("{at}: {value} is none of {words:?}"));
        }
        let kind = match value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::Null => "null",
        };
        let is_of_kind = match &schema["type"] {
            Value::Array(kinds) => kinds.contains(&kind.into()),
            Value::String(wanted) => wanted == kind || (wanted == "number" && kind == "integer"),
            _ => true,
        };
        if !is_of_kind {
            faults.push(format!("{at}: {value} is no {}", schema["type"]));
        }
        match value {
            Value::Object(table) => {
                let none = serde_json::Map::new();
                let known = schema["properties"].as_object().unwrap_or(&none);
                for (key, value) in table {
                    match known.get(key).or(Some(&schema["additionalProperties"]).filter(|others| others.is_object())) {
                        Some(schema) => super::tests::faults(schema, value, &format!("{at}.{key}"), faults),
                        None => faults.push(format!("{at}.{key} is not known")),
                    }
                }
            }
            Value::Array(items) => {
                items.iter().for_each(|item| super::tests::faults(&schema["items"], item, at, faults))
            }
            _ => {}
        }
    }

    #[test]
    fn the_packs_are_of_the_schema_and_a_mistake_is_not() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let mut found = Vec::new();
        for pack in Pack::ALL {
            let file: Value = toml::from_str(pack.source()).unwrap();
            faults(&schema, &file, pack.name(), &mut found);
        }
        assert_eq!(found, Vec::<String>::new());
        let wrong = json!({ "rule": [{ "id": "a.b", "regx": "x", "action": "hide", "validate": ["lun"] }] });
        faults(&schema, &wrong, "", &mut found);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
