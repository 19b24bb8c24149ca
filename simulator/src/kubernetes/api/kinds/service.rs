//! Services, and the addresses that they get.
//!
//! Owns: defaults, validation, and giving out cluster addresses and node ports.
//! Always holds: two services never have the same cluster address or node port.
//! Deliberately does not know: what stands behind a service.

use std::collections::BTreeSet;

use rand::{Rng, rngs::SmallRng};
use serde_json::{Value, json};

use super::{each, fields, fill, items};
use crate::kubernetes::api::{ApiServer, Cause, names, resource::SERVICES};

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const NODE_PORTS: std::ops::Range<i64> = 30000..32768;
const RANGE: &str = "must be between 1 and 65535, inclusive";

pub(super) fn default(service: &mut Value) {
    let spec = fields(&mut service["spec"]);
    fill(spec, "type", "ClusterIP");
    fill(spec, "sessionAffinity", "None");
    if spec["type"] != "ExternalName" {
        fill(spec, "internalTrafficPolicy", "Cluster");
    }
    let published = ["NodePort", "LoadBalancer"]
        .iter()
        .any(|kind| spec["type"] == *kind);
    if published {
        fill(spec, "externalTrafficPolicy", "Cluster");
    }
    if spec["type"] == "LoadBalancer" {
        fill(spec, "allocateLoadBalancerNodePorts", true);
    }
    for port in each(spec, "ports") {
        fill(port, "protocol", "TCP");
        let number = port.get("port").cloned().unwrap_or_default();
        let unset = port
            .get("targetPort")
            .is_none_or(|target| *target == 0 || *target == "");
        if unset && !number.is_null() {
            port.insert("targetPort".to_owned(), number);
        }
    }
}

pub(super) fn default_endpoints(object: &mut Value) {
    let object = fields(object);
    for port in each(object, "ports") {
        fill(port, "protocol", "TCP");
        port.entry("name").or_insert_with(|| "".into());
    }
    for subset in each(object, "subsets") {
        for port in each(subset, "ports") {
            fill(port, "protocol", "TCP");
        }
    }
}

/// Takes over what was given out before and the writer has left out.
pub(super) fn keep_allocated(service: &mut Value, live: &Value) {
    let spec = fields(&mut service["spec"]);
    if spec.get("type").is_some_and(|kind| *kind == "ExternalName") {
        return;
    }
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if let Some(value) = live["spec"].get(field) {
            fill(spec, field, value.clone());
        }
    }
    if spec.get("type") != live["spec"].get("type") {
        return;
    }
    for port in each(spec, "ports") {
        let same = |old: &&Value| old.get("port") == port.get("port");
        let before = items(&live["spec"]["ports"])
            .find(same)
            .and_then(|old| old.get("nodePort"));
        if let Some(number) = before.cloned() {
            port.entry("nodePort").or_insert(number);
        }
    }
}

/// Gives a service the addresses and ports that it lacks.
pub(in crate::kubernetes::api) fn addresses(
    api: &mut ApiServer,
    service: &mut Value,
) -> Vec<Cause> {
    let services: Vec<_> = api.list(&SERVICES, None);
    let own = service["metadata"]["uid"].clone();
    let others = || {
        services
            .iter()
            .filter(|other| other["metadata"]["uid"] != own)
    };
    let spec = fields(&mut service["spec"]);
    if spec["type"] == "ExternalName" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            spec.remove(field);
        }
        return Vec::new();
    }
    let taken: BTreeSet<&str> = others()
        .filter_map(|other| other["spec"]["clusterIP"].as_str())
        .collect();
    let wanted = spec
        .get("clusterIP")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let given = match wanted.as_str() {
        "None" => wanted,
        "" => free_address(&mut api.rng, &taken),
        wanted => match refuse_address(wanted, &taken) {
            Some(cause) => return vec![cause],
            None => wanted.to_owned(),
        },
    };
    let headless = given == "None";
    let selects = spec.get("selector").is_some_and(Value::is_object);
    spec.insert("clusterIP".to_owned(), given.as_str().into());
    spec.insert("clusterIPs".to_owned(), json!([given]));
    let (families, policy) = if headless && !selects {
        (json!(["IPv4", "IPv6"]), "RequireDualStack")
    } else {
        (json!(["IPv4"]), "SingleStack")
    };
    spec.entry("ipFamilies").or_insert(families);
    spec.entry("ipFamilyPolicy")
        .or_insert_with(|| policy.into());
    if ["NodePort", "LoadBalancer"]
        .iter()
        .any(|kind| spec["type"] == *kind)
    {
        let mut taken: BTreeSet<i64> = others()
            .flat_map(|other| items(&other["spec"]["ports"]))
            .filter_map(|port| port["nodePort"].as_i64())
            .collect();
        for port in each(spec, "ports") {
            if port.get("nodePort").is_none_or(|number| *number == 0) {
                let number = free_port(&mut api.rng, &taken);
                taken.insert(number);
                port.insert("nodePort".to_owned(), number.into());
            }
        }
    }
    Vec::new()
}

