//! The OpenAPI descriptions of the built-in kinds.
//!
//! Owns: which Rust type of `k8s-openapi` describes which kind.
//! Always holds: definitions are named as in the real server's OpenAPI document.
//! Deliberately does not know: who reads the descriptions.

use std::{collections::BTreeMap, sync::OnceLock};

use k8s_openapi::{
    api::{
        apps::v1 as apps, autoscaling::v1 as autoscaling, coordination::v1 as coordination,
        core::v1 as core, discovery::v1 as discovery, events::v1 as events, policy::v1 as policy,
        rbac::v1 as rbac, storage::v1 as storage,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions,
};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

/// Descriptions of kinds and of the types that they use.
pub(in crate::kubernetes::api) struct Descriptions {
    /// Schemas by name.
    pub(in crate::kubernetes::api) definitions: Map<String, Value>,
    /// The name of the schema of each `(apiVersion, kind)`.
    pub(in crate::kubernetes::api) roots: BTreeMap<(String, String), String>,
}

struct Collector {
    generator: SchemaGenerator,
    roots: BTreeMap<(String, String), String>,
}

impl Collector {
    fn add<T: JsonSchema + k8s_openapi::Resource>(&mut self) {
        self.generator.subschema_for::<T>();
        let kind = (T::API_VERSION.to_owned(), T::KIND.to_owned());
        self.roots.insert(kind, T::schema_name().into_owned());
    }
}

/// Where definitions are in an OpenAPI document; schemas refer to each other by it.
const PATH: &str = "/components/schemas";

/// The descriptions of the built-in kinds.
pub(in crate::kubernetes::api) fn descriptions() -> &'static Descriptions {
    static SHARED: OnceLock<Descriptions> = OnceLock::new();
    SHARED.get_or_init(|| {
        let settings = SchemaSettings::openapi3().with(|settings| {
            settings.definitions_path = PATH.into();
            settings.transforms = Vec::new();
        });
        let mut all = Collector {
            generator: settings.into_generator(),
            roots: BTreeMap::new(),
        };
        collect(&mut all);
        let definitions = all.generator.take_definitions(false);
        Descriptions {
            definitions,
            roots: all.roots,
        }
    })
}

fn collect(all: &mut Collector) {
    all.add::<core::Binding>();
    all.add::<core::ConfigMap>();
    all.add::<core::Endpoints>();
    all.add::<core::Event>();
    all.add::<core::Namespace>();
    all.add::<core::Node>();
    all.add::<core::PersistentVolumeClaim>();
    all.add::<core::PersistentVolume>();
    all.add::<core::Pod>();
    all.add::<core::Secret>();
    all.add::<core::ServiceAccount>();
    all.add::<core::Service>();
    all.add::<apps::ControllerRevision>();
    all.add::<apps::Deployment>();
    all.add::<apps::ReplicaSet>();
    all.add::<apps::StatefulSet>();
    all.add::<autoscaling::Scale>();
    all.add::<coordination::Lease>();
    all.add::<discovery::EndpointSlice>();
    all.add::<events::Event>();
    all.add::<policy::Eviction>();
    all.add::<policy::PodDisruptionBudget>();
    all.add::<rbac::ClusterRole>();
    all.add::<rbac::ClusterRoleBinding>();
    all.add::<rbac::Role>();
    all.add::<rbac::RoleBinding>();
    all.add::<storage::StorageClass>();
    all.add::<apiextensions::CustomResourceDefinition>();
}
