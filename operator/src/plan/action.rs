//! The changes that a plan may ask for.
//!
//! Owns: every kind of change, why it is made, and the words for it.
//! Always holds: an action names the very object or member that it is about, by UID or ID, so that
//! another one of the same name survives it.
//! Deliberately does not know: when one is right, and how it is carried out.

use std::fmt;

use super::Damage;

/// A change of the cluster. A plan has at most one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `MemberAdd` as learner.
    AddLearner {
        /// Ordinal of the new member.
        ordinal: u32,
    },
    /// `MemberPromote`.
    Promote {
        /// Ordinal of the learner.
        ordinal: u32,
        /// Its ID.
        id: u64,
    },
    /// Hand leadership over, so that removing the leader costs no election.
    MoveLeader {
        /// Ordinal of the leader.
        from: u32,
        /// Ordinal of the member that takes over.
        to: u32,
        /// ID of the member that takes over.
        id: u64,
    },
    /// `MemberRemove`.
    RemoveMember {
        /// Ordinal of the member.
        ordinal: u32,
        /// Its ID.
        id: u64,
        /// Why it goes.
        why: Removal,
    },
    /// Delete a pod, so that the StatefulSet makes a new one.
    RestartPod {
        /// Its ordinal.
        ordinal: u32,
        /// Its UID: another pod of the same name must survive.
        uid: String,
        /// Why it is replaced.
        why: Restart,
    },
    /// Ask for a larger volume.
    GrowVolume {
        /// Ordinal of the member.
        ordinal: u32,
        /// UID of the claim.
        uid: String,
        /// Its new size.
        size: String,
    },
    /// Delete the StatefulSet and leave its pods, so that it is made anew with another size of
    /// volumes: Kubernetes lets nobody change that in place.
    RecreateStatefulSet {
        /// Its UID: another StatefulSet of the same name must survive.
        uid: String,
    },
    /// `AlarmDeactivate` for corrupt data that has left with its member; until then etcd takes no
    /// writes.
    DisarmAlarm {
        /// ID that the member had.
        id: u64,
    },
    /// Delete the volume of a member that is no more.
    DeleteClaim {
        /// Ordinal that the member had.
        ordinal: u32,
        /// UID of the claim: another claim of the same name must survive.
        uid: String,
    },
}

/// Why a pod is replaced by a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// It was made from an earlier template: the spec has changed since.
    Outdated,
    /// It was made for an earlier member with the same ordinal.
    EarlierMember,
    /// Its volume went before it ran.
    VolumeGone,
    /// It is to start as a cluster of its own, since quorum is lost and the user has said so.
    ForceNewCluster,
    /// It has started as a cluster of its own and must not do so again.
    RecoveryOver,
}

/// Why a member is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Fewer members are wanted.
    ScaleDown,
    /// A learner that did not start or catch up in time; it is added anew afterwards.
    LearnerLate,
    /// Its data is lost; it is added anew afterwards.
    DataLost(Damage),
}

impl Action {
    /// A stable word for the event.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::AddLearner { .. } => "MemberAdded",
            Self::Promote { .. } => "MemberPromoted",
            Self::MoveLeader { .. } => "LeaderMoved",
            Self::RemoveMember { .. } => "MemberRemoved",
            Self::RestartPod { why, .. } => why.reason(),
            Self::GrowVolume { .. } => "VolumeGrown",
            Self::RecreateStatefulSet { .. } => "StatefulSetRecreated",
            Self::DeleteClaim { .. } => "VolumeDeleted",
            Self::DisarmAlarm { .. } => "AlarmDisarmed",
        }
    }

    /// Ordinal of the member that it is about, if it is about one.
    #[must_use]
    pub fn ordinal(&self) -> Option<u32> {
        match self {
            Self::RecreateStatefulSet { .. } | Self::DisarmAlarm { .. } => None,
            Self::MoveLeader { from, .. } => Some(*from),
            Self::AddLearner { ordinal }
            | Self::Promote { ordinal, .. }
            | Self::RemoveMember { ordinal, .. }
            | Self::RestartPod { ordinal, .. }
            | Self::GrowVolume { ordinal, .. }
            | Self::DeleteClaim { ordinal, .. } => Some(*ordinal),
        }
    }
}

impl Restart {
    /// A stable word for the event.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Outdated => "OutdatedPodRestarted",
            Self::EarlierMember => "EarlierMembersPodRestarted",
            Self::VolumeGone => "PodWithoutVolumeRestarted",
            Self::ForceNewCluster => "RecoveryStarted",
            Self::RecoveryOver => "RecoveryFinished",
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outdated => "it was made from an earlier template",
            Self::EarlierMember => "it was made for an earlier member",
            Self::VolumeGone => "its volume went before it ran",
            Self::ForceNewCluster => "it starts as a cluster of its own",
            Self::RecoveryOver => "it has started as a cluster of its own and must not again",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddLearner { ordinal } => write!(f, "add member {ordinal} as learner"),
            Self::Promote { ordinal, .. } => write!(f, "promote member {ordinal}"),
            Self::MoveLeader { from, to, .. } => {
                write!(f, "move leadership from member {from} to member {to}")
            }
            Self::RemoveMember {
                ordinal,
                why: Removal::ScaleDown,
                ..
            } => {
                write!(f, "remove member {ordinal}")
            }
            Self::RemoveMember {
                ordinal,
                why: Removal::LearnerLate,
                ..
            } => {
                write!(f, "remove learner {ordinal}, which missed its deadline")
            }
            Self::RemoveMember {
                ordinal,
                why: Removal::DataLost(damage),
                ..
            } => {
                write!(f, "remove member {ordinal} to add it anew: {damage}")
            }
            Self::RestartPod { ordinal, why, .. } => {
                write!(f, "restart the pod of member {ordinal}: {why}")
            }
            Self::GrowVolume { ordinal, size, .. } => {
                write!(f, "grow the volume of member {ordinal} to {size}")
            }
            Self::RecreateStatefulSet { .. } => write!(
                f,
                "recreate the StatefulSet around its pods, for new members to get volumes of the new size"
            ),
            Self::DeleteClaim { ordinal, .. } => write!(f, "delete the volume of member {ordinal}"),
            Self::DisarmAlarm { id } => {
                write!(
                    f,
                    "disarm the CORRUPT alarm of {id:x}, which is no member any more"
                )
            }
        }
    }
}
