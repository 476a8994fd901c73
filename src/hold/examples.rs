//! A rule's own tests, run the way streams bring text: whole, byte by byte, and at every cut in two.

use super::Channel;
use crate::error::BuildError;
use crate::policy::Policy;
use crate::rule::{Action, Check, Example, RuleTest};
use std::fmt;
use std::ops::Range;

/// Runs the tests of `example` and gives back those that fail. What a rule holds for a check counts as judged to be replaced.
///
/// ```
/// use holdback::hold::run_examples;
/// use holdback::rule::Pack;
///
/// for example in Pack::PII.rule_set().examples() {
///     assert!(run_examples(example)?.is_empty());
/// }
/// # Ok::<(), holdback::BuildError>(())
/// ```
///
/// # Errors
///
/// If the rule cannot be built.
pub fn run_examples(example: &Example) -> Result<Vec<Failure>, BuildError> {
    // A fixed key, so that a test can say what a keyed hash becomes.
    let mut policy = Policy::builder().rule(example.rule.clone()).hash_key("example");
    if let Action::Hold(hold) = &example.rule.action {
        policy = policy.check(Check::held(&hold.check));
    }
    let policy = policy.build()?;
    let kind = example.rule.kinds()[0];
    let failures = example.tests.iter().filter_map(|test| {
        let run = |cuts: &[usize]| Run::of(Channel::of_rules(&policy, kind), &test.text, cuts);
        let whole = run(&[]);
        whole.failure(test).or_else(|| {
            let each: Vec<usize> = (1..test.text.len()).collect();
            let cuts = each.iter().map(std::slice::from_ref).chain([each.as_slice()]);
            let differs = cuts.into_iter().find(|cuts| run(cuts) != whole)?;
            Some(Failure { test: test.clone(), kind: FailureKind::Cut(differs.to_vec()) })
        })
    });
    Ok(failures.collect())
}

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The test.
    pub test: RuleTest,
    /// What went wrong.
    pub kind: FailureKind,
}

/// What went wrong with a test.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// The rule found something else.
    Finds {
        /// What it should have found and did not.
        missing: Vec<String>,
        /// What it found and should not have.
        noisy: Vec<String>,
    },
    /// Something else left.
    Output(String),
    /// The result is another one when the text comes in pieces, cut before these bytes. This is never the
    /// rule's fault: please report it.
    Cut(Vec<usize>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.test.file, self.test.line)?;
        match &self.kind {
            FailureKind::Finds { missing, noisy } => write!(f, "missing {missing:?}, noisy {noisy:?}"),
            FailureKind::Output(output) => write!(f, "what leaves is {output:?}"),
            FailureKind::Cut(cuts) => write!(f, "the result is another one when cut at {cuts:?}"),
        }
    }
}

/// What became of one text.
#[derive(PartialEq, Eq)]
struct Run<'t> {
    finds: Vec<&'t str>,
    output: Vec<u8>,
}

impl<'t> Run<'t> {
    /// Pushes `text` in the pieces that end before each of `cuts`, which are in order.
    fn of(mut channel: Channel, text: &'t str, cuts: &[usize]) -> Run<'t> {
        let mut output = Vec::new();
        let mut spans: Vec<Range<u64>> = Vec::new();
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([text.len()]);
        for (start, end) in starts.zip(ends) {
            let released = channel.push(&text.as_bytes()[start..end]);
            released.write_to(&mut output);
            spans.extend(released.verdicts().iter().map(|verdict| verdict.span.clone()));
        }
        let released = channel.finish();
        released.write_to(&mut output);
        spans.extend(released.verdicts().iter().map(|verdict| verdict.span.clone()));
        spans.sort_unstable_by_key(|span| span.start);
        let find = |span: Range<u64>| text.get(span.start as usize..span.end as usize).unwrap_or("a broken character");
        Run { finds: spans.into_iter().map(find).collect(), output }
    }

    fn failure(&self, test: &RuleTest) -> Option<Failure> {
        let fail = |kind| Some(Failure { test: test.clone(), kind });
        if self.finds != test.finds {
            let wanted: Vec<&str> = test.finds.iter().map(String::as_str).collect();
            return fail(FailureKind::Finds {
                missing: only_in(&wanted, &self.finds),
                noisy: only_in(&self.finds, &wanted),
            });
        }
        match &test.output {
            Some(output) if output.as_bytes() != self.output => {
                fail(FailureKind::Output(String::from_utf8_lossy(&self.output).into_owned()))
            }
            _ => None,
        }
    }
}

fn only_in(texts: &[&str], others: &[&str]) -> Vec<String> {
    texts.iter().filter(|text| !others.contains(text)).map(|&text| text.to_owned()).collect()
}
