//! Counting what was found against what was to be found.

use std::ops::Range;

/// Findings and labels that overlap by this share of what both cover together are one.
const SAME: f64 = 0.5;

/// What the rules made of texts that have something in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    /// Spans, or texts where only those are labelled.
    pub(super) wanted: usize,
    pub(super) found: usize,
    pub(super) wanted_bytes: usize,
    pub(super) found_bytes: usize,
    /// Findings where nothing was to be found.
    pub(super) alarms: usize,
}

/// What they made of texts that have nothing in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quiet {
    pub(super) texts: usize,
    pub(super) bytes: usize,
    /// Texts with an alarm.
    pub(super) flagged: usize,
    pub(super) alarms: usize,
}

impl Score {
    /// Counts one text's findings against its labels; gives back the labels that were missed and the findings that
    /// were false.
    pub(super) fn count(&mut self, wanted: &[Range<usize>], found: &[Range<usize>]) -> (Vec<usize>, Vec<usize>) {
        let is_false = |at: &usize| !wanted.iter().any(|span| overlap(span, &found[*at]) >= SAME);
        let alarms: Vec<usize> = (0..found.len()).filter(is_false).collect();
        self.alarms += alarms.len();
        (self.count_wanted(wanted, found), alarms)
    }

    /// Counts labels only: findings may be of others. Gives back the labels that were missed.
    pub(super) fn count_wanted(&mut self, wanted: &[Range<usize>], found: &[Range<usize>]) -> Vec<usize> {
        let is_missed = |at: &usize| !found.iter().any(|span| overlap(span, &wanted[*at]) >= SAME);
        let missed: Vec<usize> = (0..wanted.len()).filter(is_missed).collect();
        self.wanted += wanted.len();
        self.found += wanted.len() - missed.len();
        for span in wanted {
            self.wanted_bytes += span.len();
            self.found_bytes += span.clone().filter(|at| found.iter().any(|found| found.contains(at))).count();
        }
        missed
    }

    /// Counts a text in which something is, nobody says where.
    pub(super) fn count_text(&mut self, is_found: bool) {
        self.wanted += 1;
        self.found += usize::from(is_found);
    }

    /// Share of what was to be found, 0 to 1.
    pub(super) fn recall(&self) -> Option<f64> {
        share(self.found, self.wanted)
    }

    /// Share of the bytes that were to be found.
    pub(super) fn byte_recall(&self) -> Option<f64> {
        share(self.found_bytes, self.wanted_bytes)
    }

    /// Share of the findings that were right.
    pub(super) fn precision(&self) -> Option<f64> {
        share(self.found, self.found + self.alarms)
    }
}

impl Quiet {
    pub(super) fn count(&mut self, text: &str, alarms: usize) {
        self.texts += 1;
        self.bytes += text.len();
        self.flagged += usize::from(alarms > 0);
        self.alarms += alarms;
    }

    /// Share of the texts that have an alarm.
    pub(super) fn flagged_share(&self) -> Option<f64> {
        share(self.flagged, self.texts)
    }

    /// Alarms in a million bytes.
    pub(super) fn alarms_per_mb(&self) -> Option<f64> {
        (self.bytes > 0).then(|| self.alarms as f64 * 1e6 / self.bytes as f64)
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Intersection over union.
fn overlap(a: &Range<usize>, b: &Range<usize>) -> f64 {
    let both = a.end.min(b.end).saturating_sub(a.start.max(b.start));
    both as f64 / (a.len() + b.len() - both) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_is_found_and_less_is_an_alarm() {
        let mut score = Score::default();
        let (missed, alarms) = score.count(&[0..10, 20..30, 40..50], &[0..5, 26..30, 60..70]);
        assert_eq!((missed, alarms), (vec![1, 2], vec![1, 2]));
        assert_eq!(score, Score { wanted: 3, found: 1, wanted_bytes: 30, found_bytes: 9, alarms: 2 });
        assert_eq!((score.recall(), score.precision()), (Some(1.0 / 3.0), Some(1.0 / 3.0)));
        assert_eq!(score.byte_recall(), Some(0.3));
        assert_eq!(Score::default().recall(), None);
    }

    #[test]
    fn quiet_texts_count_by_text_and_by_byte() {
        let mut quiet = Quiet::default();
        quiet.count("0123456789", 0);
        quiet.count("0123456789", 3);
        assert_eq!((quiet.flagged_share(), quiet.alarms_per_mb()), (Some(0.5), Some(150_000.0)));
    }
}
