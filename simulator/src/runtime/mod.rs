//! Containers that are simulated programs on hosts of a network.
//!
//! Owns: one host per pod sandbox, the programs on them, the volumes, and probes over the network.
//! Always holds: whatever a container started or opened ends with it; an exit is reported once.
//! Deliberately does not know: what the programs do, nor probes' thresholds or restart policies.

mod hosts;
mod image;
mod probe;
mod program;
mod volumes;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

pub use image::{EtcdImages, Images};
pub use program::{Process, Program, Start};

use self::volumes::Volumes;
use crate::{
    clock::Clock,
    etcd::{Disk, Glance},
    kubernetes::runtime::{
        Container, ContainerId, ContainerRuntime, HttpProbe, Observation, Sandbox, Signal,
        StartFailed,
    },
    net::{Death, HostId, Net},
};

/// Exit code of a process that was killed: 128 + SIGKILL.
const KILLED: i32 = 137;

/// From the end of a process until the kernel has let go of it. What it wrote last goes out.
const TEARDOWN: Duration = Duration::from_millis(3);

/// Runs containers as simulated programs. A clone is another handle on the same containers: one
/// belongs to the kubelets, others to whoever makes faults.
#[derive(Clone)]
pub struct SimRuntime {
    net: Arc<dyn Net>,
    clock: Clock,
    /// Told whenever there is something to observe.
    wake: Arc<Notify>,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    images: Box<dyn Images>,
    registry_away: bool,
    pods: BTreeMap<String, Pod>,
    containers: BTreeMap<ContainerId, Running>,
    last: u64,
    /// Hosts that probes come from, by node.
    nodes: BTreeMap<String, HostId>,
    volumes: Volumes,
    observations: Vec<Observation>,
}

struct Pod {
    sandbox: Sandbox,
    host: HostId,
}

struct Running {
    pod_uid: String,
    process: Box<dyn Process>,
    ended: bool,
}

