//! Ticks, as few as possible.
//!
//! Owns: which ticks of raft's clock are due, when the next one matters, and thinning: the leader of
//! a calm cluster sends every fifth heartbeat only, because an hour of idling must cost little.
//! Always holds: raft sees every tick that a process that was not frozen would see, in order, before
//! it sees anything that happens later; what thinning adds to the time until a silent leader is
//! replaced, half of it is taken for granted (a leader whose process dies is noticed at once).
//! Deliberately does not know: timers; whoever drives the member asks for the next time.

use std::time::Duration;

use raft::eraftpb::{Message, MessageType};

use super::Member;
use crate::etcd::membership::quorum;

/// Heartbeats of a calm cluster are this far apart.
const THIN: Duration = Duration::from_millis(500);
/// After so long without anything but routine a cluster is calm.
const CALM_AFTER: Duration = Duration::from_secs(2);
/// A member that waits for nothing looks up this often.
const LOOK_UP: u64 = 50;

/// The clock of one member's raft.
#[derive(Debug)]
pub(super) struct Beats {
    heartbeat: Duration,
    /// Time of the last tick.
    last: Duration,
    /// Ticks until something can happen. Time beyond them was spent frozen.
    planned: u64,
    /// Ticks so far.
    count: u64,
    /// When something out of the ordinary was last sent or received, or a link changed.
    busy_at: Duration,
    /// When the leader was last heard of.
    heard_at: Duration,
    /// Ticks until then do not count towards an election.
    grace_until: Duration,
}

impl Beats {
    pub(super) fn new(heartbeat: Duration, now: Duration) -> Self {
        Self {
            heartbeat,
            last: now,
            planned: 1,
            count: 0,
            busy_at: now,
            heard_at: now,
            grace_until: now,
        }
    }

    pub(super) fn busy(&mut self, now: Duration) {
        self.busy_at = now;
    }

    /// Whether `every` has passed again at this tick.
    pub(super) fn is_due(&self, every: Duration) -> bool {
        self.count.is_multiple_of(self.ticks(every))
    }

    fn ticks(&self, time: Duration) -> u64 {
        let ticks = time.as_micros() / self.heartbeat.as_micros().max(1);
        u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
    }

    /// Ticks until `every` will have passed again.
    fn until_due(&self, every: Duration) -> u64 {
        let every = self.ticks(every);
        every - self.count % every
    }

    /// Counts the next tick if it is due, and tells its time.
    fn next(&mut self, now: Duration) -> Option<Duration> {
        let at = self.last + self.heartbeat;
        if at > now {
            return None;
        }
        if self.planned == 0 {
            // The process was frozen: Go's tickers do not make up for what they missed.
            let missed = (now - self.last).as_micros() / self.heartbeat.as_micros().max(1);
            self.last += self.heartbeat * u32::try_from(missed).unwrap_or(u32::MAX);
            return None;
        }
        self.planned -= 1;
        self.count += 1;
        self.last = at;
        Some(at)
    }
}

impl Member {
    /// Lets the ticks happen that are due by now.
    pub(in crate::etcd) fn pass_time(&mut self, now: Duration) {
        while !self.stopped
            && let Some(at) = self.beats.next(now)
        {
            self.tick(at);
        }
    }

