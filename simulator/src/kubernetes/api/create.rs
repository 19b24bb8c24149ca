//! Creating an object.
//!
//! Owns: the steps of a creation, what the server adds, and what it refuses.
//! Always holds: a new object has a uid, a creation time and no deletion time.
//! Deliberately does not know: what the fields of a kind mean; that is in `kinds`.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    ApiError, ApiServer, Cause, Resource, kinds, metadata, names,
    resource::{CUSTOM_RESOURCE_DEFINITIONS as DEFINITIONS, SERVICE_ACCOUNTS},
    write::{Writer, Written, check_type},
};

/// How often another name is made up when a made-up one is taken.
const NAMING_ATTEMPTS: usize = 8;

impl ApiServer {
    /// Creates an object in the namespace that it names.
    ///
    /// # Errors
    /// When it exists already, is invalid, or its namespace cannot take it.
    pub fn create(
        &mut self,
        now: Timestamp,
        actor: &str,
        r: &Resource,
        object: Value,
    ) -> Result<Arc<Value>, ApiError> {
        self.create_as(&Writer::new(now, actor), r, object)
            .map(|written| written.object)
    }

    pub(super) fn create_as(
        &mut self,
        writer: &Writer,
        r: &Resource,
        mut object: Value,
    ) -> Result<Written, ApiError> {
        check_type(r, &mut object)?;
        let warnings = self.decode(writer, r, &mut object)?;
        self.name(r, &mut object);
        kinds::default(r, &mut object);
        let (namespace, name) = place(&object);
        self.check_namespace(r, &namespace, &name)?;
        metadata::of(&mut object).remove("deletionTimestamp");
        if !writer.tracked {
            object = self.track(writer, r, "", None, &object);
        }
        kinds::admit(self, r, &mut object)?;
        kinds::prepare_create(r, &mut object);
        let revision = metadata::resource_version(&object).to_owned();
        self.stamp(writer.now, r, &mut object);
        self.check_new(r, &mut object)?;
        if let Some(live) = self.store.get(&r.id, &namespace, &name) {
            let mut refusal = ApiError::already_exists(r, &name);
            if metadata::is_deleting(live) {
                refusal.message = format!("object is being deleted: {}", refusal.message);
            }
            return Err(refusal);
        }
        if !matches!(revision.as_str(), "" | "0") {
            let why = "resourceVersion should not be set on objects to be created";
            return Err(ApiError::new(500, "", why));
        }
        let object = self.commit(writer, r, object);
        self.accompany(writer, r, &name)?;
        Ok(Written { object, warnings })
    }

    fn name(&mut self, r: &Resource, object: &mut Value) {
        let base = metadata::text(object, "generateName").to_owned();
        let unnamed = metadata::name(object).is_empty();
        let namespace = metadata::namespace(object).to_owned();
        let metadata = metadata::of(object);
        if unnamed && !base.is_empty() {
            let mut name = names::generated(&base, &mut self.rng);
            for _ in 1..NAMING_ATTEMPTS {
                if self.store.get(&r.id, &namespace, &name).is_none() {
                    break;
                }
                name = names::generated(&base, &mut self.rng);
            }
            metadata.insert("name".into(), name.into());
        }
        if !r.namespaced {
            metadata.remove("namespace");
        }
    }

    fn stamp(&mut self, now: Timestamp, r: &Resource, object: &mut Value) {
        let uid = names::uid(&mut self.rng);
        let metadata = metadata::of(object);
        for field in ["deletionGracePeriodSeconds", "selfLink", "resourceVersion"] {
            metadata.remove(field);
        }
        metadata.insert("uid".into(), uid.into());
        metadata.insert("creationTimestamp".into(), metadata::time(now).into());
        if r.generation {
            metadata.insert("generation".into(), 1.into());
        }
        if r.id == DEFINITIONS.id {
            object["status"] = kinds::accepted(object, &metadata::time(now));
            object["metadata"]["finalizers"] = json!([kinds::CLEANUP]);
        }
    }

    fn check_new(&mut self, r: &Resource, object: &mut Value) -> Result<(), ApiError> {
        let mut causes = check_name(r, object);
        causes.extend(kinds::validate(r, object));
        causes.extend(self.validate_custom(r, object, None));
        if causes.is_empty() && r.id == "services" {
            causes = kinds::addresses(self, object);
        }
        if causes.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid(r, metadata::name(object), &causes))
    }

    /// Makes what a controller would make for a new object within milliseconds, and without which
    /// nothing works: the service account of a namespace.
    fn accompany(&mut self, writer: &Writer, r: &Resource, name: &str) -> Result<(), ApiError> {
        if r.id != "namespaces" || writer.dry_run {
            return Ok(());
        }
        let account = json!({"metadata": {"namespace": name, "name": "default"}});
        let controller = Writer::new(writer.now, "kube-controller-manager");
        self.create_as(&controller, &SERVICE_ACCOUNTS, account)
            .map(drop)
    }
}

fn place(object: &Value) -> (String, String) {
    (
        metadata::namespace(object).to_owned(),
        metadata::name(object).to_owned(),
    )
}

fn check_name(r: &Resource, object: &Value) -> Vec<Cause> {
    let name = metadata::name(object);
    let mut causes = Vec::new();
    if name.is_empty() {
        let why = "name or generateName is required";
        causes.push(Cause::required("metadata.name", why));
    } else if let Some(wrong) = kinds::check_name(r, name) {
        causes.push(Cause::invalid("metadata.name", format!("{name:?}"), wrong));
    }
    causes
}
