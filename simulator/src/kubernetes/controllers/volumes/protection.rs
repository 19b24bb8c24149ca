//! Claims and volumes do not go while they are in use.
//!
//! Owns: the finalizers `kubernetes.io/pvc-protection` and `kubernetes.io/pv-protection`.
//! Always holds: a claim that is mounted by a pod on a node stays, terminating, until that pod is
//! gone or has ended; a bound volume stays until its claim is gone.
//! Deliberately does not know: who wants them gone.

use serde_json::Value;

use crate::kubernetes::{
    api::{
        ApiError, ApiServer, Changed, Resource,
        resource::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS},
    },
    controllers::{
        cluster::Cluster,
        object::{Key, Meta, add_finalizer, remove_finalizer},
        pods,
        queue::{Again, Controller},
    },
};

const CLAIM: &str = "kubernetes.io/pvc-protection";
const VOLUME: &str = "kubernetes.io/pv-protection";

/// Protects claims and volumes.
#[derive(Debug, Default)]
pub struct Protection;

impl Controller for Protection {
    fn name(&self) -> &'static str {
        "pvc-protection-controller"
    }

    fn affected(&mut self, change: &Changed, _: &ApiServer) -> Vec<Key> {
        let object = &change.object;
        let stored = change.is_of(&PERSISTENT_VOLUME_CLAIMS) || change.is_of(&PERSISTENT_VOLUMES);
        if stored && !change.deleted {
            return vec![Key::of(object)];
        }
        if change.is_of(&PODS) && (change.deleted || pods::is_finished(object)) {
            return pods::claims(object)
                .map(|name| Key::new(object.namespace(), name))
                .collect();
        }
        Vec::new()
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        let volume = key.namespace.is_empty();
        let (resource, finalizer): (&Resource, &str) = if volume {
            (&PERSISTENT_VOLUMES, VOLUME)
        } else {
            (&PERSISTENT_VOLUME_CLAIMS, CLAIM)
        };
        let Some(object) = cluster.get(resource, &key.namespace, &key.name) else {
            return Ok(Again::No);
        };
        let protected = object.has_finalizer(finalizer);
        let mut changed = (*object).clone();
        match (object.is_terminating(), protected) {
            (false, false) => add_finalizer(&mut changed, finalizer),
            (true, true) if !in_use(cluster, &object, volume) => {
                remove_finalizer(&mut changed, finalizer);
            }
            _ => return Ok(Again::No),
        }
        cluster.update(resource, changed)?;
        Ok(Again::No)
    }
}

fn in_use(cluster: &Cluster, object: &Value, volume: bool) -> bool {
    if volume {
        return object.text("/status/phase") == "Bound";
    }
    cluster
        .list(&PODS, Some(object.namespace()))
        .iter()
        .any(|pod| {
            pods::node(pod).is_some()
                && !pods::is_finished(pod)
                && pods::claims(pod).any(|claim| claim == object.name())
        })
}
