//! The status that a kubelet writes for a pod.
//!
//! Owns: phase, conditions, and the states of containers as text.
//! Always holds: the status follows from what the kubelet has seen and the pod's object alone; a
//! pod that has ended does not come back; conditions of others are kept.
//! Deliberately does not know: how the kubelet came to see it.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kubernetes::{
    controllers::object::{Meta, set_condition, stamp},
    runtime::ContainerId,
};

/// Why a container runs no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its process ended or was killed.
    Exited,
    /// The kernel killed it at its memory limit.
    OutOfMemory,
    /// It is gone, and nobody saw it end.
    Lost,
}

/// A container that has run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which one.
    pub id: ContainerId,
    /// Exit code; 128 + signal when killed.
    pub code: i32,
    /// Why it ended.
    pub cause: Cause,
    /// Its last words, if its pod wants them kept.
    pub message: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
}

/// What a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It does not run yet, or not again.
    Waiting {
        /// For example `ContainerCreating`, `CrashLoopBackOff`.
        reason: String,
        /// For people.
        message: String,
    },
    /// It runs.
    Running {
        /// Which one.
        id: ContainerId,
        /// Since when.
        since: Timestamp,
    },
    /// It has ended and nothing has come after it yet.
    Terminated(Ended),
}

/// One container as its kubelet sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerView {
    /// What it does.
    pub state: Shown,
    /// How it ended the last time.
    pub last: Option<Ended>,
    /// How often it was started again.
    pub restarts: u32,
    /// Whether it passes its readiness probe.
    pub ready: bool,
    /// Whether it passed its startup probe.
    pub started: bool,
}

/// A pod as its kubelet sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// Its containers in the order of its spec.
    pub containers: Vec<ContainerView>,
    /// Its address, while it has a sandbox or ended with one.
    pub ip: Option<String>,
    /// Whether its sandbox is there.
    pub sandbox: bool,
    /// Address of its node.
    pub host_ip: String,
    /// When the kubelet took it on.
    pub start: Timestamp,
    /// Whether no container will be started any more.
    pub terminal: bool,
}

/// The status of a pod.
#[must_use]
pub fn status(pod: &Value, view: &PodView, now: Timestamp) -> Value {
    let before = pod.text("/status/phase");
    let phase = match before {
        "Succeeded" | "Failed" => before,
        _ => phase(pod, view),
    };
    let mut status = json!({
        "phase": phase, "startTime": stamp(view.start), "hostIP": view.host_ip,
        "hostIPs": [{"ip": view.host_ip}], "qosClass": qos_class(pod),
        "conditions": conditions(pod, view, phase, now),
        "containerStatuses": container_statuses(pod, view),
    });
    if let Some(generation) = pod["metadata"]["generation"].as_i64() {
        status["observedGeneration"] = generation.into();
    }
    if let Some(ip) = &view.ip {
        status["podIP"] = ip.clone().into();
        status["podIPs"] = json!([{"ip": ip}]);
    }
    for field in ["reason", "message", "nominatedNodeName"] {
        if before == phase && !pod["status"][field].is_null() {
            status[field] = pod["status"][field].clone();
        }
    }
    status
}

fn phase(pod: &Value, view: &PodView) -> &'static str {
    let (mut waiting, mut running, mut stopped, mut succeeded) = (0, 0, 0, 0);
    for container in &view.containers {
        match (&container.state, &container.last) {
            (Shown::Running { .. }, _) => running += 1,
            (Shown::Terminated(ended), _) => {
                stopped += 1;
                succeeded += usize::from(ended.code == 0);
            }
            (Shown::Waiting { .. }, Some(_)) => stopped += 1,
            (Shown::Waiting { .. }, None) => waiting += 1,
        }
    }
    let all_well = stopped == succeeded;
    let policy = pod["spec"]["restartPolicy"].as_str().unwrap_or("Always");
    match policy {
        _ if waiting > 0 => "Pending",
        _ if running > 0 => "Running",
        _ if stopped == 0 => "Pending",
        _ if view.terminal => {
            if all_well {
                "Succeeded"
            } else {
                "Failed"
            }
        }
        "Always" => "Running",
        _ if all_well => "Succeeded",
        "Never" => "Failed",
        _ => "Running",
    }
}

fn conditions(pod: &Value, view: &PodView, phase: &str, now: Timestamp) -> Vec<Value> {
    let generation = &pod["metadata"]["generation"];
    let mut conditions = pod.items("/status/conditions").to_vec();
    let mut put = |kind: &str, holds: bool, reason: &str, message: &str| {
        let status = if holds { "True" } else { "False" };
        let mut condition = json!({"type": kind, "status": status});
        if !generation.is_null() {
            condition["observedGeneration"] = generation.clone();
        }
        for (field, text) in [("reason", reason), ("message", message)] {
            if !text.is_empty() {
                condition[field] = text.into();
            }
        }
        set_condition(&mut conditions, condition, now);
    };
    put("PodReadyToStartContainers", view.sandbox, "", "");
    let completed = if phase == "Succeeded" {
        "PodCompleted"
    } else {
        ""
    };
    put("Initialized", true, completed, "");
    let (ready, reason, message) = containers_ready(pod, view, phase);
    put("Ready", ready, reason, &message);
    put("ContainersReady", ready, reason, &message);
    put("PodScheduled", true, "", "");
    conditions
}

