//! Which texts a model learns from, and which only measure it.

use super::features::{Fnv, characters};
use super::train::Sample;
use std::collections::{BTreeMap, BTreeSet};

/// What a text is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// To train.
    Training,
    /// To choose thresholds. They are apart, or the figures would flatter thresholds that were chosen to have them.
    Tuning,
    /// To measure.
    HeldOut,
}

const TUNING_SHARE: f64 = 0.1;
const HELD_OUT_SHARE: f64 = 0.2;

/// Texts that are the same to a model, and must not stand on both sides.
#[derive(Default)]
struct Group {
    labels: BTreeSet<usize>,
    members: Vec<usize>,
}

/// The part of each sample. Every label's texts are divided alike, as far as there are enough; who goes where is up to
/// the texts' hashes, so the order of the samples makes no difference.
pub(super) fn split(samples: &[Sample], labels: usize, seed: u64) -> Vec<Part> {
    let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
    for (at, sample) in samples.iter().enumerate() {
        let group = groups.entry(hash(&sample.text, seed)).or_default();
        group.labels.extend(&sample.labels);
        group.members.push(at);
    }
    let mut counts = vec![0_usize; labels];
    groups.values().flat_map(|group| &group.labels).for_each(|label| counts[*label] += 1);
    // A text with several labels stands with the rarest, which has the least to give.
    let mut strata: BTreeMap<Option<usize>, Vec<&Group>> = BTreeMap::new();
    for group in groups.values() {
        let rarest = group.labels.iter().copied().min_by_key(|label| counts[*label]);
        strata.entry(rarest).or_default().push(group);
    }
    let mut parts = vec![Part::Training; samples.len()];
    for groups in strata.values() {
        let share = |share: f64| ((groups.len() as f64 * share).round() as usize).max(usize::from(groups.len() >= 3));
        let (held_out, tuning) = (share(HELD_OUT_SHARE), share(TUNING_SHARE));
        for (place, group) in groups.iter().enumerate() {
            let part = match place {
                place if place < held_out => Part::HeldOut,
                place if place < held_out + tuning => Part::Tuning,
                _ => break,
            };
            group.members.iter().for_each(|at| parts[*at] = part);
        }
    }
    parts
}

fn hash(text: &str, seed: u64) -> u64 {
    let start = Fnv::new().bytes(&seed.to_le_bytes());
    let hash = characters(text).iter().fold(start, |hash, c| hash.bytes(c.encode_utf8(&mut [0; 4]).as_bytes()));
    // The order of the hashes decides, and FNV's upper bits say little of the last characters.
    let hash = (hash.value() ^ (hash.value() >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Sample> {
        let sample = |n: usize| Sample {
            text: format!("text {}", n % 700),
            labels: if (n % 700).is_multiple_of(10) { vec![1] } else { vec![0] },
        };
        (0..1000).map(sample).collect()
    }

    #[test]
    fn labels_are_divided_alike() {
        let samples = samples();
        let parts = split(&samples[..700], 2, 0);
        let count = |part, label| (0..700).filter(|at| parts[*at] == part && samples[*at].labels == [label]).count();
        assert_eq!([Part::HeldOut, Part::Tuning].map(|part| count(part, 1)), [14, 7]);
        assert_eq!([Part::HeldOut, Part::Tuning].map(|part| count(part, 0)), [126, 63]);
    }

    #[test]
    fn the_same_text_never_stands_on_two_sides() {
        let mut samples = samples();
        samples[900].text = " TEXT\t200 ".to_owned();
        let parts = split(&samples, 2, 0);
        assert!((700..1000).all(|at| parts[at] == parts[at - 700]));
        assert_ne!(parts, split(&samples, 2, 1), "the seed divides them otherwise");
    }

    #[test]
    fn order_makes_no_difference() {
        let mut samples = samples();
        let parts = split(&samples, 2, 0);
        samples.reverse();
        let backwards: Vec<Part> = split(&samples, 2, 0).into_iter().rev().collect();
        assert_eq!(backwards, parts);
    }

    #[test]
    fn what_is_too_rare_to_divide_is_learned_from() {
        let samples = [0, 1].map(|n| Sample { text: n.to_string(), labels: vec![0] });
        assert_eq!(split(&samples, 1, 0), [Part::Training; 2]);
    }
}
