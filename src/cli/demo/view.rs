//! The table that the demo draws: a row for each token, with what is held back and what the client has got.

use super::script::PRIVATE;
use holdback::Policy;
use holdback::sidecar::Account;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Something that happened to the watched answer.
pub(super) enum Beat {
    /// The model handed out a token.
    Said { token: &'static str, at: Instant },
    /// The client got the event of that token, counted from 0, with this text in it.
    Received { number: usize, text: String, at: Instant },
    /// The client has read to the end.
    Over,
}

impl Beat {
    pub(super) fn said(token: &'static str) -> Beat {
        Beat::Said { token, at: Instant::now() }
    }

    pub(super) fn received(number: usize, text: &str) -> Beat {
        Beat::Received { number, text: text.to_owned(), at: Instant::now() }
    }
}

/// Whether the output is a terminal that shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Colour,
    Plain,
}

#[derive(Clone, Copy)]
enum Style {
    Dim,
    Held,
    Replaced,
    Bold,
}

impl Look {
    fn paint(self, style: Style, text: &str) -> String {
        let code = match (self, style) {
            (Look::Plain, _) => return text.to_owned(),
            (_, _) if text.is_empty() => return String::new(),
            (Look::Colour, Style::Dim) => "2",
            (Look::Colour, Style::Held) => "33",
            (Look::Colour, Style::Replaced) => "1;32",
            (Look::Colour, Style::Bold) => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

const TOKEN_COLUMN: usize = 9;
const HELD_COLUMN: usize = 26;

/// The answer as far as it is known.
pub(super) struct View<W> {
    output: W,
    look: Look,
    said: Vec<(&'static str, Instant)>,
    received: String,
    waits: Vec<Wait>,
    // The longest wait of the events that have been emptied for a replacement to come.
    emptied_for: Duration,
    // What the client got since the last row, and how long a replacement in it had been awaited.
    news: String,
    replaced_after: Option<Duration>,
}

/// What one event waited for.
#[derive(Clone, Copy, Default)]
struct Wait {
    time: Duration,
    tokens: usize,
}

impl<W: Write> View<W> {
    pub(super) fn new(output: W, look: Look) -> View<W> {
        View {
            output,
            look,
            said: Vec::new(),
            received: String::new(),
            waits: Vec::new(),
            emptied_for: Duration::ZERO,
            news: String::new(),
            replaced_after: None,
        }
    }

    /// Names the columns.
    pub(super) fn head(&mut self) -> io::Result<()> {
        let columns =
            format!("{:>8}  {:TOKEN_COLUMN$}  {:HELD_COLUMN$}  {}", "", "the model", "held back", "the client");
        writeln!(self.output, "{}", self.look.paint(Style::Dim, &columns))
    }

    /// Takes what happened. A row is drawn when the next token comes, since until then its text may still arrive.
    pub(super) fn take(&mut self, beat: Beat) -> io::Result<()> {
        match beat {
            Beat::Said { token, at } => {
                self.row()?;
                self.said.push((token, at));
            }
            Beat::Received { number, text, at } => self.receive(number, &text, at),
            Beat::Over => self.row()?,
        }
        Ok(())
    }

    fn receive(&mut self, number: usize, text: &str, at: Instant) {
        let Some(&(token, said_at)) = self.said.get(number) else { return };
        let wait = Wait { time: at.saturating_duration_since(said_at), tokens: self.said.len() - 1 - number };
        // A long event may come in two parts: the last one tells how long it took.
        self.waits.resize(number + 1, wait);
        self.waits[number] = wait;
        self.received.push_str(text);
        if text == token {
            self.news.push_str(&visible(text));
            return;
        }
        self.emptied_for = self.emptied_for.max(wait.time);
        if !text.is_empty() {
            self.news.push_str(&self.look.paint(Style::Replaced, &visible(text)));
            self.replaced_after = Some(std::mem::take(&mut self.emptied_for));
        }
    }

    fn row(&mut self) -> io::Result<()> {
        let (Some((_, began)), Some((token, at))) = (self.said.first(), self.said.last()) else { return Ok(()) };
        let held: String = self.said[self.waits.len()..].iter().map(|(token, _)| *token).collect();
        let time = format!("{:7.2}s", at.duration_since(*began).as_secs_f64());
        let wait = self.replaced_after.take().map(|wait| format!("   replaced after {} ms", wait.as_millis()));
        writeln!(
            self.output,
            "{}  {}  {}  {}{}",
            self.look.paint(Style::Dim, &time),
            fit(&visible(token), TOKEN_COLUMN),
            self.look.paint(Style::Held, &fit(&visible(&held), HELD_COLUMN)),
            self.news,
            self.look.paint(Style::Dim, &wait.unwrap_or_default()),
        )?;
        self.news.clear();
        self.output.flush()
    }

    /// What came of it all. Whether everything private that the policy has a rule for stayed so.
    pub(super) fn totals(&mut self, policy: &Policy, account: Option<&Account>) -> io::Result<Kept> {
        writeln!(self.output, "\n{}\n", self.look.paint(Style::Bold, "What the client has read"))?;
        for line in self.received.lines() {
            writeln!(self.output, "  {line}")?;
        }

        writeln!(self.output, "\n{}\n", self.look.paint(Style::Bold, "What it took"))?;
        self.waiting()?;
        for ((rule, action, _), count) in account.iter().flat_map(|account| &account.verdicts) {
            writeln!(self.output, "  {count} × {rule}: {action}")?;
        }
        if let Some(account) = account {
            let work = account.overhead.as_secs_f64() * 1e3;
            writeln!(
                self.output,
                "  {work:.1} ms of work for the whole stream, which ended {}",
                account.ending_name()
            )?;
        }
        self.private_values(policy)
    }

    fn waiting(&mut self) -> io::Result<()> {
        let count = self.waits.len().max(1) as f64;
        let mean_tokens = self.waits.iter().map(|wait| wait.tokens).sum::<usize>() as f64 / count;
        let mean_ms = self.waits.iter().map(|wait| wait.time).sum::<Duration>().as_secs_f64() * 1e3 / count;
        let most_tokens = self.waits.iter().map(|wait| wait.tokens).max().unwrap_or_default();
        let most_ms = self.waits.iter().map(|wait| wait.time).max().unwrap_or_default().as_millis();
        writeln!(
            self.output,
            "  {} tokens, held back for {mean_tokens:.1} more on average ({mean_ms:.0} ms) and {most_tokens} at most ({most_ms} ms)",
            self.said.len(),
        )
    }

    fn private_values(&mut self, policy: &Policy) -> io::Result<Kept> {
        let is_ruled = |id: &str| policy.rules().any(|rule| rule.id() == id);
        let private: Vec<&str> = PRIVATE.iter().filter(|(rule, _)| is_ruled(rule)).map(|(_, value)| *value).collect();
        let leaked: Vec<&str> = private.iter().copied().filter(|value| self.received.contains(value)).collect();
        if leaked.is_empty() {
            writeln!(self.output, "  Private values kept from the client: {0} of {0}.", private.len())?;
            Ok(Kept::All)
        } else {
            writeln!(self.output, "  These private values reached the client: {}", leaked.join(", "))?;
            Ok(Kept::NotAll)
        }
    }
}

/// Whether everything private stayed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    All,
    NotAll,
}

/// On one line: a line end becomes a mark.
fn visible(text: &str) -> String {
    text.replace('\n', "⏎")
}

/// Exactly `width` characters; of a longer text the end, where it grows.
fn fit(text: &str, width: usize) -> String {
    let len = text.chars().count();
    if len <= width {
        return format!("{text:width$}");
    }
    let tail: String = text.chars().skip(len - width + 1).collect();
    format!("…{tail}")
}
