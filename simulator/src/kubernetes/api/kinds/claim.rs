//! Volumes: claims, volumes and classes.
//!
//! Owns: their defaults, the default class, protection, and what a claim may change.
//! Always holds: a new claim and a new volume carry the finalizer that protects them while in use.
//! Deliberately does not know: binding and provisioning.

use serde_json::{Value, json};

use super::{fields, fill, items};
use crate::kubernetes::api::{
    ApiError, ApiServer, Cause, Resource, metadata, quantity, resource::STORAGE_CLASSES,
};

const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
const MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

pub(super) fn default(claim: &mut Value) {
    fill(fields(&mut claim["spec"]), "volumeMode", "Filesystem");
}

pub(super) fn default_volume(volume: &mut Value) {
    let spec = fields(&mut volume["spec"]);
    fill(spec, "volumeMode", "Filesystem");
    fill(spec, "persistentVolumeReclaimPolicy", "Retain");
}

pub(super) fn default_class(class: &mut Value) {
    let class = fields(class);
    fill(class, "reclaimPolicy", "Delete");
    fill(class, "volumeBindingMode", "Immediate");
}

/// Gives a claim without a class the default one, and protects it.
pub(super) fn admit(api: &ApiServer, claim: &mut Value) {
    let spec = fields(&mut claim["spec"]);
    if !spec.contains_key("storageClassName") {
        let classes = api.store.list(&STORAGE_CLASSES.id, None);
        let default = classes
            .filter(|class| class["metadata"]["annotations"][DEFAULT_CLASS] == "true")
            // The youngest wins; names settle a tie.
            .max_by_key(|class| {
                (
                    metadata::text(class, "creationTimestamp"),
                    std::cmp::Reverse(metadata::name(class)),
                )
            });
        if let Some(class) = default {
            spec.insert("storageClassName".to_owned(), metadata::name(class).into());
        }
    }
    protect(claim, "kubernetes.io/pvc-protection");
}

/// Adds a finalizer.
pub(super) fn protect(object: &mut Value, finalizer: &str) {
    if metadata::finalizers(object).contains(&finalizer) {
        return;
    }
    let held = metadata::of(object)
        .entry("finalizers")
        .or_insert_with(|| json!([]));
    if let Value::Array(held) = held {
        held.push(finalizer.into());
    }
}

pub(super) fn validate(claim: &Value) -> Vec<Cause> {
    let spec = &claim["spec"];
    let mut causes = Vec::new();
    if items(&spec["accessModes"]).next().is_none() {
        let why = "at least 1 access mode is required";
        causes.push(Cause::required("spec.accessModes", why));
    }
    for mode in items(&spec["accessModes"]).filter_map(Value::as_str) {
        if !MODES.contains(&mode) {
            causes.push(Cause::unsupported("spec.accessModes", mode, &MODES));
        }
    }
    match spec["resources"]["requests"]["storage"].as_str() {
        None => causes.push(Cause::required("spec.resources[storage]", "")),
        Some(size) if quantity::nanos(size).is_none_or(|size| size <= 0) => {
            let why = "must be greater than zero";
            causes.push(Cause::invalid(
                "spec.resources[storage]",
                format!("{size:?}"),
                why,
            ));
        }
        Some(_) => {}
    }
    causes
}

pub(super) fn validate_update(claim: &Value, live: &Value) -> Vec<Cause> {
    let fixed = |object: &Value| {
        let mut spec = object["spec"].clone();
        if live["status"]["phase"] == "Bound" {
            spec["resources"]["requests"] = Value::Null;
        }
        spec["volumeAttributesClassName"] = Value::Null;
        // The binder may name the volume, once.
        if live["spec"]["volumeName"]
            .as_str()
            .is_none_or(str::is_empty)
        {
            spec["volumeName"] = Value::Null;
        }
        spec
    };
    if fixed(claim) != fixed(live) {
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        return vec![Cause::forbidden("spec", why)];
    }
    let size = |value: &Value| value.as_str().and_then(quantity::nanos);
    let wanted = size(&claim["spec"]["resources"]["requests"]["storage"]);
    let had = size(&live["spec"]["resources"]["requests"]["storage"]);
    let capacity = size(&live["status"]["capacity"]["storage"]);
    if wanted < had && wanted < capacity.max(Some(0)) {
        let why = "field can not be less than status.capacity";
        return vec![Cause::forbidden("spec.resources.requests.storage", why)];
    }
    Vec::new()
}

/// Refuses to grow a claim whose class does not allow it.
pub(super) fn admit_growth(
    api: &ApiServer,
    r: &Resource,
    claim: &Value,
    live: &Value,
) -> Result<(), ApiError> {
    let size = |object: &Value| {
        let size = &object["spec"]["resources"]["requests"]["storage"];
        size.as_str().and_then(quantity::nanos)
    };
    if size(claim) <= size(live) {
        return Ok(());
    }
    let name = metadata::name(live);
    if live["status"]["phase"] != "Bound" {
        let why = "Only bound persistent volume claims can be expanded";
        return Err(ApiError::forbidden(r, name, why));
    }
    let class = live["spec"]["storageClassName"]
        .as_str()
        .unwrap_or_default();
    let class = api.store.get(&STORAGE_CLASSES.id, "", class);
    if class.is_some_and(|class| class["allowVolumeExpansion"] == true) {
        return Ok(());
    }
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    Err(ApiError::forbidden(r, name, why))
}
