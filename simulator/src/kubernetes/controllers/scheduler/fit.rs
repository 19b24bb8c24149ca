//! Whether a pod can run on a node at all.
//!
//! Owns: the filters, and the words for each refusal.
//! Always holds: a refusal names the first filter that fails, in the scheduler's order.
//! Deliberately does not know: which of several nodes is best.

use std::{fmt, sync::Arc};

use serde_json::Value;

use super::{SELECTED_NODE, affinity, affinity::Placed, tolerations};
use crate::kubernetes::{
    api::{
        quantity,
        resource::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES},
    },
    controllers::{cluster::Cluster, object::Meta, pods},
};

/// Why a node is not for a pod, as the scheduler words it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    Unschedulable,
    Taint(String),
    NodeAffinity,
    PodAffinity,
    PodAntiAffinity,
    VolumeAffinity,
    Insufficient(&'static str),
    TooManyPods,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unschedulable => f.write_str("node(s) were unschedulable"),
            Self::Taint(taint) => write!(f, "node(s) had untolerated taint {{{taint}}}"),
            Self::NodeAffinity => f.write_str("node(s) didn't match Pod's node affinity/selector"),
            Self::PodAffinity => f.write_str("node(s) didn't match pod affinity rules"),
            Self::PodAntiAffinity => f.write_str("node(s) didn't match pod anti-affinity rules"),
            Self::VolumeAffinity => f.write_str("node(s) had volume node affinity conflict"),
            Self::Insufficient(what) => write!(f, "Insufficient {what}"),
            Self::TooManyPods => f.write_str("Too many pods"),
        }
    }
}

/// The claims of a pod, sorted by whether they have a volume.
pub(super) struct Claims {
    pub(super) unbound: Vec<Arc<Value>>,
    bound: Vec<Arc<Value>>,
}

/// Reads the claims of a pod.
///
/// The error says why no node is any good.
pub(super) fn claims(cluster: &Cluster, pod: &Value) -> Result<Claims, String> {
    let (mut bound, mut unbound) = (Vec::new(), Vec::new());
    for name in pods::claims(pod) {
        let claim = cluster
            .get(&PERSISTENT_VOLUME_CLAIMS, pod.namespace(), name)
            .ok_or_else(|| format!("persistentvolumeclaim {name:?} not found"))?;
        if claim.is_terminating() {
            return Err(format!("persistentvolumeclaim {name:?} is being deleted"));
        }
        if claim.text("/status/phase") == "Lost" {
            return Err(format!(
                "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {:?}",
                claim.text("/spec/volumeName")
            ));
        }
        let is_bound =
            !claim.text("/spec/volumeName").is_empty() && claim.text("/status/phase") == "Bound";
        if is_bound {
            bound.push(claim);
        } else if waits_for_consumer(cluster, &claim) {
            unbound.push(claim);
        } else {
            return Err("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
    }
    Ok(Claims { unbound, bound })
}

fn waits_for_consumer(cluster: &Cluster, claim: &Value) -> bool {
    let class = claim["spec"]["storageClassName"]
        .as_str()
        .unwrap_or("standard");
    cluster
        .get(&STORAGE_CLASSES, "", class)
        .is_some_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer")
}

/// Why the node is not for the pod, if it is not.
pub(super) fn refusal(
    cluster: &Cluster,
    pod: &Value,
    node: &Value,
    claims: &Claims,
    placed: &[Placed],
) -> Option<Refusal> {
    let unschedulable = serde_json::json!({
        "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule",
    });
    if node["spec"]["unschedulable"] == true && !tolerations::admits(pod, &unschedulable) {
        return Some(Refusal::Unschedulable);
    }
    let taints = node.items("/spec/taints").iter();
    if let Some(taint) = taints
        .into_iter()
        .find(|taint| !tolerations::admits(pod, taint))
    {
        let text = format!("{}: {}", taint.text("/key"), taint.text("/value"));
        return Some(Refusal::Taint(text));
    }
    if !affinity::suits(pod, node) {
        return Some(Refusal::NodeAffinity);
    }
    if let Some(refusal) = resources(pod, node, placed) {
        return Some(refusal);
    }
    if !volumes_reach(cluster, node, claims) {
        return Some(Refusal::VolumeAffinity);
    }
    if !affinity::together(pod, node, placed) {
        return Some(Refusal::PodAffinity);
    }
    (!affinity::apart(pod, node, placed)).then_some(Refusal::PodAntiAffinity)
}

/// Whether every volume of the pod can be reached from the node.
fn volumes_reach(cluster: &Cluster, node: &Value, claims: &Claims) -> bool {
    let reached = |claim: &Arc<Value>| {
        let volume = cluster.get(&PERSISTENT_VOLUMES, "", claim.text("/spec/volumeName"));
        volume.is_none_or(|volume| {
            let required = &volume["spec"]["nodeAffinity"]["required"];
            required.is_null() || affinity::any_term(required, node)
        })
    };
    let selected = |claim: &Arc<Value>| {
        // A volume is being made for another node: wait for it there.
        claim
            .annotation(SELECTED_NODE)
            .is_none_or(|selected| selected == node.name())
    };
    claims.bound.iter().all(reached) && claims.unbound.iter().all(selected)
}

fn resources(pod: &Value, node: &Value, placed: &[Placed]) -> Option<Refusal> {
    let here: Vec<&Placed> = placed
        .iter()
        .filter(|near| near.node.name() == node.name())
        .collect();
    let allocatable = &node["status"]["allocatable"];
    let most = allocatable.text("/pods").parse().unwrap_or(110);
    if here.len() >= most {
        return Some(Refusal::TooManyPods);
    }
    ["cpu", "memory"].into_iter().find_map(|what| {
        let wanted = requested(pod, what);
        let used: i128 = here.iter().map(|near| requested(&near.pod, what)).sum();
        let there = quantity::nanos(allocatable[what].as_str()?)?;
        (wanted > 0 && used + wanted > there).then_some(Refusal::Insufficient(what))
    })
}

fn requested(pod: &Value, what: &str) -> i128 {
    let amount = |container: &Value| {
        let resources = &container["resources"];
        let asked = [&resources["requests"][what], &resources["limits"][what]];
        let text = asked.into_iter().find_map(Value::as_str)?;
        quantity::nanos(text)
    };
    pod.items("/spec/containers")
        .iter()
        .filter_map(amount)
        .sum()
}
