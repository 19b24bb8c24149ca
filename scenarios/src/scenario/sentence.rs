//! Every sentence that a scenario file may contain, in one table.
//!
//! Owns: the wording (of faults: in [`super::faults`]), where each sentence may stand, and what it becomes.
//! Always holds: what is not in the table cannot be said.
//! Deliberately does not know: how words are matched against it ([`super::matching`]), and whether
//! a sentence makes sense where the story has got to.

use std::borrow::Cow;

use chaos::fault::{Strike, Trigger};

use super::{
    Action, Change, Cluster, Edit, Expectation, Image, Span, Traffic, Volumes, faults, slot::Value,
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
    pub form: Cow<'static, str>,
    /// Where it may stand.
    pub places: &'static [Place],
    /// What it means, in one line.
    pub meaning: &'static str,
    /// What it becomes with these values; `None` if they are not those of its slots.
    pub(super) make: Make,
}

/// How a sentence becomes a statement.
pub(super) enum Make {
    /// By a function of its values.
    Of(fn(&[Value]) -> Option<Statement>),
    /// It is this fault, with the sentence's values in their places.
    Fault(chaos::fault::Fault),
    /// It is the fault at its end, as soon as this is seen.
    When(chaos::fault::Situation),
}

impl Sentence {
    /// The statement with these values.
    pub(super) fn make(&self, values: &[Value]) -> Option<Statement> {
        match self.make {
            Make::Of(make) => make(values),
            Make::Fault(fault) => faults::fault(fault, values),
            Make::When(situation) => faults::when(situation, values),
        }
    }
}

/// Every sentence of the language.
pub fn sentences() -> impl Iterator<Item = &'static Sentence> {
    let (steps, last) = SENTENCES.split_at(SENTENCES.len() - 1);
    steps.iter().chain(faults::sentences()).chain(last)
}

use Place::{End, Heading, Step};
use Value::{Number, Text};

