//! What a rule file says, word by word, before anything is made of it.

use super::checks::WrittenCheck;
use super::source::Source;
use crate::rule::date::Date;
use crate::rule::fold::Fold;
use crate::rule::words::Boundary;
use crate::rule::{
    Action, Case, ChannelKind, Choice, Conduct, Direction, Hold, Limit, Mask, Mode, Quota, Severity, Template, Unclosed,
};
use std::ops::Range;
use toml::Spanned;

/// A rule file as written.
pub(super) struct Written {
    pub(super) source: Source,
    pub(super) extends: Vec<Spanned<String>>,
    pub(super) rules: Vec<WrittenRule>,
    pub(super) checks: Vec<WrittenCheck>,
    pub(super) limits: Vec<Limit>,
    pub(super) quotas: Vec<Quota>,
    pub(super) choices: Vec<Choice>,
    pub(super) overrides: Vec<WrittenOverride>,
    pub(super) allows: Vec<WrittenAllow>,
    pub(super) lists: Vec<(String, Vec<String>)>,
    pub(super) max_hold: Option<usize>,
    pub(super) hash_key_env: Option<String>,
}

/// The fields that say what happens, which a deployment may change without knowing the pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    pub(super) severity: Option<Severity>,
    pub(super) direction: Option<Direction>,
    pub(super) channels: Option<Vec<ChannelKind>>,
    pub(super) action: Option<Verb>,
    pub(super) conduct: Option<Conduct>,
    pub(super) replace: Option<Template>,
    /// The check that matches are held for.
    pub(super) check: Option<String>,
    pub(super) mask: Option<Mask>,
}

/// An action's word, apart from its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Flag,
    Mask,
    Redact,
    Drop,
    Terminate,
    Hold,
}

#[derive(Clone)]
pub(super) struct WrittenRule {
    pub(super) span: Range<usize>,
    pub(super) id: String,
    pub(super) replaces: Replaces,
    pub(super) description: String,
    pub(super) tags: Vec<String>,
    pub(super) references: Vec<String>,
    pub(super) matcher: WrittenMatcher,
    pub(super) capture: Option<Spanned<String>>,
    pub(super) not_before: Option<Spanned<String>>,
    pub(super) not_after: Option<Spanned<String>>,
    pub(super) case: Option<Case>,
    pub(super) unicode: Option<bool>,
    pub(super) mode: Option<Mode>,
    pub(super) max_len: Option<usize>,
    pub(super) near: Option<WrittenNear>,
    pub(super) validators: Vec<Spanned<WrittenValidator>>,
    pub(super) allow: Option<WrittenAllow>,
    pub(super) fate: Fate,
    pub(super) tests: Vec<WrittenTest>,
}

/// Whether a rule means to take the place of one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaces {
    Another,
    None,
}

#[derive(Clone)]
pub(super) enum WrittenMatcher {
    Regex(String),
    Literals(Vec<String>),
    /// The texts of the list of this name.
    Listed(Spanned<String>),
    Words {
        list: Vec<String>,
        folds: Vec<Fold>,
        boundary: Boundary,
        max_gap: usize,
    },
    Chars(String),
    Block {
        open: String,
        close: String,
        max_len: usize,
        unclosed: Unclosed,
    },
    /// None or several were written, which is a fault of its own.
    Unclear,
}

#[derive(Clone)]
pub(super) struct WrittenNear {
    pub(super) span: Range<usize>,
    pub(super) words: Vec<String>,
    pub(super) within: Option<usize>,
}

/// A validator with its settings.
#[derive(Clone)]
pub(super) enum WrittenValidator {
    Plain(String),
    Digits { min: usize, max: usize },
    Entropy { min: f64 },
    HostNotIn { list: Option<String>, hosts: Vec<String> },
}

/// A rule's own `allow`, or an `[[allow]]` for several rules.
#[derive(Clone)]
pub(super) struct WrittenAllow {
    pub(super) span: Range<usize>,
    pub(super) rules: Option<Vec<Spanned<String>>>,
    pub(super) literals: Vec<String>,
    pub(super) suffix: Vec<String>,
    pub(super) words: Vec<String>,
    pub(super) regex: Vec<Spanned<String>>,
    pub(super) after: Option<Spanned<String>>,
    pub(super) expires: Option<Date>,
}

pub(super) struct WrittenOverride {
    pub(super) rules: Spanned<String>,
    pub(super) min_severity: Option<Severity>,
    pub(super) enabled: Option<bool>,
    pub(super) fate: Fate,
}

#[derive(Clone)]
pub(super) struct WrittenTest {
    pub(super) span: Range<usize>,
    pub(super) name: Option<String>,
    pub(super) text: String,
    pub(super) finds: Vec<String>,
    pub(super) output: Option<String>,
}

impl Verb {
    /// Every verb with its word in rule files.
    pub(super) const NAMES: [(&'static str, Verb); 6] = [
        ("flag", Verb::Flag),
        ("mask", Verb::Mask),
        ("redact", Verb::Redact),
        ("drop", Verb::Drop),
        ("terminate", Verb::Terminate),
        ("hold", Verb::Hold),
    ];
}

impl Fate {
    /// The action, with its settings.
    pub(super) fn action(&self) -> Action {
        match self.action {
            Some(Verb::Flag) => Action::Flag,
            Some(Verb::Mask) => Action::Mask(self.mask.unwrap_or(Mask::new('*'))),
            Some(Verb::Redact) | None => Action::Redact(self.replace.clone().unwrap_or_default()),
            Some(Verb::Drop) => Action::Drop,
            Some(Verb::Terminate) => Action::Terminate,
            Some(Verb::Hold) => Action::Hold(Hold {
                check: self.check.clone().unwrap_or_default(),
                replace: self.replace.clone().unwrap_or_default(),
            }),
        }
    }

    /// These fields, and those of `below` where nothing is said.
    pub(super) fn or(self, below: &Fate) -> Fate {
        Fate {
            severity: self.severity.or(below.severity),
            direction: self.direction.or(below.direction),
            channels: self.channels.or_else(|| below.channels.clone()),
            action: self.action.or(below.action),
            conduct: self.conduct.or(below.conduct),
            replace: self.replace.or_else(|| below.replace.clone()),
            check: self.check.or_else(|| below.check.clone()),
            mask: self.mask.or(below.mask),
        }
    }
}
