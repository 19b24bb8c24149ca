//! Which pods of a StatefulSet to create, to delete and to repair now.
//!
//! Owns: the rules of ordered and of parallel sets, of scaling, and of rolling updates.
//! Always holds: the plan follows from the set, its pods and the time alone; scaling goes before
//! updating; a set that is being deleted gets no plan.
//! Deliberately does not know: the store, claims' contents, events.

use std::{cmp::Reverse, collections::BTreeMap, collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

use super::identity;
use crate::kubernetes::controllers::{object::Meta, pods};

/// What a set asks for, read once.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) start: i64,
    pub(super) replicas: i64,
    pub(super) ordered: bool,
    pub(super) rolling: bool,
    /// `None`: no partition was given, which is not the same as a partition of 0 for new pods.
    pub(super) partition: Option<i64>,
    pub(super) min_ready: i64,
    deleting: bool,
}

impl Wanted {
    pub(super) fn of(set: &Value) -> Self {
        let spec = &set["spec"];
        let rolling = &spec["updateStrategy"]["rollingUpdate"];
        Self {
            start: spec["ordinals"]["start"].as_i64().unwrap_or(0),
            replicas: spec["replicas"].as_i64().unwrap_or(1),
            ordered: spec["podManagementPolicy"] != "Parallel",
            rolling: spec["updateStrategy"]["type"] != "OnDelete",
            partition: rolling
                .is_object()
                .then(|| rolling["partition"].as_i64().unwrap_or(0)),
            min_ready: spec["minReadySeconds"].as_i64().unwrap_or(0),
            deleting: set.is_terminating(),
        }
    }

    pub(super) fn has(&self, ordinal: i64) -> bool {
        (self.start..self.start + self.replicas).contains(&ordinal)
    }
}

/// One thing to do. They are done in order; the first that fails ends the pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make the claims and the pod of this ordinal.
    Create(i64),
    /// Delete the pod of this name.
    Delete(String),
    /// The pod waits: make what is missing of its claims.
    EnsureClaims(i64),
    /// Bring labels, volumes and the claims' owners of this pod back in line.
    Repair(i64),
    /// Bring the owners of the claims of a pod that has to go in line with the retention policy.
    RetainClaims(i64),
    /// Delete the pod of this name, for an update.
    Replace(String),
}

/// The pods of one set, sorted into those that should be and those that should not.
pub(super) struct Pods {
    pub(super) replicas: BTreeMap<i64, Arc<Value>>,
    /// Highest ordinal first.
    pub(super) condemned: Vec<(i64, Arc<Value>)>,
}

impl Pods {
    pub(super) fn sort(set: &str, wanted: &Wanted, pods: &[Arc<Value>]) -> Self {
        let mut replicas = BTreeMap::new();
        let mut condemned = Vec::new();
        for pod in pods {
            match identity::ordinal(set, pod.name()) {
                Some(ordinal) if wanted.has(ordinal) => {
                    replicas.insert(ordinal, Arc::clone(pod));
                }
                Some(ordinal) => condemned.push((ordinal, Arc::clone(pod))),
                None => {}
            }
        }
        condemned.sort_by_key(|(ordinal, _)| Reverse(*ordinal));
        Self {
            replicas,
            condemned,
        }
    }
}

/// Decides the next steps. `stale` holds the ordinals whose claim still belongs to an earlier
/// pod: nothing is created for them until it is gone.
pub(super) fn plan(
    wanted: &Wanted,
    pods: &Pods,
    update_revision: &str,
    stale: &BTreeSet<i64>,
    now: Timestamp,
) -> Vec<Step> {
    if wanted.deleting {
        return Vec::new();
    }
    let mut steps = Vec::new();
    if replicas(wanted, pods, stale, now, &mut steps) == Flow::Wait {
        return steps;
    }
    steps.extend(
        pods.condemned
            .iter()
            .map(|(ordinal, _)| Step::RetainClaims(*ordinal)),
    );
    if condemned(wanted, pods, now, &mut steps) == Flow::Wait {
        return steps;
    }
    if wanted.rolling {
        steps.extend(replace(wanted, pods, update_revision, now));
    }
    steps
}

/// Whether an ordered set may go on to its next pod.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Go,
    Wait,
}

fn replicas(
    wanted: &Wanted,
    pods: &Pods,
    stale: &BTreeSet<i64>,
    now: Timestamp,
    steps: &mut Vec<Step>,
) -> Flow {
    for ordinal in wanted.start..wanted.start + wanted.replicas {
        let flow = match pods.replicas.get(&ordinal) {
            None if stale.contains(&ordinal) => Flow::Wait,
            None => {
                steps.push(Step::Create(ordinal));
                Flow::Wait
            }
            Some(pod) => replica(wanted, ordinal, pod, now, steps),
        };
        if flow == Flow::Wait && wanted.ordered {
            return Flow::Wait;
        }
    }
    Flow::Go
}

