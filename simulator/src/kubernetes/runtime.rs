//! What the kubelet asks of whatever runs containers.
//!
//! Owns: the seam between the simulated kubelet and the processes behind it, which are simulated
//! etcd members in one world and real etcd processes in another.
//! Always holds: every call returns at once; what happens later is polled with
//! [`ContainerRuntime::observe`] and announced through the wake-up the runtime was built with.
//! Deliberately does not know: probes' thresholds, restart policies, back-off: those are the kubelet's.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::Timestamp;

/// The network identity and placement of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub name: String,
    /// UID of the pod: another incarnation of the same name is another sandbox.
    pub uid: String,
    /// Host name inside the pod.
    pub hostname: String,
    /// Full DNS name of a pod that has a subdomain. The kubelet writes it into the pod's hosts file,
    /// so that the pod itself finds it before DNS knows.
    pub full_name: Option<String>,
    /// Node that the pod runs on.
    pub node: String,
}

/// What a mounted folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Volume {
    /// Files of a ConfigMap or Secret: name to content.
    Files(BTreeMap<String, Vec<u8>>),
    /// A persistent volume; lives until [`ContainerRuntime::delete_volume`].
    Persistent {
        /// Name of the PersistentVolume.
        volume: String,
    },
    /// A folder that lives as long as the pod.
    Scratch,
}

/// One container to start, with every `$(VAR)` already expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Name in the pod.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Entry point and arguments; an empty `command` means the image's own entry point.
    pub command: Vec<String>,
    /// Arguments after the entry point.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Mount path to volume.
    pub mounts: BTreeMap<String, Volume>,
}

/// Handle of one started container; a restart gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(pub u64);

/// An HTTP GET probe against a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    /// Port in the pod.
    pub port: u16,
    /// Path with query.
    pub path: String,
    /// Seconds until the attempt counts as failed.
    pub timeout_seconds: u32,
}

/// Why a container could not be started, as the kubelet would put it in `waiting.reason`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct StartFailed {
    /// For example `ErrImagePull`, `CreateContainerError`.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// Something that happened in a container since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The container's process ended.
    Exited {
        /// Which container.
        container: ContainerId,
        /// Exit code; 128 + signal when killed.
        code: i32,
        /// Whether the kernel killed it because it wanted more memory than its limit.
        out_of_memory: bool,
        /// When.
        at: Timestamp,
    },
    /// A probe came to an end.
    Probed {
        /// Which container.
        container: ContainerId,
        /// The token given to [`ContainerRuntime::probe`].
        token: u64,
        /// HTTP status, or why there was none (refused, timed out).
        result: Result<u16, String>,
    },
}

/// Signals that a kubelet sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: please stop.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// Runs containers for the simulated kubelets.
pub trait ContainerRuntime: Send {
    /// Makes the pod's network and returns its address.
    ///
    /// # Errors
    /// When no address is free.
    fn create_sandbox(&mut self, sandbox: &Sandbox) -> Result<IpAddr, StartFailed>;

    /// Tears the pod's network down; its containers must have ended. Scratch volumes go with it.
    fn remove_sandbox(&mut self, pod_uid: &str);

    /// Starts a container in the pod.
    ///
    /// # Errors
    /// When the image or its command cannot be run.
    fn start(&mut self, pod_uid: &str, container: &Container) -> Result<ContainerId, StartFailed>;

    /// Replaces the content of a mounted [`Volume::Files`] (the kubelet's periodic refresh).
    fn refresh_files(
        &mut self,
        container: ContainerId,
        mount: &str,
        files: &BTreeMap<String, Vec<u8>>,
    );

    /// Sends a signal; the exit arrives as an [`Observation`].
    fn signal(&mut self, container: ContainerId, signal: Signal);

    /// Starts one probe attempt; its result arrives as an [`Observation`] with the same token.
    fn probe(&mut self, container: ContainerId, probe: &HttpProbe, token: u64);

    /// What happened since the last call, in order.
    fn observe(&mut self) -> Vec<Observation>;

    /// The last lines that a container printed, for `kubectl logs`.
    fn logs(&self, container: ContainerId) -> Vec<String>;

    /// Throws a persistent volume's content away.
    fn delete_volume(&mut self, volume: &str);
}
