//! What happened in a world, in order: every request, fault and state change.
//!
//! Owns: the lines, their simulated time and ordinal, and a running hash over all of them.
//! Always holds: the hash covers every line ever recorded, also those no longer kept.
//! Deliberately does not know: what the lines mean.

use std::{
    collections::VecDeque,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::clock::Clock;

/// One recorded line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Position in the trace, from 0.
    pub ordinal: u64,
    /// Time since the world began.
    pub at: Duration,
    /// Who acted: `api`, `kubelet`, `etcd/demo-0`, `net`, `fault`, ...
    pub who: String,
    /// What was done, in one line.
    pub what: String,
}

/// A shared, append-only record. Cloning gives another handle on the same record.
#[derive(Clone)]
pub struct Trace {
    clock: Clock,
    inner: Arc<Mutex<Record>>,
}

struct Record {
    hash: u64,
    next: u64,
    lines: VecDeque<Line>,
    keep: usize,
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

impl Trace {
    /// An empty trace that keeps the last `keep` lines (the hash covers all of them).
    #[must_use]
    pub fn new(clock: Clock, keep: usize) -> Self {
        let record = Record {
            hash: FNV_OFFSET,
            next: 0,
            lines: VecDeque::new(),
            keep,
        };
        Self {
            clock,
            inner: Arc::new(Mutex::new(record)),
        }
    }

    /// Appends one line.
    pub fn record(&self, who: impl Display, what: impl Display) {
        let at = self.clock.elapsed();
        let mut record = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let line = Line {
            ordinal: record.next,
            at,
            who: who.to_string(),
            what: what.to_string(),
        };
        let text = format!("{} {} {}\n", at.as_micros(), line.who, line.what);
        record.hash = text.bytes().fold(record.hash, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
        });
        record.next += 1;
        if record.lines.len() == record.keep {
            record.lines.pop_front();
        }
        record.lines.push_back(line);
    }

    /// Hash over every line recorded so far (FNV-1a, 64 bits).
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .hash
    }

    /// The kept lines from `ordinal` on.
    #[must_use]
    pub fn since(&self, ordinal: u64) -> Vec<Line> {
        let record = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        record
            .lines
            .iter()
            .filter(|line| line.ordinal >= ordinal)
            .cloned()
            .collect()
    }

    /// The ordinal that the next line will get.
    #[must_use]
    pub fn next_ordinal(&self) -> u64 {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next
    }
}
