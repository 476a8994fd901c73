//! What takes a segment's place.

use crate::error::Fault;
use crate::rule::{Action, HashKey, Hold, Mask, Needs, ParsedTemplate};

/// By how many rules a segment is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    OneRule,
    /// What one rule would show another one hides.
    SeveralRules,
}

/// A rule's action, ready to be applied to a segment.
#[derive(Clone, Debug)]
pub(crate) enum Replacement {
    /// A text that does not depend on what was covered.
    Fixed(Box<str>),
    /// A text that does.
    Template { template: ParsedTemplate, rule: Box<str>, key: Option<HashKey> },
    /// The covered text behind a mask, or the fallback where it was too long to be kept.
    Mask { mask: Mask, fallback: Box<str> },
}

impl Replacement {
    pub(super) fn of(id: &str, action: &Action, key: Option<&HashKey>) -> Result<Replacement, Fault> {
        match action {
            Action::Flag | Action::Drop | Action::Terminate => Ok(Replacement::Fixed("".into())),
            Action::Mask(mask) => Ok(Replacement::Mask { mask: *mask, fallback: format!("[{id}]").into() }),
            Action::Redact(template) | Action::Hold(Hold { replace: template, .. }) => {
                let parsed = template.parse()?;
                match (parsed.needs(), key) {
                    (Needs::TextAndKey, None) => {
                        Err(Fault::new(format!("the replacement `{}` needs a key for its hash", template.source()))
                            .remedy("set one with `PolicyBuilder::hash_key`, or `hash_key_env` in the policy file"))
                    }
                    (Needs::Nothing, _) => {
                        let mut text = String::new();
                        parsed.render(id, None, None, &mut text);
                        Ok(Replacement::Fixed(text.into()))
                    }
                    _ => Ok(Replacement::Template { template: parsed, rule: id.into(), key: key.cloned() }),
                }
            }
        }
    }

    /// Whether the covered text is asked for.
    pub(crate) fn needs_text(&self) -> bool {
        !matches!(self, Replacement::Fixed(_))
    }

    /// Appends what takes the place of `covered`; `None` where it was too long to be kept.
    ///
    /// A mask shows nothing of a segment that several rules cover.
    pub(crate) fn write(&self, covered: Option<&[u8]>, cover: Cover, out: &mut String) {
        match (self, covered) {
            (Replacement::Fixed(text), _) | (Replacement::Mask { fallback: text, .. }, None) => out.push_str(text),
            (Replacement::Template { template, rule, key }, _) => template.render(rule, covered, key.as_ref(), out),
            (Replacement::Mask { mask, .. }, Some(text)) => match cover {
                Cover::OneRule => mask.render(text, out),
                Cover::SeveralRules => Mask::new(mask.char).render(text, out),
            },
        }
    }
}
