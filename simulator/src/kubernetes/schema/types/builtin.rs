//! The unusual fields of the built-in types, as the Kubernetes API reference marks them.
//!
//! Owns: the table of keyed lists, sets, atomic maps and patch strategies, and what an empty
//! object of each kind looks like.
//! Always holds: a field that is not in the table is what most fields are: a scalar, a struct or
//! map owned field by field, or a list replaced as a whole.
//! Deliberately does not know: scalar types, versions before v1.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use serde_json::{Value, json};

use super::{Key, Node, PatchStrategy, Rest, Shape, TypeSchema};

/// One row: a field and what is unusual about it.
struct Field {
    name: &'static str,
    kind: Kind,
    patch: PatchStrategy,
}

enum Kind {
    /// A struct with unusual fields of its own: a type of the table.
    Struct(&'static str),
    /// A map or list that server-side apply owns as a whole.
    Atomic,
    /// A list keyed by the first names, of items of this type of the table.
    Keyed(&'static [&'static str], &'static str),
    /// A list of scalars without order.
    Set,
}

use Kind::{Atomic, Keyed, Set, Struct};

impl Field {
    const fn new(name: &'static str, kind: Kind, merge_key: Option<&'static str>) -> Self {
        let patch = PatchStrategy {
            merge_key,
            retain_keys: false,
            replace: false,
        };
        Self { name, kind, patch }
    }

    /// A strategic patch merges the items of this list by `key`, whatever apply does.
    const fn patched_by(mut self, key: &'static str) -> Self {
        self.patch.merge_key = Some(key);
        self
    }

    /// A strategic patch replaces the field.
    const fn patch_replaces(mut self) -> Self {
        self.patch.merge_key = None;
        self.patch.replace = true;
        self
    }

    /// A strategic patch may name the fields to retain: a union, of which one member is set.
    const fn retains_keys(mut self) -> Self {
        self.patch.retain_keys = true;
        self
    }
}

const fn of(name: &'static str, type_name: &'static str) -> Field {
    Field::new(name, Struct(type_name), None)
}

const fn atomic(name: &'static str) -> Field {
    Field::new(name, Atomic, None)
}

/// Apply and strategic patches use the same key, the first one.
const fn keyed(
    name: &'static str,
    keys: &'static [&'static str],
    item_type: &'static str,
) -> Field {
    Field::new(name, Keyed(keys, item_type), Some(keys[0]))
}

const fn set(name: &'static str) -> Field {
    Field::new(name, Set, Some(""))
}

/// Items that are owned as a whole: their type is atomic.
const WHOLE: &str = "";

type Type = (&'static str, &'static [Field]);

const META: Field = of("metadata", "ObjectMeta");

const METADATA: &[Type] = &[
    (
        "ObjectMeta",
        &[set("finalizers"), keyed("ownerReferences", &["uid"], WHOLE)],
    ),
    ("Conditions", &[keyed("conditions", &["type"], "Any")]),
    ("Any", &[]),
    ("MetadataOnly", &[META]),
];

const WORKLOADS: &[Type] = &[
    (
        "StatefulSet",
        &[
            META,
            of("spec", "StatefulSetSpec"),
            of("status", "Conditions"),
        ],
    ),
    (
        "StatefulSetSpec",
        &[
            atomic("selector"),
            of("template", "PodTemplateSpec"),
            atomic("volumeClaimTemplates"),
        ],
    ),
    (
        "Deployment",
        &[
            META,
            of("spec", "DeploymentSpec"),
            of("status", "Conditions"),
        ],
    ),
    (
        "DeploymentSpec",
        &[
            atomic("selector"),
            of("strategy", "Any").retains_keys(),
            of("template", "PodTemplateSpec"),
        ],
    ),
    // ReplicaSets, DaemonSets, ReplicationControllers.
    (
        "Workload",
        &[META, of("spec", "WorkloadSpec"), of("status", "Conditions")],
    ),
    (
        "WorkloadSpec",
        &[atomic("selector"), of("template", "PodTemplateSpec")],
    ),
    (
        "Job",
        &[META, of("spec", "JobSpec"), of("status", "JobStatus")],
    ),
    (
        "JobSpec",
        &[atomic("selector"), of("template", "PodTemplateSpec")],
    ),
    (
        "JobStatus",
        &[
            atomic("conditions").patched_by("type"),
            of("uncountedTerminatedPods", "UncountedTerminatedPods"),
        ],
    ),
    (
        "UncountedTerminatedPods",
        &[
            set("failed").patch_replaces(),
            set("succeeded").patch_replaces(),
        ],
    ),
    ("CronJob", &[META, of("spec", "CronJobSpec")]),
    ("CronJobSpec", &[of("jobTemplate", "JobTemplateSpec")]),
    ("JobTemplateSpec", &[META, of("spec", "JobSpec")]),
    ("PodTemplateSpec", &[META, of("spec", "PodSpec")]),
];

