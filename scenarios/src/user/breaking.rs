//! What can be broken with kubectl.
//!
//! Owns: deleting pods and volumes, eviction, draining a node.
//! Always holds: a pod is deleted by its UID; one that is gone already is no error.
//! Deliberately does not know: who is worth breaking.

use chaos::fault::Hit;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use kube::{
    Api, Client, Error,
    api::{DeleteParams, EvictParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

use super::{pods, resource::failed};
use crate::world::WorldFailed;

pub(super) async fn delete_pod(kube: Client, ns: &str, hit: &Hit) -> Result<(), WorldFailed> {
    let api: Api<Pod> = Api::namespaced(kube, ns);
    let only_this = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(hit.uid.clone()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let deleted = api.delete(&hit.pod, &only_this).await.map(drop);
    unless_gone(deleted).map_err(|error| failed(&format!("delete pod {}", hit.pod), error))
}

/// The claims first: they go as soon as the pod does not use them any more.
pub(super) async fn delete_with_volume(
    kube: Client,
    ns: &str,
    hit: &Hit,
) -> Result<(), WorldFailed> {
    let api: Api<Pod> = Api::namespaced(kube.clone(), ns);
    let found = api.get_opt(&hit.pod).await;
    let found = found.map_err(|error| failed(&format!("read pod {}", hit.pod), error))?;
    let volumes = found.and_then(|pod| pod.spec?.volumes).unwrap_or_default();
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(kube.clone(), ns);
    for claim in volumes
        .into_iter()
        .filter_map(|it| it.persistent_volume_claim)
    {
        let name = claim.claim_name;
        let deleted = claims
            .delete(&name, &DeleteParams::default())
            .await
            .map(drop);
        unless_gone(deleted).map_err(|error| failed(&format!("delete claim {name}"), error))?;
    }
    delete_pod(kube, ns, hit).await
}

/// A disruption budget may say no; that is an answer, not a failure.
pub(super) async fn evict(kube: Client, ns: &str, hit: &Hit) -> Result<(), WorldFailed> {
    let api: Api<Pod> = Api::namespaced(kube, ns);
    let evicted = api.evict(&hit.pod, &EvictParams::default()).await.map(drop);
    match unless_gone(evicted) {
        Err(Error::Api(status)) if status.code == 429 => Ok(()),
        other => other.map_err(|error| failed(&format!("evict pod {}", hit.pod), error)),
    }
}

/// Closes the node and evicts the cluster's pods on it.
pub(super) async fn drain(
    kube: Client,
    ns: &str,
    cluster: &str,
    hit: &Hit,
) -> Result<(), WorldFailed> {
    cordon(kube.clone(), &hit.node, true).await?;
    for (pod, _) in pods::read(kube.clone(), ns, cluster).await? {
        if pod.node == hit.node {
            let hit = Hit {
                pod: pod.name,
                uid: pod.uid,
                node: pod.node,
            };
            evict(kube.clone(), ns, &hit).await?;
        }
    }
    Ok(())
}

pub(super) async fn uncordon(kube: Client, node: &str) -> Result<(), WorldFailed> {
    cordon(kube, node, false).await
}

async fn cordon(kube: Client, node: &str, closed: bool) -> Result<(), WorldFailed> {
    let api: Api<Node> = Api::all(kube);
    let patch = Patch::Merge(json!({"spec": {"unschedulable": closed}}));
    let patched = api.patch(node, &PatchParams::default(), &patch).await;
    let doing = format!("set node {node} unschedulable to {closed}");
    patched.map(drop).map_err(|error| failed(&doing, error))
}

/// What is gone or has been replaced needs no deletion.
fn unless_gone(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        other => other,
    }
}
