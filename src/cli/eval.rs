//! `holdback eval`: how well rules find what labelled texts say is there.

mod sample;
mod score;

use super::policy::{self, PolicyArgs};
use super::{Exit, lines};
use anyhow::{Context, bail};
use holdback::policy::Direction;
use holdback::rule::id_fits;
use holdback::{ChannelKind, Policy};
use sample::{Label, Sample};
use score::{Quiet, Score};
use std::collections::BTreeMap;
use std::io::{self, LineWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[derive(clap::Args)]
#[command(after_help = "\
A line of the data is a JSON object: `text`, and `spans`, each with `start` and `end` in bytes of UTF-8 and a `type`. A \
text without spans has nothing in it, unless its `polarity` is \"pos\": then something is, nobody says where. A label is \
found if a finding overlaps it by half of what both cover.\n
Exit code: 0, or 1 if a bound was not kept or a file cannot be read; 2 wrong usage or a bad policy")]
pub(super) struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Only labels of this type, and as findings of it only those of these rules (`*` stands for any text); may be given
    /// again
    #[arg(long = "type", value_name = "TYPE=RULE,..")]
    types: Vec<Kind>,
    /// Count by this field of the lines, in place of the labels' types
    #[arg(long, value_name = "FIELD")]
    by: Option<String>,
    /// Print this many misses, with their texts
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    misses: usize,
    /// Print this many false alarms, with their texts
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    alarms: usize,
    /// Fail where a figure is worse: recall, byte-recall, precision (at least), flagged (share of the texts with nothing in
    /// them), per-mb (alarms in a million bytes of those; at most); may be given again
    #[arg(long = "require", value_name = "FIGURE=NUMBER")]
    bounds: Vec<Bound>,
    /// Files of JSON lines, gzip or not
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// A type of label and the rules that are meant to find it.
#[derive(Clone, Debug)]
struct Kind {
    name: String,
    rules: Vec<String>,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        let (name, rules) =
            text.split_once('=').ok_or("write it as TYPE=RULE, such as CREDIT_CARD=pii.payment-card")?;
        Ok(Kind { name: name.to_owned(), rules: rules.split(',').map(str::to_owned).collect() })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Recall,
    ByteRecall,
    Precision,
    Flagged,
    PerMb,
}

impl Figure {
    const NAMES: [(&'static str, Figure); 5] = [
        ("recall", Figure::Recall),
        ("byte-recall", Figure::ByteRecall),
        ("precision", Figure::Precision),
        ("flagged", Figure::Flagged),
        ("per-mb", Figure::PerMb),
    ];
}

/// What a figure must be.
#[derive(Clone, Copy, Debug)]
struct Bound {
    name: &'static str,
    figure: Figure,
    limit: f64,
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Bound, String> {
        let names = Figure::NAMES.map(|(name, _)| name).join(", ");
        let (name, limit) = text.split_once('=').ok_or("write it as FIGURE=NUMBER, such as recall=0.9")?;
        let known = Figure::NAMES.into_iter().find(|(known, _)| *known == name);
        let (name, figure) = known.ok_or_else(|| format!("the figures are {names}"))?;
        let limit = limit.parse().map_err(|_| format!("`{limit}` is no number"))?;
        Ok(Bound { name, figure, limit })
    }
}

/// A finding and the rule that it is of.
type Found<'a> = (Range<usize>, &'a str);

/// Everything that is counted.
#[derive(Default)]
struct Tally {
    all: Score,
    groups: BTreeMap<String, Score>,
    quiet: Quiet,
    misses: Vec<String>,
    alarms: Vec<String>,
    unreadable: usize,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let policy = args.policy.load_to_report()?;
    policy::check_watches(&policy, Direction::Response)?;
    for kind in &args.types {
        let unknown = kind.rules.iter().find(|pattern| !policy.rules().any(|rule| id_fits(rule.id(), pattern)));
        if let Some(unknown) = unknown {
            bail!("no rule of the policy is called `{unknown}`");
        }
    }
    let mut tally = Tally::default();
    for path in &args.files {
        let file = lines::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let read = lines::each_line(file, |line, bytes| {
            match Sample::of(bytes) {
                Ok(sample) => tally.count(&args, &policy, &sample),
                Err(reason) => {
                    eprintln!("error: {}:{line}: {reason}", path.display());
                    tally.unreadable += 1;
                }
            }
            Ok(())
        });
        read.with_context(|| format!("cannot read {}", path.display()))?;
    }
    let mut output = LineWriter::new(io::stdout().lock());
    tally.write(&args, &mut output)?;
    let broken: Vec<&Bound> = args.bounds.iter().filter(|bound| !tally.keeps(bound)).collect();
    for bound in &broken {
        let figure = tally.figure(bound.figure).map_or("nothing to count".to_owned(), |figure| format!("{figure:.4}"));
        eprintln!("holdback: {} is {figure}, and should be {}", bound.name, bound.limit);
    }
    Ok(if broken.is_empty() && tally.unreadable == 0 { Exit::Fine } else { Exit::Failed })
}

impl Tally {
    fn count(&mut self, args: &Args, policy: &Policy, sample: &Sample) {
        let verdicts = lines::verdicts(policy, ChannelKind::Text, sample.text.as_bytes());
        let found: Vec<Found<'_>> =
            verdicts.iter().map(|v| (v.span.start as usize..v.span.end as usize, &*v.rule)).collect();
        match sample.is_of() {
            Some(kind) if args.is_named(kind) => self.count_text(args, sample, kind, &found),
            Some(_) => {}
            None if sample.spans.is_empty() => self.count_quiet(args, sample, &found),
            None if args.types.is_empty() => {
                let labels: Vec<_> = sample.spans.iter().collect();
                self.count_labels(args, sample, None, &labels, &found);
                if args.by.is_none() {
                    let spans: Vec<_> = found.iter().map(|(span, _)| span.clone()).collect();
                    for label in labels {
                        self.groups.entry(label.kind.clone()).or_default().count_wanted(&[label.span()], &spans);
                    }
                }
            }
            None => {
                for kind in &args.types {
                    let labels: Vec<_> = sample.spans.iter().filter(|label| label.kind == kind.name).collect();
                    let found: Vec<_> = found.iter().filter(|(_, rule)| kind.names(rule)).cloned().collect();
                    self.count_labels(args, sample, Some(&kind.name), &labels, &found);
                }
            }
        }
    }

    /// Counts a text in which nothing is.
    fn count_quiet(&mut self, args: &Args, sample: &Sample, found: &[Found<'_>]) {
        let alarms: Vec<_> = found.iter().filter(|(_, rule)| args.counts(rule)).collect();
        self.quiet.count(&sample.text, alarms.len());
        note(&mut self.alarms, args.alarms, alarms.iter().map(|(span, rule)| excerpt(&sample.text, span, rule)));
    }

    /// Counts a text in which something of a type is, nobody says where.
    fn count_text(&mut self, args: &Args, sample: &Sample, kind: &str, found: &[Found<'_>]) {
        let is_found = found.iter().any(|(_, rule)| args.finds(kind, rule));
        self.all.count_text(is_found);
        self.groups.entry(args.group(sample, kind)).or_default().count_text(is_found);
        let missed = (!is_found).then(|| excerpt(&sample.text, &(0..sample.text.len()), kind));
        note(&mut self.misses, args.misses, missed);
    }

    /// Counts labels and the findings that are meant for them.
    fn count_labels(
        &mut self,
        args: &Args,
        sample: &Sample,
        kind: Option<&str>,
        labels: &[&Label],
        found: &[Found<'_>],
    ) {
        let wanted: Vec<_> = labels.iter().map(|label| label.span()).collect();
        let spans: Vec<_> = found.iter().map(|(span, _)| span.clone()).collect();
        let (missed, alarms) = self.all.count(&wanted, &spans);
        if kind.is_some() || args.by.is_some() {
            let group = args.group(sample, kind.unwrap_or_default());
            self.groups.entry(group).or_default().count(&wanted, &spans);
        }
        let missed = missed.iter().map(|&at| excerpt(&sample.text, &wanted[at], &labels[at].kind));
        note(&mut self.misses, args.misses, missed);
        note(&mut self.alarms, args.alarms, alarms.iter().map(|&at| excerpt(&sample.text, &found[at].0, found[at].1)));
    }

    fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Recall => self.all.recall(),
            Figure::ByteRecall => self.all.byte_recall(),
            Figure::Precision => self.all.precision(),
            Figure::Flagged => self.quiet.flagged_share(),
            Figure::PerMb => self.quiet.alarms_per_mb(),
        }
    }

    fn keeps(&self, bound: &Bound) -> bool {
        let is_most = matches!(bound.figure, Figure::Flagged | Figure::PerMb);
        self.figure(bound.figure)
            .is_some_and(|figure| if is_most { figure <= bound.limit } else { figure >= bound.limit })
    }

    fn write(&self, args: &Args, output: &mut impl Write) -> io::Result<()> {
        for (title, texts) in [("missed", &self.misses), ("false alarm", &self.alarms)] {
            for text in texts {
                writeln!(output, "{title}: {text}")?;
            }
        }
        let names: Vec<_> = args.files.iter().map(|file| file_name(file)).collect();
        writeln!(output, "{}", names.join(", "))?;
        if self.all.wanted > 0 || self.all.alarms > 0 {
            let width = self.groups.keys().map(String::len).max().unwrap_or_default().max(3);
            writeln!(output, "  {:width$}  wanted   found  recall  of bytes  false  precision", "")?;
            let groups = self.groups.iter().map(|(name, score)| (name.clone(), *score));
            // Whose the false alarms are is known where it was said which rule is meant to find what.
            let tells_alarms = args.by.is_some() || !args.types.is_empty();
            let groups = groups.filter(|_| self.groups.len() > 1).map(|(name, score)| (name, score, tells_alarms));
            for (name, score, tells_alarms) in groups.chain([("all".to_owned(), self.all, true)]) {
                let Score { wanted, found, .. } = score;
                let [recall, bytes] = [score.recall(), score.byte_recall()].map(share);
                let alarms = if tells_alarms { score.alarms.to_string() } else { "-".to_owned() };
                let precision = share(score.precision().filter(|_| tells_alarms));
                writeln!(
                    output,
                    "  {name:width$}  {wanted:6}  {found:6}  {recall:>6}  {bytes:>8}  {alarms:>5}  {precision:>9}"
                )?;
            }
        }
        if self.quiet.texts > 0 {
            let Quiet { texts, bytes, flagged, alarms } = self.quiet;
            let megabytes = bytes as f64 / 1e6;
            let (flagged_share, per_mb) = (share(self.quiet.flagged_share()), self.quiet.alarms_per_mb());
            writeln!(
                output,
                "  nothing in {texts} texts ({megabytes:.2} MB): {flagged} flagged ({flagged_share}), {alarms} false alarms, \
                 {:.2} per MB",
                per_mb.unwrap_or_default()
            )?;
        }
        Ok(())
    }
}

impl Args {
    /// Whether a type counts.
    fn is_named(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|known| known.name == kind)
    }

    /// Whether a rule's findings count.
    fn counts(&self, rule: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|kind| kind.names(rule))
    }

    /// Whether a rule's findings count for this type.
    fn finds(&self, kind: &str, rule: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|known| known.name == kind && known.names(rule))
    }

    /// Under which name a sample counts.
    fn group(&self, sample: &Sample, kind: &str) -> String {
        self.by.as_ref().map_or_else(|| kind.to_owned(), |field| sample.field(field))
    }
}

impl Kind {
    fn names(&self, rule: &str) -> bool {
        self.rules.iter().any(|pattern| id_fits(rule, pattern))
    }
}

/// Adds to what is printed, as far as that was asked for.
fn note(list: &mut Vec<String>, most: usize, texts: impl IntoIterator<Item = String>) {
    let room = most.saturating_sub(list.len());
    list.extend(texts.into_iter().take(room));
}

/// Bytes of a text that are shown before and behind what it is about.
const AROUND: usize = 60;

/// A stretch of a text between what stands around it, on one line.
fn excerpt(text: &str, span: &Range<usize>, name: &str) -> String {
    let (from, to) = (span.start.saturating_sub(AROUND), (span.end + AROUND).min(text.len()));
    let part = |range: Range<usize>| String::from_utf8_lossy(&text.as_bytes()[range]).escape_debug().to_string();
    let (before, behind) = (part(from..span.start), part(span.end..to));
    format!("{name}: {before}\u{00ab}{}\u{00bb}{behind}", part(span.clone()))
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{share:.3}"))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