    /// When time must pass at the latest, if nothing else happens.
    pub(in crate::etcd) fn next_wake(&mut self) -> Duration {
        let ticks = self.ticks_until_something();
        self.beats.planned = ticks;
        self.beats.last + self.beats.heartbeat * u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    fn ticks_until_something(&self) -> u64 {
        if self.stopped {
            return LOOK_UP;
        }
        if self.has_reads() {
            return 1;
        }
        if self.is_leader() {
            let alone = self.state.members.ids().count() == 1;
            return match () {
                () if !alone && !self.is_calm(self.beats.last) => 1,
                () if alone && self.state.leases.is_empty() => self.versions_due(),
                () => self.beats.until_due(THIN),
            };
        }
        match self.raft.ticks_to_election() {
            Some(ticks) => {
                let grace = self.beats.grace_until.saturating_sub(self.beats.last);
                ticks as u64 + (grace.as_micros() / self.beats.heartbeat.as_micros().max(1)) as u64
            }
            None => LOOK_UP,
        }
    }

    fn versions_due(&self) -> u64 {
        self.beats.until_due(super::periodic::VERSIONS_EVERY)
    }

    /// Whether a tick at this time counts towards an election.
    pub(super) fn counts(&self, at: Duration) -> bool {
        at > self.beats.grace_until || self.is_leader()
    }

    /// Whether a linearizable read would be confirmed at once, as far as this member can know: it
    /// leads and a majority is linked, or it has just heard of the leader that it is linked to.
    pub(in crate::etcd) fn would_confirm_reads(&self, now: Duration) -> bool {
        if self.stopped || self.has_reads() {
            return false;
        }
        let linked = |id: u64| id == self.id || self.links.contains_key(&id);
        if self.is_leader() {
            let voters = self.state.members.voters();
            let (mut all, mut there) = (0, 0);
            for voter in voters {
                all += 1;
                there += usize::from(linked(voter.id));
            }
            return there >= quorum(all);
        }
        let silent_for = now.saturating_sub(self.beats.heard_at);
        self.leader() != 0 && linked(self.leader()) && silent_for <= 2 * THIN
    }

    /// Whether nothing but routine has happened lately, with everybody there.
    fn is_calm(&self, now: Duration) -> bool {
        let all_linked = self
            .state
            .members
            .ids()
            .all(|id| id == self.id || self.links.contains_key(&id));
        all_linked && now.saturating_sub(self.beats.busy_at) >= CALM_AFTER
    }

    /// Takes the heartbeats out that a calm leader does not send.
    pub(super) fn thin_out(&mut self, messages: &mut Vec<Message>, now: Duration) {
        if messages.iter().any(|message| !is_routine(message)) {
            self.beats.busy(now);
        } else if self.is_leader() && self.is_calm(now) && !self.beats.is_due(THIN) {
            messages.retain(|message| !is_bare_heartbeat(message));
        }
    }

    /// Notes that a message has come.
    pub(super) fn heard(&mut self, message: &Message, now: Duration) {
        if !is_routine(message) {
            self.beats.busy(now);
        }
        if message.from != self.leader() {
            return;
        }
        let thin = now.saturating_sub(self.beats.heard_at) > THIN / 2;
        let grace = if thin {
            (THIN.saturating_sub(self.beats.heartbeat)) / 2
        } else {
            Duration::ZERO
        };
        self.beats.heard_at = now;
        self.beats.grace_until = now + grace;
    }

    /// Notes that the leader's process is gone: however long ago its last heartbeat came, the one
    /// before the end would not have been longer ago than now.
    pub(super) fn leader_fell_silent(&mut self, now: Duration) {
        if self.beats.grace_until > self.beats.heard_at {
            self.beats.grace_until = now;
            self.raft.restart_election_timer();
        }
    }
}

/// Whether a message says nothing but that the leader is there.
fn is_bare_heartbeat(message: &Message) -> bool {
    message.get_msg_type() == MessageType::MsgHeartbeat && message.context.is_empty()
}

/// Whether a message is one of those that a cluster exchanges when all is well: heartbeats, reads
/// and writes. What they bring about they bring about at once, without waiting for a heartbeat.
fn is_routine(message: &Message) -> bool {
    use MessageType::{
        MsgAppend, MsgAppendResponse, MsgHeartbeat, MsgHeartbeatResponse, MsgPropose, MsgReadIndex,
        MsgReadIndexResp,
    };
    match message.get_msg_type() {
        MsgAppendResponse => !message.reject,
        MsgHeartbeat | MsgHeartbeatResponse | MsgReadIndex | MsgReadIndexResp | MsgPropose
        | MsgAppend => true,
        _ => false,
    }
}
