//! Requests that change the members, with etcd's checks before they are proposed.
//!
//! Owns: who counts as connected, and the rules of `--strict-reconfig-check`.
//! Always holds: the checks look at this member's own links and list, not at the leader's, except
//! for promotion, which only the leader can judge.
//! Deliberately does not know: what happens to the change once it is proposed.

use std::time::Duration;

use super::{Answer, Member, apply::encode_change};
use crate::etcd::{
    failure::Failure,
    membership::{Change, quorum},
    state::Applied,
};

/// A peer counts as healthy when its stream has been up for longer than this.
const HEALTHY_AFTER: Duration = Duration::from_secs(5);
/// A learner may be promoted when it has this much of the leader's log.
const READY_PERCENT: u64 = 90;

impl Member {
    /// Whether a member may be added now.
    pub(in crate::etcd) fn may_add(&self, learner: bool, now: Duration) -> Result<(), Failure> {
        if !self.config.strict_reconfig {
            return Ok(());
        }
        if !learner && !self.state.members.may_add_voter() {
            return Err(Failure::NotEnoughStarted);
        }
        let voters = self.state.members.voters().count();
        let healthy = self.healthy_voters(now);
        let enough = if self.quirks().add_needs_every_voter {
            healthy == voters
        } else {
            voters == 1 || healthy >= quorum(voters + 1)
        };
        if enough {
            Ok(())
        } else {
            Err(Failure::Unhealthy)
        }
    }

    /// Whether this member may be removed now.
    pub(in crate::etcd) fn may_remove(&self, id: u64, now: Duration) -> Result<(), Failure> {
        if !self.config.strict_reconfig || self.state.members.is_learner(id) {
            return Ok(());
        }
        if !self.state.members.may_remove_voter(id) {
            return Err(Failure::NotEnoughStarted);
        }
        if id != self.id && !self.links.contains_key(&id) {
            // One that is down is no part of the quorum that works.
            return Ok(());
        }
        let voters = self.state.members.voters().count();
        if self.healthy_voters(now).saturating_sub(1) < quorum(voters.saturating_sub(1)) {
            return Err(Failure::Unhealthy);
        }
        Ok(())
    }

    /// Whether this learner may be promoted now, as far as the leader can tell.
    pub(in crate::etcd) fn may_promote(&self, id: u64) -> Result<(), Failure> {
        let own = self.raft.matched(self.id).ok_or(Failure::NotLeader)?;
        let matched = self.raft.matched(id).ok_or(Failure::MemberNotFound)?;
        if matched * 100 < own * READY_PERCENT {
            return Err(Failure::LearnerNotReady);
        }
        if self.config.strict_reconfig && !self.state.members.may_promote() {
            return Err(Failure::NotEnoughStarted);
        }
        Ok(())
    }

    /// Proposes a change of members; `None` while there is no leader to take it.
    pub(in crate::etcd) fn propose_change(&mut self, change: &Change) -> Option<Answer<Applied>> {
        let request = self.take_request_id();
        if self.stopped || !self.raft.propose_change(encode_change(change, request)) {
            return None;
        }
        Some(self.wait_for(request))
    }

    /// The voter to hand leadership to: the one connected for longest.
    pub(in crate::etcd) fn transferee(&self) -> Option<u64> {
        let voters = self
            .state
            .members
            .voters()
            .filter(|voter| voter.id != self.id);
        let linked = voters.filter_map(|voter| Some((self.links.get(&voter.id)?.since, voter.id)));
        linked.min().map(|(_, id)| id)
    }

    pub(super) fn is_linked_since(&self, peer: u64, since: Duration) -> bool {
        self.links.get(&peer).is_some_and(|link| link.since < since)
    }

    pub(super) fn reaches_quorum_since(&self, since: Duration) -> bool {
        let members = self.state.members.ids().count();
        let reached = self.state.members.ids();
        let reached = reached.filter(|id| *id == self.id || self.is_linked_since(*id, since));
        reached.count() >= quorum(members)
    }

    fn healthy_voters(&self, now: Duration) -> usize {
        let is_healthy = |id: u64| {
            let since = now.checked_sub(HEALTHY_AFTER);
            id == self.id || since.is_some_and(|since| self.is_linked_since(id, since))
        };
        self.state
            .members
            .voters()
            .filter(|voter| is_healthy(voter.id))
            .count()
    }
}
