//! Breaking simulated pods.
//!
//! Owns: how each fault is done to simulated processes, disks and wires.
//! Always holds: nobody is told; Kubernetes and the operator find out as they would.
//! Deliberately does not know: when faults come, and for how long.

use std::time::Duration;

use chaos::fault::{Hit, MemberTrouble, PodFault};
use serde_json::Value;
use simulator::{
    etcd::Disk,
    kubernetes::api::resource::{PERSISTENT_VOLUME_CLAIMS, PODS},
    net::{HostId, Net, SimNet},
    world::SimWorld,
};

use crate::{resident::NAMESPACE, strikes::Breaker, world::WorldFailed};

/// How much longer packets travel on a slow network: more than a heartbeat, less than an election.
const SLOWER: Duration = Duration::from_millis(300);

/// A sync on a slow disk: longer than etcd's election timeout of a second.
const SLOW_SYNC: Duration = Duration::from_millis(1200);

/// Breaks the pods of a simulated world.
pub(super) struct SimBreaker {
    pub(super) sim: SimWorld,
    pub(super) net: SimNet,
}

impl Breaker for SimBreaker {
    fn world(&self) -> &'static str {
        "sim"
    }

    fn pod(&self, fault: PodFault, hit: &Hit) -> Result<(), WorldFailed> {
        match fault {
            PodFault::Kill => {}
            PodFault::LoseData => self.disks(hit).iter().for_each(Disk::erase),
            PodFault::CorruptData => self.disks(hit).iter().for_each(Disk::corrupt),
            // A user can do these, and does.
            PodFault::Delete | PodFault::DeleteWithVolume | PodFault::Evict => return Ok(()),
        }
        self.sim.pods.kill_in(NAMESPACE, &hit.pod);
        Ok(())
    }

    fn member(
        &self,
        trouble: MemberTrouble,
        hit: &Hit,
        others: &[HostId],
        begins: bool,
    ) -> Result<(), WorldFailed> {
        let Some(host) = self.sim.pods.host_of(NAMESPACE, &hit.pod) else {
            return Ok(()); // It is gone, and its trouble with it.
        };
        match (trouble, begins) {
            (MemberTrouble::Paused, true) => self.net.pause(host),
            (MemberTrouble::Paused, false) => self.net.resume(host),
            (MemberTrouble::SlowDisk, true) => {
                let disks = self.disks(hit);
                disks.iter().for_each(|disk| disk.set_sync_time(SLOW_SYNC));
            }
            (MemberTrouble::SlowDisk, false) => {
                self.disks(hit).iter().for_each(Disk::reset_sync_time);
            }
            _ => {
                let pods = self.sim.pods.hosts_in(NAMESPACE);
                let peers = pods.into_iter().filter(|peer| *peer != host);
                for peer in peers.chain(others.iter().copied()) {
                    self.link(trouble, host, peer, begins);
                }
            }
        }
        Ok(())
    }

    fn registry(&self, away: bool) -> Result<(), WorldFailed> {
        self.sim.pods.set_registry_away(away);
        Ok(())
    }
}

impl SimBreaker {
    fn link(&self, trouble: MemberTrouble, host: HostId, peer: HostId, begins: bool) {
        let (to, from) = match trouble {
            MemberTrouble::Deaf => (true, false),
            MemberTrouble::Mute => (false, true),
            _ => (true, true),
        };
        let directions = [(to, peer, host), (from, host, peer)];
        for (_, from, to) in directions.into_iter().filter(|(hit, ..)| *hit) {
            match (trouble, begins) {
                (MemberTrouble::SlowNetwork, true) => self.net.slow(from, to, SLOWER),
                (MemberTrouble::SlowNetwork, false) => self.net.slow(from, to, Duration::ZERO),
                (_, true) => self.net.cut(from, to),
                (_, false) => self.net.heal(from, to),
            }
        }
    }

    /// The disks behind the pod's claims.
    fn disks(&self, hit: &Hit) -> Vec<Disk> {
        let volumes = self.sim.world.with_api(|api| {
            let pod = api.get(&PODS, NAMESPACE, &hit.pod);
            let volumes = pod.and_then(|pod| pod.pointer("/spec/volumes").cloned());
            let volumes = volumes.as_ref().and_then(Value::as_array).cloned();
            let claims = volumes
                .unwrap_or_default()
                .into_iter()
                .filter_map(|volume| {
                    let name = volume
                        .pointer("/persistentVolumeClaim/claimName")?
                        .as_str()?
                        .to_owned();
                    let claim = api.get(&PERSISTENT_VOLUME_CLAIMS, NAMESPACE, &name)?;
                    Some(claim.pointer("/spec/volumeName")?.as_str()?.to_owned())
                });
            claims.collect::<Vec<String>>()
        });
        let disks = volumes
            .iter()
            .filter_map(|volume| self.sim.pods.disk(volume));
        disks.collect()
    }
}
