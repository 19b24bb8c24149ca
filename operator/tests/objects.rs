//! Properties of the rendered objects that users' clusters depend on.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use operator::{
    EtcdCluster,
    build::{services, stateful_set},
    validate::{Desired, validate},
};
use serde_json::{Value, json};

fn wanted(version: &str) -> Desired {
    let cluster: EtcdCluster = serde_json::from_value(json!({
        "apiVersion": "etcd.etcd.io/v1alpha1",
        "kind": "EtcdCluster",
        "metadata": {"name": "demo", "namespace": "default", "uid": "u-1"},
        "spec": {"version": version},
    }))
    .expect("a resource");
    validate(&cluster, "cluster.local").expect("a valid resource")
}

fn probe(version: &str, kind: &str) -> Value {
    let set = stateful_set::stateful_set(&wanted(version), 3, &Quantity("1Gi".to_owned()));
    set["spec"]["template"]["spec"]["containers"][0][kind]["httpGet"]["path"].clone()
}

#[test]
fn liveness_does_not_ask_for_quorum() {
    assert_eq!(probe("3.5.21", "livenessProbe"), "/livez");
    let old = probe("3.5.10", "livenessProbe");
    let old = old.as_str().expect("a path");
    assert!(old.contains("serializable=true"), "{old}");
}

#[test]
fn a_learner_is_never_ready() {
    // etcd's /readyz fails on learners (`non_learner`).
    assert_eq!(probe("3.5.21", "readinessProbe"), "/readyz");
    assert_eq!(probe("3.6.16", "readinessProbe"), "/readyz");
}

#[test]
fn names_are_published_before_members_are_ready() {
    let desired = wanted("3.5.21");
    assert_eq!(
        services::peer(&desired)["spec"]["publishNotReadyAddresses"],
        true
    );
    assert_eq!(
        services::client(&desired)["spec"]["publishNotReadyAddresses"],
        Value::Null
    );
}

#[test]
fn pods_of_a_cluster_are_not_those_of_an_earlier_one_of_its_name() {
    let desired = wanted("3.5.21");
    for service in [services::peer(&desired), services::client(&desired)] {
        assert_eq!(
            service["spec"]["selector"]["etcd.etcd.io/cluster-uid"],
            "u-1"
        );
    }
}
