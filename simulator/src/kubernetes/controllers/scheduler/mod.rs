//! The scheduler: a node for every pod.
//!
//! Owns: which node a pod gets, and saying why it gets none.
//! Always holds: the choice follows from the stored objects; of equal nodes the one with fewer pods
//! wins, then the first by name.
//! Deliberately does not know: kubelets. Preemption, priorities, topology spread constraints and
//! storage capacity are not modelled.

mod affinity;
mod fit;
pub mod tolerations;

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::{affinity::Placed, fit::Refusal};
use super::{
    cluster::Cluster,
    object::{Key, Meta, set_condition},
    pods,
    queue::{Again, Controller},
};
use crate::kubernetes::api::{
    ApiError, ApiServer, Changed,
    resource::{NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES},
};

/// Annotation by which the scheduler tells where a volume will be needed.
pub(super) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// A pod that did not fit is looked at again after 1 s at the earliest, later after up to 10 s.
const MOST_BACKOFF: i64 = 10;

/// Puts pods on nodes. It remembers how often a pod did not fit.
#[derive(Debug, Default)]
pub struct Scheduler {
    misfits: BTreeMap<String, (Timestamp, u32)>,
}

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        "default-scheduler"
    }

    fn affected(&mut self, change: &Changed, api: &ApiServer) -> Vec<Key> {
        let object = &change.object;
        if change.is_of(&PODS) {
            let waits = pods::node(object).is_none() && !change.deleted;
            if waits {
                // The scheduler's own note on the pod is no reason to look again.
                let noted = change.previous.as_ref().is_some_and(|previous| {
                    previous["spec"] == object["spec"]
                        && previous["metadata"]["labels"] == object["metadata"]["labels"]
                });
                return if noted {
                    Vec::new()
                } else {
                    vec![Key::of(object)]
                };
            }
            self.misfits.remove(object.uid());
            let leaves = change.deleted || pods::is_finished(object);
            return if leaves { waiting(api) } else { Vec::new() };
        }
        let matters = [
            &NODES,
            &PERSISTENT_VOLUME_CLAIMS,
            &PERSISTENT_VOLUMES,
            &STORAGE_CLASSES,
        ];
        if matters.iter().any(|resource| change.is_of(resource)) {
            return waiting(api);
        }
        Vec::new()
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        let Some(pod) = cluster.get(&PODS, &key.namespace, &key.name) else {
            return Ok(Again::No);
        };
        let scheduler = pod["spec"]["schedulerName"]
            .as_str()
            .unwrap_or("default-scheduler");
        let done = pods::node(&pod).is_some() || pod.is_terminating() || pods::is_finished(&pod);
        if done || scheduler != "default-scheduler" {
            return Ok(Again::No);
        }
        if let Some(&(last, times)) = self.misfits.get(pod.uid()) {
            let pause = (1_i64 << times.saturating_sub(1).min(4)).min(MOST_BACKOFF);
            let earliest = last + SignedDuration::from_secs(pause);
            if earliest > cluster.now() {
                return Ok(Again::At(earliest));
            }
        }
        match choose(cluster, &pod) {
            Ok(choice) => place(cluster, &pod, &choice),
            Err(refusal) => {
                let misfit = self
                    .misfits
                    .entry(pod.uid().to_owned())
                    .or_insert((cluster.now(), 0));
                *misfit = (cluster.now(), misfit.1 + 1);
                refuse(cluster, &pod, &refusal)?;
                Ok(Again::No)
            }
        }
    }
}

/// Pods that wait for a node.
fn waiting(api: &ApiServer) -> Vec<Key> {
    let all = api.list(&PODS, None);
    let waits = |pod: &&Arc<Value>| pods::node(pod).is_none() && !pods::is_finished(pod);
    all.iter().filter(waits).map(|pod| Key::of(pod)).collect()
}

/// A node, and the claims that still need a volume there.
struct Choice {
    node: String,
    unbound: Vec<Arc<Value>>,
}

