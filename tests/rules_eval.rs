//! How well the built-in packs do on labelled texts of other projects, by `holdback eval`.
//!
//! The texts stand beside the checkout (`../shared/eval`) and are no part of it; without them this test says so
//! and passes. The bounds are what the packs reach: they may only get narrower.
#![cfg(feature = "sidecar")]

mod binary;

use binary::run;
use flate2::read::GzDecoder;
use holdback::rule::Validator;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

/// Where a set is, if it is there.
fn path(set: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/eval")).join(format!("{set}.jsonl.gz"));
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
    }
    path.exists().then_some(path)
}

/// Runs `eval` with these arguments on a set, if it is there.
fn eval(set: &str, args: &[&str]) {
    let Some(path) = path(set) else { return };
    let path = path.to_str().expect("a path in UTF-8");
    let run = run(&[&["eval"], args, &[path]].concat(), "");
    println!("{}", run.out);
    assert_eq!(run.code, 0, "{set}: {}{}", run.err, run.out);
}

#[test]
fn secrets_in_chats_are_found() {
    let bounds = ["--require", "recall=0.94", "--require", "byte-recall=0.975", "--require", "flagged=0"];
    eval("chat-secrets", &[&["--pack", "secrets"], &bounds[..]].concat());
}

#[test]
fn secrets_of_other_tools_tests_are_found() {
    eval("kingfisher", &["--pack", "secrets", "--require", "recall=0.735"]);
    eval("noseyparker", &["--pack", "secrets", "--type", "SECRET=secrets.*", "--require", "recall=0.60"]);
}

#[test]
fn personal_data_is_found() {
    let types = [
        "--type=CREDIT_CARD=pii.payment-card",
        "--type=EMAIL_ADDRESS=pii.email",
        "--type=PHONE_NUMBER=pii.phone-*",
        "--type=IBAN_CODE=pii.iban",
        "--type=US_SSN=pii.us-ssn",
        "--type=IP_ADDRESS=pii.ip-public",
        "--require=recall=0.96",
        "--require=precision=0.99",
    ];
    eval("presidio-research", &[&["--pack", "pii"], &types[..]].concat());
}

#[test]
fn recognisers_own_tests_are_met() {
    for (kind, rules, recall) in [
        ("CREDIT_CARD", "pii.payment-card", "1"),
        ("EMAIL_ADDRESS", "pii.email", "1"),
        ("IBAN_CODE", "pii.iban", "1"),
        ("US_SSN", "pii.us-ssn", "1"),
        ("PHONE_NUMBER", "pii.phone-*", "0.85"),
    ] {
        let (kind, recall) = (format!("--type={kind}={rules}"), format!("--require=recall={recall}"));
        eval("presidio-tests", &["--pack", "pii", &kind, &recall]);
    }
}

#[test]
fn checksums_are_right() {
    let Some(path) = path("dd-sds-checksums") else { return };
    let checks = [
        ("aba_rtn_checksum", "aba"),
        ("australian_tfn_checksum", "au-tfn"),
        ("brazilian_cnpj_checksum", "br-cnpj"),
        ("brazilian_cpf_checksum", "br-cpf"),
        ("chinese_id_checksum", "cn-id"),
        ("dutch_bsn_checksum", "nl-bsn"),
        ("ethereum_checksum", "eth-checksum"),
        ("france_ssn_checksum", "fr-nir"),
        ("github_token_checksum", "github-crc32"),
        ("iban_checker", "iban"),
        ("luhn_checksum", "luhn"),
        ("nhs_check_digit", "mod11-nhs"),
        ("nir_checksum", "fr-nir"),
        ("polish_national_id_checksum", "pl-pesel"),
        ("spain_dni_checksum", "es-dni"),
        ("verhoeff_checksum", "verhoeff"),
    ];
    let (mut tried, mut wrong) = (0, Vec::new());
    for line in BufReader::new(GzDecoder::new(File::open(path).expect("a readable file"))).lines() {
        let line: Value = serde_json::from_str(&line.expect("a readable line")).expect("a JSON line");
        let Some((_, name)) = checks.iter().find(|(rule, _)| line["rule"] == **rule) else { continue };
        let validator = Validator::named(name).expect("a validator of this name");
        let text = line["text"].as_str().expect("a text");
        // Ours know that no bank has the district 00, and take no line breaks, underscores or dots in a row for
        // separators.
        if (*name, text) == ("aba", "000000000") || text.contains(['_', '\n']) {
            continue;
        }
        if validator.accepts(text.as_bytes()) != (line["polarity"] == "pos") {
            wrong.push(format!("{name}: {text}"));
        }
        tried += 1;
    }
    assert_eq!(wrong, [""; 0]);
    assert!(tried > 80, "only {tried} cases");
}

#[test]
fn ways_out_are_found() {
    for (kind, rules, recall) in [
        ("ANSI_ESCAPE", "exfil.ansi-escape", "1"),
        ("BIDI_CONTROL", "exfil.bidi-control", "1"),
        ("MD_IMAGE_EXFIL", "exfil.*", "0.99"),
        ("MD_LINK_EXFIL", "exfil.markdown-link-query", "1"),
        ("UNICODE_TAGS", "exfil.unicode-tags", "1"),
        ("ZERO_WIDTH", "exfil.zero-width", "1"),
    ] {
        let (kind, recall) = (format!("--type={kind}={rules}"), format!("--require=recall={recall}"));
        eval("exfil", &["--pack", "exfil", &kind, &recall, "--require=flagged=0"]);
    }
}

#[test]
fn errors_and_shells_are_found() {
    eval("crs-response", &["--pack", "compliance", "--require", "recall=0.97", "--require", "flagged=0"]);
}

#[test]
fn profanity_is_found_through_its_disguises_and_not_in_other_words() {
    let only = ["--pack", "profanity", "--type", "PROFANITY=profanity.*"];
    eval("profanity-evasion", &[&only[..], &["--require", "recall=0.90", "--require", "flagged=0.005"]].concat());
    eval("rustrict-false-positives", &[&only[..], &["--require", "flagged=0.0025"]].concat());
    eval("benign-rustbook", &[&only[..], &["--require", "per-mb=0.6"]].concat());
}

#[test]
fn technical_text_raises_no_alarm() {
    for pack in ["pii", "secrets", "exfil"] {
        eval("benign-rustbook", &["--pack", pack, "--require", "per-mb=0"]);
    }
}
