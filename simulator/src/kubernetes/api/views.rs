//! One stored object, seen through different groups and versions.
//!
//! Owns: the two faces of events, and the `apiVersion` of custom objects in several versions.
//! Always holds: going outward and inward again gives the stored object back.
//! Deliberately does not know: conversion webhooks; versions of a custom kind differ in name only.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Resource;

/// Field names of an event: in the core group, and in `events.k8s.io`.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// A stored object as this resource shows it.
pub(super) fn outward(r: &Resource, stored: &Arc<Value>) -> Arc<Value> {
    let version = r.api_version();
    if stored["apiVersion"] == *version {
        return Arc::clone(stored);
    }
    let mut shown = (**stored).clone();
    if r.id == "events" {
        rename(&mut shown, EVENT_FIELDS);
        // Only the core face shows these when they are empty.
        for name in ["reportingController", "reportingInstance"] {
            if shown[name] == "" {
                super::metadata::fields(&mut shown).remove(name);
            }
        }
    }
    shown["apiVersion"] = version.into();
    Arc::new(shown)
}

/// An object of this resource as it is stored.
pub(super) fn inward(r: &Resource, storage_version: &str, mut object: Value) -> Value {
    if object["apiVersion"] == *storage_version {
        return object;
    }
    if r.id == "events" {
        rename(&mut object, EVENT_FIELDS.map(|(core, own)| (own, core)));
    }
    object["apiVersion"] = storage_version.into();
    object
}

fn rename(object: &mut Value, names: [(&str, &str); 7]) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    let renamed: Map<String, Value> = std::mem::take(fields)
        .into_iter()
        .map(
            |(name, value)| match names.iter().find(|(from, _)| *from == name) {
                Some((_, to)) => ((*to).to_owned(), value),
                None => (name, value),
            },
        )
        .collect();
    *fields = renamed;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::resource::EVENTS_V1, *};

    #[test]
    fn an_event_has_two_faces_and_one_storage() {
        let new = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "regarding": {"name": "a"}, "note": "n", "reportingController": "c", "reason": "R",
        });
        let stored = inward(&EVENTS_V1, "v1", new.clone());
        assert_eq!(stored["involvedObject"]["name"], "a");
        assert_eq!(stored["message"], "n");
        assert_eq!(stored["apiVersion"], "v1");
        assert_eq!(*outward(&EVENTS_V1, &Arc::new(stored)), new);
    }
}