const PODS: &[Type] = &[
    (
        "Pod",
        &[META, of("spec", "PodSpec"), of("status", "PodStatus")],
    ),
    (
        "PodSpec",
        &[
            of("affinity", "Affinity"),
            keyed("containers", &["name"], "Container"),
            keyed("ephemeralContainers", &["name"], "Container"),
            keyed("hostAliases", &["ip"], "Any"),
            keyed("imagePullSecrets", &["name"], WHOLE),
            keyed("initContainers", &["name"], "Container"),
            atomic("nodeSelector"),
            keyed("resourceClaims", &["name"], "Any").retains_keys(),
            of("resources", "ResourceRequirements"),
            keyed("schedulingGates", &["name"], "Any"),
            keyed(
                "topologySpreadConstraints",
                &["topologyKey", "whenUnsatisfiable"],
                "TopologySpreadConstraint",
            ),
            keyed("volumes", &["name"], "Volume").retains_keys(),
        ],
    ),
    (
        "PodStatus",
        &[
            keyed("conditions", &["type"], "Any"),
            atomic("hostIPs").patched_by("ip"),
            keyed("podIPs", &["ip"], "Any"),
            keyed("resourceClaimStatuses", &["name"], "Any").retains_keys(),
        ],
    ),
    (
        "Container",
        &[
            keyed("env", &["name"], "EnvVar"),
            keyed("ports", &["containerPort", "protocol"], "Any"),
            of("resources", "ResourceRequirements"),
            keyed("volumeDevices", &["devicePath"], "Any"),
            keyed("volumeMounts", &["mountPath"], "Any"),
        ],
    ),
    ("EnvVar", &[of("valueFrom", "EnvVarSource")]),
    (
        "EnvVarSource",
        &[
            atomic("configMapKeyRef"),
            atomic("fieldRef"),
            atomic("fileKeyRef"),
            atomic("resourceFieldRef"),
            atomic("secretKeyRef"),
        ],
    ),
    (
        "ResourceRequirements",
        &[Field::new("claims", Keyed(&["name"], "Any"), None)],
    ),
    ("TopologySpreadConstraint", &[atomic("labelSelector")]),
    ("Affinity", &[of("nodeAffinity", "NodeAffinity")]),
    (
        "NodeAffinity",
        &[atomic("requiredDuringSchedulingIgnoredDuringExecution")],
    ),
];

const VOLUMES: &[Type] = &[
    (
        "Volume",
        &[
            of("cephfs", "VolumeSource"),
            of("cinder", "VolumeSource"),
            of("csi", "VolumeSource"),
            of("ephemeral", "EphemeralVolumeSource"),
            of("flexVolume", "VolumeSource"),
            of("iscsi", "VolumeSource"),
            of("rbd", "VolumeSource"),
            of("scaleIO", "VolumeSource"),
            of("storageos", "VolumeSource"),
        ],
    ),
    (
        "VolumeSource",
        &[atomic("secretRef"), atomic("nodePublishSecretRef")],
    ),
    (
        "EphemeralVolumeSource",
        &[of("volumeClaimTemplate", "PersistentVolumeClaim")],
    ),
    (
        "PersistentVolumeClaim",
        &[
            META,
            of("spec", "PersistentVolumeClaimSpec"),
            of("status", "Conditions"),
        ],
    ),
    (
        "PersistentVolumeClaimSpec",
        &[atomic("dataSource"), atomic("selector")],
    ),
    (
        "PersistentVolume",
        &[META, of("spec", "PersistentVolumeSpec")],
    ),
    (
        "PersistentVolumeSpec",
        &[
            of("cephfs", "VolumeSource"),
            of("cinder", "VolumeSource"),
            of("csi", "CSIPersistentVolumeSource"),
            of("flexVolume", "VolumeSource"),
            of("iscsi", "VolumeSource"),
            of("nodeAffinity", "VolumeNodeAffinity"),
            of("rbd", "VolumeSource"),
            of("scaleIO", "VolumeSource"),
            of("storageos", "VolumeSource"),
        ],
    ),
    (
        "CSIPersistentVolumeSource",
        &[
            atomic("controllerExpandSecretRef"),
            atomic("controllerPublishSecretRef"),
            atomic("nodeExpandSecretRef"),
            atomic("nodePublishSecretRef"),
            atomic("nodeStageSecretRef"),
        ],
    ),
    ("VolumeNodeAffinity", &[atomic("required")]),
];

