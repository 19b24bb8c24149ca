//! Snapshots of the applied state: taken to shorten the log, received to catch up.
//!
//! Owns: when one is taken, and what receiving one replaces.
//! Always holds: a snapshot at an index is the state after exactly that entry.
//! Deliberately does not know: how snapshots travel.

use std::time::Duration;

use prost::Message as _;
use raft::eraftpb::Snapshot;

use super::Member;
use crate::etcd::{command::StateDump, raft_log::position, state::State};

impl Member {
    /// Takes a snapshot when enough has been applied since the last one, and one for every follower
    /// that needs it.
    pub(super) fn snapshot_if_due(&mut self) {
        let since = self.applied.saturating_sub(self.snapshot_at);
        let first = self.snapshot_at == 0 && since > self.config.first_compaction;
        if first || since > self.config.snapshot_count {
            self.shorten_log();
        }
        // Like etcd's, it is as new as can be: a member's word of where it serves may be in it.
        let lacking = self.raft.somebody_lacks_entries();
        if lacking && self.raft.offered() != Some(self.applied) {
            let snapshot = self.snapshot();
            self.raft.offer(Some(snapshot));
        } else if !lacking && self.raft.offered().is_some() {
            self.raft.offer(None);
        }
    }

    fn snapshot(&self) -> Snapshot {
        snapshot_of(&self.state, self.applied, self.raft.term_of(self.applied))
    }

    fn shorten_log(&mut self) {
        let snapshot = self.snapshot();
        self.raft.compact(&snapshot, self.config.catch_up);
        self.snapshot_at = self.applied;
        self.effects
            .lines
            .push(format!("took a snapshot at index {}", self.applied));
    }

    /// Replaces the state by one received from the leader.
    pub(super) fn install(&mut self, snapshot: &Snapshot, now: Duration) {
        let index = position(snapshot).0;
        self.state = state_of(snapshot);
        self.applied = index;
        self.snapshot_at = index;
        self.allocated = self.state.store.bytes();
        self.leases.role_changed(false, &self.state.leases, now);
        self.effects.members_changed = true;
        self.effects.revised = true;
        self.effects
            .lines
            .push(format!("installed a snapshot at index {index}"));
        if self.state.members.is_removed(self.id) {
            self.stop(super::End::Removed);
        }
    }
}

/// The snapshot of a state.
fn snapshot_of(state: &State, index: u64, term: u64) -> Snapshot {
    let mut snapshot = Snapshot {
        data: state.dump().encode_to_vec(),
        ..Snapshot::default()
    };
    let metadata = snapshot.mut_metadata();
    metadata.index = index;
    metadata.term = term;
    metadata.set_conf_state(state.members.conf_state());
    snapshot
}

/// The state in a snapshot.
pub(in crate::etcd) fn state_of(snapshot: &Snapshot) -> State {
    let dump = StateDump::decode(snapshot.data.as_slice())
        .expect("snapshots travel whole, and members send only what they encoded");
    State::load(dump)
}
