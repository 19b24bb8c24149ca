//! What happens to nodes that have gone silent, and to the pods on them.
//!
//! Owns: the Ready condition and the taints of nodes, and evicting pods for taints.
//! Always holds: a node is not judged before its grace period is over; a pod goes only after the
//! time it tolerates.
//! Deliberately does not know: why a node is silent. Pods on it stay as they are: nobody can stop
//! them, and the server keeps them until their kubelet says that they have stopped.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    cluster::Cluster,
    object::{Key, Meta, set_condition, stamp, time_at},
    pods,
    queue::{Again, Controller},
    scheduler::tolerations,
    timings::Timings,
};
use crate::kubernetes::{
    api::{
        ApiError, ApiServer, Changed, DeleteOptions,
        resource::{NODES, PODS},
    },
    control_plane::lock,
};

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// Pods of a node that no longer exists are removed after this.
const QUARANTINE: SignedDuration = SignedDuration::from_secs(40);

/// What the kubelet of a healthy node says: type, status, reason and message of each condition.
pub(in crate::kubernetes) const WELL: [(&str, &str, &str, &str); 4] = [
    (
        "MemoryPressure",
        "False",
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
    ),
    (
        "DiskPressure",
        "False",
        "KubeletHasNoDiskPressure",
        "kubelet has no disk pressure",
    ),
    (
        "PIDPressure",
        "False",
        "KubeletHasSufficientPID",
        "kubelet has sufficient PID available",
    ),
    (
        "Ready",
        "True",
        "KubeletReady",
        "kubelet is posting ready status",
    ),
];

/// Judges nodes.
pub struct NodeLifecycle {
    grace: SignedDuration,
    period: SignedDuration,
    silent: Arc<Mutex<BTreeMap<String, Timestamp>>>,
    gone: BTreeMap<String, Timestamp>,
}

impl NodeLifecycle {
    /// A judge of nodes; `silent` says since when each silent node has been so.
    pub fn new(timings: &Timings, silent: &Arc<Mutex<BTreeMap<String, Timestamp>>>) -> Self {
        Self {
            grace: timings.node_grace,
            period: timings.node_monitor,
            silent: Arc::clone(silent),
            gone: BTreeMap::new(),
        }
    }
}

impl Controller for NodeLifecycle {
    fn name(&self) -> &'static str {
        "node-controller"
    }

    fn affected(&mut self, change: &Changed, api: &ApiServer) -> Vec<Key> {
        if change.is_of(&NODES) {
            return vec![Key::of(&change.object)];
        }
        // A pod matters when its node evicts or is gone.
        let node = change
            .is_of(&PODS)
            .then(|| pods::node(&change.object))
            .flatten();
        let evicts = |node: &str| {
            let found = api.get(&NODES, "", node);
            found.is_none_or(|found| found.items("/spec/taints").iter().any(evicts))
        };
        let key = node.filter(|node| !change.deleted && evicts(node));
        key.map(|node| Key::new("", node)).into_iter().collect()
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        let Some(node) = cluster.get(&NODES, "", &key.name) else {
            return self.clear(cluster, &key.name);
        };
        self.gone.remove(&key.name);
        let silent = lock(&self.silent).get(&key.name).copied();
        let judged_at = silent.map(|since| self.judgement(since));
        let mut again = Again::No;
        match judged_at {
            Some(at) if at > cluster.now() => again = Again::At(at),
            Some(_) => lose(cluster, &node)?,
            None => regain(cluster, &node)?,
        }
        taint(cluster, &key.name)?;
        Ok(again.or(evict(cluster, &key.name)?))
    }
}

impl NodeLifecycle {
    /// When a node that is silent since then is found so: at the first look after its grace.
    fn judgement(&self, since: Timestamp) -> Timestamp {
        let deadline = since + self.grace;
        let period = self.period.as_nanos().max(1);
        let wait = (-deadline.as_nanosecond()).rem_euclid(period);
        deadline + SignedDuration::from_nanos(i64::try_from(wait).unwrap_or(0))
    }

    /// Removes the pods of a node that does not exist any more.
    fn clear(&mut self, cluster: &mut Cluster, node: &str) -> Result<Again, ApiError> {
        let left = on(cluster, node);
        if left.is_empty() {
            self.gone.remove(node);
            return Ok(Again::No);
        }
        let until = *self.gone.entry(node.to_owned()).or_insert(cluster.now()) + QUARANTINE;
        if until > cluster.now() {
            return Ok(Again::At(until));
        }
        left.iter().try_for_each(|pod| remove(cluster, pod))?;
        Ok(Again::No)
    }
}

fn on(cluster: &Cluster, node: &str) -> Vec<Arc<Value>> {
    let all = cluster.list(&PODS, None);
    all.into_iter()
        .filter(|pod| pods::node(pod) == Some(node))
        .collect()
}

fn remove(cluster: &mut Cluster, pod: &Value) -> Result<(), ApiError> {
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        uid: Some(pod.uid().to_owned()),
        ..DeleteOptions::default()
    };
    cluster
        .delete_with(&PODS, pod.namespace(), pod.name(), &options)
        .map(drop)
}

