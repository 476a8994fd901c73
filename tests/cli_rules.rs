//! `holdback rules list`, `holdback explain` and `holdback import`: what rules there are, what each is, and where others
//! come from.
#![cfg(feature = "sidecar")]

mod binary;

use binary::{file, run};
use serde_json::Value;

#[test]
fn every_rule_of_the_policy_has_a_line() {
    let all = run(&["rules", "list"], "");
    assert_eq!(all.code, 0, "{}", all.err);
    let mail = all.out.lines().find(|line| line.starts_with("pii.email ")).expect("a line for it");
    assert_eq!(mail.split_whitespace().take(4).collect::<Vec<_>>(), ["pii.email", "medium", "redact", "response"]);
    assert!(!run(&["rules", "list", "--pack", "exfil"], "").out.contains("pii."));

    let lines = run(&["rules", "list", "--pack", "secrets", "--tag", "vcs", "--json"], "");
    let lines: Vec<Value> = lines.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(
        lines.iter().any(|line| line["id"] == "secrets.github-token" && line["severity"] == "critical"),
        "{lines:?}"
    );
    assert!(lines.iter().all(|line| line["tags"].as_array().unwrap().contains(&"vcs".into())), "{lines:?}");
}

#[test]
fn a_rule_is_explained_as_it_is_deployed() {
    let policy = file(
        "explain.toml",
        r#"
extends = ["builtin:pii"]
[[override]]
rule = "pii.us-ssn"
action = "terminate"
[[rule]]
id = "acme.note"
description = "A note that never ends"
regex = 'NOTE: [\s\S]+'
max_len = 64
[[rule.test]]
text = "a NOTE: b"
finds = ["NOTE: b"]
[[rule.test]]
text = "a note"
finds = []
"#,
    );
    let path = policy.to_str().unwrap();
    let ssn = run(&["explain", "--policy", path, "pii.us-*n"], "");
    assert_eq!(ssn.code, 0, "{}", ssn.err);
    for part in ["pii.us-ssn  (high)", "validate = [\"us-ssn\"]", "the stream ends before the match", "see https://"] {
        assert!(ssn.out.contains(part), "{part}: {}", ssn.out);
    }
    let note = run(&["explain", "--policy", path, "acme.note"], "");
    for part in [
        "A note that never ends",
        r"regex = 'NOTE: [\s\S]+'",
        "finds \"NOTE: b\" in \"a NOTE: b\"",
        "finds nothing in \"a note\"",
        "replaced by `[{rule}]`",
        "64 bytes at most; what outgrows that is covered",
        "note: after a match",
    ] {
        assert!(note.out.contains(part), "{part}: {}", note.out);
    }
}

#[test]
fn the_format_is_printed_for_editors() {
    let schema = run(&["rules", "schema"], "");
    let schema: Value = serde_json::from_str(&schema.out).expect("JSON");
    assert!(schema["properties"]["rule"]["items"]["properties"]["regex"].is_object(), "{schema}");
}

#[test]
fn what_is_not_there_is_told() {
    let unknown = run(&["explain", "pii.phone-number"], "");
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("no rule has the id `pii.phone-number`"), "{}", unknown.err);
    assert_eq!(run(&["explain"], "").code, 2);
    let dialect = run(&["explain", "--coverage", "openai"], "");
    assert!(dialect.code != 0 && dialect.err.contains("openai-chat"), "{}", dialect.err);
    let one = run(&["explain", "--coverage", "ollama"], "");
    assert!(one.out.contains("## ollama: events") && !one.out.contains("## cohere"), "{}", one.out);
}

#[test]
fn another_tools_rules_become_a_rule_file_that_holds() {
    let theirs = file(
        "gitleaks.toml",
        r#"
[[rules]]
id = "toy-key"
description = "A key of the toy shop"
regex = '''(?i)[\w.-]{0,50}?(?:toyshop)(?:[ \t\w.-]{0,20})[\s'"]{0,3}=[\s'"]{0,5}([a-z0-9]{12})(?:['"\s;]|\\[nr]|$)'''
entropy = 2.5
keywords = ["toyshop"]

[[rules]]
id = "toy-file"
path = '''\.toy$'''

[allowlist]
regexes = ['''^abcdef''']
"#,
    );
    let imported = run(&["import", "gitleaks", theirs.to_str().unwrap()], "");
    assert_eq!(imported.code, 0, "{}", imported.err);
    assert!(imported.err.contains("gitleaks.toy-file: left out: "), "{}", imported.err);
    assert!(imported.err.ends_with("1 of 2 rules imported, 0 of them not to the letter\n"), "{}", imported.err);

    let ours = file("imported.toml", &imported.out);
    let text = "TOYSHOP_KEY = 'q7x2m9k4w8z1'; toyshop_old = 'abcdef123456'; toyshop = 'aaaaaaaaaaaa';";
    let moderated = run(&["filter", "--dialect", "text", "--policy", ours.to_str().unwrap()], text);
    let expected = "TOYSHOP_KEY = '[gitleaks.toy-key]'; toyshop_old = 'abcdef123456'; toyshop = 'aaaaaaaaaaaa';";
    assert_eq!(moderated.out, expected, "{}", moderated.err);
}

#[test]
fn a_file_without_rules_is_no_import() {
    let empty = file("recognizers.yaml", "recognizers:\n  - name: CreditCardRecognizer\n    type: predefined\n");
    let imported = run(&["import", "presidio", empty.to_str().unwrap()], "");
    assert_eq!(imported.code, 1);
    assert!(imported.err.contains("CreditCardRecognizer: its patterns are in Presidio's code"), "{}", imported.err);
    assert!(imported.err.contains("a file of presidio has them as YAML, under `recognizers:`"), "{}", imported.err);
    assert_eq!(imported.out, "");
    let broken = file("broken.yaml", "rules: [\n");
    let imported = run(&["import", "kingfisher", broken.to_str().unwrap()], "");
    assert_eq!(imported.code, 1);
    assert!(imported.err.contains("broken.yaml"), "{}", imported.err);
}
