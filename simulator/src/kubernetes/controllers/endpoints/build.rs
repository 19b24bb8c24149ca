//! Endpoints as they follow from a Service and its pods.
//!
//! Owns: who is ready, under which host name, on which ports.
//! Always holds: pods are listed by name, so that equal pods give equal lists.
//! Deliberately does not know: what is stored already.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::kubernetes::controllers::{object::Meta, pods};

/// The endpoints of a slice: every pod with an address, also those that are not ready.
pub(super) fn slice_endpoints(service: &Value, pods: &[Arc<Value>]) -> Vec<Value> {
    let publish_all = service["spec"]["publishNotReadyAddresses"] == true;
    let with_address = pods.iter().filter(|pod| !pods::is_finished(pod));
    with_address
        .filter_map(|pod| {
            let serving = pods::is_ready(pod);
            let terminating = pod.is_terminating();
            let mut endpoint = json!({
                "addresses": [pods::ip(pod)?],
                "conditions": {
                    "ready": publish_all || (serving && !terminating),
                    "serving": serving, "terminating": terminating,
                },
                "targetRef": reference(pod),
            });
            if let Some(node) = pods::node(pod) {
                endpoint["nodeName"] = node.into();
            }
            if let Some(hostname) = hostname(service, pod) {
                endpoint["hostname"] = hostname.into();
            }
            Some(endpoint)
        })
        .collect()
}

/// The ports of a slice.
pub(super) fn ports(service: &Value, pods: &[Arc<Value>]) -> Vec<Value> {
    let first = pods.first().map(|pod| &**pod);
    service
        .items("/spec/ports")
        .iter()
        .filter_map(|port| {
            let number = target(port, first)?;
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            Some(json!({"name": port.text("/name"), "port": number, "protocol": protocol}))
        })
        .collect()
}

/// The subsets of the older Endpoints: ready and other addresses with their ports.
pub(super) fn subsets(service: &Value, pods: &[Arc<Value>]) -> Vec<Value> {
    let publish_all = service["spec"]["publishNotReadyAddresses"] == true;
    let (mut ready, mut unready) = (BTreeMap::new(), BTreeMap::new());
    for pod in pods {
        let Some(ip) = pods::ip(pod).filter(|_| !pods::is_finished(pod)) else {
            continue;
        };
        if pod.is_terminating() && !publish_all {
            continue;
        }
        let mut address = json!({"ip": ip, "targetRef": reference(pod)});
        if let Some(node) = pods::node(pod) {
            address["nodeName"] = node.into();
        }
        if let Some(hostname) = hostname(service, pod) {
            address["hostname"] = hostname.into();
        }
        let list = if publish_all || pods::is_ready(pod) {
            &mut ready
        } else {
            &mut unready
        };
        list.insert(ip.to_owned(), address);
    }
    if ready.is_empty() && unready.is_empty() {
        return Vec::new();
    }
    let mut subset = json!({});
    for (field, addresses) in [("addresses", ready), ("notReadyAddresses", unready)] {
        if !addresses.is_empty() {
            subset[field] = addresses.into_values().collect();
        }
    }
    let mut ports = ports(service, pods);
    for port in &mut ports {
        if port["name"] == ""
            && let Some(fields) = port.as_object_mut()
        {
            fields.remove("name");
        }
    }
    if !ports.is_empty() {
        subset["ports"] = ports.into();
    }
    vec![subset]
}

fn reference(pod: &Value) -> Value {
    json!({"kind": "Pod", "namespace": pod.namespace(), "name": pod.name(), "uid": pod.uid()})
}

/// The name under which DNS knows the pod: only of pods that name this service as their subdomain.
fn hostname<'a>(service: &Value, pod: &'a Value) -> Option<&'a str> {
    let hostname = pod.text("/spec/hostname");
    let ours = pod.text("/spec/subdomain") == service.name();
    (ours && !hostname.is_empty()).then_some(hostname)
}

fn target(port: &Value, pod: Option<&Value>) -> Option<u64> {
    match &port["targetPort"] {
        Value::Number(number) if number.as_u64() != Some(0) => number.as_u64(),
        Value::String(name) => match name.parse() {
            Ok(number) => Some(number),
            Err(_) => named(pod?, name),
        },
        _ => port["port"].as_u64(),
    }
}

fn named(pod: &Value, name: &str) -> Option<u64> {
    let containers = pod.items("/spec/containers").iter();
    let mut ports = containers.flat_map(|container| container.items("/ports"));
    ports.find(|port| port["name"] == name)?["containerPort"].as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, ip: &str, ready: bool) -> Arc<Value> {
        let status = if ready { "True" } else { "False" };
        Arc::new(json!({
            "metadata": {"name": name, "namespace": "ns", "uid": format!("uid-{name}")},
            "spec": {
                "hostname": name, "subdomain": "peers", "nodeName": "node-1",
                "containers": [{"ports": [{"name": "client", "containerPort": 2379}]}],
            },
            "status": {
                "phase": "Running", "podIP": ip,
                "conditions": [{"type": "Ready", "status": status}],
            },
        }))
    }

    fn service(name: &str, publish_all: bool) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "ns"},
            "spec": {
                "publishNotReadyAddresses": publish_all,
                "ports": [{"name": "client", "port": 80, "targetPort": "client"}],
            },
        })
    }

    fn terminating(pod: &Arc<Value>) -> Arc<Value> {
        let mut pod = (**pod).clone();
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        Arc::new(pod)
    }

    #[test]
    fn a_slice_lists_all_addresses_and_says_who_is_ready() {
        let pods = [
            pod("a", "10.0.0.1", true),
            pod("b", "10.0.0.2", false),
            pod("c", "", true),
        ];
        let listed = slice_endpoints(&service("peers", false), &pods);
        assert_eq!(listed.len(), 2);
        assert_eq!(listed[0]["conditions"]["ready"], true);
        assert_eq!(listed[1]["conditions"]["ready"], false);
        assert_eq!(listed[0]["hostname"], "a");
        assert_eq!(ports(&service("peers", false), &pods)[0]["port"], 2379);
    }

    #[test]
    fn pods_have_a_host_name_only_in_the_service_they_name() {
        let listed = slice_endpoints(&service("client", false), &[pod("a", "10.0.0.1", true)]);
        assert!(listed[0]["hostname"].is_null());
    }

    #[test]
    fn a_service_that_publishes_all_counts_unready_and_leaving_pods_as_ready() {
        let pods = [
            pod("a", "10.0.0.1", false),
            terminating(&pod("b", "10.0.0.2", true)),
        ];
        let listed = slice_endpoints(&service("peers", true), &pods);
        assert!(
            listed
                .iter()
                .all(|endpoint| endpoint["conditions"]["ready"] == true)
        );
        assert_eq!(
            subsets(&service("peers", true), &pods)[0]["addresses"][1]["ip"],
            "10.0.0.2"
        );
        let listed = slice_endpoints(&service("peers", false), &pods);
        assert!(
            listed
                .iter()
                .all(|endpoint| endpoint["conditions"]["ready"] == false)
        );
        assert_eq!(listed[1]["conditions"]["serving"], true);
    }
}
