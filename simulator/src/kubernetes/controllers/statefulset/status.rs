//! What a StatefulSet reports about its pods.
//!
//! Owns: the counts and revisions in `status`.
//! Always holds: a status is written only when something in it differs.
//! Deliberately does not know: why pods are as they are.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{identity, plan::Wanted};
use crate::kubernetes::controllers::{object::Meta, pods};

/// The revisions that a status speaks of.
pub(super) struct Revisions<'a> {
    pub(super) current: &'a str,
    pub(super) update: &'a str,
    pub(super) collisions: i64,
}

/// The status that the set should have.
pub(super) fn status<'a>(
    set: &Value,
    wanted: &Wanted,
    revisions: &Revisions,
    pods: impl Iterator<Item = &'a Value>,
    replaced: bool,
    now: Timestamp,
) -> Value {
    let (mut replicas, mut ready, mut available, mut current, mut updated) = (0, 0, 0, 0, 0);
    for pod in pods {
        replicas += 1;
        if pods::is_running_and_ready(pod) {
            ready += 1;
            available += i64::from(pods::is_available(pod, wanted.min_ready, now));
        }
        if !pod.is_terminating() {
            let revision = identity::revision(pod);
            current += i64::from(revision == revisions.current);
            updated += i64::from(revision == revisions.update);
        }
    }
    if replaced {
        current -= 1;
    }
    let mut current_revision = revisions.current;
    let all = wanted.replicas;
    if wanted.rolling && (updated, ready, replicas) == (all, all, all) {
        current = updated;
        current_revision = revisions.update;
    }
    let mut status = json!({
        "observedGeneration": set["metadata"]["generation"],
        "replicas": replicas, "availableReplicas": available,
        "currentRevision": current_revision, "updateRevision": revisions.update,
        "collisionCount": revisions.collisions,
    });
    // The server does not write zeros of these.
    for (field, count) in [
        ("readyReplicas", ready),
        ("currentReplicas", current),
        ("updatedReplicas", updated),
    ] {
        if count != 0 {
            status[field] = count.into();
        }
    }
    if !set["status"]["conditions"].is_null() {
        status["conditions"] = set["status"]["conditions"].clone();
    }
    status
}

/// Whether the difference is worth a write.
pub(super) fn differs(old: &Value, new: &Value) -> bool {
    let generation = |status: &Value| status["observedGeneration"].as_i64().unwrap_or(0);
    let same = |field: &str| {
        let zero = |value: &Value| value.as_i64().unwrap_or(0);
        old[field] == new[field]
            || (!new[field].is_string() && zero(&old[field]) == zero(&new[field]))
    };
    generation(new) > generation(old)
        || ![
            "replicas",
            "readyReplicas",
            "availableReplicas",
            "currentReplicas",
            "updatedReplicas",
            "currentRevision",
            "updateRevision",
        ]
        .into_iter()
        .all(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::controllers::object::stamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn set() -> Value {
        json!({"metadata": {"generation": 4}, "spec": {"replicas": 2, "minReadySeconds": 10}})
    }

    fn pod(revision: &str, ready_since: i64) -> Value {
        json!({
            "metadata": {"labels": {identity::REVISION: revision}},
            "status": {"phase": "Running", "conditions": [{
                "type": "Ready", "status": "True", "lastTransitionTime": stamp(at(ready_since)),
            }]},
        })
    }

    fn of(set: &Value, pods: &[Value], now: i64) -> Value {
        let revisions = Revisions {
            current: "old",
            update: "new",
            collisions: 0,
        };
        status(
            set,
            &Wanted::of(set),
            &revisions,
            pods.iter(),
            false,
            at(now),
        )
    }

    #[test]
    fn pods_are_counted_by_readiness_availability_and_revision() {
        let status = of(&set(), &[pod("old", 0), pod("new", 95)], 100);
        assert_eq!(
            status,
            json!({
                "observedGeneration": 4, "replicas": 2, "readyReplicas": 2, "availableReplicas": 1,
                "currentReplicas": 1, "updatedReplicas": 1, "currentRevision": "old",
                "updateRevision": "new", "collisionCount": 0,
            })
        );
    }

    #[test]
    fn a_finished_rolling_update_makes_the_new_revision_current() {
        let status = of(&set(), &[pod("new", 0), pod("new", 0)], 100);
        assert_eq!(status["currentRevision"], "new");
        assert_eq!(status["currentReplicas"], 2);
        let mut on_delete = set();
        on_delete["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
        let status = of(&on_delete, &[pod("new", 0), pod("new", 0)], 100);
        assert_eq!(status["currentRevision"], "old");
    }

    #[test]
    fn an_absent_count_and_a_zero_are_the_same() {
        let old = json!({"observedGeneration": 1, "replicas": 0, "availableReplicas": 0});
        let mut new = old.clone();
        new["readyReplicas"] = 0.into();
        assert!(!differs(&old, &new));
        new["readyReplicas"] = 1.into();
        assert!(differs(&old, &new));
    }
}
