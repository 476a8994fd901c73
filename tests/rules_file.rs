//! Rule files: what they mean, how they lie on top of each other, and that every fault is told at once.

use holdback::hold::run_examples;
use holdback::rule::{Action, Date, Direction, Pack, RuleSet, Severity};
use holdback::{BuildError, Channel, ChannelKind, Policy};
use std::collections::HashMap;
use std::io;

/// The page's examples: rules of every kind, and a deployment that turns rules round.
fn examples() -> [&'static str; 3] {
    let mut blocks = PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    std::array::from_fn(|_| blocks.next().expect("three examples"))
}

fn today() -> Date {
    Date::parse("2026-11-22").expect("a date")
}

fn set(source: &str) -> RuleSet {
    RuleSet::from_toml("test.toml", source, today()).unwrap_or_else(|error| panic!("{error}"))
}

fn faults(source: &str) -> BuildError {
    RuleSet::from_toml("test.toml", source, today()).expect_err("the file has faults")
}

/// Loads the first of `files`, which may extend the others.
fn load(files: &[(&str, &str)]) -> Result<RuleSet, BuildError> {
    let by_path: HashMap<_, _> = files.iter().copied().collect();
    RuleSet::load(files[0].0, today(), |path| {
        by_path.get(path).map(|text| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    })
}

fn filtered(set: RuleSet, text: &str) -> String {
    let policy = Policy::builder().rules(set.into_rules()).hash_key("k").build().unwrap_or_else(|e| panic!("{e}"));
    let mut channel = Channel::new(&policy, ChannelKind::Text);
    let mut out = Vec::new();
    channel.push(text.as_bytes()).write_to(&mut out);
    channel.finish().write_to(&mut out);
    String::from_utf8(out).expect("text")
}

fn example_failures(set: &RuleSet) -> Vec<String> {
    let run = |example| run_examples(example).unwrap_or_else(|error| panic!("{error}"));
    set.examples().iter().flat_map(run).map(|failure| failure.to_string()).collect()
}

/// The page on the format.
const PAGE: &str = include_str!("../rules/README.md");

#[test]
fn the_pages_examples_do_what_they_say_at_every_cut() {
    let [kinds, held, turned] = examples().map(set);
    for set in [&kinds, &held] {
        assert_eq!(example_failures(set), [""; 0]);
    }
    assert_eq!((held.rules().len(), held.checks().len()), (1, 1));
    assert_eq!(kinds.rules().len(), 9);
    let policy = Policy::builder().rule_set(turned).build().unwrap_or_else(|error| panic!("{error}"));
    let watches = |prefix: &str, direction| {
        policy.rules().filter(|rule| rule.id().starts_with(prefix)).all(|rule| rule.direction() == direction)
    };
    assert!(watches("pii.", Direction::Response) && watches("secrets.", Direction::Both));
    assert!(watches("acme.", Direction::Request));
}

#[test]
fn every_fault_is_told_at_once_with_its_line_and_rule() {
    let error = faults(
        r#"format = 2
colour = "red"

[[rule]]
id = "a.one"
regx = 'x'
severity = "awful"

[[rule]]
id = "a.two"
regex = '(x'
validate = ["no-such-check"]
replace = "{name}"

[[rule]]
id = "a.three"
regex = 'x+'

[[rule]]
literals = ["x"]

[[rule]]
id = "a.two"
literals = ["x"]

[[override]]
rule = "b.*"
enabled = false

[[allow]]
literals = ["x"]
expires = "tomorrow"
"#,
    );
    let told: Vec<_> =
        error.faults().iter().map(|f| (f.line.unwrap_or(0), f.rule.as_deref(), f.reason.as_str())).collect();
    for wanted in [
        (1, None, "format 2 is not known"),
        (2, None, "unknown key `colour`"),
        (4, Some("a.one"), "the rule has no matcher"),
        (6, Some("a.one"), "unknown key `regx`"),
        (7, Some("a.one"), "`severity` cannot be `awful`"),
        (9, Some("a.two"), "cannot read the pattern: unclosed group"),
        (12, Some("a.two"), "there is no validator `no-such-check`"),
        (13, Some("a.two"), "the replacement `{name}` has an unknown placeholder `{name}`"),
        (15, Some("a.three"), "the pattern has no longest match"),
        (19, None, "`id` is missing"),
        (22, Some("a.two"), "the id is taken in test.toml, line 9"),
        (27, None, "no rule is called `b.*`"),
        (32, None, "`expires` is not a date"),
    ] {
        assert!(told.contains(&wanted), "{wanted:?} is missing in\n{error}");
    }
    assert_eq!(told.len(), 13, "{error}");
    assert!(error.to_string().starts_with("test.toml:1: format 2 is not known"), "{error}");
}

#[test]
fn what_is_not_toml_is_told_once_a_line() {
    let error = faults("[[rule]]\nid = 'a'b'c'\n\n[[rule]\nid = 1\n");
    let lines: Vec<_> = error.faults().iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [Some(2), Some(4)], "{error}");
}

