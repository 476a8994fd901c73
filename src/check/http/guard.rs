//! Guard models behind an OpenAI-compatible chat endpoint.

use super::{Answer, Api, Endpoint, HttpCheck, Question};
use crate::check::Finding;
use crate::hold::{Passage, Unjudged};
use crate::policy::ChannelKind;
use crate::rule::service::GuardModel;
use serde_json::{Value, json};

impl HttpCheck {
    /// A guard model that the endpoint serves under this name. The endpoint is the API's base, such as
    /// `http://127.0.0.1:8000/v1`.
    ///
    /// A passage of a response is shown as the assistant's turn, behind one of the user's that does not say anything, for
    /// it is not known here; a prompt as the user's.
    pub fn guard(endpoint: Endpoint, guard: GuardModel, model: impl Into<String>) -> HttpCheck {
        HttpCheck::new(endpoint, Guard { guard, model: model.into() })
    }
}

struct Guard {
    guard: GuardModel,
    model: String,
}

impl Api for Guard {
    fn ask(&self, passage: &Passage) -> Question {
        let text = passage.text_in_context();
        let messages = match passage.channel() {
            ChannelKind::Prompt => json!([{ "role": "user", "content": text }]),
            _ => json!([{ "role": "user", "content": "(not shown)" }, { "role": "assistant", "content": text }]),
        };
        // Enough for all categories and for a score in tags.
        let mut body = json!({ "model": self.model, "messages": messages, "temperature": 0, "max_tokens": 64 });
        match &self.guard {
            GuardModel::LlamaGuard | GuardModel::Qwen3Guard => {}
            GuardModel::ShieldGemma { guideline, .. } => {
                body["chat_template_kwargs"] = json!({ "guideline": guideline });
            }
            GuardModel::GraniteGuardian { risk } => {
                // The word for it is another one from version 3.3 on.
                let config = json!({ "risk_name": risk, "criteria_id": risk });
                body["chat_template_kwargs"] = json!({ "guardian_config": config });
            }
        }
        if let GuardModel::ShieldGemma { .. } | GuardModel::GraniteGuardian { .. } = self.guard {
            body["logprobs"] = true.into();
            body["top_logprobs"] = 5.into();
        }
        Question::new("/chat/completions", &body)
    }

    fn read(&self, _: &Passage, answer: &Value) -> Result<Answer, Unjudged> {
        let choice = &answer["choices"][0];
        let said = choice["message"]["content"].as_str().ok_or(Unjudged::Unreadable)?;
        let findings = match &self.guard {
            GuardModel::LlamaGuard => llama_guard(said)?,
            GuardModel::Qwen3Guard => qwen3_guard(said)?,
            GuardModel::ShieldGemma { category: name, .. } | GuardModel::GraniteGuardian { risk: name } => {
                yes_or_no(name, said, &choice["logprobs"]["content"][0])?
            }
        };
        Ok(Answer::Findings(findings))
    }
}

/// `safe`, or `unsafe` and in the next line the categories, with commas between them.
fn llama_guard(said: &str) -> Result<Vec<Finding>, Unjudged> {
    let mut lines = said.trim().lines().map(str::trim);
    match lines.next() {
        Some("safe") => Ok(Vec::new()),
        Some("unsafe") => {
            let named: Vec<Finding> = lines
                .flat_map(|line| line.split(','))
                .map(str::trim)
                .filter(|code| !code.is_empty())
                .map(|code| {
                    let number = code.strip_prefix('S').and_then(|number| number.parse::<usize>().ok());
                    let known = number.and_then(|number| LLAMA_GUARD.get(number.wrapping_sub(1)));
                    Finding::new(known.copied().unwrap_or(UNSAFE))
                })
                .collect();
            Ok(if named.is_empty() { vec![Finding::new(UNSAFE)] } else { named })
        }
        _ => Err(Unjudged::Unreadable),
    }
}

/// Unsafe in a way that has no name.
const UNSAFE: &str = "unsafe";

/// S1 to S14 of Llama Guard 3 and 4. In version 2, S5 is specialized advice, S6 privacy, and so on.
const LLAMA_GUARD: [&str; 14] = [
    "violent_crimes",
    "non_violent_crimes",
    "sex_crimes",
    "child_exploitation",
    "defamation",
    "specialized_advice",
    "privacy",
    "intellectual_property",
    "indiscriminate_weapons",
    "hate",
    "self_harm",
    "sexual_content",
    "elections",
    "code_interpreter_abuse",
];

/// Lines with a label each: `Safety: Unsafe`, `Categories: Violent`, and for responses `Refusal: No`.
fn qwen3_guard(said: &str) -> Result<Vec<Finding>, Unjudged> {
    let labelled = |label: &str| said.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let score = match labelled("Safety:") {
        Some("Safe") => return Ok(Vec::new()),
        Some("Controversial") => 0.5,
        Some("Unsafe") => 1.0,
        _ => return Err(Unjudged::Unreadable),
    };
    // Of an answer that names none, `None` or nothing is the one name: what nobody knows is unsafe, too.
    let names = labelled("Categories:").unwrap_or_default().split(',').map(str::trim);
    let known = |name: &str| QWEN3_GUARD.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours);
    Ok(names.map(|name| Finding::new(known(name).unwrap_or(UNSAFE)).score(score)).collect())
}

