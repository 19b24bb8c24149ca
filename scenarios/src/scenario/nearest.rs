//! "Did you mean": the closest of some words.
//!
//! Owns: the distance between two words.
//! Always holds: what is too far away is not offered.
//! Deliberately does not know: what the words are.

/// The closest of `candidates`, when it is close enough to be what was meant.
#[must_use]
pub fn nearest<'a>(text: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let close = (text.chars().count() / 3).max(1);
    let ranked = candidates
        .iter()
        .map(|candidate| (distance(text, candidate), *candidate));
    ranked
        .filter(|(edits, _)| *edits <= close)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, it)| it)
}

/// Edits from one text to the other: insert, delete, replace, swap neighbours.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before_last = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1; to.len() + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                row[j + 1] = row[j + 1].min(before_last[j - 1] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_what_was_meant() {
        let words = ["create", "scale", "delete"];
        for (typo, meant) in [("craete", "create"), ("scal", "scale"), ("dlete", "delete")] {
            assert_eq!(nearest(typo, &words), Some(meant));
        }
    }

    #[test]
    fn another_word_finds_nothing() {
        assert_eq!(nearest("upgrade", &["create", "scale", "delete"]), None);
    }
}
