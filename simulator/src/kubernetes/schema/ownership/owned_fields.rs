//! The fields that an applied configuration sets.
//!
//! Always holds: struct fields are owned through what they hold, entries of maps and items of
//! lists are owned themselves as well.
//! Deliberately does not know: the live object.

use serde_json::Value;

use super::{
    field_set::FieldSet,
    items::{Walk, items, walk},
    path::PathElement,
};
use crate::kubernetes::schema::types::Node;

/// The set of fields in `value`.
pub(super) fn owned_fields(value: &Value, node: &Node) -> FieldSet {
    let mut set = FieldSet::default();
    collect(value, node, &mut set);
    set.member = false;
    set
}

fn collect(value: &Value, node: &Node, set: &mut FieldSet) {
    match walk(node, Some(value)) {
        Walk::Leaf => set.member = true,
        Walk::Map => collect_map(value, node, set),
        Walk::List => collect_list(value, node, set),
    }
}

fn collect_map(value: &Value, node: &Node, set: &mut FieldSet) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let Some(below) = node.field(name) else {
            continue;
        };
        let mut child = FieldSet::default();
        collect(value, below, &mut child);
        let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
        child.member |= empty || !node.names(name);
        if !child.is_empty() {
            set.children.insert(PathElement::Field(name.clone()), child);
        }
    }
}

fn collect_list(value: &Value, node: &Node, set: &mut FieldSet) {
    // Items that cannot be told apart cannot be owned; an applied object with such items has been
    // refused before.
    let items = items(node, Some(value)).unwrap_or_default();
    for (i, (element, item)) in items.iter().enumerate() {
        let twin = |(j, (other, _)): (usize, &(PathElement, &Value))| i != j && element == other;
        let mut child = FieldSet::default();
        if !items.iter().enumerate().any(twin) {
            collect(item, node.item(), &mut child);
        }
        child.member = true;
        set.children.insert(element.clone(), child);
    }
}
