//! How well the built-in packs find what they are for, on labelled texts of other projects.
//!
//! The texts stand beside the checkout (`../shared/eval`) and are no part of it; without them this test says so
//! and passes. The thresholds are what the packs reach today: they may only go up.
#![cfg(feature = "tower")]

use flate2::read::GzDecoder;
use holdback::rule::{Pack, Validator};
use holdback::{Channel, ChannelKind, Policy};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;

/// One text with what is to be found in it.
struct Sample {
    text: String,
    spans: Vec<(Range<usize>, String)>,
    facts: Value,
}

fn samples(set: &str) -> Option<Vec<Sample>> {
    let path = format!("{}/../shared/eval/{set}.jsonl.gz", env!("CARGO_MANIFEST_DIR"));
    let Ok(file) = File::open(&path) else {
        eprintln!("skipped: no {path}");
        return None;
    };
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    Some(lines.map(|line| sample(&line.expect("a readable line"))).collect())
}

fn sample(line: &str) -> Sample {
    let facts: Value = serde_json::from_str(line).expect("a JSON line");
    let at = |span: &Value, key: &str| span[key].as_u64().expect("an offset") as usize;
    let span = |span: &Value| (at(span, "start")..at(span, "end"), span["type"].as_str().unwrap_or("").to_owned());
    Sample {
        text: facts["text"].as_str().expect("a text").to_owned(),
        spans: facts["spans"].as_array().expect("spans").iter().map(span).collect(),
        facts,
    }
}

fn finds(policy: &Policy, text: &str) -> Vec<(Range<usize>, String)> {
    let mut channel = Channel::new(policy, ChannelKind::Text);
    let mut verdicts = channel.push(text.as_bytes()).verdicts().to_vec();
    verdicts.extend_from_slice(channel.finish().verdicts());
    let found = verdicts.iter().map(|v| (v.span.start as usize..v.span.end as usize, v.rule.to_string()));
    found.collect()
}

fn policy(packs: &[Pack]) -> Policy {
    Policy::builder().rules(packs.iter().flat_map(|pack| pack.rules())).build().expect("built-in packs build")
}

/// Intersection over union.
fn overlap(a: &Range<usize>, b: &Range<usize>) -> f64 {
    let both = a.end.min(b.end).saturating_sub(a.start.max(b.start));
    both as f64 / (a.len() + b.len() - both) as f64
}

#[derive(Default)]
struct Score {
    wanted: usize,
    found: usize,
    noisy: usize,
}

impl Score {
    /// Counts what `rule` finds in `sample` of what is to be found there, and gives back what it finds beside that.
    fn count<'s>(
        &mut self,
        policy: &Policy,
        rule: &str,
        sample: &Sample,
        wanted: impl Iterator<Item = &'s Range<usize>>,
    ) -> Vec<(Range<usize>, String)> {
        let mut found = finds(policy, &sample.text);
        found.retain(|(_, by)| by.starts_with(rule));
        for wanted in wanted {
            self.wanted += 1;
            let before = found.len();
            found.retain(|(span, _)| overlap(span, wanted) < 0.5);
            if found.len() < before {
                self.found += 1;
            } else {
                println!("{rule} missed: {:?} in {:?}", &sample.text[wanted.clone()], sample.text);
            }
        }
        found
    }

    fn recall(&self) -> f64 {
        self.found as f64 / self.wanted as f64
    }

    fn precision(&self) -> f64 {
        self.found as f64 / (self.found + self.noisy) as f64
    }
}

#[test]
fn personal_data_is_found() {
    let Some(samples) = samples("presidio-research") else { return };
    let policy = policy(&[Pack::PII]);
    let kinds = [
        ("CREDIT_CARD", "pii.payment-card", 1.0),
        ("EMAIL_ADDRESS", "pii.email", 1.0),
        ("IBAN_CODE", "pii.iban", 1.0),
        ("US_SSN", "pii.us-ssn", 1.0),
        ("IP_ADDRESS", "pii.ip-public", 1.0),
        ("PHONE_NUMBER", "pii.phone", 0.8),
    ];
    let mut all = Score::default();
    for (kind, rule, least) in kinds {
        let mut score = Score::default();
        for sample in &samples {
            let wanted = sample.spans.iter().filter(|(_, of)| of == kind).map(|(span, _)| span);
            let found = score.count(&policy, rule, sample, wanted);
            for (span, by) in &found {
                println!("{by} noisy: {:?} in {:?}", &sample.text[span.clone()], sample.text);
            }
            score.noisy += found.len();
        }
        println!("{kind}: {} wanted, precision {:.3}, recall {:.3}", score.wanted, score.precision(), score.recall());
        assert!(score.recall() >= least, "{kind}: recall {:.3} is below {least}", score.recall());
        all.wanted += score.wanted;
        all.found += score.found;
        all.noisy += score.noisy;
    }
    println!("all six: precision {:.3}, recall {:.3}", all.precision(), all.recall());
    assert!(all.precision() >= 0.99, "precision {:.3}", all.precision());
    assert!(all.recall() >= 0.96, "recall {:.3}", all.recall());
}

#[test]
fn checksums_are_right() {
    let Some(samples) = samples("dd-sds-checksums") else { return };
    for (rule, validator) in [("luhn_checksum", Validator::luhn()), ("iban_checker", Validator::iban())] {
        let of_rule = samples.iter().filter(|sample| sample.facts["rule"] == rule);
        for (sample, wanted) in of_rule.map(|sample| (sample, sample.facts["polarity"] == "pos")) {
            assert_eq!(validator.accepts(sample.text.as_bytes()), wanted, "{rule}: {}", sample.text);
        }
    }
}

