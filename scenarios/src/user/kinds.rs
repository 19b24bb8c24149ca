//! Everything that is in a namespace.
//!
//! Owns: the kinds that a cluster could leave behind.
//! Always holds: an object is told by kind, name and UID, so one that was recreated is another.
//! Deliberately does not know: whose objects they are; that is told from what was there before.

use kube::{
    Api, Client, Error,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};

use super::resource::failed;
use crate::world::WorldFailed;

/// Group, version, kind, plural, whether it is in a namespace. Events and endpoints are not among
/// them: the former stay for an hour by design, the latter follow their Service.
const KINDS: [(&str, &str, &str, &str, bool); 13] = [
    (
        "etcd.etcd.io",
        "v1alpha1",
        "EtcdCluster",
        "etcdclusters",
        true,
    ),
    ("apps", "v1", "StatefulSet", "statefulsets", true),
    (
        "apps",
        "v1",
        "ControllerRevision",
        "controllerrevisions",
        true,
    ),
    ("", "v1", "Pod", "pods", true),
    ("", "v1", "Service", "services", true),
    ("", "v1", "ConfigMap", "configmaps", true),
    ("", "v1", "Secret", "secrets", true),
    ("", "v1", "ServiceAccount", "serviceaccounts", true),
    (
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        true,
    ),
    ("batch", "v1", "Job", "jobs", true),
    ("batch", "v1", "CronJob", "cronjobs", true),
    (
        "",
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        true,
    ),
    ("", "v1", "PersistentVolume", "persistentvolumes", false),
];

/// What Kubernetes itself puts into every namespace, some moments after it was made.
const OF_EVERY_NAMESPACE: [&str; 2] = ["ConfigMap/kube-root-ca.crt", "ServiceAccount/default"];

/// An object that is there.
pub(super) struct Object {
    /// Kind, name and UID.
    pub(super) identity: String,
    /// `Kind/name`.
    pub(super) name: String,
    /// Whether it holds data.
    pub(super) volume: bool,
}

pub(super) async fn everything(kube: &Client, namespace: &str) -> Result<Vec<Object>, WorldFailed> {
    let mut objects = Vec::new();
    for (group, version, kind, plural, namespaced) in KINDS {
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
        let api: Api<DynamicObject> = if namespaced {
            Api::namespaced_with(kube.clone(), namespace, &resource)
        } else {
            Api::all_with(kube.clone(), &resource)
        };
        let found = match api.list(&ListParams::default()).await {
            Ok(found) => found,
            // A kind that the API server does not serve has no objects.
            Err(Error::Api(status)) if status.code == 404 => continue,
            // Not every user may see what is in no namespace.
            Err(Error::Api(status)) if status.code == 403 && !namespaced => continue,
            Err(error) => return Err(failed(&format!("list {plural}"), error)),
        };
        let ours = found.items.into_iter().filter(|object| {
            // Volumes are in no namespace; a claim of ours makes one ours.
            namespaced || object.data["spec"]["claimRef"]["namespace"] == namespace
        });
        objects.extend(ours.map(|object| {
            let name = object.metadata.name.unwrap_or_default();
            let uid = object.metadata.uid.unwrap_or_default();
            Object {
                identity: format!("{kind}/{name}/{uid}"),
                name: format!("{kind}/{name}"),
                volume: kind.starts_with("PersistentVolume"),
            }
        }));
    }
    objects.retain(|object: &Object| !OF_EVERY_NAMESPACE.contains(&object.name.as_str()));
    Ok(objects)
}
