//! Schemas that the derived ones cannot give.
//!
//! Owns: what the CRD says of quantities, conditions, and types that Kubernetes itself defines.
//! Always holds: a field of a Kubernetes type is checked as strictly as Kubernetes would check it;
//! only the prose of its inner fields is left out, which is nine tenths of its size (a CRD has to
//! fit into one request, and `kubectl explain pod.spec` has the prose).
//! Deliberately does not know: what the fields are for.

use k8s_openapi::{
    api::core::v1::{
        Affinity, LocalObjectReference, ResourceRequirements, Toleration, TopologySpreadConstraint,
    },
    apimachinery::pkg::apis::meta::v1::Condition,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// The form of an amount of bytes. The length bounds what a rule on it may cost.
pub(super) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "pattern": r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E)?$",
    })
}

/// Conditions are a list keyed by type, so that other controllers can add their own by
/// server-side apply without taking ours over.
pub(super) fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let items = generator.subschema_for::<Condition>();
    json_schema!({
        "type": "array",
        "items": items,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

/// Labels and annotations. Their number bounds what a rule on them may cost.
pub(super) fn keys_and_values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string"},
    })
}

pub(super) fn affinity(generator: &mut SchemaGenerator) -> Schema {
    terse::<Affinity>(generator)
}

pub(super) fn resources(generator: &mut SchemaGenerator) -> Schema {
    terse::<ResourceRequirements>(generator)
}

pub(super) fn tolerations(generator: &mut SchemaGenerator) -> Schema {
    terse::<Vec<Toleration>>(generator)
}

pub(super) fn spread(generator: &mut SchemaGenerator) -> Schema {
    terse::<Vec<TopologySpreadConstraint>>(generator)
}

pub(super) fn pull_secrets(generator: &mut SchemaGenerator) -> Schema {
    terse::<Vec<LocalObjectReference>>(generator)
}

fn terse<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<T>();
    for below in schema.ensure_object().values_mut() {
        leave_prose_out(below);
    }
    schema.remove("description");
    schema
}

fn leave_prose_out(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            // A property may be named `description` too; its schema is no text.
            if map.get("description").is_some_and(Value::is_string) {
                map.remove("description");
            }
            map.values_mut().for_each(leave_prose_out);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_prose_out),
        _ => {}
    }
}
