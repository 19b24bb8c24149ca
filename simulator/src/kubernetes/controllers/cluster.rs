//! The cluster as one controller sees and changes it at one moment.
//!
//! Owns: every read and write of controllers and kubelets, under their names, with their traces.
//! Always holds: a write is traced once, as what was done by whom; an update carries the version
//! that was read, so nothing is overwritten unseen.
//! Deliberately does not know: when a controller runs.

use std::{fmt::Display, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    events::Recorder,
    object::{Key, Meta, controller_reference},
};
use crate::kubernetes::api::{ApiError, ApiServer, DeleteOptions, Propagation, Resource};

/// Something that a part of the control plane did, for the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Who: `statefulset-controller`, `kubelet/node-1`, ...
    pub who: String,
    /// What.
    pub what: String,
}

/// A controller's hands and eyes for one pass.
pub struct Cluster<'a> {
    api: &'a mut ApiServer,
    recorder: &'a mut Recorder,
    notes: &'a mut Vec<Note>,
    now: Timestamp,
    manager: &'static str,
    who: String,
}

impl<'a> Cluster<'a> {
    /// The cluster at `now`, for a component that writes as the field manager `manager`.
    pub fn new(
        api: &'a mut ApiServer,
        recorder: &'a mut Recorder,
        notes: &'a mut Vec<Note>,
        now: Timestamp,
        manager: &'static str,
        who: impl Into<String>,
    ) -> Self {
        Self {
            api,
            recorder,
            notes,
            now,
            manager,
            who: who.into(),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The server, for what only reads.
    #[must_use]
    pub fn api(&self) -> &ApiServer {
        self.api
    }

    /// One object.
    #[must_use]
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.api.get(resource, namespace, name)
    }

    /// All objects of a namespace, or of all namespaces.
    #[must_use]
    pub fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.api.list(resource, namespace)
    }

    /// Creates an object.
    ///
    /// # Errors
    /// What the server says.
    pub fn create(&mut self, resource: &Resource, object: Value) -> Result<Arc<Value>, ApiError> {
        let about = format!("create {} {}", resource.singular, Key::of(&object));
        let result = self.api.create(self.now, self.manager, resource, object);
        self.noted(&about, result)
    }

    /// Replaces an object, but for its status.
    ///
    /// # Errors
    /// What the server says; a conflict when it has changed since it was read.
    pub fn update(&mut self, resource: &Resource, object: Value) -> Result<Arc<Value>, ApiError> {
        self.update_part(resource, "", object)
    }

    /// Replaces the status of an object.
    ///
    /// # Errors
    /// What the server says; a conflict when the object has changed since it was read.
    pub fn update_status(
        &mut self,
        resource: &Resource,
        object: Value,
    ) -> Result<Arc<Value>, ApiError> {
        self.update_part(resource, "status", object)
    }

    /// Replaces what a subresource covers.
    ///
    /// # Errors
    /// What the server says; a conflict when the object has changed since it was read.
    pub fn update_part(
        &mut self,
        resource: &Resource,
        subresource: &str,
        object: Value,
    ) -> Result<Arc<Value>, ApiError> {
        let part = if subresource.is_empty() { "" } else { "/" };
        let key = Key::of(&object);
        let about = format!("update {}{part}{subresource} {key}", resource.singular);
        let result = self
            .api
            .update(self.now, self.manager, resource, subresource, object);
        self.noted(&about, result)
    }

    /// Deletes this incarnation of an object; its dependents are collected afterwards.
    ///
    /// # Errors
    /// What the server says.
    pub fn delete(&mut self, resource: &Resource, object: &Value) -> Result<Arc<Value>, ApiError> {
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            uid: Some(object.uid().to_owned()),
            ..DeleteOptions::default()
        };
        self.delete_with(resource, object.namespace(), object.name(), &options)
    }

    /// Deletes whatever has this name.
    ///
    /// # Errors
    /// What the server says.
    pub fn delete_named(
        &mut self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<Value>, ApiError> {
        self.delete_with(resource, namespace, name, &DeleteOptions::default())
    }

    /// Deletes with all options.
    ///
    /// # Errors
    /// What the server says.
    pub fn delete_with(
        &mut self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Arc<Value>, ApiError> {
        let about = format!("delete {} {}", resource.singular, Key::new(namespace, name));
        let result = self
            .api
            .delete(self.now, self.manager, resource, namespace, name, options);
        self.noted(&about, result)
    }

    /// Makes `owner` the controller of an object that has none.
    ///
    /// # Errors
    /// What the server says.
    pub fn adopt(
        &mut self,
        resource: &Resource,
        object: &Value,
        owner: &Value,
    ) -> Result<Arc<Value>, ApiError> {
        let (api_version, kind) = (owner.text("/apiVersion"), owner.text("/kind"));
        let reference = controller_reference(api_version, kind, owner);
        let mut adopted = object.clone();
        match adopted["metadata"]["ownerReferences"].as_array_mut() {
            Some(owners) => owners.push(reference),
            None => adopted["metadata"]["ownerReferences"] = json!([reference]),
        }
        self.update(resource, adopted)
    }

    /// Takes an owner away from an object.
    ///
    /// # Errors
    /// What the server says.
    pub fn release(
        &mut self,
        resource: &Resource,
        object: &Value,
        owner_uid: &str,
    ) -> Result<Arc<Value>, ApiError> {
        let mut released = object.clone();
        if let Some(owners) = released["metadata"]["ownerReferences"].as_array_mut() {
            owners.retain(|owner| owner["uid"] != owner_uid);
        }
        self.update(resource, released)
    }

    /// Records a normal event about an object.
    pub fn event(&mut self, about: &Value, reason: &str, message: &str) {
        self.recorder
            .record(self.api, self.now, about, ("Normal", reason), message);
    }

    /// Records a warning event about an object.
    pub fn warning(&mut self, about: &Value, reason: &str, message: &str) {
        self.recorder
            .record(self.api, self.now, about, ("Warning", reason), message);
    }

    /// Records an event about one container of a pod.
    pub fn container_event(
        &mut self,
        pod: &Value,
        container: &str,
        (kind, reason): (&str, &str),
        message: &str,
    ) {
        let field = format!("spec.containers{{{container}}}");
        self.recorder
            .record_about(self.api, self.now, pod, &field, (kind, reason), message);
    }

    /// Adds a line to the trace.
    pub fn note(&mut self, what: impl Display) {
        self.notes.push(Note {
            who: self.who.clone(),
            what: what.to_string(),
        });
    }

    fn noted<T>(&mut self, about: &str, result: Result<T, ApiError>) -> Result<T, ApiError> {
        match &result {
            Ok(_) => self.note(about),
            Err(error) => self.note(format_args!("{about}: {error}")),
        }
        result
    }
}
