//! Replacing an object, or one of its subresources.
//!
//! Owns: optimistic concurrency, what a writer cannot change, generation, finalizers running out.
//! Always holds: a write that changes nothing makes no new revision; an object that is being
//! deleted goes when its last finalizer does.
//! Deliberately does not know: patches; they arrive here as whole objects.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ApiError, ApiServer, Cause, Resource, kinds,
    metadata::{self, set},
    resource::{CUSTOM_RESOURCE_DEFINITIONS as DEFINITIONS, is_built_in},
    views,
    write::{Writer, Written, check_type},
};

/// Fields of `metadata` that the server owns: a writer's values are not looked at.
const KEPT: [&str; 7] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
    "resourceVersion",
];

impl ApiServer {
    /// Replaces an object (`subresource` empty) or its `status`. A `resourceVersion` in the object
    /// must be the current one; without it the write is unconditional.
    ///
    /// # Errors
    /// When the object is gone, has changed meanwhile, or is invalid.
    pub fn update(
        &mut self,
        now: Timestamp,
        actor: &str,
        r: &Resource,
        subresource: &str,
        object: Value,
    ) -> Result<Arc<Value>, ApiError> {
        let writer = Writer::new(now, actor);
        self.update_as(&writer, r, subresource, object)
            .map(|written| written.object)
    }

    pub(super) fn update_as(
        &mut self,
        writer: &Writer,
        r: &Resource,
        subresource: &str,
        mut object: Value,
    ) -> Result<Written, ApiError> {
        check_type(r, &mut object)?;
        let name = metadata::name(&object).to_owned();
        let live = self
            .store
            .get(&r.id, metadata::namespace(&object), &name)
            .ok_or_else(|| ApiError::not_found(r, &name))?;
        let live = views::outward(r, live);
        let warnings = self.decode(writer, r, &mut object)?;
        kinds::default(r, &mut object);
        check_preconditions(r, &live, &object)?;
        let custom = self.registry.custom(r).is_some();
        kinds::prepare_update(r, subresource, &mut object, &live, custom)?;
        keep_metadata(&mut object, &live);
        if !writer.tracked {
            let subresource = writer.tracked_as.unwrap_or(subresource);
            object = self.track(writer, r, subresource, Some(&live), &object);
        }
        self.check_change(r, subresource, &object, &live)?;
        kinds::admit_update(self, r, &object, &live)?;
        // Being put on a node is not a change of what is wanted.
        let wants = r.generation && subresource != "binding";
        if wants && kinds::desired_state_changed(r, &object, &live) {
            let next = metadata::generation(&live) + 1;
            metadata::of(&mut object).insert("generation".into(), next.into());
        }
        if r.id == DEFINITIONS.id && subresource.is_empty() {
            object["status"] = kinds::accepted(&object, &metadata::time(writer.now));
        }
        if r.id == "services" && subresource.is_empty() {
            let causes = kinds::addresses(self, &mut object);
            if !causes.is_empty() {
                return Err(ApiError::invalid(r, &name, &causes));
            }
        }
        let object = self.settle(writer, r, object, &live);
        Ok(Written { object, warnings })
    }

    fn check_change(
        &mut self,
        r: &Resource,
        subresource: &str,
        object: &Value,
        live: &Value,
    ) -> Result<(), ApiError> {
        let mut causes = check_finalizers(object, live);
        if matches!(subresource, "") {
            causes.extend(kinds::validate(r, object));
            causes.extend(kinds::validate_update(r, object, live));
        }
        if subresource == "status" {
            causes.extend(kinds::validate_status(r, object));
        }
        causes.extend(self.validate_custom(r, object, Some(live)));
        if causes.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid(r, metadata::name(object), &causes))
    }

    /// Stores what changed, or removes what has waited only for its finalizers.
    fn settle(
        &mut self,
        writer: &Writer,
        r: &Resource,
        object: Value,
        live: &Arc<Value>,
    ) -> Arc<Value> {
        if is_finished(r, &object) {
            let last = Arc::new(object.clone());
            self.purge(writer, r, object);
            return last;
        }
        if object == **live {
            return Arc::clone(live);
        }
        self.commit(writer, r, object)
    }
}

/// Whether nothing holds an object any more that is to be deleted.
pub(super) fn is_finished(r: &Resource, object: &Value) -> bool {
    let grace = object["metadata"]["deletionGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(0);
    metadata::is_deleting(object)
        && grace == 0
        && metadata::finalizers(object).is_empty()
        && kinds::may_go(r, object)
}

fn check_preconditions(r: &Resource, live: &Value, object: &Value) -> Result<(), ApiError> {
    let (uid, name) = (metadata::uid(object), metadata::name(object));
    if !uid.is_empty() && uid != metadata::uid(live) {
        let namespace = match metadata::namespace(live) {
            "" => String::new(),
            namespace => format!("/{namespace}"),
        };
        let folder = if is_built_in(r) {
            String::new()
        } else {
            format!("{}/", r.group)
        };
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{folder}{}{namespace}/{name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            r.plural,
            metadata::uid(live)
        );
        return Err(ApiError::conflict(r, name, why));
    }
    let seen = metadata::resource_version(object);
    if !seen.is_empty() && seen != metadata::resource_version(live) {
        return Err(ApiError::modified(r, name));
    }
    Ok(())
}

fn keep_metadata(object: &mut Value, live: &Value) {
    let metadata = metadata::of(object);
    for field in KEPT {
        set(metadata, field, live["metadata"].get(field).cloned());
    }
}

fn check_finalizers(object: &Value, live: &Value) -> Vec<Cause> {
    if !metadata::is_deleting(live) {
        return Vec::new();
    }
    let before = metadata::finalizers(live);
    let mut added: Vec<&str> = metadata::finalizers(object);
    added.retain(|finalizer| !before.contains(finalizer));
    if added.is_empty() {
        return Vec::new();
    }
    let quoted: Vec<String> = added
        .iter()
        .map(|finalizer| format!("{finalizer:?}"))
        .collect();
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        quoted.join(", ")
    );
    // A real server checks it twice, and says so.
    vec![Cause::forbidden("metadata.finalizers", why); 2]
}
