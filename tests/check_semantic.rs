//! Checks by meaning, with a real model: all-MiniLM-L6-v2, where `HOLDBACK_MINILM` names its folder
//! (`HOLDBACK_MINILM=$(tests/models/fetch) cargo test --features onnx --test check_semantic`).
#![cfg(feature = "onnx")]

use holdback::check::semantic::{Embedder, OFF_TOPIC, SemanticCheck, SemanticError, Topic};
use holdback::check::{Checks, Measure, Measures};
use holdback::hold::{Judgement, Ruling};
use holdback::rule::Check;
use holdback::{Channel, ChannelKind, Policy};
use std::fs;
use std::path::{Path, PathBuf};

/// The model's folder; without one the test skips.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("HOLDBACK_MINILM");
    if folder.is_none() {
        println!("skipped: HOLDBACK_MINILM names no model");
    }
    folder.map(PathBuf::from)
}

const DOSAGE: [&str; 3] = [
    "Take two of these tablets every six hours.",
    "The usual dose for adults is 400 mg three times a day.",
    "You should stop taking your medication.",
];
const COOKING: [&str; 3] = [
    "Fry the onions until they are golden.",
    "Let the dough rest for an hour before you bake it.",
    "This dish is best served with rice.",
];

fn check(topics: impl IntoIterator<Item = Topic>) -> Option<SemanticCheck> {
    Some(SemanticCheck::new(Embedder::open(folder()?).unwrap(), topics).unwrap())
}

#[test]
fn vectors_are_those_of_onnxruntime() {
    let Some(folder) = folder() else { return };
    let model = Embedder::open(&folder).unwrap();
    let reference: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("reference.json")).unwrap()).unwrap();
    for sentence in reference.as_array().unwrap() {
        let [vector] = &model.embed(sentence["text"].as_str().unwrap()).unwrap()[..] else { panic!("one window") };
        let wanted = sentence["embedding"].as_array().unwrap();
        assert_eq!(vector.len(), wanted.len());
        for (is, wanted) in vector.iter().zip(wanted) {
            assert!((f64::from(*is) - wanted.as_f64().unwrap()).abs() < 1e-5);
        }
    }
}

#[test]
fn paraphrases_are_seen_and_other_sentences_are_not() {
    let Some(check) = check([Topic::banned("medical_advice", 0.35, DOSAGE)]) else { return };
    for text in [
        "An adult ought to swallow a couple of pills four times daily.",
        "I would recommend that you quit the medicine your doctor prescribed.",
        "Give the child 5 ml of the syrup in the morning and in the evening.",
    ] {
        let judgement = check.judge(text).unwrap();
        assert_eq!(judgement.category.as_deref(), Some("medical_advice"), "{text}: {:?}", check.similarities(text));
    }
    for text in ["Stir in the flour.", "The train leaves at noon.", "Your invoice is attached.", "", "…"] {
        assert_eq!(check.judge(text).unwrap(), Judgement::clear(), "{text}: {:?}", check.similarities(text));
    }
}

