//! The StatefulSet that runs the members, and their volume claims.
//!
//! Owns: how pods are made and what their volumes are.
//! Always holds: pods are made in parallel and replaced only when the operator deletes one.
//! Deliberately does not know: how many members there are; it is told.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::{Value, json};

use super::{metadata, owner, pod};
use crate::{api::RetentionPolicy, validate::Desired};

/// The StatefulSet with this many pods. Kubernetes does not let the size of the volumes be changed
/// in one that exists, so `volume_size` is what that one says.
#[must_use]
pub fn stateful_set(desired: &Desired, replicas: u32, volume_size: &Quantity) -> Value {
    let identity = &desired.identity;
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(desired, &identity.name),
        "spec": {
            "replicas": replicas,
            "serviceName": identity.peer_service(),
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            "selector": {"matchLabels": identity.labels()},
            "template": pod::template(desired),
            "volumeClaimTemplates": [claim_template(desired, volume_size)],
        },
    })
}

fn claim_template(desired: &Desired, size: &Quantity) -> Value {
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
    });
    if let (Some(class), Some(map)) = (&desired.storage_class, spec.as_object_mut()) {
        map.insert("storageClassName".to_owned(), json!(class));
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": desired.identity.volume(),
            "labels": desired.identity.labels(),
        },
        "spec": spec,
    })
}

/// What a claim says about its fate. The claim belongs to the cluster and not to the StatefulSet:
/// a StatefulSet deleted by hand must not take the data along.
#[must_use]
pub fn claim_ownership(desired: &Desired, claim: &str) -> Value {
    let owners = match desired.retention {
        RetentionPolicy::Delete => json!([owner(desired)]),
        RetentionPolicy::Retain => json!([]),
    };
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": claim,
            "namespace": desired.identity.namespace,
            "ownerReferences": owners,
        },
    })
}

/// The change that lets a claim grow. With its UID, so that another claim of the same name is not
/// meant.
#[must_use]
pub fn claim_growth(uid: &str, size: &Quantity) -> Value {
    json!({
        "metadata": {"uid": uid},
        "spec": {"resources": {"requests": {"storage": size}}},
    })
}
