//! Every sentence that a scenario file may contain, in one table.
//!
//! Owns: the wording, where each sentence may stand, and what it becomes.
//! Always holds: what is not in the table cannot be said.
//! Deliberately does not know: how words are matched against it ([`super::matching`]), and whether
//! a sentence makes sense where the story has got to.

use super::{Action, Cluster, Expectation, Span, Traffic, Volumes, slot::Value};

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
    /// What it becomes with these values; `None` if they are not those of its slots.
    pub(super) make: fn(&[Value]) -> Option<Statement>,
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
