//! What kinds of objects there are: one [`Resource`] for each collection the server knows.
//!
//! Owns: the description of a resource (names, scope, subresources) and the built-in ones.
//! Always holds: two resources with the same `id` are views of the same storage.
//! Deliberately does not know: the schema of the objects, or which objects exist.

use std::{borrow::Cow, fmt};

type Text = Cow<'static, str>;

/// One collection of objects as the API presents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Names the storage, for example `statefulsets.apps`; the plural alone in the core group.
    pub id: Text,
    /// API group; empty for the core group.
    pub group: Text,
    /// Version in the group, for example `v1`.
    pub version: Text,
    /// Plural name, as in paths.
    pub plural: Text,
    /// Singular name, as a person may type it.
    pub singular: Text,
    /// Kind of the objects.
    pub kind: Text,
    /// What a person types for short.
    pub short_names: Cow<'static, [Text]>,
    /// Groups of resources that it is listed with, for example `all`.
    pub categories: Cow<'static, [Text]>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether `status` is a subresource that is written separately.
    pub status: bool,
    /// Whether `scale` is a subresource.
    pub scale: bool,
    /// Whether `metadata.generation` counts the changes of the desired state.
    pub generation: bool,
    /// Whether an update without `resourceVersion` is accepted.
    pub unconditional_update: bool,
    /// Whether a delete that is done at once answers with the object, not with a `Status`.
    pub returns_deleted: bool,
}

impl Resource {
    /// `group/version`, or the version alone in the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `plural.group`, as error messages name a resource.
    #[must_use]
    pub fn qualified(&self) -> String {
        qualify(&self.plural, &self.group)
    }

    /// `Kind.group`, as messages about invalid objects name it.
    #[must_use]
    pub fn qualified_kind(&self) -> String {
        qualify(&self.kind, &self.group)
    }

    /// The path of the collection, without a namespace.
    #[must_use]
    pub fn root(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.qualified())
    }
}

fn qualify(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}