/// Writes that a node is no longer heard of, and that its pods are not ready.
fn lose(cluster: &mut Cluster, node: &Value) -> Result<(), ApiError> {
    let ready = node.condition("Ready").map(|entry| entry.text("/status"));
    if ready == Some("Unknown") {
        return Ok(());
    }
    let now = cluster.now();
    let mut lost = node.clone();
    let mut conditions = lost.items("/status/conditions").to_vec();
    for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        let heartbeat = node
            .condition(kind)
            .map(|entry| entry["lastHeartbeatTime"].clone());
        let condition = json!({
            "type": kind, "status": "Unknown", "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.", "lastHeartbeatTime": heartbeat,
        });
        set_condition(&mut conditions, condition, now);
    }
    lost["status"]["conditions"] = conditions.into();
    let lost = cluster.update_status(&NODES, lost)?;
    let message = format!("Node {} status is now: NodeNotReady", node.name());
    cluster.event(&lost, "NodeNotReady", &message);
    for pod in on(cluster, node.name()) {
        if !pods::is_ready(&pod) {
            continue;
        }
        let mut unready = (*pod).clone();
        let mut conditions = unready.items("/status/conditions").to_vec();
        let mut condition = pod.condition("Ready").cloned().unwrap_or_default();
        condition["status"] = "False".into();
        set_condition(&mut conditions, condition, now);
        unready["status"]["conditions"] = conditions.into();
        cluster.update_status(&PODS, unready)?;
        cluster.warning(&pod, "NodeNotReady", "Node is not ready");
    }
    Ok(())
}

/// Writes that a node is well again. A kubelet that has come back says so itself; it is written
/// here since kubelets here write nothing while all is calm.
fn regain(cluster: &mut Cluster, node: &Value) -> Result<(), ApiError> {
    if node.condition_is_true("Ready") || node.condition("Ready").is_none() {
        return Ok(());
    }
    let now = cluster.now();
    let mut well = node.clone();
    let mut conditions = well.items("/status/conditions").to_vec();
    for (kind, status, reason, message) in WELL {
        let condition = json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": stamp(now),
        });
        set_condition(&mut conditions, condition, now);
    }
    well["status"]["conditions"] = conditions.into();
    let well = cluster.update_status(&NODES, well)?;
    let message = format!("Node {} status is now: NodeReady", node.name());
    cluster.event(&well, "NodeReady", &message);
    Ok(())
}

/// Gives the node the taints that its state asks for.
fn taint(cluster: &mut Cluster, name: &str) -> Result<(), ApiError> {
    let Some(node) = cluster.get(&NODES, "", name) else {
        return Ok(());
    };
    let unreachable = node
        .condition("Ready")
        .is_some_and(|entry| entry["status"] == "Unknown");
    let wanted = [
        (UNREACHABLE, "NoSchedule", unreachable),
        (UNREACHABLE, "NoExecute", unreachable),
        (
            UNSCHEDULABLE,
            "NoSchedule",
            node["spec"]["unschedulable"] == true,
        ),
    ];
    let mut taints = node.items("/spec/taints").to_vec();
    for (key, effect, wanted) in wanted {
        let is_it = |taint: &Value| taint["key"] == key && taint["effect"] == effect;
        if !wanted {
            taints.retain(|taint| !is_it(taint));
        } else if !taints.iter().any(is_it) {
            taints.push(json!({"key": key, "effect": effect, "timeAdded": stamp(cluster.now())}));
        }
    }
    if taints == node.items("/spec/taints") {
        return Ok(());
    }
    let mut tainted = (*node).clone();
    if taints.is_empty() {
        super::object::object_at(&mut tainted, &["spec"]).remove("taints");
    } else {
        tainted["spec"]["taints"] = taints.into();
    }
    cluster.update(&NODES, tainted).map(drop)
}

fn evicts(taint: &Value) -> bool {
    taint["effect"] == "NoExecute"
}

/// Deletes pods that do not tolerate the node any longer. Gives when the next one is due.
fn evict(cluster: &mut Cluster, name: &str) -> Result<Again, ApiError> {
    let Some(node) = cluster.get(&NODES, "", name) else {
        return Ok(Again::No);
    };
    let taints: Vec<&Value> = node
        .items("/spec/taints")
        .iter()
        .filter(|taint| evicts(taint))
        .collect();
    if taints.is_empty() {
        return Ok(Again::No);
    }
    let out_of_service = taints.iter().any(|taint| taint["key"] == OUT_OF_SERVICE);
    let mut again = Again::No;
    for pod in on(cluster, name) {
        if pod.is_terminating() {
            if out_of_service && !node.condition_is_true("Ready") {
                remove(cluster, &pod)?;
            }
            continue;
        }
        match eviction_time(&pod, &taints, cluster.now()) {
            Some(at) if at <= cluster.now() => evict_pod(cluster, &pod)?,
            Some(at) => again = again.or(Again::At(at)),
            None => {}
        }
    }
    Ok(again)
}

fn evict_pod(cluster: &mut Cluster, pod: &Value) -> Result<(), ApiError> {
    let message = format!(
        "Marking for deletion Pod {}/{}",
        pod.namespace(),
        pod.name()
    );
    cluster.event(pod, "TaintManagerEviction", &message);
    let mut marked = pod.clone();
    let mut conditions = marked.items("/status/conditions").to_vec();
    let condition = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
    });
    set_condition(&mut conditions, condition, cluster.now());
    marked["status"]["conditions"] = conditions.into();
    cluster.update_status(&PODS, marked)?;
    cluster
        .delete_named(&PODS, pod.namespace(), pod.name())
        .map(drop)
}

/// When the pod has to go for these taints; never when it tolerates them for good.
fn eviction_time(pod: &Value, taints: &[&Value], now: Timestamp) -> Option<Timestamp> {
    let times = taints.iter().filter_map(|taint| {
        let since = time_at(&taint["timeAdded"]).unwrap_or(now);
        match tolerations::tolerated_for(pod, taint) {
            tolerations::Tolerated::Forever => None,
            tolerations::Tolerated::Never => Some(since),
            tolerations::Tolerated::Seconds(seconds) => {
                Some(since + SignedDuration::from_secs(seconds))
            }
        }
    });
    times.min()
}
