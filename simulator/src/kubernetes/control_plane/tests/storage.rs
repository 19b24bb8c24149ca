//! Claims and volumes.

use serde_json::json;

use super::world::{World, pod};
use crate::kubernetes::{
    api::resource::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS},
    controllers::object::Meta,
};

fn claim(name: &str) -> serde_json::Value {
    json!({
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    })
}

fn user(name: &str, claim: &str) -> serde_json::Value {
    let mut pod = pod(name);
    pod["spec"]["volumes"] =
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]);
    pod["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "data", "mountPath": "/var/lib/etcd"}]);
    pod
}

#[test]
fn a_claim_gets_its_volume_when_a_pod_needs_it() {
    let mut world = World::new();
    world.create(&PERSISTENT_VOLUME_CLAIMS, claim("data"));
    world.run_seconds(5);
    assert_eq!(
        world
            .get(&PERSISTENT_VOLUME_CLAIMS, "data")
            .text("/status/phase"),
        "Pending"
    );
    assert!(world.has_event("data", "WaitForFirstConsumer", "waiting for first consumer"));
    world.create(&PODS, user("solo", "data"));
    world.until("it is ready", |world| world.ready("solo"));
    let claim = world.get(&PERSISTENT_VOLUME_CLAIMS, "data");
    assert_eq!(claim.text("/status/phase"), "Bound");
    let volume = world.get(&PERSISTENT_VOLUMES, claim.text("/spec/volumeName"));
    assert_eq!(volume.text("/status/phase"), "Bound");
    assert_eq!(volume.text("/spec/claimRef/uid"), claim.uid());
}

#[test]
fn a_claim_in_use_stays_until_its_pod_is_gone() {
    let mut world = World::new();
    world.create(&PERSISTENT_VOLUME_CLAIMS, claim("data"));
    world.create(&PODS, user("solo", "data"));
    world.until("it is ready", |world| world.ready("solo"));
    let volume = world
        .get(&PERSISTENT_VOLUME_CLAIMS, "data")
        .text("/spec/volumeName")
        .to_owned();
    world.delete(&PERSISTENT_VOLUME_CLAIMS, "data");
    world.run_seconds(60);
    assert!(
        world
            .get(&PERSISTENT_VOLUME_CLAIMS, "data")
            .is_terminating()
    );
    assert!(world.runtime.deleted_volumes.is_empty());
    world.delete(&PODS, "solo");
    world.until("the volume is gone", |world| {
        world.find(&PERSISTENT_VOLUMES, &volume).is_none()
    });
    world.run_millis(100);
    assert!(world.names(&PERSISTENT_VOLUME_CLAIMS).is_empty());
    assert_eq!(world.runtime.deleted_volumes, [volume]);
}

#[test]
fn a_retained_volume_outlives_its_claim() {
    let mut world = World::new();
    world.create(&PERSISTENT_VOLUME_CLAIMS, claim("data"));
    world.create(&PODS, user("solo", "data"));
    world.until("it is ready", |world| world.ready("solo"));
    let volume = world
        .get(&PERSISTENT_VOLUME_CLAIMS, "data")
        .text("/spec/volumeName")
        .to_owned();
    world.edit(&PERSISTENT_VOLUMES, &volume, |volume| {
        volume["spec"]["persistentVolumeReclaimPolicy"] = "Retain".into();
    });
    world.delete(&PODS, "solo");
    world.delete(&PERSISTENT_VOLUME_CLAIMS, "data");
    world.run_seconds(5);
    assert!(world.names(&PERSISTENT_VOLUME_CLAIMS).is_empty());
    assert_eq!(
        world
            .get(&PERSISTENT_VOLUMES, &volume)
            .text("/status/phase"),
        "Released"
    );
    assert!(world.runtime.deleted_volumes.is_empty());
}

#[test]
fn a_pod_whose_claim_is_missing_waits_for_it() {
    let mut world = World::new();
    world.create(&PODS, user("solo", "data"));
    world.run_seconds(5);
    let why = "0/3 nodes are available: persistentvolumeclaim \"data\" not found.";
    assert!(
        world.has_event("solo", "FailedScheduling", why),
        "{:?}",
        world.events("solo")
    );
    world.create(&PERSISTENT_VOLUME_CLAIMS, claim("data"));
    world.until("it is ready", |world| world.ready("solo"));
}

#[test]
fn a_claim_may_grow() {
    let mut world = World::new();
    world.create(&PERSISTENT_VOLUME_CLAIMS, claim("data"));
    world.create(&PODS, user("solo", "data"));
    world.until("it is ready", |world| world.ready("solo"));
    world.edit(&PERSISTENT_VOLUME_CLAIMS, "data", |claim| {
        claim["spec"]["resources"]["requests"]["storage"] = "2Gi".into();
    });
    world.run_seconds(1);
    let claim = world.get(&PERSISTENT_VOLUME_CLAIMS, "data");
    assert_eq!(claim.text("/status/capacity/storage"), "2Gi");
}

/// Seen on a real cluster: an operator that took ownership of claims at once made them wait.
#[test]
fn a_claim_written_while_its_volume_is_made_waits_for_the_next_resync() {
    let mut world = World::new();
    world.create(&PERSISTENT_VOLUME_CLAIMS, claim("data"));
    world.create(&PODS, user("solo", "data"));
    world.until("its volume is being made", |world| {
        world.has_event("data", "ExternalProvisioning", "Waiting for a volume")
    });
    world.edit(&PERSISTENT_VOLUME_CLAIMS, "data", |claim| {
        claim["metadata"]["labels"] = json!({"touched": "yes"});
    });
    world.until("it is bound", |world| {
        let claim = world.get(&PERSISTENT_VOLUME_CLAIMS, "data");
        claim.text("/status/phase") == "Bound"
    });
    assert_eq!(world.now.as_second() % 15, 0, "bound at {}", world.now);
}
