//! The volumes of a pod and where a container sees them.
//!
//! Owns: what each volume of a pod holds now, and why one cannot be mounted yet.
//! Always holds: a pod is mounted as a whole or not at all.
//! Deliberately does not know: how often mounted files are brought up to date.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    content,
    environment::{Place, field},
};
use crate::kubernetes::{
    api::{
        ApiServer,
        resource::{CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, SECRETS},
    },
    controllers::object::Meta,
    runtime::Volume,
};

/// Why a volume is not mounted; the text is that of the kubelet's `FailedMount` event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("MountVolume.SetUp failed for volume \"{volume}\" : {why}")]
pub struct NotMounted {
    volume: String,
    why: String,
}

type Files = BTreeMap<String, Vec<u8>>;

/// What every volume of a pod holds, by the volume's name.
///
/// # Errors
/// For the first volume that cannot be mounted.
pub fn contents(
    api: &ApiServer,
    pod: &Value,
    place: &Place,
) -> Result<BTreeMap<String, Volume>, NotMounted> {
    pod.items("/spec/volumes")
        .iter()
        .map(|volume| {
            let name = volume.name_field();
            content_of(api, pod, volume, place)
                .map(|content| (name.to_owned(), content))
                .map_err(|why| NotMounted {
                    volume: name.to_owned(),
                    why,
                })
        })
        .collect()
}

/// Where a container sees its volumes: path to content.
///
/// # Errors
/// When a mount is not modelled.
pub fn mounts(
    container: &Value,
    volumes: &BTreeMap<String, Volume>,
) -> Result<BTreeMap<String, Volume>, String> {
    let mut mounts = BTreeMap::new();
    for mount in container.items("/volumeMounts") {
        let Some(volume) = volumes.get(mount.name_field()) else {
            continue;
        };
        let path = mount.text("/mountPath").trim_end_matches('/');
        if !mount["subPathExpr"].is_null() {
            return Err("not modelled: subPathExpr".to_owned());
        }
        match (mount["subPath"].as_str().unwrap_or_default(), volume) {
            ("", volume) => {
                mounts.insert(path.to_owned(), volume.clone());
            }
            (file, Volume::Files(files)) => single_file(&mut mounts, path, files.get(file)),
            (_, _) => {
                return Err(
                    "not modelled: subPath of a volume that is not made of files".to_owned(),
                );
            }
        }
    }
    Ok(mounts)
}

/// Mounts one file. The folder around it holds it and its like.
fn single_file(mounts: &mut BTreeMap<String, Volume>, path: &str, content: Option<&Vec<u8>>) {
    let Some((folder, name)) = path.rsplit_once('/') else {
        return;
    };
    let around = mounts
        .entry(folder.to_owned())
        .or_insert_with(|| Volume::Files(Files::new()));
    if let (Volume::Files(files), Some(content)) = (around, content) {
        files.insert(name.to_owned(), content.clone());
    }
}

/// Whether a mount of this container follows its volume's changes: one of a single file never does.
#[must_use]
pub fn follows(container: &Value, path: &str) -> bool {
    container.items("/volumeMounts").iter().any(|mount| {
        mount.text("/mountPath").trim_end_matches('/') == path && mount.text("/subPath").is_empty()
    })
}

trait Named {
    fn name_field(&self) -> &str;
}

impl Named for Value {
    fn name_field(&self) -> &str {
        self.text("/name")
    }
}

fn content_of(
    api: &ApiServer,
    pod: &Value,
    volume: &Value,
    place: &Place,
) -> Result<Volume, String> {
    let optional = |source: &Value| source["optional"].as_bool().unwrap_or(false);
    let source = |kind: &str| Some(&volume[kind]).filter(|source| source.is_object());
    if let Some(source) = source("configMap") {
        let name = source.text("/name");
        let found = api.get(&CONFIG_MAPS, pod.namespace(), name);
        return files(
            found.as_deref(),
            source,
            ("configmap", name),
            optional(source),
        );
    }
    if let Some(source) = source("secret") {
        let name = source.text("/secretName");
        let found = api.get(&SECRETS, pod.namespace(), name);
        return files(found.as_deref(), source, ("secret", name), optional(source));
    }
    if let Some(source) = source("projected") {
        return projected(api, pod, source, place);
    }
    if let Some(source) = source("downwardAPI") {
        return downward(pod, source, place).map(Volume::Files);
    }
    if source("emptyDir").is_some() {
        return Ok(Volume::Scratch);
    }
    if let Some(source) = source("persistentVolumeClaim") {
        return persistent(api, pod, source.text("/claimName"));
    }
    let kinds = volume.as_object().into_iter().flatten();
    let kinds: Vec<&str> = kinds
        .map(|(kind, _)| kind.as_str())
        .filter(|kind| *kind != "name")
        .collect();
    Err(format!(
        "not modelled: a volume of kind {}",
        kinds.join(", ")
    ))
}

fn files(
    object: Option<&Value>,
    source: &Value,
    (kind, name): (&str, &str),
    optional: bool,
) -> Result<Volume, String> {
    let Some(object) = object else {
        if optional {
            return Ok(Volume::Files(Files::new()));
        }
        return Err(format!("{kind} \"{name}\" not found"));
    };
    let all = content::files(object);
    let items = source.items("/items");
    if items.is_empty() {
        return Ok(Volume::Files(all));
    }
    let mut chosen = Files::new();
    for item in items {
        let key = item.text("/key");
        match all.get(key) {
            Some(content) => {
                chosen.insert(item.text("/path").to_owned(), content.clone());
            }
            None if optional => {}
            None => return Err(format!("references non-existent {kind} key: {key}")),
        }
    }
    Ok(Volume::Files(chosen))
}

