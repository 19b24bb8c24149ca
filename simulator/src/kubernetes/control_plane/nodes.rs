//! What a fresh cluster has: its nodes and its storage class.
//!
//! Owns: the objects that no user creates and every workload needs.
//! Always holds: nodes are ready from the start; the class `standard` is the default one.
//! Deliberately does not know: what will run.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kubernetes::{
    api::{
        ApiServer,
        resource::{LEASES, NODES, STORAGE_CLASSES},
    },
    controllers::{cluster::Note, node_lifecycle::WELL, object::stamp},
};

/// Creates `count` nodes and what belongs to them. Gives their names and addresses.
pub(super) fn create(
    api: &mut ApiServer,
    notes: &mut Vec<Note>,
    now: Timestamp,
    count: usize,
) -> Vec<(String, String)> {
    let class = json!({
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "simulated.kubernetes.io/volumes", "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true,
    });
    ignore_existing(api.create(now, "kubectl", &STORAGE_CLASSES, class));
    let mut nodes = Vec::new();
    for number in 1..=count {
        let (name, ip) = (format!("node-{number}"), format!("172.18.0.{}", number + 1));
        let created = api.create(now, "kubelet", &NODES, node(&name));
        if let Ok(created) = &created {
            let mut ready = (**created).clone();
            ready["status"] = status(&name, &ip, now);
            ignore_existing(api.update(now, "kubelet", &NODES, "status", ready));
            ignore_existing(api.create(now, "kubelet", &LEASES, lease(&name, now)));
        }
        ignore_existing(created);
        notes.push(Note {
            who: name.clone(),
            what: "joined".to_owned(),
        });
        nodes.push((name, ip));
    }
    nodes
}

/// A server that was filled before keeps what it has.
fn ignore_existing<T>(result: Result<T, crate::kubernetes::api::ApiError>) {
    if let Err(error) = result {
        assert!(
            error.reason == "AlreadyExists",
            "the objects of a fresh cluster are valid: {error}"
        );
    }
}

fn node(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux",
            "beta.kubernetes.io/arch": "amd64",
        }},
        "spec": {},
    })
}

fn status(name: &str, ip: &str, now: Timestamp) -> Value {
    let resources =
        json!({"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"});
    json!({
        "addresses": [
            {"type": "InternalIP", "address": ip}, {"type": "Hostname", "address": name},
        ],
        "capacity": resources, "allocatable": resources,
        "conditions": conditions(now),
        "nodeInfo": {
            "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "simulated://1",
            "kernelVersion": "6.1.0", "kubeProxyVersion": "", "kubeletVersion": "v1.34.4",
            "machineID": "", "operatingSystem": "linux", "osImage": "Simulated", "systemUUID": "",
        },
    })
}

fn conditions(now: Timestamp) -> Vec<Value> {
    let at = stamp(now);
    WELL.into_iter()
        .map(|(kind, status, reason, message)| {
            json!({
                "type": kind, "status": status, "reason": reason, "message": message,
                "lastHeartbeatTime": at, "lastTransitionTime": at,
            })
        })
        .collect()
}

/// The lease says that the node joined. It is not renewed: whether a node is silent is told to the
/// node controller directly, so that a calm world needs no writes.
fn lease(name: &str, now: Timestamp) -> Value {
    let at = now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    json!({
        "metadata": {"name": name, "namespace": "kube-node-lease"},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": at},
    })
}
