//! Who is a member, and which changes of members are allowed.
//!
//! Owns: the member list, the IDs of the removed, and etcd's strict reconfiguration checks.
//! Always holds: a removed ID never comes back; no two members share a peer URL.
//! Deliberately does not know: raft's configuration, which follows this one; who is reachable.

use std::collections::{BTreeMap, BTreeSet};

use etcd_client::proto::PbMember;
use raft::eraftpb::ConfState;

use super::failure::Failure;

/// A change of members.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// Adds a voter or a learner.
    Add(PbMember),
    /// Turns a learner into a voter.
    Promote(u64),
    /// Removes a member for good.
    Remove(u64),
}

/// The member list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Membership {
    members: BTreeMap<u64, PbMember>,
    removed: BTreeSet<u64>,
}

impl Membership {
    pub(super) fn new(
        members: impl IntoIterator<Item = PbMember>,
        removed: impl IntoIterator<Item = u64>,
    ) -> Self {
        let members = members
            .into_iter()
            .map(|member| (member.id, member))
            .collect();
        Self {
            members,
            removed: removed.into_iter().collect(),
        }
    }

    pub(super) fn get(&self, id: u64) -> Option<&PbMember> {
        self.members.get(&id)
    }

    pub(super) fn list(&self) -> Vec<PbMember> {
        self.members.values().cloned().collect()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u64> {
        self.members.keys().copied()
    }

    pub(super) fn voters(&self) -> impl Iterator<Item = &PbMember> {
        self.members.values().filter(|member| !member.is_learner)
    }

    pub(super) fn is_removed(&self, id: u64) -> bool {
        self.removed.contains(&id)
    }

    pub(super) fn removed(&self) -> impl Iterator<Item = u64> {
        self.removed.iter().copied()
    }

    pub(super) fn is_learner(&self, id: u64) -> bool {
        self.get(id).is_some_and(|member| member.is_learner)
    }

    /// Raft's configuration for these members.
    pub(super) fn conf_state(&self) -> ConfState {
        let ids = |learner: bool| {
            let members = self
                .members
                .values()
                .filter(move |member| member.is_learner == learner);
            members.map(|member| member.id).collect::<Vec<_>>()
        };
        ConfState::from((ids(false), ids(true)))
    }

    /// Whether a change is still valid when its entry is applied.
    pub(super) fn validate(&self, change: &Change, max_learners: usize) -> Result<(), Failure> {
        match change {
            Change::Add(member) if self.is_removed(member.id) => Err(Failure::MemberNotFound),
            Change::Add(member) if self.members.contains_key(&member.id) => {
                Err(Failure::MemberExists)
            }
            Change::Add(member) => {
                self.check_urls(member)?;
                let learners = self
                    .members
                    .values()
                    .filter(|other| other.is_learner)
                    .count();
                if member.is_learner && learners >= max_learners {
                    return Err(Failure::TooManyLearners);
                }
                Ok(())
            }
            Change::Promote(id) if !self.is_learner(*id) => match self.get(*id) {
                Some(_) => Err(Failure::NotALearner),
                None => Err(Failure::MemberNotFound),
            },
            Change::Promote(_) => Ok(()),
            Change::Remove(id) => self.get(*id).map(|_| ()).ok_or(Failure::MemberNotFound),
        }
    }

    /// Carries out a valid change.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Add(member) => {
                self.members.insert(member.id, member);
            }
            Change::Promote(id) => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.is_learner = false;
                }
            }
            Change::Remove(id) => {
                self.members.remove(&id);
                self.removed.insert(id);
            }
        }
    }

    /// Notes what a member tells about itself; the removed are not listened to.
    pub(super) fn publish(&mut self, told: &PbMember) {
        if let Some(member) = self.members.get_mut(&told.id) {
            member.name.clone_from(&told.name);
            member.client_ur_ls.clone_from(&told.client_ur_ls);
        }
    }

    /// Gives a member other peer URLs.
    pub(super) fn update(&mut self, told: &PbMember, drops_learner: bool) -> Result<(), Failure> {
        if !self.members.contains_key(&told.id) {
            return Err(Failure::MemberNotFound);
        }
        self.check_urls(told)?;
        if let Some(member) = self.members.get_mut(&told.id) {
            member.peer_ur_ls.clone_from(&told.peer_ur_ls);
            member.is_learner &= !drops_learner;
        }
        Ok(())
    }

    fn check_urls(&self, candidate: &PbMember) -> Result<(), Failure> {
        let others = self
            .members
            .values()
            .filter(|member| member.id != candidate.id);
        let mut taken = others.flat_map(|member| &member.peer_ur_ls);
        if taken.any(|url| candidate.peer_ur_ls.contains(url)) {
            return Err(Failure::PeerUrlExists);
        }
        Ok(())
    }

    /// Whether enough voters have ever started for one more voter.
    pub(super) fn may_add_voter(&self) -> bool {
        let (voters, started) = self.count(None);
        // The one exception lets a restored cluster of one grow again.
        (started == 1 && voters == 1) || started >= quorum(voters + 1)
    }

    /// Whether enough voters have ever started for this one to go.
    pub(super) fn may_remove_voter(&self, id: u64) -> bool {
        let (voters, started) = self.count(Some(id));
        started >= quorum(voters)
    }

    /// Whether enough voters have ever started for a (started) learner to join them.
    pub(super) fn may_promote(&self) -> bool {
        let (voters, started) = self.count(None);
        started + 1 >= quorum(voters + 1)
    }

    /// Voters, and how many of them have ever started, without one of them.
    fn count(&self, without: Option<u64>) -> (usize, usize) {
        let counted = || self.voters().filter(|member| Some(member.id) != without);
        (
            counted().count(),
            counted().filter(|member| !member.name.is_empty()).count(),
        )
    }
}

