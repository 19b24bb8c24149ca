//! Requests that wait: for a leader, for consensus, for a read to be safe.
//!
//! Owns: etcd's own time limits, and forwarding to the leader what only the leader can do.
//! Always holds: a request that etcd never gives up on, like a change of members, is not given up
//! on here either; its client must.
//! Deliberately does not know: gRPC.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use super::Server;
use crate::etcd::{
    command::Op,
    failure::Failure,
    member::{Answer, Member},
    membership::Change,
    peers::wire::{Ask, Said},
    state::Applied,
};

/// Pause before a request is forwarded to the leader again.
const FORWARD_AGAIN: Duration = Duration::from_millis(50);

impl Server {
    /// Replicates a command and tells what applying it gave.
    pub(in crate::etcd) async fn replicate(self: &Arc<Self>, op: Op) -> Result<Applied, Failure> {
        let deadline = self.deadline();
        let started = self.process.now();
        // Before there is a leader etcd's raft does not take proposals at all, and what runs out
        // then is the context; afterwards it is the wait for the result.
        let proposal = self.proposed(|member| member.propose(op.clone()));
        let answer = timeout_at(deadline, proposal)
            .await
            .map_err(|_| Failure::DeadlineExceeded)??;
        match timeout_at(deadline, answer).await {
            Ok(answer) => answer.unwrap_or(Err(Failure::Stopped)),
            Err(_) => Err(self.look(|member| member.timeout_reason(started))),
        }
    }

    /// Replicates a change of members, for as long as it takes.
    pub(in crate::etcd) async fn reconfigure(
        self: &Arc<Self>,
        change: Change,
    ) -> Result<Applied, Failure> {
        let answer = self
            .proposed(|member| member.propose_change(&change))
            .await?;
        answer.await.unwrap_or(Err(Failure::Stopped))
    }

    /// Proposes as soon as there is a leader.
    async fn proposed(
        self: &Arc<Self>,
        propose: impl Fn(&mut Member) -> Option<Answer<Applied>>,
    ) -> Result<Answer<Applied>, Failure> {
        let mut leader = self.leader.subscribe();
        loop {
            leader.mark_unchanged();
            let proposed = self.act(|member, _| (propose(member), member.leader()));
            match proposed {
                (Some(answer), _) => return Ok(answer),
                (None, 0) => {
                    // The sender lives as long as this server.
                    let _ = leader.changed().await;
                }
                (None, _) => return Err(Failure::ProposalDropped),
            }
        }
    }

    /// Whether [`Self::read`] would come to a good end at once.
    pub(in crate::etcd) fn would_confirm_reads(&self) -> bool {
        let now = self.process.now();
        self.look(|member| member.would_confirm_reads(now))
    }

    /// Waits until what this member has applied is no older than now.
    pub(in crate::etcd) async fn read(self: &Arc<Self>) -> Result<(), Failure> {
        let answer = self.act(Member::read);
        match timeout_at(self.deadline(), answer).await {
            Ok(answer) => answer.unwrap_or(Err(Failure::Stopped)),
            Err(_) => Err(Failure::TimedOut),
        }
    }

    /// Promotes a learner, through the leader if that is another member.
    pub(in crate::etcd) async fn promote(self: &Arc<Self>, id: u64) -> Result<Applied, Failure> {
        match self.promote_here(id).await {
            Err(Failure::NotLeader) => {}
            decided => return decided,
        }
        let deadline = self.deadline();
        loop {
            let leader = self.known_leader(deadline).await?;
            let asked = self.peers.ask(leader, Ask::Promote(id));
            match timeout_at(deadline, asked).await {
                Ok(Some(Said::Members(members))) => return Ok(Applied::Members(members)),
                Ok(Some(Said::Refused(
                    failure @ (Failure::LearnerNotReady
                    | Failure::MemberNotFound
                    | Failure::NotALearner),
                ))) => return Err(failure),
                Ok(_) => self.pause_until(deadline).await?,
                Err(_) => return Err(Failure::TimedOut),
            }
        }
    }

    /// Promotes a learner if this member leads.
    pub(in crate::etcd) async fn promote_here(
        self: &Arc<Self>,
        id: u64,
    ) -> Result<Applied, Failure> {
        self.look(|member| member.may_promote(id))?;
        self.reconfigure(Change::Promote(id)).await
    }

    /// Renews a lease, through the leader if that is another member; tells its seconds.
    pub(in crate::etcd) async fn renew(self: &Arc<Self>, id: i64) -> Result<i64, Failure> {
        match self.act(|member, now| member.renew_lease(id, now)) {
            Err(Failure::NotLeader) => {}
            decided => return decided,
        }
        let deadline = self.deadline();
        loop {
            let leader = self.known_leader(deadline).await?;
            match timeout_at(deadline, self.peers.ask(leader, Ask::RenewLease(id))).await {
                Ok(Some(Said::Seconds(seconds))) => return Ok(seconds),
                Ok(Some(Said::Refused(Failure::LeaseNotFound))) => {
                    return Err(Failure::LeaseNotFound);
                }
                Ok(_) => self.pause_until(deadline).await?,
                Err(_) => return Err(Failure::TimedOut),
            }
        }
    }

    /// Remaining and granted seconds of a lease, from the leader.
    pub(in crate::etcd) async fn lease_left(
        self: &Arc<Self>,
        id: i64,
    ) -> Result<Option<(i64, i64)>, Failure> {
        if self.look(Member::is_leader) {
            return Ok(self.act(|member, now| member.lease_left(id, now)));
        }
        let deadline = self.deadline();
        loop {
            let leader = self.known_leader(deadline).await?;
            match timeout_at(deadline, self.peers.ask(leader, Ask::LeaseLeft(id))).await {
                Ok(Some(Said::LeaseLeft(left))) => return Ok(left),
                Ok(_) => self.pause_until(deadline).await?,
                Err(_) => return Err(Failure::TimedOut),
            }
        }
    }

    /// Hands leadership over, for as long as it takes.
    pub(in crate::etcd) async fn move_leader(self: &Arc<Self>, to: u64) -> Result<(), Failure> {
        let (is_voter, interval) = self.look(|member| {
            let members = &member.state().members;
            let is_voter = members.get(to).is_some_and(|found| !found.is_learner);
            (is_voter, member.config().heartbeat)
        });
        if !is_voter {
            return Err(Failure::BadTransferee);
        }
        self.act(|member, now| member.transfer_leadership(to, now));
        let mut leader = self.leader.subscribe();
        while self.look(Member::leader) != to {
            // etcd only looks once per tick; a change is noticed at once here, as it mostly is there.
            let _ = tokio::time::timeout(interval, leader.changed()).await;
        }
        Ok(())
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.look(|member| member.config().request_timeout())
    }

    async fn pause_until(&self, deadline: Instant) -> Result<(), Failure> {
        timeout_at(deadline, sleep(FORWARD_AGAIN))
            .await
            .map_err(|_| Failure::TimedOut)
    }

    /// The leader, once there is one that is a member.
    async fn known_leader(&self, deadline: Instant) -> Result<u64, Failure> {
        let election = self.look(|member| member.config().election);
        loop {
            let leader = self.look(|member| {
                Some(member.leader()).filter(|id| member.state().members.get(*id).is_some())
            });
            match leader {
                Some(leader) => return Ok(leader),
                None => timeout_at(deadline, sleep(election))
                    .await
                    .map_err(|_| Failure::NoLeader)?,
            }
        }
    }
}
