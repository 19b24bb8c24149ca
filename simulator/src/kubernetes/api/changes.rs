//! What in-process watchers see of the history.
//!
//! Owns: the view of a change that controllers and kubelets get, without a socket between.
//! Always holds: changes come in the order of their revisions, and none is left out.
//! Deliberately does not know: who looks, or how far they have got.

use std::sync::Arc;

use serde_json::Value;

use super::{ApiServer, Resource, store::Verb};

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Changed {
    resource: Arc<str>,
    /// The object after the change; when it was deleted, as it was last.
    pub object: Arc<Value>,
    /// The object before the change.
    pub previous: Option<Arc<Value>>,
    /// Whether the object is gone.
    pub deleted: bool,
}

impl Changed {
    /// Whether the object belongs to this resource.
    #[must_use]
    pub fn is_of(&self, resource: &Resource) -> bool {
        *self.resource == *resource.id
    }

    /// The `id` of the object's resource.
    #[must_use]
    pub fn resource_id(&self) -> &str {
        &self.resource
    }
}

impl ApiServer {
    /// What changed after a revision; every object there is, as if it were new, when that is no
    /// longer known.
    #[must_use]
    pub fn changes_since(&self, revision: u64) -> Vec<Changed> {
        if let Some(changes) = self.store.since(revision) {
            return changes
                .map(|change| Changed {
                    resource: Arc::clone(&change.resource),
                    object: Arc::clone(&change.object),
                    previous: change.previous.clone(),
                    deleted: change.verb == Verb::Deleted,
                })
                .collect();
        }
        self.resources()
            .iter()
            .flat_map(|resource| {
                let id: Arc<str> = Arc::from(resource.id.as_ref());
                let listed = self.store.list(&resource.id, None);
                listed.map(move |object| Changed {
                    resource: Arc::clone(&id),
                    object: Arc::clone(object),
                    previous: None,
                    deleted: false,
                })
            })
            .collect()
    }
}
