//! An operator that runs in the cluster already.
//!
//! Owns: which pods are its, and whether they were restarted.
//! Always holds: a container that was restarted during the run is told as a crash, also when it was
//! out of memory.
//! Deliberately does not know: how it was deployed; its pods are found by their label.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use futures::StreamExt;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    runtime::{WatchStreamExt, reflector, reflector::Store, watcher},
};

use serde_json::json;

use crate::{
    user::{chain, failed},
    world::WorldFailed,
    worlds::CannotBegin,
};

/// The label that `kind-config` gives to the operator's pods.
const LABEL: &str = "app.kubernetes.io/name=etcd-operator";

/// The operator's pods.
pub(in crate::kubernetes) struct Deployed {
    pods: Store<Pod>,
    kube: Client,
    first: Vec<String>,
    /// Replicas of Deployments that were scaled to 0, by `namespace/name`.
    scaled: Mutex<BTreeMap<String, i32>>,
    /// Restarts by UID when the run began; later pods begin with none.
    restarts: Mutex<BTreeMap<String, i32>>,
}

impl Deployed {
    pub(super) async fn find(kube: &Client) -> Result<Self, CannotBegin> {
        let api: Api<Pod> = Api::all(kube.clone());
        let found = api.list(&ListParams::default().labels(LABEL)).await;
        let found = found.map_err(|error| {
            CannotBegin(format!(
                "failed to look for the operator: {}",
                chain(&error)
            ))
        })?;
        let (store, writer) = reflector::store();
        let watched = watcher(api, watcher::Config::default().labels(LABEL)).default_backoff();
        tokio::spawn(reflector(writer, watched).for_each(|_| async {}));
        Ok(Self {
            kube: kube.clone(),
            scaled: Mutex::default(),
            pods: store,
            first: found.items.iter().map(name).collect(),
            restarts: Mutex::new(
                found
                    .items
                    .iter()
                    .map(|it| (uid(it), restarts(it)))
                    .collect(),
            ),
        })
    }

    /// Pods that there were at the beginning, as `namespace/name`.
    pub(super) fn pods(&self) -> &[String] {
        &self.first
    }

    pub(super) fn describe(&self) -> String {
        if self.first.is_empty() {
            return format!(
                "the operator deployed there (no pod has the label {LABEL}, so whether it crashes \
                 is not seen)"
            );
        }
        format!("the operator deployed there ({})", self.first.join(", "))
    }

    /// Deletes its pods without grace; their owner makes new ones.
    pub(super) async fn kill(&self) -> Result<(), WorldFailed> {
        let at_once = DeleteParams::default().grace_period(0);
        for pod in self.pods.state() {
            let metadata = &pod.metadata;
            let namespace = metadata.namespace.as_deref().unwrap_or_default();
            let pods: Api<Pod> = Api::namespaced(self.kube.clone(), namespace);
            let deleted = pods
                .delete(metadata.name.as_deref().unwrap_or_default(), &at_once)
                .await;
            deleted.map_err(|error| failed("delete the operator's pod", error))?;
        }
        Ok(())
    }

    /// Scales its Deployments to 0, or back.
    pub(super) async fn scale(&self, up: bool) -> Result<(), WorldFailed> {
        let all: Api<Deployment> = Api::all(self.kube.clone());
        let found = all.list(&ListParams::default().labels(LABEL)).await;
        let found = found.map_err(|error| failed("list the operator's Deployments", error))?;
        for deployment in found.items {
            let name = deployment.metadata.name.unwrap_or_default();
            let namespace = deployment.metadata.namespace.unwrap_or_default();
            let wanted = deployment.spec.and_then(|spec| spec.replicas).unwrap_or(1);
            let key = format!("{namespace}/{name}");
            let replicas = {
                let mut scaled = self.scaled.lock().unwrap_or_else(PoisonError::into_inner);
                if up {
                    scaled.remove(&key).unwrap_or(wanted)
                } else {
                    scaled.insert(key, wanted);
                    0
                }
            };
            let api: Api<Deployment> = Api::namespaced(self.kube.clone(), &namespace);
            let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
            let patched = api.patch(&name, &PatchParams::default(), &patch).await;
            patched.map_err(|error| failed(&format!("scale Deployment {name}"), error))?;
        }
        Ok(())
    }

    /// Addresses of its pods.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        let pods = self.pods.state();
        let address = |pod: &Pod| pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok();
        pods.iter().filter_map(|pod| address(pod)).collect()
    }

    pub(super) fn crashed(&self) -> Option<String> {
        let mut known = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
        self.pods.state().iter().find_map(|pod| {
            let before = *known.entry(uid(pod)).or_default();
            (restarts(pod) > before).then(|| {
                let (name, why) = (name(pod), last_words(pod));
                format!("the operator's pod {name} was restarted{why}")
            })
        })
    }
}

fn name(pod: &Pod) -> String {
    let metadata = &pod.metadata;
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    format!(
        "{namespace}/{}",
        metadata.name.as_deref().unwrap_or_default()
    )
}

fn uid(pod: &Pod) -> String {
    pod.metadata.uid.clone().unwrap_or_default()
}

fn restarts(pod: &Pod) -> i32 {
    let status = pod.status.iter().flat_map(|it| &it.container_statuses);
    status
        .flatten()
        .map(|container| container.restart_count)
        .sum()
}

fn last_words(pod: &Pod) -> String {
    let mut containers = pod
        .status
        .iter()
        .flat_map(|it| &it.container_statuses)
        .flatten();
    let ended = containers.find_map(|it| it.last_state.as_ref()?.terminated.as_ref());
    ended.map_or(String::new(), |ended| {
        let reason = ended.reason.as_deref().unwrap_or("no reason");
        format!(": exit code {}, {reason}", ended.exit_code)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_restart_is_counted_with_its_reason() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "op-1", "namespace": "sys", "uid": "u"},
            "status": {"containerStatuses": [{
                "name": "operator", "image": "i", "imageID": "i", "ready": true, "restartCount": 2,
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            }]},
        }))
        .expect("a pod");
        assert_eq!((name(&pod), restarts(&pod)), ("sys/op-1".to_owned(), 2));
        assert_eq!(last_words(&pod), ": exit code 137, OOMKilled");
    }
}
