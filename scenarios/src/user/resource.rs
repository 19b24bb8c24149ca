//! The EtcdCluster resource as JSON.
//!
//! Owns: its group, version and kind, what a user writes and which fields a user reads.
//! Always holds: a field that is not there is read as "not said yet".
//! Deliberately does not know: the operator's own types.

use chaos::observation::{Condition, Resource};
use kube::{
    Api, Client,
    api::{
        ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
    },
};
use serde_json::{Value, json};

use crate::{
    scenario::{Change, Cluster, Image, Volumes},
    world::WorldFailed,
};

/// The EtcdClusters of a namespace.
pub(crate) fn api(kube: Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("etcd.etcd.io", "v1alpha1", "EtcdCluster");
    let resource = ApiResource::from_gvk_with_plural(&kind, "etcdclusters");
    Api::namespaced_with(kube, namespace, &resource)
}

/// etcd's own image, where a world has no other.
const OFFICIAL_IMAGE: &str = "gcr.io/etcd-development/etcd";

pub(super) async fn create(
    kube: Client,
    namespace: &str,
    cluster: &Cluster,
    image: Option<&str>,
) -> Result<(), WorldFailed> {
    let retention = match cluster.volumes {
        Volumes::Kept => "Retain",
        Volumes::Deleted => "Delete",
    };
    let mut resource = json!({
        "apiVersion": "etcd.etcd.io/v1alpha1",
        "kind": "EtcdCluster",
        "metadata": {"name": cluster.name, "namespace": namespace},
        "spec": {
            "size": cluster.size,
            "version": cluster.version.to_string(),
            "storage": {"retentionPolicy": retention},
        },
    });
    if let Some(image) = image {
        resource["spec"]["image"] = json!(image);
    }
    let resource: DynamicObject =
        serde_json::from_value(resource).map_err(|error| failed("write the EtcdCluster", error))?;
    let created = api(kube, namespace)
        .create(&PostParams::default(), &resource)
        .await;
    created
        .map(drop)
        .map_err(|error| failed("create the EtcdCluster", error))
}

pub(super) async fn change(
    kube: Client,
    namespace: &str,
    name: &str,
    change: Change,
    right_image: Option<&str>,
) -> Result<(), WorldFailed> {
    let spec = match change {
        Change::Version(version) => json!({"version": version.to_string()}),
        Change::MemoryLimit(mebibytes) => {
            json!({"resources": {"limits": {"memory": format!("{mebibytes}Mi")}}})
        }
        Change::VolumeSize(gibibytes) => json!({"storage": {"size": format!("{gibibytes}Gi")}}),
        Change::Image(Image::Missing) => json!({"image": "registry.invalid/nobody/has-this"}),
        Change::Image(Image::Right) => json!({"image": right_image.unwrap_or(OFFICIAL_IMAGE)}),
    };
    let patch = Patch::Merge(json!({"spec": spec}));
    let patched = api(kube, namespace)
        .patch(name, &PatchParams::default(), &patch)
        .await;
    patched
        .map(drop)
        .map_err(|error| failed(&change.to_string(), error))
}

pub(super) async fn scale(
    kube: Client,
    namespace: &str,
    name: &str,
    size: u32,
) -> Result<(), WorldFailed> {
    let patch = Patch::Merge(json!({"spec": {"size": size}}));
    let patched = api(kube, namespace)
        .patch(name, &PatchParams::default(), &patch)
        .await;
    patched
        .map(drop)
        .map_err(|error| failed(&format!("set the size to {size}"), error))
}

pub(super) async fn delete(kube: Client, namespace: &str, name: &str) -> Result<(), WorldFailed> {
    let deleted = api(kube, namespace)
        .delete(name, &DeleteParams::background())
        .await;
    deleted
        .map(drop)
        .map_err(|error| failed("delete the EtcdCluster", error))
}

/// Gives the word that the status asks for: the annotation in the command that it advises.
pub(super) async fn give_word(
    kube: Client,
    namespace: &str,
    name: &str,
) -> Result<(), WorldFailed> {
    let clusters = api(kube, namespace);
    let found = clusters.get(name).await;
    let found = found.map_err(|error| failed("read the EtcdCluster", error))?;
    let asked = asked_word(&found.data["status"]).ok_or_else(|| WorldFailed::Kubernetes {
        doing: "give the word that the status asks for".to_owned(),
        why: "no condition names a command with an annotation".to_owned(),
    })?;
    let (key, value) = asked;
    let patch = Patch::Merge(json!({"metadata": {"annotations": {key: value}}}));
    let patched = clusters.patch(name, &PatchParams::default(), &patch).await;
    patched
        .map(drop)
        .map_err(|error| failed("annotate the EtcdCluster", error))
}

