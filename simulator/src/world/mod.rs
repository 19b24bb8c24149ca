//! A whole world: Kubernetes, the pods on it, and clients of both, on one network.
//!
//! Owns: how the parts are put together, and the names and hosts of the world itself.
//! Always holds: parts reach each other over the network only; clients are unmodified.
//! Deliberately does not know: whether time and network are simulated, and what runs in containers.
//! It is handed a network, a clock and a container runtime.
//!
//! Reading order: this file, then [`clients`](World::kube_client), then [`Operator`].

mod accesses;
mod calls;
mod clients;
mod connector;
mod kubernetes;
mod names;
mod operator;
mod simulated;
mod tap;
mod wire;

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

pub use self::{
    accesses::Access,
    calls::{Calls, Counter, ETCD_READS},
    connector::Connector,
    names::{Names, Services},
    operator::{Ended, Operator},
    simulated::SimWorld,
    tap::Tap,
    wire::{Outgoing, Refusal, Ruling, Side, Wire},
};
use crate::{
    clock::Clock,
    determinism::Seed,
    kubernetes::{
        api::ApiServer,
        control_plane::{self, ControlPlane},
        controllers::timings::Timings,
        runtime::ContainerRuntime,
    },
    net::{HostId, Net, Resolve},
    trace::Trace,
};

/// Name of the API server.
pub const API_SERVER: &str = "kubernetes.default.svc";
/// Port of the API server.
pub const API_PORT: u16 = 6443;

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// The root of the world's randomness.
    pub seed: Seed,
    /// Number of nodes.
    pub nodes: usize,
    /// How long the control plane takes for what it does.
    pub timings: Timings,
}

impl WorldOptions {
    /// Three nodes with the timings of a quiet cluster.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self {
            seed,
            nodes: 3,
            timings: Timings::default(),
        }
    }
}

/// What a world stands on.
#[derive(Clone)]
pub struct Ground {
    /// The network that everything is on.
    pub net: Arc<dyn Net>,
    /// Calendar time.
    pub clock: Clock,
    /// The record of everything that happens.
    pub trace: Trace,
}

/// What a container runtime is given by the world that it works for.
pub struct Station {
    /// The names that pods can look up.
    pub resolver: Arc<dyn Resolve>,
    /// To be told whenever the runtime has something to observe.
    pub wake: Arc<Notify>,
}

/// A running world; a clone is another handle on the same one. It ends with its last handle.
#[derive(Clone)]
pub struct World {
    inner: Arc<Inner>,
}

struct Inner {
    ground: Ground,
    names: Names,
    api: Arc<Mutex<ApiServer>>,
    api_host: HostId,
    plane: Arc<Mutex<ControlPlane>>,
    runtime: control_plane::Shared,
    /// Wakes the driver.
    wake: Arc<Notify>,
    driver: AbortHandle,
    /// Whether the control plane stands still.
    frozen: watch::Sender<bool>,
    /// Closed when the driver has ended.
    driven: watch::Receiver<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl World {
    /// Starts a world: its API server, controllers and kubelets, with the containers in the hands
    /// of the runtime that `runtime` makes.
    ///
    /// # Errors
    /// When the network has no address for the API server.
    pub async fn start<R: ContainerRuntime + 'static>(
        options: WorldOptions,
        ground: Ground,
        runtime: impl FnOnce(Station) -> R,
    ) -> io::Result<Self> {
        let plane = ControlPlane::new(control_plane::Options {
            seed: options.seed.derive("control plane").0,
            nodes: options.nodes,
            timings: options.timings,
        });
        let names = kubernetes::names(&plane, ground.clock);
        let wake = Arc::new(Notify::new());
        let station = Station {
            resolver: Arc::new(names.clone()),
            wake: Arc::clone(&wake),
        };
        let runtime: control_plane::Shared = Arc::new(Mutex::new(runtime(station)));
        let plane = Arc::new(Mutex::new(plane));
        let mut api = ApiServer::starting_at(options.seed.derive("api").0, ground.clock.now());
        api.set_log_source(control_plane::logs(
            Arc::clone(&plane),
            Arc::clone(&runtime),
        ));
        let api = Arc::new(Mutex::new(api));
        let api_host = ground.net.add_host("kube-apiserver")?;
        names.set(API_SERVER, ground.net.ip(api_host));
        let (frozen, standstill) = watch::channel(false);
        let (driver, driven) = watched(control_plane::drive(
            Arc::clone(&api),
            Arc::clone(&plane),
            Arc::clone(&runtime),
            control_plane::Calls {
                wake: Arc::clone(&wake),
                standstill,
            },
            ground.clock,
            ground.trace.clone(),
        ));
        let inner = Inner {
            ground,
            names,
            api,
            api_host,
            plane,
            runtime,
            wake,
            driver,
            frozen,
            driven,
        };
        let world = Self {
            inner: Arc::new(inner),
        };
        world.start_api_server().await?;
        Ok(world)
    }

    /// Waits until the control plane has ended by itself, which is a bug.
    pub async fn broken(&self) {
        let mut driven = self.inner.driven.clone();
        while driven.changed().await.is_ok() {}
    }

    /// The network that everything is on.
    #[must_use]
    pub fn net(&self) -> &Arc<dyn Net> {
        &self.inner.ground.net
    }

    /// Calendar time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.ground.clock
    }

    /// The record of everything that happens.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.inner.ground.trace
    }

    /// Every name that hosts of this world can look up.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.inner.names
    }

    /// The way from a host to others, by name.
    #[must_use]
    pub fn connector(&self, from: HostId) -> Connector {
        Connector::new(Arc::clone(self.net()), self.inner.names.clone(), from)
    }

    /// An unmodified Kubernetes client on a host, counted by `counter`. `agent` is its name.
    #[must_use]
    pub fn kube_client(
        &self,
        from: HostId,
        agent: &'static str,
        counter: &Counter,
    ) -> kube::Client {
        let server = format!("{API_SERVER}:{API_PORT}");
        clients::kube_client(self.connector(from), &server, agent, counter, None)
    }

    /// The same, of an API server of its own on the same host, with the same objects. Nothing that
    /// is done to the world's API server keeps it from answering.
    ///
    /// # Errors
    /// When the host's port is taken.
    pub async fn private_kube_client(
        &self,
        host: HostId,
        agent: &'static str,
        counter: &Counter,
    ) -> io::Result<kube::Client> {
        let listener = self.net().bind(host, API_PORT).await?;
        self.serve_api_at(host, listener, Arc::clone(&self.inner.api));
        let server = SocketAddr::new(self.net().ip(host), API_PORT).to_string();
        let connector = self.connector(host);
        Ok(clients::kube_client(
            connector, &server, agent, counter, None,
        ))
    }

    /// An unmodified client on a host of the one etcd member that listens on `host:port`.
    ///
    /// # Errors
    /// When the member cannot be reached.
    pub async fn dial_etcd(
        &self,
        from: HostId,
        host: &str,
        port: u16,
        counter: &Counter,
    ) -> Result<etcd_client::Client, etcd_client::Error> {
        clients::dial_etcd(self.connector(from), host, port, counter, None).await
    }
}

/// Spawns a task; the receiver closes when it ends, also by a panic.
fn watched(task: impl Future<Output = ()> + Send + 'static) -> (AbortHandle, watch::Receiver<()>) {
    let (alive, ended) = watch::channel(());
    let task = tokio::spawn(async move {
        let _alive = alive;
        task.await;
    });
    (task.abort_handle(), ended)
}
