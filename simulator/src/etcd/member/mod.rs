//! One member: consensus, applied state and requests in progress, as a synchronous machine.
//!
//! Owns: everything a member knows and decides. Inputs are time, messages, links going up and
//! down, and requests, each with the time; outputs are [`Effects`].
//! Always holds: a request is answered at most once, and with [`Failure::Stopped`] when the member
//! stops first; nothing is done after it has stopped.
//! Deliberately does not know: sockets, tasks, how long the network takes.

mod apply;
mod beats;
mod periodic;
mod reads;
mod reconfigure;
mod snapshots;

use std::{collections::BTreeMap, time::Duration};

use prost::Message as _;
use raft::eraftpb::Message;
use tokio::sync::oneshot;

use super::{
    command::{Command, Op},
    config::Config,
    consensus::{Consensus, Output, Pace, Panic, mix},
    disk::{DataDir, Dir},
    failure::Failure,
    raft_log::position,
    state::{Applied, State},
    version::{Quirks, Version},
};
use beats::Beats;
use periodic::Leases;
use reads::Reads;

pub(super) use apply::{decode_change, decode_command, encode_change};
pub(super) use snapshots::state_of;

/// The answer to a request, when it comes.
pub(super) type Answer<T> = oneshot::Receiver<Result<T, Failure>>;
type Asked<T> = oneshot::Sender<Result<T, Failure>>;

/// A member.
pub(super) struct Member {
    id: u64,
    version: Version,
    config: Config,
    dir: Dir,
    raft: Consensus,
    state: State,
    applied: u64,
    snapshot_at: u64,
    allocated: i64,
    links: BTreeMap<u64, Link>,
    waiting: BTreeMap<u64, Asked<Applied>>,
    next_request: u64,
    reads: Reads,
    leases: Leases,
    beats: Beats,
    leadership: Leadership,
    effects: Effects,
    /// A sync has been announced and has not ended.
    syncing: bool,
    stopped: bool,
}

/// What a member knows of its connection to a peer.
#[derive(Clone, Copy, Debug)]
struct Link {
    since: Duration,
    version: Version,
}

/// The leader as last seen, and since when.
#[derive(Clone, Copy, Debug, Default)]
struct Leadership {
    leader: u64,
    leads: bool,
    term: u64,
    elected_at: Duration,
}

/// What a member wants done to the world.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// To be sent to other members.
    pub(super) messages: Vec<Message>,
    /// The members or their URLs have changed.
    pub(super) members_changed: bool,
    /// The leader is another one now, or there is none any more.
    pub(super) leader_changed: bool,
    /// The store has a new revision.
    pub(super) revised: bool,
    /// A sync has begun, to be ended by [`Member::synced`] after this long.
    pub(super) sync: Option<Duration>,
    /// The process must end.
    pub(super) end: Option<End>,
    /// For the trace.
    pub(super) lines: Vec<String>,
}

/// Why a running member ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was removed from the cluster.
    Removed,
    /// Its log does not hold what the leader knows it had.
    LogLost { commit: u64, last: u64 },
}

/// What a member needs to begin.
pub(super) struct Beginning {
    pub(super) id: u64,
    pub(super) version: Version,
    pub(super) config: Config,
    pub(super) seed: u64,
    /// Milliseconds since 1970, so that requests of two runs are not confused.
    pub(super) unix_millis: u64,
    pub(super) dir: Dir,
    pub(super) data: DataDir,
    pub(super) state: State,
}

