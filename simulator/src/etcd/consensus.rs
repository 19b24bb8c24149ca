//! Raft for one member: raft-rs, made deterministic, behind a narrow door.
//!
//! Owns: the order of log write, sync, send and apply, and the election timeouts.
//! Always holds: what a follower promises is durable before the promise is sent; one sync is in
//! flight at a time; the same seed gives the same timeouts.
//! Deliberately does not know: what entries mean, the network, the clock.

use std::mem;

use raft::{
    Config, ProgressState, RawNode, ReadState, SnapshotStatus, StateRole,
    eraftpb::{ConfChange, ConfState, Entry, Message, MessageType, Snapshot},
};

use super::{
    disk::Dir,
    raft_log::{RaftLog, Write},
};

/// Messages larger than this are split.
const MAX_MESSAGE_BYTES: u64 = 512 * 1024;

/// Raft of one member.
pub(super) struct Consensus {
    node: RawNode<RaftLog>,
    dir: Dir,
    seed: u64,
    syncing: Option<Syncing>,
}

/// A write whose sync has not ended.
struct Syncing {
    ready: u64,
    write: Write,
    then: Output,
}

/// What raft wants done, in this order: send, install, apply, answer reads.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) messages: Vec<Message>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) committed: Vec<Entry>,
    pub(super) reads: Vec<ReadState>,
}

/// Election and heartbeat in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) election: usize,
    pub(super) heartbeat: usize,
    pub(super) pre_vote: bool,
}

/// Why a message could not be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Panic {
    /// The leader knows this member to have had entries that it lost.
    LogLost { commit: u64, last: u64 },
}

