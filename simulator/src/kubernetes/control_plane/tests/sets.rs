//! StatefulSets from creation to deletion.

use serde_json::json;

use super::world::{World, set};
use crate::kubernetes::{
    api::resource::{
        CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STATEFUL_SETS,
    },
    controllers::object::Meta,
    runtime::Volume,
};

fn three() -> World {
    let mut world = World::new();
    world.create_set(3, |_| {});
    world.until("three ready pods", |world| {
        world.ready_replicas("demo") == 3
    });
    world
}

#[test]
fn a_parallel_set_of_three_with_volumes_is_ready_in_two_to_three_seconds() {
    let mut world = World::new();
    world.create_set(3, |_| {});
    let took = world.until("three ready pods", |world| {
        world.ready_replicas("demo") == 3
    });
    let millis = took.as_millis();
    assert!(
        (1_000..3_100).contains(&millis),
        "{millis} ms:\n{}",
        world.log.join("\n")
    );
    assert_eq!(world.names(&PODS), ["demo-0", "demo-1", "demo-2"]);
    let claims = world.names(&PERSISTENT_VOLUME_CLAIMS);
    assert_eq!(claims, ["data-demo-0", "data-demo-1", "data-demo-2"]);
    for pod in world.api.list(&PODS, Some("default")) {
        assert_eq!(pod.text("/status/phase"), "Running");
        assert!(!pod.text("/status/podIP").is_empty());
    }
}

#[test]
fn every_pod_runs_its_own_command_on_its_own_volume() {
    let world = three();
    let mut seen: Vec<_> = world
        .runtime
        .started
        .iter()
        .map(|container| {
            let volume = match &container.mounts["/var/lib/etcd"] {
                Volume::Persistent { volume } => volume.clone(),
                other => panic!("{other:?}"),
            };
            (container.args.clone(), volume)
        })
        .collect();
    seen.sort();
    let names: Vec<_> = seen.iter().map(|(args, _)| args[0].clone()).collect();
    assert_eq!(names, ["--name=demo-0", "--name=demo-1", "--name=demo-2"]);
    for (args, volume) in seen {
        let pod = args[0].trim_start_matches("--name=").to_owned();
        let claim = world.get(&PERSISTENT_VOLUME_CLAIMS, &format!("data-{pod}"));
        assert_eq!(claim.text("/spec/volumeName"), volume);
    }
}

#[test]
fn pods_of_a_set_are_spread_over_the_nodes() {
    let world = three();
    let mut nodes: Vec<_> = world
        .api
        .list(&PODS, Some("default"))
        .iter()
        .map(|pod| pod.text("/spec/nodeName").to_owned())
        .collect();
    nodes.sort();
    assert_eq!(nodes, ["node-1", "node-2", "node-3"]);
}

#[test]
fn a_calm_cluster_is_not_written_to() {
    let mut world = three();
    world.run_seconds(5);
    let before = world.api.revision();
    world.run_seconds(600);
    let lines = world.log.iter().rev().take(5).cloned().collect::<Vec<_>>();
    assert_eq!(world.api.revision(), before, "{lines:#?}");
}

#[test]
fn an_ordered_set_starts_one_pod_after_the_other() {
    let mut world = World::new();
    world.create_set(3, |set| {
        set["spec"]["podManagementPolicy"] = "OrderedReady".into()
    });
    world.until("a second pod", |world| {
        world.find(&PODS, "demo-1").is_some()
    });
    assert!(world.ready("demo-0"));
    assert!(world.find(&PODS, "demo-2").is_none());
    world.until("all", |world| world.ready_replicas("demo") == 3);
}

#[test]
fn scaling_down_removes_the_highest_ordinals_and_keeps_their_claims() {
    let mut world = three();
    world.edit(&STATEFUL_SETS, "demo", |set| {
        set["spec"]["replicas"] = 1.into()
    });
    let took = world.until("one pod", |world| world.names(&PODS) == ["demo-0"]);
    assert!(took.as_millis() < 2_000, "{took:?}");
    assert_eq!(world.names(&PERSISTENT_VOLUME_CLAIMS).len(), 3);
    assert_eq!(world.runtime.sandboxes.len(), 1);
    assert!(world.has_event(
        "demo",
        "SuccessfulDelete",
        "delete Pod demo-2 in StatefulSet demo successful"
    ));

    let before = world
        .get(&PERSISTENT_VOLUME_CLAIMS, "data-demo-2")
        .text("/spec/volumeName")
        .to_owned();
    world.edit(&STATEFUL_SETS, "demo", |set| {
        set["spec"]["replicas"] = 3.into()
    });
    world.until("three again", |world| world.ready_replicas("demo") == 3);
    let after = world.get(&PERSISTENT_VOLUME_CLAIMS, "data-demo-2");
    assert_eq!(after.text("/spec/volumeName"), before);
}

