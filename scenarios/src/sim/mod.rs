//! The world `sim`: simulated Kubernetes, simulated etcd, virtual time.
//!
//! Owns: one simulation per run.
//! Always holds: the same scenario, seed and build give the same trace.
//! Deliberately does not know: what happens in the world.

mod faults;

use simulator::{
    determinism::{Simulation, simulate},
    etcd::Glance,
    net::{HostId, SimNet},
    runtime::SimRuntime,
    world::{SimWorld, WorldOptions},
};

use self::faults::SimBreaker;
use crate::{
    resident::{self, Sight},
    worlds::{CannotBegin, Effort, Ran, Request, Tell},
};

/// Runs a scenario in virtual time.
///
/// # Errors
/// When the run would not be deterministic, or the world cannot start.
pub fn run(request: &Request, tell: Tell<'_>) -> Result<Ran, CannotBegin> {
    let body = async |simulation: Simulation| {
        let options = WorldOptions::new(simulation.seed.derive("world"));
        let world = SimWorld::start(&simulation, options, Vec::new())
            .await
            .map_err(|error| CannotBegin(format!("failed to start the world: {error}")))?;
        let breaker = Box::new(SimBreaker {
            sim: world.clone(),
            net: simulation.net.clone(),
        });
        let sight = Box::new(SimSight {
            pods: world.pods.clone(),
            net: simulation.net.clone(),
        });
        let ran = resident::run(&world.world, breaker, Some(sight), request, tell).await?;
        Ok(Ran {
            trace_hash: Some(simulation.trace.hash()),
            effort: Some(Effort {
                polls: simulation.net.polls(),
                packets: simulation.net.packets(),
            }),
            ..ran
        })
    };
    simulate(request.seed, body)
        .map_err(|error| CannotBegin(format!("failed to {error}")))
        .flatten()
}

/// Sees the members of a simulated world.
struct SimSight {
    pods: SimRuntime,
    net: SimNet,
}

impl Sight for SimSight {
    fn member(&self, from: HostId, pod_uid: &str) -> Option<Glance> {
        let (host, glance) = self.pods.glance(pod_uid)?;
        self.net.answers(from, host).then_some(glance)
    }
}
