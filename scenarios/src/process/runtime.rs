//! What the simulated kubelet calls: pods and containers as real processes.
//!
//! Owns: the pods and containers of the run, their folders on the run's disk.
//! Always holds: a pod's address and scratch folders outlive its containers, and a persistent
//! volume outlives its pods; each container starts with a fresh root folder.
//! Deliberately does not know: probes' thresholds, restarts, back-off; what etcd is, beyond an image.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use simulator::{
    clock::Clock,
    kubernetes::runtime::{
        Container, ContainerId, ContainerRuntime, HttpProbe, Observation, Sandbox, Signal,
        StartFailed, Volume,
    },
    trace::Trace,
};
use tokio::{runtime::Handle, sync::Notify};

use super::{
    address::Addresses,
    container::{Bind, Launch, Process},
    enclosure::{Enclosure, resolv_conf},
    etcd_binary::EtcdBinary,
    faults::Faults,
    files,
    image::{self, Images},
    network::{self, PodNetwork},
    probe,
};

/// Runs containers as real processes.
pub struct ProcessRuntime {
    pods: Arc<Mutex<Pods>>,
    images: Images,
    news: News,
    /// Where probes run.
    executor: Handle,
}

/// Everything that exists right now.
pub(super) struct Pods {
    disk: PathBuf,
    by_uid: BTreeMap<String, Pod>,
    addresses: Addresses,
    next_pod: u64,
    next_container: u64,
}

/// One pod.
pub(super) struct Pod {
    pub(super) sandbox: Sandbox,
    pub(super) network: PodNetwork,
    folder: PathBuf,
    containers: BTreeMap<ContainerId, Started>,
}

struct Started {
    process: Process,
    /// Mount path to folder of each [`Volume::Files`].
    files: BTreeMap<String, PathBuf>,
}

/// What happened since the kubelet last asked.
#[derive(Clone)]
struct News {
    observations: Arc<Mutex<Vec<Observation>>>,
    clock: Clock,
    trace: Trace,
    wake: Arc<Notify>,
}

impl News {
    fn add(&self, observation: Observation) {
        lock(&self.observations).push(observation);
        self.wake.notify_one();
    }
}

impl ProcessRuntime {
    /// A runtime without pods. What containers print goes to the trace; `wake` is notified whenever there is something new to observe. One
    /// at a time, made inside the async runtime that shall run the probes.
    #[must_use]
    pub fn new(
        enclosure: &Enclosure,
        programs: Vec<EtcdBinary>,
        clock: Clock,
        trace: Trace,
        wake: Arc<Notify>,
    ) -> Self {
        let pods = Pods {
            disk: enclosure.disk().to_owned(),
            by_uid: BTreeMap::new(),
            addresses: Addresses::default(),
            next_pod: 0,
            next_container: 0,
        };
        Self {
            pods: Arc::new(Mutex::new(pods)),
            images: Images::of(programs),
            news: News {
                observations: Arc::default(),
                clock,
                trace,
                wake,
            },
            executor: Handle::current(),
        }
    }

    /// A handle that breaks things, usable while the kubelet has the runtime.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults::on(Arc::clone(&self.pods))
    }
}

/// What comes after it in the same process finds nothing of it.
impl Drop for ProcessRuntime {
    fn drop(&mut self) {
        let mut pods = lock(&self.pods);
        while let Some(uid) = pods.by_uid.keys().next().cloned() {
            pods.remove(&uid);
        }
        remove(&pods.disk.join("volumes"));
    }
}

impl ContainerRuntime for ProcessRuntime {
    fn create_sandbox(&mut self, sandbox: &Sandbox) -> Result<IpAddr, StartFailed> {
        let mut pods = lock(&self.pods);
        pods.add(sandbox).map_err(|error| StartFailed {
            reason: "FailedCreatePodSandBox".into(),
            message: format!(
                "failed to make the network of pod {}: {error}",
                sandbox.name
            ),
        })
    }

    fn remove_sandbox(&mut self, pod_uid: &str) {
        lock(&self.pods).remove(pod_uid);
    }

