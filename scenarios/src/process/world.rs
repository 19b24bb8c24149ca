//! The world `process`, put together: a simulated Kubernetes in real time with real etcd in its pods.
//!
//! Owns: the order in which the parts are made, on the enclosure's own addresses.
//! Always holds: the API server, the operator and the user are hosts that pods could reach, each
//! with an address of its own; what runs is the operator's own code, unmodified.
//! Deliberately does not know: what a scenario does.

use std::{io, sync::Arc};

use jiff::Timestamp;
use simulator::{
    clock::Clock,
    determinism::Seed,
    net::LoopbackNet,
    trace::Trace,
    world::{Ground, Station, World, WorldOptions},
};

use crate::{
    resident,
    worlds::{CannotBegin, Ran, Request, Tell},
};

use super::{
    Enclosure, EtcdBinary, Faults, ProcessRuntime, breaker::ProcessBreaker, own_addresses,
};

/// Runs a scenario in real time on real etcd processes.
///
/// # Errors
/// When the world cannot start.
pub fn run(
    enclosure: &Enclosure,
    program: &EtcdBinary,
    request: &Request,
    tell: Tell<'_>,
) -> Result<Ran, CannotBegin> {
    let cannot = |error: io::Error| CannotBegin(format!("failed to start the world: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot)?;
    runtime.block_on(async {
        let started = ProcessWorld::start(enclosure, program, request.seed).await;
        let started = started.map_err(cannot)?;
        let breaker = Box::new(ProcessBreaker::new(started.faults));
        resident::run(&started.world, breaker, None, request, tell).await
    })
}

/// Lines of the trace that are kept.
const TRACE_LINES: usize = 1_000_000;

/// A world of real processes.
pub struct ProcessWorld {
    /// The world.
    pub world: World,
    /// What can be broken in its pods.
    pub faults: Faults,
}

impl ProcessWorld {
    /// Starts a world in the enclosure; one at a time. `program` is the etcd that its image has.
    ///
    /// # Errors
    /// When there is no address for the API server.
    pub async fn start(enclosure: &Enclosure, program: &EtcdBinary, seed: u64) -> io::Result<Self> {
        let clock = Clock::starting_at(Timestamp::now());
        let trace = Trace::new(clock, TRACE_LINES);
        let ground = Ground {
            net: Arc::new(LoopbackNet::on(own_addresses(), trace.clone())),
            clock,
            trace: trace.clone(),
        };
        let mut faults = None;
        let runtime = |station: Station| {
            enclosure.answer_with(station.resolver);
            let programs = vec![program.clone()];
            let runtime = ProcessRuntime::new(enclosure, programs, clock, trace, station.wake);
            faults = Some(runtime.faults());
            runtime
        };
        let world = World::start(WorldOptions::new(Seed(seed)), ground, runtime).await?;
        let faults =
            faults.ok_or_else(|| io::Error::other("the world made no container runtime"))?;
        Ok(Self { world, faults })
    }
}
