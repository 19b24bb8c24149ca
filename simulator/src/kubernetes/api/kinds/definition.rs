//! CustomResourceDefinitions.
//!
//! Owns: their defaults, what makes them invalid, and the status of an accepted one.
//! Always holds: an accepted definition has exactly one storage version, and schemas that can be
//! used.
//! Deliberately does not know: the objects of the kind; and conversion webhooks.

use serde_json::{Value, json};

use super::{fields, fill, items};
use crate::kubernetes::{
    api::{Cause, metadata, names},
    schema::{SchemaError, StructuralSchema},
};

/// The finalizer that keeps a definition until its objects are gone.
pub(in crate::kubernetes::api) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

pub(super) fn default(definition: &mut Value) {
    let spec = fields(&mut definition["spec"]);
    let names = fields(spec.entry("names").or_insert(Value::Null));
    if let Some(kind) = names.get("kind").and_then(Value::as_str).map(str::to_owned) {
        fill(names, "singular", kind.to_lowercase());
        fill(names, "listKind", format!("{kind}List"));
    }
    spec.entry("conversion")
        .or_insert_with(|| json!({"strategy": "None"}));
}

pub(super) fn validate(definition: &Value) -> Vec<Cause> {
    let spec = &definition["spec"];
    let mut causes = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (plural, group) = (text(&spec["names"]["plural"]), text(&spec["group"]));
    let name = metadata::name(definition);
    if name != format!("{plural}.{group}") {
        let why = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", format!("{name:?}"), why));
    }
    if group.is_empty() {
        causes.push(Cause::required("spec.group", ""));
    } else if let Some(wrong) = names::subdomain(&group) {
        causes.push(Cause::invalid("spec.group", format!("{group:?}"), wrong));
    }
    let scope = text(&spec["scope"]);
    if !["Cluster", "Namespaced"].contains(&scope.as_str()) {
        causes.push(Cause::unsupported(
            "spec.scope",
            &scope,
            &["Cluster", "Namespaced"],
        ));
    }
    for field in ["plural", "kind"] {
        if text(&spec["names"][field]).is_empty() {
            causes.push(Cause::required(format!("spec.names.{field}"), ""));
        }
    }
    if spec["conversion"]["strategy"] != "None" {
        let message = "not modelled: a conversion strategy other than None";
        causes.push(Cause::new(
            "FieldValueNotSupported",
            "spec.conversion.strategy",
            message,
        ));
    }
    check_versions(spec, &mut causes);
    causes
}

fn check_versions(spec: &Value, causes: &mut Vec<Cause>) {
    let versions: Vec<&Value> = items(&spec["versions"]).collect();
    if versions
        .iter()
        .filter(|version| version["storage"] == true)
        .count()
        != 1
    {
        let why = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &spec["versions"], why));
        let why = "must have at least one stored version";
        causes.push(Cause::invalid("status.storedVersions", "null", why));
    }
    for (index, version) in versions.iter().enumerate() {
        let at = format!("spec.versions[{index}].schema.openAPIV3Schema");
        let schema = &version["schema"]["openAPIV3Schema"];
        if !schema.is_object() {
            causes.push(Cause::required(at, ""));
        } else if let Err(wrong) = StructuralSchema::from_crd(schema) {
            let inside = match versions.len() {
                1 => "spec.validation.".to_owned(),
                _ => format!("spec.versions[{index}].schema."),
            };
            causes.push(schema_cause(&inside, &wrong));
        }
        let scale = &version["subresources"]["scale"];
        for (field, root) in [
            ("specReplicasPath", ".spec."),
            ("statusReplicasPath", ".status."),
        ] {
            let path = scale[field].as_str().unwrap_or_default();
            if scale.is_object() && !path.starts_with(root) {
                let at = format!("spec.versions[{index}].subresources.scale.{field}");
                let why = format!("should be a json path under {root}");
                causes.push(Cause::invalid(
                    at,
                    format!("{path:?}"),
                    why.trim_end_matches('.'),
                ));
            }
        }
    }
}

fn schema_cause(inside: &str, wrong: &SchemaError) -> Cause {
    match wrong {
        SchemaError::Invalid { path, problem } => {
            let reason = match problem.split(':').next() {
                Some("Required value") => "FieldValueRequired",
                Some("Forbidden") => "FieldValueForbidden",
                Some("Unsupported value") => "FieldValueNotSupported",
                _ => "FieldValueInvalid",
            };
            Cause::new(reason, format!("{inside}{path}"), problem.as_str())
        }
        SchemaError::NotModelled { path, what } => Cause::new(
            "FieldValueInvalid",
            format!("{inside}{path}"),
            format!("not modelled: {what}"),
        ),
    }
}

pub(super) fn validate_update(definition: &Value, live: &Value) -> Vec<Cause> {
    ["group", "scope"]
        .iter()
        .filter(|field| definition["spec"][**field] != live["spec"][**field])
        .map(|field| {
            let value = &definition["spec"][*field];
            Cause::invalid(format!("spec.{field}"), value, "field is immutable")
        })
        .collect()
}

/// The status of a definition whose names are accepted and whose kind is served.
pub(in crate::kubernetes::api) fn accepted(definition: &Value, now: &str) -> Value {
    let spec = &definition["spec"];
    let storage = items(&spec["versions"]).find(|version| version["storage"] == true);
    let storage = storage
        .map(|version| version["name"].clone())
        .unwrap_or_default();
    let mut stored: Vec<Value> = items(&definition["status"]["storedVersions"])
        .cloned()
        .collect();
    if !stored.contains(&storage) {
        stored.push(storage);
    }
    let before = &definition["status"]["conditions"];
    let condition = |kind: &str, reason: &str, message: &str| {
        let known = items(before).find(|condition| condition["type"] == kind);
        known.cloned().unwrap_or_else(|| {
            json!({
                "type": kind, "status": "True", "lastTransitionTime": now, "reason": reason,
                "message": message,
            })
        })
    };
    json!({
        "acceptedNames": spec["names"],
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "storedVersions": stored,
    })
}
