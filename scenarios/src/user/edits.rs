//! Edits by hand of what the operator looks after.
//!
//! Owns: finding the objects that belong to a cluster, and editing them as kubectl does.
//! Always holds: an object belongs to a cluster by its owner, not by names or labels that are the
//! operator's business; where none is found to edit, that is an error.
//! Deliberately does not know: what the operator makes of it.

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::resource::failed;
use crate::{scenario::Edit, world::WorldFailed};

/// Group, version, kind, plural.
type Kind = (&'static str, &'static str, &'static str, &'static str);

const STATEFUL_SETS: Kind = ("apps", "v1", "StatefulSet", "statefulsets");
const CONFIG_MAPS: Kind = ("", "v1", "ConfigMap", "configmaps");
const SERVICES: Kind = ("", "v1", "Service", "services");
const BUDGETS: Kind = (
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
);

pub(super) async fn edit(
    kube: Client,
    namespace: &str,
    cluster: &str,
    edit: Edit,
) -> Result<(), WorldFailed> {
    let (kind, patch) = match edit {
        Edit::SetReplicas(size) => (STATEFUL_SETS, Some(json!({"spec": {"replicas": size}}))),
        Edit::DeleteStatefulSet => (STATEFUL_SETS, None),
        Edit::DeleteConfigMaps => (CONFIG_MAPS, None),
        Edit::EmptyConfigMaps => (CONFIG_MAPS, Some(json!({"data": null}))),
        Edit::DeleteServices => (SERVICES, None),
        Edit::DeleteBudget => (BUDGETS, None),
    };
    let doing = edit.to_string();
    let api = api(kube, namespace, kind);
    let names = owned(&api, cluster, &doing).await?;
    for name in names {
        let edited = match &patch {
            Some(patch) => {
                let params = PatchParams::default();
                api.patch(&name, &params, &Patch::Merge(patch))
                    .await
                    .map(drop)
            }
            None => api
                .delete(&name, &kube::api::DeleteParams::background())
                .await
                .map(drop),
        };
        edited.map_err(|error| failed(&doing, error))?;
    }
    Ok(())
}

fn api(kube: Client, namespace: &str, kind: Kind) -> Api<DynamicObject> {
    let (group, version, kind, plural) = kind;
    let gvk = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
    Api::namespaced_with(kube, namespace, &resource)
}

/// Names of the objects whose owner is the cluster.
async fn owned(
    api: &Api<DynamicObject>,
    cluster: &str,
    doing: &str,
) -> Result<Vec<String>, WorldFailed> {
    let found = api.list(&ListParams::default()).await;
    let found = found.map_err(|error| failed(doing, error))?;
    let names: Vec<String> = found
        .items
        .into_iter()
        .filter(|object| {
            let mut owners = object.metadata.owner_references.iter().flatten();
            owners.any(|owner| owner.kind == "EtcdCluster" && owner.name == cluster)
        })
        .filter_map(|object| object.metadata.name)
        .collect();
    if names.is_empty() {
        return Err(WorldFailed::Kubernetes {
            doing: doing.to_owned(),
            why: "the cluster owns none".to_owned(),
        });
    }
    Ok(names)
}
