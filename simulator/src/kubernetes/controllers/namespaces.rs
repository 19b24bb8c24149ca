//! Deleting namespaces: everything in them goes first.
//!
//! Owns: emptying a namespace that is being deleted, and letting it go when it is empty.
//! Always holds: a namespace is not gone before its last object is.
//! Deliberately does not know: who holds an object that does not go.

use super::{
    cluster::Cluster,
    object::{Key, Meta},
    queue::{Again, Controller},
};
use crate::kubernetes::api::{
    ApiError, ApiServer, Changed, DeleteOptions, Propagation, resource::NAMESPACES,
};

/// Empties namespaces.
#[derive(Debug, Default)]
pub struct Namespaces;

impl Controller for Namespaces {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn affected(&mut self, change: &Changed, api: &ApiServer) -> Vec<Key> {
        if change.is_of(&NAMESPACES) {
            return vec![Key::of(&change.object)];
        }
        let namespace = change.object.namespace();
        let emptying = || {
            api.get(&NAMESPACES, "", namespace)
                .is_some_and(|found| found.is_terminating())
        };
        if change.deleted && !namespace.is_empty() && emptying() {
            vec![Key::new("", namespace)]
        } else {
            Vec::new()
        }
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        let Some(namespace) = cluster.get(&NAMESPACES, "", &key.name) else {
            return Ok(Again::No);
        };
        if !namespace.is_terminating() {
            return Ok(Again::No);
        }
        if namespace.text("/status/phase") != "Terminating" {
            let mut marked = (*namespace).clone();
            marked["status"]["phase"] = "Terminating".into();
            cluster.update_status(&NAMESPACES, marked)?;
        }
        if empty(cluster, &key.name)? && !namespace.items("/spec/finalizers").is_empty() {
            let live = cluster.get(&NAMESPACES, "", &key.name);
            let mut released = live.map_or_else(|| (*namespace).clone(), |live| (*live).clone());
            released["spec"]["finalizers"] = serde_json::json!([]);
            cluster.update_part(&NAMESPACES, "finalize", released)?;
        }
        Ok(Again::No)
    }
}

/// Deletes what is left. Gives whether nothing is.
fn empty(cluster: &mut Cluster, namespace: &str) -> Result<bool, ApiError> {
    let resources = cluster.api().resources();
    let options = DeleteOptions {
        propagation: Some(Propagation::Background),
        ..DeleteOptions::default()
    };
    let mut left = false;
    for resource in resources.iter().filter(|resource| resource.namespaced) {
        for object in cluster.list(resource, Some(namespace)) {
            if !object.is_terminating() {
                cluster.delete_with(resource, namespace, object.name(), &options)?;
            }
            left |= cluster.get(resource, namespace, object.name()).is_some();
        }
    }
    Ok(!left)
}
