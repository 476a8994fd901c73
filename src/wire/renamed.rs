//! Keys that were edited. Two members of the same name would be one to a client, or an error to a server.

use super::json::{Kind, Tape, unescape_into};
use super::queue::Edit;
use std::collections::{BTreeMap, BTreeSet};

/// Members of one JSON text whose keys were edited, and which of the edits did it.
#[derive(Debug, Default)]
pub(crate) struct Renamed(BTreeMap<usize, usize>);

impl Renamed {
    pub(crate) fn note(&mut self, member: u32, edit: usize) {
        self.0.insert(member as usize, edit);
    }

    /// Numbers the edited keys that another key of their object, edited or not, is equal to. In document order the first
    /// of several keeps its name, unless one has it that was never edited.
    pub(crate) fn tell_apart(&self, tape: &Tape, text: &[u8], edits: &mut [Edit]) {
        if self.0.is_empty() {
            return;
        }
        for object in tape.of_kind(Kind::Object) {
            if tape.children(object).any(|member| self.0.contains_key(&member)) {
                self.tell_members_apart(object, tape, text, edits);
            }
        }
    }

    fn tell_members_apart(&self, object: usize, tape: &Tape, text: &[u8], edits: &mut [Edit]) {
        let others = tape.children(object).filter(|member| !self.0.contains_key(member));
        let mut taken: BTreeSet<Vec<u8>> =
            others.map(|member| tape.key(text, member, &mut Vec::new()).to_vec()).collect();
        // How far the numbers of a name are used up, so that nobody can make us count them anew for each key.
        let mut numbers: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for edit in tape.children(object).filter_map(|member| self.0.get(&member)) {
            let key = &mut edits[*edit].with;
            let mut name = Vec::new();
            unescape_into(key, &mut name);
            let number = numbers.entry(name.clone()).or_insert(1);
            let mut suffix = String::new();
            while !taken.insert([&name, suffix.as_bytes()].concat()) {
                *number += 1;
                suffix = format!(" ({number})");
            }
            key.extend_from_slice(suffix.as_bytes());
        }
    }
}
