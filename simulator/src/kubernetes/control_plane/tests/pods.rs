//! Single pods on their kubelets.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::world::{World, pod};
use crate::kubernetes::{
    api::{
        DeleteOptions,
        resource::{CONFIG_MAPS, NODES, PODS},
    },
    controllers::object::Meta,
    runtime::{Signal, Volume},
};

fn ready() -> World {
    let mut world = World::new();
    world.create(&PODS, pod("solo"));
    world.until("it is ready", |world| world.ready("solo"));
    world
}

fn state(world: &World) -> String {
    let pod = world.get(&PODS, "solo");
    let state = pod
        .pointer("/status/containerStatuses/0/state")
        .and_then(Value::as_object);
    let Some((kind, more)) = state.and_then(|state| state.iter().next()) else {
        return String::new();
    };
    match more["reason"].as_str() {
        Some(reason) => format!("{kind} {reason}"),
        None => kind.clone(),
    }
}

fn restarts(world: &World) -> i64 {
    world
        .get(&PODS, "solo")
        .pointer("/status/containerStatuses/0/restartCount")
        .unwrap()
        .as_i64()
        .unwrap()
}

#[test]
fn a_pod_runs_about_a_second_after_it_was_created_and_says_what_happened() {
    let mut world = World::new();
    world.create(&PODS, pod("solo"));
    world.run_millis(100);
    assert_eq!(state(&world), "waiting ContainerCreating");
    let took = world.until("it runs", |world| {
        world.get(&PODS, "solo").text("/status/phase") == "Running"
    });
    assert!((400..1_900).contains(&took.as_millis()), "{took:?}");
    for (reason, message) in [
        ("Scheduled", "Successfully assigned default/solo to node-1"),
        ("Pulled", "already present on machine"),
        ("Created", "Created container: etcd"),
        ("Started", "Started container etcd"),
    ] {
        assert!(
            world.has_event("solo", reason, message),
            "{reason}: {:?}",
            world.events("solo")
        );
    }
    let pod = world.get(&PODS, "solo");
    for kind in ["PodScheduled", "Initialized", "PodReadyToStartContainers"] {
        assert!(pod.condition_is_true(kind), "{kind}");
    }
}

#[test]
fn a_pod_is_ready_only_after_its_probe_and_unready_after_three_failures() {
    let mut world = World::new();
    let refused = Err("dial tcp 10.244.0.1:2381: connect: connection refused".to_owned());
    world.runtime.answers.insert("solo".to_owned(), refused);
    world.create(&PODS, pod("solo"));
    world.run_seconds(5);
    assert_eq!(state(&world), "running");
    assert!(!world.ready("solo"));
    assert!(world.has_event(
        "solo",
        "Unhealthy",
        "Readiness probe failed: Get \"http://10.244.0.1:2381/readyz\": dial tcp"
    ));

    world.runtime.answers.insert("solo".to_owned(), Ok(200));
    let took = world.until("it is ready", |world| world.ready("solo"));
    assert!(took.as_millis() <= 1_010, "{took:?}");
    world.runtime.answers.insert("solo".to_owned(), Ok(503));
    let took = world.until("it is not ready", |world| !world.ready("solo"));
    assert!((2_000..=3_010).contains(&took.as_millis()), "{took:?}");
    assert!(world.has_event("solo", "Unhealthy", "statuscode: 503"));
}

#[test]
fn a_crashing_container_is_restarted_at_once_and_then_with_growing_pauses() {
    let mut world = ready();
    let mut pauses = Vec::new();
    for crash in 1..=4 {
        world.runtime.exit("solo", 1);
        let took = world.until("it runs again", |world| restarts(world) == crash);
        pauses.push(took.as_secs());
        world.run_millis(500);
    }
    assert!(pauses[0] <= 3, "{pauses:?}");
    for (pause, least) in pauses[1..].iter().zip([10, 20, 40]) {
        assert!((least..least + 17).contains(pause), "{pauses:?}");
    }
    assert!(world.has_event(
        "solo",
        "BackOff",
        "Back-off restarting failed container etcd in pod solo_default("
    ));
}

