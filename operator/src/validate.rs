//! From what the user wrote to what can be planned.
//!
//! Owns: the checks that a schema cannot state, or that an older schema may have let through.
//! Always holds: after this step nobody reads the raw spec again; a version that etcd cannot go to
//! is never rendered: the one that runs is, until the spec names another.
//! Deliberately does not know: the state of the cluster, except for the versions that its status
//! recorded.

use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity,
};
use kube::ResourceExt;

use crate::{
    api::{EtcdCluster, EtcdClusterStatus, EtcdOptions, MAX_SIZE, PodTemplate, RetentionPolicy},
    build,
    identity::{Identity, RECOVERY_ANNOTATION},
    quantity,
    version::{EtcdVersion, NotAVersion, PathRefused},
};

/// What is wanted, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Who the cluster is.
    pub identity: Identity,
    /// Members; 0 means stopped.
    pub size: u32,
    /// Version that every member is to run.
    pub version: EtcdVersion,
    /// Why that is not the one in the spec.
    pub version_refused: Option<PathRefused>,
    /// Image with its tag.
    pub image: String,
    /// Size of each volume.
    pub storage_size: Quantity,
    /// StorageClass, if named.
    pub storage_class: Option<String>,
    /// What becomes of volumes on deletion.
    pub retention: RetentionPolicy,
    /// Compute resources of each member.
    pub resources: ResourceRequirements,
    /// Settings of etcd.
    pub options: EtcdOptions,
    /// About the pods.
    pub pod_template: PodTemplate,
    /// Hash of all that a member gets from here when it starts: a pod that carries another one is
    /// outdated.
    pub template_hash: String,
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
    /// Not an amount of bytes.
    #[error("spec.storage.size {size:?} is not an amount of bytes: write it like 8Gi")]
    StorageSize {
        /// What the user wrote.
        size: String,
    },
    /// Too short for the heartbeat.
    #[error(
        "spec.options.electionTimeoutMs is {election}, heartbeatIntervalMs {heartbeat}: make it at least 5 times as long"
    )]
    ElectionTimeout {
        /// Milliseconds.
        election: i64,
        /// Milliseconds.
        heartbeat: i64,
    },
    /// A label or annotation that is not the user's.
    #[error("spec.podTemplate.metadata has {key}, which is reserved: choose another key")]
    ReservedKey {
        /// Which one.
        key: String,
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
    let wanted: EtcdVersion = spec.version.parse()?;
    if wanted.major != 3 || !(5..=6).contains(&wanted.minor) {
        return Err(Invalid::Unsupported { version: wanted });
    }
    if quantity::thousandths(&spec.storage.size).is_none() {
        let size = spec.storage.size.0.clone();
        return Err(Invalid::StorageSize { size });
    }
    let (heartbeat, election) = (spec.options.heartbeat_ms(), spec.options.election_ms());
    if election < heartbeat.saturating_mul(5) {
        return Err(Invalid::ElectionTimeout {
            election,
            heartbeat,
        });
    }
    if let Some(key) = spec.pod_template.metadata.reserved() {
        return Err(Invalid::ReservedKey {
            key: key.to_owned(),
        });
    }
    let (version, version_refused) = reachable(cluster.status.as_ref(), wanted);
    let mut desired = Desired {
        identity: identity(cluster, domain)?,
        size: spec.size,
        version,
        version_refused,
        image: format!("{}:v{version}", spec.image),
        storage_size: spec.storage.size.clone(),
        storage_class: spec.storage.storage_class_name.clone(),
        retention: spec.storage.retention_policy,
        resources: spec.resources.clone(),
        options: spec.options.clone(),
        pod_template: spec.pod_template.clone(),
        template_hash: String::new(),
        recovery_word: cluster.annotations().get(RECOVERY_ANNOTATION).cloned(),
        generation: cluster.metadata.generation,
        deleting: cluster.metadata.deletion_timestamp.is_some(),
    };
    desired.template_hash = build::template_hash(&desired);
    Ok(desired)
}

fn identity(cluster: &EtcdCluster, domain: &str) -> Result<Identity, Invalid> {
    let missing = |field| Invalid::Metadata { field };
    Ok(Identity {
        name: cluster.name_any(),
        namespace: cluster.namespace().ok_or(missing("namespace"))?,
        uid: cluster.uid().ok_or(missing("uid"))?,
        domain: domain.to_owned(),
    })
}

/// The version to run: the wanted one if etcd can go there from what its members have run, else
/// the latest of those. Judged from the latest for the way back and over a minor, and from every
/// member for the step to 3.6, since an upgrade that is under way has both.
fn reachable(
    status: Option<&EtcdClusterStatus>,
    wanted: EtcdVersion,
) -> (EtcdVersion, Option<PathRefused>) {
    let read = |text: &String| text.parse::<EtcdVersion>().ok();
    let latest = status.and_then(|status| status.version.as_ref().and_then(read));
    let Some(latest) = latest else {
        return (wanted, None);
    };
    let recovered = status.is_some_and(|status| status.recoveries > 0);
    let members = status.into_iter().flat_map(|status| &status.members);
    let oldest = members
        .filter_map(|member| member.version.as_ref().and_then(read))
        .min();
    let path = latest
        .may_become(wanted, recovered)
        .and_then(|()| match oldest {
            Some(oldest) => oldest.may_become(wanted, recovered),
            None => Ok(()),
        });
    match path {
        Ok(()) => (wanted, None),
        Err(refused) => (latest, Some(refused)),
    }
}
