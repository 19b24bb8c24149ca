//! A world in which everything is simulated.
//!
//! Owns: the container runtime with simulated etcd members, joined to a world.
//! Deliberately does not know: whether the network under it is simulated too.

use std::{io, sync::Arc};

use super::{Ground, Station, World, WorldOptions};
use crate::{
    determinism::Simulation,
    etcd::Version,
    net::Net,
    runtime::{EtcdImages, SimRuntime},
};

/// A world whose pods are simulated etcd members.
#[derive(Clone)]
pub struct SimWorld {
    /// The world.
    pub world: World,
    /// Its pods: the hosts they run on and the disks they have.
    pub pods: SimRuntime,
}

impl SimWorld {
    /// Starts a world inside a simulation. Images of all `versions` of etcd can be pulled; of every
    /// version when there are none.
    ///
    /// # Errors
    /// When the network has too few addresses.
    pub async fn start(
        simulation: &Simulation,
        options: WorldOptions,
        versions: Vec<Version>,
    ) -> io::Result<Self> {
        let net: Arc<dyn Net> = Arc::new(simulation.net.clone());
        let ground = Ground {
            net,
            clock: simulation.clock,
            trace: simulation.trace.clone(),
        };
        Self::start_on(ground, options, versions).await
    }

    /// Starts a world on any network.
    ///
    /// # Errors
    /// When the network has too few addresses.
    pub async fn start_on(
        ground: Ground,
        options: WorldOptions,
        versions: Vec<Version>,
    ) -> io::Result<Self> {
        let seed = options.seed.derive("etcd");
        let mut pods = None;
        let runtime = |station: Station| {
            let images = EtcdImages {
                net: Arc::clone(&ground.net),
                resolver: station.resolver,
                clock: ground.clock,
                trace: ground.trace.clone(),
                seed,
                versions,
                starts: 0,
            };
            let runtime =
                SimRuntime::new(Arc::clone(&ground.net), ground.clock, images, station.wake);
            pods.insert(runtime).clone()
        };
        let world = World::start(options, ground.clone(), runtime).await?;
        let pods = pods.ok_or_else(|| io::Error::other("the world made no container runtime"))?;
        Ok(Self { world, pods })
    }
}
