//! The pods of a cluster.
//!
//! Owns: which pods count as the cluster's, and what of them matters.
//! Always holds: a pod belongs by its name, `CLUSTER-ORDINAL`, not by labels that an operator may
//! forget.
//! Deliberately does not know: what runs in them.

use chaos::observation::Pod;
use k8s_openapi::api::core::v1 as core;
use kube::{Api, Client, api::ListParams};

use super::resource::failed;
use crate::world::WorldFailed;

/// A pod and the address to ask its member at.
pub(crate) type Addressed = (Pod, Option<String>);

pub(crate) async fn read(
    kube: Client,
    namespace: &str,
    cluster: &str,
) -> Result<Vec<Addressed>, WorldFailed> {
    let api: Api<core::Pod> = Api::namespaced(kube, namespace);
    let found = api.list(&ListParams::default()).await;
    let found = found.map_err(|error| failed("list the pods", error))?;
    let claims: Api<core::PersistentVolumeClaim> = Api::namespaced(api.into_client(), namespace);
    let claims = claims.list(&ListParams::default()).await;
    let claims = claims.map_err(|error| failed("list the volume claims", error))?;
    Ok(of(cluster, &found.items, &claims.items))
}

/// The pods of the cluster among all, in the order of their numbers.
pub(super) fn of(
    cluster: &str,
    found: &[core::Pod],
    claims: &[core::PersistentVolumeClaim],
) -> Vec<Addressed> {
    let mut pods: Vec<Addressed> = found
        .iter()
        .filter(|pod| {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            ordinal(name, cluster).is_some()
        })
        .map(|pod| read_one(pod, claims))
        .collect();
    pods.sort_by_key(|(pod, _)| ordinal(&pod.name, cluster));
    pods
}

fn ordinal(name: &str, cluster: &str) -> Option<u32> {
    name.strip_prefix(cluster)?.strip_prefix('-')?.parse().ok()
}

fn read_one(pod: &core::Pod, claims: &[core::PersistentVolumeClaim]) -> Addressed {
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let running = containers.iter().any(|container| {
        container
            .state
            .as_ref()
            .is_some_and(|state| state.running.is_some())
    });
    let restarts: i32 = containers
        .iter()
        .map(|container| container.restart_count)
        .sum();
    let view = Pod {
        name: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        created: pod.metadata.creation_timestamp.as_ref().map(|at| at.0),
        node: pod
            .spec
            .as_ref()
            .and_then(|spec| spec.node_name.clone())
            .unwrap_or_default(),
        memory_limit: memory_limit(pod),
        volume_size: volume_size(pod, claims),
        running,
        ready: conditions
            .iter()
            .any(|it| it.type_ == "Ready" && it.status == "True"),
        deleting: pod.metadata.deletion_timestamp.is_some(),
        restarts: u32::try_from(restarts).unwrap_or(0),
        member: None,
    };
    // The kubelet tells of a started container up to a second late; its member answers before.
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    (view, status.pod_ip.filter(|_| !ended))
}

fn memory_limit(pod: &core::Pod) -> Option<String> {
    let container = pod.spec.as_ref()?.containers.first()?;
    let limits = container.resources.as_ref()?.limits.as_ref()?;
    Some(limits.get("memory")?.0.clone())
}

/// The capacity of the first volume that the pod claims.
fn volume_size(pod: &core::Pod, claims: &[core::PersistentVolumeClaim]) -> Option<String> {
    let volumes = pod.spec.as_ref()?.volumes.as_ref()?;
    let claimed = volumes
        .iter()
        .find_map(|it| it.persistent_volume_claim.as_ref())?;
    let name = Some(&claimed.claim_name);
    let claim = claims.iter().find(|it| it.metadata.name.as_ref() == name)?;
    let capacity = claim.status.as_ref()?.capacity.as_ref()?;
    Some(capacity.get("storage")?.0.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_belongs_by_its_name() {
        assert_eq!(ordinal("demo-12", "demo"), Some(12));
        for other in ["demo", "demo-x", "demo-1-2", "other-1", "demo1"] {
            assert_eq!(ordinal(other, "demo"), None, "{other}");
        }
    }
}