#[test]
fn keys_that_do_nothing_and_contradictions_are_faults() {
    for (rule, reason) in [
        ("chars = 'U+200B'\ncapture = 'x'", "`capture` has no effect here"),
        ("regex = 'x'\nallow = { after = 'U+200B' }", "`allow.after` has no effect here"),
        ("regex = 'x'\nliterals = ['x']", "the rule has more than one matcher"),
        ("regex = 'x'\nmask = { char = '*' }", "`mask` is given, but the action is another one"),
        ("regex = 'x'\naction = 'drop'\nreplace = 'x'", "`replace` is given, but the action is another one"),
        ("regex = 'x'\naction = 'mask'\nmask = { char = '**' }", "`char` is not one character"),
        ("regex = 'x'\nchannels = []", "`channels` names no channel: the rule would watch nothing"),
        ("regex = 'x'\ndirection = 'up'", "`direction` cannot be `up`"),
        ("regex = 'x'\nchannels = ['prompt']", "`channels` cannot be `prompt`"),
        (
            "regex = 'x'\ndirection = 'request'\nchannels = ['text']",
            "`channels` is given, but the rule watches requests only, which have none",
        ),
        ("regex = 'x*'", "the pattern can match the empty text"),
        ("regex = 'x'\ncapture = 'y'", "the pattern has no group called `y`"),
        ("regex = 'x'\nreplace = true", "there is no rule of this id to replace"),
        ("block = { open = 'x', close = 'y' }", "a block needs `max_len`"),
        (
            "block = { open = 'x', close = 'y', max_len = 9 }\nallow = { literals = ['x'] }",
            "a block or a `shortest` pattern cannot have validators or an allow-list",
        ),
        ("words = { list = [] }", "`words` has an empty list or an empty word"),
        ("regex = 'x'\nnear = { words = ['y'], effect = 'score' }", "`effect` cannot be `score`"),
        ("regex = 'x'\nvalidate = [{ kind = 'entropy' }]", "`entropy` needs `min`"),
        ("regex = 'x'\n[[rule.test]]\ntext = 'x'", "the test does not say what it `finds`"),
    ] {
        let error = faults(&format!("[[rule]]\nid = 'a.b'\n{rule}\n"));
        assert!(error.faults().iter().any(|fault| fault.reason == reason), "{rule}: {error}");
        assert!(error.faults().iter().all(|fault| fault.rule.as_deref() == Some("a.b")), "{error}");
    }
}