#[test]
fn recognisers_own_tests_are_met() {
    let Some(samples) = samples("presidio-tests") else { return };
    let policy = policy(&[Pack::PII]);
    for (kind, rule, least) in [
        ("credit_card", "pii.payment-card", 1.0),
        ("email", "pii.email", 1.0),
        ("iban", "pii.iban", 1.0),
        ("us_ssn", "pii.us-ssn", 1.0),
        ("phone", "pii.phone", 0.85),
    ] {
        let mut score = Score::default();
        for sample in samples.iter().filter(|sample| sample.facts["rule"] == kind) {
            let wanted = sample.spans.iter().map(|(span, _)| span);
            let found = score.count(&policy, rule, sample, wanted);
            if sample.facts["polarity"] == "neg" {
                for (span, by) in &found {
                    println!("{by} noisy: {:?} in {:?}", &sample.text[span.clone()], sample.text);
                }
                score.noisy += found.len();
            }
        }
        println!("{kind}: {} wanted, precision {:.3}, recall {:.3}", score.wanted, score.precision(), score.recall());
        assert!(score.recall() >= least, "{kind}: recall {:.3} is below {least}", score.recall());
    }
}

#[test]
fn secrets_of_the_packs_kinds_are_found_whole() {
    let Some(samples) = samples("chat-secrets") else { return };
    let policy = policy(&[Pack::SECRETS]);
    let kinds = ["github", "slack", "aws-access", "anthropic", "openai", "gcp-api", "huggingface-access", "perplexity"];
    let (mut score, mut bytes, mut covered) = (Score::default(), 0, 0);
    for sample in &samples {
        let found = finds(&policy, &sample.text);
        let kind = sample.facts["rule"].as_str().unwrap_or("");
        let in_scope = kinds.iter().any(|of| kind.starts_with(of)) && !kind.contains("webhook");
        for (wanted, _) in sample.spans.iter().filter(|_| in_scope) {
            score.wanted += 1;
            bytes += wanted.len();
            let hidden = wanted.clone().filter(|at| found.iter().any(|(span, _)| span.contains(at))).count();
            covered += hidden;
            if hidden == wanted.len() {
                score.found += 1;
            } else {
                println!("{kind} missed: {:?}", &sample.text[wanted.clone()]);
            }
        }
        if sample.spans.is_empty() && !found.is_empty() {
            score.noisy += 1;
            println!("noisy: {found:?} in {:?}", sample.text);
        }
    }
    let byte_recall = f64::from(covered as u32) / bytes as f64;
    println!(
        "{} wanted, recall {:.3}, byte recall {byte_recall:.3}, {} noisy",
        score.wanted,
        score.recall(),
        score.noisy
    );
    assert!(score.recall() >= 1.0, "recall {:.3}", score.recall());
    assert_eq!(score.noisy, 0);
}

#[test]
fn smuggled_text_is_found() {
    let Some(samples) = samples("exfil") else { return };
    let policy = policy(&[Pack::EXFIL]);
    for (kind, least) in [("UNICODE_TAGS", 1.0), ("ANSI_ESCAPE", 1.0)] {
        let mut score = Score::default();
        for sample in &samples {
            let found = finds(&policy, &sample.text);
            for (wanted, _) in sample.spans.iter().filter(|(_, of)| of == kind) {
                score.wanted += 1;
                let hidden = wanted.clone().all(|at| found.iter().any(|(span, _)| span.contains(&at)));
                score.found += usize::from(hidden);
                if !hidden {
                    println!("{kind} missed: {:?}", &sample.text[wanted.clone()]);
                }
            }
        }
        println!("{kind}: {} wanted, recall {:.3}", score.wanted, score.recall());
        assert!(score.recall() >= least, "{kind}: recall {:.3}", score.recall());
    }
    // Of the images only those in the form that the pack has a rule for: a link in Markdown, data in its query.
    let mut images = Score::default();
    for sample in &samples {
        let found = finds(&policy, &sample.text);
        for (wanted, _) in sample.spans.iter().filter(|(_, of)| of == "MD_IMAGE_EXFIL") {
            let text = &sample.text[wanted.clone()];
            if text.starts_with("![") && text.contains("](") && text.contains('?') {
                images.wanted += 1;
                let hit = found.iter().any(|(span, _)| wanted.start <= span.start && span.end <= wanted.end);
                images.found += usize::from(hit);
                if !hit {
                    println!("image missed: {text:?}");
                }
            }
        }
        if sample.spans.is_empty() {
            images.noisy += found.len();
            for (span, by) in found {
                println!("{by} noisy: {:?}", &sample.text[span]);
            }
        }
    }
    println!("images: {} wanted, recall {:.3}, {} noisy", images.wanted, images.recall(), images.noisy);
    assert!(images.recall() >= 1.0, "recall {:.3}", images.recall());
    assert_eq!(images.noisy, 0);
}

#[test]
fn a_book_raises_few_false_alarms() {
    let Some(samples) = samples("benign-rustbook") else { return };
    let megabytes = samples.iter().map(|sample| sample.text.len()).sum::<usize>() as f64 / 1e6;
    for (pack, most) in [(Pack::PII, 10.0), (Pack::SECRETS, 1.0), (Pack::EXFIL, 1.0)] {
        let policy = policy(&[pack]);
        let mut alarms = 0;
        for sample in &samples {
            for (span, by) in finds(&policy, &sample.text) {
                alarms += 1;
                println!("{by}: {:?}", &sample.text[span]);
            }
        }
        let rate = f64::from(alarms) / megabytes;
        println!("{}: {alarms} alarms in {megabytes:.2} MB, {rate:.2} per MB, {} states", pack.name(), policy.states());
        assert!(rate <= most, "{}: {rate:.2} alarms per MB", pack.name());
    }
}