#[test]
fn what_must_be_about_a_topic_is_or_is_found() {
    let topics = [Topic::required("cooking", 0.25, COOKING), Topic::banned("medical_advice", 0.35, DOSAGE)];
    let Some(check) = check(topics) else { return };
    let measures = Measures::new(Measure::Terminate).category(OFF_TOPIC, Measure::Flag);
    let check = check.measures(&measures).unwrap();
    assert_eq!(check.judge("Simmer the sauce over a low heat, then add the basil.").unwrap(), Judgement::clear());
    let politics = check.judge("The senator lost the election by a narrow margin.").unwrap();
    assert_eq!((politics.ruling, politics.category.as_deref()), (Ruling::Flag, Some(OFF_TOPIC)));
    let dosage = check.judge("Swallow two tablets every six hours.").unwrap();
    assert_eq!((dosage.ruling, dosage.category.as_deref()), (Ruling::Terminate, Some("medical_advice")));
    let unknown = check.measures(&Measures::default().category("cooking", Measure::Flag)).unwrap_err();
    assert_eq!(unknown.to_string(), r#"no banned topic is called "cooking"; there are medical_advice, off_topic"#);
}

/// Many more words than the model sees at once, and the bad ones last.
#[test]
fn no_part_of_a_long_passage_goes_unseen() {
    let Some(check) = check([Topic::banned("medical_advice", 0.35, DOSAGE)]) else { return };
    let filler = "The ferry crosses the bay in the morning and comes back at night. ".repeat(40);
    assert_eq!(check.judge(&filler).unwrap(), Judgement::clear());
    let dosage = "Take two of these tablets every six hours. ".repeat(20);
    for text in [format!("{filler}{dosage}"), format!("{dosage}{filler}")] {
        assert_eq!(check.judge(&text).unwrap().category.as_deref(), Some("medical_advice"));
    }
}

#[tokio::test]
async fn it_answers_for_a_check_of_a_stream() {
    let Some(check) = check([Topic::banned("medical_advice", 0.35, DOSAGE)]) else { return };
    let checks = Checks::new().bind("topics", check);
    let policy = Policy::builder().check(Check::gate("topics")).build().unwrap();
    let mut channel = Channel::new(&policy, ChannelKind::Text);
    let mut out = Vec::new();
    channel.push(b"The ferry is late. Swallow two tablets every six hours. The sea is calm.").write_to(&mut out);
    channel.finish().write_to(&mut out);
    while let Some(passage) = channel.next_passage() {
        let id = passage.id();
        let judgement = checks.judge(passage).await;
        channel.judge(id, &judgement).write_to(&mut out);
    }
    assert_eq!(String::from_utf8(out).unwrap(), "The ferry is late. [topics]The sea is calm.");
}

#[test]
fn bad_topics_are_told() {
    let Some(folder) = folder() else { return };
    let model = Embedder::open(folder).unwrap();
    let fine = || Topic::banned("a", 0.5, ["A sentence."]);
    let none: [&str; 0] = [];
    for (topics, reason) in [
        (vec![], "there are no topics to look for"),
        (vec![fine(), fine()], r#"topic "a": another topic has the same name"#),
        (
            vec![Topic::banned("", 0.5, ["A."])],
            r#"topic "": a name has 1 to 200 bytes, none of them a control character"#,
        ),
        (
            vec![Topic::banned(OFF_TOPIC, 0.5, ["A."])],
            r#"topic "off_topic": this is what a text is that is about no topic"#,
        ),
        (vec![Topic::banned("a", 1.5, ["A."])], r#"topic "a": its threshold is not 0 to 1"#),
        (vec![Topic::banned("a", 0.5, none)], r#"topic "a": it needs examples, and none that is blank"#),
        (vec![Topic::required("a", 0.5, [" "])], r#"topic "a": it needs examples, and none that is blank"#),
        (
            vec![Topic::required("a", 0.5, ["word ".repeat(600)])],
            r#"topic "a": an example is longer than what the model sees at once"#,
        ),
    ] {
        assert_eq!(SemanticCheck::new(model.clone(), topics).unwrap_err().to_string(), reason);
    }
}

#[test]
fn bad_models_are_told() {
    let reason = |path: &Path| match Embedder::open(path).unwrap_err() {
        SemanticError::File { path, reason } => format!("{}: {reason}", path.file_name().unwrap().display()),
        other => other.to_string(),
    };
    let folder = std::env::temp_dir().join(format!("holdback-semantic-{}", std::process::id()));
    fs::create_dir_all(folder.join("1_Pooling")).unwrap();
    assert_eq!(reason(&folder), "model.onnx: there is no such file; export the model to ONNX");
    assert_eq!(reason(&folder.join("other.onnx")), "other.onnx: there is no such file");
    fs::write(folder.join("model.onnx"), "this is no graph").unwrap();
    assert!(reason(&folder).starts_with("tokenizer.json: "));
    let tokenizer = r#"{ "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": { "[UNK]": 0 }, "unk_token": "[UNK]" } }"#;
    fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
    fs::write(folder.join("config.json"), r#"{ "max_position_embeddings": 4 }"#).unwrap();
    assert_eq!(reason(&folder), "the model is not of a kind that is known: it sees only 4 tokens at once");
    fs::write(folder.join("config.json"), "{").unwrap();
    assert!(reason(&folder).starts_with("config.json: EOF"));
    fs::write(folder.join("config.json"), "{}").unwrap();
    let pooling = folder.join("1_Pooling").join("config.json");
    fs::write(&pooling, r#"{ "pooling_mode_lasttoken": true }"#).unwrap();
    assert!(reason(&folder).contains("pools in another way"));
    fs::write(&pooling, r#"{ "pooling_mode_cls_token": true }"#).unwrap();
    fs::write(folder.join("modules.json"), r#"[{ "type": "sentence_transformers.models.Dense" }]"#).unwrap();
    assert!(reason(&folder).contains("it has a step `Dense`"));
    fs::write(folder.join("modules.json"), r#"[{ "type": "sentence_transformers.models.Transformer" }]"#).unwrap();
    assert!(reason(&folder).starts_with("model.onnx: "));
    fs::remove_dir_all(folder).unwrap();
}

#[cfg(feature = "http-checks")]
#[tokio::test]
async fn a_policys_file_names_a_model_and_topics() {
    use holdback::rule::{Date, RuleSet};

    let Some(folder) = folder() else { return };
    let load = |topic: &str| {
        let source = format!(
            "[[check]]\nid = \"topics\"\nmode = \"gate\"\nmeasures = {{ otherwise = \"terminate\" }}\n[check.service]\n\
             kind = \"semantic\"\nmodel = {:?}\n[[check.service.topic]]\n{topic}\n",
            folder.to_str().unwrap()
        );
        let set = RuleSet::from_toml("policy.toml", &source, Date::parse("2027-01-31").unwrap());
        let checks = set.and_then(|set| Checks::named_in(&set, |_| None));
        checks.map_err(|error| error.faults()[0].reason.clone())
    };
    let checks =
        load("name = \"dosage\"\nthreshold = 0.45\nexamples = [\"Take two of these tablets every six hours.\"]")
            .unwrap();
    let policy = Policy::builder().check(Check::gate("topics")).build().unwrap();
    let mut channel = Channel::new(&policy, ChannelKind::Text);
    channel.push(b"Swallow two tablets every six hours.");
    channel.finish();
    let judgement = checks.judge(channel.next_passage().unwrap()).await.unwrap();
    assert_eq!((judgement.ruling, judgement.category.as_deref()), (Ruling::Terminate, Some("dosage")));
    assert_eq!(load("name = \"dosage\"\nexamples = [\"A.\"]").unwrap_err(), "`threshold` is missing");
    assert_eq!(load("name = \"dosage\"\nthreshold = 0.5").unwrap_err(), "the topic has no examples");
    assert!(load("name = \"dosage\"\nthreshold = 0.5\nexamples = [\"\"]").unwrap_err().contains("none that is blank"));
}
