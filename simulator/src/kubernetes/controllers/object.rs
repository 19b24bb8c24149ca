//! Reading what every Kubernetes object says about itself.
//!
//! Owns: access to metadata, owner references and conditions of objects kept as JSON.
//! Always holds: nothing here changes an object that it was not given to change; what is missing
//! reads as empty.
//! Deliberately does not know: the store, or any kind in particular.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Names one object of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Namespace; empty for what lives in none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// The key of an object.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        Self::new(object.namespace(), object.name())
    }

    /// A key from its parts.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// One entry of `metadata.ownerReferences`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `group/version`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name, in the namespace of the dependent or in none.
    pub name: String,
    /// UID: the owner is this incarnation and no other.
    pub uid: String,
    /// Whether it is the one that manages the dependent.
    pub controller: bool,
    /// Whether it waits for the dependent when it is deleted in the foreground.
    pub blocks_deletion: bool,
}

/// What every object can be asked.
pub trait Meta {
    /// `metadata.name`.
    fn name(&self) -> &str;
    /// `metadata.namespace`.
    fn namespace(&self) -> &str;
    /// `metadata.uid`.
    fn uid(&self) -> &str;
    /// One label.
    fn label(&self, key: &str) -> Option<&str>;
    /// One annotation.
    fn annotation(&self, key: &str) -> Option<&str>;
    /// `metadata.creationTimestamp`.
    fn created_at(&self) -> Option<Timestamp>;
    /// Whether a deletion has begun.
    fn is_terminating(&self) -> bool;
    /// `metadata.deletionTimestamp`; for pods the moment when the grace period ends.
    fn deletion_time(&self) -> Option<Timestamp>;
    /// Whether `metadata.finalizers` has this one.
    fn has_finalizer(&self, finalizer: &str) -> bool;
    /// The owners.
    fn owners(&self) -> Vec<Owner>;
    /// The owner that manages the object.
    fn controller(&self) -> Option<Owner>;
    /// The status of one condition: `True`, `False` or `Unknown`.
    fn condition(&self, kind: &str) -> Option<&Value>;
    /// Whether a condition is there and `True`.
    fn condition_is_true(&self, kind: &str) -> bool;
    /// A list field; empty when absent.
    fn items(&self, pointer: &str) -> &[Value];
    /// A text field; empty when absent.
    fn text(&self, pointer: &str) -> &str;
}

