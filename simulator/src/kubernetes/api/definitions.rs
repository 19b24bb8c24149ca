//! What storing a CustomResourceDefinition does to the server.
//!
//! Owns: registering and unregistering custom kinds, checking their objects, and the end of a kind.
//! Always holds: a definition goes only after the last object of its kind.
//! Deliberately does not know: what makes a definition valid; see `kinds`.

use serde_json::{Value, json};

use super::{
    ApiServer, Cause, Resource, custom::CustomKind, delete::DeleteOptions, jsonpath, metadata,
    resource::CUSTOM_RESOURCE_DEFINITIONS as DEFINITIONS, write::Writer,
};

impl ApiServer {
    /// Serves the kind of a definition that has just been stored.
    pub(super) fn register(&mut self, definition: &Value) {
        let kind = CustomKind::from_definition(definition)
            .expect("validation has read the schemas of a definition before it is stored");
        self.registry.insert(metadata::name(definition), kind);
    }

    /// What is wrong with a custom object.
    pub(super) fn validate_custom(
        &self,
        r: &Resource,
        object: &Value,
        live: Option<&Value>,
    ) -> Vec<Cause> {
        let Some(version) = self.registry.custom(r) else {
            return Vec::new();
        };
        let errors = version.schema.validate(object, live);
        let mut causes: Vec<Cause> = errors
            .iter()
            .map(|error| Cause::new(error.kind.reason(), &error.field, error.message()))
            .collect();
        let replicas =
            version.scale.as_ref().and_then(|scale| {
                let at = format!(".{}", scale.spec);
                match jsonpath::field(object, &scale.spec)? {
                    Value::Null => None,
                    value if value.as_i64().is_some_and(|number| number < 0) => Some(
                        Cause::invalid(at, value, "should be a non-negative integer"),
                    ),
                    value if value.is_i64() || value.is_u64() => None,
                    Value::String(text) => {
                        let why = format!(
                            "{at} accessor error: {text} is of the type string, expected int64"
                        );
                        Some(Cause::invalid(at, 0, why))
                    }
                    other => {
                        let why = format!("{at} accessor error: {other} is not of the type int64");
                        Some(Cause::invalid(at, 0, why))
                    }
                }
            });
        if let Some(cause) = replicas {
            // A real server tells this before it says that rules were not checked.
            let last = causes.iter().position(|cause| cause.field == "<nil>");
            causes.insert(last.unwrap_or(causes.len()), cause);
        }
        causes
    }

    /// Deletes the objects of a kind whose definition is being deleted.
    pub(super) fn clean_up_kind(&mut self, writer: &Writer, definition: &str) {
        let Some(kind) = self
            .registry
            .definition(definition)
            .and_then(CustomKind::storage)
        else {
            return;
        };
        let r = std::sync::Arc::clone(&kind.resource);
        for object in self.list(&r, None) {
            let place = (metadata::namespace(&object), metadata::name(&object));
            // What holds an object back holds the definition back as well.
            let _ = self.delete_as(writer, &r, place, &DeleteOptions::default());
        }
        self.end_of_kind(writer, definition);
    }

    /// Removes a definition that is being deleted, once its kind has no objects.
    pub(super) fn end_of_kind(&mut self, writer: &Writer, definition: &str) {
        let Some(stored) = self.store.get(&DEFINITIONS.id, "", definition) else {
            return;
        };
        let remains = self.store.list(definition, None).next().is_some();
        if remains || !metadata::is_deleting(stored) {
            return;
        }
        let mut last = (**stored).clone();
        let mut held: Vec<&str> = metadata::finalizers(stored);
        held.retain(|finalizer| *finalizer != super::kinds::CLEANUP);
        let held = (!held.is_empty()).then(|| json!(held));
        let stays = held.is_some();
        metadata::set(metadata::of(&mut last), "finalizers", held);
        if stays {
            self.commit(writer, &DEFINITIONS, last);
        } else {
            self.purge(writer, &DEFINITIONS, last);
        }
    }
}
