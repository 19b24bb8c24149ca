//! The `EtcdCluster` resource: what users write and what they read back.
//!
//! Owns: the Rust types from which the CRD is generated, and the generated CRD.
//! Always holds: every rule that a schema can state is stated here, so that the API server refuses
//! bad input before the operator sees it.
//! Deliberately does not know: how any of it is brought about.

mod options;
mod pod_template;
mod schema;

use k8s_openapi::{
    api::core::v1::ResourceRequirements,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{Condition, Time},
    },
};
use kube::{CustomResource, CustomResourceExt, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use options::{AutoCompactionMode, EtcdOptions, LogLevel};
pub use pod_template::{PodMetadata, PodTemplate};

/// Most members that a cluster may have. Every write waits for a majority of the voters, so more
/// members than this only make it slower.
pub const MAX_SIZE: u32 = 9;

/// What the user wants.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "etcd.etcd.io",
    version = "v1alpha1",
    kind = "EtcdCluster",
    plural = "etcdclusters",
    singular = "etcdcluster",
    shortname = "etcd",
    namespaced,
    status = "EtcdClusterStatus",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.size",
        status_replicas_path = ".status.readyReplicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Size", type_ = "integer", json_path = ".spec.size"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Version", type_ = "string", json_path = ".spec.version"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 45").message(
        "metadata.name must have 45 characters or fewer: members and services are named after it"
    ),
    // These compare with what the cluster has really run, which the status records, and not with
    // the spec before: so a mistake that never came true (a tag that nobody can pull) can be taken
    // back. What is unchanged always passes, so that no write of the status can ever be refused.
    validation = Rule::new("self.spec.version == oldSelf.spec.version || !has(oldSelf.status) || !has(oldSelf.status.version) || int(self.spec.version.split('.')[1]) * 1000 + int(self.spec.version.split('.')[2]) >= int(oldSelf.status.version.split('.')[1]) * 1000 + int(oldSelf.status.version.split('.')[2])")
        .message("spec.version cannot go below status.version, which a member has run: etcd's data cannot be read by an earlier version")
        .field_path(".spec.version"),
    validation = Rule::new("self.spec.version == oldSelf.spec.version || !has(oldSelf.status) || !has(oldSelf.status.version) || int(self.spec.version.split('.')[1]) <= int(oldSelf.status.version.split('.')[1]) || int(oldSelf.status.version.split('.')[1]) > 5 || int(oldSelf.status.version.split('.')[2]) >= (has(oldSelf.status.recoveries) && oldSelf.status.recoveries > 0 ? 26 : 20)")
        .message("etcd 3.6 may only follow 3.5.20 or later (3.5.26 when quorum was ever recovered): set spec.version to a later 3.5 first (https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/)")
        .field_path(".spec.version"),
    validation = Rule::new("self.spec.storage.size == oldSelf.spec.storage.size || !has(oldSelf.status) || !has(oldSelf.status.volumeSize) || quantity(self.spec.storage.size).compareTo(quantity(oldSelf.status.volumeSize)) >= 0")
        .message("spec.storage.size cannot go below status.volumeSize, which a volume already has: volumes do not shrink")
        .field_path(".spec.storage.size"),
)]
#[serde(rename_all = "camelCase")]
pub struct EtcdClusterSpec {
    /// Number of members. 0 stops the cluster and keeps its data.
    #[serde(default = "default_size")]
    #[schemars(range(min = 0, max = 9))]
    pub size: u32,

    /// The etcd version of every member, for example 3.5.21. May go up, to a later patch release
    /// or to the next minor; members are then restarted one at a time.
    #[serde(default = "default_version")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches('^3\\.[56]\\.(0|[1-9][0-9]{0,2})$')").message(
        "spec.version must be a release of etcd 3.5 or 3.6 as MAJOR.MINOR.PATCH, for example 3.5.21"
    ))]
    pub version: String,

    /// Image of etcd without its tag; the tag is `v` and the version.
    #[serde(default = "default_image")]
    #[schemars(length(min = 1))]
    pub image: String,

    /// Where members keep their data.
    #[serde(default)]
    pub storage: Storage,

    /// Compute resources of each member. A limit of memory also bounds what Go's runtime takes
    /// (GOMEMLIMIT, 90 % of it).
    #[serde(default = "default_resources")]
    #[schemars(schema_with = "schema::resources")]
    pub resources: ResourceRequirements,

    /// Settings of etcd.
    #[serde(default)]
    pub options: EtcdOptions,

    /// Labels, annotations and scheduling of the members' pods.
    #[serde(default)]
    pub pod_template: PodTemplate,
}

