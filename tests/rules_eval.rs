//! How well the built-in packs do on labelled texts of other projects, by `holdback eval`.
//!
//! The texts stand beside the checkout (`../shared/eval`) and are no part of it; without them this test says so
//! and passes. The bounds are what the packs reach: they may only get narrower.
#![cfg(feature = "sidecar")]

mod binary;

use binary::run;
use std::path::PathBuf;

/// Runs `eval` with these arguments on a set, if it is there.
fn eval(set: &str, args: &[&str]) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/eval")).join(format!("{set}.jsonl.gz"));
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
        return;
    }
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
    eval("kingfisher", &["--pack", "secrets", "--require", "recall=0.73"]);
    eval("noseyparker", &["--pack", "secrets", "--type", "SECRET=secrets.*", "--require", "recall=0.54"]);
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
