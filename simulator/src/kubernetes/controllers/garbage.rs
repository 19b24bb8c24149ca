//! Garbage collection: objects go with their owners.
//!
//! Owns: deleting what all owners of are gone, deleting dependents first when an owner is deleted
//! in the foreground, and cutting them loose when they are to be orphaned.
//! Always holds: an owner is the incarnation with the UID of the reference and no other; an object
//! with one owner left stays.
//! Deliberately does not know: why an object was deleted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::{
    cluster::Cluster,
    object::{Key, Meta, Owner, remove_finalizer},
    queue::{Again, Controller},
};
use crate::kubernetes::api::{ApiError, ApiServer, Changed, DeleteOptions, Propagation, Resource};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Collects garbage. It keeps an index from owners to dependents, made of the changes it sees.
#[derive(Debug, Default)]
pub struct Garbage {
    dependents: BTreeMap<String, BTreeSet<Key>>,
}

impl Controller for Garbage {
    fn name(&self) -> &'static str {
        "garbage-collector"
    }

    fn affected(&mut self, change: &Changed, api: &ApiServer) -> Vec<Key> {
        let object = &change.object;
        let this = qualified(change.resource_id(), object);
        let owners = object.owners();
        self.index(change, &this, &owners);
        if change.deleted {
            let mut keys: Vec<Key> = self
                .dependents
                .remove(object.uid())
                .into_iter()
                .flatten()
                .collect();
            // An owner that waits for its dependents may go on now.
            keys.extend(
                owners
                    .iter()
                    .filter_map(|owner| waiting_owner(api, object, owner)),
            );
            return keys;
        }
        let ends = object.has_finalizer(FOREGROUND) || object.has_finalizer(ORPHAN);
        if (object.is_terminating() && ends) || !owners.is_empty() {
            return vec![this];
        }
        Vec::new()
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        let Some((resource, object)) = find(cluster.api(), key) else {
            return Ok(Again::No);
        };
        if object.is_terminating() {
            if object.has_finalizer(FOREGROUND) {
                self.delete_dependents(cluster, &resource, &object)?;
            } else if object.has_finalizer(ORPHAN) {
                self.orphan_dependents(cluster, &resource, &object)?;
            }
            return Ok(Again::No);
        }
        self.collect(cluster, &resource, &object)?;
        Ok(Again::No)
    }
}

impl Garbage {
    fn index(&mut self, change: &Changed, this: &Key, owners: &[Owner]) {
        let before = change.previous.as_ref().map(|previous| previous.owners());
        for owner in before.into_iter().flatten() {
            if let Some(keys) = self.dependents.get_mut(&owner.uid) {
                keys.remove(this);
            }
        }
        if !change.deleted {
            for owner in owners {
                self.dependents
                    .entry(owner.uid.clone())
                    .or_default()
                    .insert(this.clone());
            }
        }
    }

    fn dependents_of(&self, api: &ApiServer, uid: &str) -> Vec<(Arc<Resource>, Arc<Value>)> {
        let keys = self.dependents.get(uid).into_iter().flatten();
        keys.filter_map(|key| find(api, key)).collect()
    }

    /// Deletes an object that no owner is left of.
    fn collect(
        &self,
        cluster: &mut Cluster,
        resource: &Resource,
        object: &Value,
    ) -> Result<(), ApiError> {
        let owners = object.owners();
        let (mut solid, mut lost, mut waiting) = (false, Vec::new(), Vec::new());
        for owner in &owners {
            match owner_of(cluster.api(), object, owner)? {
                None => lost.push(owner.uid.as_str()),
                Some(found) if found.is_terminating() && found.has_finalizer(FOREGROUND) => {
                    waiting.push(owner.uid.as_str());
                }
                Some(_) => solid = true,
            }
        }
        if lost.is_empty() && waiting.is_empty() {
            return Ok(());
        }
        if solid {
            let mut kept = object.clone();
            if let Some(references) = kept["metadata"]["ownerReferences"].as_array_mut() {
                let gone = |uid: &str| lost.contains(&uid) || waiting.contains(&uid);
                references.retain(|reference| !gone(reference.text("/uid")));
            }
            return cluster.update(resource, kept).map(drop);
        }
        let has_dependents = !self.dependents_of(cluster.api(), object.uid()).is_empty();
        let foreground = !waiting.is_empty() && has_dependents;
        let options = DeleteOptions {
            propagation: Some(match (foreground, object.has_finalizer(ORPHAN)) {
                (true, _) => Propagation::Foreground,
                (_, true) => Propagation::Orphan,
                _ if object.has_finalizer(FOREGROUND) => Propagation::Foreground,
                _ => Propagation::Background,
            }),
            uid: Some(object.uid().to_owned()),
            ..DeleteOptions::default()
        };
        match cluster.delete_with(resource, object.namespace(), object.name(), &options) {
            Err(error) if error.is_not_found() => Ok(()),
            result => result.map(drop),
        }
    }

