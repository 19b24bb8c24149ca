//! What containers find mounted.
//!
//! Owns: the content of persistent volumes and of scratch folders.
//! Always holds: a persistent volume keeps its content until it is deleted; a scratch folder ends
//! with its pod.
//! Deliberately does not know: claims, storage classes.

use std::collections::BTreeMap;

use crate::{
    etcd::Disk,
    kubernetes::runtime::{Container, Volume},
};

#[derive(Default)]
pub(super) struct Volumes {
    persistent: BTreeMap<String, Disk>,
    /// By pod and mount path.
    scratch: BTreeMap<(String, String), Disk>,
}

impl Volumes {
    /// The disks of a container, by mount path.
    pub(super) fn mount(&mut self, pod_uid: &str, container: &Container) -> BTreeMap<String, Disk> {
        let mut disks = BTreeMap::new();
        for (path, volume) in &container.mounts {
            let disk = match volume {
                Volume::Files(_) => continue,
                Volume::Persistent { volume } => self.persistent.entry(volume.clone()).or_default(),
                Volume::Scratch => self
                    .scratch
                    .entry((pod_uid.to_owned(), path.clone()))
                    .or_default(),
            };
            disks.insert(path.clone(), disk.clone());
        }
        disks
    }

    pub(super) fn existing(&self, volume: &str) -> Option<Disk> {
        self.persistent.get(volume).cloned()
    }

    /// A process that still has it mounted writes into the void from now on.
    pub(super) fn delete(&mut self, volume: &str) {
        if let Some(disk) = self.persistent.remove(volume) {
            disk.erase();
        }
    }

    pub(super) fn drop_scratch(&mut self, pod_uid: &str) {
        self.scratch.retain(|(pod, _), _| pod != pod_uid);
    }
}

/// Files of mounted ConfigMaps and Secrets, by absolute path.
pub(super) fn files(container: &Container) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (path, volume) in &container.mounts {
        if let Volume::Files(content) = volume {
            let folder = path.trim_end_matches('/');
            files.extend(
                content
                    .iter()
                    .map(|(name, bytes)| (format!("{folder}/{name}"), bytes.clone())),
            );
        }
    }
    files
}