fn free_address(rng: &mut SmallRng, taken: &BTreeSet<&str>) -> String {
    loop {
        // 10.96.0.0/16; its lowest addresses are kept for those who ask for one.
        let host: u16 = rng.random_range(256..u16::MAX);
        let address = format!("10.96.{}.{}", host >> 8, host & 0xff);
        if !taken.contains(address.as_str()) {
            return address;
        }
    }
}

fn refuse_address(wanted: &str, taken: &BTreeSet<&str>) -> Option<Cause> {
    let refuse = |why: &str| {
        let why = format!("failed to allocate IP {wanted}: {why}");
        Some(Cause::invalid("spec.clusterIPs", json!([wanted]), why))
    };
    let Ok(ip) = wanted.parse::<std::net::Ipv4Addr>() else {
        let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        return Some(Cause::invalid(
            "spec.clusterIPs[0]",
            format!("{wanted:?}"),
            why,
        ));
    };
    if ip.octets()[..2] != [10, 96] {
        return refuse("the provided network does not match the current range");
    }
    if taken.contains(wanted) {
        return refuse("provided IP is already allocated");
    }
    None
}

fn free_port(rng: &mut SmallRng, taken: &BTreeSet<i64>) -> i64 {
    loop {
        let port = rng.random_range(NODE_PORTS);
        if !taken.contains(&port) {
            return port;
        }
    }
}

pub(super) fn validate(service: &Value) -> Vec<Cause> {
    let spec = &service["spec"];
    let kind = spec["type"].as_str().unwrap_or_default();
    let mut causes = Vec::new();
    let ports: Vec<&Value> = items(&spec["ports"]).collect();
    let headless = spec["clusterIP"] == "None";
    if ports.is_empty() && !headless && kind != "ExternalName" {
        causes.push(Cause::required("spec.ports", ""));
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        check_port(port, &at, ports.len() > 1, &mut causes);
        let name = port["name"].as_str().unwrap_or_default();
        if !name.is_empty() && !seen.insert(name) {
            causes.push(Cause::duplicate(format!("{at}.name"), format!("{name:?}")));
        }
    }
    let affinity = spec["sessionAffinity"].as_str().unwrap_or_default();
    if !["ClientIP", "None"].contains(&affinity) {
        let known = ["ClientIP", "None"];
        causes.push(Cause::unsupported("spec.sessionAffinity", affinity, &known));
    }
    if !TYPES.contains(&kind) {
        causes.push(Cause::unsupported("spec.type", kind, &TYPES));
    }
    if kind == "ExternalName" && spec["externalName"].as_str().is_none_or(str::is_empty) {
        causes.push(Cause::required("spec.externalName", ""));
    }
    causes
}

fn check_port(port: &Value, at: &str, named: bool, causes: &mut Vec<Cause>) {
    let name = port["name"].as_str().unwrap_or_default();
    if name.is_empty() && named {
        causes.push(Cause::required(format!("{at}.name"), ""));
    } else if let Some(wrong) = Some(name)
        .filter(|name| !name.is_empty())
        .and_then(names::label)
    {
        causes.push(Cause::invalid(
            format!("{at}.name"),
            format!("{name:?}"),
            wrong,
        ));
    }
    for field in ["port", "targetPort"] {
        let number = match &port[field] {
            Value::Null => Some(0),
            value => value.as_i64(),
        };
        if let Some(number) = number.filter(|number| !(1..=65535).contains(number)) {
            causes.push(Cause::invalid(format!("{at}.{field}"), number, RANGE));
        }
    }
}

pub(super) fn validate_update(service: &Value, live: &Value) -> Vec<Cause> {
    let address = |object: &Value| {
        object["spec"]["clusterIP"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let (new, old) = (address(service), address(live));
    let external = [service, live]
        .iter()
        .any(|object| object["spec"]["type"] == "ExternalName");
    if external || old.is_empty() || new == old {
        return Vec::new();
    }
    vec![Cause::invalid(
        "spec.clusterIPs[0]",
        json!([new]),
        "may not change once set",
    )]
}
