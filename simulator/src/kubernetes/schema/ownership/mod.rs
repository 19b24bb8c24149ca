//! Field ownership: server-side apply, and the bookkeeping of every other write.
//!
//! Owns: [`apply`] and [`track_update`], which between them write all of `managedFields`.
//! Always holds: an applier never changes a value that another manager holds unless forced; a
//! field leaves with its last owner; an apply that changes nothing returns the live object.
//! Deliberately does not know: conversion between API versions (every version of a kind is taken
//! to have the same fields), defaulting, the `last-applied-configuration` of `kubectl apply`.

mod compare;
mod conflict;
mod field_set;
mod fields_v1;
mod fits;
mod items;
mod managers;
mod merge;
mod owned_fields;
mod path;
mod prune;
mod remove;
mod update;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::Value;

pub use conflict::{ApplyError, Conflict, TypeMismatch};

use self::{
    field_set::FieldSet,
    managers::{Entry, Identity, Managers, Operation},
};
use super::types::TypeSchema;

/// Who writes, through which endpoint, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// The `fieldManager` of the request, or what the server derives from the user agent.
    pub name: String,
    /// The subresource written to, `""` for the object itself.
    pub subresource: String,
    /// Group and version of the endpoint, as in `apiVersion`.
    pub api_version: String,
    /// The time of the write.
    pub time: Timestamp,
}

/// The object that results from a server-side apply, with its new `managedFields`.
///
/// `live` is `None` when the apply creates the object. When nothing changes, the result equals
/// `live`, so that the caller can skip the write.
///
/// # Errors
/// Conflicts unless `force`; a configuration that does not fit the type.
pub fn apply(
    live: Option<&Value>,
    applied: &Value,
    manager: &Manager,
    force: bool,
    schema: &TypeSchema,
) -> Result<Value, ApplyError> {
    if applied
        .pointer("/metadata/managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(ApplyError::ManagedFields);
    }
    fits::fits(applied, &schema.root).map_err(ApplyError::Type)?;
    let empty = empty_object(schema, applied);
    let ignored = ignored_fields(manager, schema);
    let me = Identity::new(manager, Operation::Apply);
    let mut managers = live.map(managers::read).unwrap_or_default();
    if let (Some(live), true) = (live, managers.is_empty()) {
        managers = owners_before_first_apply(&empty, live, manager, schema);
    }
    let live = live.unwrap_or(&empty);

    let previous = managers.remove(&me);
    let set = owned_fields::owned_fields(applied, &schema.root).recursive_difference(&ignored);
    let mine = Entry {
        set,
        api_version: manager.api_version.clone(),
        time: previous.as_ref().and_then(|entry| entry.time),
    };
    managers.insert(me.clone(), mine);
    let merged = merge::merge(live, applied, &schema.root);
    let previous = previous.map(|entry| entry.set).unwrap_or_default();
    let mut result = prune::prune(&merged, &previous, &me, &managers, &schema.root);

    let comparison = compare::compare(live, &result, &schema.root).without(&ignored);
    update::take_over(&mut managers, &me, &comparison, force).map_err(ApplyError::Conflicts)?;
    strip_metadata(&mut managers, &me);
    if !compare::same(live, &result)
        && let Some(mine) = managers.get_mut(&me)
    {
        mine.time = Some(manager.time);
    }
    managers::write(&mut result, &managers);
    Ok(result)
}

/// `new` with the `managedFields` that it has after a create, an update, or a patch other than
/// apply. `old` is `None` for a create.
#[must_use]
pub fn track_update(
    old: Option<&Value>,
    new: &Value,
    manager: &Manager,
    schema: &TypeSchema,
) -> Value {
    let mut managers = managers_for_update(old, new, manager);
    let mut result = new.clone();
    managers::write(&mut result, &Managers::new());
    if managers.is_empty() && old.is_some() {
        // Nobody kept track so far, and starting now would call everything this manager's.
        return result;
    }
    let empty = empty_object(schema, new);
    let old = old.unwrap_or(&empty);
    update::update(&mut managers, old, &result, manager, schema);
    update::cap_updaters(&mut managers);
    managers::write(&mut result, &managers);
    result
}

/// Gives `new` the times of `live` if the times of `managedFields` are all that differs, so that
/// such a write can be skipped.
pub fn restore_times(live: &Value, new: &mut Value) {
    let mut timeless = managers::read(new);
    for (identity, entry) in &managers::read(live) {
        if let Some(mine) = timeless.get_mut(identity) {
            mine.time = entry.time;
        }
    }
    let mut candidate = new.clone();
    managers::write(&mut candidate, &timeless);
    if compare::same(live, &candidate) {
        *new = candidate;
    }
}

/// Whether some manager owns the field at this path of map fields, for example
/// `["spec", "replicas"]`.
#[must_use]
pub fn owns(object: &Value, manager: &str, path: &[&str]) -> bool {
    managers::read(object).iter().any(|(identity, entry)| {
        identity.manager == manager && entry.set.contains(&path::Path::of(path).0)
    })
}

/// The managers to start from: those that the client sent along, else the live ones.
fn managers_for_update(old: Option<&Value>, new: &Value, manager: &Manager) -> Managers {
    let live = || old.map(managers::read).unwrap_or_default();
    if !manager.subresource.is_empty() {
        return live();
    }
    if managers::asks_for_reset(new) {
        return Managers::new();
    }
    let sent = managers::read(new);
    if sent.is_empty() { live() } else { sent }
}

/// What is there before the first apply and has no owner yet gets one that stands for its past.
fn owners_before_first_apply(
    empty: &Value,
    live: &Value,
    manager: &Manager,
    schema: &TypeSchema,
) -> Managers {
    let past = Manager {
        name: "before-first-apply".to_owned(),
        ..manager.clone()
    };
    let mut managers = Managers::new();
    update::update(&mut managers, empty, live, &past, schema);
    managers
}

fn empty_object(schema: &TypeSchema, like: &Value) -> Value {
    let mut empty = schema.zero.clone();
    for name in ["apiVersion", "kind"] {
        if let (Some(value), Some(object)) = (like.get(name), empty.as_object_mut()) {
            object.insert(name.to_owned(), value.clone());
        }
    }
    empty
}

/// What a write through this endpoint cannot change, so that it owns nothing there either.
fn ignored_fields(manager: &Manager, schema: &TypeSchema) -> FieldSet {
    match manager.subresource.as_str() {
        "status" => FieldSet::from_paths([&["spec"][..]]),
        "" if schema.status_subresource => FieldSet::from_paths([&["status"][..]]),
        _ => FieldSet::default(),
    }
}

/// The identity of an object, and what the server sets, is not owned by anyone.
fn strip_metadata(managers: &mut Managers, who: &Identity) {
    let Some(entry) = managers.get_mut(who) else {
        return;
    };
    let metadata = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let mut stripped = FieldSet::from_paths([&["apiVersion"][..], &["kind"], &["metadata"]]);
    for field in metadata {
        stripped.insert(&path::Path::of(&["metadata", field]).0);
    }
    entry.set = entry.set.difference(&stripped);
    if entry.set.is_empty() {
        managers.remove(who);
    }
}
