//! What the server knows about particular kinds.
//!
//! Owns: which rule applies to which kind, at which step of a write.
//! Always holds: the steps are those of a real server, in its order: defaults, (ownership of
//! fields is noted,) admission, preparation, validation.
//! Deliberately does not know: custom kinds' schemas.

mod account;
mod claim;
mod data;
mod definition;
mod metadata_rules;
mod pod;
mod pod_defaults;
mod pod_rules;
mod policy;
mod service;
mod workload;

use serde_json::{Map, Value, json};

use super::{
    ApiError, ApiServer, Cause, Resource,
    metadata::{self, fields, set},
    names,
};

pub(super) use data::base64;
pub(super) use definition::{CLEANUP, accepted};
pub(super) use service::addresses;

/// What is wrong with a name for this kind.
pub(super) fn check_name(r: &Resource, name: &str) -> Option<String> {
    match r.id.as_ref() {
        "namespaces" | "statefulsets.apps" => names::label(name),
        "services" => names::label_1035(name),
        id if id.ends_with("rbac.authorization.k8s.io") => names::path_segment(name),
        _ => names::subdomain(name),
    }
}

/// Fills in what the kind says for absent fields.
pub(super) fn default(r: &Resource, object: &mut Value) {
    match r.id.as_ref() {
        "pods" => pod_defaults::pod(object),
        "statefulsets.apps" => workload::default_stateful_set(object),
        "deployments.apps" => workload::default_deployment(object),
        "replicasets.apps" => workload::default_replica_set(object),
        "services" => service::default(object),
        "persistentvolumeclaims" => claim::default(object),
        "persistentvolumes" => claim::default_volume(object),
        "storageclasses.storage.k8s.io" => claim::default_class(object),
        "secrets" => data::default_secret(object),
        "namespaces" => account::default_namespace(object),
        "endpoints" | "endpointslices.discovery.k8s.io" => service::default_endpoints(object),
        "events" => account::default_event(r, object),
        "rolebindings.rbac.authorization.k8s.io"
        | "clusterrolebindings.rbac.authorization.k8s.io" => account::default_binding(object),
        "customresourcedefinitions.apiextensions.k8s.io" => definition::default(object),
        _ => {}
    }
}

