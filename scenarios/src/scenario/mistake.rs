//! What is said of a line that is no sentence.
//!
//! Owns: the words of such a diagnostic.
//! Always holds: it says what was expected, what was found, and which sentences go like the line.
//! Deliberately does not know: the rest of the file.

use super::{
    Diagnostic,
    matching::{Mismatch, fits_up_to},
    nearest::nearest,
    sentence::{Place, sentences, wording},
    words::Word,
};

/// The diagnostic for line `number`, which reads `text`.
pub(super) fn refuse(
    words: &[Word],
    mismatch: &Mismatch,
    (number, text): (usize, &str),
    place: Place,
) -> Diagnostic {
    let expected = either(&mismatch.expected);
    let found = words.get(mismatch.at);
    let (column, length) = match found {
        Some(word) => (word.column, word.length),
        None => (text.trim_end().chars().count() + 1, 1),
    };
    let message = match (found, &mismatch.reason) {
        (Some(_), Some(reason)) => reason.clone(),
        (Some(word), None) => format!("expected {expected}, found `{}`", word.text),
        (None, _) => format!("expected {expected}, found the end of the line"),
    };
    let near = found.and_then(|word| nearest(&word.text, &mismatch.literals));
    let mut diagnostic = Diagnostic::new(number, column, length, text, message);
    diagnostic.label = match mismatch.expected.len() {
        0..=3 => format!("expected {expected}"),
        _ => "no sentence goes on like this here".to_owned(),
    };
    diagnostic.help = near.map(|literal| format!("did you mean `{literal}`?"));
    diagnostic.allowed = allowed(words, mismatch, place);
    diagnostic
}

fn either(expected: &[String]) -> String {
    match expected {
        [] => "nothing more".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// The sentences that go like the line up to the mistake.
fn allowed(words: &[Word], mismatch: &Mismatch, place: Place) -> Vec<String> {
    sentences()
        .filter(|sentence| sentence.places.contains(&place))
        .filter(|sentence| fits_up_to(words, sentence) >= mismatch.at)
        .map(|sentence| wording(&sentence.form))
        .collect()
}
