//! Services, their endpoints, DNS and service addresses.

use std::net::IpAddr;

use serde_json::json;

use super::world::World;
use crate::kubernetes::{
    api::resource::{
        ENDPOINT_SLICES, ENDPOINTS, POD_DISRUPTION_BUDGETS, PODS, SERVICES, STATEFUL_SETS,
    },
    control_plane::{backend, lock},
    controllers::object::Meta,
    proxy::Route,
};

fn lookup(world: &World, name: &str) -> Vec<String> {
    let zone = world.plane.zone();
    let mut found: Vec<String> = lock(&zone)
        .lookup(name, world.now)
        .iter()
        .map(ToString::to_string)
        .collect();
    found.sort();
    found
}

fn ip(world: &World, pod: &str) -> String {
    world.get(&PODS, pod).text("/status/podIP").to_owned()
}

#[test]
fn pods_are_found_by_name_before_they_are_ready_when_the_service_publishes_them() {
    let mut world = World::new();
    for pod in ["demo-0", "demo-1", "demo-2"] {
        world.runtime.answers.insert(pod.to_owned(), Ok(503));
    }
    world.create_set(3, |_| {});
    assert!(lookup(&world, "demo-1.demo.default.svc.cluster.local").is_empty());
    world.run_seconds(3);
    let wanted = [ip(&world, "demo-1")];
    for name in [
        "demo-1.demo.default.svc.cluster.local",
        "demo-1.demo.default.svc.cluster.local.",
        "demo-1.demo.default.svc",
        "DEMO-1.demo.default.svc",
    ] {
        assert_eq!(lookup(&world, name), wanted, "{name}");
    }
    let mut all = [
        ip(&world, "demo-0"),
        ip(&world, "demo-1"),
        ip(&world, "demo-2"),
    ];
    all.sort();
    assert_eq!(lookup(&world, "demo.default.svc"), all);
    assert!(lookup(&world, "demo-3.demo.default.svc").is_empty());
    assert!(lookup(&world, "demo.other.svc").is_empty());
}

#[test]
fn a_pod_that_comes_back_is_found_under_its_name_at_its_new_address() {
    let mut world = World::new();
    world.create_set(1, |_| {});
    world.until("it is ready", |world| world.ready_replicas("demo") == 1);
    world.run_millis(300);
    let before = lookup(&world, "demo-0.demo.default.svc");
    world.delete(&PODS, "demo-0");
    world.run_millis(1_000);
    world.until("it is ready", |world| world.ready("demo-0"));
    world.run_millis(300);
    let after = lookup(&world, "demo-0.demo.default.svc");
    assert_ne!(after, before);
    assert_eq!(after, [ip(&world, "demo-0")]);
}

#[test]
fn a_service_with_an_address_sends_connections_to_ready_pods_in_turn() {
    let mut world = World::new();
    world.runtime.answers.insert("demo-2".to_owned(), Ok(503));
    world.create_set(3, |_| {});
    let service = json!({
        "metadata": {"name": "client"},
        "spec": {"selector": {"app": "demo"}, "ports": [{"port": 80, "targetPort": 2379}]},
    });
    world.create(&SERVICES, service);
    let address: IpAddr = world
        .get(&SERVICES, "client")
        .text("/spec/clusterIP")
        .parse()
        .unwrap();
    let proxy = world.plane.proxy();
    world.run_millis(300);
    assert_eq!(lock(&proxy).route(address, 80, world.now), Route::Refused);
    world.until("two are ready", |world| world.ready_replicas("demo") == 2);
    world.run_millis(300);
    assert_eq!(lookup(&world, "client.default.svc"), [address.to_string()]);
    let mut seen: Vec<String> = (0..4)
        .map(|_| backend(&proxy, address, 80, world.now).unwrap().to_string())
        .collect();
    seen.sort();
    seen.dedup();
    let mut ready = [
        ip(&world, "demo-0") + ":2379",
        ip(&world, "demo-1") + ":2379",
    ];
    ready.sort();
    assert_eq!(seen, ready);
    assert_eq!(lock(&proxy).route(address, 81, world.now), Route::Refused);
    assert_eq!(
        lock(&proxy).route("10.244.0.1".parse().unwrap(), 80, world.now),
        Route::Direct
    );
}

#[test]
fn endpoints_and_slices_go_with_their_service() {
    let mut world = World::new();
    world.create_set(1, |_| {});
    world.until("it is ready", |world| world.ready_replicas("demo") == 1);
    world.run_millis(200);
    let slices = world.api.list(&ENDPOINT_SLICES, Some("default"));
    let ours = slices
        .iter()
        .find(|slice| slice.name().starts_with("demo-"))
        .unwrap();
    assert_eq!(ours["endpoints"][0]["hostname"], "demo-0");
    assert_eq!(ours["ports"][0]["port"], 2379);
    let endpoints = world.get(&ENDPOINTS, "demo");
    assert_eq!(
        endpoints.text("/subsets/0/addresses/0/targetRef/name"),
        "demo-0"
    );
    world.delete(&SERVICES, "demo");
    world.run_seconds(1);
    assert!(world.find(&ENDPOINTS, "demo").is_none());
    assert!(
        world
            .names(&ENDPOINT_SLICES)
            .iter()
            .all(|name| !name.starts_with("demo-"))
    );
    assert!(lookup(&world, "demo-0.demo.default.svc").is_empty());
}

#[test]
fn a_disruption_budget_counts_healthy_pods() {
    let mut world = World::new();
    world.create_set(3, |_| {});
    let budget = json!({
        "metadata": {"name": "demo"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "demo"}}},
    });
    world.create(&POD_DISRUPTION_BUDGETS, budget);
    world.run_millis(200);
    let allowed = |world: &World| {
        let status = world.get(&POD_DISRUPTION_BUDGETS, "demo")["status"].clone();
        let number = |field: &str| status[field].as_i64().unwrap();
        (
            number("currentHealthy"),
            number("desiredHealthy"),
            number("disruptionsAllowed"),
            number("expectedPods"),
        )
    };
    assert_eq!(allowed(&world), (0, 2, 0, 3));
    world.until("all are ready", |world| world.ready_replicas("demo") == 3);
    world.run_millis(200);
    assert_eq!(allowed(&world), (3, 2, 1, 3));
    world.delete(&PODS, "demo-0");
    world.run_millis(100);
    assert_eq!(allowed(&world), (2, 2, 0, 3));
    let found = world.get(&POD_DISRUPTION_BUDGETS, "demo");
    assert_eq!(
        found.condition("DisruptionAllowed").unwrap()["reason"],
        "InsufficientPods"
    );
    world.edit(&STATEFUL_SETS, "demo", |set| {
        set["spec"]["replicas"] = 5.into()
    });
    world.run_millis(200);
    assert_eq!(allowed(&world).1, 4);
}
