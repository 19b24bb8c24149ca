//! Defaults, and nulls that are no values.
//!
//! Always holds: a default is used where the field is missing, or null without being nullable;
//! defaults have defaults themselves.
//! Deliberately does not know: validity of the defaults.

use serde_json::Value;

use super::schema::Schema;

/// Puts defaults into `value`.
pub(super) fn fill(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default else {
                    continue;
                };
                let missing = fields
                    .get(name)
                    .is_none_or(|value| value.is_null() && !property.nullable);
                if missing {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields {
                if let Some(below) = schema.field(name) {
                    replace_null(value, below);
                    fill(value, below);
                }
            }
        }
        Value::Array(items) => {
            let Some(below) = &schema.items else { return };
            for item in items {
                replace_null(item, below);
                fill(item, below);
            }
        }
        _ => {}
    }
}

fn replace_null(value: &mut Value, schema: &Schema) {
    if let (true, false, Some(default)) = (value.is_null(), schema.nullable, &schema.default) {
        *value = default.clone();
    }
}

/// Drops fields that are null without being nullable and that no default replaces.
pub(super) fn drop_nulls(value: &mut Value, schema: Option<&Schema>) {
    match value {
        Value::Object(fields) => {
            let below = |name: &str| schema.and_then(|schema| schema.field(name));
            fields.retain(|name, value| {
                let stays = |schema: &Schema| schema.nullable || schema.default.is_some();
                !value.is_null() || below(name).is_none_or(stays)
            });
            for (name, value) in fields {
                drop_nulls(value, below(name));
            }
        }
        Value::Array(items) => {
            let below = schema.and_then(|schema| schema.items.as_deref());
            items.iter_mut().for_each(|item| drop_nulls(item, below));
        }
        _ => {}
    }
}
