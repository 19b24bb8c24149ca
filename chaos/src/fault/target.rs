//! Whom a fault hits.
//!
//! Owns: the roles that can be aimed at, and who has a role in a look.
//! Always holds: the same look gives the same answer; nobody is hit who is not there.
//! Deliberately does not know: what is done to whom it finds.

use std::fmt;

use crate::{Observation, observation::Pod};

/// A member, by role or by the ordinal of its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The member that most of the others follow.
    Leader,
    /// The first voter that follows.
    Follower,
    /// The first learner.
    Learner,
    /// The member in the pod with this ordinal.
    Ordinal(u32),
}

/// Who was hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The pod's name.
    pub pod: String,
    /// The pod's UID; the one that comes after it is another pod.
    pub uid: String,
    /// The node that the pod is on; empty before it is scheduled.
    pub node: String,
}

impl Target {
    /// Who that is in this look; `None` when there is nobody.
    #[must_use]
    pub fn find(self, look: &Observation) -> Option<Hit> {
        let leader = leader(look);
        let found = look.pods.iter().find(|pod| match (self, &pod.member) {
            (Self::Ordinal(ordinal), _) => pod.ordinal() == Some(ordinal),
            (Self::Leader, Some(member)) => Some(member.id) == leader,
            (Self::Follower, Some(member)) => !member.learner && Some(member.id) != leader,
            (Self::Learner, Some(member)) => member.learner,
            (Self::Leader | Self::Follower | Self::Learner, None) => false,
        })?;
        Some(hit(found))
    }
}

fn hit(pod: &Pod) -> Hit {
    Hit {
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        node: pod.node.clone(),
    }
}

/// The leader as the member knows it that has applied most.
fn leader(look: &Observation) -> Option<u64> {
    let newest = look.members().max_by_key(|member| member.applied)?;
    (newest.leader != 0).then_some(newest.leader)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader => f.write_str("the leader"),
            Self::Follower => f.write_str("a follower"),
            Self::Learner => f.write_str("a learner"),
            Self::Ordinal(ordinal) => write!(f, "member {ordinal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::example::{learner, look, voter};

    #[test]
    fn roles_are_found_in_what_members_say() {
        let look = look(1, 10, &[voter(1), voter(2), learner(3)], &[1, 2, 3]);
        let name = |target: Target| target.find(&look).map(|hit| hit.pod);
        assert_eq!(name(Target::Leader).as_deref(), Some("demo-0"));
        assert_eq!(name(Target::Follower).as_deref(), Some("demo-1"));
        assert_eq!(name(Target::Learner).as_deref(), Some("demo-2"));
        assert_eq!(name(Target::Ordinal(1)).as_deref(), Some("demo-1"));
        assert_eq!(name(Target::Ordinal(7)), None);
    }

    #[test]
    fn without_a_leader_nobody_is_hit_in_its_place() {
        let mut look = look(1, 10, &[voter(1), voter(2)], &[1, 2]);
        for pod in &mut look.pods {
            pod.member.as_mut().expect("answers").leader = 0;
        }
        assert_eq!(Target::Leader.find(&look), None);
    }
}
