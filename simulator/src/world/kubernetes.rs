//! The Kubernetes of a world, as those who run the world see it.
//!
//! Owns: the API server's process, the CRD, power of nodes, and names derived from objects.
//! Always holds: what is done here is what an administrator or an accident could do.
//! Deliberately does not know: what users do; they have clients.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use super::{API_PORT, Names, Services, World};
use crate::{
    clock::Clock,
    kubernetes::{
        api::{self, ApiError, ApiServer, resource::CUSTOM_RESOURCE_DEFINITIONS},
        control_plane::ControlPlane,
        dns::ClusterDns,
        kubelet::Power,
        proxy::{Proxy, Route},
    },
    net::{HostId, Listener},
};

/// The names that a control plane makes.
pub(super) fn names(plane: &ControlPlane, clock: Clock) -> Names {
    let dns = ClusterDns::new(plane.zone(), clock);
    Names::new(
        Arc::new(dns),
        Arc::new(NodeProxy {
            proxy: plane.proxy(),
            clock,
        }),
    )
}

struct NodeProxy {
    proxy: Arc<Mutex<Proxy>>,
    clock: Clock,
}

impl Services for NodeProxy {
    fn route(&self, to: SocketAddr) -> io::Result<SocketAddr> {
        match lock(&self.proxy).route(to.ip(), to.port(), self.clock.now()) {
            Route::Direct => Ok(to),
            Route::To(endpoint) => Ok(endpoint),
            Route::Refused => {
                let text = format!("dial tcp {to}: connect: connection refused");
                Err(io::Error::new(io::ErrorKind::ConnectionRefused, text))
            }
        }
    }
}

impl World {
    /// The host of the API server.
    #[must_use]
    pub fn api_host(&self) -> HostId {
        self.inner.api_host
    }

    /// Starts the API server's process, also again after its host was killed. What it has stored
    /// is still there; its clients have to connect again.
    ///
    /// # Errors
    /// When the port is taken, because it runs already.
    pub async fn start_api_server(&self) -> io::Result<()> {
        let listener = self.net().bind(self.inner.api_host, API_PORT).await?;
        self.serve_api_on(listener);
        Ok(())
    }

    /// Lets the API server listen somewhere else too.
    pub fn serve_api_on(&self, listener: Box<dyn Listener>) {
        self.serve_api_at(self.inner.api_host, listener, Arc::clone(&self.inner.api));
    }

    pub(super) fn serve_api_at(
        &self,
        host: HostId,
        listener: Box<dyn Listener>,
        api: Arc<Mutex<ApiServer>>,
    ) {
        let serving = api::serve(api, listener, *self.clock(), self.trace().clone());
        self.net().spawn(host, Box::pin(serving));
    }

    /// Starts another API server that knows the objects as they are now, and for ever. Gives its
    /// host and its `HOST:PORT`.
    ///
    /// # Errors
    /// When there is no address left.
    pub async fn start_stale_api_server(&self) -> io::Result<(HostId, String)> {
        let host = self.net().add_host("kube-apiserver-stale")?;
        let stale = self.with_api(|api| api.snapshot());
        let listener = self.net().bind(host, API_PORT).await?;
        self.serve_api_at(host, listener, Arc::new(Mutex::new(stale)));
        let server = SocketAddr::new(self.net().ip(host), API_PORT).to_string();
        Ok((host, server))
    }

    /// Stops controllers and kubelets where they are, or lets them go on. What runs goes on.
    pub fn set_control_plane_frozen(&self, frozen: bool) {
        self.inner.frozen.send_replace(frozen);
        let what = if frozen { "frozen" } else { "thawed" };
        self.trace().record("control-plane", what);
    }

    /// Does something with the API server's state, past its network.
    pub fn with_api<T>(&self, action: impl FnOnce(&mut ApiServer) -> T) -> T {
        action(&mut lock(&self.inner.api))
    }

    /// Installs the operator's CRD, as an administrator does first.
    ///
    /// # Errors
    /// When it is installed already.
    pub fn install_crd(&self) -> Result<(), ApiError> {
        let crd = serde_json::to_value(::operator::crd()).unwrap_or(Value::Null);
        let now = self.clock().now();
        self.with_api(|api| api.create(now, "kubectl", &CUSTOM_RESOURCE_DEFINITIONS, crd))?;
        Ok(())
    }

    /// Switches a node, or its kubelet alone, off or on.
    pub fn set_power(&self, node: &str, power: Power) {
        // Locks in the order that the control plane's driver takes them.
        let mut api = lock(&self.inner.api);
        let mut plane = lock(&self.inner.plane);
        let mut runtime = lock(&*self.inner.runtime);
        plane.set_power(&mut api, &mut *runtime, self.clock().now(), node, power);
        // What became due by this may be due long before anything that the driver waits for.
        self.inner.wake.notify_one();
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
