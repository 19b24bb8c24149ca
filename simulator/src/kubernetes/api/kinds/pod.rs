//! What admission and creation do to a pod.
//!
//! Owns: the service account, priority, tolerations of node failures, quality of service.
//! Always holds: a pod that was admitted names a service account that exists.
//! Deliberately does not know: service account tokens; no volume with one is added.

use serde_json::{Value, json};

use super::{fields, fill, items};
use crate::kubernetes::api::{
    ApiError, ApiServer, Resource, metadata, quantity, resource::SERVICE_ACCOUNTS,
};

/// Taints of a node in trouble; a pod stays this many seconds unless it says otherwise.
const NODE_TROUBLE: [&str; 2] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
];
const STAY_SECONDS: i64 = 300;

/// Adds what admission adds.
pub(super) fn admit(api: &ApiServer, r: &Resource, pod: &mut Value) -> Result<(), ApiError> {
    let (namespace, name) = (
        metadata::namespace(pod).to_owned(),
        metadata::name(pod).to_owned(),
    );
    let spec = fields(&mut pod["spec"]);
    fill(spec, "serviceAccountName", "default");
    let account = spec["serviceAccountName"].clone();
    fill(spec, "serviceAccount", account.clone());
    let account = account.as_str().unwrap_or_default();
    if api.get(&SERVICE_ACCOUNTS, &namespace, account).is_none() {
        let why = format!(
            "error looking up service account {namespace}/{account}: serviceaccount {account:?} not found"
        );
        return Err(ApiError::forbidden(r, &name, why));
    }
    fill(spec, "priority", 0);
    fill(spec, "preemptionPolicy", "PreemptLowerPriority");
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Value::Array(tolerations) = tolerations else {
        return Ok(());
    };
    for key in NODE_TROUBLE {
        if !tolerations
            .iter()
            .any(|toleration| tolerates(toleration, key))
        {
            tolerations.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": STAY_SECONDS,
            }));
        }
    }
    Ok(())
}

fn tolerates(toleration: &Value, key: &str) -> bool {
    let text = |field: &str| toleration[field].as_str().unwrap_or_default();
    (text("key").is_empty() || text("key") == key) && matches!(text("effect"), "" | "NoExecute")
}

/// The status that a new pod has.
pub(super) fn initial_status(pod: &Value) -> Value {
    json!({"phase": "Pending", "qosClass": quality(&pod["spec"])})
}

/// The quality-of-service class, from requests and limits of all containers.
fn quality(spec: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    for container in items(&spec["containers"]).chain(items(&spec["initContainers"])) {
        for name in ["cpu", "memory"] {
            let amount = |list: &str| {
                let text = container["resources"][list][name].as_str();
                text.and_then(quantity::nanos).filter(|amount| *amount > 0)
            };
            let (request, limit) = (amount("requests"), amount("limits"));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_follows_requests_and_limits() {
        let spec = |resources: Value| json!({"containers": [{"resources": resources}]});
        for (resources, expected) in [
            (json!({}), "BestEffort"),
            (json!({"requests": {"cpu": "1"}}), "Burstable"),
            (
                json!({"limits": {"cpu": "1", "memory": "1Gi"}}),
                "Guaranteed",
            ),
            (
                json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m"}}),
                "Guaranteed",
            ),
            (
                json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1m"}}),
                "Burstable",
            ),
        ] {
            assert_eq!(quality(&spec(resources.clone())), expected, "{resources}");
        }
    }
}
