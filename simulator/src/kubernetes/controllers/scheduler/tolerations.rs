//! Taints of nodes and the pods that tolerate them.
//!
//! Owns: whether, and for how long, a pod tolerates a taint.
//! Always holds: a pod that says nothing about silent nodes stands them for 300 seconds, which is
//! what the server's admission writes into every pod.
//! Deliberately does not know: who set the taint.

use serde_json::Value;

use crate::kubernetes::controllers::object::Meta;

const SILENT: [&str; 2] = [
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/not-ready",
];
const DEFAULT_SECONDS: i64 = 300;

/// How long a pod stands a taint that evicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerated {
    /// Not at all.
    Never,
    /// For so many seconds after the taint was set.
    Seconds(i64),
    /// As long as it is there.
    Forever,
}

/// How long the pod stands a taint with effect `NoExecute`.
#[must_use]
pub fn tolerated_for(pod: &Value, taint: &Value) -> Tolerated {
    let matching: Vec<&Value> = pod
        .items("/spec/tolerations")
        .iter()
        .filter(|toleration| tolerates(toleration, taint))
        .collect();
    if matching.is_empty() {
        let silent = taint["key"]
            .as_str()
            .is_some_and(|key| SILENT.contains(&key));
        return if silent {
            Tolerated::Seconds(DEFAULT_SECONDS)
        } else {
            Tolerated::Never
        };
    }
    let seconds = matching
        .iter()
        .filter_map(|toleration| toleration["tolerationSeconds"].as_i64());
    seconds.min().map_or(Tolerated::Forever, |seconds| {
        Tolerated::Seconds(seconds.max(0))
    })
}

/// Whether the pod may be put on a node with this taint.
#[must_use]
pub fn admits(pod: &Value, taint: &Value) -> bool {
    taint["effect"] == "PreferNoSchedule"
        || pod
            .items("/spec/tolerations")
            .iter()
            .any(|toleration| tolerates(toleration, taint))
}

fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let unset_or_equal = |field: &str| {
        toleration[field].as_str().is_none_or(str::is_empty) || toleration[field] == taint[field]
    };
    if !unset_or_equal("effect") || !unset_or_equal("key") {
        return false;
    }
    match toleration["operator"].as_str() {
        Some("Exists") => true,
        _ => toleration["key"] == taint["key"] && toleration.text("/value") == taint.text("/value"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(tolerations: Value) -> Value {
        json!({"spec": {"tolerations": tolerations}})
    }

    #[test]
    fn a_silent_node_is_tolerated_for_300_seconds_unless_the_pod_says_otherwise() {
        let taint = json!({"key": SILENT[0], "effect": "NoExecute"});
        assert_eq!(
            tolerated_for(&pod(json!([])), &taint),
            Tolerated::Seconds(300)
        );
        let short = json!([{"key": SILENT[0], "operator": "Exists", "tolerationSeconds": 5}]);
        assert_eq!(tolerated_for(&pod(short), &taint), Tolerated::Seconds(5));
        assert_eq!(
            tolerated_for(&pod(json!([{"operator": "Exists"}])), &taint),
            Tolerated::Forever
        );
        let other = json!({"key": "gpu", "effect": "NoExecute"});
        assert_eq!(tolerated_for(&pod(json!([])), &other), Tolerated::Never);
    }

    #[test]
    fn key_value_and_effect_must_fit() {
        let taint = json!({"key": "disk", "value": "slow", "effect": "NoSchedule"});
        for (toleration, fits) in [
            (json!({"key": "disk", "value": "slow"}), true),
            (json!({"key": "disk", "value": "fast"}), false),
            (json!({"key": "disk", "operator": "Exists"}), true),
            (
                json!({"key": "disk", "operator": "Exists", "effect": "NoExecute"}),
                false,
            ),
            (json!({"operator": "Exists"}), true),
        ] {
            assert_eq!(admits(&pod(json!([toleration])), &taint), fits);
        }
        let soft = json!({"key": "disk", "effect": "PreferNoSchedule"});
        assert!(admits(&pod(json!([])), &soft));
    }
}
