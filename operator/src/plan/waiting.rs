//! Every "not now", as data.
//!
//! Owns: the reasons for which the planner waits; each becomes the condition and the log line.
//! Always holds: a reason is stable, a message says what is waited for and what helps.
//! Deliberately does not know: since when.

use std::fmt;

use super::{Loss, Refusal};
use crate::version::PathRefused;

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The first members are on their way.
    FirstMembers {
        /// Members that answer.
        answering: usize,
        /// Members that are wanted.
        wanted: u32,
        /// What holds one of them up.
        trouble: Option<String>,
    },
    /// No majority answers.
    MembershipUnknown {
        /// In etcd's words.
        why: String,
        /// What holds one of the pods up.
        trouble: Option<String>,
        /// What the user can do, once it has lasted.
        advice: Option<String>,
    },
    /// No majority will ever answer again.
    QuorumLost {
        /// What is lost and what survives.
        loss: Loss,
        /// What the user can do.
        advice: String,
    },
    /// The cluster is being started anew from one survivor.
    Recovering {
        /// The survivor.
        member: String,
        /// What holds its pod up.
        trouble: Option<String>,
    },
    /// A learner's pod is starting.
    LearnerStarting {
        /// Its name.
        member: String,
        /// What holds its pod up.
        trouble: Option<String>,
    },
    /// A learner has not caught up.
    LearnerBehind {
        /// Its name.
        member: String,
        /// Entries of the log that it lacks.
        entries: u64,
    },
    /// The gate refused.
    QuorumAtRisk {
        /// What was to be done.
        step: String,
        /// The arithmetic.
        refusal: Refusal,
    },
    /// What is left of an earlier member must go first.
    Leftovers {
        /// Its name.
        member: String,
        /// What is left: a pod, a volume.
        what: &'static str,
    },
    /// At the wanted size, but one does not answer.
    VoterUnhealthy {
        /// Its name.
        member: String,
        /// Why.
        why: String,
    },
    /// Members are restarted one by one, and the next is not due yet.
    Rollout {
        /// From which version to which, if that is what changes.
        change: Option<(String, String)>,
        /// Members that run what is wanted.
        done: usize,
        /// All of them.
        total: usize,
        /// Who is restarted next.
        next: String,
        /// What must hold before.
        why: String,
    },
    /// The version in the spec is one that etcd cannot go to.
    VersionRefused(PathRefused),
    /// Volumes are larger than wanted.
    VolumeShrinkRefused {
        /// What the spec says.
        wanted: String,
        /// What they have.
        has: String,
    },
    /// Pods are stopping for size 0.
    Stopping,
    /// A member that this operator did not add.
    ForeignMember {
        /// Its peer URLs.
        peer_urls: Vec<String>,
    },
    /// The pods belong to another etcd cluster than the one in the status.
    OtherCluster {
        /// The recorded ID.
        expected: String,
        /// The ID that was found.
        found: String,
    },
    /// A StatefulSet of this name belongs to somebody else.
    NotOurs {
        /// Its name.
        name: String,
    },
    /// Kubernetes does not take what the spec asks for.
    KubernetesRefuses {
        /// What was to be done.
        what: String,
        /// In the API server's words.
        why: String,
    },
}

