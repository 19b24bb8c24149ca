//! The order of lists after a strategic merge patch.
//!
//! Always holds: items that the patch names come in the order that it asks for; items that only
//! the server has keep their order among themselves.
//! Deliberately does not know: how items are merged.

use serde_json::Value;

use crate::kubernetes::schema::{go_format::go_format, patch::PatchError};

/// What a patch adds or changes must come in the order that it asks for.
pub(super) fn check_order(patch: &[Value], order: &[Value], key: &str) -> Result<(), PatchError> {
    let kept: Vec<Value> = patch
        .iter()
        .filter(|item| item.get(super::PATCH).is_none())
        .cloned()
        .collect();
    let mut rest = order.iter();
    let in_order = |item: &Value| rest.any(|other| id(other, key) == id(item, key));
    if kept.iter().all(in_order) {
        return Ok(());
    }
    super::unmergeable(format!(
        "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
        go_format(&Value::Array(kept.clone())),
        go_format(&Value::from(order)),
    ))
}

/// What tells items apart: their merge key, or themselves.
fn id<'a>(item: &'a Value, key: &str) -> &'a Value {
    if key.is_empty() {
        item
    } else {
        item.get(key).unwrap_or(&Value::Null)
    }
}

/// Sorts a merged list: what the patch lists (in `$setElementOrder`, or itself) in that order,
/// what only the server has where it was relative to the rest.
pub(super) fn reorder(
    merged: Vec<Value>,
    live: &[Value],
    patch: &[Value],
    order: Option<&Value>,
    key: &str,
) -> Vec<Value> {
    let listed = order.and_then(Value::as_array).map_or(patch, Vec::as_slice);
    let rank = |item: &Value| {
        listed
            .iter()
            .position(|other| id(other, key) == id(item, key))
    };
    let (mut ranked, server_only): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| rank(item).is_some());
    ranked.sort_by_key(|item| rank(item));
    let place = |item: &Value| {
        live.iter()
            .position(|other| id(other, key) == id(item, key))
    };
    let mut sorted = Vec::with_capacity(ranked.len() + server_only.len());
    let (mut ranked, mut server_only) = (
        ranked.into_iter().peekable(),
        server_only.into_iter().peekable(),
    );
    loop {
        let next = match (ranked.peek(), server_only.peek()) {
            (None, None) => return sorted,
            (Some(_), None) => ranked.next(),
            (None, Some(_)) => server_only.next(),
            (Some(a), Some(b)) => match (place(a), place(b)) {
                (Some(a), Some(b)) if b < a => server_only.next(),
                _ => ranked.next(),
            },
        };
        sorted.extend(next);
    }
}
