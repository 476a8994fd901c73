//! The rules that come with the crate.

use super::{Rule, RuleSet};

/// A set of rules that comes with the crate, to be added to a policy by name.
///
/// ```
/// use holdback::rule::Pack;
///
/// assert_eq!(Pack::named("pii"), Some(Pack::PII));
/// assert!(Pack::PII.rules().iter().any(|rule| rule.id() == "pii.email"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pack {
    name: &'static str,
    source: &'static str,
}

impl Pack {
    /// Personal data: e-mail addresses, phone, card, account and social security numbers, public IP addresses.
    pub const PII: Pack = Pack { name: "pii", source: include_str!("../../rules/pii.toml") };
    /// Credentials: private keys, tokens and API keys that their form gives away.
    pub const SECRETS: Pack = Pack { name: "secrets", source: include_str!("../../rules/secrets.toml") };
    /// Ways to carry data out of a chat or commands into a terminal.
    pub const EXFIL: Pack = Pack { name: "exfil", source: include_str!("../../rules/exfil.toml") };
    /// What an organisation would not have its answers show: errors of databases and servers, internal names, web shells,
    /// classification marks. Its rules report.
    pub const COMPLIANCE: Pack = Pack { name: "compliance", source: include_str!("../../rules/compliance.toml") };
    /// Phrases of dangerous subjects. Keywords are no classifier: the rules point at texts that deserve a look.
    pub const SAFETY: Pack = Pack { name: "safety", source: include_str!("../../rules/safety.toml") };
    /// Profanity and slurs with their usual disguises. Its words have 800,000 states before any text is read: loading it
    /// takes some 65 MB, and up to a second.
    pub const PROFANITY: Pack = Pack { name: "profanity", source: include_str!("../../rules/profanity.toml") };
    /// Every pack.
    pub const ALL: [Pack; 6] = [Pack::PII, Pack::SECRETS, Pack::EXFIL, Pack::COMPLIANCE, Pack::SAFETY, Pack::PROFANITY];
    /// The packs that commands use where nothing else is said.
    pub const DEFAULT: [Pack; 3] = [Pack::PII, Pack::SECRETS, Pack::EXFIL];

    /// The pack of this name, which a rule file extends as `builtin:` and the name.
    pub fn named(name: &str) -> Option<Pack> {
        Pack::ALL.into_iter().find(|pack| pack.name == name)
    }

    /// The pack's name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The pack as it is written, in the format of rule files.
    pub fn source(self) -> &'static str {
        self.source
    }

    /// The pack's rules.
    pub fn rules(self) -> Vec<Rule> {
        self.rule_set().into_rules()
    }

    /// The pack with its rules' own tests.
    pub fn rule_set(self) -> RuleSet {
        RuleSet::built_in(self)
    }

    pub(crate) fn choices() -> String {
        let names: Vec<String> = Pack::ALL.iter().map(|pack| format!("builtin:{}", pack.name)).collect();
        format!("there are {}", names.join(", "))
    }
}
