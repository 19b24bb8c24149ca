//! An object without some of its fields.
//!
//! Always holds: a map or list that loses everything it had becomes null; the caller's set names
//! the field itself when it shall vanish.
//! Deliberately does not know: why.

use serde_json::{Map, Value};

use super::{
    field_set::FieldSet,
    items::{Walk, items, walk},
    path::PathElement,
};
use crate::kubernetes::schema::types::Node;

/// `value` without the members of `gone`.
pub(super) fn remove(value: &Value, gone: &FieldSet, node: &Node) -> Value {
    match walk(node, Some(value)) {
        Walk::Map => remove_fields(value, gone, node),
        Walk::List => remove_items(value, gone, node),
        // Something below an atomic field is to go: then all of it does. Scalars have no below.
        Walk::Leaf if value.is_object() || value.is_array() => Value::Null,
        Walk::Leaf => value.clone(),
    }
}

fn remove_fields(value: &Value, gone: &FieldSet, node: &Node) -> Value {
    let mut kept = Map::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        match gone.children.get(&PathElement::Field(name.clone())) {
            None => kept.insert(name.clone(), value.clone()),
            Some(below) if below.member => None,
            Some(below) => match node.field(name) {
                Some(node) => kept.insert(name.clone(), remove(value, below, node)),
                None => kept.insert(name.clone(), value.clone()),
            },
        };
    }
    if kept.is_empty() {
        return Value::Null;
    }
    Value::Object(kept)
}

fn remove_items(value: &Value, gone: &FieldSet, node: &Node) -> Value {
    let Ok(items) = items(node, Some(value)) else {
        return value.clone();
    };
    let kept: Vec<Value> = items
        .into_iter()
        .filter_map(|(element, item)| match gone.children.get(&element) {
            None => Some(item.clone()),
            Some(below) if below.member => None,
            Some(below) => Some(remove(item, below, node.item())),
        })
        .collect();
    if kept.is_empty() {
        return Value::Null;
    }
    Value::Array(kept)
}