/// A volume for each member.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)"
).message("spec.storage.storageClassName cannot be changed: volumes do not move between classes"))]
pub struct Storage {
    /// Size of each volume. etcd alone wants 128 MiB for its preallocated log. May grow, where the
    /// StorageClass allows it.
    #[serde(default = "default_storage_size")]
    #[schemars(schema_with = "schema::quantity")]
    pub size: Quantity,

    /// StorageClass; the cluster's default when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,

    /// What becomes of the volumes when the EtcdCluster is deleted.
    #[serde(default)]
    pub retention_policy: RetentionPolicy,
}

/// What becomes of volumes when their cluster is deleted. The volume of a removed member always
/// goes: its data is of no use to any cluster.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RetentionPolicy {
    /// They stay, and are never adopted by another cluster.
    #[default]
    Retain,
    /// They are deleted with the cluster.
    Delete,
}

/// What is.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct EtcdClusterStatus {
    /// In one word.
    #[serde(default)]
    pub phase: Phase,
    /// Voting members that answered healthy at the last look; never more than the pods that run.
    #[serde(default)]
    pub ready_replicas: u32,
    /// Members in the membership that etcd itself reports, learners included.
    #[serde(default)]
    pub replicas: u32,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// etcd's cluster ID, in hexadecimal as etcdctl prints it.
    #[serde(default, rename = "clusterID", skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// The latest version that any member has run; never lowered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub version: Option<String>,
    /// The size that volumes have been asked to have; the largest, if they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub volume_size: Option<Quantity>,
    /// The leader's member ID, in hexadecimal.
    #[serde(default, rename = "leaderID", skip_serializing_if = "Option::is_none")]
    pub leader_id: Option<String>,
    /// Where clients connect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// Label selector of the pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Each member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberStatus>,
    /// How many times the cluster was started anew from one survivor after its quorum was lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recoveries: u32,
    /// Available, Progressing, Degraded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// One member, as last seen.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Name of the member and of its pod.
    pub name: String,
    /// etcd's member ID in hexadecimal.
    #[serde(rename = "id")]
    pub id: String,
    /// Leader, Follower, Learner, or Unknown while it does not answer.
    pub role: MemberRole,
    /// Whether it receives the log without a vote.
    #[serde(default)]
    pub learner: bool,
    /// Whether it answered healthy at the last look.
    pub healthy: bool,
    /// When it was found not to answer, at most one look after it had answered for the last time.
    /// Not there while it answers, nor before it has ever answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Time>,
    /// Since when it has been a learner; absent once it votes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learner_since: Option<Time>,
    /// UID of the volume claim on which it last answered: with another one its data is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// The version it runs, or ran when it last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Size of its database in bytes, give or take a tenth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_size: Option<i64>,
    /// Why it is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a member is in its cluster.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MemberRole {
    /// Leads.
    Leader,
    /// Votes.
    Follower,
    /// Receives the log, does not vote.
    Learner,
    /// Does not answer.
    #[default]
    Unknown,
}

/// The cluster in one word.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Phase {
    /// Its first members are starting.
    #[default]
    Creating,
    /// At the wanted size and healthy.
    Running,
    /// On its way to another size.
    Scaling,
    /// At the wanted size, and its members are restarted one by one for a new version, or for
    /// another change of what they run.
    Upgrading,
    /// At the wanted size, and something is wrong with it.
    Failed,
    /// Being deleted.
    Deleting,
    /// Stopped on request (size 0), data kept.
    Stopped,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn default_size() -> u32 {
    3
}

fn default_version() -> String {
    "3.5.21".to_owned()
}

fn default_image() -> String {
    "gcr.io/etcd-development/etcd".to_owned()
}

fn default_storage_size() -> Quantity {
    Quantity("1Gi".to_owned())
}

/// What a small member needs: it idles at 35 MiB, and a twentieth of a core.
fn default_resources() -> ResourceRequirements {
    let requests = [("cpu", "100m"), ("memory", "128Mi")];
    ResourceRequirements {
        requests: Some(
            requests
                .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())))
                .into(),
        ),
        ..ResourceRequirements::default()
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            size: default_storage_size(),
            storage_class_name: None,
            retention_policy: RetentionPolicy::default(),
        }
    }
}

/// The CustomResourceDefinition of [`EtcdCluster`].
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    EtcdCluster::crd()
}
