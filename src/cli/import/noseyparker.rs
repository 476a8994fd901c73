//! The rules of Nosey Parker and Kingfisher: extended regular expressions with examples.

use super::Theirs;
use super::draft::{Capture, Draft, Matcher};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    id: String,
    #[serde(default)]
    name: String,
    pattern: String,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    examples: Vec<String>,
    /// Kingfisher: the least entropy of the secret, and what it must contain.
    min_entropy: Option<f64>,
    pattern_requirements: Option<serde::de::IgnoredAny>,
    depends_on_rule: Option<serde::de::IgnoredAny>,
}

pub(super) fn read(source: &str) -> anyhow::Result<Theirs> {
    let file: File = serde_saphyr::from_str(source)?;
    Ok(Theirs { rules: file.rules.into_iter().map(Rule::draft).collect(), ..Theirs::default() })
}

impl Rule {
    fn draft(self) -> Draft {
        let pattern = without_comments(&self.pattern);
        let capture = if pattern.contains("(?P<TOKEN>") { Capture::Named("TOKEN".to_owned()) } else { Capture::First };
        let mut draft = Draft {
            id: self.id,
            description: self.name,
            tags: self.categories,
            entropy: self.min_entropy.filter(|&least| least > 0.0),
            capture,
            matcher: Matcher::Regex(pattern),
            examples: self.examples,
            ..Draft::default()
        };
        for (is_there, key) in [
            (self.pattern_requirements.is_some(), "pattern_requirements"),
            (self.depends_on_rule.is_some(), "depends_on_rule"),
        ] {
            if is_there {
                draft.losses.push(format!("`{key}` is left out"));
            }
        }
        draft
    }
}

/// The pattern without `(?# ... )`, which our expressions do not know.
fn without_comments(pattern: &str) -> String {
    let mut rest = pattern.trim_end();
    let mut kept = String::new();
    while let Some((before, comment)) = rest.split_once("(?#") {
        kept.push_str(before);
        rest = comment.split_once(')').map_or("", |(_, after)| after);
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
rules:
- name: Toy Key
  id: np.toy.1
  pattern: |
    (?x)(?i)
    toy
    (?: .|[\n\r] ){0,8}? (?# a gap, whatever is in it )
    \b
    ( [a-z0-9]{8} )
    \b
  categories: [api, secret]
  references:
  - https://example.com/
  examples:
  - 'TOY = abcd1234'
- name: Another
  id: kf.toy.2
  pattern: 'tk_(?P<TOKEN>[0-9]{6})'
  min_entropy: 1.5
  pattern_requirements:
    min_digits: 2
"#;

    #[test]
    fn rules_are_read_with_their_examples() {
        let theirs = read(FILE).expect("a sound file");
        let [toy, another] = &theirs.rules[..] else { panic!("two rules") };
        let imported = toy.clone().import().unwrap_or_else(|reason| panic!("{reason}"));
        assert!(imported.losses.is_empty(), "{:?}", imported.losses);
        assert!(imported.toml.contains("text = 'TOY = abcd1234'\nfinds = ['abcd1234']"), "{}", imported.toml);
        assert_eq!(another.entropy, Some(1.5));
        assert_eq!(another.losses, ["`pattern_requirements` is left out"]);
    }

    #[test]
    fn comments_go() {
        assert_eq!(without_comments("a(?# b )c(?#d)"), "ac");
        assert_eq!(without_comments("a(?# open"), "a");
    }
}
