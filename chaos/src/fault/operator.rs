//! Faults of the operator's process.
//!
//! Owns: when it dies, and what else can happen to it.
//! Always holds: a killed operator comes back by itself after a moment, as a Deployment's pod does.
//! Deliberately does not know: why the operator makes the calls at which it is killed.

use std::{fmt, str::FromStr};

use crate::Span;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorFault {
    /// It is killed.
    Kill,
    /// It is killed, and stays away.
    Stop(Span),
    /// It is frozen.
    Pause(Span),
    /// A second one runs beside it.
    Twin(Span),
    /// It is killed around a call that it makes.
    KillAt {
        /// Before the call leaves, or when its answer has come but nobody has seen it yet.
        moment: Moment,
        /// At the how manyth such call from now on, counted from 1.
        nth: u32,
        /// Which call.
        call: Call,
    },
}

/// Before or after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The call does not happen.
    Before,
    /// The call happens; its answer is never seen.
    After,
}

/// A call that the operator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Any call that changes something, in Kubernetes or etcd.
    Write,
    /// etcd's `MemberAdd`.
    MemberAdd,
    /// etcd's `MemberPromote`.
    MemberPromote,
    /// etcd's `MemberRemove`.
    MemberRemove,
    /// etcd's `MoveLeader`.
    MoveLeader,
    /// A change of the members' configuration.
    ConfigWrite,
    /// A change of the StatefulSet.
    StatefulSetWrite,
    /// A change of the status.
    StatusWrite,
    /// A deletion in Kubernetes.
    Deletion,
}

impl Call {
    /// All of them with their words.
    pub const ALL: [(&'static str, Self); 9] = [
        ("write", Self::Write),
        ("MemberAdd", Self::MemberAdd),
        ("MemberPromote", Self::MemberPromote),
        ("MemberRemove", Self::MemberRemove),
        ("MoveLeader", Self::MoveLeader),
        ("config-write", Self::ConfigWrite),
        ("StatefulSet-write", Self::StatefulSetWrite),
        ("status-write", Self::StatusWrite),
        ("deletion", Self::Deletion),
    ];
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(_, call)| call == self);
        f.write_str(found.map_or("write", |(word, _)| word))
    }
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(word, _)| *word == text);
        found.map(|(_, call)| *call).ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.iter().map(|(word, _)| *word).collect();
            format!("`{text}` is not a call: {}", words.join(", "))
        })
    }
}

/// `next`, `2nd`, `3rd`, ... from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nth(pub u32);

impl fmt::Display for Nth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match (self.0 % 100, self.0 % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        };
        match self.0 {
            1 => f.write_str("next"),
            number => write!(f, "{number}{suffix}"),
        }
    }
}

impl FromStr for Nth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let number = if text == "next" {
            Some(1)
        } else {
            digits.parse().ok()
        };
        number
            .map(Self)
            .filter(|nth| nth.0 > 0 && nth.to_string() == text)
            .ok_or_else(|| format!("`{text}` is not one of `next`, `2nd`, `3rd`, `4th` and so on"))
    }
}

impl OperatorFault {
    /// How long it lasts; `None` when there is nothing to heal.
    #[must_use]
    pub fn lasts(self) -> Option<Span> {
        match self {
            Self::Stop(span) | Self::Pause(span) | Self::Twin(span) => Some(span),
            Self::Kill | Self::KillAt { .. } => None,
        }
    }

    /// The same for another length of time.
    #[must_use]
    pub fn lasting(self, span: Span) -> Self {
        match self {
            Self::Stop(_) => Self::Stop(span),
            Self::Pause(_) => Self::Pause(span),
            Self::Twin(_) => Self::Twin(span),
            Self::Kill | Self::KillAt { .. } => self,
        }
    }

    /// What brings it about in real clusters.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Kill => "a crash, an upgrade, an eviction",
            Self::Stop(_) => "a node that is lost, a Deployment scaled to zero",
            Self::Pause(_) => "a virtual machine that is moved, a CPU limit that is used up",
            Self::Twin(_) => "a lease that ran out while its holder was paused; two installations",
            Self::KillAt { .. } => "a crash in the middle of a sequence of writes",
        }
    }
}

impl fmt::Display for OperatorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("kill the operator"),
            Self::Stop(span) => write!(f, "stop the operator for {span}"),
            Self::Pause(span) => write!(f, "pause the operator for {span}"),
            Self::Twin(span) => write!(f, "run two operators for {span}"),
            Self::KillAt { moment, nth, call } => {
                let moment = match moment {
                    Moment::Before => "before",
                    Moment::After => "after",
                };
                write!(f, "kill the operator {moment} its {} {call}", Nth(*nth))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_words_parse_as_they_print() {
        for number in 1..=130 {
            let text = Nth(number).to_string();
            assert_eq!(text.parse(), Ok(Nth(number)), "{text}");
        }
        for text in ["", "1st", "0th", "2th", "nd", "-1st"] {
            assert!(text.parse::<Nth>().is_err(), "{text}");
        }
    }
}