fn replica(
    wanted: &Wanted,
    ordinal: i64,
    pod: &Value,
    now: Timestamp,
    steps: &mut Vec<Step>,
) -> Flow {
    if pods::is_finished(pod) {
        if !pod.is_terminating() {
            steps.push(Step::Delete(pod.name().to_owned()));
        }
        return Flow::Wait;
    }
    if pods::phase(pod) == "Pending" {
        steps.push(Step::EnsureClaims(ordinal));
    }
    if wanted.ordered && is_unavailable(pod, wanted, now) {
        return Flow::Wait;
    }
    steps.push(Step::Repair(ordinal));
    Flow::Go
}

fn condemned(wanted: &Wanted, pods: &Pods, now: Timestamp, steps: &mut Vec<Step>) -> Flow {
    let first_unavailable = first_unavailable(wanted, pods, now);
    for (_, pod) in &pods.condemned {
        if pod.is_terminating() {
            if wanted.ordered {
                return Flow::Wait;
            }
            continue;
        }
        let healthy =
            pods::is_running_and_ready(pod) && pods::is_available(pod, wanted.min_ready, now);
        let blocks = !healthy && first_unavailable != Some(pod.name());
        if wanted.ordered && blocks {
            return Flow::Wait;
        }
        steps.push(Step::Delete(pod.name().to_owned()));
        if wanted.ordered {
            return Flow::Wait;
        }
    }
    Flow::Go
}

fn first_unavailable<'a>(wanted: &Wanted, pods: &'a Pods, now: Timestamp) -> Option<&'a str> {
    let condemned = pods.condemned.iter().rev().map(|(_, pod)| pod);
    pods.replicas
        .values()
        .chain(condemned)
        .find(|pod| is_unavailable(pod, wanted, now))
        .map(|pod| pod.name())
}

/// One pod at a time, highest ordinal first, and none while a newer one is not available.
fn replace(wanted: &Wanted, pods: &Pods, update_revision: &str, now: Timestamp) -> Option<Step> {
    let first = wanted.start + wanted.partition.unwrap_or(0);
    for ordinal in (first..wanted.start + wanted.replicas).rev() {
        // A pod that this very pass creates is not available yet.
        let pod = pods.replicas.get(&ordinal)?;
        if identity::revision(pod) != update_revision && !pod.is_terminating() {
            return Some(Step::Replace(pod.name().to_owned()));
        }
        if is_unavailable(pod, wanted, now) {
            return None;
        }
    }
    None
}

