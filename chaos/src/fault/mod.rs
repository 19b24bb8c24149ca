//! What can go wrong, as data.
//!
//! Owns: the closed vocabulary of faults, the real-world cause that each stands for, and its words.
//! Always holds: a fault prints as one sentence of the scenario language; a fault that lasts says
//! how long, so that whoever injects it knows when to heal it.
//! Deliberately does not know: worlds, and how any of them injects a fault.
//!
//! | file | about |
//! |---|---|
//! | [`target`] | whom a fault hits |
//! | [`pod`] | pods and their processes: killed, deleted, evicted, data lost |
//! | [`member`] | members that live but are in trouble: paused, cut off, slow |
//! | [`node`] | machines: off, without kubelet, drained |
//! | [`operator`] | the operator's process: killed at a chosen write, paused, two at once |
//! | [`api_server`] | Kubernetes' API: away, frozen, slow, refusing, lying about the past |
//! | [`surroundings`] | what everybody shares: DNS, the image registry, elections |
//! | [`trigger`] | when a fault happens |
//! | [`circumstance`] | what was going on when it did |

pub mod api_server;
pub mod circumstance;
pub mod member;
pub mod node;
pub mod operator;
pub mod pod;
pub mod surroundings;
pub mod target;
pub mod trigger;

use std::fmt;

pub use self::{
    api_server::ApiTrouble,
    circumstance::Circumstance,
    member::MemberTrouble,
    node::NodeTrouble,
    operator::{Call, Moment, Nth, OperatorFault},
    pod::PodFault,
    surroundings::Surrounding,
    target::{Hit, Target},
    trigger::{Situation, Trigger},
};
use crate::Span;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something is done to a pod, once.
    Pod(PodFault, Target),
    /// A member is in trouble for a while.
    Member(MemberTrouble, Target, Span),
    /// The machine under a member is in trouble for a while.
    Node(NodeTrouble, Target, Span),
    /// Something happens to the operator's process.
    Operator(OperatorFault),
    /// The API server is in trouble for a while.
    Api(ApiTrouble, Span),
    /// Something that everybody shares is in trouble for a while.
    Around(Surrounding, Span),
}

/// A fault and when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// When.
    pub trigger: Trigger,
    /// What.
    pub fault: Fault,
}

impl Fault {
    /// One fault of every kind. Whom it hits and how long it lasts is only an example.
    #[must_use]
    pub fn kinds() -> Vec<Self> {
        let (whom, span) = (Target::Leader, Span::SECOND);
        let at = |moment| OperatorFault::KillAt {
            moment,
            nth: 1,
            call: Call::Write,
        };
        let operator = [
            OperatorFault::Kill,
            OperatorFault::Stop(span),
            OperatorFault::Pause(span),
            OperatorFault::Twin(span),
            at(Moment::Before),
            at(Moment::After),
        ];
        let mut kinds: Vec<Self> = PodFault::ALL.map(|fault| Self::Pod(fault, whom)).into();
        kinds.extend(MemberTrouble::ALL.map(|trouble| Self::Member(trouble, whom, span)));
        kinds.extend(NodeTrouble::ALL.map(|trouble| Self::Node(trouble, whom, span)));
        kinds.extend(operator.map(Self::Operator));
        kinds.extend(ApiTrouble::ALL.map(|trouble| Self::Api(trouble, span)));
        kinds.extend(Surrounding::ALL.map(|what| Self::Around(what, span)));
        kinds
    }

    /// What kind of fault it is, without whom and how long.
    #[must_use]
    pub fn kind(&self) -> String {
        let text = match self {
            Self::Operator(OperatorFault::KillAt {
                moment: Moment::Before,
                ..
            }) => return "kill the operator before a call".to_owned(),
            Self::Operator(OperatorFault::KillAt { .. }) => {
                return "kill the operator after a call".to_owned();
            }
            Self::Pod(fault, _) => return fault.words().to_owned(),
            Self::Member(trouble, ..) => return trouble.words().to_owned(),
            Self::Node(trouble, ..) => return trouble.words().to_owned(),
            _ => self.to_string(),
        };
        text.split(" for ").next().unwrap_or_default().to_owned()
    }

    /// Whom it hits, when it hits a member.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        match self {
            Self::Pod(_, whom) | Self::Member(_, whom, _) | Self::Node(_, whom, _) => Some(*whom),
            Self::Operator(_) | Self::Api(..) | Self::Around(..) => None,
        }
    }

    /// How long it lasts; `None` when there is nothing to heal.
    #[must_use]
    pub fn lasts(&self) -> Option<Span> {
        match self {
            Self::Pod(..) => None,
            Self::Member(_, _, span)
            | Self::Node(_, _, span)
            | Self::Api(_, span)
            | Self::Around(_, span) => Some(*span),
            Self::Operator(fault) => fault.lasts(),
        }
    }

    /// The same fault for another length of time; unchanged when it does not last.
    #[must_use]
    pub fn lasting(self, span: Span) -> Self {
        match self {
            Self::Member(trouble, whom, _) => Self::Member(trouble, whom, span),
            Self::Node(trouble, whom, _) => Self::Node(trouble, whom, span),
            Self::Api(trouble, _) => Self::Api(trouble, span),
            Self::Around(what, _) => Self::Around(what, span),
            Self::Operator(fault) => Self::Operator(fault.lasting(span)),
            Self::Pod(..) => self,
        }
    }

    /// The same fault for somebody else; unchanged when it hits no member.
    #[must_use]
    pub fn hitting(self, whom: Target) -> Self {
        match self {
            Self::Pod(fault, _) => Self::Pod(fault, whom),
            Self::Member(trouble, _, span) => Self::Member(trouble, whom, span),
            Self::Node(trouble, _, span) => Self::Node(trouble, whom, span),
            Self::Operator(_) | Self::Api(..) | Self::Around(..) => self,
        }
    }

    /// What brings it about in real clusters.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Pod(fault, _) => fault.cause(),
            Self::Member(trouble, ..) => trouble.cause(),
            Self::Node(trouble, ..) => trouble.cause(),
            Self::Operator(fault) => fault.cause(),
            Self::Api(trouble, _) => trouble.cause(),
            Self::Around(what, _) => what.cause(),
        }
    }

    /// Whether it takes data away for good, so that no healing brings it back.
    #[must_use]
    pub fn destroys_data(&self) -> bool {
        matches!(self, Self::Pod(fault, _) if fault.destroys_data())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(fault, whom) => write!(f, "{} {whom}", fault.words()),
            Self::Member(trouble, whom, span) => write!(f, "{} {whom} for {span}", trouble.words()),
            Self::Node(trouble, whom, span) => write!(f, "{} {whom} for {span}", trouble.words()),
            Self::Operator(fault) => fault.fmt(f),
            Self::Api(trouble, span) => write!(f, "{} for {span}", trouble.words()),
            Self::Around(what, span) => write!(f, "{} for {span}", what.words()),
        }
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trigger {
            Trigger::Now => self.fault.fmt(f),
            trigger => write!(f, "{trigger}: {}", self.fault),
        }
    }
}