impl SimRuntime {
    /// A runtime without pods. `wake` is told whenever there is something to observe.
    pub fn new(
        net: Arc<dyn Net>,
        clock: Clock,
        images: impl Images + 'static,
        wake: Arc<Notify>,
    ) -> Self {
        let inner = Inner {
            images: Box::new(images),
            registry_away: false,
            pods: BTreeMap::new(),
            containers: BTreeMap::new(),
            last: 0,
            nodes: BTreeMap::new(),
            volumes: Volumes::default(),
            observations: Vec::new(),
        };
        Self {
            net,
            clock,
            wake,
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// The host that a pod runs on at the moment.
    #[must_use]
    pub fn host_of(&self, namespace: &str, pod: &str) -> Option<HostId> {
        let inner = self.inner();
        let mut pods = inner.pods.values();
        let found = pods.find(|it| it.sandbox.namespace == namespace && it.sandbox.name == pod);
        found.map(|pod| pod.host)
    }

    /// The member that runs in a pod, and the host that it is on.
    #[must_use]
    pub fn glance(&self, pod_uid: &str) -> Option<(HostId, Glance)> {
        let inner = self.inner();
        let host = inner.pods.get(pod_uid)?.host;
        let mut running = inner.containers.values().rev();
        let running = running.find(|it| it.pod_uid == pod_uid && !it.ended)?;
        Some((host, running.process.glance()?))
    }

    /// The hosts of all pods in a namespace.
    #[must_use]
    pub fn hosts_in(&self, namespace: &str) -> Vec<HostId> {
        let inner = self.inner();
        let pods = inner.pods.values();
        pods.filter(|pod| pod.sandbox.namespace == namespace)
            .map(|pod| pod.host)
            .collect()
    }

    /// The host that a node's kubelet probes from.
    #[must_use]
    pub fn node(&self, node: &str) -> Option<HostId> {
        self.inner().nodes.get(node).copied()
    }

    /// The disk behind a PersistentVolume that was mounted before.
    #[must_use]
    pub fn disk(&self, volume: &str) -> Option<Disk> {
        self.inner().volumes.existing(volume)
    }

    /// Takes the image registry away, or brings it back. Nothing is cached on the nodes.
    pub fn set_registry_away(&self, away: bool) {
        self.inner().registry_away = away;
    }

    /// Kills the process in a pod, as a signal from its node would.
    pub fn kill_in(&self, namespace: &str, pod: &str) {
        if let Some(container) = self.running_in(namespace, pod) {
            self.kill(container, false);
        }
    }

    /// Kills what runs in a pod as the kernel does when it wants more memory than its limit. Gives
    /// whether anything ran.
    pub fn run_out_of_memory(&self, namespace: &str, pod: &str) -> bool {
        let Some(container) = self.running_in(namespace, pod) else {
            return false;
        };
        self.kill(container, true);
        true
    }

    /// The container that runs in a pod.
    fn running_in(&self, namespace: &str, pod: &str) -> Option<ContainerId> {
        let inner = self.inner();
        let (uid, _) = inner
            .pods
            .iter()
            .find(|(_, it)| it.sandbox.namespace == namespace && it.sandbox.name == pod)?;
        let mut running = inner.containers.iter().filter(|(_, it)| !it.ended);
        running
            .find(|(_, it)| it.pod_uid == *uid)
            .map(|(container, _)| *container)
    }

    /// Kills the process of a container as the kernel would.
    fn kill(&self, container: ContainerId, out_of_memory: bool) {
        let host = {
            let inner = self.inner();
            let Some(running) = inner.containers.get(&container).filter(|it| !it.ended) else {
                return;
            };
            inner.pods.get(&running.pod_uid).map(|pod| pod.host)
        };
        if let Some(host) = host {
            self.net.kill(host, Death::Process);
        }
        self.ended(container, KILLED, out_of_memory);
    }

    fn ended(&self, container: ContainerId, code: i32, out_of_memory: bool) {
        let at = self.clock.now();
        let mut inner = self.inner();
        let Some(running) = inner.containers.get_mut(&container) else {
            return;
        };
        if !std::mem::replace(&mut running.ended, true) {
            inner.observations.push(Observation::Exited {
                container,
                code,
                out_of_memory,
                at,
            });
            self.wake.notify_one();
        }
    }

    /// What a probe would be answered, when it is certain that it arrives and the program knows the
    /// answer. Most probes are such, and each takes a connection and often a round of consensus.
    fn status_at_once(
        &self,
        inner: &Inner,
        container: ContainerId,
        probe: &HttpProbe,
    ) -> Option<u16> {
        let running = inner.containers.get(&container).filter(|it| !it.ended)?;
        let certain = self.net.is_whole();
        certain.then(|| running.process.status_at_once(probe))?
    }

    fn probed(&self, container: ContainerId, token: u64, result: Result<u16, String>) {
        self.inner().observations.push(Observation::Probed {
            container,
            token,
            result,
        });
        self.wake.notify_one();
    }

    /// Reports the end of a container that ends by itself.
    fn await_exit(&self, container: ContainerId, host: HostId) {
        let exited = match self.inner().containers.get(&container) {
            Some(running) => running.process.exited(),
            None => return,
        };
        let runtime = self.clone();
        tokio::spawn(async move {
            let code = exited.await;
            tokio::time::sleep(TEARDOWN).await;
            let already = runtime
                .inner()
                .containers
                .get(&container)
                .is_none_or(|it| it.ended);
            if !already {
                // The kernel closes what the process left open.
                runtime.net.kill(host, Death::Process);
                runtime.ended(container, code, false);
            }
        });
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_in_pod(
        &self,
        pod_uid: &str,
        container: &Container,
    ) -> Result<(ContainerId, HostId), StartFailed> {
        let mut guard = self.inner();
        let inner = &mut *guard;
        if inner.registry_away {
            let image = &container.image;
            let why = format!("failed to pull image \"{image}\": dial tcp: i/o timeout");
            return Err(failed("ErrImagePull", &why));
        }
        let pod = inner
            .pods
            .get(pod_uid)
            .ok_or_else(|| failed("CreateContainerError", "no sandbox"))?;
        let busy = inner
            .containers
            .values()
            .any(|it| it.pod_uid == pod_uid && !it.ended);
        if busy {
            return Err(failed(
                "CreateContainerError",
                "not modelled: several containers in one pod",
            ));
        }
        let program = Program {
            image: container.image.clone(),
            argv: container
                .command
                .iter()
                .chain(&container.args)
                .cloned()
                .collect(),
            env: container.env.clone(),
            files: volumes::files(container),
            disks: inner.volumes.mount(pod_uid, container),
        };
        let start = Start {
            host: pod.host,
            label: pod.sandbox.name.clone(),
            own_name: pod.sandbox.full_name.clone(),
            program,
        };
        let process = inner.images.start(start)?;
        inner.last += 1;
        let id = ContainerId(inner.last);
        inner.containers.insert(
            id,
            Running {
                pod_uid: pod_uid.to_owned(),
                process,
                ended: false,
            },
        );
        Ok((id, pod.host))
    }
}

impl ContainerRuntime for SimRuntime {
    fn create_sandbox(&mut self, sandbox: &Sandbox) -> Result<IpAddr, StartFailed> {
        let error = |error: std::io::Error| failed("FailedCreatePodSandBox", &error.to_string());
        let mut inner = self.inner();
        if !inner.nodes.contains_key(&sandbox.node) {
            let node = self.net.add_host(&sandbox.node).map_err(error)?;
            inner.nodes.insert(sandbox.node.clone(), node);
        }
        let host = self.net.add_host(&sandbox.name).map_err(error)?;
        inner.pods.insert(
            sandbox.uid.clone(),
            Pod {
                sandbox: sandbox.clone(),
                host,
            },
        );
        Ok(self.net.ip(host))
    }

    fn remove_sandbox(&mut self, pod_uid: &str) {
        let mut inner = self.inner();
        inner
            .containers
            .retain(|_, running| running.pod_uid != pod_uid);
        inner.volumes.drop_scratch(pod_uid);
        if let Some(pod) = inner.pods.remove(pod_uid) {
            self.net.remove_host(pod.host);
        }
    }

    fn start(&mut self, pod_uid: &str, container: &Container) -> Result<ContainerId, StartFailed> {
        let (id, host) = self.start_in_pod(pod_uid, container)?;
        self.await_exit(id, host);
        Ok(id)
    }

    /// The simulated programs read their files when they start, and the kubelet hands over the
    /// present content then; nobody looks at a file that changes in between.
    fn refresh_files(&mut self, _: ContainerId, _: &str, _: &BTreeMap<String, Vec<u8>>) {}

    fn signal(&mut self, container: ContainerId, signal: Signal) {
        match signal {
            Signal::Kill => self.kill(container, false),
            Signal::Terminate => {
                if let Some(running) = self.inner().containers.get(&container) {
                    running.process.terminate();
                }
            }
        }
    }

    fn probe(&mut self, container: ContainerId, probe: &HttpProbe, token: u64) {
        let inner = self.inner();
        let pod = inner
            .containers
            .get(&container)
            .and_then(|it| inner.pods.get(&it.pod_uid));
        let Some(pod) = pod else { return };
        if let Some(status) = self.status_at_once(&inner, container, probe) {
            drop(inner);
            return self.probed(container, token, Ok(status));
        }
        let Some(node) = inner.nodes.get(&pod.sandbox.node).copied() else {
            return;
        };
        let (runtime, probe) = (self.clone(), probe.clone());
        let ip = self.net.ip(pod.host);
        let attempt = async move {
            let result = probe::get(runtime.net.as_ref(), node, ip, &probe).await;
            runtime.probed(container, token, result);
        };
        self.net.spawn(node, Box::pin(attempt));
    }

    fn observe(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.inner().observations)
    }

    fn logs(&self, container: ContainerId) -> Vec<String> {
        self.inner()
            .containers
            .get(&container)
            .map_or_else(Vec::new, |it| it.process.logs())
    }

    fn delete_volume(&mut self, volume: &str) {
        self.inner().volumes.delete(volume);
    }
}

fn failed(reason: &str, message: &str) -> StartFailed {
    StartFailed {
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}
