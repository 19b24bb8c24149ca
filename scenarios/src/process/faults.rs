//! Breaking things from outside, as real machines and networks do.
//!
//! Owns: a handle for each fault that this world can do.
//! Always holds: the kubelet is not told; it finds out as it would on a real node.
//! Deliberately does not know: when to break what.

use std::{
    fs, io,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use nix::sys::signal::Signal;

use super::{
    container::Process,
    network,
    runtime::{Pod, Pods, lock},
};

/// There is no such pod on any node.
#[derive(Debug, thiserror::Error)]
#[error("failed to find pod {namespace}/{name}: no node runs it")]
pub struct NoSuchPod {
    namespace: String,
    name: String,
}

impl From<NoSuchPod> for io::Error {
    fn from(missing: NoSuchPod) -> Self {
        Self::new(io::ErrorKind::NotFound, missing)
    }
}

/// Breaks the pods of one runtime. Pods are named as `namespace, name`.
#[derive(Clone)]
pub struct Faults {
    pods: Arc<Mutex<Pods>>,
}

impl Faults {
    pub(super) fn on(pods: Arc<Mutex<Pods>>) -> Self {
        Self { pods }
    }

    /// `kill -9` on every process of the pod.
    ///
    /// # Errors
    /// When there is no such pod.
    pub fn kill(&self, namespace: &str, name: &str) -> Result<(), NoSuchPod> {
        self.signal(namespace, name, Signal::SIGKILL)
    }

    /// Freezes every process of the pod (`SIGSTOP`): its kernel accepts, nobody answers.
    ///
    /// # Errors
    /// When there is no such pod.
    pub fn pause(&self, namespace: &str, name: &str) -> Result<(), NoSuchPod> {
        self.with(namespace, name, |pod| {
            pod.running().for_each(Process::freeze);
        })
    }

    /// Ends a freeze.
    ///
    /// # Errors
    /// When there is no such pod.
    pub fn resume(&self, namespace: &str, name: &str) -> Result<(), NoSuchPod> {
        self.signal(namespace, name, Signal::SIGCONT)
    }

    /// Empties a persistent volume under whoever has it open.
    ///
    /// # Errors
    /// When the folder cannot be emptied.
    pub fn wipe_volume(&self, volume: &str) -> io::Result<()> {
        let folder = lock(&self.pods).volume(volume);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Drops all packets from one pod to another, in this direction only, until [`Faults::heal`].
    /// It holds for the addresses the pods have now.
    ///
    /// # Errors
    /// When a pod is missing or the kernel refuses.
    pub fn cut(&self, from: (&str, &str), to: (&str, &str)) -> io::Result<Cut> {
        let (from, to) = (self.address(from)?, self.address(to)?);
        network::cut(from, to)?;
        Ok(Cut { from, to })
    }

    /// Ends a cut.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn heal(&self, cut: &Cut) -> io::Result<()> {
        network::heal(cut.from, cut.to)
    }

    /// Pulls the pod's network cable, or puts it back.
    ///
    /// # Errors
    /// When there is no such pod or the kernel refuses.
    pub fn plug(&self, namespace: &str, name: &str, plugged: bool) -> io::Result<()> {
        self.with(namespace, name, |pod| pod.network.plug(plugged))?
    }

    fn signal(&self, namespace: &str, name: &str, signal: Signal) -> Result<(), NoSuchPod> {
        self.with(namespace, name, |pod| {
            pod.running().for_each(|process| process.signal(signal));
        })
    }

    fn address(&self, (namespace, name): (&str, &str)) -> Result<Ipv4Addr, NoSuchPod> {
        self.with(namespace, name, |pod| pod.network.ip())
    }

    fn with<T>(
        &self,
        namespace: &str,
        name: &str,
        act: impl FnOnce(&Pod) -> T,
    ) -> Result<T, NoSuchPod> {
        let pods = lock(&self.pods);
        let missing = || NoSuchPod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        pods.named(namespace, name).map(act).ok_or_else(missing)
    }
}

/// One direction that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    from: Ipv4Addr,
    to: Ipv4Addr,
}
