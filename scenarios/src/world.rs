//! What the runner asks of a world.
//!
//! Owns: the [`World`] trait and what its calls answer.
//! Always holds: the runner reaches a world through these calls only, and they speak of what a
//! user could do or see from outside the operator.
//! Deliberately does not know: whether time, Kubernetes or etcd are simulated.

use std::{collections::BTreeMap, future::Future, time::Duration};

use chaos::{
    Observation, Violation,
    fault::{Fault, Hit},
    history::{History, read_back::ReadBack},
    traffic::{Rates, Traffic},
};
use serde::Serialize;
use simulator::{kubernetes::api::Lives, world::ETCD_READS};

use crate::scenario::{Action, Cluster};

/// A world that a scenario runs in.
pub trait World {
    /// Time since the world began, on the world's own clock.
    fn elapsed(&self) -> Duration;

    /// Lets time pass.
    fn pass(&self, time: Duration) -> impl Future<Output = ()>;

    /// Does what a user does. Waiting is not among it; see [`World::pass`].
    ///
    /// # Errors
    /// When the world refuses it or cannot do it.
    fn act(
        &self,
        cluster: &Cluster,
        action: Action,
    ) -> impl Future<Output = Result<(), WorldFailed>>;

    /// Breaks something. Who is hit has been found by the caller, for faults that hit a member.
    ///
    /// # Errors
    /// [`WorldFailed::CannotDo`] when this world cannot do that.
    fn inject(
        &self,
        cluster: &Cluster,
        fault: &Fault,
        hit: Option<&Hit>,
    ) -> impl Future<Output = Result<(), WorldFailed>>;

    /// Ends what [`World::inject`] began, for faults that last.
    ///
    /// # Errors
    /// When the world cannot be mended.
    fn heal(
        &self,
        cluster: &Cluster,
        fault: &Fault,
        hit: Option<&Hit>,
    ) -> impl Future<Output = Result<(), WorldFailed>>;

    /// Looks at the cluster.
    ///
    /// # Errors
    /// When the world cannot be asked at all. Members that do not answer are no error.
    fn look(&self, cluster: &Cluster) -> impl Future<Output = Result<Observation, WorldFailed>>;

    /// Names what is there now and was not before the first action.
    ///
    /// # Errors
    /// When the world cannot be asked.
    fn leftovers(&self) -> impl Future<Output = Result<Leftovers, WorldFailed>>;

    /// Starts clients that reach the cluster as its users do.
    fn start_traffic(&self, rates: Rates) -> Traffic;

    /// Reads every acknowledged write back.
    ///
    /// # Errors
    /// When reading does not come to an end.
    fn read_back(&self, history: &History) -> impl Future<Output = Result<ReadBack, WorldFailed>>;

    /// Has etcd forget what its keys were before now, as those who keep their state in it do.
    ///
    /// # Errors
    /// When etcd cannot be asked, or refuses.
    fn compact(&self) -> impl Future<Output = Result<(), WorldFailed>>;

    /// What the operator has asked of Kubernetes and etcd so far; `None` where nobody counts.
    fn calls(&self) -> Option<Calls>;

    /// Why the operator is not running any more, if so.
    fn crashed(&self) -> Option<String>;

    /// Broken rules that the world noticed by itself, between two looks.
    fn noticed(&self) -> Vec<Violation> {
        Vec::new()
    }

    /// How often each object was created and deleted, as `RESOURCE NAMESPACE/NAME`; empty where
    /// nobody counts.
    fn lives(&self) -> BTreeMap<String, Lives> {
        BTreeMap::new()
    }

    /// Situations that the world noticed by itself, in the words of reports, with their count.
    fn met(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

/// Calls by kind, for example `PATCH` or `MemberAdd`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Requests to the API server, by verb.
    pub kubernetes: BTreeMap<String, u64>,
    /// Calls to etcd members, by method.
    pub etcd: BTreeMap<String, u64>,
}

impl Calls {
    /// How many of them change something.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.changes().values().sum()
    }

    /// Those that change something.
    #[must_use]
    pub fn changes(&self) -> BTreeMap<String, u64> {
        let kubernetes = self
            .kubernetes
            .iter()
            .filter(|(call, _)| !call.starts_with("GET ") && !call.starts_with("WATCH "));
        let etcd = self
            .etcd
            .iter()
            .filter(|(call, _)| !ETCD_READS.contains(&call.as_str()));
        let changes = kubernetes.chain(etcd);
        changes
            .map(|(call, count)| (call.clone(), *count))
            .collect()
    }

    /// The calls made since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            kubernetes: difference(&self.kubernetes, &earlier.kubernetes),
            etcd: difference(&self.etcd, &earlier.etcd),
        }
    }
}

fn difference(
    now: &BTreeMap<String, u64>,
    earlier: &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    now.iter()
        .map(|(kind, count)| {
            (
                kind.clone(),
                count - earlier.get(kind).copied().unwrap_or(0),
            )
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// What is left of a deleted cluster, each as `Kind/name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Claims and volumes.
    pub volumes: Vec<String>,
    /// Everything else.
    pub others: Vec<String>,
}

/// Why a world did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum WorldFailed {
    /// Kubernetes refused, or could not be asked.
    #[error("failed to {doing}: {why}")]
    Kubernetes {
        /// What was tried.
        doing: String,
        /// What Kubernetes said.
        why: String,
    },
    /// A member of the cluster could not be asked.
    #[error("failed to ask etcd: {0}")]
    Etcd(String),
    /// The host that the world runs on did not do it.
    #[error("failed to run {doing}: {why}")]
    Host {
        /// What was run.
        doing: String,
        /// How it ended.
        why: String,
    },
    /// This world cannot do this.
    #[error("the world `{world}` cannot do this: {what}")]
    CannotDo {
        /// Name of the world.
        world: &'static str,
        /// The step that it cannot do.
        what: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(kubernetes: &[(&str, u64)]) -> Calls {
        let kubernetes = kubernetes
            .iter()
            .map(|(kind, count)| ((*kind).to_owned(), *count));
        Calls {
            kubernetes: kubernetes.collect(),
            etcd: BTreeMap::new(),
        }
    }

    #[test]
    fn what_changes_something_is_a_write() {
        let mut calls = calls(&[("GET pods", 5), ("WATCH pods", 1), ("PATCH services", 2)]);
        calls.etcd.insert("MemberAdd".to_owned(), 3);
        calls.etcd.insert("MemberList".to_owned(), 9);
        assert_eq!(calls.writes(), 5);
    }

    #[test]
    fn calls_since_names_only_what_was_called() {
        let since = calls(&[("GET", 5), ("PATCH", 2)]).since(&calls(&[("GET", 3), ("PATCH", 2)]));
        assert_eq!(since, calls(&[("GET", 2)]));
    }
}
