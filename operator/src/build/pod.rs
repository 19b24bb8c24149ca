//! The pod of a member, and the hash by which an outdated one is recognised.
//!
//! Owns: the pod template.
//! Always holds: liveness never depends on quorum (else one slow election restarts every member)
//! nor on the database having room; the image runs unmodified, as an ordinary user, on a read-only
//! root file system; what the user says of pods never overrides what makes them members.
//! Deliberately does not know: which member the pod will be.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

use super::member_config;
use crate::{
    identity::{CLIENT_PORT, CONFIG_MOUNT, DATA_MOUNT, METRICS_PORT, PEER_PORT},
    quantity,
    validate::Desired,
};

/// Name of the container in the pod.
pub const CONTAINER: &str = "etcd";

/// The annotation that tells what a pod was made from.
pub const TEMPLATE_HASH: &str = "etcd.etcd.io/template-hash";

/// Seconds for a member to hand leadership over and stop; it takes milliseconds when well.
const GRACE_SECONDS: u32 = 30;

/// An ordinary user, so that the pod passes the restricted Pod Security Standard.
const USER: u32 = 65532;

/// Hash of all that a member gets when it starts: its pod, and the settings in its configuration
/// file. Who the members are is not part of it: that changes without restarts.
#[must_use]
pub fn template_hash(desired: &Desired) -> String {
    let mut hash = Sha1::new();
    hash.update(rendered(desired, BTreeMap::new()).to_string());
    hash.update(member_config::settings(desired));
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The pod template.
pub(super) fn template(desired: &Desired) -> Value {
    let hash = (TEMPLATE_HASH.to_owned(), desired.template_hash.clone());
    rendered(desired, [hash].into())
}

fn rendered(desired: &Desired, own_annotations: BTreeMap<String, String>) -> Value {
    let user = &desired.pod_template.metadata;
    let mut labels = user.labels.clone();
    labels.extend(desired.identity.labels());
    let mut annotations = user.annotations.clone();
    annotations.extend(own_annotations);
    json!({
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": pod_spec(desired),
    })
}

fn pod_spec(desired: &Desired) -> Value {
    let pod = &desired.pod_template;
    let mut spec = json!({
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
        "affinity": pod.affinity.as_ref().map_or_else(|| apart(desired), |affinity| json!(affinity)),
        "topologySpreadConstraints": match &pod.topology_spread_constraints {
            Some(constraints) => json!(constraints),
            None => over_zones(desired),
        },
        "containers": [container(desired)],
        "volumes": [
            {"name": "config", "configMap": {"name": desired.identity.config_map()}},
        ],
    });
    let optional = [
        (
            "nodeSelector",
            some(&pod.node_selector, pod.node_selector.is_empty()),
        ),
        (
            "tolerations",
            some(&pod.tolerations, pod.tolerations.is_empty()),
        ),
        (
            "imagePullSecrets",
            some(&pod.image_pull_secrets, pod.image_pull_secrets.is_empty()),
        ),
        (
            "priorityClassName",
            pod.priority_class_name.as_ref().map(|name| json!(name)),
        ),
    ];
    extend(&mut spec, optional);
    spec
}

fn some(value: &impl serde::Serialize, empty: bool) -> Option<Value> {
    (!empty).then(|| json!(value))
}

fn extend<const N: usize>(object: &mut Value, optional: [(&str, Option<Value>); N]) {
    let set = optional
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    if let Some(map) = object.as_object_mut() {
        map.extend(set.collect::<Map<_, _>>());
    }
}

/// Two members on one node die together; preferred and not required, so that a cluster of three
/// runs on a laptop too.
fn apart(desired: &Desired) -> Value {
    json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
        "weight": 100,
        "podAffinityTerm": {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": desired.identity.labels()},
        },
    }]}})
}

/// The same for zones. A volume keeps its member in the zone where it was first.
fn over_zones(desired: &Desired) -> Value {
    json!([{
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": desired.identity.labels()},
    }])
}

