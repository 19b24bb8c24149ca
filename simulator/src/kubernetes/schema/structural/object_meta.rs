//! The metadata that every object has, embedded ones included.
//!
//! Always holds: the known fields are those of `ObjectMeta` v1.
//! Deliberately does not know: what names and labels may look like.

use serde_json::Value;

use super::{
    field_error::{ErrorKind, FieldError, FieldPath},
    schema::Schema,
};

const FIELDS: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Drops unknown fields from the metadata of the object and of those embedded in it, and returns
/// their paths.
pub(super) fn prune(object: &mut Value, root: &Schema) -> Vec<String> {
    let mut gone = prune_metadata(object, &FieldPath::root());
    prune_embedded(object, root, &FieldPath::root(), &mut gone);
    gone
}

fn prune_embedded(value: &mut Value, schema: &Schema, path: &FieldPath, gone: &mut Vec<String>) {
    if schema.embedded_resource {
        gone.extend(prune_metadata(value, path));
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(below) = schema.field(name) {
                    prune_embedded(value, below, &path.field(name), gone);
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                if let Some(below) = &schema.items {
                    prune_embedded(item, below, &path.index(i), gone);
                }
            }
        }
        _ => {}
    }
}

fn prune_metadata(object: &mut Value, path: &FieldPath) -> Vec<String> {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return Vec::new();
    };
    let unknown: Vec<String> = metadata
        .keys()
        .filter(|name| !FIELDS.contains(&name.as_str()))
        .cloned()
        .collect();
    for name in &unknown {
        metadata.remove(name);
    }
    let path = path.field("metadata");
    unknown
        .into_iter()
        .map(|name| path.field(&name).to_string())
        .collect()
}

/// Embedded objects must say what they are.
pub(super) fn validate_embedded(
    value: &Value,
    schema: &Schema,
    path: &FieldPath,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match value {
        Value::Object(fields) => {
            if schema.embedded_resource {
                for name in ["apiVersion", "kind"] {
                    errors.extend(validate_type(fields.get(name), &path.field(name)));
                }
            }
            for (name, value) in fields {
                if let Some(property) = schema.properties.get(name) {
                    errors.extend(validate_embedded(value, property, &path.field(name)));
                } else if let Some(entry) = schema.entries.schema() {
                    errors.extend(validate_embedded(value, entry, &path.key(name)));
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                if let Some(schema) = &schema.items {
                    errors.extend(validate_embedded(item, schema, &path.index(i)));
                }
            }
        }
        _ => {}
    }
    errors
}

fn validate_type(value: Option<&Value>, path: &FieldPath) -> Option<FieldError> {
    let invalid =
        |value: &Value, why| FieldError::new(path, ErrorKind::Invalid, value.clone(), why);
    match value {
        None => Some(FieldError::new(path, ErrorKind::Required, Value::Null, "")),
        Some(value @ Value::String(text)) if text.is_empty() => {
            Some(invalid(value, "must not be empty"))
        }
        Some(Value::String(_)) => None,
        Some(value) => Some(invalid(value, "must be a string")),
    }
}
