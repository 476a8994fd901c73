//! The linear classifier: what it learns, what it says of itself, and files of it that are broken.
#![cfg(feature = "body")]

#[allow(dead_code, reason = "the oracle uses the rest")]
#[path = "oracle/rng.rs"]
mod rng;

use holdback::check::linear::{Linear, LinearCheck, LinearError, TrainError, Trained, Trainer, Warning};
use holdback::check::{Checks, Measure, Measures};
use holdback::hold::{Judgement, Passage};
use holdback::rule::Check;
#[cfg(feature = "http-checks")]
use holdback::rule::{Date, RuleSet};
use holdback::{Channel, ChannelKind, Policy};
use rng::Rng;
#[cfg(feature = "http-checks")]
use std::future::Future;
use std::task::{Context, Poll, Waker};
use tower_service::Service;

type Sample = (String, Vec<&'static str>);

const QUIET: [&str; 12] = ["the", "river", "was", "calm", "and", "we", "had", "tea", "before", "our", "train", "left"];
const SPAM: [&str; 4] = ["casino", "jackpot", "pills", "refund"];
const THREATS: [&str; 3] = ["hurt", "burn", "destroy"];

/// Sentences of common words, of which some say something else besides, with numbers that tell them apart.
fn task(texts: usize) -> Vec<Sample> {
    let mut rng = Rng::new(11);
    let sample = |n: usize| {
        let mut words: Vec<String> = (0..rng.between(4, 14)).map(|_| (*rng.pick(&QUIET)).to_owned()).collect();
        let mut labels = Vec::new();
        for (label, terms, percent) in [("spam", &SPAM[..], 30), ("threat", &THREATS[..], 15)] {
            if rng.chance(percent) {
                let at = rng.below(words.len());
                words.insert(at, (*rng.pick(terms)).to_owned());
                labels.push(label);
            }
        }
        words.push(n.to_string());
        (words.join(" "), labels)
    };
    (0..texts).map(sample).collect()
}

fn train(samples: Vec<Sample>) -> Trained {
    Trainer::new().train(samples).expect("there is something to learn")
}

#[test]
fn learns_what_there_is_to_learn() {
    let Trained { model, report, .. } = train(task(1500));
    assert_eq!(report.training + report.tuning + report.held_out, 1500);
    assert!((290..=310).contains(&report.held_out), "{report:?}");
    for label in &report.labels {
        assert!(label.confusion.f1().unwrap() > 0.95, "{label:?}");
        assert!(label.roc_auc.unwrap() > 0.98 && label.average_precision.unwrap() > 0.95, "{label:?}");
        assert_eq!(label.warnings, [], "{label:?}");
        let counted = label.confusion.positives() + label.confusion.false_positives + label.confusion.true_negatives;
        assert_eq!(counted, report.held_out);
    }
    let found = |text: &str| -> Vec<String> {
        let found = model.scores(text).into_iter().zip(model.thresholds()).filter(|((_, p), (_, least))| p >= least);
        found.map(|((label, _), _)| label.to_owned()).collect()
    };
    assert_eq!(found("we had tea and the casino was calm"), ["spam"]);
    assert_eq!(found("the jackpot was ours before we BURN the train"), ["spam", "threat"]);
    assert_eq!(found("the train left before tea"), Vec::<String>::new());
}

/// Nothing can be learned of labels that are drawn by lot, so figures that say otherwise are of texts that were seen.
#[test]
fn says_so_when_there_is_nothing_to_learn() {
    let mut rng = Rng::new(5);
    let samples: Vec<_> =
        task(3000).into_iter().map(|(text, _)| (text, if rng.chance(40) { vec!["lot"] } else { vec![] })).collect();
    let report = train(samples).report;
    let [lot] = &report.labels[..] else { panic!("{report:?}") };
    // Three standard deviations of the area under guesses, with 240 against 360.
    assert!((lot.roc_auc.unwrap() - 0.5).abs() < 0.075, "{lot:?}");
    assert!((lot.average_precision.unwrap() - 0.4).abs() < 0.1, "{lot:?}");
    assert!(lot.warnings.contains(&Warning::Guesses), "{lot:?}");
}

/// The same by lot, but each text ten times: what was trained on must not be met again in the measure.
#[test]
fn duplicates_do_not_flatter_the_figures() {
    let mut rng = Rng::new(6);
    let samples = task(1500)
        .into_iter()
        .map(|(text, _)| (text, if rng.chance(40) { vec!["lot"] } else { vec![] }))
        .flat_map(|(text, labels)| [(text.to_uppercase(), labels.clone()), (format!(" {text} "), labels)]);
    let report = train(samples.collect()).report;
    assert!((report.labels[0].roc_auc.unwrap() - 0.5).abs() < 0.12, "{report:?}");
}

#[test]
fn the_same_samples_make_the_same_model() {
    let (one, two) = (train(task(400)), train(task(400)));
    assert_eq!(one.model.to_json(), two.model.to_json());
    assert_eq!(one.report, two.report);
    let other = Trainer::new().seed(1).train(task(400)).unwrap();
    assert_ne!(one.model.to_json(), other.model.to_json());
}

#[test]
fn a_model_is_its_file() {
    let model = Trainer::new().bits(12).train(task(400)).unwrap().model;
    let json = model.to_json();
    let read = Linear::from_json(&json).unwrap();
    assert_eq!(read.to_json(), json);
    assert!(read.thresholds().eq(model.thresholds()));
    for text in ["", "a casino", "\u{1f600}\u{0} İ ß", &"hurt ".repeat(3000)] {
        assert_eq!(read.scores(text), model.scores(text));
        assert!(read.scores(text).iter().all(|(_, score)| (0.0..=1.0).contains(score)));
    }
}

#[test]
fn a_wanted_precision_is_kept_or_said_not_to_be() {
    // A tenth of the spam says nothing of it, so there is something to choose.
    let mut rng = Rng::new(3);
    let mut samples = task(3000);
    samples.iter_mut().filter(|_| rng.chance(10)).for_each(|(_, labels)| labels.retain(|label| *label != "spam"));
    let precise = Trainer::new().precision(0.9).train(samples.clone()).unwrap().report;
    let spam = &precise.labels[0];
    assert!(spam.confusion.precision().unwrap() > 0.8, "{spam:?}");
    let all = Trainer::new().precision(1.0).train(samples).unwrap().report;
    assert!(all.labels[0].threshold >= spam.threshold);
    let few = Trainer::new().train(task(40)).unwrap().report;
    assert!(few.labels.iter().all(|label| matches!(label.warnings[..], [Warning::FewHeldOut(n), ..] if n < 20)));
}

#[test]
fn what_cannot_be_trained_is_told() {
    let none: [(&str, [&str; 0]); 0] = [];
    assert_eq!(Trainer::new().train(none).unwrap_err(), TrainError::NoTexts);
    assert_eq!(Trainer::new().train([("a", [""; 0])]).unwrap_err(), TrainError::NoLabels);
    assert_eq!(Trainer::new().train([("a", ["x"])]).unwrap_err(), TrainError::Everywhere("x".to_owned()));
    assert_eq!(Trainer::new().train([("a", ["\n"])]).unwrap_err(), TrainError::Name("\n".to_owned()));
    assert_eq!(Trainer::new().bits(25).train([("a", ["x"])]).unwrap_err(), TrainError::Bits(25));
    assert_eq!(Trainer::new().precision(1.5).train([("a", ["x"])]).unwrap_err(), TrainError::Precision(1.5));
    let many: Vec<String> = (0..5).map(|n| n.to_string()).collect();
    let large = Trainer::new().bits(24).train(many.iter().map(|name| (name.as_str(), [name])));
    assert_eq!(large.unwrap_err(), TrainError::TooLarge { labels: 5, bits: 24 });
}

/// A file of one label, in which something is replaced.
fn broken(from: &str, to: &str) -> String {
    // Bucket 1 has 1.0.
    let fine = r#"{"format":"holdback-linear","version":1,"bits":8,"labels":[{"name":"a","bias":0.5,"threshold":0.5,"weights":"AQAAAAAAgD8="}]}"#;
    assert!(Linear::from_json(fine.as_bytes()).is_ok());
    assert!(fine.contains(from), "{from}");
    Linear::from_json(fine.replace(from, to).as_bytes()).expect_err(to).to_string()
}

#[test]
fn a_broken_file_is_told_what_is_wrong_with_it() {
    let label = r#"{"name":"a","bias":0.5,"threshold":0.5,"weights":"AQAAAAAAgD8="}"#;
    for (from, to, reason) in [
        (r#""format":"holdback-linear","#, "", "missing field `format`"),
        ("holdback-linear", "onnx", r#"the format is "onnx", not "holdback-linear""#),
        (r#""version":1"#, r#""version":3"#, "the version is 3; only 1 is known"),
        (r#""bits":8"#, r#""bits":60"#, "bits are 60; they may be 8 to 24"),
        (r#""bits":8"#, r#""bits":8,"norm":1"#, "unknown field `norm`"),
        (label, "", "the model has no labels"),
        (r#""name":"a""#, r#""name":"""#, r#"label 1 (""): a name has 1 to 200 bytes"#),
        (label, &format!("{label},{label}"), r#"label 2 ("a"): another label has the same name"#),
        (r#""bias":0.5"#, r#""bias":1e39"#, r#"label 1 ("a"): its bias is no finite number"#),
        (r#""threshold":0.5"#, r#""threshold":1.5"#, r#"label 1 ("a"): its threshold is 1.5, not 0 to 1"#),
        ("AQAA", "AQ*A", r#"label 1 ("a"): its weights are no base64"#),
        ("AQAAAAAAgD8=", "AQAAAAAAgA==", r#"label 1 ("a"): its weights end within a pair"#),
        ("AQAA", "AQEA", "its weights name bucket 257, and 8 bits have 256"),
        ("AQAAAAAAgD8=", "AQAAAAAAgD8BAAAAAACAPw==", "its weights name bucket 1 out of order"),
        ("AAgD8=", "AAwH8=", "its weight for bucket 1 is no finite number"),
    ] {
        let told = broken(from, to);
        assert!(told.contains(reason), "{to}: {told}");
    }
    let names: Vec<String> = (0..300).map(|n| label.replace(r#""a""#, &format!(r#""{n}""#))).collect();
    let large = format!(r#"{{"format":"holdback-linear","version":1,"bits":18,"labels":[{}]}}"#, names.join(","));
    let error = Linear::from_json(large.as_bytes()).unwrap_err();
    assert_eq!(error, LinearError::TooLarge { labels: 300, bits: 18 });
}

#[test]
fn whatever_bytes_a_file_has_nothing_panics() {
    let json = Trainer::new().bits(8).train(task(60)).unwrap().model.to_json();
    let try_it = |bytes: &[u8]| {
        if let Ok(model) = Linear::from_json(bytes) {
            assert!(model.scores("the casino").iter().all(|(_, score)| (0.0..=1.0).contains(score)));
        }
    };
    // Without the line's end it is still whole.
    for end in 0..json.len() - 1 {
        assert!(Linear::from_json(&json[..end]).is_err(), "cut at {end}");
    }
    let mut rng = Rng::new(8);
    for _ in 0..4000 {
        let mut bytes = json.clone();
        for _ in 0..rng.between(1, 4) {
            let at = rng.below(bytes.len());
            bytes[at] = rng.next() as u8;
        }
        try_it(&bytes);
        let at = rng.below(json.len());
        let mut bytes = json.clone();
        bytes[at] ^= 1 << rng.below(8);
        try_it(&bytes);
    }
    for bytes in [&b""[..], b"[]", b"null", b"{}", &b"[".repeat(100_000)] {
        assert!(Linear::from_json(bytes).is_err());
    }
}

/// What a check is asked about the text's last passage.
fn passage(text: &str) -> Passage {
    let policy = Policy::builder().check(Check::gate("tone").context(200)).build().unwrap();
    let mut channel = Channel::new(&policy, ChannelKind::Text);
    channel.push(text.as_bytes());
    channel.finish();
    let mut passages: Vec<Passage> = std::iter::from_fn(|| channel.next_passage()).collect();
    passages.pop().expect("the text has a passage")
}

fn ask(check: &LinearCheck, passage: Passage) -> Judgement {
    let mut check = check.clone();
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(check.poll_ready(&mut context), Poll::Ready(Ok(())));
    check.call(passage).into_inner().unwrap()
}

#[test]
fn the_most_severe_measure_counts() {
    let check = LinearCheck::new(train(task(1500)).model);
    let with = |measures: Measures| check.clone().measures(&measures).unwrap();
    let both = "the jackpot was ours before we burn the train";
    assert_eq!(with(Measures::new(Measure::Ignore)).judge(both), Judgement::clear(), "nothing follows from anything");
    let milder = Measures::default().category("threat", Measure::Flag);
    let judged = ask(&with(milder), passage(both));
    assert_eq!((judged.category.as_deref(), judged.ruling), (Some("spam"), Judgement::redact().ruling));
    assert!(judged.score.unwrap().value() > 0.3);
    let judged = ask(&with(Measures::default().category("threat", Measure::Terminate)), passage(both));
    assert_eq!((judged.category.as_deref(), judged.ruling), (Some("threat"), Judgement::terminate().ruling));
    let surer = with(Measures::default().category_from("threat", Measure::Terminate, 1.0));
    assert_eq!(ask(&surer, passage(both)).category.as_deref(), Some("spam"));
    assert_eq!(ask(&surer, passage("we had tea before the train left")), Judgement::clear());
    let _bound = Checks::new().bind("tone", surer);
}

#[test]
fn a_bad_sentence_does_not_judge_the_next() {
    let check = LinearCheck::new(train(task(1500)).model);
    let next = passage("We burn and destroy. Then we had tea before the train left");
    assert!(next.context().contains("burn"), "{:?}", next.context());
    assert_eq!(ask(&check, next), Judgement::clear());
}

#[test]
fn a_check_is_told_what_it_cannot_do() {
    let check = LinearCheck::new(train(task(400)).model);
    let unknown = check.clone().measures(&Measures::default().category("thread", Measure::Flag)).unwrap_err();
    assert_eq!(unknown.to_string(), r#"the model has no label "thread"; it has spam, threat"#);
    for threshold in [f64::NAN, -0.1, 1.1] {
        let error = check.clone().measures(&Measures::default().threshold(threshold)).unwrap_err();
        assert!(matches!(error, LinearError::Threshold(_)));
    }
}

#[cfg(feature = "http-checks")]
#[test]
fn a_policys_file_names_a_model() {
    let folder = std::env::temp_dir().join(format!("holdback-linear-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("tone.json"), train(task(1500)).model.to_json()).unwrap();
    let file = folder.join("policy.toml").to_str().unwrap().to_owned();
    let load = |model: &str, category: &str| {
        let source = format!(
            "[[check]]\nid = \"tone\"\nmode = \"gate\"\nmeasures = {{ categories = {{ {category} = \"flag\" }} }}\n\
             service = {{ kind = \"linear\", file = \"{model}\" }}\n"
        );
        let set = RuleSet::from_toml(&file, &source, Date::parse("2027-01-31").unwrap()).unwrap();
        Checks::named_in(&set, |_| None).map_err(|error| error.faults()[0].reason.clone())
    };
    let checks = load("tone.json", "threat").unwrap();
    let judged = checks.judge(passage("the jackpot was ours"));
    let Poll::Ready(judged) = std::pin::pin!(judged).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it answers at once")
    };
    assert_eq!(judged.unwrap().category.as_deref(), Some("spam"));
    assert!(load("none.json", "threat").unwrap_err().starts_with("cannot read the model"));
    assert!(load("tone.json", "thread").unwrap_err().contains("no label \"thread\""));
    assert!(load("policy.toml", "threat").unwrap_err().starts_with("cannot read the model"));
    std::fs::remove_dir_all(folder).unwrap();
}