impl Member {
    /// Starts a member whose state has been replayed up to its log's commit index.
    pub(super) fn start(beginning: Beginning, now: Duration) -> Self {
        let Beginning {
            id,
            version,
            config,
            seed,
            unix_millis,
            dir,
            data,
            state,
        } = beginning;
        let pace = Pace {
            election: config.election_ticks(),
            heartbeat: 1,
            pre_vote: config.pre_vote,
        };
        let applied = data.log.hard_state().commit;
        let snapshot_at = position(data.log.snapshot_taken()).0;
        let members = state.members.conf_state();
        let raft = Consensus::start(id, data.log, members, applied, pace, seed, dir.clone());
        let (leases, heartbeat) = (Leases::new(&config), config.heartbeat);
        Self {
            id,
            version,
            config,
            dir,
            raft,
            applied,
            snapshot_at,
            allocated: data.allocated.max(state.store.bytes()),
            state,
            links: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_request: first_request(id, unix_millis),
            reads: Reads::default(),
            leases,
            beats: Beats::new(heartbeat, now),
            leadership: Leadership::default(),
            effects: Effects::default(),
            syncing: false,
            stopped: false,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    pub(super) fn quirks(&self) -> Quirks {
        self.version.quirks()
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn leader(&self) -> u64 {
        self.raft.leader()
    }

    pub(super) fn is_leader(&self) -> bool {
        self.raft.is_leader()
    }

    pub(super) fn is_learner(&self) -> bool {
        self.state.members.is_learner(self.id)
    }

    pub(super) fn term(&self) -> u64 {
        self.raft.term()
    }

    pub(super) fn committed(&self) -> u64 {
        self.raft.committed()
    }

    pub(super) fn applied(&self) -> u64 {
        self.applied
    }

    /// Size of the database file.
    pub(super) fn allocated(&self) -> i64 {
        self.allocated
    }

    /// Gives back the space that compaction freed.
    pub(super) fn defragment(&mut self) {
        self.allocated = self.state.store.bytes();
        let allocated = self.allocated;
        self.dir.update(|dir| dir.allocated = allocated);
        self.effects.lines.push("defragment".to_owned());
    }

    /// Proposes a command; `None` while there is no leader to take it.
    pub(super) fn propose(&mut self, op: Op) -> Option<Answer<Applied>> {
        let request = self.take_request_id();
        let command = Command {
            request,
            op: Some(op),
        };
        if self.stopped || !self.raft.propose(command.encode_to_vec()) {
            return None;
        }
        Some(self.wait_for(request))
    }

    pub(super) fn transfer_leadership(&mut self, to: u64, now: Duration) {
        self.effects
            .lines
            .push(format!("move leadership to {to:x}"));
        self.raft.transfer_leadership(to);
        self.advance(now);
    }

    /// Takes a message from a peer.
    pub(super) fn step(&mut self, message: Message, now: Duration) {
        if self.stopped {
            return;
        }
        self.heard(&message, now);
        if let Err(Panic::LogLost { commit, last }) = self.raft.step(message) {
            self.stop(End::LogLost { commit, last });
            return;
        }
        self.advance(now);
    }

    /// The sync announced by [`Effects::sync`] has ended.
    pub(super) fn synced(&mut self, now: Duration) {
        if self.stopped || !self.raft.is_syncing() {
            return;
        }
        self.syncing = false;
        let output = self.raft.synced();
        self.perform(output, now);
        self.advance(now);
    }

    /// A stream from a peer is up.
    pub(super) fn link_up(&mut self, peer: u64, version: Version, now: Duration) {
        self.beats.busy(now);
        let since = self.links.get(&peer).map_or(now, |link| link.since);
        self.links.insert(peer, Link { since, version });
    }

    /// The stream from a peer is broken.
    pub(super) fn link_down(&mut self, peer: u64, now: Duration) {
        if self.links.remove(&peer).is_none() {
            return;
        }
        self.beats.busy(now);
        if peer == self.leader() {
            self.leader_fell_silent(now);
        }
    }

    /// A message could not be sent.
    pub(super) fn unreachable(&mut self, peer: u64, was_snapshot: bool) {
        self.raft.report_unreachable(peer);
        if was_snapshot {
            self.raft.report_snapshot(peer, false);
        }
    }

    /// A snapshot was written to a peer's stream.
    pub(super) fn snapshot_sent(&mut self, peer: u64, now: Duration) {
        self.raft.report_snapshot(peer, true);
        self.advance(now);
    }

    /// A peer says that this member was removed.
    pub(super) fn told_removed(&mut self) {
        self.stop(End::Removed);
    }

    /// Ends every request in progress.
    pub(super) fn fail_requests(&mut self) {
        self.stopped = true;
        for (_, asked) in std::mem::take(&mut self.waiting) {
            // Whoever asked may have gone.
            let _ = asked.send(Err(Failure::Stopped));
        }
        self.reads.fail_all(&Failure::Stopped);
    }

    pub(super) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    /// Lets raft go on until it waits for a sync, a message or a tick.
    pub(super) fn advance(&mut self, now: Duration) {
        if self.stopped {
            return;
        }
        while let Some(output) = self.raft.next() {
            self.perform(output, now);
            if self.stopped {
                return;
            }
        }
        if self.raft.is_syncing() && !self.syncing {
            self.syncing = true;
            self.effects.sync = Some(self.dir.sync_time());
        }
    }

    fn perform(&mut self, mut output: Output, now: Duration) {
        self.note_leadership(now);
        self.thin_out(&mut output.messages, now);
        self.effects.messages.extend(output.messages);
        if let Some(snapshot) = &output.snapshot {
            self.install(snapshot, now);
        }
        for entry in &output.committed {
            self.apply(entry, now);
            if self.stopped {
                return;
            }
        }
        self.raft.applied(self.applied);
        self.reads.confirmed(&output.reads, self.applied);
        self.reads.answer(self.applied);
        self.snapshot_if_due();
    }

    fn note_leadership(&mut self, now: Duration) {
        let (leader, leads, term) = (self.raft.leader(), self.raft.is_leader(), self.raft.term());
        let before = self.leadership;
        if (leader, leads, term) == (before.leader, before.leads, before.term) {
            return;
        }
        self.leadership = Leadership {
            leader,
            leads,
            term,
            ..before
        };
        if leader != before.leader {
            self.effects.leader_changed = true;
            if leader != 0 {
                self.leadership.elected_at = now;
                self.reads.fail_all(&Failure::LeaderChanged);
            }
        }
        if leads != before.leads {
            self.leases.role_changed(leads, &self.state.leases, now);
            let role = if leads {
                "became leader"
            } else {
                "became follower"
            };
            self.effects.lines.push(format!("{role} at term {term}"));
        } else if leader != before.leader {
            self.effects.lines.push(match leader {
                0 => format!("lost its leader at term {term}"),
                leader => format!("follows {leader:x} at term {term}"),
            });
        }
    }

    /// What a request that ran out of time is told (etcd guesses at the reason).
    pub(super) fn timeout_reason(&self, started: Duration) -> Failure {
        let elected_at = self.leadership.elected_at;
        let lost_before = elected_at.saturating_sub(2 * self.config.election);
        if started > lost_before && started < elected_at {
            return Failure::TimedOutLeaderFailed;
        }
        let leader = self.leader();
        let cut_off = match leader {
            0 => false,
            leader if leader == self.id => !self.reaches_quorum_since(started),
            leader => !self.is_linked_since(leader, started),
        };
        if cut_off {
            Failure::TimedOutConnectionLost
        } else {
            Failure::TimedOut
        }
    }

    fn stop(&mut self, end: End) {
        if !self.stopped {
            self.stopped = true;
            self.effects.end = Some(end);
        }
    }

    /// Heads or tails, for what depends on which of two threads of etcd is faster.
    pub(super) fn coin(&self, what: u64) -> bool {
        mix(self.next_request ^ what) & 1 == 0
    }

    fn take_request_id(&mut self) -> u64 {
        let request = self.next_request;
        self.next_request = self.next_request.wrapping_add(1);
        request
    }

    fn wait_for(&mut self, request: u64) -> Answer<Applied> {
        let (asked, answer) = oneshot::channel();
        self.waiting.insert(request, asked);
        answer
    }
}

/// The first request ID of a run, as etcd makes it: member, time, and room to count.
fn first_request(member: u64, unix_millis: u64) -> u64 {
    (mix(member) << 48) | ((unix_millis & 0xff_ffff_ffff) << 8)
}

#[cfg(test)]
mod tests;
