//! The values in a sentence: numbers, durations, versions, names.
//!
//! Owns: what fills each kind of slot, and what is said of what does not.
//! Always holds: a value that is accepted can be carried out as it is.
//! Deliberately does not know: which sentence the slot is in.

use chaos::fault::{Call, Fault, Nth, Target};

use super::{Condition, EtcdVersion, MAX_SIZE, Span, words::Word};

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
    /// A member.
    Member(Target),
    /// Which one of several in a row.
    Nth(Nth),
    /// A call of the operator.
    Call(Call),
    /// A fault.
    Fault(Fault),
    /// A condition of the status.
    Condition(Condition),
    /// True or false.
    Truth(bool),
}

/// Words that a slot of this kind takes.
pub(super) fn width(slot: &str) -> usize {
    if slot == "member" { 2 } else { 1 }
}

/// The value that the words are, in a slot of this kind.
pub(super) fn fill(slot: &str, words: &[Word]) -> Result<Value, String> {
    let Some(word) = words.first() else {
        return Err(format!("{} is missing", describe(slot)));
    };
    if slot == "member" {
        return member(words);
    }
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
        "mebibytes" => number(text, 1, 65_536),
        "gibibytes" => number(text, 1, 1024),
        "duration" => text.parse().map(Value::Span),
        "version" => text.parse().map(Value::Version),
        "name" => name(text),
        "title" => title(text),
        "nth" => text.parse().map(Value::Nth),
        "call" => text.parse().map(Value::Call),
        "condition" => text.parse().map(Value::Condition),
        "truth" => match text {
            "true" => Ok(Value::Truth(true)),
            "false" => Ok(Value::Truth(false)),
            _ => Err(format!("`{text}` is neither `true` nor `false`")),
        },
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

fn member(words: &[Word]) -> Result<Value, String> {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let target = match texts[..] {
        ["the", "leader"] => Target::Leader,
        ["a", "follower"] => Target::Follower,
        ["a", "learner"] => Target::Learner,
        ["member", ordinal] => match number(ordinal, 0, MAX_SIZE)? {
            Value::Number(ordinal) => Target::Ordinal(ordinal),
            _ => return Err(format!("`{ordinal}` is not a number")),
        },
        _ => {
            let text = texts.join(" ");
            return Err(format!("`{text}` is not {}", describe("member")));
        }
    };
    Ok(Value::Member(target))
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
        "mebibytes" => "a number of mebibytes",
        "gibibytes" => "a number of gibibytes",
        "duration" => "a duration",
        "version" => "a version of etcd",
        "name" => "a name",
        "title" => "a title",
        "member" => "`the leader`, `a follower`, `a learner` or `member N`",
        "nth" => "`next`, `2nd`, `3rd` or the like",
        "call" => "a call of the operator",
        "fault" => "what goes wrong",
        "condition" => "a condition",
        "truth" => "`true` or `false`",
        _ => "a value",
    }
}
