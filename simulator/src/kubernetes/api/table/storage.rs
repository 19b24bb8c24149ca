//! The columns of volumes.
//!
//! Owns: PersistentVolumeClaims, PersistentVolumes, StorageClasses.
//! Always holds: access modes are shown by their short names.
//! Deliberately does not know: how volumes are bound.

use jiff::Timestamp;
use serde_json::Value;

use super::{Layout, age, items, joined, text_or};
use crate::kubernetes::api::metadata;

pub(super) const CLAIMS: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Status", 0),
        ("Volume", 0),
        ("Capacity", 0),
        ("Access Modes", 0),
        ("StorageClass", 0),
        ("VolumeAttributesClass", 0),
        ("Age", 0),
        ("VolumeMode", 1),
    ],
    cells: claim,
};

pub(super) const VOLUMES: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Capacity", 0),
        ("Access Modes", 0),
        ("Reclaim Policy", 0),
        ("Status", 0),
        ("Claim", 0),
        ("StorageClass", 0),
        ("VolumeAttributesClass", 0),
        ("Reason", 0),
        ("Age", 0),
        ("VolumeMode", 1),
    ],
    cells: volume,
};

pub(super) const CLASSES: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Provisioner", 0),
        ("ReclaimPolicy", 0),
        ("VolumeBindingMode", 0),
        ("AllowVolumeExpansion", 0),
        ("Age", 0),
    ],
    cells: class,
};

fn claim(now: Timestamp, claim: &Value) -> Vec<Value> {
    let (spec, status) = (&claim["spec"], &claim["status"]);
    let bound = text_or(&spec["volumeName"], "");
    let (capacity, access) = if bound.is_empty() {
        (String::new(), String::new())
    } else {
        (
            quantity(&status["capacity"]["storage"]),
            modes(&status["accessModes"]),
        )
    };
    vec![
        metadata::name(claim).into(),
        phase(claim).into(),
        bound.into(),
        capacity.into(),
        access.into(),
        text_or(&spec["storageClassName"], "").into(),
        text_or(&spec["volumeAttributesClassName"], "<unset>").into(),
        age::of(now, claim),
        text_or(&spec["volumeMode"], "<unset>").into(),
    ]
}

fn volume(now: Timestamp, volume: &Value) -> Vec<Value> {
    let spec = &volume["spec"];
    let claim = &spec["claimRef"];
    let claim = match (
        text_or(&claim["namespace"], ""),
        text_or(&claim["name"], ""),
    ) {
        ("", "") => String::new(),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    vec![
        metadata::name(volume).into(),
        quantity(&spec["capacity"]["storage"]).into(),
        modes(&spec["accessModes"]).into(),
        text_or(&spec["persistentVolumeReclaimPolicy"], "").into(),
        phase(volume).into(),
        claim.into(),
        text_or(&spec["storageClassName"], "").into(),
        text_or(&spec["volumeAttributesClassName"], "<unset>").into(),
        text_or(&volume["status"]["reason"], "").into(),
        age::of(now, volume),
        text_or(&spec["volumeMode"], "<unset>").into(),
    ]
}

fn class(now: Timestamp, class: &Value) -> Vec<Value> {
    let default = "storageclass.kubernetes.io/is-default-class";
    let mut name = metadata::name(class).to_owned();
    if class["metadata"]["annotations"][default] == "true" {
        name.push_str(" (default)");
    }
    vec![
        name.into(),
        text_or(&class["provisioner"], "").into(),
        text_or(&class["reclaimPolicy"], "Delete").into(),
        text_or(&class["volumeBindingMode"], "Immediate").into(),
        class["allowVolumeExpansion"]
            .as_bool()
            .unwrap_or(false)
            .into(),
        age::of(now, class),
    ]
}

fn phase(object: &Value) -> &str {
    let phase = text_or(&object["status"]["phase"], "");
    if metadata::is_deleting(object) {
        "Terminating"
    } else {
        phase
    }
}

fn quantity(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn modes(value: &Value) -> String {
    let short = |mode| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    };
    joined(items(value).filter_map(Value::as_str).map(short), "")
}
