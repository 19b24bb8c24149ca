//! Strategic merge patches: merge patches that merge keyed lists item by item.
//!
//! Owns: the directives `$patch`, `$retainKeys`, `$setElementOrder/…`,
//! `$deleteFromPrimitiveList/…`.
//! Always holds: no directive is left in the result.
//! Deliberately does not know: custom resources, for which the real server has no such patches.

mod order;

use serde_json::{Map, Value};

use self::order::{check_order, reorder};
use super::PatchError;
use crate::kubernetes::schema::{
    go_format::go_format,
    types::{Node, PatchStrategy, TypeSchema},
};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Applies a strategic merge patch to an object of a built-in kind.
///
/// # Errors
/// When a directive is unknown or the patch's lists do not have their merge keys.
pub fn strategic_merge_patch(
    live: &Value,
    patch: &Value,
    schema: &TypeSchema,
) -> Result<Value, PatchError> {
    let (Some(live), Some(patch)) = (live.as_object(), patch.as_object()) else {
        return unmergeable("a strategic merge patch and its object must be maps");
    };
    merge_map(live, patch, &schema.root, &schema.root.patch).map(Value::Object)
}

fn unmergeable<T>(why: impl Into<String>) -> Result<T, PatchError> {
    Err(PatchError::Unmergeable(why.into()))
}

fn unknown_directive(directive: &str, patch: &Map<String, Value>) -> String {
    let patch = go_format(&Value::Object(patch.clone()));
    format!("unknown patch type: {directive} in map: {patch}")
}

/// The directive of a map in a patch, if it has one.
fn directive(patch: &Map<String, Value>) -> Option<&Value> {
    patch.get(PATCH)
}

fn merge_map(
    live: &Map<String, Value>,
    patch: &Map<String, Value>,
    node: &Node,
    strategy: &PatchStrategy,
) -> Result<Map<String, Value>, PatchError> {
    match directive(patch).map(|directive| directive.as_str().unwrap_or_default()) {
        None | Some("merge") => {}
        Some("replace") => return Ok(without_directives(patch)),
        Some("delete") => return Ok(Map::new()),
        Some(other) => return unmergeable(unknown_directive(other, patch)),
    }
    let mut merged = retained(live, patch, strategy)?;
    for (name, value) in patch {
        if name == PATCH || name == RETAIN_KEYS {
            continue;
        }
        if let Some(field) = name.strip_prefix(DELETE_FROM) {
            delete_from_list(&mut merged, field, value);
        } else if let Some(field) = name.strip_prefix(SET_ORDER) {
            if !patch.contains_key(field) {
                reorder_field(&mut merged, field, value, node);
            }
        } else {
            let order = patch.get(&format!("{SET_ORDER}{name}"));
            merge_field(&mut merged, name, value, order, node)?;
        }
    }
    Ok(merged)
}

/// `$retainKeys` lists the fields that survive; every field that the patch sets must be listed.
fn retained(
    live: &Map<String, Value>,
    patch: &Map<String, Value>,
    strategy: &PatchStrategy,
) -> Result<Map<String, Value>, PatchError> {
    let Some(keys) = patch.get(RETAIN_KEYS) else {
        return Ok(live.clone());
    };
    let Some(keys) = keys.as_array() else {
        return unmergeable("invalid patch format of retain keys");
    };
    if !strategy.retain_keys {
        return Ok(live.clone());
    }
    let listed = |name: &String| keys.iter().any(|key| key.as_str() == Some(name));
    let set = |(name, value): (&String, &Value)| {
        !name.starts_with('$') && !value.is_null() && !listed(name)
    };
    if patch.iter().any(set) {
        return unmergeable("patch fields not present in all retain keys");
    }
    let kept = live.iter().filter(|(name, _)| listed(name));
    Ok(kept
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect())
}

