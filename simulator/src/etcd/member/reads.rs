//! Linearizable reads: ask the leader how far the log is committed, wait until that is applied.
//!
//! Owns: the reads in progress, and when to ask again.
//! Always holds: a read is answered only after an index confirmed during the read is applied.
//! Deliberately does not know: what is read, how long the client waits.

use std::{collections::BTreeMap, time::Duration};

use raft::ReadState;
use tokio::sync::oneshot;

use super::{Answer, Asked, Member};
use crate::etcd::failure::Failure;

/// An index not confirmed within this time is asked for again.
const RETRY: Duration = Duration::from_millis(500);

/// The reads in progress.
#[derive(Debug, Default)]
pub(super) struct Reads {
    waiting: BTreeMap<u64, Read>,
}

#[derive(Debug)]
struct Read {
    asked: Asked<()>,
    retry_at: Duration,
    index: Option<u64>,
}

impl Reads {
    /// Notes the indexes that the leader has confirmed. One confirmation serves every read that
    /// was asked before it, as raft confirms in order.
    pub(super) fn confirmed(&mut self, states: &[ReadState], applied: u64) {
        for state in states {
            let Some(id) = id_of(&state.request_ctx) else {
                continue;
            };
            for read in self.waiting.range_mut(..=id).map(|(_, read)| read) {
                read.index.get_or_insert(state.index);
            }
        }
        if !states.is_empty() {
            self.answer(applied);
        }
    }

    pub(super) fn answer(&mut self, applied: u64) {
        let is_ready = |read: &Read| read.index.is_some_and(|index| index <= applied);
        let ready = self
            .waiting
            .iter()
            .filter(|(_, read)| is_ready(read))
            .map(|(id, _)| *id);
        for id in ready.collect::<Vec<_>>() {
            if let Some(read) = self.waiting.remove(&id) {
                // Whoever asked may have given up.
                let _ = read.asked.send(Ok(()));
            }
        }
    }

    pub(super) fn fail_all(&mut self, failure: &Failure) {
        for (_, read) in std::mem::take(&mut self.waiting) {
            // Whoever asked may have given up.
            let _ = read.asked.send(Err(failure.clone()));
        }
    }
}

impl Member {
    /// Asks for a point in the log that everything written before now is below.
    pub(in crate::etcd) fn read(&mut self, now: Duration) -> Answer<()> {
        let (asked, answer) = oneshot::channel();
        if self.stopped {
            // The receiver sees a closed channel, which means the same as a stopped server.
            return answer;
        }
        let id = self.take_request_id();
        self.reads.waiting.insert(
            id,
            Read {
                asked,
                retry_at: now + RETRY,
                index: None,
            },
        );
        self.raft.read_index(context(self.id, id));
        self.advance(now);
        answer
    }

    pub(super) fn has_reads(&self) -> bool {
        !self.reads.waiting.is_empty()
    }

    /// Forgets reads that nobody waits for, and asks again for those that wait too long.
    pub(super) fn tend_reads(&mut self, now: Duration) {
        self.reads.waiting.retain(|_, read| !read.asked.is_closed());
        let mut due = Vec::new();
        for (id, read) in &mut self.reads.waiting {
            if read.index.is_none() && read.retry_at <= now {
                read.retry_at = now + RETRY;
                due.push(*id);
            }
        }
        for id in due {
            self.raft.read_index(context(self.id, id));
        }
    }

    /// Asks again for every unconfirmed read: a new leader forgot them.
    pub(super) fn resend_reads(&mut self) {
        let unconfirmed = self
            .reads
            .waiting
            .iter()
            .filter(|(_, read)| read.index.is_none());
        for id in unconfirmed.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.raft.read_index(context(self.id, id));
        }
    }
}

/// Names a read among those of all members.
fn context(member: u64, id: u64) -> Vec<u8> {
    [member.to_be_bytes(), id.to_be_bytes()].concat()
}

fn id_of(context: &[u8]) -> Option<u64> {
    let id: [u8; 8] = context.get(8..)?.try_into().ok()?;
    Some(u64::from_be_bytes(id))
}