const CLUSTER: &[Type] = &[
    ("Namespace", &[META, of("status", "Conditions")]),
    (
        "Node",
        &[META, of("spec", "NodeSpec"), of("status", "NodeStatus")],
    ),
    ("NodeSpec", &[set("podCIDRs")]),
    (
        "NodeStatus",
        &[
            keyed("addresses", &["type"], "Any"),
            keyed("conditions", &["type"], "Any"),
        ],
    ),
    (
        "Service",
        &[META, of("spec", "ServiceSpec"), of("status", "Conditions")],
    ),
    (
        "ServiceSpec",
        &[
            keyed("ports", &["port", "protocol"], "Any"),
            atomic("selector"),
        ],
    ),
    (
        "ServiceAccount",
        &[META, keyed("secrets", &["name"], WHOLE)],
    ),
    (
        "Event",
        &[
            META,
            atomic("involvedObject"),
            atomic("regarding"),
            atomic("related"),
        ],
    ),
    (
        "PodDisruptionBudget",
        &[
            META,
            of("spec", "PodDisruptionBudgetSpec"),
            of("status", "Conditions"),
        ],
    ),
    (
        "PodDisruptionBudgetSpec",
        &[atomic("selector").patch_replaces()],
    ),
    ("RoleBinding", &[META, atomic("roleRef")]),
    (
        "CustomResourceDefinition",
        &[META, of("status", "CustomResourceDefinitionStatus")],
    ),
    (
        "CustomResourceDefinitionStatus",
        &[Field::new("conditions", Keyed(&["type"], "Any"), None)],
    ),
];

/// The type of a kind, and its empty object. Empty objects show the parts that are always there:
/// structs held by value (`{}`) and lists without `omitempty` (`null`).
fn kind(group: &str, kind: &str) -> (&'static str, Value, bool) {
    let template = || json!({"metadata": {}, "spec": {"containers": null}});
    let bare = json!({"metadata": {}});
    let with_status = json!({"metadata": {}, "spec": {}, "status": {}});
    match (group, kind) {
        ("apps", "StatefulSet") => (
            "StatefulSet",
            json!({"metadata": {}, "spec": {"selector": null, "template": template(), "updateStrategy": {}}, "status": {}}),
            true,
        ),
        ("apps", "Deployment") => (
            "Deployment",
            json!({"metadata": {}, "spec": {"selector": null, "template": template(), "strategy": {}}, "status": {}}),
            true,
        ),
        ("apps", "DaemonSet") => (
            "Workload",
            json!({"metadata": {}, "spec": {"selector": null, "template": template(), "updateStrategy": {}}, "status": {}}),
            true,
        ),
        ("apps", "ReplicaSet") => (
            "Workload",
            json!({"metadata": {}, "spec": {"selector": null, "template": template()}, "status": {}}),
            true,
        ),
        ("", "ReplicationController") => ("Workload", with_status, true),
        ("batch", "Job") => (
            "Job",
            json!({"metadata": {}, "spec": {"template": template()}, "status": {}}),
            true,
        ),
        ("batch", "CronJob") => (
            "CronJob",
            json!({"metadata": {}, "spec": {"jobTemplate": {"metadata": {}, "spec": {"template": template()}}}, "status": {}}),
            true,
        ),
        ("", "Pod") => (
            "Pod",
            json!({"metadata": {}, "spec": {"containers": null}, "status": {}}),
            true,
        ),
        ("", "PersistentVolumeClaim") => (
            "PersistentVolumeClaim",
            json!({"metadata": {}, "spec": {"resources": {}}, "status": {}}),
            true,
        ),
        ("", "PersistentVolume") => ("PersistentVolume", with_status, true),
        ("", "Namespace") => ("Namespace", with_status, true),
        ("", "Node") => (
            "Node",
            json!({"metadata": {}, "spec": {}, "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": {}}}),
            true,
        ),
        ("", "Service") => (
            "Service",
            json!({"metadata": {}, "spec": {}, "status": {"loadBalancer": {}}}),
            true,
        ),
        ("", "ServiceAccount") => ("ServiceAccount", bare, false),
        ("", "Event") => (
            "Event",
            json!({"metadata": {}, "involvedObject": {}, "source": {}, "firstTimestamp": null, "lastTimestamp": null, "eventTime": null, "reportingComponent": "", "reportingInstance": ""}),
            false,
        ),
        ("events.k8s.io", "Event") => (
            "Event",
            json!({"metadata": {}, "eventTime": null, "regarding": {}, "deprecatedSource": {}, "deprecatedFirstTimestamp": null, "deprecatedLastTimestamp": null}),
            false,
        ),
        ("coordination.k8s.io", "Lease") => {
            ("MetadataOnly", json!({"metadata": {}, "spec": {}}), false)
        }
        ("policy", "PodDisruptionBudget") => ("PodDisruptionBudget", with_status, true),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            ("RoleBinding", json!({"metadata": {}, "roleRef": {}}), false)
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => (
            "CustomResourceDefinition",
            json!({"metadata": {}, "spec": {"names": {}, "versions": null}, "status": {"conditions": null, "acceptedNames": {}, "storedVersions": null}}),
            true,
        ),
        _ => ("MetadataOnly", bare, false),
    }
}