impl Meta for Value {
    fn name(&self) -> &str {
        self["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn namespace(&self) -> &str {
        self["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    fn uid(&self) -> &str {
        self["metadata"]["uid"].as_str().unwrap_or_default()
    }

    fn label(&self, key: &str) -> Option<&str> {
        self["metadata"]["labels"][key].as_str()
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self["metadata"]["annotations"][key].as_str()
    }

    fn created_at(&self) -> Option<Timestamp> {
        time_at(&self["metadata"]["creationTimestamp"])
    }

    fn is_terminating(&self) -> bool {
        self["metadata"]["deletionTimestamp"].is_string()
    }

    fn deletion_time(&self) -> Option<Timestamp> {
        time_at(&self["metadata"]["deletionTimestamp"])
    }

    fn has_finalizer(&self, finalizer: &str) -> bool {
        self.items("/metadata/finalizers")
            .iter()
            .any(|entry| entry == finalizer)
    }

    fn owners(&self) -> Vec<Owner> {
        self.items("/metadata/ownerReferences")
            .iter()
            .map(|entry| Owner {
                api_version: entry.text("/apiVersion").to_owned(),
                kind: entry.text("/kind").to_owned(),
                name: entry.text("/name").to_owned(),
                uid: entry.text("/uid").to_owned(),
                controller: entry["controller"].as_bool().unwrap_or_default(),
                blocks_deletion: entry["blockOwnerDeletion"].as_bool().unwrap_or_default(),
            })
            .collect()
    }

    fn controller(&self) -> Option<Owner> {
        self.owners().into_iter().find(|owner| owner.controller)
    }

    fn condition(&self, kind: &str) -> Option<&Value> {
        self.items("/status/conditions")
            .iter()
            .find(|entry| entry["type"] == kind)
    }

    fn condition_is_true(&self, kind: &str) -> bool {
        self.condition(kind)
            .is_some_and(|entry| entry["status"] == "True")
    }

    fn items(&self, pointer: &str) -> &[Value] {
        self.pointer(pointer)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    fn text(&self, pointer: &str) -> &str {
        self.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// A time as objects carry it: whole seconds.
#[must_use]
pub fn stamp(at: Timestamp) -> Value {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}

/// Reads a time that an object carries.
#[must_use]
pub fn time_at(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// The owner reference of the one that manages a new object.
#[must_use]
pub fn controller_reference(api_version: &str, kind: &str, owner: &Value) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind, "name": owner.name(), "uid": owner.uid(),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// Puts a condition into a list. The time of its last transition stays when its status does.
pub fn set_condition(conditions: &mut Vec<Value>, mut condition: Value, now: Timestamp) {
    let known = conditions
        .iter_mut()
        .find(|entry| entry["type"] == condition["type"]);
    let since = known
        .as_ref()
        .filter(|entry| entry["status"] == condition["status"])
        .map(|entry| entry["lastTransitionTime"].clone())
        .filter(Value::is_string);
    condition["lastTransitionTime"] = since.unwrap_or_else(|| stamp(now));
    match known {
        Some(entry) => *entry = condition,
        None => conditions.push(condition),
    }
}

/// Adds a finalizer if it is not there yet.
pub fn add_finalizer(object: &mut Value, finalizer: &str) {
    if object.has_finalizer(finalizer) {
        return;
    }
    let finalizers = &mut object["metadata"]["finalizers"];
    match finalizers.as_array_mut() {
        Some(list) => list.push(finalizer.into()),
        None => *finalizers = json!([finalizer]),
    }
}

/// Removes a finalizer.
pub fn remove_finalizer(object: &mut Value, finalizer: &str) {
    let Some(list) = object["metadata"]["finalizers"].as_array_mut() else {
        return;
    };
    list.retain(|entry| entry != finalizer);
    if list.is_empty()
        && let Some(metadata) = object["metadata"].as_object_mut()
    {
        metadata.remove("finalizers");
    }
}

/// The object behind a path of fields, made on the way when it is not there.
pub fn object_at<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut here = value;
    for field in path {
        here = &mut here[*field];
    }
    if !here.is_object() {
        *here = Value::Object(Map::new());
    }
    here.as_object_mut()
        .expect("it was made an object one line above")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let mut conditions = Vec::new();
        set_condition(
            &mut conditions,
            json!({"type": "Ready", "status": "False", "reason": "A"}),
            at(1),
        );
        set_condition(
            &mut conditions,
            json!({"type": "Ready", "status": "False", "reason": "B"}),
            at(2),
        );
        assert_eq!(conditions[0]["reason"], "B");
        assert_eq!(time_at(&conditions[0]["lastTransitionTime"]), Some(at(1)));
        set_condition(
            &mut conditions,
            json!({"type": "Ready", "status": "True"}),
            at(3),
        );
        assert_eq!(conditions.len(), 1);
        assert_eq!(time_at(&conditions[0]["lastTransitionTime"]), Some(at(3)));
    }

    #[test]
    fn times_are_written_in_whole_seconds() {
        let moment = at(7) + jiff::SignedDuration::from_millis(999);
        assert_eq!(stamp(moment), "1970-01-01T00:00:07Z");
    }

    #[test]
    fn the_last_finalizer_takes_the_list_with_it() {
        let mut object = json!({"metadata": {"name": "a"}});
        add_finalizer(&mut object, "x/y");
        add_finalizer(&mut object, "x/y");
        assert_eq!(object["metadata"]["finalizers"], json!(["x/y"]));
        remove_finalizer(&mut object, "x/y");
        assert_eq!(object, json!({"metadata": {"name": "a"}}));
    }
}
