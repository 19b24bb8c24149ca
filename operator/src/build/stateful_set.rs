//! The StatefulSet that runs the members.
//!
//! Owns: the pod template and the volume claims.
//! Always holds: liveness never depends on quorum (else one slow election restarts every member);
//! pods are made in parallel and replaced only when the operator deletes one; the image runs
//! unmodified, as an ordinary user, on a read-only root file system.
//! Deliberately does not know: how many members there are; it is told.

use serde_json::{Value, json};

use super::{metadata, owner};
use crate::{
    api::{RetentionPolicy, selector_labels},
    identity::{CLIENT_PORT, CONFIG_MOUNT, DATA_MOUNT, METRICS_PORT, PEER_PORT},
    validate::Desired,
};

/// Name of the container in the pod.
pub const CONTAINER: &str = "etcd";

/// Annotation of a pod: the hash of the template that it was made from, written by the operator
/// and so independent of how the StatefulSet controller counts revisions.
pub const TEMPLATE_HASH: &str = "etcd.etcd.io/template-hash";

/// Seconds for a member to hand leadership over and stop; it takes milliseconds when well.
const GRACE_SECONDS: u32 = 30;

/// An ordinary user, so that the pod passes the restricted Pod Security Standard.
const USER: u32 = 65532;

/// The StatefulSet with this many pods.
#[must_use]
pub fn stateful_set(desired: &Desired, replicas: u32) -> Value {
    let identity = &desired.identity;
    let labels = selector_labels(&identity.name);
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(desired, &identity.name),
        "spec": {
            "replicas": replicas,
            "serviceName": identity.peer_service(),
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(desired)},
            "volumeClaimTemplates": [claim_template(desired)],
        },
    })
}

fn pod_spec(desired: &Desired) -> Value {
    let labels = selector_labels(&desired.identity.name);
    json!({
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 100,
            "podAffinityTerm": {
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchLabels": labels},
            },
        }]}},
        "containers": [container(desired)],
        "volumes": [
            {"name": "config", "configMap": {"name": desired.identity.config_map()}},
        ],
    })
}

fn container(desired: &Desired) -> Value {
    let mut container = json!({
        "name": CONTAINER,
        "image": desired.image,
        "command": ["/usr/local/bin/etcd"],
        "args": [format!("--config-file={CONFIG_MOUNT}/$(POD_NAME).yaml")],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "ports": [
            {"name": "client", "containerPort": CLIENT_PORT, "protocol": "TCP"},
            {"name": "peer", "containerPort": PEER_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        // A member that fails says why in its last lines; so they are in the pod's status.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": desired.identity.volume(), "mountPath": DATA_MOUNT},
            {"name": "config", "mountPath": CONFIG_MOUNT, "readOnly": true},
        ],
    });
    let resources = desired.resources.as_ref().map(|resources| json!(resources));
    let extra = [
        ("startupProbe", Some(startup_probe(desired))),
        ("livenessProbe", Some(liveness_probe(desired))),
        ("readinessProbe", Some(readiness_probe(desired))),
        ("resources", resources),
    ];
    if let Some(map) = container.as_object_mut() {
        let set = extra
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        map.extend(set);
    }
    container
}

/// Whether the process answers at all; says nothing about the others.
fn alive_path(desired: &Desired) -> &'static str {
    if desired.version.has_livez() {
        "/livez"
    } else {
        "/health?serializable=true"
    }
}

/// Starting may take long (a large log is replayed), and a member that waits for a name in DNS is
/// not helped by a restart: ten minutes.
fn startup_probe(desired: &Desired) -> Value {
    json!({
        "httpGet": {"path": alive_path(desired), "port": METRICS_PORT, "scheme": "HTTP"},
        "periodSeconds": 1,
        "timeoutSeconds": 1,
        "failureThreshold": 600,
    })
}

fn liveness_probe(desired: &Desired) -> Value {
    json!({
        "httpGet": {"path": alive_path(desired), "port": METRICS_PORT, "scheme": "HTTP"},
        "periodSeconds": 10,
        "timeoutSeconds": 5,
        "failureThreshold": 6,
    })
}

/// Ready means: serves linearizable reads and is no learner, so clients may be sent here.
fn readiness_probe(desired: &Desired) -> Value {
    let path = if desired.version.has_livez() {
        "/readyz"
    } else {
        "/health"
    };
    json!({
        "httpGet": {"path": path, "port": METRICS_PORT, "scheme": "HTTP"},
        "periodSeconds": 1,
        "timeoutSeconds": 2,
        "failureThreshold": 3,
    })
}

fn claim_template(desired: &Desired) -> Value {
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": desired.storage_size}},
    });
    if let (Some(class), Some(map)) = (&desired.storage_class, spec.as_object_mut()) {
        map.insert("storageClassName".to_owned(), json!(class));
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": desired.identity.volume(),
            "labels": selector_labels(&desired.identity.name),
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
