//! Deleting an object.
//!
//! Owns: preconditions, grace, finalizers of the deletion itself, and when an object really goes.
//! Always holds: an object with finalizers or with grace left stays, marked with a deletion time.
//! Deliberately does not know: dependents; collecting them is a controller's work.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    ApiError, ApiServer, Resource, kinds, metadata,
    resource::CUSTOM_RESOURCE_DEFINITIONS as DEFINITIONS, update::is_finished, write::Writer,
};

/// What becomes of the objects that the deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are collected after it is gone.
    Background,
    /// It goes after them.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds that a pod gets to stop; its own setting when absent. 0 removes it at once.
    pub grace_period_seconds: Option<i64>,
    /// What becomes of the dependents.
    pub propagation: Option<Propagation>,
    /// Only this incarnation.
    pub uid: Option<String>,
    /// Only in this state.
    pub resource_version: Option<String>,
}

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// What a delete did.
pub(super) enum Deleted {
    /// The object is gone.
    Gone(Arc<Value>),
    /// The object is marked and stays for now.
    Marked(Arc<Value>),
}

impl ApiServer {
    /// Deletes an object, or marks it for deletion when something still holds it.
    ///
    /// # Errors
    /// When it is not there, or is not in the state that the options demand.
    pub fn delete(
        &mut self,
        now: Timestamp,
        actor: &str,
        r: &Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Arc<Value>, ApiError> {
        match self.delete_as(&Writer::new(now, actor), r, (namespace, name), options)? {
            Deleted::Gone(object) | Deleted::Marked(object) => Ok(object),
        }
    }

    pub(super) fn delete_as(
        &mut self,
        writer: &Writer,
        r: &Resource,
        (namespace, name): (&str, &str),
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        let live = self
            .store
            .get(&r.id, namespace, name)
            .cloned()
            .ok_or_else(|| ApiError::not_found(r, name))?;
        check_preconditions(r, &live, options)?;
        kinds::check_delete(r, name)?;
        let mut object = (*live).clone();
        choose_finalizers(&mut object, options.propagation);
        mark(writer.now, r, &mut object, &live, options);
        if is_finished(r, &object) {
            // What goes at once was never marked, but for a pod, whose grace is always told.
            let last = if r.id == "pods" || metadata::is_deleting(&live) {
                object
            } else {
                (*live).clone()
            };
            return Ok(Deleted::Gone(self.purge(writer, r, last)));
        }
        if object == *live {
            return Ok(Deleted::Marked(live));
        }
        let marked = self.commit(writer, r, object);
        if r.id == DEFINITIONS.id {
            self.clean_up_kind(writer, name);
        }
        Ok(Deleted::Marked(marked))
    }
}

fn check_preconditions(
    r: &Resource,
    live: &Value,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    let name = metadata::name(live);
    // A real server names the kind here, not the resource.
    let named = Resource {
        plural: r.kind.clone(),
        ..r.clone()
    };
    if let Some(wanted) = options
        .uid
        .as_ref()
        .filter(|uid| *uid != metadata::uid(live))
    {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            metadata::uid(live)
        );
        return Err(ApiError::conflict(&named, name, why));
    }
    let revision = metadata::resource_version(live);
    if let Some(wanted) = options
        .resource_version
        .as_ref()
        .filter(|wanted| *wanted != revision)
    {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({revision}). The object might have been modified"
        );
        return Err(ApiError::conflict(&named, name, why));
    }
    Ok(())
}

/// A policy given by the caller replaces the one that the object carries in its finalizers.
fn choose_finalizers(object: &mut Value, propagation: Option<Propagation>) {
    let Some(propagation) = propagation else {
        return;
    };
    let mut kept: Vec<Value> = metadata::finalizers(object)
        .into_iter()
        .filter(|finalizer| ![FOREGROUND, ORPHAN].contains(finalizer))
        .map(Value::from)
        .collect();
    match propagation {
        Propagation::Foreground => kept.push(FOREGROUND.into()),
        Propagation::Orphan => kept.push(ORPHAN.into()),
        Propagation::Background => {}
    }
    let kept = (!kept.is_empty()).then(|| kept.into());
    metadata::set(metadata::of(object), "finalizers", kept);
}

/// Sets the time of deletion; a later call can only shorten the grace.
fn mark(now: Timestamp, r: &Resource, object: &mut Value, live: &Value, options: &DeleteOptions) {
    let grace = kinds::grace(r, live, options.grace_period_seconds);
    let before = live["metadata"]["deletionGracePeriodSeconds"].as_i64();
    if metadata::is_deleting(live) && before.is_none_or(|before| before <= grace) {
        return;
    }
    let generation = metadata::generation(live);
    let metadata = metadata::of(object);
    let start = if before.is_some() {
        deletion_began(live).unwrap_or(now)
    } else {
        now
    };
    let end = start + SignedDuration::from_secs(grace);
    metadata.insert("deletionTimestamp".into(), metadata::time(end).into());
    if !kinds::marks_grace(r) {
        if r.id == "namespaces" {
            object["status"]["phase"] = "Terminating".into();
        }
        return;
    }
    metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
    if generation > 0 && before.is_none() {
        metadata.insert("generation".into(), (generation + 1).into());
    }
}

fn deletion_began(live: &Value) -> Option<Timestamp> {
    let metadata = &live["metadata"];
    let end: Timestamp = metadata["deletionTimestamp"].as_str()?.parse().ok()?;
    Some(end - SignedDuration::from_secs(metadata["deletionGracePeriodSeconds"].as_i64()?))
}
