//! Namespaces, events and role bindings: small kinds with small rules.
//!
//! Owns: their defaults, and what makes an event invalid.
//! Always holds: an event is in the namespace of what it is about.
//! Deliberately does not know: who may do what; every request is allowed.

use serde_json::{Value, json};

use super::{each, fields, fill, part};
use crate::kubernetes::api::{Cause, Resource, metadata};

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn default_namespace(namespace: &mut Value) {
    let name = metadata::name(namespace).to_owned();
    let labels = metadata::of(namespace)
        .entry("labels")
        .or_insert(Value::Null);
    fields(labels).insert("kubernetes.io/metadata.name".to_owned(), name.into());
}

pub(super) fn default_binding(binding: &mut Value) {
    let binding = fields(binding);
    if let Some(role) = part(binding, "roleRef") {
        fill(role, "apiGroup", RBAC);
    }
    for subject in each(binding, "subjects") {
        if subject
            .get("kind")
            .is_some_and(|kind| kind != "ServiceAccount")
        {
            fill(subject, "apiGroup", RBAC);
        }
    }
}

/// Go shows these fields of an event even when they are empty.
pub(super) fn default_event(r: &Resource, event: &mut Value) {
    let event = fields(event);
    let shown = if r.group.is_empty() {
        json!({
            "source": {}, "firstTimestamp": null, "lastTimestamp": null, "eventTime": null,
            "reportingComponent": "", "reportingInstance": "",
        })
    } else {
        json!({
            "deprecatedSource": {}, "deprecatedFirstTimestamp": null,
            "deprecatedLastTimestamp": null, "eventTime": null,
        })
    };
    for (name, value) in shown.as_object().into_iter().flatten() {
        event.entry(name).or_insert_with(|| value.clone());
    }
}

pub(super) fn validate_event(r: &Resource, event: &Value) -> Vec<Cause> {
    let core = r.group.is_empty();
    let (about, at) = if core {
        (&event["involvedObject"], "involvedObject.namespace")
    } else {
        (&event["regarding"], "regarding.namespace")
    };
    let mut causes = Vec::new();
    if !core && event["eventTime"].is_null() {
        return vec![Cause::required("eventTime", "")];
    }
    let (own, its) = (
        metadata::namespace(event),
        about["namespace"].as_str().unwrap_or_default(),
    );
    let fits = if its.is_empty() {
        own == "default" || core
    } else {
        own == its
    };
    if !fits {
        causes.push(Cause::invalid(
            at,
            format!("{its:?}"),
            "does not match event.namespace",
        ));
    }
    if !core || !event["eventTime"].is_null() {
        let (controller, at) = match core {
            true => (&event["reportingComponent"], "reportingController"),
            false => (&event["reportingController"], "reportingController"),
        };
        let required = [
            (controller, at),
            (&event["reportingInstance"], "reportingInstance"),
            (&event["action"], "action"),
            (&event["reason"], "reason"),
        ];
        for (value, at) in required {
            if value.as_str().is_none_or(str::is_empty) {
                causes.push(Cause::required(at, ""));
            }
        }
        let kind = event["type"].as_str().unwrap_or_default();
        if !["Normal", "Warning"].contains(&kind) {
            causes.push(Cause::invalid(
                "type",
                format!("{kind:?}"),
                "has invalid value",
            ));
        }
    }
    causes
}