#[test]
fn a_container_in_back_off_says_so_and_shows_its_last_end() {
    let mut world = ready();
    world.runtime.exit("solo", 2);
    world.until("it runs again", |world| restarts(world) == 1);
    world.runtime.exit("solo", 2);
    world.until("its end is seen", |world| {
        state(world) == "terminated Error"
    });
    assert!(!world.ready("solo"));
    world.runtime.exit_on_start = true;
    world.until("the back-off is seen", |world| {
        state(world) == "waiting CrashLoopBackOff"
    });
    let pod = world.get(&PODS, "solo");
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 2);
    assert_eq!(pod.text("/status/phase"), "Running");
}

#[test]
fn the_last_words_of_a_failed_container_are_kept_when_its_pod_asks_for_them() {
    let mut world = World::new();
    let mut talkative = pod("solo");
    talkative["spec"]["containers"][0]["terminationMessagePolicy"] = "FallbackToLogsOnError".into();
    world.create(&PODS, talkative);
    world.until("it is ready", |world| world.ready("solo"));
    world.runtime.exit("solo", 1);
    world.until("it runs again", |world| {
        restarts(world) == 1 && world.ready("solo")
    });
    let found = world.get(&PODS, "solo");
    let last = found
        .pointer("/status/containerStatuses/0/lastState/terminated")
        .unwrap();
    let words = last["message"].as_str().unwrap();
    assert!(
        words.starts_with("log of ") && words.ends_with('\n'),
        "{words:?}"
    );
    assert_eq!(last["exitCode"], 1);
}

#[test]
fn a_pod_that_is_never_restarted_ends_by_its_exit_code() {
    for (code, phase) in [(0, "Succeeded"), (3, "Failed")] {
        let mut world = World::new();
        let mut spec = pod("solo");
        spec["spec"]["restartPolicy"] = "Never".into();
        world.create(&PODS, spec);
        world.until("it is ready", |world| world.ready("solo"));
        world.runtime.exit("solo", code);
        world.until("it has ended", |world| {
            world.get(&PODS, "solo").text("/status/phase") == phase
        });
        assert!(world.runtime.sandboxes.is_empty());
        world.delete(&PODS, "solo");
        world.run_seconds(2);
        assert!(world.names(&PODS).is_empty());
    }
}

#[test]
fn a_deleted_pod_is_asked_to_stop_and_goes_within_a_second() {
    let mut world = ready();
    world.delete(&PODS, "solo");
    let pod = world.get(&PODS, "solo");
    assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 10);
    let took = world.until("it is gone", |world| world.names(&PODS).is_empty());
    assert!(took.as_millis() < 1_000, "{took:?}");
    assert_eq!(
        world.runtime.signals,
        [("solo".to_owned(), Signal::Terminate)]
    );
    assert!(world.has_event("solo", "Killing", "Stopping container etcd"));
    assert!(world.runtime.sandboxes.is_empty());
}