pub(super) fn schema(group: &str, kind_name: &str) -> TypeSchema {
    let (type_name, zero, status_subresource) = kind(group, kind_name);
    TypeSchema {
        root: TYPES[type_name].clone(),
        zero,
        status_subresource,
    }
}

pub(super) fn object_meta() -> Arc<Node> {
    TYPES["ObjectMeta"].clone()
}

static TYPES: LazyLock<BTreeMap<&'static str, Arc<Node>>> = LazyLock::new(|| {
    let rows: BTreeMap<&str, &'static [Field]> = [METADATA, WORKLOADS, PODS, VOLUMES, CLUSTER]
        .into_iter()
        .flatten()
        .copied()
        .collect();
    let mut built = BTreeMap::from([(WHOLE, Node::leaf())]);
    for name in rows.keys() {
        build(name, &rows, &mut built);
    }
    built
});

fn build(
    name: &'static str,
    rows: &BTreeMap<&str, &'static [Field]>,
    built: &mut BTreeMap<&'static str, Arc<Node>>,
) -> Arc<Node> {
    if let Some(node) = built.get(name) {
        return node.clone();
    }
    let fields = rows[name]
        .iter()
        .map(|field| {
            let shape = match &field.kind {
                Struct(type_name) => share(&build(type_name, rows, built).shape),
                Atomic => Shape::Leaf,
                Keyed(keys, item_type) => Shape::Keyed {
                    keys: keys.iter().map(|key| builtin_key(key)).collect(),
                    item: build(item_type, rows, built),
                },
                Set => Shape::Set,
            };
            let patch = field.patch.clone();
            (field.name.to_owned(), Arc::new(Node { shape, patch }))
        })
        .collect();
    let rest = Rest::Named;
    let node = Node::new(Shape::Map { fields, rest });
    built.insert(name, node.clone());
    node
}

/// The same shape under another patch strategy; the nodes below stay shared.
fn share(shape: &Shape) -> Shape {
    match shape {
        Shape::Map {
            fields,
            rest: Rest::Named,
        } => Shape::Map {
            fields: fields.clone(),
            rest: Rest::Named,
        },
        _ => Shape::Open { named: true },
    }
}

/// Every `protocol` that is a key defaults to TCP.
fn builtin_key(name: &str) -> Key {
    Key {
        name: name.to_owned(),
        default: (name == "protocol").then(|| Value::from("TCP")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(node: &'a Node, path: &str) -> &'a Node {
        path.split('.').fold(node, |node, step| match step {
            "[]" => node.item(),
            field => node.field(field).unwrap(),
        })
    }

    #[test]
    fn containers_of_a_stateful_set_are_keyed_by_name_and_their_ports_by_port_and_protocol() {
        let schema = TypeSchema::builtin("apps", "StatefulSet");
        let containers = at(&schema.root, "spec.template.spec.containers");
        assert_eq!(containers.patch.merge_key, Some("name"));
        let ports = at(containers, "[].ports");
        let Shape::Keyed { keys, .. } = &ports.shape else {
            panic!("{ports:?}")
        };
        assert_eq!(keys[0].name, "containerPort");
        assert_eq!(keys[1].default, Some(Value::from("TCP")));
    }

    #[test]
    fn claim_templates_selectors_and_tolerations_are_atomic() {
        let schema = TypeSchema::builtin("apps", "StatefulSet");
        for path in ["spec.volumeClaimTemplates", "spec.selector"] {
            assert!(
                matches!(at(&schema.root, path).shape, Shape::Leaf),
                "{path}"
            );
        }
        let tolerations = at(&schema.root, "spec.template.spec.tolerations");
        assert!(matches!(tolerations.shape, Shape::Open { named: true }));
    }

    #[test]
    fn every_kind_names_a_type_of_the_table_and_an_unknown_kind_has_metadata() {
        let schema = TypeSchema::builtin("example.com", "Unheard");
        let owners = at(&schema.root, "metadata.ownerReferences");
        assert!(matches!(owners.item().shape, Shape::Leaf));
        for (group, kind) in [
            ("", "Event"),
            ("batch", "CronJob"),
            ("policy", "PodDisruptionBudget"),
        ] {
            let known = TypeSchema::builtin(group, kind);
            assert!(!known.zero.as_object().unwrap().is_empty(), "{kind}");
        }
    }
}
