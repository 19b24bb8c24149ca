//! Disruption budgets: how many pods may be evicted now.
//!
//! Owns: the status of PodDisruptionBudgets.
//! Always holds: a budget whose pods cannot be counted allows no disruption.
//! Deliberately does not know: evictions; the server asks the status.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    cluster::Cluster,
    object::{Key, Meta, set_condition, time_at},
    pods,
    queue::{Again, Controller},
    selector,
};
use crate::kubernetes::api::{
    ApiError, ApiServer, Changed,
    resource::{POD_DISRUPTION_BUDGETS, PODS, STATEFUL_SETS},
};

/// An eviction that has not led to a deletion after so long is forgotten.
const DELETION_TIMEOUT: SignedDuration = SignedDuration::from_mins(2);

/// Keeps the status of every budget.
#[derive(Debug, Default)]
pub struct Disruption;

impl Controller for Disruption {
    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn affected(&mut self, change: &Changed, api: &ApiServer) -> Vec<Key> {
        let object = &change.object;
        if change.is_of(&POD_DISRUPTION_BUDGETS) {
            return vec![Key::of(object)];
        }
        let (pod, set) = (change.is_of(&PODS), change.is_of(&STATEFUL_SETS));
        if !pod && !set {
            return Vec::new();
        }
        api.list(&POD_DISRUPTION_BUDGETS, Some(object.namespace()))
            .iter()
            .filter(|budget| set || covers(budget, object))
            .map(|budget| Key::of(budget))
            .collect()
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        let found = cluster.get(&POD_DISRUPTION_BUDGETS, &key.namespace, &key.name);
        let Some(budget) = found else {
            return Ok(Again::No);
        };
        let pods: Vec<Arc<Value>> = cluster
            .list(&PODS, Some(&key.namespace))
            .into_iter()
            .filter(|pod| covers(&budget, pod))
            .collect();
        if pods.is_empty() {
            cluster.event(&budget, "NoPods", "No matching pods found");
        }
        let now = cluster.now();
        let expected = expected(cluster.api(), &budget, &pods);
        let (disrupted, again) = still_disrupted(&budget, &pods, now);
        let healthy = pods
            .iter()
            .filter(|pod| pods::is_ready(pod) && !pod.is_terminating())
            .filter(|pod| !disrupted.contains_key(pod.name()))
            .count();
        let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
        if let Err(why) = &expected {
            let message = format!("Failed to calculate the number of expected pods: {why}");
            cluster.warning(&budget, "CalculateExpectedPodCountFailed", &message);
        }
        let status = status(&budget, expected, healthy, disrupted, now);
        if status != budget["status"] {
            let mut updated = (*budget).clone();
            updated["status"] = status;
            cluster.update_status(&POD_DISRUPTION_BUDGETS, updated)?;
        }
        Ok(again)
    }
}

fn covers(budget: &Value, pod: &Value) -> bool {
    selector::selects(&budget["spec"]["selector"], &pod["metadata"]["labels"])
}

/// How many pods there should be, and how many of them healthy.
fn expected(api: &ApiServer, budget: &Value, pods: &[Arc<Value>]) -> Result<(i64, i64), String> {
    let spec = &budget["spec"];
    if let Some(least) = spec["minAvailable"].as_i64() {
        let count = i64::try_from(pods.len()).unwrap_or(i64::MAX);
        return Ok((count, least));
    }
    if !spec["minAvailable"].is_null() {
        let scale = scale(api, pods)?;
        return Ok((scale, portion(&spec["minAvailable"], scale)));
    }
    if !spec["maxUnavailable"].is_null() {
        let scale = scale(api, pods)?;
        return Ok((
            scale,
            (scale - portion(&spec["maxUnavailable"], scale)).max(0),
        ));
    }
    Ok((0, 0))
}

/// A number, or a percentage of `total` rounded up.
fn portion(value: &Value, total: i64) -> i64 {
    let percent = || value.as_str()?.strip_suffix('%')?.parse::<i64>().ok();
    value
        .as_i64()
        .or_else(|| percent().map(|percent| (percent * total + 99) / 100))
        .unwrap_or(0)
}

/// The pods that the controllers of these pods want, together.
fn scale(api: &ApiServer, pods: &[Arc<Value>]) -> Result<i64, String> {
    let mut scales = BTreeMap::new();
    for pod in pods {
        let owner = pod
            .controller()
            .ok_or_else(|| format!("found no controller ref for pod {:?}", pod.name()))?;
        if owner.kind != "StatefulSet" {
            return Err(format!("not modelled: the scale of a {}", owner.kind));
        }
        let set = api.get(&STATEFUL_SETS, pod.namespace(), &owner.name);
        let set = set
            .filter(|set| set.uid() == owner.uid)
            .ok_or_else(|| format!("statefulsets.apps {:?} not found", owner.name))?;
        scales.insert(owner.uid, set["spec"]["replicas"].as_i64().unwrap_or(1));
    }
    Ok(scales.values().sum())
}

/// Evicted pods that are not on their way out yet, and when the first of them is forgotten.
fn still_disrupted(
    budget: &Value,
    pods: &[Arc<Value>],
    now: Timestamp,
) -> (Map<String, Value>, Again) {
    let mut disrupted = Map::new();
    let mut again = Again::No;
    let known = budget["status"]["disruptedPods"].as_object();
    for (name, at) in known.into_iter().flatten() {
        let pod = pods.iter().find(|pod| pod.name() == name);
        let until = time_at(at).map(|at| at + DELETION_TIMEOUT);
        if let (Some(pod), Some(until)) = (pod, until)
            && !pod.is_terminating()
            && until > now
        {
            again = again.or(Again::At(until));
            disrupted.insert(name.clone(), at.clone());
        }
    }
    (disrupted, again)
}

fn status(
    budget: &Value,
    expected: Result<(i64, i64), String>,
    healthy: i64,
    disrupted: Map<String, Value>,
    now: Timestamp,
) -> Value {
    let counted = expected.is_ok();
    let (expected, desired) = expected.unwrap_or((
        budget["status"]["expectedPods"].as_i64().unwrap_or(0),
        budget["status"]["desiredHealthy"].as_i64().unwrap_or(0),
    ));
    let allowed = if counted && expected > 0 {
        (healthy - desired).max(0)
    } else {
        0
    };
    let (reason, holds) = match (counted, allowed) {
        (false, _) => ("SyncFailed", "False"),
        (_, 0) => ("InsufficientPods", "False"),
        _ => ("SufficientPods", "True"),
    };
    let generation = &budget["metadata"]["generation"];
    let mut conditions = budget.items("/status/conditions").to_vec();
    let condition = json!({
        "type": "DisruptionAllowed", "status": holds, "reason": reason, "message": "",
        "observedGeneration": generation,
    });
    set_condition(&mut conditions, condition, now);
    let mut status = json!({
        "observedGeneration": generation, "currentHealthy": healthy, "desiredHealthy": desired,
        "expectedPods": expected, "disruptionsAllowed": allowed, "conditions": conditions,
    });
    if !disrupted.is_empty() {
        status["disruptedPods"] = disrupted.into();
    }
    status
}
