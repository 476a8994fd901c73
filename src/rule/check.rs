//! Checks: what a policy asks others about a text before that leaves.

use super::{ChannelKind, Conduct, Direction, Severity, Template};
use crate::error::Fault;
use std::time::Duration;

/// A check: a judgement on passages of a text that takes time, as a classifier's or a moderation service's does.
///
/// This says *what* is asked *when*, and what becomes of text in the meantime. Who answers is bound to the check's id
/// where streams are driven ([`check::Checks`](crate::check::Checks)); a check that nobody answers fails.
///
/// ```
/// use holdback::hold::Judgement;
/// use holdback::rule::{Check, Passages};
/// use holdback::{Channel, ChannelKind, Policy};
///
/// let check = Check::gate("tone").passages(Passages::Sentences);
/// let policy = Policy::builder().check(check).build()?;
/// let mut channel = Channel::new(&policy, ChannelKind::Text);
/// let mut out = Vec::new();
/// channel.push(b"How are you? I ").write_to(&mut out);
/// assert_eq!(out, b"");
///
/// let passage = channel.next_passage().expect("a sentence is complete");
/// assert_eq!(passage.text(), "How are you? ");
/// channel.judge(passage.id(), &Ok(Judgement::clear())).write_to(&mut out);
/// assert_eq!(out, b"How are you? ");
/// # Ok::<(), holdback::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Check {
    pub(crate) id: String,
    pub(crate) mode: CheckMode,
    pub(crate) passages: Passages,
    /// `None`: what suits the passages.
    pub(crate) longest: Option<usize>,
    pub(crate) context: usize,
    pub(crate) deadline: Duration,
    /// `None`: what suits the mode.
    pub(crate) on_failure: Option<OnFailure>,
    pub(crate) max_held: usize,
    pub(crate) in_flight: usize,
    pub(crate) direction: Direction,
    pub(crate) channels: Vec<ChannelKind>,
    pub(crate) replace: Template,
    pub(crate) severity: Severity,
    /// Of the streams, 0 to 1.
    pub(crate) share: f64,
    pub(crate) conduct: Conduct,
}

/// What waits for a check's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckMode {
    /// The text: nothing of a passage leaves before it was judged.
    Gate,
    /// Nothing: text leaves at once, and a bad answer ends the stream where it is by then. The clouds call it an
    /// asynchronous filter.
    Trail,
    /// The end of the stream: text leaves at once, but the stream does not end before everything was judged.
    Final,
    /// What rules [hold](crate::rule::Action::Hold) for it. It is asked about nothing else.
    Held,
}

impl CheckMode {
    /// Every mode, in declaration order.
    pub const ALL: [CheckMode; 4] = [CheckMode::Gate, CheckMode::Trail, CheckMode::Final, CheckMode::Held];

    /// The mode's word in rule files and logs.
    pub const fn name(self) -> &'static str {
        match self {
            CheckMode::Gate => "gate",
            CheckMode::Trail => "trail",
            CheckMode::Final => "final",
            CheckMode::Held => "held",
        }
    }
}

/// Into what a text is divided for a check. Passages that are blank are not asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Passages {
    /// Sentences, by the rules of [UAX 29](https://www.unicode.org/reports/tr29/#Sentence_Boundaries), each with the
    /// blanks behind it. A line's end ends a sentence too. A sentence is known to be complete when the next one's first
    /// letter has come.
    #[default]
    Sentences,
    /// Paragraphs: what stands between blank lines.
    Paragraphs,
    /// So many characters each.
    Characters(usize),
    /// All of the text as one.
    Whole,
}

/// What becomes of a passage of which the judgement did not come in time, or could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// It is replaced; the stream goes on.
    Withhold,
    /// The stream ends before it.
    Terminate,
    /// It leaves unjudged. Verdicts say so.
    Release,
}

impl OnFailure {
    /// Every answer, in declaration order.
    pub const ALL: [OnFailure; 3] = [OnFailure::Withhold, OnFailure::Terminate, OnFailure::Release];

    /// The answer's word in rule files and logs.
    pub const fn name(self) -> &'static str {
        match self {
            OnFailure::Withhold => "withhold",
            OnFailure::Terminate => "terminate",
            OnFailure::Release => "release",
        }
    }
}

/// What OpenAI's moderation endpoint and guard models are usually given, and far more than a sentence has.
const LONGEST_PASSAGE: usize = 2 << 10;
/// A long answer. One that is longer is judged in parts.
const LONGEST_WHOLE: usize = 64 << 10;

impl Check {
    /// A check that text waits for.
    pub fn gate(id: impl Into<String>) -> Check {
        Check::new(id.into(), CheckMode::Gate)
    }

    /// A check that trails behind the text.
    pub fn trail(id: impl Into<String>) -> Check {
        Check::new(id.into(), CheckMode::Trail)
    }

    /// A check that the end of the stream waits for. Unless told otherwise it judges the text as a whole.
    pub fn at_end(id: impl Into<String>) -> Check {
        Check { passages: Passages::Whole, ..Check::new(id.into(), CheckMode::Final) }
    }

    /// A check that rules hold matches for.
    pub fn held(id: impl Into<String>) -> Check {
        Check::new(id.into(), CheckMode::Held)
    }

    fn new(id: String, mode: CheckMode) -> Check {
        Check {
            id,
            mode,
            passages: Passages::default(),
            longest: None,
            context: 0,
            deadline: Duration::from_secs(2),
            on_failure: None,
            max_held: 128 << 10,
            in_flight: 4,
            direction: Direction::default(),
            channels: Vec::new(),
            replace: Template::default(),
            severity: Severity::default(),
            share: 1.0,
            conduct: Conduct::default(),
        }
    }