fn container(desired: &Desired) -> Value {
    json!({
        "name": CONTAINER,
        "image": desired.image,
        "command": ["/usr/local/bin/etcd"],
        "args": [format!("--config-file={CONFIG_MOUNT}/$(POD_NAME).yaml")],
        "env": environment(desired),
        "ports": [
            {"name": "client", "containerPort": CLIENT_PORT, "protocol": "TCP"},
            {"name": "peer", "containerPort": PEER_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": desired.resources,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        // etcd tells why it ends in its log and nowhere else.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": desired.identity.volume(), "mountPath": DATA_MOUNT},
            {"name": "config", "mountPath": CONFIG_MOUNT, "readOnly": true},
        ],
        "startupProbe": startup_probe(desired),
        "livenessProbe": liveness_probe(desired),
        "readinessProbe": readiness_probe(desired),
    })
}

/// Go's runtime does not know the limits of its container by itself: without these, garbage piles
/// up until the kernel kills the process, and more threads run than may run.
fn environment(desired: &Desired) -> Value {
    let limit = |name| {
        desired
            .resources
            .limits
            .as_ref()
            .and_then(|limits| limits.get(name))
    };
    let memory = limit("memory").and_then(go_memory_limit);
    let cores = limit("cpu").and_then(go_threads);
    let name =
        json!({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
    let set = |name: &str, value: Option<i128>| {
        value.map(|value| json!({"name": name, "value": value.to_string()}))
    };
    [
        Some(name),
        set("GOMEMLIMIT", memory),
        set("GOMAXPROCS", cores),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Bytes: nine tenths of the limit, the rest is for what Go does not count (stacks of C, page
/// tables, the mapped database).
fn go_memory_limit(limit: &Quantity) -> Option<i128> {
    quantity::units(limit)
        .map(|bytes| bytes / 10 * 9)
        .filter(|bytes| *bytes > 0)
}

/// Whole cores, rounded up.
fn go_threads(limit: &Quantity) -> Option<i128> {
    quantity::thousandths(limit)
        .map(|amount| (amount + 999) / 1000)
        .filter(|cores| *cores > 0)
}

/// Whether the process answers at all; says nothing about the others. A member whose database is
/// full, or who is marked as corrupt, is not helped by a restart.
fn alive_path(desired: &Desired) -> &'static str {
    if desired.version.has_livez() {
        "/livez"
    } else {
        "/health?serializable=true&exclude=NOSPACE&exclude=CORRUPT"
    }
}

/// Starting may take long (a large log is replayed), and a member that waits for a name in DNS is
/// not helped by a restart: an hour.
fn startup_probe(desired: &Desired) -> Value {
    json!({
        "httpGet": {"path": alive_path(desired), "port": METRICS_PORT, "scheme": "HTTP"},
        "periodSeconds": 1,
        "timeoutSeconds": 1,
        "failureThreshold": 3600,
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

/// Ready means: serves linearizable reads and is no learner, so clients may be sent here. A full
/// database still serves reads, and takes the deletes that empty it. (Before 3.5.11 a learner
/// passes too: there is no way to ask.)
fn readiness_probe(desired: &Desired) -> Value {
    let path = if desired.version.has_livez() {
        "/readyz"
    } else {
        "/health?exclude=NOSPACE"
    };
    json!({
        "httpGet": {"path": path, "port": METRICS_PORT, "scheme": "HTTP"},
        "periodSeconds": 1,
        "timeoutSeconds": 2,
        "failureThreshold": 3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_leaves_a_tenth_of_the_memory_and_rounds_cores_up() {
        let amount = |text: &str| Quantity(text.to_owned());
        assert_eq!(go_memory_limit(&amount("1Gi")), Some(966_367_638));
        assert_eq!(go_memory_limit(&amount("rubbish")), None);
        assert_eq!(go_threads(&amount("1500m")), Some(2));
        assert_eq!(go_threads(&amount("2")), Some(2));
        assert_eq!(go_threads(&amount("0")), None);
    }
}