/// The majority of so many voters.
pub(super) fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, name: &str) -> PbMember {
        let peer_ur_ls = vec![format!("http://m{id}:2380")];
        PbMember {
            id,
            name: name.into(),
            peer_ur_ls,
            ..PbMember::default()
        }
    }

    #[test]
    fn the_last_started_member_cannot_be_removed() {
        assert!(!Membership::new([member(1, "a")], []).may_remove_voter(1));
        let unstarted_second = Membership::new([member(1, "a"), member(2, "")], []);
        assert!(!unstarted_second.may_remove_voter(1));
        assert!(unstarted_second.may_remove_voter(2));
    }

    #[test]
    fn a_second_voter_is_refused_while_the_first_added_one_has_not_started() {
        assert!(Membership::new([member(1, "a")], []).may_add_voter());
        assert!(!Membership::new([member(1, "a"), member(2, "")], []).may_add_voter());
    }

    #[test]
    fn a_removed_id_or_a_taken_url_cannot_be_added() {
        let members = Membership::new([member(1, "a")], [7]);
        let add = |candidate| members.validate(&Change::Add(candidate), 1);
        assert_eq!(add(member(7, "")), Err(Failure::MemberNotFound));
        assert_eq!(add(member(1, "")), Err(Failure::MemberExists));
        let squatter = PbMember {
            id: 2,
            ..member(1, "")
        };
        assert_eq!(add(squatter), Err(Failure::PeerUrlExists));
    }

    #[test]
    fn learners_are_limited_and_only_learners_are_promoted() {
        let learner = |id| PbMember {
            is_learner: true,
            ..member(id, "")
        };
        let members = Membership::new([member(1, "a"), learner(2)], []);
        let second = Change::Add(learner(3));
        assert_eq!(members.validate(&second, 1), Err(Failure::TooManyLearners));
        assert_eq!(members.validate(&second, 2), Ok(()));
        assert_eq!(
            members.validate(&Change::Promote(1), 1),
            Err(Failure::NotALearner)
        );
        assert_eq!(
            members.validate(&Change::Promote(9), 1),
            Err(Failure::MemberNotFound)
        );
        assert_eq!(members.validate(&Change::Promote(2), 1), Ok(()));
    }

    #[test]
    fn an_update_drops_the_learner_flag_only_in_versions_with_that_bug() {
        let learner = PbMember {
            is_learner: true,
            ..member(2, "")
        };
        let told = PbMember {
            peer_ur_ls: vec!["http://new:2380".into()],
            ..learner.clone()
        };
        for drops in [false, true] {
            let mut members = Membership::new([member(1, "a"), learner.clone()], []);
            members.update(&told, drops).expect("a free URL");
            assert_eq!(members.is_learner(2), !drops);
        }
    }
}