const QWEN3_GUARD: [(&str, &str); 9] = [
    ("Violent", "violent_crimes"),
    ("Non-violent Illegal Acts", "non_violent_crimes"),
    ("Sexual Content or Sexual Acts", "sexual_content"),
    ("PII", "privacy"),
    ("Suicide & Self-Harm", "self_harm"),
    ("Unethical Acts", "unethical_acts"),
    ("Politically Sensitive Topics", "political"),
    ("Copyright Violation", "intellectual_property"),
    ("Jailbreak", "jailbreak"),
];

/// `Yes`, or `No`, or the same within `<score>`. What the first token could have been says how sure that is.
fn yes_or_no(category: &str, said: &str, first: &Value) -> Result<Vec<Finding>, Unjudged> {
    let scored = said.rsplit_once("<score>").and_then(|(_, rest)| rest.split_once("</score>"));
    let word = scored.map_or(said, |(word, _)| word).trim().to_ascii_lowercase();
    // A no is the whole clause: `Nobody`, `No-one` and `No user` begin answers of another kind.
    let clause = word.split(['\n', '<', '.', ',', ':', ';', '!']).next().unwrap_or_default().trim_end();
    let says_yes = match word.split(|c: char| !c.is_alphanumeric()).next() {
        Some("yes") => true,
        Some("no") if clause == "no" => false,
        _ => return Err(Unjudged::Unreadable),
    };
    let chances = |wanted: &str| -> f64 {
        let candidates = first["top_logprobs"].as_array().into_iter().flatten();
        let is_it = |candidate: &&Value| {
            candidate["token"].as_str().is_some_and(|token| token.trim().eq_ignore_ascii_case(wanted))
        };
        candidates.filter(is_it).filter_map(|candidate| candidate["logprob"].as_f64()).map(f64::exp).sum()
    };
    let (yes, no) = (chances("yes"), chances("no"));
    if yes + no > 0.0 && scored.is_none() {
        return Ok(vec![Finding::new(category).score(yes / (yes + no))]);
    }
    Ok(if says_yes { vec![Finding::new(category)] } else { Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(findings: Result<Vec<Finding>, Unjudged>) -> Result<Vec<String>, Unjudged> {
        findings.map(|findings| findings.iter().map(|finding| finding.category.to_string()).collect())
    }

    #[test]
    fn answers_of_llama_guard() {
        assert_eq!(names(llama_guard("\n\nsafe")), Ok(vec![]));
        assert_eq!(names(llama_guard("unsafe\nS1,S10")), Ok(vec!["violent_crimes".to_owned(), "hate".to_owned()]));
        assert_eq!(names(llama_guard("unsafe\nS99")), Ok(vec!["unsafe".to_owned()]));
        assert_eq!(names(llama_guard("unsafe")), Ok(vec!["unsafe".to_owned()]));
        // What has another name is unsafe beside what is known, too.
        assert_eq!(names(llama_guard("unsafe\nS6,O3")), Ok(vec!["specialized_advice".to_owned(), "unsafe".to_owned()]));
        for said in ["", "I cannot help with that.", "safely"] {
            assert_eq!(llama_guard(said), Err(Unjudged::Unreadable), "{said}");
        }
    }

    #[test]
    fn answers_of_qwen3_guard() {
        assert_eq!(names(qwen3_guard("Safety: Safe\nCategories: None\nRefusal: No")), Ok(vec![]));
        let unsafe_ = qwen3_guard("Safety: Unsafe\nCategories: Violent, Jailbreak").unwrap();
        assert_eq!(unsafe_[1], Finding::new("jailbreak").score(1.0));
        let controversial = qwen3_guard("Safety: Controversial\nCategories: None").unwrap();
        assert_eq!(controversial, [Finding::new("unsafe").score(0.5)]);
        let nameless = qwen3_guard("Safety: Unsafe").unwrap();
        assert_eq!(nameless, [Finding::new("unsafe").score(1.0)]);
        assert_eq!(
            names(qwen3_guard("Safety: Unsafe\nCategories: Politically Sensitive Topics, Weapons")),
            Ok(vec!["political".to_owned(), "unsafe".to_owned()])
        );
        assert_eq!(qwen3_guard("Categories: Violent"), Err(Unjudged::Unreadable));
    }

    #[test]
    fn answers_of_yes_and_no() {
        let sure =
            json!({ "top_logprobs": [{ "token": "Yes", "logprob": -0.1 }, { "token": " no", "logprob": -2.4 }] });
        let score = yes_or_no("harm", "Yes", &sure).unwrap()[0].score.unwrap();
        assert!((score - 0.909).abs() < 0.001, "{score}");
        assert_eq!(yes_or_no("harm", "Yes", &Value::Null), Ok(vec![Finding::new("harm")]));
        assert_eq!(yes_or_no("harm", "No.", &Value::Null), Ok(vec![]));
        assert_eq!(yes_or_no("harm", "<think>no</think>\n<score> yes </score>", &sure), Ok(vec![Finding::new("harm")]));
        assert_eq!(yes_or_no("harm", "No\n<confidence> High </confidence>", &Value::Null), Ok(vec![]));
        assert_eq!(yes_or_no("harm", "Yes, it is.", &Value::Null), Ok(vec![Finding::new("harm")]));
        for said in
            ["Maybe", "Not safe.", "Nobody should read this.", "No-one should.", "No user should.", "Note: harmful."]
        {
            assert_eq!(yes_or_no("harm", said, &Value::Null), Err(Unjudged::Unreadable), "{said}");
        }
    }
}
