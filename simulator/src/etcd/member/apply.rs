//! Applying committed entries.
//!
//! Owns: what each entry does to the state, to raft's configuration, and to whoever asked for it.
//! Always holds: an entry is applied once, in order; a change of members that is no longer valid is
//! answered and otherwise passed over.
//! Deliberately does not know: how the entry came to be committed.

use std::time::Duration;

use etcd_client::proto::PbMember;
use prost::Message as _;
use protobuf::Message as _;
use raft::eraftpb::{ConfChange, ConfChangeType, Entry, EntryType};

use super::{End, Member};
use crate::etcd::{
    command::{ChangeContext, Command, Op},
    membership::Change,
    state::Applied,
};

impl Member {
    pub(super) fn apply(&mut self, entry: &Entry, now: Duration) {
        match entry.get_entry_type() {
            EntryType::EntryNormal if entry.data.is_empty() => self.first_commit_in_term(),
            EntryType::EntryNormal => self.apply_command(entry, now),
            EntryType::EntryConfChange => self.apply_change(entry),
            EntryType::EntryConfChangeV2 => {
                unreachable!("changes of members are proposed in raft's first form")
            }
        }
        self.applied = entry.index;
    }

    /// A new leader's empty entry: from here on it may serve reads.
    fn first_commit_in_term(&mut self) {
        if self.is_leader() {
            self.decide_cluster_version();
        }
        self.resend_reads();
    }

    fn apply_command(&mut self, entry: &Entry, now: Duration) {
        let command = decode_command(entry);
        let revision = self.state.store.revision();
        let result = self.state.apply(&command, self.quirks());
        if let Some(op) = &command.op {
            self.leases.applied(op, &result, now);
            if matches!(op, Op::UpdateMember(_) | Op::Publish(_)) {
                self.effects.members_changed = true;
            }
        }
        self.effects.revised |= self.state.store.revision() != revision;
        self.allocated = self.allocated.max(self.state.store.bytes());
        if let Some(asked) = self.waiting.remove(&command.request) {
            if let (Some(what), Ok(_)) = (command.op.as_ref().and_then(Op::describe), &result) {
                self.effects.lines.push(what);
            }
            // Whoever asked may have given up.
            let _ = asked.send(result);
        }
    }

    fn apply_change(&mut self, entry: &Entry) {
        let (raw, change, request) = decode_change(entry);
        let result = self.state.members.validate(&change, self.max_learners());
        if result.is_ok() {
            self.carry_out(&raw, change);
        }
        if self.stopped && self.coin(request) {
            // A member that removes itself stops and answers at the same time, and whoever asked
            // is told the members or "server stopped": both were seen, of leaders and followers.
            return;
        }
        if let Some(asked) = self.waiting.remove(&request) {
            let members = self.state.members.list();
            // Whoever asked may have given up.
            let _ = asked.send(result.map(|()| Applied::Members(members)));
        }
    }

    fn carry_out(&mut self, raw: &ConfChange, change: Change) {
        self.effects.lines.push(describe(&change));
        let removes_self = change == Change::Remove(self.id);
        if let Change::Remove(id) = &change {
            self.links.remove(id);
        }
        self.state.members.apply(change);
        self.effects.members_changed = true;
        if removes_self {
            self.stop(End::Removed);
        } else {
            self.raft.apply_change(raw);
        }
    }

    fn max_learners(&self) -> usize {
        self.config.max_learners
    }
}

pub(in crate::etcd) fn decode_command(entry: &Entry) -> Command {
    Command::decode(entry.data.as_slice()).expect("members propose only commands they encoded")
}

/// A change of members, as raft has it and as etcd means it, and the request behind it.
pub(in crate::etcd) fn decode_change(entry: &Entry) -> (ConfChange, Change, u64) {
    let mut raw = ConfChange::default();
    raw.merge_from_bytes(&entry.data)
        .expect("members propose only changes they encoded");
    let context = ChangeContext::decode(raw.context.as_slice())
        .expect("members propose only changes they encoded");
    let change = match (raw.get_change_type(), context.member) {
        (ConfChangeType::RemoveNode, _) => Change::Remove(raw.node_id),
        (ConfChangeType::AddNode, None) => Change::Promote(raw.node_id),
        (ConfChangeType::AddNode | ConfChangeType::AddLearnerNode, member) => {
            Change::Add(member.unwrap_or_default())
        }
    };
    (raw, change, context.request)
}

/// A change of members as raft wants it.
pub(in crate::etcd) fn encode_change(change: &Change, request: u64) -> ConfChange {
    let (kind, node_id, member) = match change {
        Change::Add(member) if member.is_learner => (
            ConfChangeType::AddLearnerNode,
            member.id,
            Some(member.clone()),
        ),
        Change::Add(member) => (ConfChangeType::AddNode, member.id, Some(member.clone())),
        Change::Promote(id) => (ConfChangeType::AddNode, *id, None),
        Change::Remove(id) => (ConfChangeType::RemoveNode, *id, None),
    };
    let mut raw = ConfChange::default();
    raw.set_change_type(kind);
    raw.node_id = node_id;
    raw.context = ChangeContext { request, member }.encode_to_vec();
    raw
}

fn describe(change: &Change) -> String {
    match change {
        Change::Add(PbMember {
            id,
            peer_ur_ls,
            is_learner,
            ..
        }) => {
            let role = if *is_learner { "learner" } else { "voter" };
            format!("applied: add {role} {id:x} at {}", peer_ur_ls.join(","))
        }
        Change::Promote(id) => format!("applied: promote {id:x}"),
        Change::Remove(id) => format!("applied: remove {id:x}"),
    }
}
