//! `holdback train`: labelled texts become a model for a check.

use super::{Exit, lines};
use anyhow::{Context, bail};
use holdback::check::linear::{Measured, Report, Trained, Trainer};
use serde_json::{Map, Value};
use std::io::{self, LineWriter, Write};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "\
A line of the data is a JSON object. The field of a label has its name, a list of names, or true, false, 1 or 0; null is \
no label. The texts are divided by their hashes: seven tenths train, one tenth chooses the thresholds, and all figures \
are of the two tenths that are held out. AP is the average precision, AUC the area under the ROC curve.\n
The model's file tells something of the texts that it was trained on: whoever has it can test whether a word was among \
them.\n
Exit code: 0, or 1 if a file cannot be read or there is nothing to learn; 2 wrong usage")]
pub(super) struct Args {
    /// The field that has the text
    #[arg(long, value_name = "FIELD")]
    text: String,
    /// The field that has the labels; may be given again
    #[arg(long = "label", value_name = "FIELD", required = true)]
    labels: Vec<String>,
    /// Where the model goes
    #[arg(long, short, value_name = "MODEL.json")]
    output: PathBuf,
    /// The label of a text whose field is true or 1; of several fields each is called by its own name instead
    #[arg(long, value_name = "NAME", default_value = "positive")]
    positive: String,
    /// A name in the field that says that there is no label, such as `neg`; may be given again
    #[arg(long = "negative", value_name = "NAME")]
    negatives: Vec<String>,
    /// Bits of a bucket's number: each more doubles the model in memory, 1 MiB a label at 18
    #[arg(long, value_name = "NUMBER", default_value = "18", value_parser = clap::value_parser!(u32).range(8..=24))]
    bits: u32,
    /// Choose the lowest thresholds that have this precision, in place of those with the best F1
    #[arg(long, value_name = "SHARE", value_parser = precision)]
    precision: Option<f64>,
    /// Divide and order the texts otherwise: figures that change much with it say little
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    seed: u64,
    /// Files of JSON lines, gzip or not
    #[arg(required = true, value_name = "DATA.jsonl")]
    files: Vec<PathBuf>,
}

fn precision(text: &str) -> Result<f64, String> {
    let precision: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if precision > 0.0 && precision <= 1.0 { Ok(precision) } else { Err("it is above 0 and at most 1".to_owned()) }
}

/// A text and its labels.
type Sample = (String, Vec<String>);

/// Faults that are printed before the rest is only counted.
const PRINTED: usize = 20;

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let mut samples = Vec::new();
    let mut faults = 0;
    for path in &args.files {
        let file = lines::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let read = lines::each_line(file, |line, bytes| {
            match args.sample(bytes) {
                Ok(sample) => samples.push(sample),
                Err(reason) => {
                    faults += 1;
                    if faults <= PRINTED {
                        eprintln!("error: {}:{line}: {reason}", path.display());
                    }
                }
            }
            Ok(())
        });
        read.with_context(|| format!("cannot read {}", path.display()))?;
    }
    if faults > 0 {
        bail!("{faults} lines are no labelled texts; nothing was trained");
    }
    let mut trainer = Trainer::new().bits(args.bits).seed(args.seed);
    if let Some(precision) = args.precision {
        trainer = trainer.precision(precision);
    }
    let Trained { model, report, .. } = trainer.train(samples).context("cannot train")?;
    let json = model.to_json();
    std::fs::write(&args.output, &json).with_context(|| format!("cannot write {}", args.output.display()))?;
    write_report(&report, &args.output, json.len(), &mut LineWriter::new(io::stdout().lock()))?;
    for label in &report.labels {
        label.warnings.iter().for_each(|warning| eprintln!("warning: {}: {warning}", label.label));
    }
    Ok(Exit::Fine)
}

impl Args {
    /// Reads a line.
    fn sample(&self, line: &[u8]) -> Result<Sample, String> {
        let fields: Map<String, Value> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let field = |name: &str| fields.get(name).ok_or_else(|| format!("it has no field `{name}`"));
        let Value::String(text) = field(&self.text)? else { return Err(format!("`{}` is no text", self.text)) };
        let mut labels = Vec::new();
        for name in &self.labels {
            let value = field(name)?;
            let of = |value: &Value| value.as_str().map(str::to_owned);
            match value {
                Value::Null | Value::Bool(false) => {}
                Value::Bool(true) => labels.push(self.named(name)),
                Value::Number(number) if number.as_f64() == Some(0.0) => {}
                Value::Number(number) if number.as_f64() == Some(1.0) => labels.push(self.named(name)),
                Value::Number(number) => return Err(format!("`{name}` is {number}, neither 0 nor 1")),
                Value::String(label) => labels.push(label.clone()),
                Value::Array(list) => {
                    let names: Option<Vec<String>> = list.iter().map(of).collect();
                    labels.extend(names.ok_or_else(|| format!("`{name}` lists what is no name"))?);
                }
                Value::Object(_) => return Err(format!("`{name}` is an object, not a name or a list of names")),
            }
        }
        labels.retain(|label| !label.is_empty() && !self.negatives.contains(label));
        Ok((text.clone(), labels))
    }

    /// The label that a field means where it only says that there is one.
    fn named(&self, field: &str) -> String {
        if self.labels.len() == 1 { self.positive.clone() } else { field.to_owned() }
    }
}

fn write_report(report: &Report, output: &Path, bytes: usize, out: &mut impl Write) -> io::Result<()> {
    let Report { training, tuning, held_out, .. } = report;
    let total = training + tuning + held_out;
    writeln!(out, "{total} texts: {training} train, {tuning} choose thresholds, {held_out} are held out")?;
    let width = report.labels.iter().map(|label| label.label.chars().count()).max().unwrap_or_default().max(5);
    writeln!(
        out,
        "  {:width$}   texts  threshold  precision  recall     F1     AP    AUC  found  false  missed  quiet",
        "label"
    )?;
    for Measured { label, threshold, texts, confusion, average_precision, roc_auc, .. } in &report.labels {
        let [precision, recall, f1, average, auc] =
            [confusion.precision(), confusion.recall(), confusion.f1(), *average_precision, *roc_auc].map(share);
        let [found, alarms] = [confusion.true_positives, confusion.false_positives];
        let [missed, quiet] = [confusion.false_negatives, confusion.true_negatives];
        writeln!(
            out,
            "  {label:width$}  {texts:6}  {threshold:9.3}  {precision:>9}  {recall:>6}  {f1:>5}  {average:>5}  {auc:>5}  \
             {found:5}  {alarms:5}  {missed:6}  {quiet:5}"
        )?;
    }
    writeln!(out, "written to {} ({} KiB)", output.display(), bytes.div_ceil(1024))
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{share:.3}"))
}
