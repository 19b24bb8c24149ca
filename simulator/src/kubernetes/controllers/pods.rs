//! Reading pods the way controllers judge them.
//!
//! Owns: the questions ready, available, finished, where.
//! Always holds: the answers follow from the pod alone and the time.
//! Deliberately does not know: who asks, or how a pod got there.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::object::{Meta, time_at};

/// `status.phase`; empty before the server or a kubelet has set one.
#[must_use]
pub fn phase(pod: &Value) -> &str {
    pod.text("/status/phase")
}

/// Whether the pod has ended for good, well or not.
#[must_use]
pub fn is_finished(pod: &Value) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether the `Ready` condition holds.
#[must_use]
pub fn is_ready(pod: &Value) -> bool {
    pod.condition_is_true("Ready")
}

/// Whether it runs and is ready.
#[must_use]
pub fn is_running_and_ready(pod: &Value) -> bool {
    phase(pod) == "Running" && is_ready(pod)
}

/// When the pod counts, or will count, as available: ready for `min_ready` seconds.
#[must_use]
pub fn available_at(pod: &Value, min_ready: i64) -> Option<Timestamp> {
    let ready = pod
        .condition("Ready")
        .filter(|entry| entry["status"] == "True")?;
    let since = time_at(&ready["lastTransitionTime"])?;
    Some(since + SignedDuration::from_secs(min_ready))
}

/// Whether the pod has been ready for `min_ready` seconds.
#[must_use]
pub fn is_available(pod: &Value, min_ready: i64, now: Timestamp) -> bool {
    is_ready(pod) && (min_ready == 0 || available_at(pod, min_ready).is_some_and(|at| at <= now))
}

/// The node that the pod is bound to.
#[must_use]
pub fn node(pod: &Value) -> Option<&str> {
    pod["spec"]["nodeName"]
        .as_str()
        .filter(|name| !name.is_empty())
}

/// The pod's address.
#[must_use]
pub fn ip(pod: &Value) -> Option<&str> {
    pod["status"]["podIP"].as_str().filter(|ip| !ip.is_empty())
}

/// Names of the claims that the pod mounts.
pub fn claims(pod: &Value) -> impl Iterator<Item = &str> {
    pod.items("/spec/volumes")
        .iter()
        .filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
}
