//! Nodes that go silent, lose power, and come back; runs that repeat.

use serde_json::json;

use super::world::{World, pod};
use crate::kubernetes::{
    api::resource::{NODES, PODS},
    control_plane::Options,
    controllers::object::Meta,
    kubelet::Power,
};

fn power(world: &mut World, node: &str, power: Power) {
    world
        .plane
        .set_power(&mut world.api, &mut world.runtime, world.now, node, power);
}

fn solo() -> World {
    let mut world = World::new();
    world.create(&PODS, pod("solo"));
    world.until("it is ready", |world| world.ready("solo"));
    world
}

#[test]
fn a_node_without_power_is_found_silent_and_its_pods_are_evicted_after_300_seconds() {
    let mut world = solo();
    power(&mut world, "node-1", Power::Off);
    let took = world.until("it is not ready", |world| {
        !world.get(&NODES, "node-1").condition_is_true("Ready")
    });
    assert!((40..=55).contains(&took.as_secs()), "{took:?}");
    assert!(!world.ready("solo"));
    let node = world.get(&NODES, "node-1");
    assert_eq!(
        node.condition("Ready").unwrap()["reason"],
        "NodeStatusUnknown"
    );
    assert_eq!(node.items("/spec/taints").len(), 2);
    let took = world.until("it is evicted", |world| {
        world.get(&PODS, "solo").is_terminating()
    });
    assert!((299..=301).contains(&took.as_secs()), "{took:?}");
    world.run_seconds(600);
    assert!(
        world.find(&PODS, "solo").is_some(),
        "only its kubelet can say that it has stopped"
    );
    power(&mut world, "node-1", Power::On);
    world.until("it is gone", |world| world.names(&PODS).is_empty());
    let node = world.get(&NODES, "node-1");
    assert!(node.condition_is_true("Ready") && node.items("/spec/taints").is_empty());
}

#[test]
fn after_a_short_loss_of_power_a_pod_runs_again_in_a_new_sandbox() {
    let mut world = solo();
    let before = world.get(&PODS, "solo");
    power(&mut world, "node-1", Power::Off);
    world.run_seconds(20);
    assert!(world.ready("solo"), "nobody has noticed yet");
    assert!(!world.runtime.runs("solo"));
    power(&mut world, "node-1", Power::On);
    world.run_millis(100);
    world.until("it is ready", |world| world.ready("solo"));
    let after = world.get(&PODS, "solo");
    assert_eq!(after.uid(), before.uid());
    assert_ne!(after.text("/status/podIP"), before.text("/status/podIP"));
    assert_eq!(
        after
            .pointer("/status/containerStatuses/0/restartCount")
            .unwrap(),
        1
    );
    assert!(world.has_event("solo", "SandboxChanged", "Pod sandbox changed"));
}

#[test]
fn containers_go_on_while_their_kubelet_is_down_and_it_learns_what_happened() {
    let mut world = solo();
    power(&mut world, "node-1", Power::KubeletDown);
    world.run_seconds(10);
    assert!(world.runtime.runs("solo"));
    world.runtime.exit("solo", 1);
    world.run_seconds(10);
    assert!(!world.runtime.runs("solo"));
    assert!(world.ready("solo"), "nobody has noticed yet");
    power(&mut world, "node-1", Power::On);
    world.until("it runs again", |world| world.runtime.runs("solo"));
    world.until("it says so", |world| {
        world
            .get(&PODS, "solo")
            .pointer("/status/containerStatuses/0/restartCount")
            .unwrap()
            == 1
    });
    world.until("it is ready", |world| world.ready("solo"));
}

#[test]
fn a_pod_that_does_not_tolerate_a_taint_goes_at_once() {
    let mut world = solo();
    world.edit(&NODES, "node-1", |node| {
        node["spec"]["taints"] = json!([{"key": "broken", "effect": "NoExecute"}]);
    });
    let took = world.until("it is gone", |world| world.names(&PODS).is_empty());
    assert!(took.as_secs() < 2, "{took:?}");
    assert!(world.has_event(
        "solo",
        "TaintManagerEviction",
        "Marking for deletion Pod default/solo"
    ));
}

#[test]
fn a_cordoned_node_gets_no_new_pods() {
    let mut world = World::new();
    for node in ["node-1", "node-3"] {
        world.edit(&NODES, node, |node| {
            node["spec"]["unschedulable"] = true.into()
        });
    }
    world.create(&PODS, pod("solo"));
    world.until("it is ready", |world| world.ready("solo"));
    assert_eq!(world.get(&PODS, "solo").text("/spec/nodeName"), "node-2");
    let node = world.get(&NODES, "node-1");
    assert_eq!(
        node.text("/spec/taints/0/key"),
        "node.kubernetes.io/unschedulable"
    );
}

#[test]
fn pods_of_a_node_that_is_deleted_are_removed_after_40_seconds() {
    let mut world = solo();
    power(&mut world, "node-1", Power::Off);
    world.delete(&NODES, "node-1");
    let took = world.until("it is gone", |world| world.names(&PODS).is_empty());
    assert!((40..42).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let run = |seed| {
        let mut world = World::with(Options {
            seed,
            ..Options::default()
        });
        world.create_set(3, |_| {});
        world.run_seconds(5);
        world.delete(&PODS, "demo-1");
        world.run_seconds(5);
        world.log
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_calm_hour_costs_no_more_steps_than_its_probes() {
    let mut world = World::new();
    world.create_set(3, |_| {});
    world.until("all are ready", |world| world.ready_replicas("demo") == 3);
    world.run_seconds(2);
    let before = world.steps;
    world.run_seconds(3_600);
    // Three probes a second, each with one step to begin and one to end, and a pass a minute.
    let steps = world.steps - before;
    assert!(steps < 3 * 3_600 * 2 + 1_000, "{steps}");
}