fn is_unavailable(pod: &Value, wanted: &Wanted, now: Timestamp) -> bool {
    pod.is_terminating()
        || !pods::is_running_and_ready(pod)
        || !pods::is_available(pod, wanted.min_ready, now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::controllers::object::stamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000 + second).unwrap()
    }

    fn set(replicas: i64, policy: &str) -> Value {
        json!({
            "metadata": {"name": "demo"},
            "spec": {
                "replicas": replicas, "podManagementPolicy": policy,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            },
        })
    }

    fn pod(ordinal: i64, phase: &str, ready: bool) -> Arc<Value> {
        let status = if ready { "True" } else { "False" };
        Arc::new(json!({
            "metadata": {"name": format!("demo-{ordinal}"), "labels": {identity::REVISION: "new"}},
            "status": {
                "phase": phase,
                "conditions": [{
                    "type": "Ready", "status": status, "lastTransitionTime": stamp(at(0)),
                }],
            },
        }))
    }

    fn edited(pod: &Arc<Value>, edit: impl FnOnce(&mut Value)) -> Arc<Value> {
        let mut pod = (**pod).clone();
        edit(&mut pod);
        Arc::new(pod)
    }

    fn terminating(pod: &Arc<Value>) -> Arc<Value> {
        edited(pod, |pod| {
            pod["metadata"]["deletionTimestamp"] = stamp(at(0))
        })
    }

    fn steps(set: &Value, pods: &[Arc<Value>]) -> Vec<Step> {
        let wanted = Wanted::of(set);
        let sorted = Pods::sort("demo", &wanted, pods);
        let steps = plan(&wanted, &sorted, "new", &BTreeSet::new(), at(60));
        let upkeep = |step: &Step| {
            matches!(
                step,
                Step::Repair(_) | Step::EnsureClaims(_) | Step::RetainClaims(_)
            )
        };
        steps.into_iter().filter(|step| !upkeep(step)).collect()
    }

    fn delete(ordinal: i64) -> Step {
        Step::Delete(format!("demo-{ordinal}"))
    }

    #[test]
    fn an_ordered_set_creates_one_pod_and_waits_until_it_is_ready() {
        let set = set(3, "OrderedReady");
        assert_eq!(steps(&set, &[]), [Step::Create(0)]);
        assert_eq!(steps(&set, &[pod(0, "Running", false)]), []);
        assert_eq!(steps(&set, &[pod(0, "Running", true)]), [Step::Create(1)]);
    }

    #[test]
    fn a_parallel_set_creates_all_pods_at_once() {
        let wanted = [Step::Create(0), Step::Create(2)];
        let pods = [pod(1, "Pending", false)];
        assert_eq!(steps(&set(3, "Parallel"), &pods), wanted);
    }

    #[test]
    fn an_ordered_set_removes_the_highest_ordinal_and_waits_for_its_end() {
        let set = set(1, "OrderedReady");
        let pods = [0, 1, 2].map(|ordinal| pod(ordinal, "Running", true));
        assert_eq!(steps(&set, &pods), [delete(2)]);
        let leaving = [pods[0].clone(), pods[1].clone(), terminating(&pods[2])];
        assert_eq!(steps(&set, &leaving), []);
        assert_eq!(steps(&set, &pods[..2]), [delete(1)]);
    }

    #[test]
    fn an_ordered_set_does_not_remove_a_pod_while_another_is_sick() {
        let pods = [
            pod(0, "Running", true),
            pod(1, "Running", false),
            pod(2, "Pending", false),
        ];
        // The sickest with the lowest ordinal may go, but it is not the highest.
        assert_eq!(steps(&set(1, "OrderedReady"), &pods), []);
        assert_eq!(steps(&set(1, "OrderedReady"), &pods[..2]), [delete(1)]);
    }

    #[test]
    fn a_parallel_set_removes_all_surplus_pods_at_once_and_the_healthy_too() {
        let pods = [
            pod(0, "Pending", false),
            pod(1, "Running", true),
            pod(2, "Pending", false),
        ];
        assert_eq!(steps(&set(1, "Parallel"), &pods), [delete(2), delete(1)]);
    }

    #[test]
    fn a_pod_that_has_ended_is_deleted_so_that_it_can_come_back() {
        for phase in ["Failed", "Succeeded"] {
            let pods = [pod(0, phase, false)];
            assert_eq!(steps(&set(2, "OrderedReady"), &pods), [delete(0)]);
            assert_eq!(steps(&set(2, "OrderedReady"), &[terminating(&pods[0])]), []);
        }
    }

    #[test]
    fn a_rolling_update_replaces_the_highest_old_pod_and_waits_for_it() {
        let set = set(3, "Parallel");
        let old = |ordinal| {
            edited(&pod(ordinal, "Running", true), |pod| {
                pod["metadata"]["labels"][identity::REVISION] = "old".into();
            })
        };
        let replace = |ordinal: i64| Step::Replace(format!("demo-{ordinal}"));
        assert_eq!(steps(&set, &[old(0), old(1), old(2)]), [replace(2)]);
        assert_eq!(steps(&set, &[old(0), old(1), terminating(&old(2))]), []);
        assert_eq!(steps(&set, &[old(0), old(1)]), [Step::Create(2)]);
        assert_eq!(steps(&set, &[old(0), old(1), pod(2, "Running", false)]), []);
        assert_eq!(
            steps(&set, &[old(0), old(1), pod(2, "Running", true)]),
            [replace(1)]
        );
    }

    #[test]
    fn pods_below_the_partition_and_pods_of_on_delete_sets_stay_old() {
        let mut set = set(2, "Parallel");
        let old = |ordinal| {
            edited(&pod(ordinal, "Running", true), |pod| {
                pod["metadata"]["labels"][identity::REVISION] = "old".into();
            })
        };
        set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 1.into();
        assert_eq!(steps(&set, &[old(0), pod(1, "Running", true)]), []);
        set["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
        assert_eq!(steps(&set, &[old(0), old(1)]), []);
    }

    #[test]
    fn a_set_that_is_being_deleted_does_nothing() {
        let mut set = set(3, "Parallel");
        set["metadata"]["deletionTimestamp"] = stamp(at(0));
        assert_eq!(steps(&set, &[pod(4, "Running", true)]), []);
    }

    #[test]
    fn ordinals_begin_where_the_set_says() {
        let mut set = set(2, "Parallel");
        set["spec"]["ordinals"] = json!({"start": 5});
        let wanted = [Step::Create(6), delete(0)];
        let pods = [pod(0, "Running", true), pod(5, "Running", true)];
        assert_eq!(steps(&set, &pods), wanted);
    }

    #[test]
    fn min_ready_seconds_hold_an_ordered_set_back() {
        let mut set = set(2, "OrderedReady");
        set["spec"]["minReadySeconds"] = 120.into();
        assert_eq!(steps(&set, &[pod(0, "Running", true)]), []);
        set["spec"]["minReadySeconds"] = 60.into();
        assert_eq!(steps(&set, &[pod(0, "Running", true)]), [Step::Create(1)]);
    }

    #[test]
    fn nothing_is_created_on_a_claim_of_an_earlier_pod() {
        let set = set(2, "Parallel");
        let wanted = Wanted::of(&set);
        let sorted = Pods::sort("demo", &wanted, &[]);
        let stale = BTreeSet::from([0]);
        let steps = plan(&wanted, &sorted, "new", &stale, at(0));
        assert_eq!(steps, [Step::Create(1)]);
    }
}
