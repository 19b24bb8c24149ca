//! The one line that runs something again.
//!
//! Owns: writing a command as a shell would read it, and reading it back.
//! Always holds: splitting what was joined gives the same words.
//! Deliberately does not know: which options there are.

/// Joins words into one line that a POSIX shell splits into the same words.
#[must_use]
pub fn join(words: &[String]) -> String {
    words
        .iter()
        .map(|word| quote(word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Splits a line into words as a POSIX shell does, as far as [`join`] needs it.
///
/// # Errors
/// When a quote is never closed.
pub fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some(inside) if inside == c => break,
                        Some(inside) => word.push(inside),
                        None => return Err("a quote is never closed"),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_words_stay_plain() {
        let words = ["run", "walk-1", "--seed", "7"].map(str::to_owned);
        assert_eq!(join(&words), "run walk-1 --seed 7");
    }

    proptest! {
        #[test]
        fn what_was_joined_splits_into_the_same_words(
            words in proptest::collection::vec("[ -~é]{0,8}", 0..6),
        ) {
            prop_assert_eq!(split(&join(&words)), Ok(words));
        }
    }
}
