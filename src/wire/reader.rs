//! Reads events one after the other, most of them by what they have in common with the one before.

use super::Failure;
use super::json::{Fit, Kind, Tape};
use super::table::{Found, Part, Table};

/// Reads the events of a stream.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// The event that was read last.
    text: Vec<u8>,
    tape: Tape,
    found: Vec<Found>,
    /// Its strings that are expected to be different in the next one, by node.
    open: Vec<u32>,
    spare: Tape,
}

impl Reader {
    /// Reads an event and finds what the table names in it.
    pub(crate) fn read(&mut self, table: &Table, text: &[u8]) -> Result<(), Failure> {
        if self.tape.refit(&self.text, text, &self.open) == Fit::Differs {
            self.spare.read(text).map_err(|_| Failure::Malformed)?;
            self.open.clear();
            self.spare.differing(text, &self.tape, &self.text, &mut self.open);
            std::mem::swap(&mut self.tape, &mut self.spare);
            table.walk(&self.tape, text, &mut self.found).map_err(|_| Failure::Malformed)?;
            let is_string =
                |found: &&Found| found.part == Part::Value && self.tape.node(found.node as usize).kind == Kind::String;
            self.open.extend(self.found.iter().filter(is_string).map(|found| found.node));
            self.open.sort_unstable();
            self.open.dedup();
        }
        self.text.clear();
        self.text.extend_from_slice(text);
        Ok(())
    }

    pub(crate) fn tape(&self) -> &Tape {
        &self.tape
    }

    pub(crate) fn found(&self) -> &[Found] {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::openai_chat;
    use crate::wire::test_data::Random;

    /// Events that are alike and unlike, one after the other: each is read as if it were the only one.
    #[test]
    fn what_came_before_makes_no_difference() {
        let mut random = Random::seeded(5);
        let table = Table::new(openai_chat::ROWS);
        for _ in 0..2_000 {
            let mut reader = Reader::default();
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
                let read = reader.read(&table, text.as_bytes());
                let (mut tape, mut found) = (Tape::default(), Vec::new());
                let afresh =
                    tape.read(text.as_bytes()).is_ok() && table.walk(&tape, text.as_bytes(), &mut found).is_ok();
                assert_eq!(read.is_ok(), afresh, "{text}");
                if read.is_err() {
                    break;
                }
                assert_eq!(reader.found(), found, "{text}");
                assert_eq!(format!("{:?}", reader.tape().nodes()), format!("{:?}", tape.nodes()), "{text}");
            }
        }
    }
}
