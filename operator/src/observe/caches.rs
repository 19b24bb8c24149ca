//! What is cached of Kubernetes, and the picture of one cluster in it.
//!
//! Owns: the caches, and what in them belongs to a cluster.
//! Always holds: nothing is read before every cache has been filled once: absent would mean unknown.
//! Deliberately does not know: how the caches are fed.

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Resource, ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::{LiveObjects, Observed, views};
use crate::{
    api::EtcdCluster,
    identity::{CLUSTER_UID, Identity},
};

/// Caches of everything the operator owns, each fed by one watch.
#[derive(Clone)]
pub struct Stores {
    /// Pods.
    pub pods: Store<Pod>,
    /// Volume claims.
    pub claims: Store<PersistentVolumeClaim>,
    /// StatefulSets.
    pub stateful_sets: Store<StatefulSet>,
    /// ConfigMaps.
    pub config_maps: Store<ConfigMap>,
    /// Services.
    pub services: Store<Service>,
    /// Disruption budgets.
    pub budgets: Store<PodDisruptionBudget>,
}

/// The picture of Kubernetes alone.
pub struct Objects {
    /// For the planner.
    pub observed: Observed,
    /// For comparing with what should be.
    pub live: LiveObjects,
}

/// The caches will never be filled: the watches behind them have ended.
#[derive(Debug, thiserror::Error)]
#[error("the watches have ended")]
pub struct CachesClosed;

impl Stores {
    /// Waits until every cache has been filled once. Before that, absent means unknown.
    ///
    /// # Errors
    /// When the operator is shutting down.
    pub async fn ready(&self) -> Result<(), CachesClosed> {
        let all = futures::try_join!(
            self.pods.wait_until_ready(),
            self.claims.wait_until_ready(),
            self.stateful_sets.wait_until_ready(),
            self.config_maps.wait_until_ready(),
            self.services.wait_until_ready(),
            self.budgets.wait_until_ready(),
        );
        all.map(drop).map_err(|_| CachesClosed)
    }

    /// Everything in the caches that belongs to the cluster. What a deleted cluster of the same name
    /// has left stays in sight as an object, to be put right or waited for, but says nothing about
    /// this cluster: its pods' members and its configuration are another's.
    #[must_use]
    pub fn objects(&self, identity: &Identity, cluster: &EtcdCluster) -> Objects {
        let namespace = identity.namespace.as_str();
        let live = LiveObjects {
            config_map: get(&self.config_maps, &identity.config_map(), namespace),
            stateful_set: get(&self.stateful_sets, &identity.name, namespace),
            services: [identity.peer_service(), identity.client_service()]
                .into_iter()
                .filter_map(|name| Some((name.clone(), get(&self.services, &name, namespace)?)))
                .collect(),
            budget: get(&self.budgets, &identity.name, namespace),
            claims: (0..=crate::api::MAX_SIZE)
                .filter_map(|o| Some((o, get(&self.claims, &identity.claim(o), namespace)?)))
                .collect(),
        };
        let pods = (0..=crate::api::MAX_SIZE)
            .filter_map(|o| Some((o, get(&self.pods, &identity.member(o), namespace)?)))
            .filter(|(_, pod): &(u32, Pod)| {
                pod.labels().get(CLUSTER_UID).map(String::as_str) == Some(identity.uid.as_str())
            })
            .map(|(o, pod)| (o, views::pod(&pod)))
            .collect();
        let observed = Observed {
            pods,
            claims: live
                .claims
                .iter()
                .map(|(o, claim)| (*o, views::claim(claim)))
                .collect(),
            stateful_set: live
                .stateful_set
                .as_ref()
                .map(|set| views::stateful_set(set, identity)),
            config: live
                .config_map
                .as_ref()
                .filter(|config| views::owned(*config, identity))
                .map(|config| config.data.clone().unwrap_or_default()),
            status: cluster.status.clone().unwrap_or_default(),
            ..Observed::default()
        };
        Objects { observed, live }
    }
}

fn get<K>(store: &Store<K>, name: &str, namespace: &str) -> Option<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store
        .get(&ObjectRef::new(name).within(namespace))
        .map(|found| found.as_ref().clone())
}
