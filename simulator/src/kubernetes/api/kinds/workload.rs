//! StatefulSets, Deployments and ReplicaSets: defaults, and what makes them invalid.
//!
//! Owns: their own fields; pod templates are checked by `pod_rules`.
//! Always holds: the selector matches the labels of the template.
//! Deliberately does not know: what their controllers do.

use serde_json::{Map, Value, json};

use super::{each, fields, fill, items, metadata_rules, part, pod_defaults, pod_rules};
use crate::kubernetes::api::{Cause, selector::label_selector_matches};

/// Fields of a StatefulSet's spec that may change.
const CHANGEABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

pub(super) fn default_stateful_set(set: &mut Value) {
    let spec = fields(&mut set["spec"]);
    fill(spec, "replicas", 1);
    fill(spec, "revisionHistoryLimit", 10);
    fill(spec, "podManagementPolicy", "OrderedReady");
    let strategy = fields(spec.entry("updateStrategy").or_insert(Value::Null));
    fill(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = fields(strategy.entry("rollingUpdate").or_insert(Value::Null));
        fill(rolling, "partition", 0);
    }
    let retention = spec
        .entry("persistentVolumeClaimRetentionPolicy")
        .or_insert(Value::Null);
    for when in ["whenDeleted", "whenScaled"] {
        fill(fields(retention), when, "Retain");
    }
    pod_defaults::template(spec.entry("template").or_insert(Value::Null));
    for claim in each(spec, "volumeClaimTemplates") {
        fill(claim, "apiVersion", "v1");
        fill(claim, "kind", "PersistentVolumeClaim");
        claim.insert("status".to_owned(), json!({"phase": "Pending"}));
        if let Some(spec) = part(claim, "spec") {
            fill(spec, "volumeMode", "Filesystem");
        }
    }
}

pub(super) fn default_deployment(deployment: &mut Value) {
    let spec = fields(&mut deployment["spec"]);
    fill(spec, "replicas", 1);
    fill(spec, "revisionHistoryLimit", 10);
    fill(spec, "progressDeadlineSeconds", 600);
    let strategy = fields(spec.entry("strategy").or_insert(Value::Null));
    fill(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = fields(strategy.entry("rollingUpdate").or_insert(Value::Null));
        fill(rolling, "maxUnavailable", "25%");
        fill(rolling, "maxSurge", "25%");
    }
    pod_defaults::template(spec.entry("template").or_insert(Value::Null));
}

pub(super) fn default_replica_set(set: &mut Value) {
    let spec = fields(&mut set["spec"]);
    fill(spec, "replicas", 1);
    pod_defaults::template(spec.entry("template").or_insert(Value::Null));
}

pub(super) fn validate_stateful_set(set: &Value) -> Vec<Cause> {
    let spec = &set["spec"];
    let mut causes = Vec::new();
    let policy = spec["podManagementPolicy"].as_str().unwrap_or_default();
    if !["OrderedReady", "Parallel"].contains(&policy) {
        let why = "must be 'OrderedReady' or 'Parallel'";
        causes.push(Cause::invalid(
            "spec.podManagementPolicy",
            format!("{policy:?}"),
            why,
        ));
    }
    let strategy = &spec["updateStrategy"];
    if !["RollingUpdate", "OnDelete"].contains(&strategy["type"].as_str().unwrap_or_default()) {
        let rolling = &strategy["rollingUpdate"];
        let shown = format!(
            "{{\"Type\":{},\"RollingUpdate\":{rolling}}}",
            strategy["type"]
        );
        let why = "must be 'RollingUpdate' or 'OnDelete'";
        causes.push(Cause::invalid("spec.updateStrategy", shown, why));
    }
    for when in ["whenDeleted", "whenScaled"] {
        let policy = &spec["persistentVolumeClaimRetentionPolicy"][when];
        let policy = policy.as_str().unwrap_or_default();
        if !["Retain", "Delete"].contains(&policy) {
            let at = format!("spec.persistentVolumeClaimRetentionPolicy.{when}");
            causes.push(Cause::unsupported(at, policy, &["Delete", "Retain"]));
        }
    }
    check_not_negative(spec, "replicas", &mut causes);
    check_selector(
        spec,
        "empty selector is invalid for statefulset",
        &mut causes,
    );
    check_template(&as_its_pods_will_be(spec), &mut causes);
    for (index, claim) in items(&spec["volumeClaimTemplates"]).enumerate() {
        if claim["metadata"]["name"].as_str().is_none_or(str::is_empty) {
            let at = format!("spec.volumeClaimTemplates[{index}].metadata.name");
            causes.push(Cause::required(at, ""));
        }
    }
    causes
}

