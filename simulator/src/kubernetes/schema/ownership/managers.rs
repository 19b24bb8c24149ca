//! `metadata.managedFields`: who manages which fields, and since when.
//!
//! Owns: the entries' reading, writing, order, and what tells managers apart.
//! Always holds: entries come out sorted as the server sorts them, and none is empty.
//! Deliberately does not know: how sets change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Manager, field_set::FieldSet, fields_v1};

/// Whether a manager applies its configuration or writes in any other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// What tells managers apart. An applier stays the same manager when it moves to another version
/// of the API, so the version of appliers is left empty here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) manager: String,
    pub(super) operation: Operation,
    pub(super) api_version: String,
    pub(super) subresource: String,
}

impl Identity {
    pub(super) fn new(manager: &Manager, operation: Operation) -> Self {
        let name = if manager.name.is_empty() {
            "unknown"
        } else {
            &manager.name
        };
        Self {
            manager: name.to_owned(),
            operation,
            api_version: match operation {
                Operation::Apply => String::new(),
                Operation::Update => manager.api_version.clone(),
            },
            subresource: manager.subresource.clone(),
        }
    }
}

/// What one manager manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) set: FieldSet,
    pub(super) api_version: String,
    /// Missing when the manager came to share fields without ever changing a value.
    pub(super) time: Option<Timestamp>,
}

/// All managers of an object.
pub(super) type Managers = BTreeMap<Identity, Entry>;

/// Reads the managers of an object; none when the entries are missing or unreadable.
pub(super) fn read(object: &Value) -> Managers {
    let entries = object.pointer("/metadata/managedFields");
    entries.and_then(decode).unwrap_or_default()
}

/// Whether a client asks for a fresh start by sending `[]` or `[{}]`.
pub(super) fn asks_for_reset(object: &Value) -> bool {
    match object.pointer("/metadata/managedFields") {
        Some(Value::Array(entries)) => {
            entries.is_empty() || entries.as_slice() == [Value::Object(Map::new())]
        }
        _ => false,
    }
}

/// Writes the managers into an object, or takes the field away when there are none.
pub(super) fn write(object: &mut Value, managers: &Managers) {
    let Some(object) = object.as_object_mut() else {
        return;
    };
    if managers.is_empty() {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        return;
    }
    let metadata = object.entry("metadata").or_insert_with(|| json!({}));
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("managedFields".to_owned(), encode(managers));
    }
}

fn decode(entries: &Value) -> Option<Managers> {
    entries.as_array()?.iter().map(decode_entry).collect()
}

fn decode_entry(entry: &Value) -> Option<(Identity, Entry)> {
    let text = |name| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let operation = match text("operation") {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return None,
    };
    let api_version = text("apiVersion").to_owned();
    if api_version.is_empty() || text("fieldsType") != "FieldsV1" {
        return None;
    }
    let mut set = entry
        .get("fieldsV1")
        .map_or_else(|| Some(FieldSet::default()), fields_v1::decode)?;
    set.member = false;
    let identity = Identity {
        manager: text("manager").to_owned(),
        operation,
        api_version: match operation {
            Operation::Apply => String::new(),
            Operation::Update => api_version.clone(),
        },
        subresource: text("subresource").to_owned(),
    };
    let time = text("time").parse().ok();
    Some((
        identity,
        Entry {
            set,
            api_version,
            time,
        },
    ))
}

fn encode(managers: &Managers) -> Value {
    let mut entries: Vec<_> = managers.iter().collect();
    entries.sort_by_key(|(identity, entry)| {
        (
            identity.operation,
            entry.time.map_or(0, Timestamp::as_second),
            identity.manager.clone(),
            entry.api_version.clone(),
            identity.subresource.clone(),
        )
    });
    let entries = entries
        .into_iter()
        .map(|(identity, entry)| encode_entry(identity, entry));
    Value::Array(entries.collect())
}

fn encode_entry(identity: &Identity, entry: &Entry) -> Value {
    let operation = match identity.operation {
        Operation::Apply => "Apply",
        Operation::Update => "Update",
    };
    let mut encoded = Map::new();
    encoded.insert("manager".to_owned(), identity.manager.as_str().into());
    encoded.insert("operation".to_owned(), operation.into());
    encoded.insert("apiVersion".to_owned(), entry.api_version.as_str().into());
    if let Some(time) = entry.time {
        encoded.insert("time".to_owned(), print_time(time).into());
    }
    encoded.insert("fieldsType".to_owned(), "FieldsV1".into());
    encoded.insert("fieldsV1".to_owned(), fields_v1::encode(&entry.set));
    if !identity.subresource.is_empty() {
        encoded.insert(
            "subresource".to_owned(),
            identity.subresource.as_str().into(),
        );
    }
    Value::Object(encoded)
}

/// Whole seconds in UTC, as every time in metadata.
pub(super) fn print_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
