//! Reading and writing `metadata` of objects that are plain JSON.
//!
//! Owns: small accessors, the format of times.
//! Always holds: an object without `metadata` reads as one whose fields are all absent.
//! Deliberately does not know: what the fields mean for a request.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// A time as Kubernetes writes it: whole seconds, UTC.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn name(object: &Value) -> &str {
    text(object, "name")
}

pub(super) fn namespace(object: &Value) -> &str {
    text(object, "namespace")
}

pub(super) fn uid(object: &Value) -> &str {
    text(object, "uid")
}

pub(super) fn resource_version(object: &Value) -> &str {
    text(object, "resourceVersion")
}

pub(super) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

pub(super) fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap_or(0)
}

pub(super) fn is_deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

pub(super) fn finalizers(object: &Value) -> Vec<&str> {
    let listed = object["metadata"]["finalizers"].as_array();
    listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The metadata of an object, made if it is missing.
pub(super) fn of(object: &mut Value) -> &mut Map<String, Value> {
    fields(&mut object["metadata"])
}

/// A value as a map of fields; what is no map becomes an empty one.
pub(super) fn fields(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("was just made an object")
}

/// Sets a field, or removes it when there is no value.
pub(super) fn set(fields: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(fields.insert(name.to_owned(), value)),
        None => drop(fields.remove(name)),
    }
}
