//! Which edits of an EtcdCluster the API server takes, by the rules of its real definition.

use serde_json::{Value, json};

use crate::harness::Direct;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const CLUSTERS: &str = "/apis/etcd.etcd.io/v1alpha1/namespaces/default/etcdclusters";
const DEMO: &str = "/apis/etcd.etcd.io/v1alpha1/namespaces/default/etcdclusters/demo";

fn cluster(spec: Value) -> Value {
    json!({
        "apiVersion": "etcd.etcd.io/v1alpha1", "kind": "EtcdCluster",
        "metadata": {"name": "demo"}, "spec": spec,
    })
}

/// A cluster of which members have run this version, with volumes of this size.
fn having_run(version: &str, volume_size: &str) -> Direct {
    let mut api = Direct::new();
    api.must("POST", DEFINITIONS, &json!(operator::crd()));
    let spec = json!({"version": version, "storage": {"size": volume_size}});
    api.must("POST", CLUSTERS, &cluster(spec));
    record(&mut api, version, volume_size);
    api
}

fn record(api: &mut Direct, version: &str, volume_size: &str) {
    let mut stored = api.get(DEMO);
    stored["status"] = json!({"version": version, "volumeSize": volume_size});
    api.must("PUT", &format!("{DEMO}/status"), &stored);
}

/// Sets a field of the spec as a user would. The refusal, if there is one.
fn set(api: &mut Direct, path: &[&str], value: &Value) -> Result<(), String> {
    let mut stored = api.get(DEMO);
    let field = path
        .iter()
        .fold(&mut stored["spec"], |at, name| &mut at[*name]);
    *field = value.clone();
    let reply = api.ask("PUT", DEMO, &stored);
    match reply.value()["message"].as_str() {
        Some(message) if reply.code >= 400 => Err(message.to_owned()),
        _ => Ok(()),
    }
}

#[track_caller]
fn refused(result: Result<(), String>, why: &str) {
    let message = result.expect_err("the edit should have been refused");
    assert!(message.contains(why), "{message}");
}

#[test]
fn a_version_goes_up_and_never_below_what_has_run() {
    let mut api = having_run("3.5.21", "1Gi");
    assert_eq!(set(&mut api, &["version"], &json!("3.5.30")), Ok(()));
    // It never ran, so it can be taken back.
    assert_eq!(set(&mut api, &["version"], &json!("3.5.22")), Ok(()));
    assert_eq!(set(&mut api, &["version"], &json!("3.5.30")), Ok(()));
    record(&mut api, "3.5.30", "1Gi");
    refused(
        set(&mut api, &["version"], &json!("3.5.21")),
        "cannot go below status.version",
    );
    assert_eq!(set(&mut api, &["version"], &json!("3.6.16")), Ok(()));
    record(&mut api, "3.6.16", "1Gi");
    refused(
        set(&mut api, &["version"], &json!("3.5.30")),
        "cannot go below status.version",
    );
}

#[test]
fn etcd_3_6_follows_only_a_3_5_that_is_ready_for_it() {
    let mut api = having_run("3.5.19", "1Gi");
    refused(
        set(&mut api, &["version"], &json!("3.6.16")),
        "3.5.20 or later",
    );
    assert_eq!(set(&mut api, &["version"], &json!("3.5.20")), Ok(()));
    refused(
        set(&mut api, &["version"], &json!("3.6.16")),
        "3.5.20 or later",
    );
    record(&mut api, "3.5.20", "1Gi");
    assert_eq!(set(&mut api, &["version"], &json!("3.6.16")), Ok(()));
}

#[test]
fn a_recovered_cluster_goes_to_3_6_from_a_later_3_5() {
    let mut api = having_run("3.5.25", "1Gi");
    let mut stored = api.get(DEMO);
    stored["status"]["recoveries"] = json!(1);
    api.must("PUT", &format!("{DEMO}/status"), &stored);
    refused(
        set(&mut api, &["version"], &json!("3.6.16")),
        "3.5.26 when quorum was ever recovered",
    );
}

