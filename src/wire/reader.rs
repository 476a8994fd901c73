//! Reads events one after the other, most of them by what they have in common with the one before.

use super::Failure;
use super::json::{Fit, Kind, Tape};
use super::table::{Found, Names, Part, Table, Walked};

/// Reads the events of a stream.
#[derive(Debug)]
pub(crate) struct Reader {
    /// The event that was read last, and the kind that its framing gave it.
    text: Vec<u8>,
    named: Vec<u8>,
    tape: Tape,
    walked: Walked,
    names: Names,
    /// Its strings that are expected to be different in the next one, by node.
    open: Vec<u32>,
    spare: Tape,
}

impl Reader {
    /// A reader that tells apart choices of up to `most` names.
    pub(crate) fn new(most: usize) -> Reader {
        Reader {
            text: Vec::new(),
            named: Vec::new(),
            tape: Tape::default(),
            walked: Walked::default(),
            names: Names::new(most),
            open: Vec::new(),
            spare: Tape::default(),
        }
    }

    /// Reads an event, which its framing may have `named`, and finds what the table names in it.
    pub(crate) fn read(&mut self, table: &Table, named: &[u8], text: &[u8]) -> Result<(), Failure> {
        if self.named != named || self.tape.refit(&self.text, text, &self.open) == Fit::Differs {
            self.spare.read(text).map_err(|_| Failure::Malformed)?;
            self.open.clear();
            self.spare.differing(text, &self.tape, &self.text, &mut self.open);
            std::mem::swap(&mut self.tape, &mut self.spare);
            let Walked { kind, .. } = &mut self.walked;
            kind.clear();
            kind.extend_from_slice(named);
            table.walk(&self.tape, text, &mut self.names, &mut self.walked).map_err(|_| Failure::Malformed)?;
            let Walked { found, fixed, .. } = &self.walked;
            let is_string =
                |found: &&Found| found.part == Part::Value && self.tape.node(found.node as usize).kind == Kind::String;
            self.open.extend(found.iter().filter(is_string).map(|found| found.node));
            self.open.retain(|node| !fixed.contains(node));
            self.open.sort_unstable();
            self.open.dedup();
        }
        self.named.clear();
        self.named.extend_from_slice(named);
        self.text.clear();
        self.text.extend_from_slice(text);
        Ok(())
    }

    /// How many names tell choices apart.
    pub(crate) fn names(&self) -> usize {
        self.names.len()
    }

    /// Keeps only names with these numbers.
    pub(crate) fn retain_names(&mut self, stays: impl Fn(u32) -> bool) {
        self.names.retain(stays);
        // What was read last has numbers in it.
        self.tape = Tape::default();
    }

    pub(crate) fn tape(&self) -> &Tape {
        &self.tape
    }

    /// The kind of the event, as it says itself or else its framing.
    pub(crate) fn kind(&self) -> &[u8] {
        &self.walked.kind
    }

    pub(crate) fn found(&self) -> &[Found] {
        &self.walked.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dialects::openai_chat;
    use crate::wire::test_data::Random;

    /// Events that are alike and unlike, one after the other: each is read as if it were the only one.
    #[test]
    fn what_came_before_makes_no_difference() {
        let mut random = Random::seeded(5);
        let table = Table::new(&openai_chat::LAYOUT);
        for _ in 0..2_000 {
            let mut reader = Reader::new(8);
            for _ in 0..10 {
                let strings = ["", "a", "some more text", "\\n", "\\\"q\\\"", "é", "\\ud83c", "[]", "\u{1}", "x\\"];
                let mut string = || format!("\"{}\"", random.pick(&strings));
                let (id, content, reasoning, padding) = (string(), string(), string(), string());
                let shapes = [
                    format!(
                        r#"{{"id":{id},"choices":[{{"index":0,"delta":{{"content":{content}}}}}],"obfuscation":{padding}}}"#
                    ),
                    format!(
                        r#"{{"id":"1","choices":[{{"index":0,"delta":{{"content":{content}}}}}],"obfuscation":"x"}}"#
                    ),
                    format!(
                        r#"{{"id":"1","choices":[{{"index":1,"delta":{{"reasoning":{reasoning},"content":{content}}},"finish_reason":{id}}}]}}"#
                    ),
                    format!(r#"{{"choices":[{{"delta":{{{content}:{reasoning}}}}}]}}"#),
                ];
                let text = &shapes[random.below(4)];
                let read = reader.read(&table, b"", text.as_bytes());
                let (mut tape, mut walked) = (Tape::default(), Walked::default());
                let afresh = tape.read(text.as_bytes()).is_ok()
                    && table.walk(&tape, text.as_bytes(), &mut Names::new(8), &mut walked).is_ok();
                assert_eq!(read.is_ok(), afresh, "{text}");
                if read.is_err() {
                    break;
                }
                assert_eq!(reader.found(), walked.found, "{text}");
                assert_eq!(format!("{:?}", reader.tape().nodes()), format!("{:?}", tape.nodes()), "{text}");
            }
        }
    }
}