fn choose(cluster: &Cluster, pod: &Value) -> Result<Choice, String> {
    let nodes = cluster.list(&NODES, None);
    let total = nodes.len();
    let refused = |why: &str| {
        format!(
            "0/{total} nodes are available: {why}. preemption: 0/{total} nodes are available: {total} Preemption is not helpful for scheduling."
        )
    };
    if nodes.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let claims = fit::claims(cluster, pod).map_err(|why| refused(&why))?;
    let placed = placed(cluster, &nodes);
    let mut refusals: BTreeMap<Refusal, usize> = BTreeMap::new();
    let mut best: Option<(i64, usize, usize, &str)> = None;
    for node in &nodes {
        if let Some(refusal) = fit::refusal(cluster, pod, node, &claims, &placed) {
            *refusals.entry(refusal).or_insert(0) += 1;
            continue;
        }
        let here = placed.iter().filter(|near| near.node.name() == node.name());
        let owner = pod.controller().map(|owner| owner.uid);
        let siblings = here.clone().filter(|near| {
            owner.is_some() && near.pod.controller().map(|owner| owner.uid) == owner
        });
        let dislike = -affinity::preference(pod, node, &placed);
        let rank = (dislike, siblings.count(), here.count(), node.name());
        if best.is_none_or(|best| rank < best) {
            best = Some(rank);
        }
    }
    let Some((.., node)) = best else {
        let mut reasons: Vec<String> = refusals
            .iter()
            .map(|(refusal, count)| format!("{count} {refusal}"))
            .collect();
        reasons.sort();
        return Err(refused(&reasons.join(", ")));
    };
    Ok(Choice {
        node: node.to_owned(),
        unbound: claims.unbound,
    })
}

fn placed(cluster: &Cluster, nodes: &[Arc<Value>]) -> Vec<Placed> {
    let by_name: BTreeMap<&str, &Arc<Value>> =
        nodes.iter().map(|node| (node.name(), node)).collect();
    let all = cluster.list(&PODS, None);
    all.into_iter()
        .filter(|pod| !pods::is_finished(pod))
        .filter_map(|pod| {
            let node = Arc::clone(by_name.get(pods::node(&pod)?)?);
            Some(Placed { pod, node })
        })
        .collect()
}

/// Binds the pod, or first has its volumes made where it will run.
fn place(cluster: &mut Cluster, pod: &Value, choice: &Choice) -> Result<Again, ApiError> {
    if choice.unbound.is_empty() {
        bind(cluster, pod, &choice.node)?;
        return Ok(Again::No);
    }
    for claim in &choice.unbound {
        if claim.annotation(SELECTED_NODE) != Some(&choice.node) {
            let mut marked = (**claim).clone();
            marked["metadata"]["annotations"][SELECTED_NODE] = choice.node.clone().into();
            cluster.update(&PERSISTENT_VOLUME_CLAIMS, marked)?;
        }
    }
    Ok(Again::No)
}

fn bind(cluster: &mut Cluster, pod: &Value, node: &str) -> Result<(), ApiError> {
    let mut bound = pod.clone();
    bound["spec"]["nodeName"] = node.into();
    let mut conditions = bound.items("/status/conditions").to_vec();
    let condition = json!({"type": "PodScheduled", "status": "True"});
    set_condition(&mut conditions, condition, cluster.now());
    bound["status"]["conditions"] = conditions.into();
    let bound = cluster.update_part(&PODS, "binding", bound)?;
    let message = format!(
        "Successfully assigned {}/{} to {node}",
        pod.namespace(),
        pod.name()
    );
    cluster.event(&bound, "Scheduled", &message);
    Ok(())
}

fn refuse(cluster: &mut Cluster, pod: &Value, why: &str) -> Result<(), ApiError> {
    cluster.warning(pod, "FailedScheduling", why);
    let mut refused = pod.clone();
    let mut conditions = refused.items("/status/conditions").to_vec();
    let condition = json!({
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why,
    });
    set_condition(&mut conditions, condition, cluster.now());
    refused["status"]["conditions"] = conditions.into();
    cluster.update_status(&PODS, refused).map(drop)
}
