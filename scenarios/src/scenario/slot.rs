//! The values in a sentence: numbers, durations, versions, names.
//!
//! Owns: what fills each kind of slot, and what is said of what does not.
//! Always holds: a value that is accepted can be carried out as it is.
//! Deliberately does not know: which sentence the slot is in.

use super::{EtcdVersion, MAX_SIZE, Span, words::Word};

/// A value that filled a slot.
#[derive(Clone, Debug)]
pub enum Value {
    /// A whole number.
    Number(u32),
    /// A length of time.
    Span(Span),
    /// A version of etcd.
    Version(EtcdVersion),
    /// A name or a title.
    Text(String),
}

/// The value that the word is, in a slot of this kind.
pub(super) fn fill(slot: &str, word: &Word) -> Result<Value, String> {
    let text = word.text.as_str();
    if word.quoted != (slot == "title") {
        let how = if word.quoted {
            "without quotes"
        } else {
            "in double quotes"
        };
        return Err(format!("{} is written {how}", describe(slot)));
    }
    match slot {
        "size" => number(text, 0, MAX_SIZE),
        "rate" => number(text, 0, 10_000),
        "keys" => number(text, 1, 10_000),
        "duration" => text.parse().map(Value::Span),
        "version" => text.parse().map(Value::Version),
        "name" => name(text),
        "title" => title(text),
        _ => Err(format!(
            "the table of sentences has an unknown slot `{slot}`"
        )),
    }
}

fn number(text: &str, least: u32, most: u32) -> Result<Value, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse::<u32>().ok()).flatten();
    match number.filter(|number| (least..=most).contains(number)) {
        Some(number) => Ok(Value::Number(number)),
        None => Err(format!("`{text}` is not a number from {least} to {most}")),
    }
}

fn name(text: &str) -> Result<Value, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fine = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(inner)
        && !text.ends_with('-')
        && text.len() <= 45;
    fine.then(|| Value::Text(text.to_owned())).ok_or_else(|| {
        format!("`{text}` is not a name: a-z, 0-9 and `-`, a letter first, 45 characters at most")
    })
}

fn title(text: &str) -> Result<Value, String> {
    let fine = !text.trim().is_empty() && text.trim() == text;
    fine.then(|| Value::Text(text.to_owned()))
        .ok_or_else(|| "a title has at least one character, and no blanks around it".to_owned())
}

/// The slot in words.
pub(super) fn describe(slot: &str) -> &'static str {
    match slot {
        "size" => "a number of members",
        "rate" => "a number per second",
        "keys" => "a number of keys",
        "duration" => "a duration",
        "version" => "a version of etcd",
        "name" => "a name",
        "title" => "a title",
        _ => "a value",
    }
}
