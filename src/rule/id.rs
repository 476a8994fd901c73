//! The names of rules.

/// Whether the id of a rule is `pattern`, in which each `*` stands for any text, as in a rule file's `[[override]]`.
///
/// ```
/// use holdback::rule::id_fits;
///
/// assert!(id_fits("pii.email", "pii.*"));
/// assert!(!id_fits("pii.email", "pii"));
/// ```
pub fn id_fits(id: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => id == pattern,
        Some((start, rest)) => id
            .strip_prefix(start)
            .is_some_and(|id| (0..=id.len()).any(|at| id.is_char_boundary(at) && id_fits(&id[at..], rest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (id, pattern) in [("pii.email", "pii.email"), ("pii.email", "pii.*"), ("pii.email", "*"), ("a.b.c", "*.*c")]
        {
            assert!(id_fits(id, pattern), "{id} is {pattern}");
        }
        let others = [("pii.email", "pii"), ("pii.email", "*.mail"), ("pii.email", "secrets.*"), ("pii", "pii.*")];
        for (id, pattern) in others {
            assert!(!id_fits(id, pattern), "{id} is not {pattern}");
        }
    }
}