impl Waiting {
    /// A stable word for conditions and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::FirstMembers { .. } => "FirstMembersStarting",
            Self::MembershipUnknown { .. } => "MembershipUnknown",
            Self::QuorumLost { .. } => "QuorumLost",
            Self::Recovering { .. } => "Recovering",
            Self::LearnerStarting { .. } => "LearnerStarting",
            Self::LearnerBehind { .. } => "LearnerBehind",
            Self::QuorumAtRisk { .. } => "QuorumAtRisk",
            Self::Leftovers { .. } => "LeftoversOfEarlierMember",
            Self::VoterUnhealthy { .. } => "MemberUnhealthy",
            Self::Rollout { .. } => "RollingOut",
            Self::VersionRefused(refused) => refused.reason(),
            Self::VolumeShrinkRefused { .. } => "VolumeShrinkRefused",
            Self::Stopping => "Stopping",
            Self::ForeignMember { .. } => "ForeignMember",
            Self::OtherCluster { .. } => "ClusterIDMismatch",
            Self::NotOurs { .. } => "StatefulSetNotOwned",
            Self::KubernetesRefuses { .. } => "KubernetesRefuses",
        }
    }

    /// Whether this is a fault to be reported as such, not a step of the normal course.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::MembershipUnknown { .. }
                | Self::QuorumLost { .. }
                | Self::Recovering { .. }
                | Self::QuorumAtRisk { .. }
                | Self::VoterUnhealthy { .. }
                | Self::VersionRefused(_)
                | Self::VolumeShrinkRefused { .. }
                | Self::ForeignMember { .. }
                | Self::OtherCluster { .. }
                | Self::NotOurs { .. }
                | Self::KubernetesRefuses { .. }
        )
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |f: &mut fmt::Formatter<'_>, trouble: &Option<String>| match trouble {
            Some(trouble) => write!(f, " ({trouble})"),
            None => Ok(()),
        };
        match self {
            Self::FirstMembers {
                answering,
                wanted,
                trouble,
            } => {
                write!(f, "{answering} of the first {wanted} members answer")?;
                because(f, trouble)
            }
            Self::MembershipUnknown {
                why,
                trouble,
                advice,
            } => {
                write!(
                    f,
                    "no majority of members answers, nothing is changed until one does: {why}"
                )?;
                because(f, trouble)?;
                advice
                    .as_ref()
                    .map_or(Ok(()), |advice| write!(f, "; {advice}"))
            }
            Self::QuorumLost { loss, advice } => {
                write!(f, "quorum is lost for good: {loss}; {advice}")
            }
            Self::Recovering { member, trouble } => {
                write!(f, "starting anew from {member} alone, on the user's word")?;
                because(f, trouble)
            }
            Self::LearnerStarting { member, trouble } => {
                write!(f, "learner {member} has not started yet")?;
                because(f, trouble)
            }
            Self::LearnerBehind { member, entries } => {
                write!(
                    f,
                    "learner {member} is about {} log entries behind the leader",
                    rounded(*entries)
                )
            }
            Self::QuorumAtRisk { step, refusal } => write!(f, "not safe to {step}: {refusal}"),
            Self::Leftovers { member, what } => {
                write!(
                    f,
                    "the {what} of an earlier {member} is still being deleted"
                )
            }
            Self::VoterUnhealthy { member, why } => {
                write!(f, "member {member} is not healthy: {why}")
            }
            Self::Rollout {
                change,
                done,
                total,
                next,
                why,
            } => {
                match change {
                    Some((from, to)) => write!(f, "upgrading from {from} to {to}: ")?,
                    None => write!(f, "restarting members with what the spec says now: ")?,
                }
                write!(f, "{done} of {total} done, {next} is next once {why}")
            }
            Self::VersionRefused(refused) => write!(f, "{refused}"),
            Self::VolumeShrinkRefused { wanted, has } => write!(
                f,
                "volumes do not shrink: they have {has} and {wanted} is wanted; set spec.storage.size to {has} or more"
            ),
            Self::Stopping => write!(f, "pods are stopping, volumes are kept"),
            Self::ForeignMember { peer_urls } => write!(
                f,
                "a member with peer URLs {peer_urls:?} was not added by this operator: remove it with `etcdctl member remove`"
            ),
            Self::OtherCluster { expected, found } => write!(
                f,
                "the pods form cluster {found}, but this resource is about cluster {expected}: nothing is changed; restore the right volumes, or delete and create the resource for a new cluster"
            ),
            Self::NotOurs { name } => write!(
                f,
                "a StatefulSet named {name} exists and belongs to somebody else: delete or rename it"
            ),
            Self::KubernetesRefuses { what, why } => write!(
                f,
                "Kubernetes refuses to {what}: {why}; change the spec so that it can"
            ),
        }
    }
}

/// To one digit: a number that changes with every look would be written with every look.
fn rounded(number: u64) -> u64 {
    let mut unit: u64 = 1;
    while number / unit >= 10 {
        unit *= 10;
    }
    number / unit * unit
}
