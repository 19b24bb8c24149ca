//! Creating an object.
//!
//! Owns: what the server adds to a new object, and what it refuses.
//! Always holds: a new object has a uid, a creation time and no deletion time.
//! Deliberately does not know: what the fields of a kind mean; that is in `kinds`.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ApiError, ApiServer, Cause, Resource, kinds,
    metadata::{self, set},
    names,
    write::{Writer, Written, check_type},
};

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
        if !matches!(metadata::resource_version(&object), "" | "0") {
            let why = "resourceVersion should not be set on objects to be created";
            return Err(ApiError::new(500, "", why));
        }
        self.name(r, &mut object);
        let (namespace, name) = place(&object);
        self.check_namespace(r, &namespace, &name)?;
        let warnings = self.decode(writer, r, &mut object)?;
        kinds::prepare_create(r, &mut object);
        self.stamp(writer.now, r, &mut object);
        let causes = check_name(r, &object);
        if !causes.is_empty() {
            return Err(ApiError::invalid(r, &name, &causes));
        }
        if self.store.get(&r.id, &namespace, &name).is_some() {
            return Err(ApiError::already_exists(r, &name));
        }
        if !writer.tracked {
            object = self.track(writer, r, "", None, &object);
        }
        let object = self.commit(writer, r, object);
        Ok(Written { object, warnings })
    }

    fn name(&mut self, r: &Resource, object: &mut Value) {
        let base = metadata::text(object, "generateName").to_owned();
        let unnamed = metadata::name(object).is_empty();
        let metadata = metadata::of(object);
        if unnamed && !base.is_empty() {
            metadata.insert("name".into(), names::generated(&base, &mut self.rng).into());
        }
        if !r.namespaced {
            metadata.remove("namespace");
        }
    }

    fn stamp(&mut self, now: Timestamp, r: &Resource, object: &mut Value) {
        let uid = names::uid(&mut self.rng);
        let metadata = metadata::of(object);
        for field in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "resourceVersion",
        ] {
            metadata.remove(field);
        }
        metadata.insert("uid".into(), uid.into());
        metadata.insert("creationTimestamp".into(), metadata::time(now).into());
        set(metadata, "generation", r.generation.then(|| 1.into()));
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
        causes.push(Cause::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else if let Some(wrong) = kinds::check_name(r, name) {
        causes.push(Cause::invalid("metadata.name", format!("{name:?}"), wrong));
    }
    causes
}
