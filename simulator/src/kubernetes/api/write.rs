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
    resource::{BUILT_INS, CUSTOM_RESOURCE_DEFINITIONS as DEFINITIONS, NAMESPACES, is_built_in},
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
        let stored = self.store.put(writer.now, &r.id, object);
        if r.id == DEFINITIONS.id {
            self.register(&stored);
        }
        stored
    }

    /// Removes the object, unless the run is dry.
    pub(super) fn purge(&mut self, writer: &Writer, r: &Resource, last: Value) -> Arc<Value> {
        if writer.dry_run {
            return Arc::new(last);
        }
        let name = metadata::name(&last).to_owned();
        let last = views::inward(r, &self.registry.storage_version(r), last);
        let fallback = Arc::new(last.clone());
        let removed = self
            .store
            .remove(writer.now, &r.id, last)
            .unwrap_or(fallback);
        if r.id == DEFINITIONS.id {
            self.registry.remove(&name);
        } else if !is_built_in(r) {
            self.end_of_kind(writer, &r.id);
        }
        removed
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
    let built_in = is_built_in(r);
    let version = r.api_version();
    let object = fields(object);
    let mut given = |name: &str, expected: &str| {
        let value = object.entry(name).or_insert(Value::Null);
        if value.as_str().is_none_or(str::is_empty) {
            *value = expected.into();
        }
        value.as_str().unwrap_or_default().to_owned()
    };
    let (given_version, kind) = (given("apiVersion", &version), given("kind", &r.kind));
    if given_version == version && kind == *r.kind {
        return Ok(());
    }
    let (group, plain) = given_version
        .split_once('/')
        .unwrap_or(("", &given_version));
    let known = BUILT_INS
        .iter()
        .any(|known| known.group == group && known.version == plain && known.kind == *kind);
    if built_in {
        let why = if known {
            let internal = if r.group.is_empty() {
                "core"
            } else {
                r.group.split('.').next().unwrap_or_default()
            };
            format!(
                "converting ({plain}.{kind}) to ({internal}.{}): unknown conversion",
                r.kind
            )
        } else {
            format!(
                "no kind {kind:?} is registered for version {given_version:?} in scheme \"pkg/runtime/scheme.go:110\""
            )
        };
        return Err(ApiError::bad_request(format!(
            "{kind} in version {plain:?} cannot be handled as a {}: {why}",
            r.kind
        )));
    }
    if given_version != version {
        let why = format!(
            "the API version in the data ({given_version}) does not match the expected API version ({version})"
        );
        return Err(ApiError::bad_request(why));
    }
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let cause = Cause::invalid("kind", format!("{kind:?}"), format!("must be {}", r.kind));
    let given = Resource {
        kind: kind.into(),
        ..r.clone()
    };
    Err(ApiError::invalid(&given, &name, &[cause]))
}
