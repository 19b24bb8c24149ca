//! Which pods stand behind a Service.
//!
//! Owns: Endpoints and EndpointSlices of Services that have a selector.
//! Always holds: both say the same of the same pods; nothing is written when nothing changed.
//! Deliberately does not know: DNS and connections. One slice holds all endpoints of a service.

mod build;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    cluster::Cluster,
    object::{Key, Meta, controller_reference},
    queue::{Again, Controller},
    selector,
};
use crate::kubernetes::api::{
    ApiError, ApiServer, Changed, Resource,
    resource::{ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES},
};

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const SLICE_MANAGER: (&str, &str) = (
    "endpointslice.kubernetes.io/managed-by",
    "endpointslice-controller.k8s.io",
);
const ENDPOINTS_MANAGER: (&str, &str) =
    ("endpoints.kubernetes.io/managed-by", "endpoint-controller");
const HEADLESS: &str = "service.kubernetes.io/headless";

/// Keeps the endpoints of every Service.
#[derive(Debug, Default)]
pub struct Endpoints;

impl Controller for Endpoints {
    fn name(&self) -> &'static str {
        "endpoint-controller"
    }

    fn affected(&mut self, change: &Changed, api: &ApiServer) -> Vec<Key> {
        let object = &change.object;
        if change.is_of(&SERVICES) || change.is_of(&ENDPOINTS) {
            return vec![Key::of(object)];
        }
        if change.is_of(&ENDPOINT_SLICES) {
            let service = object.label(SERVICE_NAME);
            return service
                .map(|name| Key::new(object.namespace(), name))
                .into_iter()
                .collect();
        }
        if !change.is_of(&PODS) || !matters(change) {
            return Vec::new();
        }
        let states = [Some(object), change.previous.as_ref()];
        api.list(&SERVICES, Some(object.namespace()))
            .iter()
            .filter(|service| {
                let mut states = states.iter().flatten();
                states.any(|pod| selected(service, pod))
            })
            .map(|service| Key::of(service))
            .collect()
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        let Some(service) = cluster.get(&SERVICES, &key.namespace, &key.name) else {
            return drop_endpoints(cluster, key);
        };
        if service.is_terminating() || !has_selector(&service) {
            return Ok(Again::No);
        }
        let pods: Vec<Arc<Value>> = cluster
            .list(&PODS, Some(&key.namespace))
            .into_iter()
            .filter(|pod| selected(&service, pod))
            .collect();
        slices(cluster, &service, &pods)?;
        endpoints(cluster, &service, &pods)?;
        Ok(Again::No)
    }
}

fn has_selector(service: &Value) -> bool {
    service["spec"]["selector"]
        .as_object()
        .is_some_and(|pairs| !pairs.is_empty())
}

fn selected(service: &Value, pod: &Value) -> bool {
    has_selector(service)
        && selector::matches_all(&service["spec"]["selector"], &pod["metadata"]["labels"])
}

/// Whether a changed pod looks different from the point of view of services.
fn matters(change: &Changed) -> bool {
    let Some(previous) = change.previous.as_ref().filter(|_| !change.deleted) else {
        return true;
    };
    let seen = |pod: &Value| {
        let ready = pod.condition_is_true("Ready");
        let ip = pod["status"]["podIP"].clone();
        let phase = pod["status"]["phase"].clone();
        (
            ready,
            ip,
            phase,
            pod.is_terminating(),
            pod["metadata"]["labels"].clone(),
        )
    };
    seen(previous) != seen(&change.object)
}

fn drop_endpoints(cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
    let left = cluster.get(&ENDPOINTS, &key.namespace, &key.name);
    let ours = |left: &Value| left.label(ENDPOINTS_MANAGER.0) == Some(ENDPOINTS_MANAGER.1);
    if let Some(left) = left.filter(|left| ours(left)) {
        cluster.delete(&ENDPOINTS, &left)?;
    }
    Ok(Again::No)
}

fn labels(service: &Value, manager: (&str, &str)) -> Value {
    let mut labels = match &service["metadata"]["labels"] {
        Value::Object(labels) => Value::Object(labels.clone()),
        _ => json!({}),
    };
    labels[manager.0] = manager.1.into();
    if service.text("/spec/clusterIP") == "None" {
        labels[HEADLESS] = "".into();
    }
    labels
}

fn slices(cluster: &mut Cluster, service: &Value, pods: &[Arc<Value>]) -> Result<(), ApiError> {
    let mut labels = labels(service, SLICE_MANAGER);
    labels[SERVICE_NAME] = service.name().into();
    let wanted = json!({"labels": labels, "endpoints": build::slice_endpoints(service, pods), "ports": build::ports(service, pods)});
    let existing = cluster
        .list(&ENDPOINT_SLICES, Some(service.namespace()))
        .into_iter()
        .filter(|slice| {
            slice.label(SERVICE_NAME) == Some(service.name())
                && slice.label(SLICE_MANAGER.0) == Some(SLICE_MANAGER.1)
                && !slice.is_terminating()
        });
    let mut existing: Vec<Arc<Value>> = existing.collect();
    if existing.is_empty() {
        let slice = json!({
            "metadata": {
                "generateName": format!("{}-", service.name()), "namespace": service.namespace(),
                "labels": wanted["labels"],
                "ownerReferences": [controller_reference("v1", "Service", service)],
            },
            "addressType": "IPv4", "endpoints": wanted["endpoints"], "ports": wanted["ports"],
        });
        return cluster.create(&ENDPOINT_SLICES, slice).map(drop);
    }
    let first = existing.remove(0);
    for surplus in existing {
        cluster.delete(&ENDPOINT_SLICES, &surplus)?;
    }
    let mut updated = (*first).clone();
    updated["metadata"]["labels"] = wanted["labels"].clone();
    updated["endpoints"] = wanted["endpoints"].clone();
    updated["ports"] = wanted["ports"].clone();
    write(cluster, &ENDPOINT_SLICES, &first, updated)
}

fn endpoints(cluster: &mut Cluster, service: &Value, pods: &[Arc<Value>]) -> Result<(), ApiError> {
    let labels = labels(service, ENDPOINTS_MANAGER);
    let subsets = build::subsets(service, pods);
    let Some(existing) = cluster.get(&ENDPOINTS, service.namespace(), service.name()) else {
        let mut fresh = json!({
            "metadata": {
                "name": service.name(), "namespace": service.namespace(), "labels": labels,
            },
        });
        if !subsets.is_empty() {
            fresh["subsets"] = subsets.into();
        }
        return cluster.create(&ENDPOINTS, fresh).map(drop);
    };
    let mut updated = (*existing).clone();
    updated["metadata"]["labels"] = labels;
    if subsets.is_empty() {
        if let Some(fields) = updated.as_object_mut() {
            fields.remove("subsets");
        }
    } else {
        updated["subsets"] = subsets.into();
    }
    write(cluster, &ENDPOINTS, &existing, updated)
}

fn write(
    cluster: &mut Cluster,
    resource: &Resource,
    before: &Value,
    after: Value,
) -> Result<(), ApiError> {
    if *before == after {
        return Ok(());
    }
    cluster.update(resource, after).map(drop)
}
