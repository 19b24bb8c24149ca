//! What a user may say about the pods of the members.
//!
//! Owns: labels, annotations and scheduling.
//! Always holds: nothing here can change what etcd is told or how it is started; keys by which
//! the operator and Kubernetes recognise pods are refused.
//! Deliberately does not know: what pods look like otherwise.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, LocalObjectReference, Toleration, TopologySpreadConstraint,
};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Prefix of the operator's own labels and annotations.
const OURS: &str = "etcd.etcd.io/";

/// Labels that are not the user's to set: the selector's, and those of the StatefulSet controller.
const RESERVED_LABELS: [&str; 6] = [
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "apps.kubernetes.io/pod-index",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// About the pods of the members. A change restarts them one at a time.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// Labels and annotations in addition to the operator's own.
    #[serde(default)]
    pub metadata: PodMetadata,

    /// Nodes that may run members.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::keys_and_values")]
    pub node_selector: BTreeMap<String, String>,

    /// Taints that members bear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::tolerations")]
    pub tolerations: Vec<Toleration>,

    /// Where members run, with regard to nodes and other pods. When left out, members avoid nodes
    /// that run one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::affinity")]
    pub affinity: Option<Affinity>,

    /// How members are spread. When left out, evenly over zones as far as possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::spread")]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,

    /// Whom members displace when a node is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,

    /// Secrets for a registry that asks who pulls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::pull_secrets")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
}

/// Labels and annotations of pods.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PodMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::keys_and_values")]
    #[x_kube(validation = Rule::new(
        "self.all(key, !key.startsWith('etcd.etcd.io/') && !(key in ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/managed-by', 'apps.kubernetes.io/pod-index', 'controller-revision-hash', 'statefulset.kubernetes.io/pod-name']))"
    ).message("etcd.etcd.io/*, app.kubernetes.io/{name,instance,managed-by} and the labels of the StatefulSet controller are set by the operator and by Kubernetes: choose other keys"))]
    pub labels: BTreeMap<String, String>,

    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::keys_and_values")]
    #[x_kube(validation = Rule::new(
        "self.all(key, !key.startsWith('etcd.etcd.io/'))"
    ).message("annotations under etcd.etcd.io/ are set by the operator"))]
    pub annotations: BTreeMap<String, String>,
}

impl PodMetadata {
    /// The first key that is not the user's to set.
    #[must_use]
    pub fn reserved(&self) -> Option<&str> {
        let mut labels = self.labels.keys();
        let label =
            labels.find(|key| key.starts_with(OURS) || RESERVED_LABELS.contains(&key.as_str()));
        let annotation = || self.annotations.keys().find(|key| key.starts_with(OURS));
        label.or_else(annotation).map(String::as_str)
    }
}
