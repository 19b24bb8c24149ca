//! The unusual fields of the built-in types, as the Kubernetes API reference marks them.
//!
//! Owns: which lists are keyed or sets, which structs and maps are atomic, patch strategies, and
//! what is there in an object of which nothing has been set.
//! Always holds: a field that is not listed is what most fields are: a scalar, a struct or map
//! owned field by field, or a list replaced as a whole.
//! Deliberately does not know: versions before v1, and types of which everything is usual.

use super::field::{Field, WHOLE, atomic, keyed, set, structure, usual};

/// The type of a kind, and whether the kind has a `status` subresource.
pub(super) fn kind(group: &str, kind: &str) -> (&'static str, bool) {
    match (group, kind) {
        ("apps", "StatefulSet") => ("StatefulSet", true),
        ("apps", "Deployment") => ("Deployment", true),
        ("apps", "DaemonSet") => ("DaemonSet", true),
        ("apps", "ReplicaSet") => ("ReplicaSet", true),
        ("", "ReplicationController") => ("ReplicationController", true),
        ("batch", "Job") => ("Job", true),
        ("batch", "CronJob") => ("CronJob", true),
        ("", "Pod") => ("Pod", true),
        ("", "PersistentVolumeClaim") => ("PersistentVolumeClaim", true),
        ("", "PersistentVolume") => ("PersistentVolume", true),
        ("", "Namespace") => ("Namespace", true),
        ("", "Node") => ("Node", true),
        ("", "Service") => ("Service", true),
        ("", "ServiceAccount") => ("ServiceAccount", false),
        ("" | "events.k8s.io", "Event") => ("Event", false),
        ("coordination.k8s.io", "Lease") => ("Lease", false),
        ("policy", "PodDisruptionBudget") => ("PodDisruptionBudget", true),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            ("RoleBinding", false)
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => ("CustomResourceDefinition", true),
        _ => ("Object", false),
    }
}

/// A type and its unusual fields.
pub(super) type Type = (&'static str, &'static [Field]);

const META: Field = structure("metadata", "ObjectMeta").by_value();
const STATUS: Field = structure("status", "Conditions").by_value();
const TEMPLATE: Field = structure("template", "PodTemplateSpec").by_value();

/// What objects have in common.
#[rustfmt::skip]
pub(super) const COMMON: &[Type] = &[
    ("Object", &[META]),
    ("ObjectMeta", &[set("finalizers"), keyed("ownerReferences", &["uid"], WHOLE)]),
    ("Conditions", &[keyed("conditions", &["type"], "Any")]),
    ("Any", &[]),
];

#[rustfmt::skip]
pub(super) const WORKLOADS: &[Type] = &[
    ("StatefulSet", &[META, structure("spec", "StatefulSetSpec").by_value(), STATUS]),
    ("StatefulSetSpec", &[
        atomic("selector").null(),
        TEMPLATE,
        structure("updateStrategy", "Any").by_value(),
        atomic("volumeClaimTemplates"),
    ]),
    ("Deployment", &[META, structure("spec", "DeploymentSpec").by_value(), STATUS]),
    ("DeploymentSpec", &[
        atomic("selector").null(),
        structure("strategy", "Any").by_value().retains_keys(),
        TEMPLATE,
    ]),
    ("DaemonSet", &[META, structure("spec", "DaemonSetSpec").by_value(), STATUS]),
    ("DaemonSetSpec", &[
        atomic("selector").null(),
        TEMPLATE,
        structure("updateStrategy", "Any").by_value(),
    ]),
    ("ReplicaSet", &[META, structure("spec", "ReplicaSetSpec").by_value(), STATUS]),
    ("ReplicaSetSpec", &[atomic("selector").null(), TEMPLATE]),
    ("ReplicationController", &[META, structure("spec", "ReplicationControllerSpec").by_value(), STATUS]),
    ("ReplicationControllerSpec", &[atomic("selector"), structure("template", "PodTemplateSpec")]),
    ("Job", &[META, structure("spec", "JobSpec").by_value(), structure("status", "JobStatus").by_value()]),
    ("JobSpec", &[atomic("selector"), TEMPLATE]),
    ("JobStatus", &[
        atomic("conditions").patched_by("type"),
        structure("uncountedTerminatedPods", "UncountedTerminatedPods"),
    ]),
    ("UncountedTerminatedPods", &[set("failed").not_patched(), set("succeeded").not_patched()]),
    ("CronJob", &[META, structure("spec", "CronJobSpec").by_value(), usual("status").by_value()]),
    ("CronJobSpec", &[structure("jobTemplate", "JobTemplateSpec").by_value()]),
    ("JobTemplateSpec", &[META, structure("spec", "JobSpec").by_value()]),
    ("PodTemplateSpec", &[META, structure("spec", "PodSpec").by_value()]),
];