#[test]
fn a_deployment_changes_what_happens_and_not_what_is_found() {
    let set = load(&[
        (
            "etc/policy.toml",
            r#"
            format  = 1
            extends = ["builtin:pii", "./core.toml"]

            [[override]]
            rule   = "pii.*"
            action = "mask"

            [[override]]
            rule         = "core.*"
            min_severity = "high"
            severity     = "critical"
            replace      = "[stop]"
            channels     = ["text"]

            [[override]]
            rule    = "pii.iban"
            enabled = false

            [[allow]]
            rules    = ["pii.email"]
            literals = ["help@corp.example"]
            regex    = ['[a-z]+@team\.example']
            reason   = "our own"
            expires  = "2026-11-22"

            [lists]
            hosts = ["img.example"]

            [policy]
            max_hold     = 4096
            hash_key_env = "ACME_HASH_KEY"
            "#,
        ),
        (
            "etc/core.toml",
            r#"
            [[rule]]
            id       = "core.low"
            literals = ["low"]
            [[rule]]
            id       = "core.high"
            literals = ["high"]
            severity = "high"
            [[rule]]
            id       = "core.url"
            regex    = 'https://[!-~]+'
            not_after = '[!-~]'
            max_len  = 512
            validate = [{ kind = "url-host-not-in", list = "hosts" }]
            "#,
        ),
    ])
    .unwrap_or_else(|error| panic!("{error}"));

    assert_eq!(set.max_hold(), Some(4096));
    assert_eq!(set.hash_key_env(), Some("ACME_HASH_KEY"));
    assert_eq!(set.warnings(), []);
    assert_eq!(example_failures(&set), [""; 0], "a deployment does not change what a rule says of itself");
    assert!(set.rules().iter().all(|rule| rule.id() != "pii.iban"));
    assert_eq!(
        filtered(
            set,
            "a@b.example help@corp.example x@team.example 4111111111111111 DE89370400440532013000 low high \
             https://img.example/a https://evil.example/a"
        ),
        "*********** help@corp.example x@team.example ************1111 DE89370400440532013000 [core.low] [stop] \
         https://img.example/a [core.url]"
    );
}

#[test]
fn a_direction_comes_from_the_rule_its_files_defaults_or_a_deployment() {
    let core = "[defaults]\ndirection = 'request'\n[[rule]]\nid = 'core.a'\nliterals = ['a']\n\
                [[rule]]\nid = 'core.b'\nliterals = ['b']\ndirection = 'both'\n";
    let top = "extends = ['core.toml', 'builtin:pii']\n[[rule]]\nid = 'top.c'\nliterals = ['c']\n\
               [[override]]\nrule = 'pii.email'\ndirection = 'both'\n";
    let set = load(&[("top.toml", top), ("core.toml", core)]).unwrap_or_else(|error| panic!("{error}"));
    let policy = Policy::builder().rule_set(set).build().unwrap_or_else(|error| panic!("{error}"));
    for (id, direction) in [
        ("core.a", Direction::Request),
        ("core.b", Direction::Both),
        ("top.c", Direction::Response),
        ("pii.email", Direction::Both),
        ("pii.iban", Direction::Response),
    ] {
        let rule = policy.rules().find(|rule| rule.id() == id).expect("the rule");
        assert_eq!(rule.direction(), direction, "{id}");
    }
}

#[test]
fn a_rule_on_trial_reports_and_changes_nothing() {
    let base = "[[rule]]\nid = \"a.x\"\nliterals = [\"xyz\"]\naction = \"terminate\"\n[[rule.test]]\ntext = \"xyz\"\nfinds = [\"xyz\"]\noutput = \"\"\n";
    let trial = "extends = [\"base.toml\"]\n[[override]]\nrule = \"a.*\"\nmonitor = true\n";
    let deployed = load(&[("trial.toml", trial), ("base.toml", base)]).expect("sound files");
    assert!(
        run_examples(&deployed.examples()[0]).expect("it builds").is_empty(),
        "the rule's own tests see it as it is"
    );
    let policy = Policy::builder().rule_set(deployed).build().expect("it builds");
    let mut channel = Channel::new(&policy, ChannelKind::Text);
    let (mut left, mut verdicts) = (Vec::new(), Vec::new());
    for byte in b"an xyz".chunks(1) {
        let released = channel.push(byte);
        verdicts.extend_from_slice(released.verdicts());
        released.write_to(&mut left);
        assert!(left.ends_with(byte), "nothing is held");
    }
    verdicts.extend_from_slice(channel.finish().verdicts());
    let [verdict] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!((verdict.action, verdict.enforced, verdict.span.clone()), ("terminate", false, 3..6));

    let again = format!("{trial}[[override]]\nrule = \"a.x\"\nmonitor = false\n");
    let deployed = load(&[("trial.toml", again.as_str()), ("base.toml", base)]).expect("sound files");
    assert_eq!(filtered(deployed, "an xyz"), "an ");
}

