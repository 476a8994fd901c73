//! The one error type of building: rules, rule files and policies.

use std::fmt;

/// Everything that is wrong with a policy, found in one go.
///
/// A rule set is never half built: [`PolicyBuilder::build`](crate::PolicyBuilder::build) either
/// returns a policy or every fault it found, each with the rule it speaks of and the remedy.
pub struct BuildError {
    faults: Vec<Fault>,
}

/// One thing that is wrong, where it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The file, where the rule came from one.
    pub file: Option<String>,
    /// Byte range in that file.
    pub span: Option<std::ops::Range<usize>>,
    /// One-based line of the start of `span`.
    pub line: Option<usize>,
    /// The rule's id.
    pub rule: Option<String>,
    /// What is wrong, lower case, no full stop.
    pub reason: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Fault {
    /// A fault with a reason and nothing else known yet.
    pub(crate) fn new(reason: impl Into<String>) -> Fault {
        Fault { file: None, span: None, line: None, rule: None, reason: reason.into(), remedy: None }
    }

    /// The same fault, of this rule.
    pub(crate) fn rule(mut self, id: impl Into<String>) -> Fault {
        self.rule = Some(id.into());
        self
    }

    /// The same fault, with what to do about it.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Fault {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            write!(f, " ")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "rule `{rule}`: ")?;
        }
        f.write_str(&self.reason)?;
        match &self.remedy {
            Some(remedy) => write!(f, " (help: {remedy})"),
            None => Ok(()),
        }
    }
}

impl BuildError {
    /// An error of these faults; `faults` must not be empty.
    pub(crate) fn new(faults: Vec<Fault>) -> BuildError {
        debug_assert!(!faults.is_empty(), "an error needs a fault");
        BuildError { faults }
    }

    /// Every fault found.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.faults.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.faults).finish()
    }
}

impl std::error::Error for BuildError {}
