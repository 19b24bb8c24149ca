//! Work queues: which object a controller looks at, and when.
//!
//! Owns: the reaction time between a change and the look at what it touches, and retries.
//! Always holds: an object waits in a queue at most once, with its earliest time; what fails is
//! tried again after 5 ms, doubled each time up to 1000 s, as client-go does.
//! Deliberately does not know: what the controllers do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{cluster::Cluster, object::Key};
use crate::kubernetes::api::{ApiError, ApiServer, Changed};

/// One control loop.
pub trait Controller: Send {
    /// Its name in traces and events.
    fn name(&self) -> &'static str;

    /// The objects to look at after a change.
    fn affected(&mut self, change: &Changed, api: &ApiServer) -> Vec<Key>;

    /// Brings one object closer to what is wanted.
    ///
    /// # Errors
    /// What the server refused; the object is looked at again.
    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError>;
}

/// When to look at an object again without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Not before something changes.
    No,
    /// At this time at the latest.
    At(Timestamp),
}

impl Again {
    /// The earlier of two.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one), Self::At(two)) => Self::At(one.min(two)),
            (Self::No, again) | (again, Self::No) => again,
        }
    }
}

/// The objects that wait for one controller.
#[derive(Debug, Default)]
pub struct Queue {
    due: BTreeMap<Key, Timestamp>,
    order: BTreeSet<(Timestamp, Key)>,
    failures: BTreeMap<Key, u32>,
}

impl Queue {
    /// Has the object looked at at this time, or earlier if it waits for an earlier one.
    pub fn add(&mut self, key: Key, at: Timestamp) {
        if let Some(known) = self.due.get(&key) {
            if *known <= at {
                return;
            }
            self.order.remove(&(*known, key.clone()));
        }
        self.order.insert((at, key.clone()));
        self.due.insert(key, at);
    }

    /// Takes the next object whose time has come.
    pub fn pop(&mut self, now: Timestamp) -> Option<Key> {
        let (at, _) = self.order.first()?;
        if *at > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.due.remove(&key);
        Some(key)
    }

    /// The earliest time that anything waits for.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Notes how the look at an object went.
    pub fn done(&mut self, key: Key, outcome: &Result<Again, ApiError>, now: Timestamp) {
        match outcome {
            Ok(again) => {
                self.failures.remove(&key);
                if let Again::At(at) = again {
                    self.add(key, *at);
                }
            }
            Err(_) => {
                let failures = self.failures.entry(key.clone()).or_insert(0);
                let at = now + retry_after(*failures);
                *failures += 1;
                self.add(key, at);
            }
        }
    }
}

fn retry_after(failures: u32) -> SignedDuration {
    let millis = 5_i64.saturating_mul(1_i64 << failures.min(30));
    SignedDuration::from_millis(millis.min(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milli: i64) -> Timestamp {
        Timestamp::from_millisecond(milli).unwrap()
    }

    fn key(name: &str) -> Key {
        Key::new("ns", name)
    }

    #[test]
    fn an_object_waits_once_with_its_earliest_time() {
        let mut queue = Queue::default();
        queue.add(key("a"), at(10));
        queue.add(key("a"), at(20));
        queue.add(key("b"), at(5));
        queue.add(key("b"), at(3));
        assert_eq!(queue.next(), Some(at(3)));
        assert_eq!(queue.pop(at(2)), None);
        assert_eq!(queue.pop(at(30)), Some(key("b")));
        assert_eq!(queue.pop(at(30)), Some(key("a")));
        assert_eq!(queue.pop(at(30)), None);
    }

    #[test]
    fn failures_double_the_wait_up_to_1000_seconds_and_success_ends_them() {
        let mut queue = Queue::default();
        let failed = Err(ApiError::bad_request("no"));
        let mut waits = Vec::new();
        for _ in 0..20 {
            queue.done(key("a"), &failed, at(0));
            waits.push(queue.next().unwrap().as_millisecond());
            queue.pop(at(10_000_000)).unwrap();
        }
        assert_eq!(waits[..4], [5, 10, 20, 40]);
        assert_eq!(waits[19], 1_000_000);
        queue.done(key("a"), &Ok(Again::No), at(0));
        queue.done(key("a"), &failed, at(0));
        assert_eq!(queue.next(), Some(at(5)));
    }
}
