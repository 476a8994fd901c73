//! A JSON array that is sent element by element: each element is an event.
//!
//! An event's raw bytes begin with what stands before its element (the opening bracket, commas, blanks), so that
//! it can be given out as soon as the element is whole. What stands behind the last element is an event without a
//! payload.

use super::unframed::Unframed;
use super::{Closed, Event, Name, TooLarge, Unreadable};
use crate::wire::grammar::Said;
use crate::wire::queue::Payload;
use bytes::Bytes;

/// Cuts an array into its elements.
#[derive(Debug)]
pub(crate) struct Framer {
    bytes: Unframed,
    state: State,
    /// Brackets that are open. The array's own is one of them.
    depth: u32,
    /// Where the element at hand begins in the event at hand.
    element: u32,
    progress: Progress,
    largest_event: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before an element, or behind the array.
    Between,
    /// Within an element that brackets end, or not.
    Container,
    Scalar,
    String,
    Escape,
}

/// What has been seen of the array itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    is_open: bool,
    has_elements: bool,
}

impl Framer {
    /// A framer that refuses elements of more than `largest_event` bytes.
    pub(crate) fn new(largest_event: usize) -> Framer {
        Framer {
            bytes: Unframed::default(),
            state: State::Between,
            depth: 0,
            element: 0,
            progress: Progress::default(),
            largest_event: largest_event.min(u32::MAX as usize),
        }
    }

