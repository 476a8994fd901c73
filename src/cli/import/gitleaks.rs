//! The configuration of gitleaks and Betterleaks: a secret is a group of a regular expression, with entropy, and with
//! lists of what does not count.

use super::Theirs;
use super::draft::{Capture, Draft, Matcher};
use regex_automata::meta::Regex;
use serde::Deserialize;

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    rules: Vec<Rule>,
    allowlist: Option<Allowlist>,
    #[serde(default)]
    allowlists: Vec<Allowlist>,
    extend: Option<toml::Table>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    /// Before version 8 rules had none.
    #[serde(default)]
    id: String,
    #[serde(default)]
    description: String,
    regex: Option<String>,
    secret_group: Option<u32>,
    entropy: Option<f64>,
    path: Option<String>,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    /// Betterleaks: an expression that says when a finding does not count.
    filter: Option<String>,
    allowlist: Option<Allowlist>,
    #[serde(default)]
    allowlists: Vec<Allowlist>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Allowlist {
    #[serde(default)]
    regexes: Vec<String>,
    regex_target: Option<String>,
    #[serde(default)]
    stopwords: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    commits: Vec<String>,
    condition: Option<String>,
    #[serde(default, alias = "targetRules")]
    target_rules: Vec<String>,
}

pub(super) fn read(source: &str) -> anyhow::Result<Theirs> {
    let config: Config = toml::from_str(source)?;
    let mut theirs = Theirs::default();
    if config.extend.is_some() {
        theirs.losses.push("`extend` is not followed: import the other file too".to_owned());
    }
    for list in config.allowlist.iter().chain(&config.allowlists) {
        list.read(&mut theirs.allowed, &mut theirs.losses);
    }
    theirs.rules = config.rules.into_iter().map(Rule::draft).collect();
    Ok(theirs)
}

impl Rule {
    fn draft(self) -> Draft {
        let mut draft = Draft {
            id: if self.id.is_empty() { self.description.replace(' ', "-") } else { self.id },
            description: self.description,
            tags: self.tags,
            entropy: self.entropy,
            capture: self.secret_group.map_or(Capture::First, Capture::Numbered),
            ..Draft::default()
        };
        if self.path.is_some() {
            draft.losses.push("`path` is left out: a stream has no path".to_owned());
        }
        if let Some(regex) = self.regex {
            // Whether an expression demands a word cannot be told in general; most spell it out, with signs between.
            let letters = |text: &str| text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "");
            let demanded = |word: &String| letters(&regex).contains(&letters(word));
            if !self.keywords.is_empty() && !self.keywords.iter().any(demanded) {
                draft.losses.push(format!("its keywords may not be demanded: {}", self.keywords.join(", ")));
            }
            draft.matcher = Matcher::Regex(regex);
        }
        if let Some(filter) = &self.filter {
            match entropy_of(filter) {
                Some((least, true)) => draft.entropy = Some(least),
                Some((least, false)) => {
                    draft.entropy = Some(least);
                    draft.losses.push(format!("of its filter only the entropy is kept: {filter}"));
                }
                None => draft.losses.push(format!("its filter is left out: {filter}")),
            }
        }
        for list in self.allowlist.iter().chain(&self.allowlists) {
            list.read(&mut draft.allowed, &mut draft.losses);
        }
        draft
    }
}

impl Allowlist {
    /// Adds what it allows by the secret itself, and what else it asks for to the losses.
    fn read(&self, allowed: &mut Vec<String>, losses: &mut Vec<String>) {
        if !self.paths.is_empty() || !self.commits.is_empty() {
            losses.push("an allowlist's `paths` and `commits` are left out: a stream has neither".to_owned());
        }
        if !self.target_rules.is_empty() {
            losses.push("an allowlist for some rules only is left out".to_owned());
            return;
        }
        // With an AND the rest would allow more than was meant.
        let only_together = self.condition.as_deref().is_some_and(|word| word.eq_ignore_ascii_case("and"));
        let parts = [&self.regexes, &self.stopwords, &self.paths, &self.commits];
        if only_together && parts.iter().filter(|part| !part.is_empty()).count() > 1 {
            losses.push("an allowlist whose parts hold together only is left out".to_owned());
            return;
        }
        match self.regex_target.as_deref() {
            None | Some("secret") => allowed.extend(self.regexes.iter().cloned()),
            Some(target) if !self.regexes.is_empty() => {
                losses.push(format!("an allowlist of the {target} is left out: ours see what is covered"));
            }
            Some(_) => {}
        }
        if !self.stopwords.is_empty() {
            let words: Vec<String> = self.stopwords.iter().map(|word| regex_syntax::escape(word)).collect();
            allowed.push(format!("(?i:{})", words.join("|")));
        }
    }
}

/// The entropy that a filter of Betterleaks demands, and whether it demands nothing else.
fn entropy_of(filter: &str) -> Option<(f64, bool)> {
    let regex = Regex::new(r"entropy\([^()]*\)\s*<=?\s*(\d+(?:\.\d+)?)").expect("a good pattern");
    let mut groups = regex.create_captures();
    regex.captures(filter.trim(), &mut groups);
    let (all, number) = (groups.get_group(0)?, groups.get_group(1)?);
    let filter = filter.trim();
    Some((filter[number.range()].parse().ok()?, all.range() == (0..filter.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
[allowlist]
paths = ['''\.png$''']
regexes = ['''^example''']

[[rules]]
id = "toy-key"
description = "A key of the toy shop"
regex = '''toy-([a-z0-9]{8})'''
entropy = 2.5
keywords = ["toy-"]
[[rules.allowlists]]
stopwords = ["sample"]
[[rules.allowlists]]
condition = "AND"
paths = ['''\.md$''']
regexes = ['''x''']

[[rules]]
id = "toy-file"
path = '''\.toy$'''

[[rules]]
id = "toy-line"
regex = '''id:([0-9]{6})'''
keywords = ["toyshop"]
[rules.allowlist]
regexTarget = "line"
regexes = ['''test''']
"#;

    #[test]
    fn a_configuration_is_read_with_what_it_loses() {
        let theirs = read(CONFIG).expect("a sound file");
        assert_eq!(theirs.allowed, ["^example"]);
        assert_eq!(theirs.losses.len(), 1, "{:?}", theirs.losses);
        let [key, file, line] = &theirs.rules[..] else { panic!("three rules") };
        assert_eq!((key.entropy, &key.allowed[..]), (Some(2.5), &["(?i:sample)".to_owned()][..]));
        assert_eq!(key.losses.len(), 2, "{:?}", key.losses);
        assert!(file.clone().import().is_err());
        assert_eq!(line.losses.len(), 2, "{:?}", line.losses);
    }

    #[test]
    fn a_filter_is_kept_as_far_as_it_is_entropy() {
        assert_eq!(entropy_of(r#"entropy(finding["secret"]) <= 3.5"#), Some((3.5, true)));
        assert_eq!(entropy_of(r#"entropy(secret) < 3 || matchesAny(secret, ["a"])"#), Some((3.0, false)));
        assert_eq!(entropy_of("failsTokenEfficiency(secret)"), None);
    }
}
