//! The server's state, and reading it.
//!
//! Owns: the one [`ApiServer`] value, and what in-process users (controllers, kubelets) read.
//! Always holds: reads change nothing.
//! Deliberately does not know: HTTP; requests come in by `rest`.

use std::sync::Arc;

use jiff::Timestamp;
use rand::{SeedableRng, rngs::SmallRng};
use serde_json::Value;
use tokio::sync::watch;

use super::{
    Resource,
    resource::{BUILT_INS, NAMESPACES},
    store::Store,
};

/// A whole Kubernetes API, as a synchronous state machine.
pub struct ApiServer {
    pub(super) store: Store,
    pub(super) rng: SmallRng,
}

impl ApiServer {
    /// A server with the namespaces that every cluster has. The seed makes uids and generated names.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut server = Self {
            store: Store::new(),
            rng: SmallRng::seed_from_u64(seed),
        };
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            let namespace = serde_json::json!({"metadata": {"name": name}});
            server
                .create(
                    Timestamp::UNIX_EPOCH,
                    "kube-apiserver",
                    &NAMESPACES,
                    namespace,
                )
                .expect("the first namespaces are valid and new");
        }
        server
    }

    /// The object, if there is one.
    #[must_use]
    pub fn get(&self, r: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.store.get(&r.id, namespace, name).cloned()
    }

    /// The objects of one namespace or of all, ordered by namespace and name.
    #[must_use]
    pub fn list(&self, r: &Resource, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.store.list(&r.id, namespace).cloned().collect()
    }

    /// Every resource that has objects of its own: built-in ones, then custom ones.
    #[must_use]
    pub fn resources(&self) -> Vec<Arc<Resource>> {
        BUILT_INS
            .iter()
            .map(|resource| Arc::new((**resource).clone()))
            .collect()
    }

    /// The revision of the latest change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.store.revision()
    }

    /// The latest revision, to wait for changes.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.store.changed()
    }
}