    fn start(&mut self, pod_uid: &str, container: &Container) -> Result<ContainerId, StartFailed> {
        let program = self.images.pull(&container.image)?.path.clone();
        lock(&self.pods)
            .start(pod_uid, container, &program, &self.news)
            .map_err(|error| StartFailed {
                reason: "RunContainerError".into(),
                message: format!("failed to start container {}: {error}", container.name),
            })
    }

    fn refresh_files(
        &mut self,
        container: ContainerId,
        mount: &str,
        content: &BTreeMap<String, Vec<u8>>,
    ) {
        let pods = lock(&self.pods);
        if let Some(folder) = pods.started(container).and_then(|it| it.files.get(mount))
            && let Err(error) = files::replace(folder, content)
        {
            tracing::error!(%error, mount, "failed to refresh a volume of files");
        }
    }

    fn signal(&mut self, container: ContainerId, signal: Signal) {
        let pods = lock(&self.pods);
        if let Some(started) = pods.started(container) {
            started.process.signal(match signal {
                Signal::Terminate => nix::sys::signal::Signal::SIGTERM,
                Signal::Kill => nix::sys::signal::Signal::SIGKILL,
            });
        }
    }

    fn probe(&mut self, container: ContainerId, probe: &HttpProbe, token: u64) {
        let ip = lock(&self.pods)
            .pod_of(container)
            .map(|pod| pod.network.ip());
        let (news, probe) = (self.news.clone(), probe.clone());
        self.executor.spawn(async move {
            let result = match ip {
                Some(ip) => probe::get(ip.into(), &probe).await,
                None => Err("the pod is gone".to_owned()),
            };
            news.add(Observation::Probed {
                container,
                token,
                result,
            });
        });
    }

    fn observe(&mut self) -> Vec<Observation> {
        std::mem::take(&mut *lock(&self.news.observations))
    }

    fn logs(&self, container: ContainerId) -> Vec<String> {
        lock(&self.pods)
            .started(container)
            .map(|it| it.process.lines())
            .unwrap_or_default()
    }

    fn delete_volume(&mut self, volume: &str) {
        let folder = lock(&self.pods).volume(volume);
        remove(&folder);
    }
}

impl Pods {
    fn add(&mut self, sandbox: &Sandbox) -> io::Result<IpAddr> {
        let Entry::Vacant(place) = self.by_uid.entry(sandbox.uid.clone()) else {
            return Err(io::ErrorKind::AlreadyExists.into());
        };
        let ip = self
            .addresses
            .take(&sandbox.node)
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        self.next_pod += 1;
        let made = network::add_pod(self.next_pod, ip)
            .and_then(|network| Pod::new(sandbox, network, &self.disk));
        match made {
            Ok(pod) => {
                place.insert(pod);
                Ok(ip.into())
            }
            Err(error) => {
                self.addresses.release(ip);
                Err(error)
            }
        }
    }

    fn remove(&mut self, uid: &str) {
        let Some(pod) = self.by_uid.remove(uid) else {
            return;
        };
        for started in pod.containers.values() {
            started.process.signal(nix::sys::signal::Signal::SIGKILL);
        }
        self.addresses.release(pod.network.ip());
        if let Err(error) = pod.network.remove() {
            tracing::error!(%error, uid, "failed to remove a pod's network");
        }
        remove(&pod.folder);
    }

    fn start(
        &mut self,
        uid: &str,
        container: &Container,
        program: &Path,
        news: &News,
    ) -> io::Result<ContainerId> {
        let volumes = self.disk.join("volumes");
        let pod = self.by_uid.get_mut(uid).ok_or(io::ErrorKind::NotFound)?;
        self.next_container += 1;
        let id = ContainerId(self.next_container);
        let (launch, files) = pod.prepare(id, container, program, &volumes)?;
        let (trace, news) = (news.trace.clone(), news.clone());
        let who = format!("{}/{}", pod.sandbox.name, container.name);
        let on_line = move |line: &str| trace.record(&who, line);
        let process = launch.start(on_line, move |code| {
            let at = news.clock.now();
            news.add(Observation::Exited {
                container: id,
                code,
                // Memory limits are not enforced in this world.
                out_of_memory: false,
                at,
            });
        })?;
        pod.containers.insert(id, Started { process, files });
        Ok(id)
    }