fn containers_ready(pod: &Value, view: &PodView, phase: &str) -> (bool, &'static str, String) {
    match phase {
        "Succeeded" => return (false, "PodCompleted", String::new()),
        "Failed" => return (false, "PodFailed", String::new()),
        _ => {}
    }
    let unready: Vec<&str> = pod
        .items("/spec/containers")
        .iter()
        .zip(&view.containers)
        .filter(|(_, container)| !container.ready)
        .map(|(container, _)| container.text("/name"))
        .collect();
    if unready.is_empty() {
        return (true, "", String::new());
    }
    let message = format!("containers with unready status: [{}]", unready.join(" "));
    (false, "ContainersNotReady", message)
}

fn container_statuses(pod: &Value, view: &PodView) -> Vec<Value> {
    pod.items("/spec/containers")
        .iter()
        .zip(&view.containers)
        .map(|(container, view)| container_status(container, view))
        .collect()
}

fn container_status(container: &Value, view: &ContainerView) -> Value {
    let image = container.text("/image");
    let mut status = json!({
        "name": container.text("/name"), "image": image, "imageID": "", "ready": view.ready,
        "restartCount": view.restarts, "started": view.started, "state": {}, "lastState": {},
    });
    let id = match &view.state {
        Shown::Waiting { reason, message } => {
            let mut waiting = json!({"reason": reason});
            if !message.is_empty() {
                waiting["message"] = message.clone().into();
            }
            status["state"] = json!({"waiting": waiting});
            view.last.as_ref().map(|ended| ended.id)
        }
        Shown::Running { id, since } => {
            status["state"] = json!({"running": {"startedAt": stamp(*since)}});
            Some(*id)
        }
        Shown::Terminated(ended) => {
            status["state"] = terminated(ended);
            Some(ended.id)
        }
    };
    if let Some(last) = &view.last {
        status["lastState"] = terminated(last);
    }
    if let Some(id) = id {
        status["containerID"] = container_id(id).into();
        status["imageID"] = image.into();
    }
    let mounts: Vec<Value> = container
        .items("/volumeMounts")
        .iter()
        .map(mount_status)
        .collect();
    if !mounts.is_empty() {
        status["volumeMounts"] = mounts.into();
    }
    status
}

fn mount_status(mount: &Value) -> Value {
    let mut status = json!({"name": mount["name"], "mountPath": mount["mountPath"]});
    if mount["readOnly"] == true {
        status["readOnly"] = true.into();
        status["recursiveReadOnly"] = "Disabled".into();
    }
    status
}

fn terminated(ended: &Ended) -> Value {
    let reason = match ended.cause {
        Cause::Lost => "Unknown",
        Cause::OutOfMemory => "OOMKilled",
        Cause::Exited if ended.code == 0 => "Completed",
        Cause::Exited => "Error",
    };
    let mut terminated = json!({
        "exitCode": ended.code, "reason": reason, "containerID": container_id(ended.id),
        "startedAt": stamp(ended.started), "finishedAt": stamp(ended.finished),
    });
    if !ended.message.is_empty() {
        terminated["message"] = ended.message.clone().into();
    }
    json!({"terminated": terminated})
}

fn container_id(id: ContainerId) -> String {
    format!("containerd://{:064x}", id.0)
}

