//! What people write: a rule's id, pattern, action and validators, and the files that hold them.

mod action;
mod chars;
mod check;
mod choice;
mod date;
mod examples;
mod file;
mod fold;
mod graph;
mod id;
mod limit;
mod lower;
mod near;
mod pack;
mod pattern;
mod quota;
pub mod service;
mod show;
mod template;
mod validate;
mod words;

pub use action::{Action, Hold, Mask};
pub use check::{Check, CheckMode, OnFailure, Passages};
pub use choice::Choice;
pub use date::Date;
pub use examples::{Example, RuleTest};
pub use file::RuleSet;
pub(crate) use graph::CharGraph;
pub use id::id_fits;
pub use limit::Limit;
pub(crate) use limit::{Findings, LimitKind};
pub(crate) use lower::{Lowered, Shape, lower};
pub use pack::Pack;
pub use pattern::{Block, Case, Mode, Pattern, Unclosed};
pub use quota::Quota;
pub(crate) use quota::QuotaKind;
pub use template::Template;
pub(crate) use template::{HashKey, Needs, ParsedTemplate};
pub use validate::{Allow, Validator};

use crate::error::Fault;

/// Where text flows. A rule says by its [`channels`](Rule::channels) which kinds it watches in responses, and by its
/// [`direction`](Rule::direction) whether it watches prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ChannelKind {
    /// What the user reads; also every string of a field no dialect knows.
    Text,
    /// Reasoning or thinking shown beside the answer.
    Reasoning,
    /// The model's own refusal.
    Refusal,
    /// Arguments of a tool call.
    ToolArgs,
    /// What a tool gave back.
    ToolResult,
    /// Any string of a request: what is said to the model.
    Prompt,
}

impl ChannelKind {
    /// Every kind, in declaration order.
    pub const ALL: [ChannelKind; 6] = [
        ChannelKind::Text,
        ChannelKind::Reasoning,
        ChannelKind::Refusal,
        ChannelKind::ToolArgs,
        ChannelKind::ToolResult,
        ChannelKind::Prompt,
    ];

    /// The kind's word in rule files, logs and findings.
    pub fn name(self) -> &'static str {
        match self {
            ChannelKind::Text => "text",
            ChannelKind::Reasoning => "reasoning",
            ChannelKind::Refusal => "refusal",
            ChannelKind::ToolArgs => "tool_args",
            ChannelKind::ToolResult => "tool_result",
            ChannelKind::Prompt => "prompt",
        }
    }
}

/// Which way the text goes that a rule watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the model: what is found in a request never reaches it.
    Request,
    /// From the model: what is found in a response never reaches the client.
    ///
    /// This is the default, for a redaction changes what the model is asked: whoever has a letter with their own
    /// address proofread wants the model to see it.
    #[default]
    Response,
    /// Both.
    Both,
}

impl Direction {
    /// Every direction, in declaration order.
    pub const ALL: [Direction; 3] = [Direction::Request, Direction::Response, Direction::Both];

    /// The direction's word in rule files.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Request => "request",
            Direction::Response => "response",
            Direction::Both => "both",
        }
    }

    /// Whether a rule of this direction watches text of that one.
    pub fn includes(self, text: Direction) -> bool {
        self == text || self == Direction::Both
    }

    /// The kinds of channel that are watched in this direction: of a response's these, or all if none is named.
    fn kinds(self, channels: &[ChannelKind]) -> Vec<ChannelKind> {
        let watches = |kind: &ChannelKind| match kind {
            ChannelKind::Prompt => self.includes(Direction::Request),
            kind => self.includes(Direction::Response) && (channels.is_empty() || channels.contains(kind)),
        };
        ChannelKind::ALL.into_iter().filter(watches).collect()
    }
}

/// How bad a match is. Policies select by it; the engine does not look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Minor.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Serious.
    High,
    /// Must not happen.
    Critical,
}

impl Severity {
    /// The severity's word in rule files.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// Whether a rule does what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Conduct {
    #[default]
    Act,
    /// It only reports what it would have done.
    Monitor,
}

/// What a rule looks for.
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    Pattern(Pattern),
    Block(Block),
}

/// One rule: an id, what it looks for, and what happens then.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) severity: Severity,
    pub(crate) tags: Vec<String>,
    pub(crate) references: Vec<String>,
    pub(crate) matcher: Matcher,
    pub(crate) action: Action,
    pub(crate) conduct: Conduct,
    pub(crate) direction: Direction,
    /// Empty means every kind that responses have.
    pub(crate) channels: Vec<ChannelKind>,
    pub(crate) validators: Vec<Validator>,
    /// The longest match in bytes; longer candidates fail closed.
    pub(crate) max_len: Option<usize>,
}

impl Rule {
    /// A rule that looks for `text` as it stands, byte for byte.
    pub fn literal(id: impl Into<String>, text: impl AsRef<str>) -> Rule {
        Rule::pattern(id, Pattern::literal(text.as_ref()))
    }

    /// A rule that looks for a regular expression in the syntax of the `regex` crate.
    ///
    /// Patterns see bytes: `\d`, `\w` and `\b` are ASCII.
    pub fn regex(id: impl Into<String>, regex: impl Into<String>) -> Rule {
        Rule::pattern(id, Pattern::regex(regex))
    }