#[test]
fn a_rule_for_requests_is_tested_as_one() {
    let rule = |finds: &str| {
        set(&format!(
            "[[rule]]\nid = 'a.b'\nliterals = ['x']\ndirection = 'request'\n[[rule.test]]\ntext = 'x'\nfinds = {finds}\n"
        ))
    };
    assert_eq!(example_failures(&rule("['x']")), [""; 0]);
    assert_eq!(example_failures(&rule("[]")).len(), 1);
}

#[test]
fn an_allowance_holds_to_its_last_day() {
    let source = |expires: &str| {
        format!(
            "[[rule]]\nid = 'a.b'\nliterals = ['xy', 'xz']\n[[allow]]\nliterals = ['xy']\nexpires = {expires}\nreason = 'r'\n"
        )
    };
    for expires in ["'2026-11-22'", "2026-11-22"] {
        assert_eq!(filtered(set(&source(expires)), "xy xz"), "xy [a.b]");
    }
    let expired = set(&source("'2026-11-21'"));
    assert!(expired.warnings()[0].reason.contains("expired on 2026-11-21"), "{:?}", expired.warnings());
    assert_eq!(filtered(expired, "xy xz"), "[a.b] [a.b]");
}

#[test]
fn the_same_id_twice_must_be_meant() {
    let below = ("below.toml", "[[rule]]\nid = 'a.b'\nliterals = ['old']\n");
    let with =
        |replace: &str| format!("extends = ['below.toml']\n[[rule]]\nid = 'a.b'\nliterals = ['new']\n{replace}\n");
    let error = load(&[("top.toml", &with("")), below]).expect_err("not meant");
    assert_eq!(error.faults()[0].reason, "the id is taken in below.toml, line 1");
    for replace in ["replace = true", "replaces = true\nreplace = '[a.b]'"] {
        let set = load(&[("top.toml", &with(replace)), below]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(filtered(set, "old new"), "old [a.b]");
    }
    // Files that stand beside each other: the later one wins, and that is said.
    let beside = ("beside.toml", "[[rule]]\nid = 'a.b'\nliterals = ['new']\n");
    let set = load(&[("top.toml", "extends = ['below.toml', 'beside.toml']\n"), below, beside]);
    let set = set.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(set.warnings()[0].reason, "takes the place of the rule of below.toml");
    assert_eq!(filtered(set, "old new"), "old [a.b]");
}

#[test]
fn files_that_cannot_be_read_are_faults_where_they_are_named() {
    let circle = load(&[("a.toml", "extends = ['./b.toml']"), ("b.toml", "extends = ['a.toml']")]);
    let circle = circle.expect_err("a circle");
    assert!(circle.faults()[0].reason.contains("circle"), "{circle}");
    assert_eq!(circle.faults()[0].file.as_deref(), Some("b.toml"));

    let missing =
        load(&[("a.toml", "extends = ['b.toml', 'builtin:nope']\n[[override]]\nrule = 'b.*'\nenabled = false")]);
    let missing = missing.expect_err("missing files");
    assert_eq!(missing.faults().len(), 2, "no word about rules that may be in the missing file: {missing}");

    let deep: Vec<_> = (0..12).map(|n| (format!("{n}.toml"), format!("extends = ['{}.toml']", n + 1))).collect();
    let deep: Vec<_> = deep.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let deep = load(&deep).expect_err("too deep");
    assert!(deep.faults()[0].reason.contains("more than 8 deep"), "{deep}");
}

#[test]
fn an_allowance_cannot_name_a_block() {
    let error = faults("extends = ['builtin:secrets']\n[[allow]]\nrules = ['secrets.private-key']\nliterals = ['x']\n");
    assert!(error.faults()[0].reason.contains("covers its text before it is complete"), "{error}");
    set("extends = ['builtin:secrets']\n[[allow]]\nrules = ['secrets.*']\nliterals = ['x']\n");
}

#[test]
fn a_list_adds_to_what_files_below_have_under_its_name() {
    let source = "extends = ['builtin:compliance']\n[lists]\nbanned = ['acme corp']\n";
    let set = RuleSet::from_toml("t", source, Date::from_unix_seconds(0)).expect("a sound file");
    let policy = Policy::builder().rule_set(set).build().expect("sound rules");
    let mut channel = Channel::new(&policy, ChannelKind::Text);
    let mut out = Vec::new();
    channel.push(b"Acme Corp or holdback-banned-example, acme corporate").write_to(&mut out);
    channel.finish().write_to(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), "[removed] or [removed], acme corporate");
}

