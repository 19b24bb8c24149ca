//! The user's machine: this one.
//!
//! Owns: the parts of a run on a real cluster, as [`Access`].
//! Always holds: no call of the operator is counted, since none is seen from here.
//! Deliberately does not know: what the user does.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use chaos::{
    Violation,
    fault::{Fault, Hit},
};
use etcd_client::Client;
use simulator::{clock::Clock, net::BoxFuture};

use super::{operator::Operator, reach::Reach, sampler::Sampler};
use crate::{
    user::{Access, chain},
    world::{Calls, WorldFailed},
};

/// This machine, as a user's in the cluster's surroundings.
pub(super) struct Visitor {
    pub(super) kube: kube::Client,
    pub(super) reach: Arc<Reach>,
    pub(super) operator: Arc<Operator>,
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

    fn inject(&self, fault: &Fault, _: Option<&Hit>) -> BoxFuture<Result<(), WorldFailed>> {
        let cannot = WorldFailed::CannotDo {
            world: "kube",
            what: fault.to_string(),
        };
        Box::pin(async move { Err(cannot) })
    }

    fn heal(&self, _: &Fault, _: Option<&Hit>) -> BoxFuture<Result<(), WorldFailed>> {
        Box::pin(async { Ok(()) })
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    fn calls(&self) -> Option<Calls> {
        None
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
