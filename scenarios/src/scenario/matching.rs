//! Which sentence a line of words is.
//!
//! Owns: matching words against the table, and what could have stood at the first misfit.
//! Always holds: a line that is no sentence is refused at the first word that fits none.
//! Deliberately does not know: the wording of any sentence.

use super::{
    Action, faults,
    sentence::{Place, Sentence, Statement, sentences},
    slot::{Value, describe, fill, width},
    words::Word,
};

/// Why a line is no sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Index of the first word that fits nothing; the number of words when the line ends too soon.
    pub at: usize,
    /// What could stand there.
    pub expected: Vec<String>,
    /// The words that could stand there literally, for "did you mean".
    pub literals: Vec<&'static str>,
    /// Why the word is not the value that it should be.
    pub reason: Option<String>,
}

/// Finds the sentence that the words are.
///
/// # Errors
/// When none that may stand at `place` fits.
pub fn read(words: &[Word], place: Place) -> Result<Statement, Mismatch> {
    let here = sentences().filter(|sentence| sentence.places.contains(&place));
    read_one(words, here)
}

fn read_one(
    words: &[Word],
    sentences: impl Iterator<Item = &'static Sentence>,
) -> Result<Statement, Mismatch> {
    let mut best = Mismatch {
        at: 0,
        expected: Vec::new(),
        literals: Vec::new(),
        reason: None,
    };
    for sentence in sentences {
        match fit(words, sentence) {
            Ok(values) => {
                if let Some(statement) = sentence.make(&values) {
                    return Ok(statement);
                }
            }
            Err(mismatch) => best = further(best, mismatch),
        }
    }
    Err(best)
}

/// Keeps the mismatch that came further; of equals, joins what they expected.
fn further(mut best: Mismatch, other: Mismatch) -> Mismatch {
    match other.at.cmp(&best.at) {
        std::cmp::Ordering::Less => best,
        std::cmp::Ordering::Greater => other,
        std::cmp::Ordering::Equal => {
            for text in other.expected {
                if !best.expected.contains(&text) {
                    best.expected.push(text);
                }
            }
            best.literals.extend(other.literals);
            best.reason = best.reason.or(other.reason);
            best
        }
    }
}

/// How many words from the first on fit the sentence.
#[must_use]
pub fn fits_up_to(words: &[Word], sentence: &'static Sentence) -> usize {
    fit(words, sentence).map_or_else(|mismatch| mismatch.at, |_| words.len())
}

fn fit(words: &[Word], sentence: &'static Sentence) -> Result<Vec<Value>, Mismatch> {
    let mut values = Vec::new();
    let mut at = 0;
    for part in sentence.form.split(' ') {
        let word = words.get(at);
        if let Some(slot) = part
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'))
        {
            if slot == "fault" {
                values.push(fault(words, at)?);
                return Ok(values);
            }
            let taken = words.get(at..words.len().min(at + width(slot)));
            let filled = taken
                .filter(|taken| !taken.is_empty())
                .map(|it| fill(slot, it));
            match filled {
                Some(Ok(value)) => {
                    values.push(value);
                    at += width(slot) - 1;
                }
                other => {
                    let reason = other.and_then(Result::err);
                    let expected = vec![describe(slot).to_owned()];
                    return Err(Mismatch {
                        at,
                        expected,
                        literals: Vec::new(),
                        reason,
                    });
                }
            }
        } else if !word.is_some_and(|word| !word.quoted && part.split('|').any(|p| p == word.text))
        {
            let literals: Vec<&str> = part.split('|').collect();
            let expected = literals
                .iter()
                .take(1)
                .map(|text| format!("`{text}`"))
                .collect();
            return Err(Mismatch {
                at,
                expected,
                literals,
                reason: None,
            });
        }
        at += 1;
    }
    if at < words.len() {
        let expected = vec!["the end of the line".to_owned()];
        return Err(Mismatch {
            at,
            expected,
            literals: Vec::new(),
            reason: None,
        });
    }
    Ok(values)
}

/// The fault that the words from `at` on are.
fn fault(words: &[Word], at: usize) -> Result<Value, Mismatch> {
    let rest = words.get(at..).unwrap_or_default();
    match read_one(rest, faults::faults()) {
        Ok(Statement::Do(Action::Strike(strike))) => Ok(Value::Fault(strike.fault)),
        Ok(_) => Err(Mismatch {
            at,
            expected: vec![describe("fault").to_owned()],
            literals: Vec::new(),
            reason: None,
        }),
        Err(mismatch) => Err(Mismatch {
            at: at + mismatch.at,
            ..mismatch
        }),
    }
}
