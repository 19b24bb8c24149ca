//! Which old value a part of a changed object had.
//!
//! Always holds: only parts that can be told apart have an old value: fields of maps, and items
//! of keyed lists.
//! Deliberately does not know: what the old value is used for.

use serde_json::Value;

use super::schema::{List, Schema};

/// The old value of a field.
pub(super) fn field<'a>(old: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    old?.as_object()?.get(name)
}

/// The old value of a list's item.
pub(super) fn item<'a>(old: Option<&'a Value>, item: &Value, list: &Schema) -> Option<&'a Value> {
    let List::Map(keys) = &list.list else {
        return None;
    };
    let same = |other: &&Value| keys.iter().all(|key| other.get(key) == item.get(key));
    old?.as_array()?.iter().find(same)
}