/// Counts are no negative numbers, and no more are ready or available than there are.
pub(super) fn validate_stateful_set_status(status: &Value) -> Vec<Cause> {
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    let mut causes = Vec::new();
    let counts = [
        "replicas",
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
    ];
    for field in counts.into_iter().filter(|field| number(field) < 0) {
        let why = "must be greater than or equal to 0";
        causes.push(Cause::invalid(
            format!("status.{field}"),
            number(field),
            why,
        ));
    }
    for (field, limit) in [
        ("readyReplicas", "replicas"),
        ("currentReplicas", "replicas"),
        ("updatedReplicas", "replicas"),
        ("availableReplicas", "replicas"),
        ("availableReplicas", "readyReplicas"),
    ] {
        if number(field) > number(limit) {
            let why = format!("cannot be greater than status.{limit}");
            causes.push(Cause::invalid(
                format!("status.{field}"),
                number(field),
                why,
            ));
        }
    }
    causes
}

pub(super) fn validate_deployment(deployment: &Value) -> Vec<Cause> {
    let spec = &deployment["spec"];
    let mut causes = Vec::new();
    check_not_negative(spec, "replicas", &mut causes);
    check_selector(
        spec,
        "empty selector is invalid for deployment",
        &mut causes,
    );
    check_template(spec, &mut causes);
    causes
}

fn check_not_negative(spec: &Value, field: &str, causes: &mut Vec<Cause>) {
    if let Some(value) = spec[field].as_i64().filter(|value| *value < 0) {
        let why = "must be greater than or equal to 0";
        causes.push(Cause::invalid(format!("spec.{field}"), value, why));
    }
}

fn check_selector(spec: &Value, empty: &str, causes: &mut Vec<Cause>) {
    let selector = &spec["selector"];
    let missing = !selector.is_object();
    if missing {
        causes.push(Cause::required("spec.selector", ""));
    } else if selector.as_object().is_some_and(Map::is_empty) {
        causes.push(Cause::invalid("spec.selector", "{}", empty));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if missing || !label_selector_matches(selector, labels) {
        let shown = if labels.is_null() && !missing {
            json!({})
        } else {
            labels.clone()
        };
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", shown, why));
    }
}

/// The spec with what the controller will give to the template: a volume for each claim, and host
/// names of its own.
fn as_its_pods_will_be(spec: &Value) -> Value {
    let mut spec = spec.clone();
    let claims: Vec<Value> = items(&spec["volumeClaimTemplates"])
        .map(|claim| claim["metadata"]["name"].clone())
        .collect();
    let template = fields(&mut spec["template"]["spec"]);
    template.remove("hostname");
    template.remove("subdomain");
    let volumes = template.entry("volumes").or_insert(Value::Null);
    let mut all = volumes.as_array().cloned().unwrap_or_default();
    all.retain(|volume| !claims.contains(&volume["name"]));
    all.extend(
        claims
            .into_iter()
            .map(|name| json!({"name": name, "emptyDir": {}})),
    );
    *volumes = all.into();
    spec
}

fn check_template(spec: &Value, causes: &mut Vec<Cause>) {
    let meta = &spec["template"]["metadata"];
    metadata_rules::check_labels(&meta["labels"], "spec.template.labels", causes);
    metadata_rules::check_annotations(&meta["annotations"], "spec.template.annotations", causes);
    let template = &spec["template"]["spec"];
    causes.extend(pod_rules::validate(template, "spec.template.spec"));
    let policy = template["restartPolicy"].as_str().unwrap_or_default();
    if ["OnFailure", "Never"].contains(&policy) {
        let at = "spec.template.spec.restartPolicy";
        causes.push(Cause::unsupported(at, policy, &["Always"]));
    }
}

pub(super) fn validate_stateful_set_update(set: &Value, live: &Value) -> Vec<Cause> {
    let fixed = |object: &Value| {
        let mut spec = object["spec"].as_object().cloned().unwrap_or_default();
        spec.retain(|field, _| !CHANGEABLE.contains(&field.as_str()));
        spec
    };
    if fixed(set) == fixed(live) {
        return Vec::new();
    }
    let (last, others) = CHANGEABLE
        .split_last()
        .expect("there are changeable fields");
    let others: Vec<String> = others.iter().map(|field| format!("'{field}'")).collect();
    let why = format!(
        "updates to statefulset spec for fields other than {} and '{last}' are forbidden",
        others.join(", ")
    );
    vec![Cause::forbidden("spec", why)]
}

pub(super) fn validate_selector(object: &Value, live: &Value) -> Vec<Cause> {
    let selector = &object["spec"]["selector"];
    if *selector == live["spec"]["selector"] {
        return Vec::new();
    }
    vec![Cause::invalid(
        "spec.selector",
        selector,
        "field is immutable",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_may_mount_the_claims_of_its_set() {
        let mut set = json!({"spec": {
            "selector": {"matchLabels": {"app": "a"}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
            "template": {
                "metadata": {"labels": {"app": "a"}},
                "spec": {"containers": [{
                    "name": "etcd", "image": "etcd",
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }]},
            },
        }});
        default_stateful_set(&mut set);
        assert_eq!(validate_stateful_set(&set), []);
        set["spec"]["volumeClaimTemplates"] = json!([]);
        assert_eq!(validate_stateful_set(&set).len(), 1);
    }
}
