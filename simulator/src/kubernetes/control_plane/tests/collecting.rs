//! Owners, dependents and namespaces.

use serde_json::json;

use super::world::World;
use crate::kubernetes::{
    api::{
        DeleteOptions, Propagation,
        resource::{CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, SERVICE_ACCOUNTS},
    },
    controllers::object::Meta,
};

fn owned(name: &str, owners: &[&serde_json::Value]) -> serde_json::Value {
    let references: Vec<_> = owners
        .iter()
        .map(|owner| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "name": owner.name(), "uid": owner.uid(),
                "blockOwnerDeletion": true,
            })
        })
        .collect();
    json!({"metadata": {"name": name, "ownerReferences": references}})
}

fn maps(world: &World) -> Vec<String> {
    let mut names = world.names(&CONFIG_MAPS);
    names.retain(|name| name != "kube-root-ca.crt");
    names
}

#[test]
fn dependents_go_with_their_last_owner() {
    let mut world = World::new();
    let one = world.create(&CONFIG_MAPS, owned("one", &[]));
    let two = world.create(&CONFIG_MAPS, owned("two", &[]));
    let child = world.create(&CONFIG_MAPS, owned("child", &[&one, &two]));
    world.create(&CONFIG_MAPS, owned("grandchild", &[&child]));
    world.delete(&CONFIG_MAPS, "one");
    world.run_seconds(1);
    assert_eq!(maps(&world), ["child", "grandchild", "two"]);
    assert_eq!(world.get(&CONFIG_MAPS, "child").owners().len(), 1);
    world.delete(&CONFIG_MAPS, "two");
    world.run_seconds(1);
    assert_eq!(maps(&world), [""; 0]);
}

#[test]
fn an_owner_of_the_same_name_with_another_uid_is_not_the_owner() {
    let mut world = World::new();
    let owner = world.create(&CONFIG_MAPS, owned("owner", &[]));
    world.create(&CONFIG_MAPS, owned("child", &[&owner]));
    world.delete(&CONFIG_MAPS, "owner");
    world.create(&CONFIG_MAPS, owned("owner", &[]));
    world.run_seconds(1);
    assert_eq!(maps(&world), ["owner"]);
    // Also when the owner was gone before the dependent came.
    world.create(&CONFIG_MAPS, owned("late", &[&owner]));
    world.run_seconds(1);
    assert_eq!(maps(&world), ["owner"]);
}

#[test]
fn an_owner_deleted_in_the_foreground_goes_last() {
    let mut world = World::new();
    let owner = world.create(&CONFIG_MAPS, owned("owner", &[]));
    let mut child = owned("child", &[&owner]);
    child["metadata"]["finalizers"] = json!(["example.com/hold"]);
    world.create(&CONFIG_MAPS, child);
    let foreground = DeleteOptions {
        propagation: Some(Propagation::Foreground),
        ..DeleteOptions::default()
    };
    world.delete_with(&CONFIG_MAPS, "owner", &foreground);
    world.run_seconds(1);
    assert!(world.get(&CONFIG_MAPS, "child").is_terminating());
    assert!(world.get(&CONFIG_MAPS, "owner").is_terminating());
    world.edit(&CONFIG_MAPS, "child", |child| {
        child["metadata"]["finalizers"] = json!([]);
    });
    world.run_seconds(1);
    assert_eq!(maps(&world), [""; 0]);
}

#[test]
fn a_deleted_namespace_is_emptied_before_it_goes() {
    let mut world = World::new();
    world.create(&NAMESPACES, json!({"metadata": {"name": "team"}}));
    world.run_seconds(1);
    assert!(
        world
            .api
            .get(&SERVICE_ACCOUNTS, "team", "default")
            .is_some()
    );
    assert!(
        world
            .api
            .get(&CONFIG_MAPS, "team", "kube-root-ca.crt")
            .is_some()
    );
    let mut pod = super::world::pod("solo");
    pod["metadata"]["namespace"] = "team".into();
    world.create(&PODS, pod);
    world.run_seconds(3);
    world.delete(&NAMESPACES, "team");
    world.run_millis(100);
    let namespace = world.get(&NAMESPACES, "team");
    assert_eq!(namespace.text("/status/phase"), "Terminating");
    let took = world.until("it is gone", |world| {
        world.find(&NAMESPACES, "team").is_none()
    });
    assert!(took.as_millis() > 200, "{took:?}");
    assert!(world.api.list(&PODS, Some("team")).is_empty());
    assert!(world.runtime.sandboxes.is_empty());
}

#[test]
fn a_deployment_is_told_that_nothing_will_come_of_it() {
    let mut world = World::new();
    let deployment = json!({
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web"}]},
            },
        },
    });
    world.create(&DEPLOYMENTS, deployment);
    world.run_seconds(1);
    assert!(world.has_event(
        "web",
        "NotModelled",
        "not modelled: this simulation has no controller"
    ));
}
