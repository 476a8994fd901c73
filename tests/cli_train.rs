//! `holdback train`: labelled texts become a model.
#![cfg(feature = "sidecar")]

mod binary;

use binary::{Run, file, run};
use flate2::Compression;
use flate2::write::GzEncoder;
use holdback::check::linear::{Linear, LinearCheck};
use holdback::hold::Ruling;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A text, and whether there is something in it.
fn text(n: usize) -> (String, bool) {
    let quiet = ["the river is calm", "we had tea", "the train has left", "it will rain"][n % 4];
    if n.is_multiple_of(3) { (format!("{quiet}, jackpot {n}"), true) } else { (format!("{quiet} at {n}"), false) }
}

/// Lines whose label stands as `label` says.
fn data(label: impl Fn(bool) -> serde_json::Value) -> String {
    let line = |(text, is_spam)| serde_json::json!({ "body": text, "kind": label(is_spam) }).to_string() + "\n";
    (0..600).map(text).map(line).collect()
}

fn train(data: &Path, name: &str, args: &[&str]) -> (Run, PathBuf) {
    let model = data.with_file_name(name);
    let _ = fs::remove_file(&model);
    let paths = [data.to_str().unwrap(), "--output", model.to_str().unwrap()];
    let run = run(&[&["train", "--text", "body", "--label", "kind"], &paths[..], args].concat(), "");
    (run, model)
}

fn labels(model: &Path) -> Vec<String> {
    let model = Linear::from_json(&fs::read(model).unwrap()).unwrap();
    model.thresholds().map(|(label, _)| label.to_owned()).collect()
}

#[test]
fn a_trained_model_answers_for_a_check() {
    let data =
        file("train-names.jsonl", data(|is_spam| if is_spam { ["spam"][..].into() } else { [""; 0][..].into() }));
    let (run, path) = train(&data, "train-names.json", &["--bits", "14"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
    assert!(run.out.starts_with("600 texts: 420 train, 60 choose thresholds, 120 are held out\n"), "{}", run.out);
    let row = run.out.lines().find(|line| line.trim_start().starts_with("spam")).expect(&run.out);
    let row: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((row[1], &row[3..]), ("200", &["1.000", "1.000", "1.000", "1.000", "1.000", "40", "0", "0", "80"][..]));
    assert!(run.out.contains(&format!("written to {}", path.display())), "{}", run.out);

    let model = Linear::from_json(&fs::read(path).unwrap()).unwrap();
    let check = LinearCheck::new(model);
    assert_eq!(check.judge("you hit the jackpot").ruling, Ruling::Redact);
    assert_eq!(check.judge("it rains, so we have tea").ruling, Ruling::Clear);
}

#[test]
fn a_label_may_be_a_name_a_number_or_true() {
    let named = file("train-named.jsonl", data(|is_spam| if is_spam { "pos".into() } else { "neg".into() }));
    let (run, model) = train(&named, "train-named.json", &["--negative", "neg"]);
    assert_eq!((run.code, labels(&model)), (0, vec!["pos".to_owned()]), "{}", run.err);
    let (_, both) = train(&named, "train-both.json", &[]);
    assert_eq!(labels(&both), ["neg", "pos"]);

    let numbers = file("train-numbers.jsonl", data(|is_spam| u8::from(is_spam).into()));
    let (_, default) = train(&numbers, "train-default.json", &[]);
    assert_eq!(labels(&default), ["positive"]);
    let (_, spam) = train(&numbers, "train-numbers.json", &["--positive", "spam"]);
    assert_eq!(labels(&spam), ["spam"]);

    let bools = data(|is_spam| if is_spam { true.into() } else { serde_json::Value::Null });
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(bools.as_bytes()).unwrap();
    let bools = file("train-bools.jsonl.gz", zipped.finish().unwrap());
    let (run, same) = train(&bools, "train-bools.json", &["--positive", "spam"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(fs::read(same).unwrap(), fs::read(spam).unwrap(), "the same texts make the same model");
}

#[test]
fn several_fields_are_called_by_their_names() {
    let line = |n: usize| {
        let (text, is_spam) = text(n);
        format!("{{\"body\":\"{text}\",\"kind\":{},\"late\":{}}}\n", u8::from(is_spam), n >= 300)
    };
    let data = file("train-fields.jsonl", (0..600).map(line).collect::<String>());
    let (run, model) = train(&data, "train-fields.json", &["--label", "late"]);
    assert_eq!((run.code, labels(&model)), (0, vec!["kind".to_owned(), "late".to_owned()]), "{}", run.err);
}

#[test]
fn a_line_that_is_no_labelled_text_is_told_and_nothing_is_trained() {
    let lines = [
        r#"{"body":"fine","kind":1}"#,
        "",
        r#"{"body":7,"kind":1}"#,
        r#"{"body":"a","kind":0.5}"#,
        r#"{"body":"a","kind":["b",1]}"#,
        r#"{"body":"a","kind":{}}"#,
        r#"{"body":"a"}"#,
        "[]",
    ];
    let data = file("train-bad.jsonl", lines.join("\n"));
    let (run, model) = train(&data, "train-bad.json", &[]);
    assert_eq!(run.code, 1);
    for fault in [
        "train-bad.jsonl:3: `body` is no text",
        "train-bad.jsonl:4: `kind` is 0.5, neither 0 nor 1",
        "train-bad.jsonl:5: `kind` lists what is no name",
        "train-bad.jsonl:6: `kind` is an object",
        "train-bad.jsonl:7: it has no field `kind`",
        "train-bad.jsonl:8: ",
        "6 lines are no labelled texts; nothing was trained",
    ] {
        assert!(run.err.contains(fault), "{fault}: {}", run.err);
    }
    assert!(!model.exists());
}

#[test]
fn what_cannot_be_trained_is_told() {
    let all = file("train-all.jsonl", data(|_| "spam".into()));
    let (run, _) = train(&all, "train-all.json", &[]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("cannot train: every text has the label \"spam\""), "{}", run.err);
    let (run, _) = train(Path::new("/nowhere/at/all.jsonl"), "train-nowhere.json", &[]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("cannot read /nowhere/at/all.jsonl"), "{}", run.err);
    for wrong in [["--bits", "30"], ["--precision", "2"], ["--precision", "x"]] {
        assert_eq!(train(&all, "train-wrong.json", &wrong).0.code, 2, "{wrong:?}");
    }
}

#[test]
fn figures_that_say_little_come_with_a_warning() {
    let few: String = data(|is_spam| is_spam.into()).lines().take(60).map(|line| format!("{line}\n")).collect();
    let (run, _) = train(&file("train-few.jsonl", few), "train-few.json", &[]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("warning: positive: only 4 held-out texts have it, fewer than 20"), "{}", run.err);
}