fn projected(
    api: &ApiServer,
    pod: &Value,
    source: &Value,
    place: &Place,
) -> Result<Volume, String> {
    let mut all = Files::new();
    for part in source.items("/sources") {
        if part["serviceAccountToken"].is_object() {
            let path = part["serviceAccountToken"].text("/path");
            // The simulated server asks nobody for a token, so that any will do.
            all.insert(path.to_owned(), b"simulated".to_vec());
            continue;
        }
        let mut as_volume = part.clone();
        if part["secret"].is_object() {
            as_volume["secret"]["secretName"] = part["secret"]["name"].clone();
        }
        match content_of(api, pod, &as_volume, place)? {
            Volume::Files(files) => all.extend(files),
            _ => return Err("not modelled: this source of a projected volume".to_owned()),
        }
    }
    Ok(Volume::Files(all))
}

fn downward(pod: &Value, source: &Value, place: &Place) -> Result<Files, String> {
    let mut files = Files::new();
    for item in source.items("/items") {
        let path = item.text("/fieldRef/fieldPath");
        let value = field(pod, path, place).map_err(|error| error.to_string())?;
        files.insert(item.text("/path").to_owned(), value.into_bytes());
    }
    Ok(files)
}

fn persistent(api: &ApiServer, pod: &Value, claim: &str) -> Result<Volume, String> {
    let found = api
        .get(&PERSISTENT_VOLUME_CLAIMS, pod.namespace(), claim)
        .ok_or_else(|| format!("persistentvolumeclaims \"{claim}\" not found"))?;
    let volume = found.text("/spec/volumeName");
    if volume.is_empty() || found.text("/status/phase") != "Bound" {
        return Err(format!("PVC {}/{claim} is not bound", pod.namespace()));
    }
    Ok(Volume::Persistent {
        volume: volume.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn place() -> Place {
        Place {
            pod_ip: String::new(),
            host_ip: String::new(),
        }
    }

    fn pod(volume: Value) -> Value {
        json!({
            "metadata": {"name": "demo-0", "namespace": "default", "labels": {"app": "demo"}},
            "spec": {"volumes": [volume]},
        })
    }

    fn server() -> ApiServer {
        let mut api = ApiServer::new(1);
        let map = json!({
            "metadata": {"name": "config", "namespace": "default"},
            "data": {"etcd.yaml": "name: demo-0", "other": "x"},
        });
        api.create(Timestamp::UNIX_EPOCH, "test", &CONFIG_MAPS, map)
            .unwrap();
        api
    }

    fn file(name: &str, content: &str) -> Volume {
        Volume::Files(Files::from([(
            name.to_owned(),
            content.as_bytes().to_vec(),
        )]))
    }

    #[test]
    fn a_missing_config_map_is_named_as_the_kubelet_does() {
        let pod = pod(json!({"name": "config", "configMap": {"name": "nope"}}));
        let refused = contents(&server(), &pod, &place()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "MountVolume.SetUp failed for volume \"config\" : configmap \"nope\" not found"
        );
    }

    #[test]
    fn chosen_keys_get_their_paths() {
        let pod = pod(json!({"name": "config", "configMap": {
            "name": "config", "items": [{"key": "etcd.yaml", "path": "conf.yaml"}],
        }}));
        let found = contents(&server(), &pod, &place()).unwrap();
        assert_eq!(found["config"], file("conf.yaml", "name: demo-0"));
    }

    #[test]
    fn a_projected_volume_joins_its_sources() {
        let pod = pod(json!({"name": "all", "projected": {"sources": [
            {"configMap": {"name": "config", "items": [{"key": "other", "path": "o"}]}},
            {"downwardAPI": {"items": [
                {"path": "app", "fieldRef": {"fieldPath": "metadata.labels['app']"}},
            ]}},
            {"serviceAccountToken": {"path": "token"}},
        ]}}));
        let found = contents(&server(), &pod, &place()).unwrap();
        let Volume::Files(files) = &found["all"] else {
            panic!("not files")
        };
        assert_eq!(files.keys().collect::<Vec<_>>(), ["app", "o", "token"]);
        assert_eq!(files["app"], b"demo");
    }

    #[test]
    fn an_unbound_claim_and_an_unknown_kind_of_volume_are_refused() {
        let claim = pod(json!({"name": "data", "persistentVolumeClaim": {"claimName": "c"}}));
        assert!(contents(&server(), &claim, &place()).is_err());
        let host = pod(json!({"name": "host", "hostPath": {"path": "/"}}));
        let refused = contents(&server(), &host, &place()).unwrap_err();
        assert!(
            refused
                .to_string()
                .ends_with("not modelled: a volume of kind hostPath")
        );
    }

    #[test]
    fn a_single_file_is_mounted_into_its_folder() {
        let container = json!({"volumeMounts": [
            {"name": "config", "mountPath": "/etc/etcd/etcd.yaml", "subPath": "etcd.yaml"},
            {"name": "data", "mountPath": "/data/"},
        ]});
        let volumes = BTreeMap::from([
            ("config".to_owned(), file("etcd.yaml", "a")),
            ("data".to_owned(), Volume::Scratch),
        ]);
        let found = mounts(&container, &volumes).unwrap();
        assert_eq!(found["/etc/etcd"], file("etcd.yaml", "a"));
        assert_eq!(found["/data"], Volume::Scratch);
        assert!(follows(&container, "/data"));
        assert!(!follows(&container, "/etc/etcd"));
    }
}
