//! What a member knows, seen without asking it.
//!
//! Owns: the few facts by which somebody outside the world judges a cluster.
//! Always holds: a glance changes nothing and takes no time; there is none of a member that does
//! not serve clients.
//! Deliberately does not know: whether an answer would find its way to whoever looks.

use super::member::Member;

/// What a member would answer at this moment to `Status` and `MemberList`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// The cluster's ID.
    pub cluster: u64,
    /// The member's own ID.
    pub id: u64,
    /// The leader's ID; 0 when it knows of none.
    pub leader: u64,
    /// Raft's term.
    pub term: u64,
    /// Whether it is a learner.
    pub learner: bool,
    /// Index of the last log entry that it has applied.
    pub applied: u64,
    /// Its version.
    pub version: String,
    /// The members that it knows of: ID, name, whether it is a learner.
    pub members: Vec<(u64, String, bool)>,
}

impl Glance {
    pub(super) fn at(member: &Member) -> Self {
        let state = member.state();
        let listed = state.members.list().into_iter();
        Self {
            cluster: state.cluster,
            id: member.id(),
            leader: member.leader(),
            term: member.term(),
            learner: member.is_learner(),
            applied: member.applied(),
            version: member.version().to_string(),
            members: listed.map(|it| (it.id, it.name, it.is_learner)).collect(),
        }
    }
}
