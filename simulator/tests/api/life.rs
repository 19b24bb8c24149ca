//! The life of objects: revisions, generations, finalizers, grace, lists at a revision.

use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::kubernetes::api::{DeleteOptions, resource};

use crate::harness::{CONFIG_MAPS, Direct, PODS, STATEFUL_SETS, config_map, pod, stateful_set};

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn a_write_that_changes_nothing_makes_no_revision() {
    let mut api = Direct::new();
    let path = format!("{CONFIG_MAPS}/a");
    let first = api.must("POST", CONFIG_MAPS, &config_map("a", &json!({"a": "b"})));
    api.now += SignedDuration::from_secs(5);
    let same = api.must("PUT", &path, &config_map("a", &json!({"a": "b"})));
    assert_eq!(revision(&same), revision(&first));
    let same = api.must("PATCH", &path, &json!({"data": {"a": "b"}}));
    assert_eq!(revision(&same), revision(&first));
    let changed = api.must("PATCH", &path, &json!({"data": {"a": "c"}}));
    assert_eq!(revision(&changed), revision(&first) + 1);
}

#[test]
fn applying_twice_makes_no_revision_and_conflicts_name_the_other_manager() {
    let mut api = Direct::new();
    let path = format!("{CONFIG_MAPS}/a?fieldManager=one");
    let first = api.must("PATCH", &path, &config_map("a", &json!({"a": "b"})));
    api.now += SignedDuration::from_secs(5);
    let second = api.must("PATCH", &path, &config_map("a", &json!({"a": "b"})));
    assert_eq!(first, second);
    let other = format!("{CONFIG_MAPS}/a?fieldManager=two");
    assert_eq!(
        api.refused("PATCH", &other, &config_map("a", &json!({"a": "c"}))),
        (
            409,
            "Apply failed with 1 conflict: conflict with \"one\": .data.a".to_owned()
        )
    );
    let forced = api.must(
        "PATCH",
        &format!("{other}&force=true"),
        &config_map("a", &json!({"a": "c"})),
    );
    assert_eq!(forced["data"]["a"], "c");
    let (code, message) = api.refused(
        "PATCH",
        &path,
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "foo": 1}),
    );
    assert_eq!(
        (code, message.as_str()),
        (
            500,
            "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .foo: field not declared in schema"
        )
    );
}

#[test]
fn generation_counts_the_changes_of_the_desired_state_only() {
    let mut api = Direct::new();
    let path = format!("{STATEFUL_SETS}/s");
    let generation = |object: &Value| object["metadata"]["generation"].as_i64().unwrap();
    let made = api.must("POST", STATEFUL_SETS, &stateful_set("s"));
    assert_eq!(generation(&made), 1);
    let labelled = api.must("PATCH", &path, &json!({"metadata": {"labels": {"a": "b"}}}));
    assert_eq!(generation(&labelled), 1);
    let status = json!({"spec": {"replicas": 9}, "status": {"replicas": 3, "readyReplicas": 2}});
    let told = api.must("PATCH", &format!("{path}/status"), &status);
    assert_eq!(
        (generation(&told), &told["spec"]["replicas"]),
        (1, &json!(1))
    );
    assert_eq!(told["status"]["readyReplicas"], 2);
    let scaled = api.must(
        "PATCH",
        &path,
        &json!({"spec": {"replicas": 3}, "status": {"readyReplicas": 9}}),
    );
    assert_eq!(
        (generation(&scaled), &scaled["status"]["readyReplicas"]),
        (2, &json!(2))
    );
}

#[test]
fn scale_changes_replicas_and_nothing_else() {
    let mut api = Direct::new();
    api.must("POST", STATEFUL_SETS, &stateful_set("s"));
    let path = format!("{STATEFUL_SETS}/s/scale");
    let scale = api.must("PATCH", &path, &json!({"spec": {"replicas": 4}}));
    assert_eq!(
        (&scale["kind"], &scale["spec"]),
        (&json!("Scale"), &json!({"replicas": 4}))
    );
    assert_eq!(scale["status"], json!({"replicas": 0, "selector": "app=s"}));
    assert_eq!(
        api.get(&format!("{STATEFUL_SETS}/s"))["spec"]["replicas"],
        4
    );
    let (code, message) = api.refused("PATCH", &path, &json!({"spec": {"replicas": -1}}));
    assert_eq!(
        (code, message.as_str()),
        (
            422,
            "Scale.autoscaling \"s\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
        )
    );
}

#[test]
fn finalizers_hold_an_object_until_the_last_is_gone() {
    let mut api = Direct::new();
    let mut map = config_map("f", &json!({}));
    map["metadata"]["finalizers"] = json!(["a.b/c"]);
    api.must("POST", CONFIG_MAPS, &map);
    let path = format!("{CONFIG_MAPS}/f");
    let marked = api.must("DELETE", &path, &Value::Null);
    assert_eq!(
        marked["metadata"]["deletionTimestamp"],
        "2026-01-01T00:00:00Z"
    );
    api.now += SignedDuration::from_secs(5);
    assert_eq!(api.must("DELETE", &path, &Value::Null), marked);
    let more = json!({"metadata": {"finalizers": ["a.b/c", "a.b/d"]}});
    assert_eq!(
        api.refused("PATCH", &path, &more).1,
        "ConfigMap \"f\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"a.b/d\"}"
    );
    api.must("PATCH", &path, &json!({"metadata": {"finalizers": null}}));
    assert_eq!(api.ask("GET", &path, &Value::Null).code, 404);
}