/// `KEY` and `VALUE` of a command `kubectl annotate ... KEY=VALUE` in back-quotes.
fn asked_word(status: &Value) -> Option<(String, String)> {
    let conditions = status["conditions"].as_array()?.iter();
    conditions
        .filter_map(|condition| condition["message"].as_str())
        .flat_map(|message| message.split('`').skip(1).step_by(2))
        .filter(|command| command.starts_with("kubectl annotate "))
        .find_map(|command| command.split(' ').next_back()?.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
}

/// The resource, and the endpoint that its status tells to clients.
pub(crate) type Found = (Resource, Option<(String, u16)>);

pub(crate) async fn read(
    kube: Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Found>, WorldFailed> {
    let found = api(kube, namespace).get_opt(name).await;
    let found = found.map_err(|error| failed("read the EtcdCluster", error))?;
    Ok(found.as_ref().map(self::found))
}

pub(super) fn found(object: &DynamicObject) -> Found {
    (resource(object), endpoint(&object.data))
}

fn resource(object: &DynamicObject) -> Resource {
    let (metadata, status) = (&object.metadata, &object.data["status"]);
    let number = |value: &Value| {
        value
            .as_u64()
            .and_then(|it| u32::try_from(it).ok())
            .unwrap_or(0)
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Resource {
        uid: metadata.uid.clone().unwrap_or_default(),
        created: metadata.creation_timestamp.as_ref().map(|at| at.0),
        generation: metadata.generation.unwrap_or_default(),
        wanted: number(&object.data["spec"]["size"]),
        version: text(&object.data["spec"]["version"]),
        memory_limit: said(&object.data["spec"]["resources"]["limits"]["memory"]),
        volume_size: said(&object.data["spec"]["storage"]["size"]),
        observed_generation: status["observedGeneration"].as_i64(),
        ready: number(&status["readyReplicas"]),
        phase: text(&status["phase"]),
        message: progress(status),
        conditions: conditions(status),
        deleting: metadata.deletion_timestamp.is_some(),
    }
}

fn said(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn conditions(status: &Value) -> Vec<Condition> {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    conditions
        .map(|condition| Condition {
            kind: text(&condition["type"]),
            holds: match condition["status"].as_str() {
                Some("True") => Some(true),
                Some("False") => Some(false),
                _ => None,
            },
            reason: text(&condition["reason"]),
            message: text(&condition["message"]),
        })
        .collect()
}

/// What the condition `Progressing` says.
fn progress(status: &Value) -> String {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let mut progressing = conditions.filter(|it| it["type"] == "Progressing");
    let message = progressing.next().and_then(|it| it["message"].as_str());
    message.unwrap_or_default().to_owned()
}

fn endpoint(data: &Value) -> Option<(String, u16)> {
    let url = data["status"]["endpoints"][0].as_str()?;
    let (host, port) = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest)
        .rsplit_once(':')?;
    Some((host.to_owned(), port.trim_end_matches('/').parse().ok()?))
}

pub(crate) fn failed(doing: &str, error: impl std::error::Error) -> WorldFailed {
    WorldFailed::Kubernetes {
        doing: doing.to_owned(),
        why: chain(&error),
    }
}

/// An error with everything that caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Many libraries repeat the cause in their own text.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_read_from_the_status() {
        let data = json!({"status": {"endpoints": ["http://demo-client.default.svc:2379"]}});
        assert_eq!(
            endpoint(&data),
            Some(("demo-client.default.svc".to_owned(), 2379))
        );
        assert_eq!(endpoint(&json!({"status": {}})), None);
    }

    #[test]
    fn the_word_is_the_one_in_the_advice() {
        let advice = "2 of 3 are lost; `x`; do: `kubectl annotate etcdcluster demo -n a --overwrite \
                      etcd.etcd.io/recover-quorum=1f/1`";
        let status = json!({"conditions": [{"message": "fine"}, {"message": advice}]});
        let expected = ("etcd.etcd.io/recover-quorum".to_owned(), "1f/1".to_owned());
        assert_eq!(asked_word(&status), Some(expected));
        assert_eq!(asked_word(&json!({})), None);
    }

    #[test]
    fn a_resource_without_a_status_says_nothing_yet() {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "etcd.etcd.io/v1alpha1",
            "kind": "EtcdCluster",
            "metadata": {"name": "demo", "uid": "u", "generation": 2},
            "spec": {"size": 3},
        }))
        .expect("an object");
        let read = resource(&object);
        assert_eq!(
            (read.wanted, read.ready, read.observed_generation),
            (3, 0, None)
        );
    }
}
