//! The columns of pods.
//!
//! Owns: how the state of a pod is summed up in one word.
//! Always holds: a pod that is being deleted reads `Terminating`, unless its node is lost.
//! Deliberately does not know: how a pod gets into a state.

use jiff::Timestamp;
use serde_json::Value;

use super::{Layout, age, items, text_or};
use crate::kubernetes::api::metadata;

pub(super) const PODS: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Ready", 0),
        ("Status", 0),
        ("Restarts", 0),
        ("Age", 0),
        ("IP", 1),
        ("Node", 1),
        ("Nominated Node", 1),
        ("Readiness Gates", 1),
    ],
    cells,
};

fn cells(now: Timestamp, pod: &Value) -> Vec<Value> {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let total = items(&spec["containers"]).count();
    let ready = items(&status["containerStatuses"])
        .filter(|container| container["ready"] == true && container["state"]["running"].is_object())
        .count();
    vec![
        metadata::name(pod).into(),
        format!("{ready}/{total}").into(),
        summary(pod).into(),
        restarts(now, status).into(),
        age::of(now, pod),
        text_or(&status["podIP"], "<none>").into(),
        text_or(&spec["nodeName"], "<none>").into(),
        text_or(&status["nominatedNodeName"], "<none>").into(),
        gates(pod).into(),
    ]
}

fn summary(pod: &Value) -> String {
    let status = &pod["status"];
    if metadata::is_deleting(pod) {
        let lost = status["reason"] == "NodeLost";
        return if lost { "Unknown" } else { "Terminating" }.to_owned();
    }
    if let Some(reason) = initializing(pod) {
        return reason;
    }
    let phase = text_or(&status["reason"], text_or(&status["phase"], "Unknown"));
    let mut reason = phase.to_owned();
    let (mut running, mut gated) = (false, false);
    for container in items(&status["containerStatuses"])
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let state = &container["state"];
        if let Some(waiting) = state["waiting"]["reason"]
            .as_str()
            .filter(|r| !r.is_empty())
        {
            waiting.clone_into(&mut reason);
        } else if state["terminated"].is_object() {
            reason = ended(&state["terminated"]);
        } else if container["ready"] == true && state["running"].is_object() {
            running = true;
        }
    }
    gated |= items(&status["conditions"]).any(|condition| {
        condition["type"] == "PodScheduled" && condition["reason"] == "SchedulingGated"
    });
    if gated {
        return "SchedulingGated".to_owned();
    }
    if reason == "Completed" && running {
        let ready = items(&status["conditions"])
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        return if ready { "Running" } else { "NotReady" }.to_owned();
    }
    reason
}

/// The summary while init containers have not all ended well.
fn initializing(pod: &Value) -> Option<String> {
    let total = items(&pod["spec"]["initContainers"]).count();
    for (index, container) in items(&pod["status"]["initContainerStatuses"]).enumerate() {
        let state = &container["state"];
        if state["terminated"].is_object() {
            if state["terminated"]["exitCode"] == 0 {
                continue;
            }
            return Some(format!("Init:{}", ended(&state["terminated"])));
        }
        let waiting = state["waiting"]["reason"].as_str().unwrap_or_default();
        return Some(if waiting.is_empty() || waiting == "PodInitializing" {
            format!("Init:{index}/{total}")
        } else {
            format!("Init:{waiting}")
        });
    }
    None
}

fn ended(terminated: &Value) -> String {
    let reason = text_or(&terminated["reason"], "");
    let signal = terminated["signal"].as_i64().unwrap_or(0);
    match (reason, signal) {
        ("", 0) => format!("ExitCode:{}", terminated["exitCode"]),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn restarts(now: Timestamp, status: &Value) -> String {
    let count: i64 = items(&status["containerStatuses"])
        .filter_map(|container| container["restartCount"].as_i64())
        .sum();
    let last = items(&status["containerStatuses"])
        .filter_map(|container| container["lastState"]["terminated"]["finishedAt"].as_str())
        .max();
    match last {
        Some(last) if count > 0 => format!("{count} ({} ago)", age::since(now, last)),
        _ => count.to_string(),
    }
}

fn gates(pod: &Value) -> String {
    let gates: Vec<&Value> = items(&pod["spec"]["readinessGates"]).collect();
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let open = gates
        .iter()
        .filter(|gate| {
            items(&pod["status"]["conditions"]).any(|condition| {
                condition["type"] == gate["conditionType"] && condition["status"] == "True"
            })
        })
        .count();
    format!("{open}/{}", gates.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(mut pod: Value) -> Vec<Value> {
        pod["metadata"]["name"] = "demo-0".into();
        pod["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
        pod["spec"]["containers"] = json!([{"name": "etcd"}]);
        cells("2026-01-01T00:05:00Z".parse().unwrap(), &pod)[1..5].to_vec()
    }

    #[test]
    fn a_pod_is_summed_up_as_kubectl_users_know_it() {
        let running = json!({"ready": true, "restartCount": 0, "state": {"running": {}}});
        let crashed = json!({
            "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"finishedAt": "2026-01-01T00:04:00Z"}},
        });
        let status =
            |container: &Value| json!({"phase": "Running", "containerStatuses": [container]});
        for (pod, expected) in [
            (
                json!({"status": status(&running)}),
                ["1/1", "Running", "0", "5m"],
            ),
            (
                json!({"status": status(&crashed)}),
                ["0/1", "CrashLoopBackOff", "3 (60s ago)", "5m"],
            ),
            (
                json!({"status": {"phase": "Pending"}}),
                ["0/1", "Pending", "0", "5m"],
            ),
            (
                json!({
                    "metadata": {"deletionTimestamp": "2026-01-01T00:05:00Z"},
                    "status": status(&running),
                }),
                ["1/1", "Terminating", "0", "5m"],
            ),
        ] {
            assert_eq!(row(pod), expected);
        }
    }
}
