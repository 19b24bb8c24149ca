//! Kubernetes objects as they should be.
//!
//! Owns: rendering. Everything here is a pure function of what is wanted and what was decided.
//! Always holds: nothing is read, nothing is written; the same input gives the same bytes.
//! Deliberately does not know: what exists.

pub mod drift;
pub mod member_config;
pub mod pod;
pub mod services;
pub mod stateful_set;

use std::collections::BTreeMap;

pub use pod::template_hash;
use serde_json::{Value, json};

use crate::validate::Desired;

/// Name under which the operator owns fields.
pub const FIELD_MANAGER: &str = "etcd-operator";

/// Metadata of an object that belongs to the cluster and goes with it.
pub(crate) fn metadata(desired: &Desired, name: &str) -> Value {
    let identity = &desired.identity;
    json!({
        "name": name,
        "namespace": identity.namespace,
        "labels": identity.labels(),
        "ownerReferences": [owner(desired)],
    })
}

/// The reference by which Kubernetes deletes an object with its cluster.
pub(crate) fn owner(desired: &Desired) -> Value {
    json!({
        "apiVersion": "etcd.etcd.io/v1alpha1",
        "kind": "EtcdCluster",
        "name": desired.identity.name,
        "uid": desired.identity.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// The ConfigMap with every member's configuration file.
#[must_use]
pub fn config_map(desired: &Desired, files: &BTreeMap<String, String>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(desired, &desired.identity.config_map()),
        "data": files,
    })
}

/// The budget that keeps voluntary evictions from costing quorum. `voters` is the larger of live
/// and wanted, so that a cluster that shrinks is protected until it has shrunk.
#[must_use]
pub fn budget(desired: &Desired, voters: u32) -> Value {
    let quorum = crate::plan::quorum(usize::try_from(voters).unwrap_or(usize::MAX));
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(desired, &desired.identity.name),
        "spec": {
            "minAvailable": quorum,
            "selector": {"matchLabels": desired.identity.labels()},
        },
    })
}
