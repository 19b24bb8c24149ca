//! Lists whose items must differ: sets and keyed lists.
//!
//! Always holds: each value that is there more than once is reported once, at its second place.
//! Deliberately does not know: old objects; the caller forgives what was wrong before.

use serde_json::{Map, Value};

use super::{
    field_error::{ErrorKind, FieldError, FieldPath},
    schema::{List, Schema},
};

/// Duplicates in `value`.
pub(super) fn validate(value: &Value, schema: &Schema, path: &FieldPath) -> Vec<FieldError> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                if let Some(property) = schema.properties.get(name) {
                    validate(value, property, &path.field(name))
                } else if let Some(entry) = schema.entries.schema() {
                    validate(value, entry, &path.key(name))
                } else {
                    Vec::new()
                }
            })
            .collect(),
        Value::Array(items) => {
            let mut errors = validate_list(items, schema, path);
            if let Some(below) = &schema.items {
                let items = items.iter().enumerate();
                errors.extend(items.flat_map(|(i, item)| validate(item, below, &path.index(i))));
            }
            errors
        }
        _ => Vec::new(),
    }
}

fn validate_list(items: &[Value], schema: &Schema, path: &FieldPath) -> Vec<FieldError> {
    match &schema.list {
        List::Atomic => Vec::new(),
        List::Set => duplicates(items, path),
        List::Map(keys) => {
            let odd = items
                .iter()
                .position(|item| !item.is_object() && !item.is_null());
            if let Some(i) = odd {
                let detail = "must be an object for an array of list-type map";
                let value = items[i].clone();
                return vec![FieldError::new(
                    &path.index(i),
                    ErrorKind::Invalid,
                    value,
                    detail,
                )];
            }
            let keys: Vec<Value> = items.iter().map(|item| key(item, keys)).collect();
            duplicates(&keys, path)
        }
    }
}

/// The key fields of an item, as an object.
fn key(item: &Value, keys: &[String]) -> Value {
    let fields = keys
        .iter()
        .filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn duplicates(values: &[Value], path: &FieldPath) -> Vec<FieldError> {
    let second = |i: usize| {
        values[..i]
            .iter()
            .filter(|value| **value == values[i])
            .count()
            == 1
    };
    (0..values.len())
        .filter(|i| second(*i))
        .map(|i| FieldError::new(&path.index(i), ErrorKind::Duplicate, values[i].clone(), ""))
        .collect()
}
