//! Fields that Go leaves out when they hold its zero value.
//!
//! Owns: which scalars of the built-in kinds are no pointers and marked `omitempty` in Go; OpenAPI
//! does not tell this.
//! Always holds: a client that writes such a zero reads back an absent field, as on a real server.
//! Deliberately does not know: empty lists and maps; nearly all of them are left out.

use serde_json::Value;

/// Struct and field. Only those that someone could write a zero into on purpose.
const OMITTED: [(&str, &str); 40] = [
    ("Probe", "initialDelaySeconds"),
    ("Probe", "timeoutSeconds"),
    ("Probe", "periodSeconds"),
    ("Probe", "successThreshold"),
    ("Probe", "failureThreshold"),
    ("PodSpec", "hostNetwork"),
    ("PodSpec", "hostPID"),
    ("PodSpec", "hostIPC"),
    ("PodSpec", "hostname"),
    ("PodSpec", "subdomain"),
    ("PodSpec", "nodeName"),
    ("PodSpec", "serviceAccountName"),
    ("PodSpec", "priorityClassName"),
    ("Container", "stdin"),
    ("Container", "stdinOnce"),
    ("Container", "tty"),
    ("Container", "workingDir"),
    ("ContainerPort", "hostPort"),
    ("ContainerPort", "name"),
    ("EnvVar", "value"),
    ("VolumeMount", "readOnly"),
    ("VolumeMount", "subPath"),
    ("PersistentVolumeClaimSpec", "volumeName"),
    ("PersistentVolumeClaimVolumeSource", "readOnly"),
    ("ServiceSpec", "publishNotReadyAddresses"),
    ("ServiceSpec", "clusterIP"),
    ("ServicePort", "name"),
    ("ServicePort", "nodePort"),
    ("StatefulSetSpec", "minReadySeconds"),
    ("StatefulSetStatus", "observedGeneration"),
    ("StatefulSetStatus", "readyReplicas"),
    ("StatefulSetStatus", "currentReplicas"),
    ("StatefulSetStatus", "updatedReplicas"),
    ("DeploymentSpec", "minReadySeconds"),
    ("DeploymentSpec", "paused"),
    ("NodeSpec", "unschedulable"),
    ("Event", "count"),
    ("Toleration", "key"),
    ("Toleration", "value"),
    ("Toleration", "effect"),
];

/// Whether Go leaves this value of a field out.
pub(super) fn is_omitted(holder: &str, field: &str, value: &Value) -> bool {
    let zero = match value {
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    zero && OMITTED.contains(&(holder, field))
}