/// The class by requests and limits of all containers.
fn qos_class(pod: &Value) -> Value {
    let given = &pod["status"]["qosClass"];
    if given.is_string() {
        return given.clone();
    }
    let containers = pod.items("/spec/containers");
    let amount =
        |container: &Value, kind: &str, what: &str| container["resources"][kind][what].clone();
    let guaranteed = containers.iter().all(|container| {
        ["cpu", "memory"].into_iter().all(|what| {
            let limit = amount(container, "limits", what);
            let request = amount(container, "requests", what);
            !limit.is_null() && (request.is_null() || request == limit)
        })
    });
    let nothing = containers.iter().all(|container| {
        ["limits", "requests"].into_iter().all(|kind| {
            ["cpu", "memory"]
                .into_iter()
                .all(|what| amount(container, kind, what).is_null())
        })
    });
    match (nothing, guaranteed) {
        (true, _) => "BestEffort".into(),
        (_, true) => "Guaranteed".into(),
        _ => "Burstable".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pod(policy: &str) -> Value {
        json!({
            "metadata": {"name": "demo-0", "generation": 1},
            "spec": {
                "restartPolicy": policy,
                "containers": [{"name": "etcd", "image": "etcd:v3.5.21"}],
            },
        })
    }

    fn ended(code: i32) -> Ended {
        Ended {
            id: ContainerId(1),
            code,
            cause: Cause::Exited,
            message: String::new(),
            started: at(1),
            finished: at(2),
        }
    }

    fn view(state: Shown, last: Option<Ended>) -> PodView {
        let ready = matches!(state, Shown::Running { .. });
        PodView {
            containers: vec![ContainerView {
                state,
                last,
                restarts: 0,
                ready,
                started: ready,
            }],
            ip: Some("10.0.0.7".to_owned()),
            sandbox: true,
            host_ip: "10.9.0.1".to_owned(),
            start: at(0),
            terminal: false,
        }
    }

    fn waiting(reason: &str) -> Shown {
        Shown::Waiting {
            reason: reason.to_owned(),
            message: String::new(),
        }
    }

    fn phase_of(policy: &str, view: &PodView) -> String {
        status(&pod(policy), view, at(9)).text("/phase").to_owned()
    }

    #[test]
    fn the_phase_follows_containers_and_restart_policy() {
        let running = Shown::Running {
            id: ContainerId(1),
            since: at(1),
        };
        assert_eq!(
            phase_of("Always", &view(waiting("ContainerCreating"), None)),
            "Pending"
        );
        assert_eq!(phase_of("Always", &view(running, None)), "Running");
        let crashing = view(waiting("CrashLoopBackOff"), Some(ended(1)));
        assert_eq!(phase_of("Always", &crashing), "Running");
        for (policy, code, phase) in [
            ("Always", 0, "Running"),
            ("Always", 1, "Running"),
            ("OnFailure", 0, "Succeeded"),
            ("OnFailure", 1, "Running"),
            ("Never", 0, "Succeeded"),
            ("Never", 1, "Failed"),
        ] {
            let view = view(Shown::Terminated(ended(code)), None);
            assert_eq!(phase_of(policy, &view), phase, "{policy} {code}");
        }
    }

    #[test]
    fn a_pod_whose_end_was_asked_for_ends_well_or_not_by_its_exit_codes() {
        for (code, phase) in [(0, "Succeeded"), (137, "Failed")] {
            let mut view = view(Shown::Terminated(ended(code)), None);
            view.terminal = true;
            assert_eq!(phase_of("Always", &view), phase);
        }
    }

    #[test]
    fn a_pod_that_has_ended_stays_ended() {
        let mut pod = pod("Always");
        pod["status"] = json!({"phase": "Failed", "reason": "Evicted", "message": "full"});
        let running = Shown::Running {
            id: ContainerId(1),
            since: at(1),
        };
        let status = status(&pod, &view(running, None), at(9));
        assert_eq!(status["phase"], "Failed");
        assert_eq!(status["reason"], "Evicted");
    }

    #[test]
    fn conditions_say_which_container_is_not_ready_and_keep_those_of_others() {
        let mut pod = pod("Always");
        pod["status"] = json!({"conditions": [{"type": "example.com/gate", "status": "True"}]});
        let status = status(&pod, &view(waiting("ContainerCreating"), None), at(9));
        let of = |kind: &str| {
            let all = status.items("/conditions");
            all.iter()
                .find(|entry| entry["type"] == kind)
                .unwrap()
                .clone()
        };
        assert_eq!(of("example.com/gate")["status"], "True");
        assert_eq!(of("Ready")["reason"], "ContainersNotReady");
        assert_eq!(
            of("Ready")["message"],
            "containers with unready status: [etcd]"
        );
        assert_eq!(of("PodReadyToStartContainers")["status"], "True");
        assert_eq!(of("Initialized")["status"], "True");
    }

    #[test]
    fn containers_show_their_state_their_last_end_and_their_restarts() {
        let mut view = view(waiting("CrashLoopBackOff"), Some(ended(1)));
        view.containers[0].restarts = 3;
        let status = status(&pod("Always"), &view, at(9));
        let container = &status["containerStatuses"][0];
        assert_eq!(
            container["state"],
            json!({"waiting": {"reason": "CrashLoopBackOff"}})
        );
        assert_eq!(container["lastState"]["terminated"]["exitCode"], 1);
        assert_eq!(container["lastState"]["terminated"]["reason"], "Error");
        assert_eq!(container["restartCount"], 3);
    }

    #[test]
    fn the_quality_of_service_follows_requests_and_limits() {
        let with = |resources: Value| {
            let mut pod = pod("Always");
            pod["spec"]["containers"][0]["resources"] = resources;
            qos_class(&pod)
        };
        assert_eq!(with(json!({})), "BestEffort");
        assert_eq!(with(json!({"requests": {"cpu": "1"}})), "Burstable");
        let both = json!({"cpu": "1", "memory": "1Gi"});
        assert_eq!(with(json!({"limits": both})), "Guaranteed");
        assert_eq!(
            with(json!({"limits": both, "requests": both})),
            "Guaranteed"
        );
    }
}