#[test]
fn a_list_that_nobody_wrote_is_a_fault_with_its_place() {
    let source = "[[rule]]\nid = 'a'\nliterals = { list = 'nope' }\n[lists]\nother = ['x']\n";
    let error = RuleSet::from_toml("t", source, Date::from_unix_seconds(0)).expect_err("no such list");
    let fault = &error.faults()[0];
    assert_eq!((fault.line, fault.rule.as_deref()), (Some(3), Some("a")));
    assert_eq!(fault.reason, "there is no list `nope`");
}

#[test]
fn packs_are_found_by_name() {
    assert_eq!(Pack::ALL.map(Pack::name), ["pii", "secrets", "exfil", "compliance", "safety", "profanity"]);
    assert_eq!(Pack::named("nope"), None);
    let rules = Pack::SECRETS.rules();
    let key = rules.iter().find(|rule| rule.id() == "secrets.private-key").expect("the rule");
    assert!(matches!(
        Policy::builder().rule(key.clone()).build().expect("a policy").rules().next().expect("a rule").action(),
        Action::Redact(_)
    ));
    let severe = Policy::builder().rules(rules).build().expect("a policy");
    assert!(severe.rules().any(|rule| rule.severity() == Severity::Critical));
}

/// Whatever a file says, reading it ends in rules or in faults.
#[test]
fn broken_files_are_faults_and_never_a_panic() {
    let seed = std::env::var("HOLDBACK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed_u64);
    println!("HOLDBACK_SEED={seed}");
    let mut state = seed | 1;
    let mut random = move |below: usize| {
        // Xorshift (G. Marsaglia, 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    let files = [examples()[0], Pack::PII.source(), Pack::SECRETS.source(), Pack::EXFIL.source()];
    let spare: Vec<char> = "'\"[]{}()=.,\\*+?|^$#\n 019azAZé\u{200b}".chars().collect();
    for _ in 0..400 {
        let mut text: Vec<char> = files[random(files.len())].chars().collect();
        for _ in 0..=random(4) {
            let at = random(text.len());
            match random(3) {
                0 => text[at] = spare[random(spare.len())],
                1 => text.insert(at, spare[random(spare.len())]),
                _ => drop(text.drain(at..(at + random(40)).min(text.len()))),
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(error) = RuleSet::from_toml("broken.toml", &text, today()) {
            assert!(error.faults().iter().all(|fault| fault.line.is_some()), "{error}");
        }
    }
}

/// The example files of the rule format's description, which stand beside the checkout.
#[test]
fn the_formats_own_example_files_load_and_mean_what_they_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/RULES.md");
    let Ok(page) = std::fs::read_to_string(path) else {
        eprintln!("skipped: no {path}");
        return;
    };
    let mut blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let core = blocks.next().expect("a rule pack");
    let policy = blocks.next().expect("a deployment file");
    let core_set = set(core);
    assert_eq!(example_failures(&core_set), [""; 0]);
    let deployed = load(&[("policy.toml", policy), ("streaming-core.toml", core)]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(example_failures(&deployed), [""; 0]);
    assert!(deployed.rules().iter().all(|rule| rule.id() != "pii.us-bank-account"));
    assert_eq!(
        filtered(deployed, "a@corp.test b@corp.example AKIAIOSFODNN7EXAMPLE 4111111111111111"),
        "a@corp.test ************** AKIAIOSFODNN7EXAMPLE ************1111"
    );
}

#[test]
fn a_quota_that_counts_for_no_time_is_a_fault() {
    for (within, reason) in [("within_s = 0", "it counts for no time at all"), ("", "`within_s` is missing")] {
        let source = format!("[[quota]]\nid = \"q\"\nrequests = 5\n{within}\n");
        let error = RuleSet::from_toml("quota.toml", &source, Date::parse("2027-01-31").unwrap()).unwrap_err();
        let reasons: Vec<&str> = error.faults().iter().map(|fault| &*fault.reason).collect();
        assert_eq!(reasons, [reason]);
    }
}