    fn started(&self, container: ContainerId) -> Option<&Started> {
        self.pod_of(container)?.containers.get(&container)
    }

    fn pod_of(&self, container: ContainerId) -> Option<&Pod> {
        self.by_uid
            .values()
            .find(|pod| pod.containers.contains_key(&container))
    }

    /// The pod that has a name now.
    pub(super) fn named(&self, namespace: &str, name: &str) -> Option<&Pod> {
        self.by_uid
            .values()
            .find(|pod| pod.sandbox.namespace == namespace && pod.sandbox.name == name)
    }

    /// The folder behind a persistent volume.
    pub(super) fn volume(&self, volume: &str) -> PathBuf {
        self.disk.join("volumes").join(volume)
    }
}

impl Pod {
    fn new(sandbox: &Sandbox, network: PodNetwork, disk: &Path) -> io::Result<Self> {
        let folder = disk.join("pods").join(&sandbox.uid);
        fs::create_dir_all(&folder)?;
        let search = format!("{}.svc.cluster.local", sandbox.namespace);
        let resolv_conf = resolv_conf(&[&search, "svc.cluster.local", "cluster.local"]);
        fs::write(folder.join("resolv.conf"), resolv_conf)?;
        let names = sandbox.full_name.iter().chain([&sandbox.hostname]);
        let names: Vec<&str> = names.map(String::as_str).collect();
        let hosts = format!(
            "127.0.0.1\tlocalhost\n{}\t{}\n",
            network.ip(),
            names.join("\t")
        );
        fs::write(folder.join("hosts"), hosts)?;
        fs::write(folder.join("hostname"), format!("{}\n", sandbox.hostname))?;
        Ok(Self {
            sandbox: sandbox.clone(),
            network,
            folder,
            containers: BTreeMap::new(),
        })
    }

    /// The processes that have not ended.
    pub(super) fn running(&self) -> impl Iterator<Item = &Process> {
        self.containers
            .values()
            .map(|it| &it.process)
            .filter(|process| process.is_running())
    }

    /// Lays out a fresh root folder and says what to mount there.
    fn prepare(
        &self,
        id: ContainerId,
        container: &Container,
        program: &Path,
        volumes: &Path,
    ) -> io::Result<(Launch, BTreeMap<String, PathBuf>)> {
        let folder = self.folder.join(format!("{}-{}", container.name, id.0));
        let root = folder.join("root");
        image::unpack(&root)?;
        for file in ["resolv.conf", "hosts", "hostname"] {
            fs::copy(self.folder.join(file), root.join("etc").join(file))?;
        }
        let mut binds = image::binds(program)?;
        let mut files = BTreeMap::new();
        for (target, volume) in &container.mounts {
            let name = target.trim_matches('/').replace('/', "~");
            let source = match volume {
                Volume::Files(_) => folder.join("files").join(name),
                Volume::Persistent { volume } => volumes.join(volume),
                Volume::Scratch => self.folder.join("scratch").join(name),
            };
            fs::create_dir_all(&source)?;
            let read_only = matches!(volume, Volume::Files(_));
            if let Volume::Files(content) = volume {
                files::replace(&source, content)?;
                files.insert(target.clone(), source.clone());
            }
            binds.push(Bind {
                source,
                target: target.clone(),
                read_only,
            });
        }
        let launch = Launch {
            network: self.network.namespace()?,
            hostname: self.sandbox.hostname.clone(),
            root,
            binds,
            argv: image::argv(container),
            env: self.environment(container),
        };
        Ok((launch, files))
    }

    fn environment(&self, container: &Container) -> BTreeMap<String, String> {
        let image = image::ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut env = BTreeMap::from(image);
        env.insert("HOSTNAME".into(), self.sandbox.hostname.clone());
        env.extend(container.env.clone());
        env
    }
}

fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::error!(%error, folder = %folder.display(), "failed to remove a folder");
        }
        _ => {}
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