#[rustfmt::skip]
pub(super) const PODS: &[Type] = &[
    ("Pod", &[META, structure("spec", "PodSpec").by_value(), structure("status", "PodStatus").by_value()]),
    ("PodSpec", &[
        structure("affinity", "Affinity"),
        keyed("containers", &["name"], "Container").null(),
        keyed("ephemeralContainers", &["name"], "Container"),
        keyed("hostAliases", &["ip"], "Any"),
        keyed("imagePullSecrets", &["name"], WHOLE),
        keyed("initContainers", &["name"], "Container"),
        atomic("nodeSelector"),
        keyed("resourceClaims", &["name"], "Any").retains_keys(),
        structure("resources", "ResourceRequirements"),
        keyed("schedulingGates", &["name"], "Any"),
        keyed("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"], "TopologySpreadConstraint"),
        keyed("volumes", &["name"], "Volume").retains_keys(),
    ]),
    ("PodStatus", &[
        keyed("conditions", &["type"], "Any"),
        atomic("hostIPs").patched_by("ip"),
        keyed("podIPs", &["ip"], "Any"),
        keyed("resourceClaimStatuses", &["name"], "Any").retains_keys(),
    ]),
    ("Container", &[
        keyed("env", &["name"], "EnvVar"),
        keyed("ports", &["containerPort", "protocol"], "Any"),
        structure("resources", "ResourceRequirements"),
        keyed("volumeDevices", &["devicePath"], "Any"),
        keyed("volumeMounts", &["mountPath"], "Any"),
    ]),
    ("EnvVar", &[structure("valueFrom", "EnvVarSource")]),
    ("EnvVarSource", &[
        atomic("configMapKeyRef"),
        atomic("fieldRef"),
        atomic("fileKeyRef"),
        atomic("resourceFieldRef"),
        atomic("secretKeyRef"),
    ]),
    ("ResourceRequirements", &[keyed("claims", &["name"], "Any").not_patched()]),
    ("TopologySpreadConstraint", &[atomic("labelSelector")]),
    ("Affinity", &[structure("nodeAffinity", "NodeAffinity")]),
    ("NodeAffinity", &[atomic("requiredDuringSchedulingIgnoredDuringExecution")]),
];

#[rustfmt::skip]
pub(super) const VOLUMES: &[Type] = &[
    ("Volume", &[
        structure("cephfs", "VolumeSource"),
        structure("cinder", "VolumeSource"),
        structure("csi", "VolumeSource"),
        structure("ephemeral", "EphemeralVolumeSource"),
        structure("flexVolume", "VolumeSource"),
        structure("iscsi", "VolumeSource"),
        structure("rbd", "VolumeSource"),
        structure("scaleIO", "VolumeSource"),
        structure("storageos", "VolumeSource"),
    ]),
    ("VolumeSource", &[atomic("secretRef"), atomic("nodePublishSecretRef")]),
    ("EphemeralVolumeSource", &[structure("volumeClaimTemplate", "PersistentVolumeClaim")]),
    ("PersistentVolumeClaim", &[META, structure("spec", "PersistentVolumeClaimSpec").by_value(), STATUS]),
    ("PersistentVolumeClaimSpec", &[
        atomic("dataSource"),
        structure("resources", "Any").by_value(),
        atomic("selector"),
    ]),
    ("PersistentVolume", &[META, structure("spec", "PersistentVolumeSpec").by_value(), usual("status").by_value()]),
    ("PersistentVolumeSpec", &[
        structure("cephfs", "VolumeSource"),
        structure("cinder", "VolumeSource"),
        structure("csi", "CSIPersistentVolumeSource"),
        structure("flexVolume", "VolumeSource"),
        structure("iscsi", "VolumeSource"),
        structure("nodeAffinity", "VolumeNodeAffinity"),
        structure("rbd", "VolumeSource"),
        structure("scaleIO", "VolumeSource"),
        structure("storageos", "VolumeSource"),
    ]),
    ("CSIPersistentVolumeSource", &[
        atomic("controllerExpandSecretRef"),
        atomic("controllerPublishSecretRef"),
        atomic("nodeExpandSecretRef"),
        atomic("nodePublishSecretRef"),
        atomic("nodeStageSecretRef"),
    ]),
    ("VolumeNodeAffinity", &[atomic("required")]),
];

#[rustfmt::skip]
pub(super) const CLUSTER: &[Type] = &[
    ("Namespace", &[META, usual("spec").by_value(), STATUS]),
    ("Node", &[META, structure("spec", "NodeSpec").by_value(), structure("status", "NodeStatus").by_value()]),
    ("NodeSpec", &[set("podCIDRs")]),
    ("NodeStatus", &[
        keyed("addresses", &["type"], "Any"),
        keyed("conditions", &["type"], "Any"),
        usual("daemonEndpoints").by_value(),
        usual("nodeInfo").by_value(),
    ]),
    ("Service", &[META, structure("spec", "ServiceSpec").by_value(), structure("status", "ServiceStatus").by_value()]),
    ("ServiceSpec", &[keyed("ports", &["port", "protocol"], "Any"), atomic("selector")]),
    ("ServiceStatus", &[keyed("conditions", &["type"], "Any"), usual("loadBalancer").by_value()]),
    ("ServiceAccount", &[META, keyed("secrets", &["name"], WHOLE)]),
    // Both groups' view of an event.
    ("Event", &[
        META,
        atomic("involvedObject"),
        atomic("regarding"),
        atomic("related"),
        usual("eventTime").null(),
        usual("firstTimestamp").null(),
        usual("lastTimestamp").null(),
        usual("deprecatedFirstTimestamp").null(),
        usual("deprecatedLastTimestamp").null(),
        usual("source").by_value(),
        usual("deprecatedSource").by_value(),
        usual("reportingComponent").empty_text(),
        usual("reportingInstance").empty_text(),
    ]),
    ("Lease", &[META, usual("spec").by_value()]),
    ("PodDisruptionBudget", &[META, structure("spec", "PodDisruptionBudgetSpec").by_value(), STATUS]),
    ("PodDisruptionBudgetSpec", &[atomic("selector").patch_replaces()]),
    ("RoleBinding", &[META, atomic("roleRef")]),
    ("CustomResourceDefinition", &[
        META,
        structure("spec", "CustomResourceDefinitionSpec").by_value(),
        structure("status", "CustomResourceDefinitionStatus").by_value(),
    ]),
    ("CustomResourceDefinitionSpec", &[usual("names").by_value(), atomic("versions").null()]),
    ("CustomResourceDefinitionStatus", &[
        keyed("conditions", &["type"], "Any").not_patched().null(),
        usual("acceptedNames").by_value(),
        atomic("storedVersions").null(),
    ]),
];
