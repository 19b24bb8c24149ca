//! A running member: the synchronous [`Member`] behind a lock, and the world around it.
//!
//! Owns: carrying out what the member wants, the tick, and the end of the process.
//! Always holds: the lock is never held across an await, nor while effects are carried out.
//! Deliberately does not know: gRPC, HTTP; those call [`Server::act`] and the requests below.

mod requests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use raft::eraftpb::{Message, MessageType};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    crash::Crash,
    member::{Effects, End, Member},
    peers::Peers,
    process::{Level, Process},
};

/// Between failing the requests in progress and the exit: time for the answers to leave.
const FAREWELL: Duration = Duration::from_millis(3);
/// How long etcd waits for peers before it lets the first election come at its own pace, and how
/// often it looks.
const PEERS_WITHIN: Duration = Duration::from_secs(5);
const PEERS_LOOK: Duration = Duration::from_millis(50);

/// A running member.
pub(super) struct Server {
    member: Mutex<Member>,
    process: Arc<Process>,
    peers: Peers,
    timer: Mutex<Timer>,
    rearmed: Notify,
    leader: watch::Sender<u64>,
    revision: watch::Sender<i64>,
    draining: watch::Sender<bool>,
    /// Whether clients are served.
    serves: AtomicBool,
}

/// When the member must be woken, in the world's time.
#[derive(Clone, Copy, Debug, Default)]
struct Timer {
    tick_at: Duration,
    sync_at: Option<Duration>,
    /// What the timer task sleeps until.
    armed_for: Option<Duration>,
}

impl Timer {
    fn next(&self) -> Duration {
        self.sync_at.map_or(self.tick_at, |at| at.min(self.tick_at))
    }
}

impl Server {
    pub(super) fn new(process: Arc<Process>, member: Member, peers: Peers) -> Arc<Self> {
        Arc::new(Self {
            member: Mutex::new(member),
            process,
            peers,
            timer: Mutex::default(),
            rearmed: Notify::new(),
            leader: watch::Sender::new(0),
            revision: watch::Sender::new(0),
            draining: watch::Sender::new(false),
            serves: AtomicBool::new(false),
        })
    }

    /// Starts what runs without being asked: ticks, streams to peers, the first election.
    pub(super) fn start(self: &Arc<Self>) {
        self.peers.follow(self);
        self.process.spawn(Arc::clone(self).keep_time());
        self.process.spawn(Arc::clone(self).hurry_first_election());
    }

    /// Notes that clients are served from now on.
    pub(super) fn begins_to_serve(self: &Arc<Self>) {
        self.serves.store(true, Ordering::Relaxed);
        self.process.shows(self);
    }

    pub(super) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    pub(super) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Tells of every new revision.
    pub(super) fn revisions(&self) -> watch::Receiver<i64> {
        self.revision.subscribe()
    }

    /// Waits until no new clients are wanted.
    pub(super) async fn drained(&self) {
        // The sender lives as long as this server.
        let _ = self
            .draining
            .subscribe()
            .wait_for(|draining| *draining)
            .await;
    }