#[test]
fn claims_go_with_scaled_pods_when_the_set_says_so() {
    let mut world = World::new();
    world.create_set(2, |set| {
        set["spec"]["persistentVolumeClaimRetentionPolicy"] =
            json!({"whenScaled": "Delete", "whenDeleted": "Retain"});
    });
    world.until("two ready pods", |world| world.ready_replicas("demo") == 2);
    let claim = world.get(&PERSISTENT_VOLUME_CLAIMS, "data-demo-1");
    let volume = claim.text("/spec/volumeName").to_owned();
    world.edit(&STATEFUL_SETS, "demo", |set| {
        set["spec"]["replicas"] = 1.into()
    });
    world.until("the claim gone", |world| {
        world.names(&PERSISTENT_VOLUME_CLAIMS) == ["data-demo-0"]
    });
    world.until("the volume gone", |world| {
        world.find(&PERSISTENT_VOLUMES, &volume).is_none()
    });
    world.run_millis(100);
    assert_eq!(world.runtime.deleted_volumes, [volume]);
}

#[test]
fn a_deleted_pod_comes_back_under_its_name_on_its_volume_with_another_address() {
    let mut world = three();
    let before = world.get(&PODS, "demo-1");
    world.delete(&PODS, "demo-1");
    world.until("a new pod", |world| {
        world
            .find(&PODS, "demo-1")
            .is_some_and(|pod| pod.uid() != before.uid())
    });
    world.until("it is ready", |world| world.ready("demo-1"));
    let after = world.get(&PODS, "demo-1");
    assert_ne!(after.text("/status/podIP"), before.text("/status/podIP"));
    assert_eq!(world.names(&PERSISTENT_VOLUME_CLAIMS).len(), 3);
}

/// A replaced member gets an empty volume: claim and pod are deleted, in this order.
#[test]
fn a_claim_and_a_pod_deleted_together_come_back_as_a_new_claim_and_a_new_pod() {
    let mut world = three();
    let claim = world.get(&PERSISTENT_VOLUME_CLAIMS, "data-demo-1");
    let pod = world.get(&PODS, "demo-1");
    let volume = claim.text("/spec/volumeName").to_owned();
    world.delete(&PERSISTENT_VOLUME_CLAIMS, "data-demo-1");
    world.run_seconds(1);
    let held = world.get(&PERSISTENT_VOLUME_CLAIMS, "data-demo-1");
    assert!(held.is_terminating(), "a claim in use stays");
    world.delete(&PODS, "demo-1");
    world.until("three ready pods again", |world| {
        world
            .find(&PODS, "demo-1")
            .is_some_and(|found| found.uid() != pod.uid())
            && world.ready("demo-1")
    });
    let fresh = world.get(&PERSISTENT_VOLUME_CLAIMS, "data-demo-1");
    assert_ne!(fresh.uid(), claim.uid());
    assert!(world.runtime.deleted_volumes.contains(&volume));
}

#[test]
fn no_pod_is_made_while_its_claim_is_going_away() {
    let mut world = three();
    world.edit(&PERSISTENT_VOLUME_CLAIMS, "data-demo-1", |claim| {
        claim["metadata"]["finalizers"] = json!(["example.com/hold"]);
    });
    world.delete(&PERSISTENT_VOLUME_CLAIMS, "data-demo-1");
    world.delete(&PODS, "demo-1");
    let why = "pvc data-demo-1 is being deleted";
    world.until("it says why", |world| {
        world.has_event("demo", "FailedCreate", why)
    });
    world.run_seconds(5);
    assert!(world.find(&PODS, "demo-1").is_none());
    world.edit(&PERSISTENT_VOLUME_CLAIMS, "data-demo-1", |claim| {
        claim["metadata"]["finalizers"] = json!([]);
    });
    world.until("it is back", |world| {
        world.find(&PODS, "demo-1").is_some() && world.ready("demo-1")
    });
}

