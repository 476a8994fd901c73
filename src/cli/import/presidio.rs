//! Presidio's recognizers: patterns with a score, words that raise it, and lists of words.

use super::Theirs;
use super::draft::{Capture, Draft, Matcher};
use serde::Deserialize;

/// Below this score a match counts only with a word of its context beside it: what Presidio adds for one is 0.35, and
/// results below 0.4 are dropped by most who use it.
const SURE: f64 = 0.4;
/// Presidio looks at five words before a match.
const WITHIN: usize = 64;
/// What Presidio reads patterns with: re.DOTALL | re.MULTILINE | re.IGNORECASE.
const FLAGS: &str = "(?ims)";

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    recognizers: Vec<Recognizer>,
}

#[derive(Deserialize)]
struct Recognizer {
    name: Option<String>,
    supported_entity: Option<String>,
    #[serde(default)]
    patterns: Vec<Pattern>,
    #[serde(default)]
    context: Vec<String>,
    #[serde(default)]
    deny_list: Vec<String>,
}

#[derive(Deserialize)]
struct Pattern {
    name: Option<String>,
    regex: String,
    score: Option<f64>,
}

pub(super) fn read(source: &str) -> anyhow::Result<Theirs> {
    let file: File = serde_saphyr::from_str(source)?;
    let mut theirs = Theirs::default();
    for recognizer in file.recognizers {
        if recognizer.patterns.is_empty() && recognizer.deny_list.is_empty() {
            let name = recognizer.name.unwrap_or_default();
            theirs.losses.push(format!("{name}: its patterns are in Presidio's code, not in the file"));
            continue;
        }
        theirs.rules.extend(recognizer.drafts());
    }
    Ok(theirs)
}

impl Recognizer {
    fn drafts(self) -> Vec<Draft> {
        let name = self.name.clone().unwrap_or_default();
        let base = self.supported_entity.clone().or(self.name.clone()).unwrap_or_default();
        let draft = Draft {
            description: name,
            severity: Some("medium"),
            tags: self.supported_entity.iter().map(|entity| entity.to_lowercase()).collect(),
            capture: Capture::Whole,
            ..Draft::default()
        };
        let of_pattern = |(at, pattern): (usize, &Pattern)| {
            let id = match self.patterns.len() {
                1 => base.clone(),
                _ => format!("{base}-{}", pattern.name.clone().unwrap_or_else(|| (at + 1).to_string())),
            };
            let (not_before, regex, not_after) = boundaries(&pattern.regex);
            let unsure = pattern.score.is_some_and(|score| score < SURE) && !self.context.is_empty();
            Draft {
                id: id.replace(['(', ')'], ""),
                matcher: Matcher::Regex(format!("{FLAGS}{regex}")),
                not_before,
                not_after,
                near: unsure.then(|| (self.context.clone(), WITHIN)),
                losses: pattern
                    .score
                    .filter(|&score| score < SURE && self.context.is_empty())
                    .map(|score| format!("it is as sure as any other rule; its score is {score}"))
                    .into_iter()
                    .collect(),
                ..draft.clone()
            }
        };
        let mut drafts: Vec<Draft> = self.patterns.iter().enumerate().map(of_pattern).collect();
        if !self.deny_list.is_empty() {
            drafts.push(Draft {
                id: if drafts.is_empty() { base } else { format!("{base}-list") },
                matcher: Matcher::Literals(self.deny_list),
                not_before: Some("[A-Za-z0-9_]".to_owned()),
                not_after: Some("[A-Za-z0-9_]".to_owned()),
                ..draft
            });
        }
        drafts
    }
}

/// A pattern that begins with `(?<!x)` or ends with `(?!x)`, x being a class of characters, as a pattern with boundaries.
fn boundaries(regex: &str) -> (Option<String>, &str, Option<String>) {
    let class = |inner: &str| match inner {
        _ if inner.starts_with('[') && inner.ends_with(']') && !inner[1..].contains('[') => Some(inner.to_owned()),
        r"\d" | r"\w" | r"\s" => Some(format!("[{inner}]")),
        _ if inner.chars().count() == 1 && inner != "." => Some(format!("[{}]", regex_syntax::escape(inner))),
        _ => None,
    };
    let (mut rest, mut before, mut after) = (regex, None, None);
    if let Some((inner, behind)) = regex.strip_prefix("(?<!").and_then(|inner| inner.split_once(')'))
        && let Some(class) = class(inner)
    {
        (before, rest) = (Some(class), behind);
    }
    if let Some((front, inner)) = rest.rsplit_once("(?!")
        && let Some(class) = inner.strip_suffix(')').and_then(class)
    {
        (after, rest) = (Some(class), front);
    }
    (before, rest, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
recognizers:
  - name: "Toy number"
    supported_entity: "TOY_ID"
    patterns:
      - name: "weak"
        regex: "(?<!\\d)\\d{6}(?!\\d)"
        score: 0.1
      - name: "strong"
        regex: "\\btoy-\\d{4}\\b"
        score: 0.8
    context: [toy, shop]
  - name: Titles
    supported_entity: TITLE
    deny_list: [Dr., Prof.]
  - name: CreditCardRecognizer
    type: predefined
"#;

    #[test]
    fn recognizers_become_rules() {
        let theirs = read(FILE).expect("a sound file");
        assert_eq!(theirs.losses.len(), 1);
        let ids: Vec<_> = theirs.rules.iter().map(|draft| draft.id.as_str()).collect();
        assert_eq!(ids, ["TOY_ID-weak", "TOY_ID-strong", "TITLE"]);
        let [weak, strong, titles] = &theirs.rules[..] else { panic!("three rules") };
        assert_eq!(weak.near, Some((vec!["toy".to_owned(), "shop".to_owned()], WITHIN)));
        assert_eq!((weak.not_before.as_deref(), weak.not_after.as_deref()), (Some(r"[\d]"), Some(r"[\d]")));
        assert_eq!(strong.near, None);
        for draft in [weak, strong, titles] {
            draft.clone().under("p.").import().unwrap_or_else(|reason| panic!("{}: {reason}", draft.id));
        }
    }

    #[test]
    fn only_boundaries_of_one_class_are_taken_off() {
        assert_eq!(boundaries(r"(?<![A-Z])x(?!-)"), (Some("[A-Z]".into()), "x", Some(r"[\-]".into())));
        assert_eq!(boundaries(r"(?<!ab)x"), (None, "(?<!ab)x", None));
        assert_eq!(boundaries(r"x(?!\.\d)"), (None, r"x(?!\.\d)", None));
    }
}
