//! What the checks of a stream are asked, and what they have answered.

use crate::hold::{Judgement, Passage, PassageId, Unjudged};
use crate::policy::Policy;
use std::collections::{HashMap, VecDeque};

/// Each passage is asked about once, wherever and however often it stands in the stream: deltas, and what shows them
/// again, are judged alike.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    /// Not handed on yet.
    passages: VecDeque<Passage>,
    /// Handed on or about to be, and not answered, each with the lanes that it is of.
    asked: HashMap<PassageId, Vec<u32>>,
    answers: HashMap<PassageId, Result<Judgement, Unjudged>>,
}

/// Some 8 MiB of text in sentences. What is older and shown again is asked about again.
const MOST_ANSWERS: usize = 1 << 16;

impl Asking {
    /// Nothing asked yet; `None` under a policy without checks.
    pub(crate) fn under(policy: &Policy) -> Option<Box<Asking>> {
        (policy.checks().len() > 0).then(Box::default)
    }

    /// Asks about a passage of a lane; gives back the answer if there is one already.
    pub(crate) fn ask(&mut self, passage: Passage, lane: u32) -> Option<Result<Judgement, Unjudged>> {
        if let Some(answer) = self.answers.get(&passage.id()) {
            return Some(answer.clone());
        }
        let lanes = self.asked.entry(passage.id()).or_default();
        if lanes.is_empty() {
            self.passages.push_back(passage);
        }
        if lanes.last() != Some(&lane) {
            lanes.push(lane);
        }
        None
    }

    pub(crate) fn next_passage(&mut self) -> Option<Passage> {
        self.passages.pop_front()
    }

    /// How many passages wait for their answers.
    pub(crate) fn outstanding(&self) -> usize {
        self.asked.len()
    }

    /// Remembers an answer; gives back the lanes that the passage is of.
    pub(crate) fn remember(&mut self, passage: PassageId, judged: Result<Judgement, Unjudged>) -> Vec<u32> {
        let Some(lanes) = self.asked.remove(&passage) else { return Vec::new() };
        if self.answers.len() >= MOST_ANSWERS {
            self.answers.clear();
        }
        self.answers.insert(passage, judged);
        lanes
    }
}
