//! What the server knows about particular kinds.
//!
//! Owns: which rule applies to which kind.
//! Always holds: a kind that is not named here is treated as plain `metadata`, `spec` and `status`.
//! Deliberately does not know: custom kinds' schemas.

use serde_json::{Map, Value, json};

use super::{
    ApiError, Resource,
    metadata::{self, set},
    names,
};

/// What is wrong with a name for this kind.
pub(super) fn check_name(r: &Resource, name: &str) -> Option<String> {
    match r.id.as_ref() {
        "namespaces" => names::label(name),
        "services" => names::label_1035(name),
        id if id.ends_with("rbac.authorization.k8s.io") => names::path_segment(name),
        _ => names::subdomain(name),
    }
}

/// Gives a new object the state that only the server may set.
pub(super) fn prepare_create(r: &Resource, object: &mut Value) {
    let fields = metadata::fields(object);
    if r.status {
        fields.remove("status");
    }
    match r.id.as_ref() {
        "namespaces" => {
            fields.insert("spec".into(), json!({"finalizers": ["kubernetes"]}));
            fields.insert("status".into(), json!({"phase": "Active"}));
        }
        "pods" | "persistentvolumeclaims" | "persistentvolumes" => {
            fields.insert("status".into(), json!({"phase": "Pending"}));
        }
        _ => {}
    }
}

/// Keeps what a write through this subresource may not touch.
pub(super) fn prepare_update(
    r: &Resource,
    subresource: &str,
    object: &mut Value,
    live: &Value,
) -> Result<(), ApiError> {
    let keep = |fields: &mut Map<String, Value>, name: &str| {
        set(fields, name, live.get(name).cloned());
    };
    let fields = metadata::fields(object);
    match subresource {
        "" => {
            if r.status {
                keep(fields, "status");
            }
            if r.id == "namespaces" {
                keep(fields, "spec");
            }
        }
        "status" if r.status => {
            let others: Vec<String> = fields
                .keys()
                .chain(live.as_object().into_iter().flat_map(Map::keys))
                .cloned()
                .collect();
            for name in others {
                if !matches!(name.as_str(), "metadata" | "status") {
                    keep(fields, &name);
                }
            }
        }
        "finalize" if r.id == "namespaces" => keep(fields, "status"),
        "binding" if r.id == "pods" => {}
        _ => return Err(ApiError::unknown_path()),
    }
    Ok(())
}

/// Whether the part that `metadata.generation` counts is different.
pub(super) fn desired_state_changed(_r: &Resource, object: &Value, live: &Value) -> bool {
    let desired = |object: &Value| {
        let mut fields = object.as_object().cloned().unwrap_or_default();
        for other in ["apiVersion", "kind", "metadata", "status"] {
            fields.remove(other);
        }
        fields
    };
    desired(object) != desired(live)
}

/// Whether an object that is marked for deletion and has no finalizers may go.
pub(super) fn may_go(r: &Resource, object: &Value) -> bool {
    let held = object["spec"]["finalizers"]
        .as_array()
        .is_some_and(|held| !held.is_empty());
    r.id != "namespaces" || !held
}

/// How long an object gets to stop.
pub(super) fn grace(r: &Resource, live: &Value, asked: Option<i64>) -> i64 {
    if r.id != "pods" {
        return 0;
    }
    let unbound = live["spec"]["nodeName"].as_str().is_none_or(str::is_empty);
    let ended = matches!(
        live["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed")
    );
    if unbound || ended {
        return 0;
    }
    let own = live["spec"]["terminationGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(30);
    let grace = asked.unwrap_or(own);
    if grace < 0 { 1 } else { grace }
}

/// Refuses to delete what a cluster cannot be without.
pub(super) fn check_delete(r: &Resource, name: &str) -> Result<(), ApiError> {
    if r.id == "namespaces" && ["default", "kube-system", "kube-public"].contains(&name) {
        return Err(ApiError::forbidden(
            r,
            name,
            "this namespace may not be deleted",
        ));
    }
    Ok(())
}