#[test]
fn an_on_delete_set_changes_a_pod_only_when_it_is_deleted() {
    let mut world = three();
    let image = "/spec/template/spec/containers/0/image";
    world.edit(&STATEFUL_SETS, "demo", |set| {
        *set.pointer_mut(image).unwrap() = "quay.io/coreos/etcd:v3.6.16".into();
    });
    world.run_seconds(5);
    let set = world.get(&STATEFUL_SETS, "demo");
    assert_ne!(
        set["status"]["updateRevision"],
        set["status"]["currentRevision"]
    );
    assert_eq!(set["status"]["updatedReplicas"].as_i64().unwrap_or(0), 0);
    assert_eq!(world.names(&CONTROLLER_REVISIONS).len(), 2);
    world.delete(&PODS, "demo-2");
    world.run_seconds(6);
    let images: Vec<_> = world
        .api
        .list(&PODS, Some("default"))
        .iter()
        .map(|pod| {
            pod.text("/spec/containers/0/image")
                .rsplit(':')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(images, ["v3.5.21", "v3.5.21", "v3.6.16"]);
    assert_eq!(
        world.get(&STATEFUL_SETS, "demo")["status"]["updatedReplicas"],
        1
    );
}

#[test]
fn a_rolling_update_goes_from_the_highest_ordinal_down_and_then_is_current() {
    let mut world = World::new();
    world.create_set(3, |set| {
        set["spec"]["updateStrategy"] = json!({"type": "RollingUpdate"})
    });
    world.until("three ready pods", |world| {
        world.ready_replicas("demo") == 3
    });
    let image = "/spec/template/spec/containers/0/image";
    world.edit(&STATEFUL_SETS, "demo", |set| {
        *set.pointer_mut(image).unwrap() = "quay.io/coreos/etcd:v3.6.16".into();
    });
    let before = world.get(&STATEFUL_SETS, "demo")["status"]["updateRevision"].clone();
    world.until("the update seen", |world| {
        world.get(&STATEFUL_SETS, "demo")["status"]["updateRevision"] != before
    });
    world.until("the update done", |world| {
        let status = &world.get(&STATEFUL_SETS, "demo")["status"];
        status["updatedReplicas"] == 3 && status["currentRevision"] == status["updateRevision"]
    });
    let deletes: Vec<_> = world
        .log
        .iter()
        .filter(|line| line.contains("controller delete pod"))
        .collect();
    let order: Vec<_> = deletes
        .iter()
        .map(|line| line.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(order, ["demo-2", "demo-1", "demo-0"]);
}

#[test]
fn a_deleted_set_takes_its_pods_along_and_leaves_the_claims() {
    let mut world = three();
    world.delete(&STATEFUL_SETS, "demo");
    world.until("no pods", |world| world.names(&PODS).is_empty());
    assert_eq!(world.names(&PERSISTENT_VOLUME_CLAIMS).len(), 3);
    assert!(world.names(&CONTROLLER_REVISIONS).is_empty());
    assert!(world.runtime.sandboxes.is_empty());
}

#[test]
fn a_new_set_adopts_claims_that_are_there_and_pods_that_nobody_owns() {
    let mut world = three();
    let claim = world.get(&PERSISTENT_VOLUME_CLAIMS, "data-demo-0");
    let pod = world.get(&PODS, "demo-0");
    let orphan = crate::kubernetes::api::DeleteOptions {
        propagation: Some(crate::kubernetes::api::Propagation::Orphan),
        ..Default::default()
    };
    world.delete_with(&STATEFUL_SETS, "demo", &orphan);
    world.until("the set gone", |world| {
        world.find(&STATEFUL_SETS, "demo").is_none()
    });
    assert!(world.get(&PODS, "demo-0").owners().is_empty());
    world.create(&STATEFUL_SETS, set(3));
    world.until("three ready pods", |world| {
        world.ready_replicas("demo") == 3
    });
    assert_eq!(world.get(&PODS, "demo-0").uid(), pod.uid());
    assert_eq!(
        world.get(&PERSISTENT_VOLUME_CLAIMS, "data-demo-0").uid(),
        claim.uid()
    );
    assert_eq!(world.get(&PODS, "demo-0").owners().len(), 1);
}