    /// Deletes the dependents of an object that goes last.
    fn delete_dependents(
        &self,
        cluster: &mut Cluster,
        resource: &Resource,
        object: &Value,
    ) -> Result<(), ApiError> {
        let dependents = self.dependents_of(cluster.api(), object.uid());
        for (kind, dependent) in &dependents {
            if !dependent.is_terminating() {
                self.collect(cluster, kind, dependent)?;
            }
        }
        let left = self.dependents_of(cluster.api(), object.uid());
        let blocked = left.iter().any(|(_, dependent)| {
            let owners = dependent.owners();
            owners
                .iter()
                .any(|owner| owner.uid == object.uid() && owner.blocks_deletion)
        });
        if blocked {
            return Ok(());
        }
        release(cluster, resource, object, FOREGROUND)
    }

    /// Cuts the dependents of an object loose.
    fn orphan_dependents(
        &self,
        cluster: &mut Cluster,
        resource: &Resource,
        object: &Value,
    ) -> Result<(), ApiError> {
        for (kind, dependent) in self.dependents_of(cluster.api(), object.uid()) {
            cluster.release(&kind, &dependent, object.uid())?;
        }
        release(cluster, resource, object, ORPHAN)
    }
}

fn release(
    cluster: &mut Cluster,
    resource: &Resource,
    object: &Value,
    finalizer: &str,
) -> Result<(), ApiError> {
    let mut released = object.clone();
    remove_finalizer(&mut released, finalizer);
    cluster.update(resource, released).map(drop)
}

/// A key that names the resource too: owners and dependents are of any kind.
fn qualified(resource_id: &str, object: &Value) -> Key {
    Key::new(
        object.namespace(),
        &format!("{resource_id} {}", object.name()),
    )
}

fn find(api: &ApiServer, key: &Key) -> Option<(Arc<Resource>, Arc<Value>)> {
    let (id, name) = key.name.split_once(' ')?;
    let resource = api
        .resources()
        .into_iter()
        .find(|resource| resource.id == id)?;
    let object = api.get(&resource, &key.namespace, name)?;
    Some((resource, object))
}

/// The owner that a reference means, if it still is that one.
fn owner_of(
    api: &ApiServer,
    dependent: &Value,
    owner: &Owner,
) -> Result<Option<Arc<Value>>, ApiError> {
    let Some(resource) = api.resource_of_kind(&owner.api_version, &owner.kind) else {
        let why = format!(
            "no kind {} in {} to look for the owner",
            owner.kind, owner.api_version
        );
        return Err(ApiError::new(500, "", why));
    };
    let namespace = if resource.namespaced {
        dependent.namespace()
    } else {
        ""
    };
    let found = api.get(&resource, namespace, &owner.name);
    Ok(found.filter(|found| found.uid() == owner.uid))
}

fn waiting_owner(api: &ApiServer, dependent: &Value, owner: &Owner) -> Option<Key> {
    let found = owner_of(api, dependent, owner).ok()??;
    let waits = found.is_terminating() && found.has_finalizer(FOREGROUND);
    let resource = api.resource_of_kind(&owner.api_version, &owner.kind)?;
    waits.then(|| qualified(&resource.id, &found))
}
