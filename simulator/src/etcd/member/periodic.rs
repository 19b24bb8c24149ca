//! What a member does by the clock.
//!
//! Owns: ticks, the cluster version, and the expiry of leases.
//! Always holds: only a leader decides versions and lets leases expire, and both through the log.
//! Deliberately does not know: when ticks are due; see [`super::beats`].

use std::{collections::BTreeMap, time::Duration};

use etcd_client::proto::PbLeaseRevokeRequest;

use super::Member;
use crate::etcd::{
    command::Op, config::Config, failure::Failure, state::Applied, version::Version,
};

/// How often the leader looks at the members' versions, and at leases.
pub(super) const VERSIONS_EVERY: Duration = Duration::from_secs(4);
const LEASES_EVERY: Duration = Duration::from_millis(500);
/// Until the members' versions are known, the cluster is taken to be this old.
const OLDEST: Version = Version::new(3, 0, 0);

impl Member {
    /// A heartbeat interval has passed.
    pub(super) fn tick(&mut self, now: Duration) {
        if self.counts(now) {
            self.raft.tick();
        }
        self.tend_reads(now);
        self.waiting.retain(|_, asked| !asked.is_closed());
        if self.is_leader() {
            if self.beats.is_due(VERSIONS_EVERY) {
                self.decide_cluster_version();
            }
            if self.beats.is_due(LEASES_EVERY) {
                self.revoke_expired(now);
            }
        }
        self.advance(now);
    }

    /// Brings the first election closer, as etcd does once it knows that nobody leads.
    pub(in crate::etcd) fn hurry_election(&mut self, keep_ticks: usize) {
        self.raft
            .skip_ticks(self.config.election_ticks().saturating_sub(keep_ticks));
    }

    /// Peers whose stream is up.
    pub(in crate::etcd) fn active_peers(&self) -> usize {
        self.links.len()
    }

    /// Remaining and granted seconds of a lease; only the leader knows.
    pub(in crate::etcd) fn lease_left(&self, id: i64, now: Duration) -> Option<(i64, i64)> {
        let granted = *self.state.leases.get(&id)?;
        let left = self.leases.deadlines.get(&id)?.saturating_sub(now);
        Some((i64::try_from(left.as_secs()).unwrap_or(i64::MAX), granted))
    }

    /// An ID for a lease whose client did not choose one.
    pub(in crate::etcd) fn choose_lease_id(&mut self) -> i64 {
        (self.take_request_id() >> 1).cast_signed()
    }

    /// The shortest time that a lease is granted for, in seconds.
    pub(in crate::etcd) fn shortest_lease(&self) -> i64 {
        self.leases.shortest
    }

    /// Renews a lease on the leader.
    pub(in crate::etcd) fn renew_lease(&mut self, id: i64, now: Duration) -> Result<i64, Failure> {
        if !self.is_leader() {
            return Err(Failure::NotLeader);
        }
        let granted = *self.state.leases.get(&id).ok_or(Failure::LeaseNotFound)?;
        self.leases.start(id, granted, now);
        Ok(granted)
    }

    /// The cluster is of the oldest member's version, and never goes back.
    pub(super) fn decide_cluster_version(&mut self) {
        let current = self
            .state
            .cluster_version
            .as_ref()
            .and_then(|text| text.parse().ok());
        let decided = match (current, self.oldest_member()) {
            (None, oldest) => oldest.unwrap_or(OLDEST),
            (Some(current), Some(oldest)) if oldest > current => oldest,
            (Some(_), _) => return,
        };
        // Without a leader there is nothing to decide; the answer matters to nobody.
        drop(self.propose(Op::ClusterVersion(decided.to_string())));
    }

    /// The oldest version among members, if every member's is known.
    fn oldest_member(&self) -> Option<Version> {
        let versions = self.state.members.ids().map(|id| {
            if id == self.id {
                Some(self.version)
            } else {
                self.links.get(&id).map(|l| l.version)
            }
        });
        versions
            .map(|version| version.map(Version::of_cluster))
            .min()
            .flatten()
    }

    fn revoke_expired(&mut self, now: Duration) {
        let expired = self.leases.expired(now);
        for id in expired {
            // Revoked again at the next look if this one gets lost.
            drop(self.propose(Op::LeaseRevoke(PbLeaseRevokeRequest { id })));
        }
    }
}

/// When leases end; kept by the leader only, as etcd does.
#[derive(Debug)]
pub(super) struct Leases {
    shortest: i64,
    leads: bool,
    deadlines: BTreeMap<i64, Duration>,
}

impl Leases {
    pub(super) fn new(config: &Config) -> Self {
        let shortest = (config.election * 3 / 2).as_secs_f64().ceil();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an election takes at most 50 s"
        )]
        Self {
            shortest: shortest as i64,
            leads: false,
            deadlines: BTreeMap::new(),
        }
    }

    /// A new leader gives every lease its full time again.
    pub(super) fn role_changed(&mut self, leads: bool, leases: &BTreeMap<i64, i64>, now: Duration) {
        self.leads = leads;
        self.deadlines.clear();
        if leads {
            for (id, granted) in leases {
                self.start(*id, *granted, now);
            }
        }
    }

    pub(super) fn applied(&mut self, op: &Op, result: &Result<Applied, Failure>, now: Duration) {
        match (op, result) {
            (Op::LeaseGrant(grant), Ok(_)) if self.leads => self.start(grant.id, grant.ttl, now),
            (Op::LeaseRevoke(revoke), _) => drop(self.deadlines.remove(&revoke.id)),
            _ => {}
        }
    }

    fn start(&mut self, id: i64, granted: i64, now: Duration) {
        let seconds = u64::try_from(granted.max(self.shortest)).unwrap_or_default();
        self.deadlines
            .insert(id, now + Duration::from_secs(seconds));
    }

    fn expired(&self, now: Duration) -> Vec<i64> {
        let expired = self
            .deadlines
            .iter()
            .filter(|(_, deadline)| **deadline <= now);
        expired.map(|(id, _)| *id).collect()
    }
}
