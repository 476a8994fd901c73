//! A rule as its file would say it.

use super::pattern::Unicode;
use super::{Case, Matcher, Mode, Rule, Unclosed};
use std::fmt;

/// Longer patterns and lists nobody reads.
const SHOWN_CHARS: usize = 600;

/// What the rule looks for, in the words of rule files, a line each.
///
/// ```
/// use holdback::Rule;
///
/// let rule = Rule::regex("acme.ticket", r"TCK-\d{4}").max_len(16);
/// assert_eq!(rule.to_string(), "regex = 'TCK-\\d{4}'\nmax_len = 16\n");
/// ```
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = match &self.matcher {
            Matcher::Pattern(pattern) => {
                if let Some(spelled) = &pattern.spelled {
                    // What else the pattern has comes of the list's own settings.
                    writeln!(f, "words.list = {}", shown(&format!("{:?}", spelled.words)))?;
                    if let (Some(_), Some((near, _))) = (&pattern.capture, pattern.regex.split_once("(?P<")) {
                        writeln!(f, "behind = '{}'", shown(near))?;
                    }
                } else {
                    writeln!(f, "regex = '{}'", shown(&pattern.regex))?;
                    let parts = [
                        ("capture", &pattern.capture),
                        ("not_before", &pattern.not_before),
                        ("not_after", &pattern.not_after),
                    ];
                    for (key, value) in parts {
                        if let Some(value) = value {
                            writeln!(f, "{key} = '{}'", shown(value))?;
                        }
                    }
                    if pattern.unicode == Unicode::Unicode {
                        writeln!(f, "unicode = true")?;
                    }
                }
                if pattern.mode == Mode::Shortest {
                    writeln!(f, "mode = \"shortest\"")?;
                }
                pattern.case
            }
            Matcher::Block(block) => {
                writeln!(f, "block.open = '{}'", shown(&block.open))?;
                writeln!(f, "block.close = '{}'", shown(&block.close))?;
                writeln!(f, "block.max_len = {}", block.max_len)?;
                if block.unclosed == Unclosed::Terminate {
                    writeln!(f, "block.unclosed = \"terminate\"")?;
                }
                block.case
            }
        };
        if case == Case::AsciiInsensitive {
            writeln!(f, "case = \"ascii-insensitive\"")?;
        }
        if !self.validators.is_empty() {
            let names: Vec<_> = self.validators.iter().map(|validator| format!("{:?}", validator.name())).collect();
            writeln!(f, "validate = [{}]", names.join(", "))?;
        }
        match self.max_len {
            Some(bytes) => writeln!(f, "max_len = {bytes}"),
            None => Ok(()),
        }
    }
}

fn shown(pattern: &str) -> String {
    match pattern.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}… ({} characters)", &pattern[..at], pattern.chars().count()),
        None => pattern.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Block, Pattern, Validator};
    use super::*;

    #[test]
    fn every_part_is_said() {
        let pattern = Pattern::regex("k=(?P<v>[a-z]+)").capture("v").not_after("[a-z]").case(Case::AsciiInsensitive);
        let rule = Rule::pattern("r", pattern.unicode()).validate(Validator::luhn()).max_len(9);
        let wanted = "regex = 'k=(?P<v>[a-z]+)'\ncapture = 'v'\nnot_after = '[a-z]'\nunicode = true\n\
                      case = \"ascii-insensitive\"\nvalidate = [\"luhn\"]\nmax_len = 9\n";
        assert_eq!(rule.to_string(), wanted);
        let block = Rule::block("b", Block::new("<", ">", 7).unclosed(Unclosed::Terminate)).to_string();
        assert_eq!(block, "block.open = '<'\nblock.close = '>'\nblock.max_len = 7\nblock.unclosed = \"terminate\"\n");
        let long = Rule::literal("l", "ä".repeat(700)).to_string();
        assert!(long.ends_with("… (700 characters)'\n"), "{long}");
    }
}