#[test]
fn a_container_that_does_not_stop_is_killed_after_its_grace_period() {
    let mut world = ready();
    world.runtime.deaf.insert("solo".to_owned());
    world.delete(&PODS, "solo");
    let took = world.until("it is gone", |world| world.names(&PODS).is_empty());
    assert!((10_000..11_000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(world.runtime.signals.last().unwrap().1, Signal::Kill);
}

#[test]
fn a_pod_deleted_by_force_is_gone_at_once_while_its_container_still_stops() {
    let mut world = ready();
    world.runtime.deaf.insert("solo".to_owned());
    let force = DeleteOptions {
        grace_period_seconds: Some(0),
        ..DeleteOptions::default()
    };
    world.delete_with(&PODS, "solo", &force);
    assert!(world.names(&PODS).is_empty());
    world.run_seconds(1);
    assert!(world.runtime.runs("solo"));
    world.run_seconds(2);
    assert!(!world.runtime.runs("solo"));
    assert!(world.runtime.sandboxes.is_empty());
}

#[test]
fn a_failed_liveness_probe_restarts_the_container() {
    let mut world = World::new();
    let mut spec = pod("solo");
    let container = &mut spec["spec"]["containers"][0];
    container["readinessProbe"] = json!(null);
    container["livenessProbe"] =
        json!({"httpGet": {"path": "/livez", "port": 2381}, "periodSeconds": 5});
    world.create(&PODS, spec);
    world.until("it is ready", |world| world.ready("solo"));
    world.run_seconds(20);
    world
        .runtime
        .answers
        .insert("solo".to_owned(), Err("timed out".to_owned()));
    let took = world.until("it is stopped", |world| !world.runtime.signals.is_empty());
    assert!((10_000..=15_010).contains(&took.as_millis()), "{took:?}");
    world.runtime.answers.clear();
    world.until("it runs again", |world| restarts(world) == 1);
    assert!(world.has_event(
        "solo",
        "Killing",
        "Container etcd failed liveness probe, will be restarted"
    ));
    assert_eq!(
        world.runtime.signals,
        [("solo".to_owned(), Signal::Terminate)]
    );
}

#[test]
fn a_missing_config_map_keeps_a_pod_from_starting_until_it_is_there() {
    let mut world = World::new();
    let mut spec = pod("solo");
    spec["spec"]["volumes"] = json!([{"name": "config", "configMap": {"name": "settings"}}]);
    spec["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "config", "mountPath": "/etc/etcd"}]);
    world.create(&PODS, spec);
    world.run_seconds(5);
    assert_eq!(state(&world), "waiting ContainerCreating");
    assert!(world.has_event("solo", "FailedMount", "configmap \"settings\" not found"));
    let map = json!({"metadata": {"name": "settings"}, "data": {"etcd.yaml": "one"}});
    world.create(&CONFIG_MAPS, map);
    world.until("it is ready", |world| world.ready("solo"));
    let Volume::Files(files) = &world.runtime.started[0].mounts["/etc/etcd"] else {
        panic!("not files")
    };
    assert_eq!(files["etcd.yaml"], b"one");

    world.edit(&CONFIG_MAPS, "settings", |map| {
        map["data"]["etcd.yaml"] = "two".into()
    });
    world.run_seconds(30);
    assert!(
        world.runtime.refreshed.is_empty(),
        "files change only with the kubelet's period"
    );
    world.run_seconds(61);
    assert_eq!(world.runtime.refreshed.len(), 1);
    assert_eq!(world.runtime.refreshed[0].1["etcd.yaml"], b"two");
}

#[test]
fn a_touched_pod_gets_new_files_at_once() {
    let mut world = World::new();
    world.create(
        &CONFIG_MAPS,
        json!({"metadata": {"name": "settings"}, "data": {"a": "one"}}),
    );
    let mut spec = pod("solo");
    spec["spec"]["volumes"] = json!([{"name": "config", "configMap": {"name": "settings"}}]);
    spec["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "config", "mountPath": "/etc/etcd"}]);
    world.create(&PODS, spec);
    world.until("it is ready", |world| world.ready("solo"));
    world.edit(&CONFIG_MAPS, "settings", |map| {
        map["data"]["a"] = "two".into()
    });
    world.edit(&PODS, "solo", |pod| {
        pod["metadata"]["annotations"]["touched"] = "yes".into()
    });
    world.run_millis(100);
    assert_eq!(world.runtime.refreshed.len(), 1);
}

#[test]
fn an_image_that_is_not_there_is_an_error_and_then_a_back_off() {
    let mut world = World::new();
    let mut spec = pod("solo");
    spec["spec"]["containers"][0]["image"] = "nginx:1".into();
    world.create(&PODS, spec);
    world.until("the error", |world| state(world) == "waiting ErrImagePull");
    world.until("the back-off", |world| {
        state(world) == "waiting ImagePullBackOff"
    });
    assert_eq!(world.get(&PODS, "solo").text("/status/phase"), "Pending");
    assert!(world.has_event(
        "solo",
        "Failed",
        "Failed to pull image \"nginx:1\": nginx:1: not found"
    ));
    assert!(world.has_event("solo", "BackOff", "Back-off pulling image \"nginx:1\""));
}

#[test]
fn a_missing_key_is_a_configuration_error_until_it_is_there() {
    let mut world = World::new();
    let mut spec = pod("solo");
    spec["spec"]["containers"][0]["env"] = json!([
        {"name": "TOKEN", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "token"}}},
    ]);
    world.create(&PODS, spec);
    world.until("the error", |world| {
        state(world) == "waiting CreateContainerConfigError"
    });
    assert!(world.has_event("solo", "Failed", "Error: configmap \"settings\" not found"));
    let map = json!({"metadata": {"name": "settings"}, "data": {"token": "x"}});
    world.create(&CONFIG_MAPS, map);
    let took = world.until("it is ready", |world| world.ready("solo"));
    assert!(took < SignedDuration::from_secs(20), "{took:?}");
    assert_eq!(world.runtime.started[0].env["TOKEN"], "x");
}

#[test]
fn what_is_not_modelled_is_said_on_the_pod() {
    let mut world = World::new();
    let mut spec = pod("solo");
    spec["spec"]["containers"][0]["livenessProbe"] = json!({"exec": {"command": ["true"]}});
    world.create(&PODS, spec);
    world.until("it says so", |world| {
        state(world) == "waiting CreateContainerConfigError"
    });
    let pod = world.get(&PODS, "solo");
    let message = pod
        .pointer("/status/containerStatuses/0/state/waiting/message")
        .unwrap();
    assert_eq!(message, "not modelled: a livenessProbe that is not httpGet");
    assert!(world.runtime.started.is_empty());
    world.delete(&PODS, "solo");
    world.until("it is gone", |world| world.names(&PODS).is_empty());
}

#[test]
fn a_pod_that_fits_nowhere_says_why_and_starts_once_it_fits() {
    let mut world = World::new();
    let mut spec = pod("solo");
    spec["spec"]["nodeSelector"] = json!({"disk": "fast"});
    world.create(&PODS, spec);
    world.run_seconds(5);
    let reason = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.";
    assert!(
        world.has_event("solo", "FailedScheduling", reason),
        "{:?}",
        world.events("solo")
    );
    let pod = world.get(&PODS, "solo");
    assert_eq!(
        pod.condition("PodScheduled").unwrap()["reason"],
        "Unschedulable"
    );
    world.edit(&NODES, "node-2", |node| {
        node["metadata"]["labels"]["disk"] = "fast".into()
    });
    world.until("it is ready", |world| world.ready("solo"));
    assert_eq!(world.get(&PODS, "solo").text("/spec/nodeName"), "node-2");
}

#[test]
fn pods_that_repel_each_other_go_to_different_nodes_and_the_fourth_waits() {
    let mut world = World::new();
    for number in 1..=4 {
        let mut spec = pod(&format!("p{number}"));
        spec["spec"]["affinity"] = json!({"podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{
                "labelSelector": {"matchLabels": {"app": "demo"}},
                "topologyKey": "kubernetes.io/hostname",
            }],
        }});
        world.create(&PODS, spec);
        world.run_millis(200);
    }
    world.run_seconds(2);
    let node = |name: &str| world.get(&PODS, name).text("/spec/nodeName").to_owned();
    assert_eq!(
        [node("p1"), node("p2"), node("p3"), node("p4")],
        ["node-1", "node-2", "node-3", ""]
    );
    assert!(world.has_event(
        "p4",
        "FailedScheduling",
        "3 node(s) didn't match pod anti-affinity rules"
    ));
    world.delete(&PODS, "p2");
    world.until("it is ready", |world| world.ready("p4"));
    assert_eq!(world.get(&PODS, "p4").text("/spec/nodeName"), "node-2");
}
