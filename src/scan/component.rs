//! One rule as automata take it in.

use super::RuleTraits;
use super::layout::Trail;
use super::nfa::Nfa;
use crate::rule::Lowered;
use std::sync::OnceLock;

/// The automaton of one rule, from which those of scopes are put together: a rule is compiled once, however many
/// scopes have it.
#[derive(Debug)]
pub(crate) struct Component {
    pub(super) nfa: Nfa,
    traits: RuleTraits,
    trail: OnceLock<Trail>,
}

impl Component {
    /// Compiles a rule; an error says in which way it is too large.
    pub(crate) fn new(lowered: &Lowered, traits: RuleTraits) -> Result<Component, String> {
        Ok(Component { nfa: Nfa::of(lowered, traits.starts)?, traits, trail: OnceLock::new() })
    }

    pub(super) fn traits(&self) -> RuleTraits {
        self.traits
    }

    pub(super) fn trail(&self) -> &Trail {
        self.trail.get_or_init(|| Trail::of(self))
    }
}
