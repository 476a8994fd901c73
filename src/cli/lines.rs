//! Files of JSON lines, and texts that are whole.

use flate2::read::MultiGzDecoder;
use holdback::{Channel, ChannelKind, Policy, Verdict};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Opens a file, through gzip if it begins like one.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    let is_gzip = file.fill_buf()?.starts_with(b"\x1f\x8b");
    Ok(if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// Hands on each line that is not blank, with its number, counted from 1.
pub(super) fn each_line(
    mut file: impl BufRead,
    mut take: impl FnMut(usize, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        if file.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        if !bytes.trim_ascii().is_empty() {
            take(line, &bytes)?;
        }
    }
    Ok(())
}

/// Every verdict on a whole text, in order of their spans.
pub(super) fn verdicts(policy: &Policy, kind: ChannelKind, text: &[u8]) -> Vec<Verdict> {
    let mut channel = Channel::new(policy, kind);
    let mut verdicts = channel.push(text).verdicts().to_vec();
    verdicts.extend_from_slice(channel.finish().verdicts());
    verdicts.sort_by_key(|verdict| (verdict.span.start, verdict.span.end));
    verdicts
}