    /// A rule that looks for `pattern`.
    pub fn pattern(id: impl Into<String>, pattern: Pattern) -> Rule {
        Rule::new(id.into(), Matcher::Pattern(pattern))
    }

    /// A rule that swallows everything from an opening to a closing pattern as it comes.
    pub fn block(id: impl Into<String>, block: Block) -> Rule {
        Rule::new(id.into(), Matcher::Block(block))
    }

    fn new(id: String, matcher: Matcher) -> Rule {
        Rule {
            id,
            description: String::new(),
            severity: Severity::default(),
            tags: Vec::new(),
            references: Vec::new(),
            matcher,
            action: Action::default(),
            conduct: Conduct::default(),
            direction: Direction::default(),
            channels: Vec::new(),
            validators: Vec::new(),
            max_len: None,
        }
    }

    /// Reports a match and changes nothing; never holds a byte.
    pub fn flag(mut self) -> Rule {
        self.action = Action::Flag;
        self
    }

    /// Replaces a match by `replacement`, a [`Template`].
    pub fn redact(mut self, replacement: impl Into<String>) -> Rule {
        self.action = Action::Redact(Template::new(replacement));
        self
    }

    /// Replaces the characters of a match.
    pub fn mask(mut self, mask: Mask) -> Rule {
        self.action = Action::Mask(mask);
        self
    }

    /// Removes a match and leaves nothing in its place.
    pub fn remove(mut self) -> Rule {
        self.action = Action::Drop;
        self
    }

    /// Ends the stream at a match; nothing of it leaves.
    pub fn terminate(mut self) -> Rule {
        self.action = Action::Terminate;
        self
    }

    /// Holds a match until the [held](Check::held) check with this id has judged it: then it leaves, is replaced, or ends
    /// the stream.
    pub fn hold(mut self, check: impl Into<String>) -> Rule {
        self.action = Action::Hold(Hold::for_check(check));
        self
    }

    /// Sets the action.
    pub fn action(mut self, action: Action) -> Rule {
        self.action = action;
        self
    }

    /// Only reports what the action would have done: nothing is held, changed or ended.
    ///
    /// For trying a rule on live traffic. The verdict names the action and says that it was not
    /// [enforced](crate::Verdict::enforced).
    ///
    /// ```
    /// use holdback::{Channel, ChannelKind, Policy, Rule};
    ///
    /// let policy = Policy::builder().rule(Rule::literal("stop", "canary").terminate().monitor()).build()?;
    /// let mut channel = Channel::new(&policy, ChannelKind::Text);
    /// let released = channel.push(b"a canary sings");
    /// let verdict = &released.verdicts()[0];
    /// assert_eq!((verdict.action, verdict.enforced), ("terminate", false));
    /// assert!(released.is_untouched() && released.len() == 14);
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    pub fn monitor(mut self) -> Rule {
        self.conduct = Conduct::Monitor;
        self
    }

    /// Watches what goes to the model, what comes from it, or both; what comes from it if never called.
    ///
    /// ```
    /// use holdback::rule::Direction;
    /// use holdback::{Channel, ChannelKind, Policy, Rule};
    ///
    /// let rule = Rule::literal("codename", "Nightjar").direction(Direction::Request);
    /// let policy = Policy::builder().rule(rule).build()?;
    /// let mut out = Vec::new();
    /// for kind in [ChannelKind::Prompt, ChannelKind::Text] {
    ///     let mut channel = Channel::new(&policy, kind);
    ///     channel.push(b"Nightjar ").write_to(&mut out);
    /// }
    /// assert_eq!(out, b"[codename] Nightjar ");
    /// # Ok::<(), holdback::BuildError>(())
    /// ```
    pub fn direction(mut self, direction: Direction) -> Rule {
        self.direction = direction;
        self
    }

    /// Watches only these kinds of channel of a response; every kind if never called.
    pub fn channels(mut self, kinds: impl IntoIterator<Item = ChannelKind>) -> Rule {
        self.channels = kinds.into_iter().collect();
        self
    }

    /// A match counts only if `validator` accepts it too.
    pub fn validate(mut self, validator: Validator) -> Rule {
        self.validators.push(validator);
        self
    }

    /// The longest match in bytes. A candidate that outgrows it is redacted, or ends the stream.
    pub fn max_len(mut self, bytes: usize) -> Rule {
        self.max_len = Some(bytes);
        self
    }

    /// Says what the rule is for.
    pub fn description(mut self, description: impl Into<String>) -> Rule {
        self.description = description.into();
        self
    }

    /// How bad a match is.
    pub fn severity(mut self, severity: Severity) -> Rule {
        self.severity = severity;
        self
    }

    /// The rule's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the rule is for, if it says.
    pub fn purpose(&self) -> &str {
        &self.description
    }

    /// Words to select rules by, such as `pii` or `owasp:llm02`.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Where the pattern's source can be read.
    pub fn references(&self) -> &[String] {
        &self.references
    }

    /// The kinds of channel that it watches, in their own order.
    pub(crate) fn kinds(&self) -> Vec<ChannelKind> {
        self.direction.kinds(&self.channels)
    }

    pub(crate) fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::new(reason).rule(&self.id)
    }
}
