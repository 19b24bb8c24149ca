//! Which resources are served at this moment.
//!
//! Owns: the built-in resources, and the custom ones that stored definitions have added.
//! Always holds: a custom resource is here exactly as long as its definition is stored.
//! Deliberately does not know: the objects of these resources.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use super::{
    Resource,
    custom::{CustomKind, CustomVersion},
    resource::BUILT_INS,
};

/// All resources that are served.
#[derive(Clone, Default)]
pub(super) struct Registry {
    custom: BTreeMap<String, Arc<CustomKind>>,
}

fn built_ins() -> &'static [Arc<Resource>] {
    static SHARED: OnceLock<Vec<Arc<Resource>>> = OnceLock::new();
    SHARED.get_or_init(|| {
        BUILT_INS
            .iter()
            .map(|known| Arc::new((*known).clone()))
            .collect()
    })
}

impl Registry {
    /// The resource at a path.
    pub(super) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.all().find(|known| {
            known.plural == plural && known.group == group && known.version == version
        })
    }

    /// Every resource in every version: built-in ones first, then custom ones by name.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        let custom = self.custom.values().flat_map(|kind| &kind.versions);
        built_ins()
            .iter()
            .chain(custom.map(|version| &version.resource))
    }

    /// One resource for each storage.
    pub(super) fn stored(&self) -> impl Iterator<Item = &Arc<Resource>> {
        let custom = self.custom.values().filter_map(|kind| kind.storage());
        let views = |known: &&Arc<Resource>| known.group != "events.k8s.io";
        built_ins()
            .iter()
            .filter(views)
            .chain(custom.map(|version| &version.resource))
    }

    /// The `apiVersion` in which the objects of a resource are stored.
    pub(super) fn storage_version(&self, r: &Resource) -> String {
        let stored = match self.custom.get(r.id.as_ref()) {
            Some(kind) => kind.storage().map(|version| &version.resource),
            None => built_ins().iter().find(|known| known.id == r.id),
        };
        stored.map_or_else(|| r.api_version(), |stored| stored.api_version())
    }

    /// What a definition said about a resource; `None` for a built-in one.
    pub(super) fn custom(&self, r: &Resource) -> Option<&CustomVersion> {
        let kind = self.custom.get(r.id.as_ref())?;
        kind.versions
            .iter()
            .find(|version| version.resource.version == r.version)
    }

    /// What the definition of this name has added.
    pub(super) fn definition(&self, name: &str) -> Option<&CustomKind> {
        self.custom.get(name).map(Arc::as_ref)
    }

    pub(super) fn insert(&mut self, name: &str, kind: CustomKind) {
        self.custom.insert(name.to_owned(), Arc::new(kind));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.custom.remove(name);
    }
}
