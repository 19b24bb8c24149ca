//! The world `sim`: simulated Kubernetes, simulated etcd, virtual time.
//!
//! Owns: one simulation per run.
//! Always holds: the same scenario, seed and build give the same trace.
//! Deliberately does not know: what happens in the world.

mod faults;

use simulator::{
    determinism::{Simulation, simulate},
    world::{SimWorld, WorldOptions},
};

use self::faults::SimBreaker;
use crate::{
    resident,
    worlds::{CannotBegin, Ran, Request, Tell},
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
        let ran = resident::run(&world.world, breaker, request, tell).await?;
        Ok(Ran {
            trace_hash: Some(simulation.trace.hash()),
            ..ran
        })
    };
    simulate(request.seed, body)
        .map_err(|error| CannotBegin(format!("failed to {error}")))
        .flatten()
}
