//! Every sentence that a scenario file may contain, in one table.
//!
//! Owns: the wording, where each sentence may stand, and how words are matched against it.
//! Always holds: a line that matches no sentence is refused at the first word that fits none.
//! Deliberately does not know: whether a sentence makes sense where the story has got to.

use super::{
    Action, Cluster, EtcdVersion, Expectation, MAX_SIZE, Span, Traffic, Volumes, words::Word,
};

/// The part of the file that a line stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the first step.
    Heading,
    /// In a step.
    Step,
    /// After `finally`.
    End,
}

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// The cluster.
    Cluster(Cluster),
    /// The traffic.
    Traffic(Traffic),
    /// A step begins.
    Step(String),
    /// The last part begins.
    Finally,
    /// Somebody does something.
    Do(Action),
    /// Something must hold.
    Expect(Expectation),
}

/// One row of the table.
pub struct Sentence {
    /// The wording. `<slot>` stands for a value, `a|b` for either word.
    pub form: &'static str,
    /// Where it may stand.
    pub places: &'static [Place],
    /// What it means, in one line.
    pub meaning: &'static str,
    make: fn(&[Value]) -> Option<Statement>,
}

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

use Place::{End, Heading, Step};
use Value::{Number, Text};

/// The language.
pub static SENTENCES: &[Sentence] = &[
    Sentence {
        form: "cluster <name> : size <size> , version <version>",
        places: &[Heading],
        meaning: "the cluster; its volumes stay when it is deleted",
        make: |values| cluster(values, Volumes::Kept),
    },
    Sentence {
        form: "cluster <name> : size <size> , version <version> , volumes deleted with it",
        places: &[Heading],
        meaning: "the cluster; its volumes go when it is deleted",
        make: |values| cluster(values, Volumes::Deleted),
    },
    Sentence {
        form: "traffic : <rate> puts and <rate> reads per second over <keys> keys",
        places: &[Heading],
        meaning: "what clients do as long as there is a cluster",
        make: |values| match values {
            [Number(puts), Number(reads), Number(keys)] => Some(Statement::Traffic(Traffic {
                puts: *puts,
                reads: *reads,
                keys: *keys,
            })),
            _ => None,
        },
    },
    Sentence {
        form: "step <title>",
        places: &[Heading, Step],
        meaning: "a part of the story begins",
        make: |values| match values {
            [Text(title)] => Some(Statement::Step(title.clone())),
            _ => None,
        },
    },
    Sentence {
        form: "create the cluster",
        places: &[Step],
        meaning: "the user creates the cluster",
        make: |_| Some(Statement::Do(Action::Create)),
    },
    Sentence {
        form: "scale to <size>",
        places: &[Step],
        meaning: "the user sets the number of members",
        make: |values| match values {
            [Number(size)] => Some(Statement::Do(Action::Scale(*size))),
            _ => None,
        },
    },
    Sentence {
        form: "delete the cluster",
        places: &[Step],
        meaning: "the user deletes the cluster; clients stop before",
        make: |_| Some(Statement::Do(Action::Delete)),
    },
    Sentence {
        form: "wait <duration>",
        places: &[Step],
        meaning: "nobody does anything for a while",
        make: |values| match values {
            [Value::Span(span)] => Some(Statement::Do(Action::Wait(*span))),
            _ => None,
        },
    },
    Sentence {
        form: "expect <size> members|member within <duration>",
        places: &[Step],
        meaning: "so many healthy voters, agreed on by all of them, and the status says so",
        make: |values| {
            timed(values, |count, within| Expectation::Members {
                count,
                within,
            })
        },
    },
    Sentence {
        form: "expect <size> members|member for <duration>",
        places: &[Step],
        meaning: "the same, without any change for so long",
        make: |values| {
            timed(values, |count, lasting| Expectation::Stays {
                count,
                lasting,
            })
        },
    },
    Sentence {
        form: "expect nothing is left within <duration>",
        places: &[Step],
        meaning: "the cluster and all that belonged to it is gone, volumes too",
        make: |values| match values {
            [Value::Span(within)] => expect(Expectation::NothingLeft { within: *within }),
            _ => None,
        },
    },
    Sentence {
        form: "expect only volumes are left within <duration>",
        places: &[Step],
        meaning: "the cluster and all that belonged to it is gone, volumes are there",
        make: |values| match values {
            [Value::Span(within)] => expect(Expectation::OnlyVolumesLeft { within: *within }),
            _ => None,
        },
    },
    Sentence {
        form: "expect every acknowledged write is readable",
        places: &[Step, End],
        meaning: "what a client was told is written can be read back, every single write",
        make: |_| expect(Expectation::WritesReadable),
    },
    Sentence {
        form: "expect no invariant was violated",
        places: &[Step, End],
        meaning: "at no time so far, whatever a step waited for",
        make: |_| expect(Expectation::NoViolation),
    },
    Sentence {
        form: "finally",
        places: &[Step],
        meaning: "what must hold when all is over",
        make: |_| Some(Statement::Finally),
    },
];

