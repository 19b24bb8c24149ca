//! The abstract cluster: one small value per thing that a step may change.
//!
//! Owns: the state space. What has no bearing on a decision of the planner is not in it: IDs, UIDs
//! and times are relations (this member's, an earlier one's), which is what makes it finite.
//! Always holds: a world is a plain value; two that are equal have the same future.
//! Deliberately does not know: what may happen to it.

/// Ordinals that the model has, so also the largest size.
pub const SLOTS: usize = 5;

/// Declares an enum of a few states that is read back from its number.
macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $state:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$about])* $state),+ }

        impl $name {
            const ALL: &'static [Self] = &[$(Self::$state),+];

            pub(crate) fn number(self) -> u64 {
                self as u64
            }

            pub(crate) fn from_number(number: u64) -> Self {
                Self::ALL[usize::try_from(number).unwrap_or(usize::MAX)]
            }
        }
    };
}

states! {
    /// What etcd's membership has at an ordinal.
    Role { None, Learner, Voter }
}

states! {
    /// What a member has told the others of itself.
    Told {
        /// Nothing: added, and not started.
        Nothing,
        /// It has a name from the beginning, as the first members do.
        Name,
        /// Where it serves clients: it has started.
        All,
    }
}

states! {
    /// The data of the present member with this ordinal.
    Data {
        /// It has never had any.
        Never,
        /// On its volume.
        Here,
        /// It had some.
        Lost,
    }
}

states! {
    /// A pod, and what its container does.
    Pod {
        None,
        /// Created, not running yet.
        Pending,
        /// Runs, and answers as the present member.
        Running,
        /// Ended, for a reason that says nothing of its data.
        Crashed,
        /// Ended, and said that its data directory is empty.
        SaidNoData,
        /// Ended, and said that it has no configuration file.
        SaidNoFile,
        /// Being deleted.
        Ending,
    }
}

states! {
    /// The template that something was made from.
    Template {
        /// The last one with which members start.
        Good,
        /// An earlier one with which members start.
        Old,
        /// One with which no member starts.
        Bad,
    }
}

states! {
    /// A volume claim.
    Claim { None, Bound, Going }
}

states! {
    /// A member's configuration file.
    File {
        None,
        /// `initial-cluster-state: new`.
        New,
        /// For the present member, to join the others.
        Join,
        /// For the present member, with nobody to join.
        Started,
        /// For an earlier member with this ordinal.
        Earlier,
    }
}

states! {
    /// Whom a record in the status is about.
    Whom { Nobody, Earlier, Present }
}

states! {
    /// The volume that a record in the status names.
    Volume { None, Same, Other }
}

/// What the status says of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whom it is about.
    pub whom: Whom,
    /// Whether that is a learner.
    pub learner: bool,
    /// The volume, compared with the claim that is there.
    pub volume: Volume,
}

/// One ordinal, as Kubernetes has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The pod.
    pub pod: Pod,
    /// What the pod was made from.
    pub template: Template,
    /// The claim.
    pub claim: Claim,
    /// What the status says.
    pub record: Record,
    /// The configuration file in the ConfigMap.
    pub file: File,
}

/// One ordinal, as etcd has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its place in the membership.
    pub role: Role,
    /// What it has told of itself.
    pub told: Told,
    /// Its data.
    pub data: Data,
}

/// The StatefulSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// Wanted pods.
    pub replicas: u8,
    /// What pods are made from.
    pub template: Template,
}

/// All that is read through the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kube {
    /// By ordinal.
    pub slots: [Seen; SLOTS],
    /// The StatefulSet, if there is one.
    pub set: Option<Set>,
    /// `spec.size`.
    pub size: u8,
    /// Whether members start with what the spec says now.
    pub bad: bool,
    /// Whether the status has the cluster's ID.
    pub has_id: bool,
}

/// A cache that lags: the operator reads Kubernetes as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// As it was.
    pub kube: Kube,
    /// Whether the pod is still the same one, or still absent.
    pub same_pod: [bool; SLOTS],
    /// Whether the claim is.
    pub same_claim: [bool; SLOTS],
    /// Whether what members start from has been edited since.
    pub edited: bool,
}

/// A change of the membership that etcd has not made yet, and may make at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// `MemberAdd`.
    Add(u8),
    /// `MemberPromote`.
    Promote(u8),
    /// `MemberRemove`.
    Remove(u8),
}

/// What may still go wrong or be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Edits of the spec.
    pub edits: u8,
    /// Faults.
    pub faults: u8,
}

/// A cluster and all around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// By ordinal.
    pub members: [Member; SLOTS],
    /// What Kubernetes has.
    pub kube: Kube,
    /// What the operator sees of it, when that is not the same.
    pub cache: Option<Cache>,
    /// Ordinal of the leader.
    pub leader: Option<u8>,
    /// Whether the cluster has ever had a leader.
    pub formed: bool,
    /// A change that was asked for and may come late.
    pub pending: Option<Proposal>,
    /// What may still happen.
    pub left: Left,
}

/// Every ordinal.
pub fn slots() -> std::ops::Range<usize> {
    0..SLOTS
}

/// The number of an ordinal.
pub(crate) fn small(slot: usize) -> u8 {
    u8::try_from(slot).unwrap_or(u8::MAX)
}

impl Record {
    /// No record.
    pub const NONE: Self = Self {
        whom: Whom::Nobody,
        learner: false,
        volume: Volume::None,
    };
}

impl Member {
    /// Nobody.
    pub const NONE: Self = Self {
        role: Role::None,
        told: Told::Nothing,
        data: Data::Never,
    };
}

impl World {
    /// Nothing exists but the wish for a cluster of this size.
    #[must_use]
    pub fn new(size: u8, left: Left) -> Self {
        let nothing = Seen {
            pod: Pod::None,
            template: Template::Good,
            claim: Claim::None,
            record: Record::NONE,
            file: File::None,
        };
        Self {
            members: [Member::NONE; SLOTS],
            kube: Kube {
                slots: [nothing; SLOTS],
                set: None,
                size,
                bad: false,
                has_id: false,
            },
            cache: None,
            leader: None,
            formed: false,
            pending: None,
            left,
        }
    }

    /// What the operator reads through its caches.
    #[must_use]
    pub fn read(&self) -> &Kube {
        self.cache.as_ref().map_or(&self.kube, |cache| &cache.kube)
    }

    /// Whether the pod that the operator sees is the one that is there.
    #[must_use]
    pub fn is_same_pod(&self, slot: usize) -> bool {
        self.cache.is_none_or(|cache| cache.same_pod[slot])
    }

    /// Whether the claim that the operator sees is the one that is there.
    #[must_use]
    pub fn is_same_claim(&self, slot: usize) -> bool {
        self.cache.is_none_or(|cache| cache.same_claim[slot])
    }
}
