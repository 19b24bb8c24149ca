//! The live object with an applied configuration laid over it.
//!
//! Always holds: what the configuration does not mention stays; the order of keyed lists follows
//! the configuration where it speaks, the live object elsewhere.
//! Deliberately does not know: owners; what must go is removed afterwards.

use serde_json::{Map, Value};

use super::{
    items::{Walk, items, walk},
    path::PathElement,
};
use crate::kubernetes::schema::types::Node;

/// `live` with `applied` laid over it.
pub(super) fn merge(live: &Value, applied: &Value, node: &Node) -> Value {
    visit(Some(live), Some(applied), node).unwrap_or(Value::Null)
}

fn visit(live: Option<&Value>, applied: Option<&Value>, node: &Node) -> Option<Value> {
    let how = walk(node, applied.or(live));
    match how {
        Walk::Map => fields(live, applied, node),
        Walk::List => list(live, applied, node),
        Walk::Leaf => applied.or(live).cloned(),
    }
}

fn fields(live: Option<&Value>, applied: Option<&Value>, node: &Node) -> Option<Value> {
    let none = Map::new();
    let old = live.and_then(Value::as_object).unwrap_or(&none);
    let new = applied.and_then(Value::as_object).unwrap_or(&none);
    if old.is_empty() && new.is_empty() {
        return applied.or(live).cloned();
    }
    let only_new = new.keys().filter(|name| !old.contains_key(*name));
    let merged: Map<String, Value> = old
        .keys()
        .chain(only_new)
        .filter_map(|name| {
            let merged = match node.field(name) {
                Some(below) => visit(old.get(name), new.get(name), below),
                None => new.get(name).or(old.get(name)).cloned(),
            };
            Some((name.clone(), merged?))
        })
        .collect();
    Some(Value::Object(merged))
}

fn list(live: Option<&Value>, applied: Option<&Value>, node: &Node) -> Option<Value> {
    let old = items(node, live).unwrap_or_default();
    let new = items(node, applied).unwrap_or_default();
    if old.is_empty() && new.is_empty() {
        return applied.or(live).cloned();
    }
    let merged: Vec<Value> = order(&old, &new)
        .into_iter()
        .filter_map(|slot| match slot {
            Slot::Live(i) => visit(Some(old[i].1), None, node.item()),
            Slot::Applied(i) => visit(unique(&old, &new[i].0), Some(new[i].1), node.item()),
        })
        .collect();
    Some(Value::Array(merged))
}

/// The live item to merge with; with twins there is no telling which, so neither.
fn unique<'a>(items: &[(PathElement, &'a Value)], element: &PathElement) -> Option<&'a Value> {
    let mut twins = items.iter().filter(|(other, _)| other == element);
    match (twins.next(), twins.next()) {
        (Some((_, item)), None) => Some(item),
        _ => None,
    }
}

/// Where an item of the merged list comes from.
enum Slot {
    Live(usize),
    Applied(usize),
}

fn has(items: &[(PathElement, &Value)], element: &PathElement) -> bool {
    items.iter().any(|(other, _)| other == element)
}

/// Walks both lists side by side: items that only the live list has keep their place before the
/// next shared item; shared items come in the order of the configuration.
fn order(old: &[(PathElement, &Value)], new: &[(PathElement, &Value)]) -> Vec<Slot> {
    let mut shared = new.iter().map(|(e, _)| e).filter(|e| has(old, e));
    let mut next_shared = shared.next();
    let mut slots = Vec::with_capacity(old.len() + new.len());
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() {
            let element = &old[i].0;
            if *element == new[j].0 {
                slots.push(Slot::Applied(j));
                (i, j) = (i + 1, j + 1);
                next_shared = shared.next();
                continue;
            }
            if has(new, element) && next_shared.is_some_and(|next| next != element) {
                // A shared item whose turn comes later.
                i += 1;
                continue;
            }
        }
        if i < old.len() {
            let element = &old[i].0;
            if !has(new, element) {
                slots.push(Slot::Live(i));
                i += 1;
                continue;
            }
            if has(&new[..j], element) {
                i += 1;
            }
        }
        if j < new.len() {
            slots.push(Slot::Applied(j));
            if next_shared == Some(&new[j].0) {
                next_shared = shared.next();
            }
            j += 1;
        }
    }
    slots
}
