//! What clients did and what they were told.
//!
//! Owns: the record of every write and read, and the list of checks on it.
//! Always holds: every value is written once, so a value tells which write it came from; a write
//! without an answer stays unknown, it is never taken as failed.
//! Deliberately does not know: how the operations reached etcd.

pub mod linearizable;
pub mod lost_write;
pub mod origin;
pub mod read_back;
pub mod real_time;

use std::time::Duration;

use serde::Serialize;

use crate::Violation;

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The key.
    pub key: String,
    /// The value, unique in the whole history.
    pub value: String,
    /// When the client sent it.
    pub began: Duration,
    /// When the client knew or gave up.
    pub ended: Duration,
    /// The revision that etcd acknowledged; `None` when the client never learnt the outcome.
    pub acknowledged: Option<i64>,
}

/// A linearizable read that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The key.
    pub key: String,
    /// When the client asked.
    pub began: Duration,
    /// When the answer came.
    pub ended: Duration,
    /// Revision of the store that the answer speaks of.
    pub revision: i64,
    /// The value and the revision that wrote it, when the key was there.
    pub found: Option<(String, i64)>,
}

/// Everything that the clients of one cluster did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Writes, in the order in which they ended.
    pub puts: Vec<Put>,
    /// Answered reads, in the order in which they ended.
    pub reads: Vec<Read>,
    /// Reads without an answer; they tell nothing.
    pub failed_reads: u64,
}

/// A history in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Writes whose outcome the client never learnt.
    pub unknown: u64,
    /// Answered reads.
    pub reads: u64,
    /// Reads without an answer.
    pub failed_reads: u64,
    /// Longest time without an acknowledged write, between the first one and the end of traffic.
    pub longest_stall_ms: u64,
}

impl History {
    /// The acknowledged writes with their revisions.
    pub fn acknowledged(&self) -> impl Iterator<Item = (&Put, i64)> {
        self.puts
            .iter()
            .filter_map(|put| put.acknowledged.map(|revision| (put, revision)))
    }

    /// The history in numbers; traffic ended at `end`.
    #[must_use]
    pub fn summary(&self, end: Duration) -> Summary {
        let mut acknowledged: Vec<Duration> =
            self.acknowledged().map(|(put, _)| put.ended).collect();
        acknowledged.sort_unstable();
        let count = acknowledged.len();
        let until = acknowledged.iter().skip(1).copied().chain([end]);
        let stalls = acknowledged
            .iter()
            .zip(until)
            .map(|(from, to)| to.saturating_sub(*from));
        Summary {
            acknowledged: count as u64,
            unknown: (self.puts.len() - count) as u64,
            reads: self.reads.len() as u64,
            failed_reads: self.failed_reads,
            longest_stall_ms: stalls.max().map_or(0, |stall| stall.as_millis() as u64),
        }
    }

    /// The longest time without an acknowledged write between two moments.
    #[must_use]
    pub fn longest_stall(&self, from: Duration, to: Duration) -> Duration {
        let within = |at: &Duration| (from..=to).contains(at);
        let ended = self.acknowledged().map(|(put, _)| put.ended);
        let mut moments: Vec<Duration> = ended.filter(within).collect();
        moments.extend([from, to]);
        moments.sort_unstable();
        let gaps = moments
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]));
        gaps.max().unwrap_or_default()
    }

    /// Runs every check on the history.
    #[must_use]
    pub fn check(&self) -> Vec<Violation> {
        let mut found = origin::check(self);
        found.extend(real_time::check(self));
        found.extend(lost_write::check(self));
        found.extend(linearizable::check(self));
        found
    }
}

#[cfg(test)]
pub(crate) mod example {
    //! Short notation for histories in tests: times in milliseconds.

    use super::*;

    pub(crate) fn put(key: &str, value: &str, times: (u64, u64), acknowledged: Option<i64>) -> Put {
        let (began, ended) = (
            Duration::from_millis(times.0),
            Duration::from_millis(times.1),
        );
        Put {
            key: key.to_owned(),
            value: value.to_owned(),
            began,
            ended,
            acknowledged,
        }
    }

    pub(crate) fn read(
        key: &str,
        times: (u64, u64),
        revision: i64,
        found: Option<(&str, i64)>,
    ) -> Read {
        let (began, ended) = (
            Duration::from_millis(times.0),
            Duration::from_millis(times.1),
        );
        let found = found.map(|(value, at)| (value.to_owned(), at));
        Read {
            key: key.to_owned(),
            began,
            ended,
            revision,
            found,
        }
    }

    pub(crate) fn history(puts: Vec<Put>, reads: Vec<Read>) -> History {
        History {
            puts,
            reads,
            failed_reads: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{example::*, *};

    #[test]
    fn a_stall_is_measured_between_two_moments_only() {
        let puts = vec![
            put("a", "1", (0, 10), Some(2)),
            put("a", "2", (20, 500), Some(3)),
            put("a", "3", (510, 600), None),
        ];
        let history = history(puts, vec![]);
        let stall = |from, to| {
            let (from, to) = (Duration::from_millis(from), Duration::from_millis(to));
            history.longest_stall(from, to).as_millis()
        };
        assert_eq!(stall(0, 500), 490);
        assert_eq!(stall(450, 900), 400);
        assert_eq!(stall(600, 700), 100);
    }

    #[test]
    fn the_longest_stall_counts_up_to_the_end_of_traffic() {
        let puts = vec![
            put("a", "1", (0, 10), Some(2)),
            put("a", "2", (20, 60), Some(3)),
        ];
        let history = history(puts, vec![]);
        assert_eq!(
            history.summary(Duration::from_millis(80)).longest_stall_ms,
            50
        );
        assert_eq!(
            history.summary(Duration::from_millis(500)).longest_stall_ms,
            440
        );
    }

    #[test]
    fn a_write_without_an_answer_is_counted_as_unknown() {
        let history = history(vec![put("a", "1", (0, 10), None)], vec![]);
        let summary = history.summary(Duration::from_millis(20));
        assert_eq!((summary.acknowledged, summary.unknown), (0, 1));
    }
}
