//! Rules of single characters: each maximal run of them is one match, and nothing else is ever held.

use super::pattern::Pattern;
use crate::error::Fault;

/// The pattern of maximal runs of `chars`, except those that stand right after one of `after`.
///
/// Both are code points and ranges as in `U+200B-U+200F, U+FEFF`.
pub(super) fn pattern(chars: &str, after: Option<&str>) -> Result<Pattern, Fault> {
    let class = class(chars)?;
    let before = match after {
        Some(after) => format!("{class}{}", self::class(after)?),
        None => class.clone(),
    };
    let runs = Pattern::regex(format!("[{class}]+")).unicode();
    Ok(runs.not_before(format!("[{before}]")).not_after(format!("[{class}]")))
}

/// The inside of a class.
fn class(ranges: &str) -> Result<String, Fault> {
    ranges
        .split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            match (point(first), point(last)) {
                (Some(first), Some(last)) if first <= last => {
                    Ok(format!(r"\u{{{:X}}}-\u{{{:X}}}", u32::from(first), u32::from(last)))
                }
                _ => Err(Fault::new(format!("`{}` is not a code point or a range of them", range.trim()))
                    .remedy("write them like `U+200B-U+200F, U+FEFF`")),
            }
        })
        .collect()
}

fn point(text: &str) -> Option<char> {
    let hex = text.trim().strip_prefix("U+")?;
    char::from_u32(u32::from_str_radix(hex, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_classes() {
        let pattern = pattern("U+E0000-U+E007F, U+FEFF", Some("U+1F3F4")).expect("good ranges");
        assert_eq!(pattern.regex, r"[\u{E0000}-\u{E007F}\u{FEFF}-\u{FEFF}]+");
        assert_eq!(pattern.not_before.as_deref(), Some(r"[\u{E0000}-\u{E007F}\u{FEFF}-\u{FEFF}\u{1F3F4}-\u{1F3F4}]"));
    }

    #[test]
    fn what_is_no_range_is_a_fault() {
        for ranges in ["", "200B", "U+", "U+110000", "U+D800", "U+B-U+A", "U+A-", "U+A,,U+B"] {
            assert!(class(ranges).is_err(), "{ranges}");
        }
    }
}