/// What admission adds to a new object, or refuses. Nobody owns these fields.
pub(super) fn admit(api: &ApiServer, r: &Resource, object: &mut Value) -> Result<(), ApiError> {
    match r.id.as_ref() {
        "pods" => pod::admit(api, r, object),
        "persistentvolumeclaims" => {
            claim::admit(api, object);
            Ok(())
        }
        "persistentvolumes" => {
            claim::protect(object, "kubernetes.io/pv-protection");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Gives a new object the state that only the server may set.
pub(super) fn prepare_create(r: &Resource, object: &mut Value) {
    let fields = fields(object);
    if r.status {
        fields.remove("status");
    }
    let status = match r.id.as_ref() {
        "pods" => pod::initial_status(object),
        "namespaces" => {
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            json!({"phase": "Active"})
        }
        "persistentvolumeclaims" | "persistentvolumes" => json!({"phase": "Pending"}),
        "statefulsets.apps" => json!({"replicas": 0, "availableReplicas": 0}),
        "replicasets.apps" => json!({"replicas": 0}),
        "deployments.apps" => json!({}),
        "services" => json!({"loadBalancer": {}}),
        "poddisruptionbudgets.policy" => json!({
            "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
        }),
        _ => return,
    };
    object["status"] = status;
}

/// Keeps what a write through this subresource may not touch.
pub(super) fn prepare_update(
    r: &Resource,
    subresource: &str,
    object: &mut Value,
    live: &Value,
    custom: bool,
) -> Result<(), ApiError> {
    let keep = |fields: &mut Map<String, Value>, name: &str| {
        set(fields, name, live.get(name).cloned());
    };
    let fields = fields(object);
    match subresource {
        "" => {
            if r.status {
                keep(fields, "status");
            }
            match r.id.as_ref() {
                "namespaces" => keep(fields, "spec"),
                "services" => service::keep_allocated(object, live),
                _ => {}
            }
        }
        "status" if r.status => {
            let names = fields
                .keys()
                .chain(live.as_object().into_iter().flat_map(Map::keys));
            let others: Vec<String> = names
                .filter(|name| !matches!(name.as_str(), "metadata" | "status"))
                .cloned()
                .collect();
            for name in others {
                keep(fields, &name);
            }
            if custom {
                let managed = fields
                    .get("metadata")
                    .and_then(|own| own.get("managedFields"));
                let managed = managed.cloned();
                keep(fields, "metadata");
                set(metadata::of(object), "managedFields", managed);
            }
        }
        "finalize" if r.id == "namespaces" => keep(fields, "status"),
        "binding" if r.id == "pods" => {}
        _ => return Err(ApiError::unknown_path()),
    }
    Ok(())
}

/// What is wrong with an object, whatever it was before.
pub(super) fn validate(r: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = metadata_rules::validate(r, object);
    causes.extend(match r.id.as_ref() {
        "pods" => pod_rules::validate(&object["spec"], "spec"),
        "statefulsets.apps" => workload::validate_stateful_set(object),
        "deployments.apps" | "replicasets.apps" => workload::validate_deployment(object),
        "services" => service::validate(object),
        "persistentvolumeclaims" => claim::validate(object),
        "configmaps" | "secrets" => data::validate(object),
        "poddisruptionbudgets.policy" => policy::validate_budget(object),
        "leases.coordination.k8s.io" => policy::validate_lease(object),
        "events" => account::validate_event(r, object),
        "customresourcedefinitions.apiextensions.k8s.io" => definition::validate(object),
        _ => Vec::new(),
    });
    causes
}

/// What is wrong with the status of an object.
pub(super) fn validate_status(r: &Resource, object: &Value) -> Vec<Cause> {
    match r.id.as_ref() {
        "statefulsets.apps" => workload::validate_stateful_set_status(&object["status"]),
        _ => Vec::new(),
    }
}

/// What is wrong with an object given what it was before.
pub(super) fn validate_update(r: &Resource, object: &Value, live: &Value) -> Vec<Cause> {
    match r.id.as_ref() {
        "pods" => pod_rules::validate_update(object, live),
        "statefulsets.apps" => workload::validate_stateful_set_update(object, live),
        "deployments.apps" | "replicasets.apps" => workload::validate_selector(object, live),
        "services" => service::validate_update(object, live),
        "persistentvolumeclaims" => claim::validate_update(object, live),
        "configmaps" | "secrets" => data::validate_update(r, object, live),
        "customresourcedefinitions.apiextensions.k8s.io" => {
            definition::validate_update(object, live)
        }
        _ => Vec::new(),
    }
}

/// What admission has against a change.
pub(super) fn admit_update(
    api: &ApiServer,
    r: &Resource,
    object: &Value,
    live: &Value,
) -> Result<(), ApiError> {
    if r.id == "persistentvolumeclaims" {
        return claim::admit_growth(api, r, object, live);
    }
    Ok(())
}

/// Whether the part that `metadata.generation` counts is different.
pub(super) fn desired_state_changed(r: &Resource, object: &Value, live: &Value) -> bool {
    let counted = |name: &str| match name {
        "apiVersion" | "kind" | "metadata" => false,
        "status" => !r.status,
        _ => true,
    };
    let fields = |object: &Value| {
        let all = object.as_object().cloned().unwrap_or_default();
        all.into_iter()
            .filter(|(name, _)| counted(name))
            .collect::<Map<_, _>>()
    };
    fields(object) != fields(live)
}

/// Whether an object that is marked for deletion and has no finalizers may go.
pub(super) fn may_go(r: &Resource, object: &Value) -> bool {
    let held = object["spec"]["finalizers"]
        .as_array()
        .is_some_and(|held| !held.is_empty());
    r.id != "namespaces" || !held
}

/// How a kind is marked for deletion: most get a grace period (of 0) and a new generation.
pub(super) fn marks_grace(r: &Resource) -> bool {
    !matches!(
        r.id.as_ref(),
        "namespaces" | "customresourcedefinitions.apiextensions.k8s.io"
    )
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

/// Sets a field that is absent, null, or (for texts and numbers) Go's zero.
fn fill(fields: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    let absent = match fields.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        _ => false,
    };
    if absent {
        fields.insert(name.to_owned(), value.into());
    }
}

/// The objects of a list field.
fn each<'a>(
    fields: &'a mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let list = fields.get_mut(name).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// A field that is an object, if it is there.
fn part<'a>(fields: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    fields.get_mut(name).and_then(Value::as_object_mut)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
