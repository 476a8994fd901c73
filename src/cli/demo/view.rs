//! The table that the demo draws: a row for each token, with what is held back and what the client has got.

use super::script;
use holdback::sidecar::Account;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Something that happened to the watched answer.
pub(super) enum Beat {
    /// The model handed out a token.
    Said { number: usize, token: &'static str, at: Instant },
    /// The client got the event of that number, with this text in it.
    Received { number: usize, text: String, at: Instant },
    /// The client has read to the end.
    Over,
}

impl Beat {
    pub(super) fn said(number: usize, token: &'static str) -> Beat {
        Beat::Said { number, token, at: Instant::now() }
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
    began: Option<Instant>,
    said: Vec<(&'static str, Instant)>,
    received: String,
    // Events that the client has; they come in order.
    arrived: usize,
    /// How long each event was under way.
    waits: Vec<Duration>,
    left_at_once: usize,
    // What the client got since the last row.
    news: String,
    longest_news: Duration,
}

impl<W: Write> View<W> {
    pub(super) fn new(output: W, look: Look) -> View<W> {
        View {
            output,
            look,
            began: None,
            said: Vec::new(),
            received: String::new(),
            arrived: 0,
            waits: Vec::new(),
            left_at_once: 0,
            news: String::new(),
            longest_news: Duration::ZERO,
        }
    }

    /// What the model says, what is held, what the client gets.
    pub(super) fn head(&mut self) -> io::Result<()> {
        let columns =
            format!("{:>8}  {:TOKEN_COLUMN$}  {:HELD_COLUMN$}  {}", "", "the model", "held back", "the client");
        writeln!(self.output, "{}", self.look.paint(Style::Dim, &columns))
    }

    /// Takes what happened; draws a row when the next token shows that the last one is settled.
    pub(super) fn take(&mut self, beat: Beat) -> io::Result<()> {
        match beat {
            Beat::Said { number: 0, token, at } => {
                self.began = Some(at);
                self.said.push((token, at));
            }
            Beat::Said { token, at, .. } => {
                self.row()?;
                self.said.push((token, at));
            }
            Beat::Received { number, text, at } => self.receive(number, &text, at),
            Beat::Over => self.row()?,
        }
        Ok(())
    }

    fn receive(&mut self, number: usize, text: &str, at: Instant) {
        let Some((token, said_at)) = self.said.get(number) else { return };
        let wait = at.saturating_duration_since(*said_at);
        if number >= self.arrived {
            self.waits.push(wait);
            self.longest_news = self.longest_news.max(wait);
        }
        self.arrived = self.arrived.max(number + 1);
        self.received.push_str(text);
        let style = if text == *token { None } else { Some(Style::Replaced) };
        let shown = visible(text);
        self.news.push_str(&style.map_or(shown.clone(), |style| self.look.paint(style, &shown)));
    }

    fn row(&mut self) -> io::Result<()> {
        let (Some((token, at)), Some(began)) = (self.said.last(), self.began) else { return Ok(()) };
        let held: String = self.said[self.arrived..].iter().map(|(token, _)| *token).collect();
        if held.is_empty() {
            self.left_at_once += 1;
        }
        let time = format!("{:7.2}s", at.duration_since(began).as_secs_f64());
        // The text after the last token that waited is news of this row alone; only a real wait is worth a word.
        let waited = match self.news.is_empty() || self.longest_news < Duration::from_millis(20) {
            true => String::new(),
            false => self.look.paint(Style::Dim, &format!("  (after {} ms)", self.longest_news.as_millis())),
        };
        writeln!(
            self.output,
            "{}  {}  {}  {}{waited}",
            self.look.paint(Style::Dim, &time),
            fit(&visible(token), TOKEN_COLUMN),
            self.look.paint(Style::Held, &fit(&visible(&held), HELD_COLUMN)),
            self.news,
        )?;
        self.output.flush()?;
        self.news.clear();
        self.longest_news = Duration::ZERO;
        Ok(())
    }

    /// The totals. Whether all that is private stayed so.
    pub(super) fn totals(&mut self, account: Option<&Account>) -> io::Result<Kept> {
        let look = self.look;
        writeln!(self.output, "\n{}\n", look.paint(Style::Bold, "What the client has read"))?;
        for line in self.received.lines() {
            writeln!(self.output, "  {line}")?;
        }

        let longest = self.waits.iter().max().copied().unwrap_or_default();
        let total: Duration = self.waits.iter().sum();
        let mean = total.checked_div(self.waits.len() as u32).unwrap_or_default();
        writeln!(self.output, "\n{}\n", look.paint(Style::Bold, "In numbers"))?;
        writeln!(
            self.output,
            "  {} tokens, {} of them left before the next one came; {:.1} ms on average, {} ms at most",
            self.said.len(),
            self.left_at_once,
            mean.as_secs_f64() * 1e3,
            longest.as_millis(),
        )?;
        for ((rule, action), count) in account.iter().flat_map(|account| &account.verdicts) {
            writeln!(self.output, "  {count} × {rule}: {action}")?;
        }
        if let Some(account) = account {
            let micros = account.overhead.as_micros();
            writeln!(self.output, "  {micros} µs of work for the whole stream, which ended {}", account.ending_name())?;
        }
        let leaked: Vec<_> = script::PRIVATE.into_iter().filter(|private| self.received.contains(private)).collect();
        if leaked.is_empty() {
            writeln!(self.output, "  None of the {} private values reached the client.", script::PRIVATE.len())?;
            Ok(Kept::All)
        } else {
            writeln!(self.output, "  {} private values reached the client: {}", leaked.len(), leaked.join(", "))?;
            Ok(Kept::NotAll)
        }
    }
}

/// Whether the client got anything private.
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
