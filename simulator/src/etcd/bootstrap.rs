//! What a member starts from: a new data dir, or the state that an old one describes.
//!
//! Owns: the first entries of a cluster's log, replay, and `--force-new-cluster`.
//! Always holds: a replayed state is the state at the log's commit index.
//! Deliberately does not know: peers, sockets; see [`super::startup`] for the order of a start.

use etcd_client::proto::PbMember;
use protobuf::Message as _;
use raft::eraftpb::{Entry, EntryType, HardState};

use super::{
    disk::{DataDir, Identity},
    identity,
    member::{decode_change, decode_command, encode_change, state_of},
    membership::{Change, Membership},
    raft_log::{RaftLog, Write},
    state::State,
    version::Quirks,
};

/// The members of an initial cluster, with the IDs that etcd gives them.
pub(super) fn initial_members(
    cluster: &std::collections::BTreeMap<String, Vec<super::urls::Url>>,
    token: &str,
) -> Vec<PbMember> {
    let members = cluster.iter().map(|(name, urls)| {
        let peer_ur_ls = super::urls::texts(urls);
        let id = identity::member_id(&peer_ur_ls, token, None);
        PbMember {
            id,
            name: name.clone(),
            peer_ur_ls,
            ..PbMember::default()
        }
    });
    let mut members: Vec<PbMember> = members.collect();
    members.sort_by_key(|member| member.id);
    members
}

/// The data dir of a member of a new cluster: its log begins with the members, already committed.
pub(super) fn found(own: u64, members: &[PbMember]) -> DataDir {
    let cluster = identity::cluster_id(members.iter().map(|member| member.id));
    let changes = members.iter().map(|member| Change::Add(member.clone()));
    let entries: Vec<Entry> = changes
        .zip(1..)
        .map(|(change, index)| change_entry(&change, index, 1))
        .collect();
    let commit = entries.len() as u64;
    let mut log = RaftLog::default();
    let hard_state = Some(HardState {
        term: 1,
        vote: 0,
        commit,
    });
    log.write(&Write {
        hard_state,
        entries,
        snapshot: None,
    });
    DataDir {
        identity: Some(Identity {
            member: own,
            cluster,
        }),
        log,
        ..DataDir::default()
    }
}

/// The data dir of a member that joins: everything will come from the leader, who is among those
/// that it was told of.
pub(super) fn join(own: u64, cluster: u64, told: &[PbMember]) -> DataDir {
    let told = told
        .iter()
        .map(|member| (member.id, member.peer_ur_ls.clone()))
        .collect();
    let identity = Some(Identity {
        member: own,
        cluster,
    });
    DataDir {
        identity,
        told,
        ..DataDir::default()
    }
}

/// The state that a data dir describes.
pub(super) fn replay(data: &DataDir, quirks: Quirks, max_learners: usize) -> State {
    let snapshot = data.log.snapshot_taken();
    let mut state = if snapshot.is_empty() {
        State::default()
    } else {
        state_of(snapshot)
    };
    state.cluster = data
        .identity
        .map_or(state.cluster, |identity| identity.cluster);
    for entry in data.log.committed_after_snapshot() {
        apply(&mut state, &entry, quirks, max_learners);
    }
    state
}

fn apply(state: &mut State, entry: &Entry, quirks: Quirks, max_learners: usize) {
    if entry.get_entry_type() == EntryType::EntryConfChange {
        let (_, change, _) = decode_change(entry);
        if state.members.validate(&change, max_learners).is_ok() {
            state.members.apply(change);
        }
    } else if !entry.data.is_empty() {
        // A command that failed when it was first applied fails again, and changes nothing again.
        let _ = state.apply(&decode_command(entry), quirks);
    }
}

/// Makes a cluster of one out of a survivor: what was not committed is dropped, every other member
/// is removed, and the survivor is a voter.
pub(super) fn force_new_cluster(data: &mut DataDir, members: &Membership) {
    let Some(own) = data.identity.map(|identity| identity.member) else {
        return;
    };
    data.log.drop_uncommitted();
    let mut changes: Vec<Change> = members
        .ids()
        .filter(|id| *id != own)
        .map(Change::Remove)
        .collect();
    if members.is_learner(own) {
        changes.push(Change::Promote(own));
    }
    let hard_state = data.log.hard_state().clone();
    let first = data.log.last() + 1;
    let entries: Vec<Entry> = changes
        .iter()
        .zip(first..)
        .map(|(change, index)| change_entry(change, index, hard_state.term))
        .collect();
    let commit = data.log.last() + entries.len() as u64;
    let hard_state = Some(HardState {
        commit,
        ..hard_state
    });
    data.log.write(&Write {
        hard_state,
        entries,
        snapshot: None,
    });
}

fn change_entry(change: &Change, index: u64, term: u64) -> Entry {
    let data = encode_change(change, 0)
        .write_to_bytes()
        .expect("a message without required fields can always be written");
    let mut entry = Entry {
        index,
        term,
        data,
        ..Entry::default()
    };
    entry.set_entry_type(EntryType::EntryConfChange);
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::version::Version;

    const QUIRKS: fn() -> Quirks = || Version::new(3, 6, 16).quirks();

    fn three() -> Vec<PbMember> {
        let cluster =
            crate::etcd::urls::parse_initial_cluster("a=http://a:1,b=http://b:1,c=http://c:1");
        initial_members(&cluster.expect("valid"), "token")
    }

    #[test]
    fn a_founded_data_dir_replays_to_its_members() {
        let data = found(three()[0].id, &three());
        let state = replay(&data, QUIRKS(), 1);
        assert_eq!(state.members.list(), three());
        assert_eq!(
            state.cluster,
            identity::cluster_id(three().iter().map(|m| m.id))
        );
    }

    #[test]
    fn a_forced_new_cluster_has_one_member_and_the_same_ids() {
        let own = three()[1].id;
        let mut data = found(own, &three());
        let before = replay(&data, QUIRKS(), 1);
        force_new_cluster(&mut data, &before.members);
        let after = replay(&data, QUIRKS(), 1);
        assert_eq!(after.members.ids().collect::<Vec<_>>(), [own]);
        assert!(after.members.is_removed(three()[0].id));
        assert_eq!(after.cluster, before.cluster);
    }
}
