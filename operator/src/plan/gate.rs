//! The one safety gate: after this, do the verified healthy voters still hold quorum?
//!
//! Owns: quorum arithmetic and the judgement of who is healthy.
//! Always holds: computed once per pass; every step that changes voters asks it.
//! Deliberately does not know: why a step wants to change them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    etcd::{Member, MemberReport},
    observe::Observed,
};

/// Voters that make a majority of `voters` (etcd FAQ, "What is failure tolerance").
#[must_use]
pub fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

/// Why a step was not let through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{healthy} healthy of {voters} voters would be left, {needed} are needed")]
pub struct Refusal {
    /// Healthy voters afterwards.
    pub healthy: usize,
    /// Voters afterwards.
    pub voters: usize,
    /// Quorum afterwards.
    pub needed: usize,
}

/// Who votes and who of them was seen healthy just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    voters: BTreeMap<u64, bool>,
    /// Voters that see a leader: the cluster counts on them, healthy or not.
    counted_on: BTreeSet<u64>,
}

impl Gate {
    /// Judges every voter of the membership by its own report.
    #[must_use]
    pub fn new(observed: &Observed, members: &[Member]) -> Self {
        let leader = observed.leader();
        let pods = running_members(observed);
        let voters = members
            .iter()
            .filter(|member| !member.learner)
            .map(|member| {
                let report = observed.report_of(member.id);
                let healthy = report.is_some_and(|report| healthy(report, leader))
                    && pods.contains(&member.id);
                (member.id, healthy)
            })
            .collect();
        let sees_leader = |member: &&Member| {
            let report = observed.report_of(member.id);
            report.is_some_and(|report| report.leader.is_some())
        };
        let counted_on = members
            .iter()
            .filter(|member| !member.learner)
            .filter(sees_leader)
            .map(|member| member.id)
            .collect();
        Self { voters, counted_on }
    }

    /// Voters seen healthy.
    #[must_use]
    pub fn healthy(&self) -> usize {
        self.voters.values().filter(|healthy| **healthy).count()
    }

    /// All voters.
    #[must_use]
    pub fn voters(&self) -> usize {
        self.voters.len()
    }

    /// Whether this voter was seen healthy.
    #[must_use]
    pub fn is_healthy(&self, id: u64) -> bool {
        self.voters.get(&id).copied().unwrap_or(false)
    }

    /// Voters that were not.
    pub fn sick(&self) -> impl Iterator<Item = u64> + '_ {
        self.voters
            .iter()
            .filter(|(_, healthy)| !**healthy)
            .map(|(id, _)| *id)
    }

    /// Whether a majority answers.
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        self.healthy() >= quorum(self.voters())
    }

    /// May this voter be removed?
    ///
    /// # Errors
    /// The arithmetic that speaks against it.
    pub fn removal(&self, id: u64) -> Result<(), Refusal> {
        let leaving = usize::from(self.voters.contains_key(&id));
        let sound = usize::from(self.is_healthy(id));
        Self::judge(self.healthy() - sound, self.voters() - leaving)
    }

    /// May a learner that answers become a voter?
    ///
    /// # Errors
    /// The arithmetic that speaks against it.
    pub fn promotion(&self) -> Result<(), Refusal> {
        Self::judge(self.healthy() + 1, self.voters() + 1)
    }

    /// May a learner that does not answer become a voter?
    ///
    /// # Errors
    /// The arithmetic that speaks against it.
    pub fn promotion_unseen(&self) -> Result<(), Refusal> {
        Self::judge(self.healthy(), self.voters() + 1)
    }

    /// May this voter's pod be restarted because the user changed the spec? A voter that is away
    /// already may always be; one that answers only while all the others are healthy. From three
    /// voters on that keeps quorum. Of one or two, a restart costs it for a moment, which is what
    /// the user asked for.
    ///
    /// # Errors
    /// The arithmetic that speaks against it.
    pub fn restart(&self, id: u64) -> Result<(), Refusal> {
        let others = self.voters() - usize::from(self.voters.contains_key(&id));
        let sound = self.healthy() - usize::from(self.is_healthy(id));
        if !self.counted_on.contains(&id) || sound == others {
            return Ok(());
        }
        Err(Refusal {
            healthy: sound,
            voters: self.voters(),
            needed: others,
        })
    }

    fn judge(healthy: usize, voters: usize) -> Result<(), Refusal> {
        let needed = quorum(voters);
        if voters > 0 && healthy >= needed {
            Ok(())
        } else {
            Err(Refusal {
                healthy,
                voters,
                needed,
            })
        }
    }
}

/// Healthy: its pod is to stay and serves reads (after a cut has healed, what a member says may still
/// not reach the leader for as long as TCP waits before it sends again, while heartbeats reach the
/// member: seen for 14 s on 3.5.21), sees the same leader as the rest, and has not found its own data to be corrupt. An
/// alarm for lack of space is shown by every member and says nothing about any of them.
fn healthy(report: &MemberReport, leader: Option<u64>) -> bool {
    report.leader.is_some() && report.leader == leader && !report.has_corrupt_alarm()
}

fn running_members(observed: &Observed) -> BTreeSet<u64> {
    observed
        .pods
        .iter()
        .filter(|(_, pod)| pod.running && !pod.terminating && !pod.withdrawn)
        .filter_map(|(ordinal, _)| Some(observed.reports.get(ordinal)?.as_ref().ok()?.member_id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(voters: &[bool]) -> Gate {
        let voters: BTreeMap<u64, bool> = (1..).zip(voters.iter().copied()).collect();
        let counted_on = voters.iter().filter(|(_, healthy)| **healthy);
        Gate {
            counted_on: counted_on.map(|(id, _)| *id).collect(),
            voters,
        }
    }

    #[test]
    fn the_last_voter_is_never_let_go() {
        assert!(gate(&[true]).removal(1).is_err());
    }

    #[test]
    fn a_healthy_voter_stays_while_another_is_sick_and_needed() {
        assert!(gate(&[true, true, false]).removal(1).is_err());
        assert!(gate(&[true, true, false]).removal(3).is_ok());
        assert!(gate(&[true, true, true]).removal(1).is_ok());
    }

    #[test]
    fn a_healthy_voter_is_restarted_only_while_all_others_are_healthy() {
        assert!(gate(&[true, true, true]).restart(1).is_ok());
        assert!(gate(&[true]).restart(1).is_ok());
        assert!(gate(&[true, true, true, true, false]).restart(1).is_err());
        assert!(gate(&[true, true, true, true, false]).restart(5).is_ok());
    }

    #[test]
    fn promotion_keeps_a_majority_of_healthy_voters() {
        assert!(gate(&[true]).promotion().is_ok());
        assert!(gate(&[true, true, false]).promotion().is_ok());
        assert!(gate(&[true, false, false]).promotion().is_err());
        assert!(gate(&[true]).promotion_unseen().is_err());
        assert!(gate(&[true, true]).promotion_unseen().is_ok());
        assert!(gate(&[true, true, false]).promotion_unseen().is_err());
    }
}
