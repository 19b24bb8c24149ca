//! The operator's roles allow what it does, and nothing that it has no use for.

mod stage;

use std::{collections::BTreeSet, fs, time::Duration};

use serde_json::{Value, json};
use simulator::{determinism::simulate, world::Access};
use stage::{Stage, options};
use tokio::time::sleep;

/// Granted, and not seen in the walk below.
const WITHOUT_A_CALL: [(&str, &str); 4] = [
    (
        "delete statefulsets.apps",
        "it is made anew around its pods when new volumes are to be larger",
    ),
    (
        "delete pods.",
        "a pod that outlives its member or its template is restarted",
    ),
    (
        "update etcdclusters/finalizers.etcd.etcd.io",
        "where OwnerReferencesPermissionEnforcement is on, an owner reference that blocks the \
         owner's deletion needs it; nothing is called",
    ),
    (
        "patch events.events.k8s.io",
        "an event that comes again within minutes is counted up",
    ),
];

/// `verb resource.group` of every rule in the roles of the manifest.
fn granted() -> BTreeSet<String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../kind-config/operator/operator.yaml"
    );
    let text = fs::read_to_string(path).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let roles = documents
        .iter()
        .filter(|it| it["kind"] == "ClusterRole" || it["kind"] == "Role");
    let rules = roles.flat_map(|role| role["rules"].as_array().unwrap());
    let mut granted = BTreeSet::new();
    for rule in rules {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                for verb in words(&rule["verbs"]) {
                    granted.insert(format!("{verb} {resource}.{group}"));
                }
            }
        }
    }
    granted
}

fn words(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter().map(|it| it.as_str().unwrap()).collect()
}

fn name(access: &Access) -> String {
    format!("{} {}.{}", access.verb, access.resource, access.group)
}

/// A life with everything in it that makes the operator write.
async fn used(stage: &Stage) -> BTreeSet<Access> {
    let operator = stage.operator("only");
    stage.create("demo", 3).await;
    stage.until_ready(3).await;
    for size in [5, 3] {
        stage.scale(size).await;
        stage.until_ready(u64::from(size)).await;
    }
    stage
        .edit(json!({
            "storage": {"size": "2Gi"},
            "resources": {"limits": {"memory": "256Mi"}},
        }))
        .await;
    sleep(Duration::from_secs(60)).await;
    stage.until_ready(3).await;
    stage.damage().await;
    sleep(Duration::from_secs(5)).await;
    stage.until_ready(3).await;
    operator.restart(options("only"));
    stage.scale(0).await;
    stage.until_phase("Stopped").await;
    stage.scale(3).await;
    stage.until_ready(3).await;
    stage.delete("demo").await;
    sleep(Duration::from_secs(30)).await;
    operator.stop();
    sleep(Duration::from_secs(5)).await;
    operator.counter().calls().accesses
}

#[test]
fn the_roles_allow_what_the_operator_does_and_no_more() {
    simulate(20, async |simulation| {
        let stage = Stage::set(&simulation).await;
        let used: BTreeSet<String> = used(&stage).await.iter().map(name).collect();
        let granted = granted();
        let missing: Vec<_> = used.difference(&granted).collect();
        assert!(missing.is_empty(), "the roles lack {missing:?}");
        let explained: BTreeSet<String> = WITHOUT_A_CALL
            .iter()
            .map(|(access, _)| (*access).to_owned())
            .collect();
        let spare: Vec<_> = granted
            .difference(&used)
            .filter(|access| !explained.contains(*access))
            .collect();
        assert!(spare.is_empty(), "the roles grant without need {spare:?}");
    })
    .unwrap();
}
