//! The user's machine: this one.
//!
//! Owns: the parts of a run on a real cluster, as [`Access`].
//! Always holds: only the calls of an operator in this process are counted; those of others are not
//! seen from here.
//! Deliberately does not know: what the user does.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chaos::{
    Violation,
    fault::{Fault, Hit},
};
use etcd_client::Client;
use simulator::{clock::Clock, net::BoxFuture};

use super::{faults::Faults, operator::Operator, reach::Reach, sampler::Sampler};
use crate::{
    user::{Access, chain},
    world::{Calls, WorldFailed},
};

/// Time for which the API server may refuse to answer before a look at it fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// This machine, as a user's in the cluster's surroundings.
pub(super) struct Visitor {
    pub(super) kube: kube::Client,
    pub(super) reach: Arc<Reach>,
    pub(super) operator: Arc<Operator>,
    pub(super) faults: Arc<Faults>,
    pub(super) sampler: Sampler,
    pub(super) clock: Clock,
    /// The user's tasks, which end with the visit.
    pub(super) tasks: Mutex<tokio::task::JoinSet<()>>,
    /// Whether somebody wants the run to end.
    pub(super) interrupted: Arc<AtomicBool>,
}

impl Access for Visitor {
    fn kube(&self) -> kube::Client {
        self.kube.clone()
    }

    fn dial(&self, host: &str, port: u16) -> BoxFuture<Result<Client, String>> {
        let (reach, host) = (Arc::clone(&self.reach), host.to_owned());
        Box::pin(async move {
            let dialled = reach.dial(&host, port).await;
            dialled.map_err(|error| chain(&error))
        })
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(task);
    }

    fn inject(&self, fault: &Fault, hit: Option<&Hit>) -> BoxFuture<Result<(), WorldFailed>> {
        let (faults, fault, hit) = (Arc::clone(&self.faults), *fault, hit.cloned());
        Box::pin(async move { faults.inject(&fault, hit.as_ref()).await })
    }

    fn heal(&self, fault: &Fault, hit: Option<&Hit>) -> BoxFuture<Result<(), WorldFailed>> {
        let (faults, fault, hit) = (Arc::clone(&self.faults), *fault, hit.cloned());
        Box::pin(async move { faults.heal(&fault, hit.as_ref()).await })
    }

    fn misdeeds(&self) -> Vec<String> {
        self.operator.misdeeds()
    }

    fn hindered(&self) -> bool {
        self.faults.hinder_the_operator()
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    fn calls(&self) -> Option<Calls> {
        self.operator.calls()
    }

    fn crashed(&self) -> Option<String> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Some("the run was interrupted".to_owned());
        }
        self.operator.crashed()
    }

    fn noticed(&self) -> Vec<Violation> {
        self.sampler.found().violations
    }
}