    /// Looks at the member.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Member) -> T) -> T {
        look(&self.lock())
    }

    /// Does something with the member, and carries out what follows from it.
    pub(super) fn act<T>(self: &Arc<Self>, act: impl FnOnce(&mut Member, Duration) -> T) -> T {
        let now = self.process.now();
        let (result, effects, wake) = {
            let mut member = self.lock();
            member.pass_time(now);
            let result = act(&mut member, now);
            member.advance(now);
            (result, member.take_effects(), member.next_wake())
        };
        self.set_timer(wake, effects.sync.map(|time| now + time));
        self.perform(effects);
        result
    }

    /// Wakes the timer task if it would sleep too long; if it wakes too early it sleeps again.
    fn set_timer(&self, tick_at: Duration, sync_at: Option<Duration>) {
        let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        timer.tick_at = tick_at;
        timer.sync_at = sync_at.or(timer.sync_at);
        if timer
            .armed_for
            .is_some_and(|armed_for| timer.next() < armed_for)
        {
            timer.armed_for = None;
            self.rearmed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Member> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn perform(self: &Arc<Self>, effects: Effects) {
        for line in &effects.lines {
            self.process.trace(line);
            self.process.log(Level::Info, line, &[]);
        }
        if effects.members_changed {
            self.peers.follow(self);
        }
        if !effects.messages.is_empty() {
            self.send(effects.messages);
        }
        if effects.leader_changed {
            self.leader.send_replace(self.look(Member::leader));
        }
        if effects.revised {
            self.revision
                .send_replace(self.look(|member| member.state().store.revision()));
        }
        if let Some(end) = effects.end {
            self.end(&end);
        }
    }

    fn send(&self, messages: Vec<Message>) {
        for message in messages {
            let (to, kind) = (message.to, message.get_msg_type());
            if !self.peers.send(&message) {
                self.lock()
                    .unreachable(to, kind == MessageType::MsgSnapshot);
            }
        }
    }

    /// Ticks and syncs, for as long as the process lives.
    async fn keep_time(self: Arc<Self>) {
        loop {
            let (next, now) = self.arm();
            if next > now {
                let sleeping = sleep_until(Instant::now() + (next - now));
                tokio::select! {
                    biased;
                    () = self.rearmed.notified() => {}
                    () = sleeping => {}
                }
                continue;
            }
            if self.take_sync(now) {
                self.act(Member::synced);
            } else {
                self.act(|_, _| ());
            }
        }
    }

    /// Notes what the timer task is about to sleep until.
    fn arm(&self) -> (Duration, Duration) {
        let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        let next = timer.next();
        timer.armed_for = Some(next);
        (next, self.process.now())
    }

    /// Whether a sync has ended; it is then taken note of.
    fn take_sync(&self, now: Duration) -> bool {
        let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = timer.sync_at.is_some_and(|at| at <= now);
        if ended {
            timer.sync_at = None;
        }
        ended
    }

    /// etcd brings the first election forward: at once when alone, else when it sees peers.
    async fn hurry_first_election(self: Arc<Self>) {
        let (wanted, size) = self.look(|member| {
            let known = member
                .state()
                .members
                .ids()
                .count()
                .max(self.peers.count() + 1);
            (member.config().skip_initial_ticks, known)
        });
        if size == 1 {
            self.act(|member, _| member.hurry_election(1));
            return;
        }
        let mut waited = Duration::ZERO;
        while wanted && waited < PEERS_WITHIN {
            sleep(PEERS_LOOK).await;
            waited += PEERS_LOOK;
            if self.look(Member::active_peers) > 1 {
                self.act(|member, _| member.hurry_election(2));
                return;
            }
        }
    }

    fn end(self: &Arc<Self>, end: &End) {
        match end {
            End::Removed => {
                let error = "the member has been permanently removed from the cluster";
                self.process
                    .log(Level::Warn, "server error", &[("error", error)]);
                let advice = "data-dir used by this member must be removed";
                self.process.log(Level::Warn, advice, &[]);
                self.process.trace(error);
                if !self.serves.load(Ordering::Relaxed) && self.look(|member| member.coin(0)) {
                    // Go takes either of two things that have happened: the server has stopped,
                    // or a listener that waits for it to be ready has given up.
                    let error = "server is stopping";
                    let fields = [("error", error)];
                    self.process.log(Level::Fatal, "listener failed", &fields);
                    return self.finish(1);
                }
                self.finish(0);
            }
            End::LogLost { commit, last } => {
                let (commit, last) = (*commit, *last);
                let version = self.look(Member::version);
                self.process
                    .crash(&Crash::LogLost { commit, last }, version);
            }
        }
    }

    /// Fails what is in progress, gives the answers time to leave, and exits.
    fn finish(self: &Arc<Self>, code: i32) {
        self.draining.send_replace(true);
        self.lock().fail_requests();
        let server = Arc::clone(self);
        self.process.spawn(async move {
            sleep(FAREWELL).await;
            server.process.exit(code);
        });
    }

    /// SIGTERM: no new clients, leadership handed over, exit.
    pub(super) async fn shut_down(self: &Arc<Self>) {
        let process = &self.process;
        process.trace("SIGTERM");
        process.log(
            Level::Info,
            "received signal; shutting down",
            &[("signal", "terminated")],
        );
        self.draining.send_replace(true);
        let to = self.look(|member| {
            if member.is_leader() {
                member.transferee()
            } else {
                None
            }
        });
        match to {
            Some(to) => {
                let limit = self.look(|member| member.config().request_timeout());
                let handed_over = tokio::time::timeout(limit, self.move_leader(to)).await;
                let message = match handed_over {
                    Ok(Ok(())) => "leadership transfer finished",
                    _ => "leadership transfer failed",
                };
                process.log(Level::Info, message, &[]);
            }
            None => process.log(Level::Info, "skipped leadership transfer", &[]),
        }
        self.finish(0);
    }
}