#[test]
fn propagation_is_written_into_finalizers() {
    let mut api = Direct::new();
    for (policy, finalizers) in [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")] {
        api.must("POST", STATEFUL_SETS, &stateful_set("s"));
        let path = format!("{STATEFUL_SETS}/s");
        let marked = api.must("DELETE", &path, &json!({"propagationPolicy": policy}));
        assert_eq!(marked["metadata"]["finalizers"], json!([finalizers]));
        assert_eq!(marked["metadata"]["generation"], 2);
        let gone = api.must("DELETE", &path, &json!({"propagationPolicy": "Background"}));
        assert_eq!(gone["status"], "Success");
    }
}

#[test]
fn a_bound_pod_gets_its_grace_and_goes_with_the_final_delete() {
    let mut api = Direct::new();
    api.must("POST", PODS, &pod("p"));
    let now = api.now;
    api.api
        .bind(now, "scheduler", ("default", "p"), "node-1")
        .unwrap();
    let again = api
        .api
        .bind(now, "scheduler", ("default", "p"), "node-2")
        .unwrap_err();
    assert_eq!(
        again.message,
        "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"node-1\""
    );
    let path = format!("{PODS}/p");
    let marked = api.must("DELETE", &path, &Value::Null);
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 30);
    assert_eq!(
        marked["metadata"]["deletionTimestamp"],
        "2026-01-01T00:00:30Z"
    );
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        ..DeleteOptions::default()
    };
    api.api
        .delete(now, "kubelet", &resource::PODS, "default", "p", &options)
        .unwrap();
    assert_eq!(api.ask("GET", &path, &Value::Null).code, 404);
}

#[test]
fn a_pod_without_a_node_goes_at_once() {
    let mut api = Direct::new();
    api.must("POST", PODS, &pod("p"));
    api.must("DELETE", &format!("{PODS}/p"), &Value::Null);
    assert_eq!(api.ask("GET", &format!("{PODS}/p"), &Value::Null).code, 404);
}

#[test]
fn a_namespace_that_is_being_deleted_takes_nothing_new() {
    let mut api = Direct::new();
    let namespaces = "/api/v1/namespaces";
    let made = api.must("POST", namespaces, &json!({"metadata": {"name": "n"}}));
    assert_eq!(
        made["metadata"]["labels"],
        json!({"kubernetes.io/metadata.name": "n"})
    );
    let accounts = api.get("/api/v1/namespaces/n/serviceaccounts");
    assert_eq!(accounts["items"][0]["metadata"]["name"], "default");
    let marked = api.must("DELETE", "/api/v1/namespaces/n", &Value::Null);
    assert_eq!(marked["status"]["phase"], "Terminating");
    assert_eq!(
        api.refused("POST", "/api/v1/namespaces/n/configmaps", &config_map("a", &json!({}))),
        (403, "configmaps \"a\" is forbidden: unable to create new content in namespace n because it is being terminated".to_owned())
    );
    let finalized = json!({"metadata": {"name": "n"}, "spec": {"finalizers": []}});
    api.must("PUT", "/api/v1/namespaces/n/finalize", &finalized);
    assert_eq!(
        api.ask("GET", "/api/v1/namespaces/n", &Value::Null).code,
        404
    );
}

#[test]
fn lists_come_in_portions_that_all_show_one_revision() {
    let mut api = Direct::new();
    for name in ["a", "b", "c", "d", "e"] {
        api.must("POST", CONFIG_MAPS, &config_map(name, &json!({"v": "1"})));
    }
    let first = api.get(&format!("{CONFIG_MAPS}?limit=2"));
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    api.must("DELETE", &format!("{CONFIG_MAPS}/d"), &Value::Null);
    api.must(
        "PATCH",
        &format!("{CONFIG_MAPS}/c"),
        &json!({"data": {"v": "2"}}),
    );
    let mut seen: Vec<Value> = first["items"].as_array().unwrap().clone();
    let mut next = first["metadata"]["continue"].as_str().map(str::to_owned);
    while let Some(token) = next {
        let portion = api.get(&format!("{CONFIG_MAPS}?limit=2&continue={token}"));
        assert_eq!(
            portion["metadata"]["resourceVersion"],
            first["metadata"]["resourceVersion"]
        );
        seen.extend(portion["items"].as_array().unwrap().clone());
        next = portion["metadata"]["continue"].as_str().map(str::to_owned);
    }
    let names: Vec<&str> = seen
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    assert_eq!(seen[2]["data"]["v"], "1");
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    let latest = api.api.revision();
    api.api.compact(latest);
    assert_eq!(
        api.ask(
            "GET",
            &format!("{CONFIG_MAPS}?continue={token}"),
            &Value::Null
        )
        .code,
        410
    );
}

#[test]
fn the_same_seed_makes_the_same_names_and_uids() {
    let made = || {
        let mut api = Direct::new();
        let mut map = config_map("", &json!({}));
        map["metadata"]["generateName"] = "x-".into();
        api.must("POST", CONFIG_MAPS, &map)
    };
    assert_eq!(made(), made());
    assert!(
        made()["metadata"]["name"]
            .as_str()
            .unwrap()
            .starts_with("x-")
    );
}