fn merge_field(
    merged: &mut Map<String, Value>,
    name: &str,
    patch: &Value,
    order: Option<&Value>,
    node: &Node,
) -> Result<(), PatchError> {
    if patch.is_null() {
        merged.remove(name);
        return Ok(());
    }
    let open = Node::open();
    let below = node.field(name).unwrap_or(&open);
    let strategy = &below.patch;
    let value = match (merged.get(name), patch) {
        (Some(Value::Object(_)), Value::Object(patch)) if strategy.replace => {
            Value::Object(without_directives(patch))
        }
        (Some(Value::Object(live)), Value::Object(patch)) => {
            Value::Object(merge_map(live, patch, below, strategy)?)
        }
        (_, Value::Object(patch)) => {
            if directive(patch) == Some(&Value::from("delete")) {
                merged.remove(name);
                return Ok(());
            }
            Value::Object(merge_map(
                &Map::new(),
                patch,
                below,
                &PatchStrategy::default(),
            )?)
        }
        (live, Value::Array(patch)) => {
            let live = live
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            Value::Array(merge_list(live, patch, order, below)?)
        }
        (_, scalar) => scalar.clone(),
    };
    merged.insert(name.to_owned(), value);
    Ok(())
}

fn merge_list(
    live: &[Value],
    patch: &[Value],
    order: Option<&Value>,
    node: &Node,
) -> Result<Vec<Value>, PatchError> {
    if let (Some(order), Some(key)) = (order.and_then(Value::as_array), node.patch.merge_key) {
        check_order(patch, order, key)?;
    }
    match node.patch.merge_key {
        None => Ok(patch.to_vec()),
        Some("") => {
            let new = patch.iter().filter(|item| !live.contains(item));
            let merged = live.iter().chain(new).cloned().collect();
            Ok(reorder(merged, live, patch, order, ""))
        }
        Some(key) => merge_items(live, patch, order, key, node),
    }
}

fn merge_items(
    live: &[Value],
    patch: &[Value],
    order: Option<&Value>,
    key: &str,
    node: &Node,
) -> Result<Vec<Value>, PatchError> {
    let replaces = |item: &&Value| item.get(PATCH) == Some(&Value::from("replace"));
    if patch.iter().any(|item| replaces(&item)) {
        let kept = patch.iter().filter(|item| !replaces(item));
        return Ok(kept.cloned().collect());
    }
    let mut merged = live.to_vec();
    for item in patch {
        let Some(fields) = item.as_object() else {
            return unmergeable("expected a map in a list that is merged by key");
        };
        let Some(value) = fields.get(key) else {
            let item = go_format(item);
            return unmergeable(format!(
                "map: {item} does not contain declared merge key: {key}"
            ));
        };
        let position = merged
            .iter()
            .position(|other| other.get(key) == Some(value));
        match (directive(fields).and_then(Value::as_str), position) {
            (Some("delete"), _) => merged.retain(|other| other.get(key) != Some(value)),
            (None | Some("merge"), Some(at)) => {
                let live = merged[at].as_object().cloned().unwrap_or_default();
                let item = merge_map(&live, fields, node.item(), &node.patch)?;
                merged[at] = Value::Object(item);
            }
            (None | Some("merge"), None) => {
                let strategy = PatchStrategy::default();
                let item = merge_map(&Map::new(), fields, node.item(), &strategy)?;
                merged.push(Value::Object(item));
            }
            (Some(other), _) => return unmergeable(unknown_directive(other, fields)),
        }
    }
    let patch: Vec<Value> = patch
        .iter()
        .filter(|item| item.get(PATCH) != Some(&Value::from("delete")))
        .cloned()
        .collect();
    Ok(reorder(merged, live, &patch, order, key))
}

fn reorder_field(merged: &mut Map<String, Value>, field: &str, order: &Value, node: &Node) {
    let key = node.field(field).and_then(|node| node.patch.merge_key);
    if let (Some(Value::Array(items)), Some(key)) = (merged.get_mut(field), key) {
        let live = items.clone();
        *items = reorder(std::mem::take(items), &live, &[], Some(order), key);
    }
}

fn delete_from_list(merged: &mut Map<String, Value>, field: &str, gone: &Value) {
    let gone = gone.as_array().map_or(&[][..], Vec::as_slice);
    if let Some(Value::Array(items)) = merged.get_mut(field) {
        items.retain(|item| !gone.contains(item));
    }
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    let kept = patch.iter().filter(|(name, _)| !name.starts_with('$'));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
