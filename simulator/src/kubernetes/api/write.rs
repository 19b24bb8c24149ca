//! What all writes have in common.
//!
//! Owns: who writes, when, and how strictly; the checks on names, namespaces and revisions.
//! Always holds: a dry run changes nothing.
//! Deliberately does not know: the particular verb.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ApiError, ApiServer, Cause, Resource,
    metadata::{self, fields},
    resource::NAMESPACES,
    views,
};

/// What the server does with fields that the kind does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Drop them and warn.
    #[default]
    Warn,
    /// Refuse the object.
    Strict,
}

/// One writer at one moment.
#[derive(Clone, Debug)]
pub(super) struct Writer<'a> {
    pub(super) now: Timestamp,
    /// Field manager.
    pub(super) manager: &'a str,
    pub(super) dry_run: bool,
    pub(super) validation: FieldValidation,
    /// Paths of fields that the body gives more than once.
    pub(super) duplicates: Vec<String>,
    /// Whether `managedFields` are right already (after an apply).
    pub(super) tracked: bool,
    /// The subresource to name in `managedFields`, when it is not the one written through.
    pub(super) tracked_as: Option<&'a str>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(now: Timestamp, manager: &'a str) -> Self {
        Self {
            now,
            manager,
            dry_run: false,
            validation: FieldValidation::default(),
            duplicates: Vec::new(),
            tracked: false,
            tracked_as: None,
        }
    }
}

/// An accepted write.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) object: Arc<Value>,
    pub(super) warnings: Vec<String>,
}

impl ApiServer {
    /// Stores the object, unless the run is dry.
    pub(super) fn commit(&mut self, writer: &Writer, r: &Resource, object: Value) -> Arc<Value> {
        if writer.dry_run {
            return Arc::new(object);
        }
        let object = views::inward(r, &self.registry.storage_version(r), object);
        self.store.put(writer.now, &r.id, object)
    }

    /// Removes the object, unless the run is dry.
    pub(super) fn purge(&mut self, writer: &Writer, r: &Resource, last: Value) -> Arc<Value> {
        if writer.dry_run {
            return Arc::new(last);
        }
        let fallback = Arc::new(last.clone());
        self.store
            .remove(writer.now, &r.id, last)
            .unwrap_or(fallback)
    }

    /// Refuses objects in a namespace that is not there or is going away.
    pub(super) fn check_namespace(
        &self,
        r: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<(), ApiError> {
        if !r.namespaced {
            return Ok(());
        }
        let found = self
            .store
            .get(&NAMESPACES.id, "", namespace)
            .ok_or_else(|| ApiError::not_found(&NAMESPACES, namespace))?;
        if !metadata::is_deleting(found) {
            return Ok(());
        }
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let refusal = ApiError::forbidden(r, name, why);
        let mut details = refusal.details().cloned().unwrap_or_default();
        let cause = Cause::new(
            "NamespaceTerminating",
            "metadata.namespace",
            format!("namespace {namespace} is being terminated"),
        );
        details["causes"] = serde_json::json!([
            {"reason": cause.reason, "message": cause.message, "field": cause.field}
        ]);
        Err(refusal.with_details(details))
    }
}

/// Fills in `apiVersion` and `kind` where they are missing, and refuses other ones.
pub(super) fn check_type(r: &Resource, object: &mut Value) -> Result<(), ApiError> {
    let version = r.api_version();
    let object = fields(object);
    let given = object
        .entry("apiVersion")
        .or_insert_with(|| version.clone().into());
    if *given != *version {
        let given = given.as_str().unwrap_or_default();
        let why = format!(
            "the API version in the data ({given}) does not match the expected API version ({version})"
        );
        return Err(ApiError::bad_request(why));
    }
    let given = object
        .entry("kind")
        .or_insert_with(|| r.kind.as_ref().into());
    if *given != *r.kind {
        let why = format!(
            "{} in version {:?} cannot be handled as a {}: no kind {given} is registered",
            given.as_str().unwrap_or_default(),
            r.version,
            r.kind,
        );
        return Err(ApiError::bad_request(why));
    }
    Ok(())
}
