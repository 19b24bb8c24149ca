//! A user and an operator in one of the simulator's worlds.
//!
//! Owns: the user's machine, the operator's start, and how a scenario runs once the world stands.
//! Always holds: user and operator are on hosts of their own; only the operator's calls are counted.
//! Deliberately does not know: whether the world's time and pods are simulated.

use std::{collections::BTreeMap, sync::Arc};

use chaos::{
    Violation,
    fault::{Fault, Hit},
};
use etcd_client::Client;
use simulator::{
    clock::Clock,
    etcd::Glance,
    kubernetes::api::{
        Lives,
        resource::{PERSISTENT_VOLUME_CLAIMS, PODS},
    },
    net::{BoxFuture, HostId},
    world::{Counter, Ended, Operator, World},
};

use crate::{
    overheard,
    planted::Plant,
    runner,
    strikes::{Breaker, OperatorWire, Strikes},
    user::{Access, Addressed, Stored, User},
    world::{Calls, WorldFailed},
    worlds::{CannotBegin, Ran, Request, Tell},
};

/// The namespace that scenarios take place in.
pub(crate) const NAMESPACE: &str = "default";

/// Moves in and runs the scenario. The trace hash is left to the caller, who knows whether it
/// means something.
///
/// # Errors
/// When the operator or the user cannot start.
pub async fn run(
    world: &World,
    breaker: Box<dyn Breaker>,
    sight: Option<Box<dyn Sight>>,
    request: &Request,
    tell: Tell<'_>,
) -> Result<Ran, CannotBegin> {
    let moved_in = Resident::move_in(world.clone(), breaker, sight, request.planted).await?;
    let resident = Arc::new(moved_in);
    let user = User::new(resident.clone(), NAMESPACE)
        .await
        .map_err(|failed| CannotBegin(failed.to_string()))?;
    let outcome = runner::run_on(&user, &request.scenario, request.soak.as_ref(), tell).await;
    let trace = if request.keep_trace {
        trace(world)
    } else {
        Vec::new()
    };
    Ok(Ran {
        outcome,
        trace_hash: None,
        trace,
        effort: None,
    })
}

fn trace(world: &World) -> Vec<String> {
    let lines = world.trace().since(0);
    lines
        .iter()
        .map(|line| {
            format!(
                "{} {:>12.6} {} {}",
                line.ordinal,
                line.at.as_secs_f64(),
                line.who,
                line.what
            )
        })
        .collect()
}

/// The user's machine, and the operator that looks after the user's cluster.
struct Resident {
    world: World,
    host: HostId,
    kube: kube::Client,
    /// The user's own calls, which nobody asks about.
    counter: Counter,
    operator: Operator,
    strikes: Arc<Strikes>,
    sight: Option<Box<dyn Sight>>,
}

/// Sees members that run in this process.
pub trait Sight: Send + Sync {
    /// The member in a pod as it is at this moment, if it would answer what `from` asks.
    fn member(&self, from: HostId, pod_uid: &str) -> Option<Glance>;
}

impl Resident {
    /// Installs the CRD, starts the operator and gives the user a machine.
    async fn move_in(
        world: World,
        breaker: Box<dyn Breaker>,
        sight: Option<Box<dyn Sight>>,
        planted: Option<&'static Plant>,
    ) -> Result<Self, CannotBegin> {
        let cannot = |doing: &str, why: &dyn std::fmt::Display| {
            CannotBegin(format!("failed to {doing}: {why}"))
        };
        world
            .install_crd()
            .map_err(|error| cannot("install the CRD", &error))?;
        let wire = Arc::new(OperatorWire::with(planted));
        let operator = world
            .start_operator_on(operator::Options::default(), Some(wire.clone()))
            .map_err(|error| cannot("start the operator", &error))?;
        let host = world
            .net()
            .add_host("user")
            .map_err(|error| cannot("make a user", &error))?;
        let counter = Counter::default();
        let kube = world
            .private_kube_client(host, "user", &counter)
            .await
            .map_err(|error| cannot("give the user an API server", &error))?;
        let strikes = Strikes::on(world.clone(), operator.clone(), host, wire, breaker);
        Ok(Self {
            world,
            host,
            kube,
            counter,
            operator,
            strikes,
            sight,
        })
    }
}

impl Access for Resident {
    fn kube(&self) -> kube::Client {
        self.kube.clone()
    }

    fn dial(&self, host: &str, port: u16) -> BoxFuture<Result<Client, String>> {
        let (world, from) = (self.world.clone(), self.host);
        let (counter, host) = (self.counter.clone(), host.to_owned());
        Box::pin(async move {
            let dialled = world.dial_etcd(from, &host, port, &counter).await;
            dialled.map_err(|error| error.to_string())
        })
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.world.net().spawn(self.host, task);
    }

    fn inject(&self, fault: &Fault, hit: Option<&Hit>) -> BoxFuture<Result<(), WorldFailed>> {
        let (strikes, fault, hit) = (Arc::clone(&self.strikes), *fault, hit.cloned());
        Box::pin(async move { strikes.begin(&fault, hit.as_ref()).await })
    }

    fn heal(&self, fault: &Fault, hit: Option<&Hit>) -> BoxFuture<Result<(), WorldFailed>> {
        let (strikes, fault, hit) = (Arc::clone(&self.strikes), *fault, hit.cloned());
        Box::pin(async move { strikes.end(&fault, hit.as_ref()).await })
    }

    fn stored(&self, cluster: &str) -> Option<Stored> {
        self.world.with_api(|api| {
            let kind = api.resource_of_kind("etcd.etcd.io/v1alpha1", "EtcdCluster")?;
            Some(Stored {
                cluster: api.get(&kind, NAMESPACE, cluster),
                pods: api.list(&PODS, Some(NAMESPACE)),
                claims: api.list(&PERSISTENT_VOLUME_CLAIMS, Some(NAMESPACE)),
            })
        })
    }

    fn glances(&self, pods: &[Addressed]) -> Option<Vec<Option<Glance>>> {
        let sight = self.sight.as_ref()?;
        let seen = pods
            .iter()
            .map(|(pod, _)| sight.member(self.host, &pod.uid));
        Some(seen.collect())
    }

    fn clock(&self) -> Clock {
        *self.world.clock()
    }

    fn misdeeds(&self) -> Vec<String> {
        self.strikes.misdeeds()
    }

    fn noticed(&self) -> Vec<Violation> {
        let heard = overheard::heard().into_iter();
        let bugs = heard.map(|evidence| Violation {
            invariant: "the operator reports no bug of its own",
            at: self.world.clock().elapsed(),
            evidence,
        });
        bugs.collect()
    }

    fn lives(&self) -> BTreeMap<String, Lives> {
        self.world.with_api(|api| api.lives().clone())
    }

    fn met(&self) -> BTreeMap<String, u64> {
        self.strikes.met()
    }

    fn hindered(&self) -> bool {
        self.strikes.hinder_the_operator()
    }

    fn calls(&self) -> Option<Calls> {
        let counted = self.operator.counter().calls();
        Some(Calls {
            kubernetes: counted.kubernetes,
            etcd: counted.etcd,
        })
    }

    fn crashed(&self) -> Option<String> {
        match self.operator.ended()? {
            Ended::Killed => None,
            Ended::Stopped => Some("the operator stopped without being asked to".to_owned()),
        }
    }
}
