//! The server's state, and reading it.
//!
//! Owns: the one [`ApiServer`] value, and what in-process users (controllers, kubelets) read.
//! Always holds: reads change nothing.
//! Deliberately does not know: HTTP; requests come in by `rest`.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use rand::{SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    Resource,
    reads::LogSource,
    registry::Registry,
    resource::{NAMESPACES, SERVICES},
    store::{Lives, Store},
    views,
};

/// A whole Kubernetes API, as a synchronous state machine.
pub struct ApiServer {
    pub(super) store: Store,
    pub(super) registry: Registry,
    pub(super) rng: SmallRng,
    pub(super) logs: Option<LogSource>,
    calls: BTreeMap<(String, String), u64>,
}

impl ApiServer {
    /// A server as it is when a cluster is new. The seed makes uids and generated names.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::starting_at(seed, Timestamp::UNIX_EPOCH)
    }

    /// The same, with the time at which the cluster was made.
    #[must_use]
    pub fn starting_at(seed: u64, now: Timestamp) -> Self {
        let mut server = Self {
            store: Store::new(),
            registry: Registry::default(),
            rng: SmallRng::seed_from_u64(seed),
            logs: None,
            calls: BTreeMap::new(),
        };
        let namespaces = ["default", "kube-node-lease", "kube-public", "kube-system"];
        let namespaces = namespaces.map(|name| (&NAMESPACES, json!({"metadata": {"name": name}})));
        let own_service = json!({
            "metadata": {
                "namespace": "default", "name": "kubernetes",
                "labels": {"component": "apiserver", "provider": "kubernetes"},
            },
            "spec": {
                "clusterIP": "10.96.0.1",
                "ports": [{"name": "https", "port": 443, "targetPort": 6443}],
            },
        });
        for (r, object) in namespaces.into_iter().chain([(&SERVICES, own_service)]) {
            server
                .create(now, "kube-apiserver", r, object)
                .expect("the first objects of a cluster are valid and new");
        }
        server
    }

    /// A server that knows what this one knows now, and learns nothing of what comes.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self {
            store: self.store.snapshot(),
            registry: self.registry.clone(),
            rng: self.rng.clone(),
            logs: None,
            calls: BTreeMap::new(),
        }
    }

    /// How often each object was created and deleted, as `RESOURCE NAMESPACE/NAME`. Events come and
    /// go all the time, and are not counted.
    #[must_use]
    pub fn lives(&self) -> &BTreeMap<String, Lives> {
        self.store.lives()
    }

    /// The object, if there is one.
    #[must_use]
    pub fn get(&self, r: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.store
            .get(&r.id, namespace, name)
            .map(|stored| views::outward(r, stored))
    }

    /// The objects of one namespace or of all, ordered by namespace and name.
    #[must_use]
    pub fn list(&self, r: &Resource, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.store
            .list(&r.id, namespace)
            .map(|stored| views::outward(r, stored))
            .collect()
    }

    /// Every resource that has objects of its own: built-in ones, then custom ones.
    #[must_use]
    pub fn resources(&self) -> Vec<Arc<Resource>> {
        self.registry.stored().cloned().collect()
    }

    /// The resource of a group and kind, for example of an owner reference.
    #[must_use]
    pub fn resource_of_kind(&self, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
        let known = |r: &&Arc<Resource>| r.kind == kind && r.api_version() == api_version;
        self.registry.all().find(known).cloned()
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

    /// How often each program has asked for what: by user agent, and `verb resource`.
    #[must_use]
    pub fn calls(&self) -> &BTreeMap<(String, String), u64> {
        &self.calls
    }

    pub(super) fn count(&mut self, agent: &str, what: String) {
        *self.calls.entry((agent.to_owned(), what)).or_default() += 1;
    }

    /// Forgets the history up to and with a revision, as a compaction does: watches and lists from
    /// there on are answered with `410 Expired`.
    pub fn compact(&mut self, revision: u64) {
        self.store.compact(revision);
    }
}