#[test]
fn what_a_status_says_is_never_refused_for_the_spec() {
    let mut api = having_run("3.5.21", "1Gi");
    record(&mut api, "3.6.16", "2Gi");
    record(&mut api, "3.5.21", "1Gi");
}

#[test]
fn volumes_grow_and_never_below_what_they_have() {
    let mut api = having_run("3.5.21", "1Gi");
    let size = ["storage", "size"];
    assert_eq!(set(&mut api, &size, &json!("2Gi")), Ok(()));
    // No volume has it yet, so it can be taken back.
    assert_eq!(set(&mut api, &size, &json!("1024Mi")), Ok(()));
    refused(set(&mut api, &size, &json!("1G")), "volumes do not shrink");
}

#[test]
fn members_are_configured_within_bounds() {
    let mut api = having_run("3.5.21", "1Gi");
    let edits = [
        (
            ["options", "quotaBackendBytes"],
            json!(4_294_967_296_i64),
            None,
        ),
        (
            ["options", "quotaBackendBytes"],
            json!(1),
            Some("greater than or equal to 1048576"),
        ),
        (["options", "heartbeatIntervalMs"], json!(200), None),
        (
            ["options", "heartbeatIntervalMs"],
            json!(300),
            Some("at least 5 times"),
        ),
        (["options", "electionTimeoutMs"], json!(1500), None),
        (["options", "heartbeatIntervalMs"], json!(300), None),
        (["options", "autoCompactionRetention"], json!("30m"), None),
        (
            ["options", "autoCompactionMode"],
            json!("revision"),
            Some("must be a number of revisions"),
        ),
        (
            ["options", "autoCompactionRetention"],
            json!("one hour"),
            Some("should match"),
        ),
        (
            ["options", "logLevel"],
            json!("loud"),
            Some("Unsupported value"),
        ),
    ];
    for (path, value, why) in edits {
        let result = set(&mut api, &path, &value);
        match why {
            None => assert_eq!(result, Ok(()), "{path:?} {value}"),
            Some(why) => refused(result, why),
        }
    }
}

#[test]
fn pods_are_shaped_but_their_identity_is_not() {
    let mut api = having_run("3.5.21", "1Gi");
    let taken = [
        (
            ["podTemplate", "metadata"],
            json!({"labels": {"team": "a", "app.kubernetes.io/component": "store"}}),
        ),
        (["podTemplate", "nodeSelector"], json!({"disk": "ssd"})),
        (
            ["podTemplate", "tolerations"],
            json!([{"key": "dedicated", "operator": "Exists"}]),
        ),
        (["podTemplate", "affinity"], json!({"nodeAffinity": {}})),
        (
            ["podTemplate", "imagePullSecrets"],
            json!([{"name": "registry"}]),
        ),
    ];
    for (path, value) in taken {
        assert_eq!(set(&mut api, &path, &value), Ok(()), "{path:?}");
    }
    let label = json!({"labels": {"app.kubernetes.io/instance": "other"}});
    refused(
        set(&mut api, &["podTemplate", "metadata"], &label),
        "choose other keys",
    );
    let annotation = json!({"annotations": {"etcd.etcd.io/template-hash": "x"}});
    refused(
        set(&mut api, &["podTemplate", "metadata"], &annotation),
        "set by the operator",
    );
    let affinity = json!({"nodeAffinity": "yes"});
    refused(
        set(&mut api, &["podTemplate", "affinity"], &affinity),
        "must be of type object",
    );
}

#[test]
fn a_new_cluster_says_what_it_was_given_by_default() {
    let mut api = Direct::new();
    api.must("POST", DEFINITIONS, &json!(operator::crd()));
    let stored = api.must("POST", CLUSTERS, &cluster(json!({})));
    let spec = &stored["spec"];
    assert_eq!(
        spec["resources"]["requests"],
        json!({"cpu": "100m", "memory": "128Mi"})
    );
    assert_eq!(spec["storage"]["size"], json!("1Gi"));
    assert_eq!(spec["size"], json!(3));
}
