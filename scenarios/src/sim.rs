//! The world `sim`: simulated Kubernetes, simulated etcd, virtual time.
//!
//! Owns: one simulation per run.
//! Always holds: the same scenario, seed and build give the same trace.
//! Deliberately does not know: what happens in the world.

use simulator::{
    determinism::{Simulation, simulate},
    world::{SimWorld, WorldOptions},
};

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
        let ran = resident::run(&world.world, request, tell).await?;
        Ok(Ran {
            trace_hash: Some(simulation.trace.hash()),
            ..ran
        })
    };
    simulate(request.seed, body)
        .map_err(|error| CannotBegin(format!("failed to {error}")))
        .flatten()
}
