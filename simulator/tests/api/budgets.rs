//! Eviction under disruption budgets.

use serde_json::{Value, json};
use simulator::kubernetes::api::resource;

use crate::harness::{Direct, PODS, pod};

const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";

fn with_running_pod() -> Direct {
    let mut api = Direct::new();
    api.must("POST", PODS, &pod("p"));
    let now = api.now;
    api.api
        .bind(now, "scheduler", ("default", "p"), "node-1")
        .unwrap();
    let status = json!({"status": {
        "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
    }});
    api.must("PATCH", &format!("{PODS}/p/status"), &status);
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "demo"}}},
    });
    api.must("POST", BUDGETS, &budget);
    api
}

fn evict(api: &mut Direct) -> (u16, Value) {
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}});
    let reply = api.ask("POST", &format!("{PODS}/p/eviction"), &eviction);
    (reply.code, reply.value())
}

fn counted(api: &mut Direct, allowed: i64) {
    let status = json!({"status": {
        "observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 1 + allowed,
        "desiredHealthy": 1, "expectedPods": 1 + allowed,
    }});
    api.must("PATCH", &format!("{BUDGETS}/b/status"), &status);
}

#[test]
fn a_budget_that_nobody_has_counted_yet_refuses_for_now() {
    let mut api = with_running_pod();
    let (code, refusal) = evict(&mut api);
    assert_eq!(code, 429);
    assert_eq!(refusal["details"]["retryAfterSeconds"], 10);
    assert_eq!(
        refusal["details"]["causes"][0]["message"],
        "The disruption budget b is still being processed by the server."
    );
}

#[test]
fn a_spent_budget_refuses_and_says_what_it_needs() {
    let mut api = with_running_pod();
    counted(&mut api, 0);
    let (code, refusal) = evict(&mut api);
    assert_eq!(code, 429);
    assert_eq!(
        refusal["message"],
        "Cannot evict pod as it would violate the pod's disruption budget."
    );
    assert_eq!(
        refusal["details"]["causes"][0]["message"],
        "The disruption budget b needs 1 healthy pods and has 1 currently"
    );
    let pod = api.get(&format!("{PODS}/p"));
    assert_eq!(pod["metadata"].get("deletionTimestamp"), None);
}

#[test]
fn an_eviction_spends_from_the_budget_and_deletes_with_grace() {
    let mut api = with_running_pod();
    counted(&mut api, 1);
    assert_eq!(evict(&mut api).0, 201);
    let budget = api
        .api
        .get(&resource::POD_DISRUPTION_BUDGETS, "default", "b")
        .unwrap();
    assert_eq!(budget["status"]["disruptionsAllowed"], 0);
    assert_eq!(
        budget["status"]["disruptedPods"]["p"],
        "2026-01-01T00:00:00Z"
    );
    let pod = api.get(&format!("{PODS}/p"));
    assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 30);
}