    /// Into what the text is divided; sentences if never called.
    pub fn passages(mut self, passages: Passages) -> Check {
        self.passages = passages;
        self
    }

    /// The longest passage in bytes. A longer one is cut there: 2 KiB, or 64 KiB for whole texts, unless set.
    pub fn longest_passage(mut self, bytes: usize) -> Check {
        self.longest = Some(bytes);
        self
    }

    /// How many bytes of the text before a passage are shown with it, for what it means to be understood; none unless
    /// set.
    pub fn context(mut self, bytes: usize) -> Check {
        self.context = bytes;
        self
    }

    /// How long a judgement may take, from the moment its passage is complete; 2 s unless set.
    pub fn deadline(mut self, deadline: Duration) -> Check {
        self.deadline = deadline;
        self
    }

    /// What becomes of a passage whose judgement fails. Unless set a gate withholds it, a check at the end terminates,
    /// and one that trails, for which it is too late, lets it be.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Check {
        self.on_failure = Some(on_failure);
        self
    }

    /// How many bytes of a text may wait for judgements before no more of it is taken from upstream; 128 KiB unless set.
    pub fn max_held(mut self, bytes: usize) -> Check {
        self.max_held = bytes;
        self
    }

    /// How many passages of a stream may be asked about at once; 4 unless set.
    pub fn in_flight(mut self, passages: usize) -> Check {
        self.in_flight = passages;
        self
    }

    /// Watches what goes to the model, what comes from it, or both; what comes from it if never called.
    pub fn direction(mut self, direction: Direction) -> Check {
        self.direction = direction;
        self
    }

    /// Watches only these kinds of channel of a response; every kind if never called.
    pub fn channels(mut self, kinds: impl IntoIterator<Item = ChannelKind>) -> Check {
        self.channels = kinds.into_iter().collect();
        self
    }

    /// What takes the place of what a judgement redacts, and of a passage that is withheld; `[{rule}]`, with the check's
    /// id for a rule, unless set.
    pub fn replace(mut self, replacement: impl Into<String>) -> Check {
        self.replace = Template::new(replacement);
        self
    }

    /// How bad it is what the check finds.
    pub fn severity(mut self, severity: Severity) -> Check {
        self.severity = severity;
        self
    }

    /// Is asked about a share of the streams only, 0 to 1; see [`Policy::sampled`](crate::Policy::sampled).
    pub fn sample(mut self, share: f64) -> Check {
        self.share = share;
        self
    }

    /// Only reports: nothing waits, and nothing is changed or ended.
    pub fn monitor(mut self) -> Check {
        self.conduct = Conduct::Monitor;
        self
    }

    /// The check's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn longest(&self) -> usize {
        self.longest.unwrap_or(match self.passages {
            Passages::Whole => LONGEST_WHOLE,
            Passages::Sentences | Passages::Paragraphs => LONGEST_PASSAGE,
            // UTF-8 needs four bytes for a character at most.
            Passages::Characters(count) => count.saturating_mul(4).max(1),
        })
    }

    pub(crate) fn on_failure_or_default(&self) -> OnFailure {
        self.on_failure.unwrap_or(match self.mode {
            CheckMode::Gate | CheckMode::Held => OnFailure::Withhold,
            CheckMode::Trail => OnFailure::Release,
            CheckMode::Final => OnFailure::Terminate,
        })
    }

    /// The kinds of channel that it watches, in their own order.
    ///
    /// One that is held for watches what its rules do.
    pub(crate) fn kinds(&self) -> Vec<ChannelKind> {
        if self.mode == CheckMode::Held { Vec::new() } else { self.direction.kinds(&self.channels) }
    }

    /// What is wrong with it.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |is_wrong: bool, reason: &str, remedy: &str| {
            if is_wrong {
                faults.push(Fault::new(reason).rule(&self.id).remedy(remedy));
            }
        };
        fault(self.longest() == 0, "a passage of no bytes says nothing", "let it have one at least");
        fault(
            self.passages == Passages::Characters(0),
            "a passage of no characters says nothing",
            "let it have one at least",
        );
        fault(self.in_flight == 0, "no passage may be asked about", "let it be one at least");
        fault(self.deadline.is_zero(), "the deadline leaves no time", "give a judgement the time that it takes");
        fault(
            !(self.share > 0.0 && self.share <= 1.0),
            "the share of streams is none",
            "give a number above 0, up to 1",
        );
        fault(
            self.mode == CheckMode::Held && self.share < 1.0,
            "what rules hold for it would be judged in a share of the streams only",
            "leave `sample` out",
        );
        fault(
            self.max_held < self.longest(),
            "fewer bytes may wait than a passage can have",
            "raise `max_held`, or lower the longest passage",
        );
        fault(
            matches!(self.mode, CheckMode::Trail | CheckMode::Final) && self.on_failure == Some(OnFailure::Withhold),
            "what has left cannot be withheld",
            "make the check a gate, or let it terminate or release",
        );
        fault(
            self.channels.contains(&ChannelKind::Prompt),
            "a prompt is no channel of a response",
            "leave it out of `channels`, and say by `direction` that the check watches requests",
        );
        fault(
            self.direction != Direction::Response && matches!(self.mode, CheckMode::Trail | CheckMode::Final),
            "a request leaves once it was judged, or is not judged",
            "make a check of requests a gate",
        );
        fault(
            self.mode == CheckMode::Held && (self.direction != Direction::default() || !self.channels.is_empty()),
            "what is held for a check is for its rules to say",
            "leave `direction` and `channels` out, and give them to the rules",
        );
        faults
    }
}