    /// Takes the next chunk. Call [`next`](Framer::next) until it gives `None` before the next push.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.bytes.push(chunk);
    }

    /// The next whole element, or the closing bracket, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, TooLarge> {
        while let Some(&byte) = self.bytes.rest().first() {
            let step = self.step(byte);
            if step != Step::EndsBefore {
                self.bytes.scan(1);
            }
            match step {
                Step::GoesOn => {}
                Step::Ends | Step::EndsBefore => {
                    self.within_limit()?;
                    return Ok(Some(self.give_out(Closed::Whole)));
                }
                Step::Closes => return Ok(Some(Event { name: Name::End, ..Event::new(self.bytes.take()) })),
            }
        }
        self.bytes.keep();
        self.within_limit().map(|()| None)
    }

    /// The stream is at its end: gives out what is left.
    /// An array that is not closed is [`Broken`](Unreadable::Broken).
    pub(crate) fn finish(&mut self) -> Result<Option<Event>, Unreadable> {
        match self.state {
            // What is left has no place in front of an ending.
            _ if self.progress.is_open => Err(Unreadable::Broken),
            _ if self.bytes.scanned() == 0 => Ok(None),
            State::Between => Ok(Some(Event { closed: Closed::ByEndOfStream, ..Event::new(self.bytes.take()) })),
            _ => Ok(Some(self.give_out(Closed::ByEndOfStream))),
        }
    }

    /// Writes elements behind those of the upstream, and closes the array.
    pub(crate) fn write(&self, said: &[Said]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut before: &[u8] = match self.progress {
            Progress { has_elements: true, .. } => b",\n",
            Progress { is_open: true, .. } => b"",
            _ => b"[",
        };
        for said in said {
            out.extend_from_slice(before);
            out.extend_from_slice(&said.data);
            before = b",\n";
        }
        if !said.is_empty() {
            out.push(b']');
        }
        out
    }

    fn step(&mut self, byte: u8) -> Step {
        match self.state {
            State::Between => return self.between(byte),
            State::Escape => self.state = State::String,
            State::String => match byte {
                b'\\' => self.state = State::Escape,
                b'"' if self.depth == u32::from(self.progress.is_open) => return Step::Ends,
                b'"' => self.state = State::Container,
                _ => {}
            },
            State::Container => match byte {
                b'"' => self.state = State::String,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == u32::from(self.progress.is_open) {
                        return Step::Ends;
                    }
                }
                _ => {}
            },
            State::Scalar => {
                if matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r') {
                    return Step::EndsBefore;
                }
            }
        }
        Step::GoesOn
    }

    fn between(&mut self, byte: u8) -> Step {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => return Step::GoesOn,
            b'[' if !self.progress.is_open && !self.progress.has_elements => {
                (self.depth, self.progress.is_open) = (1, true);
                return Step::GoesOn;
            }
            b']' if self.progress.is_open => {
                (self.depth, self.progress.is_open) = (0, false);
                return Step::Closes;
            }
            _ => {}
        }
        self.element = self.bytes.scanned() as u32;
        self.state = match byte {
            b'{' | b'[' => {
                self.depth += 1;
                State::Container
            }
            b'"' => State::String,
            _ => State::Scalar,
        };
        Step::GoesOn
    }

    fn give_out(&mut self, closed: Closed) -> Event {
        self.state = State::Between;
        self.progress.has_elements = true;
        let raw = self.bytes.take();
        let payload = Payload::Whole(self.element..raw.len() as u32);
        Event { payload, closed, ..Event::new(raw) }
    }

    fn within_limit(&self) -> Result<(), TooLarge> {
        if self.bytes.scanned() > self.largest_event { Err(TooLarge) } else { Ok(()) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    GoesOn,
    /// The element ends with this byte, or before it.
    Ends,
    EndsBefore,
    /// The array does.
    Closes,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::test_data::cuts;

    fn frame(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut framer = Framer::new(100);
        let mut out = Vec::new();
        let mut add = |event: Event| {
            let text = event.payload.text(&event.raw).unwrap_or_default().to_vec();
            out.push((String::from_utf8(event.raw.to_vec()).unwrap(), String::from_utf8(text).unwrap()));
        };
        for chunk in chunks {
            framer.push(Bytes::copy_from_slice(chunk));
            while let Some(event) = framer.next().unwrap() {
                add(event);
            }
        }
        framer.finish().ok().flatten().into_iter().for_each(&mut add);
        out
    }

    #[test]
    fn elements_are_events_however_they_are_cut() {
        for (input, elements) in [
            ("[{\"a\":[1,{}]}\r\n,\r\n{\"b\":2}\n]\n", vec![r#"{"a":[1,{}]}"#, r#"{"b":2}"#, "", ""]),
            (" [ ] ", vec!["", ""]),
            (r#"["x ]", 12,null,[3]]"#, vec![r#""x ]""#, "12", "null", "[3]", ""]),
            (r#"{"error":{"code":1}} "#, vec![r#"{"error":{"code":1}}"#, ""]),
            (r#"[{"a":"]}\"[{"}]"#, vec![r#"{"a":"]}\"[{"}"#, ""]),
            (r#"{"a":1},{"b"#, vec![r#"{"a":1}"#, r#"{"b"#]),
            ("", vec![]),
        ] {
            let whole = frame(&[input.as_bytes()]);
            assert_eq!(whole.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), elements, "{input}");
            assert_eq!(whole.iter().map(|(raw, _)| raw.as_str()).collect::<String>(), input);
            for chunks in cuts(input.as_bytes()) {
                assert_eq!(frame(&chunks), whole, "{input}");
            }
        }
    }

    #[test]
    fn an_array_that_is_not_closed_is_broken() {
        for input in ["[", r#"[{"a":1},"#, r#"[{"a":1}"#, r#"[{"a":1},{"b"#] {
            for chunks in cuts(input.as_bytes()) {
                let mut framer = Framer::new(100);
                for chunk in chunks {
                    framer.push(Bytes::copy_from_slice(chunk));
                    while framer.next().unwrap().is_some() {}
                }
                assert_eq!(framer.finish().unwrap_err(), Unreadable::Broken, "{input}");
            }
        }
    }

    #[test]
    fn an_element_beyond_the_limit_is_refused() {
        let mut framer = Framer::new(100);
        framer.push(format!("[{{\"a\":\"{}\"}}]", "x".repeat(100)).into());
        assert_eq!(framer.next().unwrap_err(), TooLarge);
    }
}