/// The language.
static SENTENCES: &[Sentence] = &[
    Sentence {
        form: Cow::Borrowed("cluster <name> : size <size> , version <version>"),
        places: &[Heading],
        meaning: "the cluster; its volumes stay when it is deleted",
        make: Make::Of(|values| cluster(values, Volumes::Kept)),
    },
    Sentence {
        form: Cow::Borrowed(
            "cluster <name> : size <size> , version <version> , volumes deleted with it",
        ),
        places: &[Heading],
        meaning: "the cluster; its volumes go when it is deleted",
        make: Make::Of(|values| cluster(values, Volumes::Deleted)),
    },
    Sentence {
        form: Cow::Borrowed("traffic : <rate> puts and <rate> reads per second over <keys> keys"),
        places: &[Heading],
        meaning: "what clients do as long as there is a cluster",
        make: Make::Of(|values| match values {
            [Number(puts), Number(reads), Number(keys)] => Some(Statement::Traffic(Traffic {
                puts: *puts,
                reads: *reads,
                keys: *keys,
            })),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("step <title>"),
        places: &[Heading, Step],
        meaning: "a part of the story begins",
        make: Make::Of(|values| match values {
            [Text(title)] => Some(Statement::Step(title.clone())),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("create the cluster"),
        places: &[Step],
        meaning: "the user creates the cluster",
        make: Make::Of(|_| Some(Statement::Do(Action::Create))),
    },
    Sentence {
        form: Cow::Borrowed("scale to <size>"),
        places: &[Step],
        meaning: "the user sets the number of members",
        make: Make::Of(|values| match values {
            [Number(size)] => Some(Statement::Do(Action::Scale(*size))),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("upgrade to <version>"),
        places: &[Step],
        meaning: "the user sets the version of etcd",
        make: Make::Of(|values| match values {
            [Value::Version(version)] => change(Change::Version(*version)),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("limit memory to <mebibytes> MiB"),
        places: &[Step],
        meaning: "the user limits the memory of each member",
        make: Make::Of(|values| match values {
            [Number(mebibytes)] => change(Change::MemoryLimit(*mebibytes)),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("grow volumes to <gibibytes> GiB"),
        places: &[Step],
        meaning: "the user sets the size of the members' volumes",
        make: Make::Of(|values| match values {
            [Number(gibibytes)] => change(Change::VolumeSize(*gibibytes)),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("use an image that nobody has"),
        places: &[Step],
        meaning: "the user sets an image that cannot be pulled",
        make: Make::Of(|_| change(Change::Image(Image::Missing))),
    },
    Sentence {
        form: Cow::Borrowed("use the right image again"),
        places: &[Step],
        meaning: "the user takes that back",
        make: Make::Of(|_| change(Change::Image(Image::Right))),
    },
    Sentence {
        form: Cow::Borrowed("delete the cluster"),
        places: &[Step],
        meaning: "the user deletes the cluster; clients stop before",
        make: Make::Of(|_| Some(Statement::Do(Action::Delete))),
    },
    Sentence {
        form: Cow::Borrowed("wait <duration>"),
        places: &[Step],
        meaning: "nobody does anything for a while",
        make: Make::Of(|values| match values {
            [Value::Span(span)] => Some(Statement::Do(Action::Wait(*span))),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("in <duration> : <fault>"),
        places: &[Step],
        meaning: "something goes wrong after a while; the step goes on",
        make: Make::Of(|values| match values {
            [Value::Span(span), Value::Fault(fault)] => {
                Some(Statement::Do(Action::Strike(Strike {
                    trigger: Trigger::In(*span),
                    fault: *fault,
                })))
            }
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("heal everything"),
        places: &[Step],
        meaning: "every fault that lasts ends, and none that is announced comes any more",
        make: Make::Of(|_| Some(Statement::Do(Action::Heal))),
    },
    Sentence {
        form: Cow::Borrowed("give the word that the status asks for"),
        places: &[Step],
        meaning: "the user follows the advice of a cluster that lost its quorum for good",
        make: Make::Of(|_| Some(Statement::Do(Action::Recover))),
    },
    Sentence {
        form: Cow::Borrowed("set the StatefulSet to <size> replicas by hand"),
        places: &[Step],
        meaning: "what people do who do not know of the resource",
        make: Make::Of(|values| match values {
            [Number(size)] => Some(Statement::Do(Action::Edit(Edit::SetReplicas(*size)))),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("delete the StatefulSet by hand"),
        places: &[Step],
        meaning: "it is deleted, and its pods with it",
        make: Make::Of(|_| Some(Statement::Do(Action::Edit(Edit::DeleteStatefulSet)))),
    },
    Sentence {
        form: Cow::Borrowed("delete the ConfigMap by hand"),
        places: &[Step],
        meaning: "the members' configuration is gone",
        make: Make::Of(|_| Some(Statement::Do(Action::Edit(Edit::DeleteConfigMaps)))),
    },
    Sentence {
        form: Cow::Borrowed("empty the ConfigMap by hand"),
        places: &[Step],
        meaning: "the members' configuration says nothing",
        make: Make::Of(|_| Some(Statement::Do(Action::Edit(Edit::EmptyConfigMaps)))),
    },
    Sentence {
        form: Cow::Borrowed("delete the Services by hand"),
        places: &[Step],
        meaning: "names of members and of the cluster stop resolving",
        make: Make::Of(|_| Some(Statement::Do(Action::Edit(Edit::DeleteServices)))),
    },
    Sentence {
        form: Cow::Borrowed("delete the disruption budget by hand"),
        places: &[Step],
        meaning: "a drain may take as many members as it likes",
        make: Make::Of(|_| Some(Statement::Do(Action::Edit(Edit::DeleteBudget)))),
    },
    Sentence {
        form: Cow::Borrowed("expect <size> members|member within <duration>"),
        places: &[Step],
        meaning: "so many healthy voters, agreed on by all of them, and the status says so",
        make: Make::Of(|values| {
            timed(values, |count, within| Expectation::Members {
                count,
                within,
            })
        }),
    },
    Sentence {
        form: Cow::Borrowed("expect <size> members|member for <duration>"),
        places: &[Step],
        meaning: "the same, without any change for so long",
        make: Make::Of(|values| {
            timed(values, |count, lasting| Expectation::Stays {
                count,
                lasting,
            })
        }),
    },
    Sentence {
        form: Cow::Borrowed("expect nothing is left within <duration>"),
        places: &[Step],
        meaning: "the cluster and all that belonged to it is gone, volumes too",
        make: Make::Of(|values| match values {
            [Value::Span(within)] => expect(Expectation::NothingLeft { within: *within }),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("expect only volumes are left within <duration>"),
        places: &[Step],
        meaning: "the cluster and all that belonged to it is gone, volumes are there",
        make: Make::Of(|values| match values {
            [Value::Span(within)] => expect(Expectation::OnlyVolumesLeft { within: *within }),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("expect <condition> is <truth> within <duration>"),
        places: &[Step],
        meaning: "the status says so of this condition",
        make: Make::Of(|values| match values {
            [
                Value::Condition(kind),
                Value::Truth(holds),
                Value::Span(within),
            ] => expect(Expectation::Condition {
                kind: *kind,
                holds: *holds,
                within: *within,
            }),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("expect the status names <title> within <duration>"),
        places: &[Step],
        meaning: "a condition has this in its reason or its message",
        make: Make::Of(|values| match values {
            [Text(text), Value::Span(within)] => expect(Expectation::StatusNames {
                text: text.clone(),
                within: *within,
            }),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("expect no write stalled longer than <duration>"),
        places: &[Step],
        meaning: "since this step began, some write was acknowledged at least so often",
        make: Make::Of(|values| match values {
            [Value::Span(longest)] => expect(Expectation::NoStall { longest: *longest }),
            _ => None,
        }),
    },
    Sentence {
        form: Cow::Borrowed("expect every acknowledged write is readable"),
        places: &[Step, End],
        meaning: "what a client was told is written can be read back, every single write",
        make: Make::Of(|_| expect(Expectation::WritesReadable)),
    },
    Sentence {
        form: Cow::Borrowed("expect no invariant was violated"),
        places: &[Step, End],
        meaning: "at no time so far, whatever a step waited for",
        make: Make::Of(|_| expect(Expectation::NoViolation)),
    },
    Sentence {
        form: Cow::Borrowed("finally"),
        places: &[Step],
        meaning: "what must hold when all is over",
        make: Make::Of(|_| Some(Statement::Finally)),
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

#[expect(clippy::unnecessary_wraps, reason = "the shape that the table wants")]
fn change(change: Change) -> Option<Statement> {
    Some(Statement::Do(Action::Change(change)))
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