impl Consensus {
    /// Starts raft on a log whose entries up to `applied` the caller has applied, which made
    /// `members` the configuration.
    pub(super) fn start(
        id: u64,
        mut log: RaftLog,
        members: ConfState,
        applied: u64,
        pace: Pace,
        seed: u64,
        dir: Dir,
    ) -> Self {
        log.set_conf_state(members);
        let config = Config {
            id,
            election_tick: pace.election,
            heartbeat_tick: pace.heartbeat,
            applied,
            max_size_per_msg: MAX_MESSAGE_BYTES,
            max_inflight_msgs: 512,
            check_quorum: true,
            pre_vote: pace.pre_vote,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node = RawNode::new(&config, log, &logger)
            .expect("a non-zero ID, an election longer than a heartbeat, and an in-memory log");
        let mut consensus = Self {
            node,
            dir,
            seed,
            syncing: None,
        };
        consensus.fix_timeout();
        consensus
    }

    pub(super) fn tick(&mut self) {
        self.node.tick();
        self.fix_timeout();
    }

    /// Ticks until this member stands for election; `None` when it never would.
    pub(super) fn ticks_to_election(&self) -> Option<usize> {
        let raft = &self.node.raft;
        if !raft.promotable() {
            return None;
        }
        Some(
            raft.randomized_election_timeout()
                .saturating_sub(raft.election_elapsed)
                .max(1),
        )
    }

    /// Starts waiting for the leader anew.
    pub(super) fn restart_election_timer(&mut self) {
        self.node.raft.election_elapsed = 0;
    }

    /// Ticks towards an election without ever starting one.
    pub(super) fn skip_ticks(&mut self, ticks: usize) {
        for _ in 0..ticks {
            self.tick();
        }
    }

    /// Takes a message from another member.
    pub(super) fn step(&mut self, message: Message) -> Result<(), Panic> {
        self.check_for_lost_log(&message)?;
        // What raft refuses (unknown sender, stale term) it has no answer to, like a lost message.
        let _ = self.node.step(message);
        self.fix_timeout();
        Ok(())
    }

    /// raft-rs panics here as etcd's raft does; a simulated process must die alone.
    fn check_for_lost_log(&self, message: &Message) -> Result<(), Panic> {
        let raft = &self.node.raft;
        let last = raft.raft_log.last_index();
        let is_heartbeat = message.get_msg_type() == MessageType::MsgHeartbeat;
        if is_heartbeat
            && message.term >= raft.term
            && message.commit > raft.raft_log.committed
            && message.commit > last
        {
            return Err(Panic::LogLost {
                commit: message.commit,
                last,
            });
        }
        Ok(())
    }

    /// Proposes an entry. `false` when there is no leader that could take it.
    pub(super) fn propose(&mut self, data: Vec<u8>) -> bool {
        self.node.propose(Vec::new(), data).is_ok()
    }

    /// Proposes a change of members. `false` as for [`Self::propose`].
    pub(super) fn propose_change(&mut self, change: ConfChange) -> bool {
        self.node.propose_conf_change(Vec::new(), change).is_ok()
    }

    /// Asks the leader for the index that a read must wait for.
    pub(super) fn read_index(&mut self, context: Vec<u8>) {
        self.node.read_index(context);
    }

    pub(super) fn transfer_leadership(&mut self, to: u64) {
        self.node.transfer_leader(to);
    }

    pub(super) fn report_unreachable(&mut self, peer: u64) {
        self.node.report_unreachable(peer);
    }

    pub(super) fn report_snapshot(&mut self, peer: u64, arrived: bool) {
        let status = if arrived {
            SnapshotStatus::Finish
        } else {
            SnapshotStatus::Failure
        };
        self.node.report_snapshot(peer, status);
    }

    /// Changes raft's own configuration, once the entry that says so is applied.
    pub(super) fn apply_change(&mut self, change: &ConfChange) {
        self.node
            .apply_conf_change(change)
            .expect("one member changes at a time, and the last voter is never removed");
        self.fix_timeout();
    }

    /// Tells raft that everything up to here is applied.
    pub(super) fn applied(&mut self, index: u64) {
        self.node.advance_apply_to(index);
    }

    /// What is to be done next; `None` when nothing is, or while a sync is in flight.
    pub(super) fn next(&mut self) -> Option<Output> {
        if self.syncing.is_some() || !self.node.has_ready() {
            return None;
        }
        let mut ready = self.node.ready();
        let snapshot = ready.snapshot().clone();
        let write = Write {
            hard_state: ready.hs().cloned(),
            entries: ready.take_entries(),
            snapshot: (!snapshot.is_empty()).then_some(snapshot),
        };
        let mut now = Output {
            messages: ready.take_messages(),
            ..Output::default()
        };
        let then = Output {
            messages: ready.take_persisted_messages(),
            snapshot: write.snapshot.clone(),
            committed: ready.take_committed_entries(),
            reads: ready.take_read_states(),
        };
        let (number, must_sync) = (ready.number(), ready.must_sync());
        self.node.mut_store().write(&write);
        self.node.advance_append_async(ready);
        self.syncing = Some(Syncing {
            ready: number,
            write,
            then,
        });
        if !must_sync {
            now.absorb(self.synced());
        }
        Some(now)
    }

    /// Whether a sync is in flight, to be ended by [`Self::synced`].
    pub(super) fn is_syncing(&self) -> bool {
        self.syncing.is_some()
    }

    /// The sync in flight has ended.
    pub(super) fn synced(&mut self) -> Output {
        let Some(syncing) = self.syncing.take() else {
            return Output::default();
        };
        self.dir.update(|dir| dir.log.write(&syncing.write));
        self.node.on_persist_ready(syncing.ready);
        syncing.then
    }

    /// Keeps a snapshot of the applied state, in memory and on disk, and drops the log before it.
    pub(super) fn compact(&mut self, snapshot: &Snapshot, catch_up: u64) {
        self.node.mut_store().compact(snapshot.clone(), catch_up);
        self.dir
            .update(|dir| dir.log.compact(snapshot.clone(), catch_up));
    }

    /// Whether this is the leader and a follower needs entries that the log has lost.
    pub(super) fn somebody_lacks_entries(&self) -> bool {
        let (raft, lost) = (&self.node.raft, self.node.store().compacted());
        lost > 0
            && self.is_leader()
            && raft.prs().iter().any(|(id, progress)| {
                *id != raft.id
                    && progress.state != ProgressState::Snapshot
                    && progress.next_idx <= lost
            })
    }

    /// The snapshot that such a follower gets.
    pub(super) fn offer(&mut self, snapshot: Option<Snapshot>) {
        self.node.mut_store().offer(snapshot);
    }

    /// Index of the snapshot on offer.
    pub(super) fn offered(&self) -> Option<u64> {
        let snapshot = self.node.store().offered()?;
        Some(snapshot.get_metadata().index)
    }

    pub(super) fn term_of(&self, index: u64) -> u64 {
        self.node.raft.raft_log.term(index).unwrap_or_default()
    }

    pub(super) fn term(&self) -> u64 {
        self.node.raft.term
    }

    /// The leader's ID, 0 while there is none.
    pub(super) fn leader(&self) -> u64 {
        self.node.raft.leader_id
    }

    pub(super) fn is_leader(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    pub(super) fn committed(&self) -> u64 {
        self.node.raft.raft_log.committed
    }

    /// Up to where a member's log is known to agree; `None` for strangers, or on a follower.
    pub(super) fn matched(&self, member: u64) -> Option<u64> {
        if !self.is_leader() {
            return None;
        }
        self.node
            .raft
            .prs()
            .get(member)
            .map(|progress| progress.matched)
    }

    /// raft-rs draws timeouts from thread-local entropy; this draws them from the seed instead,
    /// before the next tick can look at them.
    fn fix_timeout(&mut self) {
        let election = self.node.raft.election_timeout();
        let spread = mix(self.seed ^ mix(self.node.raft.id) ^ mix(self.node.raft.term));
        let extra = usize::try_from(spread % election as u64).unwrap_or_default();
        self.node
            .raft
            .set_randomized_election_timeout(election + extra);
    }
}

impl Output {
    fn absorb(&mut self, later: Self) {
        let Self {
            mut messages,
            snapshot,
            mut committed,
            mut reads,
        } = later;
        self.messages.append(&mut messages);
        self.snapshot = snapshot.or(mem::take(&mut self.snapshot));
        self.committed.append(&mut committed);
        self.reads.append(&mut reads);
    }
}

/// The finaliser of splitmix64: every input bit moves every output bit.
pub(super) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
