//! The columns of services and what stands behind them.
//!
//! Owns: Services, Endpoints, EndpointSlices.
//! Always holds: at most three addresses are named, the rest is counted.
//! Deliberately does not know: how addresses are chosen.

use jiff::Timestamp;
use serde_json::Value;

use super::{Layout, age, items, joined, pairs, text_or};
use crate::kubernetes::api::metadata;

pub(super) const SERVICES: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Type", 0),
        ("Cluster-IP", 0),
        ("External-IP", 0),
        ("Port(s)", 0),
        ("Age", 0),
        ("Selector", 1),
    ],
    cells: service,
};

pub(super) const ENDPOINTS: Layout = Layout {
    columns: &[("Name", 0), ("Endpoints", 0), ("Age", 0)],
    cells: |now, endpoints| {
        let shown = addresses(endpoints);
        vec![
            metadata::name(endpoints).into(),
            shown.into(),
            age::of(now, endpoints),
        ]
    },
};

pub(super) const ENDPOINT_SLICES: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("AddressType", 0),
        ("Ports", 0),
        ("Endpoints", 0),
        ("Age", 0),
    ],
    cells: |now, slice| {
        let ports: Vec<String> = items(&slice["ports"])
            .map(|port| port["port"].to_string())
            .collect();
        let addresses: Vec<String> = items(&slice["endpoints"])
            .flat_map(|endpoint| items(&endpoint["addresses"]))
            .map(|address| text_or(address, "").to_owned())
            .collect();
        vec![
            metadata::name(slice).into(),
            text_or(&slice["addressType"], "").into(),
            few(&ports, "<unset>").into(),
            few(&addresses, "<unset>").into(),
            age::of(now, slice),
        ]
    },
};

fn service(now: Timestamp, service: &Value) -> Vec<Value> {
    let spec = &service["spec"];
    let kind = text_or(&spec["type"], "ClusterIP");
    let ports: Vec<String> = items(&spec["ports"])
        .map(|port| {
            let number = &port["port"];
            let protocol = text_or(&port["protocol"], "TCP");
            match port["nodePort"].as_i64().filter(|node_port| *node_port > 0) {
                Some(node_port) => format!("{number}:{node_port}/{protocol}"),
                None => format!("{number}/{protocol}"),
            }
        })
        .collect();
    let given = joined(items(&spec["externalIPs"]).filter_map(Value::as_str), "");
    let external = match (kind, given.as_str()) {
        ("ExternalName", _) => text_or(&spec["externalName"], "<none>").to_owned(),
        ("LoadBalancer", "") => joined(
            items(&service["status"]["loadBalancer"]["ingress"])
                .filter_map(|ingress| ingress["ip"].as_str()),
            "<pending>",
        ),
        (_, "") => "<none>".to_owned(),
        (_, given) => given.to_owned(),
    };
    vec![
        metadata::name(service).into(),
        kind.into(),
        text_or(&spec["clusterIP"], "<none>").into(),
        external.into(),
        joined(ports.iter().map(String::as_str), "<none>").into(),
        age::of(now, service),
        pairs(&spec["selector"]).into(),
    ]
}

fn addresses(endpoints: &Value) -> String {
    let mut all = Vec::new();
    for subset in items(&endpoints["subsets"]) {
        let ports: Vec<&Value> = items(&subset["ports"]).collect();
        for address in items(&subset["addresses"]) {
            let ip = text_or(&address["ip"], "");
            if ports.is_empty() {
                all.push(ip.to_owned());
            }
            all.extend(ports.iter().map(|port| format!("{ip}:{}", port["port"])));
        }
    }
    few(&all, "<none>")
}

fn few(all: &[String], absent: &str) -> String {
    match all.len() {
        0 => absent.to_owned(),
        1..=3 => all.join(","),
        more => format!("{} + {} more...", all[..3].join(","), more - 3),
    }
}