const fn builtin(
    id: &'static str,
    api: (&'static str, &'static str),
    [plural, singular, kind]: [&'static str; 3],
    short_names: &'static [Text],
    categories: &'static [Text],
) -> Resource {
    Resource {
        id: Cow::Borrowed(id),
        group: Cow::Borrowed(api.0),
        version: Cow::Borrowed(api.1),
        plural: Cow::Borrowed(plural),
        singular: Cow::Borrowed(singular),
        kind: Cow::Borrowed(kind),
        short_names: Cow::Borrowed(short_names),
        categories: Cow::Borrowed(categories),
        namespaced: true,
        status: false,
        scale: false,
        generation: false,
        unconditional_update: true,
        returns_deleted: false,
    }
}

macro_rules! builtins {
    ($($(#[$doc:meta])* $name:ident = ($id:literal, $api:expr, $plural:literal, $singular:literal, $kind:literal)
        { short: [$($short:literal),*], categories: [$($category:literal),*] $(, $field:ident: $value:expr)* };)*) => {
        $(
            $(#[$doc])*
            pub static $name: Resource = {
                #[allow(unused_mut)]
                let mut resource = builtin(
                    $id,
                    $api,
                    [$plural, $singular, $kind],
                    &[$(Cow::Borrowed($short)),*],
                    &[$(Cow::Borrowed($category)),*],
                );
                $(resource.$field = $value;)*
                resource
            };
        )*
        /// Every resource that is known from the start.
        pub static BUILT_INS: &[&Resource] = &[$(&$name),*];
    };
}

const CORE: (&str, &str) = ("", "v1");
const APPS: (&str, &str) = ("apps", "v1");
const RBAC: (&str, &str) = ("rbac.authorization.k8s.io", "v1");

builtins! {
    /// `configmaps`.
    CONFIG_MAPS = ("configmaps", CORE, "configmaps", "configmap", "ConfigMap") { short: ["cm"], categories: [] };
    /// `endpoints`.
    ENDPOINTS = ("endpoints", CORE, "endpoints", "endpoints", "Endpoints") { short: ["ep"], categories: [] };
    /// `events`, as the core group shows them.
    EVENTS = ("events", CORE, "events", "event", "Event") { short: ["ev"], categories: [] };
    /// `namespaces`.
    NAMESPACES = ("namespaces", CORE, "namespaces", "namespace", "Namespace")
        { short: ["ns"], categories: [], namespaced: false, status: true };
    /// `nodes`.
    NODES = ("nodes", CORE, "nodes", "node", "Node")
        { short: ["no"], categories: [], namespaced: false, status: true };
    /// `persistentvolumeclaims`.
    PERSISTENT_VOLUME_CLAIMS = ("persistentvolumeclaims", CORE, "persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim")
        { short: ["pvc"], categories: [], status: true, returns_deleted: true };
    /// `persistentvolumes`.
    PERSISTENT_VOLUMES = ("persistentvolumes", CORE, "persistentvolumes", "persistentvolume", "PersistentVolume")
        { short: ["pv"], categories: [], namespaced: false, status: true, returns_deleted: true };
    /// `pods`.
    PODS = ("pods", CORE, "pods", "pod", "Pod")
        { short: ["po"], categories: ["all"], status: true, generation: true, returns_deleted: true };
    /// `secrets`.
    SECRETS = ("secrets", CORE, "secrets", "secret", "Secret") { short: [], categories: [] };
    /// `serviceaccounts`.
    SERVICE_ACCOUNTS = ("serviceaccounts", CORE, "serviceaccounts", "serviceaccount", "ServiceAccount")
        { short: ["sa"], categories: [], returns_deleted: true };
    /// `services`.
    SERVICES = ("services", CORE, "services", "service", "Service")
        { short: ["svc"], categories: ["all"], status: true, returns_deleted: true };
    /// `controllerrevisions`.
    CONTROLLER_REVISIONS = ("controllerrevisions.apps", APPS, "controllerrevisions", "controllerrevision", "ControllerRevision")
        { short: [], categories: [] };
    /// `deployments`.
    DEPLOYMENTS = ("deployments.apps", APPS, "deployments", "deployment", "Deployment")
        { short: ["deploy"], categories: ["all"], status: true, scale: true, generation: true };
    /// `replicasets`.
    REPLICA_SETS = ("replicasets.apps", APPS, "replicasets", "replicaset", "ReplicaSet")
        { short: ["rs"], categories: ["all"], status: true, scale: true, generation: true };
    /// `statefulsets`.
    STATEFUL_SETS = ("statefulsets.apps", APPS, "statefulsets", "statefulset", "StatefulSet")
        { short: ["sts"], categories: ["all"], status: true, scale: true, generation: true };
    /// `leases`.
    LEASES = ("leases.coordination.k8s.io", ("coordination.k8s.io", "v1"), "leases", "lease", "Lease")
        { short: [], categories: [], unconditional_update: false };
    /// `endpointslices`.
    ENDPOINT_SLICES = ("endpointslices.discovery.k8s.io", ("discovery.k8s.io", "v1"), "endpointslices", "endpointslice", "EndpointSlice")
        { short: [], categories: [], generation: true };
    /// `events`, as their own group shows them; the storage is that of [`EVENTS`].
    EVENTS_V1 = ("events", ("events.k8s.io", "v1"), "events", "event", "Event") { short: ["ev"], categories: [] };
    /// `poddisruptionbudgets`.
    POD_DISRUPTION_BUDGETS = ("poddisruptionbudgets.policy", ("policy", "v1"), "poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget")
        { short: ["pdb"], categories: [], status: true, generation: true, unconditional_update: false };
    /// `storageclasses`.
    STORAGE_CLASSES = ("storageclasses.storage.k8s.io", ("storage.k8s.io", "v1"), "storageclasses", "storageclass", "StorageClass")
        { short: ["sc"], categories: [], namespaced: false, returns_deleted: true };
    /// `roles`.
    ROLES = ("roles.rbac.authorization.k8s.io", RBAC, "roles", "role", "Role") { short: [], categories: [] };
    /// `rolebindings`.
    ROLE_BINDINGS = ("rolebindings.rbac.authorization.k8s.io", RBAC, "rolebindings", "rolebinding", "RoleBinding")
        { short: [], categories: [] };
    /// `clusterroles`.
    CLUSTER_ROLES = ("clusterroles.rbac.authorization.k8s.io", RBAC, "clusterroles", "clusterrole", "ClusterRole")
        { short: [], categories: [], namespaced: false };
    /// `clusterrolebindings`.
    CLUSTER_ROLE_BINDINGS = ("clusterrolebindings.rbac.authorization.k8s.io", RBAC, "clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding")
        { short: [], categories: [], namespaced: false };
    /// `customresourcedefinitions`.
    CUSTOM_RESOURCE_DEFINITIONS = ("customresourcedefinitions.apiextensions.k8s.io", ("apiextensions.k8s.io", "v1"),
        "customresourcedefinitions", "customresourcedefinition", "CustomResourceDefinition")
        { short: ["crd", "crds"], categories: ["api-extensions"], namespaced: false, status: true, generation: true, unconditional_update: false };
}

/// Whether a resource is one of [`BUILT_INS`], not one that a definition added.
#[must_use]
pub fn is_built_in(r: &Resource) -> bool {
    BUILT_INS.iter().any(|known| known.id == r.id)
}
