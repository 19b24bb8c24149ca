//! What was going on when a fault hit.
//!
//! Owns: the circumstances that campaigns count, and which faults can meet which of them.
//! Always holds: a look has exactly one circumstance, the most telling one.
//! Deliberately does not know: when faults come.

use super::{Fault, OperatorFault, Situation};
use crate::Observation;

/// What was going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Circumstance {
    /// There is no cluster.
    NoCluster,
    /// No member answers.
    NobodyAnswers,
    /// Members answer and know of no leader.
    NoLeader,
    /// A member was added and has not started.
    Unstarted,
    /// There is a learner.
    Learner,
    /// A pod is being deleted.
    PodGoing,
    /// All is as it should be.
    Calm,
    /// None of these, but not all is as it should be.
    UnderWay,
}

impl Circumstance {
    /// All of them with their words.
    pub const ALL: [(&'static str, Self); 8] = [
        ("without a cluster", Self::NoCluster),
        ("while nobody answers", Self::NobodyAnswers),
        ("without a leader", Self::NoLeader),
        ("while a member has not started", Self::Unstarted),
        ("while there is a learner", Self::Learner),
        ("while a pod is going", Self::PodGoing),
        ("in calm", Self::Calm),
        ("while something is under way", Self::UnderWay),
    ];

    /// What goes on in this look; without a look, nothing does.
    #[must_use]
    pub fn of(look: Option<&Observation>) -> Self {
        let Some(look) = look.filter(|look| look.resource.is_some()) else {
            return Self::NoCluster;
        };
        let seen = |situation: Situation| situation.is_seen(look);
        let wanted = look.resource.as_ref().map_or(0, |resource| resource.wanted);
        if look.settled_at(wanted).is_ok() {
            Self::Calm
        } else if look.members().next().is_none() {
            Self::NobodyAnswers
        } else if seen(Situation::NoLeader) {
            Self::NoLeader
        } else if seen(Situation::Unstarted) {
            Self::Unstarted
        } else if seen(Situation::Learner) {
            Self::Learner
        } else if seen(Situation::PodGoing) {
            Self::PodGoing
        } else {
            Self::UnderWay
        }
    }

    /// Its words in reports.
    #[must_use]
    pub fn words(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, it)| *it == self);
        found.map_or("", |(words, _)| words)
    }

    /// Whether a campaign has to see this fault here. Members are hit only where there are some; a
    /// death at a call is counted by the call, and says more than the moment it was announced.
    #[must_use]
    pub fn can_meet(self, fault: &Fault) -> bool {
        match fault {
            Fault::Operator(OperatorFault::KillAt { .. }) => false,
            Fault::Pod(..) | Fault::Member(..) | Fault::Node(..) => self != Self::NoCluster,
            Fault::Operator(_) | Fault::Api(..) | Fault::Around(..) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::example::{learner, look, unstarted, voter};

    #[test]
    fn a_look_has_the_circumstance_that_tells_most() {
        let voters = [voter(1), voter(2)];
        let calm = look(1, 10, &voters, &[1, 2]);
        let mut going = calm.clone();
        going.pods[0].deleting = true;
        let mut silent = calm.clone();
        silent.pods.iter_mut().for_each(|pod| pod.member = None);
        let mut leaderless = calm.clone();
        for pod in &mut leaderless.pods {
            pod.member.as_mut().expect("answers").leader = 0;
        }
        let mut under_way = calm.clone();
        under_way.pods[0].ready = false;
        let looks = [
            (calm, Circumstance::Calm),
            (
                look(1, 10, &[voter(1), learner(2)], &[1]),
                Circumstance::Learner,
            ),
            (
                look(1, 10, &[voter(1), unstarted(2)], &[1]),
                Circumstance::Unstarted,
            ),
            (going, Circumstance::PodGoing),
            (silent, Circumstance::NobodyAnswers),
            (leaderless, Circumstance::NoLeader),
            (under_way, Circumstance::UnderWay),
        ];
        for (look, expected) in looks {
            assert_eq!(Circumstance::of(Some(&look)), expected);
        }
        assert_eq!(Circumstance::of(None), Circumstance::NoCluster);
    }
}