fn cluster(values: &[Value], volumes: Volumes) -> Option<Statement> {
    let [Text(name), Number(size), Value::Version(version)] = values else {
        return None;
    };
    let cluster = Cluster {
        name: name.clone(),
        size: *size,
        version: *version,
        volumes,
    };
    Some(Statement::Cluster(cluster))
}

fn timed(values: &[Value], make: fn(u32, Span) -> Expectation) -> Option<Statement> {
    let [Number(count), Value::Span(span)] = values else {
        return None;
    };
    expect(make(*count, *span))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that the table wants")]
fn expect(expectation: Expectation) -> Option<Statement> {
    Some(Statement::Expect(expectation))
}

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
    let mut best = Mismatch {
        at: 0,
        expected: Vec::new(),
        literals: Vec::new(),
        reason: None,
    };
    for sentence in SENTENCES
        .iter()
        .filter(|sentence| sentence.places.contains(&place))
    {
        match fit(words, sentence) {
            Ok(values) => {
                if let Some(statement) = (sentence.make)(&values) {
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
pub fn fits_up_to(words: &[Word], sentence: &Sentence) -> usize {
    fit(words, sentence).map_or_else(|mismatch| mismatch.at, |_| words.len())
}

fn fit(words: &[Word], sentence: &Sentence) -> Result<Vec<Value>, Mismatch> {
    let mut values = Vec::new();
    let mut at = 0;
    for part in sentence.form.split(' ') {
        let word = words.get(at);
        if let Some(slot) = part
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'))
        {
            let filled = word.map(|word| fill(slot, word));
            match filled {
                Some(Ok(value)) => values.push(value),
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

fn fill(slot: &str, word: &Word) -> Result<Value, String> {
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
        Some(number) => Ok(Number(number)),
        None => Err(format!("`{text}` is not a number from {least} to {most}")),
    }
}

fn name(text: &str) -> Result<Value, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fine = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(inner)
        && !text.ends_with('-')
        && text.len() <= 45;
    fine.then(|| Text(text.to_owned())).ok_or_else(|| {
        format!("`{text}` is not a name: a-z, 0-9 and `-`, a letter first, 45 characters at most")
    })
}

fn title(text: &str) -> Result<Value, String> {
    let fine = !text.trim().is_empty() && text.trim() == text;
    fine.then(|| Text(text.to_owned()))
        .ok_or_else(|| "a title has at least one character, and no blanks around it".to_owned())
}

fn describe(slot: &str) -> &'static str {
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

/// A form as people write it: `expect SIZE members within DURATION`.
#[must_use]
pub fn wording(form: &str) -> String {
    let words = form.split(' ').map(|part| match part.strip_prefix('<') {
        Some(slot) => slot.trim_end_matches('>').to_uppercase(),
        None => part.split('|').next().unwrap_or(part).to_owned(),
    });
    let line = words
        .collect::<Vec<_>>()
        .join(" ")
        .replace(" :", ":")
        .replace(" ,", ",");
    line.replace("TITLE", "\"TITLE\"")
}
