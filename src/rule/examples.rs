//! What rules say of themselves: texts, and what is to be found in them.

use super::Rule;
use std::ops::Range;

/// A rule with the tests that stand beside it in its file.
///
/// The rule is the one of its own file: what a deployment overrides or allows does not change what the rule
/// says of itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Example {
    /// The rule.
    pub rule: Rule,
    /// Its tests, in the order of the file.
    pub tests: Vec<RuleTest>,
}

/// One text, and what the rule is to find in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleTest {
    /// What the test is called, if it says.
    pub name: Option<String>,
    /// The text.
    pub text: String,
    /// The covered segments in their order; none where the text is a near miss.
    pub finds: Vec<String>,
    /// What leaves, if the test says.
    pub output: Option<String>,
    /// The file that the test stands in.
    pub file: String,
    /// Its one-based line there.
    pub line: usize,
    /// Its byte range there.
    pub span: Range<usize>,
}
