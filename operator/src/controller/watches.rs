//! One watch for each kind, feeding both a cache and the controller's queue.
//!
//! Owns: which objects are watched, what is kept of them, and whose cluster they belong to.
//! Always holds: only objects with our label are watched; managed fields are dropped on arrival,
//! since they are half of an object and nobody reads them.
//! Deliberately does not know: what is done with the caches.

use std::{fmt::Debug, hash::Hash, time::Duration};

use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service},
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store},
        utils::Backoff,
        watcher::{self, DefaultBackoff},
    },
};
use serde::de::DeserializeOwned;
use tracing::debug;

use super::Options;
use crate::{api::EtcdCluster, observe::Stores};

/// Selects what the operator made.
pub(crate) const OURS: &str = "app.kubernetes.io/managed-by=etcd-operator";
const INSTANCE: &str = "app.kubernetes.io/instance";

/// Which object changed; its content is in the caches.
pub(super) type Touched = PartialObjectMeta<EtcdCluster>;

/// Every watch, started when the streams are polled.
pub(super) struct Watches {
    pub(super) clusters: BoxStream<'static, Result<EtcdCluster, watcher::Error>>,
    pub(super) cluster_store: Store<EtcdCluster>,
    pub(super) owned: Vec<BoxStream<'static, Result<Touched, watcher::Error>>>,
    pub(super) stores: Stores,
}

pub(super) fn start(client: &Client, options: &Options) -> Watches {
    let (cluster_store, writer) = reflector::store();
    let clusters = watcher::watcher(
        api::<EtcdCluster>(client, options),
        watcher::Config::default(),
    )
    .backoff(Again::default())
    .modify(|cluster| cluster.managed_fields_mut().clear())
    .reflect(writer)
    .applied_objects();
    let clusters = undisturbed(clusters).boxed();
    let mut owned = Vec::new();
    let stores = Stores {
        pods: watch::<Pod>(client, options, &mut owned),
        claims: watch::<PersistentVolumeClaim>(client, options, &mut owned),
        stateful_sets: watch::<StatefulSet>(client, options, &mut owned),
        config_maps: watch::<ConfigMap>(client, options, &mut owned),
        services: watch::<Service>(client, options, &mut owned),
        budgets: watch::<PodDisruptionBudget>(client, options, &mut owned),
    };
    Watches {
        clusters,
        cluster_store,
        owned,
        stores,
    }
}

pub(super) fn api<K>(client: &Client, options: &Options) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match &options.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn watch<K>(
    client: &Client,
    options: &Options,
    streams: &mut Vec<BoxStream<'static, Result<Touched, watcher::Error>>>,
) -> Store<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + DeserializeOwned
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
    K::DynamicType: Hash + Eq,
{
    let (store, writer) = reflector::store();
    let config = watcher::Config::default().labels(OURS);
    let stream = watcher::watcher(api::<K>(client, options), config)
        .backoff(Again::default())
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer)
        .touched_objects();
    streams.push(touched(stream));
    store
}

/// When a watch that broke is tried again.
///
/// `kube`'s own pauses grow to half a minute. An operator that is blind for so long after an API
/// server came back leaves a status as it was for as long, so here they end where its looks do.
#[derive(Default)]
struct Again(DefaultBackoff);

/// The longest pause.
const AGAIN_AFTER: Duration = Duration::from_secs(8);

impl Iterator for Again {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(AGAIN_AFTER))
    }
}

impl Backoff for Again {
    fn reset(&mut self) {
        self.0.reset();
    }
}

fn touched<K>(
    stream: impl Stream<Item = Result<K, watcher::Error>> + Send + 'static,
) -> BoxStream<'static, Result<Touched, watcher::Error>>
where
    K: Resource<DynamicType = ()> + Send + 'static,
{
    undisturbed(stream)
        .map_ok(|object| PartialObjectMeta {
            types: None,
            metadata: object.meta().clone(),
            _phantom: std::marker::PhantomData,
        })
        .boxed()
}

/// Keeps a watch's errors to itself. Each watch waits before it tries again; the controller would
/// make all of them wait for every single error on top, which adds up to minutes of blindness when
/// the API server restarts and all watches break at once.
fn undisturbed<K: Send + 'static>(
    stream: impl Stream<Item = Result<K, watcher::Error>> + Send + 'static,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static {
    stream.filter_map(|event| {
        let event = event.inspect_err(|error| debug!(%error, "a watch broke; it is tried again"));
        std::future::ready(event.ok().map(Ok))
    })
}

/// The cluster that an object belongs to, by its label: claims and pods are owned by others.
pub(super) fn cluster_of(object: &Touched) -> Option<ObjectRef<EtcdCluster>> {
    let cluster = object.labels().get(INSTANCE)?;
    Some(ObjectRef::new(cluster).within(&object.namespace()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_that_breaks_again_and_again_is_tried_every_eight_seconds() {
        let pauses: Vec<Duration> = Again::default().take(12).collect();
        assert!(pauses[0] < Duration::from_secs(2), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= AGAIN_AFTER));
        assert_eq!(pauses.last(), Some(&AGAIN_AFTER));
    }
}
