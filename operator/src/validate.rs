//! From what the user wrote to what can be planned.
//!
//! Owns: the checks that a schema cannot state, or that an older schema may have let through.
//! Always holds: after this step nobody reads the raw spec again.
//! Deliberately does not know: the state of the cluster.

use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity,
};
use kube::ResourceExt;

use crate::{
    api::{EtcdCluster, MAX_SIZE, RetentionPolicy},
    identity::{Identity, RECOVERY_ANNOTATION},
    version::{EtcdVersion, NotAVersion},
};

/// What is wanted, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Who the cluster is.
    pub identity: Identity,
    /// Members; 0 means stopped.
    pub size: u32,
    /// Version of every member.
    pub version: EtcdVersion,
    /// Image with its tag.
    pub image: String,
    /// Size of each volume.
    pub storage_size: Quantity,
    /// StorageClass, if named.
    pub storage_class: Option<String>,
    /// What becomes of volumes on deletion.
    pub retention: RetentionPolicy,
    /// Compute resources of each member.
    pub resources: Option<ResourceRequirements>,
    /// The user's word to start anew from one survivor, if given.
    pub recovery_word: Option<String>,
    /// Generation of the spec.
    pub generation: Option<i64>,
    /// Whether the cluster is being deleted.
    pub deleting: bool,
}

/// A spec that cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Over the limit.
    #[error("spec.size is {size}: set it to a number from 0 to {MAX_SIZE}")]
    Size {
        /// What the user wrote.
        size: u32,
    },
    /// Not a version.
    #[error("spec.version: {0}")]
    Version(#[from] NotAVersion),
    /// A version this operator does not know how to run.
    #[error("spec.version {version} is not supported: use a release of 3.5 or 3.6")]
    Unsupported {
        /// What the user wrote.
        version: EtcdVersion,
    },
    /// The API server always sets these; their absence means that this object never was stored.
    #[error("metadata.{field} is missing: the object does not come from an API server")]
    Metadata {
        /// Which one.
        field: &'static str,
    },
}

/// Checks the resource.
///
/// # Errors
/// See [`Invalid`]; each names the field and what is allowed.
pub fn validate(cluster: &EtcdCluster, domain: &str) -> Result<Desired, Invalid> {
    let spec = &cluster.spec;
    if spec.size > MAX_SIZE {
        return Err(Invalid::Size { size: spec.size });
    }
    let version: EtcdVersion = spec.version.parse()?;
    if version.major != 3 || !(5..=6).contains(&version.minor) {
        return Err(Invalid::Unsupported { version });
    }
    let identity = Identity {
        name: cluster.name_any(),
        namespace: cluster
            .namespace()
            .ok_or(Invalid::Metadata { field: "namespace" })?,
        uid: cluster.uid().ok_or(Invalid::Metadata { field: "uid" })?,
        domain: domain.to_owned(),
    };
    Ok(Desired {
        identity,
        size: spec.size,
        version,
        image: format!("{}:v{version}", spec.image),
        storage_size: spec.storage.size.clone(),
        storage_class: spec.storage.storage_class_name.clone(),
        retention: spec.storage.retention_policy,
        resources: spec.resources.clone(),
        recovery_word: cluster.annotations().get(RECOVERY_ANNOTATION).cloned(),
        generation: cluster.metadata.generation,
        deleting: cluster.metadata.deletion_timestamp.is_some(),
    })
}
