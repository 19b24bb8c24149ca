//! When a fault happens.
//!
//! Owns: the kinds of moments, and which situations can be waited for.
//! Always holds: a situation is told from one look alone.
//! Deliberately does not know: what happens then.

use std::fmt;

use crate::{Observation, Span};

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// At once.
    Now,
    /// After a while; what is told next goes on meanwhile.
    In(Span),
    /// As soon as this is seen; what is told next goes on meanwhile.
    When(Situation),
}

/// Something that can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// The membership has a learner.
    Learner,
    /// The membership has somebody who has not started yet.
    Unstarted,
    /// A pod of the cluster is being deleted.
    PodGoing,
    /// Members answer, and know of no leader.
    NoLeader,
}

impl Situation {
    /// All of them with their words.
    pub const ALL: [(&'static str, Self); 4] = [
        ("there is a learner", Self::Learner),
        ("a member has not started", Self::Unstarted),
        ("a pod is going", Self::PodGoing),
        ("there is no leader", Self::NoLeader),
    ];

    /// Whether it is so in this look.
    #[must_use]
    pub fn is_seen(self, look: &Observation) -> bool {
        let listed = || look.newest_list().map(|(_, list)| list.members.iter());
        match self {
            Self::Learner => listed().is_some_and(|mut it| it.any(|member| member.learner)),
            Self::Unstarted => listed().is_some_and(|mut it| it.any(|m| m.name.is_empty())),
            Self::PodGoing => look.pods.iter().any(|pod| pod.deleting),
            Self::NoLeader => {
                look.members().next().is_some() && look.members().all(|member| member.leader == 0)
            }
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => Ok(()),
            Self::In(span) => write!(f, "in {span}"),
            Self::When(situation) => {
                let found = Situation::ALL.iter().find(|(_, it)| it == situation);
                write!(f, "when {}", found.map_or("", |(words, _)| words))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::example::{learner, look, unstarted, voter};

    #[test]
    fn each_situation_is_seen_where_it_is_and_only_there() {
        let calm = look(1, 10, &[voter(1), voter(2)], &[1, 2]);
        let with_learner = look(1, 10, &[voter(1), learner(2)], &[1]);
        let with_unstarted = look(1, 10, &[voter(1), unstarted(2)], &[1]);
        let mut going = calm.clone();
        going.pods[0].deleting = true;
        let mut leaderless = calm.clone();
        for pod in &mut leaderless.pods {
            pod.member.as_mut().expect("answers").leader = 0;
        }
        let looks = [&with_learner, &with_unstarted, &going, &leaderless];
        for (index, (words, situation)) in Situation::ALL.iter().enumerate() {
            assert!(situation.is_seen(looks[index]), "{words}");
            assert!(!situation.is_seen(&calm), "{words}");
        }
    }
}
